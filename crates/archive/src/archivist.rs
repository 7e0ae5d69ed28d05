//! The archivist: follows the log of a ledger, writes it to an archive, and trims what is archived and aged.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::{
    Archived, Attested, Change, Cursor, Keeper, KeeperError, Reach, Revision, Seen, Trouble,
};
use jiff::{SignedDuration, Timestamp};

use crate::entry::{Entry, Snapshot, Start};
use crate::finding::{Finding, Flaw};
use crate::folder::whole;
use crate::writer::{ArchiveError, Disk, End, Resumed, Settings, Writer};

/// Changes written and flushed together at most.
const PAGE: usize = 256;
/// How often the log is trimmed at most, and how exactly the age of changes is known.
const TRIM_EVERY: SignedDuration = SignedDuration::from_secs(60);
/// About how many bytes of bodies a part of a snapshot has.
const PART_BYTES: usize = 1024 * 1024;
/// How long to wait before asking again whether what was read is known to stay.
const NOT_KEPT_YET: Duration = Duration::from_millis(50);
/// How often that is asked of a snapshot.
const ASKED_OF_A_SNAPSHOT: usize = 200;

/// What stays in the log of the ledger although it is archived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Changes that were archived less than this ago: for followers and watchers that come back late.
    pub age: SignedDuration,
    /// At least this many of the last changes, whatever their age: a clock that jumps trims no more.
    pub changes: u64,
}

/// Why archiving stands still. Nothing is trimmed meanwhile, and nothing that was archived is lost.
#[derive(Debug, thiserror::Error)]
pub enum Stopped {
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The store is behind the archive: it has lost changes that were acknowledged.
    #[error(
        "the store ends at revision {head}, but {archived} is archived: the store has lost changes; see `fallow ledger`"
    )]
    StoreBehind {
        /// The last revision of the archive.
        archived: Revision,
        /// The last revision of the store.
        head: Revision,
    },
    /// The ledger is closed to writes: what it has is perhaps not what it had, so nothing of it is archived.
    #[error("the ledger is closed: {why}; see `fallow ledger status`")]
    Closed {
        /// Why.
        why: String,
    },
    /// The store does not do what an archive asks of it.
    #[error(transparent)]
    Store(KeeperError),
    /// A task that writes was lost.
    #[error("the task that writes the archive was lost: {0}")]
    Task(String),
}

impl From<Trouble> for Stopped {
    fn from(trouble: Trouble) -> Stopped {
        Stopped::Store(trouble.into())
    }
}

impl From<KeeperError> for Stopped {
    fn from(error: KeeperError) -> Stopped {
        match error {
            KeeperError::Ahead { archived, head } => Stopped::StoreBehind { archived, head },
            other @ (KeeperError::NotArchived { .. }
            | KeeperError::OtherHistory { .. }
            | KeeperError::NotEmpty { .. }
            | KeeperError::Trouble(_)) => Stopped::Store(other),
        }
    }
}

impl Stopped {
    /// Says whether the store was merely away, or waits for those who knew it.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Stopped::Store(KeeperError::Trouble(trouble)) => trouble.is_passing(),
            Stopped::Closed { .. } => true,
            Stopped::Archive(_) | Stopped::StoreBehind { .. } | Stopped::Store(_) | Stopped::Task(_) => false,
        }
    }
}

/// What a step did.
#[derive(Debug)]
pub struct Step {
    /// What is archived now.
    pub archived: Archived,
    /// Where that ends on the disk.
    pub end: Option<End>,
    /// The changes that were archived by this step, oldest first.
    pub changes: Vec<Change>,
    /// The last revision through which the log was trimmed by this process, if it was.
    pub trimmed: Option<Revision>,
    /// How many changes this step removed from the log.
    pub removed: u64,
}

/// Writes the log of a ledger to an archive.
pub struct Archivist {
    keeper: Arc<dyn Keeper>,
    settings: Settings,
    disk: Disk,
    keep: Keep,
    /// `None` before the first step, and after a failure: the archive is then opened again and read from the disk.
    writer: Option<Writer>,
    /// Times, and the last revision that was archived by then. Oldest first, a minute apart.
    marks: VecDeque<(Timestamp, Revision)>,
    /// Whether the store has been told of all that is archived.
    is_noted: bool,
    trimmed: Option<(Timestamp, Revision)>,
    is_trimming_held: bool,
}

impl Archivist {
    /// Makes an archivist. It opens the archive at its first step.
    #[must_use]
    pub fn new(keeper: Arc<dyn Keeper>, settings: Settings, disk: Disk, keep: Keep) -> Self {
        let marks = VecDeque::new();
        Self {
            keeper,
            settings,
            disk,
            keep,
            writer: None,
            marks,
            is_noted: false,
            trimmed: None,
            is_trimming_held: false,
        }
    }

