//! Replay: the engine's decisions, made again on a log of what there was, and held against those that the log has.
//!
//! Nothing is asked of a clock or a store. The log says at which revision and time each step was decided; the same facts
//! go through the same pure functions, and what comes out must be what was committed, field by field.

mod differ;
mod other_policy;
mod state;

use std::collections::{BTreeMap, BTreeSet};

use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::{NeedId, OfferId, ProposalId, TransferId};
use fallow_domain::proposal::Proposal;
use fallow_domain::records::Records;
use fallow_ledger::cause::Cause;
use fallow_ledger::picture::Seen;
use fallow_ledger::record::{Record, decline_key, need_key, offer_key, proposal_key, trust_key};
use fallow_ledger::{Change, Key, RecordKind, Revision, Versioned};
use jiff::Timestamp;

pub use differ::first_difference;
pub use other_policy::{OtherPolicy, Story, Verdict};
pub use state::LogFlaw;

use crate::engine::{
    self, AT_A_TIME, Chore, Placement, chores, of_chore, of_placement, part_of, plan, taken_of, together,
};
use crate::facts::Facts;
use state::{State, decoded};

/// How the engine decides.
#[derive(Debug, Clone, Copy)]
pub struct Decider {
    /// What time and changes bring about.
    pub chores: fn(&Facts) -> Vec<Chore>,
    /// What to propose.
    pub plan: fn(&Facts) -> Vec<Placement>,
}

impl Default for Decider {
    fn default() -> Self {
        Self { chores, plan }
    }
}

/// From when to when steps are compared, both inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub from: Timestamp,
    /// To.
    pub to: Timestamp,
}

impl Default for Window {
    fn default() -> Self {
        Self { from: Timestamp::MIN, to: Timestamp::MAX }
    }
}

impl Window {
    /// Says whether a time is in it.
    #[must_use]
    pub fn has(&self, at: Timestamp) -> bool {
        (self.from..=self.to).contains(&at)
    }
}

/// Where the log and the replay part.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Divergence {
    /// The commit.
    pub revision: Revision,
    /// When it was made.
    pub at: Timestamp,
    /// The revision that it was decided at.
    pub decided_at: Revision,
    /// What the log has and what the replay says.
    pub text: String,
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct Tally {
    /// Commits of the log within the window, whoever made them.
    pub commits: u64,
    /// Rounds of the engine: revisions at which it decided something.
    pub rounds: u64,
    /// Commits of proposals that were compared.
    pub placements: u64,
    /// Other steps of the engine that were compared: lapses, expiries and the like.
    pub chores: u64,
    /// Steps of the engine that could not be compared, for the log does not say what they were decided at.
    pub not_compared: u64,
}

/// A replay in progress: it is given the log change by change.
pub struct Replay<'a> {
    decider: Decider,
    calendar: &'a WorkingCalendar,
    window: Window,
    state: State,
    round: Option<Round>,
    tally: Tally,
}

/// What was decided at one revision and time.
struct Round {
    decided_at: Revision,
    at: Timestamp,
    facts: Facts,
    due: Vec<(Chore, bool)>,
    /// Found when the log first has a proposal of the round: the engine plans only when no chore could be done.
    planned: Option<Vec<(Placement, bool)>>,
    /// The commits of the round itself.
    own: Vec<Revision>,
}

impl<'a> Replay<'a> {
    /// Starts at a snapshot of every live record at a revision; none at revision 0.
    ///
    /// # Errors
    /// A record cannot be read.
    pub fn new(
        calendar: &'a WorkingCalendar,
        decider: Decider,
        window: Window,
        (revision, records): (Revision, &[Versioned]),
    ) -> Result<Self, LogFlaw> {
        let state = State::new(revision, records)?;
        Ok(Self { decider, calendar, window, state, round: None, tally: Tally::default() })
    }

    /// Takes the next change of the log; returns where it and the replay part.
    ///
    /// # Errors
    /// The change does not follow on the last one, or cannot be read.
    pub fn take(&mut self, change: &Change) -> Result<Vec<Divergence>, LogFlaw> {
        self.state.follows(change)?;
        let cause = Cause::decode(&change.cause);
        let mut found = Vec::new();
        if let Some(cause) = cause.filter(|cause| self.window.has(cause.at)) {
            self.tally.commits += 1;
            if engine::is_decision(&cause.by, &cause.verb) {
                let writes = decoded(change)?;
                self.compare(change.revision, &cause, &writes, &mut found)?;
            }
        }
        self.state.apply(change)?;
        Ok(found)
    }

