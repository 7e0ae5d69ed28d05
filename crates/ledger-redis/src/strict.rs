//! Strict archiving: an OK waits until the archive has on its disk what the OK rests on.
//!
//! The archive notes in the store what it has. One commit that waits asks for all that do.

use std::time::Duration;

use fallow_ledger::{Outcome, Trouble};
use tokio::time::Instant;

use crate::keeper;
use crate::store::{Failed, Store};

/// How often the store is asked at most.
const ASK_EVERY: Duration = Duration::from_millis(2);

/// How far the archive was when the store was last asked.
#[derive(Default)]
pub(crate) struct Reached {
    /// The epoch of the ledger then.
    epoch: String,
    /// The last revision that was archived.
    revision: u64,
    asked: Option<Instant>,
}

impl Store {
    /// Waits until the archive has what an answer rests on, where the deployment asks for that.
    ///
    /// # Errors
    /// [`Trouble::Unknown`] when that takes longer than the response timeout.
    pub(crate) async fn archived(&self, outcome: &Outcome) -> Result<(), Trouble> {
        let revision = match outcome {
            Outcome::Committed { revision } | Outcome::Replayed { revision, .. } => revision.0,
            Outcome::Conflict { .. } | Outcome::RequestIdReused => return Ok(()),
        };
        if !self.options.strict_archive {
            return Ok(());
        }
        let epoch = self.presence.place().0;
        let until_there = async {
            while !self.has_reached(&epoch, revision).await {
                tokio::time::sleep(ASK_EVERY).await;
            }
        };
        tokio::time::timeout(self.options.response_timeout, until_there).await.map_err(|_elapsed| {
            Trouble::Unknown { detail: format!("the archive does not have revision {revision} yet") }
        })
    }

    async fn has_reached(&self, epoch: &str, revision: u64) -> bool {
        let has = |reached: &Reached| reached.epoch == epoch && reached.revision >= revision;
        let mut reached = self.reached.lock().await;
        if !has(&reached) && reached.asked.is_none_or(|asked| asked.elapsed() >= ASK_EVERY) {
            // A store that is away is asked again.
            if let Ok((epoch, revision)) = self.ask_archived().await {
                *reached = Reached { epoch, revision, asked: Some(Instant::now()) };
            }
        }
        has(&reached)
    }

    /// Asks in which epoch the ledger is, and through which revision it is archived; 0 for none.
    async fn ask_archived(&self) -> Result<(String, u64), Trouble> {
        if self.options.replicas > 0 {
            // The archive takes only what is known to be on the replicas. It is told again if this fails.
            let _: Result<String, Failed> = self.call(&self.touch_call()).await;
        }
        let mut ask = redis::pipe();
        ask.cmd("HMGET").arg(&self.keys.meta).arg(&["epoch", "history", "archived"]);
        type Answer = ((Option<String>, Option<String>, Option<String>),);
        let ((epoch, history, note),): Answer = self.query("ask what is archived", &ask).await?;
        let note = note.map(|text| keeper::read(&text)).transpose()?;
        let note = note.filter(|note| history.as_deref() == Some(&**note.cursor.history()));
        Ok((epoch.unwrap_or_default(), note.map_or(0, |note| note.cursor.revision().0)))
    }
}
