//! Reports over a period: counted from the chronicle as far as it reaches back, and before that from kept days and hours.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::{self, ReportKind};
use fallow_domain::ids::{OfferId, TrustCode};
use fallow_domain::matching::explain::Explainer;
use fallow_domain::matching::explanation::Unlocking;
use fallow_domain::matching::giving::COUNTED;
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::solve::Prepared;
use fallow_domain::monitor::alarm;
use fallow_domain::monitor::report::{self, Blockers, Row, Sight, Table};
use fallow_domain::monitor::rules::{AlertPolicy, Rule};
use fallow_domain::monitor::tally::Tally;
use fallow_domain::monitor::theatres::theatres;
use fallow_domain::offer::Offer;
use fallow_domain::reason::NotUsed;
use fallow_domain::resource::ResourceKind;
use fallow_ledger::RecordKind;
use fallow_live::RETRY_AFTER;
use fallow_live::call::{Call, new_id};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use tokio::sync::Semaphore;

use crate::chronicle::Chronicle;
use crate::kept::Shelf;
use crate::past::Moment;
use crate::timeline::zone;

/// How far back a report begins when nothing is asked for.
const USUALLY_FROM: SignedDuration = SignedDuration::from_hours(28 * 24);
/// Most needs whose blockers are explained for one report, the most overdue first.
const EXPLAINED_MAX: usize = 200;
/// How long a report waits for the chronicle to reach what it counts.
const CATCH_UP: Duration = Duration::from_secs(10);
/// Single changes that a report of the unmet names.
const LEVERS: usize = 3;
/// Reports that work the engine's plan out at a time.
const AT_ONCE: usize = 1;
/// How long a report waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// The seed of theatre search. Fixed, so that the same records give the same report.
const SEED: u64 = 1;
/// Longest text of thresholds to try, in bytes.
const ALERTS_BYTES_MAX: usize = 16 * 1024;

/// Returns the kinds of records that a report is made of, beside what the log says. No others are copied: of a large region
/// that costs more than the report.
fn kinds_of(kind: ReportKind) -> Vec<RecordKind> {
    let of_trusts: &[RecordKind] = match kind {
        ReportKind::Unmet => &[RecordKind::Need, RecordKind::Offer, RecordKind::Decline],
        ReportKind::Equity => &[RecordKind::Need],
        ReportKind::Fairness => {
            &[RecordKind::Offer, RecordKind::Need, RecordKind::Proposal, RecordKind::Transfer]
        }
        ReportKind::Outcomes => &[RecordKind::Transfer],
        ReportKind::Theatres => &[RecordKind::Offer, RecordKind::Transfer],
        ReportKind::Declines | ReportKind::Alerts | ReportKind::Unspecified => &[],
    };
    let always = [RecordKind::Region, RecordKind::Trust, RecordKind::Monitor];
    always.iter().chain(of_trusts).copied().collect()
}

/// Makes reports, a few at a time.
pub(crate) struct Reports {
    turn: Arc<Semaphore>,
}

