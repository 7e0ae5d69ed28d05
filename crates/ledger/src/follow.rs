//! The follower: one reader of the log per process, the only writer of the picture.

use std::sync::Arc;
use std::time::Duration;

use crate::Ledger;
use crate::cursor::Cursor;
use crate::picture::Picture;
use crate::trouble::Trouble;

/// How long a call for changes waits before it asks again.
const WAIT: Duration = Duration::from_secs(1);
/// Changes asked for at once.
const PAGE: usize = 512;
/// How long the follower waits after trouble, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Draws the picture and keeps it so. Never returns; drop it to stop.
///
/// Trouble with the store is waited out: the picture stays as it is and says how old it is by its revision.
pub async fn follow(ledger: Arc<dyn Ledger>, picture: Arc<Picture>) {
    let mut pause = BACK_OFF.0;
    loop {
        let trouble = match ledger.snapshot().await {
            Ok((records, cursor)) => {
                picture.redraw(records, &cursor);
                pause = BACK_OFF.0;
                keep_up(&*ledger, &picture, cursor).await
            }
            Err(trouble) => trouble,
        };
        tracing::warn!(error = %trouble, "the picture must be drawn afresh");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(BACK_OFF.1);
    }
}

/// Applies changes until the cursor is gone. Passing trouble is waited out here, so that nothing is drawn twice.
async fn keep_up(ledger: &dyn Ledger, picture: &Picture, mut cursor: Cursor) -> Trouble {
    let mut pause = BACK_OFF.0;
    loop {
        match ledger.changes(&cursor, PAGE, WAIT).await {
            Ok(page) => {
                pause = BACK_OFF.0;
                page.changes.into_iter().for_each(|change| picture.apply(change));
                cursor = page.cursor;
            }
            Err(trouble) if trouble.is_passing() => {
                tracing::warn!(error = %trouble, "the store cannot be followed: trying again");
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACK_OFF.1);
            }
            Err(trouble) => return trouble,
        }
    }
}
