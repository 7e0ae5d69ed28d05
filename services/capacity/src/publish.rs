//! `PublishOffer`: a new offer, or the same one again by the trust's own key. Also several at once, as a stream brings them.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use fallow_api::status::Failure;
use fallow_domain::decide::offer::{OfferReport, publish};
use fallow_domain::ids::{Label, OfferId, TrustCode};
use fallow_domain::offer::Offer;
use fallow_domain::records::Records;
use fallow_domain::refusal::{Refusal, reason};
use fallow_domain::standing::{Claim, FeedState};
use fallow_ledger::Key;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, feed_key, feeds_claim_key, offer_key, source_claim_key};
use fallow_ledger::transact::{Done, Step, View};
use fallow_live::call::{Call, new_id};
use fallow_live::mutate::Mutation;
use fallow_live::neighbours;
use jiff::{SignedDuration, Timestamp};

use crate::feeds::{Room, Unsaid, state_of};

/// A report that is to be published, with the id of its offer should it be a new one.
struct Publishing<'a> {
    report: &'a OfferReport,
    claim: Option<Key>,
    fresh: OfferId,
}

impl<'a> Publishing<'a> {
    fn new(report: &'a OfferReport) -> Result<Self, Failure> {
        let claim = report.source_key.as_ref().map(|key| source_claim_key(report.trust, key.as_str()));
        Ok(Self { report, claim, fresh: offer_id(&new_id())? })
    }

    /// Returns the keys that it will have to be decided on, as far as the picture knows.
    fn first(&self, picture: &Picture) -> Vec<Key> {
        let Some(claim) = &self.claim else { return Vec::new() };
        let known = picture.get(claim).and_then(|seen| holder(&seen.record));
        let around = known.into_iter().flat_map(|id| neighbours::around(picture, &[offer_key(&id)]));
        around.chain([claim.clone()]).collect()
    }

    /// Returns the offer that holds its source key.
    fn known(&self, view: &View) -> Option<OfferId> {
        self.claim.as_ref().and_then(|claim| view.get(claim)).and_then(holder)
    }

    /// Says what it comes to when the offer that holds its source key carries its number already, or a later one.
    fn told_before(&self, view: &View) -> Option<Result<OfferId, Refusal>> {
        let id = self.known(view)?;
        let Some(Record::Offer(offer)) = view.get(&offer_key(&id)) else { return None };
        if is_as_late(offer, self.report)? == Ordering::Equal {
            Some(Ok(id))
        } else {
            Some(Err(overtaken(offer)))
        }
    }

    /// Returns the offer that it is about. An ended offer is history: the same key then begins a new one.
    fn offer(&self, view: &View) -> OfferId {
        let known = self.known(view).filter(|id| is_live(view, &offer_key(id)));
        known.unwrap_or_else(|| self.fresh.clone())
    }

    /// Returns the claim on its source key that has to be written with the offer, if it is a new one.
    fn new_claim(&self, id: &OfferId) -> Result<Option<(Key, Option<Record>)>, Failure> {
        let Some(claim) = self.claim.as_ref().filter(|_| *id == self.fresh) else { return Ok(None) };
        Ok(Some((claim.clone(), Some(Record::Claim(Claim { holder: label(id)? })))))
    }
}

/// Publishes an offer and answers with it as it then is.
///
/// # Errors
/// What [`fallow_domain::decide::offer::publish`] refuses.
pub(crate) async fn run(
    call: &Call,
    mutation: &Mutation,
    report: &OfferReport,
    confirm_large_change: bool,
) -> Result<Done<Offer>, Failure> {
    let publishing = Publishing::new(report)?;
    let picture = call.live.picture();
    call.live
        .mutate(mutation, publishing.first(picture), |view| {
            let missing = missing(std::slice::from_ref(&publishing), view, picture);
            if !missing.is_empty() {
                return Ok(Step::Read(missing));
            }
            let (id, read) = (publishing.offer(view), neighbours::records(view));
            let changes = publish(&read, &id, report.clone(), confirm_large_change, &call.actor, call.at)?;
            let Some(offer) = changes.offers.get(&id).or_else(|| read.offers.get(&id)).cloned() else {
                return Ok(Step::ReadAgain);
            };
            if changes.is_empty() {
                return Ok(Step::Answer(offer));
            }
            let mut writes = neighbours::writes(changes);
            writes.extend(publishing.new_claim(&id)?);
            Ok(Step::Write { writes, answer: offer })
        })
        .await
}

