//! Tables of offers and needs: JSON lines and CSV in, one JSON object a row out.
//!
//! This crate knows files, rows and columns, not what a field means: each row becomes the text of one JSON object in
//! *Fallow JSON*, or says what is wrong with it and in which field, and the rows after it are read all the same.

mod columns;
mod csv_rows;
mod json_lines;

use std::borrow::Cow;

pub use columns::{Column, Holds, Table};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One JSON object a line; empty lines are passed over.
    JsonLines,
    /// Comma-separated with a head of column names (see [`Table::columns`]).
    Csv,
}

impl Format {
    /// Returns the format that a file's name tells, by its ending: `.csv`, else JSON lines; `None` for a spreadsheet, which
    /// must be saved as CSV first.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Some(Self::Csv),
            "xlsx" | "xls" | "ods" => None,
            _ => Some(Self::JsonLines),
        }
    }
}

/// One row of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row<'a> {
    /// The line it starts on, from 1.
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
    /// The head of a CSV file names a column that there is not, or one twice.
    #[error("line 1: {0}")]
    Head(BadRow),
}

/// Reads the rows of a file.
///
/// # Errors
/// When the head of a CSV file cannot be understood. What is wrong with a row is said in the row.
pub fn rows<'a>(bytes: &'a [u8], format: Format, table: Table) -> Result<Vec<Row<'a>>, BadFile> {
    // A byte order mark, as spreadsheets like to write.
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    match format {
        Format::JsonLines => Ok(json_lines::rows(bytes)),
        Format::Csv => csv_rows::rows(bytes, table),
    }
}
