//! Transfers.

use fallow_domain::transfer::Transfer;

use super::codes::{Coded, or_unspecified};
use super::request::number_to_wire;
use super::resource;
use super::time::to_wire as time_to_wire;
use crate::v1;

/// Writes a transfer for the wire.
#[must_use]
pub fn to_wire(transfer: &Transfer, revision: u64) -> v1::Transfer {
    let minutes =
        if transfer.resource.kind.is_minutes() { transfer.minutes_or_units_committed.get() } else { 0 };
    v1::Transfer {
        id: transfer.id.to_string(),
        proposal: transfer.proposal.to_string(),
        need: transfer.need.to_string(),
        offer: transfer.offer.to_string(),
        home_trust: transfer.home_trust.to_string(),
        supporting_trust: transfer.supporting_trust.to_string(),
        resource: Some(resource::to_wire(&transfer.resource)),
        units: transfer.units.get().into(),
        minutes: minutes.into(),
        state: transfer.state.to_wire(),
        due_at: Some(time_to_wire(transfer.due_at)),
        transport: transfer.transport.as_ref().map(|transport| v1::Transport {
            kind: transport.kind.to_string(),
            provider: transport.provider.to_string(),
            booked: transport.booked,
        }),
        checklist: transfer
            .checklist
            .iter()
            .map(|item| v1::ChecklistItem {
                name: item.name.to_string(),
                done_at: item.done_at.map(time_to_wire),
                done_by: item.done_by.as_ref().map(|actor| actor.role.to_string()).unwrap_or_default(),
            })
            .collect(),
        return_plan: transfer.return_plan.as_ref().map(|plan| v1::ReturnPlan {
            due_at: plan.due_at.map(time_to_wire),
            note: plan.note.to_string(),
        }),
        abort_reason: or_unspecified(transfer.aborted),
        revision: number_to_wire(revision),
        from_site: transfer.from_site.to_string(),
        to_site: transfer.to_site.to_string(),
        agreed_at: Some(time_to_wire(transfer.agreed_at)),
        steps: transfer
            .steps
            .iter()
            .map(|step| v1::transfer::Step {
                state: step.state.to_wire(),
                at: Some(time_to_wire(step.at)),
                role: step.by.role.to_string(),
                trust: step.by.trust.map(|trust| trust.to_string()).unwrap_or_default(),
            })
            .collect(),
        note: transfer.note.to_string(),
        team: transfer.team.as_ref().map(|team| v1::TeamOnTheWay {
            offer: team.offer.to_string(),
            trust: team.trust.to_string(),
            units: team.units.get().into(),
        }),
        reason: transfer.reason.to_wire(),
        from_home: transfer.from_home.map(super::need::from_home_to_wire),
        away_since: transfer.away().map(|(since, _)| time_to_wire(since)),
        away_until: transfer.away().and_then(|(_, until)| until).map(time_to_wire),
    }
}
