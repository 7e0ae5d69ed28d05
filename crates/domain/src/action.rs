//! Actions that need two people: what is asked for, by whom, and what became of it.
//!
//! Two of the three break glass: somebody acts for a trust, or around it. They need a reason from a list and in words,
//! and everybody concerned sees them from the moment one person has proposed them.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actor::{Actor, Role};
use crate::decide::proposal::Reply;
use crate::ids::{ActionId, Note, ProposalId, TrustCode};
use crate::resource::coded;

/// How long an action waits for the second person.
pub const CONFIRM_WITHIN: SignedDuration = SignedDuration::from_mins(30);
/// How often one person may propose to break glass within [`OVERRIDES_WITHIN`].
pub const OVERRIDES_MAX: usize = 2;
/// The time over which [`OVERRIDES_MAX`] counts.
pub const OVERRIDES_WITHIN: SignedDuration = SignedDuration::from_hours(24);

coded!(
    /// Why somebody acts for a trust, or around it.
    OverrideReason {
        /// The trust cannot reach Fallow.
        SystemsDown = "SYSTEMS_DOWN",
        /// The trust's own systems are under attack.
        CyberIncident = "CYBER_INCIDENT",
        /// Nobody who may answer can be reached.
        NobodyReachable = "NOBODY_REACHABLE",
        /// Waiting would put a life at risk.
        RiskToLife = "RISK_TO_LIFE",
    }
);

coded!(
    /// Where an action is in its life.
    ActionState {
        /// It waits for the second person.
        Proposed = "PROPOSED",
        /// It is done. Ends.
        Confirmed = "CONFIRMED",
        /// Nobody confirmed it in time. Ends.
        Expired = "EXPIRED",
        /// Somebody who could have confirmed it refused it, or who asked for it took it back. Ends.
        Refused = "REFUSED",
    }
);

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Errand {
    /// Answers a proposal for a trust that cannot.
    Answer {
        /// The proposal.
        proposal: ProposalId,
        /// The trust whose side it is.
        for_trust: TrustCode,
        /// What is answered.
        reply: Reply,
        /// Words for the other side.
        #[serde(default, skip_serializing_if = "Note::is_empty")]
        note: Note,
    },
    /// Bypasses a proposal that nobody has answered, without an incident.
    Bypass {
        /// The proposal.
        proposal: ProposalId,
        /// Why, as every trust of it reads.
        because: Note,
    },
    /// Puts a region file in force.
    Region {
        /// The file.
        toml: String,
    },
}

impl Errand {
    /// Says whether it breaks glass.
    #[must_use]
    pub const fn breaks_glass(&self) -> bool {
        match self {
            Self::Answer { .. } | Self::Bypass { .. } => true,
            Self::Region { .. } => false,
        }
    }

    /// Returns the proposal that it is about.
    #[must_use]
    pub const fn proposal(&self) -> Option<&ProposalId> {
        match self {
            Self::Answer { proposal, .. } | Self::Bypass { proposal, .. } => Some(proposal),
            Self::Region { .. } => None,
        }
    }

    /// Returns the roles of which two are needed. Gold never answers for a trust, and no emergency needs an
    /// administrator of the platform.
    #[must_use]
    pub const fn roles(&self) -> &'static [Role] {
        match self {
            Self::Answer { .. } => &[Role::SiteLead, Role::Coordinator, Role::Icb, Role::LeadProvider],
            Self::Bypass { .. } => &[Role::Gold, Role::Coordinator, Role::Icb, Role::LeadProvider],
            Self::Region { .. } => &[Role::Coordinator, Role::PlatformAdmin],
        }
    }
}

/// An action that needs two people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Its id.
    pub id: ActionId,
    /// What is to be done.
    pub errand: Errand,
    /// The trusts that it concerns; empty = everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<TrustCode>,
    /// Why, by code; of every action that breaks glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<OverrideReason>,
    /// Why, in words that everybody concerned sees.
    pub reason: Note,
    /// Who proposed it.
    pub proposed_by: Actor,
    /// When.
    pub proposed_at: Timestamp,
    /// Until when it can be confirmed, and not at that moment any more.
    pub expires_at: Timestamp,
    /// The one that the same person had proposed before, of those that break glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<ActionId>,
    /// Who confirmed it, and when.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Confirmed>,
    /// Who refused it, when and why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<Said>,
    /// Who looked at it again after it was done, when, and what they found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewed: Option<Said>,
}

/// The second person's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmed {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// By when those who govern it look at it again; of what breaks glass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_by: Option<Timestamp>,
}

/// What somebody said of an action, in words that everybody concerned sees.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// What.
    pub note: Note,
}

impl Action {
    /// Returns where it is at a time.
    #[must_use]
    pub fn state(&self, at: Timestamp) -> ActionState {
        if self.confirmed.is_some() {
            ActionState::Confirmed
        } else if self.refused.is_some() {
            ActionState::Refused
        } else if at < self.expires_at {
            ActionState::Proposed
        } else {
            ActionState::Expired
        }
    }

    /// Says whether it broke glass and nobody has looked at it again.
    #[must_use]
    pub const fn awaits_review(&self) -> bool {
        self.errand.breaks_glass() && self.confirmed.is_some() && self.reviewed.is_none()
    }

    /// Returns the trust that somebody acts for.
    #[must_use]
    pub const fn for_trust(&self) -> Option<TrustCode> {
        match &self.errand {
            Errand::Answer { for_trust, .. } => Some(*for_trust),
            Errand::Bypass { .. } | Errand::Region { .. } => None,
        }
    }
}
