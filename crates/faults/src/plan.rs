//! What a round does, drawn from its seed: the world, the faults and their times. The interleaving of real processes is
//! not in it, and differs from run to run.

use std::fmt;
use std::time::Duration;

use fallow_ledger::conformance::twin::Dice;

/// How long a round works before it heals.
pub(crate) const WORK: Duration = Duration::from_millis(5_000);
/// Nothing happens in the first of it, so that there is something to lose.
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
pub(crate) const SERVICES: [(&str, &str); 5] = [
    ("capacity", "capacity"),
    ("demand", "demand"),
    ("matching-1", "matching"),
    ("matching-2", "matching"),
    ("monitor", "monitor"),
];

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
    /// What is done and when, from the start of the work; in order.
    pub(crate) faults: Vec<(Duration, Fault)>,
}

/// What can be staged here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stage {
    /// The build waits for replicas.
    pub(crate) replicas: bool,
    /// A small disk can be mounted.
    pub(crate) disk: bool,
}

impl Plan {
    /// Draws the plan of a seed.
    pub(crate) fn draw(seed: u64, stage: Stage) -> Self {
        let mut dice = Dice::new(seed ^ 0x5EED_0FFA_110B);
        let kind = dice.below(10);
        let world = match kind {
            0..=2 if stage.replicas => World::OneReplicaMustHaveIt,
            _ => World::Standalone,
        };
        let mut faults: Vec<(Duration, Fault)> = Vec::new();
        let count = 3 + dice.below(4);
        for _ in 0..count {
            let at = Duration::from_millis(CALM + dice.below(3_400));
            faults.push((at, fault(&mut dice, world, stage)));
        }
        // What cannot be taken back comes last, if it comes.
        if dice.once_in(12) {
            let last = match world {
                World::Standalone => Fault::Flush,
                World::OneReplicaMustHaveIt => Fault::PromoteWrong,
            };
            faults.push((Duration::from_millis(4_000 + dice.below(500)), last));
        } else if world == World::OneReplicaMustHaveIt && dice.once_in(2) {
            faults.push((Duration::from_millis(2_500 + dice.below(1_500)), Fault::PromoteRight));
        }
        faults.sort_by_key(|(at, _)| *at);
        Self { seed, world, faults }
    }

    /// Says whether the round ends sealed.
    pub(crate) fn seals(&self) -> bool {
        self.faults.iter().any(|(_, fault)| fault.seals())
    }
}

fn fault(dice: &mut Dice, world: World, stage: Stage) -> Fault {
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
        _ if stage.disk && world == World::Standalone => Fault::DiskFull(short),
        _ => Fault::KillRedis(short),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: Stage = Stage { replicas: true, disk: true };

    #[test]
    fn a_seed_draws_the_same_plan_and_others_draw_others() {
        let shown = |seed| format!("{:?}", Plan::draw(seed, ALL));
        assert_eq!(shown(7), shown(7));
        assert_ne!(shown(7), shown(8));
    }

    #[test]
    fn every_fault_is_drawn_and_none_that_cannot_be_staged() {
        let kinds = |stage| {
            let drawn = (0..400).flat_map(|seed| Plan::draw(seed, stage).faults);
            let mut names: Vec<String> =
                drawn.map(|(_, fault)| format!("{fault:?}").split('(').next().unwrap().to_owned()).collect();
            names.sort();
            names.dedup();
            names
        };
        assert_eq!(kinds(ALL).len(), 16, "{:?}", kinds(ALL));
        let poor = kinds(Stage { replicas: false, disk: false });
        assert!(!poor.iter().any(|kind| kind.starts_with("Promote") || kind == "DiskFull"));
    }
}
