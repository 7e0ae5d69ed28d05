//! The right to act: one engine for a region, by a record that every commit of the engine names among what it read.

use fallow_api::status::Failure;
use fallow_domain::ids::Label;
use fallow_domain::standing::EngineLease;
use fallow_ledger::record::{Record, lease_key};
use fallow_ledger::transact::{Step, View};
use fallow_live::Live;
use jiff::{SignedDuration, Timestamp};

use super::by_engine;

/// The lease as this engine holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lease {
    holder: Label,
    epoch: u64,
    renew_at: Timestamp,
}

/// What came of asking for the lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// It is this engine's.
    Ours(Lease),
    /// Another has it until then.
    Theirs(Timestamp),
}

impl Lease {
    /// Asks for the lease, anew or again: it is given when there is none, it has run out, or it is this engine's own.
    ///
    /// # Errors
    /// The store's troubles.
    pub(super) async fn ask(
        live: &Live,
        holder: &Label,
        life: SignedDuration,
        at: Timestamp,
    ) -> Result<Asked, Failure> {
        let until = at.checked_add(life).unwrap_or(Timestamp::MAX);
        let mutation = by_engine("lease", at, None);
        let done = live.mutate(&mutation, vec![lease_key()], |view| {
            let last = held(view);
            let epoch = match last {
                Some(last) if last.holder == *holder => last.epoch,
                Some(last) if last.until > at => return Ok(Step::Answer((0, last.until))),
                Some(last) => last.epoch + 1,
                None => 1,
            };
            let lease = EngineLease { holder: holder.clone(), epoch, until };
            Ok(Step::Write {
                writes: vec![(lease_key(), Some(Record::Lease(lease)))],
                answer: (epoch, until),
            })
        });
        let (epoch, until) = done.await?.answer;
        if epoch == 0 {
            return Ok(Asked::Theirs(until));
        }
        let renew_at = at.checked_add(life / 3).unwrap_or(until);
        Ok(Asked::Ours(Self { holder: holder.clone(), epoch, renew_at }))
    }

    /// When it is to be renewed.
    pub(super) fn renew_at(&self) -> Timestamp {
        self.renew_at
    }

    /// Says whether what a commit read is still this lease.
    pub(super) fn is_in(&self, view: &View) -> bool {
        held(view).is_some_and(|held| held.holder == self.holder && held.epoch == self.epoch)
    }

    /// Counts the holders; a greater one came later.
    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }
}

fn held(view: &View) -> Option<&EngineLease> {
    match view.get(&lease_key()) {
        Some(Record::Lease(lease)) => Some(lease),
        Some(_) | None => None,
    }
}
