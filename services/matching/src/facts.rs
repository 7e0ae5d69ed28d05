//! What there is at one revision: the records that matching looks at, and the region in force with them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use fallow_api::status::Failure;
use fallow_domain::ids::{NeedId, OfferId, ProposalId, TransferId};
use fallow_domain::matching::explain::Context;
use fallow_domain::matching::giving::Giving;
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::region::Region;
use fallow_domain::standing::Decline;
use fallow_domain::transfer::Transfer;
use fallow_ledger::picture::{Of, Seen};
use fallow_ledger::record::Record;
use fallow_ledger::{Key, RecordKind, Revision};
use fallow_live::{Live, RETRY_AFTER};
use jiff::Timestamp;

use crate::then::facts_with;

/// The kinds of records that say which region is in force.
const STANDING: [RecordKind; 2] = [RecordKind::Region, RecordKind::Trust];
/// The kinds of records that facts are made of.
const KINDS: [RecordKind; 7] = [
    RecordKind::Region,
    RecordKind::Trust,
    RecordKind::Offer,
    RecordKind::Need,
    RecordKind::Proposal,
    RecordKind::Transfer,
    RecordKind::Decline,
];
/// How often the picture is looked at again when the region in force changes just then.
const LOOKS: usize = 8;

/// What there is at one revision.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The time taken as now.
    pub at: Timestamp,
    /// The revision.
    pub revision: Revision,
    /// The region in force, with the allowances that stand now.
    pub region: Arc<Region>,
    /// The same as its file and its trusts say it: with the file's allowances.
    pub(crate) as_said: Arc<Region>,
    /// What was given over 28 days, and what trusts have staffed.
    pub(crate) giving: Giving,
    /// The version of the region file, for explanations.
    pub policy: String,
    /// Live offers by id.
    pub offers: BTreeMap<OfferId, Arc<Offer>>,
    /// Live needs by id.
    pub needs: BTreeMap<NeedId, Arc<Need>>,
    /// HELD proposals by id.
    pub holds: BTreeMap<ProposalId, Arc<Proposal>>,
    /// Transfers that are not over, by id.
    pub transfers: BTreeMap<TransferId, Arc<Transfer>>,
    /// Declined pairs, by need.
    pub declines: BTreeMap<NeedId, BTreeMap<OfferId, Decline>>,
    /// The revision that last wrote each record above, each trust's and the region's; records that are absent have none.
    pub versions: HashMap<Key, Revision>,
}

impl Facts {
    /// Makes facts of a region without records.
    #[must_use]
    pub fn new(at: Timestamp, revision: Revision, region: Arc<Region>, policy: String) -> Self {
        Self {
            at,
            revision,
            as_said: region.clone(),
            region,
            giving: Giving::default(),
            policy,
            offers: BTreeMap::new(),
            needs: BTreeMap::new(),
            holds: BTreeMap::new(),
            transfers: BTreeMap::new(),
            declines: BTreeMap::new(),
            versions: HashMap::new(),
        }
    }

    /// Reads the facts from the picture at one revision. Cost: proportional to what is live.
    ///
    /// # Errors
    /// [`Failure::NotReady`] while the picture is not drawn or there is no region.
    pub fn of(live: &Live, at: Timestamp) -> Result<Self, Failure> {
        for _ in 0..LOOKS {
            let in_force = live.region()?;
            let policy = in_force.state.version.to_string();
            let Some((records, cursor)) = live.picture().copy(Of::Kinds(&KINDS)) else { break };
            let standing = records.iter().filter(|(key, _)| STANDING.contains(&key.kind));
            if standing.map(|(_, seen)| seen.revision).max() != Some(in_force.revision) {
                continue;
            }
            return Ok(facts_with(at, cursor.revision(), &records, in_force.region.clone(), policy));
        }
        Err(Failure::NotReady { retry_after: RETRY_AFTER })
    }

    /// Takes a time as now, no earlier than the one before, and puts the allowances that stand then.
    pub(crate) fn move_to(&mut self, at: Timestamp) {
        self.at = at;
        self.giving.move_to(at);
        self.giving.lay_over(&self.as_said, &mut self.region);
    }

