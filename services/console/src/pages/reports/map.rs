//! Who gave to whom by place: sites as circles where they lie, arcs from the supporting to the home trust. There are no
//! boundaries on it: it needs nothing but what the region file says of each site.

use super::flow::{Pair, cut, tenth, title};
use crate::directory::{Directory, Spot};

/// Size of the drawing in its own units; it is as high as the region is beside its width, up to a limit.
const WIDTH: f64 = 1000.0;
const HEIGHT_MAX: f64 = 520.0;
const HEIGHT_MIN: f64 = 160.0;
/// What is free around the outermost sites, for their names.
const MARGIN: f64 = 60.0;
/// Circles of a trust's main site and of its others.
const MAIN: f64 = 8.0;
const OTHER: f64 = 4.0;
/// Widths of arcs of the least and the most units.
const THIN: f64 = 1.5;
const THICK: f64 = 9.0;
/// How far before its circle an arc ends, for the tip of its arrow.
const TIP: f64 = 9.0;
/// How far an arc swings out, as a part of its length; the way back swings to the other side.
const SWING: f64 = 0.16;
/// Height and mean width of a letter.
const LETTER: (f64, f64) = (18.0, 8.6);

/// The drawing.
pub(super) struct Map {
    pub(super) height: String,
    pub(super) sites: Vec<Circle>,
    pub(super) arcs: Vec<Arc>,
    pub(super) names: Vec<Name>,
}

/// A site.
pub(super) struct Circle {
    pub(super) x: String,
    pub(super) y: String,
    pub(super) radius: String,
    pub(super) is_main: bool,
    pub(super) title: String,
}

/// What one trust gave another.
pub(super) struct Arc {
    pub(super) path: String,
    pub(super) width: String,
    pub(super) title: String,
}

/// A trust's name.
pub(super) struct Name {
    pub(super) x: String,
    pub(super) y: String,
    /// `start`, `middle` or `end`.
    pub(super) anchor: &'static str,
    pub(super) text: String,
}

/// A point of the drawing.
type Point = (f64, f64);

/// A rectangle: left, top, right, bottom.
type Frame = (f64, f64, f64, f64);

impl Map {
    /// Draws what was given; `None` where the main sites of fewer than two trusts are known.
    pub(super) fn new(pairs: &[Pair], kind: &str, directory: &Directory) -> Option<Self> {
        let spots = directory.spots();
        let (points, height) = project(spots)?;
        let main = |trust: &str| {
            let own = || spots.iter().zip(&points).filter(move |(spot, _)| spot.trust == trust);
            own().find(|(spot, _)| spot.is_hospital).or_else(|| own().next()).map(|(_, point)| *point)
        };
        let mut trusts: Vec<&str> = Vec::new();
        for spot in spots {
            if !trusts.contains(&spot.trust.as_str()) {
                trusts.push(&spot.trust);
            }
        }
        let places: Vec<(&str, Point)> =
            trusts.iter().filter_map(|trust| Some((*trust, main(trust)?))).collect();
        if places.len() < 2 {
            return None;
        }
        let circle = |(spot, point): (&Spot, &Point)| {
            let is_main = places.iter().any(|(trust, at)| *trust == spot.trust && at == point);
            Circle {
                x: tenth(point.0),
                y: tenth(point.1),
                radius: tenth(if is_main { MAIN } else { OTHER }),
                is_main,
                title: spot.name.clone(),
            }
        };
        let most = pairs.iter().map(|pair| pair.units).fold(1.0, f64::max);
        let arc = |pair: &Pair| {
            let at = |trust: &str| places.iter().find(|(code, _)| *code == trust).map(|(_, point)| *point);
            let path = arc(at(&pair.from)?, at(&pair.to)?)?;
            let width = tenth(THIN + (THICK - THIN) * pair.units / most);
            Some(Arc { path, width, title: title(pair, kind, directory) })
        };
        Some(Self {
            height: tenth(height),
            sites: spots.iter().zip(&points).map(circle).collect(),
            arcs: pairs.iter().filter_map(arc).collect(),
            names: names(&places, height, directory),
        })
    }
}