    /// Trims nothing as long as it is held: while the archive has not been read, or something is wrong with it.
    pub fn hold_trimming(&mut self, is_held: bool) {
        self.is_trimming_held = is_held;
    }

    /// Archives the changes that there are, waiting up to `wait` for the first, and trims what has aged.
    ///
    /// It first says to the store what the archive has, and archives only what it reads while the ledger is open: so the
    /// archive can say where it was when a server has changed.
    ///
    /// To be called again and again, also after it failed.
    ///
    /// # Errors
    /// [`Stopped`]. What was archived stays so.
    pub async fn step(&mut self, now: Timestamp, wait: Duration) -> Result<Step, Stopped> {
        let mut archived = self.standing(now).await?;
        let line = self.attest().await?.0;
        let (changes, mut entries) = match self.keeper.changes(&archived.cursor, PAGE, wait).await {
            Ok(page) => {
                let is_new = self.writer.as_ref().and_then(Writer::line) != Some(&line);
                let noted = is_new.then(|| Entry::Line(line.clone()));
                (self.kept(page.changes, &line).await?, Vec::from_iter(noted))
            }
            Err(Trouble::CursorGone) => {
                archived = self.follow_another(now, &archived.cursor).await?;
                (Vec::new(), Vec::new())
            }
            Err(trouble) => return Err(trouble.into()),
        };
        entries.extend(changes.iter().cloned().map(Entry::Change));
        if !entries.is_empty() {
            archived = self.write(move |writer| writer.append(&entries, now)).await?;
            self.is_noted = false;
        }
        if !self.is_noted {
            self.keeper.archived(&archived).await?;
            self.is_noted = true;
        }
        self.mark(&archived);
        let before = archived.chain;
        archived = self.write(move |writer| writer.roll(now)).await?;
        if archived.chain != before {
            // Closing a segment moves the chain on.
            self.is_noted = false;
            self.keeper.archived(&archived).await?;
            self.is_noted = true;
        }
        let removed = self.trim(now, &archived).await?;
        let end = self.writer.as_ref().and_then(Writer::end);
        let trimmed = self.trimmed.map(|(_, through)| through);
        Ok(Step { archived, end, changes, trimmed, removed })
    }

    /// Closes the segment at hand, at the end of the process.
    ///
    /// # Errors
    /// [`Stopped`].
    pub async fn finish(mut self, now: Timestamp) -> Result<(), Stopped> {
        if self.writer.as_ref().is_some_and(Writer::is_whole) {
            let archived = self.write(move |writer| writer.close(now)).await?;
            self.keeper.archived(&archived).await?;
        }
        Ok(())
    }

    /// Returns what is archived, opening the archive first, or beginning one, where that has not been done.
    async fn standing(&mut self, now: Timestamp) -> Result<Archived, Stopped> {
        if self.writer.is_none() {
            let (settings, disk) = (self.settings.clone(), self.disk.clone());
            let opened = tokio::task::spawn_blocking(move || Writer::open(settings, disk)).await;
            let (writer, resumed) = opened.map_err(|lost| Stopped::Task(lost.to_string()))??;
            // Before anything else: a store that lost changes must not take new ones.
            self.say(writer.seen()).await?;
            self.resumed(&writer, resumed).await?;
            self.writer = Some(writer);
            self.is_noted = false;
            // Not before the store was asked: what it knows of is evidence, and stays.
            if self.writer.as_ref().is_some_and(|writer| writer.archived().is_some()) {
                self.write(Writer::cut).await?;
            }
        }
        let Some(writer) = &self.writer else { return Err(Stopped::Task("it is gone".to_owned())) };
        match writer.archived() {
            Some(archived) if writer.is_whole() => Ok(archived.clone()),
            Some(archived) => {
                let history = archived.cursor.history().clone();
                let reach = self.keeper.reach().await?;
                if *reach.head.history() == history {
                    self.draw(now).await
                } else {
                    self.begin(now, &reach).await
                }
            }
            None => {
                let reach = self.keeper.reach().await?;
                if let Some(elsewhere) = &reach.archived {
                    tracing::error!(
                        archived = %elsewhere.cursor, folder = %self.settings.folder.display(),
                        "the store knows of an archive, but the folder is empty: is it the right one? A new one is begun"
                    );
                }
                self.begin(now, &reach).await
            }
        }
    }