    /// Puts another region, as its file and its trusts say it.
    pub(crate) fn set_region(&mut self, as_said: Arc<Region>) {
        (self.region, self.as_said) = (as_said.clone(), as_said);
        self.move_to(self.at);
    }

    /// Counts what a record gives or has staffed, as it is now.
    pub(crate) fn count(&mut self, record: &Record) {
        match record {
            Record::Offer(offer) => self.giving.put_offer(offer),
            Record::Transfer(transfer) => self.giving.put_transfer(transfer),
            Record::Need(_)
            | Record::Proposal(_)
            | Record::Decline(_)
            | Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }

    /// Counts a record no more that has left the live records.
    pub(crate) fn count_no_more(&mut self, record: &Record) {
        match record {
            Record::Offer(offer) => self.giving.remove_offer(&offer.id),
            Record::Transfer(transfer) => self.giving.remove_transfer(&transfer.id),
            Record::Need(_)
            | Record::Proposal(_)
            | Record::Decline(_)
            | Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }

    /// Returns what an explanation of a proposal of an offer says of its surroundings.
    pub(crate) fn context(&self, offer: &OfferId) -> Context {
        let trust = self.offers.get(offer).map(|offer| offer.trust);
        Context {
            revision: self.revision.0,
            policy: self.policy.clone(),
            fairness: trust.map(|trust| self.giving.fairness(trust)).unwrap_or_default(),
        }
    }

    /// Adds a record; those that have ended are left out, but what they gave counts.
    pub fn add(&mut self, key: Key, seen: &Seen) {
        self.count(&seen.record);
        match &*seen.record {
            Record::Offer(offer) if !offer.state.is_ended() => {
                self.offers.insert(offer.id.clone(), Arc::new(offer.clone()));
            }
            Record::Need(need) if !need.state.is_ended() => {
                self.needs.insert(need.id.clone(), Arc::new(need.clone()));
            }
            Record::Proposal(proposal) if !proposal.state.is_ended() => {
                self.holds.insert(proposal.id.clone(), Arc::new(proposal.clone()));
            }
            Record::Transfer(transfer) if !transfer.is_over() => {
                self.transfers.insert(transfer.id.clone(), Arc::new(transfer.clone()));
            }
            Record::Decline(decline) => {
                let of_need = self.declines.entry(decline.need.clone()).or_default();
                of_need.insert(decline.offer.clone(), decline.clone());
            }
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
            | Record::Monitor(_) => return,
        }
        self.versions.insert(key, seen.revision);
    }

    /// Takes out a record as it was, with its version.
    pub(crate) fn remove(&mut self, key: &Key, was: &Record) {
        self.versions.remove(key);
        match was {
            Record::Offer(offer) => drop(self.offers.remove(&offer.id)),
            Record::Need(need) => drop(self.needs.remove(&need.id)),
            Record::Proposal(proposal) => drop(self.holds.remove(&proposal.id)),
            Record::Transfer(transfer) => drop(self.transfers.remove(&transfer.id)),
            Record::Decline(decline) => {
                if let Some(of_need) = self.declines.get_mut(&decline.need) {
                    of_need.remove(&decline.offer);
                    if of_need.is_empty() {
                        self.declines.remove(&decline.need);
                    }
                }
            }
            Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }

    /// Returns the offers that a need was declined, or that it declined, where neither has changed since.
    pub(crate) fn declined_for(&self, need: &NeedId) -> impl Iterator<Item = &OfferId> {
        let of_need = self.declines.get(need).into_iter().flat_map(BTreeMap::values);
        of_need.filter(|decline| self.is_declined(decline)).map(|decline| &decline.offer)
    }

    /// Returns the revision that last wrote a record; [`Revision::ABSENT`] when there is none.
    #[must_use]
    pub fn version(&self, key: &Key) -> Revision {
        self.versions.get(key).copied().unwrap_or_default()
    }

    /// Says whether a pair was declined and neither has changed since.
    #[must_use]
    pub fn is_declined(&self, decline: &Decline) -> bool {
        let need = self.needs.get(&decline.need).map(|need| need.generation);
        let offer = self.offers.get(&decline.offer).map(|offer| offer.generation);
        need == Some(decline.need_generation) && offer == Some(decline.offer_generation)
    }
}
