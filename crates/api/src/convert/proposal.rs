//! Proposals and their answers.

use fallow_domain::lent::LentTeam;
use fallow_domain::proposal::{Answer, Authority, Proposal, ProposalState, Side};
use fallow_domain::resource::ResourceKind;
use jiff::Timestamp;

use super::codes::Coded;
use super::explanation;
use super::request::number_to_wire;
use super::time::to_wire as time_to_wire;
use crate::v1;

/// Writes a proposal for the wire as it is at a time. `kind` is the offer's, which says whether minutes are held.
#[must_use]
pub fn to_wire(proposal: &Proposal, kind: ResourceKind, revision: u64, at: Timestamp) -> v1::Proposal {
    v1::Proposal {
        id: proposal.id.to_string(),
        need: proposal.need.to_string(),
        offer: proposal.offer.to_string(),
        home_trust: proposal.home_trust.to_string(),
        supporting_trust: proposal.supporting_trust.to_string(),
        units: proposal.units.get().into(),
        minutes: if kind.is_minutes() { proposal.minutes_or_units_held.get().into() } else { 0 },
        held_until: Some(time_to_wire(proposal.held_until)),
        supporting: Some(side(&proposal.supporting, proposal.state)),
        home: Some(side(&proposal.home, proposal.state)),
        authority: Some(authority(&proposal.authority)),
        explanation: Some(explanation::to_wire(&proposal.explanation)),
        state: proposal.state.to_wire(),
        revision: number_to_wire(revision),
        proposed_at: Some(time_to_wire(proposal.proposed_at)),
        ended_because: proposal.ended_because.to_string(),
        ended_at: proposal.ended_at.map(time_to_wire),
        block: proposal.block.as_ref().map(super::campaign::block_to_wire),
        team: proposal.team.as_deref().map(|lent| team(lent, proposal.state)),
        from_home: proposal.from_home.map(super::need::from_home_to_wire),
        reminders: proposal.reminders().map(time_to_wire).to_vec(),
        reminded: i32::try_from(proposal.reminded(at)).unwrap_or(i32::MAX),
        home_phone: String::new(),
        supporting_phone: String::new(),
    }
}

fn team(team: &LentTeam, proposal: ProposalState) -> v1::LentTeam {
    v1::LentTeam {
        offer: team.offer.to_string(),
        trust: team.trust.to_string(),
        units: team.units.get().into(),
        roles: team.roles.iter().map(ToString::to_string).collect(),
        travel_minutes: team.travel_minutes.into(),
        others: team.others.into(),
        answer: team.side.as_ref().map(|own| side(own, proposal)),
        // Whoever knows the region and the offer fills it in.
        phone: String::new(),
    }
}

fn side<Code: Coded>(side: &Side<Code>, proposal: ProposalState) -> v1::Answer {
    use v1::answer::State;
    // Once the hold has run out, whoever had not said yes or no has not answered.
    let silence = match proposal {
        ProposalState::Lapsed => v1::DeclineReason::NoAnswer.into(),
        ProposalState::Held
        | ProposalState::Confirmed
        | ProposalState::Declined
        | ProposalState::Superseded
        | ProposalState::Withdrawn
        | ProposalState::Bypassed => 0,
    };
    let (state, reason) = match side.answer {
        Answer::Pending => (State::Pending, silence),
        Answer::Provisional => (State::Provisional, silence),
        Answer::Accepted => (State::Accepted, 0),
        Answer::Declined(code) => (State::Declined, code.to_wire()),
    };
    v1::Answer {
        state: state.into(),
        reason,
        at: side.at.map(time_to_wire),
        agreement: side.agreement.as_ref().map(ToString::to_string).unwrap_or_default(),
        note: side.note.to_string(),
        extended: side.extended,
        role: side.by.as_ref().map(|actor| actor.role.to_string()).unwrap_or_default(),
    }
}

fn authority(authority: &Authority) -> v1::Authority {
    use v1::authority::State;
    let written = |state: State| v1::Authority { state: state.into(), ..v1::Authority::default() };
    match authority {
        Authority::NotNeeded => written(State::NotNeeded),
        Authority::Pending { role } => v1::Authority { role: role.to_string(), ..written(State::Pending) },
        Authority::Approved { by, at } => v1::Authority {
            role: by.role.to_string(),
            at: Some(time_to_wire(*at)),
            ..written(State::Approved)
        },
        Authority::Refused { by, at, because } => v1::Authority {
            role: by.role.to_string(),
            at: Some(time_to_wire(*at)),
            reason: because.to_string(),
            ..written(State::Refused)
        },
    }
}
