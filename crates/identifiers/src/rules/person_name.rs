//! A title with a name, or what announces a patient's name.

use std::ops::Range;

use super::pattern;

pattern!(
    TITLED,
    r"\b((?i:mr|mrs|ms|miss|mx|master|dr|prof|professor|sir|dame|rev))\b\.?\s*:?\s*((?:\p{Lu}\.\s?)*\p{Lu}[\p{L}'\-]*)"
);
pattern!(
    ANNOUNCED,
    r"\b(?i:pt|pts|patient|name|surname|forename|baby)(?:'?s?\s(?i:name|surname))?(?:\s(?i:is))?\s*(?:[:=]|\s-)\s*((?:\p{Lu}\.?\s?)?\p{Lu}[\p{L}'\-]+)"
);
pattern!(WITH_INITIAL, r"\b(?i:pt|patient|baby)\.?\s+((?:\p{Lu}\.\s?){1,3}\p{Lu}[\p{L}'\-]+)");

/// What follows MR (magnetic resonance), MS (multiple sclerosis, a seller of software), DR (digital radiography), or
/// "patient:", and is no name.
const WORK: [&str; 69] = [
    "AMU",
    "ANGIO",
    "BARIATRIC",
    "BAY",
    "BED",
    "BEDS",
    "BRAIN",
    "BREAST",
    "CAPACITY",
    "CARDIAC",
    "CCU",
    "CHOICE",
    "CLINIC",
    "COHORT",
    "ENT",
    "ENTEROGRAPHY",
    "FEMALE",
    "FILM",
    "FLOW",
    "GUIDED",
    "HDU",
    "HEAD",
    "HUB",
    "ICU",
    "INFECTIOUS",
    "ITU",
    "KNEE",
    "LINAC",
    "LIST",
    "LISTS",
    "LIVER",
    "LUMBAR",
    "MALE",
    "MEDICAL",
    "MRI",
    "NECK",
    "NEEDS",
    "NICU",
    "NURSE",
    "NURSES",
    "PATIENTS",
    "PELVIS",
    "PICU",
    "PLAIN",
    "PROSTATE",
    "RELAPSE",
    "REVIEW",
    "ROOM",
    "ROOMS",
    "SAU",
    "SCAN",
    "SCANNER",
    "SCANS",
    "SERVICE",
    "SIDE",
    "SITE",
    "SLOT",
    "SLOTS",
    "SPINE",
    "STABLE",
    "SUITE",
    "SURGICAL",
    "TEAM",
    "TEAMS",
    "TRANSPORT",
    "UNIT",
    "VAN",
    "WARD",
    "WORKLIST",
];

/// What one may miss, and nobody is called.
const DAYS: [&str; 7] = ["FRIDAY", "MONDAY", "SATURDAY", "SUNDAY", "THURSDAY", "TUESDAY", "WEDNESDAY"];

/// Finds a name.
pub(super) fn find(text: &str) -> Option<Range<usize>> {
    let first_word =
        |name: &str| name.split(|c: char| !c.is_alphanumeric()).next().unwrap_or_default().to_uppercase();
    let is_work = |name: &str| WORK.contains(&first_word(name).as_str());
    let titled = TITLED.captures_iter(text).find(|found| {
        let is_short_form = matches!(&found[1], "MR" | "MS" | "DR");
        let is_missed = &found[1] == "miss" && DAYS.contains(&first_word(&found[2]).as_str());
        !(is_missed || is_short_form && is_work(&found[2]))
    });
    let announced = || ANNOUNCED.captures_iter(text).find(|found| !is_work(&found[1]));
    let found = titled.or_else(announced).or_else(|| WITH_INITIAL.captures(text));
    found.and_then(|found| found.get(0)).map(|whole| whole.range())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found() {
        for text in [
            "Mrs Ada Example",
            "pt: J. SMITH",
            "MR EXAMPLE",
            "mr Example",
            "Dr. A. Example",
            "Miss O'Example",
            "patient name: Ada Example",
            "pt J. Example",
            "Prof Example",
            "name = Example",
            "Mr.Example",
            "MS EXAMPLE",
            "Miss Tuesday",
            "miss Tues",
        ] {
            assert!(find(text).is_some(), "{text}");
        }
    }

    #[test]
    fn work_passes() {
        for text in [
            "MR Scanner 2 free",
            "MS Teams 0800",
            "DR room 3",
            "pt transport booked",
            "Patient flow",
            "mr",
            "miss one list",
            "patient: side room",
            "Patient: Side room",
            "drs mess",
            "HDU Ms",
            "will miss Tuesday list",
            "2 pts: ITU stepdown",
        ] {
            assert!(find(text).is_none(), "{text}");
        }
    }

    #[test]
    fn the_words_of_work_are_in_order() {
        assert!(WORK.is_sorted());
    }
}
