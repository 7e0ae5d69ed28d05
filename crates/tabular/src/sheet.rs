//! Files into messages of the API, with everything that is wrong said by the cell.

use std::collections::BTreeMap;
use std::fmt;

use fallow_api::json::{self, Message};
use fallow_api::v1::{Need, Offer, Source};
use serde::de::DeserializeOwned;

use crate::cell::{Cell, Local};
use crate::columns::Table;
use crate::head::Head;
use crate::mapping::Mapping;
use crate::{BadFile, Format, each, json_lines, without_mark};

/// Rows at most of one file that goes to the services. A whole state of a site has at most 1,000 offers.
pub const ROWS_MAX: usize = 5_000;

/// A record of a file, and where it stands there.
#[derive(Debug, Clone, PartialEq)]
pub struct Item<M> {
    /// The row that a spreadsheet shows it in, from 1; the line in JSON lines.
    pub row: usize,
    /// The record.
    pub message: M,
}

/// What is wrong in a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The row, from 1.
    pub row: usize,
    /// The cell, such as `D14`, where it is in one.
    pub cell: Option<String>,
    /// The field, such as `window.until`; empty when it is in none.
    pub field: String,
    /// What is wrong and what would be right, in plain words.
    pub message: String,
}

impl Fault {
    /// Says where it is: `row 14, D14`.
    #[must_use]
    pub fn place(&self) -> String {
        match &self.cell {
            Some(cell) => format!("row {}, {cell}", self.row),
            None => format!("row {}", self.row),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.place())?;
        // The cell says as much as the field; what begins with the typed words needs neither.
        match (&self.cell, self.field.as_str()) {
            (Some(_), _) | (None, "") => f.write_str(&self.message),
            (None, field) => write!(f, "{field} {}", self.message),
        }
    }
}

/// What a file holds.
#[derive(Debug, Clone)]
pub struct Sheet<M> {
    /// The records, in order.
    pub items: Vec<Item<M>>,
    /// The rows that could not be read, in order.
    pub faults: Vec<Fault>,
    head: Option<Head>,
}

impl<M> Sheet<M> {
    /// Says where a field of a row stands; for what is found wrong later than by reading.
    #[must_use]
    pub fn fault(&self, row: usize, field: &str, message: impl Into<String>) -> Fault {
        fault(self.head.as_ref(), row, field, message.into())
    }
}

impl Sheet<Offer> {
    /// Leaves out each row whose `source_key` an earlier row has, and says so by the row: the two would be one offer, and
    /// which of them came last would be chance.
    pub fn refuse_twice(&mut self) {
        let mut first: BTreeMap<&str, usize> = BTreeMap::new();
        let mut faults = Vec::new();
        for item in &self.items {
            match first.get(item.message.source_key.as_str()) {
                Some(row) => faults.push(self.fault(
                    item.row,
                    "source_key",
                    format!("is the same offer as row {row}; give each its own source_key"),
                )),
                None => {
                    first.insert(&item.message.source_key, item.row);
                }
            }
        }
        self.items.retain(|item| !faults.iter().any(|fault| fault.row == item.row));
        self.faults.extend(faults);
        self.faults.sort_by_key(|fault| fault.row);
    }
}

/// Reads offers as a trust publishes them: what the services write is left out, and the source is the sheet.
///
/// # Errors
/// When the file cannot be read at all.
pub fn offers(
    bytes: &[u8],
    format: Format,
    mapping: &Mapping,
    local: &Local,
) -> Result<Sheet<Offer>, BadFile> {
    let mut sheet: Sheet<Offer> = read(bytes, format, Table::Offers, mapping, local)?;
    for item in &mut sheet.items {
        let offer = &mut item.message;
        *offer = Offer {
            id: String::new(),
            state: 0,
            revision: 0,
            suspension: None,
            source: Source::Sheet.into(),
            source_seq: 0,
            asked: Vec::new(),
            phone: String::new(),
            ..std::mem::take(offer)
        };
        if let Some(figures) = &mut offer.figures {
            (figures.held, figures.committed, figures.free, figures.short) = (0, 0, 0, 0);
        }
    }
    Ok(sheet)
}

