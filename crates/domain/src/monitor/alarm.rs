//! When to alarm: the one decision from what is the matter to which alerts are raised, folded and cleared.
//!
//! A condition must be at or beyond its line for its minutes before an alert is raised, and at or below its lower line
//! before it clears, so that nothing flickers. What an open alert explains is folded into it, unless that is for the
//! digest only. Alerts beyond the day's budget, and those of rules that nobody acts on, are for the digest only; those
//! of needs and transfers never for want of budget, and what takes two people for neither reason.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::conditions::{self, Condition};
use super::kept::{Alert, AlertState, CHILDREN_MAX, Child, Rollup, SUBJECTS_MAX};
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
    /// Tell in an alert that stands what is now so.
    Tell(AlertId, Box<Condition>, Folded),
    /// The cause of an alert is no longer so, or nothing is known of it any more, as the note then says.
    Clear(AlertId, Note),
}

/// What goes with an alert.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Folded {
    /// What it explains, in order.
    pub children: Vec<Child>,
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

/// Returns how each rule has done of late, by the alerts that are kept. Those of the digest do not count: nobody was
/// asked to act on them.
#[must_use]
pub fn records<'a>(alerts: impl IntoIterator<Item = &'a Alert>, at: Timestamp) -> BTreeMap<Rule, Record> {
    let mut found: BTreeMap<Rule, Record> = Rule::ALL.iter().map(|rule| (*rule, Record::default())).collect();
    let counts = |alert: &&Alert| !alert.digest && at.duration_since(alert.raised_at) <= RECORD;
    for alert in alerts.into_iter().filter(counts) {
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
    let records = records(alerts.iter().copied(), at);
    let mut left = u64::from(policy.per_day).saturating_sub(spent(alerts.iter().copied(), at));
    let mut raised: Vec<(&Condition, bool)> = Vec::new();
    let mut waiting = Since::default();
    let mut children: BTreeMap<(Rule, &str), Vec<Child>> = BTreeMap::new();
    // Alerts into which something can be folded: open ones that people are told of, those of this look among them.
    let is_open = |alert: &Alert, level: i64| {
        alert.state != AlertState::Closed && !alert.digest && level > policy.of(alert.rule).clear
    };
    let mut open: BTreeSet<(Rule, &str)> = levels
        .iter()
        .filter(|(key, condition)| standing.get(*key).is_some_and(|alert| is_open(alert, condition.level)))
        .map(|(key, _)| *key)
        .collect();
    // The gravest first: they have the budget, and what explains comes before what it explains.
    let mut ordered: Vec<&Condition> = conditions.iter().collect();
    ordered.sort_by_key(|condition| (gravity(condition.rule), Reverse(condition.level)));
    for condition in ordered {
        let key = (condition.rule, condition.cause.as_str());
        let mut parents = condition.parents.iter().map(|(rule, cause)| (*rule, cause.as_str()));
        let parent = parents.find(|parent| open.contains(parent)).filter(|_| entered(condition));
        if let Some(parent) = parent {
            let told = children.entry(parent).or_default();
            if told.len() < CHILDREN_MAX {
                told.push(child(condition));
            }
        }
        if standing.contains_key(&key) || !entered(condition) {
            continue;
        }
        let threshold = policy.of(condition.rule);
        let owned = (condition.rule, condition.cause.clone());
        let first = *since.0.get(&owned).unwrap_or(&at);
        if parent.is_some() || !has_held(threshold, first, at) || raised.len() >= RAISED_MAX {
            waiting.0.insert(owned, first);
            continue;
        }
        let judged = records.get(&condition.rule).is_some_and(|record| record.is_digest(policy));
        let digest = (judged || (left == 0 && !is_clinical(condition.rule))) && !is_watched(condition.rule);
        left = left.saturating_sub(u64::from(!digest));
        if !digest {
            open.insert(key);
        }
        raised.push((condition, digest));
    }
    let mut acts: Vec<Act> = Vec::new();
    for (condition, digest) in raised {
        let told = children.remove(&(condition.rule, condition.cause.as_str())).unwrap_or_default();
        acts.push(Act::Raise(Box::new(condition.clone()), Folded { children: told, digest }));
    }
    for (key, alert) in &standing {
        let threshold = policy.of(alert.rule);
        let act = match levels.get(key) {
            _ if !threshold.on => Some(Act::Clear(alert.id.clone(), note("The rule was switched off."))),
            Some(condition) if condition.level <= threshold.clear => {
                Some(Act::Clear(alert.id.clone(), Note::default()))
            }
            Some(condition) => tell(alert, condition, children.remove(key).unwrap_or_default()),
            // Silence ends with a report and with nothing else; of whom nothing is left to be reported, that is said.
            None if alert.rule == Rule::FeedSilent => {
                Some(Act::Clear(alert.id.clone(), note("No live offers of it are left.")))
            }
            // What is not the matter at all any more.
            None => Some(Act::Clear(alert.id.clone(), Note::default())),
        };
        acts.extend(act);
    }
    *since = waiting;
    acts
}

/// Places the rules, the gravest first: patients, then who acts for whom, then what Fallow cannot vouch for, then numbers.
const fn gravity(rule: Rule) -> u8 {
    match rule {
        Rule::NeedUnserved => 0,
        Rule::TransferOverdue => 1,
        Rule::OfferShort => 2,
        Rule::ActionWaits => 3,
        Rule::GlassBroken => 4,
        Rule::StoreCaveat => 5,
        Rule::RecordUnreadable => 6,
        Rule::RegionNet => 7,
        Rule::FeedSilent => 8,
        Rule::TrustPressure => 9,
    }
}

/// Says whether a rule is about patients who wait or are on their way, whom no budget may hide.
const fn is_clinical(rule: Rule) -> bool {
    match rule {
        Rule::NeedUnserved | Rule::TransferOverdue => true,
        Rule::OfferShort
        | Rule::ActionWaits
        | Rule::GlassBroken
        | Rule::StoreCaveat
        | Rule::RecordUnreadable
        | Rule::RegionNet
        | Rule::FeedSilent
        | Rule::TrustPressure => false,
    }
}

/// Says whether a rule watches those who act for others, who must not be hidden by what else goes on, nor by nobody
/// having looked at it before.
const fn is_watched(rule: Rule) -> bool {
    matches!(rule, Rule::ActionWaits | Rule::GlassBroken)
}

/// Says whether an alert is written anew as its cause goes on. Numbers that change by the minute stay as they were raised.
const fn is_retold(rule: Rule) -> bool {
    match rule {
        Rule::NeedUnserved
        | Rule::TransferOverdue
        | Rule::OfferShort
        | Rule::ActionWaits
        | Rule::GlassBroken
        | Rule::StoreCaveat
        | Rule::RecordUnreadable
        | Rule::FeedSilent => true,
        Rule::RegionNet | Rule::TrustPressure => false,
    }
}

fn child(condition: &Condition) -> Child {
    Child {
        rule: condition.rule,
        cause: cut(&condition.cause),
        trusts: condition.trusts.clone(),
        resource: condition.resource.clone(),
        text: cut(&condition.text),
    }
}

fn note(text: &str) -> Note {
    cut(text)
}

fn has_held(threshold: &Threshold, first: Timestamp, at: Timestamp) -> bool {
    at.duration_since(first) >= SignedDuration::from_mins(i64::from(threshold.minutes))
}

/// Tells in a standing alert what is new of it, if anything is. Children that are over stay: the alert says what it was
/// about.
fn tell(alert: &Alert, condition: &Condition, now: Vec<Child>) -> Option<Act> {
    let known: BTreeSet<(Rule, &str)> =
        alert.children.iter().map(|child| (child.rule, child.cause.as_str())).collect();
    let new = now.into_iter().filter(|child| !known.contains(&(child.rule, child.cause.as_str())));
    let children = alert.children.iter().cloned().chain(new).take(CHILDREN_MAX).collect();
    let with = Folded { children, digest: alert.digest };
    (told(alert.clone(), condition, &with) != *alert)
        .then(|| Act::Tell(alert.id.clone(), Box::new(condition.clone()), with))
}

/// Returns the alert as its cause now is. One that was closed stays so, unless it now concerns a trust that was not told
/// of it: for them it is new, and it is raised again.
#[must_use]
pub fn told(mut alert: Alert, condition: &Condition, with: &Folded) -> Alert {
    let is_new_to_some =
        is_retold(alert.rule) && condition.trusts.iter().any(|trust| !alert.trusts.contains(trust));
    if alert.state == AlertState::Closed {
        if !is_new_to_some {
            return alert;
        }
        alert.state = AlertState::Raised;
        (alert.closed_at, alert.closed_by, alert.note) = (None, None, Note::default());
        (alert.taken_at, alert.taken_by) = (None, None);
    }
    if is_retold(alert.rule) {
        alert.text = cut(&condition.text);
        alert.subjects = condition.subjects.iter().take(SUBJECTS_MAX).map(|id| cut(id)).collect();
        // Who was told of it goes on being told.
        alert.trusts.extend(condition.trusts.iter().copied());
        alert.trusts.sort_unstable();
        alert.trusts.dedup();
    }
    alert.children.clone_from(&with.children);
    alert
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
        children: folded.children.iter().take(CHILDREN_MAX).cloned().collect(),
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

/// Returns the alert with its cause gone: closed, with the note, if nobody had closed it before.
#[must_use]
pub fn cleared(mut alert: Alert, note: &Note, at: Timestamp) -> Alert {
    alert.cleared_at = Some(at);
    if alert.state != AlertState::Closed {
        alert.state = AlertState::Closed;
        alert.closed_at = Some(at);
        alert.note = note.clone();
    }
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
                Act::Clear(id, _) => drop(standing.remove(&id)),
                Act::Tell(..) => {}
            }
        }
    }
    fired
}

#[cfg(test)]
#[path = "alarm_tests.rs"]
mod tests;
