//! What time and changes bring about of themselves, decided on the facts alone.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::sync::Arc;

use fallow_domain::decide::need::REVIEW_GRACE;
use fallow_domain::ids::{NeedId, OfferId, ProposalId, TransferId};
use fallow_domain::lifecycle::transfer::is_lent;
use fallow_domain::matching::eligible::objections;
use fallow_domain::need::NeedState;
use fallow_domain::offer::OfferState;
use fallow_domain::proposal::Proposal;
use fallow_domain::reason::NotUsed;
use fallow_domain::resource::ResourceKind;
use fallow_domain::transfer::TransferState;
use fallow_ledger::Key;
use fallow_ledger::record::{need_key, offer_key, proposal_key, transfer_key};
use jiff::Timestamp;

use super::parts::Parts;
use crate::facts::Facts;
use crate::world::World;

/// Something to be done that nobody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chore {
    /// A hold has run out.
    Lapse(ProposalId),
    /// A proposal that nobody has answered has lost its ground: the code that now objects to the pair.
    Supersede(ProposalId, NotUsed),
    /// A suspension has ended.
    ResumeOffer(OfferId),
    /// An offer's window has passed.
    ExpireOffer(OfferId),
    /// A need's time has passed.
    GiveUpNeed(NeedId),
    /// Nobody came back to a parked need.
    ExpireNeed(NeedId),
    /// A stay is over: the return is due.
    CallBack(TransferId),
}

/// Every verb of a chore.
pub(super) const VERBS: [&str; 7] =
    ["lapse", "supersede", "resume_offer", "expire_offer", "give_up_need", "expire_need", "call_back"];

impl Chore {
    /// Returns the verb under which the log has it.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Lapse(_) => "lapse",
            Self::Supersede(_, _) => "supersede",
            Self::ResumeOffer(_) => "resume_offer",
            Self::ExpireOffer(_) => "expire_offer",
            Self::GiveUpNeed(_) => "give_up_need",
            Self::ExpireNeed(_) => "expire_need",
            Self::CallBack(_) => "call_back",
        }
    }

    /// Returns the proposal that it ends.
    pub(super) fn ends(&self) -> Option<&ProposalId> {
        match self {
            Self::Lapse(id) | Self::Supersede(id, _) => Some(id),
            Self::ResumeOffer(_)
            | Self::ExpireOffer(_)
            | Self::GiveUpNeed(_)
            | Self::ExpireNeed(_)
            | Self::CallBack(_) => None,
        }
    }

    /// Returns the key of the record that it is about.
    #[must_use]
    pub fn root(&self) -> Key {
        match self {
            Self::Lapse(id) | Self::Supersede(id, _) => proposal_key(id),
            Self::ResumeOffer(id) | Self::ExpireOffer(id) => offer_key(id),
            Self::GiveUpNeed(id) | Self::ExpireNeed(id) => need_key(id),
            Self::CallBack(id) => transfer_key(id),
        }
    }
}

/// A record that time alone may call something to be done of. In the order in which that is done: first the holds that
/// have run out, for their units may serve somebody at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Timed {
    Hold(ProposalId),
    Offer(OfferId),
    Need(NeedId),
    Transfer(TransferId),
}

/// Returns what is to be done now. It looks at everything; the live engine asks the same of those records only that have
/// changed or whose time has come.
#[must_use]
pub fn chores(facts: &Facts) -> Vec<Chore> {
    let parts = Parts::of(facts);
    let mut all: Vec<Chore> = timed(facts).filter_map(|one| due(facts, &parts, &one)).collect();
    let found = parts.shelves().values().flat_map(|offers| groundless(facts, &parts, offers));
    let found = newest_first(found.collect());
    let joined = super::joined::groundless(facts, &parts, &found);
    all.extend(found.into_iter().chain(joined));
    all
}

/// Every record that time alone may call something to be done of.
pub(super) fn timed(facts: &Facts) -> impl Iterator<Item = Timed> {
    let holds = facts.holds.keys().cloned().map(Timed::Hold);
    let offers = facts.offers.keys().cloned().map(Timed::Offer);
    let needs = facts.needs.keys().cloned().map(Timed::Need);
    let transfers = facts.transfers.keys().cloned().map(Timed::Transfer);
    holds.chain(offers).chain(needs).chain(transfers)
}

/// Returns what is to be done now with a record because its time has come.
pub(super) fn due(facts: &Facts, parts: &Parts, record: &Timed) -> Option<Chore> {
    let at = facts.at;
    match record {
        Timed::Hold(id) => {
            let hold = facts.holds.get(id)?;
            (hold.held_until <= at).then(|| Chore::Lapse(id.clone()))
        }
        Timed::Offer(id) => {
            let offer = facts.offers.get(id)?;
            let suspended_until = offer.suspension.as_ref().and_then(|suspension| suspension.until);
            if offer.window.until <= at {
                (!is_answered_for(facts, parts.holds_on(id))).then(|| Chore::ExpireOffer(id.clone()))
            } else if offer.state == OfferState::Suspended && suspended_until.is_some_and(|until| until <= at)
            {
                Some(Chore::ResumeOffer(id.clone()))
            } else {
                None
            }
        }
        Timed::Need(id) => {
            let need = facts.needs.get(id)?;
            let is_past = need.needed_by.is_some_and(|by| by < at);
            let is_forgotten =
                || need.review_at.is_some_and(|review| at.duration_since(review) >= REVIEW_GRACE);
            if can_be_given_up(need.state) && is_past && !is_answered_for(facts, parts.holds_for(id)) {
                Some(Chore::GiveUpNeed(id.clone()))
            } else if need.state == NeedState::OnHold && is_forgotten() {
                Some(Chore::ExpireNeed(id.clone()))
            } else {
                None
            }
        }
        Timed::Transfer(id) => {
            let transfer = facts.transfers.get(id)?;
            let due_at = transfer.return_plan.as_ref().and_then(|plan| plan.due_at);
            let is_due = transfer.state == TransferState::Completed
                && !is_lent(transfer.resource.kind)
                && due_at.is_some_and(|due_at| due_at <= at);
            is_due.then(|| Chore::CallBack(id.clone()))
        }
    }
}

