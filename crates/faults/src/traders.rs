//! The clients of a round: people and feeds of four trusts who publish, adjust, raise, answer, advance, abort and
//! withdraw, who repeat themselves, contradict themselves, and try what is not theirs.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Result;
use fallow_api::client::Client;
use fallow_api::v1;
use fallow_domain::actor::Role;
use fallow_ledger::conformance::twin::Dice;

use crate::asks::Ask;
use crate::fleet::Fleet;
use crate::history::{End, History, Op};

/// Who acts: a trust and its site.
pub(crate) const TRUSTS: [(&str, &str); 4] =
    [("ZA1", "ZA101"), ("ZA2", "ZA201"), ("ZA3", "ZA301"), ("ZA4", "ZA401")];
/// How many clients there are.
pub(crate) const CLIENTS: usize = 8;
/// Nobody needs these beds, so that only their trust moves them: their accounts are registers.
pub(crate) const ACCOUNT: &str = "MATERNITY";
/// These are needed: nobody keeps any for itself, and each trust keeps some.
const NEEDED: [&str; 2] = ["STEP_DOWN", "GA_ADULT"];
/// How often a request of unknown outcome is repeated at once before the client turns to something else.
const REPEATS: u32 = 2;

/// What the clients know of the region, from their answers and their inboxes.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Offers that are registers: id to trust and last revision.
    accounts: BTreeMap<String, (&'static str, i64)>,
    units: BTreeMap<String, &'static str>,
    needs: BTreeMap<String, &'static str>,
    proposals: BTreeMap<String, v1::Proposal>,
    transfers: BTreeMap<String, v1::Transfer>,
}

impl Board {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in a proposal as an inbox shows it.
    pub(crate) fn saw_proposal(&self, proposal: v1::Proposal) {
        let mut known = self.known();
        if proposal.state() == v1::proposal::State::Held {
            known.proposals.insert(proposal.id.clone(), proposal);
        } else {
            known.proposals.remove(&proposal.id);
        }
    }

    /// Takes in a transfer as a watch shows it.
    pub(crate) fn saw_transfer(&self, transfer: v1::Transfer) {
        use v1::transfer::State;
        let mut known = self.known();
        if matches!(transfer.state(), State::Planned | State::Ready | State::InTransit) {
            known.transfers.insert(transfer.id.clone(), transfer);
        } else {
            known.transfers.remove(&transfer.id);
        }
    }
}

/// A client of a round.
pub(crate) struct Trader<'a> {
    number: usize,
    trust: &'static str,
    site: &'static str,
    /// One for each process of matching.
    ways: [Client; 2],
    /// One who stands above the trusts, and writes nothing of theirs.
    gold: Client,
    dice: Dice,
    made: u64,
    history: &'a History,
    board: &'a Board,
}

impl<'a> Trader<'a> {
    /// Makes the client of a number, below [`CLIENTS`]: two of each trust. Its request ids count from `first`.
    ///
    /// # Errors
    /// Its credential cannot be made.
    pub(crate) fn new(
        (number, first): (usize, u64),
        seed: u64,
        fleet: &Fleet,
        history: &'a History,
        board: &'a Board,
    ) -> Result<Self> {
        let (trust, site) = TRUSTS[number % TRUSTS.len()];
        let client = |matching| fleet.client(Role::BedManager, Some(trust), matching);
        let ways = [client(2)?, client(3)?];
        let gold = fleet.client(Role::Gold, None, 2)?;
        let dice = Dice::new(seed.wrapping_mul(1_000).wrapping_add(number as u64 + first));
        Ok(Self { number, trust, site, ways, gold, dice, made: first, history, board })
    }

    /// Acts until it is stopped from outside.
    pub(crate) async fn trade(mut self) {
        loop {
            self.act().await;
            tokio::time::sleep(Duration::from_millis(self.dice.below(4))).await;
        }
    }

    /// Says whether one plain call succeeds now: a change of an account of its own.
    pub(crate) async fn is_served(&mut self) -> bool {
        let ask = self.publish_account();
        let op = self.open(ask, None);
        // An OK that wrote nothing served nobody.
        matches!(self.send(op, 0).await, End::Ok(said) if said.revision > 0)
    }

    async fn act(&mut self) {
        let roll = self.dice.below(100);
        let ask = match roll {
            0..=5 => Some(self.publish_account()),
            6..=37 => self.adjust(),
            38..=47 => Some(self.publish_units()),
            48..=50 => self.withdraw_offer(),
            51..=64 => Some(self.raise()),
            65..=67 => self.withdraw_need(),
            68..=87 => self.answer(),
            88..=93 => self.move_on(),
            94..=96 => {
                self.meddle().await;
                return;
            }
            _ => {
                self.contradict().await;
                return;
            }
        };
        let Some(ask) = ask else { return };
        let op = self.open(ask, None);
        self.carry(op).await;
    }