    /// What was looked at so far.
    #[must_use]
    pub fn tally(&self) -> Tally {
        self.tally
    }

    fn compare(
        &mut self,
        revision: Revision,
        cause: &Cause,
        writes: &BTreeMap<Key, Option<Record>>,
        found: &mut Vec<Divergence>,
    ) -> Result<(), LogFlaw> {
        let fresh = self.state.new_proposals(writes);
        // Logs of before the cause said it have it in the explanation of what was proposed.
        let told = fresh.first().map(|proposal| Revision(proposal.explanation.revision));
        let Some(decided_at) = cause.decided_at.or(told).filter(|seen| *seen < revision) else {
            self.tally.not_compared += 1;
            return Ok(());
        };
        let is_same = |round: &&mut Round| (round.decided_at, round.at) == (decided_at, cause.at);
        if self.round.as_mut().filter(is_same).is_none() {
            let Some(facts) = self.state.facts_at(decided_at, cause.at)? else {
                self.tally.not_compared += 1;
                return Ok(());
            };
            self.tally.rounds += 1;
            let due = (self.decider.chores)(&facts).into_iter().map(|chore| (chore, false)).collect();
            self.round = Some(Round { decided_at, at: cause.at, facts, due, planned: None, own: Vec::new() });
        }
        let Some(mut round) = self.round.take() else { return Ok(()) };
        let texts = if cause.verb == engine::PROPOSE {
            self.tally.placements += 1;
            self.compare_placement(&mut round, cause, &fresh, writes)
        } else {
            self.tally.chores += 1;
            self.compare_chore(&mut round, cause, writes)
        };
        round.own.push(revision);
        self.round = Some(round);
        found.extend(texts.into_iter().map(|text| Divergence { revision, at: cause.at, decided_at, text }));
        Ok(())
    }

    fn compare_chore(
        &self,
        round: &mut Round,
        cause: &Cause,
        writes: &BTreeMap<Key, Option<Record>>,
    ) -> Vec<String> {
        let is_it = |(chore, is_done): &(Chore, bool)| {
            !is_done && chore.verb() == cause.verb && writes.contains_key(&chore.root())
        };
        let Some(place) = round.due.iter().position(is_it) else {
            let what: Vec<String> = writes.keys().map(ToString::to_string).collect();
            return vec![format!("the log has {} of {}; the replay does not", cause.verb, what.join(", "))];
        };
        round.due[place].1 = true;
        let mut texts = self.passed_over(round, &round.due[..place], |chore, is_overtaken| {
            if is_overtaken { None } else { self.would_do(chore, cause) }
        });
        let (chore, _) = &round.due[place];
        match of_chore(chore, self.state.live(), &cause.by, cause.at) {
            Ok(changes) => texts.extend(differ::writes(changes, writes)),
            Err(refusal) => {
                texts.push(format!("the log has {}; the replay refuses it: {refusal}", cause.verb))
            }
        }
        texts
    }

    fn compare_placement(
        &self,
        round: &mut Round,
        cause: &Cause,
        fresh: &[&Proposal],
        writes: &BTreeMap<Key, Option<Record>>,
    ) -> Vec<String> {
        if round.planned.is_none() {
            let groups = together((self.decider.plan)(&round.facts), &round.facts);
            round.planned = Some(groups.into_iter().flatten().map(|placement| (placement, false)).collect());
        }
        let planned = round.planned.get_or_insert_default();
        let found = match places_of(planned, fresh, writes) {
            Ok(found) => found,
            Err(need) => return vec![otherwise(planned, need, fresh)],
        };
        for (place, _) in &found {
            planned[*place].1 = true;
        }
        let Some((last, _)) = found.last() else {
            return vec!["the log has a proposal step without a proposal".to_owned()];
        };
        let planned = round.planned.as_deref().unwrap_or_default();
        let terms = (&*round.facts.region, self.calendar);
        let mut texts = self.passed_over(round, &round.due, |chore, is_overtaken| {
            if is_overtaken { None } else { self.would_do(chore, cause) }
        });
        let owed = owed_before(planned, *last, &round.facts);
        // What takes of the same as one refused or overtaken waits with it for the next look.
        let mut waiting = BTreeSet::new();
        texts.extend(self.passed_over(round, &owed, |placement, is_overtaken| {
            let shelves: BTreeSet<_> =
                taken_of(std::slice::from_ref(placement), &round.facts).into_keys().collect();
            let ids = stand_ins(placement);
            let would_be_done =
                || of_placement(placement, &ids, self.state.live(), terms, &cause.by, cause.at).is_ok();
            let is_done = !is_overtaken && shelves.is_disjoint(&waiting) && would_be_done();
            if !is_done {
                waiting.extend(shelves);
            }
            is_done.then(|| told(placement))
        }));
        // Placements of one block are one commit: each is decided on what those before it leave.
        let mut working = self.state.live().clone();
        let mut changes = Records::default();
        for (place, ids) in &found {
            let placement = &planned[*place].0;
            match of_placement(placement, ids, &working, terms, &cause.by, cause.at) {
                Ok(change) => {
                    working.apply(change.clone());
                    changes.apply(change);
                }
                Err(refusal) => {
                    texts.push(format!("the log has {}; the replay refuses it: {refusal}", told(placement)));
                    return texts;
                }
            }
        }
        texts.extend(differ::writes(changes, writes));
        texts
    }

