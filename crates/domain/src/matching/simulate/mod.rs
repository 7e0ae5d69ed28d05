//! What if: changes on a copy of a problem, one solve by the same engine, and what would differ.
//!
//! Proposals that stand stay as they are: their units are in `held` already, and what the plan adds is what differs. The
//! same problem and the same changes give the same answer, in any order of the problem's records.

mod change;
mod demand;
mod difference;
mod summary;
#[cfg(test)]
mod tests;

use jiff::Timestamp;

use crate::ids::{CollaborativeId, NeedId, OfferId, SiteCode, TrustCode};
use crate::policy::Policy;
use crate::region::Mode;
use crate::resource::{Resource, ResourceKey, ResourceKind};

use super::problem::Problem;
use super::solve::{Plan, solve};

pub use change::{CHANGES_MAX, Changed, Misfit, Remark, apply};
pub use difference::{PlacementChange, WorseOff, changed_placements, worse_off};
pub use summary::{Margin, Share, Summary, summary};

/// One thing to try.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// More or fewer units at a trust. More are an offer of their own, like what the trust has of the resource; fewer are
    /// taken from what it has free, offers in order of id.
    Units {
        /// The trust.
        trust: TrustCode,
        /// Of what; minutes for a theatre.
        resource: Resource,
        /// How many more; negative is fewer.
        by: i32,
        /// More units: until when. `None` = as the trust's other offers, else a day.
        until: Option<Timestamp>,
    },
    /// A site takes nobody any more: its offers are suspended.
    CloseSite(SiteCode),
    /// A trust declares an OPEL.
    Opel {
        /// The trust.
        trust: TrustCode,
        /// The level, 1 to 4.
        level: u8,
    },
    /// A trust's stale figures count as confirmed now.
    FeedReturns(TrustCode),
    /// Every need's travel limit becomes at least so many minutes; needs without one stay without.
    TravelLimit(u32),
    /// The units that still look for an offer, times a factor.
    Demand {
        /// Of this alone; `None` = of everything.
        resource: Option<ResourceKey>,
        /// The factor in thousandths, 0 to 10,000.
        thousandths: u32,
    },
    /// Another policy.
    Policy(Box<Policy>),
    /// Every collaborative of an id works in another mode.
    Mode {
        /// The id.
        collaborative: CollaborativeId,
        /// The mode.
        mode: Mode,
    },
}

/// A proposal that stands: it stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Its need.
    pub need: NeedId,
    /// Its offer.
    pub offer: OfferId,
    /// Its units.
    pub units: u32,
}

/// How theatre search goes, in the base and in the trial alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Search {
    /// Most steps.
    pub budget: u64,
    /// The seed.
    pub seed: u64,
}

/// What would differ.
#[derive(Debug, Clone)]
pub struct WhatIf {
    /// As it is.
    pub before: Summary,
    /// As it would be.
    pub after: Summary,
    /// Placements that differ, in order of the need's id.
    pub changed: Vec<PlacementChange>,
    /// Who would be worse off: needs in order of id, then trusts.
    pub worse_off: Vec<WorseOff>,
    /// What is to be known of single changes.
    pub remarks: Vec<Remark>,
    /// The changed copy, which has the offers that the changes added.
    pub trial: Problem,
}

/// Tries changes on a copy of a problem.
///
/// `should_stop` ends theatre search early; an answer that was stopped depends on when, so a caller who stops throws it
/// away. Cost: two solves, three where there are theatre cases.
///
/// # Errors
/// The first change that does not fit the problem.
pub fn simulate(
    base: &Problem,
    standing: &[Standing],
    changes: &[Change],
    search: Search,
    should_stop: &mut dyn FnMut() -> bool,
) -> Result<WhatIf, Misfit> {
    let Changed { problem: trial, remarks } = apply(base, changes)?;
    let mut planned = |problem: &Problem, previous: Option<&Plan>| {
        solve(problem, previous, search.budget, search.seed, should_stop)
    };
    let mut before = planned(base, None);
    // A search that starts afresh wanders: both start from one plan, so that what differs comes of the changes.
    let first = base.needs.iter().any(|need| need.resource.kind == ResourceKind::Theatre);
    let after = if first {
        let first = before;
        before = planned(base, Some(&first));
        planned(&trial, Some(&first))
    } else {
        planned(&trial, None)
    };
    Ok(WhatIf {
        before: summary(base, standing, &before),
        after: summary(&trial, standing, &after),
        changed: changed_placements(&before, &after),
        worse_off: worse_off((base, &before), (&trial, &after)),
        remarks,
        trial,
    })
}
