//! Linearizability, judged from the callers' side alone: is there an order of all calls on one object, each between its
//! sending and its answer, in which a small sequential machine gives these very answers? The machines are written for
//! this and share nothing with the domain; the search is todc-utils' (Wing and Gong, with Lowe's memory).
//!
//! A call of unknown outcome is one that never ends: it may come anywhere after its sending, or, at the very end, as
//! good as never.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use fallow_api::v1;
use todc_utils::linearizability::WGLChecker;
use todc_utils::linearizability::history::{Action, History};
use todc_utils::specifications::Specification;

use super::Breach;
use crate::asks::Ask;
use crate::history::Op;
use crate::traders::is_account;

/// Histories with more open calls than this are not judged: each doubles the search.
const OPEN_MAX: usize = 6;
/// Longer histories are judged by their beginning, up to a moment at which nothing was under way but what never ended.
const CALLS_MAX: usize = 600;

/// A call on one object.
#[derive(Debug, Clone)]
struct Call<T> {
    from: Duration,
    /// `None` = it never ended.
    to: Option<Duration>,
    operation: T,
}

/// Judges every object. Returns how many were judged and how many could not be, and the breaches.
pub(super) fn check(ops: &[Op]) -> ((usize, usize), Vec<Breach>) {
    let mut judge = Judge::default();
    let (accounts, units, doubtful) = offers(ops);
    judge.left += doubtful;
    for (offer, calls) in accounts {
        judge.judge::<Account>("offer", &offer, calls);
    }
    for (offer, calls) in units {
        judge.judge::<Units>("offer", &offer, calls);
    }
    for (proposal, calls) in proposals(ops) {
        judge.judge::<Sides>("proposal", &proposal, calls);
    }
    ((judge.judged, judge.left), judge.breaches)
}

#[derive(Default)]
struct Judge {
    judged: usize,
    left: usize,
    breaches: Vec<Breach>,
}

impl Judge {
    fn judge<S: Specification>(&mut self, kind: &str, id: &str, mut calls: Vec<Call<S::Operation>>) {
        calls.sort_by_key(|call| call.from);
        let quiet = quiet(&calls);
        // All of it where no beginning is small enough.
        let whole = calls.len();
        let judged = quiet.iter().rfind(|end| **end <= CALLS_MAX.min(whole)).copied().unwrap_or(whole);
        let calls = &calls[..judged];
        if calls.iter().filter(|call| call.to.is_none()).count() > OPEN_MAX {
            self.left += 1;
            return;
        }
        if judged == whole {
            self.judged += 1;
        } else {
            self.left += 1;
        }
        let is_explained = |end: usize| end == 0 || WGLChecker::<S>::is_linearizable(history(&calls[..end]));
        if is_explained(judged) {
            return;
        }
        // The smallest beginning that no order explains is the evidence.
        let least = quiet.iter().copied().find(|end| !is_explained(*end)).unwrap_or(judged);
        let shown: Vec<String> = calls[least.saturating_sub(6)..least]
            .iter()
            .map(|call| {
                let to = call.to.map_or("…".to_owned(), |to| format!("{:.3}", to.as_secs_f64()));
                format!("{:.3}-{to} s {:?}", call.from.as_secs_f64(), call.operation)
            })
            .collect();
        let text = format!(
            "no order explains the first {least} calls on {kind} {id}; the last: {}",
            shown.join("; ")
        );
        self.breaches.push(Breach::new("linearizable", text));
    }
}

/// Returns the numbers of calls, sorted by their sending, after which all had ended before the next was sent. Such a
/// beginning can be judged by itself: what comes later cannot have come before anything in it. One that never ended
/// stays open in it, as it is in the whole.
fn quiet<T>(calls: &[Call<T>]) -> Vec<usize> {
    let mut last = Duration::ZERO;
    let mut quiet = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        if number > 0 && last < call.from {
            quiet.push(number);
        }
        last = last.max(call.to.unwrap_or_default());
    }
    quiet.push(calls.len());
    quiet
}

fn history<T: Clone>(calls: &[Call<T>]) -> History<T> {
    let mut events: Vec<(Duration, bool, usize)> = Vec::new();
    for (process, call) in calls.iter().enumerate() {
        events.push((call.from, false, process));
        events.push((call.to.unwrap_or(Duration::MAX), true, process));
    }
    // At one instant calls come before answers: they may overlap.
    events.sort();
    let action = |(_, is_answer, process): (Duration, bool, usize)| {
        let operation = calls[process].operation.clone();
        (process, if is_answer { Action::Response(operation) } else { Action::Call(operation) })
    };
    History::from_actions(events.into_iter().map(action).collect())
}

