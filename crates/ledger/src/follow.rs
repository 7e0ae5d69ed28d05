//! The follower: one reader of the log per process, the only writer of the picture.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::Ledger;
use crate::cursor::Cursor;
use crate::picture::{Picture, Sketch};
use crate::planted;
use crate::trouble::Trouble;

/// How long a call for changes waits before it asks again.
const WAIT: Duration = Duration::from_secs(1);
/// Changes asked for at once.
const PAGE: usize = 512;
/// Parts of a snapshot that wait to be read: enough that nobody waits for long, few enough to weigh little.
const PARTS_WAITING: usize = 4;
/// How long the follower waits after trouble, at first and at most.
const BACK_OFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Draws the picture and keeps it so. Never returns; drop it to stop.
///
/// Trouble with the store is waited out: the picture stays as it is and says how old it is, see [`Picture::age`].
pub async fn follow(ledger: Arc<dyn Ledger>, picture: Arc<Picture>) {
    let mut outage = Outage::default();
    loop {
        match sketch(&*ledger).await {
            Ok((sketch, cursor)) => {
                picture.heard();
                outage.over();
                tracing::info!(revision = cursor.revision().0, records = sketch.len(), "picture drawn");
                picture.redraw(sketch, &cursor);
                keep_up(&*ledger, &picture, cursor, &mut outage).await;
            }
            Err(trouble) => outage.wait(&trouble).await,
        }
    }
}

/// Takes a snapshot. What has come of it is read while the rest is still on its way: on a start with a hundred thousand live
/// records, either takes a while, and nobody is served before both are done.
async fn sketch(ledger: &dyn Ledger) -> Result<(Sketch, Cursor), Trouble> {
    let (tell, mut told) = mpsc::channel(PARTS_WAITING);
    let reading = tokio::task::spawn_blocking(move || {
        let mut sketch = Sketch::default();
        while let Some(part) = told.blocking_recv() {
            sketch.take(part);
        }
        sketch
    });
    // It ends when the last part is told, and also when there is trouble.
    let cursor = ledger.snapshot_in_parts(tell).await?;
    match reading.await {
        Ok(sketch) => Ok((sketch, cursor)),
        Err(error) => Err(Trouble::Unavailable { detail: format!("read a snapshot: {error}") }),
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
