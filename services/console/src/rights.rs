//! What a viewer may do, by the table of rights that the services go by: a page shows no button that would be refused, and
//! says instead who may press it.

use fallow_domain::actor::Role;
use fallow_host::rights::{Call, Grant};

use crate::words::codes;

/// The call that the form or page of an address makes, for those that not everybody who sees the page may use.
const CALLS: &[(&str, &str)] = &[
    ("/capacity/offer", "CapacityService/PublishOffer"),
    ("/capacity/offer/change", "CapacityService/PublishOffer"),
    ("/capacity/free", "CapacityService/AdjustOffer"),
    ("/capacity/still-true", "CapacityService/ConfirmOffers"),
    ("/capacity/suspend", "CapacityService/SuspendOffers"),
    ("/capacity/resume", "CapacityService/ResumeOffers"),
    ("/capacity/withdraw", "CapacityService/WithdrawOffer"),
    ("/capacity/reserve", "CapacityService/SetReserve"),
    ("/capacity/opel", "CapacityService/DeclarePressure"),
    ("/needs/new", "DemandService/RaiseNeed"),
    ("/needs/widen", "DemandService/AmendNeed"),
    ("/needs/later", "DemandService/AmendNeed"),
    ("/needs/ask", "CapacityService/AskToConfirm"),
    ("/needs/park", "DemandService/ParkNeed"),
    ("/needs/resume", "DemandService/ResumeNeed"),
    ("/needs/withdraw", "DemandService/WithdrawNeed"),
    ("/needs/resolve", "DemandService/ResolveNeedOutside"),
    ("/needs/stands", "DemandService/ValidateNeed"),
    ("/needs/ask-stands", "DemandService/AskToValidate"),
    ("/needs/cohort/amend", "DemandService/AmendCohort"),
    ("/needs/cohort/withdraw", "DemandService/WithdrawCohort"),
    ("/proposals/answer", "MatchingService/AnswerProposal"),
    ("/proposals/answer-block", "MatchingService/AnswerCampaign"),
    ("/proposals/undo", "MatchingService/RetractAnswer"),
    ("/proposals/extend", "MatchingService/ExtendHold"),
    ("/transfers/advance", "MatchingService/AdvanceTransfer"),
    ("/transfers/extend", "MatchingService/ExtendTransfer"),
    ("/transfers/abort", "MatchingService/AbortTransfer"),
    ("/transfers/resolve", "DemandService/ResolveNeedOutside"),
    ("/situation/mode", "MonitorService/SetMode"),
    ("/situation/ask", "CapacityService/AskToConfirm"),
    ("/approvals/approve", "MatchingService/ApproveProposal"),
    ("/approvals/refuse", "MatchingService/ApproveProposal"),
    ("/alerts/take", "MonitorService/TakeAlert"),
    ("/alerts/close", "MonitorService/CloseAlert"),
    ("/timeline/decision", "MonitorService/RecordDecision"),
    ("/sitrep/sign", "MonitorService/SignOffSitrep"),
    ("/actions/confirm", "MonitorService/ConfirmAction"),
    ("/actions/refuse", "MonitorService/RefuseAction"),
    ("/actions/review", "MonitorService/ReviewAction"),
    ("/actions/bypass", "MatchingService/BypassProposal"),
    ("/actions/glass", "MonitorService/ProposeAction"),
    ("/actions/region", "MonitorService/ProposeAction"),
    ("/upload", "CapacityService/PublishOffer"),
    ("/needs", "DemandService/ListNeeds"),
    ("/transfers", "MatchingService/ListTransfers"),
    ("/situation", "MonitorService/GetSituation"),
    ("/alerts", "MonitorService/ListAlerts"),
    ("/reports", "MonitorService/GetReport"),
    ("/trends", "MonitorService/GetTrend"),
    ("/timeline", "MonitorService/ListTimeline"),
    ("/approvals", "MatchingService/ListProposals"),
    ("/actions", "MonitorService/ListActions"),
    ("/sitrep", "MonitorService/GetSitrep"),
    ("/what-if", "MatchingService/Simulate"),
    ("/wall", "MonitorService/GetSituation"),
    ("/wall/display", "MonitorService/GetSituation"),
];

/// Programs, which sign in to no page.
const PROGRAMS: [Role; 3] = [Role::TrustSystem, Role::Engine, Role::Console];

/// What a role may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Rights(Option<Role>);

impl Rights {
    /// Returns the rights of a role, as the credential has it; an unknown one has none.
    pub(crate) fn of(role: &str) -> Self {
        Self(Role::ALL.iter().copied().find(|one| one.as_str() == role))
    }

    /// Says whether what an address does may be granted to the role. Of which records, the services say.
    pub(crate) fn may(self, address: &str) -> bool {
        self.grant(address) != Grant::Never
    }

    fn grant(self, address: &str) -> Grant {
        self.0.zip(call_of(address)).map_or(Grant::Never, |(role, call)| call.grant(role))
    }
}

fn call_of(address: &str) -> Option<&'static Call> {
    let (_, name) = CALLS.iter().find(|(known, _)| *known == address)?;
    Call::find(&format!("/fallow.v1.{name}"))
}

/// Returns the people who may do what an address does: `Bed managers and site leads`.
pub(crate) fn who_may(address: &str) -> String {
    let call = call_of(address);
    let may = |role: &&Role| {
        !PROGRAMS.contains(role) && call.is_some_and(|call| call.grant(**role) != Grant::Never)
    };
    let names: Vec<String> = Role::ALL
        .iter()
        .filter(may)
        .map(|role| format!("{}s", codes::role(role.as_str()).to_lowercase()))
        .collect();
    let text = match names.as_slice() {
        [] => "nobody".to_owned(),
        [one] => one.clone(),
        [all @ .., last] => format!("{} and {last}", all.join(", ")),
    };
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_address_names_a_call_of_the_contract() {
        for (address, name) in CALLS {
            assert!(call_of(address).is_some(), "{address}: {name}");
        }
        assert_eq!(Rights::of("bed_manager").grant("/nowhere"), Grant::Never);
    }

    #[test]
    fn who_looks_and_who_acts_are_told_apart() {
        for (role, acts) in
            [("bed_manager", true), ("site_lead", true), ("coordinator", false), ("lead_provider", false)]
        {
            let rights = Rights::of(role);
            let own = ["/proposals/answer", "/capacity/offer", "/needs/new", "/transfers/advance"];
            assert_eq!(own.map(|address| rights.may(address)), [acts; 4], "{role}");
            assert!(rights.may("/needs/ask") && rights.may("/situation"), "{role}");
        }
        assert!(!Rights::of("auditor").may("/situation") && !Rights::of("wizard").may("/situation"));
        assert_eq!(who_may("/proposals/answer"), "Bed managers and site leads");
    }
}
