//! The table itself. A row reads: call, class, what it does, largest message, and a letter for each role; then the
//! assurance that it needs of a person, where that is more than every sign-in has.

use super::{Call, Class, Grant};
use Class::{Answer, Need, Publish, Read, Steer, Watch};
use Effect::{Changes, Opens, Reads, Shows};
use Grant::{Any as A, Never as N, Own as O, Shared as S};

use crate::identity::Assurance;

/// Largest message of most calls, in bytes.
const USUAL: usize = 64 * 1024;
/// Largest whole state of a site, in bytes.
const SITE_STATE: usize = 1024 * 1024;
/// Largest action of two people, in bytes: one that carries a region file.
const ACTION: usize = 544 * 1024;
/// Largest region file, in bytes.
const REGION_FILE: usize = 4 * 1024 * 1024;

enum Effect {
    Reads,
    Changes,
    /// Changes, and is open to callers without a credential.
    Opens,
    /// Reads, and is open to callers without a credential.
    Shows,
}

const fn row(
    path: &'static str,
    class: Class,
    effect: Effect,
    message_bytes_max: usize,
    grants: [Grant; 11],
) -> Call {
    let (changes, open) = match effect {
        Effect::Reads => (false, false),
        Effect::Changes => (true, false),
        Effect::Opens => (true, true),
        Effect::Shows => (false, true),
    };
    Call { path, class, changes, open, message_bytes_max, assurance: None, grants }
}

impl Call {
    /// Returns the same row, for persons alone of whom one is as sure as that.
    const fn needing(self, least: Assurance) -> Self {
        Self { assurance: Some(least), ..self }
    }
}

