//! Invented scenarios, so that measuring needs nothing but the repository.
//!
//! The kind is that of a region's winter day: trusts on a map in overlapping collaboratives, pools of beds and slots of
//! different hours and capabilities, needs of all bands, theatre sessions and cases by specialty. Everything is made up,
//! and figures differ from those on scenarios made from published statistics.

use std::fs;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

/// How large a scenario is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    /// Trusts, each with one site; at most 676.
    pub trusts: u32,
    /// Units that needs ask for.
    pub needed: u32,
    /// Units that offers have free.
    pub offered: u32,
    /// Theatre cases.
    pub cases: u32,
    /// Theatre sessions.
    pub sessions: u32,
}

impl Size {
    /// Returns a size by its name: collab, ics, region or england.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        let (trusts, needed, offered, cases, sessions) = match name {
            "collab" => (20, 300, 400, 300, 60),
            "ics" => (20, 2_000, 2_500, 2_000, 400),
            "region" => (50, 10_000, 12_000, 10_000, 1_800),
            "england" => (200, 50_000, 60_000, 50_000, 9_000),
            _ => return None,
        };
        Some(Self { trusts, needed, offered, cases, sessions })
    }
}

/// The three files of a scenario.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// What stands in region.toml.
    pub region: String,
    /// What stands in offers.jsonl.
    pub offers: String,
    /// What stands in needs.jsonl.
    pub needs: String,
}

impl Files {
    /// Writes the files into a folder, which is made if it is missing.
    ///
    /// # Errors
    /// The folder or a file cannot be written.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("region.toml"), &self.region)?;
        fs::write(folder.join("offers.jsonl"), &self.offers)?;
        fs::write(folder.join("needs.jsonl"), &self.needs)
    }
}

/// Beds and slots: kind, code, level (0 for none), scope of the needs.
const RESOURCES: [(&str, &str, u8, &str); 9] = [
    ("BED", "GA_ADULT", 0, "WHOLE_PATHWAY"),
    ("BED", "GA_PAEDIATRIC", 0, "WHOLE_PATHWAY"),
    ("BED", "STEP_DOWN", 0, "WHOLE_PATHWAY"),
    ("BED", "CC_ADULT", 2, "WHOLE_PATHWAY"),
    ("BED", "CC_ADULT", 3, "WHOLE_PATHWAY"),
    ("DIAGNOSTIC", "MRI", 0, "DIAGNOSTIC_ONLY"),
    ("DIAGNOSTIC", "CT", 0, "DIAGNOSTIC_ONLY"),
    ("DIAGNOSTIC", "GASTROSCOPY", 0, "DIAGNOSTIC_ONLY"),
    ("DIAGNOSTIC", "ECHOCARDIOGRAPHY", 0, "DIAGNOSTIC_ONLY"),
];
const SPECIALTIES: [&str; 8] = ["100", "101", "110", "120", "130", "140", "160", "502"];
const BANDS: [&str; 5] = ["P1A", "P1B", "P2", "P3", "P4"];
const CAPABILITIES: [&str; 3] = ["isolation", "bariatric", "hoist"];
/// Longest wait of a band that is likely, in hours.
const WAITS: [u32; 5] = [20, 80, 800, 2_600, 3_500];
const DAYS: u32 = 7;

/// Makes up a scenario for this time. The same size, seed and time give the same files.
#[must_use]
pub fn invent(size: Size, seed: u64, at: Timestamp, fair_step: u32) -> Files {
    let mut dice = Dice(seed);
    let region = region(size, fair_step, &mut dice);
    let mut maker = Maker { size, at, dice };
    Files { region, offers: maker.offers(), needs: maker.needs() }
}

/// The code of a trust by its number.
fn trust(number: u32) -> String {
    let letter = |number: u32| char::from_u32(u32::from('A') + number % 26).unwrap_or('A');
    format!("R{}{}", letter(number / 26), letter(number))
}

