//! Offers and needs as files.

use fallow_api::v1::{NeedFilter, OfferFilter};
use fallow_tabular::Table;
use fallow_tabular::write::{csv, xlsx};

use super::args::{Export, Records, What};
use super::file;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::time::past;
use crate::cli::{capacity, demand};

/// Runs `fallow export csv` and `fallow export xlsx`.
pub(super) async fn run(session: &mut Session<'_>, command: Export) -> Result<Exit, Failure> {
    let (what, is_workbook) = match command {
        Export::Csv(what) => (what, false),
        Export::Xlsx(what) => {
            file::refuse_a_screen(session, what.out.as_deref())?;
            (what, true)
        }
    };
    let local = file::local(session);
    let trusts: Vec<String> =
        if what.everyone { Vec::new() } else { session.own_trust().into_iter().collect() };
    let at = what.at.as_deref().map(|text| past(text, session.now(), &session.zone)).transpose()?;
    let bytes = match what.records {
        Records::Offers => {
            let offers = OfferFilter { trusts, ..OfferFilter::default() };
            let offers = capacity::all_at(session, &offers, at).await?;
            if is_workbook {
                xlsx(&offers, Table::Offers, &local)
            } else {
                csv(&offers, Table::Offers, &local)
            }
        }
        Records::Needs => {
            let needs = NeedFilter { trusts, ..NeedFilter::default() };
            let needs = demand::all_at(session, &needs, at).await?;
            if is_workbook { xlsx(&needs, Table::Needs, &local) } else { csv(&needs, Table::Needs, &local) }
        }
    };
    let What { out, .. } = what;
    file::write(session, out.as_deref(), &bytes.map_err(|error| file::unwritten(&error))?)?;
    Ok(Exit::Ok)
}
