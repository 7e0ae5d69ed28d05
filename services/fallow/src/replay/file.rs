//! A log as a file of JSON lines: a head, the records that were live at its start, and every change since.
//!
//! ```text
//! {"fallow_log":1,"revision":0}
//! {"key":"region/north-vale","revision":1,"body":{…}}
//! {"revision":2,"cause":{…},"writes":{"offer/0198…":{…},"claim/need/…":null}}
//! ```

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Lines, Write};
use std::path::{Path, PathBuf};

use fallow_ledger::{Change, Key, Revision, Versioned};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ReplayError;

/// The version of the format.
const VERSION: u32 = 1;

/// Where a log starts.
#[derive(Debug, Clone, Default)]
pub struct Start {
    /// The revision of the snapshot.
    pub revision: Revision,
    /// Every record that was live then.
    pub records: Vec<Versioned>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    fallow_log: u32,
    revision: Revision,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RecordLine {
    key: String,
    revision: Revision,
    body: Value,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChangeLine {
    revision: Revision,
    cause: Value,
    writes: BTreeMap<String, Option<Value>>,
}

/// Writes a log.
pub struct Writer {
    path: PathBuf,
    out: BufWriter<File>,
}

impl Writer {
    /// Makes a file that begins at a snapshot.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn create(path: &Path, start: &Start) -> Result<Self, ReplayError> {
        let failed = |source| ReplayError::File { path: path.to_owned(), source };
        let mut writer =
            Self { path: path.to_owned(), out: BufWriter::new(File::create(path).map_err(failed)?) };
        writer.line(&Head { fallow_log: VERSION, revision: start.revision })?;
        for record in &start.records {
            let body = value(&record.body);
            writer.line(&RecordLine { key: record.key.to_string(), revision: record.revision, body })?;
        }
        Ok(writer)
    }

    /// Adds a change.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn change(&mut self, change: &Change) -> Result<(), ReplayError> {
        let writes = change.writes.iter();
        self.line(&ChangeLine {
            revision: change.revision,
            cause: value(&change.cause),
            writes: writes
                .map(|(key, body)| (key.to_string(), body.as_ref().map(|body| value(body))))
                .collect(),
        })
    }

    /// Puts everything on disk.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn finish(mut self) -> Result<(), ReplayError> {
        self.out.flush().map_err(|source| ReplayError::File { path: self.path, source })
    }

    fn line(&mut self, line: &impl Serialize) -> Result<(), ReplayError> {
        let written = serde_json::to_writer(&mut self.out, line)
            .map_err(std::io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"));
        written.map_err(|source| ReplayError::File { path: self.path.clone(), source })
    }
}

/// Returns a body as JSON; what is none stays as text, which no reader takes for a record.
fn value(body: &[u8]) -> Value {
    serde_json::from_slice(body).unwrap_or_else(|_| String::from_utf8_lossy(body).into_owned().into())
}

/// Reads a log.
pub struct Reader {
    path: PathBuf,
    lines: Lines<BufReader<File>>,
    number: usize,
    start: Start,
    /// The first change, which ended the snapshot.
    next: Option<Change>,
}

impl Reader {
    /// Opens a file and reads its snapshot.
    ///
    /// # Errors
    /// It cannot be read, or is no log.
    pub fn open(path: &Path) -> Result<Self, ReplayError> {
        let file = File::open(path).map_err(|source| ReplayError::File { path: path.to_owned(), source })?;
        let mut reader = Self {
            path: path.to_owned(),
            lines: BufReader::new(file).lines(),
            number: 0,
            start: Start::default(),
            next: None,
        };
        let head = reader.line()?.unwrap_or_default();
        let head: Head = reader.parse(&head)?;
        if head.fallow_log != VERSION {
            let text = format!("is a log of version {}, {VERSION} is known here", head.fallow_log);
            return Err(reader.wrong(text));
        }
        reader.start.revision = head.revision;
        while let Some(line) = reader.line()? {
            if line.starts_with("{\"key\"") {
                let line: RecordLine = reader.parse(&line)?;
                let body = serde_json::to_vec(&line.body).unwrap_or_default().into();
                let record = Versioned { key: reader.key(&line.key)?, revision: line.revision, body };
                reader.start.records.push(record);
            } else {
                reader.next = Some(reader.change(&line)?);
                break;
            }
        }
        Ok(reader)
    }

    /// Where it starts.
    #[must_use]
    pub fn start(&self) -> &Start {
        &self.start
    }

    /// Returns the next change; `None` at the end.
    ///
    /// # Errors
    /// The line cannot be read.
    pub fn next_change(&mut self) -> Result<Option<Change>, ReplayError> {
        if let Some(first) = self.next.take() {
            return Ok(Some(first));
        }
        match self.line()? {
            Some(line) => self.change(&line).map(Some),
            None => Ok(None),
        }
    }

    fn change(&self, line: &str) -> Result<Change, ReplayError> {
        let line: ChangeLine = self.parse(line)?;
        let bytes = |value: &Value| serde_json::to_vec(value).unwrap_or_default().into();
        let mut writes = BTreeMap::new();
        for (key, body) in &line.writes {
            writes.insert(self.key(key)?, body.as_ref().map(bytes));
        }
        Ok(Change { revision: line.revision, writes, cause: bytes(&line.cause) })
    }

    fn line(&mut self) -> Result<Option<String>, ReplayError> {
        self.number += 1;
        let line = self.lines.next().transpose();
        line.map_err(|source| ReplayError::File { path: self.path.clone(), source })
    }

    fn parse<T: for<'d> Deserialize<'d>>(&self, line: &str) -> Result<T, ReplayError> {
        serde_json::from_str(line).map_err(|error| self.wrong(format!("is no line of a log: {error}")))
    }

    fn key(&self, text: &str) -> Result<Key, ReplayError> {
        text.parse().map_err(|error: fallow_ledger::NotAKey| self.wrong(error.to_string()))
    }

    fn wrong(&self, text: String) -> ReplayError {
        ReplayError::Line { path: self.path.clone(), line: self.number, text }
    }
}
