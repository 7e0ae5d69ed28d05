//! What the situation shows above its table, worked out from the monitor's answer.

use askama::Template;
use fallow_api::v1::{Freshness, Mode, Situation, situation};

use super::super::alerts::strip::Strip;
use super::grid::Grid;
use crate::words;
use crate::words::time::{Now, from_wire};

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "situation/heat.html")]
pub(super) struct Heat {
    top: Top,
    grid: Grid,
    strip: Strip,
    modes: Vec<String>,
    /// Whether cells lead to the account behind them.
    has_links: bool,
}

/// What stands above the table, on the page and on the wall.
pub(crate) struct Top {
    /// `14:32`.
    pub(crate) time: String,
    /// `5 of 6 trusts live`.
    pub(crate) live: String,
    /// Trusts that have not reported for longer than they promised: `Brackwater, 14 min`.
    pub(crate) silent: Vec<String>,
    pub(crate) headlines: Vec<Headline>,
}

/// One number on top.
pub(crate) struct Headline {
    pub(crate) value: String,
    pub(crate) name: &'static str,
    /// What stands under it.
    pub(crate) note: String,
    /// What is usual of it; `None` while too little is known.
    pub(crate) usual: Option<Usual>,
}

/// What is usual of a number.
pub(crate) struct Usual {
    /// `usual 20 to 45`.
    pub(crate) range: String,
    /// `above`, `below`, or nothing when it is as usual.
    pub(crate) outside: Option<&'static str>,
}

impl Usual {
    fn new(usual: situation::Usual, unit: &str) -> Self {
        let outside = match (usual.high, usual.low) {
            (true, _) => Some("above"),
            (false, true) => Some("below"),
            (false, false) => None,
        };
        Self { range: format!("usual {:.0} to {:.0}{unit}", usual.lower, usual.upper), outside }
    }
}

impl Heat {
    pub(super) fn new(now: &Now, own: Option<&str>, situation: &Situation, strip: Strip) -> Self {
        Self {
            strip,
            top: Top::new(now, situation),
            grid: Grid::new(now, own, situation),
            modes: modes(&situation.modes),
            has_links: true,
        }
    }
}

impl Top {
    pub(crate) fn new(now: &Now, situation: &Situation) -> Self {
        let headline = situation.headline.unwrap_or_default();
        let silent = situation.trusts.iter().filter(|trust| trust.freshness() == Freshness::Stale);
        let at = from_wire(situation.at.as_ref()).unwrap_or(now.at);
        let trusts = words::count(headline.trusts_all, "trust", "trusts");
        Self {
            time: now.time_of_day(at),
            live: format!("{} of {trusts} live", headline.trusts_live),
            silent: silent
                .map(|trust| match from_wire(trust.last_reported_at.as_ref()) {
                    Some(at) => format!("{}, {}", trust.name, now.age(at)),
                    None => trust.name.clone(),
                })
                .collect(),
            headlines: headlines(&headline),
        }
    }
}

fn headlines(headline: &situation::Headline) -> Vec<Headline> {
    let placed = match headline.needs_raised_24h {
        0 => "none".to_owned(),
        raised => format!("{} %", headline.needs_placed_24h * 100 / raised),
    };
    let median = match headline.median_minutes_to_agreed {
        Some(minutes) => format!("{minutes} min"),
        None => "none".to_owned(),
    };
    let line = |value: String, name, note, usual: Option<situation::Usual>, unit| Headline {
        value,
        name,
        note,
        usual: usual.map(|usual| Usual::new(usual, unit)),
    };
    vec![
        line(
            headline.needs_open.to_string(),
            "open needs",
            format!("{} being proposed", headline.proposals_held),
            headline.usual_needs_open,
            "",
        ),
        line(
            headline.needs_overdue.to_string(),
            "past needed-by",
            "open, or unmet in 24 h".to_owned(),
            headline.usual_needs_overdue,
            "",
        ),
        line(
            placed,
            "placed, 24 h",
            format!("{} of {} raised", headline.needs_placed_24h, headline.needs_raised_24h),
            headline.usual_placed_percent,
            " %",
        ),
        line(
            median,
            "to agreement, 24 h",
            "half took less".to_owned(),
            headline.usual_minutes_to_agreed,
            " min",
        ),
        line(
            headline.transfers_moving.to_string(),
            "moving now",
            format!("{} overdue", headline.transfers_overdue),
            headline.usual_transfers_moving,
            "",
        ),
    ]
}

/// Collaboratives that are told of one by one, whatever their mode.
const MODES_LISTED: usize = 4;

/// Says in which mode each collaborative is; of many, those that are not routine, and that the others are.
fn modes(all: &[situation::CollaborativeMode]) -> Vec<String> {
    if all.len() <= MODES_LISTED {
        return all.iter().map(mode).collect();
    }
    let (routine, other): (Vec<_>, Vec<_>) = all.iter().partition(|one| one.mode() == Mode::Routine);
    let told = match (routine.len(), other.is_empty()) {
        (0, _) => None,
        (many, true) => Some(format!("All {many} collaboratives: routine")),
        (1, false) => Some("1 other: routine".to_owned()),
        (many, false) => Some(format!("{many} others: routine")),
    };
    other.into_iter().map(mode).chain(told).collect()
}

fn mode(mode: &situation::CollaborativeMode) -> String {
    let text = match mode.mode() {
        Mode::Incident => "incident",
        Mode::Routine => "routine",
        Mode::Unspecified => "not said",
    };
    format!("{}: {text}", mode.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_collaboratives_those_that_are_not_routine_are_named() {
        let one = |name: &str, mode: Mode| situation::CollaborativeMode {
            name: name.to_owned(),
            mode: mode.into(),
            ..situation::CollaborativeMode::default()
        };
        let mut all: Vec<_> = ["A", "B", "C", "D"].map(|name| one(name, Mode::Routine)).to_vec();
        assert_eq!(modes(&all).len(), 4);
        all.push(one("E", Mode::Routine));
        assert_eq!(modes(&all), ["All 5 collaboratives: routine"]);
        all[1] = one("B", Mode::Incident);
        assert_eq!(modes(&all), ["B: incident", "4 others: routine"]);
    }

    #[test]
    fn an_empty_day_divides_by_nothing() {
        let lines = headlines(&situation::Headline::default());
        assert_eq!(lines[2].value, "none");
        assert_eq!(lines[3].value, "none");
        assert!(lines.iter().all(|line| line.usual.is_none()));
    }

    #[test]
    fn a_number_outside_its_usual_range_says_on_which_side() {
        let usual = |high, low| Usual::new(situation::Usual { lower: 19.6, upper: 45.2, high, low }, " %");
        assert_eq!(usual(false, false).range, "usual 20 to 45 %");
        let sides = [usual(true, false).outside, usual(false, true).outside, usual(false, false).outside];
        assert_eq!(sides, [Some("above"), Some("below"), None]);
    }
}
