//! Offers: capacity that a trust publishes, with its one account.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::campaign::Block;
use crate::ids::{CollaborativeId, Label, NeedId, Note, OfferId, SiteCode, SourceKey, TrustCode};
use crate::quantity::Count;
use crate::resource::{Resource, coded};

/// Capacity that a trust publishes: what, where, when and how many.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Offer {
    /// Its id, given by the ledger (live) or by the file.
    pub id: OfferId,
    /// The trust's own key of the thing it publishes; publishing the same key again changes the same offer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_key: Option<SourceKey>,
    /// The trust that offers.
    pub trust: TrustCode,
    /// Where it is.
    pub site: SiteCode,
    /// What it is.
    pub resource: Resource,
    /// Its account: beds, slots, places, staff or items; minutes for theatres.
    pub figures: Figures,
    /// When it can be used.
    pub window: Window,
    /// What it can do beyond the ordinary, such as `isolation`; sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub capabilities: Vec<Label>,
    /// Whom it can take.
    #[serde(default, skip_serializing_if = "Limits::is_open")]
    pub limits: Limits,
    /// Whether it has its team.
    #[serde(default, skip_serializing_if = "Team::is_complete")]
    pub team: Team,
    /// The collaboratives it is for; empty = all that the trust is in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shared_with: Vec<CollaborativeId>,
    /// Theatre sessions: not proposed before this time (the trust's release week).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release_at: Option<Timestamp>,
    /// The campaign it belongs to; empty = none.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub campaign: Label,
    /// Where it is in its lifecycle.
    pub state: OfferState,
    /// Why and until when it is suspended; `None` unless it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Suspension>,
    /// When the figures were last said to be so.
    pub reported_at: Timestamp,
    /// Who said so.
    pub source: Source,
    /// The number of the last report from that source, where it numbers them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_seq: Option<u64>,
    /// How often the trust promises to report.
    pub cadence: SignedDuration,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Note::is_empty")]
    pub note: Note,
    /// Counts the changes that make a declined pair worth proposing again: of resource, window, limits, capabilities
    /// or team, or a rise in free. A mere report of the same figures does not count.
    #[serde(default)]
    pub generation: u32,
    /// What happened lately that the next report must be read against.
    #[serde(default, skip_serializing_if = "Recent::is_empty")]
    pub recent: Recent,
}

/// What happened to an offer lately that its next report must be read against. Fallow keeps it; it is not reported.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Recent {
    /// Units that arrived after the last report was made, oldest first: a report made before an arrival cannot have
    /// counted it as occupied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arrivals: Vec<Arrival>,
    /// What the figures were before the first change of the last five minutes: a large change is measured from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Baseline>,
    /// When each source last reported: an older report of the same source is refused.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub reports: BTreeMap<Source, Timestamp>,
    /// Who has asked since the last report whether the figures are still true: one entry an asker, the last to ask last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// Whether its `release_at` is only the trust's usual release week: nobody has said anything of this session's own.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub release_is_usual: bool,
}

impl Recent {
    /// Says whether there is nothing to remember.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.arrivals.is_empty()
            && self.baseline.is_none()
            && self.reports.is_empty()
            && self.asked.is_empty()
            && !self.release_is_usual
    }
}

/// Somebody asks whether an offer's figures are still true.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asked {
    /// Who asks: a trust's people ask for their trust, others for themselves.
    pub by: Actor,
    /// When they asked last.
    pub at: Timestamp,
    /// The need that would profit, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub need: Option<NeedId>,
}

impl Asked {
    /// Says whether it is the question of an actor: of the same trust or, above trusts, of the same person.
    #[must_use]
    pub fn is_by(&self, actor: &Actor) -> bool {
        match (self.by.trust, actor.trust) {
            (None, None) => self.by.subject == actor.subject,
            (own, other) => own == other,
        }
    }
}

/// Units of a transfer that became occupied on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrival {
    /// When.
    pub at: Timestamp,
    /// Units of the offer's account; minutes for a theatre.
    pub units: Count,
}

/// What an offer could take at some time, held and committed units included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// From when it counts.
    pub at: Timestamp,
    /// Staffed less occupied and blocked, never below 0.
    pub usable: Count,
}

impl Offer {
    /// Returns the block that it is a part of: the offers of its site that name the same campaign.
    #[must_use]
    pub fn block(&self) -> Option<Block> {
        (!self.campaign.is_empty()).then(|| Block { site: self.site, campaign: self.campaign.clone() })
    }

    /// Returns how far the figures can be trusted at a time: FRESH up to one cadence (inclusive), AGEING up to two, then STALE.
    #[must_use]
    pub fn freshness(&self, at: Timestamp) -> Freshness {
        let age = at.duration_since(self.reported_at);
        let two = self.cadence.checked_mul(2).unwrap_or(SignedDuration::MAX);
        if age <= self.cadence {
            Freshness::Fresh
        } else if age <= two {
            Freshness::Ageing
        } else {
            Freshness::Stale
        }
    }
}

