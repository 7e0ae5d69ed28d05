//! What a trust says of itself: what it keeps, and its OPEL. And the numbering of its feeds.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::actor::Actor;
use crate::decide::figures::{AHEAD_MAX, binds};
use crate::ids::{Label, TrustCode};
use crate::lifecycle::Party;
use crate::quantity::Count;
use crate::refusal::{Refusal, reason};
use crate::resource::ResourceKey;
use crate::standing::{Declaration, FeedState, TrustState};

/// Sets what a trust keeps for itself of a resource; zero keeps nothing, whatever the region file says. `before` is the
/// trust's state, `None` when it has said nothing yet.
///
/// # Errors
/// `WRONG_SIDE`, `NO_RESERVE_FOR_THEATRE`.
pub fn set_reserve(
    before: Option<&TrustState>,
    trust: TrustCode,
    resource: ResourceKey,
    units: Count,
    actor: &Actor,
) -> Result<TrustState, Refusal> {
    let mut state = own_state(before, trust, actor)?;
    if resource.kind.is_minutes() {
        return Err(Refusal::new(reason::NO_RESERVE_FOR_THEATRE, "theatre sessions take no reserve"));
    }
    state.reserves.insert(resource, units);
    Ok(state)
}

/// Declares a trust's OPEL, 1 to 4, as of `declared_at`.
///
/// # Errors
/// `WRONG_SIDE`, `OUT_OF_RANGE`, `SOURCE_AHEAD` (dated more than a minute ahead), `OUT_OF_ORDER_FEED` (it has declared
/// since).
pub fn declare_opel(
    before: Option<&TrustState>,
    trust: TrustCode,
    opel: u8,
    declared_at: Timestamp,
    actor: &Actor,
    at: Timestamp,
) -> Result<TrustState, Refusal> {
    let mut state = own_state(before, trust, actor)?;
    if !(1..=4).contains(&opel) {
        return Err(Refusal::new(reason::OUT_OF_RANGE, "OPEL is 1 to 4").with("value", opel).with("max", 4));
    }
    if declared_at.duration_since(at) > AHEAD_MAX {
        return Err(Refusal::new(reason::SOURCE_AHEAD, "the declaration is dated more than a minute ahead")
            .with("reported_at", declared_at)
            .with("now", at));
    }
    let last = state.declared.as_ref().map(|d| d.at).filter(|last| binds(*last, at));
    if let Some(last) = last.filter(|last| declared_at < *last) {
        return Err(
            Refusal::new(reason::OUT_OF_ORDER_FEED, "the trust has declared since").with("last", last)
        );
    }
    state.declared = Some(Declaration { opel, at: declared_at, by: actor.clone() });
    Ok(state)
}

fn own_state(before: Option<&TrustState>, trust: TrustCode, actor: &Actor) -> Result<TrustState, Refusal> {
    if Party::of(actor, None, Some(trust)) != Party::Supporting {
        return Err(Refusal::new(reason::WRONG_SIDE, "a trust speaks for itself only"));
    }
    let nothing = || TrustState { ods: trust, declared: None, reserves: BTreeMap::new() };
    Ok(before.cloned().unwrap_or_else(nothing))
}

/// Takes the next report of a numbered source: its number must be above the last. A report sent again under the same
/// number is answered from the memory of requests before it comes here.
///
/// # Errors
/// `OUT_OF_ORDER_FEED` with the last number.
pub fn next_of_feed(
    before: Option<&FeedState>,
    (trust, source): (TrustCode, Label),
    seq: u64,
    at: Timestamp,
) -> Result<FeedState, Refusal> {
    match before {
        Some(feed) if seq <= feed.last_seq => {
            Err(Refusal::new(reason::OUT_OF_ORDER_FEED, "this source has sent a later report")
                .with("last", feed.last_seq))
        }
        Some(_) | None => Ok(FeedState { trust, source, last_seq: seq, at }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_world::{gold, manager, minutes, monday};

    fn za1() -> TrustCode {
        "ZA1".parse().unwrap()
    }

    #[test]
    fn a_trust_keeps_what_it_says() {
        let beds: ResourceKey = "BED/CC_ADULT/3".parse().unwrap();
        let state = set_reserve(None, za1(), beds.clone(), Count::new(2), &manager("ZA1")).unwrap();
        let state = set_reserve(Some(&state), za1(), beds.clone(), Count::ZERO, &manager("ZA1")).unwrap();
        assert_eq!(state.reserves, [(beds.clone(), Count::ZERO)].into());
        let reason = |r: Result<TrustState, Refusal>| r.unwrap_err().reason;
        assert_eq!(reason(set_reserve(None, za1(), beds.clone(), Count::ONE, &manager("ZA2"))), "WRONG_SIDE");
        assert_eq!(reason(set_reserve(None, za1(), beds, Count::ONE, &gold())), "WRONG_SIDE");
        let theatre = "THEATRE/MAIN".parse().unwrap();
        let refused = set_reserve(None, za1(), theatre, Count::ONE, &manager("ZA1"));
        assert_eq!(reason(refused), "NO_RESERVE_FOR_THEATRE");
    }

    #[test]
    fn opel_is_declared_in_order_and_not_ahead() {
        let declare = |before: Option<&TrustState>, opel, after: i64| {
            declare_opel(before, za1(), opel, monday() + minutes(after), &manager("ZA1"), monday())
                .map_err(|r| r.reason)
        };
        let state = declare(None, 3, 0).unwrap();
        assert_eq!(state.declared.as_ref().map(|d| d.opel), Some(3));
        assert_eq!(declare(Some(&state), 4, -1), Err("OUT_OF_ORDER_FEED"));
        // Declared while a clock was ahead, which was set right since.
        let wrong = TrustState {
            declared: state.declared.clone().map(|d| Declaration { at: monday() + minutes(2), ..d }),
            ..state.clone()
        };
        assert!(declare(Some(&wrong), 4, 0).is_ok());
        assert_eq!(declare(Some(&state), 4, 2), Err("SOURCE_AHEAD"));
        assert_eq!(declare(Some(&state), 0, 0), Err("OUT_OF_RANGE"));
        assert_eq!(declare(Some(&state), 5, 0), Err("OUT_OF_RANGE"));
    }

    #[test]
    fn a_feed_only_goes_up() {
        let pas = || (za1(), Label::parse("pas").unwrap());
        let feed = next_of_feed(None, pas(), 7, monday()).unwrap();
        for (seq, is_next) in [(6, false), (7, false), (8, true), (20, true)] {
            assert_eq!(next_of_feed(Some(&feed), pas(), seq, monday()).is_ok(), is_next, "{seq}");
        }
    }
}
