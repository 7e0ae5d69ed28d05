//! The search in one part: simulated annealing with ejections.
//!
//! A proposal puts one case into one session; where it does not fit, some members make room and go where they
//! cost least, or unserved. Proposals that make the plan dearer are kept by chance, the more rarely the dearer they are and
//! the longer the search has gone on (the temperature falls). When the temperature has fallen, a longer
//! cycle begins, so that the search needs no end to be set beforehand: whenever it is stopped, the best plan
//! so far stands. After each step one session is packed anew as well as can be, and at last all are. In strict mode a cycle goes band by band: those whose turn has passed keep their service.

use super::Mode;
use super::chain::Chain;
use super::dice::{Dice, Patience, below};
use super::exact;
use super::packing::Packing;
use super::parts::Part;
use super::phases::{Cooling, Phase, between, phases};
use super::prices::{order, prices};
use super::response::Response;
use super::rounds::Walk;
use super::worth::{Worth, Worths};
use crate::matching::network::{NONE, position};

/// Proposals in one step of search.
pub(super) const PROPOSALS_A_STEP: u64 = 256;

/// Proposals for each case in the first cycle; each further cycle is twice as long.
const FIRST_CYCLE: u64 = 64;

/// The first, short cycles, and all while cases lack a place that must have one: every other one is so much hotter, so
/// that small parts are searched from end to end.
const SHORT_CYCLES: u32 = 6;
const SHORT_HEAT: f64 = 16.0;

/// So few cases are searched from end to end throughout.
const FEW_CASES: u64 = 32;

/// Every so many of the later cycles begins so much hotter, to leave what the search has settled into.
const HOTTER_CYCLES: u32 = 3;
const HOTTER: f64 = 4.0;

/// Cycles in a row, each twice as long as the last, after which a search that found nothing better gives up; and the
/// first cycle after which it may.
const BARREN_CYCLES: u32 = 6;
const PATIENT_CYCLES: u32 = 9;

/// Readings of all spots that are spent on prices to search by.
const READINGS: u32 = 400;

/// What the loss of a case served in an earlier band would cost: more than all others together.
const FIXED: i64 = 1 << 40;

/// Where all must be served, a case that is left over for a while costs as much as so many served ones.
const JOB_AWAY: i64 = 4;

pub(super) struct Search<'a> {
    now: Packing<'a>,
    worths: Worths<'a>,
    cooling: Cooling,
    dice: Dice,
    patience: Patience,
    /// The spots of each case, the one that costs least at the prices of minutes first.
    order: Vec<u32>,
    /// The bands in strict mode, else one phase for all.
    phases: Vec<Phase>,
    phase: usize,
    /// Proposals made in this phase.
    made: u64,
    #[cfg(test)]
    proposals: u64,
    cycle: u32,
    barren: u32,
    /// The best plan of this phase with its cost, and how many proposals ago it was kept.
    ahead: (i64, Vec<u32>),
    response: Response,
    since: u64,
    best: Best,
    least_possible: i64,
}

/// The best whole plan so far.
struct Best {
    worth: Worth,
    spots: Vec<u32>,
    /// Nothing can be better.
    is_proved: bool,
}

impl<'a> Search<'a> {
    /// Begins with a plan, given by the spot of each case.
    pub(super) fn new(part: &'a Part, mode: Mode, cooling: Cooling, start: Vec<u32>, seed: u64) -> Self {
        let mut now = Packing::new(part);
        now.restore(&start);
        #[allow(clippy::cast_precision_loss)] // only says where to look
        let prices = prices(part, now.cost() as f64, READINGS);
        let order = order(part, &prices);
        let worths = Worths::new(part, mode);
        let proved = exact::best(part, mode, &start);
        let is_proved = proved.is_some();
        let spots = proved.unwrap_or(start);
        let best = Best { worth: worths.of(&spots), spots, is_proved };
        let cheapest = |case: usize| {
            let spots = part.spots_of(case).iter().map(|spot| spot.cost);
            spots.min().map_or(part.away[case], |cost| cost.min(part.away[case]))
        };
        let mut search = Self {
            least_possible: (0..part.cases.len()).map(cheapest).sum(),
            now,
            worths,
            cooling,
            dice: Dice::new(seed),
            patience: Patience::new(),
            order,
            phases: phases(part, mode, cooling),
            phase: 0,
            made: 0,
            #[cfg(test)]
            proposals: 0,
            cycle: 0,
            barren: 0,
            ahead: (i64::MAX, best.spots.clone()),
            response: Response::new(part),
            since: 0,
            best,
        };
        search.begin_phase();
        search
    }

