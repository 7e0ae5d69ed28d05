//! What the situation shows, worked out from the monitor's answer.

use std::collections::BTreeMap;

use askama::Template;
use fallow_api::v1::{Freshness, Mode, Resource, ResourceKind, Situation, situation};

use crate::words;
use crate::words::resource;
use crate::words::time::{Now, from_wire};

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "situation/heat.html")]
pub(super) struct Heat {
    /// `14:32`.
    time: String,
    /// `5 of 6 trusts live`.
    live: String,
    /// Trusts that have not reported for longer than they promised: `Brackwater, 14 min`.
    silent: Vec<String>,
    headlines: Vec<Headline>,
    modes: Vec<String>,
    columns: Vec<String>,
    rows: Vec<Row>,
    /// The sum of each column.
    region: Vec<Option<String>>,
}

/// One number on top.
struct Headline {
    value: String,
    name: &'static str,
    /// What stands under it.
    note: String,
}

/// One trust.
struct Row {
    name: String,
    is_own: bool,
    /// `OPEL 3, declared today 13:10`.
    opel: Option<String>,
    cells: Vec<Option<Cell>>,
}

/// One trust and one resource.
struct Cell {
    /// `+6`.
    net: String,
    pressure: i32,
    is_stale: bool,
    is_ageing: bool,
    /// What a screen reader says after the number.
    spoken: String,
}

impl Heat {
    pub(super) fn new(now: &Now, own: Option<&str>, situation: &Situation) -> Self {
        let keys = columns(situation);
        let cells: BTreeMap<(&str, ColumnKey), &situation::Cell> =
            situation.cells.iter().map(|cell| ((cell.trust.as_str(), column_key(cell)), cell)).collect();
        let row = |trust: &situation::TrustSituation| Row {
            name: trust.name.clone(),
            is_own: own == Some(trust.trust.as_str()),
            opel: opel(trust, now),
            cells: keys
                .keys()
                .map(|key| {
                    cells
                        .get(&(trust.trust.as_str(), key.clone()))
                        .map(|cell| Cell::new(cell, &trust.name, now))
                })
                .collect(),
        };
        let net = |key: &ColumnKey| {
            let column = situation.cells.iter().filter(|cell| column_key(cell) == *key);
            let fresh: Vec<i64> = column.map(|cell| cell.net).collect();
            (!fresh.is_empty()).then(|| words::signed(fresh.iter().sum()))
        };
        let headline = situation.headline.unwrap_or_default();
        let silent = situation.trusts.iter().filter(|trust| trust.freshness() == Freshness::Stale);
        let at = from_wire(situation.at.as_ref()).unwrap_or(now.at);
        Self {
            time: now.time_of_day(at),
            live: format!(
                "{} of {} live",
                headline.trusts_live,
                words::count(headline.trusts_all, "trust", "trusts")
            ),
            silent: silent
                .map(|trust| match from_wire(trust.last_reported_at.as_ref()) {
                    Some(at) => format!("{}, {}", trust.name, now.age(at)),
                    None => trust.name.clone(),
                })
                .collect(),
            headlines: headlines(&headline),
            modes: situation.modes.iter().map(mode).collect(),
            columns: keys.values().map(resource::short).collect(),
            rows: situation.trusts.iter().map(row).collect(),
            region: keys.keys().map(net).collect(),
        }
    }
}

/// The order of the columns: by kind, code and level.
type ColumnKey = (i32, String, i32);

fn column_key(cell: &situation::Cell) -> ColumnKey {
    cell.resource.as_ref().map_or((0, String::new(), 0), |one| (one.kind, one.code.clone(), one.level))
}

/// Returns every resource that anybody offers or needs, in order.
fn columns(situation: &Situation) -> BTreeMap<ColumnKey, Resource> {
    situation.cells.iter().map(|cell| (column_key(cell), cell.resource.clone().unwrap_or_default())).collect()
}

