//! Needs of a sheet.

use fallow_api::v1::{Need, RaiseNeedRequest};
use fallow_tabular::sheet::{self, Item};
use fallow_tabular::{Table, difference};
use uuid::Uuid;

use super::args;
use super::file;
use super::report::Report;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;

/// Runs `fallow import demand`.
pub(super) async fn run(session: &mut Session<'_>, args: &args::Sheet) -> Result<Exit, Failure> {
    let given = file::read(session, args)?;
    let read = sheet::needs(&given.bytes, given.format, &given.mapping, &given.local);
    let mut sheet = read.map_err(|error| file::bad(&args.file, &error))?;
    let site = session.site(args.how.site.as_deref()).ok();
    for Item { message: need, .. } in &mut sheet.items {
        if let (true, Some(site)) = (need.site.is_empty(), &site) {
            need.site.clone_from(site);
        }
    }
    let mut report = Report { rejected: sheet.faults.clone(), ..Report::default() };
    let client = session.demand()?;
    for Item { row, message } in &sheet.items {
        let request = RaiseNeedRequest {
            request_id: Uuid::now_v7().to_string(),
            validate_only: args.how.dry_run,
            need: Some(message.clone()),
        };
        match session.attempt(request, async |ask| client.clone().raise_need(ask).await).await? {
            Ok(answer) => {
                let need: Need = answer.need.unwrap_or_default();
                report.differences.push(difference::need(&need, answer.already_live, &given.local));
            }
            Err(problem) => report.refuse(&sheet, *row, "need", &problem),
        }
    }
    report.show(session, &given, Table::Needs, &args.how)
}
