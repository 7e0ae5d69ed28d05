//! `Simulate`: changes tried on a copy of what there is, or was, at one revision.
//!
//! One trial runs at a time, on a thread of its own and for so long at most, so that no curiosity keeps the engine from
//! its work.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fallow_api::convert::Check;
use fallow_api::convert::request::NUMBER_MAX;
use fallow_api::convert::simulate::{Started, changes, misfit, to_wire};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::matching::simulate::{Search, Standing, simulate};
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::refusal::Refusal;
use fallow_ledger::picture::Of;
use fallow_ledger::{RecordKind, Revision};
use fallow_live::call::{Call, new_id};
use fallow_live::visibility::Joined;
use tokio::sync::Semaphore;

use crate::facts::Facts;
use crate::then::{NoFacts, facts_of};
use crate::world::{SEED, THEATRE_STEPS, World};

/// Trials that run at once in a process: solving takes a processor each.
const AT_ONCE: usize = 1;
/// How long a trial waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// Longest trial: what a person waits for. Callers may set a shorter deadline.
const LONGEST: Duration = Duration::from_secs(20);

/// The turns of trials in a process.
#[derive(Debug, Clone)]
pub(crate) struct Trials(Arc<Semaphore>);

impl Default for Trials {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(AT_ONCE)))
    }
}

/// Stops a trial that nobody waits for any more.
struct StopWhenDropped(Arc<AtomicBool>);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Trials {
    /// Tries changes when it is their turn.
    ///
    /// # Errors
    /// The violations of the request; `REVISION_GONE`; [`Failure::Limited`] when others take too long,
    /// [`Failure::DeadlinePassed`] when this one does.
    pub(crate) async fn run(
        &self,
        call: Call,
        request: v1::SimulateRequest,
    ) -> Result<v1::SimulateResponse, Failure> {
        let Ok(Ok(turn)) = tokio::time::timeout(TURN, self.0.clone().acquire_owned()).await else {
            return Err(Failure::Limited {
                reason: reasons::CONCURRENCY,
                subject: "simulations of this server".to_owned(),
                text: format!("{AT_ONCE} simulation runs at a time, and others are before this one"),
                retry_after: Some(TURN),
            });
        };
        let stopped = Arc::new(AtomicBool::new(false));
        let _stop = StopWhenDropped(stopped.clone());
        let trial = tokio::task::spawn_blocking(move || {
            let tried = run(&call, &request, &stopped);
            drop(turn);
            tried
        });
        match tokio::time::timeout(LONGEST, trial).await {
            Ok(Ok(tried)) => tried,
            Ok(Err(error)) => {
                let trace_id = new_id();
                tracing::error!(%error, trace_id, "changes could not be tried");
                Err(Failure::Bug { trace_id })
            }
            Err(_) => Err(Failure::DeadlinePassed { mutation: false }),
        }
    }
}

fn run(
    call: &Call,
    request: &v1::SimulateRequest,
    stopped: &AtomicBool,
) -> Result<v1::SimulateResponse, Failure> {
    let facts = base(call, request.base_revision)?;
    let changes = changes(&request.changes, &facts.region)?;
    // A trust tries on what it can see: of the rest even sums would tell.
    let viewer = call.viewer();
    let sees_need = |need: &Need| viewer.need(need, Joined::No).is_some();
    let sees_offer = |offer: &Offer| viewer.offer(offer).is_some();
    let problem = World::of(&facts).problem(sees_need, sees_offer);
    let seen = |hold: &&Arc<fallow_domain::proposal::Proposal>| {
        facts.needs.get(&hold.need).is_some_and(|need| sees_need(need))
            && facts.offers.get(&hold.offer).is_some_and(|offer| sees_offer(offer))
    };
    let standing: Vec<Standing> = facts
        .holds
        .values()
        .filter(seen)
        .map(|hold| Standing { need: hold.need.clone(), offer: hold.offer.clone(), units: hold.units.get() })
        .collect();
    let search = Search { budget: THEATRE_STEPS, seed: SEED };
    let mut should_stop = || stopped.load(Ordering::Relaxed);
    let what_if = simulate(&problem, &standing, &changes, search, &mut should_stop)
        .map_err(|wrong| Failure::Invalid(misfit(&wrong)))?;
    let started = Started { revision: facts.revision.0, at: facts.at };
    Ok(to_wire(&what_if, &problem, started, |home, supporting| viewer.between(home, supporting)))
}

/// Returns the facts that a trial starts from, at the time of their revision's commit.
fn base(call: &Call, revision: Option<i64>) -> Result<Facts, Failure> {
    let picture = call.live.picture();
    let Some(number) = revision else {
        // Unknown only until the first commit that this process sees.
        let made_at = |revision| picture.cause_of(revision).map(|cause| cause.at);
        let mut facts = Facts::of(&call.live, made_at(picture.revision()).unwrap_or(call.at))?;
        if let Some(at) = made_at(facts.revision) {
            facts.move_to(at);
        }
        return Ok(facts);
    };
    let mut check = Check::new("");
    let number: Option<u64> = check.number("base_revision", number, 1, NUMBER_MAX);
    let revision = Revision(check.finish(number)?);
    let gone = || {
        let text = format!("revision {revision} is no longer kept, or still to come");
        Refusal::new(reasons::REVISION_GONE, text)
    };
    let place = picture.still().cursor().map(|cursor| cursor.at(revision));
    // Looked for first, for it costs least.
    let cause = picture.cause_of(revision).ok_or_else(gone)?;
    let records =
        place.and_then(|place| picture.copy_at(Of::Kinds(&RecordKind::ALL), &place)).ok_or_else(gone)?;
    facts_of(cause.at, revision, &records).map_err(|none| match none {
        NoFacts::NoRegion => {
            let text = format!("no region was in force at revision {revision}");
            Refusal::new(reasons::REVISION_GONE, text).into()
        }
        NoFacts::BadRegion(detail) => {
            let trace_id = new_id();
            tracing::error!(detail, trace_id, "a region file of the log cannot be read");
            Failure::Bug { trace_id }
        }
    })
}
