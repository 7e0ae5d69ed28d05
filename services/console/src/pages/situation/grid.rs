//! Spare minus needed as a table: trusts by resources, turned where there are more resources than a screen is wide.

use std::collections::BTreeMap;

use fallow_api::v1::{Freshness, Resource, ResourceKind, Situation, situation};

use crate::words;
use crate::words::resource;
use crate::words::time::{Now, from_wire};

/// With more resources than this they become the rows: a region has few trusts and many resources.
const COLUMNS_MAX: usize = 9;
/// With more trusts than this they stay the rows: long names do not go above narrow columns.
const TRUSTS_MAX: usize = 12;

/// The table.
pub(crate) struct Grid {
    /// What the first column names.
    pub(crate) corner: &'static str,
    pub(crate) columns: Vec<Heading>,
    pub(crate) rows: Vec<Row>,
    /// The region's net under each column; empty where each row ends with it.
    pub(crate) totals: Vec<Option<String>>,
    /// Whether resources are the rows.
    pub(crate) is_turned: bool,
    /// Whether there are so many trusts that everything must be smaller.
    pub(crate) is_many: bool,
}

/// A trust or a resource, as a heading.
#[derive(Debug, Clone)]
pub(crate) struct Heading {
    pub(crate) name: String,
    /// `OPEL 3, declared today 13:10`.
    pub(crate) note: Option<String>,
    pub(crate) is_own: bool,
}

/// One row.
pub(crate) struct Row {
    pub(crate) head: Heading,
    pub(crate) cells: Vec<Option<Cell>>,
    /// The region's net, where resources are the rows.
    pub(crate) total: Option<String>,
}

/// One trust and one resource.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    /// `+6`.
    pub(crate) net: String,
    pub(crate) pressure: i32,
    pub(crate) is_stale: bool,
    pub(crate) is_ageing: bool,
    /// What a screen reader says after the number.
    pub(crate) spoken: String,
    /// The account behind the number: `trust=ZA4&resource=BED/CC_ADULT/2`.
    pub(crate) query: String,
}

/// The order of resources: by kind, code and level.
type Key = (i32, String, i32);

fn key_of(cell: &situation::Cell) -> Key {
    cell.resource.as_ref().map_or((0, String::new(), 0), |one| (one.kind, one.code.clone(), one.level))
}

impl Grid {
    /// Makes the table; `own` is the viewer's trust.
    pub(crate) fn new(now: &Now, own: Option<&str>, situation: &Situation) -> Self {
        let resources: BTreeMap<Key, Resource> = situation
            .cells
            .iter()
            .map(|cell| (key_of(cell), cell.resource.clone().unwrap_or_default()))
            .collect();
        let cells: BTreeMap<(&str, Key), &situation::Cell> =
            situation.cells.iter().map(|cell| ((cell.trust.as_str(), key_of(cell)), cell)).collect();
        let cell = |trust: &situation::TrustSituation, key: &Key| {
            let found = cells.get(&(trust.trust.as_str(), key.clone()))?;
            Some(Cell::new(found, &trust.name, now))
        };
        let trust = |trust: &situation::TrustSituation| Heading {
            name: short(&trust.name).to_owned(),
            note: opel(trust, now),
            is_own: own == Some(trust.trust.as_str()),
        };
        let what = |one: &Resource| Heading { name: resource::short(one), note: None, is_own: false };
        let total = |(key, one): (&Key, &Resource)| {
            let nets = situation.cells.iter().filter(|cell| key_of(cell) == *key).map(|cell| cell.net);
            Some(amount(one.kind(), nets.sum()))
        };
        let is_turned = resources.len() > COLUMNS_MAX && situation.trusts.len() <= TRUSTS_MAX;
        if is_turned {
            let row = |(key, one): (&Key, &Resource)| Row {
                head: what(one),
                cells: situation.trusts.iter().map(|trust| cell(trust, key)).collect(),
                total: total((key, one)),
            };
            Self {
                corner: "Resource",
                columns: situation.trusts.iter().map(trust).collect(),
                rows: resources.iter().map(row).collect(),
                totals: Vec::new(),
                is_turned,
                is_many: false,
            }
        } else {
            let row = |one: &situation::TrustSituation| Row {
                head: trust(one),
                cells: resources.keys().map(|key| cell(one, key)).collect(),
                total: None,
            };
            Self {
                corner: "Trust",
                columns: resources.values().map(what).collect(),
                rows: situation.trusts.iter().map(row).collect(),
                totals: resources.iter().map(total).collect(),
                is_turned,
                is_many: situation.trusts.len() > TRUSTS_MAX,
            }
        }
    }

    /// Says whether nobody has offered or needed anything yet.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() || self.columns.is_empty()
    }
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
        let age = match from_wire(cell.oldest_reported_at.as_ref()) {
            Some(at) => format!(", updated {} ago", now.age(at)),
            None => String::new(),
        };
        let word = if is_stale { ", stale" } else { "" };
        let pressure = cell.pressure.clamp(1, 4);
        let key = cell.resource.as_ref().map(resource::key).unwrap_or_default();
        Self {
            net: amount(kind, cell.net),
            pressure,
            is_stale,
            is_ageing,
            spoken: format!(
                "{trust}, {what}: {}, pressure {pressure} of 4{age}{word}",
                spare(kind, cell.net)
            ),
            query: format!("trust={}&resource={key}", cell.trust),
        }
    }
}

/// Returns the name of a trust without what almost every trust is called, which no heading has room for.
pub(crate) fn short(name: &str) -> &str {
    [" NHS Foundation Trust", " NHS Trust"].iter().find_map(|end| name.strip_suffix(end)).unwrap_or(name)
}

