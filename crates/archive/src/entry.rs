//! The bodies of records.

use std::sync::Arc;

use bytes::Bytes;
use fallow_ledger::{Change, Cursor, Key, Revision, Versioned, Writes};
use jiff::Timestamp;

use crate::finding::Flaw;
use crate::frame::Chain;

/// The version of the form of bodies.
const VERSION: u16 = 1;

/// What a record says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// The first of a segment.
    Header(Header),
    /// A part of the live records at a revision.
    Snapshot(Snapshot),
    /// A commit.
    Change(Change),
    /// The line of the ledger's log on which what follows was read.
    Line(Arc<str>),
    /// What the salts of a batch are made of.
    Seed([u8; 32]),
    /// The tree over the changes of a batch.
    Tree(Tree),
    /// Everything before was flushed.
    Checkpoint(Checkpoint),
}

/// The first record of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The region.
    pub region: Arc<str>,
    /// The history of the store that the changes are of.
    pub history: Arc<str>,
    /// The number of the segment, from 1.
    pub number: u64,
    /// The revision of its first change.
    pub first: Revision,
    /// The chain at the end of the segment before.
    pub before: Chain,
    /// When it was begun.
    pub begun_at: Timestamp,
    /// How it follows on what is before.
    pub start: Start,
    /// The id of the key that signs its checkpoints; empty when none does.
    pub key: Arc<str>,
}

/// How a segment follows on what is before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The log begins with it: its first change is revision 1.
    Beginning,
    /// It goes on from the segment before, with the next revision of the same history.
    Onward,
    /// It does not: the archive was begun late, or the store is another. A snapshot says what was live.
    Anew,
}

/// A part of the live records at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The revision: that of the change before.
    pub revision: Revision,
    /// Some records, in key order over all parts.
    pub records: Vec<Versioned>,
    /// Which part it is, from 0: with 0 a snapshot begins, also one that is taken again after a crash.
    pub part: u64,
    /// Whether it is the last part.
    pub is_last: bool,
}

/// The tree of digests over the changes of a batch, by which each of them can be proved without the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tree {
    /// The first change of the batch.
    pub first: Revision,
    /// How many there are.
    pub count: u64,
    /// The root.
    pub root: Chain,
}

/// Says that everything before was flushed, by signature.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last change before.
    pub revision: Revision,
    /// When it was flushed.
    pub at: Timestamp,
    /// Whether it is the last record of its segment.
    pub closes: bool,
    /// The signature; `None` in an archive without a key.
    pub signature: Option<[u8; 64]>,
}

impl Header {
    /// Returns the place of a revision in the history of the segment.
    #[must_use]
    pub fn cursor(&self, revision: Revision) -> Cursor {
        Cursor::new(self.history.clone(), revision)
    }
}

impl Checkpoint {
    /// Returns what is signed: the segment that it stands in, itself, and the chain before it.
    #[must_use]
    pub fn signed(&self, header: &Header, before: &Chain) -> Vec<u8> {
        let mut out = Out(b"fallow archive checkpoint 1".to_vec());
        out.text(&header.region);
        out.text(&header.history);
        out.number(header.number);
        out.number(self.revision.0);
        out.time(self.at);
        out.0.push(u8::from(self.closes));
        out.0.extend_from_slice(before);
        out.0
    }
}

