//! What time and changes bring about of themselves, decided on the facts alone.

use std::collections::{BTreeSet, HashMap};

use fallow_domain::decide::need::REVIEW_GRACE;
use fallow_domain::ids::{NeedId, OfferId, ProposalId, TransferId, TrustCode};
use fallow_domain::lifecycle::transfer::is_lent;
use fallow_domain::matching::eligible::objections;
use fallow_domain::matching::problem::Problem;
use fallow_domain::need::NeedState;
use fallow_domain::offer::OfferState;
use fallow_domain::reason::NotUsed;
use fallow_domain::resource::{ResourceKey, ResourceKind};
use fallow_domain::transfer::TransferState;
use fallow_ledger::Key;
use fallow_ledger::record::{need_key, offer_key, proposal_key, transfer_key};

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

/// Returns what is to be done now, holds that have run out first: their units may serve somebody at once.
#[must_use]
pub fn chores(facts: &Facts) -> Vec<Chore> {
    let at = facts.at;
    let lapsed = facts.holds.values().filter(|hold| hold.held_until <= at);
    let mut all: Vec<Chore> = lapsed.map(|hold| Chore::Lapse(hold.id.clone())).collect();
    // An answered hold keeps its offer and its need from ending; it ends by itself, and then they do.
    let answered = Answered::of(facts);
    for offer in facts.offers.values() {
        if offer.window.until <= at {
            if !answered.offers.contains(&offer.id) {
                all.push(Chore::ExpireOffer(offer.id.clone()));
            }
        } else if offer.state == OfferState::Suspended
            && offer.suspension.as_ref().and_then(|s| s.until).is_some_and(|until| until <= at)
        {
            all.push(Chore::ResumeOffer(offer.id.clone()));
        }
    }
    for need in facts.needs.values() {
        if can_be_given_up(need.state)
            && need.needed_by.is_some_and(|by| by < at)
            && !answered.needs.contains(&need.id)
        {
            all.push(Chore::GiveUpNeed(need.id.clone()));
        } else if need.state == NeedState::OnHold
            && need.review_at.is_some_and(|review| at.duration_since(review) >= REVIEW_GRACE)
        {
            all.push(Chore::ExpireNeed(need.id.clone()));
        }
    }
    let due_back = facts.transfers.values().filter(|transfer| {
        let due_at = transfer.return_plan.as_ref().and_then(|plan| plan.due_at);
        transfer.state == TransferState::Completed
            && !is_lent(transfer.resource.kind)
            && due_at.is_some_and(|due_at| due_at <= at)
    });
    all.extend(due_back.map(|transfer| Chore::CallBack(transfer.id.clone())));
    all.extend(groundless(facts));
    all
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

/// The offers and needs that an answered hold joins.
pub(super) struct Answered<'a> {
    pub(super) offers: BTreeSet<&'a OfferId>,
    pub(super) needs: BTreeSet<&'a NeedId>,
}

impl<'a> Answered<'a> {
    pub(super) fn of(facts: &'a Facts) -> Self {
        let answered = || facts.holds.values().filter(|hold| hold.is_answered());
        Self {
            offers: answered().map(|hold| &hold.offer).collect(),
            needs: answered().map(|hold| &hold.need).collect(),
        }
    }
}

/// Finds the proposals that nobody has answered and whose pair is no longer eligible, newest first: of several holds of
/// a trust that has come under its reserve, only as many end as must.
///
/// A suspended offer's live holds run on, so SUSPENDED takes nothing away.
fn groundless(facts: &Facts) -> Vec<Chore> {
    let mut world = World::of(facts);
    let mut unanswered: Vec<_> =
        facts.holds.values().filter(|hold| !hold.is_answered() && facts.at < hold.held_until).collect();
    unanswered.sort_by(|a, b| (b.proposed_at, &b.id).cmp(&(a.proposed_at, &a.id)));
    let mut shelves: HashMap<(TrustCode, ResourceKey), Vec<OfferId>> = HashMap::new();
    for offer in facts.offers.values() {
        shelves.entry((offer.trust, offer.resource.key())).or_default().push(offer.id.clone());
    }
    let mut found = Vec::new();
    for hold in unanswered {
        let Some(released) = world.release(&hold.id) else { continue };
        let objection = match (world.needs.get(&hold.need), world.offers.get(&hold.offer)) {
            (Some(need), Some(offer)) => {
                // What a trust has left of the resource is all that the rules ask of other offers.
                let shelf = shelves.get(&(offer.trust, offer.resource.key())).into_iter().flatten();
                let offers = shelf.filter_map(|id| world.offers.get(id)).cloned().collect();
                let problem = Problem { offers, ..world.bare() };
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
            Some(code) => found.push(Chore::Supersede(hold.id.clone(), code)),
            None => world.put_back(released),
        }
    }
    found
}

fn takes_ground_away(code: NotUsed) -> bool {
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
        | NotUsed::Stale
        | NotUsed::TrustUnderPressure
        | NotUsed::BelowReserve => true,
        NotUsed::HeldForAnother | NotUsed::LostToHigherPriority | NotUsed::CheaperElsewhere => false,
    }
}
