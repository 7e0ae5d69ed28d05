//! Taking down each hour and each day, and giving up what is old.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::monitor::kept::{Kept, Rollup};
use fallow_domain::monitor::lateness::{self, Late};
use fallow_domain::monitor::position::Position;
use fallow_domain::monitor::tally::Tally;
use fallow_ledger::record::{Record, alert_key, decision_key, position_key, rollup_key, sign_off_key};
use fallow_ledger::transact::Step;
use fallow_ledger::{Key, limits};
use fallow_live::Live;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, Unit, ZonedRound};

use super::by_monitor;
use crate::chronicle::{Chronicle, Entry};
use crate::kept::rollup_of;
use crate::past::Moment;
use crate::position;
use crate::timeline::zone;

/// How long hours are kept: what a chart of two weeks shows.
const HOURS_KEPT: SignedDuration = SignedDuration::from_hours(14 * 24);
/// How long the region at ends of hours is kept: yesterday's report can be had all morning.
const POSITIONS_KEPT: SignedDuration = SignedDuration::from_hours(30);
/// How long days, decisions and signed reports are kept: a year and a month. The archive keeps them for ever.
const DAYS_KEPT: SignedDuration = SignedDuration::from_hours(400 * 24);
/// How long an alert is kept after its cause was over: what the record of its rule counts, and a day.
const ALERTS_KEPT: SignedDuration = SignedDuration::from_hours(8 * 24);
/// Most decisions that are kept live.
const DECISIONS_MAX: usize = 1_000;
/// Most signed reports that are kept live, each with its content.
const SIGN_OFFS_MAX: usize = 100;
/// Most alerts that are kept live.
const ALERTS_MAX: usize = 2_000;
/// Most hours, and most days, that one look takes down.
const AT_ONCE: usize = 48;
/// Most records that one commit gives up.
const PRUNED_MAX: usize = 200;
/// How long an hour or a day is left after its end: what is dated before it may be committed a little after.
const SETTLES_IN: SignedDuration = SignedDuration::from_secs(10);
/// How long a look waits for the chronicle to reach what the picture has.
const CATCH_UP: Duration = Duration::from_secs(1);
/// How late an hour may be looked at when the picture does not remember it.
const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Takes down what has ended since the last look.
///
/// # Errors
/// The store's troubles.
pub(super) async fn keep(
    live: &Live,
    chronicle: &Chronicle,
    moment: &Moment,
    began_at: Timestamp,
    ended: Option<&Position>,
) -> Result<(), Failure> {
    // What it has not read yet would be missing in the counts for good; the next look is a minute away.
    if !chronicle.reached(moment.revision, CATCH_UP).await {
        return Ok(());
    }
    // The day ends with an hour of this very look, which the shelf was read too early to have.
    let mut made: BTreeMap<Timestamp, Rollup> = BTreeMap::new();
    let counts = Counts::of(chronicle);
    for at in ended_hours(moment, began_at, &counts) {
        // What the picture does not remember is a gap in the chart, and nothing made up.
        let then = Moment::at(live.picture(), at);
        let is_fresh = moment.at.duration_since(at) <= LATE;
        let situation = match (&then, is_fresh) {
            (Some(then), _) => Some(then.situation()),
            (None, true) => Some(moment.situation()),
            (None, false) => None,
        };
        // First, so that an hour that is there has its position, unless there was none to be had.
        if !moment.shelf.has_position(at) && moment.at.duration_since(at) <= POSITIONS_KEPT {
            let found = match then {
                Some(then) => position::taken(then, at).await.map(|(_, position)| position),
                None => ended.filter(|ended| ended.at == at).cloned(),
            };
            if let Some(found) = found {
                write_position(live, moment.at, found).await?;
            }
        }
        if let Some(situation) = situation {
            let mut hour = Rollup::of_hour(&situation, at, counts.of_hour(at));
            hour.late = hour.tally.as_ref().and_then(|tally| late(chronicle, moment, tally.from, at));
            write(live, moment.at, hour.clone()).await?;
            made.insert(at, hour);
        }
    }
    for tally in ended_days(&counts, moment, &made) {
        let kept = || moment.shelf.hours().find(|hour| hour.at == tally.until).and_then(|hour| hour.headline);
        let headline = made.get(&tally.until).and_then(|hour| hour.headline).or_else(kept);
        write(live, moment.at, Rollup::of_day(tally, headline)).await?;
    }
    prune(live, moment).await
}

