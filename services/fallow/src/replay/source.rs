//! Where a log comes from: a file, or a ledger.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fallow_host::config::{Config, StoreKind};
use fallow_ledger::{Change, Cursor, Ledger, Revision, Trouble};

use super::ReplayError;
use super::file::{Reader, Start};
use crate::wiring::open_ledger;

/// Changes asked for at once.
const PAGE: usize = 1_000;

/// A log that is read change by change.
pub(super) enum Source {
    /// A file.
    File(Box<Reader>),
    /// A ledger's, from its beginning to where it was when it was asked.
    Ledger(FromLedger),
}

/// A ledger's log.
pub(super) struct FromLedger {
    ledger: Arc<dyn Ledger>,
    start: Start,
    cursor: Cursor,
    end: Revision,
    page: VecDeque<Change>,
}

impl Source {
    /// Opens a file.
    pub(super) fn file(path: &Path) -> Result<Self, ReplayError> {
        Ok(Self::File(Box::new(Reader::open(path)?)))
    }

    /// Opens the ledger that the settings name.
    pub(super) async fn ledger(config: &Config) -> Result<Self, ReplayError> {
        if config.store.kind == StoreKind::Embedded {
            let text =
                "store.kind: embedded ends with its process and has no log to replay; give a file with --log";
            return Err(ReplayError::Usage(text.to_owned()));
        }
        let ledger = open_ledger(config).map_err(|error| ReplayError::Usage(error.to_string()))?;
        Self::of(ledger).await
    }

    /// Reads a ledger's log from its beginning.
    pub(super) async fn of(ledger: Arc<dyn Ledger>) -> Result<Self, ReplayError> {
        let (_, now) = ledger.snapshot().await.map_err(trouble)?;
        Ok(Self::Ledger(FromLedger {
            cursor: now.at(Revision::ABSENT),
            end: now.revision(),
            start: Start::default(),
            page: VecDeque::new(),
            ledger,
        }))
    }

    /// Where it starts.
    pub(super) fn start(&self) -> &Start {
        match self {
            Self::File(reader) => reader.start(),
            Self::Ledger(from) => &from.start,
        }
    }

    /// Returns the next change; `None` at the end.
    pub(super) async fn next(&mut self) -> Result<Option<Change>, ReplayError> {
        match self {
            Self::File(reader) => reader.next_change(),
            Self::Ledger(from) => from.next().await,
        }
    }
}

impl FromLedger {
    async fn next(&mut self) -> Result<Option<Change>, ReplayError> {
        if self.page.is_empty() && self.cursor.revision() < self.end {
            let page = self.ledger.changes(&self.cursor, PAGE, Duration::ZERO).await.map_err(trouble)?;
            self.cursor = page.cursor;
            self.page.extend(page.changes);
        }
        Ok(self.page.pop_front().filter(|change| change.revision <= self.end))
    }
}

fn trouble(trouble: Trouble) -> ReplayError {
    let text = match &trouble {
        Trouble::CursorGone => {
            "the ledger no longer keeps its log from the beginning: replay a file, kept with --save \
                                while it was whole"
                .to_owned()
        }
        Trouble::Unavailable { .. }
        | Trouble::Unknown { .. }
        | Trouble::Sealed { .. }
        | Trouble::Misconfigured { .. }
        | Trouble::TooLarge { .. }
        | Trouble::TooManyRequests { .. }
        | Trouble::Corrupt { .. } => trouble.to_string(),
    };
    ReplayError::Ledger(text)
}
