//! Decisions about needs.
//!
//! Give each: the need, all its HELD proposals and the offers of those, and its transfers that have not arrived.

mod amend;
mod end;
mod park;
mod raise;
mod validate;

pub use amend::amend;
pub use end::{REVIEW_GRACE, expire, give_up, resolve_outside, withdraw};
pub use park::{park, resume};
pub use raise::{Raised, raise};
pub use validate::{ask_to_validate, validate};

use crate::actor::Actor;
use crate::decide::offer::listed;
use crate::ids::{NeedId, ProposalId, TransferId, TrustCode};
use crate::lifecycle::Party;
use crate::records::Desk;
use crate::refusal::{Refusal, reason};

fn party(actor: &Actor, trust: TrustCode) -> Party {
    Party::of(actor, Some(trust), None)
}

/// Returns the transfers of a need that have not arrived, or says that some were not read.
fn travelling(desk: &Desk<'_>, id: &NeedId) -> Result<Vec<TransferId>, Refusal> {
    let transfers: Vec<_> =
        desk.read().transfers.values().filter(|t| t.need == *id && t.state.is_before_arrival()).collect();
    let sum: u64 = transfers.iter().map(|t| u64::from(t.units.get())).sum();
    let need = desk.need(id)?;
    let travelling = need.units_committed.less(need.units_arrived);
    if sum != u64::from(travelling.get()) {
        return Err(Refusal::torn(format!(
            "need {id} has {travelling} to arrive, and its transfers read {sum}"
        )));
    }
    Ok(transfers.into_iter().map(|t| t.id.clone()).collect())
}

fn units_bound(id: &NeedId, proposals: &[ProposalId], transfers: &[TransferId]) -> Refusal {
    Refusal::new(
        reason::UNITS_BOUND,
        format!(
            "need {id} has {} answered proposals and {} transfers that have not arrived: they must end first",
            proposals.len(),
            transfers.len()
        ),
    )
    .with("proposals", listed(proposals))
    .with("transfers", listed(transfers))
}
