//! Comma-separated rows into JSON objects.

use std::borrow::Cow;

use serde_json::{Map, Number, Value};

use crate::columns::{Column, Holds, Table};
use crate::{BadFile, BadRow, Row};

pub(crate) fn rows(bytes: &[u8], table: Table) -> Result<Vec<Row<'static>>, BadFile> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let head = head(&mut reader, table).map_err(BadFile::Head)?;
    let mut rows = Vec::new();
    let mut record = csv::ByteRecord::new();
    loop {
        let line = line_of(bytes, reader.position());
        match reader.read_byte_record(&mut record) {
            Ok(false) => return Ok(rows),
            Ok(true) => {
                if record.iter().any(|cell| !cell.is_empty()) {
                    rows.push(Row { line, json: object(&head, &record).map(Cow::Owned) });
                }
            }
            Err(error) => {
                // A reader over bytes in memory goes on after any bad row.
                rows.push(Row { line, json: Err(BadRow::new("", error.to_string())) });
            }
        }
    }
}

/// The line on which the next row starts: the reader's own, and the empty ones that it will pass over.
fn line_of(bytes: &[u8], at: &csv::Position) -> usize {
    let from = usize::try_from(at.byte()).unwrap_or(usize::MAX).min(bytes.len());
    let passed = bytes[from..].iter().take_while(|byte| matches!(byte, b'\r' | b'\n'));
    usize::try_from(at.line()).unwrap_or(usize::MAX) + passed.filter(|byte| **byte == b'\n').count()
}

fn head(reader: &mut csv::Reader<&[u8]>, table: Table) -> Result<Vec<Column>, BadRow> {
    let names = reader.byte_headers().map_err(|error| BadRow::new("", error.to_string()))?;
    let mut head: Vec<Column> = Vec::new();
    for name in names {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let Some(column) = table.column(&name) else {
            let known: Vec<&str> = table.columns().iter().map(|column| column.name).collect();
            return Err(BadRow::new(&name, format!("is not a column; the columns are {}", known.join(", "))));
        };
        if head.contains(&column) {
            return Err(BadRow::new(&name, "stands twice"));
        }
        head.push(column);
    }
    Ok(head)
}

fn object(head: &[Column], record: &csv::ByteRecord) -> Result<String, BadRow> {
    if record.len() > head.len() {
        return Err(BadRow::new("", format!("has {} cells, the head has {}", record.len(), head.len())));
    }
    let mut object = Map::new();
    for (column, cell) in head.iter().zip(record) {
        let text = std::str::from_utf8(cell).map_err(|_| BadRow::new(column.name, "is not UTF-8 text"))?;
        if text.is_empty() {
            continue;
        }
        let value = value(*column, text)?;
        match column.name.split_once('.') {
            None => object.insert(column.name.to_owned(), value),
            Some((outer, inner)) => {
                let nested = object.entry(outer).or_insert_with(|| Value::Object(Map::new()));
                nested.as_object_mut().and_then(|nested| nested.insert(inner.to_owned(), value))
            }
        };
    }
    Ok(Value::Object(object).to_string())
}

fn value(column: Column, text: &str) -> Result<Value, BadRow> {
    match column.holds {
        Holds::Text => Ok(Value::from(text)),
        Holds::Number => {
            let number = text.parse::<i64>().map(Number::from).ok();
            let number = number.or_else(|| text.parse::<f64>().ok().and_then(Number::from_f64));
            number.map(Value::Number).ok_or_else(|| BadRow::new(column.name, "must be a number"))
        }
        Holds::YesOrNo => match text.to_ascii_lowercase().as_str() {
            "true" | "yes" | "1" => Ok(Value::Bool(true)),
            "false" | "no" | "0" => Ok(Value::Bool(false)),
            _ => Err(BadRow::new(column.name, "must be true or false")),
        },
        Holds::List => {
            let parts = text.split(';').map(str::trim).filter(|part| !part.is_empty());
            Ok(parts.map(Value::from).collect::<Vec<_>>().into())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(usize, Result<String, String>)> {
        let rows = rows(text.as_bytes(), Table::Needs).unwrap();
        rows.into_iter()
            .map(|row| (row.line, row.json.map(Cow::into_owned).map_err(|bad| bad.to_string())))
            .collect()
    }

    #[test]
    fn dotted_columns_become_objects_and_empty_cells_nothing() {
        let rows = read(
            "id,resource.kind,resource.specialties,units,patient.isolation,note\nN1, BED ,300; 340,2,yes,\n",
        );
        let expected = r#"{"id":"N1","patient":{"isolation":true},"resource":{"kind":"BED","specialties":["300","340"]},"units":2}"#;
        assert_eq!(rows, [(2, Ok(expected.to_owned()))]);
    }

    #[test]
    fn a_bad_cell_is_named_with_its_line_and_the_rest_goes_on() {
        let rows = read("id,units,patient.isolation\nN1,two,\nN2,1,maybe\n\n\"N\n3\",1,\nN4,1,true,extra\n");
        assert_eq!(rows[0], (2, Err("units: must be a number".to_owned())));
        assert_eq!(rows[1], (3, Err("patient.isolation: must be true or false".to_owned())));
        assert_eq!(rows[2], (5, Ok(r#"{"id":"N\n3","units":1}"#.to_owned())));
        assert_eq!(rows[3], (7, Err("has 4 cells, the head has 3".to_owned())));
    }

    #[test]
    fn an_unknown_or_repeated_column_is_named() {
        let head = |text: &str| rows(text.as_bytes(), Table::Offers).unwrap_err().to_string();
        assert!(head("id,figures.stafed\n").starts_with("line 1: figures.stafed: is not a column"));
        assert_eq!(head("id,ID\n"), "line 1: id: stands twice");
        assert!(rows(b"id,window.from\n", Table::Offers).unwrap().is_empty());
    }
}