    /// Says that all cases must be served and that no plan has been found that does.
    fn is_lacking(&self) -> bool {
        self.cooling.cost.is_some() && self.best.spots.contains(&NONE)
    }

    /// Proposals made since the search began.
    #[cfg(test)]
    pub(super) fn proposals(&self) -> u64 {
        self.proposals
    }

    /// Ends the search and returns the best plan with its worth.
    pub(super) fn finish(mut self) -> (Worth, Vec<u32>) {
        if !self.best.is_proved {
            self.polish();
        }
        let worth = self.worths.of(&self.ahead.1);
        if worth < self.best.worth { (worth, self.ahead.1) } else { (self.best.worth, self.best.spots) }
    }

    /// Proposals in this phase.
    fn length(&self) -> u64 {
        let cases = u64::from(position(self.phases[self.phase].active.len()));
        (cases * FIRST_CYCLE) << self.cycle.min(40)
    }

    fn keep(&mut self) {
        if self.now.cost() < self.ahead.0 {
            self.ahead.0 = self.now.cost();
            self.ahead.1.copy_from_slice(self.now.spots());
            self.since = 0;
        }
    }

    /// Goes back to the best plan of the phase, and packs each session as well as can be.
    fn polish(&mut self) {
        self.keep();
        self.now.restore(&self.ahead.1);
        if self.cooling.cost.is_none() {
            self.response.settle(&mut self.now);
        }
        self.keep();
    }

    fn heat(&self) -> f64 {
        let is_short = self.cycle < SHORT_CYCLES || self.weight() <= FEW_CASES || self.is_lacking();
        match self.cycle {
            cycle if is_short && cycle.is_multiple_of(2) => SHORT_HEAT,
            cycle if !is_short && cycle.is_multiple_of(HOTTER_CYCLES) => HOTTER,
            _ => 1.0,
        }
    }

    /// The temperature falls in even ratios, and is nearly nothing for the last sixteenth of a phase.
    fn temperature(&self, length: u64) -> f64 {
        let Phase { hot, cold, .. } = self.phases[self.phase];
        let hot = hot * self.heat();
        let share = (self.made * 64 / length.max(1)).min(63);
        if share >= 60 {
            return cold / 16.0;
        }
        between(hot, cold, share, 6)
    }

    /// Lets the cases of this phase take part; those of later bands go, those of earlier ones keep their service.
    fn begin_phase(&mut self) {
        let part = self.now.part;
        self.made = 0;
        self.ahead.0 = i64::MAX;
        self.since = 0;
        let Some(band) = self.phases[self.phase].band else {
            if let Some(cost) = self.cooling.cost {
                // A job left over must cost enough to be placed at last, and little enough to be left for a while.
                let away =
                    cost.saturating_mul(JOB_AWAY << if self.is_lacking() { self.cycle % 6 } else { 0 });
                for case in 0..position(part.cases.len()) {
                    self.now.set_away(case, away.min(part.away[case as usize]));
                }
            }
            return;
        };
        let mut earlier = Vec::new();
        for case in 0..position(part.cases.len()) {
            let its = part.bands[case as usize];
            let served = self.now.spot(case) != NONE;
            let away = match its.cmp(&band) {
                std::cmp::Ordering::Less if served => {
                    earlier.push(case);
                    FIXED
                }
                std::cmp::Ordering::Equal => part.away[case as usize],
                std::cmp::Ordering::Less => 0,
                std::cmp::Ordering::Greater => {
                    if served {
                        self.now.take_out(case);
                    }
                    0
                }
            };
            self.now.set_away(case, away);
        }
        let phase = &mut self.phases[self.phase];
        phase.active.clone_from(&phase.cases);
        phase.active.extend(earlier);
    }

