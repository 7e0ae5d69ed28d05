//! Reminders in a watch: a proposal that still waits for its watcher's answer is told again after a sixth and after a third
//! of its hold. Nothing is written for it: a reminder is a matter of time alone.

use std::collections::BTreeSet;

use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::calendar::reminders;
use fallow_domain::ids::ProposalId;
use fallow_ledger::Revision;
use fallow_ledger::record::proposal_key;
use fallow_live::watch::{Item, Told};
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;

use crate::proposals::{Looking, waits_for};
use crate::verbs::proposal_of;

/// A watch, and what it is to tell again.
struct Reminding<S> {
    looking: Looking,
    told: S,
    /// When to tell which proposal again, the next first.
    due: BTreeSet<(Timestamp, ProposalId)>,
    /// Where the watcher is.
    cursor: String,
    revision: Revision,
}

/// Tells what a stream tells and, when a reminder is due, the proposal again with the cursor and revision last told.
pub(crate) fn told_again(
    looking: Looking,
    told: impl Stream<Item = Result<Told<v1::Proposal>, Failure>> + Send,
) -> impl Stream<Item = Result<Told<v1::Proposal>, Failure>> + Send {
    let (cursor, revision) = (String::new(), Revision::ABSENT);
    let state = Reminding { looking, told: Box::pin(told), due: BTreeSet::new(), cursor, revision };
    stream::unfold(state, |mut state| async move {
        loop {
            let next = state.due.first().cloned();
            let clock = state.looking.clock.clone();
            let reminder = async move {
                match next {
                    Some((at, id)) => {
                        clock.sleep_until(at).await;
                        (at, id)
                    }
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                biased;
                told = state.told.next() => {
                    let told = told?;
                    if let Ok(told) = &told {
                        state.note(told);
                    }
                    return Some((told, state));
                }
                reminder = reminder => {
                    state.due.remove(&reminder);
                    if let Some(again) = state.again(&reminder.1) {
                        return Some((Ok(again), state));
                    }
                }
            }
        }
    })
}

impl<S> Reminding<S> {
    /// Notes where the watcher is and when it is to be reminded of what it was told.
    fn note(&mut self, told: &Told<v1::Proposal>) {
        if !told.cursor.is_empty() {
            self.cursor.clone_from(&told.cursor);
        }
        self.revision = told.revision;
        match &told.item {
            Item::Now(proposal) => {
                if let Ok(id) = ProposalId::parse(&proposal.id) {
                    self.set(&id);
                }
            }
            Item::Removed(id) => self.due.retain(|(_, other)| other.as_str() != id),
            Item::SnapshotDone | Item::Bookmark | Item::Moved => {}
        }
    }

    /// Sets anew when to remind of a proposal.
    fn set(&mut self, id: &ProposalId) {
        self.due.retain(|(_, other)| other != id);
        let now = self.looking.clock.now();
        let Some(seen) = self.looking.live.picture().get(&proposal_key(id)) else { return };
        let waiting = proposal_of(&seen.record).filter(|found| waits_for(found, &self.looking.actor));
        let Some(found) = waiting else { return };
        let coming = reminders(found.proposed_at, found.held_until);
        self.due.extend(coming.into_iter().filter(|at| *at > now).map(|at| (at, id.clone())));
    }

    /// Returns the proposal as it now is, if it still waits for the watcher.
    fn again(&self, id: &ProposalId) -> Option<Told<v1::Proposal>> {
        let seen = self.looking.live.picture().get(&proposal_key(id))?;
        proposal_of(&seen.record).filter(|found| waits_for(found, &self.looking.actor))?;
        let proposal = self.looking.see(&seen.record, seen.revision)?;
        Some(Told { item: Item::Now(proposal), cursor: self.cursor.clone(), revision: self.revision })
    }
}