impl Entry {
    /// Writes the body.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Header(header) => {
                let mut out = Out(vec![b'H']);
                out.0.extend_from_slice(&VERSION.to_le_bytes());
                out.text(&header.region);
                out.text(&header.history);
                out.number(header.number);
                out.number(header.first.0);
                out.0.extend_from_slice(&header.before);
                out.time(header.begun_at);
                out.0.push(match header.start {
                    Start::Beginning => b'b',
                    Start::Onward => b'o',
                    Start::Anew => b'a',
                });
                out.text(&header.key);
                out.0
            }
            Self::Snapshot(snapshot) => {
                let mut out = Out(vec![b'S']);
                out.number(snapshot.revision.0);
                out.number(snapshot.part);
                out.0.push(u8::from(snapshot.is_last));
                out.number(snapshot.records.len() as u64);
                for record in &snapshot.records {
                    out.text(&record.key.to_string());
                    out.number(record.revision.0);
                    out.bytes(&record.body);
                }
                out.0
            }
            Self::Change(change) => encode_change(change),
            Self::Line(line) => {
                let mut out = Out(vec![b'L']);
                out.text(line);
                out.0
            }
            Self::Seed(seed) => {
                let mut out = Out(vec![b'N']);
                out.0.extend_from_slice(seed);
                out.0
            }
            Self::Tree(tree) => {
                let mut out = Out(vec![b'T']);
                out.number(tree.first.0);
                out.number(tree.count);
                out.0.extend_from_slice(&tree.root);
                out.0
            }
            Self::Checkpoint(checkpoint) => {
                let mut out = Out(vec![b'P']);
                out.number(checkpoint.revision.0);
                out.time(checkpoint.at);
                out.0.push(u8::from(checkpoint.closes));
                out.bytes(checkpoint.signature.as_ref().map_or(&[][..], |signature| &signature[..]));
                out.0
            }
        }
    }

    /// Reads a body. What it gives is written again as the same bytes.
    ///
    /// # Errors
    /// [`Flaw::Malformed`], [`Flaw::Version`].
    pub fn decode(body: &Bytes) -> Result<Self, Flaw> {
        let mut input = In { body, at: 0 };
        let entry = match input.byte()? {
            b'H' => Self::Header(header(&mut input)?),
            b'S' => Self::Snapshot(snapshot(&mut input)?),
            b'C' => Self::Change(change(&mut input)?),
            b'L' => Self::Line(input.text()?),
            b'N' => Self::Seed(input.array()?),
            b'T' => Self::Tree(Tree {
                first: Revision(input.number()?),
                count: input.number()?,
                root: input.array()?,
            }),
            b'P' => Self::Checkpoint(checkpoint(&mut input)?),
            _ => return Err(Flaw::Malformed("a record of no known kind")),
        };
        if input.at == body.len() {
            Ok(entry)
        } else {
            Err(Flaw::Malformed("bytes after the end of a record"))
        }
    }
}

/// Writes the body of a change.
pub(crate) fn encode_change(change: &Change) -> Vec<u8> {
    let mut out = Out(vec![b'C']);
    out.number(change.revision.0);
    out.bytes(&change.cause);
    out.number(change.writes.len() as u64);
    for (key, body) in &change.writes {
        out.text(&key.to_string());
        out.0.push(u8::from(body.is_some()));
        if let Some(body) = body {
            out.bytes(body);
        }
    }
    out.0
}

fn header(input: &mut In<'_>) -> Result<Header, Flaw> {
    let version = u16::from_le_bytes(input.array()?);
    if version != VERSION {
        return Err(Flaw::Version { found: version, known: VERSION });
    }
    Ok(Header {
        region: input.text()?,
        history: input.text()?,
        number: input.number()?,
        first: Revision(input.number()?),
        before: input.array()?,
        begun_at: input.time()?,
        start: match input.byte()? {
            b'b' => Start::Beginning,
            b'o' => Start::Onward,
            b'a' => Start::Anew,
            _ => return Err(Flaw::Malformed("a header that follows on in no known way")),
        },
        key: input.text()?,
    })
}

fn snapshot(input: &mut In<'_>) -> Result<Snapshot, Flaw> {
    let (revision, part) = (Revision(input.number()?), input.number()?);
    let (is_last, count) = (input.flag()?, input.number()?);
    let record = |input: &mut In<'_>| {
        Ok(Versioned { key: input.key()?, revision: Revision(input.number()?), body: input.bytes()? })
    };
    let records = (0..count).map(|_| record(input)).collect::<Result<_, Flaw>>()?;
    Ok(Snapshot { revision, records, part, is_last })
}

fn change(input: &mut In<'_>) -> Result<Change, Flaw> {
    let (revision, cause, count) = (Revision(input.number()?), input.bytes()?, input.number()?);
    let mut writes = Writes::new();
    for _ in 0..count {
        let key = input.key()?;
        let body = if input.flag()? { Some(input.bytes()?) } else { None };
        // In order, and none twice: one form for one change.
        if writes.last_key_value().is_some_and(|(last, _)| *last >= key) {
            return Err(Flaw::Malformed("a change whose records are out of order"));
        }
        writes.insert(key, body);
    }
    Ok(Change { revision, writes, cause })
}

fn checkpoint(input: &mut In<'_>) -> Result<Checkpoint, Flaw> {
    let (revision, at, closes) = (Revision(input.number()?), input.time()?, input.flag()?);
    let signature = input.bytes()?;
    let signature = match signature.len() {
        0 => None,
        _ => Some(
            signature[..].try_into().map_err(|_| Flaw::Malformed("a signature of another length than 64"))?,
        ),
    };
    Ok(Checkpoint { revision, at, closes, signature })
}

struct Out(Vec<u8>);

