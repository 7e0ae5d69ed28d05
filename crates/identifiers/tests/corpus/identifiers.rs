//! Identifiers, each as people write it and as people hide it.

use jiff::civil::Date;

use crate::Dice;

/// How often one of each kind is made: 26 kinds make more than 20,000.
pub(crate) const ROUNDS: usize = 800;

const WORDS_BEFORE: [&str; 14] = [
    "",
    "",
    "",
    "side room for ",
    "please call re ",
    "bay 4 ",
    "ref: ",
    "2 HDU beds, ",
    "see ",
    "ward 12, ",
    "(",
    "tfr today - ",
    "#NOF ",
    "from 14:00 24/11, ",
];
const WORDS_AFTER: [&str; 12] = [
    "",
    "",
    "",
    " side room",
    ", ward 12",
    ". Call ext 4471",
    " - urgent",
    ")",
    " bay 4",
    "; #NOF",
    " thanks",
    " 14:00",
];
const FORENAMES: [&str; 6] = ["Ada", "Bryn", "Cátia", "Dev", "Efua", "Anne-Marie"];
const SURNAMES: [&str; 7] = ["Example", "Sample", "Specimen", "O'Example", "Test-Case", "Nobody", "Öxample"];
const TITLES: [&str; 8] = ["Mr", "Mrs", "Ms", "Miss", "Dr", "Prof", "MRS", "Mr."];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
/// Marks that are seen by nobody.
const UNSEEN: [char; 7] = ['\u{200B}', '\u{200C}', '\u{200D}', '\u{2060}', '\u{FEFF}', '\u{202E}', '\u{AD}'];
/// Zeros of scripts with digits of their own, and of other ways to write digits.
const ZEROS: [u32; 9] = [0xFF10, 0x660, 0x6F0, 0x966, 0x9E6, 0xE50, 0x1D7CE, 0x1D7E2, 0x1D7F6];

/// Puts a text where people put it.
pub(crate) fn among_words(text: &str, dice: &mut Dice) -> String {
    format!("{}{text}{}", dice.pick(&WORDS_BEFORE), dice.pick(&WORDS_AFTER))
}

/// Makes one of each kind, with the kind.
pub(crate) fn one_of_each(dice: &mut Dice) -> Vec<(&'static str, String)> {
    let number = nhs_number(dice);
    let unlucky = wrong_check(&number, dice);
    vec![
        ("NHS number, plain", number.clone()),
        ("NHS number, grouped", grouped(&number, dice)),
        ("NHS number, any marks between 3, 3 and 4", marked(&number, dice)),
        ("NHS number, other digits", other_digits(&grouped(&number, dice), dice)),
        ("NHS number, unseen marks", unseen(&grouped(&number, dice), dice)),
        ("NHS number, letters for digits", lettered(&number, dice)),
        ("NHS number, grouped, letters for digits", lettered(&grouped(&number, dice), dice)),
        (
            "NHS number, touching others",
            format!("{}{number}", dice.pick(&["x", "NHS", "ref", "1", "07", "pt"])),
        ),
        (
            "NHS number, odd ones",
            dice.pick(&["9999999999", "1111111111", "999 999 9999", "111-111-1111"]).to_owned(),
        ),
        ("number with its name before", format!("{}{unlucky}", named(dice))),
        ("number with its name after", format!("{unlucky} {}", dice.pick(&["(NHS)", "NHS", "- CHI", "nhs"]))),
        ("date of birth", birth_date(dice)),
        ("date of birth, other digits", {
            let date = slashed(birthday(dice));
            other_digits(&date, dice)
        }),
        ("date of birth, said", said_birth(dice)),
        ("age and sex", age_and_sex(dice)),
        ("age and sex, said", said_age(dice)),
        ("titled name", titled(dice)),
        ("announced name", announced(dice)),
        ("hospital number", hospital_number(dice)),
        ("postcode", postcode(dice)),
        ("telephone", telephone(dice)),
        ("e-mail", {
            let host = dice.pick(&["example.org", "mail.example.net", "trust.example.com"]);
            let (forename, surname) = (dice.pick(&FORENAMES), dice.pick(&SURNAMES));
            format!("{forename}{}{surname}@{host}", dice.pick(&[".", "_", "", "-"]))
        }),
        ("National Insurance", national_insurance(dice)),
        (
            "passport, named",
            format!("passport {}{}", dice.pick(&["", "no ", "no: ", "number "]), digits(9, dice)),
        ),
        (
            "passport, plain",
            match dice.of(0, 2) {
                0 => format!("{}{}", dice.pick(&["1", "3", "5"]), digits(8, dice)),
                1 => format!("{}{}", dice.pick(&["A", "C", "H", "X"]), digits(8, dice)),
                _ => format!("{}{}", dice.pick(&["AB", "EX", "ZZ"]), digits(7, dice)),
            },
        ),
        ("CHI number", format!("CHI {}", grouped(&unlucky, dice))),
    ]
}

