//! How records are written: tables for people, Fallow JSON, CSV, Markdown and ids for programs.

use std::borrow::Cow;
use std::io::{BufRead, Read, Write};

use comfy_table::{ContentArrangement, Table, presets};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::failure::{Exit, Failure};
use super::options::Format;

/// Narrower screens than this many columns cut words into letters when cells wrap.
const NARROWEST: u16 = 40;

/// Where a command writes.
pub struct Terminal<'a> {
    /// Data.
    pub out: &'a mut dyn Write,
    /// Everything else.
    pub err: &'a mut dyn Write,
    /// Whether data goes to a person's screen, which can be redrawn.
    pub interactive: bool,
    /// Whether data may be coloured.
    pub colour: bool,
    /// Whether data that people read is put into ASCII. What programs read, and files, stay as they are.
    pub ascii: bool,
    /// Where a person answers what is asked. `None` where nobody can be asked: a pipe, a script, the board.
    pub input: Option<Box<dyn BufRead + Send>>,
}

/// What a cell says beyond its words. The words alone always suffice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing.
    Plain,
    /// Look at it.
    Warn,
    /// Act on it.
    Bad,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell {
    /// The words.
    pub(crate) text: String,
    /// What colour may add.
    pub(crate) tone: Tone,
}

impl Cell {
    /// Makes a cell that calls for attention.
    pub(crate) fn toned(text: impl Into<String>, tone: Tone) -> Self {
        Self { text: text.into(), tone }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), tone: Tone::Plain }
    }
}

/// The head of a column, and whether only `wide` shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name, lower case, one word.
    pub(crate) name: &'static str,
    /// Only in `wide`, CSV, Markdown, or when asked for by name.
    pub(crate) wide: bool,
}

/// Makes a column of every table.
pub(crate) const fn column(name: &'static str) -> Column {
    Column { name, wide: false }
}

/// Makes a column of wide tables.
pub(crate) const fn wide(name: &'static str) -> Column {
    Column { name, wide: true }
}

/// What rows are seen against.
pub(crate) struct View {
    /// The time it is.
    pub(crate) now: Timestamp,
    /// The zone that times are shown in.
    pub(crate) zone: TimeZone,
    /// Whether cells are for programs: whole dates, no ages.
    pub(crate) exact: bool,
}

impl View {
    /// Shows a time; empty when absent.
    pub(crate) fn time(&self, at: Option<prost_types::Timestamp>) -> String {
        match super::time::from_wire(at) {
            None => String::new(),
            Some(at) if self.exact => at.to_zoned(self.zone.clone()).strftime("%Y-%m-%d %H:%M").to_string(),
            Some(at) => super::time::show(at, self.now, &self.zone),
        }
    }
}

/// A record that can be a row.
pub(crate) trait Record: Serialize {
    /// The columns.
    const COLUMNS: &'static [Column];

    /// Returns the record's id.
    fn id(&self) -> &str;

    /// Returns the cells, one for each column.
    fn row(&self, view: &View) -> Vec<Cell>;
}

/// How one command's results are to be written.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The format.
    pub(crate) format: Format,
    /// The columns asked for; empty = the format's own.
    pub(crate) columns: Vec<String>,
}

