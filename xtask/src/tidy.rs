//! `cargo xtask tidy`: the laws of the tree, checked from the manifests, the sources and the documents.
//!
//! Each law is a function from a [`Tree`] to the [`Breach`]es it finds, so that a test can plant a breach in a
//! small tree and see it found. The laws also run as a test of this crate.

use anyhow::{Result, bail};

use crate::shell;

mod dependencies;
mod documents;
mod lexer;
mod runbooks;
mod sources;
mod tree;

use tree::{Breach, Tree};

/// A law: its name, which is also how it is cited, and its check.
struct Law {
    name: &'static str,
    check: fn(&Tree) -> Vec<Breach>,
}

/// Every law, in the order in which they are reported.
const LAWS: &[Law] = &[
    Law { name: "a crate lies in a known layer", check: dependencies::known_layers },
    Law { name: "an edge goes to a lower layer", check: dependencies::edges_go_down },
    Law { name: "only ledger-redis imports redis", check: dependencies::redis_in_one_place },
    Law { name: "domain and ledgers do not know the wire", check: dependencies::core_without_wire },
    Law { name: "only host imports opentelemetry", check: dependencies::telemetry_in_host },
    Law { name: "console and bridge do not reach a ledger", check: dependencies::thin_clients },
    Law { name: "the domain is pure", check: sources::pure_domain },
    Law { name: "key names only in keys.rs", check: sources::keys_in_one_place },
    Law { name: "no file over 600 lines", check: sources::small_files },
    Law { name: "no module without a subject", check: sources::subject_names },
    Law { name: "nothing unfinished", check: sources::nothing_unfinished },
    Law { name: "no test is skipped", check: sources::nothing_skipped },
    Law { name: "what ARCHITECTURE.md names exists", check: documents::named_things_exist },
    Law { name: "ARCHITECTURE.md names every crate", check: documents::every_crate_is_named },
    Law { name: "links between documents lead somewhere", check: documents::links_lead_somewhere },
    Law { name: "settings named elsewhere exist", check: documents::settings_exist },
    Law { name: "a runbook is found, and exercised by tests", check: runbooks::exercised },
];

/// What a check of all laws found.
pub(crate) struct Findings {
    /// How many laws hold.
    pub(crate) kept: u64,
    /// How many laws are broken, each in one place or more.
    pub(crate) broken: u64,
}

/// Checks the repository and fails when a law is broken.
pub(crate) fn run() -> Result<()> {
    let findings = check_repository()?;
    if findings.broken > 0 {
        bail!("{} of {} laws are broken", findings.broken, LAWS.len());
    }
    println!("{} laws hold", findings.kept);
    Ok(())
}

/// Checks the repository, prints every breach, and counts the laws that hold and those that do not.
pub(crate) fn check_repository() -> Result<Findings> {
    let tree = Tree::read(&shell::root())?;
    let mut findings = Findings { kept: 0, broken: 0 };
    for law in LAWS {
        let breaches = (law.check)(&tree);
        if breaches.is_empty() {
            findings.kept += 1;
        } else {
            findings.broken += 1;
        }
        for breach in breaches {
            println!("{}: {}  [{}]", breach.place, breach.what, law.name);
        }
    }
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_repository_keeps_every_law() {
        let tree = Tree::read(&shell::root()).expect("the repository can be read");
        assert!(tree.packages.len() > 10 && tree.files.len() > 20, "the tree was not read whole");
        let found: Vec<_> = LAWS.iter().flat_map(|law| (law.check)(&tree)).collect();
        assert_eq!(found, [], "run `cargo xtask tidy` for the list");
    }

    #[test]
    fn laws_have_names_of_their_own() {
        let mut names: Vec<_> = LAWS.iter().map(|law| law.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), LAWS.len());
    }
}
