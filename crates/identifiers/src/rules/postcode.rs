//! A full postcode.

use std::ops::Range;

use super::pattern;

pattern!(SHAPE, r"(?i)\b([a-z]{1,2})([0-9][a-z0-9]?)[\s.\-]{0,2}([0-9])([abd-hjlnp-uw-z]{2})\b");

/// The postcode areas of the United Kingdom and the Crown dependencies.
const AREAS: [&str; 125] = [
    "AB", "AL", "B", "BA", "BB", "BD", "BF", "BH", "BL", "BN", "BR", "BS", "BT", "CA", "CB", "CF", "CH",
    "CM", "CO", "CR", "CT", "CV", "CW", "DA", "DD", "DE", "DG", "DH", "DL", "DN", "DT", "DY", "E", "EC",
    "EH", "EN", "EX", "FK", "FY", "G", "GL", "GU", "GY", "HA", "HD", "HG", "HP", "HR", "HS", "HU", "HX",
    "IG", "IM", "IP", "IV", "JE", "KA", "KT", "KW", "KY", "L", "LA", "LD", "LE", "LL", "LN", "LS", "LU", "M",
    "ME", "MK", "ML", "N", "NE", "NG", "NN", "NP", "NR", "NW", "OL", "OX", "PA", "PE", "PH", "PL", "PO",
    "PR", "RG", "RH", "RM", "S", "SA", "SE", "SG", "SK", "SL", "SM", "SN", "SO", "SP", "SR", "SS", "ST",
    "SW", "SY", "TA", "TD", "TF", "TN", "TQ", "TR", "TS", "TW", "UB", "W", "WA", "WC", "WD", "WF", "WN",
    "WR", "WS", "WV", "YO", "ZE",
];

/// What follows a ward or bay such as `W2` or `B4` and is no half of a postcode: `1st floor`, `4hr wait`.
const COUNTED: [&str; 7] = ["ft", "hr", "nd", "rd", "st", "th", "yr"];

pattern!(FREE_AFTER, r"(?i)^\s+(?:free|open|closed|avail|available|empty|clean|ready|now)\b");

/// Finds a postcode.
pub(super) fn find(text: &str) -> Option<Range<usize>> {
    SHAPE.captures_iter(text).find_map(|found| {
        let (area, inward) = (&found[1], &found[4]);
        let is_place = area.len() == 1 || area.chars().all(char::is_uppercase);
        // "B4 2SR free": two side rooms of a bay.
        let rooms = || {
            let after = found.get(0).map_or("", |whole| &text[whole.end()..]);
            area.len() == 1 && inward == "SR" && FREE_AFTER.is_match(after)
        };
        let counts = (is_place && COUNTED.contains(&inward)) || rooms();
        let known = AREAS.contains(&area.to_uppercase().as_str());
        found.get(0).filter(|_| known && !counts).map(|whole| whole.range())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postcodes_are_found() {
        for text in [
            "LS1 4AB",
            "ls14ab",
            "from SW1A 2AA",
            "M1 1AE",
            "L1 8JQ.",
            "EC1A-1BB",
            "ls1 4hr",
            "B4 2SR",
            "LS4 2SR free",
        ] {
            assert!(find(text).is_some(), "{text}");
        }
    }

    #[test]
    fn wards_and_codes_pass() {
        for text in [
            "W2 1st floor",
            "B4 4hr wait",
            "LS1",
            "ZZ1 4AB",
            "bay 12 2 beds",
            "RBL14",
            "L3 2IC",
            "E4 2 HDU",
            "B4 2SR free",
        ] {
            assert!(find(text).is_none(), "{text}");
        }
    }

    #[test]
    fn areas_are_in_order() {
        assert!(AREAS.is_sorted());
    }
}
