//! What callers are denied is in the log, and the log of a trust is its own to read.

use std::time::Duration;

use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1;
use fallow_host::telemetry::in_memory;
use fallow_ledger::Revision;
use fallow_ledger::cause::Cause;
use fallow_live::denials::EACH;
use tonic::Code;

use crate::people::{User, call};
use crate::trace::Trace;
use crate::wire;
use crate::world::{World, soon, stories};

stories!(
    what_is_denied_is_in_the_log_and_nothing_of_what_was_sent,
    a_denied_item_names_the_stream_and_its_trace,
    a_trust_reads_its_own_trail_and_nothing_of_others,
    the_trail_is_read_as_far_as_a_role_may,
);

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
    // Each is dated when it was written, after it was denied.
    for cause in &found {
        assert!(cause.denied.as_ref().unwrap().at.is_some_and(|at| at <= cause.at), "{cause:?}");
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

async fn a_denied_item_names_the_stream_and_its_trace(world: &mut World) {
    let (feed, list) = (world.user("trust-system.ZA1"), world.user("trust-system.ZA4"));
    let note = format!("for {NHS_NUMBER}");
    let offers = v1::StreamOffersRequest {
        source_seq: 1,
        offer: Some(v1::Offer {
            note: note.clone(),
            source_key: "bay 1".into(),
            ..wire::offer("ZA101", 2, world.now())
        }),
        feed: "bed-state".into(),
    };
    let needs = v1::RaiseNeedsRequest {
        feed: "waiting-list".into(),
        source_seq: 1,
        need: Some(v1::Need { note, ..wire::need("ZA401", "case 1", 1) }),
    };
    let _spans = in_memory();
    let traces = [Trace::begin(), Trace::begin()];
    let mut ids = Vec::new();
    let items = traces[0].carry(tokio_stream::iter([offers]));
    let answer = feed.capacity().stream_offers(items).await.unwrap();
    ids.push(answer.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned());
    let answer = soon("an answer", answer.into_inner().message()).await.unwrap().unwrap();
    let Some(v1::stream_offers_response::Result::Error(_)) = answer.result else { panic!("{answer:?}") };
    denials(world, 1).await;
    let items = traces[1].carry(tokio_stream::iter([needs]));
    let answer = list.demand().raise_needs(items).await.unwrap();
    ids.push(answer.metadata().get("x-request-id").unwrap().to_str().unwrap().to_owned());
    let answer = soon("an answer", answer.into_inner().message()).await.unwrap().unwrap();
    let Some(v1::raise_needs_response::Result::Error(_)) = answer.result else { panic!("{answer:?}") };

    let found = denials(world, 2).await;
    let told: Vec<(&str, Option<&str>)> =
        found.iter().map(|cause| (cause.verb.as_str(), cause.request_id.as_deref())).collect();
    assert_eq!(told, [("StreamOffers", Some(ids[0].as_str())), ("RaiseNeeds", Some(ids[1].as_str()))]);
    for (cause, trace) in found.iter().zip(&traces) {
        assert_eq!(cause.denied.as_ref().unwrap().reason, reasons::PATIENT_IDENTIFIER_SUSPECTED);
        assert!(cause.traceparent.as_ref().is_some_and(|parent| parent.contains(&trace.id)), "{cause:?}");
    }
}

/// Reads a whole trail, in pages of a size.
async fn trail(user: &User, ask: &v1::ListAuditRequest, page_size: i32) -> Vec<v1::AuditEntry> {
    let (mut entries, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = v1::ListAuditRequest { page_size, page_token, ..ask.clone() };
        let page = call!(user.monitor(), list_audit, request).unwrap();
        assert!(page.entries.len() <= usize::try_from(page_size).unwrap());
        entries.extend(page.entries);
        if page.next_page_token.is_empty() {
            return entries;
        }
        page_token = page.next_page_token;
    }
}

/// Returns the entries of a call.
fn of<'e>(entries: &'e [v1::AuditEntry], call: &str) -> Vec<&'e v1::AuditEntry> {
    entries.iter().filter(|entry| entry.call == call).collect()
}

/// Aldermoor gives a bed to Dunmere, and somebody of each is denied something.
async fn a_trade(world: &World) -> (v1::Offer, v1::Need) {
    let (giver, taker) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA4"));
    let offer = giver.publish_beds("ZA101", 3).await;
    let need = taker.raise(wire::need("ZA401", "LC-118", 1)).await;
    let proposal = taker.proposal_of(&need).await;
    giver.accept(&proposal).await;
    taker.accept(&proposal).await;
    for user in [&giver, &taker] {
        let request = v1::SetModeRequest::default();
        assert_eq!(call!(user.monitor(), set_mode, request).unwrap_err().reason, reasons::ROLE_FORBIDS);
    }
    denials(world, 2).await;
    // What is denied is written beside the call, and is read when the picture has come there.
    world.engine_has_looked().await;
    (offer, need)
}

