//! A region: the scope of one ledger and one gold command, with its trusts, sites, collaboratives, travel times and policy.

mod area;
pub mod file;

use std::collections::{BTreeMap, BTreeSet};

pub use area::{Area, FromHome};

use jiff::{SignedDuration, Timestamp};

use crate::codes;
use crate::ids::{CollaborativeId, Label, Name, RegionId, SiteCode, TrustCode};
use crate::offer::Window;
use crate::place::{self, Coordinates};
use crate::policy::Policy;
use crate::quantity::Count;
use crate::resource::{ResourceKey, ResourceKind, coded};

/// A region, checked: every code it names exists in it.
#[derive(Debug, Clone, PartialEq)]
pub struct Region {
    /// Its id, such as `Y62`.
    pub id: RegionId,
    /// Its name.
    pub name: Name,
    /// Its time zone, an IANA name.
    pub timezone: String,
    /// The codes of STAFF, EQUIPMENT and VIRTUAL_WARD that its trusts may use.
    pub resources: BTreeMap<ResourceKind, BTreeSet<String>>,
    /// The numbers by which it matches.
    pub policy: Policy,
    /// Its trusts.
    pub trusts: BTreeMap<TrustCode, Trust>,
    /// Their sites.
    pub sites: BTreeMap<SiteCode, Site>,
    /// Where patients live; empty where nobody asks how far from home they are.
    pub areas: BTreeMap<Label, Area>,
    /// Trusts that agreed to help one another.
    ///
    /// In order of id. Two may have one id (the three letters that shorten a board's name do meet): each joins its own
    /// members, and whatever names the id means both.
    pub collaboratives: Vec<Collaborative>,
    /// Measured travel times in minutes, from a need's site to an offer's.
    pub travel: BTreeMap<(SiteCode, SiteCode), u32>,
}

/// A member organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trust {
    /// Its name.
    pub name: Name,
    /// The OPEL it has declared, 1 to 4; `None` = none.
    pub opel: Option<u8>,
    /// Units it gives in one plan before fairness costs points; `None` = no limit. In the file it is what a trust may give
    /// in 28 days at least; live it is what it has left of its due ([`crate::matching::giving`]).
    pub fair_allowance: Option<Count>,
    /// The code it was merged into.
    pub successor: Option<TrustCode>,
    /// How many weeks before the day it releases theatre sessions it does not use.
    pub release_weeks: Option<u32>,
    /// Units it keeps for itself, per resource; never a theatre.
    pub reserve: BTreeMap<ResourceKey, Count>,
}

/// A place of a trust.
#[derive(Debug, Clone, PartialEq)]
pub struct Site {
    /// Whose it is.
    pub trust: TrustCode,
    /// Its name.
    pub name: Name,
    /// Where it is.
    pub coordinates: Coordinates,
    /// What it is.
    pub kind: SiteKind,
    /// The desk's telephone; empty where none is given.
    pub phone: String,
}

coded!(
    /// What a site is.
    SiteKind {
        /// A hospital.
        Hospital = "HOSPITAL",
        /// A surgical hub, ring-fenced for elective needs.
        SurgicalHub = "SURGICAL_HUB",
        /// A community diagnostic centre.
        CommunityDiagnosticCentre = "COMMUNITY_DIAGNOSTIC_CENTRE",
        /// A mental-health unit.
        MentalHealthUnit = "MENTAL_HEALTH_UNIT",
        /// A community hospital.
        CommunityHospital = "COMMUNITY_HOSPITAL",
    }
);

/// Trusts that agreed to help one another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collaborative {
    /// Its id, such as `cmast`.
    pub id: CollaborativeId,
    /// Its name.
    pub name: Name,
    /// What it is.
    pub kind: CollaborativeKind,
    /// Its members.
    pub members: BTreeSet<TrustCode>,
    /// Its lead, one of the members.
    pub lead: Option<TrustCode>,
    /// The kinds its members share.
    pub shares: BTreeSet<ResourceKind>,
    /// Routine or incident.
    pub mode: Mode,
}

