//! Two people answer for a trust that cannot.

use jiff::Timestamp;

use super::answer::{Reply, answer, check_people};
use super::{Terms, party};
use crate::actor::{Actor, Role};
use crate::ids::{Note, ProposalId, TransferId, TrustCode};
use crate::lifecycle::Party;
use crate::records::Records;
use crate::refusal::{Refusal, reason};

/// Answers for the side of a trust, as its own people would. The record says who it really was: the second of the two,
/// with the first. Neither of them may have answered for another side, nor may answer for one later.
///
/// # Errors
/// As [`answer`].
#[allow(clippy::too_many_arguments)] // an answer is what, by whom, when and on what terms
pub fn answer_for(
    read: &Records,
    id: &ProposalId,
    reply: Reply,
    note: &Note,
    transfer: &TransferId,
    terms: &Terms<'_>,
    (trust, people): (TrustCode, [&Actor; 2]),
    at: Timestamp,
) -> Result<Records, Refusal> {
    let torn = || Refusal::torn(format!("proposal {id} was not read"));
    let proposal = read.proposals.get(id).ok_or_else(torn)?;
    let [first, second] = people;
    let acting = Actor { role: Role::SiteLead, trust: Some(trust), ..second.clone() };
    let side = party(&acting, proposal);
    for person in people {
        check_people(proposal, side, person)?;
    }
    let mut changes = answer(read, id, reply, note, transfer, terms, &acting, at)?;
    if let Some(changed) = changes.proposals.get_mut(id) {
        let team = changed.team.as_deref_mut().and_then(|team| team.side.as_mut());
        let (by, with) = match (side, team) {
            (Party::Home, _) => (&mut changed.home.by, &mut changed.home.with),
            (Party::Supporting, _) => (&mut changed.supporting.by, &mut changed.supporting.with),
            (Party::Team, Some(team)) => (&mut team.by, &mut team.with),
            (Party::Team | Party::Authority | Party::Gold | Party::Engine | Party::Other, _) => {
                return Err(Refusal::new(reason::WRONG_SIDE, format!("{trust} has no side of the proposal")));
            }
        };
        (*by, *with) = (Some(second.clone()), Some(first.clone()));
    }
    Ok(changes)
}