/// How often it is taken down of a stream how far it has come: so seldom that streams of one feed beside one another hardly
/// ever wait for one another, and often enough for people.
const HEARD_EVERY: SignedDuration = SignedDuration::from_secs(10);

/// How often reports wait for the picture to show which feed came last, each time for a moment.
const WAITS_MAX: u32 = 3;

/// A feed of which it is taken down with the next commit how far it has come.
struct Mark<'a> {
    key: Key,
    feed: &'a Label,
    seq: u64,
}

/// The feeds of which it is taken down with the next commit how far they have come. Whoever names each item otherwise is
/// answered all the same, and fills nothing.
struct Due<'a> {
    trust: TrustCode,
    marks: Vec<Mark<'a>>,
    /// Whether one of them is new, as far as the picture knows.
    has_new: bool,
}

impl<'a> Due<'a> {
    fn of(picture: &Picture, trust: TrustCode, heard: &'a BTreeMap<Label, u64>, at: Timestamp) -> Self {
        let (mut marks, mut has_new) = (Vec::new(), false);
        for (feed, seq) in heard {
            let key = feed_key(trust, feed.as_str());
            let seen = picture.get(&key);
            has_new |= seen.is_none();
            let is_due = seen.is_none_or(|seen| {
                state_of(&seen.record).is_some_and(|state| at.duration_since(state.at) >= HEARD_EVERY)
            });
            if is_due {
                marks.push(Mark { key, feed, seq: *seq });
            }
        }
        Self { trust, marks, has_new }
    }

    fn keys(&self) -> impl Iterator<Item = Key> + '_ {
        let claim = self.has_new.then(|| feeds_claim_key(self.trust));
        self.marks.iter().map(|mark| mark.key.clone()).chain(claim)
    }

    /// Returns what to write of them, given what is read: a number never goes back. Of a new feed nothing is written while
    /// the picture does not show who came last, unless it `waits` for that: the next report of the feed comes soon.
    ///
    /// # Errors
    /// What is to be read or waited for first.
    fn writes(
        &self,
        view: &View,
        picture: &Picture,
        at: Timestamp,
        waits: bool,
    ) -> Result<Vec<(Key, Option<Record>)>, Unsaid> {
        let (mut marks, new): (Vec<&Mark<'_>>, Vec<&Mark<'_>>) =
            self.marks.iter().partition(|mark| view.get(&mark.key).is_some());
        let mut writes = Vec::new();
        if !new.is_empty() {
            let names: Vec<&Label> = new.iter().map(|mark| mark.feed).collect();
            let heard: Vec<&Key> = marks.iter().map(|mark| &mark.key).collect();
            match Room::find(&names, &heard, (self.trust, at), view, picture) {
                Ok(room) => {
                    writes = room.writes;
                    marks.extend(&new[..room.places]);
                }
                Err(Unsaid::Behind) if !waits => {}
                Err(unsaid) => return Err(unsaid),
            }
        }
        for Mark { key, feed, seq } in marks {
            let last = view.get(key).and_then(state_of).map_or(0, |state| state.last_seq);
            let state =
                FeedState { trust: self.trust, source: (*feed).clone(), last_seq: last.max(*seq), at };
            writes.push((key.clone(), Some(Record::Feed(state))));
        }
        Ok(writes)
    }
}