/// Returns what is to spare or short, in words: `short by 6 slots`.
pub(crate) fn spare(kind: ResourceKind, net: i64) -> String {
    let (one, many) = resource::units(kind);
    match net {
        0 => "just enough".to_owned(),
        net if net > 0 => format!("{} to spare", words::count(net, one, many)),
        net => format!("short by {}", words::count(-net, one, many)),
    }
}

/// Writes a net amount as wide as a cell: `+6`, and theatre minutes in hours, `+26 h`.
pub(crate) fn amount(kind: ResourceKind, net: i64) -> String {
    match kind {
        ResourceKind::Theatre if net.abs() >= 60 => format!("{} h", words::signed(net / 60)),
        ResourceKind::Theatre if net != 0 => format!("{} min", words::signed(net)),
        ResourceKind::Theatre
        | ResourceKind::Unspecified
        | ResourceKind::Bed
        | ResourceKind::Diagnostic
        | ResourceKind::Staff
        | ResourceKind::Equipment
        | ResourceKind::VirtualWard => words::signed(net),
    }
}

/// Returns the OPEL that a trust declared, and when.
pub(crate) fn opel(trust: &situation::TrustSituation, now: &Now) -> Option<String> {
    (trust.opel > 0).then(|| match from_wire(trust.opel_declared_at.as_ref()) {
        Some(at) => format!("OPEL {}, declared {}", trust.opel, now.clock(at)),
        None => format!("OPEL {}", trust.opel),
    })
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

    fn region() -> Situation {
        Situation {
            trusts: vec![trust("ZA1", "Aldermoor"), trust("ZA4", "Dunmere")],
            cells: vec![
                cell("ZA1", "DIAGNOSTIC/CT", -2, 3, Freshness::Fresh),
                cell("ZA4", "DIAGNOSTIC/CT", -6, 4, Freshness::Stale),
                cell("ZA4", "BED/CC_ADULT/2", 1, 2, Freshness::Fresh),
            ],
            ..Situation::default()
        }
    }

    #[test]
    fn every_trust_has_every_column_and_the_region_is_their_sum() {
        let grid = Grid::new(&now(), Some("ZA4"), &region());
        let names: Vec<_> = grid.columns.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["Level 2", "CT"]);
        assert_eq!(grid.totals, [Some("+1".to_owned()), Some("\u{2212}8".to_owned())]);
        assert!(grid.rows[0].cells[0].is_none() && !grid.rows[0].head.is_own && grid.rows[1].head.is_own);
        let ct = grid.rows[1].cells[1].as_ref().unwrap();
        assert!(ct.is_stale);
        assert_eq!(ct.spoken, "Dunmere, CT: short by 6 slots, pressure 4 of 4, updated 52 min ago, stale");
        assert_eq!(ct.query, "trust=ZA4&resource=DIAGNOSTIC/CT");
    }

    #[test]
    fn many_resources_become_the_rows_and_each_ends_with_the_region() {
        let mut situation = region();
        for code in ["MRI", "COLONOSCOPY", "GASTROSCOPY", "CYSTOSCOPY", "DEXA_SCAN", "URODYNAMICS"] {
            situation.cells.push(cell("ZA1", &format!("DIAGNOSTIC/{code}"), 1, 1, Freshness::Fresh));
        }
        situation.cells.push(cell("ZA1", "THEATRE/MAIN", 1_575, 1, Freshness::Fresh));
        assert!(!Grid::new(&now(), None, &situation).is_turned, "nine still fit");
        situation.cells.push(cell("ZA1", "STAFF/ODP", 2, 1, Freshness::Fresh));
        let grid = Grid::new(&now(), Some("ZA4"), &situation);
        assert!(grid.is_turned && grid.totals.is_empty() && grid.columns[1].is_own);
        assert_eq!((grid.rows.len(), grid.rows[0].head.name.as_str()), (10, "Level 2"));
        let ct = grid.rows.iter().find(|row| row.head.name == "CT").unwrap();
        assert_eq!(ct.total.as_deref(), Some("\u{2212}8"));
        let theatre = grid.rows.iter().find(|row| row.head.name == "Main theatre").unwrap();
        assert_eq!(theatre.total.as_deref(), Some("+26 h"));
        situation.trusts = (0..12).map(|n| trust(&format!("ZB{n}"), "Dunmere")).collect();
        assert!(Grid::new(&now(), None, &situation).is_turned, "twelve still fit");
        assert!(!Grid::new(&now(), None, &situation).is_many);
        situation.trusts.push(trust("ZA1", "Aldermoor"));
        let grid = Grid::new(&now(), None, &situation);
        assert!(!grid.is_turned && grid.is_many);
    }

    #[test]
    fn a_heading_names_a_trust_without_its_legal_form_and_a_cell_says_it_whole() {
        let mut situation = region();
        situation.trusts[1].name = "Dunmere NHS Foundation Trust".to_owned();
        let grid = Grid::new(&now(), None, &situation);
        assert_eq!(grid.rows[1].head.name, "Dunmere");
        let ct = grid.rows[1].cells[1].as_ref().unwrap();
        assert!(ct.spoken.starts_with("Dunmere NHS Foundation Trust, CT: "), "{}", ct.spoken);
        assert_eq!(
            [short("Dunmere NHS Trust"), short("NHS Trust"), short("Dunmere")],
            ["Dunmere", "NHS Trust", "Dunmere"]
        );
    }

    #[test]
    fn theatre_time_is_short_enough_for_a_cell() {
        assert_eq!(amount(ResourceKind::Theatre, 4_820), "+80 h");
        assert_eq!(amount(ResourceKind::Theatre, -45), "\u{2212}45 min");
        assert_eq!(amount(ResourceKind::Theatre, 0), "0");
        assert_eq!(amount(ResourceKind::Bed, -120), "\u{2212}120");
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
