//! Writing an archive: segments that are begun, filled and closed, and taken up again after a crash.

use std::fs::File;
use std::io::{self, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fallow_ledger::{Archived, Revision, Seen};
use jiff::{SignedDuration, Timestamp};

use crate::batch::tree_of;
use crate::entry::{Checkpoint, Entry, Header, Start};
use crate::finding::Finding;
use crate::folder;
use crate::frame::{self, Chain, MAGIC};
use crate::keys::SigningKey;

mod resume;

pub use resume::Resumed;

/// How an archive is written.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of the archive; it is made if it is not there.
    pub folder: PathBuf,
    /// The region.
    pub region: Arc<str>,
    /// A segment is closed when it has reached this many bytes.
    pub segment_bytes: u64,
    /// A segment is closed when it has reached this age.
    pub segment_age: SignedDuration,
    /// What signs checkpoints; without it, only accidents are found.
    pub key: Option<SigningKey>,
}

/// Why an archive cannot be written. Nothing of the batch at hand is archived then.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The disk is full. Writing goes on by itself once there is room.
    #[error("the disk of the archive is full: {0}")]
    Full(#[source] io::Error),
    /// A file cannot be written or flushed.
    #[error("{doing}: {source}")]
    Io {
        /// What was being done.
        doing: &'static str,
        /// Why it failed.
        source: io::Error,
    },
    /// What is there was changed since it was written: someone has to look.
    #[error("the archive is not as it was written: {0}")]
    Damaged(#[from] Finding),
    /// The folder is the archive of another region.
    #[error("the folder is the archive of region {found}, not {wanted}")]
    OtherRegion {
        /// The region of the archive.
        found: Arc<str>,
        /// The region that was to be archived.
        wanted: Arc<str>,
    },
}

impl ArchiveError {
    pub(crate) fn io(doing: &'static str) -> impl Fn(io::Error) -> ArchiveError {
        move |source| {
            let full =
                [io::ErrorKind::StorageFull, io::ErrorKind::QuotaExceeded, io::ErrorKind::FileTooLarge];
            if full.contains(&source.kind()) {
                ArchiveError::Full(source)
            } else {
                ArchiveError::Io { doing, source }
            }
        }
    }
}

/// The disk that an archive is written to: the real one, or one with so many bytes of room, for tests of what a full
/// disk does.
#[derive(Clone, Debug, Default)]
pub struct Disk(Option<Arc<AtomicU64>>);

impl Disk {
    /// Returns a disk that is full after so many more bytes.
    #[must_use]
    pub fn with_room(bytes: u64) -> Self {
        Self(Some(Arc::new(AtomicU64::new(bytes))))
    }

    /// Makes room.
    pub fn add_room(&self, bytes: u64) {
        if let Some(room) = &self.0 {
            room.fetch_add(bytes, Ordering::AcqRel);
        }
    }

    fn write(&self, file: &mut File, bytes: &[u8]) -> io::Result<()> {
        let Some(room) = &self.0 else { return file.write_all(bytes) };
        let left = room.load(Ordering::Acquire);
        let fits = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        // As a real disk does: what fits is written, and then it is full.
        file.write_all(&bytes[..fits])?;
        room.fetch_sub(fits as u64, Ordering::AcqRel);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }
}

/// The one writer of an archive. Its calls wait for the disk.
#[derive(Debug)]
pub struct Writer {
    settings: Settings,
    disk: Disk,
    open: Option<Open>,
    last: Option<Standing>,
    /// A segment that was begun and never confirmed.
    unconfirmed: Option<PathBuf>,
    /// Held as long as the writer lives.
    _lock: File,
}

/// How far an archive goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) number: u64,
    pub(crate) note: Archived,
    /// The line of the ledger's log on which it was read, where that is known.
    pub(crate) line: Option<Arc<str>>,
    /// Whether what is archived makes a state: it begins at the first revision, or a snapshot was read.
    pub(crate) is_whole: bool,
    /// How many bytes of the segment its last checkpoint covers.
    pub(crate) bytes: u64,
}

/// Where the last checkpoint of an archive ends. What lies after it is being written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct End {
    /// The number of the last segment.
    pub number: u64,
    /// How many bytes of it count.
    pub bytes: u64,
}

/// The segment that is being filled.
#[derive(Debug)]
struct Open {
    file: File,
    header: Header,
    /// How much of it a checkpoint covers; what comes after it in the file is cut off before more is written.
    bytes: u64,
    /// Whether something may come after it in the file: a batch that could not be written.
    has_rest: bool,
    /// Whether the header names the key that signs now.
    is_same_key: bool,
}

impl Writer {
    /// Opens an archive to write it, or makes one, and takes up where the last checkpoint is.
    ///
    /// # Errors
    /// Another process writes it; a file cannot be read; the last segment was changed; it is of another region.
    pub fn open(settings: Settings, disk: Disk) -> Result<(Self, Resumed), ArchiveError> {
        let lock = folder::lock(&settings.folder).map_err(ArchiveError::io("lock the archive"))?;
        let (open, last, unconfirmed, resumed) = resume::resume(&settings)?;
        Ok((Self { settings, disk, open, last, unconfirmed, _lock: lock }, resumed))
    }

