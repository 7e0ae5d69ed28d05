//! What the ledger's bodies hold: one typed record a key, as JSON in an envelope with a schema number.

use bytes::Bytes;
use fallow_domain::ids::{
    ActionId, AlertId, DecisionId, Label, NeedId, OfferId, ProposalId, RegionId, TransferId, TrustCode,
};
use fallow_domain::monitor::kept::{Kept, Span};
use fallow_domain::need::Need;
use fallow_domain::offer::Offer;
use fallow_domain::proposal::Proposal;
use fallow_domain::resource::ResourceKey;
use fallow_domain::standing::{
    Claim, Decline, EndedSession, EngineLease, FeedState, RegionState, TrustState,
};
use fallow_domain::transfer::Transfer;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::key::{Key, RecordKind};

/// The schema that is written. A body of an earlier schema is read; one of a later schema is set apart.
pub const SCHEMA: u32 = 1;

/// A live record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Capacity that a trust publishes.
    Offer(Offer),
    /// Demand that a trust raises.
    Need(Need),
    /// A suggestion, held until both trusts answer.
    Proposal(Proposal),
    /// What follows when both said yes.
    Transfer(Transfer),
    /// What a trust has said of itself.
    Trust(TrustState),
    /// The last report of a numbered source.
    Feed(FeedState),
    /// The region file in force.
    Region(RegionState),
    /// The right to act as the engine.
    Lease(EngineLease),
    /// A name that one live record holds.
    Claim(Claim),
    /// A pair that was declined.
    Decline(Decline),
    /// A sign-in that was ended before its time.
    Session(EndedSession),
    /// What the monitor keeps: decisions, alerts, signed reports, points of trends.
    Monitor(Box<Kept>),
}

/// A body that cannot be read: it is set apart, shown to operators and never used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the {} record cannot be read: {detail}", kind.as_str())]
pub struct Unreadable {
    /// What it should have been.
    pub kind: RecordKind,
    /// Why not, without anything of the body.
    pub detail: String,
}

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    r: &'a T,
}

#[derive(Deserialize)]
struct Head {
    v: u32,
}

#[derive(Deserialize)]
struct Read<T> {
    v: u32,
    r: T,
}

impl Record {
    /// Returns the record's kind.
    #[must_use]
    pub const fn kind(&self) -> RecordKind {
        match self {
            Self::Offer(_) => RecordKind::Offer,
            Self::Need(_) => RecordKind::Need,
            Self::Proposal(_) => RecordKind::Proposal,
            Self::Transfer(_) => RecordKind::Transfer,
            Self::Trust(_) => RecordKind::Trust,
            Self::Feed(_) => RecordKind::Feed,
            Self::Region(_) => RecordKind::Region,
            Self::Lease(_) => RecordKind::Lease,
            Self::Claim(_) => RecordKind::Claim,
            Self::Decline(_) => RecordKind::Decline,
            Self::Session(_) => RecordKind::Session,
            Self::Monitor(_) => RecordKind::Monitor,
        }
    }

    /// Returns the offer, where it is one.
    #[must_use]
    pub fn offer(&self) -> Option<&Offer> {
        if let Self::Offer(offer) = self { Some(offer) } else { None }
    }

    /// Returns the need, where it is one.
    #[must_use]
    pub fn need(&self) -> Option<&Need> {
        if let Self::Need(need) = self { Some(need) } else { None }
    }

    /// Returns the proposal, where it is one.
    #[must_use]
    pub fn proposal(&self) -> Option<&Proposal> {
        if let Self::Proposal(proposal) = self { Some(proposal) } else { None }
    }

    /// Returns the transfer, where it is one.
    #[must_use]
    pub fn transfer(&self) -> Option<&Transfer> {
        if let Self::Transfer(transfer) = self { Some(transfer) } else { None }
    }

