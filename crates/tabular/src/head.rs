//! The head of a table: which of its columns is which field, and a row by it.

use std::borrow::Cow;

use jiff::civil::DateTime;
use serde_json::{Map, Value};

use crate::cell::{Cell, Local, value};
use crate::columns::{Column, Holds, Table};
use crate::local_time;
use crate::mapping::{Mapping, same};
use crate::{BadFile, BadRow};

/// Where the cells of a column are.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In one column of the sheet, from 0.
    At(usize),
    /// A date in one and a time of day in another.
    Joined(usize, usize),
    /// Nowhere: every row says the same.
    Constant(String),
}

/// The columns of a file.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    columns: Vec<(Column, Place)>,
    /// How many columns the head names.
    width: usize,
    mapping: Mapping,
}

impl Head {
    /// Reads the head of a table.
    ///
    /// # Errors
    /// Names the column that is not known, or stands twice.
    pub(crate) fn read(
        line: usize,
        cells: &[Cell<'_>],
        table: Table,
        mapping: &Mapping,
    ) -> Result<Self, BadFile> {
        let bad = |name: &str, message: String| BadFile::Head(line, BadRow::new(name, message));
        let names: Vec<String> = cells.iter().map(|cell| cell.text().into_owned()).collect();
        let joined: Vec<&String> = mapping.dates.values().flatten().collect();
        let mut columns: Vec<(Column, Place)> = Vec::new();
        let mut add = |column: Column, place: Place, said: &str| {
            if columns.iter().any(|(known, _)| *known == column) {
                return Err(bad(said, "stands twice".to_owned()));
            }
            columns.push((column, place));
            Ok(())
        };
        for (index, name) in names.iter().enumerate().filter(|(_, name)| !name.is_empty()) {
            let ours = mapping.ours(name).to_lowercase();
            match table.column(&ours) {
                Some(column) => add(column, Place::At(index), &ours)?,
                None if mapping.ignore_other_columns || joined.iter().any(|theirs| same(theirs, name)) => {}
                None => return Err(bad(&name.to_lowercase(), unknown(table))),
            }
        }
        for (ours, theirs) in &mapping.dates {
            let column = table.column(ours).ok_or_else(|| bad(ours, unknown(table)))?;
            if !matches!(column.holds, Holds::Time | Holds::TimeOrDate) {
                return Err(bad(
                    ours,
                    "does not hold times, so it cannot be joined of two columns".to_owned(),
                ));
            }
            let place = |theirs: &String| {
                let found = names.iter().position(|name| same(name, theirs));
                found.ok_or_else(|| {
                    bad(theirs, "is named by the map, but the sheet has no such column".to_owned())
                })
            };
            add(column, Place::Joined(place(&theirs[0])?, place(&theirs[1])?), ours)?;
        }
        let absent = |theirs: &&String| !names.iter().any(|name| same(name, theirs));
        if let Some(theirs) = mapping.columns.keys().find(absent) {
            return Err(bad(theirs, "is named by the map, but the sheet has no such column".to_owned()));
        }
        for (ours, said) in &mapping.constants {
            let column = table.column(ours).ok_or_else(|| bad(ours, unknown(table)))?;
            if !columns.iter().any(|(known, _)| *known == column) {
                columns.push((column, Place::Constant(said.clone())));
            }
        }
        Ok(Self { columns, width: names.len(), mapping: mapping.clone() })
    }

    /// Makes the JSON object of a row.
    ///
    /// # Errors
    /// Names the first column whose cell is wrong.
    pub(crate) fn object(&self, cells: &[Cell<'_>], local: &Local) -> Result<String, BadRow> {
        if cells.iter().skip(self.width).any(|cell| !cell.is_empty()) {
            return Err(BadRow::new("", format!("has {} cells, the head has {}", cells.len(), self.width)));
        }
        let mut object = Map::new();
        for (column, place) in &self.columns {
            let cell =
                self.cell(*column, place, cells, local).map_err(|said| BadRow::new(column.name, said))?;
            if cell.is_empty() {
                continue;
            }
            if column.holds == Holds::Resource {
                resource(&mut object, &cell.text()).map_err(|said| BadRow::new(column.name, said))?;
                continue;
            }
            let value = value(*column, &cell, local).map_err(|said| BadRow::new(column.name, said))?;
            insert(&mut object, column.name, value);
        }
        Ok(Value::Object(object).to_string())
    }

    /// Finds the cell of a column, by the map where there is one.
    fn cell<'c>(
        &'c self,
        column: Column,
        place: &'c Place,
        cells: &'c [Cell<'_>],
        local: &Local,
    ) -> Result<Cow<'c, Cell<'c>>, String> {
        let at = |index: usize| cells.get(index).unwrap_or(&Cell::Empty);
        let found = match place {
            Place::At(index) if at(*index).is_empty() => match self.mapping.constants.get(column.name) {
                Some(said) => Cow::Owned(Cell::Text(Cow::Borrowed(said.as_str()))),
                None => Cow::Borrowed(at(*index)),
            },
            Place::At(index) => Cow::Borrowed(at(*index)),
            Place::Joined(date, time) => Cow::Owned(joined(at(*date), at(*time), local)?),
            Place::Constant(said) => Cow::Owned(Cell::Text(Cow::Borrowed(said.as_str()))),
        };
        if self.mapping.values.is_empty() {
            return Ok(found);
        }
        match self.mapping.meaning(column.name, &found.text()) {
            Some(ours) => Ok(Cow::Owned(Cell::Text(Cow::Borrowed(ours)))),
            None => Ok(found),
        }
    }

