//! Watching the situation: the whole of it again when it changes, and every minute, so that ages move on.

use std::sync::Arc;
use std::time::Duration;

use fallow_api::convert::request::number_to_wire;
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::watch_situation_response::Item;
use fallow_api::v1::{self, WatchSituationResponse};
use fallow_api::violation::Violations;
use fallow_domain::actor::{Actor, Role};
use fallow_host::clock::Clock;
use fallow_ledger::watch::BOOKMARK_EVERY;
use fallow_ledger::{Cursor, Revision};
use fallow_live::Live;
use fallow_live::call::Call;
use futures::stream::{self, Stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::Instant;

use crate::situation::{Folds, Seen};

/// How soon after the last look the situation is looked at again.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How soon the situation is told again although nothing changed, by the service's clock.
const TELL_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// A watch of one caller.
pub(crate) struct Watching {
    live: Live,
    clock: Clock,
    folds: Arc<Folds>,
    actor: Actor,
    collaborative: String,
    revisions: watch::Receiver<Option<Revision>>,
    last: Option<Last>,
}

/// What was told last.
struct Last {
    seen: Arc<Seen>,
    looked_at: Instant,
    told_at: Instant,
    tell_again_at: Timestamp,
}

impl Watching {
    /// Starts a watch. The first message is the whole situation, whatever the cursor.
    ///
    /// # Errors
    /// A violation of `cursor` when it is none; as [`Folds::look`].
    pub(crate) fn start(
        call: &Call,
        clock: Clock,
        folds: Arc<Folds>,
        request: v1::WatchSituationRequest,
    ) -> Result<Self, Failure> {
        if !request.cursor.is_empty() && request.cursor.parse::<Cursor>().is_err() {
            let text = "must be the cursor of a message of this watch, or empty";
            return Err(Violations::one("cursor", reasons::BAD_CURSOR, text).into());
        }
        folds.look(call, &request.collaborative)?;
        Ok(Self {
            live: call.live.clone(),
            clock,
            folds,
            actor: call.actor.clone(),
            collaborative: request.collaborative,
            revisions: call.live.picture().revisions(),
            last: None,
        })
    }

    /// Returns the messages, up to `moved` when `stopping` comes, or to the failure that ends the watch.
    pub(crate) fn into_stream(
        self,
        stopping: impl Future<Output = ()> + Send + 'static,
    ) -> impl Stream<Item = Result<WatchSituationResponse, Failure>> + Send + 'static {
        let state = Some((self, Box::pin(stopping)));
        stream::unfold(state, |state| async move {
            let (mut watching, mut stopping) = state?;
            let next = tokio::select! {
                biased;
                () = &mut stopping => return Some((Ok(watching.quiet(Item::Moved(v1::Moved {}))), None)),
                next = watching.next() => next,
            };
            match next {
                Ok(message) => Some((Ok(message), Some((watching, stopping)))),
                Err(failure) => Some((Err(failure), None)),
            }
        })
    }

    async fn next(&mut self) -> Result<WatchSituationResponse, Failure> {
        loop {
            let mut is_time = self.last.is_none();
            if let Some(last) = &self.last {
                tokio::select! {
                    biased;
                    changed = self.revisions.changed() => {
                        // An error means that the picture is gone, and with it the process.
                        if changed.is_err() {
                            return Err(Failure::NotReady { retry_after: fallow_live::RETRY_AFTER });
                        }
                        tokio::time::sleep_until(last.looked_at + LOOK_EVERY).await;
                    }
                    () = self.clock.sleep_until(last.tell_again_at) => is_time = true,
                    () = tokio::time::sleep_until(last.told_at + BOOKMARK_EVERY) => {
                        return Ok(self.quiet(Item::Bookmark(v1::Bookmark {})));
                    }
                }
            }
            self.revisions.mark_unchanged();
            let call = Call::new(&self.live, self.actor.clone(), self.clock.now(), None)?;
            let seen = self.folds.look(&call, &self.collaborative)?;
            if is_time || self.last.as_ref().is_none_or(|last| differ(&last.seen, &seen)) {
                return Ok(self.tell(&call, seen));
            }
            if let Some(last) = &mut self.last {
                (last.seen, last.looked_at) = (seen, Instant::now());
            }
        }
    }

    fn tell(&mut self, call: &Call, seen: Arc<Seen>) -> WatchSituationResponse {
        let (now, again) = (Instant::now(), call.at.saturating_add(TELL_EVERY).unwrap_or(call.at));
        self.last = Some(Last { seen, looked_at: now, told_at: now, tell_again_at: again });
        // The console's own connection hears that something changed, and its pages read it with their viewers' rights.
        self.message(match (self.actor.role, &self.last) {
            (Role::Console, _) | (_, None) => Item::Bookmark(v1::Bookmark {}),
            (_, Some(last)) => Item::Situation(last.seen.situation.clone()),
        })
    }

    /// Makes a message that tells of no change.
    fn quiet(&mut self, item: Item) -> WatchSituationResponse {
        if let Some(last) = &mut self.last {
            last.told_at = Instant::now();
        }
        self.message(item)
    }

    fn message(&self, item: Item) -> WatchSituationResponse {
        let seen = self.last.as_ref().map(|last| &last.seen);
        let cursor = seen.and_then(|seen| seen.cursor.as_ref()).map(ToString::to_string);
        let revision = seen.map_or(0, |seen| number_to_wire(seen.revision.0));
        WatchSituationResponse { item: Some(item), cursor: cursor.unwrap_or_default(), revision }
    }
}

/// Says whether two looks show something else than another time and revision.
fn differ(one: &Seen, other: &Seen) -> bool {
    let (one, other) = (&one.situation, &other.situation);
    one.name != other.name
        || one.headline != other.headline
        || one.cells != other.cells
        || one.trusts != other.trusts
        || one.modes != other.modes
}