impl Out {
    fn number(&mut self, number: u64) {
        self.0.extend_from_slice(&number.to_le_bytes());
    }

    /// In milliseconds, which is what the store keeps too.
    fn time(&mut self, time: Timestamp) {
        self.0.extend_from_slice(&time.as_millisecond().to_le_bytes());
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }
}

struct In<'b> {
    body: &'b Bytes,
    at: usize,
}

impl In<'_> {
    fn slice(&mut self, bytes: usize) -> Result<Bytes, Flaw> {
        let end = self.at.checked_add(bytes).filter(|end| *end <= self.body.len());
        let end = end.ok_or(Flaw::Malformed("a record that ends too early"))?;
        let slice = self.body.slice(self.at..end);
        self.at = end;
        Ok(slice)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Flaw> {
        let slice = self.slice(N)?;
        slice[..].try_into().map_err(|_| Flaw::Malformed("a record that ends too early"))
    }

    fn byte(&mut self) -> Result<u8, Flaw> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    fn flag(&mut self) -> Result<bool, Flaw> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Flaw::Malformed("a flag that is neither 0 nor 1")),
        }
    }

    fn number(&mut self) -> Result<u64, Flaw> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    fn time(&mut self) -> Result<Timestamp, Flaw> {
        let millisecond = i64::from_le_bytes(self.array()?);
        Timestamp::from_millisecond(millisecond).map_err(|_| Flaw::Malformed("a time beyond all calendars"))
    }

    fn bytes(&mut self) -> Result<Bytes, Flaw> {
        let bytes = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        self.slice(bytes)
    }

    fn text(&mut self) -> Result<Arc<str>, Flaw> {
        let bytes = self.bytes()?;
        std::str::from_utf8(&bytes).map(Arc::from).map_err(|_| Flaw::Malformed("a text that is not UTF-8"))
    }

    fn key(&mut self) -> Result<Key, Flaw> {
        self.text()?
            .parse()
            .map_err(|_| Flaw::Malformed("the name of a record that is not of the form kind/id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_ledger::RecordKind;

    fn entries() -> Vec<Entry> {
        let key = |id: &str| Key::new(RecordKind::Need, id);
        let header = Header {
            region: "north-vale".into(),
            history: "0af3".into(),
            number: 7,
            first: Revision(41),
            before: [7; 32],
            begun_at: Timestamp::from_millisecond(1_795_000_000_123).unwrap(),
            start: Start::Onward,
            key: "key".into(),
        };
        let writes = [(key("a"), Some(Bytes::from_static(b"\0\xff"))), (key("b/c"), None)].into();
        let record = Versioned { key: key("ü"), revision: Revision(3), body: Bytes::new() };
        vec![
            Entry::Header(header),
            Entry::Snapshot(Snapshot {
                revision: Revision(40),
                records: vec![record],
                part: 2,
                is_last: true,
            }),
            Entry::Line("r0-a".into()),
            Entry::Change(Change { revision: Revision(41), writes, cause: Bytes::from_static(b"why") }),
            Entry::Seed([5; 32]),
            Entry::Tree(Tree { first: Revision(41), count: 1, root: [6; 32] }),
            Entry::Checkpoint(Checkpoint {
                revision: Revision(41),
                at: Timestamp::UNIX_EPOCH,
                closes: false,
                signature: Some([9; 64]),
            }),
        ]
    }

    #[test]
    fn what_is_written_is_read_back() {
        for entry in entries() {
            assert_eq!(Entry::decode(&entry.encode().into()), Ok(entry));
        }
    }

    #[test]
    fn no_part_of_a_record_and_nothing_longer_is_one() {
        for entry in entries() {
            let body = entry.encode();
            for cut in 0..body.len() {
                assert!(Entry::decode(&Bytes::copy_from_slice(&body[..cut])).is_err(), "{entry:?} to {cut}");
            }
            assert!(Entry::decode(&[&body[..], &[0]].concat().into()).is_err(), "{entry:?} and a byte");
        }
    }

    #[test]
    fn one_change_has_one_form() {
        let [.., Entry::Change(change), _, _, _] = &entries()[..] else { panic!("no change") };
        let body = encode_change(change);
        // The two records in the other order.
        let at = body.len() - (8 + "need/b/c".len() + 1);
        let first = at - (8 + "need/a".len() + 1 + 8 + 2);
        let swapped = [&body[..first], &body[at..], &body[first..at]].concat();
        assert_eq!(
            Entry::decode(&swapped.into()),
            Err(Flaw::Malformed("a change whose records are out of order"))
        );
    }
}
