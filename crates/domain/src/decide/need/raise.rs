//! A trust raises a need.

use jiff::Timestamp;

use super::party;
use crate::actor::Actor;
use crate::ids::NeedId;
use crate::lifecycle::Party;
use crate::need::{Need, NeedState, Validation};
use crate::quantity::Count;
use crate::records::Records;
use crate::refusal::{Refusal, reason};

/// What raising a need came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Raised {
    /// The need is new.
    New(Records),
    /// The home trust has the same case and resource live: that one is the answer.
    AlreadyLive(NeedId),
}

/// Raises a need. Of `need`, the state, the gauges, the generation and the time of raising are set here.
///
/// Give it the live need of the same home trust, case reference and resource, where there is one.
///
/// # Errors
/// `WRONG_SIDE`, `OUT_OF_RANGE` (no units, or no minutes for a theatre case), `WINDOW` (needed-by has passed, or comes
/// before earliest).
pub fn raise(read: &Records, need: Need, actor: &Actor, at: Timestamp) -> Result<Raised, Refusal> {
    if party(actor, need.trust) != Party::Home {
        return Err(Refusal::new(reason::WRONG_SIDE, "a trust raises needs for itself only"));
    }
    check_figures(&need)?;
    check_window(&need, at)?;
    if let Some(live) = read.needs.values().find(|live| is_same_case(live, &need)) {
        return Ok(Raised::AlreadyLive(live.id.clone()));
    }
    let mut changes = Records::default();
    changes.put_need(Need {
        state: NeedState::Open,
        review_at: None,
        units_proposed: Count::ZERO,
        units_committed: Count::ZERO,
        units_arrived: Count::ZERO,
        raised_at: Some(at),
        agreed_at: None,
        validation: Validation::default(),
        generation: 0,
        ..need
    });
    Ok(Raised::New(changes))
}

fn is_same_case(live: &Need, need: &Need) -> bool {
    !live.state.is_ended()
        && live.trust == need.trust
        && live.case_ref.is_some()
        && live.case_ref == need.case_ref
        && live.resource.key() == need.resource.key()
}

pub(super) fn check_figures(need: &Need) -> Result<(), Refusal> {
    if need.units.is_zero() {
        return Err(Refusal::new(reason::OUT_OF_RANGE, "a need is for at least one unit").with("value", 0));
    }
    if need.resource.kind.is_minutes() && need.minutes_per_case.is_zero() {
        return Err(Refusal::new(reason::OUT_OF_RANGE, "a theatre need says the minutes of one case")
            .with("value", 0));
    }
    Ok(())
}

pub(super) fn check_window(need: &Need, at: Timestamp) -> Result<(), Refusal> {
    let Some(needed_by) = need.needed_by else {
        return Ok(());
    };
    if needed_by <= at || need.earliest.is_some_and(|earliest| earliest > needed_by) {
        return Err(Refusal::new(reason::WINDOW, "needed-by has passed, or comes before earliest")
            .with("needed_by", needed_by));
    }
    Ok(())
}
