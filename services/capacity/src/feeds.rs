//! How many feeds of a trust are remembered, so that nobody fills the store with names.

use fallow_api::convert::Check;
use fallow_api::reasons;
use fallow_domain::ids::{Label, TrustCode};
use fallow_domain::standing::{Claim, FeedState};
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, feeds_claim_key};
use fallow_ledger::transact::View;
use fallow_ledger::{Key, RecordKind};
use jiff::{SignedDuration, Timestamp};

/// Most feeds of a trust that are remembered: one for each site and kind of a large trust, several times over.
pub(crate) const FEEDS_MAX: usize = 100;

/// Longest name of a feed, in characters: as any label.
const NAME_CHARS_MAX: usize = 64;

/// Longest name of a feed, in bytes: with a report's number it is the name by which a repetition is known.
const NAME_BYTES_MAX: usize = 100;

/// Reads the name of a feed.
pub(crate) fn named(check: &mut Check<'_>, text: &str) -> Label {
    let name: Label = check.required_text("feed", text);
    if text.len() > NAME_BYTES_MAX && text.chars().count() <= NAME_CHARS_MAX {
        let said = format!("must have at most {NAME_BYTES_MAX} bytes in UTF-8, this one has {}", text.len());
        check.wrong("feed", reasons::BAD_TEXT, said);
    }
    name
}

/// For how long a feed must have been silent to give up its place to another: a system that is mended within four weeks is
/// still known by its number.
pub(crate) const SILENT_FOR: SignedDuration = SignedDuration::from_hours(28 * 24);

/// Returns what a record says of a feed, where it is a feed's.
pub(crate) fn state_of(record: &Record) -> Option<&FeedState> {
    if let Record::Feed(state) = record { Some(state) } else { None }
}

/// What is left for more feeds of a trust, and what makes it so.
#[derive(Debug, Default)]
pub(crate) struct Room {
    /// How many of those that were asked for find a place: the first of them.
    pub(crate) places: usize,
    /// What is written beside them: who makes room is forgotten, and the claim names the last that came.
    pub(crate) writes: Vec<(Key, Option<Record>)>,
}

/// Why it cannot be said yet what is left.
#[derive(Debug)]
pub(crate) enum Unsaid {
    /// This has to be read first.
    Read(Key),
    /// The picture does not show yet who came last.
    Behind,
}

impl Room {
    /// Looks what is left for feeds that are not known. Whoever names a new one reads and writes the claim of the trust's
    /// feeds, so that of two who come at once one decides again and counts the other. A feed that has been silent for long
    /// makes room, unless it is one of those `heard` now.
    ///
    /// # Errors
    /// What is to be read or waited for first.
    pub(crate) fn find(
        new: &[&Label],
        heard: &[&Key],
        (trust, at): (TrustCode, Timestamp),
        view: &View,
        picture: &Picture,
    ) -> Result<Self, Unsaid> {
        let claim = feeds_claim_key(trust);
        if !view.has_read(&claim) {
            return Err(Unsaid::Read(claim));
        }
        let (mut free, mut silent) = (FEEDS_MAX, Vec::new());
        {
            let still = picture.still();
            if still.revision() < view.revision(&claim) {
                return Err(Unsaid::Behind);
            }
            for (key, seen) in still.all(RecordKind::Feed) {
                let Some(state) = state_of(&seen.record).filter(|state| state.trust == trust) else {
                    continue;
                };
                free = free.saturating_sub(1);
                if is_silent(state, at) && !heard.contains(&&key) {
                    silent.push((state.at, key));
                }
            }
        }
        // The one that was heard first is the last, and goes first.
        silent.sort_unstable_by(|a, b| b.cmp(a));
        let mut room = Self::default();
        for _ in new {
            if free > 0 {
                free -= 1;
            } else if let Some(key) = first_silent(&mut silent, view, at)? {
                room.writes.push((key, None));
            } else {
                break;
            }
            room.places += 1;
        }
        if let Some(last) = new[..room.places].last() {
            room.writes.push((claim, Some(Record::Claim(Claim { holder: (*last).clone() }))));
        }
        Ok(room)
    }
}

/// Takes the next that is silent by what is read, and not only by the picture.
fn first_silent(
    silent: &mut Vec<(Timestamp, Key)>,
    view: &View,
    at: Timestamp,
) -> Result<Option<Key>, Unsaid> {
    while let Some((_, key)) = silent.pop() {
        if !view.has_read(&key) {
            return Err(Unsaid::Read(key));
        }
        if view.get(&key).and_then(state_of).is_some_and(|state| is_silent(state, at)) {
            return Ok(Some(key));
        }
    }
    Ok(None)
}

fn is_silent(state: &FeedState, at: Timestamp) -> bool {
    at.duration_since(state.at) >= SILENT_FOR
}
