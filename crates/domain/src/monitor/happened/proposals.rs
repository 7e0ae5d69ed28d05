//! What happens to a proposal: made, answered by each trust that it asks and by whoever must approve, given more time,
//! ended.

use super::{Item, Late, Pair, Step, What};
use crate::decide::holds::REFUSED;
use crate::lifecycle::Party;
use crate::lifecycle::proposal::AnswerState;
use crate::proposal::{Answer, Authority, Proposal, ProposalState, Side};
use crate::resource::ResourceKey;

/// Returns the resource that a change says a proposal is about.
fn resource_of(step: &Step<'_>, proposal: &Proposal) -> Option<ResourceKey> {
    step.items.iter().find_map(|item| match item {
        Item::Offer(before, after) => {
            let offer = after.or(*before).filter(|offer| offer.id == proposal.offer);
            offer.map(|offer| offer.resource.key())
        }
        Item::Need(before, after) => {
            let need = after.or(*before).filter(|need| need.id == proposal.need);
            need.map(|need| need.resource.key())
        }
        Item::Proposal(..) | Item::Transfer(..) | Item::Trust(..) | Item::Region(..) | Item::Monitor(..) => {
            None
        }
    })
}

fn pair_of(step: &Step<'_>, proposal: &Proposal) -> Pair {
    Pair {
        proposal: proposal.id.clone(),
        transfer: None,
        need: proposal.need.clone(),
        home: proposal.home_trust,
        supporting: proposal.supporting_trust,
        third: proposal.third_trust(),
        resource: resource_of(step, proposal),
        units: proposal.units.get(),
    }
}

/// What a side of a proposal says at one time.
struct Said {
    answer: AnswerState,
    by_agreement: bool,
    has_extended: bool,
}

/// Returns the sides of a proposal, that of a third trust among them where there is one.
fn sides(proposal: &Proposal) -> impl Iterator<Item = (Party, Said)> {
    fn said<Code>(side: &Side<Code>) -> Said {
        let (by_agreement, has_extended) = (side.agreement.is_some(), side.extended);
        Said { answer: side.answer.state(), by_agreement, has_extended }
    }
    let team = proposal.team.as_ref().and_then(|team| team.side.as_ref());
    [(Party::Supporting, said(&proposal.supporting)), (Party::Home, said(&proposal.home))]
        .into_iter()
        .chain(team.map(|side| (Party::Team, said(side))))
}

/// Tells what a change did to a proposal.
pub(super) fn told(step: &Step<'_>, before: Option<&Proposal>, after: &Proposal, found: &mut Vec<What>) {
    let pair = || pair_of(step, after);
    let is_new = before.is_none() && after.proposed_at == step.at;
    if is_new {
        found.push(What::Proposed(pair()));
    }
    if before.is_none() && !is_new {
        return;
    }
    for (side, is) in sides(after) {
        let was = before.and_then(|before| sides(before).find(|(party, _)| *party == side));
        let was = was.map_or((AnswerState::Pending, false), |(_, was)| (was.answer, was.has_extended));
        // A decline ends the proposal, which is told below.
        let has_answered = was.0 != is.answer && is.answer != AnswerState::Declined;
        if has_answered {
            let (answer, by_agreement) = (is.answer, is.by_agreement);
            found.push(What::Answered { pair: pair(), side: Some(side), answer, by_agreement });
        } else if is.has_extended && !was.1 {
            found.push(What::Extended { pair: pair(), side, until: after.held_until });
        }
    }
    let approved = |p: &Proposal| matches!(p.authority, Authority::Approved { .. });
    if approved(after) && !before.is_some_and(approved) {
        let answer = AnswerState::Accepted;
        found.push(What::Answered { pair: pair(), side: None, answer, by_agreement: false });
    }
    let was_ended = before.is_some_and(|before| before.state.is_ended());
    if after.state.is_ended() && !was_ended {
        match after.state {
            // Told as the transfer that it made.
            ProposalState::Confirmed | ProposalState::Held => {}
            ProposalState::Declined
            | ProposalState::Lapsed
            | ProposalState::Superseded
            | ProposalState::Withdrawn
            | ProposalState::Bypassed => found.push(ended(step, after, pair())),
        }
    }
}

/// Tells how a proposal ended.
fn ended(step: &Step<'_>, after: &Proposal, pair: Pair) -> What {
    let supporting = declined(&after.supporting).map(|code| (Party::Supporting, code.as_str()));
    let home = declined(&after.home).map(|code| (Party::Home, code.as_str()));
    let team = after.team.as_ref().and_then(|team| team.side.as_ref());
    let team = team.and_then(declined).map(|code| (Party::Team, code.as_str()));
    let by = supporting.or(home).or(team);
    let other_said_yes = match by {
        Some((Party::Supporting | Party::Team, _)) => after.home.is_yes(),
        Some((Party::Home, _)) => after.supporting.is_yes(),
        Some((Party::Authority | Party::Gold | Party::Engine | Party::Other, _)) | None => false,
    };
    let (whole, left) =
        (after.held_until.duration_since(after.proposed_at), after.held_until.duration_since(step.at));
    let late = match by {
        Some(_) if other_said_yes => Some(Late::ReliedOn),
        Some(_) if left.as_secs() * 3 < whole.as_secs() => Some(Late::LittleTimeLeft),
        Some(_) | None => None,
    };
    let refused = matches!(after.authority, Authority::Refused { .. }).then_some((Party::Authority, REFUSED));
    let by = by.or(refused);
    let code = match after.state {
        ProposalState::Lapsed => "NO_ANSWER",
        ProposalState::Held
        | ProposalState::Confirmed
        | ProposalState::Declined
        | ProposalState::Superseded
        | ProposalState::Withdrawn
        | ProposalState::Bypassed => by.map_or("", |(_, code)| code),
    };
    What::ProposalEnded {
        pair,
        state: after.state,
        side: by.map(|(side, _)| side),
        code,
        because: after.ended_because.clone(),
        late,
    }
}

fn declined<Code: Copy>(side: &Side<Code>) -> Option<Code> {
    match side.answer {
        Answer::Declined(code) => Some(code),
        Answer::Pending | Answer::Provisional | Answer::Accepted => None,
    }
}
