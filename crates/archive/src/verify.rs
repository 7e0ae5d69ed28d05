//! Reading a whole archive, and finding whatever was done to it.

use std::io;
use std::path::Path;
use std::sync::Arc;

use fallow_ledger::state::State;
use fallow_ledger::{Archived, Change, Cursor, Revision, Seen};
use jiff::Timestamp;

use crate::batch::Batch;
use crate::entry::{Checkpoint, Header};
use crate::finding::{Finding, Flaw};
use crate::folder::{name, segments, whole};
use crate::frame::{self, Chain};
use crate::keys::PublicKey;
use crate::segment;
use crate::writer::End;

mod receipt;
mod segments;

pub use receipt::{NotAReceipt, Receipt};
use segments::Walk;

/// Somebody outside the archive who knows how far it went. Only a witness can tell that the end of an archive is
/// missing, when what is left ends with a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Witness {
    /// Who, for a person: `the store`, or the name of a receipt.
    pub name: Arc<str>,
    /// How far the archive went.
    pub cursor: Cursor,
    /// The chain there.
    pub chain: Chain,
}

impl Witness {
    /// Makes the store a witness by what it has noted.
    #[must_use]
    pub fn store(note: &Archived) -> Self {
        Self { name: "the store".into(), cursor: note.cursor.clone(), chain: note.chain }
    }
}

/// What an archive is held against.
#[derive(Clone, Debug, Default)]
pub struct Against {
    /// Keys, one of which must have signed each checkpoint; without any, signatures are not looked at.
    pub keys: Vec<PublicKey>,
    /// Witnesses from outside.
    pub witnesses: Vec<Witness>,
}

/// The last checkpoint of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Last {
    /// The segment that it stands in.
    pub header: Header,
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// The chain before it.
    pub before: Chain,
    /// The chain with it.
    pub chain: Chain,
    /// The line of the ledger's log on which it was read, where that is known.
    pub line: Option<Arc<str>>,
}

impl Last {
    /// Returns how far the archive goes.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        self.header.cursor(self.checkpoint.revision)
    }

    /// Returns the note of it that a store keeps.
    #[must_use]
    pub fn note(&self) -> Archived {
        Archived { cursor: self.cursor(), chain: self.chain, at: self.checkpoint.at }
    }

    /// Returns what the archive can say to a store.
    #[must_use]
    pub fn seen(&self) -> Seen {
        Seen { cursor: self.cursor(), line: self.line.clone() }
    }
}

/// A segment that does not go on from the one before: no flaw, since it is signed as such, but something happened then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Break {
    /// The segment.
    pub number: u64,
    /// How far the archive went before.
    pub before: Cursor,
    /// Before the first change after it.
    pub after: Cursor,
    /// When.
    pub at: Timestamp,
}

/// What was found out about an archive.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// What is wrong; empty when nothing is.
    pub findings: Vec<Finding>,
    /// Where it does not go on from what is before.
    pub breaks: Vec<Break>,
    /// The region.
    pub region: Option<Arc<str>>,
    /// How many segments there are.
    pub segments: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many changes they hold.
    pub changes: u64,
    /// How many checkpoints they have.
    pub checkpoints: u64,
    /// The first change.
    pub first: Option<Revision>,
    /// The last checkpoint.
    pub last: Option<Last>,
    /// What the changes make, at the last checkpoint; `None` when a snapshot is missing.
    pub state: Option<State>,
}

/// What a reader of an archive is told, once it is covered by a checkpoint.
#[derive(Debug)]
pub enum Told<'a> {
    /// Another segment begins.
    Segment {
        /// Its number.
        number: u64,
        /// How many there are.
        of: u64,
    },
    /// The state is another from here on: a snapshot was read.
    Snapshot(&'a State),
    /// A change.
    Change {
        /// The change.
        change: &'a Change,
        /// The segment that it is in.
        header: &'a Header,
        /// The batch that it was archived with; `None` where that was before proofs were kept.
        batch: Option<&'a Batch>,
    },
}

/// Reads an archive from its first record to its last, and tells each change that a checkpoint covers.
///
/// After something that is wrong, the rest of the segment is left out and the next segment is read: so more than one
/// finding is told where more than one thing was done.
///
/// # Errors
/// The folder cannot be read. A file of it that cannot be read is a finding.
pub fn verify(folder: &Path, against: &Against, told: &mut dyn FnMut(Told<'_>)) -> io::Result<Report> {
    walk(folder, against, None, told)
}

/// As [`verify`], of an archive that is being written: no further than a checkpoint that is on the disk.
///
/// # Errors
/// The folder cannot be read.
pub fn verify_through(
    folder: &Path,
    against: &Against,
    end: End,
    told: &mut dyn FnMut(Told<'_>),
) -> io::Result<Report> {
    walk(folder, against, Some(end), told)
}

fn walk(
    folder: &Path,
    against: &Against,
    end: Option<End>,
    told: &mut dyn FnMut(Told<'_>),
) -> io::Result<Report> {
    let (mut files, findings) = segments(folder)?;
    files.retain(|(number, _)| end.is_none_or(|end| *number <= end.number));
    let mut walk = Walk::new(against, findings, told);
    let mut chain = Some(frame::beginning());
    for (place, (number, path)) in files.iter().enumerate() {
        walk.told(Told::Segment { number: *number, of: files.len() as u64 });
        let follows = files.get(place + 1).is_some();
        let is_next = place.checked_sub(1).map_or(1, |before| files[before].0.saturating_add(1)) == *number;
        // Where what is before is missing or bad, the header is asked: the finding is told already.
        let before = chain
            .filter(|_| is_next)
            .or_else(|| segment::header(path).map(|header| header.before))
            .unwrap_or_else(frame::beginning);
        let through = end.filter(|end| end.number == *number).map(|end| end.bytes);
        chain = match walk.segment(*number, path, before, (follows, through)) {
            Ok(chain) => Some(chain),
            Err(finding) => {
                walk.found(finding);
                None
            }
        };
    }
    let last = files.last().map_or_else(|| name(1), |(number, _)| name(*number));
    Ok(walk.finish(whole(last)))
}

/// Holds an archive that was read against a witness who was not asked in time.
#[must_use]
pub fn short_of(last: Option<&Last>, witness: &Witness) -> Option<Flaw> {
    let is = last.map(Last::cursor).filter(|cursor| cursor.history() == witness.cursor.history());
    let is = is.map_or(Revision::ABSENT, |cursor| cursor.revision());
    let saw = witness.cursor.revision();
    (is < saw).then(|| Flaw::Short { witness: witness.name.clone(), saw, is })
}
