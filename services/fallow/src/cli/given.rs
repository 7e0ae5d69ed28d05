//! The files that a command is given: read whole, and what is said and returned where one cannot be.

use std::error::Error;
use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::failure::{Exit, Failure};

/// What a file may be at most.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Most {
    /// What it is, with its article: `a sheet`.
    pub(crate) what: &'static str,
    /// Its longest length in bytes.
    pub(crate) bytes: u64,
}

/// Reads a file that a command was given. What is no file of its own length, such as a pipe, is read no farther than the
/// limit either.
///
/// # Errors
/// `FILE`, with exit 3 where there is no such file; a file that is too long or cannot be read is a matter of usage.
pub(crate) fn bytes(path: &Path, most: Most) -> Result<Vec<u8>, Failure> {
    let unread = |error: io::Error| {
        let what = format!("{} cannot be read: {error}", path.display());
        Failure::new(exit(&error, Exit::Usage), "FILE", what)
    };
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(unread)?;
    file.take(most.bytes.saturating_add(1)).read_to_end(&mut bytes).map_err(unread)?;
    if bytes.len() as u64 > most.bytes {
        let what = format!("{} has more than {} bytes, {} at most", path.display(), most.bytes, most.what);
        return Err(Failure::new(Exit::Usage, "FILE", what));
    }
    Ok(bytes)
}

/// As [`bytes`], of a file that is text.
pub(crate) fn text(path: &Path, most: Most) -> Result<String, Failure> {
    String::from_utf8(bytes(path, most)?)
        .map_err(|_| Failure::new(Exit::Usage, "FILE", format!("{} is not text", path.display())))
}

/// Returns what a command ends with that failed over a file: [`Exit::NotFound`] where a file or a folder on the way to it is
/// not there, else what is given.
pub(crate) fn exit(error: &(dyn Error + 'static), otherwise: Exit) -> Exit {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory)
        {
            return Exit::NotFound;
        }
        cause = error.source();
    }
    otherwise
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: Most = Most { what: "a note", bytes: 4 };

    #[test]
    fn a_file_is_read_whole_or_it_is_said_why_not() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        assert_eq!(text(&file("whole", b"four"), MOST).unwrap(), "four");
        let refused = |path: &Path| text(path, MOST).unwrap_err();
        let long = refused(&file("long", b"fives"));
        assert!(long.what.ends_with("long has more than 4 bytes, a note at most"), "{}", long.what);
        let strange = refused(&file("strange", b"\xff"));
        assert!(strange.what.ends_with("strange is not text"), "{}", strange.what);
        let missing = refused(&folder.path().join("none"));
        let below = refused(&folder.path().join("whole").join("none"));
        let exits = [&long, &strange, &refused(folder.path()), &missing, &below].map(|failure| failure.exit);
        assert_eq!(exits, [Exit::Usage, Exit::Usage, Exit::Usage, Exit::NotFound, Exit::NotFound]);
    }
}
