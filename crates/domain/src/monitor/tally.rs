//! What was counted in a stretch of time: small enough to keep for every day of a year.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::happened::{Happened, What};
use crate::ids::TrustCode;
use crate::lifecycle::Party;
use crate::need::NeedState;
use crate::proposal::ProposalState;
use crate::resource::{ResourceKind, coded};
use crate::transfer::TransferState;

/// Most rows of each sort in one tally; what is beyond is counted in `left_out`.
pub const ROWS_MAX: usize = 4_000;

/// What was counted from one time until another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// Needs, by home trust, kind and deprivation.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub needs: Vec<NeedRow>,
    /// Proposals and transfers, by the trusts they join.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pairs: Vec<PairRow>,
    /// Declines and lapses, by the trusts, the side and the code.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declines: Vec<DeclineRow>,
    /// What found no place in the rows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub left_out: u64,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Needs of one home trust, kind and deprivation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NeedRow {
    /// Home trust.
    pub trust: TrustCode,
    /// Kind of resource.
    pub kind: ResourceKind,
    /// Deprivation decile, 1 to 10; 0 = not known.
    pub decile: u8,
    /// Raised.
    pub raised: u64,
    /// Agreed in full.
    pub agreed: u64,
    /// Of those, not past their needed-by.
    pub in_time: u64,
    /// Minutes from raising to agreement, of all that were agreed.
    pub minutes: u64,
    /// Ended unmet or expired.
    pub unmet: u64,
    /// Resolved outside Fallow.
    pub outside: u64,
}

/// Proposals and transfers that join two trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairRow {
    /// Supporting trust.
    pub from: TrustCode,
    /// Home trust.
    pub to: TrustCode,
    /// What became of them.
    pub outcome: Outcome,
    /// Of which kind of resource, so that beds and cases are not added up: of what was agreed. `None` for other outcomes, and
    /// for what was counted before kinds were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<ResourceKind>,
    /// How many.
    pub count: u64,
    /// Their units.
    pub units: u64,
}

/// Declines of proposals that join two trusts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclineRow {
    /// Supporting trust.
    pub from: TrustCode,
    /// Home trust.
    pub to: TrustCode,
    /// Who declined.
    pub side: DeclineSide,
    /// The code; `NO_ANSWER` of a lapse.
    pub code: String,
    /// How many.
    pub count: u64,
}

coded!(
    /// Who declined.
    DeclineSide {
        /// The supporting trust, or one that lends a team.
        Supporting = "supporting",
        /// The home trust.
        Home = "home",
        /// Nobody: it lapsed.
        Nobody = "nobody",
    }
);

coded!(
    /// What became of proposals and transfers.
    Outcome {
        /// Proposed.
        Proposed = "proposed",
        /// Agreed by both: a transfer was made.
        Agreed = "agreed",
        /// Declined.
        Declined = "declined",
        /// Declined late: after the other side said yes, or with less than a third of the hold left.
        DeclinedLate = "declined_late",
        /// Lapsed without an answer.
        Lapsed = "lapsed",
        /// Replaced by a better one.
        Superseded = "superseded",
        /// Withdrawn.
        Withdrawn = "withdrawn",
        /// Bypassed by gold.
        Bypassed = "bypassed",
        /// Arrived.
        Arrived = "arrived",
        /// Completed.
        Completed = "completed",
        /// Returned home.
        Repatriated = "repatriated",
        /// Aborted.
        Aborted = "aborted",
    }
);

impl Tally {
    /// Makes an empty tally.
    #[must_use]
    pub fn new(from: Timestamp, until: Timestamp) -> Self {
        Self { from, until, needs: Vec::new(), pairs: Vec::new(), declines: Vec::new(), left_out: 0 }
    }

