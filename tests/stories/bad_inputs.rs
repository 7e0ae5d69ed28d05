//! Bad input over the wire: one row each, with the exact code, reason and field. Nothing of it is written, and the
//! process serves on.
//!
//! Rows of the catalogue of bad inputs (B58 to B91) that have no row here, and where they are kept instead:
//!
//! | row | why not here |
//! |---|---|
//! | B59 B60 B61 | a request id sent again: `repeats` |
//! | B64 B65 B66 | answers in the wrong state: `answers`, for they need a proposal |
//! | B67 | numbered feeds: `feeds`, for they need an earlier number |
//! | B69 | withdrawing what is promised: `answers` |
//! | B71 B72 | a sealed store, a missing quorum: the outage tests of the ledger over Redis |
//! | B79 | a local time without an offset cannot be said here: every time on the wire is UTC |
//! | B83 B84 | another trust named as partner: no call of this service takes one yet |
//! | B88, lone surrogates | a protocol buffer's string is UTF-8, so the wire layer refuses them as malformed |

use fallow_api::client::fresh_request_id;
use fallow_api::convert::request::NUMBER_MAX;
use fallow_api::convert::time::{span_to_wire, to_wire};
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use jiff::{SignedDuration, Timestamp};
use tonic::Code;

use crate::people::{User, call};
use crate::wire::{self, resource};
use crate::world::{World, stories};

mod catalogue;
mod patients;
mod rows;

use patients::no_patient_comes_in;

stories!(
    every_row_is_refused_by_name_and_nothing_is_written,
    odd_text_is_kept_as_it_is_or_refused,
    a_stale_revision_is_told_the_present_one,
    a_cursor_that_is_not_ours_is_refused,
    no_patient_comes_in,
);

/// What is sent.
enum Sent {
    Publish(v1::PublishOfferRequest),
    Replace(v1::ReplaceOffersRequest),
    Adjust(v1::AdjustOfferRequest),
    Confirm(v1::ConfirmOffersRequest),
    Suspend(v1::SuspendOffersRequest),
    Withdraw(v1::WithdrawOfferRequest),
    Reserve(v1::SetReserveRequest),
    Declare(v1::DeclarePressureRequest),
    GetOffer(v1::GetOfferRequest),
    ListOffers(v1::ListOffersRequest),
    Raise(v1::RaiseNeedRequest),
    Amend(v1::AmendNeedRequest),
    Park(v1::ParkNeedRequest),
    WithdrawNeed(v1::WithdrawNeedRequest),
    GetNeed(v1::GetNeedRequest),
    ListProposals(v1::ListProposalsRequest),
    ListTransfers(v1::ListTransfersRequest),
    ListNeeds(v1::ListNeedsRequest),
}

impl Sent {
    async fn by(self, user: &User) -> Result<(), Problem> {
        let (mut capacity, mut demand, mut matching) = (user.capacity(), user.demand(), user.matching());
        match self {
            Self::Publish(request) => call!(capacity, publish_offer, request).map(drop),
            Self::Replace(request) => call!(capacity, replace_offers, request).map(drop),
            Self::Adjust(request) => call!(capacity, adjust_offer, request).map(drop),
            Self::Confirm(request) => call!(capacity, confirm_offers, request).map(drop),
            Self::Suspend(request) => call!(capacity, suspend_offers, request).map(drop),
            Self::Withdraw(request) => call!(capacity, withdraw_offer, request).map(drop),
            Self::Reserve(request) => call!(capacity, set_reserve, request).map(drop),
            Self::Declare(request) => call!(capacity, declare_pressure, request).map(drop),
            Self::GetOffer(request) => call!(capacity, get_offer, request).map(drop),
            Self::ListOffers(request) => call!(capacity, list_offers, request).map(drop),
            Self::Raise(request) => call!(demand, raise_need, request).map(drop),
            Self::Amend(request) => call!(demand, amend_need, request).map(drop),
            Self::Park(request) => call!(demand, park_need, request).map(drop),
            Self::WithdrawNeed(request) => call!(demand, withdraw_need, request).map(drop),
            Self::GetNeed(request) => call!(demand, get_need, request).map(drop),
            Self::ListProposals(request) => call!(matching, list_proposals, request).map(drop),
            Self::ListTransfers(request) => call!(matching, list_transfers, request).map(drop),
            Self::ListNeeds(request) => call!(demand, list_needs, request).map(drop),
        }
    }
}

/// One bad input and how it is answered.
struct Row {
    what: &'static str,
    sent: Sent,
    code: Code,
    reason: &'static str,
    /// Every field that is named, in order.
    fields: Vec<&'static str>,
}

/// What the rows are about: what there is in the world when they are sent.
struct Ground {
    now: Timestamp,
    offer: v1::Offer,
    need: v1::Need,
}

