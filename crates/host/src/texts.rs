//! The texts of a message, held against what could identify a patient, before a handler sees them.
//!
//! The contract itself says where texts are: every string of every request is looked at unless its field is known to be
//! parsed as something else, so that a field which is added tomorrow is looked at from its first day. What was sent is
//! repeated nowhere: the caller is told field, rule and place, the metric the rule, and the log how many
//! there were.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::num::NonZeroUsize;
use std::sync::{LazyLock, Mutex, MutexGuard, PoisonError};

use bytes::Buf;
use fallow_api::status::Failure;
use fallow_api::violation::{LISTED_MAX, Violations};
use fallow_api::{FILE_DESCRIPTOR_SET, reasons};
pub use fallow_identifiers::Source;
use fallow_identifiers::{Finding, Rule, find, find_in, find_split, may_be_split};
use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use lru::LruCache;
use prost::Message;
use prost::encoding::{DecodeContext, WireType, decode_key, decode_varint, skip_field};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

use crate::telemetry;
use crate::wire::malformed;

/// Fields that are parsed as something that cannot hold a text, by name: ids of records that we gave, codes of a list or
/// an ODS shape, signed tokens and what goes with them, telephones of desks, paths of fields, and files whose own parser looks at what is text in them.
const PARSED: [&str; 52] = [
    "access_token",
    "action",
    "after_trust",
    "agreement",
    "alert",
    "before_trust",
    "close_site",
    "code",
    "codes",
    "collaborative",
    "cursor",
    "feed_returns",
    "for_trust",
    "from_site",
    "home_phone",
    "home_trust",
    "id",
    "id_token",
    "ids",
    "lead",
    "logout_token",
    "members",
    "need",
    "needs",
    "nonce",
    "ods",
    "offer",
    "offers",
    "page_token",
    "paths",
    "phone",
    "policy_toml",
    "proposal",
    "proposals",
    "region",
    "request_id",
    "role",
    "roles",
    "shared_with",
    "site",
    "sites",
    "specialties",
    "subjects",
    "supporting_phone",
    "supporting_trust",
    "to_site",
    "token",
    "toml",
    "transfer",
    "transfers",
    "trust",
    "trusts",
];

/// Keys that trusts number as they like. Two of them side by side are two keys, and no number that was split.
const KEYS: [&str; 6] = ["case_ref", "case_refs", "cost_centre", "feed", "funding_route", "source_key"];

/// Field of a team's roles, which are free labels although the fields of that name elsewhere are ids.
const TEAM_NEEDS: (&str, &str) = (".fallow.v1.Team", "needs");

/// Most texts of one record besides keys; the longest list of labels has 50.
const TEXTS_MAX: usize = 200;
/// Most keys of one record, as a filter may name.
const KEYS_MAX: usize = 1_000;
/// Most pairs of texts of one message that are looked at; a thousand offers with a key, a note and some labels in
/// figures have a tenth.
const PAIRS_MAX: usize = 100_000;
/// Most bytes of a text: several times what any field takes.
const TEXT_BYTES_MAX: usize = 4 * 1024;
/// The one field that takes a piece of a file as a text, and its bytes.
const FILE_PIECE: (&str, usize) = ("alerts_toml", 16 * 1024);

/// Headers that are not texts of the caller's: of HTTP, gRPC, tracing, proxies and credentials. An `x-request-id` that
/// is not plain is replaced.
const PROTOCOL_HEADERS: [&str; 17] = [
    "accept",
    "accept-encoding",
    "authorization",
    "baggage",
    "content-length",
    "content-type",
    "date",
    "forwarded",
    "te",
    "traceparent",
    "tracestate",
    "user-agent",
    "via",
    "x-amzn-trace-id",
    "x-real-ip",
    "x-request-id",
    "x-request-start",
];

/// How families of such headers begin.
const PROTOCOL_PREFIXES: [&str; 3] = ["grpc-", "x-b3-", "x-forwarded-"];

/// Most texts of which it is remembered that they are harmless, the latest met, and the longest such, in bytes: 2 MiB of them
/// all together at the very worst.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(8_192).unwrap();
const REMEMBERED_BYTES_MAX: usize = 64;

/// Deepest nesting of messages that is followed; deeper ones are refused as malformed when they are read.
const DEPTH_MAX: usize = 32;

