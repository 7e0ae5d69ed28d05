//! Plays the trusts' feeds and people, through the public API alone: it holds credentials and nothing else.
//!
//! What happens by itself comes from the [`plan`]; what people answer from [`people`]. People look at their lists every
//! step, so nothing is remembered that the services do not know, but for which need stands for which case. A visitor
//! who answers first is a race lost like any other.

mod board;
mod desk;
mod faults;
mod tally;
mod transfers;
mod voice;

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fallow_api::v1;
use fallow_host::clock::Clock;
use futures::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::plan::{self, Act, Event};
use super::scenario::Scenario;
use desk::Desk;
use fallow_console::Faults;
use faults::Broken;
pub use tally::Tally;
use voice::Voice;
pub(super) use voice::Voices;

/// People look at their lists so often, on the scenario's clock.
const LOOK: SignedDuration = SignedDuration::from_mins(1);
/// They never look more often than this, however fast the clock runs.
const LOOK_LEAST: Duration = Duration::from_millis(250);
/// In the first seconds the night is made up for: so many looks come as soon as they may.
const CATCH_UP_LOOKS: u32 = 14;
/// What comes later than this, on a machine that cannot keep up, is left out: nobody reports the figures of hours ago.
const LATE: SignedDuration = SignedDuration::from_mins(90);
/// The trust of events that are gold's.
const GOLD: &str = "";
/// Cases remembered; older ones have long ended.
const CASES_MAX: usize = 4_000;

/// What is known of a case beyond its need.
#[derive(Debug, Clone)]
struct Case {
    case_ref: String,
    /// Minutes that the case is ahead of its records.
    settled_minutes: i64,
    /// Left to a visitor.
    waits: bool,
}

/// Which need stands for which case; shared by the people of all trusts.
#[derive(Debug, Clone, Default)]
struct Cases(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    by_need: BTreeMap<String, Case>,
    /// Needs, the oldest first.
    order: VecDeque<String>,
}

impl Cases {
    fn keep(&self, need: String, case: Case) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.by_need.insert(need.clone(), case).is_none() {
            known.order.push_back(need);
        }
        while known.order.len() > CASES_MAX {
            if let Some(oldest) = known.order.pop_front() {
                known.by_need.remove(&oldest);
            }
        }
    }

    /// Returns the case of a need; one that a visitor raised is known by its id alone.
    fn of(&self, need: &str) -> Case {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let unknown = || Case { case_ref: need.to_owned(), settled_minutes: 0, waits: false };
        known.by_need.get(need).cloned().unwrap_or_else(unknown)
    }
}

/// The simulated region.
pub(super) struct Simulator {
    scenario: Scenario,
    seed: u64,
    clock: Clock,
    /// The systems and the people of each trust.
    desks: BTreeMap<String, Desk>,
    gold: Voice,
    /// The care board's.
    board: Voice,
    broken: Broken,
    /// The rest of the planned day, in order.
    coming: VecDeque<Event>,
    next_day: i64,
}

impl Simulator {
    /// Makes the people of a scenario's region; they speak by `voices`, and `faults` happen to them.
    pub(super) fn new(scenario: Scenario, seed: u64, clock: Clock, voices: &Voices, faults: Faults) -> Self {
        let cases = Cases::default();
        let desk = |trust: &str| {
            let unhurried = scenario.unhurried.clone();
            (trust.to_owned(), Desk::new(trust, seed, unhurried, voices, cases.clone()))
        };
        let desks = scenario.trusts().into_iter().map(desk).collect();
        let (gold, board) = (voices.gold(), voices.board());
        let broken = Broken::new(faults);
        Self { desks, gold, board, broken, scenario, seed, clock, coming: VecDeque::new(), next_day: 0 }
    }

    /// Plays until `stopping` ends.
    pub(super) async fn run(mut self, stopping: impl Future<Output = ()>) {
        let clock = self.clock.clone();
        let playing = async {
            self.open().await;
            for _ in 0..CATCH_UP_LOOKS {
                tokio::time::sleep(LOOK_LEAST).await;
                self.step().await;
            }
            loop {
                clock.sleep(pause(&clock)).await;
                self.step().await;
            }
        };
        tokio::select! {
            () = playing => {}
            () = stopping => {}
        }
    }