    /// Says to the store what the archive has, and gives the line that is open and the last revision on it that is known to
    /// stay.
    async fn attest(&self) -> Result<(Arc<str>, Revision), Stopped> {
        self.say(self.writer.as_ref().and_then(Writer::seen)).await
    }

    async fn say(&self, seen: Option<Seen>) -> Result<(Arc<str>, Revision), Stopped> {
        let why = match self.keeper.attest(seen.as_ref()).await? {
            Attested::Open { line, kept } => return Ok((line, kept)),
            Attested::Closed { why } => why,
        };
        let head = self.keeper.reach().await?.head;
        match seen.map(|seen| seen.cursor) {
            Some(ours) if ours.history() == head.history() && ours.revision() > head.revision() => {
                Err(Stopped::StoreBehind { archived: ours.revision(), head: head.revision() })
            }
            Some(_) | None => Err(Stopped::Closed { why }),
        }
    }

    /// Gives of changes that were read those that are known to stay, if the line that was open before is still.
    async fn kept(&self, mut read: Vec<Change>, line: &str) -> Result<Vec<Change>, Stopped> {
        if read.is_empty() {
            return Ok(read);
        }
        let (open, kept) = self.attest().await?;
        read.retain(|change| *open == *line && change.revision <= kept);
        if read.is_empty() {
            tokio::time::sleep(NOT_KEPT_YET).await;
        }
        Ok(read)
    }

    /// Holds what was found in the folder against what the store was told.
    async fn resumed(&mut self, writer: &Writer, resumed: Resumed) -> Result<(), Stopped> {
        let reach = self.keeper.reach().await?;
        let is = writer.archived().map(|archived| &archived.cursor);
        // A folder with segments of which none can be confirmed is damaged, whatever the store was told of.
        let is_short = |told: &Cursor| {
            is.map_or(resumed.segments > 0, |is| {
                told.history() == is.history() && told.revision() > is.revision()
            })
        };
        if let Some(told) = reach.archived.as_ref().map(|told| &told.cursor).filter(|told| is_short(told)) {
            let (saw, is) = (told.revision(), is.map_or(Revision::ABSENT, Cursor::revision));
            let place = whole(self.settings.folder.display().to_string());
            let flaw = Flaw::Short { witness: "the store".into(), saw, is };
            return Err(ArchiveError::from(Finding { place, flaw }).into());
        }
        for finding in &resumed.findings {
            tracing::warn!(%finding, "the folder of the archive holds something strange");
        }
        if resumed.cut > 0 {
            tracing::warn!(
                bytes = resumed.cut,
                "the archive ends in what was never confirmed: it is written again"
            );
        }
        // Of another history, or of before a break, a mark would say too much.
        let history_began = writer.archived().map(|archived| archived.cursor.revision());
        let marks = resumed.begun.into_iter().filter(|(_, through)| Some(*through) <= history_began);
        // And all of it when it was flushed last.
        let last = writer.archived().map(|archived| (archived.at, archived.cursor.revision()));
        self.marks = marks.chain(last).collect();
        tracing::info!(segments = resumed.segments, archived = ?writer.archived(), "the archive is open");
        Ok(())
    }

    /// Goes on where the ledger is, after it turned out not to follow on the archive.
    async fn follow_another(&mut self, now: Timestamp, cursor: &Cursor) -> Result<Archived, Stopped> {
        let reach = self.keeper.reach().await?;
        let head = reach.head.revision();
        if reach.head.history() == cursor.history() && head < cursor.revision() {
            return Err(Stopped::StoreBehind { archived: cursor.revision(), head });
        }
        tracing::error!(
            archived = %cursor, head = %reach.head, oldest = reach.oldest.0,
            "the log does not go on from the archive: a new part of the archive begins with a snapshot"
        );
        self.begin(now, &reach).await
    }

    /// Begins a part of the archive that does not follow on what is before.
    async fn begin(&mut self, now: Timestamp, reach: &Reach) -> Result<Archived, Stopped> {
        let (history, first) = (reach.head.history().clone(), reach.oldest);
        let start = if first == Revision(1) { Start::Beginning } else { Start::Anew };
        self.marks.clear();
        self.trimmed = None;
        let archived = self.write(move |writer| writer.begin(&history, first, start, now)).await?;
        match start {
            Start::Anew => self.draw(now).await,
            Start::Beginning | Start::Onward => Ok(archived),
        }
    }

    /// Waits until a snapshot is known to stay.
    async fn until_kept(&self, drawn: Revision) -> Result<(), Stopped> {
        for _ in 0..ASKED_OF_A_SNAPSHOT {
            if self.attest().await?.1 >= drawn {
                return Ok(());
            }
            tokio::time::sleep(NOT_KEPT_YET).await;
        }
        let detail = format!("what is known to stay does not reach revision {drawn} of the snapshot");
        Err(Trouble::Unavailable { detail }.into())
    }

