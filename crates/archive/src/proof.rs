//! The proof that a change is in an archive, for the trust that it concerns: what the trust may see of it in clear, the
//! digests of the rest, and the checkpoint that was signed over all of it. Whoever has the operator's public key checks it,
//! without the archive and without us.
//!
//! # What is checked
//!
//! Digests are SHA-256, numbers are 64 bits in little-endian.
//!
//! ```text
//! part     salt, 16 bytes · length of the name · name · value
//! group    2, one byte · number of parts · their digests
//! leaf     0, one byte · revision · number of groups · their digests
//! root     the tree of RFC 9162 over the leaves of the batch; a node is 1, one byte · left · right
//! tree     `T` · revision of the first leaf · number of leaves · root
//! chain    `before` · length of the tree, 32 bits · tree
//! signed   Ed25519 over `fallow archive checkpoint 1` · length of the region · region · length of the history · history ·
//!          number of the segment · revision of the checkpoint · time in milliseconds since 1970 · 1 if it closes its
//!          segment and else 0, one byte · chain
//! ```

use std::sync::Arc;

use bytes::Bytes;
use fallow_domain::actor::Actor;
use fallow_domain::ids::TrustCode;
use fallow_ledger::cause::Cause;
use fallow_ledger::record::Record;
use fallow_ledger::state::hex;
use fallow_ledger::{Change, Key, Revision};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

mod proved;

pub use proved::{Proved, ProvedBatch, ProvedRecord};

use crate::batch::Batch;
use crate::entry::{Checkpoint, Entry, Header, Start, Tree};
use crate::frame::{Chain, chained};
use crate::keys::{PublicKey, unhex};
use crate::parts::{self, Part, RECORD};
use crate::tree;

/// The version of the form.
const VERSION: u32 = 1;

/// The longest proof, in bytes, as a line of JSON: a commit at every limit, its texts written with escapes.
pub const PROOF_BYTES: usize = 64 * 1024 * 1024;

/// What a trust is told of a cause that is another's: never the person, nor the request.
const OF_OTHERS: [&str; 7] =
    ["at", "by.role", "by.trust", "denied.at", "denied.reason", "denied.times", "verb"];

/// The proof of one change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// The version of the form.
    fallow_proof: u32,
    /// The region.
    pub region: Arc<str>,
    /// The history of the store.
    pub history: Arc<str>,
    /// The number of the segment.
    pub segment: u64,
    /// The revision of the change.
    pub revision: Revision,
    /// Its cause, and then its records.
    groups: Vec<Group>,
    /// The first change of its batch.
    first: Revision,
    /// How many changes the batch has.
    count: u64,
    /// The digests beside the way from the change to the root of the batch, in hexadecimal.
    path: Vec<String>,
    /// The chain before the record of the tree, in hexadecimal.
    before: String,
    /// The checkpoint that signs it.
    checkpoint: Signed,
}

/// A checkpoint with its signature, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed {
    revision: Revision,
    at: Timestamp,
    closes: bool,
    signature: String,
}

/// A group of parts, or the digest of one that is not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Group {
    Shown(Parts),
    Hidden(Digested),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Parts {
    parts: Vec<Piece>,
}

