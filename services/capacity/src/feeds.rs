//! How many feeds of a trust are remembered, so that nobody fills the store with names.

use fallow_api::convert::Check;
use fallow_api::reasons;
use fallow_domain::ids::{Label, TrustCode};
use fallow_domain::standing::FeedState;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
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

/// Where one more feed goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// Beside the others.
    Free,
    /// In the place of this one, which has been silent for long.
    Of(Key),
}

/// What is left for more feeds of a trust.
#[derive(Debug)]
pub(crate) struct Room {
    free: usize,
    /// Those that have been silent for long, the one that was heard last first.
    silent: Vec<Key>,
}

impl Room {
    /// Looks at the feeds of a trust. What another process writes meanwhile is not seen: calls that come at once can pass the
    /// limit, by as many as are in work.
    pub(crate) fn of(picture: &Picture, trust: TrustCode, at: Timestamp) -> Self {
        let (mut known, mut silent) = (0_usize, Vec::new());
        for (key, seen) in picture.still().all(RecordKind::Feed) {
            let Some(state) = state_of(&seen.record).filter(|state| state.trust == trust) else { continue };
            known += 1;
            if is_silent(state, at) {
                silent.push((state.at, key));
            }
        }
        silent.sort_unstable_by(|a, b| b.cmp(a));
        Self {
            free: FEEDS_MAX.saturating_sub(known),
            silent: silent.into_iter().map(|(_, key)| key).collect(),
        }
    }

    /// Takes a place for one more; `None` when every place is that of a feed that was heard lately.
    pub(crate) fn take(&mut self) -> Option<Place> {
        match self.free.checked_sub(1) {
            Some(left) => {
                self.free = left;
                Some(Place::Free)
            }
            None => self.silent.pop().map(Place::Of),
        }
    }
}

impl Place {
    /// Returns the key of the feed that makes room, to be read.
    pub(crate) fn key(&self) -> Option<&Key> {
        match self {
            Self::Free => None,
            Self::Of(key) => Some(key),
        }
    }

    /// Returns what to remove for it, given what is read; `None` when the feed that was to make room was heard meanwhile.
    pub(crate) fn cleared(&self, view: &View, at: Timestamp) -> Option<Vec<(Key, Option<Record>)>> {
        match self {
            Self::Free => Some(Vec::new()),
            Self::Of(key) => match view.get(key).and_then(state_of) {
                Some(state) if !is_silent(state, at) => None,
                Some(_) => Some(vec![(key.clone(), None)]),
                None => Some(Vec::new()),
            },
        }
    }
}

fn is_silent(state: &FeedState, at: Timestamp) -> bool {
    at.duration_since(state.at) >= SILENT_FOR
}