    /// Sends a request, perhaps twice at once or once more later, and repeats it while its outcome is unknown.
    async fn carry(&mut self, op: usize) {
        let way = self.way();
        let end = match self.dice.below(12) {
            0 => {
                let (one, two) = futures::future::join(self.send(op, way), self.send(op, 1 - way)).await;
                if matches!(one, End::Ok(_)) { one } else { two }
            }
            1 => {
                let end = self.send(op, way).await;
                let later = Duration::from_millis(self.dice.below(80));
                tokio::time::sleep(later).await;
                let again = self.send(op, 1 - way).await;
                if matches!(end, End::Ok(_)) { end } else { again }
            }
            _ => self.send(op, way).await,
        };
        let mut end = end;
        for _ in 0..REPEATS {
            if !matches!(end, End::Unknown(_)) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(40 + self.dice.below(120))).await;
            let way = self.way();
            end = self.send(op, way).await;
        }
        self.learn(op, &end);
    }

    async fn send(&self, op: usize, way: usize) -> End {
        repeat(self.history, op, &self.ways[way]).await
    }

    fn open(&mut self, ask: Ask, forbidden: Option<&'static str>) -> usize {
        self.made += 1;
        // Clients of different trusts use the same ids: ids are scoped by trust. Those of one trust do not.
        let id = uuid::Uuid::from_u64_pair((self.number / TRUSTS.len()) as u64 + 1, self.made | 1 << 63);
        self.history.open(Op {
            client: self.number,
            trust: self.trust,
            request_id: id.to_string(),
            ask,
            forbidden,
            attempts: Vec::new(),
        })
    }

    fn way(&mut self) -> usize {
        usize::from(self.dice.once_in(2))
    }

    /// Remembers what an answer told of the region.
    fn learn(&self, op: usize, end: &End) {
        let End::Ok(said) = end else { return };
        let is_account = matches!(&self.history.ask(op), Ask::Publish(offer) if is_account(offer));
        let mut known = self.board.known();
        if let Some(offer) = &said.offer {
            if offer.state() != v1::offer::State::Open {
                known.units.remove(&offer.id);
            } else if is_account {
                known.accounts.insert(offer.id.clone(), (self.trust, offer.revision));
            } else if let Some((_, revision)) = known.accounts.get_mut(&offer.id) {
                *revision = (*revision).max(offer.revision);
            } else {
                known.units.insert(offer.id.clone(), self.trust);
            }
        }
        if let Some(need) = &said.need {
            if need.state() == v1::need::State::Withdrawn {
                known.needs.remove(&need.id);
            } else {
                known.needs.insert(need.id.clone(), self.trust);
            }
        }
        drop(known);
        if let Some(proposal) = said.proposal.clone() {
            self.board.saw_proposal(proposal);
        }
        if let Some(transfer) = said.transfer.clone() {
            self.board.saw_transfer(transfer);
        }
    }

    fn publish_account(&mut self) -> Ask {
        let key = format!("account {} {}", self.trust, self.dice.below(2));
        Ask::beds(self.site, &key, ACCOUNT, 20 + signed(self.dice.below(10)))
    }

    fn publish_units(&mut self) -> Ask {
        let code = NEEDED[usize::from(self.dice.once_in(3))];
        // Each key once: what such an offer has is never told anew, so that its units can be counted from outside.
        let key = format!("units {} {}", self.number, self.made);
        let units = if code == "GA_ADULT" { 3 } else { 1 + signed(self.dice.below(2)) };
        Ask::beds(self.site, &key, code, units)
    }

    fn adjust(&mut self) -> Option<Ask> {
        let mine = self.accounts(|trust| trust == self.trust);
        let (offer, revision) = self.one_of(mine)?;
        let by = [-3, -2, -1, 1, 2, 3][self.below(6)];
        let expected = self.dice.once_in(4).then_some(revision);
        Some(Ask::Adjust { offer, by, expected, validate_only: self.dice.once_in(40) })
    }

    fn withdraw_offer(&mut self) -> Option<Ask> {
        let mine: Vec<String> = of_trust(&self.board.known().units, self.trust);
        self.one_of(mine).map(|offer| Ask::WithdrawOffer { offer })
    }

    fn raise(&mut self) -> Ask {
        let code = NEEDED[usize::from(self.dice.once_in(3))];
        let case = format!("case {} {}", self.number, self.made);
        let priority = [v1::Priority::P1b, v1::Priority::P2, v1::Priority::P3][self.below(3)];
        Ask::bed_for(self.site, &case, code, priority)
    }

    fn withdraw_need(&mut self) -> Option<Ask> {
        let mine: Vec<String> = of_trust(&self.board.known().needs, self.trust);
        self.one_of(mine).map(|need| Ask::WithdrawNeed { need })
    }

    fn answer(&mut self) -> Option<Ask> {
        let pending = |side: &Option<v1::Answer>| {
            side.as_ref().is_none_or(|side| side.state() == v1::answer::State::Pending)
        };
        let waiting: Vec<(String, bool)> = {
            let known = self.board.known();
            let mine = known.proposals.values().filter_map(|p| {
                let home = p.home_trust == self.trust && pending(&p.home);
                let supporting = p.supporting_trust == self.trust && pending(&p.supporting);
                (home || supporting).then(|| (p.id.clone(), home))
            });
            mine.collect()
        };
        let (proposal, is_home) = self.one_of(waiting)?;
        Some(Ask::Answer { proposal, yes: !self.dice.once_in(7), is_home })
    }

    fn move_on(&mut self) -> Option<Ask> {
        use v1::transfer::State;
        let mine: Vec<v1::Transfer> = {
            let known = self.board.known();
            let mine = |t: &&v1::Transfer| t.home_trust == self.trust || t.supporting_trust == self.trust;
            known.transfers.values().filter(mine).cloned().collect()
        };
        let transfer = self.one_of(mine)?;
        let is_home = transfer.home_trust == self.trust;
        if self.dice.once_in(3) {
            return Some(Ask::Abort { transfer: transfer.id, is_home });
        }
        let done = transfer.checklist.iter().map(|item| item.name.clone()).collect();
        let (to, done) = if transfer.state() == State::Planned {
            (State::Ready, done)
        } else if transfer.state() == State::Ready {
            (State::InTransit, Vec::new())
        } else {
            (State::Arrived, Vec::new())
        };
        Some(Ask::Advance { transfer: transfer.id, to, done })
    }

    /// Tries to change what is another trust's.
    async fn meddle(&mut self) {
        let theirs = self.accounts(|trust| trust != self.trust);
        let Some((offer, _)) = self.one_of(theirs) else { return };
        let ask = Ask::Adjust { offer, by: 1, expected: None, validate_only: false };
        if self.dice.once_in(3) {
            let op = self.open(ask, Some("gold_writes_nothing_of_trusts"));
            repeat(self.history, op, &self.gold).await;
            return;
        }
        let op = self.open(ask, Some("own_side_only"));
        self.send(op, 0).await;
    }

    /// Uses the id of a request that was done for another one.
    async fn contradict(&mut self) {
        let Some(ask) = self.adjust() else { return };
        let Ask::Adjust { offer, by, .. } = ask else { return };
        let ask = |by| Ask::Adjust { offer: offer.clone(), by, expected: None, validate_only: false };
        let first = self.open(ask(by), None);
        let end = self.send(first, 0).await;
        self.learn(first, &end);
        if matches!(end, End::Ok(_)) {
            let id = self.history.request_id(first);
            let second = self.history.open(Op {
                client: self.number,
                trust: self.trust,
                request_id: id,
                ask: ask(-by),
                forbidden: Some("one_effect_per_request_id"),
                attempts: Vec::new(),
            });
            self.send(second, 0).await;
        }
    }

    fn accounts(&self, wanted: impl Fn(&str) -> bool) -> Vec<(String, i64)> {
        let known = self.board.known();
        let all = known.accounts.iter().filter(|(_, (trust, _))| wanted(trust));
        all.map(|(id, (_, revision))| (id.clone(), *revision)).collect()
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.dice.below(bound as u64)).unwrap_or(0)
    }

    fn one_of<T>(&mut self, mut all: Vec<T>) -> Option<T> {
        if all.is_empty() {
            return None;
        }
        let place = self.below(all.len());
        Some(all.swap_remove(place))
    }
}

/// Sends a request of the history once more, and notes what it came to.
pub(crate) async fn repeat(history: &History, op: usize, client: &Client) -> End {
    let (ask, id) = (history.ask(op), history.request_id(op));
    let sending = history.sent(op);
    let end = ask.send(client, &id).await;
    history.came_to(op, sending, end.clone());
    end
}

/// Says whether an offer is a register: nobody but its trust moves it.
pub(crate) fn is_account(offer: &v1::Offer) -> bool {
    offer.resource.as_ref().is_some_and(|resource| resource.code == ACCOUNT)
}

fn of_trust(all: &BTreeMap<String, &'static str>, trust: &str) -> Vec<String> {
    all.iter().filter(|(_, of)| **of == trust).map(|(id, _)| id.clone()).collect()
}

fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
