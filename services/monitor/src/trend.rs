//! One measure over time, with what is usual of it.

use fallow_api::convert::{Check, resource};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::{self, Measure};
use fallow_domain::ids::TrustCode;
use fallow_domain::monitor::kept::Rollup;
use fallow_domain::monitor::spc::{self, Chart};
use fallow_domain::resource::ResourceKey;
use fallow_domain::situation::Headline;
use fallow_live::call::Call;
use jiff::{SignedDuration, Timestamp};

use crate::kept::Shelf;
use crate::timeline::zone;

/// Most points of one answer.
const POINTS_MAX: usize = 1_000;
/// How far back a trend begins when nothing is asked for.
const USUALLY_FROM: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far back a trend of a measure begins that has one value a day.
const DAILY_FROM: SignedDuration = SignedDuration::from_hours(28 * 24);
/// How far back what is usual is looked for.
const USUAL_OVER: SignedDuration = SignedDuration::from_hours(7 * 24);
/// How far back it is looked for of a measure that has one value a day: as far as hours are kept.
const USUAL_DAYS_OVER: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Over how long some measures count; two values of one that are nearer count the same things twice.
const COUNTED_OVER: SignedDuration = SignedDuration::from_hours(24);

/// What is asked for.
struct Asked {
    measure: Measure,
    trust: Option<TrustCode>,
    resource: Option<ResourceKey>,
    from: Timestamp,
    until: Timestamp,
    step: SignedDuration,
}

fn parse(call: &Call, request: &v1::GetTrendRequest) -> Result<Asked, Failure> {
    let mut check = Check::new("");
    let measure = Measure::try_from(request.measure).ok().filter(|measure| *measure != Measure::Unspecified);
    if measure.is_none() {
        check.wrong("measure", reasons::REQUIRED, "must be one of the measures");
    }
    let trust = match request.trust.as_str() {
        "" => None,
        code => check.trust("trust", code, &call.region.region),
    };
    let wire = request.resource.as_ref();
    let resource = wire.and_then(|wire| resource::parse(&mut check, Some(wire), &call.region.region, false));
    if measure.is_some_and(|measure| measure != Measure::Net) {
        for (field, given) in [("trust", trust.is_some()), ("resource", resource.is_some())] {
            if given {
                let text = "must be left out: only NET is kept by trust and by resource";
                check.wrong(field, reasons::NOT_APPLICABLE, text);
            }
        }
    }
    if measure == Some(Measure::Net) && wire.is_none() {
        let text = "must be given for NET: beds and minutes of theatre do not add up";
        check.wrong("resource", reasons::REQUIRED, text);
    }
    let until = check.time("until", request.until.as_ref()).unwrap_or(call.at);
    let usually = until
        .saturating_sub(if measure.is_some_and(is_daily) { DAILY_FROM } else { USUALLY_FROM })
        .unwrap_or(until);
    let from = check.time("from", request.from.as_ref()).unwrap_or(usually);
    if from >= until {
        check.wrong("from", reasons::WINDOW, "must be before until");
    }
    let range = (SignedDuration::from_mins(1), SignedDuration::from_hours(7 * 24));
    let step = match &request.step {
        Some(step) => check.span("step", step, range, "1 minute to 7 days"),
        None => Some(SignedDuration::from_hours(1)),
    };
    let step = step.unwrap_or(range.1);
    let many = until.duration_since(from).as_secs() / step.as_secs().max(1);
    if many > i64::try_from(POINTS_MAX).unwrap_or(i64::MAX) {
        let text = format!("must be longer: {many} points is more than {POINTS_MAX}");
        check.wrong("step", reasons::OUT_OF_RANGE, text);
    }
    let resource = resource.map(|resource| resource.key());
    let asked = measure.map(|measure| Asked { measure, trust, resource, from, until, step });
    Ok(check.finish(asked)?)
}

