//! What a round does, drawn from its seed: the world, the faults and their times. The interleaving of real processes is
//! not in it, and differs from run to run.

use std::fmt;
use std::time::Duration;

use fallow_ledger::conformance::twin::Dice;

/// How many seconds the faults of one drawing are spread over: a round that works for longer has as many drawings more.
pub(crate) const SPELL: u64 = 5;
/// Milliseconds of a spell in which nothing happens yet, so that there is something to lose.
const CALM: u64 = 600;

/// How the store stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum World {
    /// One server.
    Standalone,
    /// A primary with two replicas, of which one must have a write before it is acknowledged.
    OneReplicaMustHaveIt,
}

/// A process that can be hit: the services, by their place in [`SERVICES`].
pub(crate) type Place = usize;

/// The services of a round; there are two of matching, each with an engine.
pub(crate) const SERVICES: [(&str, &str); 6] = [
    ("capacity", "capacity"),
    ("demand", "demand"),
    ("matching-1", "matching"),
    ("matching-2", "matching"),
    ("monitor", "monitor"),
    ("archive", "archive"),
];
/// The place of the archive among them.
pub(crate) const ARCHIVE: Place = 5;

/// What is staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Choice {
    /// Whatever the seed draws.
    #[default]
    Any,
    /// In every round the promotion of a replica that lacks what was acknowledged, after some other trouble or none.
    WrongPromotion,
}

/// One thing done to the system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// kill -9, and started again after so long.
    KillService(Place, Duration),
    /// Stopped in its tracks, and let go on after so long.
    PauseService(Place, Duration),
    /// kill -9 of Redis.
    KillRedis(Duration),
    /// Redis stopped in its tracks.
    PauseRedis(Duration),
    /// Redis killed, and its log cut back to what was on disk.
    PowerCut(Duration),
    /// Nothing passes between a service and Redis.
    Partition(Place, Duration),
    /// What a service asks of Redis arrives, and no answer comes back.
    HalfOpen(Place, Duration),
    /// All connections of a service to Redis are cut.
    Reset(Place),
    /// Each way takes so long.
    Latency(Place, Duration, Duration),
    /// So many commits of a service are made and their answers lost.
    DropAnswers(Place, u32),
    /// The clock of a service is set forward or back by seconds, for so long.
    StepClock(Place, i64, Duration),
    /// The clock of Redis is set forward or back.
    StepRedisClock(i64, Duration),
    /// The disk of Redis is full for so long.
    DiskFull(Duration),
    /// Somebody calls FLUSHALL. What was acknowledged is gone: the ledger must be sealed.
    Flush,
    /// The primary dies, and the replica that has every acknowledged write takes over.
    PromoteRight,
    /// The primary dies, and a replica that was cut off takes over: the ledger must be sealed.
    PromoteWrong,
}

impl Fault {
    /// Says whether what was acknowledged cannot be kept: the right outcome is a sealed ledger.
    pub(crate) const fn seals(self) -> bool {
        match self {
            Self::Flush | Self::PromoteWrong => true,
            Self::KillService(..)
            | Self::PauseService(..)
            | Self::KillRedis(_)
            | Self::PauseRedis(_)
            | Self::PowerCut(_)
            | Self::Partition(..)
            | Self::HalfOpen(..)
            | Self::Reset(_)
            | Self::Latency(..)
            | Self::DropAnswers(..)
            | Self::StepClock(..)
            | Self::StepRedisClock(..)
            | Self::DiskFull(_)
            | Self::PromoteRight => false,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = |place: &Place| SERVICES[*place].0;
        match self {
            Self::KillService(place, _) => write!(out, "kill {}", name(place)),
            Self::PauseService(place, _) => write!(out, "pause {}", name(place)),
            Self::KillRedis(_) => write!(out, "kill redis"),
            Self::PauseRedis(_) => write!(out, "pause redis"),
            Self::PowerCut(_) => write!(out, "power cut"),
            Self::Partition(place, _) => write!(out, "partition {}", name(place)),
            Self::HalfOpen(place, _) => write!(out, "half-open {}", name(place)),
            Self::Reset(place) => write!(out, "reset {}", name(place)),
            Self::Latency(place, ..) => write!(out, "latency {}", name(place)),
            Self::DropAnswers(place, n) => write!(out, "drop {n} answers to {}", name(place)),
            Self::StepClock(place, by, _) => write!(out, "clock of {} {by:+} s", name(place)),
            Self::StepRedisClock(by, _) => write!(out, "clock of redis {by:+} s"),
            Self::DiskFull(_) => write!(out, "disk full"),
            Self::Flush => write!(out, "FLUSHALL"),
            Self::PromoteRight => write!(out, "promote the right replica"),
            Self::PromoteWrong => write!(out, "promote the wrong replica"),
        }
    }
}

/// A round.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// Everything follows from it.
    pub(crate) seed: u64,
    /// How the store stands.
    pub(crate) world: World,
    /// How long clients work before everything is healed.
    pub(crate) work: Duration,
    /// What is done and when, from the start of the work; in order.
    pub(crate) faults: Vec<(Duration, Fault)>,
}

impl Plan {
    /// Draws the plan of a seed. It works for at least a spell; without a small disk it has no full one.
    pub(crate) fn draw(seed: u64, choice: Choice, seconds: u64, has_disk: bool) -> Self {
        let mut dice = Dice::new(seed ^ 0x5EED_0FFA_110B);
        let mut plan = match choice {
            Choice::Any => Self::any(seed, &mut dice, seconds.max(SPELL), has_disk),
            Choice::WrongPromotion => Self::wrong_promotion(seed, &mut dice),
        };
        plan.faults.sort_by_key(|(at, _)| *at);
        plan
    }