    /// Adds a snapshot, after the changes up to it.
    async fn draw(&mut self, now: Timestamp) -> Result<Archived, Stopped> {
        let (records, cursor) = self.keeper.snapshot().await?;
        self.until_kept(cursor.revision()).await?;
        let mut archived = self.write(|_| Ok(())).await?;
        while archived.cursor.revision() < cursor.revision() {
            let left = cursor.revision().0 - archived.cursor.revision().0;
            let limit = usize::try_from(left).unwrap_or(PAGE).min(PAGE);
            let page = self.keeper.changes(&archived.cursor, limit, Duration::ZERO).await?;
            let entries: Vec<Entry> = page.changes.into_iter().map(Entry::Change).collect();
            archived = self.write(move |writer| writer.append(&entries, now)).await?;
        }
        let (mut rest, mut part) = (&records[..], 0);
        loop {
            let mut bytes = 0;
            let fitting = rest.iter().take_while(|record| {
                let has_room = bytes < PART_BYTES;
                bytes += record.body.len() + record.key.id.len();
                has_room
            });
            let (some, left) = rest.split_at(fitting.count());
            let (revision, is_last) = (cursor.revision(), left.is_empty());
            let entry = Entry::Snapshot(Snapshot { revision, records: some.to_vec(), part, is_last });
            archived = self.write(move |writer| writer.append(&[entry], now)).await?;
            (rest, part) = (left, part + 1);
            if is_last {
                tracing::info!(revision = revision.0, records = records.len(), "a snapshot is archived");
                return Ok(archived);
            }
        }
    }

    /// Removes from the log what is archived and aged.
    async fn trim(&mut self, now: Timestamp, archived: &Archived) -> Result<u64, Stopped> {
        if self.is_trimming_held {
            return Ok(0);
        }
        if self.trimmed.is_some_and(|(at, _)| now.duration_since(at) < TRIM_EVERY && now >= at) {
            return Ok(0);
        }
        let Some(through) = self.aged(now, archived) else { return Ok(0) };
        let before = self.trimmed.map_or(Revision::ABSENT, |(_, through)| through);
        self.trimmed = Some((now, through.max(before)));
        if through <= before {
            return Ok(0);
        }
        let removed = self.keeper.trim(&archived.cursor.at(through)).await?;
        if removed > 0 {
            tracing::info!(through = through.0, removed, "the log is trimmed");
        }
        Ok(removed)
    }

    /// Returns the last revision that is archived, old enough, and not among the last ones that are kept.
    fn aged(&self, now: Timestamp, archived: &Archived) -> Option<Revision> {
        let old = self.marks.iter().take_while(|(at, _)| now.duration_since(*at) >= self.keep.age);
        let (_, old) = old.last()?;
        let last = archived.cursor.revision().0.checked_sub(self.keep.changes)?;
        Some((*old).min(Revision(last))).filter(|through| *through > Revision::ABSENT)
    }

    /// Remembers when what was archived, for as long as it takes to age.
    fn mark(&mut self, archived: &Archived) {
        let revision = archived.cursor.revision();
        let is_due = |(at, through): &(Timestamp, Revision)| {
            *through < revision && archived.at.duration_since(*at).abs() >= TRIM_EVERY
        };
        if self.marks.back().is_none_or(is_due) {
            self.marks.push_back((archived.at, revision));
        }
        // Those that are trimmed are of no more use, but for the last of them.
        let trimmed = self.trimmed.map_or(Revision::ABSENT, |(_, through)| through);
        while self.marks.get(1).is_some_and(|(_, through)| *through <= trimmed) {
            self.marks.pop_front();
        }
    }

    /// Does something with the writer on a thread that may wait for the disk, and returns what is archived then. After a
    /// failure the archive is opened again.
    async fn write(
        &mut self,
        work: impl FnOnce(&mut Writer) -> Result<(), ArchiveError> + Send + 'static,
    ) -> Result<Archived, Stopped> {
        let Some(mut writer) = self.writer.take() else {
            return Err(Stopped::Task("the archive is not open".to_owned()));
        };
        let done = tokio::task::spawn_blocking(move || {
            work(&mut writer)?;
            Ok::<Writer, ArchiveError>(writer)
        });
        let writer = done.await.map_err(|lost| Stopped::Task(lost.to_string()))??;
        let archived = writer.archived().cloned();
        self.writer = Some(writer);
        archived.ok_or_else(|| Stopped::Task("the archive has no beginning".to_owned()))
    }
}