    /// Counts what happened from one time until another, `until` itself not included.
    #[must_use]
    pub fn of<'a>(
        from: Timestamp,
        until: Timestamp,
        happened: impl IntoIterator<Item = &'a Happened>,
    ) -> Self {
        let mut sheet = Sheet::default();
        for one in happened.into_iter().filter(|one| one.at >= from && one.at < until) {
            sheet.count(&one.what);
        }
        sheet.into_tally(from, until)
    }

    /// Adds tallies up; the stretch reaches from the earliest to the latest.
    #[must_use]
    pub fn sum<'a>(from: Timestamp, until: Timestamp, parts: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut sheet = Sheet::default();
        for part in parts {
            sheet.add(part);
        }
        sheet.into_tally(from, until)
    }

    /// Adds up the parts of a stretch that follow one another without a gap; `None` where some of it is missing.
    #[must_use]
    pub fn of_parts<'a>(
        from: Timestamp,
        until: Timestamp,
        parts: impl IntoIterator<Item = &'a Self>,
    ) -> Option<Self> {
        let inside = parts.into_iter().filter(|part| part.from >= from && part.until <= until);
        let parts: BTreeMap<Timestamp, &Self> = inside.map(|part| (part.from, part)).collect();
        let mut reached = from;
        for part in parts.values() {
            if part.from != reached {
                return None;
            }
            reached = part.until;
        }
        (reached == until).then(|| Self::sum(from, until, parts.into_values()))
    }
}

type NeedKey = (TrustCode, ResourceKind, u8);
type PairKey = (TrustCode, TrustCode, Outcome, Option<ResourceKind>);
type DeclineKey = (TrustCode, TrustCode, DeclineSide, String);

/// A tally that is being counted.
#[derive(Default)]
struct Sheet {
    needs: BTreeMap<NeedKey, [u64; 6]>,
    pairs: BTreeMap<PairKey, [u64; 2]>,
    declines: BTreeMap<DeclineKey, u64>,
    left_out: u64,
}

/// Adds to a row, which is made where there is room.
fn add<K: Ord, const N: usize>(
    rows: &mut BTreeMap<K, [u64; N]>,
    key: K,
    counts: [u64; N],
    left_out: &mut u64,
) {
    if rows.len() >= ROWS_MAX && !rows.contains_key(&key) {
        *left_out += 1;
        return;
    }
    let row = rows.entry(key).or_insert([0; N]);
    for (sum, count) in row.iter_mut().zip(counts) {
        *sum = sum.saturating_add(count);
    }
}

impl Sheet {
    fn count(&mut self, what: &What) {
        if let Some(need) = what.need() {
            let key = (need.trust, need.resource.kind, need.imd_decile.unwrap_or(0));
            let counts = match what {
                What::NeedRaised { .. } => [1, 0, 0, 0, 0, 0],
                What::NeedAgreed { minutes, in_time, .. } => {
                    [0, 1, u64::from(*in_time), minutes.unwrap_or(0), 0, 0]
                }
                What::NeedEnded { state: NeedState::Unmet | NeedState::Expired, .. } => [0, 0, 0, 0, 1, 0],
                What::NeedEnded { state: NeedState::ResolvedOutside, .. } => [0, 0, 0, 0, 0, 1],
                What::NeedEnded { .. }
                | What::NeedParked { .. }
                | What::NeedResumed { .. }
                | What::NeedStands { .. }
                | What::Asked { .. }
                | What::Proposed(_)
                | What::Answered { .. }
                | What::Extended { .. }
                | What::ProposalEnded { .. }
                | What::Agreed(_)
                | What::Moved { .. }
                | What::Aborted { .. }
                | What::Declared { .. }
                | What::ModeSwitched { .. }
                | What::RegionApplied { .. }
                | What::Decided(_)
                | What::Alerted(_)
                | What::Acted(_)
                | What::SignedOff { .. } => return,
            };
            add(&mut self.needs, key, counts, &mut self.left_out);
        }
        let Some(pair) = what.pair() else { return };
        if let What::ProposalEnded { state, side, code, late, .. } = what {
            let side = match side {
                Some(Party::Home) => DeclineSide::Home,
                Some(Party::Supporting | Party::Team) => DeclineSide::Supporting,
                // What an authority refuses no trust has declined.
                Some(Party::Authority | Party::Gold | Party::Engine | Party::Other) | None => {
                    DeclineSide::Nobody
                }
            };
            if matches!(state, ProposalState::Declined | ProposalState::Lapsed) {
                let key = (pair.supporting, pair.home, side, (*code).to_owned());
                self.decline(key, 1);
            }
            if late.is_some() {
                let key = (pair.supporting, pair.home, Outcome::DeclinedLate, None);
                add(&mut self.pairs, key, [1, u64::from(pair.units)], &mut self.left_out);
            }
        }
        if let Some(outcome) = outcome(what) {
            let kind = pair.resource.as_ref().map(|key| key.kind).filter(|_| outcome == Outcome::Agreed);
            let key = (pair.supporting, pair.home, outcome, kind);
            add(&mut self.pairs, key, [1, u64::from(pair.units)], &mut self.left_out);
        }
    }

