//! What the rings need from the machine, and how to get it.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Something a ring needs.
struct Need {
    /// What it is for.
    what: &'static str,
    /// Debian's packages that bring it.
    packages: &'static [&'static str],
    /// The folder whose tests need it; the root of the repository for those that always run.
    of: &'static str,
    /// Says whether it is there.
    there: fn() -> bool,
}

/// Everything beyond a Rust toolchain.
const NEEDS: &[Need] = &[
    Need {
        what: "redis-server, for the ledger",
        packages: &["redis-server"],
        of: ".",
        there: || shell::find("redis-server").is_some(),
    },
    Need {
        what: "node and npm, for buf and the browser",
        packages: &["nodejs", "npm"],
        of: "proto",
        there: || shell::find("node").is_some() && shell::find("npm").is_some(),
    },
    Need {
        what: "chromium, for the screens",
        packages: &["chromium"],
        of: "tests/browser",
        there: || shell::find("chromium").is_some(),
    },
    Need {
        what: "Liberation fonts, so that pictures of screens look the same everywhere",
        packages: &["fonts-liberation"],
        of: "tests/browser",
        there: || Path::new("/usr/share/fonts/truetype/liberation").is_dir(),
    },
    Need {
        what: "python with venv and pip, for a client that is not ours",
        packages: &["python3", "python3-venv", "python3-pip"],
        of: "tests/python",
        there: python_makes_environments,
    },
    Need {
        what: "python with venv and pip, for the solvers we are compared with",
        packages: &["python3", "python3-venv", "python3-pip"],
        of: "tests/oracle",
        there: python_makes_environments,
    },
];

/// Installs what is missing, as root on Debian; elsewhere says what to install and fails.
pub(crate) fn provide(root: &Path) -> Result<()> {
    let missing: Vec<&Need> =
        NEEDS.iter().filter(|need| root.join(need.of).is_dir() && !(need.there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing.iter().flat_map(|need| need.packages.iter().copied()).collect();
    packages.sort_unstable();
    packages.dedup();
    if is_root() && shell::find("apt-get").is_some() {
        println!("==== Installing {} ====", packages.join(" "));
        install(&packages)?;
    }
    let still: Vec<&str> = missing.iter().filter(|need| !(need.there)()).map(|need| need.what).collect();
    if !still.is_empty() {
        bail!("the tests need {}.\n\n    sudo apt-get install {}\n", still.join("; "), packages.join(" "));
    }
    Ok(())
}

/// Installs Debian's packages.
fn install(packages: &[&str]) -> Result<()> {
    let apt = || {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").arg("-q");
        command
    };
    shell::run(apt().arg("update"))?;
    shell::run(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages))
}

/// Says whether this process may install packages.
fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Says whether python can make an environment of its own with pip in it: Debian splits that off.
fn python_makes_environments() -> bool {
    Command::new("python3")
        .args(["-c", "import venv, ensurepip"])
        .output()
        .is_ok_and(|output| output.status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_need_names_its_packages() {
        for need in NEEDS {
            assert!(!need.packages.is_empty(), "{}", need.what);
        }
    }
}
