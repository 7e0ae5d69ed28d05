//! Coded values: which number of the wire is which value of the domain.

use fallow_domain::action::{ActionState, OverrideReason};
use fallow_domain::monitor::happened::Sort;
use fallow_domain::monitor::kept::AlertState;
use fallow_domain::need::{DischargePathway, NeedState, Pathway, Priority, Scope, TransferReason};
use fallow_domain::offer::{Freshness, OfferState, Sex, Source};
use fallow_domain::proposal::{HomeDecline, ProposalState, SupportingDecline};
use fallow_domain::reason::NotUsed;
use fallow_domain::region::{CollaborativeKind, Mode, SiteKind};
use fallow_domain::resource::{LevelScheme, ResourceKind};
use fallow_domain::transfer::{AbortCode, TransferState};

use crate::v1;

/// A coded value of the domain with its number on the wire.
pub trait Coded: Copy + Sized {
    /// Returns the value of a number, or `None` when there is no such value or the wire's "unspecified".
    fn from_wire(number: i32) -> Option<Self>;
    /// Returns the number.
    fn to_wire(self) -> i32;
    /// Returns every value by its fixed text, in order, for messages.
    fn list() -> String;
}

/// Pairs the two enums; both matches are exhaustive, so that a value added on one side does not compile until it is
/// paired. Values of the wire that are no values of this enum stand after `but`.
macro_rules! paired {
    ($($domain:ident = $wire:path { $($theirs:ident = $ours:ident),+ $(,)? } $(but $($other:ident),+)?;)+) => {$(
        impl Coded for $domain {
            fn from_wire(number: i32) -> Option<Self> {
                use $wire as Wire;
                match Wire::try_from(number).ok()? {
                    $(Wire::$theirs => Some(Self::$ours),)+
                    Wire::Unspecified $($(| Wire::$other)+)? => None,
                }
            }

            fn to_wire(self) -> i32 {
                use $wire as Wire;
                i32::from(match self { $(Self::$ours => Wire::$theirs,)+ })
            }

            fn list() -> String {
                Self::ALL.iter().map(|value| value.as_str()).collect::<Vec<_>>().join(", ")
            }
        }
    )+};
}

paired! {
    ResourceKind = v1::ResourceKind {
        Bed = Bed, Theatre = Theatre, Diagnostic = Diagnostic, Staff = Staff, Equipment = Equipment,
        VirtualWard = VirtualWard,
    };
    LevelScheme = v1::LevelScheme { DataDictionary = DataDictionary, Ics = Ics };
    Priority = v1::Priority { P1a = P1A, P1b = P1B, P2 = P2, P3 = P3, P4 = P4 };
    Sex = v1::Sex { Female = Female, Male = Male };
    TransferReason = v1::TransferReason { Clinical = Clinical, Capacity = Capacity, Repatriation = Repatriation };
    Scope = v1::Scope {
        EpisodeOnly = EpisodeOnly, WholePathway = WholePathway, DiagnosticOnly = DiagnosticOnly,
        StaffToPatient = StaffToPatient,
    };
    Pathway = v1::Pathway { Rtt = Rtt, Dm01 = Dm01, Cancer = Cancer };
    DischargePathway = v1::DischargePathway { P0 = P0, P1 = P1, P2 = P2, P3 = P3 };
    Source = v1::Source { Feed = Feed, Sheet = Sheet, Person = Person, Adjustment = Adjustment };
    Freshness = v1::Freshness { Fresh = Fresh, Ageing = Ageing, Stale = Stale };
    Mode = v1::Mode { Routine = Routine, Incident = Incident };
    Sort = v1::TimelineKind {
        Decision = Decision, Alert = Alert, Feed = Feed, Transfer = Transfer, Region = Region, Pressure = Pressure,
        Need = Need,
    };
    OverrideReason = v1::OverrideReason {
        SystemsDown = SystemsDown, CyberIncident = CyberIncident, NobodyReachable = NobodyReachable,
        RiskToLife = RiskToLife,
    };
    ActionState = v1::action::State { Proposed = Proposed, Confirmed = Confirmed, Expired = Expired, Refused = Refused };
    AlertState = v1::alert::State { Raised = Raised, Taken = Taken, Closed = Closed };
    OfferState = v1::offer::State {
        Open = Open, Suspended = Suspended, Closed = Closed, Withdrawn = Withdrawn, Expired = Expired,
    };
    NeedState = v1::need::State {
        Open = Open, Proposed = Proposed, PartAgreed = PartAgreed, Agreed = Agreed, Met = Met, OnHold = OnHold,
        Withdrawn = Withdrawn, Expired = Expired, Unmet = Unmet, ResolvedOutside = ResolvedOutside,
    };
    ProposalState = v1::proposal::State {
        Held = Held, Confirmed = Confirmed, Declined = Declined, Lapsed = Lapsed, Superseded = Superseded,
        Withdrawn = Withdrawn, Bypassed = Bypassed,
    };
    TransferState = v1::transfer::State {
        Planned = Planned, Ready = Ready, InTransit = InTransit, Arrived = Arrived, Completed = Completed,
        RepatriationDue = RepatriationDue, Repatriating = Repatriating, Repatriated = Repatriated,
        Deployed = Deployed, Extended = Extended, Returned = Returned, Aborted = Aborted,
    };
    SupportingDecline = v1::DeclineReason {
        CapacityChanged = CapacityChanged, Staffing = Staffing, CaseMix = CaseMix, Equipment = Equipment,
        InfectionControl = InfectionControl, Finance = Finance, Other = Other,
    } but PatientDeclined, NotFit, TreatedElsewhere, TooFarForPatient, NoTransport, NoAnswer;
    HomeDecline = v1::DeclineReason {
        PatientDeclined = PatientDeclined, NotFit = NotFit, TreatedElsewhere = TreatedElsewhere,
        TooFarForPatient = TooFarForPatient, NoTransport = NoTransport, Other = Other,
    } but CapacityChanged, Staffing, CaseMix, Equipment, InfectionControl, Finance, NoAnswer;
    AbortCode = v1::DeclineReason {
        CapacityChanged = CapacityChanged, PatientDeclined = PatientDeclined, NotFit = NotFit,
        TreatedElsewhere = TreatedElsewhere, NoTransport = NoTransport, Other = Other,
    } but Staffing, CaseMix, Equipment, InfectionControl, Finance, TooFarForPatient, NoAnswer;
    NotUsed = v1::Objection {
        SameTrust = SameTrust, NoAgreement = NoAgreement, WrongResource = WrongResource,
        SpecialtyMismatch = SpecialtyMismatch, CapabilityMissing = CapabilityMissing, Isolation = Isolation,
        CareLevel = CareLevel, SecurityLevel = SecurityLevel, AgeOrSex = AgeOrSex, BmiOrAsaLimit = BmiOrAsaLimit,
        TooFar = TooFar, TooLate = TooLate, TooEarly = TooEarly, TooShort = TooShort, TeamMissing = TeamMissing,
        Stale = Stale, Suspended = Suspended, TrustUnderPressure = TrustUnderPressure,
        BelowReserve = BelowReserve, DeclinedBefore = DeclinedBefore, HeldForAnother = HeldForAnother,
        LostToHigherPriority = LostToHigherPriority, CheaperElsewhere = CheaperElsewhere, RingFenced = RingFenced,
    };
    SiteKind = v1::site::Kind {
        Hospital = Hospital, SurgicalHub = SurgicalHub, CommunityDiagnosticCentre = CommunityDiagnosticCentre,
        MentalHealthUnit = MentalHealthUnit, CommunityHospital = CommunityHospital,
    };
    CollaborativeKind = v1::collaborative::Kind {
        Acute = Acute, Mhlda = Mhlda, Mixed = Mixed, Community = Community, Network = Network,
    };
}

