//! Files into a problem: each bad row is named, the rest goes on.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;

use fallow_api::convert::{Filed, need, offer};
use fallow_api::json::{JsonError, Message, from_str};
use fallow_api::violation::Violations;
use fallow_domain::matching::problem::Problem;
use fallow_domain::region::{Region, file};
use fallow_tabular::{BadFile, Format, Local, Row, Table, rows};
use jiff::Timestamp;
use rayon::prelude::*;
use serde::de::DeserializeOwned;

use crate::cli::{Exit, given};

/// The files of a problem.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Files<'a> {
    /// The region file.
    pub(crate) region: &'a Path,
    /// Offers.
    pub(crate) offers: &'a Path,
    /// Needs.
    pub(crate) needs: &'a Path,
    /// The time taken as now.
    pub(crate) at: Timestamp,
}

/// What the files hold.
pub(crate) struct Read {
    pub(crate) problem: Problem,
    pub(crate) rejected: Vec<Rejected>,
}

/// A field of a row that is wrong; the row is left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub(crate) file: String,
    pub(crate) line: usize,
    pub(crate) field: String,
    pub(crate) message: String,
}

impl fmt::Display for Rejected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file, self.line)?;
        match self.field.as_str() {
            "" => f.write_str(&self.message),
            field => write!(f, "{field}: {}", self.message),
        }
    }
}

/// Reads the three files of a command.
///
/// # Errors
/// Says which file cannot be read at all, and why; and what the command ends with.
pub(crate) fn read(files: &Files<'_>) -> Result<Read, (Exit, String)> {
    let text = fs::read_to_string(files.region).map_err(|error| unreadable(files.region, &error))?;
    let region =
        file::parse(&text).map_err(|error| (Exit::Usage, in_file(files.region, &error.to_string())))?;
    // Times by the clock in CSV and XLSX are London's; those of JSON say their own zone.
    let local = Local { now: files.at, zone: crate::cli::zone() };
    let filed = Filed { region: &region, at: files.at };
    let mut rejected = Vec::new();
    let offers = table(
        files.offers,
        Table::Offers,
        &local,
        &mut rejected,
        |wire| offer::filed(wire, &filed),
        |o| o.id.as_str(),
    )?;
    let needs = table(
        files.needs,
        Table::Needs,
        &local,
        &mut rejected,
        |wire| need::filed(wire, &filed),
        |n| n.id.as_str(),
    )?;
    let region: Arc<Region> = Arc::new(region);
    Ok(Read {
        problem: Problem { at: files.at, region, offers, needs, declined: Default::default() },
        rejected,
    })
}

fn unreadable(path: &Path, error: &io::Error) -> (Exit, String) {
    (given::exit(error, Exit::Usage), format!("{} cannot be read: {error}", path.display()))
}

/// Puts the file's name before each line of a message.
fn in_file(path: &Path, message: &str) -> String {
    let lines: Vec<String> = message.lines().map(|line| format!("{}: {line}", path.display())).collect();
    lines.join("\n       ")
}

/// Reads a table of records, in parallel, and keeps those that are right.
fn table<Wire, Record>(
    path: &Path,
    table: Table,
    local: &Local,
    rejected: &mut Vec<Rejected>,
    convert: impl Fn(&Wire) -> Result<Record, Violations> + Sync,
    id: impl Fn(&Record) -> &str,
) -> Result<Vec<Arc<Record>>, (Exit, String)>
where
    Wire: Message + DeserializeOwned,
    Record: Send,
{
    let name = path.display().to_string();
    let broken = |error: BadFile| (Exit::Usage, format!("{name}: {error}"));
    let format = Format::of_name(&name).ok_or(BadFile::OldSpreadsheet).map_err(broken)?;
    let bytes = fs::read(path).map_err(|error| unreadable(path, &error))?;
    let rows = rows(&bytes, format, table, local).map_err(broken)?;
    let read: Vec<_> = rows.par_iter().map(|row| (row.line, record(row, &convert))).collect();

    let mut first_lines: HashMap<String, usize> = HashMap::new();
    let mut records = Vec::with_capacity(read.len());
    let mut reject = |line: usize, field: String, message: String| {
        rejected.push(Rejected { file: name.clone(), line, field, message });
    };
    for (line, result) in read {
        match result {
            Ok(record) => match first_lines.get(id(&record)) {
                Some(first) => reject(line, "id".to_owned(), format!("stands on line {first} already")),
                None => {
                    first_lines.insert(id(&record).to_owned(), line);
                    records.push(Arc::new(record));
                }
            },
            Err(faults) => faults.into_iter().for_each(|(field, message)| reject(line, field, message)),
        }
    }
    Ok(records)
}

/// A field, and what is wrong with it.
type Fault = (String, String);

fn record<Wire: Message + DeserializeOwned, Record>(
    row: &Row<'_>,
    convert: &impl Fn(&Wire) -> Result<Record, Violations>,
) -> Result<Record, Vec<Fault>> {
    let json = row.json.as_ref().map_err(|bad| vec![(bad.field.clone(), bad.message.clone())])?;
    let wire: Wire = from_str(json).map_err(|error: JsonError| vec![(error.path, error.message)])?;
    convert(&wire).map_err(|violations| violations.into_iter().map(|v| (v.field, v.text)).collect())
}
