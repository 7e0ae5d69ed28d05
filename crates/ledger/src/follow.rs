//! The follower: one reader of the log per process, the only writer of the picture.

use std::sync::Arc;
use std::time::Duration;

use crate::Ledger;
use crate::cursor::Cursor;
use crate::picture::Picture;
use crate::planted;
use crate::trouble::Trouble;

/// How long a call for changes waits before it asks again.
const WAIT: Duration = Duration::from_secs(1);
/// Changes asked for at once.
const PAGE: usize = 512;
/// How long the follower waits after trouble, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Draws the picture and keeps it so. Never returns; drop it to stop.
///
/// Trouble with the store is waited out: the picture stays as it is and says how old it is, see [`Picture::age`].
pub async fn follow(ledger: Arc<dyn Ledger>, picture: Arc<Picture>) {
    let mut outage = Outage::default();
    loop {
        match ledger.snapshot().await {
            Ok((records, cursor)) => {
                picture.heard();
                outage.over();
                tracing::info!(revision = cursor.revision().0, records = records.len(), "picture drawn");
                picture.redraw(records, &cursor);
                keep_up(&*ledger, &picture, cursor, &mut outage).await;
            }
            Err(trouble) => outage.wait(&trouble).await,
        }
    }
}

/// Applies changes until the picture must be drawn afresh. Other trouble is waited out here.
async fn keep_up(ledger: &dyn Ledger, picture: &Picture, mut cursor: Cursor, outage: &mut Outage) {
    loop {
        match ledger.changes(&cursor, PAGE, WAIT).await {
            Ok(page) => {
                picture.heard();
                outage.over();
                if picture.apply(page.changes).is_err() {
                    tracing::error!(shown = picture.revision().0, after = %cursor, "a gap in the log");
                    return;
                }
                cursor = page.cursor;
            }
            Err(Trouble::CursorGone) => {
                tracing::warn!(%cursor, "the changes are gone: the picture is drawn afresh");
                return;
            }
            Err(trouble) => {
                if planted::on("follower-skips") {
                    cursor = cursor.at(cursor.revision().next());
                }
                outage.wait(&trouble).await;
            }
        }
    }
}

/// A time in which the ledger cannot be followed: told once when it begins and once when it ends.
#[derive(Default)]
struct Outage {
    pause: Option<Duration>,
}

impl Outage {
    async fn wait(&mut self, trouble: &Trouble) {
        let pause = match self.pause {
            Some(last) => (last * 2).min(BACK_OFF.1),
            None => {
                tracing::warn!(error = %trouble, "the ledger cannot be followed; the picture ages");
                BACK_OFF.0
            }
        };
        self.pause = Some(pause);
        tokio::time::sleep(pause).await;
    }

    fn over(&mut self) {
        if self.pause.take().is_some() {
            tracing::info!("the ledger is followed again");
        }
    }
}
