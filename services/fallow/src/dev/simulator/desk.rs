//! The desk of one trust: it raises needs, answers proposals and moves transfers.

use std::collections::BTreeSet;

use fallow_api::v1;
use fallow_api::v1::answer::State as Said;
use jiff::Timestamp;

use super::super::people::{Reply, Side, reply};
use super::voice::{Voice, Voices};
use super::{Case, Cases, transfers};

/// A hold is never used up to its end: whoever answers does so in the first part of it, in per cent.
const ANSWERED_WITHIN: i64 = 60;
/// Minutes that the unhurried leave a proposal to a visitor once the visitor's side has said yes.
const AFTER_A_VISITOR: i64 = 3;

/// The desk of a trust.
pub(super) struct Desk {
    trust: String,
    seed: u64,
    unhurried: BTreeSet<String>,
    cases: Cases,
    /// The trust's systems.
    pub(super) system: Voice,
    /// Its bed manager.
    pub(super) people: Voice,
}

impl Desk {
    pub(super) fn new(
        trust: &str,
        seed: u64,
        unhurried: BTreeSet<String>,
        voices: &Voices,
        cases: Cases,
    ) -> Self {
        let (system, people) = (voices.system(trust), voices.bed_manager(trust));
        Self { trust: trust.to_owned(), seed, unhurried, cases, system, people }
    }

    pub(super) async fn raise(&self, need: v1::Need, case: Case) {
        if let Some(id) = self.people.raise(need).await {
            self.cases.keep(id, case);
        }
    }

    /// Looks at what waits and does what is due.
    pub(super) async fn look(&self, now: Timestamp) {
        for proposal in self.people.proposals(&self.trust).await {
            if let Some(answer) = self.due_answer(&proposal, now) {
                self.people.answer(v1::AnswerProposalRequest { proposal: proposal.id, ..answer }).await;
            }
        }
        for transfer in self.people.transfers(&self.trust).await {
            let case = self.cases.of(&transfer.need);
            let due = transfers::due(
                &transfer,
                &self.trust,
                self.seed,
                (&case.case_ref, case.settled_minutes),
                now,
            );
            match due {
                Some(transfers::Due::Advance(step)) => self.people.advance(*step).await,
                Some(transfers::Due::Abort(reason)) => self.people.abort(&transfer.id, reason).await,
                None => {}
            }
        }
    }

    /// Returns the answer that this trust gives now, if any.
    fn due_answer(&self, proposal: &v1::Proposal, now: Timestamp) -> Option<v1::AnswerProposalRequest> {
        let (home, supporting) = (&proposal.home_trust, &proposal.supporting_trust);
        let (side, own, theirs, other) = match &proposal.team {
            _ if *home == self.trust => (Side::Home, &proposal.home, &proposal.supporting, supporting),
            _ if *supporting == self.trust => (Side::Supporting, &proposal.supporting, &proposal.home, home),
            Some(team) => (Side::Lender, &team.answer, &proposal.home, home),
            // Seen for another reason, such as by who must approve it.
            None => return None,
        };
        let (own, theirs) = (own.as_ref()?, theirs.as_ref()?);
        let case = self.cases.of(&proposal.need);
        let is_unhurried = self.unhurried.contains(&self.trust);
        let minutes_since = |time: &Option<prost_types::Timestamp>| {
            time.as_ref().map(|time| (now.as_second() - time.seconds).div_euclid(60))
        };
        let waited = minutes_since(&proposal.proposed_at)? + case.settled_minutes;
        let hold = -minutes_since(&proposal.held_until)? + minutes_since(&proposal.proposed_at)?;
        if proposal.held_until.is_none_or(|until| until.seconds <= now.as_second()) {
            return None;
        }

        if own.state() == Said::Provisional {
            return match reply(
                self.seed,
                side,
                (&case.case_ref, proposal.units),
                (&self.trust, other),
                is_unhurried,
            ) {
                Reply::Provisional { then, .. } if minutes_since(&own.at)? >= then => {
                    Some(accept(proposal, false))
                }
                Reply::Provisional { .. } | Reply::Accept { .. } | Reply::Decline { .. } | Reply::Silence => {
                    None
                }
            };
        }
        if own.state() != Said::Pending {
            return None;
        }
        if case.waits && is_unhurried {
            // Both sides may be unhurried; then it was a visitor who said yes on the other.
            let by_visitor = theirs.state() == Said::Accepted && self.unhurried.contains(other);
            let is_due = by_visitor && minutes_since(&theirs.at)? >= AFTER_A_VISITOR;
            return is_due.then(|| accept(proposal, false));
        }
        if case.settled_minutes > 0 {
            // The night agreed; only what the services must hear is made up for.
            return Some(accept(proposal, false));
        }
        let is_due = |after: i64| waited >= after.min(hold * ANSWERED_WITHIN / 100);
        match reply(self.seed, side, (&case.case_ref, proposal.units), (&self.trust, other), is_unhurried) {
            Reply::Accept { after, part } if is_due(after) => Some(accept(proposal, part)),
            Reply::Provisional { after, .. } if is_due(after) => Some(v1::AnswerProposalRequest {
                verdict: v1::Verdict::Provisional.into(),
                note: "Very likely; waiting for the ward round.".to_owned(),
                ..Default::default()
            }),
            Reply::Decline { after, reason } if is_due(after) => Some(v1::AnswerProposalRequest {
                verdict: v1::Verdict::Decline.into(),
                reason: reason.into(),
                ..Default::default()
            }),
            Reply::Accept { .. } | Reply::Provisional { .. } | Reply::Decline { .. } | Reply::Silence => None,
        }
    }
}

fn accept(proposal: &v1::Proposal, part: bool) -> v1::AnswerProposalRequest {
    let units = if part && proposal.units > 1 { proposal.units / 2 } else { 0 };
    v1::AnswerProposalRequest { verdict: v1::Verdict::Accept.into(), units, ..Default::default() }
}