/// Puts sites where they lie to one another: at this size of a region a degree of longitude is as long everywhere. Returns
/// the height of the drawing, too; `None` where all lie at one place.
fn project(spots: &[Spot]) -> Option<(Vec<Point>, f64)> {
    let bounds = |of: fn(&Spot) -> f64| {
        let all = || spots.iter().map(of);
        (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max))
    };
    let ((west, east), (south, north)) = (bounds(|spot| spot.lon), bounds(|spot| spot.lat));
    let shorter = f64::midpoint(south, north).to_radians().cos();
    let (wide, high) = ((east - west) * shorter, north - south);
    if !(wide.is_finite() && high.is_finite()) || (wide < 1e-6 && high < 1e-6) {
        return None;
    }
    let fits = |room: f64, size: f64| if size < 1e-6 { f64::INFINITY } else { (room - 2.0 * MARGIN) / size };
    let scale = fits(WIDTH, wide).min(fits(HEIGHT_MAX, high));
    let height = (high * scale + 2.0 * MARGIN).max(HEIGHT_MIN);
    let left = (WIDTH - wide * scale) / 2.0;
    let top = (height - high * scale) / 2.0;
    let point = |spot: &Spot| (left + (spot.lon - west) * shorter * scale, top + (north - spot.lat) * scale);
    Some((spots.iter().map(point).collect(), height))
}

/// Writes an arc from one main site to another, up to the edge of its circle; `None` where both are one place.
fn arc(from: Point, to: Point) -> Option<String> {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx.hypot(dy);
    if length < 3.0 * (MAIN + TIP) {
        return None;
    }
    let bend = (f64::midpoint(from.0, to.0) - dy * SWING, f64::midpoint(from.1, to.1) + dx * SWING);
    let short_of = |end: Point| {
        let (back_x, back_y) = (bend.0 - end.0, bend.1 - end.1);
        let part = (MAIN + TIP) / back_x.hypot(back_y);
        (end.0 + back_x * part, end.1 + back_y * part)
    };
    let (begin, end) = (short_of(from), short_of(to));
    let [x, y, bend_x, bend_y, end_x, end_y] = [begin.0, begin.1, bend.0, bend.1, end.0, end.1].map(tenth);
    Some(format!("M{x} {y}Q{bend_x} {bend_y} {end_x} {end_y}"))
}

/// Places the names so that none covers another or a main site: beside, above or below its own, and the code where a name
/// has no room.
fn names(places: &[(&str, Point)], height: f64, directory: &Directory) -> Vec<Name> {
    let mut taken: Vec<Frame> =
        places.iter().map(|(_, (x, y))| (x - MAIN, y - MAIN, x + MAIN, y + MAIN)).collect();
    let mut names = Vec::new();
    for (trust, (x, y)) in places {
        let texts = [cut(directory.trust(trust)), (*trust).to_owned()];
        let tries = texts.iter().flat_map(|text| around(text, (*x, *y)).map(|place| (text, place)));
        let is_free = |frame: &Frame| {
            let (left, top, right, bottom) = *frame;
            let is_inside = left >= 0.0 && top >= 0.0 && right <= WIDTH && bottom <= height;
            is_inside
                && taken.iter().all(|one| right < one.0 || one.2 < left || bottom < one.1 || one.3 < top)
        };
        let all: Vec<_> = tries.collect();
        let found = all.iter().find(|(_, (_, _, frame))| is_free(frame)).or(all.last());
        if let Some((text, (at, anchor, frame))) = found {
            taken.push(*frame);
            names.push(Name { x: tenth(at.0), y: tenth(at.1), anchor, text: (*text).clone() });
        }
    }
    names
}

