//! How sure the identity provider was of a person.

use serde::{Deserialize, Serialize};

/// An authenticator assurance level (AAL) of NIST SP 800-63B, as the identity provider tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Assurance {
    /// A password alone.
    One,
    /// Two factors.
    Two,
    /// Two factors, one of them a device that cannot be copied, such as a smartcard or a security key.
    Three,
}

impl Assurance {
    /// Returns the level as a number, 1 to 3.
    #[must_use]
    pub const fn level(self) -> u8 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Three => 3,
        }
    }

    /// Returns the lowest level that an `acr` value names: of `AAL2_OR_AAL3_ANY` the second, for no more is sure.
    #[must_use]
    pub fn of_acr(acr: &str) -> Option<Self> {
        [Self::One, Self::Two, Self::Three]
            .into_iter()
            .find(|level| acr.contains(&format!("AAL{}", level.level())))
    }
}

impl TryFrom<u8> for Assurance {
    type Error = &'static str;

    fn try_from(level: u8) -> Result<Self, Self::Error> {
        match level {
            1 => Ok(Self::One),
            2 => Ok(Self::Two),
            3 => Ok(Self::Three),
            _ => Err("an assurance level is 1, 2 or 3"),
        }
    }
}

impl From<Assurance> for u8 {
    fn from(assurance: Assurance) -> Self {
        assurance.level()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_acr_is_worth_the_lowest_level_it_names() {
        for (acr, level) in [
            ("AAL3_ANY", Some(3)),
            ("AAL2_OR_AAL3_ANY", Some(2)),
            ("AAL1_USERPASS", Some(1)),
            ("urn:example:gold", None),
            ("", None),
        ] {
            assert_eq!(Assurance::of_acr(acr).map(Assurance::level), level, "{acr}");
        }
    }
}
