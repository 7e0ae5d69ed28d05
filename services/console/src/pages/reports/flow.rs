//! Who gave to whom of one kind, as ribbons from the supporting trusts on the left to the home trusts on the right. The table
//! of the report has the same numbers, all of them; a drawing shows at one look who carries whom.

use std::collections::BTreeMap;

use fallow_api::v1::GetReportResponse;

use super::map::Map;
use crate::app::encoded;
use crate::directory::Directory;

/// Pairs that are drawn at most, the largest; more would be a felt.
const DRAWN_MAX: usize = 20;
/// Colours of ribbons; a trust's own are of one.
const COLOURS: usize = 4;

/// Size of the drawing in its own units.
const WIDTH: f64 = 1000.0;
/// What both columns of names take.
const NAMES: f64 = 330.0;
/// Width of a trust's bar.
const BAR: f64 = 14.0;
/// What all units together take of the height.
const UNITS: f64 = 320.0;
/// The least that a name needs of the height.
const LINE: f64 = 26.0;
/// What is free between two trusts.
const GAP: f64 = 6.0;

/// Units that one trust gave to another.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    /// ODS code of the supporting trust.
    pub(super) from: String,
    /// ODS code of the home trust.
    pub(super) to: String,
    pub(super) units: f64,
}

/// The drawings of one kind.
pub(super) struct Flow {
    /// Name, address and whether it is drawn, of each kind of which anything was given.
    pub(super) kinds: Vec<(String, String, bool)>,
    /// The kind that is drawn, such as `beds`.
    pub(super) kind: String,
    pub(super) ribbons: Ribbons,
    /// The same by place; `None` where it is not known where the trusts are.
    pub(super) map: Option<Map>,
    /// How many pairs are left out.
    pub(super) left_out: usize,
}

/// The ribbons.
pub(super) struct Ribbons {
    pub(super) height: String,
    pub(super) bars: Vec<Bar>,
    pub(super) ribbons: Vec<Ribbon>,
}

/// A trust.
pub(super) struct Bar {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) height: String,
    /// Where its name stands.
    pub(super) name_x: String,
    pub(super) name_y: String,
    pub(super) is_left: bool,
    /// `Aldermoor University Hospitals, 15`.
    pub(super) name: String,
}

/// What one trust gave another.
pub(super) struct Ribbon {
    pub(super) path: String,
    /// Which of the colours.
    pub(super) colour: usize,
    /// `Aldermoor to Dunmere, beds: 5`.
    pub(super) title: String,
}

impl Flow {
    /// Draws a report of giving and taking: the kind that is asked for, or the first of which anything was given; `None`
    /// where nothing was.
    pub(super) fn of(
        report: &GetReportResponse,
        asked: &str,
        address: &str,
        directory: &Directory,
    ) -> Option<Self> {
        let all = pairs(report);
        let kind = all.iter().find(|(kind, _)| kind == asked).or(all.first())?.0.clone();
        let kinds = all
            .iter()
            .map(|(one, _)| (one.clone(), format!("{address}&draw={}#drawn", encoded(one)), *one == kind))
            .collect();
        let mut drawn = all.into_iter().find(|(one, _)| *one == kind)?.1;
        drawn.sort_by(|a, b| {
            b.units.total_cmp(&a.units).then_with(|| (&a.from, &a.to).cmp(&(&b.from, &b.to)))
        });
        let left_out = drawn.len().saturating_sub(DRAWN_MAX);
        drawn.truncate(DRAWN_MAX);
        Some(Self {
            ribbons: Ribbons::new(&drawn, &kind, directory),
            map: Map::new(&drawn, &kind, directory),
            kinds,
            kind,
            left_out,
        })
    }
}

/// Reads who gave what to whom, by kind in the order of the report, kinds and pairs of which nothing was given left out.
fn pairs(report: &GetReportResponse) -> Vec<(String, Vec<Pair>)> {
    // A row's numbers stand under the columns after that of its name.
    let targets: Vec<(usize, &str)> = report
        .columns
        .iter()
        .skip(1)
        .enumerate()
        .filter_map(|(index, column)| Some((index, column.strip_prefix("to ")?)))
        .collect();
    let mut all: Vec<(String, Vec<Pair>)> = Vec::new();
    for row in &report.rows {
        let Some((from, kind)) = row.name.split_once(", ") else { continue };
        let given = targets.iter().filter_map(|(index, to)| {
            let units = row.values.get(*index).copied().filter(|units| *units > 0.0)?;
            Some(Pair { from: from.to_owned(), to: (*to).to_owned(), units })
        });
        let given: Vec<Pair> = given.collect();
        match all.iter_mut().find(|(known, _)| known == kind) {
            Some((_, pairs)) => pairs.extend(given),
            None => all.push((kind.to_owned(), given)),
        }
    }
    all.retain(|(_, pairs)| !pairs.is_empty());
    all
}

