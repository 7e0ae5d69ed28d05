//! Transfers: what follows when both trusts said yes.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::actor::Actor;
use crate::ids::{Label, NeedId, Note, OfferId, ProposalId, SiteCode, TransferId, TrustCode};
use crate::lent::TeamOnTheWay;
use crate::need::TransferReason;
use crate::quantity::Count;
use crate::region::FromHome;
use crate::resource::{Resource, coded};

/// What follows when both trusts said yes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transfer {
    /// Its id.
    pub id: TransferId,
    /// The proposal it came from.
    pub proposal: ProposalId,
    /// The need it serves.
    pub need: NeedId,
    /// The offer it uses.
    pub offer: OfferId,
    /// The trust that has the need.
    pub home_trust: TrustCode,
    /// The trust whose offer is used.
    pub supporting_trust: TrustCode,
    /// Where it starts: the need's site for a patient, the offer's for staff or an item.
    pub from_site: SiteCode,
    /// Where it goes: the offer's site for a patient, the need's for staff or an item.
    pub to_site: SiteCode,
    /// What is used.
    pub resource: Resource,
    /// Units of the need.
    pub units: Count,
    /// Units of the offer's account that are committed: equal to `units`, or minutes for a theatre.
    pub minutes_or_units_committed: Count,
    /// The team that comes to the session, where it has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub team: Option<TeamOnTheWay>,
    /// Why it moves.
    #[serde(default = "for_capacity")]
    pub reason: TransferReason,
    /// How far from home the patient is where it goes, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from_home: Option<FromHome>,
    /// Deprivation decile of the patient's area, 1 the most deprived, as the need said; `None` = unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub imd_decile: Option<u8>,
    /// Where it is in its lifecycle.
    pub state: TransferState,
    /// When it was agreed.
    pub agreed_at: Timestamp,
    /// When the next step is due.
    pub due_at: Timestamp,
    /// How the patient, staff or item travels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transport: Option<Transport>,
    /// What must be done before it moves.
    pub checklist: Vec<ChecklistItem>,
    /// How and when it ends where a return is planned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_plan: Option<ReturnPlan>,
    /// When the standing agreement ends by which staff or an item are lent: they stay longer only on the lender's own word.
    /// `None` where somebody said yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lent_until: Option<Timestamp>,
    /// Each step taken, oldest first; at most one per step of the lifecycle.
    pub steps: Vec<Step>,
    /// Why it was aborted, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub aborted: Option<AbortCode>,
    /// A remark for people.
    #[serde(default, skip_serializing_if = "Note::is_empty")]
    pub note: Note,
}

/// The reason of transfers that were agreed before transfers said why.
const fn for_capacity() -> TransferReason {
    TransferReason::Capacity
}

coded!(
    /// Where a transfer is in its lifecycle.
    TransferState {
        /// Agreed, being prepared.
        Planned = "PLANNED",
        /// Everything is ready.
        Ready = "READY",
        /// Under way.
        InTransit = "IN_TRANSIT",
        /// Arrived, as the receiving trust says.
        Arrived = "ARRIVED",
        /// Done.
        Completed = "COMPLETED",
        /// Due to go back.
        RepatriationDue = "REPATRIATION_DUE",
        /// On the way back.
        Repatriating = "REPATRIATING",
        /// Back.
        Repatriated = "REPATRIATED",
        /// Staff or an item are at work at the home trust.
        Deployed = "DEPLOYED",
        /// Their stay was extended.
        Extended = "EXTENDED",
        /// They are back.
        Returned = "RETURNED",
        /// Called off before arrival; the units were given back.
        Aborted = "ABORTED",
    }
);

impl Transfer {
    /// Returns since when the patient has been away from home by this transfer, and until when where that is over; `None`
    /// where nobody is, or the place is not out of area.
    #[must_use]
    pub fn away(&self) -> Option<(Timestamp, Option<Timestamp>)> {
        self.from_home.filter(|from| from.out_of_area)?;
        let entered = |state| self.steps.iter().find(|step| step.state == state).map(|step| step.at);
        Some((entered(TransferState::Arrived)?, entered(TransferState::Repatriated)))
    }

    /// Returns when what comes next is due: the arrival, and then the way back where a day for it is agreed. `None` where
    /// nothing is due: what has arrived is only to be closed.
    #[must_use]
    pub fn next_due(&self) -> Option<Timestamp> {
        match self.state {
            TransferState::Planned | TransferState::Ready | TransferState::InTransit => Some(self.due_at),
            TransferState::Completed
            | TransferState::RepatriationDue
            | TransferState::Repatriating
            | TransferState::Deployed
            | TransferState::Extended => self.return_plan.as_ref().and_then(|plan| plan.due_at),
            TransferState::Arrived
            | TransferState::Repatriated
            | TransferState::Returned
            | TransferState::Aborted => None,
        }
    }

    /// Says whether nothing more can happen, a planned return included.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.state.is_ended() || (self.state == TransferState::Completed && self.return_plan.is_none())
    }
}

impl TransferState {
    /// Says whether the units are agreed and not there yet, so that they stand as committed in the offer's account.
    #[must_use]
    pub const fn is_before_arrival(self) -> bool {
        match self {
            Self::Planned | Self::Ready | Self::InTransit => true,
            Self::Arrived
            | Self::Completed
            | Self::RepatriationDue
            | Self::Repatriating
            | Self::Repatriated
            | Self::Deployed
            | Self::Extended
            | Self::Returned
            | Self::Aborted => false,
        }
    }

    /// Says whether nothing more can happen.
    #[must_use]
    pub const fn is_ended(self) -> bool {
        match self {
            Self::Repatriated | Self::Returned | Self::Aborted => true,
            Self::Planned
            | Self::Ready
            | Self::InTransit
            | Self::Arrived
            | Self::Completed
            | Self::RepatriationDue
            | Self::Repatriating
            | Self::Deployed
            | Self::Extended => false,
        }
    }
}

coded!(
    /// Why a transfer is called off.
    AbortCode {
        /// The capacity is no longer there.
        CapacityChanged = "CAPACITY_CHANGED",
        /// The patient does not want it.
        PatientDeclined = "PATIENT_DECLINED",
        /// The patient is not fit to move.
        NotFit = "NOT_FIT",
        /// Treated elsewhere.
        TreatedElsewhere = "TREATED_ELSEWHERE",
        /// No transport.
        NoTransport = "NO_TRANSPORT",
        /// Something else.
        Other = "OTHER",
    }
);

/// How something travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Transport {
    /// What kind: ambulance, own, taxi.
    pub kind: Label,
    /// Who provides it.
    pub provider: Label,
    /// Whether it is booked.
    pub booked: bool,
}

/// One thing that must be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChecklistItem {
    /// What.
    pub name: Label,
    /// When it was done; `None` = not yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_at: Option<Timestamp>,
    /// Who did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub done_by: Option<Actor>,
}

/// How a stay ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReturnPlan {
    /// When the return is due; `None` = not yet known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// What was agreed, for people.
    pub note: Note,
}

/// One step taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// The state entered.
    pub state: TransferState,
    /// When.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
}