    fn decline(&mut self, key: DeclineKey, count: u64) {
        if self.declines.len() >= ROWS_MAX && !self.declines.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let sum = self.declines.entry(key).or_default();
        *sum = sum.saturating_add(count);
    }

    fn add(&mut self, tally: &Tally) {
        self.left_out += tally.left_out;
        for row in &tally.needs {
            let counts = [row.raised, row.agreed, row.in_time, row.minutes, row.unmet, row.outside];
            add(&mut self.needs, (row.trust, row.kind, row.decile), counts, &mut self.left_out);
        }
        for row in &tally.pairs {
            let counts = [row.count, row.units];
            add(&mut self.pairs, (row.from, row.to, row.outcome, row.kind), counts, &mut self.left_out);
        }
        for row in &tally.declines {
            self.decline((row.from, row.to, row.side, row.code.clone()), row.count);
        }
    }

    fn into_tally(self, from: Timestamp, until: Timestamp) -> Tally {
        let needs = self.needs.into_iter().map(|((trust, kind, decile), counts)| {
            let [raised, agreed, in_time, minutes, unmet, outside] = counts;
            NeedRow { trust, kind, decile, raised, agreed, in_time, minutes, unmet, outside }
        });
        let pairs = self.pairs.into_iter().map(|((from, to, outcome, kind), [count, units])| PairRow {
            from,
            to,
            outcome,
            kind,
            count,
            units,
        });
        let declines = self.declines.into_iter().map(|((from, to, side, code), count)| DeclineRow {
            from,
            to,
            side,
            code,
            count,
        });
        Tally {
            from,
            until,
            needs: needs.collect(),
            pairs: pairs.collect(),
            declines: declines.collect(),
            left_out: self.left_out,
        }
    }
}

/// Returns what became of a proposal or transfer, where that is counted.
fn outcome(what: &What) -> Option<Outcome> {
    match what {
        What::Proposed(_) => Some(Outcome::Proposed),
        What::Agreed(_) => Some(Outcome::Agreed),
        What::Aborted { .. } => Some(Outcome::Aborted),
        What::ProposalEnded { state, .. } => match state {
            ProposalState::Declined => Some(Outcome::Declined),
            ProposalState::Lapsed => Some(Outcome::Lapsed),
            ProposalState::Superseded => Some(Outcome::Superseded),
            ProposalState::Withdrawn => Some(Outcome::Withdrawn),
            ProposalState::Bypassed => Some(Outcome::Bypassed),
            ProposalState::Held | ProposalState::Confirmed => None,
        },
        What::Moved { state, .. } => match state {
            TransferState::Arrived => Some(Outcome::Arrived),
            TransferState::Completed => Some(Outcome::Completed),
            TransferState::Repatriated | TransferState::Returned => Some(Outcome::Repatriated),
            TransferState::Planned
            | TransferState::Ready
            | TransferState::InTransit
            | TransferState::RepatriationDue
            | TransferState::Repatriating
            | TransferState::Deployed
            | TransferState::Extended
            | TransferState::Aborted => None,
        },
        What::NeedRaised { .. }
        | What::NeedAgreed { .. }
        | What::NeedEnded { .. }
        | What::NeedParked { .. }
        | What::NeedResumed { .. }
        | What::NeedStands { .. }
        | What::Asked { .. }
        | What::Answered { .. }
        | What::Extended { .. }
        | What::Declared { .. }
        | What::ModeSwitched { .. }
        | What::RegionApplied { .. }
        | What::Decided(_)
        | What::Alerted(_)
        | What::Acted(_)
        | What::SignedOff { .. } => None,
    }
}
