//! What an explanation says: one message, rendered the same on the web, in the CLI and over the API.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ids::{NeedId, OfferId, TrustCode};
use crate::need::Priority;
use crate::reason::NotUsed;

/// Why a proposal was made.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// Where the need stood in the queue, and what put it there.
    pub rank: RankFacts,
    /// The terms of the burden of one unit; their points add up to the burden.
    pub terms: Vec<Term>,
    /// What the supporting trust has left.
    pub after: After,
    /// Who has given and taken.
    pub fairness: Fairness,
    /// The next best offers and why they lost, best first.
    pub alternatives: Vec<Alternative>,
    /// Offers of the resource that could not serve, by reason.
    pub not_used: Vec<NotUsedCount>,
    /// What would have led to another proposal.
    pub flips: Vec<Flip>,
    /// Facts that were not known and so broke no limit, in plain words.
    #[serde(default)]
    pub unknown: Vec<String>,
    /// The time the engine took as now.
    pub checked_at: Timestamp,
    /// The ledger revision the engine decided on; 0 for files.
    pub revision: u64,
    /// The region file's version that held the policy.
    pub policy: String,
}

impl Explanation {
    /// Returns the burden of one unit in points.
    #[must_use]
    pub fn burden(&self) -> i64 {
        self.terms.iter().map(|t| t.points).sum()
    }
}

/// Where a need stood in the queue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RankFacts {
    /// Its band.
    pub priority: Priority,
    /// Points within the band: share of the band's limit waited, risk and equity.
    pub score: i64,
    /// When its band's limit is reached.
    pub breach_at: Timestamp,
    /// Whole days waited since listing.
    pub waited_days: u32,
    /// Its place among the needs for the same resource, 1 = first. Needs of the same class share the place.
    pub position: u32,
    /// How many needs there were.
    pub of: u32,
}

/// One term of the burden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Term {
    /// What it is: `travel`, `delay`, `declared OPEL`, `level` or `fairness`.
    pub name: String,
    /// Its points.
    pub points: i64,
    /// How they came about, in plain words: "22 minutes", "declared OPEL 2 = +4".
    pub detail: String,
}

/// What the supporting trust has left of the resource after the proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// Units still free.
    pub free: u32,
    /// Units it keeps for itself.
    pub reserve: u32,
    /// Our pressure number, 1 to 4.
    pub pressure: u8,
}

/// Who has given and taken over the last 28 days.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fairness {
    /// Units the supporting trust has given.
    pub given: u32,
    /// Units it has taken.
    pub taken: u32,
    /// Its share of all giving, in whole percent.
    pub share: u32,
    /// Its share of all that is staffed, in whole percent; `None` in explanations from before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staffed: Option<u32>,
    /// Of all people whom transfers helped and of whom the deprivation is known, those of the most deprived fifth, in
    /// whole percent; `None` where that would point at single people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_deprived: Option<u32>,
}

/// A next best offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Alternative {
    /// The offer.
    pub offer: OfferId,
    /// Its trust.
    pub trust: TrustCode,
    /// Its burden in points.
    pub burden: i64,
    /// Why it lost, in plain words.
    pub reason: String,
}

/// How many offers could not serve for one reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotUsedCount {
    /// The reason: the first that objects.
    pub reason: NotUsed,
    /// How many offers.
    pub count: u32,
    /// One of them, with its figure, in plain words.
    pub example: String,
}

/// A change that would have led to another proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Flip {
    /// The change, in plain words.
    pub change: String,
    /// What would have been proposed then.
    pub then: String,
}

/// Why a need is not served, and what would serve it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unserved {
    /// The need.
    pub need: NeedId,
    /// Units that no offer was found for.
    pub units: u32,
    /// How many offers of the resource there are.
    pub offers: u32,
    /// Why each of them does not serve, counted by the first reason that objects.
    pub counts: Vec<NotUsedCount>,
    /// Band of those who took units it could have used, most urgent first.
    pub taken_by: Vec<Priority>,
    /// Single changes that would serve it, cheapest first.
    pub relaxations: Vec<Relaxation>,
}

/// A single change that would serve a need: found by solving, not guessed.
///
/// For unit needs every best plan of the problem with the change serves `places` more units in all than the plan, and more of
/// this need. For theatre cases, which no plan is known to be best for, the plan as it lies serves `places` more cases,
/// this need's among them, once the session that changes has taken in whom it must: the most urgent first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Relaxation {
    /// What would change.
    pub change: Change,
    /// The change in plain words: "travel limit 60 minutes instead of 45".
    pub text: String,
    /// How many more units in all would be placed.
    pub places: u32,
}

/// What keeps most units from being served, and what would place most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unlocking {
    /// Needs of which units go unserved.
    pub needs: usize,
    /// Units that go unserved.
    pub units: u64,
    /// Needs by what keeps most offers from each, most units first.
    pub blockers: Vec<Blocker>,
    /// Single changes, each tried by itself, that which places most first.
    pub levers: Vec<Lever>,
}

/// Needs that are blocked by one reason above all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Blocker {
    /// The reason that most offers have not to serve the need, those of the home trust aside; `None` = there are none.
    pub reason: Option<NotUsed>,
    /// How many needs.
    pub needs: u64,
    /// Their unserved units.
    pub units: u64,
}

/// A single change that would place units of several needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lever {
    /// The change in plain words.
    pub text: String,
    /// How many more units in all would be placed.
    pub places: u64,
}

/// A single change to the problem.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The need may travel so many minutes.
    TravelLimit {
        /// The new limit.
        minutes: u32,
    },
    /// A trust says that an offer is still true.
    Confirm {
        /// The offer.
        offer: OfferId,
        /// Its trust.
        trust: TrustCode,
    },
    /// An offer has one more unit (or enough minutes for one more case).
    MoreUnits {
        /// The offer.
        offer: OfferId,
        /// Its trust.
        trust: TrustCode,
        /// How many units or minutes more.
        units: u32,
    },
    /// A trust lowers its reserve.
    LowerReserve {
        /// The trust.
        trust: TrustCode,
        /// The resource, as `KIND/CODE[/LEVEL]`.
        resource: String,
        /// By how many units.
        by: u32,
    },
    /// The need may be met until later.
    LaterBy {
        /// The new needed-by.
        needed_by: Timestamp,
    },
    /// A team is found for a session.
    FindTeam {
        /// The offer.
        offer: OfferId,
        /// Its trust.
        trust: TrustCode,
    },
}
