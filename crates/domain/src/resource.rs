//! What is offered and needed: a kind, a code, and where the code has them a level and specialties.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

use crate::ids::read_text;

/// Declares an enum whose values have one fixed text each, used in files, on screens and in stored records.
macro_rules! coded {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$vdoc])* #[serde(rename = $text)] $variant,)+
        }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Returns the value's fixed text.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::resource::UnknownCode;

            fn from_str(text: &str) -> Result<Self, $crate::resource::UnknownCode> {
                Self::ALL.iter().copied().find(|v| v.as_str() == text)
                    .ok_or_else(|| $crate::resource::UnknownCode { known: Self::ALL.iter().map(|v| v.as_str()).collect() })
            }
        }
    };
}
pub(crate) use coded;

/// A text that is none of the values it could be.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("must be one of {}", known.join(", "))]
pub struct UnknownCode {
    /// Every value there is.
    pub known: Vec<&'static str>,
}

coded!(
    /// The six kinds of capacity. One lifecycle for all.
    ResourceKind {
        /// A staffed bed; the code is the bed type.
        Bed = "BED",
        /// A theatre session, counted in minutes; the code is the kind of theatre.
        Theatre = "THEATRE",
        /// Diagnostic slots; the code is the DM01 test.
        Diagnostic = "DIAGNOSTIC",
        /// Staff for a shift; the code is the role.
        Staff = "STAFF",
        /// An item that can be lent; the code is the item.
        Equipment = "EQUIPMENT",
        /// Places on a virtual ward; the code is the pathway.
        VirtualWard = "VIRTUAL_WARD",
    }
);

impl ResourceKind {
    /// Says whether capacity of this kind is counted in minutes; all others are counted in units.
    #[must_use]
    pub const fn is_minutes(self) -> bool {
        matches!(self, Self::Theatre)
    }

    /// Returns what one and several units of what is offered are called: `bed`, `beds`.
    #[must_use]
    pub const fn units(self) -> (&'static str, &'static str) {
        match self {
            Self::Bed => ("bed", "beds"),
            Self::Theatre => ("minute", "minutes"),
            Self::Diagnostic => ("slot", "slots"),
            Self::Staff => ("shift", "shifts"),
            Self::Equipment => ("item", "items"),
            Self::VirtualWard => ("place", "places"),
        }
    }

    /// Returns what one and several units of what is needed or moved are called, beside those of other kinds:
    /// `theatre case`, `theatre cases`. A theatre is offered by the minute and asked for by the case.
    #[must_use]
    pub const fn moved(self) -> (&'static str, &'static str) {
        match self {
            Self::Bed => ("bed", "beds"),
            Self::Theatre => ("theatre case", "theatre cases"),
            Self::Diagnostic => ("test", "tests"),
            Self::Staff => ("member of staff", "staff"),
            Self::Equipment => ("item of equipment", "items of equipment"),
            Self::VirtualWard => ("virtual ward place", "virtual ward places"),
        }
    }

    /// Says whether one can start at any time while the offer lasts (a bed), not only when the offer starts (a slot).
    #[must_use]
    pub const fn is_open_while_it_lasts(self) -> bool {
        match self {
            Self::Bed | Self::VirtualWard | Self::Staff | Self::Equipment => true,
            Self::Theatre | Self::Diagnostic => false,
        }
    }
}

coded!(
    /// What the level numbers of critical care mean, since "level 1" differs between the two.
    LevelScheme {
        /// The Data Dictionary's levels 00 to 03.
        DataDictionary = "DATA_DICTIONARY",
        /// The Intensive Care Society's: ward, 1, 2, 3.
        Ics = "ICS",
    }
);

/// The code of a resource within its kind, such as `GA_ADULT`, `MRI` or `MH_206`: 1 to 64 characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(Arc<str>);

impl Code {
    /// Makes a code from text that was checked against the code lists (see [`crate::codes`]).
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns the code as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, |text| Ok::<_, std::convert::Infallible>(Self(text.into())))
    }
}

/// A level of care, 1 to 3; a higher level may serve a need of a lower one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub struct Level(u8);

