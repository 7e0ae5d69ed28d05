//! Tables of offers and needs in files: JSON lines, CSV and XLSX, in and out.
//!
//! [`rows`] turns each row into the text of one JSON object in *Fallow JSON*, or says what is wrong with it and in which
//! field, and the rows after it are read all the same. [`sheet`] goes on to messages of the API, and says what is wrong
//! by the cell. [`mod@write`] turns records back into files, [`template`] makes an empty workbook to fill in.

mod cell;
mod columns;
mod csv_in;
pub mod difference;
mod guard;
mod head;
mod json_lines;
pub mod local_time;
mod mapping;
pub mod report;
pub mod sheet;
pub mod template;
pub mod write;
mod xlsx_in;

#[cfg(test)]
mod tests;

use std::borrow::Cow;

pub use cell::Local;
pub use columns::{Column, Holds, Table};
pub use guard::WORKBOOK_BYTES_MAX;
pub use mapping::Mapping;

use cell::Cell;
use head::Head;

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line; empty lines are passed over.
    JsonLines,
    /// Comma-separated with a head of column names (see [`Table::columns`]).
    Csv,
    /// A workbook of a spreadsheet, one of its sheets with a head of column names.
    Xlsx,
}

impl Format {
    /// Returns the format that a file's name tells, by its ending: `.csv`, `.xlsx`, else JSON lines; `None` for an older
    /// spreadsheet, which must be saved as XLSX or CSV first.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Some(Self::Csv),
            "xlsx" | "xlsm" => Some(Self::Xlsx),
            "xls" | "xlsb" | "ods" => None,
            _ => Some(Self::JsonLines),
        }
    }
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// The line it starts on, from 1; in a workbook the row.
    pub line: usize,
    /// The JSON object, or what is wrong with the row.
    pub json: Result<Cow<'a, str>, BadRow>,
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", if field.is_empty() { String::new() } else { format!("{field}: ") })]
pub struct BadRow {
    /// The field at fault, such as `figures.staffed`; empty when it is not in one.
    pub field: String,
    /// What is wrong, in plain words.
    pub message: String,
}

impl BadRow {
    fn new(field: &str, message: impl Into<String>) -> Self {
        Self { field: field.to_owned(), message: message.into() }
    }
}

/// What is wrong with a file as a whole, so that none of its rows can be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadFile {
    /// The head names a column that there is not, or one twice; with the line of the head.
    #[error("line {0}: {1}")]
    Head(usize, BadRow),
    /// The file breaks a limit.
    #[error("the file {0}")]
    TooLarge(String),
    /// The file ends in `.xlsx` and is no workbook, or is one that is broken.
    #[error("the file is not a workbook that can be read ({0}): save it again as XLSX, or as CSV")]
    NotAWorkbook(String),
    /// The workbook has no sheet of that name, or none at all.
    #[error("there is no sheet \"{wanted}\" in the workbook; its sheets are {there}")]
    NoSheet {
        /// The sheet that the map names.
        wanted: String,
        /// Those there are.
        there: String,
    },
    /// The file is an older spreadsheet.
    #[error("this is a spreadsheet that cannot be read: save it as XLSX or CSV")]
    OldSpreadsheet,
}

/// One row as it stands in a file, before it is understood.
struct Record<'a> {
    /// The line it starts on, from 1.
    line: usize,
    /// The row that a spreadsheet shows it in, from 1.
    row: usize,
    /// Its cells.
    cells: Result<Vec<Cell<'a>>, BadRow>,
}

/// Reads the rows of a file, each as one JSON object.
///
/// # Errors
/// When the file cannot be read at all, or its head not understood. What is wrong with a row is said in the row.
pub fn rows<'a>(
    bytes: &'a [u8],
    format: Format,
    table: Table,
    local: &Local,
) -> Result<Vec<Row<'a>>, BadFile> {
    let bytes = without_mark(bytes);
    if format == Format::JsonLines {
        return Ok(json_lines::rows(bytes));
    }
    let mut rows = Vec::new();
    each(bytes, format, table, &Mapping::default(), |record, head| {
        let json = record.cells.and_then(|cells| head.object(&cells, local)).map(Cow::Owned);
        rows.push(Row { line: record.line, json });
    })?;
    Ok(rows)
}

/// Visits every row below the head, with the head; returns the head, if the file has one.
fn each(
    bytes: &[u8],
    format: Format,
    table: Table,
    mapping: &Mapping,
    mut visit: impl FnMut(Record<'_>, &Head),
) -> Result<Option<Head>, BadFile> {
    let mut head: Option<Result<Head, BadFile>> = None;
    let each = |record: Record<'_>| match &head {
        Some(Ok(head)) => visit(record, head),
        Some(Err(_)) => {}
        None if record.row < mapping.head_row => {}
        None => {
            head = Some(match record.cells {
                Ok(cells) => Head::read(record.line, &cells, table, mapping),
                Err(bad) => Err(BadFile::Head(record.line, bad)),
            });
        }
    };
    match format {
        Format::Csv => csv_in::each(bytes, each),
        Format::Xlsx => xlsx_in::each(bytes, table, mapping, each)?,
        Format::JsonLines => {}
    }
    head.transpose()
}

/// Takes away a byte order mark, as spreadsheets like to write.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}