/// A message of the contract, as far as texts go.
#[derive(Default)]
struct Shape {
    fields: BTreeMap<u32, Field>,
}

struct Field {
    name: String,
    repeated: bool,
    holds: Holds,
}

enum Holds {
    Text,
    /// A message, by its place in the contract.
    Message(usize),
}

struct Contract {
    messages: Vec<Shape>,
    /// The message that each call takes, by path.
    requests: BTreeMap<String, usize>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::of(FILE_DESCRIPTOR_SET));

/// A text of a message.
struct Text<'a> {
    field: Place<'a>,
    value: &'a str,
}

/// Where a field stands. Its path is written for those alone who are told of it.
#[derive(Clone, Copy, Default)]
struct Place<'a> {
    /// The message that it is a field of, among those within the message; two texts of one stand side by side.
    record: usize,
    name: &'a str,
    /// Its place in a list.
    at: Option<usize>,
}

/// What a message holds.
#[derive(Default)]
struct Collected<'a> {
    texts: Vec<Text<'a>>,
    /// The fields that the messages within the message are. The first is the message itself, and no field.
    records: Vec<Place<'a>>,
}

/// Refuses the message of a call when one of its texts, or two side by side, could identify a patient.
///
/// `message` is as it came over the wire.
///
/// # Errors
/// Fields with such a text, each with its rule and place; `MALFORMED_MESSAGE` where the texts cannot all be read, for
/// what is not looked at must not be stored; `TOO_MANY` and `BAD_TEXT` for more or longer texts than any field takes.
pub fn check(path: &str, message: &[u8], now: Timestamp) -> Result<(), Failure> {
    let contract = &*CONTRACT;
    let Some(request) = contract.requests.get(path) else { return Ok(()) };
    let mut held = Collected::default();
    contract.collect(*request, message, (Place::default(), 0), &mut held)?;
    let Collected { mut texts, records } = held;
    let (mut wrong, today) = (Violations::new(), day(now));
    for text in &texts {
        if wrong.len() >= LISTED_MAX {
            break;
        }
        let found = find_anew(text.value, today).filter(|found| !text.is_number_of_a_key(found));
        note(&mut wrong, || text.field.path(&records), found);
    }
    if wrong.is_empty() {
        texts.retain(|text| !text.is_area() && may_be_split(text.value));
        for (count, (first, second)) in side_by_side(&texts).enumerate() {
            if count >= PAIRS_MAX {
                return Err(too_many(second.field.path(&records), "stands among too many texts in figures"));
            }
            let found = find_split(first.value, second.value, today);
            note(&mut wrong, || second.field.path(&records), found);
            if wrong.len() >= LISTED_MAX {
                break;
            }
        }
    }
    refuse(wrong)
}

/// Refuses one item of a stream, as [`check`] does.
///
/// # Errors
/// As [`check`].
pub fn check_item(path: &str, item: &impl Message, now: Timestamp) -> Result<(), Failure> {
    check(path, &item.encode_to_vec(), now)
}

/// Refuses texts of a file, each with its place in it and what it is, as [`check`] does.
///
/// # Errors
/// As [`check`].
pub fn check_all<'a>(
    texts: impl IntoIterator<Item = (String, &'a str, Source)>,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut wrong = Violations::new();
    for (place, text, source) in texts {
        if wrong.len() >= LISTED_MAX {
            break;
        }
        note(&mut wrong, || place, find_in(text, source, day(now)));
    }
    refuse(wrong)
}

/// Says whether a text could identify a patient.
pub(crate) fn is_suspect(text: &str, now: Timestamp) -> bool {
    // What no rule can read is not let pass; the caller's connection stays.
    std::panic::catch_unwind(|| find(text, day(now)).is_some()).unwrap_or(true)
}

/// Refuses a call whose headers could identify a patient.
pub(crate) fn check_headers(headers: &HeaderMap, now: Timestamp) -> Result<(), Failure> {
    let mut wrong = Violations::new();
    for (name, value) in headers {
        let name = name.as_str();
        let of_protocol = PROTOCOL_HEADERS.contains(&name)
            || PROTOCOL_PREFIXES.iter().any(|prefix| name.starts_with(prefix));
        let is_text = !of_protocol && !name.ends_with("-bin");
        if is_text {
            let found = find(&String::from_utf8_lossy(value.as_bytes()), day(now));
            note(&mut wrong, || name.to_owned(), found);
        }
    }
    refuse(wrong)
}

