//! The engine: the one copy per region that proposes, and that does what time brings about.
//!
//! It follows the log, which goes one way. A change of the picture changes what is kept in memory (`kept`), and with it the
//! kept plan; what that touches is decided purely, each part of the region for itself (`parts`, `chores`, `plan`,
//! `better`); the decisions are carried out in commits (`carry`), and come back by the log. Then the engine
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
mod named;
mod parts;
mod plan;
mod retire;
mod standing;

use std::sync::Arc;
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::Label;
use fallow_host::clock::Clock;
use fallow_ledger::record::{Record, lease_key};
use fallow_ledger::{Revision, planted};
use fallow_live::Live;
use fallow_live::call::new_id;
use fallow_live::mutate::Mutation;
use jiff::{SignedDuration, Timestamp};

use block::in_commits;
pub(crate) use block::together;
pub(crate) use carry::{fresh_ids, taken_of};
pub use changes::{of_chore, of_placement};
pub use chores::{Chore, chores};
pub use deadline::next_deadline;
pub use kept::Kept;
pub(crate) use named::named;
pub(crate) use parts::part_of;
pub use plan::{AT_A_TIME, Because, Placement, Suggest, SuggestTeam, first_of_plan, plan};
pub use retire::KEPT;
pub use standing::Standing;

use carry::{Carried, Carrier};
use follow::Follower;
use lease::{Asking, Chance, Lease, Vigil};
use retire::Retiring;

/// How long the engine waits after trouble with the store, by the real clock.
const AFTER_TROUBLE: Duration = Duration::from_secs(1);
/// How long it waits before it tries again what a rule refused although it seemed due.
const AFTER_REFUSAL: SignedDuration = SignedDuration::from_secs(30);

/// How the engine runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Life of the lease in real time: a standby takes over when it has seen no renewal for so long. It is renewed three
    /// times as often.
    pub lease: Duration,
}

/// Runs a copy of the engine until it is told to stop: it acts while it holds the region's lease, and stands by
/// otherwise. `standing` says which.
///
/// Told to stop, it gives its lease up, so that the next takes over at once; dropped, it leaves it to run out. It ends by
/// itself only when the picture is gone, and with it the process.
pub async fn run(
    live: Live,
    clock: Clock,
    calendar: Arc<WorkingCalendar>,
    settings: Settings,
    standing: Arc<Standing>,
    stopping: impl Future<Output = ()>,
) {
    let holder = Label::parse(&format!("engine-{}", new_id())).unwrap_or_default();
    let (follower, epoch, retiring) = (None, None, Retiring::default());
    let mut engine = Engine { live, clock, calendar, settings, standing, holder, epoch, follower, retiring };
    let is_stopped = tokio::select! {
        biased;
        () = stopping => true,
        () = engine.run() => false,
    };
    engine.standing.stand_down(false);
    if is_stopped {
        engine.asking().give_up().await;
    }
}

struct Engine {
    live: Live,
    clock: Clock,
    calendar: Arc<WorkingCalendar>,
    settings: Settings,
    standing: Arc<Standing>,
    holder: Label,
    /// The epoch of the lease that it had last.
    epoch: Option<u64>,
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
    /// The lease is to be renewed.
    Renew,
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

/// Why an engine is no longer the active one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// Another engine has the lease.
    LeaseLost,
    /// The picture is gone, and with it the process.
    PictureGone,
}

impl Engine {
    /// Stands by and acts, by turns.
    async fn run(&mut self) {
        let mut revisions = self.live.picture().revisions();
        // An error means that the picture is gone.
        while revisions.wait_for(Option::is_some).await.is_ok() {
            if self.live.region().is_err() {
                // Without a region there is nothing to match; its file comes with some later change.
                if revisions.changed().await.is_err() {
                    return;
                }
                continue;
            }
            let ended = match self.stand_by(&mut revisions).await {
                Ok(Some(lease)) => {
                    let is_takeover = self.epoch.replace(lease.epoch()) != Some(lease.epoch());
                    tracing::info!(epoch = lease.epoch(), "this engine is the active one");
                    self.standing.stand_up(is_takeover);
                    self.act(lease).await
                }
                Ok(None) => Ok(Ended::PictureGone),
                Err(failure) => Err(failure),
            };
            self.standing.stand_down(matches!(ended, Ok(Ended::LeaseLost)));
            match ended {
                Ok(Ended::LeaseLost) => {
                    tracing::warn!("lease_lost: another engine has the lease, this one stands by");
                }
                Ok(Ended::PictureGone) => return,
                Err(failure) => self.wait_out(&failure).await,
            }
        }
    }

