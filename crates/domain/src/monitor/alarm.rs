//! When to alarm: the one decision from what is the matter to which alerts are raised, folded and cleared.
//!
//! A condition must be at or beyond its line for its minutes before an alert is raised, and at or below its lower line
//! before it clears, so that nothing flickers. What a standing alert explains is folded into it. Alerts beyond the
//! day's budget, and those of rules that nobody acts on, are for the digest only.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::conditions::{self, Condition};
use super::kept::{Alert, AlertState, CHILDREN_MAX, Rollup, SUBJECTS_MAX};
use super::rules::{AlertPolicy, Rule, Threshold};
use crate::ids::{AlertId, Note, Text};

/// Over how long a rule's record counts.
pub const RECORD: SignedDuration = SignedDuration::from_hours(7 * 24);
/// A rule is judged by its record from so many ended alerts on.
pub const JUDGED_FROM: u64 = 5;
/// The budget is of so long.
pub const BUDGET: SignedDuration = SignedDuration::from_hours(24);
/// Most alerts that one look raises; the rest wait for the next.
pub const RAISED_MAX: usize = 50;

/// What is remembered between two looks: since when causes have been at or beyond their lines.
///
/// Lost when the process ends: the minutes then count from the next look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Since(BTreeMap<(Rule, String), Timestamp>);

/// What a look comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Raise an alert.
    Raise(Box<Condition>, Folded),
    /// Tell other children in an alert that stands.
    Fold(AlertId, Folded),
    /// The cause of an alert is no longer so.
    Clear(AlertId),
}

/// What goes with an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// What it explains, in order.
    pub children: Vec<String>,
    /// Whether it is for the digest only.
    pub digest: bool,
}

/// How a rule has done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Record {
    /// Alerts raised.
    pub fired: u64,
    /// Of those, taken, or closed by somebody.
    pub acted_on: u64,
    /// Of those, ended without anybody having acted.
    pub ignored: u64,
}

impl Record {
    /// Returns the share of ended or acted-on alerts that were acted on, in per cent; `None` of none.
    #[must_use]
    pub fn percent(&self) -> Option<u64> {
        let judged = self.acted_on + self.ignored;
        (judged > 0).then(|| self.acted_on * 100 / judged)
    }

    /// Says whether the rule is for the digest only.
    #[must_use]
    pub fn is_digest(&self, policy: &AlertPolicy) -> bool {
        self.acted_on + self.ignored >= JUDGED_FROM
            && self.percent().is_some_and(|percent| percent < u64::from(policy.digest_below_percent))
    }
}

/// Returns how each rule has done of late, by the alerts that are kept.
#[must_use]
pub fn records<'a>(alerts: impl IntoIterator<Item = &'a Alert>, at: Timestamp) -> BTreeMap<Rule, Record> {
    let mut found: BTreeMap<Rule, Record> = Rule::ALL.iter().map(|rule| (*rule, Record::default())).collect();
    for alert in alerts.into_iter().filter(|alert| at.duration_since(alert.raised_at) <= RECORD) {
        let record = found.entry(alert.rule).or_default();
        record.fired += 1;
        record.acted_on += u64::from(alert.is_acted_on());
        record.ignored += u64::from(!alert.is_acted_on() && alert.state == AlertState::Closed);
    }
    found
}

/// Returns how many alerts the last day raised outside the digest.
#[must_use]
pub fn spent<'a>(alerts: impl IntoIterator<Item = &'a Alert>, at: Timestamp) -> u64 {
    let counts = |alert: &&Alert| !alert.digest && at.duration_since(alert.raised_at) < BUDGET;
    alerts.into_iter().filter(counts).count() as u64
}

/// Decides what to raise, fold and clear. `alerts` are all that are kept; of those that stand, each cause has one.
#[must_use]
pub fn decide(
    conditions: &[Condition],
    alerts: &[&Alert],
    policy: &AlertPolicy,
    since: &mut Since,
    at: Timestamp,
) -> Vec<Act> {
    let standing: BTreeMap<(Rule, &str), &Alert> = alerts
        .iter()
        .filter(|alert| alert.stands())
        .map(|alert| ((alert.rule, alert.cause.as_str()), *alert))
        .collect();
    let entered = |condition: &Condition| {
        let threshold = policy.of(condition.rule);
        threshold.on && condition.level >= threshold.enter
    };
    let levels: BTreeMap<(Rule, &str), &Condition> =
        conditions.iter().map(|one| ((one.rule, one.cause.as_str()), one)).collect();
    // What explains a condition: a cause whose alert stands and is open, or one without an alert that is beyond its line.
    let explains = |(rule, cause): &(Rule, String)| {
        let key = (*rule, cause.as_str());
        levels.get(&key).is_some_and(|condition| match standing.get(&key) {
            Some(alert) => {
                alert.state != AlertState::Closed && condition.level > policy.of(condition.rule).clear
            }
            None => entered(condition),
        })
    };
    let mut children: BTreeMap<(Rule, &str), Vec<String>> = BTreeMap::new();
    let mut folded: BTreeSet<(Rule, &str)> = BTreeSet::new();
    for condition in conditions.iter().filter(|condition| entered(condition)) {
        if let Some(parent) = condition.parents.iter().find(|parent| explains(parent)) {
            let told = children.entry((parent.0, &parent.1)).or_default();
            if told.len() < CHILDREN_MAX {
                told.push(condition.text.clone());
            }
            folded.insert((condition.rule, &condition.cause));
        }
    }
    let records = records(alerts.iter().copied(), at);
    let mut left = u64::from(policy.per_day).saturating_sub(spent(alerts.iter().copied(), at));
    let mut acts = Vec::new();
    let mut waiting = Since::default();
    for condition in conditions {
        let key = (condition.rule, condition.cause.as_str());
        let threshold = policy.of(condition.rule);
        if let Some(alert) = standing.get(&key) {
            if !threshold.on || condition.level <= threshold.clear {
                acts.push(Act::Clear(alert.id.clone()));
            } else if alert.state != AlertState::Closed {
                fold(alert, children.remove(&key).unwrap_or_default(), &mut acts);
            }
            continue;
        }
        if !entered(condition) || folded.contains(&key) {
            continue;
        }
        let owned = (condition.rule, condition.cause.clone());
        let first = *since.0.get(&owned).unwrap_or(&at);
        if !has_held(threshold, first, at) || acts.len() >= RAISED_MAX {
            waiting.0.insert(owned, first);
            continue;
        }
        let judged = records.get(&condition.rule).is_some_and(|record| record.is_digest(policy));
        let digest = judged || left == 0;
        left = left.saturating_sub(u64::from(!digest));
        let children = children.remove(&key).unwrap_or_default();
        acts.push(Act::Raise(Box::new(condition.clone()), Folded { children, digest }));
    }
    // What is not the matter at all any more.
    let gone = standing.iter().filter(|(key, _)| !levels.contains_key(*key));
    acts.extend(gone.map(|(_, alert)| Act::Clear(alert.id.clone())));
    *since = waiting;
    acts
}