/// One side: where each trust's bar begins, and how high it is.
type Side<'p> = BTreeMap<&'p str, (f64, f64)>;

/// Stacks the trusts of one side, each as high as what it gave or took, and returns how high the stack is.
fn stack<'p>(sums: &BTreeMap<&'p str, f64>, scale: f64) -> (Side<'p>, f64) {
    let (mut side, mut y) = (Side::new(), 0.0);
    for (trust, units) in sums {
        let height = (units * scale).max(2.0);
        // A bar that is lower than its name stands in the middle of the line.
        let room = height.max(LINE);
        side.insert(*trust, (y + (room - height) / 2.0, height));
        y += room + GAP;
    }
    (side, (y - GAP).max(0.0))
}

impl Ribbons {
    fn new(pairs: &[Pair], kind: &str, directory: &Directory) -> Self {
        let mut sums: [BTreeMap<&str, f64>; 2] = [BTreeMap::new(), BTreeMap::new()];
        for pair in pairs {
            *sums[0].entry(&pair.from).or_default() += pair.units;
            *sums[1].entry(&pair.to).or_default() += pair.units;
        }
        let scale = UNITS / pairs.iter().map(|pair| pair.units).sum::<f64>().max(1.0);
        let [(left, left_height), (right, right_height)] = [stack(&sums[0], scale), stack(&sums[1], scale)];
        let height = left_height.max(right_height);
        // The lower stack stands in the middle.
        let (left_top, right_top) = ((height - left_height) / 2.0, (height - right_height) / 2.0);
        let bar = |trust: &str, (y, high): (f64, f64), top: f64, units: f64, is_left: bool| Bar {
            x: tenth(if is_left { NAMES } else { WIDTH - NAMES - BAR }),
            y: tenth(top + y),
            height: tenth(high),
            name_x: tenth(if is_left { NAMES - 8.0 } else { WIDTH - NAMES + 8.0 }),
            name_y: tenth(top + y + high / 2.0 + 6.0),
            is_left,
            name: format!("{}, {units:.0}", cut(directory.trust(trust))),
        };
        let mut bars = Vec::new();
        for (side, sums, top, is_left) in
            [(&left, &sums[0], left_top, true), (&right, &sums[1], right_top, false)]
        {
            bars.extend(side.iter().map(|(trust, at)| bar(trust, *at, top, sums[trust], is_left)));
        }
        let mut used: [BTreeMap<&str, f64>; 2] = [BTreeMap::new(), BTreeMap::new()];
        let mut in_order: Vec<&Pair> = pairs.iter().collect();
        // Ribbons leave and arrive in the order of the bars, so that none crosses another of its own trust.
        in_order.sort_by(|a, b| (&a.from, &a.to).cmp(&(&b.from, &b.to)));
        let colours: BTreeMap<&str, usize> =
            left.keys().enumerate().map(|(index, trust)| (*trust, index % COLOURS)).collect();
        let ribbons = in_order.into_iter().map(|pair| {
            let wide = (pair.units * scale).max(1.0);
            let begins = |used: &BTreeMap<&str, f64>, trust: &str, side: &Side<'_>, top: f64| {
                let taken = used.get(trust).copied().unwrap_or_default();
                top + side.get(trust).map_or(0.0, |(y, _)| *y) + taken
            };
            let from = begins(&used[0], &pair.from, &left, left_top);
            let to = begins(&used[1], &pair.to, &right, right_top);
            *used[0].entry(pair.from.as_str()).or_default() += wide;
            *used[1].entry(pair.to.as_str()).or_default() += wide;
            Ribbon {
                path: ribbon((NAMES + BAR, from), (WIDTH - NAMES - BAR, to), wide),
                colour: colours.get(pair.from.as_str()).copied().unwrap_or_default(),
                title: title(pair, kind, directory),
            }
        });
        let ribbons = ribbons.collect();
        Self { height: tenth(height), bars, ribbons }
    }
}

