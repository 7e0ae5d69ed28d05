//! What a simulated day is made of: wards, sessions, cases and what the trusts declare, read from a data file.

use std::collections::BTreeSet;

use fallow_domain::region::Region;
use jiff::civil::{DateTime, Time};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use thiserror::Error;

/// The scenarios that come with the binary, by name.
const BUILT_IN: [(&str, &str); 1] = [("winter-tuesday", include_str!("winter_tuesday.toml"))];

/// The zone of the fictional region.
const ZONE: &str = "Europe/London";

/// Why a scenario cannot be played.
#[derive(Debug, Error)]
pub enum ScenarioError {
    /// There is none of that name.
    #[error("there is no scenario \"{0}\"; there is: winter-tuesday")]
    Unknown(String),
    /// The file does not fit its form: a mistake of this build, for scenarios are compiled in.
    #[error("the scenario cannot be read")]
    Malformed(#[source] toml::de::Error),
    /// The zone or the time is not known: a mistake of this build.
    #[error("the scenario's times cannot be used")]
    Times(#[source] jiff::Error),
    /// The region lacks places that the scenario is about.
    #[error("the scenario is about sites that this region lacks ({0}): add --no-simulator")]
    OtherRegion(String),
}

/// A scenario.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    begins: DateTime,
    #[serde(skip, default = "utc")]
    zone: TimeZone,
    /// Free beds against the morning for each thousand staffed, by hour.
    pub(super) swing: [i64; 24],
    /// How many cases arise, by hour, as weights.
    pub(super) busy: [u32; 24],
    /// Trusts whose people leave much to a visitor.
    pub(super) unhurried: BTreeSet<String>,
    pub(super) mode: Vec<ModeChange>,
    pub(super) silence: Vec<Silence>,
    pub(super) opel: Vec<Opel>,
    pub(super) ward: Vec<Ward>,
    pub(super) session: Vec<Session>,
    pub(super) cases: Vec<Cases>,
    pub(super) night: Vec<Night>,
}

/// Gold switches a collaborative's mode.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModeChange {
    pub(super) at: Time,
    pub(super) collaborative: String,
    pub(super) incident: bool,
    pub(super) reason: String,
}

/// A trust's feed says nothing for a while.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Silence {
    pub(super) trust: String,
    pub(super) from: Time,
    pub(super) until: Time,
}

/// What a trust declares, and when.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Opel {
    pub(super) trust: String,
    pub(super) levels: Vec<(Time, i32)>,
}

/// Who reports a ward.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Reporter {
    /// The patient administration system.
    Adt,
    /// A person at a desk.
    Desk,
}

/// Beds or places that are there day and night.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ward {
    pub(super) site: String,
    pub(super) key: String,
    #[serde(default)]
    pub(super) note: String,
    /// `KIND/CODE` or `KIND/CODE/LEVEL`.
    pub(super) resource: String,
    pub(super) by: Reporter,
    pub(super) staffed: i64,
    /// Free in the morning; below 0 where even a good hour frees none.
    pub(super) spare: i64,
    /// Beds out of use from each time on.
    #[serde(default)]
    pub(super) blocked: Vec<(Time, i64)>,
    pub(super) sex: Option<String>,
    pub(super) age_max: Option<i32>,
    #[serde(default)]
    pub(super) capabilities: Vec<String>,
}

/// A session that recurs on some weekdays.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Session {
    pub(super) site: String,
    pub(super) key: String,
    pub(super) resource: String,
    #[serde(default)]
    pub(super) specialties: Vec<String>,
    pub(super) units: i64,
    pub(super) starts: Time,
    pub(super) hours: i64,
    /// 1 = Monday.
    pub(super) weekdays: Vec<i8>,
    /// How many of a hundred take place.
    pub(super) held: u32,
    /// How many of a hundred lack `needs` at first.
    #[serde(default)]
    pub(super) unstaffed: u32,
    #[serde(default)]
    pub(super) needs: Vec<String>,
    pub(super) age_max: Option<i32>,
}

/// Cases of one sort that arise through the day.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Cases {
    pub(super) prefix: String,
    pub(super) resource: String,
    #[serde(default)]
    pub(super) specialties: Vec<String>,
    pub(super) sites: Vec<String>,
    pub(super) a_day: u32,
    pub(super) bands: Vec<String>,
    pub(super) units: Vec<i64>,
    #[serde(default)]
    pub(super) minutes: Vec<i64>,
    pub(super) ages: Option<(i64, i64)>,
    /// Whether the patient's sex is known.
    #[serde(default)]
    pub(super) sexed: bool,
    /// How many of a hundred need isolation.
    #[serde(default)]
    pub(super) isolation: u32,
    pub(super) within_hours: (i64, i64),
    pub(super) waited_hours: (i64, i64),
    pub(super) travel: Vec<i64>,
    pub(super) reason: String,
    pub(super) scope: String,
    pub(super) pathway: Option<String>,
    pub(super) discharge: Option<String>,
}

