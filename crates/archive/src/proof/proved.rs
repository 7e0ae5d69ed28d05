//! What a proof has proved, and how two of them are compared.

use std::sync::Arc;

use fallow_ledger::Revision;
use jiff::Timestamp;

use super::{Clear, Group, NotAProof, Piece, Proof};
use crate::frame::Chain;
use crate::keys::PublicKey;
use crate::parts::{self, BODY, BYTES, RECORD, REMOVED};

/// A change that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proved {
    /// The region.
    pub region: Arc<str>,
    /// The history of the store.
    pub history: Arc<str>,
    /// Its revision.
    pub revision: Revision,
    /// When it was archived, at the latest.
    pub archived_at: Timestamp,
    /// The fingerprint of the key that signed it.
    pub key: String,
    /// The batch that was signed with it.
    pub batch: ProvedBatch,
    /// What is shown of its cause, by name: at least one part.
    pub cause: Vec<(String, String)>,
    /// How many parts of its cause are covered.
    pub covered: u64,
    /// What is shown of its records.
    pub records: Vec<ProvedRecord>,
    /// How many of its records are not shown.
    pub hidden: u64,
    /// The digest of all of it, shown and not.
    pub leaf: Chain,
    /// The digest of each part that is shown, without its salt, by group and place; `None` for what is not.
    shape: Vec<Option<Vec<Option<Chain>>>>,
}

/// A batch of changes that was signed as one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ProvedBatch {
    /// The first of its changes.
    pub first: Revision,
    /// The last of its changes.
    pub last: Revision,
    /// The number of its segment.
    pub segment: u64,
    /// The root of the tree over its changes.
    pub root: Chain,
    /// The chain up to its tree, which is over everything that the archive held by then.
    pub chain: Chain,
}

/// A record of a change that was proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProvedRecord {
    /// Its name, kind and id.
    pub record: String,
    /// What it was written as; `None` where that is not shown, or it was removed.
    pub body: Option<String>,
    /// Whether it was removed; `None` where that is not shown.
    pub removed: Option<bool>,
    /// How many parts of it are covered.
    pub covered: u64,
}

impl Proved {
    /// Returns what is shown of the cause under a name, such as `verb` or `request_id`.
    #[must_use]
    pub fn cause(&self, name: &str) -> Option<&str> {
        self.cause.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Says whether the two can be one change, archived twice: each archive salts anew, so that the digests differ, but
    /// whatever is shown of both is the same.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        let same = |pair: (&Option<Chain>, &Option<Chain>)| match pair {
            (Some(one), Some(other)) => one == other,
            (None, _) | (_, None) => true,
        };
        self.revision == other.revision
            && self.shape.len() == other.shape.len()
            && self.shape.iter().zip(&other.shape).all(|groups| match groups {
                (Some(one), Some(other)) => one.len() == other.len() && one.iter().zip(other).all(same),
                (None, _) | (_, None) => true,
            })
    }
}

impl Proof {
    /// Returns what is proved, where what is shown can stand by itself.
    pub(super) fn proved(
        &self,
        leaf: Chain,
        (root, chain): (Chain, Chain),
        key: &PublicKey,
    ) -> Result<Proved, NotAProof> {
        let batch = ProvedBatch {
            first: self.first,
            last: self.checkpoint.revision,
            segment: self.segment,
            root,
            chain,
        };
        let mut proved = Proved {
            region: self.region.clone(),
            history: self.history.clone(),
            revision: self.revision,
            archived_at: self.checkpoint.at,
            key: key.fingerprint(),
            batch,
            cause: Vec::new(),
            covered: 0,
            records: Vec::new(),
            hidden: 0,
            leaf,
            shape: self.groups.iter().map(Group::shape).collect(),
        };
        for (at, group) in self.groups.iter().enumerate() {
            let shown: Vec<&Clear> = group.clear().collect();
            if at == 0 {
                proved.cause = shown.iter().map(|part| (part.name.clone(), part.value.clone())).collect();
                proved.covered = group.covered();
                continue;
            }
            let part = |name: &str| shown.iter().find(|part| part.name == name).map(|part| &part.value);
            match (part(RECORD), group) {
                (Some(record), _) => proved.records.push(ProvedRecord {
                    record: record.clone(),
                    body: part(BODY).cloned(),
                    removed: match (part(REMOVED), part(BODY).or(part(BYTES))) {
                        (Some(_), _) => Some(true),
                        (None, Some(_)) => Some(false),
                        (None, None) => None,
                    },
                    covered: group.covered(),
                }),
                (None, Group::Hidden(_)) => proved.hidden += 1,
                (None, Group::Shown(_)) => {
                    return Err(NotAProof::Malformed("it shows a record and covers which"));
                }
            }
        }
        if proved.cause.is_empty() {
            return Err(NotAProof::Malformed("all of its cause is covered: it does not show what was done"));
        }
        Ok(proved)
    }
}

impl Group {
    fn clear(&self) -> impl Iterator<Item = &Clear> {
        self.parts().iter().filter_map(|piece| match piece {
            Piece::Shown(clear) => Some(clear),
            Piece::Hidden(_) => None,
        })
    }

    fn parts(&self) -> &[Piece] {
        match self {
            Self::Shown(shown) => &shown.parts,
            Self::Hidden(_) => &[],
        }
    }

    /// Returns how many parts are covered of a group that is shown.
    fn covered(&self) -> u64 {
        self.parts().iter().filter(|piece| matches!(piece, Piece::Hidden(_))).count() as u64
    }

    fn shape(&self) -> Option<Vec<Option<Chain>>> {
        let digest = |piece: &Piece| match piece {
            Piece::Shown(Clear { name, value, .. }) => Some(parts::digest(&[0; 16], name, value)),
            Piece::Hidden(_) => None,
        };
        match self {
            Self::Shown(shown) => Some(shown.parts.iter().map(digest).collect()),
            Self::Hidden(_) => None,
        }
    }
}