/// Counts how often everything became late in an hour; `None` unless all of it is known. What is late now and was so when the
/// hour ended has no end yet that the log could tell.
fn late(chronicle: &Chronicle, moment: &Moment, from: Timestamp, until: Timestamp) -> Option<Vec<Late>> {
    let ended = chronicle.lapses_after(from)?;
    let offers = moment.records.offers.values();
    let standing: Vec<_> = offers.filter_map(|offer| lateness::standing(offer, moment.at)).collect();
    Some(lateness::rows(lateness::times(ended.iter().chain(&standing), from, until)))
}

/// Writes a roll-up where there is none, or one without counts: of two copies the one that knows more is believed.
async fn write(live: &Live, at: Timestamp, rollup: Rollup) -> Result<(), Failure> {
    let key = rollup_key(rollup.span, rollup.at);
    live.mutate(&by_monitor("TakeDown", at), vec![key.clone()], |view| {
        let has_all =
            |kept: &Record| rollup_of(kept).is_none_or(|kept| kept.tally.is_some() || rollup.tally.is_none());
        if view.get(&key).is_some_and(has_all) {
            return Ok(Step::Answer(()));
        }
        let record = Record::Monitor(Box::new(Kept::Rollup(rollup.clone())));
        Ok(Step::Write { writes: vec![(key.clone(), Some(record))], answer: () })
    })
    .await
    .map(drop)
}

/// Writes the region at the end of an hour, unless another copy has.
async fn write_position(live: &Live, at: Timestamp, position: Position) -> Result<(), Failure> {
    let (key, hour) = (position_key(position.at), position.at);
    let record = Record::Monitor(Box::new(Kept::Position(Box::new(position))));
    let bytes = record.encode().len();
    if bytes > limits::BODY_BYTES {
        tracing::warn!(%hour, bytes, "the region is too large for the ends of its hours to be kept");
        return Ok(());
    }
    live.mutate(&by_monitor("TakeDown", at), vec![key.clone()], |view| {
        if view.get(&key).is_some() {
            return Ok(Step::Answer(()));
        }
        Ok(Step::Write { writes: vec![(key.clone(), Some(record.clone()))], answer: () })
    })
    .await
    .map(drop)
}

/// Returns the ends of hours that are not taken down yet, oldest first, from this copy's beginning on.
fn ended_hours(moment: &Moment, began_at: Timestamp, counts: &Counts) -> Vec<Timestamp> {
    let kept: BTreeMap<Timestamp, &Rollup> = moment.shelf.hours().map(|hour| (hour.at, hour)).collect();
    let is_due = |at: &Timestamp| match kept.get(at) {
        None => true,
        // Another copy may have taken an hour down that it could not count, or not look at as it ended.
        Some(hour) => {
            (hour.tally.is_none() && counts.of_hour(*at).is_some())
                || (moment.at.duration_since(*at) <= LATE && !moment.shelf.has_position(*at))
        }
    };
    let last = hour_of(settled(moment));
    let back = |n: i64| last.saturating_sub(SignedDuration::from_hours(n)).unwrap_or(last);
    let ends = (0..AT_ONCE).map(|n| back(i64::try_from(n).unwrap_or(0)));
    let mut due: Vec<Timestamp> = ends.filter(|at| *at > began_at && is_due(at)).collect();
    due.sort_unstable();
    due
}

/// What the chronicle can count.
struct Counts {
    entries: Vec<Arc<Entry>>,
    /// From when on everything is there; `None` = from the beginning of the ledger.
    whole_from: Option<Timestamp>,
    /// The first moment of which anything is known; `None` before the log was read, or when nothing happened.
    oldest: Option<Timestamp>,
}

impl Counts {
    fn of(chronicle: &Chronicle) -> Self {
        // Before the log was read nothing is known of what it holds.
        if chronicle.progress().borrow().is_none() {
            return Self { entries: Vec::new(), whole_from: Some(Timestamp::MAX), oldest: None };
        }
        let (entries, whole_from) = chronicle.all();
        let oldest = whole_from.or_else(|| entries.first().map(|entry| entry.happened.at));
        Self { entries, whole_from, oldest }
    }

    /// Counts the hour that ends at a time; `None` unless everything in it is there.
    fn of_hour(&self, until: Timestamp) -> Option<Tally> {
        self.over(until.saturating_sub(SignedDuration::from_hours(1)).ok()?, until)
    }