    /// Waits until the lease is this engine's; `None` when the picture is gone.
    async fn stand_by(&self, revisions: &mut Revisions) -> Result<Option<Lease>, Failure> {
        let mut vigil = Vigil::new(self.settings.lease);
        loop {
            // Before it is looked at, so that no change is missed.
            revisions.borrow_and_update();
            let shown = self.live.picture().get(&lease_key());
            let shown = shown.as_ref().and_then(|seen| match &*seen.record {
                Record::Lease(lease) => Some((seen.revision, lease)),
                Record::Offer(_)
                | Record::Need(_)
                | Record::Proposal(_)
                | Record::Transfer(_)
                | Record::Trust(_)
                | Record::Feed(_)
                | Record::Region(_)
                | Record::Claim(_)
                | Record::Session(_)
                | Record::Monitor(_)
                | Record::Decline(_) => None,
            });
            let until = match vigil.look(shown, &self.holder, self.clock.steady()) {
                Chance::Now(stood_at) => match self.asking().take(stood_at).await? {
                    Some(lease) => return Ok(Some(lease)),
                    // The ledger is ahead of the picture, which soon shows whose it is.
                    None => Duration::MAX,
                },
                Chance::At(until) => until,
            };
            tokio::select! {
                changed = revisions.changed() => if changed.is_err() { return Ok(None) },
                () = self.clock.sleep_until_steady(until) => {}
            }
        }
    }

