//! The auditor: keeps the live records as the log makes them, and says whenever a rule does not hold. It shares nothing
//! with the decisions but the records and the rules.

use std::collections::BTreeMap;
use std::fmt;

use fallow_domain::ids::{NeedId, OfferId};
use fallow_domain::invariants::{self, Violation};
use fallow_domain::records::Records;
use fallow_ledger::cause::Cause;
use fallow_ledger::record::{Record, need_key, offer_key};
use fallow_ledger::state::State;
use fallow_ledger::{Change, Key, RecordKind, Revision, Versioned};

/// A rule that does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The rule, by its name in the contract, such as `conservation` or `picture_equals_replay`.
    pub rule: String,
    /// The revision at which it was noticed.
    pub revision: Revision,
    /// The record, such as `offer o-1`, or what is wrong as a whole.
    pub record: String,
    /// What was found, with its figures and without anything of a record's text.
    pub found: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at revision {}, {}: {}", self.rule, self.revision, self.record, self.found)
    }
}

/// Every live record as the log makes it, and the rules that they are held against.
#[derive(Clone, Debug, Default)]
pub struct Auditor {
    state: State,
    world: Records,
    /// Bodies that cannot be read, and since when.
    unreadable: BTreeMap<Key, Revision>,
}

impl Auditor {
    /// Makes an auditor that begins with a state.
    #[must_use]
    pub fn of(state: State) -> Self {
        let mut auditor = Self { state: State::default(), ..Self::default() };
        for record in state.records() {
            auditor.put(&record.key, Some(&record.body), record.revision);
        }
        auditor.state = state;
        auditor
    }

    /// Returns the state.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Takes the next change, and returns the rules that the step breaks. Cost: proportional to the change.
    ///
    /// A change that was taken before is passed over.
    pub fn take(&mut self, change: &Change) -> Vec<Broken> {
        let revision = change.revision;
        if revision <= self.state.revision() {
            return Vec::new();
        }
        if let Err(gap) = self.state.apply(change) {
            return vec![broken("dense_revisions", revision, "the log", gap.to_string())];
        }
        let mut found = self.step(change);
        for (key, body) in &change.writes {
            let before = self.unreadable.len();
            self.put(key, body.as_ref().map(|body| &body[..]), revision);
            if self.unreadable.len() > before {
                found.push(broken("readable", revision, key, "its body cannot be read".to_owned()));
            }
        }
        found
    }

    /// Returns every rule that the live records break now. Cost: one pass over them.
    #[must_use]
    pub fn check(&self) -> Vec<Broken> {
        let revision = self.state.revision();
        let mut found = violations(invariants::check(&self.world), revision);
        found.extend(
            self.unreadable
                .iter()
                .map(|(key, since)| broken("readable", *since, key, "its body cannot be read".to_owned())),
        );
        found.extend(self.orphans());
        found
    }

    /// Compares the state with a snapshot of the same revision, and returns the records that differ, at most ten.
    #[must_use]
    pub fn compare(&self, snapshot: &[Versioned]) -> Vec<Broken> {
        const TOLD: usize = 10;
        if self.state.digest() == fallow_ledger::state::digest(snapshot) {
            return Vec::new();
        }
        let is = State::of(snapshot.iter().cloned(), self.state.revision());
        let (is, must): (BTreeMap<Key, Versioned>, BTreeMap<Key, Versioned>) =
            (by_key(is.records()), by_key(self.state.records()));
        let differs = |key: &&Key| is.get(*key) != must.get(*key);
        let keys = is.keys().chain(must.keys().filter(|key| !is.contains_key(*key)));
        let told = keys.filter(differs).take(TOLD).map(|key| {
            let text = match (is.get(key), must.get(key)) {
                (Some(is), Some(must)) if is.revision != must.revision => {
                    format!("is of revision {}, the log makes it {}", is.revision, must.revision)
                }
                (Some(_), Some(_)) => "its body is not the one of the log".to_owned(),
                (Some(_), None) => "is live, and by the log it is not".to_owned(),
                (None, _) => "is not live, and by the log it is".to_owned(),
            };
            broken("picture_equals_replay", self.state.revision(), key, text)
        });
        told.collect()
    }

