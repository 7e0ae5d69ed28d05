//! Notes as bed managers, theatre planners and site leads write them.

use crate::Dice;

/// Word for word, each of which must pass.
pub(crate) const KEPT: [&str; 50] = [
    "24/11/2026 14:00",
    "ext 4471",
    "2 HDU 4 ward",
    "bay 12-18",
    "bleep 2031",
    "opens 0730",
    "2 HDU beds from 14:00 24/11, side rooms, ext 4471",
    "Bay 3 closed for deep clean until 16:00, D&V",
    "4 beds, 2F 2M, ward 12",
    "MR scanner 2 down, back 0800",
    "MS Teams bridge 0900 daily",
    "M62 closed J24-J26, allow 45m more",
    "Theatre 4 08:30-12:30 and 13:30-17:30",
    "Theatre 2 0830-1230 24/11",
    "Side room only, CPE screen",
    "Level 3 bed, 1:1 nurse until 2000",
    "Ring site team on x4471 or bleep 2031",
    "Opel 3 since 07:15",
    "3 of 12 beds staffed nights 24/11 - 27/11",
    "No bariatric before 1 Dec",
    "Takes 16 year olds and over",
    "G&A 4 free, 2 with telemetry",
    "Campaign W/C 30/11/2026, 6 lists",
    "CT 2 slots 24 Nov 14:00 and 15:20",
    "No lift to level 4 until 26 Nov",
    "ref LC-118",
    "Hub B theatre 3, 240 min, no GA",
    "PICU 1 cot, retrieval team aware",
    "Beds 12, 14 and 18 only",
    "Discharge lounge shuts 19:30",
    "ENT list Thu 26/11 pm",
    "Hot lab 0900-1300; 2 slots x 40 min",
    "2 side rooms, 1 neg pressure, ward 24F",
    "Virtual ward 20 places, step up by 18:00",
    "Colonoscopy x 6 w/b 07/12/2026",
    "Reserve of 2 for ED surge 1700-2300",
    "Drs mess bay closed",
    "Recovery holds to 21:00, then ward 7",
    "Cath lab 1, elective only until 12.30",
    "2 beds free @ 14.30",
    "14F 12M beds",
    "female 18 years and over",
    "16-18y F bay",
    "will miss Tuesday list",
    "2 pts: ITU stepdown",
    "24 Nov 12 trolleys",
    "B4 2SR free",
    "202611240800",
    "20261124070000",
    "confirmed 019a7b1c-9994-7659-9190-943476591900",
];

const KINDS: [&str; 12] = [
    "HDU",
    "ITU",
    "G&A",
    "level 2",
    "level 3",
    "step-down",
    "surgical",
    "medical",
    "PICU",
    "maternity",
    "cath lab",
    "day case",
];
const PLACES: [&str; 9] =
    ["ward", "bay", "level", "theatre", "recovery", "hub", "unit", "block", "side room"];
const WHYS: [&str; 18] = [
    "deep clean",
    "D&V",
    "norovirus",
    "CPE screen",
    "short of 1 RN",
    "no night cover",
    "lift out",
    "telemetry",
    "neg pressure",
    "side room only",
    "female bay",
    "male bay",
    "bariatric ok",
    "no GA",
    "awaiting porter",
    "staffing",
    "flu cohort",
    "water leak",
];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const TEAMS: [&str; 7] =
    ["site team", "bed manager", "flow hub", "duty lead", "theatre coord", "on call", "nurse in charge"];

/// Makes a note of one to three remarks.
pub(crate) fn one(dice: &mut Dice) -> String {
    let count = dice.of(1, 3);
    let remarks: Vec<String> = (0..count).map(|_| remark(dice)).collect();
    let joint = dice.pick(&[", ", ". ", "; ", " - ", " "]);
    remarks.join(joint).chars().take(140).collect()
}

fn remark(dice: &mut Dice) -> String {
    let (count, kind, place, why) = (dice.of(1, 24), dice.pick(&KINDS), dice.pick(&PLACES), dice.pick(&WHYS));
    match dice.of(0, 21) {
        0 => format!("{count} {kind} beds from {} {}", time(dice), date(dice)),
        1 => format!("{place} {} closed, {why}", dice.of(1, 60)),
        2 => format!(
            "{} {}",
            dice.pick(&["ext", "x", "bleep", "ring", "ext.", "call"]),
            dice.of(1_000, 79_999)
        ),
        3 => format!("{kind} {count} free, {} with {why}", dice.of(0, 6)),
        4 => format!("bay {}-{}", dice.of(1, 20), dice.of(21, 40)),
        5 => format!("opens {} shuts {}", time(dice), time(dice)),
        6 => format!("{}-{} {}", time(dice), time(dice), date(dice)),
        7 => format!("{}F {}M beds, {place} {}", dice.of(1, 12), dice.of(1, 12), dice.of(1, 40)),
        8 => format!(
            "{} {}, {} list{}",
            dice.pick(&DAYS),
            date(dice),
            dice.of(2, 9),
            dice.pick(&["s", "s am", "s pm"])
        ),
        9 => format!("theatre {} {} min, {why}", dice.of(1, 18), dice.of(4, 48) * 10),
        10 => format!("speak to {} on {}", dice.pick(&TEAMS), dice.of(2_000, 9_999)),
        11 => format!("{count}/{} staffed", count + dice.of(0, 8)),
        12 => format!("until {} {}", date(dice), time(dice)),
        13 => format!("ref {}-{}", dice.pick(&["LC", "ZA1", "T4", "CAMP", "ORTHO"]), dice.of(1, 99_999)),
        14 => format!("beds {}, {} and {}", dice.of(1, 12), dice.of(13, 20), dice.of(21, 36)),
        15 => format!("{} male beds, {} female side rooms", dice.of(1, 30), dice.of(1, 30)),
        16 => format!("age {} to {}, BMI under {}", dice.of(0, 18), dice.of(40, 110), dice.of(30, 50)),
        17 => format!("ETA {}m, {place} {}", dice.of(5, 55), dice.of(1, 30)),
        18 => format!("{} slots x {} min {}", dice.of(1, 12), dice.of(1, 9) * 10, date(dice)),
        19 => format!("OPEL {} at {}", dice.of(1, 4), time(dice)),
        20 => format!("{why} since {} {}", date(dice), time(dice)),
        _ => format!("{} {kind}, {} {kind}, {why}", dice.of(1, 9), dice.of(1, 9)),
    }
}

fn time(dice: &mut Dice) -> String {
    let (hour, minute) = (dice.of(0, 23), dice.of(0, 11) * 5);
    match dice.of(0, 3) {
        0 => format!("{hour:02}{minute:02}"),
        1 => format!("{hour:02}.{minute:02}"),
        _ => format!("{hour:02}:{minute:02}"),
    }
}

/// Returns a date that a plan of beds speaks of.
fn date(dice: &mut Dice) -> String {
    let date = dice.day(7, 120);
    let (day, month, year) = (date.day(), date.month(), date.year());
    match dice.of(0, 6) {
        0 | 1 => format!("{day:02}/{month:02}"),
        2 => format!("{day:02}/{month:02}/{year}"),
        3 => date.strftime("%-d %b").to_string(),
        4 => format!("{day}/{month}/{:02}", year % 100),
        5 => date.to_string(),
        _ => date.strftime("%a %-d %b %Y").to_string(),
    }
}
