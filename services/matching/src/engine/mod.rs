//! The engine: the one copy per region that proposes, and that does what time brings about.
//!
//! It follows the log, which goes one way. A change of the picture changes what is kept in memory (`kept`), and with it the
//! kept plan; what that touches is decided purely, each part of the region for itself (`parts`, `chores`, `plan`,
//! `better`); the decisions are carried out one commit at a time (`carry`), and come back by the log. Then the engine
//! sleeps until something changes or the next deadline comes. Losing a race is normal: it looks again. What was missed
//! altogether is made good by starting again from everything (`follow`).

mod better;
mod block;
mod carry;
mod changes;
mod chores;
mod deadline;
mod follow;
mod joined;
mod kept;
mod lease;
mod parts;
mod plan;
mod retire;
mod shares;

use std::sync::Arc;
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::Label;
use fallow_host::clock::Clock;
use fallow_ledger::Revision;
use fallow_ledger::record::{Record, lease_key};
use fallow_live::Live;
use fallow_live::call::new_id;
use fallow_live::mutate::Mutation;
use jiff::{SignedDuration, Timestamp};

pub(crate) use block::together;
pub use changes::{of_chore, of_placement};
pub use chores::{Chore, chores};
pub use deadline::next_deadline;
pub use kept::Kept;
pub use plan::{Because, Placement, Suggest, SuggestTeam, plan};
pub use retire::KEPT;

use carry::{Carried, Carrier};
use follow::Follower;
use lease::{Asked, Lease};
use retire::Retiring;

/// How long the engine waits after trouble with the store, by the real clock.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// How long it waits before it tries again what a rule refused although it seemed due.
const AFTER_REFUSAL: SignedDuration = SignedDuration::from_secs(30);

/// How the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Life of the lease, by the engine's clock: another copy takes over within it.
    pub lease: SignedDuration,
}

/// Runs the engine until it is dropped.
///
/// A copy that does not hold the lease only waits for it.
pub async fn run(live: Live, clock: Clock, calendar: Arc<WorkingCalendar>, settings: Settings) {
    let holder = Label::parse(&format!("engine-{}", new_id())).unwrap_or_default();
    let retiring = Retiring::default();
    let mut engine = Engine { live, clock, calendar, settings, holder, follower: None, retiring };
    let mut revisions = engine.live.picture().revisions();
    // An error means that the picture is gone, and with it the process.
    while revisions.wait_for(Option::is_some).await.is_ok() {
        if engine.live.region().is_err() {
            // Without a region there is nothing to match; its file comes with some later change.
            if revisions.changed().await.is_err() {
                return;
            }
            continue;
        }
        match engine.hold_lease().await {
            Ok(lease) => {
                tracing::info!(epoch = lease.epoch(), "this engine is the active one");
                if let Err(failure) = engine.act(lease).await {
                    engine.wait_out(&failure).await;
                }
            }
            Err(failure) => engine.wait_out(&failure).await,
        }
    }
}

struct Engine {
    live: Live,
    clock: Clock,
    calendar: Arc<WorkingCalendar>,
    settings: Settings,
    holder: Label,
    /// `None` until it is the active engine, and when it has to start again from everything.
    follower: Option<Follower>,
    retiring: Retiring,
}

/// Tells the latest revision of the picture.
type Revisions = tokio::sync::watch::Receiver<Option<Revision>>;

/// Why the engine woke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Woken {
    /// Something has changed.
    Changed,
    /// The time has come.
    Time,
    /// The picture is gone, and with it the process.
    Gone,
}

/// What a round came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Round {
    /// There is nothing to do before this time, or before something changes after this revision.
    Rest(Revision, Option<Timestamp>),
    /// Something was done or has changed: look again at once.
    Again,
    /// Another engine has the lease.
    LeaseLost,
}

impl Engine {
    /// Waits until the lease is this engine's.
    async fn hold_lease(&self) -> Result<Lease, Failure> {
        loop {
            match Lease::ask(&self.live, &self.holder, self.settings.lease, self.clock.now()).await? {
                Asked::Ours(lease) => return Ok(lease),
                Asked::Theirs(until) => self.clock.sleep_until(until).await,
            }
        }
    }

    /// Acts as the active engine until the lease is lost.
    async fn act(&mut self, mut lease: Lease) -> Result<(), Failure> {
        let mut revisions = self.live.picture().revisions();
        let mut retire_at = self.clock.now();
        // What was done while another was active is looked at as a whole.
        self.follower = None;
        loop {
            let round = self.round(&mut lease, &mut retire_at).await?;
            let (seen, deadline) = match round {
                Round::Again => continue,
                Round::LeaseLost => break,
                Round::Rest(seen, deadline) => (seen, deadline),
            };
            let mut seen = seen;
            let wake_at = deadline.map_or(retire_at, |deadline| deadline.min(retire_at));
            loop {
                match self.sleep(&mut revisions, seen, wake_at.min(lease.renew_at())).await {
                    Woken::Gone => return Ok(()),
                    Woken::Changed => break,
                    Woken::Time if self.clock.now() >= wake_at => break,
                    Woken::Time => {
                        let Some(renewed) = self.renew(&lease).await? else { return Ok(()) };
                        lease = renewed;
                        // The renewal alone is no reason to look at everything again.
                        let now = self.live.picture().revision();
                        let written = self.live.picture().get(&lease_key()).map(|lease| lease.revision);
                        if written == Some(now) && now == seen.next() {
                            seen = now;
                        }
                    }
                }
            }
        }
        tracing::warn!("another engine has the lease: this one waits");
        Ok(())
    }