coded!(
    /// Where an offer is in its lifecycle.
    OfferState {
        /// It can be proposed.
        Open = "OPEN",
        /// No new holds; live holds run on.
        Suspended = "SUSPENDED",
        /// All of it was used.
        Closed = "CLOSED",
        /// The trust took it back.
        Withdrawn = "WITHDRAWN",
        /// Its window has passed.
        Expired = "EXPIRED",
    }
);

impl OfferState {
    /// Says whether the offer has ended for good.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Open | Self::Suspended => false,
            Self::Closed | Self::Withdrawn | Self::Expired => true,
        }
    }
}

/// Why and until when an offer takes no new holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// When it opens again by itself; `None` = when the trust says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Why, for people.
    pub reason: Note,
    /// Whether Fallow suspended it because a sheet left it out while units of it were promised.
    #[serde(default)]
    pub left_out: bool,
}

coded!(
    /// Who said what the figures are.
    Source {
        /// A system of the trust.
        Feed = "FEED",
        /// A spreadsheet.
        Sheet = "SHEET",
        /// A person.
        Person = "PERSON",
        /// A person, by a difference.
        Adjustment = "ADJUSTMENT",
    }
);

coded!(
    /// How far an offer's figures can be trusted.
    Freshness {
        /// Reported within one cadence.
        Fresh = "FRESH",
        /// Reported within two cadences.
        Ageing = "AGEING",
        /// Not reported for longer: shown, never proposed.
        Stale = "STALE",
    }
);

/// The one account of an offer: `staffed + short = free + held + committed + occupied + blocked`, with `free × short = 0`.
///
/// A trust reports staffed, occupied and blocked; Fallow alone moves held and committed; free and short follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Figures {
    /// Units that have their staff.
    pub staffed: Count,
    /// Units in use by the trust itself.
    pub occupied: Count,
    /// Units that cannot be used.
    pub blocked: Count,
    /// Units set aside for proposals that are not yet agreed.
    #[serde(default)]
    pub held: Count,
    /// Units promised to transfers.
    #[serde(default)]
    pub committed: Count,
}

impl Figures {
    fn taken(&self) -> u64 {
        [self.occupied, self.blocked, self.held, self.committed].iter().map(|c| u64::from(c.get())).sum()
    }

    /// Returns the units that can still be held.
    #[must_use]
    pub fn free(&self) -> Count {
        let free = u64::from(self.staffed.get()).saturating_sub(self.taken());
        // At most `staffed`, which fits.
        Count::new(u32::try_from(free).unwrap_or(u32::MAX))
    }

    /// Returns the units the trust can put to use, held and committed ones included: staffed less occupied and blocked,
    /// never below 0.
    #[must_use]
    pub fn usable(&self) -> Count {
        self.staffed.less(self.occupied).less(self.blocked)
    }

    /// Returns the units promised or in use that the trust no longer has; above zero the offer is overcommitted.
    #[must_use]
    pub fn short(&self) -> u64 {
        self.taken().saturating_sub(u64::from(self.staffed.get()))
    }
}

/// When an offer can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Window {
    /// From when; `None` = since ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when; always later than `from`.
    pub until: Timestamp,
}

coded!(
    /// A patient's sex, as a limit of shared bays and of some services.
    Sex {
        /// Female.
        Female = "FEMALE",
        /// Male.
        Male = "MALE",
    }
);

/// Whom an offer can take; `None` = no limit. Zero is a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Limits {
    /// Least age in years, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_min: Option<u32>,
    /// Greatest age in years, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age_max: Option<u32>,
    /// The only sex taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
    /// Greatest body mass index, kg/m², inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmi_max: Option<u32>,
    /// Greatest ASA physical status, 1 to 6, inclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asa_max: Option<u32>,
}

impl Limits {
    /// Says whether anybody can be taken.
    #[must_use]
    pub fn is_open(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether an offer has the people it needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    /// Whether it is staffed.
    pub staffed: bool,
    /// The roles that are missing; sorted. Empty when staffed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<Label>,
}

impl Team {
    /// Says whether nobody is missing.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.staffed
    }
}

impl Default for Team {
    fn default() -> Self {
        Self { staffed: true, needs: Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn figures(staffed: u32, occupied: u32, blocked: u32, held: u32, committed: u32) -> Figures {
        Figures {
            staffed: staffed.into(),
            occupied: occupied.into(),
            blocked: blocked.into(),
            held: held.into(),
            committed: committed.into(),
        }
    }

    #[test]
    fn free_and_short_follow_and_never_meet() {
        let f = figures(10, 4, 1, 2, 1);
        assert_eq!((f.free().get(), f.short()), (2, 0));
        let f = figures(5, 4, 1, 2, 1);
        assert_eq!((f.free().get(), f.short()), (0, 3));
        let f = figures(u32::MAX, u32::MAX, u32::MAX, 0, 0);
        assert_eq!((f.free().get(), f.short()), (0, u64::from(u32::MAX)));
    }
}
