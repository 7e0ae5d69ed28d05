//! What waits for gold changes with a mode and no proposal: in an incident gold may approve whoever is named. A watch of what
//! waits for gold is therefore looked at again whenever the region file or a mode has changed.
//!
//! A watch that goes on from a cursor is told again what it was told, where a mode may have changed meanwhile: to be told
//! twice does no harm, to wait for the next change of a proposal does.

use std::collections::{BTreeSet, VecDeque};

use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::proposal::{Authority, ProposalState};
use fallow_ledger::{Cursor, RecordKind, Revision};
use fallow_live::watch::{Item, Told};
use futures::{Stream, StreamExt, stream};

use crate::proposals::Looking;

type Message = Result<Told<v1::Proposal>, Failure>;

/// A watch of what waits for gold.
struct Following<S> {
    looking: Looking,
    told: S,
    /// What is to be told before the watch goes on.
    ready: VecDeque<Message>,
    /// The ids that the watcher has, or may have.
    known: BTreeSet<String>,
    /// The revision of the region's record by which `known` was found; `None` = of an unknown one.
    found_by: Option<Revision>,
    /// Whether the snapshot is complete: what it lacks is on its way.
    is_complete: bool,
    /// Where the watcher is.
    cursor: String,
    revision: Revision,
}

/// Tells what a stream that starts at a cursor (empty = with a snapshot) tells and, when a mode or the region file has
/// changed, what waits for the watcher since then and what no longer does. The stream must tell of changes of the region at
/// once, by a bookmark at least.
pub(crate) fn followed(
    looking: Looking,
    from: String,
    told: impl Stream<Item = Message> + Send,
) -> impl Stream<Item = Message> + Send {
    let revision = from.parse().map_or(Revision::ABSENT, |at: Cursor| at.revision());
    let mut state = Following {
        looking,
        told: Box::pin(told),
        ready: VecDeque::new(),
        known: BTreeSet::new(),
        found_by: None,
        is_complete: !from.is_empty(),
        cursor: from,
        revision,
    };
    state.begin();
    stream::unfold(state, |mut state| async move {
        loop {
            if let Some(next) = state.ready.pop_front() {
                if let Ok(told) = &next {
                    state.note(told);
                }
                return Some((next, state));
            }
            let told = state.told.next().await?;
            // Before what has come, with the cursor before it: who goes away in between is told all of it again.
            state.look_again();
            state.ready.push_back(told);
        }
    })
}

impl<S> Following<S> {
    fn region(&self) -> Option<Revision> {
        self.looking.live.region().ok().map(|region| region.state_revision)
    }

    /// Finds what the watcher has to begin with.
    fn begin(&mut self) {
        let now = self.region();
        if !self.is_complete || now.is_some_and(|changed| changed <= self.revision) {
            self.found_by = now;
        }
        if self.is_complete {
            self.known = match self.found_by {
                Some(_) => self.waiting().into_iter().map(|proposal| proposal.id).collect(),
                None => self.may_have_waited(),
            };
        }
    }

    fn note(&mut self, told: &Told<v1::Proposal>) {
        if !told.cursor.is_empty() {
            self.cursor.clone_from(&told.cursor);
        }
        // A snapshot is told in no order of revisions.
        self.revision = self.revision.max(told.revision);
        match &told.item {
            Item::Now(proposal) => {
                self.known.insert(proposal.id.clone());
            }
            Item::Removed(id) => {
                self.known.remove(id);
            }
            Item::SnapshotDone => self.is_complete = true,
            Item::Bookmark | Item::Moved => {}
        }
    }

    /// Tells of what waits, or waits no longer, for another reason than a change of its own.
    fn look_again(&mut self) {
        let now = self.region();
        if !self.is_complete || now.is_none() || now == self.found_by {
            return;
        }
        let was_unknown = self.found_by.is_none();
        self.found_by = now;
        let waiting = self.waiting();
        let still: BTreeSet<&str> = waiting.iter().map(|proposal| proposal.id.as_str()).collect();
        let gone = self.known.iter().filter(|id| !still.contains(id.as_str())).cloned();
        let gone: Vec<Item<v1::Proposal>> = gone.map(Item::Removed).collect();
        let come = waiting.into_iter().filter(|one| was_unknown || !self.known.contains(&one.id));
        for item in gone.into_iter().chain(come.map(Item::Now)) {
            self.ready.push_back(Ok(Told { item, cursor: self.cursor.clone(), revision: self.revision }));
        }
    }

    /// Returns what waits as far as the watch has come. What changed after that is told in its turn, or, where it waits no
    /// longer, is told as gone already.
    fn waiting(&self) -> Vec<v1::Proposal> {
        let all = self.looking.live.picture().still().all(RecordKind::Proposal);
        let told =
            all.iter().filter(|(key, seen)| seen.revision <= self.revision || self.known.contains(&*key.id));
        told.filter_map(|(_, seen)| self.looking.see(&seen.record, seen.revision)).collect()
    }

    /// Returns the ids of what the watcher may have been told before it went away: what another authority is asked for.
    fn may_have_waited(&self) -> BTreeSet<String> {
        let all = self.looking.live.picture().still().all(RecordKind::Proposal);
        let pending = all.iter().filter_map(|(_, seen)| seen.record.proposal()).filter(|proposal| {
            proposal.state == ProposalState::Held && matches!(proposal.authority, Authority::Pending { .. })
        });
        pending.map(|proposal| proposal.id.to_string()).collect()
    }
}
