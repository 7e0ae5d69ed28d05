//! The scenarios that are measured, made from seeds.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::shell;

/// A scenario in a folder.
pub(crate) struct Instance {
    /// collab, ics, region or england.
    pub(crate) size: String,
    /// Its seed.
    pub(crate) seed: u64,
    /// The folder with its three files.
    pub(crate) folder: PathBuf,
}

/// What makes scenarios.
pub(crate) enum Maker {
    /// `scenario.py`, from published figures of trusts.
    Script(PathBuf),
    /// `fallow-bench invent`, from nothing.
    Own(PathBuf),
}

/// The variable that names scenario.py.
pub(crate) const VARIABLE: &str = "FALLOW_SCENARIO_SCRIPT";

/// Where scenario.py lies beside the repository.
const BESIDE: &str = "../shared/tools/scenario.py";

impl Maker {
    /// Finds what makes scenarios: the script named, the one of the environment, the one beside the repository, or our own.
    pub(crate) fn find(named: Option<&Path>, bench: &Path) -> Self {
        let named = named.map(Path::to_path_buf).or_else(|| env::var_os(VARIABLE).map(PathBuf::from));
        let script = named.unwrap_or_else(|| shell::root().join(BESIDE));
        if script.is_file() { Self::Script(script) } else { Self::Own(bench.to_path_buf()) }
    }

    /// Says what made the scenarios, for the head of a table.
    pub(crate) fn described(&self) -> &'static str {
        match self {
            Self::Script(_) => "scenarios of scenario.py with theatre, made from published figures of trusts",
            Self::Own(_) => {
                "INVENTED scenarios of `fallow-bench invent`, since scenario.py was not found: not comparable with others"
            }
        }
    }

    /// Makes a scenario where it is not there yet.
    pub(crate) fn make(&self, size: &str, seed: u64, fair_step: u32) -> Result<Instance> {
        let kind = match self {
            Self::Script(_) => "scenario",
            Self::Own(_) => "invented",
        };
        let folder =
            shell::target().join("bench/instances").join(format!("{kind}-{size}-{seed}-fair-{fair_step}"));
        if !folder.join("needs.jsonl").is_file() {
            let mut command = match self {
                Self::Script(script) => {
                    let mut command = shell::program("python3", ".");
                    command.arg(script).arg("--theatre");
                    command
                }
                Self::Own(bench) => {
                    let mut command = shell::program(bench, ".");
                    command.arg("invent");
                    command
                }
            };
            command.args([size, "--seed", &seed.to_string(), "--fair-step", &fair_step.to_string()]);
            shell::run(command.arg("--out").arg(&folder))?;
        }
        Ok(Instance { size: size.to_owned(), seed, folder })
    }
}