    /// Returns the trusts whose record it is, or that it joins.
    #[must_use]
    pub fn trusts(&self) -> Vec<TrustCode> {
        match self {
            Self::Offer(offer) => vec![offer.trust],
            Self::Need(need) => vec![need.trust],
            Self::Proposal(proposal) => {
                let team = proposal.team.as_ref().map(|team| team.trust);
                [proposal.home_trust, proposal.supporting_trust].into_iter().chain(team).collect()
            }
            Self::Transfer(transfer) => {
                let team = transfer.team.as_ref().map(|team| team.trust);
                [transfer.home_trust, transfer.supporting_trust].into_iter().chain(team).collect()
            }
            Self::Trust(trust) => vec![trust.ods],
            Self::Feed(feed) => vec![feed.trust],
            Self::Monitor(kept) => match &**kept {
                Kept::Alert(alert) => alert.trusts.clone(),
                Kept::Action(action) => action.trusts.clone(),
                Kept::Decision(_) | Kept::SignOff(_) | Kept::Rollup(_) | Kept::Position(_) => Vec::new(),
            },
            Self::Region(_) | Self::Lease(_) | Self::Claim(_) | Self::Session(_) | Self::Decline(_) => {
                Vec::new()
            }
        }
    }

    /// Writes the record as the ledger keeps it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        match self {
            Self::Offer(record) => envelope(record),
            Self::Need(record) => envelope(record),
            Self::Proposal(record) => envelope(record),
            Self::Transfer(record) => envelope(record),
            Self::Trust(record) => envelope(record),
            Self::Feed(record) => envelope(record),
            Self::Region(record) => envelope(record),
            Self::Lease(record) => envelope(record),
            Self::Claim(record) => envelope(record),
            Self::Decline(record) => envelope(record),
            Self::Session(record) => envelope(record),
            Self::Monitor(record) => envelope(record),
        }
    }

    /// Reads a record of a kind.
    ///
    /// # Errors
    /// [`Unreadable`] when the body is not JSON, is of a later schema, or lacks what a record of that kind has.
    pub fn decode(kind: RecordKind, body: &[u8]) -> Result<Self, Unreadable> {
        match kind {
            RecordKind::Offer => open(kind, body).map(Self::Offer),
            RecordKind::Need => open(kind, body).map(Self::Need),
            RecordKind::Proposal => open(kind, body).map(Self::Proposal),
            RecordKind::Transfer => open(kind, body).map(Self::Transfer),
            RecordKind::Trust => open(kind, body).map(Self::Trust),
            RecordKind::Feed => open(kind, body).map(Self::Feed),
            RecordKind::Region => open(kind, body).map(Self::Region),
            RecordKind::Lease => open(kind, body).map(Self::Lease),
            RecordKind::Claim => open(kind, body).map(Self::Claim),
            RecordKind::Decline => open(kind, body).map(Self::Decline),
            RecordKind::Session => open(kind, body).map(Self::Session),
            RecordKind::Monitor => open(kind, body).map(Box::new).map(Self::Monitor),
        }
    }
}

fn envelope<T: Serialize>(record: &T) -> Bytes {
    // Our records have text keys and finite numbers only, which is all that JSON asks for.
    let body = serde_json::to_vec(&Written { v: SCHEMA, r: record }).unwrap_or_default();
    // Without the room that was left for more: a body may be kept for days.
    Bytes::from(body.into_boxed_slice())
}

fn open<T: DeserializeOwned>(kind: RecordKind, body: &[u8]) -> Result<T, Unreadable> {
    let unreadable = |detail: String| Unreadable { kind, detail };
    // The parser's own message may repeat what it found, which must not reach a log: only the place is told.
    let place = |e: serde_json::Error| {
        unreadable(format!("not of the expected form at line {}, byte {}", e.line(), e.column()))
    };
    let later = |v: u32| unreadable(format!("schema {v} is later than {SCHEMA}, the latest known here"));
    // In one pass: at a start every record of a region is read. Only a body that cannot be is looked at again, for a later
    // schema may have another form.
    match read_json::<Read<T>>(body) {
        Ok(read) if read.v <= SCHEMA => Ok(read.r),
        Ok(read) => Err(later(read.v)),
        Err(error) => match serde_json::from_slice::<Head>(body) {
            Ok(head) if head.v > SCHEMA => Err(later(head.v)),
            Ok(_) => Err(place(error)),
            Err(error) => Err(place(error)),
        },
    }
}