/// Publishes reports of different source keys in one commit, each decided on what those before it made. One that is
/// refused changes nothing and holds up none of the others; one whose number its offer carries is not written again. Returns
/// for each the revision at which its offer stands.
///
/// # Errors
/// The store's troubles and lost races, which are of all of them: then nothing was published.
pub(crate) async fn run_all(
    call: &Call,
    mutation: &Mutation,
    reports: &[OfferReport],
    heard: &BTreeMap<Label, u64>,
) -> Result<Vec<Result<u64, Failure>>, Failure> {
    let all = reports.iter().map(Publishing::new).collect::<Result<Vec<_>, Failure>>()?;
    let picture = call.live.picture();
    let trust = call.own_trust()?;
    let due = Due::of(picture, trust, heard, call.at);
    let first = all.iter().flat_map(|publishing| publishing.first(picture)).chain(due.keys()).collect();
    // As the last attempt decided: the revision at which the offer stood and goes on to stand, or nothing of one that was to
    // be written.
    let mut ends: Vec<Result<Option<u64>, Failure>> = Vec::with_capacity(all.len());
    let mut waits = WAITS_MAX;
    let done = call
        .live
        .mutate(mutation, first, |view| {
            ends.clear();
            let missing = missing(&all, view, picture);
            if !missing.is_empty() {
                return Ok(Step::Read(missing));
            }
            let (mut now, mut changed) = (neighbours::records(view), Records::default());
            let mut claims = Vec::new();
            for publishing in &all {
                // What the picture knew may have been older than this.
                if let Some(told) = publishing.told_before(view) {
                    ends.push(told.map(|id| Some(view.revision(&offer_key(&id)).0)).map_err(Failure::from));
                    continue;
                }
                let (id, report) = (publishing.offer(view), publishing.report.clone());
                match publish(&now, &id, report, false, &call.actor, call.at) {
                    Ok(changes) => {
                        let stands = changes.is_empty().then(|| view.revision(&offer_key(&id)).0);
                        if stands.is_none() {
                            claims.extend(publishing.new_claim(&id)?);
                            now.apply(changes.clone());
                        }
                        ends.push(Ok(stands));
                        changed.apply(changes);
                    }
                    // What was read does not hang together, and so nothing of it is decided.
                    Err(torn) if torn.reason == reason::CHANGED_MEANWHILE => return Err(torn.into()),
                    Err(refusal) => ends.push(Err(refusal.into())),
                }
            }
            if changed.is_empty() {
                return Ok(Step::Answer(()));
            }
            let heard = match due.writes(view, picture, call.at, waits > 0) {
                Ok(heard) => heard,
                Err(Unsaid::Read(key)) => return Ok(Step::Read(vec![key])),
                Err(Unsaid::Behind) => {
                    waits -= 1;
                    return Ok(Step::ReadAgain);
                }
            };
            let mut writes = neighbours::writes(changed);
            writes.extend(claims);
            writes.extend(heard);
            Ok(Step::Write { writes, answer: () })
        })
        .await?;
    Ok(ends.into_iter().map(|end| Ok(end?.unwrap_or(done.revision.0))).collect())
}

/// Compares the number of a report with the one that its offer carries, where both have one; nothing when the report's is
/// the later.
pub(crate) fn is_as_late(offer: &Offer, report: &OfferReport) -> Option<Ordering> {
    Some(report.source_seq?.cmp(&offer.source_seq?)).filter(|order| order.is_le())
}

/// Returns the refusal of a report that is older than what its offer carries.
pub(crate) fn overtaken(offer: &Offer) -> Refusal {
    let text = "this feed has reported the offer under a later number";
    Refusal::new(reason::OUT_OF_ORDER_FEED, text).with("last", offer.source_seq.unwrap_or_default())
}

/// Returns the keys that have still to be read before these can be decided on.
fn missing(all: &[Publishing<'_>], view: &View, picture: &Picture) -> Vec<Key> {
    let roots: Vec<Key> =
        all.iter().filter_map(|publishing| publishing.known(view)).map(|id| offer_key(&id)).collect();
    neighbours::missing(view, picture, &roots)
}

fn is_live(view: &View, key: &Key) -> bool {
    matches!(view.get(key), Some(Record::Offer(offer)) if !offer.state.is_ended())
}

/// Returns the offer that holds a source key.
pub(crate) fn holder(record: &Record) -> Option<OfferId> {
    if let Record::Claim(claim) = record { OfferId::parse(claim.holder.as_str()).ok() } else { None }
}

/// Makes an offer id of our own text.
pub(crate) fn offer_id(text: &str) -> Result<OfferId, Failure> {
    OfferId::parse(text)
        .map_err(|error| Failure::Refused(Refusal::new(reason::OUT_OF_RANGE, error.to_string())))
}

/// Makes the claim's holder of an id.
pub(crate) fn label(id: &OfferId) -> Result<Label, Failure> {
    Label::parse(id.as_str())
        .map_err(|error| Failure::Refused(Refusal::new(reason::OUT_OF_RANGE, error.to_string())))
}
