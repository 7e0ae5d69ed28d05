//! Tells the code, the comments and the string literals of a Rust source apart.
//!
//! A law about code must not stumble over a comment that speaks of it, nor a law about comments over a string.

/// A Rust source in its three parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The lines of code, with nothing where comments were and empty quotes where literals were.
    pub(crate) code: Vec<String>,
    /// The comments, each line of one with its line number, from 1.
    pub(crate) comments: Vec<(usize, String)>,
    /// The contents of the string literals, with the line on which each begins, from 1.
    pub(crate) strings: Vec<(usize, String)>,
}

/// Takes a Rust source apart. What is no Rust comes apart somehow, and never fails.
pub(crate) fn parts(source: &str) -> Parts {
    let mut cutter =
        Cutter { rest: source, line: 1, parts: Parts { code: vec![String::new()], ..Parts::default() } };
    while !cutter.rest.is_empty() {
        cutter.step();
    }
    cutter.parts
}

struct Cutter<'source> {
    rest: &'source str,
    line: usize,
    parts: Parts,
}

impl<'source> Cutter<'source> {
    /// Takes the next comment, literal or character.
    fn step(&mut self) {
        if self.rest.starts_with("//") {
            let length = self.rest.find('\n').unwrap_or(self.rest.len());
            self.comment(length);
        } else if self.rest.starts_with("/*") {
            self.comment(block_comment_length(self.rest));
        } else if let Some(hashes) = self.raw_string_hashes() {
            let opening = self.rest.find('"').map_or(0, |at| at + 1);
            let closing = format!("\"{}", "#".repeat(hashes));
            let length = self.rest[opening..].find(&closing).unwrap_or(self.rest.len() - opening);
            self.string(opening, length, closing.len());
        } else if self.rest.starts_with('"') {
            self.string(1, string_length(&self.rest[1..]), 1);
        } else if let Some(length) = character_length(self.rest) {
            self.code("''");
            self.take(length);
        } else {
            let character = self.rest.chars().next().map_or(0, char::len_utf8);
            let taken = self.take(character);
            self.code(taken);
        }
    }

    /// Takes a comment of so many bytes.
    fn comment(&mut self, length: usize) {
        let first = self.line;
        let lines = self.take(length).lines().enumerate();
        self.parts.comments.extend(lines.map(|(index, text)| (first + index, text.to_owned())));
    }

    /// Takes a string literal whose opening, content and closing have so many bytes.
    fn string(&mut self, opening: usize, content: usize, closing: usize) {
        let line = self.line;
        self.code("\"\"");
        self.take(opening);
        let text = self.take(content).to_owned();
        self.parts.strings.push((line, text));
        self.take(closing.min(self.rest.len()));
    }

    /// Takes so many bytes and keeps the lines of code in step.
    fn take(&mut self, length: usize) -> &'source str {
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        for _ in taken.matches('\n') {
            self.line += 1;
            self.parts.code.push(String::new());
        }
        taken
    }

    /// Adds to the current line of code.
    fn code(&mut self, text: &str) {
        if let Some(line) = self.parts.code.last_mut().filter(|_| text != "\n") {
            line.push_str(text);
        }
    }

    /// Returns how many hashes the raw string has that begins here, if one does.
    fn raw_string_hashes(&self) -> Option<usize> {
        let word_before = self
            .parts
            .code
            .last()
            .and_then(|line| line.chars().last())
            .is_some_and(|last| last.is_alphanumeric());
        let after = ["r", "br", "cr"].iter().find_map(|prefix| self.rest.strip_prefix(prefix))?;
        let hashes = after.len() - after.trim_start_matches('#').len();
        (!word_before && after[hashes..].starts_with('"')).then_some(hashes)
    }
}

/// Returns the length of the block comment at the start of `text`; block comments nest.
fn block_comment_length(text: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < text.len() {
        if text[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if text[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    text.len()
}

/// Returns how many bytes come before the quote that ends a string literal.
fn string_length(text: &str) -> usize {
    let mut escaped = false;
    for (at, character) in text.char_indices() {
        match character {
            '"' if !escaped => return at,
            '\\' if !escaped => escaped = true,
            _ => escaped = false,
        }
    }
    text.len()
}

/// Returns the length of the character literal at the start of `text`; a lifetime is none.
fn character_length(text: &str) -> Option<usize> {
    let inside = text.strip_prefix('\'')?;
    let first = inside.chars().next()?;
    if first == '\\' {
        let escape = inside.chars().nth(1)?.len_utf8() + 1;
        return inside[escape..].find('\'').map(|end| 1 + escape + end + 1);
    }
    inside[first.len_utf8()..].starts_with('\'').then_some(first.len_utf8() + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, code: &[&str], comments: &[(usize, &str)], strings: &[(usize, &str)]) {
        let numbered =
            |all: &[(usize, &str)]| all.iter().map(|(line, text)| (*line, (*text).to_owned())).collect();
        let code = code.iter().map(|line| (*line).to_owned()).collect();
        assert_eq!(parts(source), Parts { code, comments: numbered(comments), strings: numbered(strings) });
    }

    #[test]
    fn a_line_comment_ends_with_its_line() {
        check("a // b\nc", &["a ", "c"], &[(1, "// b")], &[]);
    }

    #[test]
    fn block_comments_nest_and_count_lines() {
        check("a /* b /* c */\nd */ e", &["a ", " e"], &[(1, "/* b /* c */"), (2, "d */")], &[]);
    }

    #[test]
    fn a_string_hides_comments_and_escaped_quotes() {
        check(r#"f("// \" x\\") // y"#, &[r#"f("") "#], &[(1, "// y")], &[(1, r#"// \" x\\"#)]);
    }

    #[test]
    fn raw_strings_end_at_their_own_hashes() {
        check("r#\"a \" b\n\"# c", &["\"\"", " c"], &[], &[(1, "a \" b\n")]);
    }

    #[test]
    fn a_name_that_ends_in_r_starts_no_raw_string() {
        check(r#"for"a""#, &[r#"for"""#], &[], &[(1, "a")]);
    }

    #[test]
    fn lifetimes_are_code_and_characters_are_not() {
        check(r#"'a: &'b '"' '\'' '\u{41}'"#, &["'a: &'b '' '' ''"], &[], &[]);
    }

    #[test]
    fn an_open_literal_ends_with_the_source() {
        check("\"a", &["\"\""], &[], &[(1, "a")]);
    }
}
