//! Taking up an archive where it was left, be it in the middle of a record.

use std::fs::File;
use std::path::{Path, PathBuf};

use fallow_ledger::{Archived, Revision};
use jiff::Timestamp;

use super::{ArchiveError, Open, Settings, Standing};
use crate::entry::{Entry, Header, Start};
use crate::finding::{Finding, Flaw};
use crate::folder::{name, segments, whole};
use crate::frame::{self, MAGIC};
use crate::segment::{self, Found, Reader};

/// What was found when an archive was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resumed {
    /// How many segments there are.
    pub segments: u64,
    /// Bytes after the last checkpoint that a crash has left. They were never said to be archived, and are cut off.
    pub cut: u64,
    /// What is strange about the folder, but lets it be written.
    pub findings: Vec<Finding>,
    /// When each segment was begun, and the last revision before it: all of those were archived by then.
    pub begun: Vec<(Timestamp, Revision)>,
}

type Taken = (Option<Open>, Option<Standing>, Option<PathBuf>, Resumed);

/// Finds the last checkpoint. What comes before the last segment is not read: to verify an archive is another's work.
pub(super) fn resume(settings: &Settings) -> Result<Taken, ArchiveError> {
    let files = segments(&settings.folder).map_err(ArchiveError::io("read the folder of the archive"))?;
    let (files, findings) = files;
    let mut resumed = Resumed { segments: files.len() as u64, findings, ..Resumed::default() };
    // A segment that is missing before the last one was there when the last one was begun.
    if let Some(missing) =
        resumed.findings.iter().find(|finding| matches!(finding.flaw, Flaw::Missing { .. }))
    {
        return Err(missing.clone().into());
    }
    let headers: Vec<Option<Header>> = files.iter().map(|(_, path)| segment::header(path)).collect();
    resumed.begun = headers
        .iter()
        .flatten()
        .map(|header| (header.begun_at, Revision(header.first.0.saturating_sub(1))))
        .collect();
    let mut unconfirmed = None;
    // From the last one back: one that was begun and never confirmed is as none.
    for (place, (number, path)) in files.iter().enumerate().rev() {
        let before = match place {
            0 => Some(frame::beginning()),
            _ => headers[place].as_ref().map(|header| header.before),
        };
        let taken = take(settings, *number, path, before)?;
        let length = path.metadata().map_err(ArchiveError::io("read a segment"))?.len();
        match taken {
            None if place + 1 == files.len() => {
                resumed.cut += length;
                unconfirmed = Some(path.clone());
            }
            None => {
                let place = whole(name(*number));
                return Err(Finding { place, flaw: Flaw::NotClosed }.into());
            }
            Some((open, standing, bytes)) => {
                if open.is_some() && place + 1 < files.len() {
                    let place = whole(name(*number));
                    return Err(Finding { place, flaw: Flaw::NotClosed }.into());
                }
                resumed.cut += length - bytes;
                return Ok((open, Some(standing), unconfirmed, resumed));
            }
        }
    }
    Ok((None, None, unconfirmed, resumed))
}

/// Reads a segment to its last checkpoint; `None` when it has none. The number of bytes that it covers comes with it.
fn take(
    settings: &Settings,
    number: u64,
    path: &Path,
    before: Option<frame::Chain>,
) -> Result<Option<(Option<Open>, Standing, u64)>, ArchiveError> {
    let Some(before) = before else { return Ok(None) };
    let mut reader = match Reader::open(path, before) {
        Ok(reader) => reader,
        // Cut within its first bytes.
        Err(Finding { flaw: Flaw::NotASegment, .. })
            if path.metadata().is_ok_and(|file| file.len() < MAGIC.len() as u64) =>
        {
            return Ok(None);
        }
        Err(finding) => return Err(finding.into()),
    };
    let (mut header, mut confirmed, mut is_whole) = (None::<Header>, None, true);
    let (mut drawn, mut line) = (false, None);
    loop {
        let found = match reader.next() {
            Ok(Some(found)) => found,
            // What a crash leaves: the end of the file within a record, or pages that were never written.
            Ok(None)
            | Err(Finding {
                flaw: Flaw::Torn { .. } | Flaw::Crc | Flaw::Chain | Flaw::Length { .. }, ..
            }) => {
                break;
            }
            Err(finding) => return Err(finding.into()),
        };
        let Found { place, before, chain, entry, end } = found;
        match entry {
            Entry::Header(found) => {
                if found.region != settings.region {
                    return Err(ArchiveError::OtherRegion {
                        found: found.region,
                        wanted: settings.region.clone(),
                    });
                }
                if found.number != number {
                    let (says, is) = (format!("segment {}", found.number), format!("segment {number}"));
                    return Err(Finding { place, flaw: Flaw::Header { says, is } }.into());
                }
                is_whole = found.start != Start::Anew;
                header = Some(found);
            }
            Entry::Change(_) | Entry::Seed(_) | Entry::Tree(_) => {}
            Entry::Snapshot(snapshot) => drawn |= snapshot.is_last,
            Entry::Line(read_on) => line = Some(read_on),
            Entry::Checkpoint(checkpoint) => {
                let Some(header) = &header else {
                    let flaw = Flaw::Misplaced("a record before the header");
                    return Err(Finding { place, flaw }.into());
                };
                // Another key's signatures cannot be looked at: a key may be changed, and the archive goes on.
                let is_ours = settings.key.as_ref().filter(|key| key.public().id() == *header.key);
                // One that closes may be of the key after it.
                let is_ours = is_ours.filter(|_| !checkpoint.closes);
                if is_ours.is_some_and(|key| !key.public().has_signed(&checkpoint, header, &before)) {
                    return Err(Finding { place, flaw: Flaw::Signature }.into());
                }
                is_whole |= drawn;
                let note = Archived { cursor: header.cursor(checkpoint.revision), chain, at: checkpoint.at };
                let standing = Standing { number, note, line: line.clone(), is_whole, bytes: end };
                confirmed = Some((standing, checkpoint.closes, end));
            }
        }
    }
    let Some((standing, is_closed, bytes)) = confirmed else { return Ok(None) };
    let Some(header) = header.filter(|_| !is_closed) else { return Ok(Some((None, standing, bytes))) };
    let key = settings.key.as_ref().map(|key| key.public().id()).unwrap_or_default();
    let file =
        File::options().read(true).write(true).open(path).map_err(ArchiveError::io("open a segment"))?;
    // What the last process wrote and perhaps did not flush is flushed before it is believed.
    file.sync_all().map_err(ArchiveError::io("flush a segment"))?;
    let is_same_key = key == *header.key;
    let open = Open { file, header, bytes, has_rest: reader.len() > bytes, is_same_key };
    Ok(Some((Some(open), standing, bytes)))
}
