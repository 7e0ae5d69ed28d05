//! Reading the log that is still kept, once, when the process starts.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::cause::Cause;
use fallow_ledger::picture::AppliedItem;
use fallow_ledger::record::{Record, need_key};
use fallow_ledger::{Change, Cursor, Key, Ledger, Revision, Trouble};
use jiff::Timestamp;

use super::lapses::Lapses;
use super::seen::entries_in;
use super::{ENTRIES_MAX, Entry, just_after};

/// Most changes that are read again.
const CHANGES_MAX: u64 = 100_000;
/// Changes asked for at once.
const PAGE: usize = 500;

/// What the log says.
pub(super) struct Read {
    /// Oldest first.
    pub(super) entries: VecDeque<Arc<Entry>>,
    /// From when on everything is there; `None` = from the beginning.
    pub(super) whole_from: Option<Timestamp>,
    /// When figures were late.
    pub(super) lapses: Lapses,
    /// Where to go on.
    pub(super) end: Cursor,
}

/// Reads what is kept before and up to `now`.
///
/// Of a record that was written before the first change that is read, its first change says only what it says of itself:
/// what it was before is not known.
pub(super) async fn read(ledger: &dyn Ledger, now: &Cursor) -> Result<Read, Trouble> {
    let oldest = oldest_kept(ledger, now).await?;
    let mut read =
        Read { entries: VecDeque::new(), whole_from: None, lapses: Lapses::default(), end: now.at(oldest) };
    let mut known: HashMap<Key, Arc<Record>> = HashMap::new();
    let is_whole = oldest == Revision::ABSENT;
    while read.end.revision() < now.revision() {
        let page = match ledger.changes(&read.end, PAGE, Duration::ZERO).await {
            // It was trimmed while it was read: what is kept now is newer.
            Err(Trouble::CursorGone) => return Ok(read_from(now)),
            other => other?,
        };
        for change in page.changes {
            if read.whole_from.is_none() && !is_whole {
                read.whole_from = Cause::decode(&change.cause).map(|cause| cause.at);
            }
            for entry in entries_of(change, &mut known, &mut read.lapses) {
                if read.entries.len() >= ENTRIES_MAX {
                    let gone = read.entries.pop_front();
                    read.whole_from = gone.map(|entry| just_after(entry.happened.at));
                }
                read.entries.push_back(Arc::new(entry));
            }
        }
        if page.cursor == read.end {
            break;
        }
        read.end = page.cursor;
    }
    Ok(read)
}

/// Nothing is known before now.
fn read_from(now: &Cursor) -> Read {
    Read {
        entries: VecDeque::new(),
        whole_from: Some(Timestamp::MAX),
        lapses: Lapses::default(),
        end: now.clone(),
    }
}

/// Finds the revision after which every change up to now is kept, at most [`CHANGES_MAX`] back. About seventeen short
/// calls.
async fn oldest_kept(ledger: &dyn Ledger, now: &Cursor) -> Result<Revision, Trouble> {
    let (mut gone, mut kept) = (now.revision().0.saturating_sub(CHANGES_MAX), now.revision().0);
    if is_kept(ledger, &now.at(Revision(gone))).await? {
        return Ok(Revision(gone));
    }
    while kept - gone > 1 {
        let middle = gone + (kept - gone) / 2;
        if is_kept(ledger, &now.at(Revision(middle))).await? {
            kept = middle;
        } else {
            gone = middle;
        }
    }
    Ok(Revision(kept))
}

async fn is_kept(ledger: &dyn Ledger, cursor: &Cursor) -> Result<bool, Trouble> {
    match ledger.changes(cursor, 1, Duration::ZERO).await {
        Ok(_) => Ok(true),
        Err(Trouble::CursorGone) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Returns what a change means, by what is known of its records from the changes before it, and takes what it ended.
fn entries_of(change: Change, known: &mut HashMap<Key, Arc<Record>>, lapses: &mut Lapses) -> Vec<Entry> {
    let mut items = Vec::with_capacity(change.writes.len());
    for (key, body) in change.writes {
        // What cannot be read is set apart by the picture, which says so.
        let after = body.and_then(|body| Record::decode(key.kind, &body).ok()).map(Arc::new);
        let before = match &after {
            Some(after) => known.insert(key.clone(), after.clone()),
            None => known.remove(&key),
        };
        items.push(AppliedItem { key, before, after });
    }
    lapses.take(&change.cause, &items);
    entries_in(change.revision, &change.cause, &items, |need| known.get(&need_key(need)).cloned())
}
