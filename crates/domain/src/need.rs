//! Needs: demand that a trust raises.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::ids::{CaseRef, Label, NeedId, Note, SiteCode, TrustCode};
use crate::offer::Sex;
use crate::quantity::Count;
use crate::region::FromHome;
use crate::resource::{Resource, coded};

/// Demand that a trust raises: what, by when, how urgent, for how many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Need {
    /// Its id, given by the ledger (live) or by the file.
    pub id: NeedId,
    /// The home trust's own reference. (home trust, case reference, resource) has at most one live need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case_ref: Option<CaseRef>,
    /// The home trust: it keeps responsibility until arrival.
    pub trust: TrustCode,
    /// Where the patient is.
    pub site: SiteCode,
    /// What is needed.
    pub resource: Resource,
    /// For how many: beds, slots, places, staff, items or cases; at least 1.
    pub units: Count,
    /// Theatre minutes of one case, without turnover; zero unless the kind is THEATRE.
    #[serde(default, skip_serializing_if = "Count::is_zero")]
    pub minutes_per_case: Count,
    /// How urgent.
    pub priority: Priority,
    /// The day of listing, from which the band fixes when it is breached.
    pub listed_at: Timestamp,
    /// Not before; `None` = now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earliest: Option<Timestamp>,
    /// Not later than; `None` = open-ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub needed_by: Option<Timestamp>,
    /// Capabilities the offer must have; sorted, each once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub requires: Vec<Label>,
    /// What is known of the patient.
    #[serde(default, skip_serializing_if = "Patient::is_unknown")]
    pub patient: Patient,
    /// Greatest travel in minutes; `None` = no limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_travel_minutes: Option<u32>,
    /// Index of Multiple Deprivation decile, 1 (most deprived) to 10.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imd_decile: Option<u8>,
    /// An external risk score.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub risk: Option<Risk>,
    /// Why it moves.
    pub reason: TransferReason,
    /// What moves.
    pub scope: Scope,
    /// Whether the home trust's service is fragile.
    #[serde(default)]
    pub fragile_service: bool,
    /// Whether the home trust brings the team.
    #[serde(default)]
    pub brings_team: bool,
    /// The patient's home area, for distance from home; no postcode.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub home_area: Label,
    /// How far from home the patient is now, where the home area is one of the region's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_home: Option<FromHome>,
    /// Since when the patient has been away from home; `None` = is not, or is not known to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub away_since: Option<Timestamp>,
    /// The cohort it was raised with; empty = none.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub cohort: Label,
    /// Whether the home trust has said lately that it still stands.
    #[serde(default, skip_serializing_if = "Validation::is_empty")]
    pub validation: Validation,
    /// Which waiting clock runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pathway: Option<Pathway>,
    /// The discharge pathway, for outflow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub discharge_pathway: Option<DischargePathway>,
    /// Who pays, as a plain field.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub funding_route: Label,
    /// The cost centre, as a plain field.
    #[serde(default, skip_serializing_if = "Label::is_empty")]
    pub cost_centre: Label,
    /// Where it is in its lifecycle.
    pub state: NeedState,
    /// While on hold: when it is to be looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_at: Option<Timestamp>,
    /// Units in proposals that are not yet agreed.
    #[serde(default)]
    pub units_proposed: Count,
    /// Units agreed by both trusts.
    #[serde(default)]
    pub units_committed: Count,
    /// Units that have arrived; part of those committed.
    #[serde(default)]
    pub units_arrived: Count,
    /// When it was raised; `None` in files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raised_at: Option<Timestamp>,
    /// When its last unit was agreed; `None` until all are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_at: Option<Timestamp>,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Note::is_empty")]
    pub note: Note,
    /// Counts the changes that make a declined pair worth proposing again: of resource, units, window, requirements
    /// (capabilities, what is known of the patient, minutes, team) or travel limit.
    #[serde(default)]
    pub generation: u32,
}

impl Need {
    /// Makes a need of one unit of which nothing is known but what, where, how urgent and since when: for need of capacity,
    /// on the whole pathway, without any requirement.
    #[must_use]
    pub fn bare(
        id: NeedId,
        (trust, site): (TrustCode, SiteCode),
        resource: Resource,
        priority: Priority,
        listed_at: Timestamp,
    ) -> Self {
        Self {
            id,
            case_ref: None,
            trust,
            site,
            resource,
            units: Count::ONE,
            minutes_per_case: Count::ZERO,
            priority,
            listed_at,
            earliest: None,
            needed_by: None,
            requires: Vec::new(),
            patient: Patient::default(),
            max_travel_minutes: None,
            imd_decile: None,
            risk: None,
            reason: TransferReason::Capacity,
            scope: Scope::WholePathway,
            fragile_service: false,
            brings_team: false,
            home_area: Label::default(),
            from_home: None,
            away_since: None,
            cohort: Label::default(),
            validation: Validation::default(),
            pathway: None,
            discharge_pathway: None,
            funding_route: Label::default(),
            cost_centre: Label::default(),
            state: NeedState::Open,
            review_at: None,
            units_proposed: Count::ZERO,
            units_committed: Count::ZERO,
            units_arrived: Count::ZERO,
            raised_at: None,
            agreed_at: None,
            note: Note::default(),
            generation: 0,
        }
    }