/// What is usable of an offer that only its trust moves.
struct Account;

#[derive(Debug, Clone)]
enum Move {
    /// Set to a number; the number after it, where that is known.
    Publish(i64, Option<i64>),
    /// Moved by a number.
    Adjust(i64, Option<i64>),
}

impl Specification for Account {
    type State = Option<i64>;
    type Operation = Move;

    fn init() -> Option<i64> {
        None
    }

    fn apply(operation: &Move, state: &Option<i64>) -> (bool, Option<i64>) {
        let (new, told) = match operation {
            Move::Publish(units, told) => (Some(*units), told),
            Move::Adjust(by, told) => (state.map(|units| units + by), told),
        };
        match told {
            // Never answered: it may have been refused.
            None => (true, new.or(*state)),
            Some(_) if new == *told => (true, new),
            Some(_) => (false, *state),
        }
    }
}

/// Who has the units of an offer that is never told anew.
struct Units;

#[derive(Debug, Clone)]
enum Deal {
    /// A transfer takes a unit of so many.
    Confirm { transfer: String, of: i64 },
    /// A transfer gives its unit back.
    Abort(String),
    /// A transfer's unit is in use from now on.
    Arrive(String),
    /// The offer is taken back.
    Withdraw,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
struct Account3 {
    promised: BTreeSet<String>,
    used: i64,
    is_withdrawn: bool,
}

impl Specification for Units {
    type State = Account3;
    type Operation = Deal;

    fn init() -> Account3 {
        Account3::default()
    }

    fn apply(operation: &Deal, state: &Account3) -> (bool, Account3) {
        let mut new = state.clone();
        let promised = i64::try_from(state.promised.len()).unwrap_or(i64::MAX);
        let is_right = match operation {
            Deal::Confirm { transfer, of } => {
                promised + state.used < *of && !state.is_withdrawn && new.promised.insert(transfer.clone())
            }
            Deal::Abort(transfer) => new.promised.remove(transfer),
            Deal::Arrive(transfer) => {
                new.used += 1;
                new.promised.remove(transfer)
            }
            Deal::Withdraw => {
                new.is_withdrawn = true;
                !state.is_withdrawn
            }
        };
        if is_right { (true, new) } else { (false, state.clone()) }
    }
}

/// What the two sides of a proposal have answered.
struct Sides;

#[derive(Debug, Clone)]
struct Answer {
    is_home: bool,
    yes: bool,
    /// Whether the answer made a transfer; `None` = nobody was told.
    agreed: Option<bool>,
}

impl Specification for Sides {
    /// The home side's yes, the supporting side's yes, and whether either said no.
    type State = (bool, bool, bool);
    type Operation = Answer;

    fn init() -> Self::State {
        (false, false, false)
    }