/// The region file.
fn region(size: Size, fair_step: u32, dice: &mut Dice) -> String {
    let mut parts = vec![format!(
        "[region]\nid = \"Y90\"\nname = \"Invented\"\ntimezone = \"Europe/London\"\n\n[policy]\nfair_step = {fair_step}\n"
    )];
    let side = size.trusts.isqrt().max(1);
    for number in 0..size.trusts {
        let code = trust(number);
        let mut lines = format!("\n[[trust]]\nods = \"{code}\"\nname = \"Trust {code}\"\n");
        let opel = dice.below(4);
        if opel > 0 {
            lines += &format!("opel = {opel}\n");
        }
        if fair_step > 0 {
            let share = size.offered / size.trusts.max(1);
            lines += &format!("fair_allowance = {}\n", share / 5 + dice.below(share / 2 + 1));
        }
        if dice.below(3) == 0 {
            lines += &format!("reserve = {{ \"BED/GA_ADULT\" = {} }}\n", 1 + dice.below(4));
        }
        // A grid of trusts some 20 km apart, a little out of line.
        let mut degrees = |start: f64, step: f64, place: u32| {
            start + step * f64::from(place) + f64::from(dice.below(100)) / 1_000.0
        };
        let (lat, lon) = (degrees(51.0, 0.18, number / side), degrees(-2.5, 0.3, number % side));
        lines += &format!(
            "\n[[site]]\ncode = \"{code}01\"\ntrust = \"{code}\"\nname = \"Site {code}\"\nlat = {lat:.4}\nlon = {lon:.4}\n\
             kind = \"HOSPITAL\"\n"
        );
        parts.push(lines);
    }
    // Collaboratives of ten neighbours, each sharing five with the next.
    for first in (0..size.trusts).step_by(5) {
        let members: Vec<String> = (first..(first + 10).min(size.trusts)).map(trust).collect();
        if members.len() > 1 {
            parts.push(format!(
                "\n[[collaborative]]\nid = \"c{first}\"\nname = \"Collaborative {first}\"\nkind = \"ACUTE\"\n\
                 members = {members:?}\nlead = \"{}\"\nshares = [\"BED\", \"THEATRE\", \"DIAGNOSTIC\"]\n",
                members[0]
            ));
        }
    }
    parts.concat()
}

/// Makes up offers and needs.
struct Maker {
    size: Size,
    at: Timestamp,
    dice: Dice,
}

impl Maker {
    fn offers(&mut self) -> String {
        let mut lines = Vec::new();
        let mut left = self.size.offered;
        while left > 0 {
            let free = (1 + self.dice.below(5)).min(left);
            left -= free;
            let (kind, code, level, _) = RESOURCES[self.dice.place(RESOURCES.len())];
            let (day, hour) = (self.dice.below(DAYS), [6, 8, 13][self.dice.place(3)]);
            let hours = if kind == "BED" { 24 + self.dice.below(72) } else { 4 };
            let resource = json!({ "kind": kind, "code": code, "level": level });
            let figures = json!({ "staffed": free + 6, "occupied": 6 });
            let window =
                json!({ "from": self.hours(day * 24 + hour), "until": self.hours(day * 24 + hour + hours) });
            let line = self.offer(lines.len(), "O", &resource, &figures, &window);
            lines.push(line);
        }
        for number in 0..usize::try_from(self.size.sessions).unwrap_or(0) {
            let start = self.dice.below(DAYS) * 24 + 1 + 5 * self.dice.below(2);
            let minutes = 240 * (1 + self.dice.below(2));
            let specialty = SPECIALTIES[self.dice.place(SPECIALTIES.len())];
            let resource = json!({ "kind": "THEATRE", "code": "MAIN", "specialties": [specialty] });
            let window = json!({ "from": self.hours(start), "until": self.hours(start + minutes / 60) });
            let line = self.offer(number, "S", &resource, &json!({ "staffed": minutes }), &window);
            lines.push(line);
        }
        lines.concat()
    }

    fn offer(
        &mut self,
        number: usize,
        letter: &str,
        resource: &Value,
        figures: &Value,
        window: &Value,
    ) -> String {
        let trust = trust(self.dice.below(self.size.trusts));
        let capabilities: Vec<&str> = CAPABILITIES.into_iter().filter(|_| self.dice.below(4) > 0).collect();
        let offer = json!({
            "id": format!("{letter}{number:06}"), "trust": trust, "site": format!("{trust}01"),
            "resource": resource, "figures": figures, "window": window, "capabilities": capabilities,
            "team": { "staffed": true }, "state": "OPEN", "reported_at": self.hours(0), "source": "FEED", "cadence": "3600s",
        });
        format!("{offer}\n")
    }