/// Calverleigh has 100 beds on offer and Dunmere needs what nobody has; each sends the rows of its own call.
async fn every_row_is_refused_by_name_and_nothing_is_written(world: &mut World) {
    let calverleigh = world.user("bed-manager.ZA3");
    let mut beds = wire::offer("ZA301", 100, world.now());
    beds.source_key = "standing".into();
    let offer = calverleigh.publish(beds).await;
    let mut wanted = wire::need("ZA301", "standing", 1);
    wanted.resource = Some(resource(v1::ResourceKind::Equipment, "CPAP_DEVICE"));
    let need = calverleigh.raise(wanted).await;
    let before = world.records().await;

    let mut wrong = Vec::new();
    for row in rows::all(&Ground { now: world.now(), offer, need }) {
        let expected =
            (row.code, row.reason.to_owned(), row.fields.iter().map(ToString::to_string).collect());
        let came = match row.sent.by(&calverleigh).await {
            Ok(()) => (Code::Ok, String::new(), Vec::new()),
            Err(problem) => {
                let fields = problem.violations.into_iter().map(|wrong| wrong.field).collect();
                (problem.code, problem.reason, fields)
            }
        };
        if came != expected {
            wrong.push(format!("{}: {came:?}, expected {expected:?}", row.what));
        }
    }
    assert!(wrong.is_empty(), "{} rows\n{}", wrong.len(), wrong.join("\n"));

    assert_eq!(world.records().await, before, "bad input is not written");
    calverleigh.publish_beds("ZA301", 1).await;
    calverleigh.raise(wire::need("ZA301", "after", 1)).await;
}

/// Text that means something elsewhere means nothing here.
async fn odd_text_is_kept_as_it_is_or_refused(world: &mut World) {
    let calverleigh = world.user("bed-manager.ZA3");
    for text in [
        "<script>alert(1)</script>",
        "=cmd()",
        "]] redis.call('FLUSHALL')",
        "'; DROP TABLE offers; --",
        "%00",
        "{r}:seal",
        "2 HDU beds from 14:00 24/11, side rooms, ext 4471",
    ] {
        let offer = v1::Offer { note: text.into(), ..wire::offer("ZA301", 1, world.now()) };
        let published = calverleigh.publish(offer).await;
        assert_eq!(calverleigh.offer(&published.id).await.note, text);
    }
    for text in ["a\r\nINFO all is well", "\u{1b}[31mred", "*1\r\n$8\r\nFLUSHALL", "a\0b", "a\u{202e}b"] {
        let offer = v1::Offer { note: text.into(), ..wire::offer("ZA301", 1, world.now()) };
        let refused = calverleigh.try_publish(offer).await.unwrap_err();
        assert_eq!(
            (refused.code, refused.reason.as_str()),
            (Code::InvalidArgument, reasons::BAD_TEXT),
            "{text:?}"
        );
        assert!(!refused.text.contains(text), "what is refused is not repeated");
    }
}

async fn a_stale_revision_is_told_the_present_one(world: &mut World) {
    let calverleigh = world.user("bed-manager.ZA3");
    let offer = calverleigh.publish_beds("ZA301", 5).await;
    let now = calverleigh.adjust(&offer, 1).await;
    assert!(now.revision > offer.revision);
    let adjust = |expected_revision| v1::AdjustOfferRequest {
        request_id: fresh_request_id(),
        offer: offer.id.clone(),
        by: 1,
        expected_revision,
        ..Default::default()
    };
    let refused = call!(calverleigh.capacity(), adjust_offer, adjust(Some(offer.revision))).unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, reasons::CHANGED_MEANWHILE));
    assert_eq!(refused.numbers.get("current"), Some(&now.revision.to_string()));
    call!(calverleigh.capacity(), adjust_offer, adjust(Some(now.revision))).unwrap();

    let mut need = calverleigh.raise(wire::need("ZA301", "stale", 1)).await;
    let amend = |need: &v1::Need, expected_revision| v1::AmendNeedRequest {
        request_id: fresh_request_id(),
        expected_revision,
        need: Some(v1::Need { id: need.id.clone(), note: "side room".into(), ..Default::default() }),
        update_mask: Some(prost_types::FieldMask { paths: vec!["note".into()] }),
        ..Default::default()
    };
    let first = need.revision;
    need = call!(calverleigh.demand(), amend_need, amend(&need, Some(first))).unwrap().need.unwrap();
    let refused = call!(calverleigh.demand(), amend_need, amend(&need, Some(first))).unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, reasons::CHANGED_MEANWHILE));
}

