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
    let mut text = format!("{units} units of {needs} needs go unserved\n\nWhat blocks them most\n");
    for Blocker { reason, needs, units } in blockers {
        let words = reason.map_or_else(
            || "nobody else offers it".to_owned(),
            |reason| {
                let reason = Objection::try_from(reason.to_wire()).unwrap_or(Objection::Unspecified);
                format!("offers {}", render::objection(reason))
            },
        );
        text.push_str(&format!("  {units:>6} units of {needs:>6} needs  {words}\n"));
    }
    text.push_str("\nSingle changes that would place most, each by itself\n");
    for lever in levers {
        text.push_str(&format!("  {:>6} units  {}\n", lever.places, lever.text));
    }
    if levers.is_empty() {
        text.push_str("  none was found\n");
    }
    text
}

/// Writes the report as JSON.
pub(super) fn write(path: &Path, unlocking: &Unlocking) -> std::io::Result<()> {
    let text = serde_json::to_vec_pretty(unlocking)?;
    std::fs::write(path, text)
}
