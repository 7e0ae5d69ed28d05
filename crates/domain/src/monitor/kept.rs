//! What the monitor keeps beside the records of trusts: decisions of gold, alerts, signed reports, points of trends.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::lateness::Late;
use super::position::Position;
use super::rules::Rule;
use super::tally::Tally;
use crate::action::Action;
use crate::actor::Actor;
use crate::ids::{AlertId, DecisionId, Note, Text, TrustCode};
use crate::offer::Freshness;
use crate::resource::{ResourceKey, ResourceKind, coded};
use crate::situation::{Cell, Headline, Situation, TrustSituation};

/// Most roles or organisations that a decision names as consulted.
pub const CONSULTED_MAX: usize = 20;
/// Most record ids that an alert names.
pub const SUBJECTS_MAX: usize = 20;
/// Most further causes that an alert tells of.
pub const CHILDREN_MAX: usize = 20;
/// Most trust × resource points of one moment that are kept; those of the smallest regions' many times over.
pub const POINTS_MAX: usize = 4_000;
/// Most bytes of a signed report that are kept.
pub const SIGNED_BYTES_MAX: usize = 512 * 1024;

/// One record of the monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kept {
    /// A decision of gold.
    Decision(Decision),
    /// Something that somebody should act on.
    Alert(Alert),
    /// An action that needs two people.
    Action(Box<Action>),
    /// A situation report that was signed off.
    SignOff(SignOff),
    /// The numbers of one moment, and what was counted up to it.
    Rollup(Rollup),
    /// The region at the end of an hour, for a report of it.
    Position(Box<Position>),
}

/// A decision of gold, as the incident record keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// Its id.
    pub id: DecisionId,
    /// When it was recorded.
    pub at: Timestamp,
    /// What was decided.
    pub decision: Text<500>,
    /// Why.
    pub rationale: Text<2000>,
    /// Roles or organisations that were consulted, at most [`CONSULTED_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub consulted: Vec<Text<200>>,
    /// When it is looked at again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review_at: Option<Timestamp>,
    /// Who decided.
    pub by: Actor,
}

coded!(
    /// Where an alert is in its life.
    AlertState {
        /// Nobody owns it.
        Raised = "RAISED",
        /// Somebody does.
        Taken = "TAKEN",
        /// Done, or no longer so. Ends.
        Closed = "CLOSED",
    }
);

/// Something that somebody should act on. Of one cause there is at most one that is not closed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alert {
    /// Its id.
    pub id: AlertId,
    /// The rule that raised it.
    pub rule: Rule,
    /// What it is about, unique within the rule, such as `ZA2 BED/GA_ADULT`.
    pub cause: Text<200>,
    /// What people read.
    pub text: Text<500>,
    /// The trusts it concerns; empty = the region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<TrustCode>,
    /// The resource it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceKey>,
    /// Ids of the records it concerns, at most [`SUBJECTS_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<Text<64>>,
    /// What else has the same cause and raises nothing of its own, at most [`CHILDREN_MAX`].
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub children: Vec<Child>,
    /// Where it is.
    pub state: AlertState,
    /// Whether it is only in the digest: its rule is seldom acted on, or the day's budget was spent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub digest: bool,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When it was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_at: Option<Timestamp>,
    /// Who took it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taken_by: Option<Actor>,
    /// When it was closed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_at: Option<Timestamp>,
    /// Who closed it; absent when it closed itself because it was no longer so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub closed_by: Option<Actor>,
    /// What was done.
    #[serde(default, skip_serializing_if = "Note::is_empty")]
    pub note: Note,
    /// When its cause was found to be no longer so; a closed alert keeps its cause quiet until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleared_at: Option<Timestamp>,
}

/// What an alert explains.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Child {
    /// The rule that looks at it.
    pub rule: Rule,
    /// What it is about, unique within the rule.
    pub cause: Text<200>,
    /// The trusts it concerns; empty = the region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub trusts: Vec<TrustCode>,
    /// The resource it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<ResourceKey>,
    /// What people read.
    pub text: Text<500>,
}