    fn needs(&mut self) -> String {
        let mut lines = Vec::new();
        let mut left = self.size.needed;
        while left > 0 {
            let units = if self.dice.below(12) == 0 { 2 + self.dice.below(4) } else { 1 }.min(left);
            left -= units;
            let (kind, code, level, scope) = RESOURCES[self.dice.place(RESOURCES.len())];
            let resource = json!({ "kind": kind, "code": code, "level": level });
            let line = self.need(lines.len(), "N", &resource, units, 0, scope);
            lines.push(line);
        }
        for number in 0..usize::try_from(self.size.cases).unwrap_or(0) {
            let specialty = SPECIALTIES[self.dice.place(SPECIALTIES.len())];
            let resource = json!({ "kind": "THEATRE", "code": "MAIN", "specialties": [specialty] });
            // Mostly short operations, some long ones.
            let minutes = 20 + 5 * self.dice.below(14) + 5 * self.dice.below(14) * (self.dice.below(4) / 3);
            let line = self.need(number, "C", &resource, 1, minutes, "EPISODE_ONLY");
            lines.push(line);
        }
        lines.concat()
    }

    fn need(
        &mut self,
        number: usize,
        letter: &str,
        resource: &Value,
        units: u32,
        minutes: u32,
        scope: &str,
    ) -> String {
        let trust = trust(self.dice.below(self.size.trusts));
        let band = self.dice.place(BANDS.len());
        let requires: Vec<&str> = CAPABILITIES.into_iter().filter(|_| self.dice.below(8) == 0).collect();
        let waited = 1 + self.dice.below(WAITS[band]);
        let earliest = self.dice.below(24 * DAYS / 2);
        let needed_by = earliest + 48 + self.dice.below(96);
        let listed = self.at.saturating_sub(SignedDuration::from_hours(i64::from(waited)));
        let need = json!({
            "id": format!("{letter}{number:06}"), "case_ref": format!("REF-{letter}{number:06}"),
            "trust": trust, "site": format!("{trust}01"), "resource": resource, "units": units, "minutes_per_case": minutes,
            "priority": BANDS[band], "listed_at": listed.unwrap_or(self.at).to_string(),
            "earliest": self.hours(earliest), "needed_by": self.hours(needed_by),
            "requires": requires, "max_travel_minutes": 45 + 15 * self.dice.below(6), "imd_decile": 1 + self.dice.below(10),
            "reason": "CAPACITY", "scope": scope, "state": "OPEN",
        });
        format!("{need}\n")
    }

    /// So many hours after now.
    fn hours(&self, hours: u32) -> String {
        let later = self.at.saturating_add(SignedDuration::from_hours(i64::from(hours)));
        later.unwrap_or(self.at).to_string()
    }
}

/// SplitMix64: a small generator that needs no more than a seed, since what it draws need only look drawn.
///
/// Source: Steele, Lea and Flood, Fast splittable pseudorandom number generators, 2014.
#[derive(Debug, Clone)]
pub struct Dice(pub u64);

impl Dice {
    /// Returns the next 64 bits.
    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Returns a position in a list of so many; 0 if the list is empty.
    pub fn place(&mut self, count: usize) -> usize {
        self.below(u32::try_from(count).unwrap_or(u32::MAX)) as usize
    }

    /// Returns a number below `end`, or 0 if there is none.
    pub fn below(&mut self, end: u32) -> u32 {
        // The high half of a product of 32 bits each is below `end`, and as even as 32 bits can be.
        u32::try_from(((self.draw() >> 32) * u64::from(end)) >> 32).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input;
    use fallow_domain::matching::solve::Prepared;

    const SIZE: Size = Size { trusts: 20, needed: 300, offered: 400, cases: 60, sessions: 12 };

    fn at() -> Timestamp {
        "2026-11-24T08:00:00Z".parse().unwrap()
    }

    #[test]
    fn the_same_seed_gives_the_same_files_and_another_seed_others() {
        assert_eq!(invent(SIZE, 1, at(), 0), invent(SIZE, 1, at(), 0));
        assert_ne!(invent(SIZE, 1, at(), 0).needs, invent(SIZE, 2, at(), 0).needs);
    }

    #[test]
    fn every_line_is_read_and_the_day_gives_the_engine_work() {
        let folder = tempfile::tempdir().unwrap();
        invent(SIZE, 1, at(), 3).write(folder.path()).unwrap();
        let problem = input::read(folder.path(), at()).unwrap();
        let wanted: u32 = problem.needs.iter().map(|need| need.units_wanted().get()).sum();
        assert_eq!((wanted, problem.region.policy.fair_step), (300 + 60, 3));
        let prepared = Prepared::new(&problem);
        let plan = prepared.solve(&problem, None, 0, 0, &mut || false);
        assert!(plan.allocations.len() > 100 && plan.unserved.len() > 20, "too easy or too hard");
        assert!(prepared.network().stores.iter().any(|store| store.fairness.is_some()));
    }
}
