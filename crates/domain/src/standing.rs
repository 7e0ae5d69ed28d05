//! Small live records beside offers, needs, proposals and transfers.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::ids::{CollaborativeId, Label, NeedId, Note, OfferId, TrustCode};
use crate::quantity::Count;
use crate::region::Mode;
use crate::resource::ResourceKey;

/// What a trust has said of itself since the region file was applied; it goes before the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrustState {
    /// The trust.
    pub ods: TrustCode,
    /// The OPEL it declared last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub declared: Option<Declaration>,
    /// Units it keeps for itself, per resource.
    #[serde(default)]
    pub reserves: BTreeMap<ResourceKey, Count>,
}

/// A declared OPEL.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// The level, 1 to 4.
    pub opel: u8,
    /// When it was declared.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// The last report of a trust's numbered source; a lower number is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedState {
    /// The trust.
    pub trust: TrustCode,
    /// The source's name.
    pub source: Label,
    /// The number of its last report.
    pub last_seq: u64,
    /// When that came.
    pub at: Timestamp,
}

/// The region file in force and what gold has switched since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionState {
    /// The file, as it was applied.
    pub toml: String,
    /// Counts the files applied, from 1.
    pub version: u64,
    /// Modes that gold has switched, per collaborative; the file's mode holds where there is none.
    #[serde(default)]
    pub modes: BTreeMap<CollaborativeId, ModeChange>,
    /// When the file was applied.
    pub applied_at: Timestamp,
    /// By whom.
    pub applied_by: Actor,
}

/// A switch between routine and incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModeChange {
    /// The mode now.
    pub mode: Mode,
    /// Why.
    pub reason: Note,
    /// By whom.
    pub by: Actor,
    /// Since when.
    pub at: Timestamp,
}

/// The right to act as a region's engine. Every engine commit names the version of this record among what it read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EngineLease {
    /// Which process holds it; empty when its holder has given it up.
    pub holder: Label,
    /// Counts the holders, from 1.
    pub epoch: u64,
    /// Until when it was taken or renewed, by its holder's clock. For people: no engine compares it with a clock of its
    /// own.
    pub until: Timestamp,
}

impl EngineLease {
    /// Says whether nobody holds it.
    #[must_use]
    pub fn is_free(&self) -> bool {
        self.holder.is_empty()
    }
}

/// A name that at most one live record may hold, such as a trust's source key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The id of the record that holds the name.
    pub holder: Label,
}

/// A sign-in that was ended before its time. What was signed in with it is refused while the record is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EndedSession {
    /// Until which sign-in it is ended, on the clock that sign-ins are dated by, and not when that was said: what a person
    /// ends are the sign-ins of this name until the one that they ended; what the provider ends of a person, those until it
    /// said so. Whoever signed in later goes on, unless the provider has ended the one session of this name.
    pub at: Timestamp,
    /// Until when the record is kept: longer than anything lasts that the sign-in was exchanged for.
    pub until: Timestamp,
    /// Who ended it: `person` or `provider`.
    pub by: Label,
}

/// A pair that was declined or lapsed; it is not proposed again while both generations stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decline {
    /// The need.
    pub need: NeedId,
    /// The offer.
    pub offer: OfferId,
    /// The need's generation when it was declined.
    pub need_generation: u32,
    /// The offer's generation when it was declined.
    pub offer_generation: u32,
    /// Why: a decline code, or `NO_ANSWER`.
    pub code: Label,
    /// When.
    pub at: Timestamp,
}