/// Returns a number of the range kept for tests, with its check digit.
pub(crate) fn nhs_number(dice: &mut Dice) -> String {
    loop {
        let nine = format!("999{}", digits(6, dice));
        let sum: u32 =
            nine.chars().zip((2..=10).rev()).map(|(c, weight)| c.to_digit(10).unwrap() * weight).sum();
        match 11 - sum % 11 {
            10 => {}
            11 => return nine + "0",
            check => return format!("{nine}{check}"),
        }
    }
}

/// Returns a number of the same range whose check digit is wrong.
fn wrong_check(number: &str, dice: &mut Dice) -> String {
    let last = number[9..].parse::<u64>().unwrap();
    format!("{}{}", &number[..9], (last + dice.of(1, 9)) % 10)
}

/// Writes ten digits in groups, with one separator throughout or, as most are grouped, several.
pub(crate) fn grouped(number: &str, dice: &mut Dice) -> String {
    let separators: [&str; 11] =
        [" ", "-", ".", "/", "  ", " - ", "\u{2013}", "\u{A0}", "_", "\u{2011}", " / "];
    let parts: &[usize] = dice.pick::<[usize]>(&[
        &[3, 3, 4],
        &[3, 3, 4],
        &[3, 3, 4],
        &[1; 10],
        &[5, 5],
        &[2; 5],
        &[4, 3, 3],
        &[3, 7],
        &[6, 4],
        &[3, 4, 3],
        &[4, 6],
    ]);
    let mixes = parts == [3, 3, 4] || parts.len() == 10;
    let mut separator = dice.pick(&separators);
    let mut out = String::new();
    let mut rest = number;
    for (place, length) in parts.iter().enumerate() {
        let (part, after) = rest.split_at(*length);
        if place > 0 {
            if mixes {
                separator = dice.pick(&separators);
            }
            out.push_str(separator);
        }
        out.push_str(part);
        rest = after;
    }
    out
}

fn marked(number: &str, dice: &mut Dice) -> String {
    let marks = [",", ":", ";", "*", "+", "~", "'", ", ", " : ", ")(", "="];
    format!("{}{}{}{}{}", &number[..3], dice.pick(&marks), &number[3..6], dice.pick(&marks), &number[6..])
}

fn other_digits(text: &str, dice: &mut Dice) -> String {
    let script = ZEROS[usize::try_from(dice.of(0, 8)).unwrap()];
    let mixes = dice.one_in(3);
    let mut convert = |c: char| match c.to_digit(10) {
        Some(value) if !mixes || dice.one_in(2) => char::from_u32(script + value).unwrap(),
        _ => c,
    };
    text.chars().map(&mut convert).collect()
}

fn unseen(text: &str, dice: &mut Dice) -> String {
    let mut out = String::new();
    for c in text.chars() {
        out.push(c);
        if dice.one_in(2) {
            out.push(UNSEEN[usize::try_from(dice.of(0, 6)).unwrap()]);
        }
    }
    out
}

