//! Reminders in a watch: a proposal that still waits for its watcher's answer is told again after a sixth and after a third
//! of its hold. Nothing is written for it: a reminder is a matter of time alone.
//!
//! A watch that goes on from a cursor knows of what was told before, too, and reminds of it at once where a reminder may
//! have fallen due while nobody watched. A proposal is only ever told again as it was last told: where it has changed
//! since, the change is on its way, and an older version must not come after it.

use std::collections::BTreeSet;

use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::ids::ProposalId;
use fallow_ledger::record::proposal_key;
use fallow_ledger::{Cursor, RecordKind, Revision};
use fallow_live::watch::{Item, Told};
use futures::{Stream, StreamExt, stream};
use jiff::Timestamp;

use crate::proposals::Looking;

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

/// Tells what a stream that starts at a cursor (empty = with a snapshot) tells and, when a reminder is due, the proposal
/// again with the cursor and revision last told.
pub(crate) fn told_again(
    looking: Looking,
    from: String,
    told: impl Stream<Item = Result<Told<v1::Proposal>, Failure>> + Send,
) -> impl Stream<Item = Result<Told<v1::Proposal>, Failure>> + Send {
    let revision = from.parse().map_or(Revision::ABSENT, |at: Cursor| at.revision());
    let mut state = Reminding { looking, told: Box::pin(told), due: BTreeSet::new(), cursor: from, revision };
    state.recall();
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
        // A snapshot is told in no order of revisions.
        self.revision = self.revision.max(told.revision);
        match &told.item {
            Item::Now(proposal) => {
                if let Ok(id) = ProposalId::parse(&proposal.id) {
                    self.set(&id, usize::try_from(proposal.reminded).unwrap_or(0));
                }
            }
            Item::Removed(id) => self.due.retain(|(_, other)| other.as_str() != id),
            Item::SnapshotDone | Item::Bookmark | Item::Moved => {}
        }
    }

    /// Sets when to remind of what the watcher was told before it went away, up to its cursor.
    fn recall(&mut self) {
        let told = self.looking.live.picture().still().all(RecordKind::Proposal);
        let told = told.into_iter().filter(|(_, seen)| seen.revision <= self.revision);
        let ids: Vec<ProposalId> =
            told.filter_map(|(_, seen)| seen.record.proposal().map(|found| found.id.clone())).collect();
        for id in &ids {
            self.set(id, 0);
        }
    }

    /// Sets anew when to remind of a proposal whose watcher knows of the first `known` reminders. Of several that are past,
    /// the last is enough.
    fn set(&mut self, id: &ProposalId, known: usize) {
        self.due.retain(|(_, other)| other != id);
        let Some(seen) = self.looking.live.picture().get(&proposal_key(id)) else { return };
        let waiting = seen.record.proposal().filter(|found| self.looking.is_awaited(found));
        let Some(found) = waiting else { return };
        let first = known.max(found.reminded(self.looking.clock.now()).saturating_sub(1));
        self.due.extend(found.reminders().into_iter().skip(first).map(|at| (at, id.clone())));
    }

    /// Returns the proposal as the watcher was last told of it, if that is how it is and it still waits for the watcher.
    fn again(&self, id: &ProposalId) -> Option<Told<v1::Proposal>> {
        let seen = self.looking.live.picture().get(&proposal_key(id))?;
        if seen.revision > self.revision {
            return None;
        }
        seen.record.proposal().filter(|found| self.looking.is_awaited(found))?;
        let proposal = self.looking.see(&seen.record, seen.revision)?;
        Some(Told { item: Item::Now(proposal), cursor: self.cursor.clone(), revision: self.revision })
    }
}