    /// Returns the units that still look for an offer: neither proposed nor committed.
    #[must_use]
    pub fn units_wanted(&self) -> Count {
        self.units.less(self.units_proposed).less(self.units_committed)
    }
}

coded!(
    /// How urgent a need is (FSSA bands), most urgent first.
    Priority {
        /// Within 24 hours.
        P1A = "P1A",
        /// Within 72 hours.
        P1B = "P1B",
        /// Within 4 weeks.
        P2 = "P2",
        /// Within 3 months.
        P3 = "P3",
        /// Can wait longer.
        P4 = "P4",
    }
);

impl Priority {
    /// Says whether the work is planned: elective, and no emergency of the next three days.
    #[must_use]
    pub const fn is_planned(self) -> bool {
        match self {
            Self::P1A | Self::P1B => false,
            Self::P2 | Self::P3 | Self::P4 => true,
        }
    }
}

/// What is known of the patient; `None` = unknown, which breaks no limit. Zero is a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Patient {
    /// Age in years, 0 to 130.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub age: Option<u32>,
    /// Sex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<Sex>,
    /// Body mass index, kg/m².
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bmi: Option<u32>,
    /// ASA physical status, 1 to 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asa: Option<u32>,
    /// Whether isolation is needed; counts as `isolation` among the requirements.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isolation: Option<bool>,
}

impl Patient {
    /// Says whether nothing is known.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

/// An external risk score, such as C2Ai's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// The score; counted between 0 and 100. Always finite.
    pub value: f64,
    /// Whose score it is.
    pub source: Label,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// Whether a need still stands: asked for, and answered by the home trust.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Validation {
    /// Who has asked since it was last validated, and when; the last to ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asked: Option<ValidationAsked>,
    /// What the home trust said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Validated>,
}

impl Validation {
    /// Says whether nobody has asked and nothing was said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Somebody asks whether a need still stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ValidationAsked {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

/// What a home trust says of a case on its list. A case that is no longer wanted is withdrawn instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validated {
    /// Whether the patient has consented to be treated elsewhere.
    pub consented: bool,
    /// Whether the patient is fit for it now.
    pub fit: bool,
    /// Who said so.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
}

coded!(
    /// Why a patient moves.
    TransferReason {
        /// For better care.
        Clinical = "CLINICAL",
        /// For want of capacity.
        Capacity = "CAPACITY",
        /// Back towards home.
        Repatriation = "REPATRIATION",
    }
);

coded!(
    /// What moves.
    Scope {
        /// One episode of care.
        EpisodeOnly = "EPISODE_ONLY",
        /// The whole pathway.
        WholePathway = "WHOLE_PATHWAY",
        /// One test.
        DiagnosticOnly = "DIAGNOSTIC_ONLY",
        /// Staff go to the patient.
        StaffToPatient = "STAFF_TO_PATIENT",
    }
);

coded!(
    /// Which waiting clock runs.
    Pathway {
        /// Referral to treatment: 18, 52, 65, 78, 104 weeks.
        Rtt = "RTT",
        /// Diagnostics: 6 and 13 weeks.
        Dm01 = "DM01",
        /// Cancer: 28, 31 and 62 days.
        Cancer = "CANCER",
    }
);

coded!(
    /// The discharge pathway of someone who could leave.
    DischargePathway {
        /// Home without support.
        P0 = "P0",
        /// Home with support.
        P1 = "P1",
        /// Rehabilitation in a bed.
        P2 = "P2",
        /// Long-term care.
        P3 = "P3",
    }
);

coded!(
    /// Where a need is in its lifecycle.
    NeedState {
        /// Looking for an offer.
        Open = "OPEN",
        /// Units of it are proposed, none agreed.
        Proposed = "PROPOSED",
        /// Some units are agreed.
        PartAgreed = "PART_AGREED",
        /// All units are agreed.
        Agreed = "AGREED",
        /// All units have arrived.
        Met = "MET",
        /// Parked until a review.
        OnHold = "ON_HOLD",
        /// The home trust took it back.
        Withdrawn = "WITHDRAWN",
        /// Nobody answered for it any more.
        Expired = "EXPIRED",
        /// Its needed-by passed without help.
        Unmet = "UNMET",
        /// It was resolved outside Fallow.
        ResolvedOutside = "RESOLVED_OUTSIDE",
    }
);

impl NeedState {
    /// Says whether the need has ended for good.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Open | Self::Proposed | Self::PartAgreed | Self::Agreed | Self::OnHold => false,
            Self::Met | Self::Withdrawn | Self::Expired | Self::Unmet | Self::ResolvedOutside => true,
        }
    }

    /// Says whether the engine may look for offers for it.
    #[must_use]
    pub const fn takes_part(self) -> bool {
        match self {
            Self::Open | Self::Proposed | Self::PartAgreed => true,
            Self::Agreed
            | Self::Met
            | Self::OnHold
            | Self::Withdrawn
            | Self::Expired
            | Self::Unmet
            | Self::ResolvedOutside => false,
        }
    }
}