impl Default for Reports {
    fn default() -> Self {
        Self { turn: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// What is asked for.
struct Asked {
    kind: ReportKind,
    from: Timestamp,
    until: Timestamp,
    trust: Option<TrustCode>,
    alerts: AlertPolicy,
}

fn parse(call: &Call, request: &v1::GetReportRequest) -> Result<Asked, Failure> {
    let mut check = Check::new("");
    let kind = ReportKind::try_from(request.kind).ok().filter(|kind| *kind != ReportKind::Unspecified);
    if kind.is_none() {
        check.wrong("kind", reasons::REQUIRED, "must be one of the reports");
    }
    // The end of a time lies outside it, and what happened at this very moment has happened.
    let after_now = call.at.saturating_add(SignedDuration::from_nanos(1)).unwrap_or(call.at);
    let until = check.time("until", request.until.as_ref()).unwrap_or(after_now);
    let usually = until.saturating_sub(USUALLY_FROM).unwrap_or(until);
    let from = check.time("from", request.from.as_ref()).unwrap_or(usually);
    if from >= until {
        check.wrong("from", reasons::WINDOW, "must be before until");
    }
    let trust = match request.trust.as_str() {
        "" => None,
        code => check.trust("trust", code, &call.region.region),
    };
    let alerts = match request.alerts_toml.as_str() {
        "" => Some(call.region.region.policy.alerts),
        _ if kind.is_some_and(|kind| kind != ReportKind::Alerts) => {
            check.wrong("alerts_toml", reasons::NOT_APPLICABLE, "must be left out but for ALERTS");
            None
        }
        text => thresholds(&mut check, text),
    };
    let asked = kind.zip(alerts).map(|(kind, alerts)| Asked { kind, from, until, trust, alerts });
    Ok(check.finish(asked)?)
}

/// Parses thresholds to try, with or without the head of a region file.
fn thresholds(check: &mut Check<'_>, text: &str) -> Option<AlertPolicy> {
    #[derive(Deserialize)]
    struct Headed {
        policy: Inner,
    }
    #[derive(Deserialize)]
    struct Inner {
        alerts: AlertPolicy,
    }
    if text.len() > ALERTS_BYTES_MAX {
        let text = format!("must have at most {ALERTS_BYTES_MAX} bytes, has {}", text.len());
        check.wrong("alerts_toml", reasons::TOO_MANY, text);
        return None;
    }
    let read = if text.contains("[policy") {
        toml::from_str::<Headed>(text).map(|headed| headed.policy.alerts)
    } else {
        toml::from_str::<AlertPolicy>(text)
    };
    match read {
        Ok(policy) => {
            let problems = policy.problems();
            for (path, text) in &problems {
                check.wrong("alerts_toml", reasons::INVALID_REGION, format!("{path}: {text}"));
            }
            problems.is_empty().then_some(policy)
        }
        Err(error) => {
            check.wrong("alerts_toml", reasons::INVALID_REGION, error.message().to_owned());
            None
        }
    }
}

impl Reports {
    /// Makes a report.
    ///
    /// # Errors
    /// Violations of the request; [`Failure::NotFound`] for a trust that the caller does not know;
    /// [`Failure::Limited`] when others take too long.
    pub(crate) async fn get(
        &self,
        call: &Call,
        chronicle: &Chronicle,
        request: &v1::GetReportRequest,
    ) -> Result<v1::GetReportResponse, Failure> {
        let asked = parse(call, request)?;
        if let Some(trust) = asked.trust.filter(|trust| !call.viewer().knows_trust(*trust)) {
            return Err(Failure::NotFound { record: "trust", id: trust.to_string() });
        }
        let mut moment = Moment::with(call.live.picture(), &kinds_of(asked.kind), call.at)
            .ok_or(Failure::NotReady { retry_after: RETRY_AFTER })?;
        // What is counted is what has happened until now, and not until the chronicle got so far.
        if !chronicle.reached(moment.revision, CATCH_UP).await {
            return Err(Failure::NotReady { retry_after: RETRY_AFTER });
        }
        let counted = tally(chronicle, &moment.shelf, asked.from, asked.until);
        let Counted { tally, from: counted_from, .. } = &counted;
        let is_of_unmet = asked.kind == ReportKind::Unmet;
        // What the engine plans with, and the report does not look at.
        let offers = if is_of_unmet { std::mem::take(&mut moment.records.offers) } else { BTreeMap::new() };
        let moment = Arc::new(moment);
        let explained = if is_of_unmet {
            self.explain(call, asked.trust, moment.clone(), offers).await?
        } else {
            Explained::default()
        };
        let viewer = call.viewer();
        let need = |trust: TrustCode, kind: ResourceKind| viewer.knows_kind(trust, kind);
        let trust = |trust: TrustCode| viewer.knows_trust(trust);
        let pair = |home: TrustCode, supporting: TrustCode| viewer.between(home, supporting);
        let sight = Sight { need: &need, trust: &trust, pair: &pair, only: asked.trust };
        let mut table = match asked.kind {
            ReportKind::Unmet => report::unmet(
                &moment.records,
                call.at,
                &explained.blockers,
                explained.unlocking.as_ref(),
                &sight,
            ),
            ReportKind::Equity => report::equity(tally, &moment.records, &sight),
            ReportKind::Fairness => report::fairness(tally, &moment.situation(), &call.region.region, &sight),
            ReportKind::Declines => report::declines(tally, &sight),
            ReportKind::Outcomes => report::outcomes(tally, &moment.records, call.at, &sight),
            ReportKind::Theatres => strip(call, &moment, &asked)?,
            ReportKind::Alerts | ReportKind::Unspecified => {
                rules(call, &moment.shelf, &asked, viewer.sees_region())?
            }
        };
        // What is read from live records misses no day of the log.
        let is_of_records = asked.kind == ReportKind::Theatres;
        if tally.left_out > 0 && !is_of_records {
            table.notes.push(format!("{} events found no place in the counts.", tally.left_out));
        }
        table.notes.extend(counted.missing(&zone(&call.region.region)).filter(|_| !is_of_records));
        let kept_from = call.at.saturating_sub(COUNTED).unwrap_or(call.at);
        let counted_from = if is_of_records { asked.from.max(kept_from) } else { *counted_from };
        Ok(v1::GetReportResponse {
            columns: table.columns,
            rows: table
                .rows
                .into_iter()
                .map(|Row { name, values, note }| v1::get_report_response::Row { name, values, note })
                .collect(),
            revision: number_to_wire(moment.revision.0),
            notes: table.notes,
            counted_from: Some(time::to_wire(counted_from)),
        })
    }

    /// Lets the engine plan on a copy and say why needs go unserved. The plan is of all needs, for they compete; the
    /// explanations are of those that the caller sees.
    async fn explain(
        &self,
        call: &Call,
        trust: Option<TrustCode>,
        moment: Arc<Moment>,
        offers: Offers,
    ) -> Result<Explained, Failure> {
        let Ok(Ok(turn)) = tokio::time::timeout(TURN, self.turn.clone().acquire_owned()).await else {
            return Err(Failure::Limited {
                reason: reasons::CONCURRENCY,
                subject: "reports of the unmet".to_owned(),
                text: format!(
                    "{AT_ONCE} report of the unmet is worked out at a time, and others are before this one"
                ),
                retry_after: Some(TURN),
            });
        };
        let viewer = call.viewer();
        let seen: HashSet<_> = moment
            .records
            .needs
            .values()
            .filter(|need| trust.is_none_or(|only| only == need.trust))
            .filter(|need| viewer.knows_kind(need.trust, need.resource.kind))
            .map(|need| need.id.clone())
            .collect();
        let region = call.region.region.clone();
        let wants_levers = viewer.sees_region();
        let worked = tokio::task::spawn_blocking(move || {
            let explained = explain(&moment, offers, region, &seen, wants_levers);
            drop(turn);
            explained
        });
        worked.await.map_err(|error| {
            let trace_id = new_id();
            tracing::error!(%error, trace_id, "a report could not be worked out");
            Failure::Bug { trace_id }
        })
    }
}

/// The theatres of a trust, for itself; of all of them for those who see the region.
fn strip(call: &Call, moment: &Moment, asked: &Asked) -> Result<Table, Failure> {
    let viewer = call.viewer();
    let is_own = |trust: TrustCode| call.actor.trust == Some(trust);
    let sees = |trust: TrustCode| viewer.sees_region() || is_own(trust);
    if asked.trust.is_some_and(|trust| !sees(trust)) {
        return Err(Failure::Forbidden {
            reason: reasons::ROLE_FORBIDS,
            text: "how a trust uses its theatres is its own to read; gold reads all".to_owned(),
        });
    }
    let sees = |trust: TrustCode| asked.trust.is_none_or(|only| only == trust) && sees(trust);
    let region = &call.region.region;
    Ok(theatres(&moment.records, region, &zone(region), (asked.from, call.at), &sees))
}

/// What keeps needs from being served.
#[derive(Default)]
struct Explained {
    blockers: Blockers,
    unlocking: Option<Unlocking>,
}

type Offers = BTreeMap<OfferId, Offer>;

fn explain(
    moment: &Moment,
    offers: Offers,
    region: Arc<fallow_domain::region::Region>,
    seen: &HashSet<fallow_domain::ids::NeedId>,
    wants_levers: bool,
) -> Explained {
    let records = &moment.records;
    let declined = records.declines.values().filter(|decline| {
        let need = records.needs.get(&decline.need).map(|need| need.generation);
        let offer = offers.get(&decline.offer).map(|offer| offer.generation);
        need == Some(decline.need_generation) && offer == Some(decline.offer_generation)
    });
    let declined = declined.map(|decline| (decline.need.clone(), decline.offer.clone())).collect();
    let problem = Problem {
        at: moment.at,
        region,
        offers: offers.into_values().filter(|o| !o.state.is_ended()).map(Arc::new).collect(),
        needs: records.needs.values().filter(|n| !n.state.is_ended()).cloned().map(Arc::new).collect(),
        declined,
    };
    let prepared = Prepared::new(&problem);
    // Without search: a session more or less changes no reason.
    let plan = prepared.solve(&problem, None, 0, SEED, &mut || false);
    let mut unserved: Vec<_> =
        plan.unserved.keys().filter(|id| seen.contains(*id)).filter_map(|id| records.needs.get(id)).collect();
    unserved.sort_by_key(|need| (need.needed_by.unwrap_or(Timestamp::MAX), need.id.clone()));
    let explainer = Explainer::new(&problem, &prepared, &plan);
    let explained: Vec<_> =
        unserved.into_iter().take(EXPLAINED_MAX).filter_map(|need| explainer.unserved(&need.id)).collect();
    let mut blockers: Blockers = BTreeMap::new();
    for one in &explained {
        let Some(need) = records.needs.get(&one.need) else { continue };
        // The home trust's own offers are no answer, and never the reason.
        let others = one.counts.iter().filter(|count| count.reason != NotUsed::SameTrust);
        let top = others.max_by_key(|count| (count.count, std::cmp::Reverse(count.reason)));
        let of_resource = blockers.entry(need.resource.key()).or_default();
        *of_resource.entry(top.map(|count| count.reason)).or_default() += u64::from(one.units);
    }
    let unlocking = (wants_levers && !explained.is_empty()).then(|| explainer.unlocking(&explained, LEVERS));
    Explained { blockers, unlocking }
}

/// What was counted of a period.
pub(crate) struct Counted {
    tally: Tally,
    /// From when it really counts.
    from: Timestamp,
    /// What lies between and was not counted, oldest first.
    gaps: Vec<(Timestamp, Timestamp)>,
}

impl Counted {
    /// Says which days are missing, where some are.
    fn missing(&self, zone: &TimeZone) -> Option<String> {
        let clock = |at: Timestamp| at.to_zoned(zone.clone()).strftime("%-d %b %Y %H:%M").to_string();
        let told: Vec<String> =
            self.gaps.iter().map(|(from, until)| format!("{} to {}", clock(*from), clock(*until))).collect();
        (!told.is_empty())
            .then(|| format!("Nothing is known of, and nothing counted from: {}.", told.join("; ")))
    }
}

/// Returns what lies between the parts that were counted, each from one time to another and oldest first.
fn gaps(parts: impl IntoIterator<Item = (Timestamp, Timestamp)>) -> Vec<(Timestamp, Timestamp)> {
    let mut found = Vec::new();
    let mut reached: Option<Timestamp> = None;
    for (from, until) in parts {
        if let Some(reached) = reached.filter(|reached| *reached < from) {
            found.push((reached, from));
        }
        reached = reached.max(Some(until));
    }
    found
}

/// Counts a period, and says from when it really counts and what is missing in it.
pub(crate) fn tally(chronicle: &Chronicle, shelf: &Shelf, from: Timestamp, until: Timestamp) -> Counted {
    let (entries, whole_from) = chronicle.all();
    let log_from = whole_from.map_or(from, |whole| whole.max(from));
    let days = shelf.days().filter_map(|day| day.tally.as_ref());
    let hours = shelf.hours().filter_map(|hour| hour.tally.as_ref());
    let kept = kept_parts(days, hours, (from, until), log_from);
    let kept_until = kept.last().map_or(log_from, |part| part.until);
    let begins = log_from.max(kept_until);
    let counted_from = kept.first().map_or(begins, |part| part.from);
    let of_log = Tally::of(begins.min(until), until, entries.iter().map(|entry| &entry.happened));
    let parts = kept.iter().map(|part| (part.from, part.until)).chain([(begins.min(until), until)]);
    let gaps = gaps(parts);
    Counted { tally: Tally::sum(from, until, kept.into_iter().chain([&of_log])), from: counted_from, gaps }
}

/// Returns what was taken down of a period and begins before the log does, oldest first: days, and the hours of days
/// that were not.
fn kept_parts<'a>(
    days: impl Iterator<Item = &'a Tally>,
    hours: impl Iterator<Item = &'a Tally>,
    (from, until): (Timestamp, Timestamp),
    log_from: Timestamp,
) -> Vec<&'a Tally> {
    let counts = |part: &&Tally| part.from >= from && part.until <= until && part.from < log_from;
    let mut parts: Vec<&Tally> = days.filter(counts).collect();
    let days = parts.clone();
    let is_in_a_day = |hour: &&Tally| days.iter().any(|day| day.from <= hour.from && hour.until <= day.until);
    parts.extend(hours.filter(counts).filter(|hour| !is_in_a_day(hour)));
    parts.sort_by_key(|part| part.from);
    parts
}

/// How each rule has done of late, and how often it would have fired over the period with these thresholds.
fn rules(call: &Call, shelf: &Shelf, asked: &Asked, sees_region: bool) -> Result<Table, Failure> {
    if !sees_region {
        return Err(Failure::Forbidden {
            reason: reasons::ROLE_FORBIDS,
            text: "how rules have done counts the whole region; gold sees it".to_owned(),
        });
    }
    let records = alarm::records(shelf.alerts.iter().map(|(alert, _)| alert), call.at);
    let fired = alarm::back_test(shelf.hours_within(asked.from, asked.until), &asked.alerts);
    #[expect(
        clippy::cast_precision_loss,
        reason = "a week's alerts stay far below what a double holds exactly"
    )]
    let number = |count: u64| count as f64;
    let rows = Rule::ALL.iter().map(|rule| {
        let record = records.get(rule).copied().unwrap_or_default();
        let threshold = asked.alerts.of(*rule);
        let state = match (threshold.on, record.is_digest(&asked.alerts)) {
            (false, _) => "off",
            (true, true) => "digest only",
            (true, false) => "on",
        };
        let tested = fired.get(rule);
        let told = if tested.is_some() { "" } else { "; not back-tested" };
        Row {
            name: rule.to_string(),
            values: vec![
                number(record.fired),
                number(record.acted_on),
                record.percent().map_or(0.0, number),
                tested.copied().map_or(0.0, number),
            ],
            note: format!("{}: {state}{told}", rule.words(threshold)),
        }
    });
    let hours = shelf.hours_within(asked.from, asked.until).count();
    let spent = alarm::spent(shelf.alerts.iter().map(|(alert, _)| alert), call.at);
    Ok(Table {
        columns: ["rule", "fired 7 d", "acted on", "acted on %", "would have fired"]
            .map(str::to_owned)
            .to_vec(),
        rows: rows.collect(),
        notes: vec![
            format!("Today {spent} of {} alerts.", asked.alerts.per_day),
            format!("Back-tested on the {hours} hours that are kept of the period."),
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_fill_what_no_day_holds() {
        let hour = |n: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(n);
        let tally = |from: i64, until: i64| Tally::sum(hour(from), hour(until), []);
        let days = [tally(0, 24), tally(48, 72)];
        let hours: Vec<Tally> = (20..76).map(|n| tally(n, n + 1)).collect();
        let parts = kept_parts(days.iter(), hours.iter(), (hour(0), hour(76)), hour(75));
        let told: Vec<(Timestamp, Timestamp)> = parts.iter().map(|part| (part.from, part.until)).collect();
        let by_hour = |from: i64, until: i64| (from..until).map(move |n| (hour(n), hour(n + 1)));
        let expected = [(hour(0), hour(24))]
            .into_iter()
            .chain(by_hour(24, 48))
            .chain([(hour(48), hour(72))])
            .chain(by_hour(72, 75));
        assert_eq!(told, expected.collect::<Vec<_>>(), "the log counts from its own beginning on");
        let late = kept_parts(days.iter(), hours.iter(), (hour(60), hour(64)), hour(75));
        assert_eq!(late.len(), 4, "a day that begins before the period is left to its hours");
    }

    #[test]
    fn what_lies_between_the_days_that_are_kept_is_named() {
        let day = |n: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(24 * n);
        let of = |parts: &[(i64, i64)]| gaps(parts.iter().map(|(from, until)| (day(*from), day(*until))));
        assert_eq!(of(&[(0, 1), (1, 2), (2, 5)]), []);
        assert_eq!(of(&[(0, 1), (3, 4), (5, 9)]), [(day(1), day(3)), (day(4), day(5))]);
        let counted =
            Counted { tally: Tally::sum(day(0), day(9), []), from: day(0), gaps: of(&[(0, 1), (3, 9)]) };
        let told = "Nothing is known of, and nothing counted from: 2 Jan 1970 00:00 to 4 Jan 1970 00:00.";
        assert_eq!(counted.missing(&TimeZone::UTC).as_deref(), Some(told));
    }
}