    fn would_do(&self, chore: &Chore, cause: &Cause) -> Option<String> {
        let changes = of_chore(chore, self.state.live(), &cause.by, cause.at).ok()?;
        (!changes.is_empty()).then(|| format!("{} of {}", chore.verb(), chore.root()))
    }

    /// Names decisions that the replay makes before the one at hand and that the log left out without reason. What others
    /// wrote since the round began (then it is overtaken), or a rule refuses, is a reason: the engine looks again.
    fn passed_over<D: Grounded>(
        &self,
        round: &Round,
        before: &[(D, bool)],
        mut would_do: impl FnMut(&D, bool) -> Option<String>,
    ) -> Vec<String> {
        let left_out = before.iter().filter(|(_, is_done)| !is_done).map(|(decision, _)| decision);
        left_out
            .filter_map(|decision| {
                let ground = decision.ground(&round.facts);
                would_do(decision, self.state.is_touched_since(round.decided_at, &round.own, &ground))
            })
            .map(|what| format!("the replay has {what} first; the log does not"))
            .collect()
    }
}

/// Returns the placements before one of a plan that go before it: those of its own part, and the most urgent of the others.
/// The live engine places so many of each part at a time, the plan is of all; a log of an engine that placed everything at
/// once has the rest before it too, which is as good.
fn owed_before(planned: &[(Placement, bool)], last: usize, facts: &Facts) -> Vec<(Placement, bool)> {
    let part =
        |placement: &Placement| facts.needs.get(&placement.need).map(|need| part_of(&facts.region, need));
    let own = planned.get(last).and_then(|(placement, _)| part(placement));
    let mut of_part: BTreeMap<_, usize> = BTreeMap::new();
    let before = planned.iter().take(last).filter(|(placement, _)| {
        let part = part(placement);
        let place = of_part.entry(part.clone()).or_default();
        *place += 1;
        part == own || *place <= AT_A_TIME
    });
    before.filter(|(_, is_done)| !is_done).cloned().collect()
}

/// A decision that rests on records.
trait Grounded {
    /// The records whose change sends the engine back to look again before it carries the decision out.
    fn ground(&self, facts: &Facts) -> Vec<Key>;
}

impl Grounded for Chore {
    fn ground(&self, facts: &Facts) -> Vec<Key> {
        let mut ground = vec![self.root()];
        match self {
            Self::Supersede(id, _) => {
                ground.extend(regions(facts));
                if let Some(hold) = facts.holds.get(id) {
                    ground.extend(hold.offers().map(offer_key));
                    ground.extend([need_key(&hold.need), trust_key(hold.supporting_trust)]);
                    ground.extend(hold.team.as_ref().map(|team| trust_key(team.trust)));
                }
            }
            Self::Lapse(_)
            | Self::ResumeOffer(_)
            | Self::ExpireOffer(_)
            | Self::GiveUpNeed(_)
            | Self::ExpireNeed(_)
            | Self::CallBack(_) => {}
        }
        ground
    }
}

