//! The code lists: which codes exist, their names, and what they imply. Membership comes from the data files beside this
//! crate (`crates/domain/data/`, with their sources), never from logic.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::resource::{ResourceKind, Specialty};

static BED_TYPES: LazyLock<BTreeMap<&'static str, BedType>> = LazyLock::new(|| {
    rows(include_str!("../data/bed_types.csv"))
        .map(|row| {
            let security_group = row.get(3).copied().filter(|group| !group.is_empty());
            let is_critical_care = row.get(4) == Some(&"yes");
            (
                row[0],
                BedType {
                    name: row[1],
                    has_levels: row.get(2) == Some(&"yes"),
                    security_group,
                    is_critical_care,
                },
            )
        })
        .collect()
});
static DIAGNOSTIC_TESTS: LazyLock<BTreeMap<&'static str, &'static str>> =
    LazyLock::new(|| names(include_str!("../data/diagnostic_tests.csv")));
static THEATRE_TYPES: LazyLock<BTreeMap<&'static str, &'static str>> =
    LazyLock::new(|| names(include_str!("../data/theatre_types.csv")));
static TREATMENT_FUNCTIONS: LazyLock<BTreeMap<&'static str, &'static str>> =
    LazyLock::new(|| names(include_str!("../data/treatment_functions.csv")));

struct BedType {
    name: &'static str,
    has_levels: bool,
    security_group: Option<&'static str>,
    is_critical_care: bool,
}

/// Returns the rows of one of our own lists without its head: comma-separated, a cell with commas in double quotes.
fn rows(csv: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    csv.lines().skip(1).filter(|line| !line.is_empty()).map(|line| {
        let mut cells = Vec::new();
        let mut rest = line;
        loop {
            let (cell, after) = match rest.strip_prefix('"') {
                Some(quoted) => {
                    let end = quoted.find('"').unwrap_or(quoted.len());
                    (&quoted[..end], quoted.get(end + 1..).unwrap_or(""))
                }
                None => {
                    let end = rest.find(',').unwrap_or(rest.len());
                    (&rest[..end], &rest[end..])
                }
            };
            cells.push(cell);
            match after.strip_prefix(',') {
                Some(next) => rest = next,
                None => return cells,
            }
        }
    })
}

fn names(csv: &'static str) -> BTreeMap<&'static str, &'static str> {
    rows(csv).map(|row| (row[0], row[1])).collect()
}

/// Returns the name of a national code of a kind, or `None` when there is no such code. STAFF, EQUIPMENT and
/// VIRTUAL_WARD have no national codes: theirs stand in the region file.
#[must_use]
pub fn name_of(kind: ResourceKind, code: &str) -> Option<&'static str> {
    match kind {
        ResourceKind::Bed => BED_TYPES.get(code).map(|bed| bed.name),
        ResourceKind::Theatre => THEATRE_TYPES.get(code).copied(),
        ResourceKind::Diagnostic => DIAGNOSTIC_TESTS.get(code).copied(),
        ResourceKind::Staff | ResourceKind::Equipment | ResourceKind::VirtualWard => None,
    }
}

/// What people write in capitals also within a longer name.
const ABBREVIATIONS: [&str; 8] = ["CPAP", "CT", "ECG", "ECMO", "ICU", "MRI", "ODP", "OPEL"];

/// Says a code in words, in lower case and without underscores, but for what people write in capitals: `CPAP device`.
#[must_use]
pub fn words(code: &str) -> String {
    let word = |word: &str| if ABBREVIATIONS.contains(&word) { word.to_owned() } else { word.to_lowercase() };
    code.split('_').map(word).collect::<Vec<_>>().join(" ")
}

/// Says whether the codes of a kind are the region's own rather than national.
#[must_use]
pub const fn are_regional(kind: ResourceKind) -> bool {
    match kind {
        ResourceKind::Bed | ResourceKind::Theatre | ResourceKind::Diagnostic => false,
        ResourceKind::Staff | ResourceKind::Equipment | ResourceKind::VirtualWard => true,
    }
}

/// Says whether an offer or need of this code must give a level of care.
#[must_use]
pub fn has_levels(kind: ResourceKind, code: &str) -> bool {
    kind == ResourceKind::Bed && BED_TYPES.get(code).is_some_and(|bed| bed.has_levels)
}

