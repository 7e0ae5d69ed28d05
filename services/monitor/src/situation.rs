//! The situation of the region, as far as a caller sees it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::actor::Role;
use fallow_domain::ids::{CollaborativeId, TrustCode};
use fallow_domain::records::Records;
use fallow_domain::situation::Situation;
use fallow_domain::standing::{FeedState, TrustState};
use fallow_ledger::picture::{Of, Picture};
use fallow_ledger::record::Record;
use fallow_ledger::{Cursor, RecordKind, Revision};
use fallow_live::call::Call;
use jiff::SignedDuration;

use crate::chronicle::Chronicle;
use crate::kept::Shelf;
use crate::lateness::Lateness;
use crate::{trend, view};

/// How long a fold of one revision serves others who ask for the same.
const SERVES_FOR: SignedDuration = SignedDuration::from_secs(1);

/// A situation as it is told, and where a watch goes on from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Seen {
    /// What is told.
    pub(crate) situation: v1::Situation,
    /// The revision of the picture.
    pub(crate) revision: Revision,
    /// The place in the log.
    pub(crate) cursor: Option<Cursor>,
}

/// Whose view it is, and of which collaborative: all of a trust's people in a role see the same.
type Scope = (Role, Option<TrustCode>, String);

/// The folds of the newest revision, so that many who watch cost as much as one.
#[derive(Debug)]
pub(crate) struct Folds {
    known: Mutex<HashMap<Scope, Arc<Seen>>>,
    /// What every screen says of the store.
    store_caveat: String,
    chronicle: Arc<Chronicle>,
}

impl Folds {
    pub(crate) fn new(store_caveat: String, chronicle: Arc<Chronicle>) -> Self {
        Self { known: Mutex::default(), store_caveat, chronicle }
    }

    /// Returns the situation as a caller sees it, of the trusts of a collaborative, or (empty) of the region.
    ///
    /// # Errors
    /// [`Failure::NotFound`] when the caller is not in the collaborative.
    pub(crate) fn look(&self, call: &Call, collaborative: &str) -> Result<Arc<Seen>, Failure> {
        let members = members(call, collaborative)?;
        let scope = (call.actor.role, call.actor.trust, collaborative.to_owned());
        let picture = call.live.picture().revision();
        let is_new = |seen: &Seen| {
            let at = view::at(&seen.situation);
            let age = at.map(|at| call.at.duration_since(at));
            seen.revision == picture && age.is_some_and(|age| !age.is_negative() && age < SERVES_FOR)
        };
        if let Some(known) = self.known().get(&scope).filter(|seen| is_new(seen)) {
            return Ok(known.clone());
        }
        let seen = Arc::new(self.fold(call, members.as_ref(), collaborative));
        let mut known = self.known();
        known.retain(|_, other| other.revision >= seen.revision);
        known.insert(scope, seen.clone());
        Ok(seen)
    }

    /// What every screen says of the store.
    pub(crate) fn store_caveat(&self) -> &str {
        &self.store_caveat
    }

    fn fold(&self, call: &Call, members: Option<&BTreeSet<TrustCode>>, collaborative: &str) -> Seen {
        let Read { records, states, feeds, revision, cursor } = Read::of(call.live.picture());
        let (viewer, region) = (call.viewer(), &call.region);
        let situation = Situation::within(&region.region, &states, &records, call.at, |trust, kind| {
            let is_member = members.is_none_or(|members| members.contains(&trust));
            // The console hears that something changed, whatever it was, and is told nothing of it below.
            is_member
                && (call.actor.role == Role::Console
                    || kind.map_or_else(|| viewer.knows_trust(trust), |kind| viewer.knows_kind(trust, kind)))
        });
        let mut told = view::to_wire(&situation, region, collaborative, revision, &self.store_caveat);
        for feed in &feeds {
            // Of a trust that is not told of, neither are its feeds.
            if let Some(trust) = told.trusts.iter_mut().find(|trust| trust.trust == feed.trust.as_str()) {
                trust.feeds.push(view::feed(feed));
            }
        }
        // The console's own connection hears of changes alone.
        if call.actor.role != Role::Console {
            let shelf = Shelf::read(call.live.picture());
            Lateness::of(&shelf, &self.chronicle, &records, call.at).put(&situation, &mut told);
            // What is usual is kept of the region as a whole.
            if let Some(headline) =
                told.headline.as_mut().filter(|_| members.is_none() && viewer.sees_region())
            {
                trend::usual(headline, &situation.headline, &shelf, call.at);
            }
        }
        Seen { situation: told, revision, cursor }
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<Scope, Arc<Seen>>> {
        // Every single operation leaves the map whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns the members of a collaborative that the caller is in, or is above; `None` for the region.
fn members(call: &Call, id: &str) -> Result<Option<BTreeSet<TrustCode>>, Failure> {
    if id.is_empty() {
        return Ok(None);
    }
    let missing = || Failure::NotFound { record: "collaborative", id: id.chars().take(64).collect() };
    let id = CollaborativeId::parse(id).map_err(|_| missing())?;
    let region = &call.region.region;
    let mut named = region.collaboratives.iter().filter(|collaborative| collaborative.id == id).peekable();
    named.peek().ok_or_else(missing)?;
    let members: BTreeSet<TrustCode> =
        named.flat_map(|collaborative| collaborative.members.clone()).collect();
    match call.actor.trust {
        Some(own) if !members.contains(&own) => Err(missing()),
        Some(_) | None => Ok(Some(members)),
    }
}

/// The live records, what trusts said of themselves, and their feeds by trust and name, at one revision.
struct Read {
    records: Records,
    states: BTreeMap<TrustCode, TrustState>,
    feeds: Vec<FeedState>,
    revision: Revision,
    cursor: Option<Cursor>,
}

impl Read {
    fn of(picture: &Picture) -> Self {
        const KINDS: [RecordKind; 6] = [
            RecordKind::Offer,
            RecordKind::Need,
            RecordKind::Proposal,
            RecordKind::Transfer,
            RecordKind::Trust,
            RecordKind::Feed,
        ];
        let (all, cursor) = picture.copy(Of::Kinds(&KINDS)).unzip();
        let revision = cursor.as_ref().map_or(Revision::ABSENT, Cursor::revision);
        let (mut records, mut states, mut feeds) = (Records::default(), BTreeMap::new(), Vec::new());
        for seen in all.into_iter().flat_map(BTreeMap::into_values) {
            match &*seen.record {
                Record::Offer(offer) => records.put_offer(offer.clone()),
                Record::Need(need) => records.put_need(need.clone()),
                Record::Proposal(proposal) => records.put_proposal(proposal.clone()),
                Record::Transfer(transfer) => records.put_transfer(transfer.clone()),
                Record::Trust(state) => {
                    states.insert(state.ods, state.clone());
                }
                Record::Feed(state) => feeds.push(state.clone()),
                Record::Region(_)
                | Record::Lease(_)
                | Record::Claim(_)
                | Record::Session(_)
                | Record::Monitor(_)
                | Record::Decline(_) => {}
            }
        }
        Self { records, states, feeds, revision, cursor }
    }
}