    /// Sleeps until the picture is past a revision, or until a time.
    async fn sleep(&self, revisions: &mut Revisions, seen: Revision, until: Timestamp) -> Woken {
        let changed = async {
            match revisions.wait_for(|now| now.is_some_and(|now| now > seen)).await {
                Ok(_) => Woken::Changed,
                Err(_) => Woken::Gone,
            }
        };
        tokio::select! {
            woken = changed => woken,
            () = self.clock.sleep_until(until) => Woken::Time,
        }
    }

    /// Renews the lease; `None` when it is another's.
    async fn renew(&self, lease: &Lease) -> Result<Option<Lease>, Failure> {
        match Lease::ask(&self.live, &self.holder, self.settings.lease, self.clock.now()).await? {
            Asked::Ours(renewed) if renewed.epoch() == lease.epoch() => Ok(Some(renewed)),
            // Lost and won again: what was looked at in between may be another's doing.
            Asked::Ours(_) | Asked::Theirs(_) => Ok(None),
        }
    }

    /// Looks once and does what is to be done.
    async fn round(&mut self, lease: &mut Lease, retire_at: &mut Timestamp) -> Result<Round, Failure> {
        let at = self.clock.now();
        if at >= lease.renew_at() {
            match self.renew(lease).await? {
                Some(renewed) => *lease = renewed,
                None => return Ok(Round::LeaseLost),
            }
        }
        if self.is_another() {
            return Ok(Round::LeaseLost);
        }
        let Some((follower, due)) = self.look(at).await? else { return Ok(Round::Again) };
        let kept = follower.kept();
        let (seen, deadline) = (kept.facts().revision, kept.next_deadline());
        let is_due = !due.is_empty();
        let mut is_done = false;
        let mut carrier = Carrier::new(&self.live, lease, &self.calendar, kept);
        for chore in &due {
            match carrier.chore(chore).await? {
                Carried::Done => is_done = true,
                Carried::Skipped => {}
                Carried::LeaseLost => return Ok(Round::LeaseLost),
            }
            if carrier.lease.renew_at() <= self.clock.now() {
                is_done = true;
                break;
            }
        }
        if is_done {
            self.follower = Some(follower);
            return Ok(Round::Again);
        }
        let (follower, placements) = follower.placements().await?;
        for group in together(placements, &carrier.facts) {
            match carrier.place_together(&group, follower.kept()).await? {
                Carried::Done => is_done = true,
                Carried::Skipped => {}
                Carried::LeaseLost => return Ok(Round::LeaseLost),
            }
            if carrier.lease.renew_at() <= self.clock.now() {
                is_done = true;
                break;
            }
        }
        drop(carrier);
        self.follower = Some(follower);
        if is_done {
            return Ok(Round::Again);
        }
        if at >= *retire_at && self.retire(lease, at).await? {
            return Ok(Round::Again);
        }
        if at >= *retire_at {
            *retire_at = later(at, retire::LOOK_EVERY);
        }
        let again = is_due.then(|| later(at, AFTER_REFUSAL));
        Ok(Round::Rest(seen, [deadline, again].into_iter().flatten().min()))
    }

    /// Takes in what has changed, looks, and returns what is to be done; `None` when everything has to be looked at anew.
    async fn look(&mut self, at: Timestamp) -> Result<Option<(Follower, Vec<Chore>)>, Failure> {
        let follower = match self.follower.take() {
            Some(follower) => follower,
            None => Follower::start(&self.live, at).await?,
        };
        let looked = follower.look(&self.live, at).await?;
        if looked.is_none() {
            tracing::info!("the engine has missed changes and starts again from everything");
        }
        Ok(looked)
    }

    /// Deletes one batch of what ended long ago; says whether there was any.
    async fn retire(&mut self, lease: &Lease, at: Timestamp) -> Result<bool, Failure> {
        let batch = {
            let still = self.live.picture().still();
            self.retiring.due(&still, &self.live, at)
        };
        if !batch.is_empty() {
            retire::retire(&self.live, lease, &batch, at).await?;
        }
        Ok(!batch.is_empty())
    }

    /// Says whether the picture shows the lease with another engine.
    fn is_another(&self) -> bool {
        let seen = self.live.picture().get(&lease_key());
        seen.is_some_and(|seen| matches!(&*seen.record, Record::Lease(lease) if lease.holder != self.holder))
    }

    async fn wait_out(&self, failure: &Failure) {
        tracing::warn!(error = %failure, "the engine cannot act and tries again");
        tokio::time::sleep(AFTER_TROUBLE).await;
    }
}

/// The engine as one who acts.
fn engine() -> Actor {
    Actor {
        subject: Label::parse("engine").unwrap_or_default(),
        kind: ActorKind::System,
        role: Role::Engine,
        trust: None,
    }
}

/// The verb of a commit that proposes.
pub(crate) const PROPOSE: &str = "propose";

/// Says whether a commit carries out a decision of the engine, and not its lease or the tidying up of old records.
pub(crate) fn is_decision(by: &Actor, verb: &str) -> bool {
    by.role == Role::Engine && (verb == PROPOSE || chores::VERBS.contains(&verb))
}

/// Makes an engine's own change, which its records tell from a repetition.
fn by_engine(verb: &'static str, at: Timestamp, traceparent: Option<String>) -> Mutation {
    Mutation {
        actor: engine(),
        verb,
        at,
        request: None,
        is_feed: false,
        validate_only: false,
        expected: None,
        traceparent,
        decided_at: None,
    }
}

fn later(at: Timestamp, by: SignedDuration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}