    /// Returns the column of the sheet, from 0, in which a field of a record stands: `window.until`, `capabilities[2]`.
    pub(crate) fn column_of(&self, field: &str) -> Option<usize> {
        let is_it =
            |name: &str| field == name || field.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
        let holds_it = |column: &Column| column.holds == Holds::Resource && field.starts_with("resource");
        let within =
            |column: &Column| column.name.strip_prefix(field).is_some_and(|rest| rest.starts_with('.'));
        let find = |wanted: &dyn Fn(&Column) -> bool| self.columns.iter().find(|(column, _)| wanted(column));
        let found = find(&|column| is_it(column.name)).or_else(|| find(&holds_it)).or_else(|| find(&within));
        match &found?.1 {
            Place::At(index) | Place::Joined(_, index) => Some(*index),
            Place::Constant(_) => None,
        }
    }
}

fn unknown(table: Table) -> String {
    let known: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
    format!("is not a column; the columns are resource, {}", known.join(", "))
}

/// Joins the date of one cell and the time of day of another.
fn joined(date: &Cell<'_>, time: &Cell<'_>, local: &Local) -> Result<Cell<'static>, String> {
    if date.is_empty() && time.is_empty() {
        return Ok(Cell::Empty);
    }
    let day = match date {
        Cell::Moment(at) => Some(at.date()),
        Cell::Text(text) => local_time::date(text.trim()),
        Cell::Empty
        | Cell::Number(_)
        | Cell::Whole(_)
        | Cell::YesOrNo(_)
        | Cell::Clock(_)
        | Cell::Unreadable(_) => None,
    };
    let day = day.ok_or_else(|| format!("\"{}\" is not a date. Try 26/11/2026", date.text()))?;
    let clock = match time {
        Cell::Clock(time) => Some(*time),
        Cell::Moment(at) => Some(at.time()),
        Cell::Text(text) => local_time::clock(text.trim()),
        Cell::Empty | Cell::Number(_) | Cell::Whole(_) | Cell::YesOrNo(_) | Cell::Unreadable(_) => None,
    };
    let clock = clock.ok_or_else(|| format!("\"{}\" is not a time of day. Try 13:30", time.text()))?;
    let at = DateTime::from_parts(day, clock);
    local_time::settle(at, &local.zone).map_err(|error| error.to_string())?;
    Ok(Cell::Moment(at))
}

/// Writes `kind/code/level` into the three fields of a resource.
fn resource(object: &mut Map<String, Value>, text: &str) -> Result<(), String> {
    let not = || format!("\"{text}\" is not a resource. Try bed/cc_adult/2, diagnostic/mri or theatre/main");
    let mut parts = text.split('/').map(|part| part.trim().replace([' ', '-'], "_").to_uppercase());
    let (Some(kind), Some(code), level, None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(not());
    };
    if kind.is_empty() || code.is_empty() {
        return Err(not());
    }
    insert(object, "resource.kind", kind.into());
    insert(object, "resource.code", code.into());
    if let Some(level) = level {
        let level: u8 = level.parse().map_err(|_| not())?;
        insert(object, "resource.level", level.into());
    }
    Ok(())
}

fn insert(object: &mut Map<String, Value>, name: &str, value: Value) {
    match name.split_once('.') {
        None => object.insert(name.to_owned(), value),
        Some((outer, inner)) => {
            let nested = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
            nested.as_object_mut().and_then(|nested| nested.insert(inner.to_owned(), value))
        }
    };
}