/// Finds what could identify a patient in a text, as [`find`] does. A feed names the same offers again and again, and what was
/// found harmless today is so for the rest of the day. Of what was found in a text nothing is kept.
fn find_anew(text: &str, today: Date) -> Option<Finding> {
    static HARMLESS: LazyLock<Mutex<LruCache<Box<str>, Date>>> = LazyLock::new(|| {
        // Without room taken in advance: most processes see few.
        let mut known = LruCache::unbounded();
        known.resize(REMEMBERED);
        Mutex::new(known)
    });
    // Each change is whole in itself.
    let known = || -> MutexGuard<'_, _> { HARMLESS.lock().unwrap_or_else(PoisonError::into_inner) };
    let is_remembered = text.len() <= REMEMBERED_BYTES_MAX;
    if is_remembered && known().get(text) == Some(&today) {
        return None;
    }
    let found = find(text, today);
    if is_remembered && found.is_none() {
        known().put(text.into(), today);
    }
    found
}

fn note(wrong: &mut Violations, field: impl FnOnce() -> String, found: Option<Finding>) {
    let Some(finding) = found else { return };
    telemetry::record_refused_text(finding.rule.as_str());
    wrong.add(field(), reasons::PATIENT_IDENTIFIER_SUSPECTED, finding.to_string());
}

fn refuse(wrong: Violations) -> Result<(), Failure> {
    if wrong.is_empty() {
        return Ok(());
    }
    telemetry::log_refused_texts(wrong.len());
    Err(wrong.into())
}

fn too_many(path: String, text: &str) -> Failure {
    Violations::one(path, reasons::TOO_MANY, text).into()
}

/// Returns the day; an hour of difference to London's is nothing to dates of 30 days ago and 400 ahead.
fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Returns the pairs of texts over which one number may be split: those of one record in either order, and those that
/// follow one another in a list. Pairs are made one at a time: a list of texts has the square of its length of them.
fn side_by_side<'a>(texts: &'a [Text<'a>]) -> impl Iterator<Item = (&'a Text<'a>, &'a Text<'a>)> {
    let within = texts.chunk_by(|one, next| one.field.record == next.field.record).flat_map(|record| {
        record.iter().enumerate().flat_map(move |(at, first)| {
            let others = record[at + 1..].iter().filter(|second| !(first.is_key() && second.is_key()));
            others.flat_map(move |second| [(first, second), (second, first)])
        })
    });
    let free: Vec<&Text<'_>> = texts.iter().filter(|text| !text.is_key()).collect();
    let are_of_two = |two: &&[&Text<'_>]| two[0].field.record != two[1].field.record;
    let next: Vec<_> = free.windows(2).filter(are_of_two).map(|two| (two[0], two[1])).collect();
    within.chain(next)
}

impl Text<'_> {
    fn is_key(&self) -> bool {
        KEYS.contains(&self.field.name)
    }

    /// Says whether what was found is a key of nine figures alone, as systems number their rows, and as passports are.
    fn is_number_of_a_key(&self, found: &Finding) -> bool {
        let digits = self.value.bytes().all(|byte| byte.is_ascii_digit());
        self.is_key() && found.rule == Rule::Passport && digits
    }

    /// Says whether it is the code of an area, of whose eight figures none is of another number.
    fn is_area(&self) -> bool {
        let (letter, digits) = self.value.split_at_checked(1).unwrap_or_default();
        let is_code = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_digit());
        self.field.name == "home_area" && is_code && ["E", "N", "S", "W"].contains(&letter)
    }
}

impl Place<'_> {
    /// Writes the path: the fields from the message on, each with its place in a list in brackets.
    fn path(&self, records: &[Place<'_>]) -> String {
        let mut path = match self.record {
            0 => String::new(),
            record => records.get(record).map(|within| within.path(records) + ".").unwrap_or_default(),
        };
        path.push_str(self.name);
        if let Some(at) = self.at {
            // Into a text nothing fails to be written.
            let _ = write!(path, "[{at}]");
        }
        path
    }
}