async fn a_trust_reads_its_own_trail_and_nothing_of_others(world: &mut World) {
    let (offer, need) = a_trade(world).await;
    let (aldermoor, third) = (world.user("site-lead.ZA1"), world.user("site-lead.ZA3"));
    let all = v1::ListAuditRequest::default();
    let entries = trail(&aldermoor, &all, 1_000).await;

    let published = of(&entries, "PublishOffer");
    assert_eq!(published.len(), 1);
    assert_eq!((published[0].subject.as_str(), published[0].trust.as_str()), ("bed-manager.ZA1", "ZA1"));
    assert_eq!(published[0].records, [format!("offer/{}", offer.id)]);
    assert_eq!((published[0].records_count, published[0].times), (1, 1));
    assert_eq!(published[0].request_id.len(), 36);
    let denied = of(&entries, "SetMode");
    assert_eq!(denied.len(), 1, "that of its own people");
    assert_eq!((denied[0].denied.as_str(), denied[0].records_count), (reasons::ROLE_FORBIDS, 0));
    assert_eq!(denied[0].subject, "bed-manager.ZA1");

    // The other side's answer is of a proposal that joins the two: told by role and trust.
    let answers = of(&entries, "AnswerProposal");
    assert_eq!(answers.len(), 2);
    for answer in &answers {
        let is_own = answer.trust == "ZA1";
        assert_eq!((answer.subject.is_empty(), answer.request_id.is_empty()), (!is_own, !is_own));
        assert!(answer.records_count > 0 && !answer.role.is_empty());
    }
    let theirs = format!("need/{}", need.id);
    for entry in &entries {
        assert!(entry.trust == "ZA1" || entry.subject.is_empty(), "{entry:?}");
        assert!(!entry.records.contains(&theirs), "{entry:?}");
    }
    assert_eq!(of(&entries, "RaiseNeed"), Vec::<&v1::AuditEntry>::new());
    let revisions: Vec<i64> = entries.iter().map(|entry| entry.revision).collect();
    assert!(revisions.is_sorted_by(|newer, older| newer > older), "{revisions:?}");

    // However it is cut, it is the same; and who had no part in it reads nothing of it.
    let until = Some(fallow_api::convert::time::to_wire(world.now()));
    let bounded = v1::ListAuditRequest { until, ..all.clone() };
    let whole = trail(&aldermoor, &bounded, 1_000).await;
    let newest = whole[0].revision;
    let mut pages = trail(&aldermoor, &bounded, 1).await;
    pages.retain(|entry| entry.revision <= newest);
    assert_eq!(pages, whole);
    let others = trail(&third, &all, 1_000).await;
    for entry in &others {
        assert!(entry.trust != "ZA1" && entry.trust != "ZA4", "{entry:?}");
        assert!(!entry.records.iter().any(|record| record.ends_with(&offer.id)), "{entry:?}");
    }
    let named = v1::ListAuditRequest { trust: "ZA2".into(), ..all.clone() };
    let refused = call!(aldermoor.monitor(), list_audit, named).unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, reasons::TRUST_MISMATCH));
    let forged = v1::ListAuditRequest { page_token: "7.00".into(), ..all.clone() };
    let refused = call!(aldermoor.monitor(), list_audit, forged).unwrap_err();
    assert_eq!(refused.violations[0].reason, reasons::BAD_PAGE_TOKEN);
}

async fn the_trail_is_read_as_far_as_a_role_may(world: &mut World) {
    let (offer, need) = a_trade(world).await;
    let all = v1::ListAuditRequest::default();
    let auditor = trail(&world.user("auditor"), &all, 1_000).await;
    let denied: Vec<&str> = of(&auditor, "SetMode").iter().map(|entry| entry.subject.as_str()).collect();
    assert_eq!(denied, ["bed-manager.ZA4", "bed-manager.ZA1"], "newest first");
    for record in [format!("offer/{}", offer.id), format!("need/{}", need.id)] {
        assert!(auditor.iter().any(|entry| entry.records.contains(&record)), "{record}");
    }
    let of_one = v1::ListAuditRequest { trust: "ZA4".into(), denied: true, ..all.clone() };
    let found = trail(&world.user("auditor"), &of_one, 10).await;
    assert!(found.iter().all(|entry| entry.trust == "ZA4" && !entry.denied.is_empty()), "{found:?}");
    assert!(!found.is_empty());
    let early = Some(fallow_api::convert::time::to_wire(world.now() + jiff::SignedDuration::from_hours(1)));
    let later = v1::ListAuditRequest { from: early, ..all.clone() };
    assert_eq!(trail(&world.user("auditor"), &later, 10).await, []);

    let platform = trail(&world.user("platform-admin"), &all, 1_000).await;
    assert!(platform.len() >= auditor.len());
    for entry in &platform {
        assert!(entry.subject.is_empty() && entry.request_id.is_empty(), "{entry:?}");
        assert!(entry.records.is_empty() && entry.records_count == 0, "{entry:?}");
    }
    let gold = call!(world.user("duty-lead").monitor(), list_audit, all.clone()).unwrap();
    assert_eq!(gold.entries, []);
    let published = gold.totals.iter().filter(|total| total.call == "PublishOffer" && total.trust == "ZA1");
    assert_eq!(published.map(|total| total.times).sum::<i64>(), 1);
    assert!(gold.totals.iter().any(|total| total.call == "SetMode" && total.denied == reasons::ROLE_FORBIDS));
    let refused = call!(world.user("bed-manager.ZA1").monitor(), list_audit, all).unwrap_err();
    assert_eq!(refused.reason, reasons::ROLE_FORBIDS);
}
