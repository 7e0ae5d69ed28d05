//! The rows of comma-separated text.

use std::borrow::Cow;

use crate::cell::Cell;
use crate::{BadRow, Record};

/// Visits every row that is not empty, the head among them.
pub(crate) fn each(bytes: &[u8], mut visit: impl FnMut(Record<'_>)) {
    let mut reader =
        csv::ReaderBuilder::new().flexible(true).has_headers(false).trim(csv::Trim::All).from_reader(bytes);
    let mut record = csv::ByteRecord::new();
    // Lines within cells: a spreadsheet that opens the file counts rows.
    let mut within = 0;
    loop {
        let line = line_of(bytes, reader.position());
        let row = line - within.min(line - 1);
        match reader.read_byte_record(&mut record) {
            Ok(false) => return,
            Ok(true) => {
                within += record.iter().flatten().filter(|byte| **byte == b'\n').count();
                if record.iter().any(|cell| !cell.is_empty()) {
                    visit(Record { line, row, cells: Ok(record.iter().map(cell).collect()) });
                }
            }
            // A reader over bytes in memory goes on after any bad row.
            Err(error) => visit(Record { line, row, cells: Err(BadRow::new("", error.to_string())) }),
        }
    }
}

fn cell(bytes: &[u8]) -> Cell<'_> {
    match std::str::from_utf8(bytes) {
        Ok("") => Cell::Empty,
        Ok(text) => Cell::Text(Cow::Borrowed(text)),
        Err(_) => Cell::Unreadable("is not UTF-8 text"),
    }
}

/// The line on which the next row starts: the reader's own, and the empty ones that it will pass over.
fn line_of(bytes: &[u8], at: &csv::Position) -> usize {
    let from = usize::try_from(at.byte()).unwrap_or(usize::MAX).min(bytes.len());
    let passed = bytes[from..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    usize::try_from(at.line()).unwrap_or(usize::MAX) + passed.filter(|byte| **byte == b'\n').count()
}
