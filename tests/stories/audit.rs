//! What callers are denied is in the log, and the log of a trust is its own to read.

use std::time::Duration;

use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1;
use fallow_ledger::Revision;
use fallow_ledger::cause::Cause;
use fallow_live::denials::EACH;
use tonic::Code;

use crate::people::call;
use crate::wire;
use crate::world::{World, soon, stories};

stories!(what_is_denied_is_in_the_log_and_nothing_of_what_was_sent,);

/// A number of the range that is kept for tests.
const NHS_NUMBER: &str = "999 000 0018";

/// Returns the causes of the denials in the log, once there are so many.
async fn denials(world: &World, count: usize) -> Vec<Cause> {
    let ledger = world.keeper().await;
    let read = async {
        loop {
            let (_, now) = ledger.snapshot().await.unwrap();
            let page = ledger.changes(&now.at(Revision::ABSENT), 1_000, Duration::ZERO).await.unwrap();
            let mut found = Vec::new();
            for change in &page.changes {
                let cause = Cause::decode(&change.cause).unwrap();
                if cause.denied.is_some() {
                    assert!(change.writes.is_empty(), "{cause:?}");
                    found.push(cause);
                }
            }
            if found.len() >= count {
                break found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    soon("the denials", read).await
}

async fn what_is_denied_is_in_the_log_and_nothing_of_what_was_sent(world: &mut World) {
    let (gold, manager) = (world.user("duty-lead"), world.user("bed-manager.ZA1"));
    let before = world.records().await;
    let refused = gold.try_publish(wire::offer("ZA101", 2, world.now())).await.unwrap_err();
    assert_eq!(refused.code, Code::PermissionDenied);
    let noted = v1::Offer { note: format!("for {NHS_NUMBER}"), ..wire::offer("ZA101", 2, world.now()) };
    let suspected = manager.try_publish(noted).await.unwrap_err();
    assert_eq!(suspected.violations[0].reason, reasons::PATIENT_IDENTIFIER_SUSPECTED);
    // Another trust's site is no denial by right: it is an offer that is wrong.
    let theirs = v1::Offer { trust: "ZA2".into(), ..wire::offer("ZA201", 2, world.now()) };
    let refused_by_trust = manager.try_publish(theirs).await.unwrap_err();
    assert_eq!(refused_by_trust.reason, reasons::TRUST_MISMATCH);

    let found = denials(world, 3).await;
    let told: Vec<(&str, &str, &str, Option<&str>)> = found
        .iter()
        .map(|cause| {
            let (subject, verb) = (cause.by.subject.as_str(), cause.verb.as_str());
            let denied = cause.denied.as_ref().unwrap();
            assert_eq!(denied.times, 1);
            (subject, verb, denied.reason.as_str(), cause.request_id.as_deref())
        })
        .collect();
    // A handler's own refusal names no request in its details; the header does, and the log all the same.
    let (one, two, three) = (&refused.request_id, &suspected.request_id, &found[2].request_id);
    assert!(three.is_some());
    assert_eq!(
        told,
        [
            ("duty-lead", "PublishOffer", reasons::ROLE_FORBIDS, one.as_deref()),
            ("bed-manager.ZA1", "PublishOffer", reasons::PATIENT_IDENTIFIER_SUSPECTED, two.as_deref()),
            ("bed-manager.ZA1", "PublishOffer", reasons::TRUST_MISMATCH, three.as_deref()),
        ]
    );
    for cause in &found {
        let said = format!("{cause:?}");
        assert!(!said.contains("0018"), "{said}");
    }
    assert_eq!(world.records().await, before);

    // A storm is a few entries now, and a count when the process stops.
    for _ in 0..EACH + 15 {
        let request = v1::ListOffersRequest::default();
        let refused = call!(world.user("platform-admin").capacity(), list_offers, request).unwrap_err();
        assert_eq!(refused.reason, reasons::ROLE_FORBIDS);
    }
    let each = usize::try_from(EACH).unwrap();
    world.add_process().await;
    world.stop_process(0).await;
    let storm: Vec<u64> = denials(world, 3 + each + 1)
        .await
        .iter()
        .filter(|cause| cause.by.subject.as_str() == "platform-admin")
        .map(|cause| cause.denied.as_ref().unwrap().times)
        .collect();
    assert_eq!(storm.iter().sum::<u64>(), u64::from(EACH) + 15);
    // The end of the minute may fall into it.
    assert!((each + 1..=each * 2 + 2).contains(&storm.len()), "{storm:?}");
}
