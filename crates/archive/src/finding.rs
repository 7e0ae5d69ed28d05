//! What can be wrong with an archive, and where.

use std::fmt;
use std::sync::Arc;

use fallow_ledger::Revision;
use fallow_ledger::state::NotNext;

/// A place in an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, by name.
    pub segment: String,
    /// The record, from 1; 0 is the file as a whole.
    pub record: u64,
    /// The byte at which the record begins.
    pub byte: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.record {
            0 => f.write_str(&self.segment),
            record => write!(f, "{}, record {record}, byte {}", self.segment, self.byte),
        }
    }
}

/// Something that is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {flaw}")]
pub struct Finding {
    /// Where.
    pub place: Place,
    /// What.
    pub flaw: Flaw,
}

/// What can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// The folder has files, and none is the first segment.
    #[error("segment {number} is missing")]
    Missing {
        /// Its number.
        number: u64,
    },
    /// Two files have the same number, or a file is called as no segment is.
    #[error("is no file of an archive")]
    Stray,
    /// It does not begin as a segment does.
    #[error("does not begin as a segment does")]
    NotASegment,
    /// The file ends within a record.
    #[error("ends within a record: {has} bytes of {needs}")]
    Torn {
        /// The bytes that are there.
        has: u64,
        /// The bytes of the record.
        needs: u64,
    },
    /// A record is longer than any may be.
    #[error("a record of {bytes} bytes is longer than any may be")]
    Length {
        /// The length that it claims.
        bytes: u64,
    },
    /// The CRC does not fit.
    #[error("the CRC does not fit: bytes have changed")]
    Crc,
    /// The chain does not fit what is before.
    #[error("the chain does not fit: something before it was changed, taken out or put in")]
    Chain,
    /// The record cannot be read.
    #[error("{0}")]
    Malformed(&'static str),
    /// The segment is of another version.
    #[error("is of version {found}, {known} is known here")]
    Version {
        /// The version found.
        found: u16,
        /// The version known.
        known: u16,
    },
    /// A header says something else than the place that it stands in.
    #[error("the header says {says}, but {is} stands here")]
    Header {
        /// What the header says.
        says: String,
        /// What is so.
        is: String,
    },
    /// A record stands where none of its kind may.
    #[error("{0} stands where it may not")]
    Misplaced(&'static str),
    /// The changes have a gap.
    #[error(transparent)]
    Gap(#[from] NotNext),
    /// A snapshot differs from what the changes before it make.
    #[error("the snapshot differs from what the changes before it make")]
    Snapshot,
    /// The tree of a batch is not that of its changes.
    #[error("the tree for proofs is not that of the changes before it")]
    Tree,
    /// A checkpoint names another revision than the change before it.
    #[error("the checkpoint is of revision {says}, but {is} is the last change")]
    Checkpoint {
        /// What it says.
        says: Revision,
        /// What is so.
        is: Revision,
    },
    /// A checkpoint has no signature.
    #[error("the checkpoint is not signed")]
    Unsigned,
    /// A signature is of none of the keys.
    #[error("the signature is of none of the keys given")]
    Signature,
    /// Records come after the last checkpoint.
    #[error("{records} records after the last checkpoint: nobody said that they were archived")]
    Unconfirmed {
        /// How many.
        records: u64,
    },
    /// A segment that another follows was not closed.
    #[error("another segment follows, but this one was not closed")]
    NotClosed,
    /// The archive ends before a witness says that it did.
    #[error("ends at revision {is}, but {witness} saw it at {saw}: its end is missing")]
    Short {
        /// The witness.
        witness: Arc<str>,
        /// What the witness saw.
        saw: Revision,
        /// Where the archive ends.
        is: Revision,
    },
    /// The archive is another than a witness saw.
    #[error("is not what {witness} saw at revision {saw}")]
    Differs {
        /// The witness.
        witness: Arc<str>,
        /// What the witness saw.
        saw: Revision,
    },
    /// The file cannot be read.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}
