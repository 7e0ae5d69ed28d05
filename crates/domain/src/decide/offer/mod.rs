//! Decisions about offers.
//!
//! Give each: the offer, all its HELD proposals and the needs and other offers of those. `withdraw`, `replace` and `expire`
//! also want the offer's transfers that have not arrived.

mod ask;
mod expire;
mod publish;
mod replace;
mod suspend;
mod withdraw;

pub use ask::{ASKERS_MAX, ask, asked_until};
pub use expire::expire;
pub(crate) use publish::adjust_on;
pub use publish::{OfferReport, adjust, confirm, publish};
pub use replace::{Replaced, replace};
pub use suspend::{resume, suspend};
pub use withdraw::withdraw;

use crate::actor::Actor;
use crate::ids::{OfferId, ProposalId, TransferId, TrustCode};
use crate::lifecycle::Party;
use crate::records::Desk;
use crate::refusal::{Refusal, reason};

fn party(actor: &Actor, trust: TrustCode) -> Party {
    Party::of(actor, None, Some(trust))
}

/// Returns the transfers for which units of an offer are committed, or says that some were not read.
fn committed_transfers(desk: &Desk<'_>, id: &OfferId) -> Result<Vec<TransferId>, Refusal> {
    let before_arrival = desk.read().transfers.values().filter(|t| t.state.is_before_arrival());
    let transfers: Vec<_> = before_arrival.filter_map(|t| Some((t, t.committed_of(id)?))).collect();
    let sum: u64 = transfers.iter().map(|(_, units)| u64::from(units.get())).sum();
    let committed = desk.offer(id)?.figures.committed;
    if sum != u64::from(committed.get()) {
        return Err(Refusal::torn(format!(
            "offer {id} has {committed} committed, and its transfers read {sum}"
        )));
    }
    Ok(transfers.into_iter().map(|(t, _)| t.id.clone()).collect())
}

fn capacity_committed(id: &OfferId, proposals: &[ProposalId], transfers: &[TransferId]) -> Refusal {
    Refusal::new(
        reason::CAPACITY_COMMITTED,
        format!(
            "offer {id} has {} answered proposals and {} transfers: they must end first",
            proposals.len(),
            transfers.len()
        ),
    )
    .with("proposals", listed(proposals))
    .with("transfers", listed(transfers))
}

/// Lists ids for a refusal, separated by spaces, which ids never hold.
pub(crate) fn listed(ids: &[impl ToString]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}
