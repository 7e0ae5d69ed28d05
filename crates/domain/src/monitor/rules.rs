//! The rules that raise alerts, as data: each looks at one level and has a line at which it enters and a lower one at
//! which it clears.

use serde::{Deserialize, Serialize};

use crate::resource::coded;

coded!(
    /// A rule that raises alerts.
    Rule {
        /// A trust's pressure for a resource. Level: our number, 1 to 4.
        TrustPressure = "trust_pressure",
        /// What all trusts lack of a resource. Level: units needed beyond what is spare.
        RegionNet = "region_net",
        /// A trust has not reported. Level: 0 within a cadence, 1 within two, 2 beyond.
        FeedSilent = "feed_silent",
        /// Needs for which nothing is proposed, by their needed-by. Level: minutes past the earliest needed-by, below
        /// nought before it.
        NeedUnserved = "need_unserved",
        /// A transfer past its due time. Level: minutes.
        TransferOverdue = "transfer_overdue",
        /// A trust has promised or in use what it no longer has. Level: units short.
        OfferShort = "offer_short",
        /// Records that cannot be read. Level: how many.
        RecordUnreadable = "record_unreadable",
        /// What an OK rests on is not checked. Level: 1 while it is so.
        StoreCaveat = "store_caveat",
        /// An action waits for its second person. Level: minutes since it was asked for.
        ActionWaits = "action_waits",
        /// Something was done for a trust, or around it, and nobody has looked at it again. Level: 1, and 2 once the review
        /// is late.
        GlassBroken = "glass_broken",
    }
);

impl Rule {
    /// Says in plain words when the rule alarms.
    #[must_use]
    pub fn words(self, threshold: &Threshold) -> String {
        let Threshold { enter, minutes, .. } = threshold;
        let held = if *minutes == 0 { String::new() } else { format!(" for {minutes} min") };
        match self {
            Self::TrustPressure => format!("Pressure {enter} or more at a trust{held}"),
            Self::RegionNet => format!("The region is short by {enter} or more of a resource{held}"),
            Self::FeedSilent => format!("A trust has been silent for more than {enter} cadences{held}"),
            Self::NeedUnserved if *enter < 0 => {
                let before = enter.saturating_neg();
                format!("Needs within {before} min of their needed-by, or unmet, with nothing proposed{held}")
            }
            Self::NeedUnserved => format!("Needs unmet {enter} min past their needed-by or more{held}"),
            Self::TransferOverdue => format!("A transfer past its due time by {enter} min or more{held}"),
            Self::OfferShort => {
                format!("A trust has promised {enter} or more units that it does not have{held}")
            }
            Self::RecordUnreadable => format!("{enter} or more records cannot be read{held}"),
            Self::StoreCaveat => format!("The store's settings are not checked{held}"),
            Self::ActionWaits if *enter <= 0 => format!("An action waits for its second person{held}"),
            Self::ActionWaits => {
                format!("An action waits for its second person for {enter} min or more{held}")
            }
            Self::GlassBroken if *enter <= 1 => format!("Glass was broken, and nobody has reviewed it{held}"),
            Self::GlassBroken => format!("The review of broken glass is late{held}"),
        }
    }
}

/// When one rule alarms and when it is quiet again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// Whether the rule is in use.
    #[serde(default = "yes")]
    pub on: bool,
    /// The level at which it enters, -10,000 to 10,000.
    pub enter: i64,
    /// The level at or below which it clears; below `enter`.
    pub clear: i64,
    /// For how many minutes the level must be at or beyond `enter`, 0 to 1,440.
    pub minutes: u32,
}

const fn yes() -> bool {
    true
}

/// What people are alarmed of, in a region's policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AlertPolicy {
    /// Alerts a day; what is beyond goes to the digest only, 1 to 1,000; default 20.
    pub per_day: u32,
    /// A rule of whose alerts fewer than this per cent are acted on goes to the digest only, 0 to 100; default 20.
    pub digest_below_percent: u32,
    /// Default: at 4 for 15 minutes, clears at 2.
    pub trust_pressure: Threshold,
    /// Default: short by 1 for 15 minutes, clears with 1 to spare.
    pub region_net: Threshold,
    /// Default: beyond two cadences, clears within one.
    pub feed_silent: Threshold,
    /// Default: an hour before, clears at an hour and a half before or when none waits.
    pub need_unserved: Threshold,
    /// Default: one minute past, clears when it is not.
    pub transfer_overdue: Threshold,
    /// Default: one unit, clears at none.
    pub offer_short: Threshold,
    /// Default: one record, clears at none.
    pub record_unreadable: Threshold,
    /// Default: while it is so.
    pub store_caveat: Threshold,
    /// Default: at once, until somebody confirms or refuses it or its time is over.
    pub action_waits: Threshold,
    /// Default: at once, until it is reviewed.
    pub glass_broken: Threshold,
}