    fn apply(operation: &Answer, state: &Self::State) -> (bool, Self::State) {
        let (home, supporting, declined) = *state;
        let (mine, other) = if operation.is_home { (home, supporting) } else { (supporting, home) };
        let is_over = declined || (home && supporting);
        let new = match (operation.yes, operation.is_home) {
            (true, true) => (true, supporting, declined),
            (true, false) => (home, true, declined),
            (false, _) => (home, supporting, true),
        };
        match operation.agreed {
            None => (true, if is_over || (operation.yes && mine) { *state } else { new }),
            Some(agreed) if is_over || mine || agreed != (operation.yes && other) => (false, *state),
            Some(_) => (true, new),
        }
    }
}

fn usable(offer: &v1::Offer) -> Option<i64> {
    offer.figures.map(|figures| figures.staffed - figures.occupied - figures.blocked)
}

fn call<T>(op: &Op, operation: T) -> Call<T> {
    Call { from: op.invoked(), to: op.ok().map(|(attempt, _)| attempt.ended), operation }
}

type Calls<T> = BTreeMap<String, Vec<Call<T>>>;

/// The calls on each offer: registers, and units that are promised.
/// The third number counts the offers whose units cannot be judged.
fn offers(ops: &[Op]) -> (Calls<Move>, Calls<Deal>, usize) {
    let (mut accounts, mut units) = (Calls::<Move>::new(), Calls::<Deal>::new());
    let mut ids: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    let mut sizes: BTreeMap<&str, i64> = BTreeMap::new();
    for op in ops {
        let Ask::Publish(asked) = &op.ask else { continue };
        if let Some((_, said)) = op.ok()
            && let Some(told) = &said.offer
        {
            ids.insert((op.trust, &asked.source_key), &told.id);
            sizes.insert(&told.id, usable(asked).unwrap_or_default());
        }
    }
    // An offer of which an answer is open may have been given away without anybody having been told.
    let mut doubtful: BTreeSet<&str> = BTreeSet::new();
    let mut of_proposal: BTreeMap<&str, &str> = BTreeMap::new();
    let mut offer_of: BTreeMap<&str, &str> = BTreeMap::new();
    for (_, said) in ops.iter().filter_map(Op::ok) {
        if let Some(proposal) = &said.proposal {
            of_proposal.insert(&proposal.id, &proposal.offer);
        }
        if let Some(transfer) = &said.transfer {
            offer_of.insert(&transfer.id, &transfer.offer);
        }
    }
    for op in ops.iter().filter(|op| op.forbidden.is_none() && (op.ok().is_some() || op.is_open())) {
        let said = op.ok().map(|(_, said)| said);
        match &op.ask {
            Ask::Publish(asked) if is_account(asked) => {
                let Some(id) = ids.get(&(op.trust, asked.source_key.as_str())) else { continue };
                let told = said.map(|said| said.offer.as_ref().and_then(usable).unwrap_or(i64::MIN));
                let publish = Move::Publish(usable(asked).unwrap_or_default(), told);
                accounts.entry((*id).to_owned()).or_default().push(call(op, publish));
            }
            Ask::Adjust { offer, by, validate_only: false, .. } => {
                let told = said.map(|said| said.offer.as_ref().and_then(usable).unwrap_or(i64::MIN));
                accounts.entry(offer.clone()).or_default().push(call(op, Move::Adjust(*by, told)));
            }
            Ask::Answer { proposal, .. } => match said.and_then(|said| said.transfer.as_ref()) {
                Some(transfer) => {
                    let of = sizes.get(transfer.offer.as_str()).copied().unwrap_or(i64::MAX);
                    let confirm = Deal::Confirm { transfer: transfer.id.clone(), of };
                    units.entry(transfer.offer.clone()).or_default().push(call(op, confirm));
                }
                None if said.is_none() => {
                    doubtful.extend(of_proposal.get(proposal.as_str()));
                }
                None => {}
            },
            Ask::Advance { transfer, to: v1::transfer::State::Arrived, .. } => {
                deal(op, transfer, Deal::Arrive(transfer.clone()), &offer_of, &mut units, &mut doubtful);
            }
            Ask::Abort { transfer, .. } => {
                deal(op, transfer, Deal::Abort(transfer.clone()), &offer_of, &mut units, &mut doubtful);
            }
            Ask::WithdrawOffer { offer } if said.is_some() => {
                units.entry(offer.clone()).or_default().push(call(op, Deal::Withdraw));
            }
            Ask::WithdrawOffer { offer } => drop(doubtful.insert(offer.as_str())),
            Ask::Publish(_)
            | Ask::Adjust { .. }
            | Ask::Raise(_)
            | Ask::WithdrawNeed { .. }
            | Ask::Advance { .. } => {}
        }
    }
    let all = units.len();
    units.retain(|offer, _| !doubtful.contains(offer.as_str()));
    let left = all - units.len();
    (accounts, units, left)
}

fn deal<'a>(
    op: &Op,
    transfer: &str,
    deal: Deal,
    offer_of: &BTreeMap<&'a str, &'a str>,
    units: &mut Calls<Deal>,
    doubtful: &mut BTreeSet<&'a str>,
) {
    let Some(offer) = offer_of.get(transfer) else { return };
    if op.ok().is_some() {
        units.entry((*offer).to_owned()).or_default().push(call(op, deal));
    } else {
        doubtful.insert(offer);
    }
}