/// Returns the number of a value that may be absent; absent is the wire's "unspecified".
#[must_use]
pub fn or_unspecified<D: Coded>(value: Option<D>) -> i32 {
    value.map_or(0, D::to_wire)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Enumeration;

    /// Every value comes back, and its fixed text is the short name in Fallow JSON.
    fn check<D: Coded + PartialEq + std::fmt::Debug + 'static, W: Enumeration>(
        all: &[D],
        text: impl Fn(D) -> &'static str,
    ) {
        for value in all {
            assert_eq!(D::from_wire(value.to_wire()), Some(*value));
            assert_eq!(W::short_name(value.to_wire()), Some(text(*value)), "{value:?}");
        }
        assert_eq!(D::from_wire(0), None);
        assert_eq!(D::from_wire(99), None);
    }

    #[test]
    fn every_value_comes_back_under_the_same_name() {
        check::<_, v1::ResourceKind>(ResourceKind::ALL, ResourceKind::as_str);
        check::<_, v1::LevelScheme>(LevelScheme::ALL, LevelScheme::as_str);
        check::<_, v1::Priority>(Priority::ALL, Priority::as_str);
        check::<_, v1::Sex>(Sex::ALL, Sex::as_str);
        check::<_, v1::TransferReason>(TransferReason::ALL, TransferReason::as_str);
        check::<_, v1::Scope>(Scope::ALL, Scope::as_str);
        check::<_, v1::Pathway>(Pathway::ALL, Pathway::as_str);
        check::<_, v1::DischargePathway>(DischargePathway::ALL, DischargePathway::as_str);
        check::<_, v1::Source>(Source::ALL, Source::as_str);
        check::<_, v1::Freshness>(Freshness::ALL, Freshness::as_str);
        check::<_, v1::Mode>(Mode::ALL, Mode::as_str);
        check::<_, v1::offer::State>(OfferState::ALL, OfferState::as_str);
        check::<_, v1::need::State>(NeedState::ALL, NeedState::as_str);
        check::<_, v1::proposal::State>(ProposalState::ALL, ProposalState::as_str);
        check::<_, v1::transfer::State>(TransferState::ALL, TransferState::as_str);
        check::<_, v1::DeclineReason>(SupportingDecline::ALL, SupportingDecline::as_str);
        check::<_, v1::DeclineReason>(HomeDecline::ALL, HomeDecline::as_str);
        check::<_, v1::DeclineReason>(AbortCode::ALL, AbortCode::as_str);
        check::<_, v1::Objection>(NotUsed::ALL, NotUsed::as_str);
        check::<_, v1::site::Kind>(SiteKind::ALL, SiteKind::as_str);
        check::<_, v1::collaborative::Kind>(CollaborativeKind::ALL, CollaborativeKind::as_str);
    }
}