impl Level {
    /// Makes a level, or returns `None` outside 1 to 3.
    #[must_use]
    pub const fn new(value: u8) -> Option<Self> {
        if value >= 1 && value <= 3 { Some(Self(value)) } else { None }
    }

    /// Returns the number, 1 to 3.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl TryFrom<u8> for Level {
    type Error = &'static str;

    fn try_from(value: u8) -> Result<Self, Self::Error> {
        Self::new(value).ok_or("a level must be 1, 2 or 3")
    }
}

impl From<Level> for u8 {
    fn from(level: Level) -> Self {
        level.0
    }
}

/// A Treatment Function Code: three digits, such as 110 for Trauma and Orthopaedic.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Specialty(u16);

impl Specialty {
    /// Makes a specialty from its number, 100 to 999, whether or not the code is in use (see [`crate::codes`]).
    #[must_use]
    pub const fn new(number: u16) -> Option<Self> {
        if number >= 100 && number <= 999 { Some(Self(number)) } else { None }
    }

    /// Returns the number, 100 to 999.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl FromStr for Specialty {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "must be a Treatment Function Code of three digits, such as 110";
        if text.len() != 3 || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(SHAPE);
        }
        text.parse().ok().and_then(Self::new).ok_or(SHAPE)
    }
}

impl fmt::Display for Specialty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:03}", self.0)
    }
}

impl fmt::Debug for Specialty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Specialty {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Specialty {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, Self::from_str)
    }
}

/// What is offered or needed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Resource {
    /// The kind.
    pub kind: ResourceKind,
    /// The code within the kind.
    pub code: Code,
    /// Specialties, sorted, each once. For an offer: those it can take; for a need: those that would do. Empty = not given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub specialties: Vec<Specialty>,
    /// The level, only for codes that have levels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<Level>,
    /// What the level number means, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level_scheme: Option<LevelScheme>,
}

impl Resource {
    /// Returns the key under which reserves, pressure and totals are kept.
    #[must_use]
    pub fn key(&self) -> ResourceKey {
        ResourceKey { kind: self.kind, code: self.code.clone(), level: self.level }
    }
}

/// Kind, code and, where the code has levels, level: `BED/GA_ADULT`, `BED/CC_ADULT/3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ResourceKey {
    /// The kind.
    pub kind: ResourceKind,
    /// The code.
    pub code: Code,
    /// The level, where the code has levels.
    pub level: Option<Level>,
}

impl fmt::Display for ResourceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.code)?;
        match self.level {
            Some(level) => write!(f, "/{}", level.get()),
            None => Ok(()),
        }
    }
}

impl FromStr for ResourceKey {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "must be KIND/CODE or KIND/CODE/LEVEL, such as BED/CC_ADULT/3";
        let mut parts = text.split('/');
        let (Some(kind), Some(code), level, None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SHAPE);
        };
        let kind = kind.parse().map_err(|_| SHAPE)?;
        let level = match level {
            Some(text) => Some(text.parse().ok().and_then(Level::new).ok_or(SHAPE)?),
            None => None,
        };
        if code.is_empty() {
            return Err(SHAPE);
        }
        Ok(Self { kind, code: Code::new(code), level })
    }
}

impl Serialize for ResourceKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ResourceKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        read_text(deserializer, Self::from_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_read_what_they_print() {
        for text in ["BED/GA_ADULT", "BED/CC_ADULT/3", "DIAGNOSTIC/MRI", "STAFF/ODP"] {
            assert_eq!(text.parse::<ResourceKey>().unwrap().to_string(), text);
        }
        for bad in ["BED", "BED/", "SOFA/X", "BED/CC_ADULT/4", "BED/CC_ADULT/3/1", "bed/GA_ADULT"] {
            assert!(bad.parse::<ResourceKey>().is_err(), "{bad}");
        }
    }

    #[test]
    fn specialties_are_three_digits() {
        assert_eq!("110".parse::<Specialty>().unwrap().to_string(), "110");
        for bad in ["11", "1100", "+10", "abc", "000"] {
            assert!(bad.parse::<Specialty>().is_err(), "{bad}");
        }
    }
}