/// Reads JSON. A body that is a text throughout is looked at for that once, and not again at each text in it.
pub(crate) fn read_json<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    match std::str::from_utf8(body) {
        Ok(text) => serde_json::from_str(text),
        // It says at which place.
        Err(_) => serde_json::from_slice(body),
    }
}

/// Returns the key of a record with the record's own text for its id where it is the same: both are kept for as long as the
/// record is live.
pub(crate) fn shared_key(key: Key, record: &Record) -> Key {
    let own = match record {
        Record::Offer(offer) => offer_key(&offer.id),
        Record::Need(need) => need_key(&need.id),
        Record::Proposal(proposal) => proposal_key(&proposal.id),
        Record::Transfer(transfer) => transfer_key(&transfer.id),
        Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Decline(_)
        | Record::Session(_)
        | Record::Monitor(_) => return key,
    };
    if own == key { own } else { key }
}

/// The key of an offer.
#[must_use]
pub fn offer_key(id: &OfferId) -> Key {
    Key::new(RecordKind::Offer, id.shared())
}

/// The key of a need.
#[must_use]
pub fn need_key(id: &NeedId) -> Key {
    Key::new(RecordKind::Need, id.shared())
}

/// The key of a proposal.
#[must_use]
pub fn proposal_key(id: &ProposalId) -> Key {
    Key::new(RecordKind::Proposal, id.shared())
}

/// The key of a transfer.
#[must_use]
pub fn transfer_key(id: &TransferId) -> Key {
    Key::new(RecordKind::Transfer, id.shared())
}

/// The key of what a trust has said of itself.
#[must_use]
pub fn trust_key(ods: TrustCode) -> Key {
    Key::new(RecordKind::Trust, ods.as_str())
}

/// The key of a numbered source of a trust.
#[must_use]
pub fn feed_key(trust: TrustCode, source: &str) -> Key {
    Key::new(RecordKind::Feed, format!("{trust}/{source}"))
}

/// The key of the claim that names the feed of a trust that came last, so that two that come at once are both counted.
#[must_use]
pub fn feeds_claim_key(trust: TrustCode) -> Key {
    Key::new(RecordKind::Claim, format!("feeds/{trust}"))
}

/// The key of the region file in force.
#[must_use]
pub fn region_key(id: &RegionId) -> Key {
    Key::new(RecordKind::Region, id.shared())
}

/// The key of the engine's lease.
#[must_use]
pub fn lease_key() -> Key {
    Key::new(RecordKind::Lease, "engine")
}

/// The key of the claim that a trust's own key has on an offer.
#[must_use]
pub fn source_claim_key(trust: TrustCode, source_key: &str) -> Key {
    Key::new(RecordKind::Claim, format!("offer/{trust}/{source_key}"))
}

/// The key of the claim that (home trust, case reference, resource) has on a live need.
#[must_use]
pub fn case_claim_key(trust: TrustCode, case_ref: &str, resource: &ResourceKey) -> Key {
    // The reference comes last, behind a space, for it alone may hold anything.
    Key::new(RecordKind::Claim, format!("need/{trust}/{resource} {case_ref}"))
}

/// The key of a declined pair.
#[must_use]
pub fn decline_key(need: &NeedId, offer: &OfferId) -> Key {
    Key::new(RecordKind::Decline, format!("{need} {offer}"))
}

/// The key of a sign-in that was ended, by the name that its credentials carry.
#[must_use]
pub fn session_key(name: &Label) -> Key {
    Key::new(RecordKind::Session, name.as_str())
}

/// The key of an alert.
#[must_use]
pub fn alert_key(id: &AlertId) -> Key {
    Key::new(RecordKind::Monitor, format!("alert/{id}"))
}

