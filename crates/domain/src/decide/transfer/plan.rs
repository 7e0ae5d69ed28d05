//! What follows from a confirmed proposal: who goes where, what must be done first, and how it ends.

use jiff::Timestamp;

use crate::ids::{Label, Note, TransferId};
use crate::lent::TeamOnTheWay;
use crate::lifecycle::transfer::is_lent;
use crate::need::{Need, Scope, TransferReason};
use crate::offer::Offer;
use crate::proposal::Proposal;
use crate::resource::ResourceKind;
use crate::transfer::{ChecklistItem, ReturnPlan, Transfer, TransferState};

/// Returns what must be done before something of a kind moves.
const fn checklist_of(kind: ResourceKind) -> &'static [&'static str] {
    match kind {
        ResourceKind::Bed => &[
            "Receiving clinician has accepted",
            "Handover and notes sent",
            "Transport booked",
            "Patient and family told",
        ],
        ResourceKind::Theatre => &[
            "Operating surgeon has accepted",
            "Pre-assessment and consent done",
            "Imaging and notes sent",
            "Patient told where and when",
        ],
        ResourceKind::Diagnostic => &["Referral and safety questions sent", "Patient told where and when"],
        ResourceKind::Staff => {
            &["Passport or honorary contract checked", "Shift lead named", "Travel agreed"]
        }
        ResourceKind::Equipment => &["Checked and cleaned", "Courier booked", "User training confirmed"],
        ResourceKind::VirtualWard => {
            &["Receiving clinician has accepted", "Monitoring kit arranged", "Patient and family told"]
        }
    }
}

/// What must be done beside that before a case goes to a session whose team comes from elsewhere.
const CHECK_OF_TEAM: &str = "Team told where and when";

/// Plans the transfer of a confirmed proposal.
pub(crate) fn plan(
    id: TransferId,
    proposal: &Proposal,
    need: &Need,
    offer: &Offer,
    at: Timestamp,
) -> Transfer {
    let is_lent = is_lent(offer.resource.kind);
    let is_by_agreement = is_lent && proposal.supporting.agreement.is_some();
    let schedule = proposal.schedule.as_ref().filter(|_| is_by_agreement);
    let lent_until = schedule.and_then(|schedule| schedule.agreed_until);
    let (from_site, to_site) = if is_lent { (offer.site, need.site) } else { (need.site, offer.site) };
    Transfer {
        id,
        proposal: proposal.id.clone(),
        need: need.id.clone(),
        offer: offer.id.clone(),
        home_trust: proposal.home_trust,
        supporting_trust: proposal.supporting_trust,
        from_site,
        to_site,
        resource: offer.resource.clone(),
        units: proposal.units,
        minutes_or_units_committed: proposal.minutes_or_units_held,
        team: proposal.team.as_ref().map(|team| TeamOnTheWay {
            offer: team.offer.clone(),
            trust: team.trust,
            units: team.units,
        }),
        reason: need.reason,
        from_home: proposal.from_home.filter(|_| !is_lent),
        imd_decile: need.imd_decile,
        state: TransferState::Planned,
        agreed_at: at,
        due_at: due_at(need, offer, at),
        transport: None,
        checklist: checklist_of(offer.resource.kind)
            .iter()
            .chain(proposal.team.as_ref().map(|_| &CHECK_OF_TEAM))
            .map(|name| ChecklistItem {
                name: Label::parse(name).unwrap_or_default(),
                done_at: None,
                done_by: None,
            })
            .collect(),
        return_plan: return_plan(need, offer, lent_until),
        lent_until,
        steps: Vec::new(),
        aborted: None,
        note: Note::default(),
    }
}

/// Returns when it must be there: at the start of a session or slot, else by the time it is needed and while the offer
/// lasts.
fn due_at(need: &Need, offer: &Offer, at: Timestamp) -> Timestamp {
    let last = need.needed_by.unwrap_or(offer.window.until).min(offer.window.until);
    let due =
        if offer.resource.kind.is_open_while_it_lasts() { last } else { offer.window.from.unwrap_or(last) };
    due.max(at)
}

/// Returns the return plan with which a transfer starts: staff and items come back when the offer ends, or the standing
/// agreement by which they were lent, a patient who
/// moved for one episode comes back on a day to be agreed, and nobody comes back who was brought home, whose whole
/// pathway moved, or who only had a test.
fn return_plan(need: &Need, offer: &Offer, lent_until: Option<Timestamp>) -> Option<ReturnPlan> {
    if is_lent(offer.resource.kind) {
        let ends = lent_until.map_or(offer.window.until, |until| until.min(offer.window.until));
        return Some(ReturnPlan { due_at: Some(ends), note: Note::default() });
    }
    let comes_back = match (need.reason, need.scope) {
        (TransferReason::Repatriation, _) => false,
        (TransferReason::Clinical | TransferReason::Capacity, Scope::EpisodeOnly) => {
            matches!(offer.resource.kind, ResourceKind::Bed)
        }
        (
            TransferReason::Clinical | TransferReason::Capacity,
            Scope::WholePathway | Scope::DiagnosticOnly | Scope::StaffToPatient,
        ) => false,
    };
    comes_back.then(|| ReturnPlan { due_at: None, note: Note::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_checklist_item_is_a_label() {
        for kind in ResourceKind::ALL {
            assert!(!checklist_of(*kind).is_empty());
            for name in checklist_of(*kind) {
                assert!(Label::parse(name).is_ok(), "{name}");
            }
        }
        assert!(Label::parse(CHECK_OF_TEAM).is_ok());
    }
}
