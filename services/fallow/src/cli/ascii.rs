//! What people read, for screens that show nothing but ASCII: `--ascii`.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes texts on, with what a screen cannot show put into ASCII where that is asked for.
pub(crate) struct Ascii<'a> {
    to: &'a mut dyn Write,
    is_on: bool,
}

impl<'a> Ascii<'a> {
    /// Begins to write to `to`; without `is_on` everything goes on as it is.
    pub(crate) fn new(to: &'a mut dyn Write, is_on: bool) -> Self {
        Self { to, is_on }
    }
}

impl Write for Ascii<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match std::str::from_utf8(bytes) {
            Ok(text) if self.is_on => self.to.write_all(put(text).as_bytes())?,
            Ok(_) | Err(_) => self.to.write_all(bytes)?,
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Puts a text into ASCII: marks by what people type for them, anything else as `?`.
pub(crate) fn put(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return text.into();
    }
    let mut ascii = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_ascii() => ascii.push(letter),
            '\u{2018}' | '\u{2019}' => ascii.push('\''),
            '\u{201c}' | '\u{201d}' => ascii.push('"'),
            '\u{2013}' | '\u{2014}' | '\u{2212}' => ascii.push('-'),
            '\u{a0}' | '\u{202f}' => ascii.push(' '),
            '\u{2026}' => ascii.push_str("..."),
            '\u{d7}' => ascii.push('x'),
            '\u{2192}' => ascii.push_str("->"),
            '\u{2264}' => ascii.push_str("<="),
            '\u{2265}' => ascii.push_str(">="),
            _ => ascii.push('?'),
        }
    }
    ascii.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_becomes_what_people_type_and_a_file_stays_as_it_is() {
        let written = |is_on, bytes: &[u8]| {
            let mut out = Vec::new();
            Ascii::new(&mut out, is_on).write_all(bytes).unwrap();
            out
        };
        let said = "Dunmere\u{2019}s \u{2013} 2\u{a0}\u{d7} Level 3 \u{2026} Ysbyty\u{2192}\u{174}yn";
        assert_eq!(written(true, said.as_bytes()), b"Dunmere's - 2 x Level 3 ... Ysbyty->?yn");
        assert_eq!(written(false, said.as_bytes()), said.as_bytes());
        assert_eq!(written(true, b"PK\x03\x04\xff"), b"PK\x03\x04\xff");
    }
}