    /// Returns the note of what is archived; `None` of an archive that has just been made.
    #[must_use]
    pub fn archived(&self) -> Option<&Archived> {
        self.last.as_ref().map(|last| &last.note)
    }

    /// Returns what the archive can say to a store; `None` of an archive that has just been made.
    #[must_use]
    pub fn seen(&self) -> Option<Seen> {
        let last = self.last.as_ref()?;
        Some(Seen { cursor: last.note.cursor.clone(), line: last.line.clone() })
    }

    /// Returns where what is archived ends; `None` of an archive that has just been made.
    #[must_use]
    pub fn end(&self) -> Option<End> {
        self.last.as_ref().map(|last| End { number: last.number, bytes: last.bytes })
    }

    /// Returns the line of the ledger's log on which the last of it was read, where that is known.
    #[must_use]
    pub fn line(&self) -> Option<&Arc<str>> {
        self.last.as_ref().and_then(|last| last.line.as_ref())
    }

    /// Says whether what is archived makes a state. Otherwise a snapshot has to be added.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.last.as_ref().is_some_and(|last| last.is_whole)
    }

    /// Cuts off what a crash has left after the last checkpoint. It is set aside first: damage to what was confirmed looks
    /// the same from here.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn cut(&mut self) -> Result<(), ArchiveError> {
        let folder = &self.settings.folder;
        let aside = |segment: &Path, from| {
            folder::set_aside(folder, segment, from).map_err(ArchiveError::io("set aside what is cut off"))
        };
        if let Some(open) = &mut self.open {
            if open.has_rest {
                aside(&folder.join(folder::name(open.header.number)), open.bytes)?;
            }
            open.cut()?;
        }
        if let Some(begun) = self.unconfirmed.take() {
            aside(&begun, 0)?;
            std::fs::remove_file(begun).map_err(ArchiveError::io("remove a segment that was never begun"))?;
            folder::flush(&self.settings.folder)
                .map_err(ArchiveError::io("flush the folder of the archive"))?;
        }
        Ok(())
    }

    /// Begins a segment, closing the one before.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn begin(
        &mut self,
        history: &Arc<str>,
        first: Revision,
        start: Start,
        now: Timestamp,
    ) -> Result<(), ArchiveError> {
        self.close(now)?;
        // One that was begun and never confirmed may lie there: nothing of it counts.
        self.cut()?;
        let number = self.last.as_ref().map_or(1, |last| last.number + 1);
        let before = self.last.as_ref().map_or_else(frame::beginning, |last| last.note.chain);
        let header = Header {
            region: self.settings.region.clone(),
            history: history.clone(),
            number,
            first,
            before,
            begun_at: now,
            start,
            key: self.settings.key.as_ref().map(|key| key.public().id()).unwrap_or_default().into(),
        };
        let path = self.settings.folder.join(folder::name(number));
        let file = File::options().create(true).truncate(true).read(true).write(true).open(path);
        let file = file.map_err(ArchiveError::io("make a segment"))?;
        let mut open = Open { file, header, bytes: 0, has_rest: true, is_same_key: true };
        let mut bytes = MAGIC.to_vec();
        let mut chain = frame::put(&mut bytes, &before, &Entry::Header(open.header.clone()).encode());
        let line = match start {
            Start::Onward => self.last.as_ref().and_then(|last| last.line.clone()),
            // Of what the ledger is now, nothing has been seen yet.
            Start::Beginning | Start::Anew => None,
        };
        if let Some(line) = &line {
            chain = frame::put(&mut bytes, &chain, &Entry::Line(line.clone()).encode());
        }
        let batch = Batch { bytes, chain, revision: Revision(first.0.saturating_sub(1)) };
        let note = open.put(&self.disk, self.settings.key.as_ref(), batch, (false, now))?;
        folder::flush(&self.settings.folder).map_err(ArchiveError::io("flush the folder of the archive"))?;
        let is_whole = match start {
            Start::Beginning => true,
            Start::Onward => self.is_whole(),
            Start::Anew => false,
        };
        self.last = Some(Standing { number, note, line, is_whole, bytes: open.bytes });
        self.open = Some(open);
        Ok(())
    }

    /// Adds changes, parts of snapshots and lines, with a checkpoint, and flushes them. They are archived when it returns.
    ///
    /// The changes follow on what is archived, one by one.
    ///
    /// # Errors
    /// [`ArchiveError`]; nothing of it is archived then, and it can be added again.
    pub fn append(&mut self, entries: &[Entry], now: Timestamp) -> Result<(), ArchiveError> {
        self.go_on(now)?;
        let (Some(open), Some(last)) = (&mut self.open, &self.last) else {
            return Err(ArchiveError::Io {
                doing: "add to an archive",
                source: io::ErrorKind::NotFound.into(),
            });
        };
        let (mut bytes, mut chain, mut revision) = (Vec::new(), last.note.chain, last.note.cursor.revision());
        let (mut is_whole, mut line, number) = (last.is_whole, last.line.clone(), last.number);
        for entry in entries {
            chain = frame::put(&mut bytes, &chain, &entry.encode());
            match entry {
                Entry::Change(change) => revision = change.revision,
                Entry::Snapshot(snapshot) => is_whole |= snapshot.is_last,
                Entry::Line(read_on) => line = Some(read_on.clone()),
                Entry::Header(_) | Entry::Seed(_) | Entry::Tree(_) | Entry::Checkpoint(_) => {}
            }
        }
        let changes = entries.iter().filter_map(|entry| match entry {
            Entry::Change(change) => Some(change),
            Entry::Header(_)
            | Entry::Snapshot(_)
            | Entry::Line(_)
            | Entry::Seed(_)
            | Entry::Tree(_)
            | Entry::Checkpoint(_) => None,
        });
        // Nobody who is shown one change may guess another from its digest.
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).map_err(|_| ArchiveError::Io {
            doing: "draw random bytes",
            source: io::ErrorKind::Other.into(),
        })?;
        if let Some((tree, _)) = tree_of(changes, &seed) {
            chain = frame::put(&mut bytes, &chain, &Entry::Seed(seed).encode());
            chain = frame::put(&mut bytes, &chain, &Entry::Tree(tree).encode());
        }
        let batch = Batch { bytes, chain, revision };
        let note = open.put(&self.disk, self.settings.key.as_ref(), batch, (false, now))?;
        self.last = Some(Standing { number, note, line, is_whole, bytes: open.bytes });
        Ok(())
    }

    /// Closes the segment if it is large or old enough. The next one is begun with what comes next.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn roll(&mut self, now: Timestamp) -> Result<(), ArchiveError> {
        let Some(open) = &self.open else { return Ok(()) };
        let is_old = now.duration_since(open.header.begun_at) >= self.settings.segment_age;
        let has_changes =
            self.last.as_ref().is_some_and(|last| last.note.cursor.revision() >= open.header.first);
        if self.is_whole() && has_changes && (is_old || open.bytes >= self.settings.segment_bytes) {
            self.close(now)?;
        }
        Ok(())
    }

    /// Closes the segment that is being filled, if there is one.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub fn close(&mut self, now: Timestamp) -> Result<(), ArchiveError> {
        let (Some(open), Some(last)) = (&mut self.open, &mut self.last) else { return Ok(()) };
        let (chain, revision) = (last.note.chain, last.note.cursor.revision());
        let batch = Batch { bytes: Vec::new(), chain, revision };
        last.note = open.put(&self.disk, self.settings.key.as_ref(), batch, (true, now))?;
        last.bytes = open.bytes;
        self.open = None;
        Ok(())
    }

    /// Begins the next segment when the last one is closed, or was begun with another key.
    fn go_on(&mut self, now: Timestamp) -> Result<(), ArchiveError> {
        if self.open.as_ref().is_some_and(|open| !open.is_same_key) && self.is_whole() {
            self.close(now)?;
        }
        match (&self.open, &self.last) {
            (None, Some(last)) => {
                let cursor = last.note.cursor.clone();
                self.begin(cursor.history(), cursor.revision().next(), Start::Onward, now)
            }
            (Some(_), _) | (None, None) => Ok(()),
        }
    }
}