impl Grounded for Placement {
    fn ground(&self, facts: &Facts) -> Vec<Key> {
        let mut ground: Vec<Key> = regions(facts).collect();
        ground.push(need_key(&self.need));
        ground.extend(facts.needs.get(&self.need).map(|need| trust_key(need.trust)));
        ground.extend(self.supersede.iter().map(proposal_key));
        for offer in self.suggest.iter().flat_map(engine::Suggest::offers) {
            ground.extend([offer_key(offer), decline_key(&self.need, offer)]);
            ground.extend(facts.offers.get(offer).map(|offer| trust_key(offer.trust)));
        }
        ground
    }
}

fn regions(facts: &Facts) -> impl Iterator<Item = Key> {
    facts.versions.keys().filter(|key| key.kind == RecordKind::Region).cloned()
}

/// Ids of a proposal, and of its transfer if both trusts had agreed beforehand.
type Ids = (ProposalId, TransferId);

/// Finds the placements that a commit carried out, by their place in the plan, with the ids that the log gave.
///
/// # Errors
/// The need of a proposal that no placement left has with the same offer and units.
fn places_of<'l>(
    planned: &[(Placement, bool)],
    fresh: &[&'l Proposal],
    writes: &BTreeMap<Key, Option<Record>>,
) -> Result<Vec<(usize, Vec<Ids>)>, &'l NeedId> {
    let mut left = fresh.to_vec();
    let mut places = Vec::new();
    for (place, (placement, is_done)) in planned.iter().enumerate() {
        if !is_done && let Some(ids) = take_ids(placement, &mut left, writes) {
            places.push((place, ids));
        }
    }
    match left.first() {
        Some(proposal) => Err(&proposal.need),
        None => Ok(places),
    }
}

/// Takes the proposals of a placement out of those left; `None` when they are not all there.
fn take_ids(
    placement: &Placement,
    left: &mut Vec<&Proposal>,
    writes: &BTreeMap<Key, Option<Record>>,
) -> Option<Vec<Ids>> {
    if !left.iter().any(|proposal| proposal.need == placement.need) {
        return None;
    }
    let mut rest = left.clone();
    let mut ids = Vec::with_capacity(placement.suggest.len());
    for suggest in &placement.suggest {
        let is_it = |p: &&Proposal| {
            p.need == placement.need && p.offers().eq(suggest.offers()) && p.units == suggest.units
        };
        let proposal = rest.remove(rest.iter().position(is_it)?);
        // Without a transfer its id is nowhere.
        let transfer = transfer_of(&proposal.id, writes).or_else(|| TransferId::parse("none").ok())?;
        ids.push((proposal.id.clone(), transfer));
    }
    *left = rest;
    Some(ids)
}

fn transfer_of(proposal: &ProposalId, writes: &BTreeMap<Key, Option<Record>>) -> Option<TransferId> {
    writes.values().flatten().find_map(|record| match record {
        Record::Transfer(transfer) if transfer.proposal == *proposal => Some(transfer.id.clone()),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    })
}

/// Says what the log has for a need, and the replay instead.
fn otherwise(planned: &mut [(Placement, bool)], need: &NeedId, fresh: &[&Proposal]) -> String {
    let own = fresh.iter().filter(|proposal| proposal.need == *need);
    let logged = in_words(need, own.map(|proposal| (&proposal.offer, proposal.units.get())));
    match planned.iter_mut().find(|(placement, is_done)| !is_done && placement.need == *need) {
        Some((placement, is_done)) => {
            *is_done = true;
            format!("the log has {logged}; the replay has {}", told(placement))
        }
        None => format!("the log has {logged}; the replay has nothing for it"),
    }
}

fn told(placement: &Placement) -> String {
    in_words(&placement.need, placement.suggest.iter().map(|s| (&s.offer, s.units.get())))
}

/// Returns ids for a placement that the log does not have.
fn stand_ins(placement: &Placement) -> Vec<Ids> {
    let id = |number: usize| {
        let text = format!("replay-{number}");
        Some((ProposalId::parse(&text).ok()?, TransferId::parse(&text).ok()?))
    };
    (0..placement.suggest.len()).filter_map(id).collect()
}

fn in_words<'p>(need: &NeedId, lines: impl Iterator<Item = (&'p OfferId, u32)>) -> String {
    let lines: Vec<String> = lines.map(|(offer, units)| format!("{units} of offer {offer}")).collect();
    format!("{} for need {need}", lines.join(" and "))
}

/// Every live record by key, as replay keeps them.
type Live = BTreeMap<Key, Seen>;