/// The key of the claim that the cause of an alert has, so that one cause never has two.
#[must_use]
pub fn cause_claim_key(rule: &str, cause: &str) -> Key {
    Key::new(RecordKind::Claim, format!("alert/{rule} {cause}"))
}

/// The key of an action that needs two people.
#[must_use]
pub fn action_key(id: &ActionId) -> Key {
    Key::new(RecordKind::Monitor, format!("action/{id}"))
}

/// The key of the claim that names the last action by which a person broke glass, so that two at once are counted.
#[must_use]
pub fn override_claim_key(person: &Label) -> Key {
    Key::new(RecordKind::Claim, format!("override/{person}"))
}

/// The key of a decision of gold.
#[must_use]
pub fn decision_key(id: &DecisionId) -> Key {
    Key::new(RecordKind::Monitor, format!("decision/{id}"))
}

/// The key of a report that was signed off.
#[must_use]
pub fn sign_off_key(as_of: Timestamp) -> Key {
    Key::new(RecordKind::Monitor, format!("sign_off/{as_of}"))
}

/// The key of the numbers of one moment.
#[must_use]
pub fn rollup_key(span: Span, at: Timestamp) -> Key {
    Key::new(RecordKind::Monitor, format!("rollup/{span}/{at}"))
}

/// The key of the region at the end of an hour.
#[must_use]
pub fn position_key(at: Timestamp) -> Key {
    Key::new(RecordKind::Monitor, format!("position/{at}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_from_its_body() {
        let record = Record::Claim(Claim { holder: fallow_domain::ids::Label::parse("o-1").unwrap() });
        let body = record.encode();
        assert_eq!(&body[..], br#"{"v":1,"r":{"holder":"o-1"}}"#);
        assert_eq!(Record::decode(RecordKind::Claim, &body), Ok(record));
    }

    #[test]
    fn what_is_unreadable_is_not_repeated() {
        let unreadable =
            Record::decode(RecordKind::Claim, br#"{"v":1,"r":{"holder":["secret"]}}"#).unwrap_err();
        assert_eq!(unreadable.detail, "not of the expected form at line 1, byte 21");
        for body in [&b"secret"[..], br#"{"v":"secret"}"#, br#"{"v":1,"r":"secret"}"#] {
            let unreadable = Record::decode(RecordKind::Claim, body).unwrap_err();
            assert!(!unreadable.to_string().contains("secret"), "{unreadable}");
        }
        let broken = b"{\"v\":1,\"r\":{\"holder\":\"secret \xff\"}}";
        let unreadable = Record::decode(RecordKind::Claim, broken).unwrap_err();
        assert!(unreadable.detail.starts_with("not of the expected form at line 1, byte "), "{unreadable}");
    }

    #[test]
    fn no_two_cases_share_a_claim() {
        let key = |resource: &str, case: &str| {
            case_claim_key("ZA1".parse().unwrap(), case, &resource.parse().unwrap())
        };
        assert_ne!(key("BED/CC_ADULT/2", "1"), key("BED/CC_ADULT", "2/1"));
        assert_ne!(key("BED/GA_ADULT", "1 1"), key("BED/GA_ADULT", "1"));
    }

    #[test]
    fn a_body_of_a_later_schema_is_told_by_that_whatever_its_form() {
        for body in [&br#"{"v":2,"r":{"holder":"o-1"}}"#[..], br#"{"v":2,"r":{"holders":7}}"#, br#"{"v":2}"#]
        {
            let unreadable = Record::decode(RecordKind::Claim, body).unwrap_err();
            assert_eq!(unreadable.detail, "schema 2 is later than 1, the latest known here");
        }
    }

    #[test]
    fn what_cannot_be_read_is_said_and_not_guessed() {
        for body in
            [&b"{"[..], b"{}", br#"{"v":1}"#, br#"{"v":1,"r":{}}"#, br#"{"v":2,"r":{"holder":"o-1"}}"#]
        {
            assert!(Record::decode(RecordKind::Claim, body).is_err(), "{}", String::from_utf8_lossy(body));
        }
    }
}
