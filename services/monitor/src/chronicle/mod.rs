//! The chronicle: what happened, as far back as the ledger's log is kept and there is room, newest last.
//!
//! One task fills it: first from the log that is still kept, then from the same changes as every watch. Timelines and
//! the counts of reports are read from it.

mod lapses;
mod log;
mod seen;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fallow_domain::monitor::happened::Happened;
use fallow_domain::monitor::lateness::Lapse;
use fallow_ledger::Revision;
use fallow_ledger::watch::{Event, WatchEnd};
use fallow_live::Live;
use jiff::Timestamp;
use tokio::sync::watch;

use self::lapses::Lapses;
pub(crate) use seen::{entries_of, may_see, may_see_action, may_see_alert, shown};

/// Most entries that are held: a busy region's week in some ten megabytes.
pub(crate) const ENTRIES_MAX: usize = 20_000;
/// How long the chronicle waits after trouble before it begins again.
const AGAIN_AFTER: Duration = Duration::from_secs(1);

/// One thing that happened, and where in the log it is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Entry {
    /// The revision of the change.
    pub(crate) revision: Revision,
    /// Its place among what the change means.
    pub(crate) place: usize,
    /// What happened.
    pub(crate) happened: Happened,
}

/// What happened, in memory.
#[derive(Debug, Default)]
pub(crate) struct Chronicle {
    book: Mutex<Book>,
    /// Up to which revision it is whole; `None` before it was first filled.
    reached: watch::Sender<Option<Revision>>,
}

#[derive(Debug, Default)]
struct Book {
    entries: VecDeque<Arc<Entry>>,
    /// From when on everything is there; `None` = from the beginning.
    whole_from: Option<Timestamp>,
    /// When figures were late.
    lapses: Lapses,
}

impl Chronicle {
    /// Returns every entry up to a revision, newest first.
    pub(crate) fn newest(&self, until: Revision) -> Vec<Arc<Entry>> {
        let book = self.book();
        book.entries.iter().rev().filter(|entry| entry.revision <= until).cloned().collect()
    }

    /// Returns every entry, oldest first, and from when on everything is there; `None` = from the beginning.
    pub(crate) fn all(&self) -> (Vec<Arc<Entry>>, Option<Timestamp>) {
        let book = self.book();
        (book.entries.iter().cloned().collect(), book.whole_from)
    }

    /// Returns the first moment from which on everything that happened is there; `None` before the log was read, and where
    /// nothing has happened since the ledger's beginning.
    pub(crate) fn held_from(&self) -> Option<Timestamp> {
        let book = self.book();
        let first = || book.entries.front().map(|entry| entry.happened.at);
        book.whole_from.or_else(first).filter(|from| *from < Timestamp::MAX)
    }

    /// Returns the stretches during which offers were STALE and that ended after a time; `None` when not all of them are
    /// held.
    pub(crate) fn lapses_after(&self, from: Timestamp) -> Option<Vec<Lapse>> {
        self.book().lapses.after(from)
    }

    /// Waits until everything up to a revision is there; says whether it came within the time.
    pub(crate) async fn reached(&self, revision: Revision, within: Duration) -> bool {
        let mut reached = self.reached.subscribe();
        let waited = reached.wait_for(|now| *now >= Some(revision));
        tokio::time::timeout(within, waited).await.is_ok_and(|found| found.is_ok())
    }

    /// Returns a receiver that sees up to where it is whole.
    pub(crate) fn progress(&self) -> watch::Receiver<Option<Revision>> {
        self.reached.subscribe()
    }

    /// Fills the chronicle and keeps it so. Never returns; drop it to stop.
    pub(crate) async fn keep(&self, live: &Live) {
        loop {
            match self.follow(live).await {
                Ok(()) => {}
                Err(Lost::Watch(end)) => tracing::info!(%end, "the chronicle is filled again"),
                Err(Lost::Store(trouble)) => {
                    tracing::warn!(error = %trouble, "the chronicle cannot be filled yet");
                }
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }

    async fn follow(&self, live: &Live) -> Result<(), Lost> {
        let picture = live.picture();
        let mut drawn = picture.revisions();
        // The picture outlives this task.
        if drawn.wait_for(Option::is_some).await.is_err() {
            return Ok(());
        }
        let Some(now) = picture.still().cursor().cloned() else { return Ok(()) };
        let read = log::read(live.ledger(), &now).await.map_err(Lost::Store)?;
        let end = read.end.clone();
        self.begin(read);
        // The picture may be a little behind the ledger, and a watch does not begin in the future.
        picture.reached(end.revision(), Duration::from_secs(30)).await;
        let mut watch = picture.watch(&[], Some(&end)).map_err(Lost::Watch)?;
        loop {
            let (event, _) = watch.next().await.map_err(Lost::Watch)?;
            match event {
                Event::Change(applied) => {
                    self.book().lapses.take(&applied.cause, &applied.items);
                    self.add(applied.revision, entries_of(&applied, picture));
                }
                Event::Bookmark | Event::SnapshotDone | Event::Record(..) => {}
            }
        }
    }

    fn begin(&self, read: log::Read) {
        {
            let mut book = self.book();
            book.entries = read.entries;
            book.whole_from = read.whole_from;
            book.lapses = read.lapses;
        }
        self.reached.send_replace(Some(read.end.revision()));
    }

    fn add(&self, revision: Revision, entries: Vec<Entry>) {
        {
            let mut book = self.book();
            for entry in entries {
                if book.entries.len() >= ENTRIES_MAX {
                    let gone = book.entries.pop_front();
                    book.whole_from = gone.map(|entry| just_after(entry.happened.at));
                }
                book.entries.push_back(Arc::new(entry));
            }
        }
        self.reached.send_replace(Some(revision));
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        // Every single operation leaves the book whole.
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The first moment after one of which not everything is there.
fn just_after(at: Timestamp) -> Timestamp {
    at.saturating_add(jiff::SignedDuration::from_nanos(1)).unwrap_or(at)
}

/// Why the chronicle must be filled again.
enum Lost {
    /// The picture's watch ended.
    Watch(WatchEnd),
    /// The log could not be read.
    Store(fallow_ledger::Trouble),
}

/// Where in the log something is, as a timeline's id has it.
pub(crate) fn id_of(entry: &Entry) -> String {
    format!("{}-{}", entry.revision.0, entry.place)
}

#[cfg(test)]
mod tests {
    use fallow_domain::actor::Role;
    use fallow_domain::monitor::happened::What;
    use fallow_ledger::Cursor;

    use super::*;

    #[test]
    fn no_more_is_held_than_there_is_room_for_and_it_is_said_from_when_on_all_of_it_is() {
        let chronicle = Chronicle::default();
        let end = Cursor::new("history".into(), Revision::ABSENT);
        chronicle.begin(log::Read {
            entries: VecDeque::new(),
            whole_from: None,
            lapses: Lapses::default(),
            end,
        });
        let at = |n: usize| Timestamp::from_second(i64::try_from(n).unwrap()).unwrap();
        for n in 0..ENTRIES_MAX + 5 {
            let what = What::SignedOff { as_of: at(n), signatory: String::new() };
            let happened = Happened { at: at(n), by: Role::Gold, what };
            let revision = Revision(n as u64 + 1);
            chronicle.add(revision, vec![Entry { revision, place: 0, happened }]);
        }
        let (held, whole_from) = chronicle.all();
        assert_eq!((held.len(), whole_from), (ENTRIES_MAX, Some(just_after(at(4)))));
        assert_eq!(held[0].happened.at, at(5), "the oldest have gone");
    }
}
