//! A what-if as a table of now, what-if and change, and as lines below it.

use crate::v1::{PlacementChange, PlanSummary, SimulateResponse};

use super::{Names, resource_key};

/// The word that no rendering of a what-if is without, so that a copy of it cannot pass for what is.
pub const SIMULATION: &str = "SIMULATION";

/// One measure as it is and as it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// What is measured.
    pub measure: String,
    /// As it is.
    pub now: String,
    /// As it would be.
    pub what_if: String,
    /// The difference with its sign; empty where there is none, or none that a number says.
    pub change: String,
    /// Whether it is so much the better or the worse; `None` where neither can be said.
    pub is_better: Option<bool>,
}

/// Returns the rows of the table.
#[must_use]
pub fn compared(answer: &SimulateResponse, names: &Names) -> Vec<Compared> {
    let nothing = PlanSummary::default();
    let (now, then) = (answer.before.as_ref().unwrap_or(&nothing), answer.after.as_ref().unwrap_or(&nothing));
    let overdue = |sum: &PlanSummary| sum.overdue.iter().map(|band| band.units).sum::<i64>();
    let mut rows = vec![
        number("Unmet past needed-by", (overdue(now), overdue(then)), Some(false), ""),
        number("Placed", (now.placed, then.placed), Some(true), ""),
        number("Without a place", (now.unserved, then.unserved), Some(false), ""),
        number(
            "Travel, median",
            (now.median_travel_minutes, then.median_travel_minutes),
            Some(false),
            " min",
        ),
    ];
    for (band, after) in now.overdue.iter().zip(&then.overdue) {
        if (band.units, after.units) != (0, 0) {
            let name = band.priority().as_str_name().trim_start_matches("PRIORITY_");
            let row = number(&format!("  of them {name}"), (band.units, after.units), Some(false), "");
            let at = rows.iter().position(|row| row.measure == "Placed").unwrap_or(rows.len());
            rows.insert(at, row);
        }
    }
    let margin = |sum: &PlanSummary| match &sum.worst_reserve {
        None => "-".to_owned(),
        Some(margin) => {
            let what = margin.resource.as_ref().map(resource_key).unwrap_or_default();
            format!("{} ({} {what})", margin.units, names.trust(&margin.trust))
        }
    };
    if now.worst_reserve.is_some() || then.worst_reserve.is_some() {
        let counts = (now.worst_reserve_margin, then.worst_reserve_margin);
        let row = number("Least above a reserve", counts, Some(true), "");
        rows.push(Compared { now: margin(now), what_if: margin(then), ..row });
    }
    let most = |sum: &PlanSummary| match &sum.gives_most {
        None => "-".to_owned(),
        Some(most) => format!("{}% ({})", percent(most.share), names.trust(&most.trust)),
    };
    let share = |sum: &PlanSummary| sum.gives_most.as_ref().map_or(0, |most| percent(most.share));
    let row = number("Most-lending trust's share", (share(now), share(then)), Some(false), "");
    rows.push(Compared { now: most(now), what_if: most(then), ..row });
    let spread = (percent(now.fairness_spread), percent(then.fairness_spread));
    rows.push(number("Fairness spread", spread, Some(false), "%"));
    let fifth = |sum: &PlanSummary| sum.placed_by_decile.iter().take(2).sum::<i64>();
    rows.push(number("Placed, most deprived fifth", (fifth(now), fifth(then)), Some(true), ""));
    rows
}

fn number(measure: &str, (now, then): (i64, i64), more_is_better: Option<bool>, unit: &str) -> Compared {
    let difference = then - now;
    Compared {
        measure: measure.to_owned(),
        now: format!("{now}{unit}"),
        what_if: format!("{then}{unit}"),
        change: if difference == 0 { String::new() } else { format!("{difference:+}") },
        is_better: more_is_better.filter(|_| difference != 0).map(|more| (difference > 0) == more),
    }
}

/// Returns a share as a whole number of percent.
fn percent(share: f64) -> i64 {
    #[expect(clippy::cast_possible_truncation, reason = "shares are 0 to 1")]
    let whole = (share * 100.0).round() as i64;
    whole
}

/// Says a placement that differs: "LC-131: Aldermoor -> Eastholme".
#[must_use]
pub fn placement(one: &PlacementChange, names: &Names) -> String {
    let side = |offer: &str, trust: &str| match (offer, trust) {
        ("", _) => "none".to_owned(),
        (_, "") => "another trust".to_owned(),
        (_, trust) => names.trust(trust).to_owned(),
    };
    let units = if one.units == 1 { String::new() } else { format!(" ({} units)", one.units) };
    let name = if one.name.is_empty() { &one.need } else { &one.name };
    let (from, to) = (side(&one.before, &one.before_trust), side(&one.after, &one.after_trust));
    let within = if from == to { format!(", {} to {}", one.before, one.after) } else { String::new() };
    format!("{name}: {from} -> {to}{within}{units}")
}