/// A batch under way: the records of it, and the chain with the last of them.
struct Batch {
    bytes: Vec<u8>,
    chain: Chain,
    revision: Revision,
}

impl Open {
    fn cut(&mut self) -> Result<(), ArchiveError> {
        if self.has_rest {
            self.file.set_len(self.bytes).map_err(ArchiveError::io("cut off what was not archived"))?;
            self.has_rest = false;
        }
        Ok(())
    }

    /// Ends a batch with a checkpoint, writes it, flushes it, and says what is archived then.
    fn put(
        &mut self,
        disk: &Disk,
        key: Option<&SigningKey>,
        batch: Batch,
        (closes, at): (bool, Timestamp),
    ) -> Result<Archived, ArchiveError> {
        let Batch { mut bytes, chain, revision } = batch;
        let checkpoint = Checkpoint { revision, at, closes, signature: None };
        let checkpoint = match key {
            Some(key) => key.sign(checkpoint, &self.header, &chain),
            None => checkpoint,
        };
        let chain = frame::put(&mut bytes, &chain, &Entry::Checkpoint(checkpoint).encode());
        self.cut()?;
        self.has_rest = true;
        self.file.seek(SeekFrom::Start(self.bytes)).map_err(ArchiveError::io("write a segment"))?;
        disk.write(&mut self.file, &bytes).map_err(ArchiveError::io("write a segment"))?;
        self.file.sync_data().map_err(ArchiveError::io("flush a segment"))?;
        self.has_rest = false;
        self.bytes += bytes.len() as u64;
        // In milliseconds, as it is kept.
        let at = Timestamp::from_millisecond(at.as_millisecond()).unwrap_or(at);
        Ok(Archived { cursor: self.header.cursor(revision), chain, at })
    }
}
