//! Files of commands on sheets.

use std::fs;
use std::path::Path;

use fallow_tabular::{BadFile, Format, Local, Mapping};

use super::args::Sheet;
use crate::cli::failure::{Exit, Failure};
use crate::cli::given::{self, Most};
use crate::cli::session::Session;

/// More than any sheet of 5,000 rows has.
const SHEET: Most = Most { what: "a sheet", bytes: 16 * 1024 * 1024 };

/// Of what the columns of a sheet mean.
const MAP: Most = Most { what: "a map", bytes: 1024 * 1024 };

/// A file that was read, and how it is to be understood.
pub(super) struct Given {
    pub(super) bytes: Vec<u8>,
    pub(super) format: Format,
    pub(super) mapping: Mapping,
    pub(super) local: Local,
}

/// Reads the file of a command, and its map.
pub(super) fn read(session: &Session<'_>, sheet: &Sheet) -> Result<Given, Failure> {
    let name = sheet.file.display().to_string();
    let format =
        Format::of_name(&name).ok_or(BadFile::OldSpreadsheet).map_err(|error| bad(&sheet.file, &error))?;
    let bytes = given::bytes(&sheet.file, SHEET)?;
    let mapping = match &sheet.how.map {
        None => Mapping::default(),
        Some(path) => {
            let text = given::text(path, MAP)?;
            Mapping::parse(&text).map_err(|said| Failure::usage(format!("{}: {said}", path.display())))?
        }
    };
    Ok(Given { bytes, format, mapping, local: local(session) })
}

/// Reads a file that is no sheet; what is made of it are lines.
pub(super) fn lines(session: &Session<'_>, path: &Path) -> Result<Given, Failure> {
    let (bytes, mapping) = (given::bytes(path, SHEET)?, Mapping::default());
    Ok(Given { bytes, format: Format::JsonLines, mapping, local: local(session) })
}

/// Returns the time and the zone of a command's cells.
pub(super) fn local(session: &Session<'_>) -> Local {
    Local { now: session.now(), zone: session.zone.clone() }
}

/// Says that a file cannot be read as a sheet.
pub(super) fn bad(path: &Path, error: &BadFile) -> Failure {
    Failure::new(Exit::Usage, "BAD_SHEET", format!("{}: {error}", path.display()))
        .next("fallow import template offers --out template.xlsx, which shows the columns")
}

/// Says that a file could not be made.
pub(crate) fn unwritten(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Failed, "OUTPUT", error.to_string())
}

/// Refuses to pour a workbook over a person's screen.
pub(crate) fn refuse_a_screen(session: &Session<'_>, out: Option<&Path>) -> Result<(), Failure> {
    if out.is_none() && session.terminal.interactive {
        return Err(
            Failure::usage("a workbook is not for a screen").next("add --out FILE.xlsx, or > FILE.xlsx")
        );
    }
    Ok(())
}

/// Writes a file where it was asked for, else to the standard output.
pub(crate) fn write(session: &mut Session<'_>, out: Option<&Path>, bytes: &[u8]) -> Result<(), Failure> {
    match out {
        None => session.terminal.file(bytes)?,
        Some(path) => {
            fs::write(path, bytes)
                .map_err(|error| Failure::usage(format!("{} cannot be written: {error}", path.display())))?;
            session.terminal.say(&format!("written: {}", path.display()))?;
        }
    }
    Ok(())
}
