//! Proposals: the engine's suggestion, held until both trusts have answered.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::calendar::reminders;
use crate::campaign::Block;
use crate::ids::{Label, NeedId, Note, OfferId, ProposalId, TrustCode};
use crate::lent::LentTeam;
use crate::lifecycle::proposal::AnswerState;
use crate::matching::explanation::Explanation;
use crate::quantity::Count;
use crate::region::FromHome;
use crate::resource::coded;

/// The engine's suggestion: this need, that offer, these units, held until a time, with an explanation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// The need to be served.
    pub need: NeedId,
    /// The offer that would serve it.
    pub offer: OfferId,
    /// The trust that has the need.
    pub home_trust: TrustCode,
    /// The trust whose offer is used.
    pub supporting_trust: TrustCode,
    /// The block that it is a part of, as the offer said when it was proposed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<Block>,
    /// Units of the need: beds, slots or cases; at least 1.
    pub units: Count,
    /// Units of the offer's account that are held: equal to `units`, or minutes for a theatre.
    pub minutes_or_units_held: Count,
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// When the hold lapses: at this time the proposal is dead, even before that is committed.
    pub held_until: Timestamp,
    /// When the hold was first to lapse, where it has been extended since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_held_until: Option<Timestamp>,
    /// Times that are not worked out from the hold, where there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Box<Schedule>>,
    /// The supporting trust's side.
    pub supporting: Side<SupportingDecline>,
    /// The home trust's side.
    pub home: Side<HomeDecline>,
    /// The team that comes to the session, where it has none of its own, and its trust's side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<Box<LentTeam>>,
    /// How far from home the offered place is for the patient, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_home: Option<FromHome>,
    /// The authority's side.
    pub authority: Authority,
    /// Why this proposal was made.
    pub explanation: Explanation,
    /// Where it is in its lifecycle.
    pub state: ProposalState,
    /// Why it ended, for people, where a person or a rule said so (a bypass, a withdrawn offer).
    #[serde(default, skip_serializing_if = "Note::is_empty")]
    pub ended_because: Note,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// The need's and the offer's generation when it was proposed.
    pub generations: Generations,
}

impl Proposal {
    /// Says whether any trust has given any answer.
    #[must_use]
    pub fn is_answered(&self) -> bool {
        self.answers().any(|answer| answer != AnswerState::Pending)
    }

    /// Returns when to remind a trust that has not answered, the first first. More time is no reason to remind later: these
    /// times never change.
    #[must_use]
    pub fn reminders(&self) -> [Timestamp; 2] {
        let by_clock = || reminders(self.proposed_at, self.first_held_until.unwrap_or(self.held_until));
        self.schedule.as_ref().and_then(|set| set.remind_at).unwrap_or_else(by_clock)
    }

    /// Returns how many of its reminders are past at a time while it is held; 0 once it has ended.
    #[must_use]
    pub fn reminded(&self, at: Timestamp) -> usize {
        if self.state.is_ended() { 0 } else { self.reminders().iter().filter(|due| **due <= at).count() }
    }

    /// Returns when the first standing agreement ends by which a side has answered; the hold ends with it.
    pub(crate) fn hold_at_most(&self) -> Option<Timestamp> {
        self.schedule.as_ref().and_then(|schedule| schedule.hold_at_most)
    }

    /// Gives the hold more time.
    pub(crate) fn hold_until(&mut self, until: Timestamp) {
        self.first_held_until.get_or_insert(self.held_until);
        self.held_until = until;
    }

    /// Says whether it waits for the answer of a trust. A provisional yes still waits for the real one.
    #[must_use]
    pub fn waits_for(&self, trust: TrustCode) -> bool {
        let is_open = |state: AnswerState| match state {
            AnswerState::Pending | AnswerState::Provisional => true,
            AnswerState::Accepted | AnswerState::Declined => false,
        };
        let third = self.team.as_ref().filter(|team| team.trust == trust).and_then(|team| team.side.as_ref());
        self.state == ProposalState::Held
            && ((trust == self.supporting_trust && is_open(self.supporting.answer.state()))
                || (trust == self.home_trust && is_open(self.home.answer.state()))
                || third.is_some_and(|side| is_open(side.answer.state())))
    }
}

/// Times of a proposal that are not worked out from its hold.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// When to remind whoever has not answered, where the hold is in working time; otherwise the clock says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_at: Option<[Timestamp; 2]>,
    /// When the standing agreement ends by which the supporting trust has answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreed_until: Option<Timestamp>,
    /// When the first standing agreement ends by which any side has answered: no extension goes beyond it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold_at_most: Option<Timestamp>,
}

impl Schedule {
    /// Returns it where it says anything.
    pub(crate) fn kept(self) -> Option<Box<Self>> {
        (self != Self::default()).then(|| Box::new(self))
    }
}