/// Reads one measure over time. Its points are the ends of hours, and of days where hours are no longer kept.
///
/// # Errors
/// Violations of the request; [`Failure::Forbidden`] to a trust that asks for what counts the whole region.
pub(crate) fn get(call: &Call, request: &v1::GetTrendRequest) -> Result<v1::GetTrendResponse, Failure> {
    let asked = parse(call, request)?;
    let viewer = call.viewer();
    if asked.measure != Measure::Net && !viewer.sees_region() {
        return Err(Failure::Forbidden {
            reason: reasons::ROLE_FORBIDS,
            text: "this measure counts the whole region; a trust sees trends of NET".to_owned(),
        });
    }
    if let Some(trust) = asked.trust.filter(|trust| !viewer.knows_trust(*trust)) {
        return Err(Failure::NotFound { record: "trust", id: trust.to_string() });
    }
    let shelf = Shelf::read(call.live.picture());
    let sees = |trust: TrustCode, key: &ResourceKey| {
        asked.trust.is_none_or(|only| only == trust)
            && asked.resource.as_ref().is_none_or(|only| only == key)
            && viewer.knows_kind(trust, key.kind)
    };
    let first_hour = shelf.hours().next().map_or(Timestamp::MAX, |hour| hour.at);
    let days = shelf.days().filter(|day| day.at < first_hour);
    let within = |rollup: &&Rollup| rollup.at > asked.from && rollup.at <= asked.until;
    let all = days.chain(shelf.hours()).filter(within);
    let value = |rollup: &Rollup| match asked.measure {
        Measure::Net => net(rollup, sees),
        Measure::Unspecified
        | Measure::NeedsOpen
        | Measure::NeedsOverdue
        | Measure::PlacedPercent
        | Measure::MinutesToAgreed => {
            rollup.headline.as_ref().and_then(|headline| of_headline(asked.measure, headline))
        }
    };
    let points = all.filter_map(|rollup| value(rollup).map(|value| (rollup.at, value)));
    let mut points = thinned(points, asked.from, asked.step);
    if is_daily(asked.measure) {
        points = apart(&points);
    }
    let values: Vec<f64> = points.iter().map(|(_, value)| *value).collect();
    let chart = chart(asked.measure, &values);
    let is_too_early = is_daily(asked.measure) && values.len() < spc::POINTS_MIN;
    let zone = zone(&call.region.region);
    let when = |place: usize| {
        let at = points.get(place).map_or(asked.from, |(at, _)| *at);
        let is_lately = call.at.duration_since(at) < SignedDuration::from_hours(20);
        let shape = if is_lately { "%H:%M" } else { "%-d %b %H:%M" };
        at.to_zoned(zone.clone()).strftime(shape).to_string()
    };
    Ok(v1::GetTrendResponse {
        sentence: if is_too_early {
            format!("Not enough days yet to say what is usual: {} of {}.", values.len(), spc::POINTS_MIN)
        } else {
            chart.sentence(when)
        },
        mean: chart.mean,
        upper: chart.upper,
        lower: chart.lower,
        points: points
            .iter()
            .zip(&chart.signals)
            .map(|((at, value), signal)| v1::get_trend_response::Point {
                at: Some(fallow_api::convert::time::to_wire(*at)),
                value: *value,
                special_cause: signal.is_some(),
            })
            .collect(),
    })
}

/// Says whether a measure counts a whole day back at every moment, so that it has one value a day.
const fn is_daily(measure: Measure) -> bool {
    match measure {
        Measure::PlacedPercent | Measure::MinutesToAgreed => true,
        Measure::Net | Measure::NeedsOpen | Measure::NeedsOverdue | Measure::Unspecified => false,
    }
}

/// Works out what is usual of a measure. Of too few days there is no range: both limits are the mean.
fn chart(measure: Measure, values: &[f64]) -> Chart {
    let mut chart = spc::chart(values, floor(measure));
    if is_daily(measure) && values.len() < spc::POINTS_MIN {
        (chart.upper, chart.lower) = (chart.mean, chart.mean);
    }
    if measure == Measure::PlacedPercent {
        chart.upper = chart.upper.min(100.0);
    }
    chart
}

/// Keeps of points, oldest first, the newest and those before it that count nothing twice.
fn apart(points: &[(Timestamp, f64)]) -> Vec<(Timestamp, f64)> {
    let mut kept: Vec<(Timestamp, f64)> = Vec::new();
    for (at, value) in points.iter().rev() {
        if kept.last().is_none_or(|(after, _)| after.duration_since(*at) >= COUNTED_OVER) {
            kept.push((*at, *value));
        }
    }
    kept.reverse();
    kept
}

/// Keeps the last point of each step, at most [`POINTS_MAX`] of the newest.
fn thinned(
    points: impl Iterator<Item = (Timestamp, f64)>,
    from: Timestamp,
    step: SignedDuration,
) -> Vec<(Timestamp, f64)> {
    let mut kept: Vec<(i64, (Timestamp, f64))> = Vec::new();
    for (at, value) in points {
        // A step ends with its last moment: the end of an hour belongs to that hour.
        let passed = at.duration_since(from).as_millis().saturating_sub(1);
        let place = i64::try_from(passed / step.as_millis().max(1)).unwrap_or(i64::MAX);
        match kept.last_mut() {
            Some((last, point)) if *last == place => *point = (at, value),
            Some(_) | None => kept.push((place, (at, value))),
        }
    }
    let skip = kept.len().saturating_sub(POINTS_MAX);
    kept.into_iter().skip(skip).map(|(_, point)| point).collect()
}

