//! What a workbook may hold before it is opened: it is a zip of XML, and both can be made to swell.
//!
//! Every part is unpacked once into nothing, so that no later reader meets more than was counted here.

use std::io::{Cursor, Read};

use zip::ZipArchive;

use crate::BadFile;

/// Bytes of a workbook at most. A thousand offers with every column filled take a fifth of a megabyte.
pub const WORKBOOK_BYTES_MAX: usize = 5 * 1024 * 1024;
/// Bytes of everything in a workbook at most, unpacked.
const UNPACKED_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Parts of a workbook at most: sheets, styles, drawings and what they refer to.
const PARTS_MAX: usize = 500;
/// Strings at most that a workbook may announce; room for them is made before they are read.
const STRINGS_MAX: u64 = 1_000_000;

/// Checks that a workbook is one and unpacks to no more than it may.
///
/// # Errors
/// Says which limit it breaks.
pub(crate) fn check(bytes: &[u8]) -> Result<(), BadFile> {
    if bytes.len() > WORKBOOK_BYTES_MAX {
        return Err(too_large(format!(
            "has {} bytes; a workbook has at most {WORKBOOK_BYTES_MAX}",
            bytes.len()
        )));
    }
    let broken = |error: &dyn std::fmt::Display| BadFile::NotAWorkbook(error.to_string());
    let mut zip = ZipArchive::new(Cursor::new(bytes)).map_err(|error| broken(&error))?;
    if zip.len() > PARTS_MAX {
        return Err(too_large(format!("has {} parts; a workbook has at most {PARTS_MAX}", zip.len())));
    }
    let mut left = UNPACKED_BYTES_MAX;
    for index in 0..zip.len() {
        let part = zip.by_index(index).map_err(|error| broken(&error))?;
        let name = part.name().map_err(|error| broken(&error))?;
        let is_xml = name.to_ascii_lowercase().ends_with("xml");
        let mut unpacked = Vec::new();
        // One byte more than there may be tells what has just enough from what has too much.
        let read = part.take(left + 1).read_to_end(&mut unpacked).map_err(|error| broken(&error))?;
        let read = u64::try_from(read).unwrap_or(u64::MAX);
        if read > left {
            return Err(too_large(format!("unpacks to more than {} MB", UNPACKED_BYTES_MAX >> 20)));
        }
        left -= read;
        if is_xml {
            check_xml(&unpacked)?;
        }
    }
    Ok(())
}

/// Refuses XML in another encoding, whose words would not be seen here, and one that announces too many strings.
fn check_xml(xml: &[u8]) -> Result<(), BadFile> {
    const ANNOUNCED: &[u8] = b"uniqueCount";
    // UTF-16 of plain letters passes for UTF-8 with nothing between them.
    if xml.contains(&0) || std::str::from_utf8(xml).is_err() {
        return Err(BadFile::NotAWorkbook("its XML is not UTF-8".to_owned()));
    }
    let mut rest = xml;
    while let Some(at) = rest.windows(ANNOUNCED.len()).position(|word| word == ANNOUNCED) {
        rest = &rest[at + ANNOUNCED.len()..];
        let digits = rest
            .iter()
            .skip_while(|byte| matches!(byte, b' ' | b'=' | b'"' | b'\'' | b'\t' | b'\n' | b'\r' | b'+'));
        let announced = digits
            .take_while(|byte| byte.is_ascii_digit())
            .fold(0_u64, |number, digit| number.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
        if announced > STRINGS_MAX {
            return Err(too_large(format!(
                "announces {announced} strings; a workbook has at most {STRINGS_MAX}"
            )));
        }
    }
    Ok(())
}

fn too_large(message: String) -> BadFile {
    BadFile::TooLarge(message)
}