    /// Holds a step against what was before it.
    fn step(&self, change: &Change) -> Vec<Broken> {
        let Some(cause) = Cause::decode(&change.cause) else {
            let text = "its cause cannot be read".to_owned();
            return vec![broken("readable", change.revision, "the log", text)];
        };
        if cause.denied.is_some() && !change.writes.is_empty() {
            let text = format!("{} was denied, and wrote {} records", cause.verb, change.writes.len());
            return vec![broken("refusal_has_no_effect", change.revision, "the log", text)];
        }
        let mut changes = Records::default();
        for (key, body) in &change.writes {
            if let Some(Ok(record)) = body.as_ref().map(|body| Record::decode(key.kind, body)) {
                put(&mut changes, record);
            }
        }
        violations(invariants::check_step(&self.world, &changes, cause.at), change.revision)
    }

    fn put(&mut self, key: &Key, body: Option<&[u8]>, revision: Revision) {
        self.unreadable.remove(key);
        match body.map(|body| Record::decode(key.kind, body)) {
            Some(Ok(record)) => put(&mut self.world, record),
            Some(Err(_)) => {
                self.unreadable.insert(key.clone(), revision);
                remove(&mut self.world, key);
            }
            None => remove(&mut self.world, key),
        }
    }

    /// Records that refer to what is not there.
    fn orphans(&self) -> Vec<Broken> {
        let (revision, mut found) = (self.state.revision(), Vec::new());
        let mut orphan = |record: String, of: &Key| {
            found.push(broken("no_orphans", revision, record, format!("refers to {of}, which is not there")));
        };
        let is_there = |key: &Key| self.state.get(key).is_some();
        for proposal in self.world.proposals.values().filter(|proposal| !proposal.state.is_ended()) {
            let of = proposal.offers().map(offer_key).chain([need_key(&proposal.need)]);
            of.filter(|key| !is_there(key)).for_each(|key| orphan(format!("proposal {}", proposal.id), &key));
        }
        for transfer in self.world.transfers.values().filter(|transfer| !transfer.state.is_ended()) {
            let of = transfer.offers().map(offer_key).chain([need_key(&transfer.need)]);
            of.filter(|key| !is_there(key)).for_each(|key| orphan(format!("transfer {}", transfer.id), &key));
        }
        for record in self.state.records().filter(|record| record.key.kind == RecordKind::Claim) {
            let Ok(Record::Claim(claim)) = Record::decode(RecordKind::Claim, &record.body) else { continue };
            let named = claim.holder.as_str();
            let holder = match record.key.id.split_once('/') {
                Some(("offer", _)) => Key::new(RecordKind::Offer, named),
                Some(("alert" | "override", _)) => Key::new(RecordKind::Monitor, named),
                Some(("feeds", trust)) => Key::new(RecordKind::Feed, format!("{trust}/{named}")),
                Some(_) | None => Key::new(RecordKind::Need, named),
            };
            if !is_there(&holder) {
                orphan("claim".to_owned(), &holder);
            }
        }
        found
    }
}

fn by_key(records: impl Iterator<Item = Versioned>) -> BTreeMap<Key, Versioned> {
    records.map(|record| (record.key.clone(), record)).collect()
}

fn broken(rule: &str, revision: Revision, record: impl fmt::Display, found: String) -> Broken {
    Broken { rule: rule.to_owned(), revision, record: record.to_string(), found }
}

fn violations(found: Vec<Violation>, revision: Revision) -> Vec<Broken> {
    let told = |v: Violation| broken(v.rule.as_str(), revision, v.record, v.found);
    found.into_iter().map(told).collect()
}

fn put(world: &mut Records, record: Record) {
    match record {
        Record::Offer(offer) => world.put_offer(offer),
        Record::Need(need) => world.put_need(need),
        Record::Proposal(proposal) => world.put_proposal(proposal),
        Record::Transfer(transfer) => world.put_transfer(transfer),
        Record::Decline(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_) => {}
    }
}

fn remove(world: &mut Records, key: &Key) {
    match key.kind {
        RecordKind::Offer => OfferId::parse(&key.id).ok().map(|id| drop(world.offers.remove(&id))),
        RecordKind::Need => NeedId::parse(&key.id).ok().map(|id| drop(world.needs.remove(&id))),
        RecordKind::Proposal => {
            world.proposals.retain(|id, _| *id.as_str() != *key.id);
            None
        }
        RecordKind::Transfer => {
            world.transfers.retain(|id, _| *id.as_str() != *key.id);
            None
        }
        RecordKind::Trust
        | RecordKind::Feed
        | RecordKind::Region
        | RecordKind::Lease
        | RecordKind::Claim
        | RecordKind::Session
        | RecordKind::Monitor
        | RecordKind::Decline => None,
    };
}
