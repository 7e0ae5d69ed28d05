//! Names of things: ODS codes with their fixed shapes, record ids, and bounded texts.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Visitor;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Longest record id, in characters.
pub const ID_CHARS_MAX: usize = 64;

/// Why a text is not the name it was meant to be. The message is for people and never echoes the text.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NameError {
    /// The text does not have the shape of an ODS code.
    #[error("must be {len} capital letters or digits, such as {example}")]
    OdsShape {
        /// How many characters the code has.
        len: usize,
        /// A code of the right shape.
        example: &'static str,
    },
    /// The text is empty.
    #[error("must not be empty")]
    Empty,
    /// The text is longer than allowed.
    #[error("must have at most {max} characters, has {got}")]
    TooLong {
        /// Most characters allowed.
        max: usize,
        /// Characters found.
        got: usize,
    },
    /// The text holds a character that could be mistaken for something else: a control, direction or invisible mark.
    #[error("must be plain text, without control, direction or invisible characters")]
    NotPlain,
    /// The id holds a character that ids may not have.
    #[error("must be printable characters without spaces or curly brackets")]
    NotAnId,
}

macro_rules! ods_code {
    ($(#[$doc:meta])* $name:ident, $len:literal, $example:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; $len]);

        impl $name {
            /// Returns the code as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                // The bytes were checked to be ASCII when the code was parsed.
                std::str::from_utf8(&self.0).unwrap_or_default()
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                match <[u8; $len]>::try_from(text.as_bytes()) {
                    Ok(bytes) if bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()) => Ok(Self(bytes)),
                    Ok(_) | Err(_) => Err(NameError::OdsShape { len: $len, example: $example }),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read_text(deserializer, Self::from_str)
            }
        }
    };
}

ods_code!(
    /// Names a trust: the three characters of its ODS code, `^[A-Z0-9]{3}$`.
    TrustCode, 3, "RBL"
);
ods_code!(
    /// Names a site of a trust: the five characters of its ODS site code, `^[A-Z0-9]{5}$`.
    SiteCode, 5, "RBL14"
);

macro_rules! record_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Parses an id as the live services take it: 1 to 64 printable characters without spaces, `{` or `}`.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn parse(text: &str) -> Result<Self, NameError> {
                let id = Self::parse_any_text(text)?;
                if text.chars().any(|c| c.is_whitespace() || c == '{' || c == '}') {
                    return Err(NameError::NotAnId);
                }
                Ok(id)
            }

            /// Parses an id as files give it: any plain text of 1 to 64 characters.
            ///
            /// # Errors
            /// Says which rule the text breaks.
            pub fn parse_any_text(text: &str) -> Result<Self, NameError> {
                check_plain(text, ID_CHARS_MAX)?;
                if text.is_empty() {
                    return Err(NameError::Empty);
                }
                Ok(Self(text.into()))
            }

            /// Returns the id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Returns the id as text that is shared with it, and not copied.
            #[must_use]
            pub fn shared(&self) -> Arc<str> {
                self.0.clone()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                read_text(deserializer, Self::parse_any_text)
            }
        }
    };
}

record_id!(
    /// Names an offer.
    OfferId
);
record_id!(
    /// Names a need.
    NeedId
);
record_id!(
    /// Names a proposal.
    ProposalId
);
record_id!(
    /// Names a transfer.
    TransferId
);
record_id!(
    /// Names a collaborative, such as `cmast`.
    CollaborativeId
);
record_id!(
    /// Names a region, the scope of one ledger, such as `Y62`.
    RegionId
);

record_id!(
    /// Names an alert.
    AlertId
);
record_id!(
    /// Names an action that needs two people.
    ActionId
);
record_id!(
    /// Names a decision of gold.
    DecisionId
);

/// A plain text of at most `MAX` characters: no control, direction or invisible marks. May be empty.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(transparent)]
pub struct Text<const MAX: usize>(Box<str>);

/// A remark for people, at most 140 characters, never with patient details.
pub type Note = Text<140>;
/// A trust's own reference of a case, at most 64 characters, never a patient identifier.
pub type CaseRef = Text<64>;
/// A trust's own key of a thing it publishes, at most 64 characters.
pub type SourceKey = Text<64>;
/// A short plain label: a capability, a role, a cost centre. At most 64 characters.
pub type Label = Text<64>;
/// A name for people, at most 200 characters.
pub type Name = Text<200>;

impl<const MAX: usize> Text<MAX> {
    /// Parses a text.
    ///
    /// # Errors
    /// Says which rule the text breaks.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        check_plain(text, MAX)?;
        Ok(Self(text.into()))
    }

    /// Returns the text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Says whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<const MAX: usize> fmt::Display for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<const MAX: usize> fmt::Debug for Text<MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl<'de, const MAX: usize> Deserialize<'de> for Text<MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, Self::parse)
    }
}

/// Parses a text where it lies. A region's records have millions of names, and each would be copied once for nothing.
pub(crate) fn read_text<'de, D, T, E>(deserializer: D, parse: fn(&str) -> Result<T, E>) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    E: fmt::Display,
{
    deserializer.deserialize_str(Parsed(parse))
}

/// What is parsed of a text.
struct Parsed<T, E>(fn(&str) -> Result<T, E>);

impl<T, E: fmt::Display> Visitor<'_> for Parsed<T, E> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<F: serde::de::Error>(self, text: &str) -> Result<T, F> {
        (self.0)(text).map_err(F::custom)
    }
}

fn check_plain(text: &str, max: usize) -> Result<(), NameError> {
    // Bytes bound characters, so the count is made only where it can matter.
    if text.len() > max {
        let got = text.chars().count();
        if got > max {
            return Err(NameError::TooLong { max, got });
        }
    }
    if text.chars().any(is_deceptive) {
        return Err(NameError::NotPlain);
    }
    Ok(())
}

/// Says whether a character can make a text look like another one: controls, direction overrides and isolates,
/// zero-width and other invisible marks, and combining marks beyond what names need are refused wholesale.
fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ods_codes_have_one_shape() {
        assert_eq!("RBL".parse::<TrustCode>().unwrap().as_str(), "RBL");
        assert_eq!("RBL14".parse::<SiteCode>().unwrap().to_string(), "RBL14");
        for bad in ["", "rbl", "RB", "RBL1", "R L", "\u{420}BL", "RB!"] {
            assert!(bad.parse::<TrustCode>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn ids_are_bounded_and_plain() {
        assert!(OfferId::parse("o-1").is_ok());
        assert!(OfferId::parse(&"x".repeat(64)).is_ok());
        for bad in ["", "a b", "{r}:seal", "a\u{0}", "a\u{202E}b"] {
            assert!(OfferId::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(OfferId::parse(&"x".repeat(65)), Err(NameError::TooLong { max: 64, got: 65 }));
        assert!(OfferId::parse_any_text("a file's own id").is_ok());
    }

    #[test]
    fn texts_count_characters_not_bytes() {
        assert!(Note::parse(&"é".repeat(140)).is_ok());
        assert!(Note::parse(&"é".repeat(141)).is_err());
        assert!(Note::parse("line\nbreak").is_err());
    }
}