    fn asking(&self) -> Asking<'_> {
        let (live, holder, life) = (&self.live, &self.holder, self.settings.lease);
        Asking { live, holder, life, at: self.clock.now(), steady: self.clock.steady() }
    }

    /// Acts as the active engine until the lease is lost.
    async fn act(&mut self, mut lease: Lease) -> Result<Ended, Failure> {
        let mut revisions = self.live.picture().revisions();
        let mut retire_at = self.clock.now();
        // What was done while another was active is looked at as a whole.
        self.follower = None;
        loop {
            let (mut seen, deadline) = match self.round(&mut lease, &mut retire_at).await? {
                Round::Again => continue,
                Round::LeaseLost => return Ok(Ended::LeaseLost),
                Round::Rest(seen, deadline) => (seen, deadline),
            };
            let wake_at = deadline.map_or(retire_at, |deadline| deadline.min(retire_at));
            loop {
                if self.is_another() {
                    return Ok(Ended::LeaseLost);
                }
                // A renewal alone is no reason to look again.
                seen = lease.past(seen);
                match self.sleep(&mut revisions, seen, wake_at, lease.renew_at()).await {
                    Woken::Gone => return Ok(Ended::PictureGone),
                    Woken::Changed | Woken::Time => break,
                    Woken::Renew => match self.asking().renew(&lease).await? {
                        Some(renewed) => lease = renewed,
                        None => return Ok(Ended::LeaseLost),
                    },
                }
            }
        }
    }

    /// Sleeps until the picture is past a revision, until a time, or until the lease is to be renewed.
    async fn sleep(
        &self,
        revisions: &mut Revisions,
        seen: Revision,
        until: Timestamp,
        renew_at: Duration,
    ) -> Woken {
        let changed = async {
            match revisions.wait_for(|now| now.is_some_and(|now| now > seen)).await {
                Ok(_) => Woken::Changed,
                Err(_) => Woken::Gone,
            }
        };
        tokio::select! {
            woken = changed => woken,
            () = self.clock.sleep_until(until) => Woken::Time,
            () = self.clock.sleep_until_steady(renew_at) => Woken::Renew,
        }
    }

    /// Renews the lease while some work is under way, so that nobody takes over from an engine that thinks; `None` when the
    /// lease is another's all the same.
    async fn renewing<T>(
        &self,
        lease: &mut Lease,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Option<T>, Failure> {
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done.map(Some),
                () = self.clock.sleep_until_steady(lease.renew_at()) => {}
            }
            match self.asking().renew(lease).await? {
                Some(renewed) => *lease = renewed,
                None => return Ok(None),
            }
        }
    }

    /// Looks once and does what is to be done.
    async fn round(&mut self, lease: &mut Lease, retire_at: &mut Timestamp) -> Result<Round, Failure> {
        let at = self.clock.now();
        if self.is_another() {
            return Ok(Round::LeaseLost);
        }
        let look = look(self.follower.take(), self.live.clone(), at);
        let Some(looked) = self.renewing(lease, look).await? else { return Ok(Round::LeaseLost) };
        let Some((follower, due)) = looked else { return Ok(Round::Again) };
        let (seen, deadline) = (follower.kept().facts().revision, follower.kept().next_deadline());
        let mut carrier = Carrier::new(&self.live, lease, &self.calendar, follower.kept());
        let mut is_done = false;
        for chore in &due {
            match carrier.chore(chore).await? {
                Carried::Done => is_done = true,
                Carried::Overtaken | Carried::Skipped => {}
                Carried::LeaseLost => return Ok(Round::LeaseLost),
            }
            if self.is_to_renew(lease) {
                break;
            }
        }
        drop(carrier);
        if is_done || self.is_to_renew(lease) {
            self.follower = Some(follower);
            return self.again(lease).await;
        }
        let mut follower = follower;
        // What cannot be carried out must not stand in the way of what comes after it.
        for at_most in [AT_A_TIME, usize::MAX] {
            let Some(planned) = self.renewing(lease, follower.placements(at_most)).await? else {
                return Ok(Round::LeaseLost);
            };
            let (kept, placements) = planned;
            follower = kept;
            let is_all = placements.len() < at_most;
            if placements.is_empty() {
                break;
            }
            match self.carry_out(lease, &follower, placements).await? {
                Carried::Done => {
                    self.follower = Some(follower);
                    return self.again(lease).await;
                }
                Carried::Overtaken | Carried::Skipped if is_all => break,
                Carried::Overtaken | Carried::Skipped => {}
                Carried::LeaseLost => return Ok(Round::LeaseLost),
            }
        }
        self.follower = Some(follower);
        if at >= *retire_at {
            match self.retire(lease, at).await? {
                Carried::Done => return self.again(lease).await,
                Carried::Overtaken | Carried::Skipped => *retire_at = later(at, retire::LOOK_EVERY),
                Carried::LeaseLost => return Ok(Round::LeaseLost),
            }
        }
        let again = (!due.is_empty()).then(|| later(at, AFTER_REFUSAL));
        Ok(Round::Rest(seen, [deadline, again].into_iter().flatten().min()))
    }

    /// Carries out placements until it is time to renew the lease; done if any was, or if there was no time for more.
    async fn carry_out(
        &self,
        lease: &Lease,
        follower: &Follower,
        placements: Vec<Placement>,
    ) -> Result<Carried, Failure> {
        let mut carrier = Carrier::new(&self.live, lease, &self.calendar, follower.kept());
        let mut all = Carried::Skipped;
        for groups in in_commits(together(placements, &carrier.facts)) {
            match carrier.place_many(&groups, follower.kept(), &|| self.is_to_renew(lease)).await? {
                Carried::Done => all = Carried::Done,
                Carried::Overtaken if all == Carried::Skipped => all = Carried::Overtaken,
                Carried::Overtaken | Carried::Skipped => {}
                Carried::LeaseLost => return Ok(Carried::LeaseLost),
            }
            if self.is_to_renew(lease) {
                all = Carried::Done;
                break;
            }
        }
        Ok(all)
    }

    fn is_to_renew(&self, lease: &Lease) -> bool {
        self.clock.steady() >= lease.renew_at()
    }

    /// Renews the lease if it is time, and goes on.
    async fn again(&self, lease: &mut Lease) -> Result<Round, Failure> {
        if self.is_to_renew(lease) {
            match self.asking().renew(lease).await? {
                Some(renewed) => *lease = renewed,
                None => return Ok(Round::LeaseLost),
            }
        }
        Ok(Round::Again)
    }

    /// Deletes one batch of what ended long ago; there was none where that is skipped.
    async fn retire(&mut self, lease: &Lease, at: Timestamp) -> Result<Carried, Failure> {
        let batch = {
            let still = self.live.picture().still();
            self.retiring.due(&still, &self.live, at)
        };
        if batch.is_empty() {
            return Ok(Carried::Skipped);
        }
        retire::retire(&self.live, lease, &batch, at).await
    }

    /// Says whether the picture shows the lease with another engine.
    fn is_another(&self) -> bool {
        let seen = self.live.picture().get(&lease_key()).filter(|_| !planted::on("lease-not-expected"));
        seen.is_some_and(|seen| matches!(&*seen.record, Record::Lease(lease) if lease.holder != self.holder))
    }

    async fn wait_out(&self, failure: &Failure) {
        tracing::warn!(error = %failure, "the engine cannot act and tries again");
        tokio::time::sleep(AFTER_TROUBLE).await;
    }
}

/// Takes in what has changed, looks, and returns what is to be done; `None` when everything has to be looked at anew.
async fn look(
    follower: Option<Follower>,
    live: Live,
    at: Timestamp,
) -> Result<Option<(Follower, Vec<Chore>)>, Failure> {
    let follower = match follower {
        Some(follower) => follower,
        None => Follower::start(&live, at).await?,
    };
    let looked = follower.look(&live, at).await?;
    if looked.is_none() {
        tracing::info!("the engine has missed changes and starts again from everything");
    }
    Ok(looked)
}

/// The engine as who acts.
pub(crate) fn actor() -> Actor {
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
        actor: actor(),
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
