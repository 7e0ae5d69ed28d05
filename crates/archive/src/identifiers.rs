//! Whether anything that an archive holds could identify a patient.
//!
//! Texts are refused at every entrance before they are kept; this looks at what was kept all the same: every text of every
//! record and of every cause, and the names of the records. What machines make is left out, for a row of ten digits passes
//! the check of an NHS number once in eleven times by chance: ids in the shape of a UUID, digests and traces of 32 or more
//! hexadecimal digits, texts that are a time and nothing else, and what a credential calls its holder. What is found is told by its place, and
//! never repeated.
//!
//! A text is judged by the day on which it was first written: a date that was near then is no date of birth later.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use fallow_identifiers::{Rule, Source, find_in};
use fallow_ledger::cause::Cause;
use fallow_ledger::state::State;
use fallow_ledger::{Change, Key, RecordKind, Revision};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Fields of an actor that hold no text of a person: who and what the credential names.
const NAMED: [&str; 3] = ["session", "sid", "subject"];
/// Fields that every actor has.
const ACTOR: [&str; 3] = ["kind", "role", "subject"];
/// The field of a cause that holds the trace of its request.
const TRACE: &str = "traceparent";
/// What stands in the place of a record's name for what is no record.
const CAUSE: &str = "cause";
/// Names of organisations and places, which may be called after a person.
const PLACES: [&str; 2] = ["name", "names"];
/// Keys that systems number as they like, nine figures among them, as passports have.
const KEYS: [&str; 6] = ["case_ref", "case_refs", "cost_centre", "feed", "funding_route", "source_key"];
/// The field that holds a region file, and the one within it that holds the number of a desk.
const FILE: &str = "toml";
const PHONE: &str = "phone";
/// A made-up word in the place of what a machine made: digits before and after it are no one number.
const LEFT_OUT: &str = " made ";

/// A text that could identify a patient.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspicion {
    /// The change that wrote it; of a snapshot, its revision.
    pub revision: Revision,
    /// The record, without what follows the first blank or the second slash of its name; `cause` of what is no record.
    pub record: String,
    /// The field, with dots between those within one another.
    pub field: String,
    /// What it is suspected of.
    pub rule: Rule,
}

impl fmt::Display for Suspicion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { revision, record, field, rule } = self;
        write!(f, "revision {revision}, {record}, {field}: looks like {}", rule.words())
    }
}

/// A look at an archive, from its first change to its last.
#[derive(Debug, Default)]
pub struct Look {
    /// Texts that were looked at, by their hashes: each is judged once.
    seen: HashSet<u64>,
    /// How many texts were looked at.
    texts: u64,
    found: Vec<Suspicion>,
}

impl Look {
    /// Looks at what a change wrote.
    pub fn change(&mut self, change: &Change) {
        let cause = Cause::decode(&change.cause);
        let at = cause.map_or(Timestamp::UNIX_EPOCH, |cause| cause.at);
        let mut walk = Walk { look: self, revision: change.revision, today: day(at), source: Source::Note };
        if at == Timestamp::UNIX_EPOCH {
            // Nobody knows when: no date is near, and none is judged.
            walk.source = Source::Remark;
        }
        walk.body(CAUSE, &change.cause);
        for (key, body) in &change.writes {
            walk.record(key, body.as_deref());
        }
    }

    /// Looks at a snapshot. Nobody knows when its texts were written, so that dates count only beside "born".
    pub fn snapshot(&mut self, state: &State) {
        let mut walk = Walk {
            look: self,
            revision: state.revision(),
            today: day(Timestamp::UNIX_EPOCH),
            source: Source::Remark,
        };
        for record in state.records() {
            walk.record(&record.key, Some(&record.body));
        }
    }

    /// Returns what was found, in the order of the archive, and how many different texts were looked at.
    #[must_use]
    pub fn end(self) -> (Vec<Suspicion>, u64) {
        (self.found, self.texts)
    }
}

fn day(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::UTC).date()
}

/// A look at one change.
struct Walk<'a> {
    look: &'a mut Look,
    revision: Revision,
    today: Date,
    source: Source,
}