    fn any(seed: u64, dice: &mut Dice, seconds: u64, has_disk: bool) -> Self {
        let world = match dice.below(10) {
            0..=2 => World::OneReplicaMustHaveIt,
            _ => World::Standalone,
        };
        let mut faults: Vec<(Duration, Fault)> = Vec::new();
        let spells = seconds / SPELL;
        for spell in 0..spells {
            let begins = spell * SPELL * 1_000;
            for _ in 0..3 + dice.below(4) {
                let at = Duration::from_millis(begins + CALM + dice.below(3_400));
                faults.push((at, fault(dice, world, has_disk)));
            }
        }
        let last = (spells - 1) * SPELL * 1_000;
        let in_last = |ms: u64| Duration::from_millis(last + ms);
        // What cannot be taken back comes last, if it comes.
        if dice.once_in(12) {
            let fault = match world {
                World::Standalone => Fault::Flush,
                World::OneReplicaMustHaveIt => Fault::PromoteWrong,
            };
            faults.push((in_last(4_000 + dice.below(500)), fault));
        } else if world == World::OneReplicaMustHaveIt && dice.once_in(2) {
            faults.push((in_last(2_500 + dice.below(1_500)), Fault::PromoteRight));
        }
        Self { seed, world, work: Duration::from_secs(seconds), faults }
    }

    fn wrong_promotion(seed: u64, dice: &mut Dice) -> Self {
        let world = World::OneReplicaMustHaveIt;
        let mut faults: Vec<(Duration, Fault)> = Vec::new();
        for _ in 0..dice.below(3) {
            let at = Duration::from_millis(CALM + dice.below(1_000));
            faults.push((at, fault(dice, world, false)));
        }
        faults.push((Duration::from_millis(1_200 + dice.below(1_000)), Fault::PromoteWrong));
        Self { seed, world, work: Duration::from_secs(3), faults }
    }

    /// Says whether the round ends sealed.
    pub(crate) fn seals(&self) -> bool {
        self.faults.iter().any(|(_, fault)| fault.seals())
    }
}

fn fault(dice: &mut Dice, world: World, has_disk: bool) -> Fault {
    let place = usize::try_from(dice.below(SERVICES.len() as u64)).unwrap_or(0);
    let mut span = |least: u64, most: u64| Duration::from_millis(least + dice.below(most - least));
    let (short, middle) = (span(50, 600), span(400, 1_800));
    let step = [-900, -120, -11, 9, 75, 310, 1_300, 4_000];
    let by = step[usize::try_from(dice.below(8)).unwrap_or(0)];
    match dice.below(32) {
        0..=3 => Fault::KillService(place, short),
        4..=6 => Fault::PauseService(place, middle),
        7..=9 => Fault::KillRedis(short),
        10 | 11 => Fault::PauseRedis(middle),
        12..=14 if world == World::Standalone => Fault::PowerCut(short),
        12..=14 => Fault::KillRedis(short),
        15..=17 => Fault::Partition(place, middle),
        18 | 19 => Fault::HalfOpen(place, middle),
        20 | 21 => Fault::Reset(place),
        22 | 23 => Fault::Latency(place, short / 4, middle),
        24..=27 => Fault::DropAnswers(place, 1 + u32::try_from(dice.below(4)).unwrap_or(0)),
        28 | 29 => Fault::StepClock(place, by, middle * 2),
        30 => Fault::StepRedisClock(by, middle * 2),
        _ if has_disk && world == World::Standalone => Fault::DiskFull(short),
        _ => Fault::KillRedis(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_plan_and_others_draw_others() {
        let shown = |seed| format!("{:?}", Plan::draw(seed, Choice::Any, SPELL, true));
        assert_eq!(shown(7), shown(7));
        assert_ne!(shown(7), shown(8));
    }

    #[test]
    fn every_fault_is_drawn_and_none_that_cannot_be_staged() {
        let kinds = |has_disk| {
            let drawn = (0..400).flat_map(|seed| Plan::draw(seed, Choice::Any, SPELL, has_disk).faults);
            let mut names: Vec<String> =
                drawn.map(|(_, fault)| format!("{fault:?}").split('(').next().unwrap().to_owned()).collect();
            names.sort();
            names.dedup();
            names
        };
        assert_eq!(kinds(true).len(), 16, "{:?}", kinds(true));
        assert!(!kinds(false).contains(&"DiskFull".to_owned()));
    }

    #[test]
    fn a_longer_round_has_more_faults_and_what_cannot_be_taken_back_only_in_its_last_spell() {
        for seed in 0..200 {
            let [short, long] = [5, 15].map(|seconds| Plan::draw(seed, Choice::Any, seconds, true));
            assert!(long.faults.len() > short.faults.len());
            let seals = |(at, fault): &&(Duration, Fault)| fault.seals() && at.as_secs() < 10;
            assert_eq!(long.faults.iter().find(seals), None);
        }
    }

    #[test]
    fn every_round_of_wrong_promotions_has_one_over_replicas() {
        for seed in 0..200 {
            let plan = Plan::draw(seed, Choice::WrongPromotion, SPELL, true);
            assert_eq!(plan.faults.iter().filter(|(_, fault)| fault.seals()).count(), 1);
            assert_eq!((plan.world, plan.seals()), (World::OneReplicaMustHaveIt, true));
        }
    }
}
