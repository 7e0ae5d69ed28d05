//! Watchers who are told the same: what a change means to them is found and written once, not once for each.

use std::collections::{HashMap, VecDeque};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use bytes::Bytes;
use fallow_ledger::RecordKind;
use fallow_ledger::picture::{Applied, Picture, WATCHER_BUFFER};

/// So many of the latest changes at most are kept for the watchers of an audience that come to them later than the first: as
/// many as a watcher may be behind, where they are small enough. Were they fewer, a thousand watchers that a busy moment held
/// up would each write for themselves, just then.
const KEPT: usize = WATCHER_BUFFER;
/// Of so many bytes together at most: a whole state of a thousand offers makes most of a megabyte. Large changes, such as of
/// eight proposals with their explanations, fill it long before they are as many as a watcher may be behind; a watcher that is
/// further behind than they reach writes for itself.
const KEPT_BYTES: usize = 1024 * 1024;

/// The audiences of a process for one kind of watch, by everything that decides what a watcher is told: how far it sees,
/// and what it asked for.
#[derive(Debug)]
pub struct Audiences<K>(Mutex<HashMap<K, Weak<Audience>>>);

impl<K> Default for Audiences<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Audiences<K> {
    /// Joins those who are told the same. A watcher leaves by dropping what it gets.
    pub fn join(&self, told_by: K) -> Arc<Audience> {
        let mut all = locked(&self.0);
        if let Some(audience) = all.get(&told_by).and_then(Weak::upgrade) {
            return audience;
        }
        // Whoever begins an audience clears away those that everybody has left: there are never more than watchers were.
        all.retain(|_, audience| audience.strong_count() > 0);
        let audience = Arc::new(Audience::default());
        all.insert(told_by, Arc::downgrade(&audience));
        audience
    }
}

/// Watchers of one picture who are told the same.
#[derive(Debug, Default)]
pub struct Audience(Mutex<Kept>);

/// The latest changes, dense, so that a change's place follows from its number.
#[derive(Debug, Default)]
struct Kept {
    changes: VecDeque<Written>,
    /// Of all messages together.
    bytes: usize,
}

impl Kept {
    /// Keeps what was written in a place, be it the next or one that is taken; what is greater than all that may be kept
    /// makes a gap, and nothing from before a gap is kept.
    fn put(&mut self, place: usize, written: Written) {
        if place > self.changes.len() || written.messages.len() > KEPT_BYTES {
            *self = Self::default();
        }
        if written.messages.len() > KEPT_BYTES {
            return;
        }
        self.bytes += written.messages.len();
        match self.changes.get_mut(place) {
            Some(taken) => self.bytes -= std::mem::replace(taken, written).messages.len(),
            None => self.changes.push_back(written),
        }
        while self.changes.len() > KEPT || self.bytes > KEPT_BYTES {
            self.bytes -= self.changes.pop_front().map_or(self.bytes, |oldest| oldest.messages.len());
        }
    }
}

/// What a change means, as it goes over the wire; nothing when they may not see it.
#[derive(Debug)]
struct Written {
    /// Itself, not its number: another history of the ledger has other changes under the same ones.
    change: Arc<Applied>,
    region: Standing,
    messages: Bytes,
}

/// Which region and trusts something was written under.
pub(crate) type Standing = [u64; 2];

/// Returns which region and trusts are in force: another answer after each change of theirs.
pub(crate) fn standing(picture: &Picture) -> Standing {
    [RecordKind::Region, RecordKind::Trust].map(|kind| picture.writes(kind))
}