/// Every call of the contract, in its order. Columns: TS trust system, BM bed manager, SL site lead, CO coordinator,
/// IC integrated care board, LP lead provider, EN engine, CN console, GO gold, AU auditor, PA platform admin.
#[rustfmt::skip]
pub const CALLS: &[Call] = &[
    // CapacityService
    row("/fallow.v1.CapacityService/PublishOffer", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/ReplaceOffers", Publish, Changes, SITE_STATE, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/StreamOffers", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/AdjustOffer", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/ConfirmOffers", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/SuspendOffers", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/ResumeOffers", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/WithdrawOffer", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/SetReserve", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/DeclarePressure", Publish, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.CapacityService/AskToConfirm", Steer, Changes, USUAL, [N, O, O, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.CapacityService/GetOffer", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.CapacityService/ListOffers", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.CapacityService/WatchOffers", Watch, Reads, USUAL, [S, S, S, S, A, S, A, A, A, N, N]),
    // DemandService
    row("/fallow.v1.DemandService/RaiseNeed", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/RaiseNeeds", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/AmendNeed", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/ParkNeed", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/ResumeNeed", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/WithdrawNeed", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/ResolveNeedOutside", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/AmendCohort", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/WithdrawCohort", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/AskToValidate", Steer, Changes, USUAL, [N, O, O, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.DemandService/ValidateNeed", Need, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.DemandService/GetNeed", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.DemandService/ListNeeds", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.DemandService/WatchNeeds", Watch, Reads, USUAL, [S, S, S, S, A, S, A, A, A, N, N]),
    // MatchingService
    row("/fallow.v1.MatchingService/ListProposals", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.MatchingService/GetProposal", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.MatchingService/WatchProposals", Watch, Reads, USUAL, [S, S, S, S, A, S, A, A, A, N, N]),
    row("/fallow.v1.MatchingService/AnswerProposal", Answer, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.MatchingService/RetractAnswer", Answer, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.MatchingService/ApproveProposal", Answer, Changes, USUAL, [N, N, O, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MatchingService/ExtendHold", Answer, Changes, USUAL, [N, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.MatchingService/BypassProposal", Answer, Changes, USUAL, [N, N, N, N, N, N, N, N, A, N, N]).needing(Assurance::Three),
    row("/fallow.v1.MatchingService/ListCampaigns", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.MatchingService/GetCampaign", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.MatchingService/AnswerCampaign", Answer, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.MatchingService/ExplainNeed", Read, Reads, USUAL, [O, O, O, O, A, O, N, N, A, N, N]),
    row("/fallow.v1.MatchingService/Simulate", Read, Reads, USUAL, [N, S, S, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MatchingService/ListTransfers", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.MatchingService/GetTransfer", Read, Reads, USUAL, [S, S, S, S, A, S, A, N, A, N, N]),
    row("/fallow.v1.MatchingService/WatchTransfers", Watch, Reads, USUAL, [S, S, S, S, A, S, A, A, A, N, N]),
    row("/fallow.v1.MatchingService/AdvanceTransfer", Answer, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.MatchingService/AbortTransfer", Answer, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.MatchingService/ExtendTransfer", Answer, Changes, USUAL, [O, O, O, N, N, N, N, N, N, N, N]),
    // MonitorService
    row("/fallow.v1.MonitorService/GetSituation", Read, Reads, USUAL, [S, S, S, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/WatchSituation", Watch, Reads, USUAL, [S, S, S, S, A, S, N, A, A, N, N]),
    row("/fallow.v1.MonitorService/ListAlerts", Read, Reads, USUAL, [S, S, S, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/TakeAlert", Steer, Changes, USUAL, [N, O, O, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/CloseAlert", Steer, Changes, USUAL, [N, O, O, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/WatchAlerts", Watch, Reads, USUAL, [S, S, S, S, A, S, N, A, A, N, N]),
    row("/fallow.v1.MonitorService/GetTrend", Read, Reads, USUAL, [S, S, S, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/GetReport", Read, Reads, USUAL, [S, S, S, S, A, S, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/ListTimeline", Read, Reads, USUAL, [S, S, S, S, A, S, N, N, A, A, N]),
    row("/fallow.v1.MonitorService/WatchTimeline", Watch, Reads, USUAL, [S, S, S, S, A, S, N, A, A, A, N]),
    row("/fallow.v1.MonitorService/RecordDecision", Steer, Changes, USUAL, [N, N, N, N, N, N, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/SetMode", Steer, Changes, USUAL, [N, N, N, N, N, N, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/GetSitrep", Read, Reads, USUAL, [N, S, S, S, A, S, N, N, A, A, N]),
    row("/fallow.v1.MonitorService/SignOffSitrep", Steer, Changes, USUAL, [N, N, N, N, N, N, N, N, A, N, N]),
    row("/fallow.v1.MonitorService/ApplyRegion", Steer, Changes, REGION_FILE, [N, N, N, N, N, N, N, N, N, N, A]).needing(Assurance::Three),
    row("/fallow.v1.MonitorService/GetRegion", Read, Reads, USUAL, [A, A, A, A, A, A, A, N, A, A, A]),
    row("/fallow.v1.MonitorService/ProposeAction", Steer, Changes, ACTION, [N, N, O, S, A, S, N, N, A, N, A]).needing(Assurance::Three),
    row("/fallow.v1.MonitorService/ConfirmAction", Steer, Changes, USUAL, [N, N, O, S, A, S, N, N, A, N, A]).needing(Assurance::Three),
    row("/fallow.v1.MonitorService/RefuseAction", Steer, Changes, USUAL, [N, N, O, S, A, S, N, N, A, N, A]).needing(Assurance::Three),
    row("/fallow.v1.MonitorService/ReviewAction", Steer, Changes, USUAL, [N, N, O, S, A, S, N, N, A, N, N]).needing(Assurance::Three),
    row("/fallow.v1.MonitorService/GetAction", Read, Reads, USUAL, [S, S, S, S, A, S, N, N, A, A, A]),
    row("/fallow.v1.MonitorService/ListActions", Read, Reads, USUAL, [S, S, S, S, A, S, N, N, A, A, A]),
    row("/fallow.v1.MonitorService/WatchActions", Watch, Reads, USUAL, [S, S, S, S, A, S, N, N, A, A, A]),
    row("/fallow.v1.MonitorService/ListAudit", Read, Reads, USUAL, [O, N, O, N, N, N, N, N, A, A, A]),
    // IdentityService
    row("/fallow.v1.IdentityService/GetProvider", Read, Shows, USUAL, [N, N, N, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.IdentityService/ExchangeToken", Steer, Opens, USUAL, [N, N, N, N, N, N, N, N, N, N, N]),
    row("/fallow.v1.IdentityService/EndSession", Steer, Changes, USUAL, [A, A, A, A, A, A, A, N, A, A, A]),
    row("/fallow.v1.IdentityService/LogOut", Steer, Opens, USUAL, [N, N, N, N, N, N, N, N, N, N, N]),
];
