//! Records that ended more than three days ago leave the live records, so that nothing grows for ever; a transfer that was
//! not called off stays for 28 days from when it was agreed, for what was given counts towards what is fair, and a theatre
//! session for 28 days from its end. The log and the archive keep them all.

use std::collections::{HashMap, HashSet};

use fallow_api::status::Failure;
use fallow_domain::ids::{NeedId, OfferId};
use fallow_domain::matching::giving::COUNTED;
use fallow_domain::offer::OfferState;
use fallow_domain::resource::ResourceKind;
use fallow_domain::transfer::TransferState;
use fallow_ledger::picture::{Seen, Still};
use fallow_ledger::record::{Record, case_claim_key, lease_key, need_key, offer_key, source_claim_key};
use fallow_ledger::transact::Step;
use fallow_ledger::{Key, RecordKind, Revision};
use fallow_live::Live;
use jiff::{SignedDuration, Timestamp};

use super::by_engine;
use super::carry::Carried;
use super::lease::Lease;

/// How long an ended record can still be read: as long as request ids are remembered, so that a repeated request finds
/// what it was about.
pub const KEPT: SignedDuration = SignedDuration::from_hours(72);
/// Records deleted by one commit: small, so that no watcher is flooded.
const BATCH: usize = 50;
/// How often ended records are looked for.
pub(super) const LOOK_EVERY: SignedDuration = SignedDuration::from_mins(15);

/// Knows since when records have been ended that do not say so themselves.
#[derive(Debug, Default)]
pub(super) struct Retiring {
    /// When an ended record was first seen so, with its revision then.
    since: HashMap<Key, (Revision, Timestamp)>,
}

impl Retiring {
    /// Returns the records that have been ended for long enough and that nothing live refers to, at most one batch.
    pub(super) fn due(&mut self, still: &Still<'_>, live: &Live, at: Timestamp) -> Vec<(Key, Revision)> {
        let kinds = [RecordKind::Proposal, RecordKind::Transfer, RecordKind::Need, RecordKind::Offer];
        let ended: Vec<(Key, Seen)> = kinds
            .into_iter()
            .flat_map(|kind| still.all(kind))
            .filter(|(_, seen)| is_over(&seen.record))
            .collect();
        let counted: HashSet<&Key> =
            ended.iter().filter(|(_, seen)| is_counted(&seen.record, at)).map(|(key, _)| key).collect();
        let keys: HashSet<&Key> = ended.iter().map(|(key, _)| key).collect();
        self.since.retain(|key, _| keys.contains(key));
        let mut due = Vec::new();
        for (key, seen) in &ended {
            let known = ended_at(&seen.record);
            let first = self.since.entry(key.clone()).or_insert((seen.revision, at));
            if first.0 != seen.revision {
                *first = (seen.revision, at);
            }
            let since = known.map_or(first.1, |known| known.min(first.1));
            let is_old = at.duration_since(since) >= KEPT;
            // What is kept to be counted only keeps nothing else.
            let is_needed = |by: &Key| !counted.contains(by);
            let is_referred_to = live.picture().referring_to(key).iter().any(is_needed);
            if is_old && !is_referred_to && !counted.contains(key) {
                due.push((key.clone(), seen.revision));
            }
        }
        due.extend(self.dead_declines(still));
        due.truncate(BATCH);
        due
    }

    /// The declines of pairs of which one has left the live records: nobody can propose them again.
    fn dead_declines(&self, still: &Still<'_>) -> Vec<(Key, Revision)> {
        let is_dead = |record: &Record| matches!(record, Record::Decline(pair) if !is_there(still, &pair.need, &pair.offer));
        let declines = still.all(RecordKind::Decline).into_iter();
        declines.filter(|(_, seen)| is_dead(&seen.record)).map(|(key, seen)| (key, seen.revision)).collect()
    }
}

fn is_there(still: &Still<'_>, need: &NeedId, offer: &OfferId) -> bool {
    still.get(&need_key(need)).is_some() && still.get(&offer_key(offer)).is_some()
}

