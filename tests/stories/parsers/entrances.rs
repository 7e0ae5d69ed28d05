//! Every parser of what comes from outside, as a function of bytes: the fast ring feeds them spoiled documents, and the
//! fuzzer (`cargo xtask fuzz`) what it finds. None may panic, whatever it is given, nor repeat itself for ever.

use std::sync::LazyLock;

use bytes::Bytes;
use fallow_api::{json, v1};
use fallow_archive::entry::Entry;
use fallow_archive::proof::Proof;
use fallow_domain::ids::RegionId;
use fallow_domain::region::{Region, file};
use fallow_host::clock::Clock;
use fallow_host::identity::{Signer, SigningKey, Verifier};
use fallow_host::rights::CALLS;
use fallow_host::texts;
use fallow_ledger::cause::Cause;
use fallow_ledger::record::Record;
use fallow_ledger::{Cursor, RecordKind};
use fallow_live::pages::PageKey;
use fallow_tabular::sheet::{needs, offers};
use fallow_tabular::{Format, Local, Mapping};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A parser and its name.
pub(crate) type Entrance = (&'static str, fn(&[u8]));

/// All of them.
pub(crate) const ALL: &[Entrance] = &[
    ("region_file", region_file),
    ("scenario", scenario),
    ("identifiers", identifiers),
    ("csv", csv),
    ("workbook", workbook),
    ("json_lines", json_lines),
    ("mapping", mapping),
    ("token", token),
    ("record", record),
    ("cursor", cursor),
    ("message", message),
    ("proof", proof),
    ("archive_entry", archive_entry),
];

static REGION: LazyLock<Region> = LazyLock::new(|| {
    let toml = include_str!("../../../regions/north-vale.toml");
    file::parse(toml).expect("the region of the demonstration")
});

fn now() -> Timestamp {
    "2026-11-24T08:00:00Z".parse().unwrap_or(Timestamp::UNIX_EPOCH)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Region files, with the policy in them.
pub(crate) fn region_file(bytes: &[u8]) {
    drop(file::parse(&text(bytes)));
}

/// What-ifs, as the command line reads them.
pub(crate) fn scenario(bytes: &[u8]) {
    if let Ok(asked) = json::from_str::<v1::SimulateRequest>(&text(bytes)) {
        drop(fallow_api::convert::simulate::changes(&asked.changes, &REGION));
    }
}

/// Texts, held against what could identify a patient: alone, and with one that follows.
pub(crate) fn identifiers(bytes: &[u8]) {
    let (whole, today) = (text(bytes), now().to_zoned(TimeZone::UTC).date());
    drop(fallow_identifiers::find(&whole, today));
    let middle = (0..=whole.len() / 2).rev().find(|place| whole.is_char_boundary(*place)).unwrap_or(0);
    let (first, second) = whole.split_at(middle);
    drop(fallow_identifiers::find_split(first, second, today));
}

fn sheet(bytes: &[u8], format: Format) {
    let local = Local { now: now(), zone: TimeZone::UTC };
    drop(offers(bytes, format, &Mapping::default(), &local));
    drop(needs(bytes, format, &Mapping::default(), &local));
}

/// Comma-separated sheets.
pub(crate) fn csv(bytes: &[u8]) {
    sheet(bytes, Format::Csv);
}

/// Workbooks of a spreadsheet.
pub(crate) fn workbook(bytes: &[u8]) {
    sheet(bytes, Format::Xlsx);
}

/// Files of JSON lines.
pub(crate) fn json_lines(bytes: &[u8]) {
    sheet(bytes, Format::JsonLines);
}

/// Maps from another system's sheet.
pub(crate) fn mapping(bytes: &[u8]) {
    drop(Mapping::parse(&text(bytes)));
}

/// Credentials: what is no token of ours is refused, and nothing else is.
pub(crate) fn token(bytes: &[u8]) {
    static VERIFIER: LazyLock<Verifier> = LazyLock::new(|| {
        let key = SigningKey::generate().expect("a key");
        let signer = Signer::new(key, "fallow", "fallow", Clock::system());
        let region = RegionId::parse("north-vale").expect("a name");
        Verifier::new(signer.key_set(), ("fallow", "fallow"), region, 10, Clock::system())
    });
    assert!(VERIFIER.verify(&text(bytes)).is_err(), "nobody has signed this");
}

/// Records as the ledger keeps them, and why they were written.
pub(crate) fn record(bytes: &[u8]) {
    for kind in RecordKind::ALL {
        if let Ok(read) = Record::decode(kind, bytes) {
            assert_eq!(Record::decode(kind, &read.encode()), Ok(read), "what is written is read again");
        }
    }
    drop(Cause::decode(bytes));
}

/// Cursors of watches, and tokens of pages.
pub(crate) fn cursor(bytes: &[u8]) {
    let text = text(bytes);
    if let Ok(cursor) = text.parse::<Cursor>() {
        assert_eq!(cursor.to_string().parse(), Ok(cursor), "what is written is read again");
    }
    let forged = PageKey::new(b"of this test").page(10, &text, "ListOffers");
    assert_eq!(forged.is_ok(), text.is_empty(), "nobody has made this token");
}

/// Messages of every call, as the look at their texts reads them before anything else does. The first byte says which.
pub(crate) fn message(bytes: &[u8]) {
    let Some((which, message)) = bytes.split_first() else { return };
    let call = &CALLS[usize::from(*which) % CALLS.len()];
    drop(texts::check(call.path, message, now()));
}

/// Proofs that an operator gives to a trust: nothing is believed that no key has signed.
pub(crate) fn proof(bytes: &[u8]) {
    if let Ok(proof) = Proof::read(&text(bytes)) {
        assert!(proof.check(&[]).is_err(), "nobody has signed this");
    }
}

/// Bodies of the records of an archive.
pub(crate) fn archive_entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::decode(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(entry.encode(), bytes, "what is written is read again");
    }
}
