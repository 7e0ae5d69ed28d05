//! The archive: the log of a ledger in files outside its store, and the proof that nobody has changed them.
//!
//! # The form of an archive
//!
//! An archive is one folder of one region. It holds segments, `00000001.segment` and on, whose numbers have no gap. A
//! segment is eight bytes, `FALLOWA1`, and records. A record is
//!
//! ```text
//! length of the body, u32 · CRC-32 of length, chain and body, u32 · chain, 32 bytes · body
//! ```
//!
//! with numbers in little-endian. The chain of a record is the SHA-256 of the chain of the record before it, the length
//! and the body; before the first record of an archive it is the SHA-256 of `fallow archive 1`. It runs on from each
//! segment into the next, so that each chain stands for everything before it. Bodies are those of [`entry::Entry`]:
//!
//! - a *header*, the first of a segment: region, history, number of the segment, first revision, chain before it, when it
//!   was begun, whether it goes on from the segment before, and the id of the key that signs;
//! - a *change*: revision, cause, and the writes;
//! - a *snapshot*, in parts: every live record at the revision before. It stands where a log does not begin at its first
//!   revision: in the first segment of an archive that was begun late, and after a break;
//! - a *line*: the line of the ledger's log on which what follows was read while the ledger was open. It stands at the
//!   beginning of a segment and wherever the line has become another, and makes the archive a witness of the store;
//! - a *seed*, 32 random bytes, and a *tree*: first revision, number of changes, root. They stand before the checkpoint of a
//!   batch with changes, and let one of them be proved without the others, see [`proof`];
//! - a *checkpoint*: revision, time, and an Ed25519 signature over all that and the chain before it. One ends whatever is
//!   flushed together, and one that says so closes a segment.
//!
//! What comes after the last checkpoint was never said to be archived. A crash can leave some of it behind; it is cut off
//! and written again.
//!
//! # What is found, and by what
//!
//! The CRCs and the chain find accidents, and whoever edits without working them out again. The signatures find everything
//! else that lies before a checkpoint, as long as the key is not in the same hands. Nothing within an archive can show that
//! its end is missing, when what is left ends with a checkpoint: that takes a witness from outside, see
//! [`verify::Witness`].
//!
//! Invariants: this crate knows neither the wire nor Redis; it never asks for the time; what it calls archived has been
//! flushed, with the folder that names it.

pub mod archivist;
pub mod auditor;
pub mod audits;
mod batch;
pub mod entry;
pub mod export;
mod finding;
pub mod folder;
mod frame;
pub mod identifiers;
mod keys;
mod parts;
pub mod proof;
mod segment;
mod tree;
pub mod verify;
mod writer;

pub use batch::Batch;
pub use finding::{Finding, Flaw, Place};
pub use frame::{Chain, RECORD_BYTES};
pub use keys::{KeyError, PublicKey, SigningKey};
pub use writer::{ArchiveError, Disk, End, Resumed, Settings, Writer};