/// Deletes a batch with the names that its records held, as far as they are as they were looked at.
///
/// # Errors
/// The store's troubles.
pub(super) async fn retire(
    live: &Live,
    lease: &Lease,
    batch: &[(Key, Revision)],
    at: Timestamp,
) -> Result<Carried, Failure> {
    let claims: Vec<(Key, Key)> = batch
        .iter()
        .filter_map(|(key, _)| Some((key.clone(), claim_of(&live.picture().get(key)?.record)?)))
        .collect();
    let keys = batch.iter().map(|(key, _)| key.clone());
    let first = keys.chain(claims.iter().map(|(_, claim)| claim.clone())).chain([lease_key()]).collect();
    let mutation = by_engine("retire", at, None);
    let mut is_lost = false;
    let done = live.mutate(&mutation, first, |view| {
        if !lease.is_in(view) {
            is_lost = true;
            return Err(Failure::ChangedMeanwhile { current: None });
        }
        let unchanged = batch.iter().filter(|(key, revision)| view.revision(key) == *revision);
        let mut writes: Vec<(Key, Option<Record>)> = unchanged.map(|(key, _)| (key.clone(), None)).collect();
        // The name may by now be another record's.
        let own = claims.iter().filter(|(key, claim)| holds(view.get(claim), key));
        writes.extend(own.map(|(_, claim)| (claim.clone(), None)));
        Ok(if writes.is_empty() { Step::Answer(()) } else { Step::Write { writes, answer: () } })
    });
    match done.await {
        Err(_) if is_lost => Ok(Carried::LeaseLost),
        Ok(_) | Err(Failure::ChangedMeanwhile { .. }) => Ok(Carried::Done),
        Err(other) => Err(other),
    }
}

fn holds(claim: Option<&Record>, key: &Key) -> bool {
    matches!(claim, Some(Record::Claim(claim)) if *claim.holder.as_str() == *key.id)
}

/// Returns the name that a record held.
fn claim_of(record: &Record) -> Option<Key> {
    match record {
        Record::Offer(offer) => Some(source_claim_key(offer.trust, offer.source_key.as_ref()?.as_str())),
        Record::Need(need) => {
            Some(case_claim_key(need.trust, need.case_ref.as_ref()?.as_str(), &need.resource.key()))
        }
        Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    }
}

fn is_over(record: &Record) -> bool {
    match record {
        Record::Offer(offer) => offer.state.is_ended(),
        Record::Need(need) => need.state.is_ended(),
        Record::Proposal(proposal) => proposal.state.is_ended(),
        Record::Transfer(transfer) => transfer.is_over(),
        Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => false,
    }
}

/// Says whether a record that has ended is kept for what is counted over 28 days: a transfer for what it gave, from its
/// agreement on; of theatres from the session on, and the session itself, for the minutes that were found and lost.
fn is_counted(record: &Record, at: Timestamp) -> bool {
    let is_late = |since: Timestamp| at.duration_since(since) < COUNTED;
    match record {
        Record::Transfer(transfer) => {
            let is_theatre = transfer.resource.kind == ResourceKind::Theatre;
            let session = is_theatre.then_some(transfer.due_at);
            transfer.state != TransferState::Aborted
                && is_late(transfer.agreed_at.max(session.unwrap_or(Timestamp::MIN)))
        }
        Record::Offer(offer) => {
            // Of what was taken back nothing was found or lost, but for what others had already agreed.
            let was_taken_back = offer.state == OfferState::Withdrawn && offer.figures.committed.is_zero();
            offer.resource.kind == ResourceKind::Theatre && !was_taken_back && is_late(offer.window.until)
        }
        Record::Need(_)
        | Record::Proposal(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => false,
    }
}

/// Returns when an ended record ended, as far as it says so itself.
fn ended_at(record: &Record) -> Option<Timestamp> {
    match record {
        Record::Proposal(proposal) => proposal.ended_at,
        Record::Transfer(transfer) => transfer.steps.last().map(|step| step.at),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    }
}
