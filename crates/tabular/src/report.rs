//! The tables of a report as a workbook: one sheet, one table below the other, as they are printed.

use rust_xlsxwriter::{Format as Style, Workbook, Worksheet, XlsxError};

use crate::cell::guarded;
use crate::write::WriteError;

/// Width of the first column and of the others, in characters.
const WIDTHS: (f64, f64) = (30.0, 16.0);
/// Most columns that get a width; a wider table keeps the usual one.
const COLUMNS_MAX: u16 = 40;

/// Says to a spreadsheet that what follows is UTF-8.
const MARK: &str = "\u{feff}";

/// One table.
#[derive(Debug, Clone, Copy)]
pub struct Printed<'a> {
    /// What stands above it.
    pub title: &'a str,
    /// Names of columns.
    pub head: &'a [String],
    /// Rows, each as long as the head.
    pub rows: &'a [Vec<String>],
    /// What stands below it; may be empty.
    pub note: &'a str,
}

/// Writes a report as a workbook of one sheet: its title, lines, tables and last line. What is a number is written as one.
///
/// # Errors
/// When a text or the number of rows is beyond what a workbook holds.
pub fn workbook(
    sheet_name: &str,
    title: &str,
    lines: &[String],
    tables: &[Printed<'_>],
    last_line: &str,
) -> Result<Vec<u8>, WriteError> {
    let mut workbook = Workbook::new();
    let sheet = workbook.add_worksheet().set_name(sheet_name)?;
    sheet.set_column_width(0, WIDTHS.0)?;
    for column in 1..COLUMNS_MAX {
        sheet.set_column_width(column, WIDTHS.1)?;
    }
    let bold = Style::new().set_bold();
    let mut row = 0;
    sheet.write_string_with_format(row, 0, title, &Style::new().set_bold().set_font_size(14.0))?;
    for line in lines {
        row += 1;
        sheet.write_string_with_format(row, 0, line, &bold)?;
    }
    for table in tables {
        row += 2;
        sheet.write_string_with_format(row, 0, table.title, &bold)?;
        if !table.rows.is_empty() {
            row += 1;
            for (column, name) in (0_u16..).zip(table.head) {
                sheet.write_string_with_format(row, column, name, &bold)?;
            }
        }
        for cells in table.rows {
            row += 1;
            for (column, cell) in (0_u16..).zip(cells) {
                put(sheet, row, column, cell)?;
            }
        }
        if !table.note.is_empty() {
            row += 1;
            sheet.write_string(row, 0, table.note)?;
        }
    }
    sheet.write_string_with_format(row + 2, 0, last_line, &bold)?;
    Ok(workbook.save_to_buffer()?)
}

/// Writes one table of a report as comma-separated text, for people and their spreadsheets. What a spreadsheet would take
/// for a formula goes out as a text, what is a number as a number. It begins with a byte-order mark, without which Excel
/// reads "×" as "Ã—".
///
/// # Errors
/// When a row has more or fewer cells than the head.
pub fn csv(head: &[String], rows: &[Vec<String>]) -> Result<Vec<u8>, WriteError> {
    let is_number = |text: &str| text.parse::<f64>().is_ok_and(f64::is_finite);
    let cell = |text: &String| if is_number(text) { text.clone() } else { guarded(text).into_owned() };
    let mut writer = csv::Writer::from_writer(MARK.as_bytes().to_vec());
    writer.write_record(head.iter().map(cell))?;
    for row in rows {
        writer.write_record(row.iter().map(cell))?;
    }
    writer.into_inner().map_err(|error| WriteError::Csv(error.into_error().into()))
}

/// Writes a cell. A text is written as a text whatever it begins with: nothing in a report is a formula.
fn put(sheet: &mut Worksheet, row: u32, column: u16, cell: &str) -> Result<(), XlsxError> {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let is_number = digits.starts_with(|c: char| c.is_ascii_digit()) && !has_leading_nought(digits);
    match cell.parse::<f64>().ok().filter(|_| is_number) {
        Some(number) => sheet.write_number(row, column, number)?,
        None => sheet.write_string(row, column, cell)?,
    };
    Ok(())
}

/// Says whether a run of digits would lose a nought if it were a number: a code, a telephone.
fn has_leading_nought(digits: &str) -> bool {
    digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use calamine::{Data, Reader, Xlsx};

    use super::*;

    #[test]
    fn a_file_for_a_spreadsheet_says_how_it_is_written_and_runs_nothing() {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let head = texts(&["=head()", "Spare", "Said"]);
        let rows = [texts(&["=cmd()", "-1", "2 × CT"]), texts(&["@x", "0.5", "+44 x"])];
        let written = String::from_utf8(csv(&head, &rows).unwrap()).unwrap();
        assert_eq!(written, "\u{feff}'=head(),Spare,Said\n'=cmd(),-1,2 × CT\n'@x,0.5,'+44 x\n");
    }

    #[test]
    fn a_report_is_read_back_as_it_was_printed() {
        let texts = |all: &[&str]| all.iter().map(|one| (*one).to_owned()).collect::<Vec<_>>();
        let head = texts(&["", "now", "usual"]);
        let rows = [
            texts(&["Needs open", "38", "20 to 45"]),
            texts(&["Net", "-7", "=1+1"]),
            texts(&["Desk", "0555", "0.5"]),
        ];
        let tables = [
            Printed { title: "5 of 6 trusts live", head: &head, rows: &rows, note: "" },
            Printed { title: "Alerts: 0", head: &head, rows: &[], note: "None." },
        ];
        let lines = texts(&["INCIDENT MODE"]);
        let bytes = workbook("Situation", "North Vale", &lines, &tables, "Not signed off.").unwrap();
        let mut book: Xlsx<_> = calamine::open_workbook_from_rs(Cursor::new(bytes)).unwrap();
        let sheet = book.worksheet_range("Situation").unwrap();
        let at = |row, column| sheet.get_value((row, column)).cloned().unwrap_or(Data::Empty);
        let text = |text: &str| Data::String(text.to_owned());
        assert_eq!(
            (at(0, 0), at(1, 0), at(3, 0)),
            (text("North Vale"), text("INCIDENT MODE"), text("5 of 6 trusts live"))
        );
        assert_eq!((at(4, 1), at(5, 0), at(5, 1)), (text("now"), text("Needs open"), Data::Float(38.0)));
        assert_eq!((at(6, 1), at(6, 2)), (Data::Float(-7.0), text("=1+1")));
        assert_eq!((at(7, 1), at(7, 2)), (text("0555"), Data::Float(0.5)));
        assert_eq!(
            (at(9, 0), at(10, 0), at(12, 0)),
            (text("Alerts: 0"), text("None."), text("Not signed off."))
        );
    }
}
