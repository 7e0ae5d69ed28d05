//! Where patients live, by area, and how far from home a place is.

use serde::{Deserialize, Serialize};

use super::Region;
use crate::ids::{Label, Name, SiteCode, TrustCode};
use crate::place::{Coordinates, great_circle_km};

/// An area in which patients live, such as a local authority's: what a need says instead of an address.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// Its name.
    pub name: Name,
    /// Its middle.
    pub coordinates: Coordinates,
    /// The trust whose services are the local ones.
    pub trust: TrustCode,
}

/// How far from home a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct FromHome {
    /// Whole kilometres as the crow flies, from the middle of the home area.
    pub kilometres: u32,
    /// Whether it is another trust's than the one whose services are local to the area.
    pub out_of_area: bool,
}

impl Region {
    /// Returns how far a site is from an area; `None` where the region knows one of them not.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // at most half the equator, and never below 0
    pub fn from_home(&self, area: &Label, site: SiteCode) -> Option<FromHome> {
        let (area, site) = (self.areas.get(area)?, self.sites.get(&site)?);
        let kilometres = great_circle_km(area.coordinates, site.coordinates).round() as u32;
        Some(FromHome { kilometres, out_of_area: area.trust != site.trust })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_of_another_trust_is_out_of_area_and_so_far_away() {
        let text = include_str!("../../../../regions/south-west-mental-health.toml");
        let region = super::super::file::parse(text).unwrap();
        let exeter = Label::parse("E07000041").unwrap();
        let far = |site: &str| region.from_home(&exeter, site.parse().unwrap());
        assert_eq!(far("RWV01"), Some(FromHome { kilometres: 2, out_of_area: false }));
        let bath = far("RVN01").unwrap();
        assert!(bath.out_of_area && (100..120).contains(&bath.kilometres), "{bath:?}");
        assert_eq!(far("ZZZ01"), None);
        assert_eq!(region.from_home(&Label::parse("E99").unwrap(), "RWV01".parse().unwrap()), None);
    }
}