/// The generations of a need and an offer (see [`crate::offer::Offer::generation`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Generations {
    /// The need's.
    pub need: u32,
    /// The offer's.
    pub offer: u32,
}

/// One trust's side of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side<Code> {
    /// What it answered.
    pub answer: Answer<Code>,
    /// When; `None` while pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Who answered; `None` while pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<Actor>,
    /// Who proposed the answer, where two people gave it for a trust that could not: `by` is who confirmed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub with: Option<Actor>,
    /// The standing agreement by which it was answered, where that was so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agreement: Option<Label>,
    /// A remark given with the answer.
    #[serde(default, skip_serializing_if = "Note::is_empty")]
    pub note: Note,
    /// Whether this side has extended the hold, which it may once; a provisional yes counts.
    #[serde(default)]
    pub extended: bool,
}

impl<Code> Side<Code> {
    /// Says whether this side has said yes for good.
    #[must_use]
    pub fn is_yes(&self) -> bool {
        matches!(self.answer, Answer::Accepted)
    }

    /// Returns everybody who gave the answer: one person, or two for a trust that could not.
    pub fn people(&self) -> impl Iterator<Item = &Actor> {
        self.by.iter().chain(&self.with)
    }

    /// Makes a side that has not answered.
    #[must_use]
    pub fn pending() -> Self {
        Self {
            answer: Answer::Pending,
            at: None,
            by: None,
            with: None,
            agreement: None,
            note: Note::default(),
            extended: false,
        }
    }
}

impl<Code> Answer<Code> {
    /// Returns the answer without its code.
    #[must_use]
    pub const fn state(&self) -> AnswerState {
        match self {
            Self::Pending => AnswerState::Pending,
            Self::Provisional => AnswerState::Provisional,
            Self::Accepted => AnswerState::Accepted,
            Self::Declined(_) => AnswerState::Declined,
        }
    }
}

/// What a trust answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Answer<Code> {
    /// Nothing yet.
    Pending,
    /// Yes, subject to a check; only the supporting trust says so.
    Provisional,
    /// Yes.
    Accepted,
    /// No, with a code.
    Declined(Code),
}

coded!(
    /// Why a supporting trust declines.
    SupportingDecline {
        /// The capacity is no longer there.
        CapacityChanged = "CAPACITY_CHANGED",
        /// Staff are missing.
        Staffing = "STAFFING",
        /// The case does not suit.
        CaseMix = "CASE_MIX",
        /// Equipment is missing.
        Equipment = "EQUIPMENT",
        /// Infection control.
        InfectionControl = "INFECTION_CONTROL",
        /// Funding is not settled.
        Finance = "FINANCE",
        /// Something else.
        Other = "OTHER",
    }
);

coded!(
    /// Why a home trust declines.
    HomeDecline {
        /// The patient does not want it.
        PatientDeclined = "PATIENT_DECLINED",
        /// The patient is not fit to move.
        NotFit = "NOT_FIT",
        /// Treated elsewhere.
        TreatedElsewhere = "TREATED_ELSEWHERE",
        /// Too far for the patient.
        TooFarForPatient = "TOO_FAR_FOR_PATIENT",
        /// No transport.
        NoTransport = "NO_TRANSPORT",
        /// Something else.
        Other = "OTHER",
    }
);

/// The side of whoever must approve above the two trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Authority {
    /// Nobody must.
    NotNeeded,
    /// Somebody in this role must.
    Pending {
        /// The role that may approve.
        role: crate::actor::Role,
    },
    /// Approved.
    Approved {
        /// By whom.
        by: Actor,
        /// When.
        at: Timestamp,
    },
    /// Refused.
    Refused {
        /// By whom.
        by: Actor,
        /// When.
        at: Timestamp,
        /// Why.
        because: Note,
    },
}

coded!(
    /// Where a proposal is in its lifecycle.
    ProposalState {
        /// Collecting answers.
        Held = "HELD",
        /// Both trusts (and the authority, where needed) said yes: there is a transfer.
        Confirmed = "CONFIRMED",
        /// Somebody said no.
        Declined = "DECLINED",
        /// The hold ran out.
        Lapsed = "LAPSED",
        /// The engine replaced it before anybody answered.
        Superseded = "SUPERSEDED",
        /// The need was taken back.
        Withdrawn = "WITHDRAWN",
        /// Gold set it aside, with a reason.
        Bypassed = "BYPASSED",
    }
);

impl ProposalState {
    /// Says whether the proposal has ended.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Held => false,
            Self::Confirmed
            | Self::Declined
            | Self::Lapsed
            | Self::Superseded
            | Self::Withdrawn
            | Self::Bypassed => true,
        }
    }
}
