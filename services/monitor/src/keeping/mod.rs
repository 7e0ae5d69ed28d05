//! What the monitor does by itself: it raises and clears alerts, and takes down the numbers of each hour and day.
//!
//! Any number of copies may run. What each writes is bound to the names it takes: of one cause, one hour and one day the
//! ledger holds one record, and a copy that comes second finds it there.

mod alarms;
mod rollups;

use std::sync::Arc;
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_domain::monitor::alarm::Since;
use fallow_domain::monitor::position::Position;
use fallow_host::clock::Clock;
use fallow_live::Live;
use fallow_live::mutate::Mutation;
use jiff::{SignedDuration, Timestamp};

use crate::chronicle::Chronicle;
use crate::past::Moment;
use crate::position;

/// How often the monitor looks, by the service's clock.
const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(1);
/// How soon it looks again at most, whatever the speed of the clock.
const LOOK_AT_MOST_EVERY: Duration = Duration::from_millis(200);

/// One copy's keeping.
pub(crate) struct Keeping {
    live: Live,
    clock: Clock,
    chronicle: Arc<Chronicle>,
    store_caveat: String,
    since: Since,
    /// When this copy began: it takes down no hour that ended before.
    began_at: Timestamp,
    /// The region at the end of the last hour, looked at as it ended: soon the log may no longer reach back to it.
    ended: Option<Position>,
}

impl Keeping {
    pub(crate) fn new(live: Live, clock: Clock, chronicle: Arc<Chronicle>, store_caveat: String) -> Self {
        let began_at = clock.now();
        Self { live, clock, chronicle, store_caveat, since: Since::default(), began_at, ended: None }
    }

    /// Looks every minute, and whenever an hour ends. Never returns; drop it to stop.
    pub(crate) async fn run(mut self) {
        let mut was_told = false;
        loop {
            self.clock.sleep_until(next_look(self.clock.now())).await;
            tokio::time::sleep(LOOK_AT_MOST_EVERY).await;
            match self.look().await {
                Ok(()) => was_told = false,
                // Told once: the store's own troubles are told by who follows it.
                Err(failure) if !std::mem::replace(&mut was_told, true) => {
                    tracing::warn!(error = %failure, "the monitor could not keep what it keeps");
                }
                Err(_) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<(), Failure> {
        let at = self.clock.now();
        let Some(moment) = Moment::now(self.live.picture(), at) else { return Ok(()) };
        let Some(moment) = self.look_at_hour(moment).await else { return Ok(()) };
        // Alarms first, and whatever becomes of them the hours are taken down. After trouble the minutes go on from
        // where they were: what was not raised is decided again.
        let alarms = alarms::keep(&self.live, &moment, &self.store_caveat, self.since.clone()).await;
        let rollups =
            rollups::keep(&self.live, &self.chronicle, &moment, self.began_at, self.ended.as_ref()).await;
        self.since = alarms?;
        rollups
    }

    /// Looks at the region where an hour has just ended. Gives the moment back.
    async fn look_at_hour(&mut self, moment: Moment) -> Option<Moment> {
        let hour = rollups::hour_of(moment.at);
        let is_new = self.ended.as_ref().is_none_or(|ended| ended.at != hour) && hour > self.began_at;
        if !is_new || moment.at.duration_since(hour) > LOOK_EVERY || moment.shelf.has_position(hour) {
            return Some(moment);
        }
        let (moment, position) = position::taken(moment, hour).await?;
        self.ended = Some(position);
        Some(moment)
    }
}

/// Returns when to look after a time: a minute later, or at the end of the hour.
fn next_look(now: Timestamp) -> Timestamp {
    let hour = rollups::hour_of(now).saturating_add(SignedDuration::from_hours(1)).unwrap_or(now);
    now.saturating_add(LOOK_EVERY).unwrap_or(now).min(hour)
}

/// Returns the change of something that the monitor keeps, by the monitor itself.
fn by_monitor(verb: &'static str, at: Timestamp) -> Mutation {
    Mutation {
        actor: Actor {
            subject: Label::parse("monitor").unwrap_or_default(),
            kind: ActorKind::System,
            role: Role::PlatformAdmin,
            trust: None,
        },
        verb,
        at,
        request: None,
        is_feed: false,
        validate_only: false,
        expected: None,
        traceparent: None,
        decided_at: None,
    }
}