impl Terminal<'_> {
    /// Writes a line that is not data.
    pub(crate) fn say(&mut self, line: &str) -> Result<(), Failure> {
        writeln!(self.err, "{line}")?;
        Ok(())
    }

    /// Asks for a line and returns it; `None` where nobody can be asked, or nobody answers any more. The line is read on a
    /// thread of its own, so that Ctrl-C ends the command while it waits.
    pub(crate) async fn ask(&mut self, question: &str) -> Result<Option<String>, Failure> {
        /// Longest answer that is read, in bytes.
        const ANSWER_BYTES_MAX: u64 = 1_024;
        let Some(mut input) = self.input.take() else { return Ok(None) };
        write!(self.err, "{question} ")?;
        self.err.flush()?;
        let (send, answer) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let read = input.by_ref().take(ANSWER_BYTES_MAX).read_line(&mut line);
            // Nobody waits any more when the command was ended.
            let _ = send.send((input, read.map(|bytes| (bytes > 0).then_some(line))));
        });
        let Ok((input, line)) = answer.await else { return Ok(None) };
        self.input = Some(input);
        Ok(line?)
    }

    /// Empties the screen.
    pub(crate) fn clear(&mut self) -> Result<(), Failure> {
        self.data("\x1b[H\x1b[2J")
    }

    /// Writes text as data for people.
    pub(crate) fn data(&mut self, text: &str) -> Result<(), Failure> {
        self.out.write_all(self.words(text).as_bytes())?;
        Ok(())
    }

    /// Writes a file as data: just as it is, whatever the screen can show.
    pub(crate) fn file(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes)?;
        Ok(())
    }

    /// Returns words as the screen can show them.
    fn words<'t>(&self, text: &'t str) -> Cow<'t, str> {
        if self.ascii { super::ascii::put(text) } else { text.into() }
    }

    /// Writes a message as Fallow JSON, indented or on one line.
    pub(crate) fn json<T: Serialize>(&mut self, message: &T, indented: bool) -> Result<(), Failure> {
        let text =
            if indented { serde_json::to_string_pretty(message) } else { serde_json::to_string(message) };
        let text = text.map_err(|error| Failure::new(Exit::Failed, "OUTPUT", error.to_string()))?;
        writeln!(self.out, "{text}")?;
        Ok(())
    }

    /// Writes a list.
    pub(crate) fn list<R: Record>(
        &mut self,
        records: &[R],
        layout: &Layout,
        view: &View,
    ) -> Result<(), Failure> {
        match layout.format {
            Format::Json => self.json(&records, true),
            Format::Jsonl => records.iter().try_for_each(|record| self.json(record, false)),
            Format::Id => records.iter().try_for_each(|record| self.data(&format!("{}\n", record.id()))),
            Format::Table | Format::Wide | Format::Csv | Format::Md | Format::Html | Format::Xlsx => {
                let chosen = choose(R::COLUMNS, layout)?;
                let head: Vec<&str> = chosen.iter().map(|index| R::COLUMNS[*index].name).collect();
                let view =
                    View { now: view.now, zone: view.zone.clone(), exact: layout.format == Format::Csv };
                let ids: Vec<&str> = records.iter().map(Record::id).collect();
                let short = self.interactive && layout.format == Format::Table && R::COLUMNS[0].name == "id";
                let rows = records.iter().map(|record| {
                    let mut cells = record.row(&view);
                    if short {
                        cells[0] = beginning(record.id(), &ids).into();
                    }
                    chosen.iter().map(|index| cells[*index].clone()).collect()
                });
                self.table(&head, rows.collect(), layout.format)
            }
        }
    }

    /// Writes one record: as a list of one, but JSON is the record itself.
    pub(crate) fn one<R: Record>(&mut self, record: &R, layout: &Layout, view: &View) -> Result<(), Failure> {
        match layout.format {
            Format::Json => self.json(record, true),
            Format::Table
            | Format::Wide
            | Format::Jsonl
            | Format::Csv
            | Format::Md
            | Format::Html
            | Format::Xlsx
            | Format::Id => self.list(std::slice::from_ref(record), layout, view),
        }
    }

    /// Writes a table of cells that are no records: all its columns, or those that were asked for by name.
    pub(crate) fn table_of(
        &mut self,
        head: &[&str],
        rows: Vec<Vec<Cell>>,
        layout: &Layout,
    ) -> Result<(), Failure> {
        if layout.columns.is_empty() {
            return self.table(head, rows, layout.format);
        }
        let chosen = named(head, &layout.columns)?;
        let pick = |row: &Vec<Cell>| chosen.iter().filter_map(|index| row.get(*index).cloned()).collect();
        let head: Vec<&str> = chosen.iter().map(|index| head[*index]).collect();
        self.table(&head, rows.iter().map(pick).collect(), layout.format)
    }

    /// Writes a table of cells. An empty one for people is nothing at all, and so is one of which only ids are asked for.
    pub(crate) fn table(
        &mut self,
        head: &[&str],
        rows: Vec<Vec<Cell>>,
        format: Format,
    ) -> Result<(), Failure> {
        match format {
            Format::Csv => {
                let mut csv = csv::Writer::from_writer(Vec::new());
                let failed = |error: csv::Error| Failure::new(Exit::Failed, "OUTPUT", error.to_string());
                csv.write_record(head).map_err(failed)?;
                for row in &rows {
                    csv.write_record(row.iter().map(|cell| &cell.text)).map_err(failed)?;
                }
                let bytes = csv
                    .into_inner()
                    .map_err(|error| Failure::new(Exit::Failed, "OUTPUT", error.to_string()))?;
                self.file(&bytes)?;
            }
            Format::Md | Format::Html | Format::Xlsx => {
                let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
                let mut text = line(head.iter().map(ToString::to_string).collect());
                text.push_str(&line(vec!["---".to_owned(); head.len()]));
                for row in &rows {
                    text.push_str(&line(row.iter().map(|cell| cell.text.replace('|', "\\|")).collect()));
                }
                self.data(&text)?;
            }
            // Cells that are no records have no ids.
            Format::Id => {}
            Format::Table | Format::Wide | Format::Json | Format::Jsonl if rows.is_empty() => {}
            Format::Table | Format::Wide | Format::Json | Format::Jsonl => {
                let text = self.set(head, &rows);
                self.data(&text)?;
            }
        }
        Ok(())
    }

    fn set(&self, head: &[&str], rows: &[Vec<Cell>]) -> String {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_header(head.iter().map(|name| self.words(name).to_uppercase()));
        if !self.interactive {
            table.force_no_tty();
        }
        if self.colour {
            table.enforce_styling();
        }
        // On a screen long cells wrap; elsewhere, and on one that does not know its width, a line is a line.
        let wraps = self.interactive && table.width().is_some_and(|width| width >= NARROWEST);
        table.set_content_arrangement(if wraps {
            ContentArrangement::Dynamic
        } else {
            ContentArrangement::Disabled
        });
        for row in rows {
            // Before the columns are set, for "..." is wider than what it stands for.
            table.add_row(row.iter().map(|cell| painted(&self.words(&cell.text), cell.tone, self.colour)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        let mut text = String::new();
        for line in table.lines() {
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

fn painted(words: &str, tone: Tone, colour: bool) -> comfy_table::Cell {
    let set = comfy_table::Cell::new(words);
    match tone {
        Tone::Warn if colour => set.fg(comfy_table::Color::Yellow),
        Tone::Bad if colour => set.fg(comfy_table::Color::Red).add_attribute(comfy_table::Attribute::Bold),
        Tone::Plain | Tone::Warn | Tone::Bad => set,
    }
}

/// Shortens an id to what tells it from the others of a list; commands take beginnings. Only on a screen: what is copied
/// from a pipe may be used much later, among other ids.
fn beginning<'a>(id: &'a str, among: &[&str]) -> &'a str {
    const SHORTEST: usize = 8;
    let shared = |other: &&str| id.bytes().zip(other.bytes()).take_while(|(a, b)| a == b).count();
    let others = among.iter().filter(|other| **other != id);
    let length = others.map(shared).max().map_or(0, |most| most + 1).max(SHORTEST);
    id.get(..length).unwrap_or(id)
}

fn choose(columns: &'static [Column], layout: &Layout) -> Result<Vec<usize>, Failure> {
    if layout.columns.is_empty() {
        let all = layout.format != Format::Table;
        return Ok((0..columns.len()).filter(|index| all || !columns[*index].wide).collect());
    }
    let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
    named(&names, &layout.columns)
}

/// Returns the places of columns that are asked for by name, in the order asked.
fn named(names: &[&str], asked: &[String]) -> Result<Vec<usize>, Failure> {
    let find = |name: &String| {
        names.iter().position(|known| known.eq_ignore_ascii_case(name.trim())).ok_or_else(|| {
            let known = names.iter().copied().filter(|known| !known.is_empty());
            Failure::usage(super::codes::unknown(name, known).replacen("code", "column", 1))
        })
    };
    asked.iter().map(find).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_shortened_to_what_tells_them_apart() {
        let ids = [
            "0198c2a1-0000-7000-8000-000000000001",
            "0198c2a1-0000-7000-8000-000000000012",
            "0298",
            "a-b-c-d-e-f",
        ];
        let shown: Vec<&str> = ids.iter().map(|id| beginning(id, &ids)).collect();
        assert_eq!(
            shown,
            [
                "0198c2a1-0000-7000-8000-00000000000",
                "0198c2a1-0000-7000-8000-00000000001",
                "0298",
                "a-b-c-d-"
            ]
        );
        assert_eq!(beginning(ids[0], &ids[..1]), "0198c2a1");
    }

    #[test]
    fn a_table_has_the_columns_that_were_asked_for() {
        let table = |columns: &[&str]| {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut terminal = Terminal {
                out: &mut out,
                err: &mut err,
                interactive: false,
                colour: false,
                ascii: false,
                input: None,
            };
            let columns = columns.iter().map(ToString::to_string).collect();
            let rows = vec![vec!["ZA1".into(), "4".into(), "beds".into()]];
            let layout = Layout { format: Format::Csv, columns };
            terminal.table_of(&["trust", "lent", "in words"], rows, &layout)?;
            Ok::<_, Failure>(String::from_utf8(out).unwrap())
        };
        assert_eq!(table(&[]).unwrap(), "trust,lent,in words\nZA1,4,beds\n");
        assert_eq!(table(&["In words", "trust", "trust"]).unwrap(), "in words,trust,trust\nbeds,ZA1,ZA1\n");
        let refused = table(&["lend"]).unwrap_err();
        let said = "unknown column \"lend\". Did you mean lent? One of: trust, lent, in words";
        assert_eq!((refused.exit, refused.what.as_str()), (Exit::Usage, said));
    }

    #[test]
    fn a_screen_gets_colour_and_a_pipe_does_not() {
        let row = vec![vec![Cell::toned("STALE", Tone::Bad), "plain".into()]];
        let set = |colour| {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut terminal = Terminal {
                out: &mut out,
                err: &mut err,
                interactive: false,
                colour,
                ascii: false,
                input: None,
            };
            terminal.table(&["fresh", "word"], row.clone(), Format::Table).unwrap();
            String::from_utf8(out).unwrap()
        };
        assert_eq!(set(false), "FRESH  WORD\nSTALE  plain\n");
        assert!(set(true).contains("\u{1b}[") && set(true).contains("STALE"));
    }

    #[test]
    fn ascii_words_stand_in_columns_of_their_own_width() {
        let rows = vec![vec!["wait\u{2026}".into(), "one".into()], vec!["2 \u{2192} 3".into(), "two".into()]];
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut terminal = Terminal {
            out: &mut out,
            err: &mut err,
            interactive: false,
            colour: false,
            ascii: true,
            input: None,
        };
        terminal.table(&["a", "b"], rows, Format::Table).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A        B\nwait...  one\n2 -> 3   two\n");
    }
}
