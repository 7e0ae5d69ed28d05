//! Which records a decision must read: those it is about, and those that hang on them.
//!
//! The picture says which these are; the ledger then gives them at exact versions. A record that came to hang on one of
//! them meanwhile has changed that one too (an offer's held units, a need's proposed units), so the commit finds out.

use std::collections::BTreeSet;

use fallow_domain::records::Records;
use fallow_ledger::Key;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, decline_key, need_key, offer_key, proposal_key, transfer_key};
use fallow_ledger::transact::View;

/// Returns the keys that a decision about `roots` must read: the roots, what they refer to, the live proposals and
/// transfers that refer to any of these, and the offers and needs at those ends.
#[must_use]
pub fn around(picture: &Picture, roots: &[Key]) -> Vec<Key> {
    let mut keys: BTreeSet<Key> = roots.iter().cloned().collect();
    keys.extend(roots.iter().flat_map(|key| ends(picture, key)));
    let hubs: Vec<Key> = keys.iter().cloned().collect();
    for hub in &hubs {
        for referring in picture.referring_to(hub) {
            keys.extend(ends(picture, &referring));
            keys.insert(referring);
        }
    }
    keys.into_iter().collect()
}

/// Returns the need and the offers that a proposal or transfer joins, and what is remembered of each pair: its end may
/// say that they are not to be joined again, over an earlier time that was said.
fn ends(picture: &Picture, key: &Key) -> Vec<Key> {
    picture.get(key).map(|seen| ends_of(&seen.record)).unwrap_or_default()
}

fn ends_of(record: &Record) -> Vec<Key> {
    match record {
        Record::Proposal(p) => {
            let offers = p.offers().flat_map(|offer| [offer_key(offer), decline_key(&p.need, offer)]);
            offers.chain([need_key(&p.need)]).collect()
        }
        Record::Transfer(t) => {
            let offers = t.offers().flat_map(|offer| [offer_key(offer), decline_key(&t.need, offer)]);
            offers.chain([need_key(&t.need), proposal_key(&t.proposal)]).collect()
        }
        Record::Offer(_)
        | Record::Need(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => Vec::new(),
    }
}

/// Returns the keys that `view` shows to be missing: what hangs on proposals and transfers that the picture did
/// not know yet.
#[must_use]
pub fn missing(view: &View, picture: &Picture, roots: &[Key]) -> Vec<Key> {
    let mut wanted: BTreeSet<Key> = around(picture, roots).into_iter().collect();
    wanted.extend(view.records().flat_map(|(_, record)| ends_of(record)));
    wanted.into_iter().filter(|key| !view.has_read(key)).collect()
}

/// Returns the records of a view as decisions take them.
#[must_use]
pub fn records(view: &View) -> Records {
    let mut all = Records::default();
    for (_, record) in view.records() {
        match record {
            Record::Offer(offer) => all.put_offer(offer.clone()),
            Record::Need(need) => all.put_need(need.clone()),
            Record::Proposal(proposal) => all.put_proposal(proposal.clone()),
            Record::Transfer(transfer) => all.put_transfer(transfer.clone()),
            Record::Decline(decline) => all.put_decline(decline.clone()),
            Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_) => {}
        }
    }
    all
}

/// Returns the writes that carry out a decision.
#[must_use]
pub fn writes(changes: Records) -> Vec<(Key, Option<Record>)> {
    let Records { offers, needs, proposals, transfers, declines } = changes;
    let mut writes = Vec::new();
    writes.extend(offers.into_iter().map(|(id, offer)| (offer_key(&id), Some(Record::Offer(offer)))));
    writes.extend(needs.into_iter().map(|(id, need)| (need_key(&id), Some(Record::Need(need)))));
    writes.extend(proposals.into_iter().map(|(id, p)| (proposal_key(&id), Some(Record::Proposal(p)))));
    writes.extend(transfers.into_iter().map(|(id, t)| (transfer_key(&id), Some(Record::Transfer(t)))));
    writes.extend(
        declines.into_iter().map(|((need, offer), d)| (decline_key(&need, &offer), Some(Record::Decline(d)))),
    );
    writes
}