/// Returns the group of codes within which only the level of security differs, or `None` outside such groups.
#[must_use]
pub fn security_group(kind: ResourceKind, code: &str) -> Option<&'static str> {
    if kind == ResourceKind::Bed { BED_TYPES.get(code).and_then(|bed| bed.security_group) } else { None }
}

/// Says whether a code is critical care, whose holds are short in every band.
#[must_use]
pub fn is_critical_care(kind: ResourceKind, code: &str) -> bool {
    kind == ResourceKind::Bed && BED_TYPES.get(code).is_some_and(|bed| bed.is_critical_care)
}

/// Returns the name of a specialty, or `None` when the code is not in use.
#[must_use]
pub fn specialty_name(specialty: Specialty) -> Option<&'static str> {
    TREATMENT_FUNCTIONS.get(specialty.to_string().as_str()).copied()
}

/// Returns the national codes of a kind in alphabetical order; none where they are the region's own.
#[must_use]
pub fn codes_of(kind: ResourceKind) -> Vec<&'static str> {
    match kind {
        ResourceKind::Bed => BED_TYPES.keys().copied().collect(),
        ResourceKind::Theatre => THEATRE_TYPES.keys().copied().collect(),
        ResourceKind::Diagnostic => DIAGNOSTIC_TESTS.keys().copied().collect(),
        ResourceKind::Staff | ResourceKind::Equipment | ResourceKind::VirtualWard => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn codes_are_said_as_people_write_them() {
        for (code, text) in [
            ("CPAP_DEVICE", "CPAP device"),
            ("CRITICAL_CARE_NURSE", "critical care nurse"),
            ("ODP", "ODP"),
            ("HAEMOFILTER", "haemofilter"),
            ("", ""),
        ] {
            assert_eq!(super::words(code), text);
        }
    }

    use super::*;

    #[test]
    fn lists_hold_what_the_glossary_names() {
        assert_eq!(codes_of(ResourceKind::Diagnostic).len(), 15);
        assert_eq!(codes_of(ResourceKind::Bed).iter().filter(|c| c.starts_with("MH_")).count(), 26);
        assert_eq!(name_of(ResourceKind::Bed, "GA_ADULT"), Some("General and acute, adult"));
        assert_eq!(name_of(ResourceKind::Bed, "SOFA"), None);
        assert!(has_levels(ResourceKind::Bed, "CC_ADULT") && has_levels(ResourceKind::Bed, "NEONATAL"));
        assert!(!has_levels(ResourceKind::Bed, "GA_ADULT"));
        assert!(
            is_critical_care(ResourceKind::Bed, "CC_ADULT") && is_critical_care(ResourceKind::Bed, "PICU")
        );
        assert!(
            !is_critical_care(ResourceKind::Bed, "GA_ADULT")
                && !is_critical_care(ResourceKind::Bed, "MH_202")
        );
        for reported in
            [100, 101, 110, 120, 130, 140, 150, 160, 170, 300, 301, 320, 330, 340, 400, 410, 430, 502]
        {
            assert!(Specialty::new(reported).and_then(specialty_name).is_some(), "{reported}");
        }
    }

    #[test]
    fn security_groups_are_three() {
        let group = |code| security_group(ResourceKind::Bed, code);
        assert!(group("MH_206").is_some() && group("MH_206") == group("MH_208"));
        assert!(group("MH_303").is_some() && group("MH_303") == group("MH_304"));
        assert!(group("MH_306").is_some() && group("MH_306") == group("MH_307"));
        assert!(group("MH_206") != group("MH_303") && group("MH_303") != group("MH_306"));
        assert_eq!(group("MH_200"), None);
    }

    #[test]
    fn every_row_is_whole() {
        for list in [
            include_str!("../data/bed_types.csv"),
            include_str!("../data/diagnostic_tests.csv"),
            include_str!("../data/theatre_types.csv"),
            include_str!("../data/treatment_functions.csv"),
        ] {
            let width = list.lines().next().unwrap().split(',').count();
            assert!(rows(list).all(|row| row.len() == width && !row[0].is_empty() && !row[1].is_empty()));
        }
    }
}
