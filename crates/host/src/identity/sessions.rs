//! Names of sign-ins, by which they are ended wherever their credentials are shown.
//!
//! A name is a hash: what the provider calls a session never leaves the process that read it.

use std::fmt::Write as _;

use fallow_domain::ids::Label;
use sha2::{Digest as _, Sha256};

/// Bytes of the hash in a name: enough that no two are ever the same.
const NAME_BYTES: usize = 16;

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
    fn a_subject_is_the_providers_id_where_that_is_plain() {
        assert_eq!(subject_of("i", "900000000001").as_str(), "900000000001");
        for odd in ["a b", &"x".repeat(65), "a\u{202e}b"] {
            assert!(subject_of("i", odd).as_str().starts_with("u-"), "{odd:?}");
        }
    }
}