/// Reads needs as a trust raises them: what the services write is left out. A row without units needs one.
///
/// # Errors
/// When the file cannot be read at all.
pub fn needs(bytes: &[u8], format: Format, mapping: &Mapping, local: &Local) -> Result<Sheet<Need>, BadFile> {
    let mut sheet: Sheet<Need> = read(bytes, format, Table::Needs, mapping, local)?;
    for item in &mut sheet.items {
        let need = &mut item.message;
        *need = Need {
            id: String::new(),
            state: 0,
            revision: 0,
            units_proposed: 0,
            units_committed: 0,
            units_arrived: 0,
            review_at: None,
            raised_at: None,
            agreed_at: None,
            from_home: None,
            validation: None,
            units: if need.units == 0 { 1 } else { need.units },
            ..std::mem::take(need)
        };
    }
    Ok(sheet)
}

fn read<M: Message + DeserializeOwned>(
    bytes: &[u8],
    format: Format,
    table: Table,
    mapping: &Mapping,
    local: &Local,
) -> Result<Sheet<M>, BadFile> {
    let (mut items, mut faults, mut rows) = (Vec::new(), Vec::new(), 0_usize);
    let mut take = |row: usize, json: Result<&str, (String, String)>, head: Option<&Head>| {
        rows += 1;
        if rows > ROWS_MAX {
            return;
        }
        let read = json.and_then(|json| json::from_str(json).map_err(|error| (error.path, error.message)));
        match read {
            Ok(message) => items.push(Item { row, message }),
            Err((field, message)) => faults.push(fault(head, row, &field, message)),
        }
    };
    let bytes = without_mark(bytes);
    let head = if format == Format::JsonLines {
        for row in json_lines::rows(bytes) {
            take(row.line, row.json.as_deref().map_err(|bad| (bad.field.clone(), bad.message.clone())), None);
        }
        None
    } else {
        each(bytes, format, table, mapping, |record, head| {
            let object = record.cells.and_then(|cells| head.object(&cells, local));
            take(
                record.row,
                object.as_deref().map_err(|bad| (bad.field.clone(), bad.message.clone())),
                Some(head),
            );
        })?
    };
    if rows > ROWS_MAX {
        return Err(BadFile::TooLarge(format!("has {rows} rows; one file has at most {ROWS_MAX}")));
    }
    Ok(Sheet { items, faults, head })
}

fn fault(head: Option<&Head>, row: usize, field: &str, message: String) -> Fault {
    let column = head.and_then(|head| head.column_of(field));
    let cell = column.map(|column| format!("{}{row}", letters(column)));
    Fault { row, cell, field: field.to_owned(), message }
}

/// Names a column from 0 as spreadsheets do: A, Z, AA.
pub(crate) fn letters(column: usize) -> String {
    let (mut name, mut rest) = (String::new(), column + 1);
    while rest > 0 {
        let letter = u8::try_from((rest - 1) % 26).unwrap_or_default();
        name.insert(0, char::from(b'A' + letter));
        rest = (rest - 1) / 26;
    }
    name
}

/// The cells of a row.
pub(crate) type Cells = Vec<Cell<'static>>;

/// Returns the head of a file as it stands, and the rows of some numbers.
pub(crate) fn raw(
    bytes: &[u8],
    format: Format,
    table: Table,
    mapping: &Mapping,
    wanted: impl Fn(usize) -> bool,
) -> Result<(Cells, Vec<(usize, Cells)>), BadFile> {
    let bytes = without_mark(bytes);
    let (mut head, mut rows) = (None, Vec::new());
    let each = |record: crate::Record<'_>| {
        let cells = record.cells.unwrap_or_else(|bad| vec![Cell::Text(bad.to_string().into())]);
        let cells = || cells.into_iter().map(Cell::into_owned).collect::<Vec<_>>();
        if head.is_none() && record.row >= mapping.head_row {
            head = Some(cells());
        } else if wanted(record.row) {
            rows.push((record.row, cells()));
        }
    };
    match format {
        Format::Csv => crate::csv_in::each(bytes, each),
        Format::Xlsx => crate::xlsx_in::each(bytes, table, mapping, each)?,
        Format::JsonLines => {
            let lines = json_lines::rows(bytes).into_iter().filter(|row| wanted(row.line));
            for row in lines {
                let text = row.json.map_or_else(|bad| bad.to_string(), std::borrow::Cow::into_owned);
                rows.push((row.line, vec![Cell::Text(text.into())]));
            }
            head = Some(vec![Cell::Text("record".into())]);
        }
    }
    Ok((head.unwrap_or_default(), rows))
}