/// Writes zeros and ones as letters that look like them, but for a few: a number of letters alone is a word.
fn lettered(text: &str, dice: &mut Dice) -> String {
    let mut left = 5;
    let mut letter = |c: char| {
        let like = match c {
            '0' => ["O", "o", "О", "ο"][usize::try_from(dice.of(0, 3)).unwrap()],
            '1' => ["l", "I", "|", "І"][usize::try_from(dice.of(0, 3)).unwrap()],
            _ => return c.to_string(),
        };
        if left == 0 || dice.one_in(4) {
            return c.to_string();
        }
        left -= 1;
        like.to_owned()
    };
    text.chars().map(&mut letter).collect()
}

fn named(dice: &mut Dice) -> String {
    let names = [
        "NHS no ",
        "NHS number ",
        "NHS No: ",
        "nhs ",
        "NHS#",
        "CHI no. ",
        "number: ",
        "No ",
        "no. ",
        "№ ",
        "NHS number is ",
    ];
    dice.pick(&names).to_owned()
}

/// Returns a day on which a patient may be born: any until a month ago.
fn birthday(dice: &mut Dice) -> Date {
    dice.day(36_500, 0).min(dice.day(36_500, 0)).min("2026-10-01".parse().unwrap())
}

fn slashed(date: Date) -> String {
    format!("{:02}/{:02}/{}", date.day(), date.month(), date.year())
}

fn birth_date(dice: &mut Dice) -> String {
    let date = birthday(dice);
    let (day, month, year) = (date.day(), date.month(), date.year());
    let name = MONTHS[usize::try_from(month - 1).unwrap()];
    let short = year % 100;
    match dice.of(0, 13) {
        0 => format!("{day}/{month}/{year}"),
        1 => slashed(date),
        2 => format!("{day}.{month}.{year}"),
        3 => format!("{day:02}-{month:02}-{year}"),
        4 => format!("{day:02} {month:02} {year}"),
        5 => format!("{year}-{month:02}-{day:02}"),
        6 => format!("{year}/{month:02}/{day:02}"),
        7 => format!("{year}.{month:02}.{day:02}"),
        8 => format!("{day} {name} {year}"),
        9 => format!("{day:02}{}{year}", &name[..3]),
        10 => format!("{} {day}, {year}", &name[..3]),
        11 => format!("{year}{month:02}{day:02}"),
        12 => format!("{day:02}{month:02}{year}"),
        // Two digits of a year: those that cannot be the year of the plan.
        _ => format!("{day}/{month}/{:02}", if matches!(short, 26..=28) { 48 } else { short }),
    }
}

fn said_birth(dice: &mut Dice) -> String {
    let said =
        dice.pick(&["DOB ", "dob: ", "D.O.B. ", "date of birth ", "born ", "born on ", "b. ", "Born: "]);
    let date = dice.day(36_500, 0);
    let (day, month, year) = (date.day(), date.month(), date.year());
    match dice.of(0, 4) {
        0 => format!("{said}{year}"),
        1 => format!("{said}{day:02}{month:02}{:02}", year % 100),
        2 => format!("{said}{day}/{month}/{:02}", year % 100),
        3 => format!("{said}{day} {}", MONTHS[usize::try_from(month - 1).unwrap()]),
        _ => format!("{said}{}", slashed(date)),
    }
}

fn age_and_sex(dice: &mut Dice) -> String {
    match dice.of(0, 3) {
        0 => format!("{}{}", dice.of(13, 110), dice.pick(&["M", "F", "f", " F", "/M"])),
        1 => format!("{}m", dice.of(60, 110)),
        2 => {
            let years = dice.pick(&["yo", " yo", "y/o", " yrs", " y.o.", "-year-old", " year old", "y"]);
            format!(
                "{}{years} {}",
                dice.of(0, 110),
                dice.pick(&["M", "F", "male", "Female", "man", "woman", "lady", "boy"])
            )
        }
        _ => format!("{}yo{}", dice.of(1, 110), dice.pick(&["M", "F", "m", "f"])),
    }
}