/// Returns what is spare less what is needed of all that is seen; `None` where nothing of it is kept.
fn net(rollup: &Rollup, sees: impl Fn(TrustCode, &ResourceKey) -> bool) -> Option<f64> {
    let seen = rollup.points.iter().filter(|point| sees(point.trust, &point.resource));
    let (count, sum) =
        seen.fold((0, 0_i64), |(count, sum), point| (count + 1, sum.saturating_add(point.net)));
    (count > 0).then(|| number(sum))
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of beds and slots stay far below what a double holds exactly"
)]
fn number(count: i64) -> f64 {
    count as f64
}

fn of_headline(measure: Measure, headline: &Headline) -> Option<f64> {
    let count = |count: u64| Some(number(i64::try_from(count).unwrap_or(i64::MAX)));
    match measure {
        Measure::NeedsOpen => count(headline.needs_open),
        Measure::NeedsOverdue => count(headline.needs_overdue),
        // Of nothing there is no share.
        Measure::PlacedPercent => match headline.needs_raised_24h {
            0 => None,
            raised => count(headline.needs_placed_24h * 100 / raised),
        },
        Measure::MinutesToAgreed => headline.median_minutes_to_agreed.and_then(count),
        Measure::Net | Measure::Unspecified => None,
    }
}

/// Returns the least that a measure can be.
fn floor(measure: Measure) -> Option<f64> {
    match measure {
        Measure::Net | Measure::Unspecified => None,
        Measure::NeedsOpen | Measure::NeedsOverdue | Measure::PlacedPercent | Measure::MinutesToAgreed => {
            Some(0.0)
        }
    }
}

/// Puts what is usual beside the numbers on top: the limits of the hours of the last week, or of days where a number
/// counts a day, and whether now is outside.
pub(crate) fn usual(wire: &mut v1::situation::Headline, now: &Headline, shelf: &Shelf, at: Timestamp) {
    let back = |over: SignedDuration| at.saturating_sub(over).unwrap_or(at);
    let of = |measure: Measure, value: &dyn Fn(&Headline) -> Option<f64>| {
        let from = back(if is_daily(measure) { USUAL_DAYS_OVER } else { USUAL_OVER });
        let hours = shelf.hours_within(from, at);
        let points = hours.filter_map(|hour| Some((hour.at, hour.headline.as_ref().and_then(value)?)));
        let points: Vec<(Timestamp, f64)> = points.collect();
        let points = if is_daily(measure) { apart(&points) } else { points };
        let values: Vec<f64> = points.into_iter().map(|(_, value)| value).collect();
        (values.len() >= spc::POINTS_MIN).then(|| {
            let Chart { upper, lower, .. } = chart(measure, &values);
            let now = value(now);
            v1::situation::Usual {
                lower,
                upper,
                high: now.is_some_and(|now| now > upper),
                low: now.is_some_and(|now| now < lower),
            }
        })
    };
    let of_measure = |measure: Measure| of(measure, &|headline| of_headline(measure, headline));
    wire.usual_needs_open = of_measure(Measure::NeedsOpen);
    wire.usual_needs_overdue = of_measure(Measure::NeedsOverdue);
    wire.usual_placed_percent = of_measure(Measure::PlacedPercent);
    wire.usual_minutes_to_agreed = of_measure(Measure::MinutesToAgreed);
    // A count of what there is, as open needs are.
    wire.usual_transfers_moving =
        of(Measure::NeedsOpen, &|headline| i64::try_from(headline.transfers_moving).ok().map(number));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hour(n: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_hours(n)
    }

    #[test]
    fn what_counts_a_day_has_one_value_a_day() {
        // A constant process, looked at each hour: what came in is seen for a day and then no more.
        let points: Vec<(Timestamp, f64)> = (0..=240).map(|n| (hour(n), 50.0)).collect();
        let days = apart(&points);
        assert_eq!(days.len(), 11);
        assert_eq!(days.last(), points.last());
        assert!(days.windows(2).all(|pair| pair[1].0.duration_since(pair[0].0) >= COUNTED_OVER));
    }

    #[test]
    fn of_few_days_there_is_no_range_and_no_percentage_is_beyond_a_hundred() {
        let few = chart(Measure::MinutesToAgreed, &[10.0, 90.0, 20.0]);
        assert_eq!((few.upper, few.lower), (few.mean, few.mean));
        let swing: Vec<f64> = (0..10).map(|n| if n % 2 == 0 { 100.0 } else { 60.0 }).collect();
        let found = chart(Measure::PlacedPercent, &swing);
        assert_eq!((found.upper, found.lower), (100.0, 0.0));
        assert!(chart(Measure::NeedsOpen, &swing).upper > 100.0);
    }
}
