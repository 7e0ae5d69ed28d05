//! `--report`: what would have unlocked most.

use std::path::Path;

use fallow_api::convert::codes::Coded;
use fallow_api::render;
use fallow_api::v1::Objection;
use fallow_domain::matching::explanation::{Blocker, Unlocking};

/// Changes that are named.
pub(super) const LEVERS: usize = 10;

/// Sets the report for a terminal.
pub(super) fn table(unlocking: &Unlocking) -> String {
    let Unlocking { needs, units, blockers, levers } = unlocking;
    let mut text = format!(
        "{} of {} unserved\n\nWhat blocks them most\n",
        counted(*units, "unit"),
        if *needs == 1 { "1 need goes".to_owned() } else { format!("{needs} needs go") }
    );
    for Blocker { reason, needs, units } in blockers {
        let words = reason.map_or_else(
            || "nobody else offers it".to_owned(),
            |reason| {
                let reason = Objection::try_from(reason.to_wire()).unwrap_or(Objection::Unspecified);
                format!("offers {}", render::objection(reason))
            },
        );
        let (units, needs) = (counted(*units, "unit"), counted(*needs, "need"));
        text.push_str(&format!("  {units:>12} of {needs:>12}  {words}\n"));
    }
    text.push_str("\nSingle changes that would place most, each by itself\n");
    for lever in levers {
        text.push_str(&format!("  {:>12}  {}\n", counted(lever.places, "unit"), lever.text));
    }
    if levers.is_empty() {
        text.push_str("  none was found\n");
    }
    text
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("{count} {what}") } else { format!("{count} {what}s") }
}

/// Writes the report as JSON.
pub(super) fn write(path: &Path, unlocking: &Unlocking) -> std::io::Result<()> {
    let text = serde_json::to_vec_pretty(unlocking)?;
    std::fs::write(path, text)
}