fn said_age(dice: &mut Dice) -> String {
    let (sex, age) = (dice.pick(&["male", "Female", "woman", "man", "F"]), dice.of(0, 110));
    match dice.of(0, 2) {
        0 => format!("aged {age} {sex}"),
        1 => format!("{sex} aged {age}"),
        _ => format!("{sex}, {age} {}", dice.pick(&["yo", "years", "y/o", "yrs"])),
    }
}

fn titled(dice: &mut Dice) -> String {
    let (title, forename, surname) = (dice.pick(&TITLES), dice.pick(&FORENAMES), dice.pick(&SURNAMES));
    match dice.of(0, 3) {
        0 => format!("{title} {surname}"),
        1 => format!("{title} {forename} {surname}"),
        2 => format!("{title} {}. {surname}", &forename[..1]),
        _ => format!("{title} {}", surname.to_uppercase()),
    }
}

fn announced(dice: &mut Dice) -> String {
    let (forename, surname) = (dice.pick(&FORENAMES), dice.pick(&SURNAMES));
    match dice.of(0, 3) {
        0 => format!("pt: {}. {}", &forename[..1], surname.to_uppercase()),
        1 => format!("Patient: {forename} {surname}"),
        2 => format!("patient name: {forename} {surname}"),
        _ => format!("pt {}. {surname}", &forename[..1]),
    }
}

fn hospital_number(dice: &mut Dice) -> String {
    let length = dice.of(6, 8);
    let number = format!("{}{}", dice.pick(&["", "", "K", "RX", "H"]), digits(length, dice));
    let said = [
        "MRN ",
        "mrn: ",
        "Hosp no: ",
        "hospital number ",
        "Hospital No. ",
        "unit no ",
        "K number ",
        "PAS no ",
        "pt ID ",
    ];
    if dice.one_in(6) {
        let length = dice.of(6, 7);
        return format!("K{}", digits(length, dice));
    }
    format!("{}{number}", dice.pick(&said))
}

fn postcode(dice: &mut Dice) -> String {
    let areas = ["LS", "M", "SW", "OL", "EH", "CF", "BT", "N", "YO", "EC", "PR", "L", "B", "SK"];
    let inward: String = (0..2)
        .map(|_| "ABDEFGHJLNPQRSTUWXYZ".chars().nth(usize::try_from(dice.of(0, 19)).unwrap()).unwrap())
        .collect();
    let outward = format!("{}{}", dice.pick(&areas), dice.of(1, 28));
    let plain = format!("{outward}{}{}{inward}", dice.pick(&[" ", "", "  ", "-"]), dice.of(0, 9));
    // A ward "w2" and "1st" floor cannot be told from half a postcode in small letters.
    if dice.one_in(3) && outward.chars().nth(1).is_some_and(char::is_alphabetic) {
        plain.to_lowercase()
    } else {
        plain
    }
}

fn telephone(dice: &mut Dice) -> String {
    let last = digits(3, dice);
    let fiction = [
        "07700 900",
        "020 7946 0",
        "0113 496 0",
        "01632 960",
        "+44 7700 900",
        "0044 7700 900",
        "(0161) 496 0",
        "+44 (0)20 7946 0",
    ];
    let number = format!("{}{last}", dice.pick(&fiction));
    match dice.of(0, 2) {
        0 => number.replace(' ', ""),
        1 => number.replace(' ', "-"),
        _ => number,
    }
}

fn national_insurance(dice: &mut Dice) -> String {
    let (six, last) = (digits(6, dice), dice.pick(&["A", "B", "C", "D"]));
    match dice.of(0, 2) {
        0 => format!("QQ{six}{last}"),
        1 => format!("qq{six}{}", last.to_lowercase()),
        _ => format!("QQ {} {} {} {last}", &six[..2], &six[2..4], &six[4..]),
    }
}

fn digits(length: u64, dice: &mut Dice) -> String {
    (0..length).map(|_| char::from_digit(u32::try_from(dice.of(0, 9)).unwrap(), 10).unwrap()).collect()
}
