//! How a process calls the roll: whoever it misses for long is taken off the record of writers.
//!
//! A writer that crashed is on record for ever else, and a restart of everything would wait for it for ever: those who come
//! after know nothing, and it never speaks. Why nothing is lost by it is said in [`crate::seal`] and in decision 0020.

use std::time::Duration;

use fallow_ledger::Trouble;
use tokio::time::Instant;

use crate::presence::{Look, fresh};
use crate::seal;
use crate::store::Store;

/// How often a change of the seal is tried whose place in the log must not have moved: a busy log moves on, and the next look
/// tries again.
const ATTEMPTS: u32 = 16;

/// What a process remembers of the calls of the roll, by its own steady clock.
pub(crate) struct RollCaller {
    /// The last call that was seen, whoever made it, and when.
    seen: Option<String>,
    since: Instant,
    /// The call of this process that some have not answered, and when it was made.
    ours: Option<(String, Instant)>,
}

impl RollCaller {
    pub(crate) fn new() -> RollCaller {
        RollCaller { seen: None, since: Instant::now(), ours: None }
    }

    /// Calls the roll when nobody has for a while, and strikes off those who have not answered this process in time. To be
    /// called after every look at a ledger that is open.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`], [`Trouble::Corrupt`].
    pub(crate) async fn tend(&mut self, store: &Store, look: &Look) -> Result<(), Trouble> {
        let call = look.found.seal.roll.as_ref().map(|roll| &roll.call);
        if call.is_some() && call != self.seen.as_ref() {
            (self.seen, self.since) = (call.cloned(), Instant::now());
        }
        if self.ours.as_ref().is_some_and(|(ours, _)| Some(ours) != call) {
            // All have answered, or somebody else has called since.
            self.ours = None;
        }
        // Another's call takes the place of this one's: it is given the time to come to its end.
        let others = if call.is_some() { store.options.roll_wait * 2 } else { Duration::ZERO };
        match &self.ours {
            Some((ours, since)) if since.elapsed() >= store.options.roll_wait => {
                let struck = store.strike_off(ours).await?;
                if !struck.is_empty() {
                    let (writers, waited) = (struck.join(", "), store.options.roll_wait);
                    tracing::warn!(
                        %writers, ?waited,
                        "writers that do not answer are taken off the record: a restart of the store does not wait for \
                         them. All that they were told is in the ledger"
                    );
                    // The epoch in which they were is over, for this process too.
                    store.presence.doubt();
                }
            }
            None if self.since.elapsed() >= store.options.roll_every + others => {
                self.since = Instant::now();
                if let Some(called) = store.call_roll().await? {
                    self.seen = Some(called.clone());
                    self.ours = Some((called, Instant::now()));
                }
            }
            Some(_) | None => {}
        }
        Ok(())
    }
}

impl Store {
    /// Calls the roll. Gives which call it is, or nothing when there is nobody to call.
    async fn call_roll(&self) -> Result<Option<String>, Trouble> {
        let call = fresh();
        for _ in 0..ATTEMPTS {
            let look = self.look().await?;
            let Some(seal) = seal::call_roll(&look.found, self.presence.id(), &call) else { return Ok(None) };
            if self.set_seal(&look, &seal, false).await? {
                return Ok(Some(call));
            }
        }
        Ok(None)
    }

    /// Strikes off those who have not answered a call. Gives their ids.
    async fn strike_off(&self, call: &str) -> Result<Vec<String>, Trouble> {
        for _ in 0..ATTEMPTS {
            let look = self.look().await?;
            let Some((seal, struck)) = seal::strike_off(&look.found, call, &fresh()) else { break };
            if self.set_seal(&look, &seal, false).await? {
                return Ok(struck);
            }
        }
        Ok(Vec::new())
    }
}
