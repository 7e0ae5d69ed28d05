//! What-ifs on files, as `fallow match` reads them.

use std::path::{Path, PathBuf};

use fallow_api::convert::simulate::{Started, changes, misfit, to_wire};
use fallow_api::render::Names;
use fallow_api::v1::{SimulateRequest, SimulateResponse};
use fallow_api::violation::Violations;
use fallow_domain::matching::simulate::{Search, simulate as try_changes};
use fallow_domain::matching::solve::Prepared;
use jiff::Timestamp;

use crate::cli::failure::{Exit, Failure};
use crate::match_files::input::{Files, read};
use crate::match_files::usual_steps;

/// Tries changes on the files of a folder; returns what would differ, what trusts are called, and rows that were left out.
///
/// # Errors
/// When a file is missing or cannot be read, or a change is wrong.
pub(super) fn simulate(
    folder: &Path,
    at: Timestamp,
    seed: u64,
    request: &SimulateRequest,
) -> Result<(SimulateResponse, Names, Vec<String>), Failure> {
    let region = folder.join("region.toml");
    let (offers, needs) = (table(folder, "offers")?, table(folder, "needs")?);
    let files = Files { region: &region, offers: &offers, needs: &needs, at };
    let found = read(&files).map_err(|(exit, what)| Failure::new(exit, "FILE", what))?;
    let base = found.problem;
    let wrong = |violations: Violations| {
        let text: Vec<String> = violations.iter().map(ToString::to_string).collect();
        Failure::usage(text.join("\n       ")).next("fallow simulate --example")
    };
    let changes = changes(&request.changes, &base.region).map_err(wrong)?;
    let search = Search { budget: usual_steps(Prepared::new(&base).sessions()), seed };
    let what_if =
        try_changes(&base, &[], &changes, search, &mut || false).map_err(|unfit| wrong(misfit(&unfit)))?;
    let answer = to_wire(&what_if, &base, Started { revision: 0, at }, |_, _| true);
    let trusts = base.region.trusts.iter();
    let names = trusts.map(|(code, trust)| (code.to_string(), trust.name.to_string())).collect();
    Ok((answer, names, found.rejected.iter().map(ToString::to_string).collect()))
}

/// Finds a table of a folder: JSON lines, or else CSV.
fn table(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let paths = ["jsonl", "csv"].map(|ending| folder.join(format!("{name}.{ending}")));
    paths.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let what = format!("{} has no {name}.jsonl and no {name}.csv", folder.display());
        Failure::new(Exit::NotFound, "FILE", what).next("fallow match --help says what these files hold")
    })
}
