//! The texts of a message, held against what could identify a patient, before a handler sees them.
//!
//! The contract itself says where texts are: every string of every request is looked at unless its field is known to be
//! parsed as something else, so that a field which is added tomorrow is looked at from its first day. What was sent is
//! repeated nowhere: the caller is told field, rule and place, and the log the rule alone.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use bytes::Buf;
use fallow_api::status::Failure;
use fallow_api::violation::Violations;
use fallow_api::{FILE_DESCRIPTOR_SET, reasons};
use fallow_identifiers::{Finding, find, find_split};
use http::HeaderMap;
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use prost::Message;
use prost::encoding::{WireType, decode_key, decode_varint};
use prost_types::field_descriptor_proto::Type;
use prost_types::{DescriptorProto, FileDescriptorSet};

use crate::telemetry;

/// Fields that are parsed as something that cannot hold a text, by name: ids of records that we gave, codes of a list or
/// an ODS shape, signed tokens and what goes with them, telephones of desks, paths of fields, and files whose own parser looks at what is text in them.
const PARSED: [&str; 53] = [
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
    "home_area",
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

/// Headers that are not texts of the caller's: of HTTP, gRPC, tracing and credentials.
const PROTOCOL_HEADERS: [&str; 11] = [
    "accept",
    "accept-encoding",
    "authorization",
    "baggage",
    "content-length",
    "content-type",
    "date",
    "te",
    "traceparent",
    "tracestate",
    "user-agent",
];

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
/// `message` is as it came over the wire. One that cannot be read passes: whoever reads it refuses it.
///
/// # Errors
/// Every field with such a text, each with its rule and place.
pub fn check(path: &str, message: &[u8], now: Timestamp) -> Result<(), Failure> {
    let contract = &*CONTRACT;
    let Some(request) = contract.requests.get(path) else { return Ok(()) };
    let mut texts = Vec::new();
    let mut records = 0;
    // What was read before it broke off is looked at all the same.
    let _ = contract.collect(request, message, (String::new(), 0), &mut records, &mut texts);
    let mut wrong = Violations::new();
    for text in &texts {
        note(&mut wrong, &text.path, find(text.value, day(now)));
    }
    if wrong.is_empty() {
        for (first, second) in side_by_side(&texts) {
            note(&mut wrong, &second.path, find_split(first.value, second.value));
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

/// Refuses texts of a file, each with its place in it, as [`check`] does.
///
/// # Errors
/// As [`check`].
pub fn check_all<'a>(
    texts: impl IntoIterator<Item = (String, &'a str)>,
    now: Timestamp,
) -> Result<(), Failure> {
    let mut wrong = Violations::new();
    for (place, text) in texts {
        note(&mut wrong, &place, find(text, day(now)));
    }
    refuse(wrong)
}

/// Says whether a text could identify a patient.
pub(crate) fn is_suspect(text: &str, now: Timestamp) -> bool {
    find(text, day(now)).is_some()
}

/// Refuses a call whose headers could identify a patient.
pub(crate) fn check_headers(headers: &HeaderMap, now: Timestamp) -> Result<(), Failure> {
    let mut wrong = Violations::new();
    for (name, value) in headers {
        let name = name.as_str();
        let is_text =
            !name.starts_with("grpc-") && !name.ends_with("-bin") && !PROTOCOL_HEADERS.contains(&name);
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
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into()) }
}

/// Returns the day; an hour of difference to London's is nothing to dates of 30 days ago and 400 ahead.
fn day(now: Timestamp) -> Date {
    now.to_zoned(TimeZone::UTC).date()
}

/// Returns the pairs of texts over which one number may be split: those of one record in either order, and those that
/// follow one another in a list.
fn side_by_side<'a>(texts: &'a [Text<'a>]) -> Vec<(&'a Text<'a>, &'a Text<'a>)> {
    let is_key = |text: &Text<'_>| KEYS.contains(&text.name);
    let mut pairs = Vec::new();
    for record in texts.chunk_by(|one, next| one.record == next.record) {
        for (at, first) in record.iter().enumerate() {
            for second in &record[at + 1..] {
                if !(is_key(first) && is_key(second)) {
                    pairs.extend([(first, second), (second, first)]);
                }
            }
        }
    }
    let free: Vec<&Text<'_>> = texts.iter().filter(|text| !is_key(text)).collect();
    pairs.extend(free.windows(2).filter(|two| two[0].record != two[1].record).map(|two| (two[0], two[1])));
    pairs
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

    /// Collects the texts of a message; `None` when its bytes break off.
    fn collect<'a>(
        &'a self,
        message: &str,
        mut bytes: &'a [u8],
        (prefix, depth): (String, usize),
        records: &mut usize,
        texts: &mut Vec<Text<'a>>,
    ) -> Option<()> {
        let shape = self.messages.get(message)?;
        let record = *records;
        *records += 1;
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        // Texts of the message itself before those of the messages in it, so that they lie together.
        let mut within = Vec::new();
        let mut read = || -> Option<()> {
            while bytes.has_remaining() {
                let (number, wire) = decode_key(&mut bytes).ok()?;
                let length = match wire {
                    WireType::Varint => {
                        decode_varint(&mut bytes).ok()?;
                        continue;
                    }
                    WireType::ThirtyTwoBit => 4,
                    WireType::SixtyFourBit => 8,
                    WireType::LengthDelimited => usize::try_from(decode_varint(&mut bytes).ok()?).ok()?,
                    // Groups are in no message of the contract.
                    WireType::StartGroup | WireType::EndGroup => return None,
                };
                let (value, rest) = bytes.split_at_checked(length)?;
                bytes = rest;
                let Some(field) = shape.fields.get(&number).filter(|_| wire == WireType::LengthDelimited)
                else {
                    continue;
                };
                let count = counts.entry(number).or_default();
                let place = if field.repeated { format!("[{count}]") } else { String::new() };
                *count += 1;
                let dot = if prefix.is_empty() { "" } else { "." };
                let path = format!("{prefix}{dot}{}{place}", field.name);
                match &field.holds {
                    Holds::Text => {
                        let value = std::str::from_utf8(value).ok()?;
                        texts.push(Text { path, name: &field.name, record, value });
                    }
                    Holds::Message(name) => within.push((name, value, path)),
                }
            }
            Some(())
        };
        let whole = read();
        for (name, value, path) in within {
            if depth < DEPTH_MAX && self.messages.contains_key(name) {
                self.collect(name, value, (path, depth + 1), records, texts)?;
            }
        }
        whole
    }
}

fn add(messages: &mut BTreeMap<String, Shape>, scope: &str, message: &DescriptorProto) {
    let name = format!("{scope}.{}", message.name());
    for nested in &message.nested_type {
        add(messages, &name, nested);
    }
    let mut shape = Shape::default();
    for field in &message.field {
        let holds = match field.r#type() {
            Type::String if !PARSED.contains(&field.name()) => Holds::Text,
            Type::Message => Holds::Message(field.type_name().to_owned()),
            _ => continue,
        };
        let Ok(number) = u32::try_from(field.number()) else { continue };
        let repeated = field.label() == prost_types::field_descriptor_proto::Label::Repeated;
        shape.fields.insert(number, Field { name: field.name().to_owned(), repeated, holds });
    }
    messages.insert(name, shape);
}

#[cfg(test)]
mod tests {
    use fallow_api::v1;

    use super::*;

    const PUBLISH: &str = "/fallow.v1.CapacityService/PublishOffer";
    const REPLACE: &str = "/fallow.v1.CapacityService/ReplaceOffers";

    fn wrong(path: &str, message: &impl Message) -> Vec<String> {
        match check(path, &message.encode_to_vec(), "2026-11-24T08:00:00Z".parse().unwrap()) {
            Ok(()) => Vec::new(),
            Err(Failure::Invalid(wrong)) => {
                assert_eq!(wrong.reason(), reasons::PATIENT_IDENTIFIER_SUSPECTED);
                wrong.iter().map(|wrong| wrong.field.clone()).collect()
            }
            Err(other) => panic!("{other}"),
        }
    }

    fn publish(change: impl FnOnce(&mut v1::Offer)) -> v1::PublishOfferRequest {
        let mut offer =
            v1::Offer { source_key: "bay 12".into(), note: "2 HDU, ext 4471".into(), ..Default::default() };
        change(&mut offer);
        v1::PublishOfferRequest {
            request_id: "019a7b1c-9994-7659-9190-999476591400".into(),
            offer: Some(offer),
            ..Default::default()
        }
    }

    #[test]
    fn every_text_of_a_message_is_looked_at() {
        let number = || "999 476 5914".to_owned();
        assert_eq!(wrong(PUBLISH, &publish(|_| {})), [""; 0]);
        assert_eq!(wrong(PUBLISH, &publish(|o| o.note = number())), ["offer.note"]);
        assert_eq!(wrong(PUBLISH, &publish(|o| o.source_key = number())), ["offer.source_key"]);
        assert_eq!(
            wrong(PUBLISH, &publish(|o| o.capabilities = vec!["a".into(), number()])),
            ["offer.capabilities[1]"]
        );
        let both = |o: &mut v1::Offer| (o.note, o.campaign) = (number(), "Mrs Example".into());
        assert_eq!(wrong(PUBLISH, &publish(both)), ["offer.note", "offer.campaign"]);
        let items = vec![v1::Offer::default(), v1::Offer { note: number(), ..Default::default() }];
        assert_eq!(
            wrong(REPLACE, &v1::ReplaceOffersRequest { items, ..Default::default() }),
            ["items[1].note"]
        );
    }

    #[test]
    fn a_number_that_is_split_is_found_and_keys_side_by_side_are_not() {
        let split = |o: &mut v1::Offer| (o.source_key, o.note) = ("999 476".into(), "5914".into());
        assert_eq!(wrong(PUBLISH, &publish(split)), ["offer.note"]);
        let back = |o: &mut v1::Offer| (o.source_key, o.note) = ("5914".into(), "for 999 476".into());
        assert_eq!(wrong(PUBLISH, &publish(back)), ["offer.source_key"]);
        let labels = |o: &mut v1::Offer| o.capabilities = vec!["99947".into(), "65914".into()];
        assert_eq!(wrong(PUBLISH, &publish(labels)), ["offer.capabilities[1]"]);
        let items = |first: v1::Offer, second: v1::Offer| v1::ReplaceOffersRequest {
            items: vec![first, second],
            ..Default::default()
        };
        let note = |text: &str| v1::Offer { note: text.into(), ..Default::default() };
        let key = |text: &str| v1::Offer { source_key: text.into(), ..Default::default() };
        assert_eq!(wrong(REPLACE, &items(note("999 476"), note("5914"))), ["items[1].note"]);
        assert_eq!(wrong(REPLACE, &items(key("99947"), key("65914"))), [""; 0]);
    }

    #[test]
    fn what_is_said_repeats_nothing() {
        let message = publish(|o| o.note = "side room, Mrs Ada Example".into()).encode_to_vec();
        let refused = check(PUBLISH, &message, Timestamp::UNIX_EPOCH).unwrap_err().to_string();
        assert!(refused.contains("offer.note") && !refused.contains("Ada"), "{refused}");
    }

    #[test]
    fn headers_are_looked_at_but_for_those_of_the_protocol() {
        let mut headers = HeaderMap::new();
        for name in ["authorization", "traceparent", "grpc-timeout", "x-bin"] {
            headers.insert(name, "9994765914".parse().unwrap());
        }
        assert_eq!(check_headers(&headers, Timestamp::UNIX_EPOCH), Ok(()));
        headers.insert("x-case", "9994765914".parse().unwrap());
        assert!(matches!(
            check_headers(&headers, Timestamp::UNIX_EPOCH),
            Err(Failure::Invalid(wrong)) if wrong.iter().all(|wrong| wrong.field == "x-case")
        ));
    }

    #[test]
    fn the_names_that_are_left_out_are_in_order_and_everything_else_is_text() {
        assert!(PARSED.is_sorted());
        let texts = |message: &str| -> Vec<&str> {
            let fields = CONTRACT.messages[message].fields.values();
            fields
                .filter(|field| matches!(field.holds, Holds::Text))
                .map(|field| field.name.as_str())
                .collect()
        };
        for (message, fields) in [
            (".fallow.v1.Offer", &["source_key", "capabilities", "note", "campaign"][..]),
            (".fallow.v1.Need", &["case_ref", "requires", "funding_route", "cost_centre", "note"]),
        ] {
            let found = texts(message);
            assert!(fields.iter().all(|field| found.contains(field)), "{message}: {found:?}");
            assert!(!found.contains(&"id") && !found.contains(&"trust"), "{message}: {found:?}");
        }
    }
}