impl Walk<'_> {
    fn record(&mut self, key: &Key, body: Option<&[u8]>) {
        let name = key.to_string();
        let told = told(&name);
        // The name of a session is its credential's, and of who broke glass, theirs.
        if key.kind != RecordKind::Session && !name.starts_with("claim/override/") {
            // A code of ours that ends in a figure is no part of the trust's own key behind it.
            let (ours, theirs) = name.split_once(' ').unwrap_or((&name, ""));
            for part in ours.split('/').chain(Some(theirs)) {
                self.judge(&told, "its name", part, true, self.source);
            }
        }
        if let Some(body) = body {
            self.body(&told, body);
        }
    }

    fn body(&mut self, record: &str, body: &[u8]) {
        match serde_json::from_slice(body) {
            Ok(value) => self.value(record, "", &value, ""),
            // What is no JSON is looked at as it is.
            Err(_) => self.text(record, "", &String::from_utf8_lossy(body), ""),
        }
    }

    fn value(&mut self, record: &str, path: &str, value: &Value, field: &str) {
        match value {
            Value::Object(fields) => {
                let is_actor = ACTOR.iter().all(|field| fields.contains_key(*field));
                for (name, value) in fields {
                    let is_named = is_actor && NAMED.contains(&name.as_str());
                    let is_trace = record == CAUSE && path.is_empty() && name == TRACE;
                    if value.is_string() && (is_named || is_trace) {
                        continue;
                    }
                    let dot = if path.is_empty() { "" } else { "." };
                    // A name may be a text itself, in a table by labels. It is not told: it may be what was found.
                    self.text(record, &format!("{path}{dot}(a name)"), name, "");
                    self.value(record, &format!("{path}{dot}{}", plain_name(name)), value, name);
                }
            }
            Value::Array(items) => {
                for (place, item) in items.iter().enumerate() {
                    self.value(record, &format!("{path}[{place}]"), item, field);
                }
            }
            Value::String(text) if field == FILE => self.file(record, path, text),
            Value::String(text) => match serde_json::from_str::<Value>(text) {
                // A report that was signed is kept as it was written: as a text of JSON.
                Ok(inner @ (Value::Object(_) | Value::Array(_))) => self.value(record, path, &inner, field),
                Ok(_) | Err(_) => self.text(record, path, text, field),
            },
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Looks at a region file: at every text in it, and at its remarks. The telephones in it are those of desks. A date in
    /// it may be of any year, so that dates count only beside "born".
    fn file(&mut self, record: &str, path: &str, text: &str) {
        let usual = std::mem::replace(&mut self.source, Source::Remark);
        match toml::from_str::<Value>(text) {
            Ok(mut file) => {
                without_phones(&mut file);
                self.value(record, path, &file, "");
                for (number, line) in (1..).zip(text.lines()) {
                    // A hash within quotes begins no remark, but what follows it may hold one.
                    if let Some((_, remark)) = line.split_once('#') {
                        self.judge(record, &format!("{path} line {number}"), remark, false, Source::Remark);
                    }
                }
            }
            // What is no region file is looked at as it is.
            Err(_) => self.text(record, path, text, ""),
        }
        self.source = usual;
    }

    fn text(&mut self, record: &str, path: &str, text: &str, field: &str) {
        let source = if PLACES.contains(&field) { Source::PlaceName } else { self.source };
        self.judge(record, path, text, KEYS.contains(&field), source);
    }

    fn judge(&mut self, record: &str, path: &str, text: &str, is_key: bool, source: Source) {
        let text = without_made(text);
        let mut hasher = DefaultHasher::new();
        (&text, is_key, source).hash(&mut hasher);
        if !self.look.seen.insert(hasher.finish()) {
            return;
        }
        self.look.texts += 1;
        let Some(found) = find_in(&text, source, self.today) else { return };
        let is_figures = || {
            let (start, length) = (found.chars.start, found.chars.len());
            text.chars().skip(start).take(length).all(|c| c.is_ascii_digit())
        };
        if is_key && found.rule == Rule::Passport && is_figures() {
            return;
        }
        let (revision, rule) = (self.revision, found.rule);
        let (record, field) = (record.to_owned(), path.to_owned());
        self.look.found.push(Suspicion { revision, record, field, rule });
    }
}

/// Returns the beginning of a record's name that Fallow made: what follows may be a key of a trust's, which is not told.
fn told(name: &str) -> String {
    let first = name.split(' ').next().unwrap_or_default();
    first.splitn(3, '/').take(2).collect::<Vec<_>>().join("/")
}

/// Returns a field's name when it is one of ours, made of small letters and underscores.
fn plain_name(name: &str) -> &str {
    let is_ours = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_ours { name } else { "(a name)" }
}

/// Takes the numbers of desks out of a region file.
fn without_phones(file: &mut Value) {
    match file {
        Value::Object(fields) => {
            fields.retain(|name, value| name != PHONE || !value.is_string());
            fields.values_mut().for_each(without_phones);
        }
        Value::Array(items) => items.iter_mut().for_each(without_phones),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Returns a text without what machines make. A time is left out where it is the whole text: within one, it may be a
/// patient's.
fn without_made(text: &str) -> String {
    if time(text) == Some(text.len()) {
        return LEFT_OUT.to_owned();
    }
    let mut left = String::with_capacity(text.len());
    let mut rest = text;
    let mut before: Option<char> = None;
    while let Some(c) = rest.chars().next() {
        let at_edge = before.is_none_or(|before| !before.is_ascii_alphanumeric());
        let made = [uuid(rest), digest(rest)].into_iter().flatten().max().filter(|_| at_edge);
        if let Some(length) = made {
            left.push_str(LEFT_OUT);
            rest = &rest[length..];
            before = None;
        } else {
            left.push(c);
            rest = &rest[c.len_utf8()..];
            before = Some(c);
        }
    }
    left
}

/// Says whether a text ends here, or goes on with what is no letter or digit.
fn ends(rest: &str) -> bool {
    rest.chars().next().is_none_or(|c| !c.is_alphanumeric())
}

/// Returns how many bytes the UUID has with which a text begins.
fn uuid(text: &str) -> Option<usize> {
    const LENGTH: usize = 36;
    let (id, rest) = text.split_at_checked(LENGTH)?;
    let fits = |(place, byte): (usize, u8)| match place {
        8 | 13 | 18 | 23 => byte == b'-',
        _ => byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte),
    };
    (id.bytes().enumerate().all(fits) && ends(rest)).then_some(LENGTH)
}

/// Returns how many bytes the digest has with which a text begins. One of figures alone is none.
fn digest(text: &str) -> Option<usize> {
    const SHORTEST: usize = 32;
    let is_hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let length = text.find(|c| !is_hex(c)).unwrap_or(text.len());
    let (digest, rest) = text.split_at(length);
    let kinds: BTreeSet<bool> = digest.chars().map(|c| c.is_ascii_digit()).collect();
    (length >= SHORTEST && kinds.len() == 2 && ends(rest)).then_some(length)
}

/// Returns how many bytes the time has with which a text begins, such as `2026-11-24T08:00:00.5Z`.
fn time(text: &str) -> Option<usize> {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00";
    let (head, rest) = text.split_at_checked(SHAPE.len())?;
    let fits = |(byte, shape): (u8, &u8)| if *shape == b'0' { byte.is_ascii_digit() } else { byte == *shape };
    if !head.bytes().zip(SHAPE).all(fits) {
        return None;
    }
    let fraction = rest
        .strip_prefix('.')
        .map_or(0, |rest| 1 + rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len());
    rest[fraction..].starts_with('Z').then_some(SHAPE.len() + fraction + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_machines_make_is_left_out_and_nothing_else() {
        let made = |text: &str| without_made(text);
        assert_eq!(made("offer/01999434-7659-7190-8000-943476591900 x"), "offer/ made  x");
        assert_eq!(made("2026-11-24T08:00:00.123Z"), LEFT_OUT);
        assert_eq!(made("sha256:9434765919ab9434765919ab9434765919ab"), "sha256: made ");
        for text in [
            "9434765919",
            "94347659199434765919943476591994347659",
            "01999434-7659-7190-8000-94347659190",
            "x01999434-7659-7190-8000-943476591900",
            "01999434-7659-7190-8000-9434765919001",
            "2026-11-24",
            "DOB 1948-03-12T00:00:00Z",
            "1948-03-12T00:00:00Z is when",
            "9434765919ab",
        ] {
            assert_eq!(made(text), text);
        }
    }

    #[test]
    fn a_place_is_told_without_what_a_trust_has_chosen() {
        assert_eq!(told("claim/offer/ZA1/9434765919"), "claim/offer");
        assert_eq!(told("claim/need/ZA1/BED/GA_ADULT 943 476 5919"), "claim/need");
        assert_eq!(told("offer/0199"), "offer/0199");
        assert_eq!((plain_name("case_ref"), plain_name("9434765919")), ("case_ref", "(a name)"));
    }
}
