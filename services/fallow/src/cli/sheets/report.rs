//! What a command on a sheet says: the differences, the rejected rows by cell, and the counts.

use fallow_api::problem::Problem;
use fallow_tabular::difference::{Difference, counted};
use fallow_tabular::sheet::{Fault, Sheet};
use fallow_tabular::{Table, write};
use serde::Serialize;

use super::args::How;
use super::file::{self, Given};
use crate::cli::failure::{Exit, Failure};
use crate::cli::options::Format;
use crate::cli::session::Session;

/// What became of a sheet.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) differences: Vec<Difference>,
    pub(super) rejected: Vec<Fault>,
}

/// The same for programs.
#[derive(Debug, Serialize)]
struct Written<'a> {
    dry_run: bool,
    changes: &'a [Difference],
    rejected: Vec<Rejected<'a>>,
}

#[derive(Debug, Serialize)]
struct Rejected<'a> {
    row: usize,
    cell: Option<&'a str>,
    field: &'a str,
    message: &'a str,
}

impl Report {
    /// Notes that a service refused a row, by the cell of each field that is wrong.
    pub(super) fn refuse<M>(&mut self, sheet: &Sheet<M>, row: usize, prefix: &str, problem: &Problem) {
        if problem.violations.is_empty() {
            self.rejected.push(sheet.fault(row, "", problem.text.clone()));
        }
        for wrong in &problem.violations {
            let field = wrong.field.strip_prefix(prefix).unwrap_or(&wrong.field);
            let field = field.trim_start_matches('.');
            let told = match sheet.fault(row, field, "").cell {
                Some(_) => format!("{field} {}", wrong.text),
                None => wrong.text.clone(),
            };
            self.rejected.push(sheet.fault(row, field, told));
        }
    }

    /// Notes that a service answered a row and did not say what became of it: nobody can call that added.
    pub(super) fn untold<M>(&mut self, sheet: &Sheet<M>, row: usize) {
        self.rejected.push(sheet.fault(row, "", "the answer does not say what became of it"));
    }

    /// Writes the report, and the refused rows where that was asked for. Exit 8 when rows were rejected for good.
    pub(super) fn show(
        mut self,
        session: &mut Session<'_>,
        given: &Given,
        table: Table,
        how: &How,
    ) -> Result<Exit, Failure> {
        self.rejected.sort_by_key(|fault| fault.row);
        let mut text = String::new();
        // What has no name is only counted.
        for difference in self.differences.iter().filter(|difference| !difference.what.is_empty()) {
            text.push_str(&format!("  {difference}\n"));
        }
        for fault in &self.rejected {
            let (place, whole) = (fault.place(), fault.to_string());
            let said = whole.strip_prefix(&format!("{place}: ")).unwrap_or(&whole);
            text.push_str(&format!("  ! {place:<28}  {said}  skipped\n"));
        }
        let mut rows: Vec<usize> = self.rejected.iter().map(|fault| fault.row).collect();
        rows.dedup();
        text.push_str(&counted(&self.differences, rows.len()));
        text.push('\n');
        match session.global.format() {
            Format::Json | Format::Jsonl => {
                let rejected = self.rejected.iter().map(|fault| Rejected {
                    row: fault.row,
                    cell: fault.cell.as_deref(),
                    field: &fault.field,
                    message: &fault.message,
                });
                let written = Written {
                    dry_run: how.dry_run,
                    changes: &self.differences,
                    rejected: rejected.collect(),
                };
                session.terminal.json(&written, session.global.format() == Format::Json)?;
            }
            // What a sheet changes is told by its rows, which have no ids; that some were refused is told all the same.
            Format::Id => session.terminal.say(text.trim_end())?,
            Format::Table | Format::Wide | Format::Csv | Format::Md | Format::Html | Format::Xlsx => {
                session.terminal.data(&text)?;
            }
        }
        if let Some(path) = how.errors_to.as_deref().filter(|_| !self.rejected.is_empty()) {
            let bytes = write::refused(&given.bytes, given.format, table, &given.mapping, &self.rejected)
                .map_err(|error| file::unwritten(&error))?;
            file::write(session, Some(path), &bytes)?;
        }
        if how.dry_run {
            session.terminal.say("dry run: nothing was changed")?;
            return Ok(Exit::Ok);
        }
        Ok(if self.rejected.is_empty() { Exit::Ok } else { Exit::Partial })
    }
}