/// Writes the outline of a ribbon: along its upper edge, and back along the lower one.
fn ribbon((x, from): (f64, f64), (end, to): (f64, f64), wide: f64) -> String {
    let (x, end, middle) = (tenth(x), tenth(end), tenth(f64::midpoint(x, end)));
    let [top, bottom, far_top, far_bottom] = [from, from + wide, to, to + wide].map(tenth);
    format!(
        "M{x} {top}C{middle} {top} {middle} {far_top} {end} {far_top}V{far_bottom}C{middle} {far_bottom} {middle} {bottom} {x} {bottom}Z"
    )
}

/// Says what one trust gave another.
pub(super) fn title(pair: &Pair, kind: &str, directory: &Directory) -> String {
    let (from, to) = (directory.trust(&pair.from), directory.trust(&pair.to));
    format!("{from} to {to}, {kind}: {:.0}", pair.units)
}

/// Characters of a name that a drawing has room for.
const NAME_MAX: usize = 30;

/// Cuts a name that is longer than its column.
pub(super) fn cut(name: &str) -> String {
    if name.chars().count() <= NAME_MAX {
        return name.to_owned();
    }
    let begun: String = name.chars().take(NAME_MAX - 1).collect();
    format!("{}\u{2026}", begun.trim_end())
}