coded!(
    /// What a collaborative is.
    CollaborativeKind {
        /// Acute trusts.
        Acute = "ACUTE",
        /// Mental health, learning disability and autism.
        Mhlda = "MHLDA",
        /// Of several kinds.
        Mixed = "MIXED",
        /// Community services.
        Community = "COMMUNITY",
        /// An operational delivery network.
        Network = "NETWORK",
    }
);

coded!(
    /// How a collaborative works at the moment.
    Mode {
        /// As usual.
        Routine = "ROUTINE",
        /// In an incident that gold command has declared.
        Incident = "INCIDENT",
    }
);

impl Region {
    /// Returns when a trust's own release week of a theatre session begins: a session that does not say when it is released
    /// keeps to the trust's rhythm, if it has one.
    #[must_use]
    pub fn release_week(&self, trust: TrustCode, kind: ResourceKind, window: Window) -> Option<Timestamp> {
        if kind != ResourceKind::Theatre {
            return None;
        }
        let weeks = self.trusts.get(&trust)?.release_weeks?;
        window.from?.checked_sub(SignedDuration::from_hours(i64::from(weeks) * 7 * 24)).ok()
    }

    /// Returns the region without what trusts declare and keep from day to day: OPEL, fair allowances and reserves.
    #[must_use]
    pub fn without_figures(&self) -> Self {
        let mut region = self.clone();
        for trust in region.trusts.values_mut() {
            trust.opel = None;
            trust.fair_allowance = None;
            trust.reserve.clear();
        }
        region
    }

    /// Returns the travel time in whole minutes from a need's site to an offer's, or `None` when a site is not in the
    /// region: the measured time, else the measured time of the way back, else the estimate by distance.
    #[must_use]
    pub fn travel_minutes(&self, from: SiteCode, to: SiteCode) -> Option<u32> {
        let (a, b) = (self.sites.get(&from)?, self.sites.get(&to)?);
        let measured = self.travel.get(&(from, to)).or_else(|| self.travel.get(&(to, from)));
        Some(measured.copied().unwrap_or_else(|| place::travel_minutes(a.coordinates, b.coordinates)))
    }

    /// Returns the telephone of a site's desk; empty where none is given.
    #[must_use]
    pub fn phone(&self, site: SiteCode) -> String {
        self.sites.get(&site).map(|site| site.phone.clone()).unwrap_or_default()
    }

    /// Returns the units that a trust keeps for itself of a resource.
    #[must_use]
    pub fn reserve(&self, trust: TrustCode, key: &ResourceKey) -> Count {
        self.trusts.get(&trust).and_then(|trust| trust.reserve.get(key)).copied().unwrap_or_default()
    }

    /// Says whether a site takes planned work only, by its kind.
    #[must_use]
    pub fn is_ring_fenced(&self, site: SiteCode) -> bool {
        self.sites.get(&site).is_some_and(|site| self.policy.ring_fence.contains(&site.kind))
    }

    /// Returns the collaboratives that have both trusts, in order of id.
    pub fn joining(&self, a: TrustCode, b: TrustCode) -> impl Iterator<Item = &Collaborative> {
        self.collaboratives.iter().filter(move |c| c.members.contains(&a) && c.members.contains(&b))
    }

    /// Says whether a collaborative that joins the two trusts is in incident mode.
    #[must_use]
    pub fn is_incident_between(&self, a: TrustCode, b: TrustCode) -> bool {
        self.joining(a, b).any(|c| c.mode == Mode::Incident)
    }

    /// Says whether a code may be used: a national code, or one of the region's own lists.
    #[must_use]
    pub fn knows_code(&self, kind: ResourceKind, code: &str) -> bool {
        if codes::are_regional(kind) {
            self.resources.get(&kind).is_some_and(|list| list.contains(code))
        } else {
            codes::name_of(kind, code).is_some()
        }
    }
}
