//! What a decision changes: pure, on the records as they are when it is carried out. The live engine and replay share it.

use fallow_domain::actor::Actor;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::proposal::{
    Room, SuggestedTeam, Suggestion, Terms, lapse, propose, propose_joined, supersede,
};
use fallow_domain::decide::transfer::{Progress, advance};
use fallow_domain::decide::{need, offer};
use fallow_domain::ids::{Note, ProposalId, TransferId};
use fallow_domain::offer::Offer;
use fallow_domain::reason::NotUsed;
use fallow_domain::records::Records;
use fallow_domain::refusal::{Refusal, reason};
use fallow_domain::region::Region;
use fallow_domain::transfer::TransferState;
use jiff::Timestamp;

use super::chores::Chore;
use super::plan::{Because, Placement};

/// Returns what a chore changes.
///
/// # Errors
/// What a rule says against it.
pub fn of_chore(chore: &Chore, read: &Records, by: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    match chore {
        Chore::Lapse(id) => lapse(read, id, by, at),
        Chore::Supersede(id, code) => {
            // Only ever said of a join.
            let because = if *code == NotUsed::CheaperElsewhere {
                "The session has its own team by now.".to_owned()
            } else {
                format!("The offer no longer fits the need: {code}.")
            };
            supersede(read, id, &Note::parse(&because).unwrap_or_default(), by, at)
        }
        Chore::ResumeOffer(id) => offer::resume(read, std::slice::from_ref(id), by, at),
        Chore::ExpireOffer(id) => offer::expire(read, id, by, at),
        Chore::GiveUpNeed(id) => need::give_up(read, id, by, at),
        Chore::ExpireNeed(id) => need::expire(read, id, by, at),
        Chore::CallBack(id) => {
            let progress = Progress { to: Some(TransferState::RepatriationDue), ..Progress::default() };
            advance(read, id, progress, by, at)
        }
    }
}

/// Returns what a placement changes: what gives way and what is suggested, together. `ids` are those of each suggestion's
/// proposal, and of its transfer if every trust had agreed beforehand.
///
/// # Errors
/// What a rule says against it.
pub fn of_placement(
    placement: &Placement,
    ids: &[(ProposalId, TransferId)],
    read: &Records,
    (region, calendar): (&Region, &WorkingCalendar),
    by: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let because = match placement.because {
        Because::EarlierBand => "A more urgent need takes the units.",
        Because::BetterPlan => "Another offer is better for the need.",
    };
    let because = Note::parse(because).unwrap_or_default();
    let mut working = read.clone();
    let mut changes = Records::default();
    for id in &placement.supersede {
        let change = supersede(&working, id, &because, by, at)?;
        working.apply(change.clone());
        changes.apply(change);
    }
    for (suggest, (id, transfer)) in placement.suggest.iter().zip(ids) {
        let gone = || Refusal::new(reason::CHANGED_MEANWHILE, "a need or an offer of the plan is gone");
        let offer = working.offers.get(&suggest.offer).ok_or_else(gone)?;
        let need = working.needs.get(&placement.need).ok_or_else(gone)?;
        let room = |offer: &Offer| Room::around(offer, working.offers.values(), region, at);
        let is_incident = region.is_incident_between(need.trust, offer.trust);
        let terms = Terms {
            in_force: region.policy.in_force(is_incident),
            calendar,
            turnover_minutes: region.policy.turnover_minutes,
        };
        let suggestion = Suggestion {
            id: id.clone(),
            need: placement.need.clone(),
            offer: suggest.offer.clone(),
            units: suggest.units,
            from_home: region.from_home(&need.home_area, offer.site),
            explanation: suggest.explanation.clone(),
            transfer: transfer.clone(),
        };
        let change = match &suggest.team {
            None => propose(&working, suggestion, room(offer), &terms, by, at)?,
            Some(team) => {
                let lent = working.offers.get(&team.offer).ok_or_else(gone)?;
                let is_incident = region.is_incident_between(lent.trust, offer.trust);
                let team = SuggestedTeam {
                    offer: &team.offer,
                    travel_minutes: team.travel_minutes,
                    others: team.others,
                    room: room(lent),
                    in_force: region.policy.in_force(is_incident),
                };
                propose_joined(&working, suggestion, team, room(offer), &terms, by, at)?
            }
        };
        working.apply(change.clone());
        changes.apply(change);
    }
    Ok(changes)
}
