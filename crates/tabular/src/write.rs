//! Records into files. Times are by the clock of the zone; one that comes twice there is written with its offset.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::AmbiguousOffset;
use rust_xlsxwriter::{Color, ExcelDateTime, Format as Style, Workbook, Worksheet, XlsxError};
use serde::Serialize;
use serde_json::Value;

use crate::cell::{Cell, Local, guarded, joined};
use crate::columns::{Column, Holds, Table};
use crate::mapping::Mapping;
use crate::sheet::{Fault, raw};
use crate::{BadFile, Format};

/// How a workbook shows a moment.
const MOMENT: &str = "yyyy-mm-dd hh:mm";
/// Width of a column, in characters.
const WIDTH: f64 = 18.0;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A record has no JSON: a time outside the years 1 to 9999.
    #[error("a record cannot be written: {0}")]
    Record(#[from] serde_json::Error),
    /// A cell or a sheet breaks a limit of the format.
    #[error("the workbook cannot be written: {0}")]
    Workbook(#[from] XlsxError),
    /// A row cannot be written as CSV.
    #[error("the file cannot be written: {0}")]
    Csv(#[from] csv::Error),
    /// The file that the rows come from cannot be read again.
    #[error(transparent)]
    Read(#[from] BadFile),
}

/// Writes records as CSV with a head.
///
/// # Errors
/// When a record has no JSON.
pub fn csv<M: Serialize>(records: &[M], table: Table, local: &Local) -> Result<Vec<u8>, WriteError> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(table.columns().iter().map(|column| column.name))?;
    for record in records {
        let cells = cells(record, table, local)?;
        csv.write_record(cells.iter().map(|cell| cell.text().into_owned()))?;
    }
    csv.into_inner().map_err(|error| WriteError::Csv(error.into_error().into()))
}

/// Writes records as a workbook of one sheet with a head.
///
/// # Errors
/// When a record has no JSON or breaks a limit of the format.
pub fn xlsx<M: Serialize>(records: &[M], table: Table, local: &Local) -> Result<Vec<u8>, WriteError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name(table.sheet_name())?;
    head(sheet, table.columns().iter().map(|column| column.name))?;
    for (row, record) in (1_u32..).zip(records) {
        for (column, cell) in (0_u16..).zip(cells(record, table, local)?) {
            put(sheet, row, column, &cell)?;
        }
    }
    Ok(workbook.save_to_buffer()?)
}

/// Writes the rows of a file that were refused as a workbook, as they stood there, with what is wrong beside each.
///
/// # Errors
/// When the file cannot be read again, or the workbook not be written.
pub fn refused(
    bytes: &[u8],
    format: Format,
    table: Table,
    mapping: &Mapping,
    faults: &[Fault],
) -> Result<Vec<u8>, WriteError> {
    let mut wrong: BTreeMap<usize, Vec<String>> = BTreeMap::new();
    for fault in faults {
        wrong.entry(fault.row).or_default().push(fault.to_string());
    }
    let (names, rows) = raw(bytes, format, table, mapping, |row| wrong.contains_key(&row))?;
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name(table.sheet_name())?;
    let names: Vec<String> = names.iter().map(|name| name.text().into_owned()).collect();
    let last = u16::try_from(names.len()).unwrap_or(u16::MAX);
    head(sheet, names.iter().map(String::as_str).chain(["what is wrong"]))?;
    sheet.set_column_width(last, 3.0 * WIDTH)?;
    for (at, (row, cells)) in (1_u32..).zip(&rows) {
        for (column, cell) in (0..last).zip(cells) {
            put(sheet, at, column, cell)?;
        }
        let said = wrong.get(row).map(|said| said.join("\n")).unwrap_or_default();
        sheet.write_string_with_format(
            at,
            last,
            said,
            &Style::new().set_background_color(Color::RGB(0xFF_F2_CC)),
        )?;
    }
    Ok(workbook.save_to_buffer()?)
}

/// Writes the names of columns in the first row, which stays in sight.
pub(crate) fn head<'n>(sheet: &mut Worksheet, names: impl Iterator<Item = &'n str>) -> Result<(), XlsxError> {
    let bold = Style::new().set_bold();
    for (column, name) in (0_u16..).zip(names) {
        sheet.write_string_with_format(0, column, name, &bold)?;
        sheet.set_column_width(column, WIDTH)?;
    }
    sheet.set_freeze_panes(1, 0)?;
    Ok(())
}

fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: &Cell<'_>) -> Result<(), XlsxError> {
    match cell {
        Cell::Empty => {}
        Cell::Number(number) => {
            sheet.write_number(row, column, *number)?;
        }
        Cell::Whole(number) => match i32::try_from(*number) {
            Ok(number) => {
                sheet.write_number(row, column, number)?;
            }
            // A spreadsheet would round what is longer.
            Err(_) => {
                sheet.write_string(row, column, number.to_string())?;
            }
        },
        Cell::YesOrNo(yes) => {
            sheet.write_boolean(row, column, *yes)?;
        }
        Cell::Moment(at) => match excel(*at) {
            Some(moment) => {
                let style = Style::new().set_num_format(MOMENT);
                sheet.write_datetime_with_format(row, column, moment, &style)?;
            }
            None => {
                sheet.write_string(row, column, cell.text())?;
            }
        },
        Cell::Text(_) | Cell::Clock(_) | Cell::Unreadable(_) => {
            sheet.write_string(row, column, guarded_again(&cell.text()))?;
        }
    }
    Ok(())
}

/// Guards what is not: cells of records are, those that are copied from a file may not be.
fn guarded_again(text: &str) -> Cow<'_, str> {
    if text.starts_with('\'') { Cow::Borrowed(text) } else { guarded(text) }
}

/// A spreadsheet counts days wrongly before March 1900.
fn excel(at: DateTime) -> Option<ExcelDateTime> {
    let year = u16::try_from(at.year()).ok().filter(|year| (1901..=9998).contains(year))?;
    let small = |number: i8| u8::try_from(number).ok();
    let date = ExcelDateTime::from_ymd(year, small(at.month())?, small(at.day())?).ok()?;
    date.and_hms(u16::try_from(at.hour()).ok()?, small(at.minute())?, f64::from(at.second())).ok()
}

/// Returns the cells of a record, one for each column.
fn cells<M: Serialize>(record: &M, table: Table, local: &Local) -> Result<Vec<Cell<'static>>, WriteError> {
    let record = serde_json::to_value(record)?;
    Ok(table.columns().iter().map(|column| cell(&record, *column, local)).collect())
}

fn cell(record: &Value, column: Column, local: &Local) -> Cell<'static> {
    let found = column.name.split('.').try_fold(record, |value, name| value.get(name));
    let Some(found) = found else {
        // An offer without a word of its team is staffed; one whose team is not staffed must say so.
        let unstaffed = column.name == "team.staffed" && record.get("team").is_some_and(Value::is_object);
        return if unstaffed { Cell::YesOrNo(false) } else { Cell::Empty };
    };
    let text = |text: &str| Cell::Text(Cow::Owned(guarded(text).into_owned()));
    match (found, column.holds) {
        (Value::String(at), Holds::Time | Holds::TimeOrDate) => match at.parse() {
            Ok(at) => moment(at, local),
            Err(_) => text(at),
        },
        (Value::String(length), Holds::Length) => text(&short(length)),
        (
            Value::String(said),
            Holds::Text | Holds::Number | Holds::YesOrNo | Holds::List | Holds::Resource,
        ) => text(said),
        (Value::Number(number), _) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Cell::Whole(whole),
            (None, Some(number)) => Cell::Number(number),
            (None, None) => text(&number.to_string()),
        },
        (Value::Bool(yes), _) => Cell::YesOrNo(*yes),
        (Value::Array(parts), _) => text(&joined(parts.iter().filter_map(Value::as_str))),
        (Value::Null | Value::Object(_), _) => Cell::Empty,
    }
}

/// Writes an instant by the clock where the clock tells it, else as RFC 3339.
fn moment(at: Timestamp, local: &Local) -> Cell<'static> {
    let clock = at.to_zoned(local.zone.clone()).datetime();
    match local.zone.to_ambiguous_timestamp(clock).offset() {
        AmbiguousOffset::Unambiguous { .. } if clock.subsec_nanosecond() == 0 && excel(clock).is_some() => {
            Cell::Moment(clock)
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } | AmbiguousOffset::Fold { .. } => {
            Cell::Text(Cow::Owned(at.to_string()))
        }
    }
}

/// Writes a length of time as people do: `3600s` is `1h`.
fn short(seconds: &str) -> String {
    match seconds.strip_suffix('s').and_then(|number| number.parse::<u64>().ok()) {
        Some(whole) if whole > 0 && whole % 3_600 == 0 => format!("{}h", whole / 3_600),
        Some(whole) if whole > 0 && whole % 60 == 0 => format!("{}m", whole / 60),
        Some(_) | None => seconds.to_owned(),
    }
}
