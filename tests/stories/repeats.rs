//! A change can be sent again: one request id is one effect and one answer.

use fallow_api::client::fresh_request_id;
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use futures::future::join_all;
use tonic::Code;

use crate::people::call;
use crate::wire;
use crate::world::{World, counted, stories};

stories!(
    one_effect_of_fifty_sent_at_once,
    a_late_repetition_is_answered_as_before,
    another_body_is_refused,
    an_id_is_a_trusts_own
);

/// The same request fifty times at once, of each kind that carries a request id in another way.
async fn one_effect_of_fifty_sent_at_once(world: &mut World) {
    let (aldermoor, dunmere) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA4"));
    let raise = v1::RaiseNeedRequest {
        request_id: fresh_request_id(),
        need: Some(wire::need("ZA401", "", 1)),
        ..Default::default()
    };
    let answers = join_all((0..50).map(|_| {
        let (mut demand, raise) = (dunmere.demand(), raise.clone());
        async move { call!(demand, raise_need, raise).unwrap() }
    }));
    let mut answers = answers.await;
    // One raised it; the others are told the same, and that it was there.
    answers.sort_by_key(|answer| answer.raised_before);
    let (first, others) = answers.split_first().unwrap();
    let repeated = v1::RaiseNeedResponse { raised_before: true, ..first.clone() };
    assert!(!first.raised_before && others.iter().all(|answer| *answer == repeated), "{answers:?}");

    let offer = aldermoor.publish_beds("ZA101", 5).await;
    let adjust = v1::AdjustOfferRequest {
        request_id: fresh_request_id(),
        offer: offer.id.clone(),
        by: 2,
        ..Default::default()
    };
    let answers = join_all((0..50).map(|_| {
        let (mut capacity, adjust) = (aldermoor.capacity(), adjust.clone());
        async move { call!(capacity, adjust_offer, adjust).unwrap() }
    }));
    let answers = answers.await;
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:?}");

    let records = world.records().await;
    assert_eq!(records.needs.len(), 1);
    assert_eq!(records.offers.len(), 1);
    assert_eq!(records.offers.values().next().unwrap().figures.staffed.get(), 7);
}

/// What has changed since is not in the answer: it stands at the revision that the answer names.
async fn a_late_repetition_is_answered_as_before(world: &mut World) {
    let aldermoor = world.user("bed-manager.ZA1");
    let offer = aldermoor.publish_beds("ZA101", 5).await;
    let adjust = v1::AdjustOfferRequest {
        request_id: fresh_request_id(),
        offer: offer.id.clone(),
        by: 2,
        ..Default::default()
    };
    let first = call!(aldermoor.capacity(), adjust_offer, adjust.clone()).unwrap();
    aldermoor.adjust(&offer, -1).await;
    assert_eq!(call!(aldermoor.capacity(), adjust_offer, adjust).unwrap(), first);
}

async fn another_body_is_refused(world: &mut World) {
    let aldermoor = world.user("bed-manager.ZA1");
    let offer = aldermoor.publish_beds("ZA101", 5).await;
    let request_id = fresh_request_id();
    let sent = join_all((1..=20).map(|by| {
        let mut capacity = aldermoor.capacity();
        let request = v1::AdjustOfferRequest {
            request_id: request_id.clone(),
            offer: offer.id.clone(),
            by: by % 2 + 1,
            ..Default::default()
        };
        async move { call!(capacity, adjust_offer, request) }
    }));
    let came = counted(sent.await.into_iter().map(|answer| match answer {
        Ok(_) => "done",
        Err(Problem { code: Code::AlreadyExists, reason, .. }) if reason == reasons::REQUEST_ID_REUSED => {
            "reused"
        }
        Err(other) => panic!("{other:?}"),
    }));
    assert_eq!(came, [("done", 10), ("reused", 10)].into(), "one of the two bodies won");
    let staffed = aldermoor.offer(&offer.id).await.figures.unwrap().staffed;
    assert!([6, 7].contains(&staffed), "{staffed}");
    // The id is spent for every call, not for this one alone.
    let request = v1::ConfirmOffersRequest {
        request_id,
        selection: Some(v1::OfferSelection { all: true, ..Default::default() }),
        ..Default::default()
    };
    let refused = call!(aldermoor.capacity(), confirm_offers, request).unwrap_err();
    assert_eq!(refused.reason, reasons::REQUEST_ID_REUSED);
}

async fn an_id_is_a_trusts_own(world: &mut World) {
    let request_id = fresh_request_id();
    for (name, site) in [("bed-manager.ZA1", "ZA101"), ("bed-manager.ZA2", "ZA201")] {
        let user = world.user(name);
        let request = v1::PublishOfferRequest {
            request_id: request_id.clone(),
            offer: Some(wire::offer(site, 1, world.now())),
            ..Default::default()
        };
        call!(user.capacity(), publish_offer, request).unwrap();
    }
    assert_eq!(world.records().await.offers.len(), 2);
}
