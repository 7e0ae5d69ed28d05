//! Policy: the numbers by which a region matches. Each has a default; an unknown key in a file is an error.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::actor::Role;
use crate::ids::{Label, TrustCode};
use crate::monitor::rules::AlertPolicy;
use crate::need::Priority;
use crate::quantity::Count;
use crate::region::SiteKind;
use crate::resource::{Code, ResourceKind, coded};

/// The numbers by which a region matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Policy {
    /// Minutes between two cases of a theatre session, 0 to 240; default 15.
    pub turnover_minutes: u32,
    /// A trust that has declared this OPEL or more is not asked, 1 to 5 (5 = never spared); default 4.
    pub opel_limit: u8,
    /// Points of the k-th unit beyond a trust's fair allowance, per k, 0 to 1,000; default 0 = fairness off.
    pub fair_step: u32,
    /// Points for a supporting trust's declared OPEL 1 to 4, each 0 to 1,000; default 0, 4, 15, 40.
    pub opel_points: [u32; 4],
    /// Points for each whole day from the need's time to the offer's start, 0 to 1,000; default 2.
    pub delay_points_per_day: u32,
    /// Points for each level of care above the need's, 0 to 1,000; default 10.
    pub level_points: u32,
    /// Most points that an external risk score of 100 adds within a band, 0 to 1,000; default 0.
    pub risk_weight: u32,
    /// Points that the most deprived decile adds within a band, 0 to 1,000, capped at 10 in effect; default 0.
    pub equity_weight: u32,
    /// Hours within which each band must be met.
    pub limit_hours: LimitHours,
    /// Whether theatre bands go strictly one after another.
    pub theatre_bands: TheatreBands,
    /// A standing proposal is not replaced for fewer points than this, 0 to 1,000; default 10.
    pub keep_points: u32,
    /// Kinds of site that take no emergencies (P1A, P1B), such as SURGICAL_HUB; default none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ring_fence: Vec<SiteKind>,
    /// Minutes until the same asker may ask a trust again whether the same figures are still true, 1 to 1,440; default 15.
    pub ask_again_minutes: u32,
    /// How long holds last.
    pub hold: HoldTimes,
    /// Who must approve what.
    pub approval: Vec<ApprovalRule>,
    /// What trusts have agreed to beforehand.
    pub standing_agreement: Vec<StandingAgreement>,
    /// What changes between two trusts while a collaborative that joins them is in incident mode.
    #[serde(skip_serializing_if = "IncidentPolicy::changes_nothing")]
    pub incident: IncidentPolicy,
    /// What people are alarmed of.
    #[serde(skip_serializing_if = "AlertPolicy::is_default")]
    pub alerts: AlertPolicy,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            turnover_minutes: 15,
            opel_limit: 4,
            fair_step: 0,
            opel_points: [0, 4, 15, 40],
            delay_points_per_day: 2,
            level_points: 10,
            risk_weight: 0,
            equity_weight: 0,
            limit_hours: LimitHours::default(),
            theatre_bands: TheatreBands::Strict,
            keep_points: 10,
            ring_fence: Vec::new(),
            ask_again_minutes: 15,
            hold: HoldTimes::default(),
            approval: Vec::new(),
            standing_agreement: Vec::new(),
            incident: IncidentPolicy::default(),
            alerts: AlertPolicy::default(),
        }
    }
}

coded!(
    /// How theatre sessions weigh bands against one another.
    TheatreBands {
        /// Band by band: a lower band never costs a higher one anything.
        Strict = "strict",
        /// All bands at once by weight, for comparison with solvers.
        Weighted = "weighted",
    }
);

/// Hours within which each band must be met, each 1 to 100,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "UPPERCASE")]
pub struct LimitHours {
    /// Default 24.
    pub p1a: u32,
    /// Default 72.
    pub p1b: u32,
    /// Default 672, 28 days.
    pub p2: u32,
    /// Default 2,184, 91 days.
    pub p3: u32,
    /// Default 3,024, 126 days.
    pub p4: u32,
}

impl LimitHours {
    /// Returns the hours of a band.
    #[must_use]
    pub const fn of(&self, priority: Priority) -> u32 {
        match priority {
            Priority::P1A => self.p1a,
            Priority::P1B => self.p1b,
            Priority::P2 => self.p2,
            Priority::P3 => self.p3,
            Priority::P4 => self.p4,
        }
    }
}

impl Default for LimitHours {
    fn default() -> Self {
        Self { p1a: 24, p1b: 72, p2: 672, p3: 2_184, p4: 3_024 }
    }
}

/// How long a hold lasts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "SCREAMING_SNAKE_CASE")]
pub struct HoldTimes {
    /// Default 10 minutes.
    #[serde(rename = "P1A")]
    pub p1a: HoldTime,
    /// Default 20 minutes.
    #[serde(rename = "P1B")]
    pub p1b: HoldTime,
    /// Default 60 minutes.
    #[serde(rename = "P2")]
    pub p2: HoldTime,
    /// Default 4 working hours.
    #[serde(rename = "P3")]
    pub p3: HoldTime,
    /// Default 4 working hours.
    #[serde(rename = "P4")]
    pub p4: HoldTime,
    /// Critical care of P2 and below; default 60 minutes.
    pub critical_care: HoldTime,
    /// A block of sessions or slots; default 2 working days.
    pub campaign: HoldTime,
}

