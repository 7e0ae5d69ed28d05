//! The solvers that we are measured against, in an environment of their own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde::de::DeserializeOwned;

use crate::shell;

/// Where the scripts and the list of packages lie.
const FOLDER: &str = "crates/bench/peers";

/// The Python that has the peers.
pub(crate) struct Peers {
    python: PathBuf,
}

impl Peers {
    /// Makes the environment and installs the peers, of the versions in `requirements.txt`.
    pub(crate) fn install() -> Result<Self> {
        let environment = shell::target().join("python/bench-peers");
        let python = environment.join("bin/python");
        if !python.is_file() {
            shell::run(shell::program("python3", ".").args(["-m", "venv"]).arg(&environment))?;
        }
        let quiet = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--requirement"];
        shell::run(shell::program(&python, FOLDER).args(quiet).arg("requirements.txt"))?;
        Ok(Self { python })
    }

    /// Returns the versions in use, for the head of a table.
    pub(crate) fn versions(&self) -> Result<String> {
        let text = std::fs::read_to_string(shell::root().join(FOLDER).join("requirements.txt"))?;
        let pinned = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        Ok(pinned.map(|line| line.replace("==", " ")).collect::<Vec<_>>().join(", "))
    }

    /// Runs a script and reads an object from each line that it prints.
    pub(crate) fn run<T: DeserializeOwned>(&self, script: &str, arguments: &[&str]) -> Result<Vec<T>> {
        let mut command = shell::program(&self.python, FOLDER);
        let text = printed(command.arg(script).args(arguments))?;
        let read = |line: &str| serde_json::from_str(line).with_context(|| format!("{script} said {line}"));
        text.lines().map(read).collect()
    }
}

/// Runs our own binary and reads the object that it prints.
pub(crate) fn ours<T: DeserializeOwned>(bench: &Path, arguments: &[&str]) -> Result<T> {
    let text = printed(shell::program(bench, ".").args(arguments).arg("--json"))?;
    serde_json::from_str(&text).with_context(|| format!("fallow-bench said {text}"))
}

/// Runs a command, shows its errors, and returns what it prints.
fn printed(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output()?;
    if !output.status.success() {
        bail!("{command:?} ended with {}", output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The scripts run only beside the peers; that they can be read at all is seen here.
    #[test]
    fn the_scripts_are_python() {
        let scripts = std::fs::read_dir(shell::root().join(FOLDER)).expect("the scripts are there");
        let scripts: Vec<PathBuf> = scripts
            .filter_map(|entry| entry.ok().map(|entry| entry.path()))
            .filter(|path| path.extension().is_some_and(|ending| ending == "py"))
            .collect();
        assert!(scripts.len() > 3, "{scripts:?}");
        let parse =
            "import ast, sys\nfor name in sys.argv[1:]: ast.parse(open(name, encoding='utf-8').read(), name)";
        let status = Command::new("python3").args(["-c", parse]).args(&scripts).status();
        assert!(status.expect("python3 is there: apt-get install python3").success());
    }

    #[test]
    fn the_peers_are_pinned() {
        let text =
            std::fs::read_to_string(shell::root().join(FOLDER).join("requirements.txt")).expect("is there");
        for peer in ["ortools==", "pylmcf==", "highspy=="] {
            assert!(text.contains(peer), "{peer}");
        }
    }
}
