//! Reading one segment, record by record.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use bytes::Bytes;

use crate::entry::{Entry, Header};
use crate::finding::{Finding, Flaw, Place};
use crate::folder::whole;
use crate::frame::{self, Chain, MAGIC};

/// No header is longer: two names of at most 64 characters, and numbers.
const HEADER_BYTES: u64 = 4_096;

/// A segment that is read. A segment is of bounded size, so it is read whole.
pub(crate) struct Reader {
    name: String,
    bytes: Bytes,
    at: usize,
    record: u64,
    chain: Chain,
}

/// A record with its place.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) place: Place,
    /// The chain before it.
    pub(crate) before: Chain,
    /// The chain with it.
    pub(crate) chain: Chain,
    pub(crate) entry: Entry,
    /// The byte after its last.
    pub(crate) end: u64,
}

impl Reader {
    /// Opens a segment that follows on a chain.
    pub(crate) fn open(path: &Path, chain: Chain) -> Result<Self, Finding> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let failed = |flaw| Finding { place: whole(name.clone()), flaw };
        let bytes = std::fs::read(path).map_err(|error| failed(Flaw::Unreadable(error.to_string())))?;
        if !bytes.starts_with(MAGIC) {
            return Err(failed(Flaw::NotASegment));
        }
        Ok(Self { name, bytes: bytes.into(), at: MAGIC.len(), record: 0, chain })
    }

    /// Reads no further than so many bytes.
    pub(crate) fn through(mut self, bytes: Option<u64>) -> Self {
        let bytes = bytes.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        self.bytes.truncate(bytes.max(self.at));
        self
    }

    /// Returns how long the file is, as far as it is read.
    pub(crate) fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// Returns the next record; `None` at the end.
    pub(crate) fn next(&mut self) -> Result<Option<Found>, Finding> {
        let place = Place { segment: self.name.clone(), record: self.record + 1, byte: self.at as u64 };
        let failed = |flaw| Finding { place: place.clone(), flaw };
        let Some((chain, body, rest)) = frame::take(&self.bytes[self.at..], &self.chain).map_err(failed)?
        else {
            return Ok(None);
        };
        let entry = Entry::decode(&self.bytes.slice_ref(body)).map_err(failed)?;
        let end = self.bytes.len() - rest.len();
        let read = Found { place: place.clone(), before: self.chain, chain, entry, end: end as u64 };
        (self.at, self.record, self.chain) = (end, self.record + 1, chain);
        Ok(Some(read))
    }
}

/// Returns what the header of a segment says, unless it cannot be read. Nothing of it is believed: it says how to go on
/// after a segment that is bad, and when a segment was begun.
pub(crate) fn header(path: &Path) -> Option<Header> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(HEADER_BYTES).read_to_end(&mut bytes).ok()?;
    let bytes = Bytes::from(bytes);
    let body_at = MAGIC.len() + frame::HEAD_BYTES;
    let length = bytes.get(MAGIC.len()..MAGIC.len() + 4)?;
    let length = usize::try_from(u32::from_le_bytes(length.try_into().ok()?)).ok()?;
    let end = body_at.checked_add(length).filter(|end| *end <= bytes.len())?;
    match Entry::decode(&bytes.slice(body_at..end)) {
        Ok(Entry::Header(header)) => Some(header),
        Ok(
            Entry::Snapshot(_)
            | Entry::Change(_)
            | Entry::Line(_)
            | Entry::Seed(_)
            | Entry::Tree(_)
            | Entry::Checkpoint(_),
        )
        | Err(_) => None,
    }
}
