//! One JSON object a line.

use std::borrow::Cow;

use crate::{BadRow, Row};

pub(crate) fn rows(bytes: &[u8]) -> Vec<Row<'_>> {
    let lines = bytes.split(|&byte| byte == b'\n').enumerate();
    let filled = lines.filter(|(_, line)| !line.trim_ascii().is_empty());
    filled
        .map(|(at, line)| Row {
            line: at + 1,
            json: match std::str::from_utf8(line) {
                Ok(text) => Ok(Cow::Borrowed(text.trim())),
                Err(_) => Err(BadRow::new("", "is not UTF-8 text")),
            },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_empty_ones_passed_over() {
        let rows = rows(b"{\"a\":1}\r\n\n  \n{\"b\":2}");
        let seen: Vec<_> = rows.iter().map(|row| (row.line, row.json.as_deref())).collect();
        assert_eq!(seen, [(1, Ok("{\"a\":1}")), (4, Ok("{\"b\":2}"))]);
    }

    #[test]
    fn a_line_that_is_no_text_does_not_stop_the_rest() {
        let rows = rows(b"\xFF\xFE\n{}");
        assert!(rows[0].json.is_err());
        assert_eq!((rows[1].line, rows[1].json.as_deref()), (2, Ok("{}")));
    }
}