impl Default for HoldTimes {
    fn default() -> Self {
        Self {
            p1a: HoldTime::Minutes(10),
            p1b: HoldTime::Minutes(20),
            p2: HoldTime::Minutes(60),
            p3: HoldTime::WorkingHours(4),
            p4: HoldTime::WorkingHours(4),
            critical_care: HoldTime::Minutes(60),
            campaign: HoldTime::WorkingDays(2),
        }
    }
}

impl HoldTimes {
    /// Returns the hold time of a band, `critical_care` where the resource is critical care and the band not more urgent.
    #[must_use]
    pub fn of(&self, priority: Priority, is_critical_care: bool) -> HoldTime {
        match priority {
            Priority::P1A => self.p1a,
            Priority::P1B => self.p1b,
            Priority::P2 | Priority::P3 | Priority::P4 if is_critical_care => self.critical_care,
            Priority::P2 => self.p2,
            Priority::P3 => self.p3,
            Priority::P4 => self.p4,
        }
    }
}

/// A length of time on the clock or in working time: written `10m`, `2h`, `4wh`, `2wd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldTime {
    /// Minutes on the clock, 1 to 43,200.
    Minutes(u32),
    /// Working hours, 1 to 720.
    WorkingHours(u32),
    /// Working days, 1 to 30.
    WorkingDays(u32),
}

impl fmt::Display for HoldTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutes(n) => write!(f, "{n}m"),
            Self::WorkingHours(n) => write!(f, "{n}wh"),
            Self::WorkingDays(n) => write!(f, "{n}wd"),
        }
    }
}

impl FromStr for HoldTime {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SHAPE: &str = "must be minutes (1m to 43200m), hours (1h to 720h), working hours (1wh to 720wh) or working days (1wd to 30wd)";
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let number: u32 = text[..digits].parse().map_err(|_| SHAPE)?;
        match (&text[digits..], number) {
            ("m", 1..=43_200) => Ok(Self::Minutes(number)),
            ("h", 1..=720) => Ok(Self::Minutes(number * 60)),
            ("wh", 1..=720) => Ok(Self::WorkingHours(number)),
            ("wd", 1..=30) => Ok(Self::WorkingDays(number)),
            _ => Err(SHAPE),
        }
    }
}

impl Serialize for HoldTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HoldTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Says who must approve a proposal above the two trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalRule {
    /// The kinds it is about; empty = all.
    #[serde(default)]
    pub kinds: Vec<ResourceKind>,
    /// The bands it is about; empty = all.
    #[serde(default)]
    pub bands: Vec<Priority>,
    /// Only proposals of more units than this.
    #[serde(default)]
    pub units_over: Count,
    /// Who approves: `icb`, `lead_provider` or `gold`.
    pub role: Role,
}

/// Says to what a trust has agreed beforehand: its side answers at once. An agreement to lend staff names the trust that
/// they may go to, their roles and the day it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StandingAgreement {
    /// Its name, which is recorded with the answer.
    pub id: Label,
    /// The trust that signed it.
    pub trust: TrustCode,
    /// The trusts that it is with; empty = all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub with: Vec<TrustCode>,
    /// The kinds it is about; empty = all.
    #[serde(default)]
    pub kinds: Vec<ResourceKind>,
    /// The codes it is about, such as the roles of staff that are lent; empty = all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub codes: Vec<Code>,
    /// The bands it is about; empty = all.
    #[serde(default)]
    pub bands: Vec<Priority>,
    /// Only proposals of at most so many units; `None` = any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub units_up_to: Option<Count>,
    /// When it ends.
    pub until: Timestamp,
}

/// What changes between two trusts while a collaborative that joins them is in incident mode. Reserves never do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct IncidentPolicy {
    /// Goes before [`Policy::opel_limit`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub opel_limit: Option<u8>,
    /// Goes before [`Policy::hold`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<HoldTimes>,
    /// Goes before [`Policy::approval`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Vec<ApprovalRule>>,
    /// Goes before [`Policy::standing_agreement`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing_agreement: Option<Vec<StandingAgreement>>,
}

impl IncidentPolicy {
    /// Says whether incident mode is the same as routine.
    #[must_use]
    pub fn changes_nothing(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hold_times_read_what_they_print() {
        for text in ["10m", "4wh", "2wd"] {
            assert_eq!(text.parse::<HoldTime>().unwrap().to_string(), text);
        }
        assert_eq!("2h".parse::<HoldTime>(), Ok(HoldTime::Minutes(120)));
        for bad in ["", "m", "0m", "10", "10x", "721wh", "-1m"] {
            assert!(bad.parse::<HoldTime>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error() {
        assert!(toml::from_str::<Policy>("fair_step = 3\n[limit_hours]\nP1A = 12").is_ok());
        let error = toml::from_str::<Policy>("fare_step = 3").unwrap_err().to_string();
        assert!(error.contains("fare_step"), "{error}");
        assert!(toml::from_str::<Policy>("[incident]\nfair_step = 3").is_err());
    }
}