/// A part in clear, or the digest of one that is not shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
enum Piece {
    Shown(Clear),
    Hidden(Digested),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Clear {
    name: String,
    value: String,
    salt: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Digested {
    digest: String,
}

/// Text that proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAProof {
    /// It cannot be read as a proof.
    #[error("is no proof of a change: {0}")]
    Malformed(&'static str),
    /// It is of a later form.
    #[error("is a proof of form {found}, {VERSION} is known here")]
    Version {
        /// The form found.
        found: u32,
    },
    /// None of the keys has signed what it says.
    #[error("is not what was signed: something in it was changed, or the key is another's")]
    Signature,
}

impl Batch {
    /// Proves a change of the batch for a trust; `None` when the change neither was made for it nor wrote a record of it.
    /// `before` gives the records from before the change.
    ///
    /// Shown are: the cause, and of another's the call, the role, the trust and the time; the names of the records that are
    /// the trust's or join it with others; and the bodies of those that are the trust's alone and name nobody of another.
    #[must_use]
    pub fn prove(
        &self,
        change: &Change,
        header: &Header,
        trust: TrustCode,
        before: impl Fn(&Key) -> Option<Record>,
    ) -> Option<Proof> {
        let (is_own, records) = sights(change, trust, before);
        if !is_own && records.iter().all(|sight| *sight == Sight::Nothing) {
            return None;
        }
        let at = change.revision.0.checked_sub(self.first.0)?;
        let path = tree::path(&self.leaves, usize::try_from(at).ok()?);
        let groups = parts::groups(change).into_iter().enumerate().map(|(at, parts)| {
            let sight = at.checked_sub(1).and_then(|record| records.get(record));
            let shows = |part: &Part| match sight {
                None => is_own || OF_OTHERS.contains(&part.name.as_str()),
                Some(Sight::Nothing) => false,
                Some(Sight::Name) => part.name == RECORD,
                Some(Sight::All) => true,
            };
            self.group(change.revision, at, parts, shows)
        });
        let groups: Vec<Group> = groups.collect();
        // What was done is told to nobody from whom all of its cause is kept, for it was not written as one.
        matches!(groups.first(), Some(Group::Shown(_))).then(|| Proof {
            fallow_proof: VERSION,
            region: header.region.clone(),
            history: header.history.clone(),
            segment: header.number,
            revision: change.revision,
            groups,
            first: self.first,
            count: self.leaves.len() as u64,
            path: path.iter().map(|digest| hex(digest)).collect(),
            before: hex(&self.before),
            checkpoint: Signed {
                revision: self.checkpoint.revision,
                at: self.checkpoint.at,
                closes: self.checkpoint.closes,
                signature: self.checkpoint.signature.as_ref().map(|bytes| hex(bytes)).unwrap_or_default(),
            },
        })
    }

    fn group(&self, revision: Revision, at: usize, parts: Vec<Part>, shows: impl Fn(&Part) -> bool) -> Group {
        let digests = parts::digests(&parts, &self.seed, revision.0, at);
        if !parts.iter().any(&shows) {
            return Group::Hidden(Digested { digest: hex(&parts::group(&digests)) });
        }
        let pieces = parts.into_iter().zip(digests).enumerate().map(|(place, (part, digest))| {
            if shows(&part) {
                let salt = hex(&parts::salt(&self.seed, revision.0, at, place));
                Piece::Shown(Clear { name: part.name, value: part.value, salt })
            } else {
                Piece::Hidden(Digested { digest: hex(&digest) })
            }
        });
        Group::Shown(Parts { parts: pieces.collect() })
    }
}

/// Says whether a change was made for a trust or wrote a record of it, so that it would be proved to it. `before` gives the
/// records from before the change.
#[must_use]
pub fn concerns(change: &Change, trust: TrustCode, before: impl Fn(&Key) -> Option<Record>) -> bool {
    let (is_own, records) = sights(change, trust, before);
    is_own || records.iter().any(|sight| *sight != Sight::Nothing)
}

/// Returns whether a change was made for a trust, and how much it is shown of each record.
fn sights(change: &Change, trust: TrustCode, before: impl Fn(&Key) -> Option<Record>) -> (bool, Vec<Sight>) {
    let is_own = Cause::decode(&change.cause).is_some_and(|cause| cause.by.trust == Some(trust));
    let sight = |(key, body): (&Key, &Option<Bytes>)| {
        let is = body.as_ref().and_then(|body| Record::decode(key.kind, body).ok());
        let sight = Sight::of(trust, before(key).as_ref(), is.as_ref());
        // What cannot be read may be anybody's.
        let is_unreadable = body.is_some() && is.is_none();
        if is_unreadable { sight.min(Sight::Name) } else { sight }
    };
    (is_own, change.writes.iter().map(sight).collect())
}

/// How much of a record a trust is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Sight {
    Nothing,
    /// That it was written, by name: it joins the trust with another.
    Name,
    /// Its body too: it is the trust's alone, and names nobody of another.
    All,
}

impl Sight {
    fn of(trust: TrustCode, was: Option<&Record>, is: Option<&Record>) -> Self {
        let owned = |record: &Record| match record {
            Record::Offer(_) | Record::Need(_) | Record::Trust(_) | Record::Feed(_) => {
                record.trusts().as_slice() == [trust]
            }
            Record::Proposal(_)
            | Record::Transfer(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Decline(_)
            | Record::Session(_)
            | Record::Monitor(_) => false,
        };
        let joins = |record: &Record| match record {
            Record::Proposal(_) | Record::Transfer(_) => record.trusts().contains(&trust),
            Record::Offer(_)
            | Record::Need(_)
            | Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Decline(_)
            | Record::Session(_)
            // Who may read an alert or an action of two people is the rights' to say, and changes with the region.
            | Record::Monitor(_) => false,
        };
        let records = [was, is].into_iter().flatten();
        let is_own = records.clone().next().is_some() && records.clone().all(owned);
        // Only what it became is shown, never what it was.
        let names_others = is.is_some_and(|record| people(record).any(|actor| actor.trust != Some(trust)));
        if is_own && !names_others {
            Self::All
        } else if records.clone().any(|record| owned(record) || joins(record)) {
            Self::Name
        } else {
            Self::Nothing
        }
    }
}

/// Returns the people and systems that the body of a record names, of the kinds that can be one trust's alone. Others ask of
/// an offer or a need whether it still holds, and a trust is told that, but not who.
fn people(record: &Record) -> impl Iterator<Item = &Actor> {
    let people: Vec<&Actor> = match record {
        Record::Offer(offer) => offer.recent.asked.iter().map(|asked| &asked.by).collect(),
        Record::Need(need) => {
            let asked = need.validation.asked.as_ref().map(|asked| &asked.by);
            asked.into_iter().chain(need.validation.said.as_ref().map(|said| &said.by)).collect()
        }
        Record::Trust(state) => state.declared.iter().map(|declared| &declared.by).collect(),
        Record::Feed(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Decline(_)
        | Record::Session(_)
        | Record::Monitor(_) => Vec::new(),
    };
    people.into_iter()
}

impl Proof {
    /// Reads a proof from a line of JSON.
    ///
    /// # Errors
    /// [`NotAProof::Malformed`], [`NotAProof::Version`].
    pub fn read(line: &str) -> Result<Self, NotAProof> {
        #[derive(Deserialize)]
        struct Form {
            fallow_proof: u32,
        }
        if line.len() > PROOF_BYTES {
            return Err(NotAProof::Malformed("it is longer than any may be"));
        }
        let form: Form = serde_json::from_str(line)
            .map_err(|_| NotAProof::Malformed("it is no line that `fallow audit prove` wrote"))?;
        if form.fallow_proof != VERSION {
            return Err(NotAProof::Version { found: form.fallow_proof });
        }
        serde_json::from_str(line).map_err(|_| NotAProof::Malformed("a field is missing, or one too many"))
    }

    /// Checks that one of the keys has signed what the proof shows, and returns that. What a proof covers may have been
    /// covered by the operator or by anybody who has held the proof since: a digest tells neither who nor what.
    ///
    /// # Errors
    /// [`NotAProof`]. Nothing of the proof is to be believed then.
    pub fn check(&self, keys: &[PublicKey]) -> Result<Proved, NotAProof> {
        let leaf = parts::leaf(
            self.revision.0,
            &self.groups.iter().map(Group::digest).collect::<Result<Vec<_>, _>>()?,
        );
        let path: Vec<Chain> = self.path.iter().map(|text| digest(text)).collect::<Result<_, _>>()?;
        let at = self.revision.0.checked_sub(self.first.0);
        let at = at.ok_or(NotAProof::Malformed("the change is not of its batch"))?;
        let root = Some(&path).filter(|path| path.len() <= tree::PATH_MAX);
        let root = root.and_then(|path| tree::root_by(&leaf, at, self.count, path));
        let root = root.ok_or(NotAProof::Malformed("its way to the root of the batch is none"))?;
        // A checkpoint ends its batch right after the last change of it: `at` is one of `count`, so that this is no overflow.
        if self.first.0.checked_add(self.count - 1) != Some(self.checkpoint.revision.0) {
            return Err(NotAProof::Malformed("its checkpoint ends another batch"));
        }
        let tree = Tree { first: self.first, count: self.count, root };
        let chain = chained(&digest(&self.before)?, &Entry::Tree(tree).encode());
        let signature =
            unhex(&self.checkpoint.signature).ok_or(NotAProof::Malformed("it carries no signature"))?;
        let Signed { revision, at, closes, .. } = self.checkpoint;
        if !Timestamp::from_millisecond(at.as_millisecond()).is_ok_and(|whole| whole == at) {
            return Err(NotAProof::Malformed("the time of its checkpoint is finer than any that is signed"));
        }
        let checkpoint = Checkpoint { revision, at, closes, signature: Some(signature) };
        let header = Header {
            region: self.region.clone(),
            history: self.history.clone(),
            number: self.segment,
            // What a checkpoint does not sign of its header.
            first: Revision::ABSENT,
            before: chain,
            begun_at: at,
            start: Start::Onward,
            key: "".into(),
        };
        let key = keys.iter().find(|key| key.has_signed(&checkpoint, &header, &chain));
        let key = key.ok_or(NotAProof::Signature)?;
        self.proved(leaf, (root, chain), key)
    }
}

impl Group {
    fn digest(&self) -> Result<Chain, NotAProof> {
        match self {
            Self::Hidden(hidden) => digest(&hidden.digest),
            Self::Shown(shown) => {
                let parts: Result<Vec<Chain>, _> = shown.parts.iter().map(Piece::digest).collect();
                Ok(parts::group(&parts?))
            }
        }
    }
}

impl Piece {
    fn digest(&self) -> Result<Chain, NotAProof> {
        match self {
            Self::Shown(Clear { name, value, salt }) => {
                let salt =
                    unhex(salt).ok_or(NotAProof::Malformed("a salt is not 16 bytes in hexadecimal"))?;
                Ok(parts::digest(&salt, name, value))
            }
            Self::Hidden(hidden) => digest(&hidden.digest),
        }
    }
}

fn digest(text: &str) -> Result<Chain, NotAProof> {
    unhex(text).ok_or(NotAProof::Malformed("a digest is not 32 bytes in hexadecimal"))
}
