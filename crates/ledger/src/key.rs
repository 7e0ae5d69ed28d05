//! What a record is called in the ledger.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// The kinds of record that a ledger keeps. The text form is part of what is stored: never change one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Capacity that a trust publishes; id: the offer's UUID.
    Offer,
    /// Demand that a trust raises; id: the need's UUID.
    Need,
    /// A pairing of a need and an offer with units held; id: the proposal's UUID.
    Proposal,
    /// What follows when both trusts said yes; id: the transfer's UUID.
    Transfer,
    /// What a trust declares of itself (OPEL, reserves); id: the trust's ODS code.
    Trust,
    /// The last `source_seq` taken from a source of a trust; id: the trust, a slash, the source.
    Feed,
    /// The region file in force, its version and the modes; id: the region's name.
    Region,
    /// Who may run the engine; id: the name of the role.
    Lease,
    /// A unique name and the record that has it, so that one name never has two live records.
    Claim,
    /// A pair of need and offer that was declined or lapsed; id: the need, a space, the offer.
    Decline,
    /// A sign-in that was ended before its time; id: the name of the session, or of the person with all of theirs.
    Session,
    /// What the monitor keeps; id: what it is (`action`, `alert`, `decision`, `position`, `sign_off`, `rollup`), a slash, its own name.
    Monitor,
}

impl RecordKind {
    /// Every kind, in the order of [`Key`]s.
    pub const ALL: [RecordKind; 12] = [
        RecordKind::Offer,
        RecordKind::Need,
        RecordKind::Proposal,
        RecordKind::Transfer,
        RecordKind::Trust,
        RecordKind::Feed,
        RecordKind::Region,
        RecordKind::Lease,
        RecordKind::Claim,
        RecordKind::Decline,
        RecordKind::Session,
        RecordKind::Monitor,
    ];

    /// Returns the stored text form: lower-case letters only.
    pub const fn as_str(self) -> &'static str {
        match self {
            RecordKind::Offer => "offer",
            RecordKind::Need => "need",
            RecordKind::Proposal => "proposal",
            RecordKind::Transfer => "transfer",
            RecordKind::Trust => "trust",
            RecordKind::Feed => "feed",
            RecordKind::Region => "region",
            RecordKind::Lease => "lease",
            RecordKind::Claim => "claim",
            RecordKind::Decline => "decline",
            RecordKind::Session => "session",
            RecordKind::Monitor => "monitor",
        }
    }

    /// Returns the kind's place in [`RecordKind::ALL`].
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// Names one record: its kind, and an id that is unique within the kind (1 to 512 bytes of UTF-8).
///
/// Ordered by kind, then by the bytes of the id. The text form is `kind/id`; an id may hold slashes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// The kind of the record.
    pub kind: RecordKind,
    /// The id within the kind.
    pub id: Arc<str>,
}

impl Key {
    /// Makes a key. The length of the id is checked when it is used, see [`crate::limits::KEY_ID_BYTES`].
    pub fn new(kind: RecordKind, id: impl Into<Arc<str>>) -> Key {
        Key { kind, id: id.into() }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.id)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Text that is no key: no slash, an unknown kind, or an empty id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a record key of the form kind/id")]
pub struct NotAKey {
    text: String,
}

impl FromStr for Key {
    type Err = NotAKey;

    fn from_str(text: &str) -> Result<Key, NotAKey> {
        let not_a_key = || NotAKey { text: text.to_owned() };
        let (kind, id) = text.split_once('/').ok_or_else(not_a_key)?;
        let kind = RecordKind::ALL.into_iter().find(|k| k.as_str() == kind).ok_or_else(not_a_key)?;
        if id.is_empty() {
            return Err(not_a_key());
        }
        Ok(Key::new(kind, id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_read_back_from_its_text() {
        for (place, kind) in RecordKind::ALL.into_iter().enumerate() {
            assert_eq!(kind.index(), place);
            let key = Key::new(kind, "ZA1/feed/7");
            assert_eq!(key.to_string().parse(), Ok(key));
        }
    }

    #[test]
    fn text_that_is_no_key_is_refused() {
        for text in ["", "offer", "offer/", "Offer/1", "thing/1", "/1"] {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }
}
