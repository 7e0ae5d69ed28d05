//! The folder of an archive: its segments by number, and the lock of the one who writes.

use std::fs::{File, TryLockError};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use crate::finding::{Finding, Flaw, Place};

/// How the name of a segment ends.
const ENDING: &str = ".segment";
/// The file that the writer holds a lock of.
const LOCK: &str = "lock";
/// The folder for what was cut off: nothing that an archive ever held is destroyed.
const ASIDE: &str = "aside";

/// Returns the name of a segment.
#[must_use]
pub fn name(number: u64) -> String {
    format!("{number:08}{ENDING}")
}

/// Returns the place of a file as a whole.
pub(crate) fn whole(segment: impl Into<String>) -> Place {
    Place { segment: segment.into(), record: 0, byte: 0 }
}

/// The segments of a folder by number, and what is wrong with the list.
pub type Listed = (Vec<(u64, PathBuf)>, Vec<Finding>);

/// Lists the segments of a folder in order of their numbers, and what is wrong with the list: numbers that are missing
/// and files that are none of an archive.
///
/// # Errors
/// The folder cannot be read.
pub fn segments(folder: &Path) -> io::Result<Listed> {
    let (mut segments, mut findings) = (Vec::new(), Vec::new());
    for file in std::fs::read_dir(folder)? {
        let path = file?.path();
        let called = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let number = called.strip_suffix(ENDING).and_then(|number| number.parse::<u64>().ok());
        match number {
            Some(number) if name(number) == called => segments.push((number, path)),
            Some(_) | None if called == LOCK || called == ASIDE => {}
            Some(_) | None => findings.push(Finding { place: whole(called), flaw: Flaw::Stray }),
        }
    }
    segments.sort_unstable();
    findings.sort_unstable_by(|one, other| one.place.segment.cmp(&other.place.segment));
    let mut expected = 1;
    for (number, _) in &segments {
        // A whole range may be missing: its first number is enough.
        if *number != expected {
            let place = whole(name(expected));
            findings.push(Finding { place, flaw: Flaw::Missing { number: expected } });
        }
        expected = number.saturating_add(1);
    }
    Ok((segments, findings))
}

/// Makes the folder if it is not there, and takes the lock of its one writer, which lasts until the file is dropped.
///
/// # Errors
/// Another process writes this archive; or the folder cannot be made or locked.
pub(crate) fn lock(folder: &Path) -> io::Result<File> {
    std::fs::create_dir_all(folder)?;
    let file = File::options().create(true).truncate(false).write(true).open(folder.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            let text = format!("another process writes the archive in {}", folder.display());
            Err(io::Error::new(io::ErrorKind::WouldBlock, text))
        }
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Copies what a segment holds from a byte on to a file of its own beside the segments, and flushes it.
pub(crate) fn set_aside(folder: &Path, segment: &Path, from: u64) -> io::Result<()> {
    let mut rest = Vec::new();
    let mut source = File::open(segment)?;
    source.seek(SeekFrom::Start(from))?;
    source.read_to_end(&mut rest)?;
    if rest.is_empty() {
        return Ok(());
    }
    let aside = folder.join(ASIDE);
    std::fs::create_dir_all(&aside)?;
    let called = segment.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    for n in 1.. {
        let path = aside.join(format!("{called}.from-{from}.{n}"));
        match File::options().create_new(true).write(true).open(path) {
            Ok(mut file) => {
                file.write_all(&rest)?;
                file.sync_all()?;
                flush(&aside)?;
                return flush(folder);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Flushes the names of a folder, so that a new file is there after a crash.
pub(crate) fn flush(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_or_strange_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for called in ["00000001.segment", "00000002.segment", "00000005.segment", "2.segment", "notes.txt"] {
            std::fs::write(folder.path().join(called), "").unwrap();
        }
        let _lock = lock(folder.path()).unwrap();
        let (found, findings) = segments(folder.path()).unwrap();
        assert_eq!(found.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 5]);
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "2.segment: is no file of an archive",
                "notes.txt: is no file of an archive",
                "00000003.segment: segment 3 is missing"
            ]
        );
    }

    #[test]
    fn what_is_set_aside_is_kept_each_time_and_is_no_stray_file() {
        let folder = tempfile::tempdir().unwrap();
        let segment = folder.path().join(name(1));
        std::fs::write(&segment, "confirmed and not").unwrap();
        for _ in 0..2 {
            set_aside(folder.path(), &segment, 9).unwrap();
        }
        set_aside(folder.path(), &segment, 17).unwrap();
        let kept = |n: u32| {
            std::fs::read_to_string(folder.path().join(ASIDE).join(format!("00000001.segment.from-9.{n}")))
        };
        assert_eq!([kept(1).unwrap(), kept(2).unwrap()], [" and not", " and not"]);
        assert_eq!(std::fs::read_dir(folder.path().join(ASIDE)).unwrap().count(), 2);
        assert_eq!(segments(folder.path()).unwrap().1, []);
    }

    #[test]
    fn an_archive_has_one_writer() {
        let folder = tempfile::tempdir().unwrap();
        let first = lock(folder.path()).unwrap();
        assert_eq!(lock(folder.path()).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        drop(first);
        assert!(lock(folder.path()).is_ok());
    }
}
