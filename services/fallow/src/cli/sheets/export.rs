//! Offers and needs as files.

use fallow_api::v1::{GetRegionRequest, NeedFilter, Offer, OfferFilter};
use fallow_tabular::Table;
use fallow_tabular::write::{csv, xlsx};
use jiff::Timestamp;

use super::args::{Export, Records, What, Which};
use super::file;
use crate::cli::exchange::{Told, fhir, have};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::time::past;
use crate::cli::{capacity, demand};

/// Runs `fallow export …`.
pub(super) async fn run(session: &mut Session<'_>, command: Export) -> Result<Exit, Failure> {
    match command {
        Export::Csv(what) => sheet(session, what, false).await,
        Export::Xlsx(what) => {
            file::refuse_a_screen(session, what.which.out.as_deref())?;
            sheet(session, what, true).await
        }
        Export::Have(which) => {
            exchange(session, which, |told| {
                let written = have::write(told).map_err(|error| file::unwritten(&error))?;
                written.ok_or_else(|| {
                    let what = "there is no live offer, and a report needs a facility that has something";
                    Failure::new(Exit::NothingMatched, "NOTHING_TO_REPORT", what)
                        .next("fallow mine, or --everyone for what every trust offers")
                })
            })
            .await
        }
        Export::Fhir(which) => {
            exchange(session, which, |told| {
                let text = serde_json::to_vec_pretty(&fhir::bundle(told)).map(|mut text| {
                    text.push(b'\n');
                    text
                });
                text.map_err(|error| file::unwritten(&error))
            })
            .await
        }
    }
}

/// Writes offers or needs as a sheet.
async fn sheet(session: &mut Session<'_>, what: What, is_workbook: bool) -> Result<Exit, Failure> {
    let local = file::local(session);
    let (trusts, at) = (trusts(session, &what.which), as_of(session, &what.which)?);
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
    let bytes = bytes.map_err(|error| file::unwritten(&error))?;
    file::write(session, what.which.out.as_deref(), &bytes)?;
    Ok(Exit::Ok)
}

/// Writes offers as another system reads them.
async fn exchange(
    session: &mut Session<'_>,
    which: Which,
    write: impl FnOnce(&Told<'_>) -> Result<Vec<u8>, Failure>,
) -> Result<Exit, Failure> {
    let at = as_of(session, &which)?;
    let filter = OfferFilter { trusts: trusts(session, &which), ..OfferFilter::default() };
    let offers: Vec<Offer> = capacity::all_at(session, &filter, at).await?;
    let client = session.monitor()?;
    let answer = session.call(GetRegionRequest {}, async |ask| client.clone().get_region(ask).await).await?;
    let region = answer.region.unwrap_or_default();
    // The services' own time, for it is theirs that figures are old by; a computer's clock may be wrong.
    let now = match at {
        Some(at) => at,
        None => session.time_of_services().await?,
    };
    let told = Told { offers: &offers, region: &region, at: now, zone: &session.zone };
    let bytes = write(&told)?;
    file::write(session, which.out.as_deref(), &bytes)?;
    Ok(Exit::Ok)
}

fn trusts(session: &Session<'_>, which: &Which) -> Vec<String> {
    if which.everyone { Vec::new() } else { session.own_trust().into_iter().collect() }
}

fn as_of(session: &Session<'_>, which: &Which) -> Result<Option<Timestamp>, Failure> {
    let at = which.at.as_deref().map(|text| past(text, session.now(), &session.zone)).transpose()?;
    if at.is_some_and(|at| at > session.now()) {
        return Err(Failure::usage("--at is still to come: an export is of what was")
            .next("leave --at out for now, or say 08:00, -30m or \"yesterday 20:00\""));
    }
    Ok(at)
}