/// Where a name can stand around its circle: the point at which it is written, its anchor, and the room that it takes.
fn around(text: &str, (x, y): Point) -> [(Point, &'static str, Frame); 4] {
    let (high, letter) = LETTER;
    let letters = u32::try_from(text.chars().count()).map_or(0.0, f64::from);
    let wide = letters * letter;
    let (away, base) = (MAIN + 6.0, high * 0.35);
    let frame = |left: f64, middle: f64| (left, middle - high / 2.0, left + wide, middle + high / 2.0);
    let (above, below) = (y - MAIN - high * 0.7, y + MAIN + high * 0.7);
    [
        ((x + away, y + base), "start", frame(x + away, y)),
        ((x - away, y + base), "end", frame(x - away - wide, y)),
        ((x, above + base), "middle", frame(x - wide / 2.0, above)),
        ((x, below + base), "middle", frame(x - wide / 2.0, below)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_api::v1::{Region, Site, Trust, site};

    fn vale(sites: &[(&str, f64, f64)]) -> Directory {
        let site = |(code, lat, lon): &(&str, f64, f64)| Site {
            code: (*code).to_owned(),
            trust: code[..3].to_owned(),
            name: format!("Site {code}"),
            lat: *lat,
            lon: *lon,
            kind: site::Kind::Hospital.into(),
            ..Site::default()
        };
        let trust = |(code, ..): &(&str, f64, f64)| Trust {
            ods: code[..3].to_owned(),
            name: format!("Trust {}", &code[..3]),
            ..Trust::default()
        };
        Directory::new(Region {
            trusts: sites.iter().map(trust).collect(),
            sites: sites.iter().map(site).collect(),
            ..Region::default()
        })
    }

    fn pair(from: &str, to: &str, units: f64) -> Pair {
        Pair { from: from.to_owned(), to: to.to_owned(), units }
    }

    #[test]
    fn north_is_up_east_is_right_and_as_the_crow_flies() {
        let vale = vale(&[("ZA101", 54.2, -2.0), ("ZA201", 54.0, -2.0), ("ZA301", 54.0, -1.5)]);
        let (points, height) = project(vale.spots()).unwrap();
        let [first, south, east] = points.as_slice() else { panic!("{points:?}") };
        assert!(first.1 < south.1 && south.0 < east.0 && (first.0 - south.0).abs() < 1e-9, "{points:?}");
        // At 54 degrees north 0.5 degrees of longitude are about 1.47 times as long as 0.2 of latitude.
        let ratio = (east.0 - south.0) / (south.1 - first.1);
        assert!((ratio - 0.5 / 0.2 * 54.1_f64.to_radians().cos()).abs() < 0.01, "{ratio}");
        let is_inside = |(x, y): &Point| (0.0..=WIDTH).contains(x) && (0.0..=height).contains(y);
        assert!(points.iter().all(is_inside) && height <= HEIGHT_MAX + 1e-9, "{points:?} {height}");
    }

    #[test]
    fn arcs_are_as_wide_as_what_was_given_and_both_ways_are_seen() {
        let vale = vale(&[("ZA101", 54.2, -2.0), ("ZA201", 54.0, -1.5)]);
        let map = Map::new(&[pair("ZA1", "ZA2", 8.0), pair("ZA2", "ZA1", 2.0)], "beds", &vale).unwrap();
        let wide: Vec<f64> = map.arcs.iter().map(|arc| arc.width.parse().unwrap()).collect();
        assert!((wide[0] - THICK).abs() < 0.1 && wide[1] < wide[0], "{wide:?}");
        assert_ne!(map.arcs[0].path, map.arcs[1].path);
        assert_eq!(map.arcs[0].title, "Trust ZA1 to Trust ZA2, beds: 8");
    }

    #[test]
    fn no_map_of_places_that_nobody_knows_or_that_are_one() {
        let give = [pair("ZA1", "ZA2", 1.0)];
        assert!(Map::new(&give, "beds", &Directory::default()).is_none());
        assert!(Map::new(&give, "beds", &vale(&[("ZA101", 0.0, 0.0), ("ZA201", 0.0, 0.0)])).is_none());
        assert!(Map::new(&give, "beds", &vale(&[("ZA101", 54.0, -2.0), ("ZA201", 54.0, -2.0)])).is_none());
        assert!(Map::new(&give, "beds", &vale(&[("ZA101", 54.0, -2.0), ("ZA102", 54.1, -2.0)])).is_none());
    }

    #[test]
    fn names_of_neighbours_do_not_cover_each_other() {
        let near = [
            ("ZA101", 54.0, -2.0),
            ("ZA201", 54.001, -2.001),
            ("ZA301", 54.002, -2.0),
            ("ZA401", 54.4, -1.0),
        ];
        let map = Map::new(&[], "beds", &vale(&near)).unwrap();
        let frames: Vec<Frame> = map
            .names
            .iter()
            .map(|name| {
                let (x, y): Point = (name.x.parse().unwrap(), name.y.parse().unwrap());
                let wide = f64::from(u32::try_from(name.text.chars().count()).unwrap()) * LETTER.1;
                let left = match name.anchor {
                    "start" => x,
                    "middle" => x - wide / 2.0,
                    _ => x - wide,
                };
                (left, y - LETTER.0 * 0.85, left + wide, y + LETTER.0 * 0.15)
            })
            .collect();
        for (at, one) in frames.iter().enumerate() {
            for other in &frames[at + 1..] {
                let is_apart = one.2 <= other.0 + 0.2
                    || other.2 <= one.0 + 0.2
                    || one.3 <= other.1 + 0.2
                    || other.3 <= one.1 + 0.2;
                assert!(is_apart, "{one:?} {other:?}");
            }
        }
        assert_eq!(frames.len(), 4);
    }
}
