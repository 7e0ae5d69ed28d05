//! The rows of a workbook's sheet.

use std::borrow::Cow;
use std::io::Cursor;

use calamine::{DataRef, ExcelDateTime, Reader, SheetVisible, Xlsx};
use jiff::ToSpan;
use jiff::civil::{Date, DateTime, Time};

use crate::cell::Cell;
use crate::columns::Table;
use crate::mapping::{Mapping, same};
use crate::sheet::letters;
use crate::{BadFile, Record, guard};

/// Sheets of a workbook at most.
const SHEETS_MAX: usize = 100;
/// The last row that is read, from 1.
const ROWS_MAX: u32 = 20_000;
/// Columns at most.
const COLUMNS_MAX: u32 = 200;
/// Cells at most that are not empty.
const CELLS_MAX: usize = 500_000;
/// Bytes of text at most of one cell; the longest list that a record may have (50 texts of 64 characters) fits.
const CELL_BYTES_MAX: usize = 4_000;
/// Bytes of text at most of all cells of a sheet. A workbook keeps a text once for all cells that have it, so a small
/// file can stand for far more text than it holds.
const TEXT_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Visits every row that is not empty, the head among them.
///
/// # Errors
/// When it is no workbook, or breaks a limit, or has no such sheet.
pub(crate) fn each(
    bytes: &[u8],
    table: Table,
    mapping: &Mapping,
    mut visit: impl FnMut(Record<'_>),
) -> Result<(), BadFile> {
    guard::check(bytes)?;
    let broken = |error: calamine::XlsxError| BadFile::NotAWorkbook(error.to_string());
    let mut workbook = Xlsx::new(Cursor::new(bytes)).map_err(broken)?;
    let sheet = sheet(&workbook, table, mapping)?;
    let mut reader = workbook.worksheet_cells_reader(&sheet).map_err(broken)?;
    let (mut row, mut cells, mut count, mut text) = (0, Vec::new(), 0_usize, 0_usize);
    while let Some(found) = reader.next_cell().map_err(broken)? {
        let (at, column) = found.get_position();
        let cell = cell(found.get_value());
        if cell.is_empty() {
            continue;
        }
        count += 1;
        if at >= ROWS_MAX || column >= COLUMNS_MAX || count > CELLS_MAX {
            return Err(BadFile::TooLarge(format!(
                "has more than {ROWS_MAX} rows, {COLUMNS_MAX} columns or {CELLS_MAX} filled cells on its sheet {sheet}"
            )));
        }
        if let Cell::Text(written) = &cell {
            text = text.saturating_add(written.len());
            refuse_long(written.len(), text, at, column)?;
        }
        if at != row {
            flush(row, &mut cells, &mut visit);
            row = at;
        }
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        if cells.len() <= column {
            cells.resize(column + 1, Cell::Empty);
        }
        cells[column] = cell.into_owned();
    }
    flush(row, &mut cells, &mut visit);
    Ok(())
}

/// Refuses a text before it is copied.
fn refuse_long(cell: usize, all: usize, row: u32, column: u32) -> Result<(), BadFile> {
    if cell > CELL_BYTES_MAX {
        let column = letters(usize::try_from(column).unwrap_or(usize::MAX - 1));
        return Err(BadFile::TooLarge(format!(
            "has {cell} bytes of text in its cell {column}{}; a cell has at most {CELL_BYTES_MAX}",
            row.saturating_add(1)
        )));
    }
    if all > TEXT_BYTES_MAX {
        return Err(BadFile::TooLarge(format!(
            "has more than {} MB of text in its cells",
            TEXT_BYTES_MAX / (1024 * 1024)
        )));
    }
    Ok(())
}

fn flush(row: u32, cells: &mut Vec<Cell<'static>>, visit: &mut impl FnMut(Record<'_>)) {
    let cells = std::mem::take(cells);
    if !cells.is_empty() {
        let row = usize::try_from(row).unwrap_or(usize::MAX).saturating_add(1);
        visit(Record { line: row, row, cells: Ok(cells) });
    }
}

/// Chooses the sheet: the one that the map names, else that of the table's name, else the first that shows.
fn sheet(workbook: &Xlsx<Cursor<&[u8]>>, table: Table, mapping: &Mapping) -> Result<String, BadFile> {
    let sheets = workbook.sheets_metadata();
    if sheets.len() > SHEETS_MAX {
        return Err(BadFile::TooLarge(format!(
            "has {} sheets; a workbook has at most {SHEETS_MAX}",
            sheets.len()
        )));
    }
    let called = |name: &str| sheets.iter().find(|sheet| same(&sheet.name, name));
    let found = if mapping.sheet.is_empty() {
        let shown = || sheets.iter().find(|sheet| sheet.visible == SheetVisible::Visible);
        called(table.sheet_name()).or_else(shown)
    } else {
        called(&mapping.sheet)
    };
    found.map(|sheet| sheet.name.clone()).ok_or_else(|| {
        let names: Vec<&str> = sheets.iter().map(|sheet| sheet.name.as_str()).collect();
        BadFile::NoSheet { wanted: mapping.sheet.clone(), there: names.join(", ") }
    })
}

fn cell<'a>(value: &'a DataRef<'_>) -> Cell<'a> {
    match value {
        DataRef::Empty => Cell::Empty,
        DataRef::Int(number) => Cell::Whole(*number),
        DataRef::Float(number) => Cell::Number(*number),
        DataRef::String(text) => Cell::Text(Cow::Borrowed(text)),
        DataRef::SharedString(text) => Cell::Text(Cow::Borrowed(text)),
        DataRef::Bool(yes) => Cell::YesOrNo(*yes),
        DataRef::DateTime(at) => moment(*at),
        DataRef::DateTimeIso(text) | DataRef::DurationIso(text) => Cell::Text(Cow::Borrowed(text)),
        DataRef::Error(_) => Cell::Unreadable("holds an error of the spreadsheet, such as #REF!"),
    }
}

/// Takes a spreadsheet's number of days apart, to the nearest second: half past one is no exact fraction of a day.
fn moment(at: ExcelDateTime) -> Cell<'static> {
    const NOT: Cell<'static> = Cell::Unreadable("is not a date of the years 1900 to 9999");
    let (year, month, day, hour, minute, second, millisecond) = at.to_ymd_hms_milli();
    let narrow = |number: u16| i16::try_from(number).ok();
    let small = |number: u8| i8::try_from(number).ok();
    let time = (|| Time::new(small(hour)?, small(minute)?, small(second)?, 0).ok())();
    let Some(time) = time else { return NOT };
    if at.as_f64() < 1.0 {
        return Cell::Clock(time);
    }
    let date = (|| Date::new(narrow(year)?, small(month)?, small(day)?).ok())();
    let Some(date) = date else { return NOT };
    let at = DateTime::from_parts(date, time);
    match millisecond {
        0..500 => Cell::Moment(at),
        _ => at.checked_add(1.second()).map_or(NOT, Cell::Moment),
    }
}