impl Default for AlertPolicy {
    fn default() -> Self {
        let line = |enter, clear, minutes| Threshold { on: true, enter, clear, minutes };
        Self {
            per_day: 20,
            digest_below_percent: 20,
            trust_pressure: line(4, 2, 15),
            region_net: line(1, -1, 15),
            feed_silent: line(2, 0, 0),
            need_unserved: line(-60, -90, 0),
            transfer_overdue: line(1, 0, 0),
            offer_short: line(1, 0, 0),
            record_unreadable: line(1, 0, 0),
            store_caveat: line(1, 0, 0),
            action_waits: line(0, -1, 0),
            glass_broken: line(1, 0, 0),
        }
    }
}

impl AlertPolicy {
    /// Returns the threshold of a rule.
    #[must_use]
    pub const fn of(&self, rule: Rule) -> &Threshold {
        match rule {
            Rule::TrustPressure => &self.trust_pressure,
            Rule::RegionNet => &self.region_net,
            Rule::FeedSilent => &self.feed_silent,
            Rule::NeedUnserved => &self.need_unserved,
            Rule::TransferOverdue => &self.transfer_overdue,
            Rule::OfferShort => &self.offer_short,
            Rule::RecordUnreadable => &self.record_unreadable,
            Rule::StoreCaveat => &self.store_caveat,
            Rule::ActionWaits => &self.action_waits,
            Rule::GlassBroken => &self.glass_broken,
        }
    }

    /// Says whether a region file need not mention it.
    #[must_use]
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Returns what is wrong with it, as path and text.
    #[must_use]
    pub fn problems(&self) -> Vec<(String, String)> {
        let mut problems = Vec::new();
        let mut wrong = |path: String, text: String| problems.push((format!("policy: alerts: {path}"), text));
        if !(1..=1_000).contains(&self.per_day) {
            wrong("per_day".into(), format!("must be 1 to 1,000, is {}", self.per_day));
        }
        if self.digest_below_percent > 100 {
            wrong(
                "digest_below_percent".into(),
                format!("must be 0 to 100, is {}", self.digest_below_percent),
            );
        }
        for rule in Rule::ALL {
            let Threshold { enter, clear, minutes, on: _ } = *self.of(*rule);
            for (name, level) in [("enter", enter), ("clear", clear)] {
                if !(-10_000..=10_000).contains(&level) {
                    wrong(format!("{rule}: {name}"), format!("must be -10,000 to 10,000, is {level}"));
                }
            }
            if clear >= enter {
                wrong(format!("{rule}: clear"), format!("must be below enter, which is {enter}, is {clear}"));
            }
            if minutes > 1_440 {
                wrong(format!("{rule}: minutes"), format!("must be 0 to 1,440, is {minutes}"));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_right_and_are_named_where_they_are_not() {
        assert_eq!(AlertPolicy::default().problems(), []);
        let mut policy = AlertPolicy { per_day: 0, ..AlertPolicy::default() };
        policy.region_net.clear = 1;
        policy.feed_silent.minutes = 1_441;
        let paths: Vec<String> = policy.problems().into_iter().map(|(path, _)| path).collect();
        assert_eq!(
            paths,
            [
                "policy: alerts: per_day",
                "policy: alerts: region_net: clear",
                "policy: alerts: feed_silent: minutes"
            ]
        );
    }

    #[test]
    fn a_rule_says_in_words_when_it_alarms() {
        let policy = AlertPolicy::default();
        let words = |rule: Rule| rule.words(policy.of(rule));
        assert_eq!(words(Rule::TrustPressure), "Pressure 4 or more at a trust for 15 min");
        assert_eq!(words(Rule::FeedSilent), "A trust has been silent for more than 2 cadences");
        assert_eq!(
            words(Rule::NeedUnserved),
            "Needs within 60 min of their needed-by, or unmet, with nothing proposed"
        );
    }

    #[test]
    fn a_file_names_only_what_differs_and_nothing_unknown() {
        let text = "per_day = 5\ntrust_pressure = { enter = 3, clear = 2, minutes = 30 }";
        let policy: AlertPolicy = toml::from_str(text).unwrap();
        assert_eq!((policy.per_day, policy.trust_pressure.enter, policy.trust_pressure.on), (5, 3, true));
        assert_eq!(policy.region_net, AlertPolicy::default().region_net);
        assert!(
            toml::from_str::<AlertPolicy>("trust_presure = { enter = 3, clear = 2, minutes = 3 }").is_err()
        );
    }
}
