//! The texts of a message, held against what could identify a patient, before a handler sees them.
//!
//! The contract itself says where texts are: every string of every request is looked at unless its field is known to be
//! parsed as something else, so that a field which is added tomorrow is looked at from its first day. What was sent is
//! repeated nowhere: the caller is told field, rule and place, the metric the rule, and the log how many
//! there were.

use std::collections::BTreeMap;
use std::sync::LazyLock;

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
    Message(String),
}

struct Contract {
    /// Messages by full name.
    messages: BTreeMap<String, Shape>,
    /// The message that each call takes, by path.
    requests: BTreeMap<String, String>,
}

static CONTRACT: LazyLock<Contract> = LazyLock::new(|| Contract::of(FILE_DESCRIPTOR_SET));

/// A text of a message.
struct Text<'a> {
    path: String,
    name: &'a str,
    /// Counts the messages within the message; two texts of one stand side by side.
    record: usize,
    value: &'a str,
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
    let mut texts = Vec::new();
    let mut records = 0;
    contract.collect(request, message, (String::new(), 0), &mut records, &mut texts)?;
    let (mut wrong, today) = (Violations::new(), day(now));
    for text in &texts {
        if wrong.len() >= LISTED_MAX {
            break;
        }
        let found = find(text.value, today);
        note(&mut wrong, &text.path, found.filter(|found| !text.is_number_of_a_key(found)));
    }
    if wrong.is_empty() {
        texts.retain(|text| !text.is_area() && may_be_split(text.value));
        for (count, (first, second)) in side_by_side(&texts).enumerate() {
            if count >= PAIRS_MAX {
                return Err(too_many(&second.path, "stands among too many texts in figures"));
            }
            note(&mut wrong, &second.path, find_split(first.value, second.value, today));
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
        note(&mut wrong, &place, find_in(text, source, day(now)));
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
            note(&mut wrong, name, find(&String::from_utf8_lossy(value.as_bytes()), day(now)));
        }
    }
    refuse(wrong)
}

fn note(wrong: &mut Violations, field: &str, found: Option<Finding>) {
    let Some(finding) = found else { return };
    telemetry::record_refused_text(finding.rule.as_str());
    wrong.add(field, reasons::PATIENT_IDENTIFIER_SUSPECTED, finding.to_string());
}

fn refuse(wrong: Violations) -> Result<(), Failure> {
    if wrong.is_empty() {
        return Ok(());
    }
    telemetry::log_refused_texts(wrong.len());
    Err(wrong.into())
}

fn too_many(path: &str, text: &str) -> Failure {
    Violations::one(path, reasons::TOO_MANY, text).into()
}

/// Returns the day; an hour of difference to London's is nothing to dates of 30 days ago and 400 ahead.
fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Returns the pairs of texts over which one number may be split: those of one record in either order, and those that
/// follow one another in a list. Pairs are made one at a time: a list of texts has the square of its length of them.
fn side_by_side<'a>(texts: &'a [Text<'a>]) -> impl Iterator<Item = (&'a Text<'a>, &'a Text<'a>)> {
    let within = texts.chunk_by(|one, next| one.record == next.record).flat_map(|record| {
        record.iter().enumerate().flat_map(move |(at, first)| {
            let others = record[at + 1..].iter().filter(|second| !(first.is_key() && second.is_key()));
            others.flat_map(move |second| [(first, second), (second, first)])
        })
    });
    let free: Vec<&Text<'_>> = texts.iter().filter(|text| !text.is_key()).collect();
    let next: Vec<_> =
        free.windows(2).filter(|two| two[0].record != two[1].record).map(|two| (two[0], two[1])).collect();
    within.chain(next)
}

impl Text<'_> {
    fn is_key(&self) -> bool {
        KEYS.contains(&self.name)
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
        self.name == "home_area" && is_code && ["E", "N", "S", "W"].contains(&letter)
    }
}

impl Contract {
    fn of(descriptors: &[u8]) -> Self {
        let set = FileDescriptorSet::decode(descriptors).unwrap_or_default();
        let (mut messages, mut requests) = (BTreeMap::new(), BTreeMap::new());
        for file in &set.file {
            for message in &file.message_type {
                add(&mut messages, &format!(".{}", file.package()), message);
            }
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    requests.insert(path, method.input_type().to_owned());
                }
            }
        }
        Self { messages, requests }
    }

    /// Collects the texts of a message.
    ///
    /// # Errors
    /// Its bytes are no message that can be read to its end, or it has more or longer texts than any has.
    fn collect<'a>(
        &'a self,
        message: &str,
        mut bytes: &'a [u8],
        (prefix, depth): (String, usize),
        records: &mut usize,
        texts: &mut Vec<Text<'a>>,
    ) -> Result<(), Failure> {
        let Some(shape) = self.messages.get(message) else { return Ok(()) };
        if depth > DEPTH_MAX {
            return Err(malformed());
        }
        let record = *records;
        *records += 1;
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
            let count = counts.entry(number).or_default();
            let place = if field.repeated { format!("[{count}]") } else { String::new() };
            *count += 1;
            let dot = if prefix.is_empty() { "" } else { "." };
            let path = format!("{prefix}{dot}{}{place}", field.name);
            match &field.holds {
                Holds::Text => {
                    let value = std::str::from_utf8(value).map_err(|_| malformed())?;
                    let text = Text { path, name: &field.name, record, value };
                    let (held, max) =
                        if text.is_key() { (&mut keys, KEYS_MAX) } else { (&mut others, TEXTS_MAX) };
                    *held += 1;
                    if *held > max {
                        return Err(too_many(&text.path, &format!("is one of more than {max} texts")));
                    }
                    let bytes_max = if text.name == FILE_PIECE.0 { FILE_PIECE.1 } else { TEXT_BYTES_MAX };
                    if value.len() > bytes_max {
                        let said = format!("has {} bytes, of which {bytes_max} are the most", value.len());
                        return Err(Violations::one(text.path, reasons::BAD_TEXT, said).into());
                    }
                    texts.push(text);
                }
                Holds::Message(name) => within.push((name, value, path)),
            }
        }
        for (name, value, path) in within {
            self.collect(name, value, (path, depth + 1), records, texts)?;
        }
        Ok(())
    }
}

fn add(messages: &mut BTreeMap<String, Shape>, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    for nested in &message.nested_type {
        add(messages, &name, nested);
    }
    let mut shape = Shape::default();
    for field in &message.field {
        let is_looked_at = !PARSED.contains(&field.name()) || (name.as_str(), field.name()) == TEAM_NEEDS;
        let kind = field.r#type();
        let holds = if kind == Type::String && is_looked_at {
            Holds::Text
        } else if kind == Type::Message {
            Holds::Message(field.type_name().to_owned())
        } else {
            continue;
        };
        let Ok(number) = u32::try_from(field.number()) else { continue };
        let repeated = field.label() == prost_types::field_descriptor_proto::Label::Repeated;
        shape.fields.insert(number, Field { name: field.name().to_owned(), repeated, holds });
    }
    messages.insert(name, shape);
}

#[cfg(test)]
mod tests;