impl Alert {
    /// Says whether somebody took it, or closed it.
    #[must_use]
    pub fn is_acted_on(&self) -> bool {
        self.taken_at.is_some() || self.closed_by.is_some()
    }

    /// Says whether its cause is still so, be it closed or not.
    #[must_use]
    pub fn stands(&self) -> bool {
        self.cleared_at.is_none()
    }
}

/// A situation report that was signed off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOff {
    /// As of when the report is.
    pub as_of: Timestamp,
    /// When it was signed off.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
    /// How the signatory is called, such as "duty director"; empty = by the role.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub signatory: Text<200>,
    /// The report as it was signed, as Fallow JSON; empty where it was larger than [`SIGNED_BYTES_MAX`].
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub content: String,
}

coded!(
    /// How far apart kept moments are.
    Span {
        /// Hours: kept for two weeks.
        Hour = "hour",
        /// Days: kept for four hundred.
        Day = "day",
    }
);

/// The numbers of the region at one moment, at the end of an hour or a day, from which trends and reports are made
/// when the log no longer reaches back.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rollup {
    /// Whether it ends an hour or a day.
    pub span: Span,
    /// The moment.
    pub at: Timestamp,
    /// The numbers on top; absent of a day of which only the log was left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headline: Option<Headline>,
    /// Every trust × resource, at most [`POINTS_MAX`]. Of a day: none, for its hours have them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Point>,
    /// The trusts whose newest report was stale.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub silent: Vec<TrustCode>,
    /// What was counted from the moment before to this one; absent of an hour of which the log was not whole. A day is
    /// the sum of its hours when the log no longer reaches back to its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tally: Option<Tally>,
    /// How often the figures of each trust and resource became late in the hour, without those that did not. Absent where
    /// it was not counted, and of a day: its hours have it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub late: Option<Vec<Late>>,
}

/// One trust and one resource at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Point {
    /// The trust.
    #[serde(rename = "t")]
    pub trust: TrustCode,
    /// The resource.
    #[serde(rename = "r")]
    pub resource: ResourceKey,
    /// Spare less needed, as [`crate::situation::Cell::net`].
    #[serde(rename = "n")]
    pub net: i64,
    /// Our number, 1 to 4.
    #[serde(rename = "p")]
    pub pressure: u8,
    /// Staffed in all live offers.
    #[serde(rename = "s")]
    pub staffed: u64,
}

impl Rollup {
    /// Takes down the numbers of the end of an hour, and what was counted in it, where all of it is known.
    #[must_use]
    pub fn of_hour(situation: &Situation, at: Timestamp, tally: Option<Tally>) -> Self {
        let point = |((trust, resource), cell): (&(TrustCode, ResourceKey), &Cell)| Point {
            trust: *trust,
            resource: resource.clone(),
            net: cell.net,
            pressure: cell.pressure,
            staffed: cell.staffed,
        };
        let is_silent = |trust: &TrustSituation| trust.freshness == Some(Freshness::Stale);
        let silent = situation.trusts.iter().filter(|(_, trust)| is_silent(trust)).map(|(code, _)| *code);
        Self {
            span: Span::Hour,
            at,
            headline: Some(situation.headline),
            points: situation.cells.iter().map(point).take(POINTS_MAX).collect(),
            silent: silent.collect(),
            tally,
            late: None,
        }
    }

    /// Takes down a day: what was counted in it, and the numbers on top at its end where they are known.
    #[must_use]
    pub fn of_day(tally: Tally, headline: Option<Headline>) -> Self {
        Self {
            span: Span::Day,
            at: tally.until,
            headline,
            points: Vec::new(),
            silent: Vec::new(),
            tally: Some(tally),
            late: None,
        }
    }

    /// Returns the points of the kinds and trusts that somebody sees.
    pub fn seen<'a>(
        &'a self,
        sees: impl Fn(TrustCode, Option<ResourceKind>) -> bool + 'a,
    ) -> impl Iterator<Item = &'a Point> + 'a {
        self.points.iter().filter(move |point| sees(point.trust, Some(point.resource.kind)))
    }
}