impl Contract {
    fn of(descriptors: &[u8]) -> Self {
        let set = FileDescriptorSet::decode(descriptors).unwrap_or_default();
        let mut named = BTreeMap::new();
        for file in &set.file {
            for message in &file.message_type {
                add(&mut named, format!(".{}.{}", file.package(), message.name()), message);
            }
        }
        let places: BTreeMap<&str, usize> =
            named.keys().enumerate().map(|(place, name)| (name.as_str(), place)).collect();
        let mut requests = BTreeMap::new();
        for file in &set.file {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    requests.extend(places.get(method.input_type()).map(|place| (path, *place)));
                }
            }
        }
        let messages = named.iter().map(|(name, message)| Shape::of(name, message, &places)).collect();
        Self { messages, requests }
    }

    /// Collects the texts of a message.
    ///
    /// # Errors
    /// Its bytes are no message that can be read to its end, or it has more or longer texts than any has.
    fn collect<'a>(
        &'a self,
        message: usize,
        mut bytes: &'a [u8],
        (place, depth): (Place<'a>, usize),
        held: &mut Collected<'a>,
    ) -> Result<(), Failure> {
        let Some(shape) = self.messages.get(message) else { return Ok(()) };
        if depth > DEPTH_MAX {
            return Err(malformed());
        }
        let record = held.records.len();
        held.records.push(place);
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        let (mut keys, mut others) = (0, 0);
        // Texts of the message itself before those of the messages in it, so that they lie together.
        let mut within = Vec::new();
        while bytes.has_remaining() {
            let (number, wire) = decode_key(&mut bytes).map_err(|_| malformed())?;
            if wire != WireType::LengthDelimited {
                // Also groups, which no message of ours has and the reader after us skips all the same.
                skip_field(wire, number, &mut bytes, DecodeContext::default()).map_err(|_| malformed())?;
                continue;
            }
            let length = decode_varint(&mut bytes).map_err(|_| malformed())?;
            let length = usize::try_from(length).map_err(|_| malformed())?;
            let (value, rest) = bytes.split_at_checked(length).ok_or_else(malformed)?;
            bytes = rest;
            let Some(field) = shape.fields.get(&number) else { continue };
            let at = field.repeated.then(|| {
                let count = counts.entry(number).or_default();
                *count += 1;
                *count - 1
            });
            let place = Place { record, name: &field.name, at };
            match field.holds {
                Holds::Text => {
                    let value = std::str::from_utf8(value).map_err(|_| malformed())?;
                    let text = Text { field: place, value };
                    let (count, max) =
                        if text.is_key() { (&mut keys, KEYS_MAX) } else { (&mut others, TEXTS_MAX) };
                    *count += 1;
                    let path = || place.path(&held.records);
                    if *count > max {
                        return Err(too_many(path(), &format!("is one of more than {max} texts")));
                    }
                    let bytes_max = if place.name == FILE_PIECE.0 { FILE_PIECE.1 } else { TEXT_BYTES_MAX };
                    if value.len() > bytes_max {
                        let said = format!("has {} bytes, of which {bytes_max} are the most", value.len());
                        return Err(Violations::one(path(), reasons::BAD_TEXT, said).into());
                    }
                    held.texts.push(text);
                }
                Holds::Message(message) => within.push((message, value, place)),
            }
        }
        for (message, value, place) in within {
            self.collect(message, value, (place, depth + 1), held)?;
        }
        Ok(())
    }
}

/// Adds a message and those that are told of within it, by full name.
fn add<'d>(named: &mut BTreeMap<String, &'d DescriptorProto>, name: String, message: &'d DescriptorProto) {
    for nested in &message.nested_type {
        add(named, format!("{name}.{}", nested.name()), nested);
    }
    named.insert(name, message);
}

impl Shape {
    /// Takes what may hold texts out of what a message is told to be.
    fn of(name: &str, message: &DescriptorProto, places: &BTreeMap<&str, usize>) -> Self {
        let mut shape = Self::default();
        for field in &message.field {
            let is_looked_at = !PARSED.contains(&field.name()) || (name, field.name()) == TEAM_NEEDS;
            let kind = field.r#type();
            let holds = if kind == Type::String && is_looked_at {
                Holds::Text
            } else if kind == Type::Message
                && let Some(place) = places.get(field.type_name())
            {
                Holds::Message(*place)
            } else {
                continue;
            };
            let Ok(number) = u32::try_from(field.number()) else { continue };
            let repeated = field.label() == prost_types::field_descriptor_proto::Label::Repeated;
            shape.fields.insert(number, Field { name: field.name().to_owned(), repeated, holds });
        }
        shape
    }
}

#[cfg(test)]
mod tests;