fn has_held(threshold: &Threshold, first: Timestamp, at: Timestamp) -> bool {
    at.duration_since(first) >= SignedDuration::from_mins(i64::from(threshold.minutes))
}

/// Tells a standing alert's new children. Those that are over stay: the alert says what it was about.
fn fold(alert: &Alert, now: Vec<String>, acts: &mut Vec<Act>) {
    let about =
        |text: &str| text.split_once(':').map_or_else(|| text.to_owned(), |(head, _)| head.to_owned());
    let known: BTreeSet<String> = alert.children.iter().map(|child| about(child.as_str())).collect();
    let new: Vec<String> = now.into_iter().filter(|child| !known.contains(&about(child))).collect();
    if new.is_empty() || alert.children.len() >= CHILDREN_MAX {
        return;
    }
    let children = alert.children.iter().map(ToString::to_string).chain(new).take(CHILDREN_MAX);
    acts.push(Act::Fold(alert.id.clone(), Folded { children: children.collect(), digest: alert.digest }));
}

/// Makes the alert of a condition.
#[must_use]
pub fn raised(id: AlertId, condition: &Condition, folded: &Folded, at: Timestamp) -> Alert {
    Alert {
        id,
        rule: condition.rule,
        cause: cut(&condition.cause),
        text: cut(&condition.text),
        trusts: condition.trusts.clone(),
        resource: condition.resource.clone(),
        subjects: condition.subjects.iter().take(SUBJECTS_MAX).map(|id| cut(id)).collect(),
        children: folded.children.iter().take(CHILDREN_MAX).map(|text| cut(text)).collect(),
        state: AlertState::Raised,
        digest: folded.digest,
        raised_at: at,
        taken_at: None,
        taken_by: None,
        closed_at: None,
        closed_by: None,
        note: Note::default(),
        cleared_at: None,
    }
}

/// Returns the alert with its cause gone: closed, if nobody had closed it before.
#[must_use]
pub fn cleared(mut alert: Alert, at: Timestamp) -> Alert {
    alert.cleared_at = Some(at);
    if alert.state != AlertState::Closed {
        alert.state = AlertState::Closed;
        alert.closed_at = Some(at);
    }
    alert
}

/// Returns the alert with other children.
#[must_use]
pub fn folded(mut alert: Alert, folded: &Folded) -> Alert {
    alert.children = folded.children.iter().take(CHILDREN_MAX).map(|text| cut(text)).collect();
    alert
}

/// Makes a bounded text, without what could not be in one.
fn cut<const MAX: usize>(text: &str) -> Text<MAX> {
    let plain = text.chars().filter(|c| !c.is_control()).take(MAX).collect::<String>();
    Text::parse(&plain).unwrap_or_default()
}

/// Counts how often each rule would have raised an alert over kept moments, oldest first, with these thresholds. It
/// looks at the ends of hours, and so finds less than the rule found that looked all the time. Rules of whose numbers
/// nothing is kept are left out.
#[must_use]
pub fn back_test<'a>(
    moments: impl IntoIterator<Item = &'a Rollup>,
    policy: &AlertPolicy,
) -> BTreeMap<Rule, u64> {
    let looked_at = [Rule::TrustPressure, Rule::RegionNet, Rule::FeedSilent];
    let mut fired: BTreeMap<Rule, u64> = looked_at.into_iter().map(|rule| (rule, 0)).collect();
    // Neither budget nor record: how often is the question.
    let policy = AlertPolicy { per_day: u32::MAX, digest_below_percent: 0, ..*policy };
    let (mut since, mut standing): (Since, BTreeMap<AlertId, Alert>) = Default::default();
    let mut count = 0_u64;
    for moment in moments {
        let found = conditions::of_rollup(moment);
        let alerts: Vec<&Alert> = standing.values().collect();
        for act in decide(&found, &alerts, &policy, &mut since, moment.at) {
            match act {
                Act::Raise(condition, with) => {
                    count += 1;
                    let Ok(id) = AlertId::parse(&count.to_string()) else { continue };
                    *fired.entry(condition.rule).or_default() += 1;
                    standing.insert(id.clone(), raised(id, &condition, &with, moment.at));
                }
                Act::Clear(id) => drop(standing.remove(&id)),
                Act::Fold(..) => {}
            }
        }
    }
    fired
}

#[cfg(test)]
#[path = "alarm_tests.rs"]
mod tests;
