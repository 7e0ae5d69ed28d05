//! A trust gives one answer to many cases of a block: all of them, or none.

use jiff::Timestamp;

use super::{Reply, Terms, answer};
use crate::actor::Actor;
use crate::ids::{Note, ProposalId, TransferId};
use crate::proposal::Proposal;
use crate::records::Records;
use crate::refusal::Refusal;

/// Gives the same answer to every case named, each with the id of its transfer if this is the last yes. `terms` says on
/// what terms the two trusts of a case deal.
///
/// # Errors
/// What [`answer`] refuses, with the number `proposal`: which case it was. Nothing is
/// answered then.
pub fn answer_campaign<'t>(
    read: &Records,
    cases: &[(ProposalId, TransferId)],
    reply: Reply,
    note: &Note,
    terms: impl Fn(&Proposal) -> Terms<'t>,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut working = read.clone();
    let mut changes = Records::default();
    for (id, transfer) in cases {
        let proposal = working.proposals.get(id);
        let proposal = proposal.ok_or_else(|| Refusal::torn(format!("proposal {id} was not read")))?;
        let terms = terms(proposal);
        let answered = answer(&working, id, reply, note, transfer, &terms, actor, at);
        let change = answered.map_err(|refusal| refusal.with("proposal", id))?;
        working.apply(change.clone());
        changes.apply(change);
    }
    Ok(changes)
}