/// Says whether any of some holds is answered: it keeps its offer and its need from ending; it ends by itself, and then
/// they do.
pub(super) fn is_answered_for<'h>(facts: &Facts, mut holds: impl Iterator<Item = &'h ProposalId>) -> bool {
    holds.any(|hold| facts.holds.get(hold).is_some_and(|hold| hold.is_answered()))
}

/// Says whether a need in a state can end because its time has passed.
pub(super) fn can_be_given_up(state: NeedState) -> bool {
    match state {
        NeedState::Open | NeedState::Proposed | NeedState::PartAgreed | NeedState::OnHold => true,
        NeedState::Agreed
        | NeedState::Met
        | NeedState::Withdrawn
        | NeedState::Expired
        | NeedState::Unmet
        | NeedState::ResolvedOutside => false,
    }
}

/// Finds the proposals on a shelf's offers that nobody has answered and whose pair is no longer eligible. They are taken
/// newest first: of several holds of a trust that has come under its reserve, only as many end as must.
///
/// A suspended offer's live holds run on, so SUSPENDED takes nothing away.
pub(super) fn groundless(facts: &Facts, parts: &Parts, shelf: &BTreeSet<OfferId>) -> Vec<(Age, Chore)> {
    let held = shelf.iter().flat_map(|offer| parts.holds_on(offer)).filter_map(|id| facts.holds.get(id));
    // Joins ask for more than their pair, and are looked at apart.
    let is_open =
        |hold: &&Arc<Proposal>| hold.team.is_none() && !hold.is_answered() && facts.at < hold.held_until;
    let mut unanswered: Vec<&Arc<Proposal>> = held.filter(is_open).collect();
    if unanswered.is_empty() {
        return Vec::new();
    }
    unanswered.sort_by_key(|hold| age(hold));
    // What a trust has left of the resource is all that the rules ask of other offers.
    let offers = shelf.iter().filter_map(|id| Some((id.clone(), facts.offers.get(id)?.clone())));
    let needs =
        unanswered.iter().filter_map(|hold| Some((hold.need.clone(), facts.needs.get(&hold.need)?.clone())));
    let holds = unanswered.iter().map(|hold| (hold.id.clone(), (*hold).clone()));
    let mut world = World::with(facts, offers.collect(), needs.collect(), holds.collect());
    let mut found = Vec::new();
    for hold in unanswered {
        let Some(released) = world.release(&hold.id) else { continue };
        let objection = match (world.needs.get(&hold.need), world.offers.get(&hold.offer)) {
            (Some(need), Some(offer)) => {
                let problem = world.problem(|_| false, |_| true);
                let setting = problem.setting();
                let mut all = objections(&problem, &setting, need, offer);
                // The rules ask for one unit above the reserve; a hold of several needs as many.
                let is_counted = offer.resource.kind != ResourceKind::Theatre;
                let spare = setting.spare(offer.trust, &offer.resource.key());
                if is_counted && spare < i64::from(hold.units.get()) {
                    all.push(NotUsed::BelowReserve);
                }
                // What is suspended counts nothing towards what its trust has left: that says nothing of its holds.
                let is_apart = offer.state == OfferState::Suspended;
                all.into_iter()
                    .find(|code| takes_ground_away(*code) && !(is_apart && *code == NotUsed::BelowReserve))
            }
            // Its need or offer has ended under it, which no decision does; the ledger's own rules speak then.
            (Some(_) | None, Some(_) | None) => None,
        };
        match objection {
            Some(code) => found.push((age(hold), Chore::Supersede(hold.id.clone(), code))),
            None => world.put_back(released),
        }
    }
    found
}

/// Orders proposals, the newest first.
pub(super) type Age = (Reverse<Timestamp>, Reverse<ProposalId>);

pub(super) fn age(hold: &Proposal) -> Age {
    (Reverse(hold.proposed_at), Reverse(hold.id.clone()))
}

/// Puts what was found on several shelves into one order.
pub(super) fn newest_first(mut found: Vec<(Age, Chore)>) -> Vec<Chore> {
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.into_iter().map(|(_, chore)| chore).collect()
}

/// Says whether an objection ends a proposal that nobody has answered.
pub(super) fn takes_ground_away(code: NotUsed) -> bool {
    match code {
        NotUsed::Suspended | NotUsed::DeclinedBefore => false,
        NotUsed::SameTrust
        | NotUsed::NoAgreement
        | NotUsed::WrongResource
        | NotUsed::SpecialtyMismatch
        | NotUsed::CapabilityMissing
        | NotUsed::Isolation
        | NotUsed::CareLevel
        | NotUsed::SecurityLevel
        | NotUsed::AgeOrSex
        | NotUsed::BmiOrAsaLimit
        | NotUsed::TooFar
        | NotUsed::TooLate
        | NotUsed::TooEarly
        | NotUsed::TooShort
        | NotUsed::TeamMissing
        | NotUsed::RingFenced
        | NotUsed::Stale
        | NotUsed::TrustUnderPressure
        | NotUsed::BelowReserve => true,
        NotUsed::HeldForAnother | NotUsed::LostToHigherPriority => false,
        // Said of a join whose session has its own team by now.
        NotUsed::CheaperElsewhere => true,
    }
}
