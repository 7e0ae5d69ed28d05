//! Somebody asks a trust whether its figures are still true.

use jiff::{SignedDuration, Timestamp};

use super::party;
use crate::actor::Actor;
use crate::ids::{NeedId, OfferId};
use crate::lifecycle::offer::{OfferCommand, TABLE};
use crate::offer::{Asked, Freshness, Offer};
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};

/// So many askers are remembered of an offer; beyond that the one who asked first is forgotten.
pub const ASKERS_MAX: usize = 20;

/// Asks the trust of some offers whether their figures are still true: of those that are not FRESH and that the actor has
/// not asked about within `again_after`. The question stands on the offer until it is next reported. It changes no figure
/// and nothing that a plan rests on.
///
/// # Errors
/// `RATE_LIMITED` when every offer that could be asked about was asked about too lately; `WRONG_SIDE` (one's own offer),
/// `ILLEGAL_TRANSITION` (it has ended), `CHANGED_MEANWHILE`; all or nothing.
pub fn ask(
    read: &Records,
    ids: &[OfferId],
    need: Option<&NeedId>,
    again_after: SignedDuration,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    let mut soonest: Option<Timestamp> = None;
    for id in ids {
        let offer = desk.offer(id)?;
        TABLE.edge(offer.state, OfferCommand::Ask, party(actor, offer.trust))?;
        if offer.freshness(at) == Freshness::Fresh {
            continue;
        }
        match asked_until(offer, actor, again_after).filter(|until| at < *until) {
            Some(until) => soonest = Some(soonest.map_or(until, |soonest| soonest.min(until))),
            None => put(desk.offer_mut(id)?, Asked { by: actor.clone(), at, need: need.cloned() }),
        }
    }
    let changes = desk.finish();
    match soonest {
        Some(until) if changes.is_empty() => {
            Err(Refusal::new(reason::RATE_LIMITED, "the trust was asked the same a short while ago")
                .with("not_before", until)
                .with("retry_after_seconds", until.duration_since(at).as_secs().max(1)))
        }
        Some(_) | None => Ok(changes),
    }
}

/// Returns until when an actor's last question about an offer is too young to be repeated; `None` = has not asked since the
/// last report.
#[must_use]
pub fn asked_until(offer: &Offer, actor: &Actor, again_after: SignedDuration) -> Option<Timestamp> {
    let last = offer.recent.asked.iter().find(|asked| asked.is_by(actor))?;
    Some(last.at.checked_add(again_after).unwrap_or(Timestamp::MAX))
}

fn put(offer: &mut Offer, asked: Asked) {
    let all = &mut offer.recent.asked;
    all.retain(|before| !before.is_by(&asked.by));
    if all.len() >= ASKERS_MAX {
        all.remove(0);
    }
    all.push(asked);
}
