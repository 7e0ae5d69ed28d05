//! Files that mean harm.

use std::io::{Cursor, Write};

use proptest::prelude::*;
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::london;
use crate::{BadFile, Format, Table, WORKBOOK_BYTES_MAX, rows, write};

fn read(bytes: &[u8]) -> Result<usize, BadFile> {
    rows(bytes, Format::Xlsx, Table::Offers, &london()).map(|rows| rows.len())
}

fn workbook() -> Vec<u8> {
    let offer = fallow_api::v1::Offer { site: "ZA401".into(), note: "a note".into(), ..Default::default() };
    write::xlsx(&[offer], Table::Offers, &london()).unwrap()
}

/// Packs a workbook again with its parts changed.
fn changed(change: impl Fn(&str, Vec<u8>) -> Vec<u8>) -> Vec<u8> {
    let mut from = ZipArchive::new(Cursor::new(workbook())).unwrap();
    let mut to = ZipWriter::new(Cursor::new(Vec::new()));
    for index in 0..from.len() {
        let mut part = from.by_index(index).unwrap();
        let name = part.name().unwrap().into_owned();
        let mut bytes = Vec::new();
        std::io::Read::read_to_end(&mut part, &mut bytes).unwrap();
        to.start_file(&*name, SimpleFileOptions::default()).unwrap();
        to.write_all(&change(&name, bytes)).unwrap();
    }
    to.finish().unwrap().into_inner()
}

fn replaced(part: &'static str, from: &'static str, to: &'static str) -> Vec<u8> {
    let bytes = changed(|name, bytes| {
        let text = String::from_utf8(bytes).unwrap();
        if name.ends_with(part) { text.replace(from, to).into_bytes() } else { text.into_bytes() }
    });
    assert_ne!(bytes.len(), 0);
    bytes
}

#[test]
fn a_workbook_that_is_packed_again_is_still_one() {
    assert_eq!(read(&changed(|_, bytes| bytes)), Ok(1));
}

#[test]
fn what_unpacks_to_too_much_is_refused_before_it_is_kept() {
    let bomb = changed(|name, mut bytes| {
        if name.ends_with("sheet1.xml") {
            bytes.resize(70 << 20, b' ');
        }
        bytes
    });
    assert!(bomb.len() < 1 << 20, "the bomb has {} bytes", bomb.len());
    assert_eq!(read(&bomb), Err(BadFile::TooLarge("unpacks to more than 64 MB".to_owned())));
}

#[test]
fn a_promise_of_strings_makes_no_room_for_them() {
    let bytes = replaced("sharedStrings.xml", "uniqueCount=\"", "uniqueCount=\"9999999999999999");
    let said = read(&bytes).unwrap_err().to_string();
    assert!(said.contains("announces 9999999999999999"), "{said}");
}

#[test]
fn a_long_text_that_every_cell_shares_is_not_copied_for_each() {
    let filled = |length: usize, rows: usize| {
        let note = "n".repeat(length);
        let offer = fallow_api::v1::Offer { site: "ZA401".into(), note, ..Default::default() };
        write::xlsx(&vec![offer; rows], Table::Offers, &london()).unwrap()
    };
    let said = read(&filled(30_000, 200)).unwrap_err().to_string();
    assert!(said.contains("has 30000 bytes of text in its cell"), "{said}");
    let shared = filled(3_900, 2_500);
    assert!(shared.len() < 1 << 20, "the workbook has {} bytes", shared.len());
    assert_eq!(read(&shared), Err(BadFile::TooLarge("has more than 8 MB of text in its cells".to_owned())));
    assert_eq!(read(&filled(3_900, 200)), Ok(200));
}

#[test]
fn a_cell_far_away_makes_no_room_for_those_between() {
    let bytes = replaced("sheet1.xml", "r=\"D2\"", "r=\"XFD1048576\"");
    let said = read(&bytes).unwrap_err().to_string();
    assert!(said.contains("has more than 20000 rows, 200 columns"), "{said}");
}

#[test]
fn what_is_no_workbook_says_so() {
    for bytes in [&b""[..], b"PK", b"site,resource\nZA401,bed/cc_adult/2\n", &[0xD0, 0xCF, 0x11, 0xE0]] {
        let said = read(bytes).unwrap_err().to_string();
        assert!(said.contains("not a workbook that can be read") && said.contains("save it again"), "{said}");
    }
    let said = read(&vec![b'P'; WORKBOOK_BYTES_MAX + 1]).unwrap_err().to_string();
    assert!(said.contains("a workbook has at most 5242880"), "{said}");
    let wide = changed(|name, bytes| match name.ends_with("sheet1.xml") {
        true => String::from_utf8(bytes).unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect(),
        false => bytes,
    });
    assert_eq!(read(&wide), Err(BadFile::NotAWorkbook("its XML is not UTF-8".to_owned())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Whatever a damaged workbook is, reading it ends with rows or with a word.
    #[test]
    fn damaged_workbooks_never_end_the_process(
        part in 0_usize..12,
        at in any::<prop::sample::Index>(),
        with in prop::collection::vec(any::<u8>(), 1..6),
    ) {
        let parts = std::cell::Cell::new(0);
        let bytes = changed(|_, mut bytes| {
            let number = parts.replace(parts.get() + 1);
            if number == part && !bytes.is_empty() {
                let start = at.index(bytes.len());
                let end = (start + with.len()).min(bytes.len());
                bytes[start..end].copy_from_slice(&with[..end - start]);
            }
            bytes
        });
        let _ = read(&bytes);
    }
}