    /// Counts a stretch; `None` unless everything in it is there.
    fn over(&self, from: Timestamp, until: Timestamp) -> Option<Tally> {
        let is_whole = self.whole_from.is_none_or(|whole| whole <= from);
        // Of the stretch in which the log begins everything is known when the log begins with the ledger itself.
        let is_after_the_beginning = self.oldest.is_some_and(|oldest| oldest < until);
        let happened = || self.entries.iter().map(|entry| &entry.happened);
        (is_whole && is_after_the_beginning).then(|| Tally::of(from, until, happened()))
    }
}

/// Returns the counts of the days that have ended and are not taken down yet, oldest first, in the region's time: of
/// those of which the chronicle holds everything, or else every hour was taken down.
fn ended_days(counts: &Counts, moment: &Moment, made: &BTreeMap<Timestamp, Rollup>) -> Vec<Tally> {
    let zone = zone(&moment.region);
    let known: BTreeSet<Timestamp> = moment.shelf.days().map(|day| day.at).collect();
    let hours = || moment.shelf.hours().chain(made.values()).filter_map(|hour| hour.tally.as_ref());
    let mut due = Vec::new();
    let mut until = start_of(settled(moment), &zone, Unit::Day);
    for _ in 0..AT_ONCE {
        let from =
            start_of(until.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(until), &zone, Unit::Day);
        if from >= until {
            break;
        }
        if !known.contains(&until) {
            match counts.over(from, until).or_else(|| Tally::of_parts(from, until, hours())) {
                Some(tally) => due.push(tally),
                None => break,
            }
        }
        until = from;
    }
    due.reverse();
    due
}

/// The time up to which everything is committed.
fn settled(moment: &Moment) -> Timestamp {
    moment.at.saturating_sub(SETTLES_IN).unwrap_or(moment.at)
}

/// Returns the start of the hour that a time is in, which is the end of the one before.
pub(super) fn hour_of(at: Timestamp) -> Timestamp {
    start_of(at, &TimeZone::UTC, Unit::Hour)
}

/// Returns the start of the hour or day that a time is in.
fn start_of(at: Timestamp, zone: &TimeZone, unit: Unit) -> Timestamp {
    let zoned = at.to_zoned(zone.clone());
    let start = if unit == Unit::Day {
        zoned.start_of_day()
    } else {
        zoned.round(ZonedRound::new().smallest(unit).mode(jiff::RoundMode::Trunc))
    };
    start.map_or(at, |start| start.timestamp())
}

/// Gives up what is older than it is kept, or beyond how much is.
async fn prune(live: &Live, moment: &Moment) -> Result<(), Failure> {
    let shelf = &moment.shelf;
    let old = |at: Timestamp, kept: SignedDuration| moment.at.duration_since(at) > kept;
    let rollups = shelf.hours().filter(|hour| old(hour.at, HOURS_KEPT));
    let rollups = rollups.chain(shelf.days().filter(|day| old(day.at, DAYS_KEPT)));
    let mut gone: Vec<Key> = rollups.map(|rollup| rollup_key(rollup.span, rollup.at)).collect();
    let positions = shelf.positions().filter(|position| old(position.at, POSITIONS_KEPT));
    gone.extend(positions.map(|position| position_key(position.at)));
    for (place, (alert, _)) in shelf.alerts.iter().enumerate() {
        let over = alert.cleared_at.is_some_and(|over| place >= ALERTS_MAX || old(over, ALERTS_KEPT));
        if over {
            gone.push(alert_key(&alert.id));
        }
    }
    for (place, (decision, _)) in shelf.decisions.iter().enumerate() {
        if place >= DECISIONS_MAX || old(decision.at, DAYS_KEPT) {
            gone.push(decision_key(&decision.id));
        }
    }
    for (place, (as_of, at)) in shelf.sign_offs.iter().enumerate() {
        if place >= SIGN_OFFS_MAX || old(*at, DAYS_KEPT) {
            gone.push(sign_off_key(*as_of));
        }
    }
    gone.truncate(PRUNED_MAX);
    if gone.is_empty() {
        return Ok(());
    }
    live.mutate(&by_monitor("GiveUp", moment.at), gone.clone(), |view| {
        let there = gone.iter().filter(|key| view.get(key).is_some());
        let writes: Vec<(Key, Option<Record>)> = there.map(|key| (key.clone(), None)).collect();
        Ok(if writes.is_empty() { Step::Answer(()) } else { Step::Write { writes, answer: () } })
    })
    .await
    .map(drop)
}