impl Audience {
    /// Returns what a change means under a region: what another watcher has written, else what `write` returns. What was
    /// written under another region is written again, and so is what was written of another change: a watcher that was held
    /// up still comes to those from before the picture was drawn afresh.
    pub(crate) fn written(
        self: &Arc<Self>,
        change: &Arc<Applied>,
        region: Standing,
        write: impl FnOnce() -> Bytes,
    ) -> Bytes {
        // One alone keeps nothing for others.
        if Arc::strong_count(self) == 1 {
            return write();
        }
        let revision = change.revision;
        let mut kept = locked(&self.0);
        let first = kept.changes.front().map_or(revision, |written| written.change.revision);
        let place = revision.0.checked_sub(first.0).and_then(|place| usize::try_from(place).ok());
        // Further behind than what is kept.
        let Some(place) = place else { return write() };
        let same = |written: &&Written| written.region == region && Arc::ptr_eq(&written.change, change);
        if let Some(written) = kept.changes.get(place).filter(same) {
            return written.messages.clone();
        }
        let messages = write();
        kept.put(place, Written { change: change.clone(), region, messages: messages.clone() });
        messages
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use fallow_ledger::Revision;

    use super::*;

    /// Asks for changes by revision and region; the same revision is the same change throughout.
    fn texts(audience: &Arc<Audience>, asked: &[(u64, u64)]) -> Vec<String> {
        static CHANGES: Mutex<BTreeMap<u64, Arc<Applied>>> = Mutex::new(BTreeMap::new());
        let mut number = 0;
        let text = |(revision, region): &(u64, u64)| {
            let change = locked(&CHANGES).entry(*revision).or_insert_with(|| change(*revision)).clone();
            let written = audience.written(&change, [*region, 0], || {
                number += 1;
                Bytes::from(format!("{revision} under {region}, written as number {number}"))
            });
            String::from_utf8(written.to_vec()).unwrap()
        };
        asked.iter().map(text).collect()
    }

    fn change(revision: u64) -> Arc<Applied> {
        Arc::new(Applied { revision: Revision(revision), items: Vec::new(), cause: Bytes::new() })
    }

    #[test]
    fn a_change_of_another_history_is_not_taken_for_the_one_of_the_same_number() {
        let all = Audiences::default();
        let (first, second) = (all.join(1), all.join(1));
        let (old, new) = (change(7), change(7));
        let told = |audience: &Arc<Audience>, change, text: &'static str| {
            audience.written(change, [1, 1], || Bytes::from_static(text.as_bytes()))
        };
        assert_eq!(told(&first, &old, "old"), "old");
        assert_eq!(told(&second, &new, "new"), "new");
        assert_eq!(told(&second, &new, "not written again"), "new");
        assert_eq!(told(&first, &old, "old"), "old");
    }

    #[test]
    fn those_who_are_told_the_same_write_it_once() {
        let all = Audiences::default();
        let (first, second) = (all.join("beds"), all.join("beds"));
        assert!(Arc::ptr_eq(&first, &second) && !Arc::ptr_eq(&first, &all.join("theatres")));
        let told = texts(&first, &[(7, 1), (8, 1), (7, 1), (8, 1), (8, 2), (8, 2), (9, 2)]);
        let expected = [
            "7 under 1, written as number 1",
            "8 under 1, written as number 2",
            "7 under 1, written as number 1",
            "8 under 1, written as number 2",
            "8 under 2, written as number 3",
            "8 under 2, written as number 3",
            "9 under 2, written as number 4",
        ];
        assert_eq!(told, expected);
        drop((first, second));
        assert_eq!(locked(&all.join("staff").0).changes.len(), 0);
        assert_eq!(locked(&all.0).len(), 1, "those whom everybody has left are forgotten");
    }

    #[test]
    fn whoever_is_behind_or_alone_writes_for_itself_and_gaps_are_not_filled() {
        let all = Audiences::default();
        let (first, second) = (all.join(1), all.join(1));
        let last = 10 + u64::try_from(KEPT).unwrap();
        let in_order: Vec<(u64, u64)> = (10..=last).map(|revision| (revision, 1)).collect();
        assert_eq!(texts(&first, &in_order).len(), KEPT + 1);
        assert_eq!(locked(&first.0).changes.len(), KEPT);
        let told = texts(&second, &[(10, 1), (11, 1), (last + 5, 1), (last, 1), (last + 5, 1)]);
        assert_eq!(told[0], "10 under 1, written as number 1");
        assert!(told[1].starts_with("11 under 1, written as number 2"), "{}", told[1]);
        assert_eq!(told[2], format!("{} under 1, written as number 2", last + 5));
        assert_eq!(told[3], format!("{last} under 1, written as number 3"));
        assert_eq!(told[4], told[2]);
        drop(second);
        assert_eq!(texts(&first, &[(last + 5, 1)])[0], format!("{} under 1, written as number 1", last + 5));
    }

    #[test]
    fn no_more_bytes_are_kept_than_may_be_and_nothing_that_is_greater() {
        let all = Audiences::default();
        let (audience, _other) = (all.join(1), all.join(1));
        let tell = |revision: u64, region: u64, bytes: usize| {
            let written = audience.written(&change(revision), [region, 0], || vec![0; bytes].into());
            assert_eq!(written.len(), bytes);
            let kept = locked(&audience.0);
            assert_eq!(kept.bytes, kept.changes.iter().map(|one| one.messages.len()).sum::<usize>());
            kept.changes.iter().map(|one| one.change.revision.0).collect::<Vec<_>>()
        };
        let third = KEPT_BYTES / 3;
        for revision in 1..=9 {
            tell(revision, 1, third);
        }
        assert_eq!(tell(10, 1, third), [8, 9, 10]);
        // Written again, it may be greater.
        assert_eq!(tell(9, 2, 2 * third), [9, 10]);
        assert_eq!(tell(11, 2, KEPT_BYTES), [11]);
        assert!(tell(12, 2, KEPT_BYTES + 1).is_empty());
        assert_eq!(tell(13, 2, 10), [13]);
        assert!(tell(13, 3, KEPT_BYTES + 1).is_empty());
    }
}
