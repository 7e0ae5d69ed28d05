//! Needs of a sheet.

use fallow_api::client::{Client, fresh_request_id};
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1::{Need, RaiseNeedRequest};
use fallow_tabular::Table;
use fallow_tabular::difference::{self, Raised};
use fallow_tabular::sheet::{self, Fault, Item, ROWS_MAX, Sheet};
use sha2::{Digest, Sha256};
use uuid::Builder;

use super::args;
use super::file::{self, Given};
use super::report::Report;
use crate::cli::exchange::requests::{self, Wrong};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;

/// Runs `fallow import demand`.
pub(super) async fn run(session: &mut Session<'_>, args: &args::Sheet) -> Result<Exit, Failure> {
    let given = file::read(session, args)?;
    let read = sheet::needs(&given.bytes, given.format, &given.mapping, &given.local);
    let sheet = read.map_err(|error| file::bad(&args.file, &error))?;
    bring(session, sheet, &given, &args.how).await
}

/// Runs `fallow import fhir`.
pub(super) async fn requests(session: &mut Session<'_>, args: &args::Requests) -> Result<Exit, Failure> {
    let given = file::lines(session, &args.file)?;
    let bad = |said: String| {
        Failure::new(Exit::Usage, "BAD_FILE", format!("{}: {said}", args.file.display()))
            .next("fallow import fhir --help")
    };
    let found = requests::read(&given.bytes, session.now()).map_err(bad)?;
    if found.read.len() > ROWS_MAX {
        return Err(bad(format!("has {} requests; one file has at most {ROWS_MAX}", found.read.len())));
    }
    let nothing = sheet::needs(&[], given.format, &given.mapping, &given.local);
    let mut sheet = nothing.map_err(|error| file::bad(&args.file, &error))?;
    for (row, read) in found.read {
        match read {
            Ok(message) => sheet.items.push(Item { row, message }),
            Err(wrong) => sheet.faults.extend(wrong.into_iter().map(|Wrong { element, text }| Fault {
                row,
                cell: None,
                field: element.to_owned(),
                message: text,
            })),
        }
    }
    if found.passed_over > 0 {
        let requests = if found.passed_over == 1 { "request is" } else { "requests are" };
        session.terminal.say(&format!("{} {requests} not active: passed over", found.passed_over))?;
    }
    bring(session, sheet, &given, &args.how()).await
}

/// Raises what was read, and says what became of it.
async fn bring(
    session: &mut Session<'_>,
    mut sheet: Sheet<Need>,
    given: &Given,
    how: &args::How,
) -> Result<Exit, Failure> {
    let site = session.site(how.site.as_deref()).ok();
    for Item { message: need, .. } in &mut sheet.items {
        if let (true, Some(site)) = (need.site.is_empty(), &site) {
            need.site.clone_from(site);
        }
    }
    let mut report = Report { rejected: sheet.faults.clone(), ..Report::default() };
    let ended = raise(session, &sheet, given, how, site.as_deref(), &mut report).await;
    // What was done is told before what ended it.
    let exit = report.show(session, given, Table::Needs, how)?;
    if how.dry_run && sheet.items.iter().any(|item| item.message.case_ref.is_empty()) {
        session.terminal.say(
            "rows without a case reference: a dry run cannot know whether this file raised them before; the \
             import itself raises nothing twice",
        )?;
    }
    match ended {
        Ok(()) => Ok(exit),
        Err(failure) => {
            Err(failure.next("the same command on the same file: what is raised is not raised twice"))
        }
    }
}

/// Raises row by row; a row that is refused does not stop the others.
async fn raise(
    session: &mut Session<'_>,
    sheet: &Sheet<Need>,
    given: &Given,
    how: &args::How,
    site: Option<&str>,
    report: &mut Report,
) -> Result<(), Failure> {
    let file = [&Sha256::digest(&given.bytes)[..], site.unwrap_or_default().as_bytes()].concat();
    for Item { row, message } in &sheet.items {
        // Its case reference tells the service whether a need is live already; without one, only the request's id can.
        let request_id = if message.case_ref.is_empty() { row_id(&file, *row) } else { fresh_request_id() };
        let request =
            RaiseNeedRequest { request_id, validate_only: how.dry_run, need: Some(message.clone()) };
        let what = format!("row {row}");
        let sent = session
            .attempt_paced(&what, request, async |client: Client, ask| client.demand().raise_need(ask).await);
        match sent.await? {
            Ok(answer) => {
                let raised = Raised::of(&answer);
                match &answer.need {
                    Some(need) => report.differences.push(difference::need(need, raised, &given.local)),
                    None => report.untold(sheet, *row),
                }
            }
            Err(problem) => report.refuse(sheet, *row, "need", &in_words(problem)),
        }
    }
    Ok(())
}

/// Returns the id of the request of a row without a case reference: made of the file and the row, so that the same file
/// again raises nothing twice.
fn row_id(file: &[u8], row: usize) -> String {
    let mut hash = Sha256::new();
    hash.update(file);
    hash.update(row.to_be_bytes());
    let mut bytes = [0_u8; 16];
    bytes.copy_from_slice(&hash.finalize()[..16]);
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// Says of a row that was raised before what that means here: nobody typed a request id.
fn in_words(problem: Problem) -> Problem {
    if problem.reason != reasons::REQUEST_ID_REUSED {
        return problem;
    }
    let text = "was raised from this very file a short while ago, when its times of day or its map meant something \
                else; if it is meant again, change the file";
    Problem { text: text.to_owned(), violations: Vec::new(), ..problem }
}
