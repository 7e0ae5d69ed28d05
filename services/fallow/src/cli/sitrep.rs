//! `fallow sitrep`: the situation report as of a time, for people who print it, paste it or sign it.

use std::path::{Path, PathBuf};

use clap::Args;
use fallow_api::render::sitrep::Page;
use fallow_api::v1::{GetSitrepRequest, SignOffSitrepRequest, Sitrep};
use fallow_tabular::report::{Printed, workbook};
use fallow_tabular::write::WriteError;

use super::failure::{Exit, Failure};
use super::options::{Change, Format};
use super::output::Terminal;
use super::session::Session;
use super::sheets;
use super::time::{self, to_wire};

/// Shows the situation report, or signs it off.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow sitrep\n  fallow sitrep --at 08:00 -o md > sitrep.md\n  fallow sitrep --at 08:00 -o html > \
                        sitrep.html\n  fallow sitrep --at 08:00 -o xlsx --out sitrep.xlsx\n  fallow sitrep --at 08:00 --sign-off \"duty director\"\n\nA report that was signed is shown as it was \
                        signed."
)]
pub(crate) struct Report {
    /// As of when: 08:00, yesterday 20:00, -30m or a date with a time. Default: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// Sign it off, as who you are called; gold only
    #[arg(long, value_name = "WHO")]
    sign_off: Option<String>,
    /// Write it here instead of to the standard output
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    change: Change,
}

/// Runs `fallow sitrep`.
pub(crate) async fn run(session: &mut Session<'_>, args: Report) -> Result<Exit, Failure> {
    if session.global.format() == Format::Xlsx {
        // Before anything is signed.
        sheets::refuse_a_screen(session, args.out.as_deref())?;
    }
    let out = args.out.as_deref();
    let at = args.at.as_deref().map(|text| time::past(text, session.now(), &session.zone)).transpose()?;
    if at.is_some_and(|at| at > session.now()) {
        return Err(Failure::usage("--at is still to come: a report is of what was")
            .next("leave --at out for now, or say 08:00, -30m or \"yesterday 20:00\""));
    }
    let client = session.monitor()?;
    let Some(signatory) = args.sign_off else {
        let ask = GetSitrepRequest { as_of: at.map(to_wire) };
        let answer = session.call(ask, async |ask| client.clone().get_sitrep(ask).await).await?;
        return show(session, &answer.sitrep.unwrap_or_default(), out);
    };
    // Without a time, what is signed is the report as it is read now: its own time is signed.
    let as_of = match at {
        Some(at) => Some(to_wire(at)),
        None => {
            let ask = GetSitrepRequest { as_of: None };
            let answer = session.call(ask, async |ask| client.clone().get_sitrep(ask).await).await?;
            answer.sitrep.and_then(|sitrep| sitrep.as_of)
        }
    };
    let id = args.change.request_id();
    let request = SignOffSitrepRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: None,
        as_of,
        signatory,
    };
    let answer = session.send(&id, request, async |ask| client.clone().sign_off_sitrep(ask).await).await?;
    // It is signed whether or not it can be written here, and whoever signed is told so.
    let shown = show(session, &answer.sitrep.unwrap_or_default(), out);
    session.say_changed("signed off", answer.revision)?;
    shown.map_err(|failure| Failure { exit: Exit::Failed, ..failure })
}

/// Writes the report where it was asked for, else to the standard output.
fn show(session: &mut Session<'_>, sitrep: &Sitrep, out: Option<&Path>) -> Result<Exit, Failure> {
    let zone = session.zone.clone();
    let when = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%a %-d %b %H:%M").to_string();
    // A file keeps its letters, also where the screen could not show them.
    let ascii = session.terminal.ascii && out.is_none();
    let bytes = written(sitrep, &Page::of(sitrep, &when), session.global.format(), ascii)?;
    sheets::write(session, out, &bytes)?;
    Ok(Exit::Ok)
}

fn written(sitrep: &Sitrep, page: &Page, format: Format, ascii: bool) -> Result<Vec<u8>, Failure> {
    let (mut bytes, mut nothing) = (Vec::new(), std::io::sink());
    let mut file = Terminal {
        out: &mut bytes,
        err: &mut nothing,
        interactive: false,
        colour: false,
        ascii,
        input: None,
    };
    match format {
        Format::Json => file.json(sitrep, true)?,
        Format::Jsonl => file.json(sitrep, false)?,
        Format::Html => file.data(&page.html())?,
        Format::Table | Format::Wide | Format::Md => file.data(&page.markdown())?,
        Format::Id => file.data(&format!("{}\n", sitrep.revision))?,
        Format::Xlsx => return as_workbook(page).map_err(|error| sheets::unwritten(&error)),
        Format::Csv => {
            for table in page.tables() {
                let head: Vec<&str> = table.head.iter().map(String::as_str).collect();
                let rows = table.rows.iter().map(|row| row.iter().map(|cell| cell.as_str().into()).collect());
                file.data(&format!("{}\n", table.title))?;
                file.table(&head, rows.collect(), Format::Csv)?;
                file.data("\n")?;
            }
        }
    }
    Ok(bytes)
}

/// Writes the page on one sheet, as it is printed.
fn as_workbook(page: &Page) -> Result<Vec<u8>, WriteError> {
    let tables = page.tables().iter();
    let tables: Vec<Printed<'_>> = tables
        .map(|table| Printed { title: &table.title, head: &table.head, rows: &table.rows, note: &table.note })
        .collect();
    workbook("Situation", &page.title, &page.lines, &tables, &page.signature)
}