/// Writes a coordinate: a tenth of a unit is finer than any screen.
pub(super) fn tenth(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_api::v1::get_report_response::Row;

    fn report(rows: &[(&str, [f64; 4])]) -> GetReportResponse {
        let row = |(name, values): &(&str, [f64; 4])| Row {
            name: (*name).to_owned(),
            values: values.to_vec(),
            ..Row::default()
        };
        GetReportResponse {
            columns: ["supporting trust", "lent", "to ZA1", "to ZA2", "to ZA3"].map(str::to_owned).to_vec(),
            rows: rows.iter().map(row).collect(),
            ..GetReportResponse::default()
        }
    }

    #[test]
    fn pairs_are_read_by_kind_and_nothing_is_left_out_but_nothing() {
        let found = pairs(&report(&[
            ("ZA1, beds", [5.0, 0.0, 2.0, 3.0]),
            ("ZA2, beds", [0.0, 0.0, 0.0, 0.0]),
            ("ZA1, tests", [0.0, 0.0, 0.0, 0.0]),
            ("ZA3, beds", [1.0, 1.0, 0.0, 0.0]),
            ("ZA2, theatre cases", [4.0, 4.0, 0.0, 0.0]),
        ]));
        let pair = |from: &str, to: &str, units| Pair { from: from.into(), to: to.into(), units };
        let beds = vec![pair("ZA1", "ZA2", 2.0), pair("ZA1", "ZA3", 3.0), pair("ZA3", "ZA1", 1.0)];
        let cases = vec![pair("ZA2", "ZA1", 4.0)];
        assert_eq!(found, [("beds".to_owned(), beds), ("theatre cases".to_owned(), cases)]);
    }

    #[test]
    fn bars_and_ribbons_are_as_high_as_what_was_given() {
        let said = report(&[("ZA1, beds", [4.0, 0.0, 1.0, 3.0]), ("ZA2, beds", [4.0, 4.0, 0.0, 0.0])]);
        let flow = Flow::of(&said, "", "/reports?kind=flow", &Directory::default()).unwrap();
        let height = |name: &str, is_left: bool| {
            let bar = flow.ribbons.bars.iter().find(|bar| bar.name == name && bar.is_left == is_left);
            bar.unwrap().height.parse::<f64>().unwrap()
        };
        assert_eq!(flow.kind, "beds");
        assert!((height("ZA1, 4", true) - UNITS / 2.0).abs() < 0.1);
        assert!((height("ZA2, 1", false) - UNITS / 8.0).abs() < 0.1);
        let left: f64 = flow
            .ribbons
            .bars
            .iter()
            .filter(|bar| bar.is_left)
            .map(|bar| bar.height.parse::<f64>().unwrap())
            .sum();
        assert!((left - UNITS).abs() < 0.2, "{left}");
        let titles: Vec<&str> = flow.ribbons.ribbons.iter().map(|one| one.title.as_str()).collect();
        assert_eq!(titles, ["ZA1 to ZA2, beds: 1", "ZA1 to ZA3, beds: 3", "ZA2 to ZA1, beds: 4"]);
        assert!(flow.map.is_none(), "nobody knows where they are");
    }

    #[test]
    fn the_largest_are_drawn_and_the_rest_is_counted() {
        let columns = std::iter::once("supporting trust".to_owned());
        let columns = columns.chain((0..60).map(|number| format!("to Z{number}"))).collect();
        let values = (0..60).map(f64::from).collect();
        let rows = vec![Row { name: "ZA1, beds".to_owned(), values, ..Row::default() }];
        let said = GetReportResponse { columns, rows, ..GetReportResponse::default() };
        let flow = Flow::of(&said, "", "/", &Directory::default()).unwrap();
        assert_eq!((flow.ribbons.ribbons.len(), flow.left_out), (DRAWN_MAX, 59 - DRAWN_MAX));
        assert!(
            flow.ribbons.ribbons.iter().any(|one| one.title == "ZA1 to Z59, beds: 59"),
            "the largest is there"
        );
    }

    /// What goal C1 leaves beside the table of a region of seventeen trusts.
    const DRAWN_BYTES_MAX: usize = 22 * 1024;

    #[derive(askama::Template)]
    #[template(path = "reports/drawn.html")]
    struct Drawn {
        flow: Flow,
    }

    #[test]
    fn a_large_region_is_drawn_within_what_a_page_has_room_for() {
        use fallow_api::v1::{Region, Site, Trust};
        let code = |number: i32| format!("Z{number:02}");
        let named = |number: i32| format!("The {} and District University Hospitals", code(number));
        let trusts = (0..17).map(|one| Trust { ods: code(one), name: named(one), ..Trust::default() });
        let sites = (0..30).map(|one| Site {
            code: format!("{}{one:02}", code(one % 17)),
            trust: code(one % 17),
            name: format!("{} {one}", named(one % 17)),
            lat: 53.0 + f64::from(one * 7 % 30) / 40.0,
            lon: -3.0 + f64::from(one * 11 % 30) / 40.0,
            ..Site::default()
        });
        let region = Region { trusts: trusts.collect(), sites: sites.collect(), ..Region::default() };
        let columns = std::iter::once("supporting trust".to_owned());
        let columns = columns.chain((0..17).map(|one| format!("to {}", code(one)))).collect();
        let units = |from: i32, to: i32| if from == to { 0.0 } else { f64::from(1 + from * to % 23) };
        let rows = (0..17).map(|from| Row {
            name: format!("{}, beds", code(from)),
            values: (0..17).map(|to| units(from, to)).collect(),
            ..Row::default()
        });
        let said = GetReportResponse { columns, rows: rows.collect(), ..GetReportResponse::default() };
        let flow = Flow::of(&said, "", "/reports?kind=flow", &Directory::new(region)).unwrap();
        assert!(flow.map.is_some() && flow.left_out > 200);
        let bytes = askama::Template::render(&Drawn { flow }).unwrap().len();
        assert!(bytes <= DRAWN_BYTES_MAX, "{bytes} bytes");
    }

    #[test]
    fn another_kind_is_drawn_when_it_is_asked_for_and_nothing_is_drawn_of_nothing() {
        let said = report(&[("ZA1, beds", [1.0, 0.0, 1.0, 0.0]), ("ZA2, tests", [2.0, 2.0, 0.0, 0.0])]);
        let drawn =
            |asked: &str| Flow::of(&said, asked, "/reports?kind=flow", &Directory::default()).unwrap();
        assert_eq!(drawn("tests").kind, "tests");
        assert_eq!(drawn("ships").kind, "beds");
        assert_eq!(drawn("").kinds[1].1, "/reports?kind=flow&draw=tests#drawn");
        assert!(Flow::of(&report(&[]), "", "/", &Directory::default()).is_none());
    }

    #[test]
    fn names_fit_their_column() {
        assert_eq!(cut("Aldermoor"), "Aldermoor");
        let long = cut("The Aldermoor and District Royal University Hospitals");
        assert!(long.chars().count() <= NAME_MAX && long.ends_with('\u{2026}'), "{long}");
        // A letter of the drawing's size takes 9 on average, and a number of units stands behind the name.
        assert!((NAME_MAX + ", 999".len()) * 9 <= 316, "the column without its bar");
        assert_eq!((tenth(3.0), tenth(2.44)), ("3".to_owned(), "2.4".to_owned()));
    }
}