    /// Goes on from the best plan of the phase to the next one, or to the next cycle.
    fn end_phase(&mut self) {
        self.polish();
        self.phase += 1;
        if self.phase == self.phases.len() {
            let worth = self.worths.of(&self.ahead.1);
            self.barren += 1;
            if worth < self.best.worth {
                self.best.worth = worth;
                self.best.spots.copy_from_slice(&self.ahead.1);
                self.barren = 0;
            }
            self.phase = 0;
            self.cycle += 1;
        }
        self.begin_phase();
    }

    /// Proposes one change, and makes it if it is worth it at this temperature.
    fn propose(&mut self, temperature: f64) {
        #[cfg(test)]
        {
            self.proposals += 1;
        }
        let part = self.now.part;
        let chance = self.dice.bits();
        let active = &self.phases[self.phase].active;
        let case = active[below(chance, active.len())];
        let range = part.range_of(case as usize);
        // Mostly a session that is cheap at the prices of minutes, at times any.
        let rank = match chance & 1 {
            0 => self.dice.below(range.len()),
            _ => ((chance >> 1) | 1 << 30).trailing_zeros() as usize,
        };
        if rank >= range.len() {
            return;
        }
        let spot = self.order[range.start + rank];
        let from = self.now.spot(case);
        if spot == from {
            return;
        }
        let its = part.spots[spot as usize];
        #[allow(clippy::cast_possible_truncation)] // saturates, which is meant
        let limit = (temperature * self.patience.of(self.dice.bits())) as i64;
        let change = its.cost - self.now.cost_of(case);
        let wanted = its.size - self.now.left(its.session);
        if wanted <= 0 {
            if change <= limit {
                self.move_to(case, spot);
            }
            return;
        }
        let mut chain = Chain::new(from, its.session, change);
        if !chain.choose(&self.now, wanted, &mut self.dice) || !chain.settle(&self.now, limit) {
            return;
        }
        for &(member, _) in chain.ejected() {
            self.now.take_out(member);
        }
        self.move_to(case, spot);
        for &(member, spot) in chain.ejected().iter().filter(|(_, spot)| *spot != NONE) {
            self.now.put(member, spot);
        }
    }

    fn move_to(&mut self, case: u32, spot: u32) {
        if self.now.spot(case) != NONE {
            self.now.take_out(case);
        }
        self.now.put(case, spot);
    }
}

impl Walk for Search<'_> {
    fn weight(&self) -> u64 {
        u64::from(position(self.now.part.cases.len()))
    }

    fn is_finished(&self) -> bool {
        self.best.is_proved
            || (self.barren >= BARREN_CYCLES && self.cycle >= PATIENT_CYCLES && !self.is_lacking())
            || self.best.worth.iter().sum::<i64>() <= self.least_possible
    }

    fn advance(&mut self, steps: u64) -> u64 {
        for _ in 0..steps {
            let length = self.length();
            let temperature = self.temperature(length);
            for _ in 0..PROPOSALS_A_STEP {
                self.propose(temperature);
                self.since += 1;
                if self.now.cost() < self.ahead.0 && self.since >= self.weight() {
                    self.keep();
                }
            }
            if self.cooling.cost.is_none() {
                let session = self.dice.below(self.now.part.rooms.len());
                self.response.answer(&mut self.now, position(session));
            }
            self.made += PROPOSALS_A_STEP;
            if self.made >= length {
                self.end_phase();
            }
        }
        steps
    }
}
