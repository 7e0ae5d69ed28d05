//! The demonstration's log as a file, for `fallow replay`.

use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::{Cursor, Ledger};

use crate::replay::{ReplayError, Start, Writer};

/// Changes asked for at once.
const PAGE: usize = 512;
/// How long a call for changes waits before it asks again.
const WAIT: Duration = Duration::from_secs(1);

/// A log that is being kept.
pub(super) struct Keeping {
    ledger: Arc<dyn Ledger>,
    writer: Writer,
    cursor: Cursor,
}

impl Keeping {
    /// Begins a file with what is live now.
    ///
    /// # Errors
    /// The file cannot be written, or the ledger does not answer.
    pub(super) async fn start(path: &std::path::Path, ledger: Arc<dyn Ledger>) -> Result<Self, ReplayError> {
        let snapshot = ledger.snapshot().await;
        let (records, cursor) = snapshot.map_err(|trouble| ReplayError::Ledger(trouble.to_string()))?;
        let writer = Writer::create(path, &Start { revision: cursor.revision(), records })?;
        Ok(Self { ledger, writer, cursor })
    }

    /// Writes every change until it is told to stop, and then what is left.
    pub(super) async fn run(mut self, stopping: impl Future<Output = ()>) {
        tokio::pin!(stopping);
        let mut is_stopping = false;
        while !is_stopping {
            let kept = tokio::select! {
                biased;
                () = &mut stopping => {
                    is_stopping = true;
                    Ok(())
                }
                kept = keep(&*self.ledger, &mut self.writer, &self.cursor, WAIT) => kept.map(|cursor| self.cursor = cursor),
            };
            if let Err(error) = kept {
                tracing::error!(%error, "the log is kept no further");
                return;
            }
        }
        let left = self.finish().await;
        if let Err(error) = left {
            tracing::error!(%error, "the end of the log is not kept");
        }
    }

    async fn finish(mut self) -> Result<(), ReplayError> {
        loop {
            let cursor = keep(&*self.ledger, &mut self.writer, &self.cursor, Duration::ZERO).await?;
            if cursor == self.cursor {
                return self.writer.finish();
            }
            self.cursor = cursor;
        }
    }
}

/// Writes the next changes; returns where to go on.
async fn keep(
    ledger: &dyn Ledger,
    writer: &mut Writer,
    cursor: &Cursor,
    wait: Duration,
) -> Result<Cursor, ReplayError> {
    let page = ledger.changes(cursor, PAGE, wait).await;
    let page = page.map_err(|trouble| ReplayError::Ledger(trouble.to_string()))?;
    page.changes.iter().try_for_each(|change| writer.change(change))?;
    Ok(page.cursor)
}
