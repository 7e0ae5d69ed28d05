//! `fallow sitrep`: the situation report as of a time, for people who print it, paste it or sign it.

use clap::Args;
use fallow_api::render::sitrep::Page;
use fallow_api::v1::{GetSitrepRequest, SignOffSitrepRequest, Sitrep};

use super::failure::{Exit, Failure};
use super::options::{Change, Format};
use super::session::Session;
use super::time::{self, to_wire};

/// Shows the situation report, or signs it off.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow sitrep\n  fallow sitrep --at 08:00 -o md > sitrep.md\n  fallow sitrep --at 08:00 -o html > \
                        sitrep.html\n  fallow sitrep --at 08:00 --sign-off \"duty director\"\n\nA report that was signed is shown as it was \
                        signed."
)]
pub(crate) struct Report {
    /// As of when: 08:00, yesterday 20:00, -30m or a date with a time. Default: now
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    at: Option<String>,
    /// Sign it off, as who you are called; gold only
    #[arg(long, value_name = "WHO")]
    sign_off: Option<String>,
    #[command(flatten)]
    change: Change,
}

/// Runs `fallow sitrep`.
pub(crate) async fn run(session: &mut Session<'_>, args: Report) -> Result<Exit, Failure> {
    let at = args.at.as_deref().map(|text| time::past(text, session.now(), &session.zone)).transpose()?;
    let client = session.monitor()?;
    let Some(signatory) = args.sign_off else {
        let ask = GetSitrepRequest { as_of: at.map(to_wire) };
        let answer = session.call(ask, async |ask| client.clone().get_sitrep(ask).await).await?;
        return show(session, &answer.sitrep.unwrap_or_default());
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
    show(session, &answer.sitrep.unwrap_or_default())?;
    session.say_changed("signed off", answer.revision)
}

fn show(session: &mut Session<'_>, sitrep: &Sitrep) -> Result<Exit, Failure> {
    let zone = session.zone.clone();
    let when = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%a %-d %b %H:%M").to_string();
    let page = Page::of(sitrep, &when);
    match session.global.format() {
        Format::Json => session.terminal.json(sitrep, true)?,
        Format::Jsonl => session.terminal.json(sitrep, false)?,
        Format::Html => session.terminal.data(&page.html())?,
        Format::Table | Format::Wide | Format::Md => session.terminal.data(&page.markdown())?,
        Format::Id => session.terminal.data(&format!("{}\n", sitrep.revision))?,
        Format::Csv => {
            for table in page.tables() {
                let head: Vec<&str> = table.head.iter().map(String::as_str).collect();
                let rows = table.rows.iter().map(|row| row.iter().map(|cell| cell.as_str().into()).collect());
                session.terminal.data(&format!("{}\n", table.title))?;
                session.terminal.table(&head, rows.collect(), Format::Csv)?;
                session.terminal.data("\n")?;
            }
        }
    }
    Ok(Exit::Ok)
}
