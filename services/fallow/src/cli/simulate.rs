//! `fallow simulate`: changes tried on a copy of what there is, by the service or on files.

mod files;
mod scenario;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::Args;
use fallow_api::render::Names;
use fallow_api::render::what_if::{Compared, SIMULATION, compared, placement};
use fallow_api::v1::{SimulateRequest, SimulateResponse};

use super::failure::{Exit, Failure};
use super::options::Format;
use super::output::{Cell, Tone};
use super::session::Session;
use super::time;

/// Most changed placements, and most who are worse off, that a table for people lists; `-o wide` lists all.
const SHOWN: usize = 20;

/// Try changes on a copy and see what would differ.
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow simulate --example > scenario.toml\n  fallow simulate -f scenario.toml\n  \
                        fallow simulate -f scenario.toml --revision 88213 -o json\n  fallow simulate -f scenario.toml \
                        --base tuesday/ --at 2026-11-24T08:00:00Z",
    after_help = "A base folder holds region.toml, and offers and needs as .jsonl or .csv, as fallow match reads them. \
                       Nothing is written or sent."
)]
pub(crate) struct Simulate {
    /// The changes: TOML, [[change]] tables
    #[arg(short, long, value_name = "FILE", required_unless_present = "example")]
    file: Option<PathBuf>,
    /// What they are tried on: live, or a folder of files
    #[arg(long, value_name = "live|FOLDER", default_value = "live")]
    base: String,
    /// Live: start from this revision instead of the newest
    #[arg(long, value_name = "N")]
    revision: Option<i64>,
    /// Files: the time taken as now
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
    /// Files: the seed of theatre search
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Print a scenario with every change there is
    #[arg(long)]
    example: bool,
}

impl Simulate {
    /// Says whether no service has a part in it.
    pub(crate) fn is_apart(&self) -> bool {
        self.example || self.base != "live"
    }
}

/// Runs what needs no service.
pub(crate) fn run_apart(session: &mut Session<'_>, args: Simulate) -> Result<Exit, Failure> {
    if args.example {
        session.terminal.file(scenario::EXAMPLE.as_bytes())?;
        return Ok(Exit::Ok);
    }
    if args.revision.is_some() {
        return Err(Failure::usage("--revision is for --base live: files have none"));
    }
    let at = match &args.at {
        Some(text) => time::parse(text, session.now(), &session.zone)
            .map_err(|error| Failure::usage(error.to_string()))?,
        None => {
            return Err(Failure::usage("at what time?")
                .because("files say nothing of now")
                .next("fallow simulate -f FILE --base FOLDER --at 2026-11-24T08:00:00Z"));
        }
    };
    let request = request(&args)?;
    let (answer, names, rejected) =
        files::simulate(std::path::Path::new(&args.base), at, args.seed, &request)?;
    for row in &rejected {
        session.terminal.say(row)?;
    }
    let shown = show(session, &answer, &names)?;
    Ok(if rejected.is_empty() { shown } else { Exit::Partial })
}

/// Runs it by the service.
pub(crate) async fn run(session: &mut Session<'_>, args: Simulate) -> Result<Exit, Failure> {
    if args.at.is_some() {
        return Err(Failure::usage("--at is for files: a revision has its own time"));
    }
    let request = request(&args)?;
    let client = session.matching()?;
    let answer = session.call(request, async |ask| client.clone().simulate(ask).await).await?;
    let names = session.names().await?;
    show(session, &answer, &names)
}

fn request(args: &Simulate) -> Result<SimulateRequest, Failure> {
    let file = args.file.as_deref().ok_or_else(|| Failure::usage("which scenario?"))?;
    Ok(SimulateRequest { base_revision: args.revision, changes: scenario::read(file)? })
}

fn show(session: &mut Session<'_>, answer: &SimulateResponse, names: &Names) -> Result<Exit, Failure> {
    let format = session.global.format();
    match format {
        Format::Json | Format::Jsonl => return session.show_message(answer, "", ""),
        Format::Id => {
            let mut needs: Vec<&str> = answer.changed.iter().map(|one| one.need.as_str()).collect();
            needs.dedup();
            needs.iter().try_for_each(|need| session.terminal.data(&format!("{need}\n")))?;
            return Ok(Exit::Ok);
        }
        Format::Csv | Format::Md | Format::Html | Format::Xlsx | Format::Table | Format::Wide => {}
    }
    let line = format!("{SIMULATION}, nothing here is real or sent; based on {}", started(session, answer));
    match format {
        Format::Md | Format::Html | Format::Xlsx => session.terminal.data(&format!("**{line}**\n\n"))?,
        Format::Table | Format::Wide => session.terminal.data(&format!("{line}\n"))?,
        Format::Csv | Format::Json | Format::Jsonl | Format::Id => {}
    }
    // The word stands in the head too: a table is copied without the line above it.
    let rows = compared(answer, names).into_iter().map(row).collect();
    let layout = session.layout();
    session.terminal.table_of(&[SIMULATION, "now", "what-if", "change"], rows, &layout)?;
    if format == Format::Csv {
        return Ok(Exit::Ok);
    }
    let moved: Vec<String> = answer.changed.iter().map(|one| placement(one, names)).collect();
    let shown = if format == Format::Table { SHOWN } else { usize::MAX };
    let mut text = section("Changed placements", &moved, answer.changed_total, shown);
    text.push_str(&section("Who is worse off", &answer.worse_off, answer.worse_off_total, shown));
    if !answer.remarks.is_empty() {
        let remarks = i64::try_from(answer.remarks.len()).unwrap_or(i64::MAX);
        text.push_str(&section("Remarks", &answer.remarks, remarks, usize::MAX));
    }
    session.terminal.data(&text)?;
    Ok(Exit::Ok)
}

fn started(session: &Session<'_>, answer: &SimulateResponse) -> String {
    let at = time::from_wire(answer.at).map(|at| at.to_zoned(session.zone.clone()));
    let at = at.map(|at| at.strftime("%Y-%m-%d %H:%M:%S").to_string()).unwrap_or_default();
    match answer.revision {
        0 => format!("files at {at}"),
        revision => format!("revision {revision} of {at}"),
    }
}

fn row(one: Compared) -> Vec<Cell> {
    let tone = if one.is_better == Some(false) { Tone::Warn } else { Tone::Plain };
    vec![one.measure.into(), one.now.into(), one.what_if.into(), Cell::toned(one.change, tone)]
}

/// Writes a headed list; what is not shown is counted.
fn section(head: &str, lines: &[String], total: i64, shown: usize) -> String {
    let mut text = format!("\n{head} ({total})\n");
    for line in lines.iter().take(shown) {
        text.push_str(&format!("  {line}\n"));
    }
    let told = i64::try_from(lines.len().min(shown)).unwrap_or(i64::MAX);
    if total > told {
        text.push_str(&format!("  and {} more\n", total - told));
    }
    text
}