    /// Opens the day: everything is reported, and the cases that the night has left are raised.
    async fn open(&mut self) {
        for event in plan::opening(&self.scenario, self.seed) {
            if let Some(event) = self.met(event) {
                self.play(event).await;
            }
        }
        for case in plan::night(&self.scenario) {
            let trust = super::scenario::trust_of(&case.need.site).to_owned();
            let known = Case {
                case_ref: case.need.case_ref.clone(),
                settled_minutes: case.settled_minutes,
                waits: case.waits,
            };
            if let Some(desk) = self.desks.get(&trust) {
                desk.raise(case.need, known).await;
            }
        }
    }

    /// Plays everything that is due, and lets people look at their lists: all trusts at once, as they do.
    async fn step(&mut self) {
        let now = self.clock.now();
        let mut due: BTreeMap<String, Vec<Event>> = BTreeMap::new();
        while let Some(event) = self.due(now) {
            if let Some(event) = self.met(event) {
                due.entry(event.trust.clone()).or_default().push(event);
            }
        }
        for (trust, act) in self.broken.said_at_once(now) {
            due.entry(trust.clone()).or_default().push(Event { at: now, trust, act });
        }
        for event in due.remove(GOLD).unwrap_or_default() {
            self.play(event).await;
        }
        board::look(&self.board).await;
        let this = &*self;
        join_all(this.desks.iter().map(|(trust, desk)| {
            let events = due.remove(trust).unwrap_or_default();
            async move {
                for event in events {
                    this.play(event).await;
                }
                if this.broken.answers(trust) {
                    desk.look(this.clock.now()).await;
                }
            }
        }))
        .await;
    }

    /// Returns what becomes of an event while something is broken on purpose.
    fn met(&mut self, event: Event) -> Option<Event> {
        let Event { at, trust, act } = event;
        let act = self.broken.meet(&trust, act)?;
        Some(Event { at, trust, act })
    }

    /// Takes the next event that is due, planning further days as they come.
    fn due(&mut self, now: Timestamp) -> Option<Event> {
        while self.coming.is_empty() {
            let midnight = self.scenario.on_day(self.next_day, jiff::civil::Time::midnight()).ok()?;
            if midnight > now {
                return None;
            }
            let begins = self.scenario.begins_at();
            self.coming = plan::day(&self.scenario, self.seed, self.next_day, begins).into();
            self.next_day += 1;
        }
        if self.coming.front().is_some_and(|event| event.at <= now) { self.coming.pop_front() } else { None }
    }

    async fn play(&self, event: Event) {
        let Event { at, trust, act } = event;
        let desk = self.desks.get(&trust);
        let now = self.clock.now();
        let is_late = now.duration_since(at) > LATE;
        match (act, desk) {
            (Act::Mode { collaborative, incident, reason }, _) => {
                self.gold.set_mode(&collaborative, incident, &reason).await;
            }
            (Act::Ask { of }, _) => self.gold.ask_to_confirm(&of).await,
            (Act::Stream(_) | Act::Publish(_) | Act::Replace { .. } | Act::Raise(_), _) if is_late => {
                tracing::debug!(trust, %at, "left out: too late");
            }
            (Act::Stream(offers), Some(desk)) => desk.system.stream(at, offers).await,
            (Act::Replace { site, kind, mut offers }, Some(desk)) => {
                offers.retain(|offer| !is_over(offer, now));
                desk.system.replace(at, site, kind, offers).await;
            }
            (Act::Publish(offer), Some(desk)) => desk.people.publish(*offer).await,
            (Act::Raise(need), Some(desk)) => {
                let case = Case { case_ref: need.case_ref.clone(), settled_minutes: 0, waits: false };
                desk.raise(*need, case).await;
            }
            (Act::Declare(level), Some(desk)) => desk.people.declare(level).await,
            (
                Act::Stream(_) | Act::Replace { .. } | Act::Publish(_) | Act::Raise(_) | Act::Declare(_),
                None,
            ) => {}
        }
    }
}

/// Returns how long people wait between looks, by the clock as it runs now; a clock that stands still is waited for.
fn pause(clock: &Clock) -> SignedDuration {
    let own = LOOK_LEAST.saturating_mul(clock.speed().unwrap_or(1));
    SignedDuration::try_from(own).unwrap_or(LOOK).max(LOOK)
}

/// Says whether an offer's window has passed.
fn is_over(offer: &v1::Offer, now: Timestamp) -> bool {
    let until = offer.window.as_ref().and_then(|window| window.until);
    until.is_some_and(|until| until.seconds <= now.as_second())
}
