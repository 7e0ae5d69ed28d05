//! Names of sign-ins, by which they are ended wherever their credentials are shown.
//!
//! A name is a hash: what the provider calls a session never leaves the process that read it.

use std::fmt::Write as _;

use fallow_domain::ids::Label;
use fallow_domain::standing::EndedSession;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

/// Bytes of the hash in a name: enough that no two are ever the same.
const NAME_BYTES: usize = 16;

/// How a name of sign-ins was ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended {
    /// Whoever signed in until then has to sign in again; on the clock that the sign-ins are dated by.
    pub at: Timestamp,
    /// Who ended it.
    pub by: EndedBy,
}

/// Who ended a name of sign-ins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// Its person. The provider may go on with the session under the same name, once they have signed in again.
    Person,
    /// The identity provider, which names no other session so.
    Provider,
}

impl EndedBy {
    /// Returns the word for it in records.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Provider => "provider",
        }
    }
}

impl From<&EndedSession> for Ended {
    fn from(session: &EndedSession) -> Self {
        let by =
            if session.by.as_str() == EndedBy::Person.as_str() { EndedBy::Person } else { EndedBy::Provider };
        Self { at: session.at, by }
    }
}

/// Tells whether and how a name of sign-ins was ended. Asked with every call, so it must answer at once.
pub type EndedSessions = dyn Fn(&Label) -> Option<Ended> + Send + Sync;

/// Says whether a sign-in has ended: by itself, or with all others of its person until then.
///
/// Sign-ins of one name are told apart by when the person signed in, for a provider may keep its session and its name
/// for it when the person signs out of Fallow alone.
#[must_use]
pub fn has_ended(
    ended: impl Fn(&Label) -> Option<Ended>,
    session: &Label,
    subject: &Label,
    signed_in_at: Timestamp,
) -> bool {
    let until_then = |end: Ended| signed_in_at.as_second() <= end.at.as_second();
    let by_name = ended(session).is_some_and(|end| match end.by {
        EndedBy::Person => until_then(end),
        EndedBy::Provider => true,
    });
    by_name || ended(&person_name(subject)).is_some_and(until_then)
}

/// Returns the name of one sign-in at a provider.
#[must_use]
pub fn session_name(issuer: &str, session: &str) -> Label {
    name("s", &[issuer, session])
}

/// Returns the name that stands for all sign-ins of a person, by the subject of their credentials.
#[must_use]
pub fn person_name(subject: &Label) -> Label {
    name("p", &[subject.as_str()])
}

/// Returns the subject by which a person of a provider is known: their id there where it can be one, else its hash.
#[must_use]
pub fn subject_of(issuer: &str, sub: &str) -> Label {
    let plain = |label: &Label| !label.as_str().contains(' ');
    Label::parse(sub).ok().filter(plain).unwrap_or_else(|| name("u", &[issuer, sub]))
}

fn name(kind: &str, parts: &[&str]) -> Label {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(part.len().to_be_bytes());
        hash.update(part.as_bytes());
    }
    let mut text = format!("{kind}-");
    for byte in hash.finalize().iter().take(NAME_BYTES) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    // A letter, a dash and 32 digits are a label.
    Label::parse(&text).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_and_tell_nothing() {
        let name = session_name("https://id.example", "sid-1");
        assert_eq!((name.as_str().len(), &name.as_str()[..2]), (34, "s-"));
        assert_ne!(name, session_name("https://id.example", "sid-2"));
        assert_ne!(name, session_name("https://id.examples", "id-1"));
        assert!(!name.as_str().contains("sid-1"));
    }

    #[test]
    fn a_person_who_signs_in_again_goes_on_under_the_same_name() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let (session, subject) = (session_name("i", "sid-1"), subject_of("i", "900000000001"));
        let holds = |named: &Label, by: EndedBy, signed_in: i64| {
            let named = named.clone();
            let ended = move |asked: &Label| (*asked == named).then_some(Ended { at: at(100), by });
            has_ended(ended, &session, &subject, at(signed_in))
        };
        let (person, other) = (person_name(&subject), session_name("i", "sid-2"));
        for (named, by, last) in [
            (&session, EndedBy::Person, Some(100)),
            (&session, EndedBy::Provider, Some(i64::from(i32::MAX))),
            (&person, EndedBy::Provider, Some(100)),
            (&other, EndedBy::Provider, None),
        ] {
            for signed_in in [99, 100, 101, i64::from(i32::MAX)] {
                let expected = last.is_some_and(|last| signed_in <= last);
                assert_eq!(holds(named, by, signed_in), expected, "{named} {by:?} {signed_in}");
            }
        }
    }

    #[test]
    fn a_subject_is_the_providers_id_where_that_is_plain() {
        assert_eq!(subject_of("i", "900000000001").as_str(), "900000000001");
        for odd in ["a b", &"x".repeat(65), "a\u{202e}b"] {
            assert!(subject_of("i", odd).as_str().starts_with("u-"), "{odd:?}");
        }
    }
}
