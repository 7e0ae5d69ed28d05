//! Decisions about transfers.
//!
//! Give each the transfer; `advance` and `abort` also want its need and its offers (a team's is a second one), which stay
//! live for that long: an ended offer or need is kept while units of it are held or on their way.

mod abort;
mod advance;
mod plan;

pub use abort::abort;
pub use advance::{Progress, advance, extend};
pub(crate) use plan::plan;

use crate::actor::Actor;
use crate::lifecycle::Party;
use crate::lifecycle::transfer::is_lent;
use crate::transfer::Transfer;

fn party(actor: &Actor, transfer: &Transfer) -> Party {
    let (home, supporting) = (Some(transfer.home_trust), Some(transfer.supporting_trust));
    Party::of_three(actor, home, supporting, transfer.third_trust())
}

/// Returns the side from which what moves sets out: the home trust for a patient, the supporting one for staff and items.
fn sending(transfer: &Transfer) -> Party {
    if is_lent(transfer.resource.kind) { Party::Supporting } else { Party::Home }
}

/// Returns the side where what moves arrives.
fn receiving(transfer: &Transfer) -> Party {
    if is_lent(transfer.resource.kind) { Party::Home } else { Party::Supporting }
}