impl Cell {
    fn new(cell: &situation::Cell, trust: &str, now: &Now) -> Self {
        let (is_stale, is_ageing) = match cell.freshness() {
            Freshness::Stale => (true, false),
            Freshness::Ageing => (false, true),
            Freshness::Fresh | Freshness::Unspecified => (false, false),
        };
        let what = cell.resource.as_ref().map(resource::short).unwrap_or_default();
        let kind = cell.resource.as_ref().map_or(ResourceKind::Unspecified, Resource::kind);
        let (one, many) = resource::units(kind);
        let amount = match cell.net {
            0 => "just enough".to_owned(),
            net if net > 0 => format!("{} to spare", words::count(net, one, many)),
            net => format!("short by {}", words::count(-net, one, many)),
        };
        let age = match from_wire(cell.oldest_reported_at.as_ref()) {
            Some(at) => format!(", updated {} ago", now.age(at)),
            None => String::new(),
        };
        let word = if is_stale { ", stale" } else { "" };
        Self {
            net: words::signed(cell.net),
            pressure: cell.pressure.clamp(1, 4),
            is_stale,
            is_ageing,
            spoken: format!(
                "{trust}, {what}: {amount}, pressure {} of 4{age}{word}",
                cell.pressure.clamp(1, 4)
            ),
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
    let line = |value: String, name, note| Headline { value, name, note };
    vec![
        line(
            headline.needs_open.to_string(),
            "open needs",
            format!("{} being proposed", headline.proposals_held),
        ),
        line(headline.needs_overdue.to_string(), "past needed-by", String::new()),
        line(
            placed,
            "placed, 24 h",
            format!("{} of {} raised", headline.needs_placed_24h, headline.needs_raised_24h),
        ),
        line(median, "to agreement, 24 h", "middle of all".to_owned()),
        line(
            headline.transfers_moving.to_string(),
            "moving now",
            format!("{} overdue", headline.transfers_overdue),
        ),
    ]
}

fn opel(trust: &situation::TrustSituation, now: &Now) -> Option<String> {
    (trust.opel > 0).then(|| match from_wire(trust.opel_declared_at.as_ref()) {
        Some(at) => format!("OPEL {}, declared {}", trust.opel, now.clock(at)),
        None => format!("OPEL {}", trust.opel),
    })
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
    use crate::words::resource::from_key;
    use jiff::tz::TimeZone;

    fn now() -> Now {
        Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: TimeZone::get("Europe/London").unwrap() }
    }

    fn cell(trust: &str, key: &str, net: i64, pressure: i32, freshness: Freshness) -> situation::Cell {
        situation::Cell {
            trust: trust.to_owned(),
            resource: from_key(key),
            net,
            pressure,
            freshness: freshness.into(),
            oldest_reported_at: Some(words::time::to_wire("2026-11-24T13:40:00Z".parse().unwrap())),
            ..situation::Cell::default()
        }
    }

    fn trust(ods: &str, name: &str) -> situation::TrustSituation {
        situation::TrustSituation {
            trust: ods.to_owned(),
            name: name.to_owned(),
            ..situation::TrustSituation::default()
        }
    }

    #[test]
    fn every_trust_has_every_column_and_the_region_is_their_sum() {
        let situation = Situation {
            trusts: vec![trust("ZA1", "Aldermoor"), trust("ZA4", "Dunmere")],
            cells: vec![
                cell("ZA1", "DIAGNOSTIC/CT", -2, 3, Freshness::Fresh),
                cell("ZA4", "DIAGNOSTIC/CT", -6, 4, Freshness::Stale),
                cell("ZA4", "BED/CC_ADULT/2", 1, 2, Freshness::Fresh),
            ],
            ..Situation::default()
        };
        let heat = Heat::new(&now(), Some("ZA4"), &situation);
        assert_eq!(heat.columns, ["Level 2", "CT"]);
        assert_eq!(heat.region, [Some("+1".to_owned()), Some("\u{2212}8".to_owned())]);
        assert!(heat.rows[0].cells[0].is_none() && !heat.rows[0].is_own && heat.rows[1].is_own);
        let ct = heat.rows[1].cells[1].as_ref().unwrap();
        assert!(ct.is_stale);
        assert_eq!(ct.spoken, "Dunmere, CT: short by 6 slots, pressure 4 of 4, updated 52 min ago, stale");
    }

    #[test]
    fn an_empty_day_divides_by_nothing() {
        let lines = headlines(&situation::Headline::default());
        assert_eq!(lines[2].value, "none");
        assert_eq!(lines[3].value, "none");
    }

    #[test]
    fn opel_is_only_what_was_declared() {
        assert_eq!(opel(&trust("ZA1", "Aldermoor"), &now()), None);
        let mut declared = trust("ZA1", "Aldermoor");
        declared.opel = 3;
        declared.opel_declared_at = Some(words::time::to_wire("2026-11-24T13:10:00Z".parse().unwrap()));
        assert_eq!(opel(&declared, &now()).as_deref(), Some("OPEL 3, declared today 13:10"));
    }
}
