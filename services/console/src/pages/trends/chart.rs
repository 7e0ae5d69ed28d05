//! An XmR chart as numbers for an SVG: a line, its mean, its limits, and the points that are special cause.

use fallow_api::v1::GetTrendResponse;
use jiff::Timestamp;

use crate::words::time::{Now, from_wire};

/// Size of the chart in its own units.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 260.0;
/// What is kept free for the numbers at the left and the times below.
const LEFT: f64 = 44.0;
const RIGHT: f64 = 8.0;
const TOP: f64 = 14.0;
const BELOW: f64 = 24.0;

/// The chart.
pub(in crate::pages) struct Chart {
    /// The points of the line, as SVG has them.
    pub(in crate::pages) line: String,
    /// What is said at the left of each line across: the limits and the mean, with its height.
    pub(in crate::pages) levels: Vec<Level>,
    /// Points that are special cause.
    pub(in crate::pages) special: Vec<(String, String)>,
    /// Where the first and the last time stand.
    pub(in crate::pages) first: String,
    pub(in crate::pages) last: String,
}

/// A line across.
pub(in crate::pages) struct Level {
    pub(in crate::pages) y: String,
    pub(in crate::pages) text: String,
    pub(in crate::pages) is_mean: bool,
}

impl Chart {
    /// Draws an answer; `None` when there are not two points to join.
    pub(in crate::pages) fn new(answer: &GetTrendResponse, now: &Now) -> Option<Self> {
        let points: Vec<(Timestamp, f64, bool)> = answer
            .points
            .iter()
            .filter_map(|point| Some((from_wire(point.at.as_ref())?, point.value, point.special_cause)))
            .collect();
        let ((begin, ..), (end, ..)) = (*points.first()?, *points.last()?);
        if begin == end {
            return None;
        }
        let levels = [answer.upper, answer.mean, answer.lower];
        let all = || points.iter().map(|(_, value, _)| *value).chain(levels);
        let (least, most) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        // A line that never moves lies in the middle.
        let (least, most) = if most - least < 1e-9 { (least - 1.0, most + 1.0) } else { (least, most) };
        let whole = end.duration_since(begin).as_secs_f64();
        let x =
            |at: Timestamp| LEFT + (WIDTH - LEFT - RIGHT) * (at.duration_since(begin).as_secs_f64() / whole);
        let y = |value: f64| TOP + (HEIGHT - TOP - BELOW) * ((most - value) / (most - least));
        let place = |(at, value, _): &(Timestamp, f64, bool)| (tenth(x(*at)), tenth(y(*value)));
        let line: Vec<String> = points.iter().map(place).map(|(x, y)| format!("{x},{y}")).collect();
        let level = |(value, is_mean): (f64, bool)| Level {
            y: tenth(y(value)),
            text: format!("{value:.0}"),
            is_mean,
        };
        // Limits that fall on the mean would print three numbers over one another.
        let is_flat = answer.upper - answer.lower < 1e-9;
        let shown = [(answer.upper, false), (answer.mean, true), (answer.lower, false)];
        Some(Self {
            line: line.join(" "),
            levels: shown.into_iter().filter(|(_, is_mean)| *is_mean || !is_flat).map(level).collect(),
            special: points.iter().filter(|(.., special)| *special).map(place).collect(),
            first: now.clock(begin),
            last: now.clock(end),
        })
    }
}

/// Writes a coordinate: a tenth of a unit is finer than any screen.
fn tenth(value: f64) -> String {
    format!("{value:.1}")
}

#[cfg(test)]
mod tests {
    use fallow_api::v1::get_trend_response::Point;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::time::to_wire;

    fn now() -> Now {
        Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: TimeZone::UTC }
    }

    fn answer(values: &[(f64, bool)], limits: [f64; 3]) -> GetTrendResponse {
        let point = |(hour, (value, special_cause)): (usize, &(f64, bool))| Point {
            at: Some(to_wire(format!("2026-11-24T{:02}:00:00Z", 8 + hour).parse().unwrap())),
            value: *value,
            special_cause: *special_cause,
        };
        let [lower, mean, upper] = limits;
        let points = values.iter().enumerate().map(point).collect();
        GetTrendResponse { points, mean, upper, lower, sentence: String::new() }
    }

    #[test]
    fn the_highest_is_on_top_and_the_last_at_the_right() {
        let chart =
            Chart::new(&answer(&[(10.0, false), (20.0, false), (30.0, true)], [0.0, 20.0, 30.0]), &now())
                .unwrap();
        assert_eq!(chart.line, "44.0,162.0 468.0,88.0 892.0,14.0");
        assert_eq!(chart.special, [("892.0".to_owned(), "14.0".to_owned())]);
        let levels: Vec<(&str, &str, bool)> =
            chart.levels.iter().map(|one| (one.y.as_str(), one.text.as_str(), one.is_mean)).collect();
        assert_eq!(levels, [("14.0", "30", false), ("88.0", "20", true), ("236.0", "0", false)]);
        assert_eq!((chart.first.as_str(), chart.last.as_str()), ("today 08:00", "today 10:00"));
    }

    #[test]
    fn what_never_moves_is_a_line_and_one_point_is_none() {
        let flat = Chart::new(&answer(&[(5.0, false), (5.0, false)], [5.0, 5.0, 5.0]), &now()).unwrap();
        assert_eq!((flat.line.as_str(), flat.levels.len()), ("44.0,125.0 892.0,125.0", 1));
        assert!(Chart::new(&answer(&[(5.0, false)], [5.0; 3]), &now()).is_none());
        assert!(Chart::new(&answer(&[], [0.0; 3]), &now()).is_none());
    }
}
