//! A scenario's three files into a problem.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fallow_api::convert::{Filed, need, offer};
use fallow_api::json::{Message, from_str};
use fallow_api::violation::Violations;
use fallow_domain::matching::problem::Problem;
use fallow_domain::region::file;
use jiff::Timestamp;
use rayon::prelude::*;
use serde::de::DeserializeOwned;

/// Reads `region.toml`, `offers.jsonl` and `needs.jsonl`.
///
/// # Errors
/// Says which file cannot be read, or which line is wrong: what is measured is the whole scenario or nothing.
pub fn read(folder: &Path, at: Timestamp) -> Result<Problem> {
    let text = text(&folder.join("region.toml"))?;
    let region = file::parse(&text).with_context(|| format!("{}/region.toml", folder.display()))?;
    let filed = Filed { region: &region, at };
    let offers = records(&folder.join("offers.jsonl"), |wire| offer::filed(wire, &filed))?;
    let needs = records(&folder.join("needs.jsonl"), |wire| need::filed(wire, &filed))?;
    Ok(Problem { at, region: Arc::new(region), offers, needs, declined: Default::default() })
}

fn text(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("{} cannot be read", path.display()))
}

/// Reads one record a line.
fn records<Wire, Record>(
    path: &Path,
    convert: impl Fn(&Wire) -> Result<Record, Violations> + Sync,
) -> Result<Vec<Arc<Record>>>
where
    Wire: Message + DeserializeOwned,
    Record: Send + Sync,
{
    let text = text(path)?;
    let lines: Vec<&str> = text.lines().collect();
    let read = |(at, line): (usize, &&str)| {
        let place = || format!("{}:{}", path.display(), at + 1);
        let wire: Wire = from_str(line).with_context(place)?;
        match convert(&wire) {
            Ok(record) => Ok(Arc::new(record)),
            Err(violations) => match violations.into_iter().next() {
                Some(first) => bail!("{}: {}: {}", place(), first.field, first.text),
                None => bail!("{}: not a record", place()),
            },
        }
    };
    lines.par_iter().enumerate().map(read).collect()
}