async fn a_cursor_that_is_not_ours_is_refused(world: &mut World) {
    let calverleigh = world.user("bed-manager.ZA3");
    calverleigh.publish_beds("ZA301", 5).await;
    let watch = |cursor: String| {
        let mut capacity = calverleigh.capacity();
        async move {
            let request = v1::WatchOffersRequest { cursor, filter: None };
            let mut told =
                capacity.watch_offers(request).await.map_err(|status| Problem::from(&status))?.into_inner();
            told.message().await.map_err(|status| Problem::from(&status))
        }
    };
    for (cursor, code, reason) in [
        ("nonsense", Code::InvalidArgument, reasons::BAD_CURSOR),
        // Of another history, as after a store was set up anew.
        ("00000000000000000000000000000000.1", Code::OutOfRange, reasons::CURSOR_GONE),
    ] {
        let refused = watch(cursor.to_owned()).await.unwrap_err();
        assert_eq!((refused.code, refused.reason.as_str()), (code, reason), "{cursor}");
    }
    // Beyond the last revision of our own history.
    let mut told =
        calverleigh.capacity().watch_offers(v1::WatchOffersRequest::default()).await.unwrap().into_inner();
    let own = loop {
        let message = told.message().await.unwrap().unwrap();
        if !message.cursor.is_empty() {
            break message.cursor;
        }
    };
    let (history, _) = own.split_once('.').unwrap();
    let refused = watch(format!("{history}.999999")).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::OutOfRange, reasons::CURSOR_GONE));
}

impl Ground {
    fn publish(&self, change: impl FnOnce(&mut v1::Offer)) -> Sent {
        let mut offer = wire::offer("ZA301", 3, self.now);
        change(&mut offer);
        Sent::Publish(v1::PublishOfferRequest {
            request_id: fresh_request_id(),
            offer: Some(offer),
            ..Default::default()
        })
    }

    fn figures(&self, change: impl FnOnce(&mut v1::Figures)) -> Sent {
        self.publish(|offer| change(offer.figures.as_mut().unwrap()))
    }

    fn window(&self, from: Option<i64>, until: i64) -> Sent {
        let at = |hours: i64| to_wire(self.now + SignedDuration::from_hours(hours));
        self.publish(|offer| {
            offer.window = Some(v1::Window { from: from.map(at), until: Some(at(until)) });
        })
    }

    fn cadence(&self, seconds: i64) -> Sent {
        self.publish(|offer| offer.cadence = Some(span_to_wire(SignedDuration::from_secs(seconds))))
    }

    fn offered(&self, change: impl FnOnce(&mut v1::Resource)) -> Sent {
        self.publish(|offer| change(offer.resource.as_mut().unwrap()))
    }

    fn raise(&self, change: impl FnOnce(&mut v1::Need)) -> Sent {
        let mut need = wire::need("ZA301", "", 1);
        change(&mut need);
        Sent::Raise(v1::RaiseNeedRequest {
            request_id: fresh_request_id(),
            need: Some(need),
            ..Default::default()
        })
    }

    fn adjust(&self, by: i64) -> Sent {
        Sent::Adjust(v1::AdjustOfferRequest {
            request_id: fresh_request_id(),
            offer: self.offer.id.clone(),
            by,
            ..Default::default()
        })
    }

    fn expecting(&self, revision: i64) -> Sent {
        Sent::Adjust(v1::AdjustOfferRequest {
            request_id: fresh_request_id(),
            offer: self.offer.id.clone(),
            by: 1,
            expected_revision: Some(revision),
            ..Default::default()
        })
    }

    fn named(&self, request_id: &str) -> Sent {
        Sent::Adjust(v1::AdjustOfferRequest {
            request_id: request_id.into(),
            offer: self.offer.id.clone(),
            by: 1,
            ..Default::default()
        })
    }

    fn replace(&self, items: Vec<v1::Offer>) -> Sent {
        Sent::Replace(v1::ReplaceOffersRequest {
            site: "ZA301".into(),
            kinds: vec![v1::ResourceKind::Bed.into()],
            feed: "bed-state".into(),
            source_seq: 1,
            items,
            // What is wrong is to be found before the question whether so much is meant.
            confirm_large_change: true,
            ..Default::default()
        })
    }

    /// Whole items of a state of the site, each with its own key.
    fn items(&self, count: usize) -> Vec<v1::Offer> {
        let item =
            |index| v1::Offer { source_key: format!("bay {index}"), ..wire::offer("ZA301", 1, self.now) };
        (0..count).map(item).collect()
    }
}

/// Refused for what it says.
fn invalid(what: &'static str, sent: Sent, reason: &'static str, field: &'static str) -> Row {
    Row { what, sent, code: Code::InvalidArgument, reason, fields: vec![field] }
}

/// Refused by a rule or a right, for no single field.
fn refused(what: &'static str, sent: Sent, code: Code, reason: &'static str) -> Row {
    Row { what, sent, code, reason, fields: Vec::new() }
}

/// Greatest number that JSON readers keep whole, plus one.
const TOO_GREAT: i64 = NUMBER_MAX + 1;