/// The answers to each proposal.
fn proposals(ops: &[Op]) -> Calls<Answer> {
    let mut calls = Calls::<Answer>::new();
    for op in ops.iter().filter(|op| op.ok().is_some() || op.is_open()) {
        let Ask::Answer { proposal, yes, is_home } = &op.ask else { continue };
        let agreed = op.ok().map(|(_, said)| said.transfer.is_some());
        let answer = Answer { is_home: *is_home, yes: *yes, agreed };
        calls.entry(proposal.clone()).or_default().push(call(op, answer));
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at<T>(from: u64, to: u64, operation: T) -> Call<T> {
        let ms = Duration::from_millis;
        Call { from: ms(from), to: (to > 0).then(|| ms(to)), operation }
    }

    fn check<S: Specification>(calls: Vec<Call<S::Operation>>, is_right: bool) {
        let mut judge = Judge::default();
        judge.judge::<S>("object", "1", calls);
        assert_eq!(judge.breaches.is_empty(), is_right, "{:?}", judge.breaches);
    }

    #[test]
    fn an_account_adds_up_in_some_order() {
        use Move::{Adjust, Publish};
        let begun = at(0, 1, Publish(5, Some(5)));
        // Two at once: each may be first.
        check::<Account>(
            vec![begun.clone(), at(2, 9, Adjust(1, Some(6))), at(2, 9, Adjust(-1, Some(5)))],
            true,
        );
        check::<Account>(
            vec![begun.clone(), at(2, 9, Adjust(1, Some(6))), at(2, 9, Adjust(-1, Some(4)))],
            false,
        );
        // One after the other: the second has seen the first.
        check::<Account>(
            vec![begun.clone(), at(2, 3, Adjust(1, Some(5))), at(4, 5, Adjust(-1, Some(4)))],
            false,
        );
        // A lost update is found, and one of unknown outcome may have been made or not.
        check::<Account>(vec![begun.clone(), at(2, 0, Adjust(3, None)), at(4, 5, Adjust(1, Some(9)))], true);
        check::<Account>(vec![begun.clone(), at(2, 0, Adjust(3, None)), at(4, 5, Adjust(1, Some(6)))], true);
        check::<Account>(vec![begun, at(2, 0, Adjust(3, None)), at(4, 5, Adjust(1, Some(7)))], false);
    }

    #[test]
    fn a_long_history_is_cut_where_nothing_is_under_way() {
        use Move::{Adjust, Publish};
        let mut calls = vec![at(0, 1, Publish(0, Some(0)))];
        // Each pair overlaps, and the one that is sent first is done second: no cut lies between them.
        for pair in 0..400_i64 {
            let from = 10 * u64::try_from(pair + 1).unwrap();
            calls.push(at(from, from + 5, Adjust(1, Some(2 * pair + 2))));
            calls.push(at(from + 1, from + 6, Adjust(1, Some(2 * pair + 1))));
        }
        assert_eq!(quiet(&calls).iter().rfind(|end| **end <= CALLS_MAX), Some(&599));
        let mut judge = Judge::default();
        judge.judge::<Account>("offer", "1", calls.clone());
        assert_eq!((judge.judged, judge.left, judge.breaches), (0, 1, Vec::new()));
        // What never ended is open in every beginning.
        calls.insert(1, at(2, 0, Adjust(5, None)));
        assert_eq!(quiet(&calls)[..3], [1, 2, 4]);
        check::<Account>(calls.clone(), true);
        calls[4] = at(20, 25, Adjust(1, Some(9)));
        check::<Account>(calls, false);
    }

    #[test]
    fn a_unit_has_one_holder() {
        let confirm = |name: &str| Deal::Confirm { transfer: name.into(), of: 1 };
        let abort = |name: &str| Deal::Abort(name.into());
        check::<Units>(vec![at(0, 1, confirm("a")), at(2, 3, abort("a")), at(4, 5, confirm("b"))], true);
        check::<Units>(vec![at(0, 1, confirm("a")), at(2, 5, abort("a")), at(4, 6, confirm("b"))], true);
        check::<Units>(vec![at(0, 1, confirm("a")), at(2, 3, confirm("b"))], false);
        check::<Units>(
            vec![at(0, 1, confirm("a")), at(2, 3, Deal::Arrive("a".into())), at(4, 5, confirm("b"))],
            false,
        );
        check::<Units>(vec![at(0, 1, Deal::Withdraw), at(2, 3, confirm("a"))], false);
    }

    #[test]
    fn the_second_yes_and_no_other_makes_the_transfer() {
        let yes = |is_home, agreed| Answer { is_home, yes: true, agreed };
        let no = Answer { is_home: true, yes: false, agreed: Some(false) };
        check::<Sides>(vec![at(0, 1, yes(true, Some(false))), at(2, 3, yes(false, Some(true)))], true);
        check::<Sides>(vec![at(0, 3, yes(true, Some(true))), at(2, 4, yes(false, Some(false)))], true);
        check::<Sides>(vec![at(0, 3, yes(true, Some(true))), at(2, 4, yes(false, Some(true)))], false);
        check::<Sides>(vec![at(0, 1, yes(true, Some(false))), at(2, 3, yes(true, Some(false)))], false);
        check::<Sides>(vec![at(0, 1, no.clone()), at(2, 3, yes(false, Some(false)))], false);
        check::<Sides>(vec![at(0, 0, yes(true, None)), at(2, 3, yes(false, Some(true)))], true);
        check::<Sides>(
            vec![at(0, 0, yes(true, None)), at(2, 3, yes(false, Some(false))), at(4, 5, no)],
            true,
        );
    }
}
