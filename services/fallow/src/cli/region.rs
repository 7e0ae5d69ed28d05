//! `fallow region` and `fallow mode`: what gold sets.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use fallow_api::v1::region_change::Kind;
use fallow_api::v1::{
    ApplyRegionRequest, Collaborative, GetRegionRequest, Mode, RegionChange, SetModeRequest,
};

use super::codes;
use super::failure::{Exit, Failure};
use super::given::{self, Most};
use super::options::{Change, Expect, Format};
use super::session::Session;

/// The largest region file that the service takes.
const MOST: Most = Most { what: "a region file", bytes: 4 * 1024 * 1024 };

/// `fallow region …`
#[derive(Debug, Subcommand)]
pub(crate) enum Region {
    /// Print the region file in force
    #[command(before_help = "Examples:\n  fallow region show > region.toml\n  fallow region show -o json")]
    Show,
    /// Put a region file in force; prints the difference
    #[command(
        before_help = "Examples:\n  fallow region apply -f region.toml --dry-run\n  fallow region apply -f region.toml"
    )]
    Apply(Apply),
}

/// Applies a region file.
#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// The file
    #[arg(short, long)]
    file: PathBuf,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    expect: Expect,
}

/// `fallow mode incident on COLLABORATIVE --reason …`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow mode incident on nv-acute --reason \"norovirus, Brackwater\"\n  fallow mode routine \
                        on nv-acute --reason \"wards open again\""
)]
pub(crate) struct SetMode {
    /// incident or routine
    #[arg(hide_possible_values = true, value_parser = codes::of::<Mode>())]
    mode: Mode,
    /// The collaborative; the word "on" before it may be left out. Default: the region's, where it has just one
    #[arg(num_args = 0..=2, value_names = ["on", "COLLABORATIVE"])]
    on: Vec<String>,
    /// Why; everybody sees it
    #[arg(long)]
    reason: String,
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    expect: Expect,
}

/// Runs `fallow region …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Region) -> Result<Exit, Failure> {
    match command {
        Region::Show => show(session).await,
        Region::Apply(args) => apply(session, args).await,
    }
}

async fn show(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let client = session.monitor()?;
    let answer = session.call(GetRegionRequest {}, async |ask| client.clone().get_region(ask).await).await?;
    let toml = if answer.toml.ends_with('\n') { answer.toml } else { answer.toml + "\n" };
    match session.global.format() {
        Format::Json | Format::Jsonl => {
            session.show_message(&answer.region.unwrap_or_default(), "", &toml)?;
        }
        Format::Id => {
            let region = answer.region.unwrap_or_default();
            session.show_message(&region, &region.id, "")?;
        }
        // A file, which goes back as it is.
        Format::Table | Format::Wide | Format::Csv | Format::Md | Format::Html | Format::Xlsx => {
            session.terminal.file(toml.as_bytes())?
        }
    }
    session.terminal.say(&format!("revision {}", answer.revision))?;
    Ok(Exit::Ok)
}

async fn apply(session: &mut Session<'_>, args: Apply) -> Result<Exit, Failure> {
    let toml = read(&args.file)?;
    session.confirm(args.change.dry_run, "This region file goes into force for everybody.").await?;
    let id = args.change.request_id();
    let request = ApplyRegionRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        toml,
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().apply_region(ask).await).await?;
    let text: String = answer.changes.iter().map(line).collect();
    session.show_message(&answer, "", &text)?;
    let count = |kind: Kind| answer.changes.iter().filter(|change| change.kind() == kind).count();
    let summary = format!(
        "{} added, {} changed, {} removed",
        count(Kind::Added),
        count(Kind::Changed),
        count(Kind::Removed)
    );
    session.say_changed(&summary, answer.revision)
}

/// Reads a region file that a command was given.
pub(crate) fn read(file: &Path) -> Result<String, Failure> {
    given::text(file, MOST)
}

/// One difference: `+ path value`, `~ path before -> after`, `- path value`.
fn line(change: &RegionChange) -> String {
    match change.kind() {
        Kind::Added => format!("+ {}  {}\n", change.path, change.after),
        Kind::Changed => format!("~ {}  {} -> {}\n", change.path, change.before, change.after),
        Kind::Removed => format!("- {}  {}\n", change.path, change.before),
        Kind::Unspecified => format!("? {}\n", change.path),
    }
}

/// Returns the collaborative of a region that has just one.
async fn the_only_one(session: &Session<'_>) -> Result<String, Failure> {
    let client = session.monitor()?;
    let answer = session.call(GetRegionRequest {}, async |ask| client.clone().get_region(ask).await).await?;
    let known = answer.region.unwrap_or_default().collaboratives;
    match known.as_slice() {
        [one] => Ok(one.id.clone()),
        several => Err(which(several)),
    }
}

fn which(known: &[Collaborative]) -> Failure {
    let failure = Failure::usage("on which collaborative?");
    let failure =
        known.iter().fold(failure, |failure, one| failure.because(format!("{}  {}", one.id, one.name)));
    failure.next("fallow mode incident on COLLABORATIVE --reason WHY")
}

/// Runs `fallow mode`.
pub(crate) async fn set_mode(session: &mut Session<'_>, args: SetMode) -> Result<Exit, Failure> {
    let collaborative = match args.on.as_slice() {
        [on, collaborative] if on == "on" => collaborative.clone(),
        [collaborative] if collaborative != "on" => collaborative.clone(),
        [] | [_] => the_only_one(session).await?,
        _ => return Err(which(&[])),
    };
    let word = codes::word::<Mode>(args.mode.into());
    let what = format!("{collaborative} is switched to {word} mode, and everybody sees it.");
    session.confirm(args.change.dry_run, &what).await?;
    let id = args.change.request_id();
    let request = SetModeRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        collaborative,
        mode: args.mode.into(),
        reason: args.reason,
    };
    let client = session.monitor()?;
    let answer = session.send(&id, request, async |ask| client.clone().set_mode(ask).await).await?;
    let mode = answer.mode.unwrap_or_default();
    let word = codes::word::<Mode>(mode.mode);
    let text = format!("{}  {word}  {}\n", mode.collaborative, mode.reason);
    session.show_message(&mode, &mode.collaborative, &text)?;
    session.say_changed(&format!("{} is in {word} mode", mode.collaborative), answer.revision)
}