/// One case that the night has left.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Night {
    #[serde(rename = "ref")]
    pub(super) case_ref: String,
    pub(super) site: String,
    pub(super) resource: String,
    #[serde(default)]
    pub(super) specialties: Vec<String>,
    pub(super) band: String,
    #[serde(default = "one")]
    pub(super) units: i64,
    #[serde(default)]
    pub(super) minutes: i64,
    pub(super) waited_hours: i64,
    pub(super) within_hours: i64,
    pub(super) age: Option<i32>,
    pub(super) sex: Option<String>,
    #[serde(default)]
    pub(super) isolation: bool,
    #[serde(default)]
    pub(super) travel: i64,
    /// The area in which the patient lives, one of the region's.
    #[serde(default)]
    pub(super) home: String,
    pub(super) reason: Option<String>,
    pub(super) scope: String,
    pub(super) pathway: Option<String>,
    pub(super) discharge: Option<String>,
    /// Minutes ago, as far as the day can tell, that the trusts agreed.
    #[serde(default)]
    pub(super) settled: i64,
    /// Left to a visitor.
    #[serde(default)]
    pub(super) waits: bool,
    #[serde(default)]
    pub(super) note: String,
}

fn one() -> i64 {
    1
}

fn utc() -> TimeZone {
    TimeZone::UTC
}

impl Scenario {
    /// Reads one of the scenarios that come with the binary.
    ///
    /// # Errors
    /// There is none of that name.
    pub(super) fn named(name: &str) -> Result<Self, ScenarioError> {
        let text = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (_, text) = text.ok_or_else(|| ScenarioError::Unknown(name.to_owned()))?;
        let mut scenario: Self = toml::from_str(text).map_err(ScenarioError::Malformed)?;
        scenario.zone = TimeZone::get(ZONE).map_err(ScenarioError::Times)?;
        scenario.on_day(0, Time::midnight()).map_err(ScenarioError::Times)?;
        Ok(scenario)
    }

    /// Makes sure that a region has the places that the scenario is about.
    ///
    /// # Errors
    /// Names the sites that are missing.
    pub(super) fn fits(&self, region: &Region) -> Result<(), ScenarioError> {
        let missing: Vec<&str> = self
            .sites()
            .into_iter()
            .filter(|site| !region.sites.keys().any(|known| known.as_str() == *site))
            .collect();
        if missing.is_empty() { Ok(()) } else { Err(ScenarioError::OtherRegion(missing.join(", "))) }
    }

    /// Returns when the scenario begins.
    pub(super) fn begins_at(&self) -> Timestamp {
        self.begins.to_zoned(self.zone.clone()).map_or(Timestamp::UNIX_EPOCH, |begins| begins.timestamp())
    }

    /// Returns the trusts that take part, in order.
    pub(super) fn trusts(&self) -> BTreeSet<&str> {
        self.sites().into_iter().map(trust_of).collect()
    }

    /// Returns the moment of a London time on a day, 0 being the first.
    pub(super) fn on_day(&self, day: i64, time: Time) -> Result<Timestamp, jiff::Error> {
        let date = self.begins.date().checked_add(SignedDuration::from_hours(24 * day))?;
        date.to_datetime(time).to_zoned(self.zone.clone()).map(|zoned| zoned.timestamp())
    }

    /// Returns the London time of day at a moment.
    pub(super) fn local(&self, at: Timestamp) -> DateTime {
        at.to_zoned(self.zone.clone()).datetime()
    }

    fn sites(&self) -> BTreeSet<&str> {
        let wards = self.ward.iter().map(|ward| ward.site.as_str());
        let sessions = self.session.iter().map(|session| session.site.as_str());
        let cases = self.cases.iter().flat_map(|cases| cases.sites.iter().map(String::as_str));
        let night = self.night.iter().map(|night| night.site.as_str());
        wards.chain(sessions).chain(cases).chain(night).collect()
    }
}

/// Returns the trust of a site: an ODS site code begins with its trust's.
pub(super) fn trust_of(site: &str) -> &str {
    site.get(..3).unwrap_or(site)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_winter_tuesday_begins_on_a_tuesday_at_half_past_six_in_north_vale() {
        let scenario = Scenario::named("winter-tuesday").unwrap();
        assert_eq!(scenario.begins_at().to_string(), "2026-01-13T06:30:00Z");
        assert_eq!(scenario.local(scenario.begins_at()).weekday(), jiff::civil::Weekday::Tuesday);
        let region: Region =
            fallow_domain::region::file::parse(include_str!("../../../../regions/north-vale.toml")).unwrap();
        scenario.fits(&region).unwrap();
        assert_eq!(
            scenario.trusts().into_iter().collect::<Vec<_>>(),
            ["ZA1", "ZA2", "ZA3", "ZA4", "ZA5", "ZA6"]
        );
        let mersey: Region =
            fallow_domain::region::file::parse(include_str!("../../../../regions/cheshire-merseyside.toml"))
                .unwrap();
        let wrong = scenario.fits(&mersey).unwrap_err().to_string();
        assert!(wrong.contains("ZA101, ZA102") && wrong.contains("--no-simulator"), "{wrong}");
        assert!(matches!(Scenario::named("summer-sunday"), Err(ScenarioError::Unknown(_))));
    }
}
