use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;

const TODAY: Date = date(2026, 11, 24);

fn check(text: &str, expected: Option<Rule>) {
    assert_eq!(find(text, TODAY).map(|finding| finding.rule), expected, "{text:?}");
}

#[test]
fn rows_of_the_catalogue_of_bad_inputs_are_refused() {
    for (text, rule) in [
        // B96, B97
        ("999 476 5914", Rule::NhsNumber),
        ("9994765914", Rule::NhsNumber),
        ("999-476-5914", Rule::NhsNumber),
        ("９９９ ０００ ００１８", Rule::NhsNumber),
        ("٩٩٩ ٠٠٠ ٠٠١٨", Rule::NhsNumber),
        ("999\u{200D} 000\u{200D} 0018", Rule::NhsNumber),
        ("9O00OOOO18", Rule::NhsNumber),
        // B98
        ("NHS no 9994765913", Rule::NamedNumber),
        // B100
        ("DOB 12/03/1948", Rule::DateOfBirth),
        ("12.3.48", Rule::DateOfBirth),
        ("1948-03-12", Rule::DateOfBirth),
        ("12 Mar 1948", Rule::DateOfBirth),
        ("born 1948", Rule::DateOfBirth),
        // B101
        ("82M", Rule::AgeAndSex),
        ("67 yo F #NOF", Rule::AgeAndSex),
        // B102
        ("Mrs Ada Example", Rule::PersonName),
        ("pt: J. SMITH", Rule::PersonName),
        // B103
        ("MRN 1234567", Rule::HospitalNumber),
        ("Hosp no: K123456", Rule::HospitalNumber),
        // B104
        ("LS1 4AB", Rule::Postcode),
        ("07700 900123", Rule::Phone),
        ("a.b@example.org", Rule::Email),
        ("QQ123456C", Rule::NationalInsurance),
        // B105
        ("CHI 010190 0018", Rule::NamedNumber),
        ("9990000018", Rule::NhsNumber),
    ] {
        check(text, Some(rule));
    }
}

#[test]
fn what_beds_are_spoken_of_with_passes() {
    for text in [
        // B107
        "24/11/2026 14:00",
        "ext 4471",
        "2 HDU 4 ward",
        "bay 12-18",
        "bleep 2031",
        "opens 0730",
        "",
        "2 HDU beds from 14:00 24/11, side rooms, ext 4471",
        "LC-118",
        "019a7b1c-9994-7659-9190-999476591400",
        "E08000003",
    ] {
        check(text, None);
    }
}

#[test]
fn a_number_split_over_two_texts_is_found() {
    for (first, second, rule) in [
        ("999 476", "5914", Some(Rule::NhsNumber)),
        ("99947", "65914 in bay 4", Some(Rule::NhsNumber)),
        ("ref 999", "476 5914", Some(Rule::NhsNumber)),
        ("NHS no 99947", "65913", Some(Rule::NamedNumber)),
        ("ext 4471", "2 beds", None),
        ("9994765914", "2 beds", None),
        ("999 476 beds", "5914", None),
        ("bay 4", "LC-118", None),
        ("bay 13", "24/11/2026 14:00", None),
        ("bay 20", "24/11/2026 14:30", None),
        ("until 24/11/2026", "14", None),
        ("99/94/76", "59/14", Some(Rule::NhsNumber)),
        ("99/90/00/0", "0/18", Some(Rule::NhsNumber)),
        ("99/90/00", "/00/18", Some(Rule::NhsNumber)),
    ] {
        assert_eq!(
            find_split(first, second, TODAY).map(|finding| finding.rule),
            rule,
            "{first:?} {second:?}"
        );
    }
    assert_eq!(find_split("999 476", "5914 x", TODAY).unwrap().chars, 0..4);
}

#[test]
fn a_finding_names_rule_and_place_and_repeats_nothing() {
    let finding = find("side room, é\u{200B} NHS 999 476 5914", TODAY).unwrap();
    assert_eq!(finding.chars, 18..30);
    let said = finding.to_string();
    assert_eq!(said, "has, in its characters 19 to 30, what looks like an NHS or CHI number; leave it out");
    assert_eq!(finding.rule.as_str(), "NHS_NUMBER");
}

/// Whatever counts as a digit in some script, eight of them break nothing, in any pattern that takes digits apart.
#[test]
fn digits_of_every_script_are_taken() {
    let numeric = (char::MIN..=char::MAX).filter(|c| c.is_numeric());
    let mut seen = 0;
    for c in numeric {
        let eight = c.to_string().repeat(8);
        for text in [&eight, &format!("{eight}T{eight}"), &format!("DOB {eight}"), &format!("1 {eight} 2")] {
            let _ = find(text, TODAY);
            let _ = find_split(text, text, TODAY);
        }
        seen += 1;
    }
    assert!(seen > 1_000, "{seen}");
    // NHS numbers in the digits of scripts that came to Unicode late.
    for zero in [0x10D40, 0x116D0, 0x11BF0, 0x11F50, 0x1E4F0, 0x1E5F1_u32] {
        let digit = |value: char| char::from_u32(zero + value.to_digit(10).unwrap()).unwrap();
        check(&"9994765914".chars().map(digit).collect::<String>(), Some(Rule::NhsNumber));
    }
}

#[test]
fn files_about_organisations_may_name_places_and_years() {
    let found = |text, source| find_in(text, source, TODAY).map(|finding| finding.rule);
    for name in ["Sir Robert Peel Community Hospital", "Dr Gray's Hospital"] {
        assert_eq!(found(name, Source::PlaceName), None, "{name}");
        assert_eq!(found(name, Source::Remark), Some(Rule::PersonName), "{name}");
    }
    for remark in ["opened 12/03/1948", "as of 01/04/2019 09:00", "merged 2013-07-01"] {
        assert_eq!(found(remark, Source::Remark), None, "{remark}");
        assert_eq!(found(remark, Source::Note), Some(Rule::DateOfBirth), "{remark}");
    }
    for source in [Source::Note, Source::Remark, Source::PlaceName] {
        assert_eq!(found("born 12/03/1948", source), Some(Rule::DateOfBirth));
        assert_eq!(found("999 476 5914", source), Some(Rule::NhsNumber));
    }
}

proptest! {
    /// Whatever is typed, nothing breaks, and the place is in the text.
    #[test]
    fn any_text_is_taken(text in any::<String>(), other in "\\PC{0,40}[0-9Ol|٠-٩ ./-]{0,30}") {
        for text in [&text, &other] {
            if let Some(finding) = find(text, TODAY) {
                prop_assert!(finding.chars.start < finding.chars.end);
                prop_assert!(finding.chars.end <= text.chars().count());
            }
        }
        let _ = find_split(&other, &text, TODAY);
    }
}
