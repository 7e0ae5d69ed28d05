//! What happened, in plain words, for those who may hear of it; and what gold decided, as the incident record keeps it.

use fallow_api::client::fresh_request_id;
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1::{self, TimelineKind, watch_timeline_response::Item};
use jiff::SignedDuration;
use tonic::Code;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, soon, stories};

stories!(
    what_happened_is_told_in_plain_words,
    a_decision_of_gold_is_kept_and_told,
    what_happened_to_one_record_is_had_by_its_id_and_so_is_an_alert
);

async fn list(user: &User, kinds: &[TimelineKind]) -> Vec<v1::TimelineEntry> {
    let kinds = kinds.iter().map(|kind| i32::from(*kind)).collect();
    let ask = v1::ListTimelineRequest { kinds, page_size: 1_000, ..Default::default() };
    user.monitor().list_timeline(ask).await.unwrap().into_inner().entries
}

fn texts(entries: &[v1::TimelineEntry]) -> Vec<&str> {
    entries.iter().rev().map(|entry| entry.text.as_str()).collect()
}

async fn what_happened_is_told_in_plain_words(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let (other, gold) = (world.user("bed-manager.ZA3"), world.user("duty-lead"));
    near.publish_beds("ZA101", 3).await;
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    let proposed = home.proposal_of(&raised).await;
    near.accept(&proposed).await;
    world.pass(SignedDuration::from_mins(7));
    home.accept(&proposed).await;

    let told = list(&gold, &[]).await;
    let name = "step-down or intermediate care";
    let pair = format!("1 × {name}, from Aldermoor University Hospitals to Dunmere General Hospital");
    let wanted = [
        "Region file 1 came into force.".to_owned(),
        format!("Dunmere General Hospital raised a need: 1 × {name}."),
        format!("Proposed: {pair}."),
        format!("Aldermoor University Hospitals accepted: {pair}."),
        format!("All of Dunmere General Hospital's need is agreed: 1 × {name}, 7 min after it was raised."),
        format!("Dunmere General Hospital accepted: {pair}."),
        format!("Agreed: {pair}."),
    ];
    let found = texts(&told);
    for (is, wanted) in found.iter().zip(&wanted) {
        assert!(is.to_lowercase().starts_with(&wanted.to_lowercase()), "{found:#?}");
    }
    assert_eq!(found.len(), wanted.len(), "{found:#?}");
    let agreed = &told[0];
    assert_eq!((agreed.kind(), agreed.role.as_str()), (TimelineKind::Transfer, "bed_manager"));
    assert_eq!(agreed.trusts, ["ZA4", "ZA1"]);
    assert!(agreed.subjects.contains(&proposed.id), "{agreed:?}");

    // Who is no party hears that there is a need, and nothing of who helps.
    let heard = list(&other, &[TimelineKind::Transfer, TimelineKind::Need]).await;
    assert!(heard.iter().all(|entry| entry.kind() == TimelineKind::Need), "{heard:#?}");
    assert_eq!(heard.len(), 2, "raised, agreed: {heard:#?}");
    assert_eq!(list(&home, &[TimelineKind::Transfer]).await.len(), 4);

    // Pages of two, one after the other, are the whole.
    let (mut pages, mut token) = (Vec::new(), String::new());
    loop {
        let ask = v1::ListTimelineRequest { page_size: 2, page_token: token, ..Default::default() };
        let answer = gold.monitor().list_timeline(ask).await.unwrap().into_inner();
        pages.extend(answer.entries);
        token = answer.next_page_token;
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(pages, told);

    // A process that starts later reads the same from the log.
    world.add_process().await;
    let later = world.user_at(1, "duty-lead");
    let reads = async {
        loop {
            let ask = v1::ListTimelineRequest { page_size: 1_000, ..Default::default() };
            match later.monitor().list_timeline(ask).await {
                Ok(answer) => break answer.into_inner().entries,
                Err(status) => assert_eq!(status.code(), Code::Unavailable, "{status}"),
            }
        }
    };
    assert_eq!(soon("the other process's timeline", reads).await, told);
}

async fn a_decision_of_gold_is_kept_and_told(world: &mut World) {
    let (gold, trust) = (world.user("duty-lead"), world.user("bed-manager.ZA1"));
    let mut watch =
        gold.monitor().watch_timeline(v1::WatchTimelineRequest::default()).await.unwrap().into_inner();
    let next = async |watch: &mut tonic::Streaming<v1::WatchTimelineResponse>| loop {
        let item = watch.message().await.unwrap().expect("the watch goes on").item.unwrap();
        if !matches!(item, Item::Bookmark(_)) {
            break item;
        }
    };
    // What there is, then what comes.
    loop {
        match soon("what there is", next(&mut watch)).await {
            Item::SnapshotDone(_) => break,
            Item::Entry(entry) => assert_eq!(entry.kind(), TimelineKind::Region, "{entry:?}"),
            other @ (Item::Bookmark(_) | Item::Moved(_)) => panic!("{other:?}"),
        }
    }
    let ask = v1::RecordDecisionRequest {
        request_id: fresh_request_id(),
        decision: Some(v1::Decision {
            decision: "Open Calverleigh day unit to medical outliers until 20:00".into(),
            rationale: "Norovirus closed two wards at Brackwater".into(),
            consulted: vec!["Calverleigh site lead".into(), "ICB on call".into()],
            review_at: Some(fallow_api::convert::time::to_wire(world.now() + SignedDuration::from_hours(4))),
            ..Default::default()
        }),
        ..Default::default()
    };
    let answer = gold.monitor().record_decision(ask.clone()).await.unwrap().into_inner();
    let decision = answer.decision.unwrap();
    assert_eq!((decision.role.as_str(), decision.consulted.len()), ("gold", 2));
    assert!(answer.revision > 0 && decision.revision == answer.revision);
    let again = gold.monitor().record_decision(ask.clone()).await.unwrap().into_inner();
    assert_eq!(again.decision.unwrap().id, decision.id, "the same request answers as before");

    let Item::Entry(heard) = soon("the decision", next(&mut watch)).await else { panic!("no entry") };
    assert_eq!(heard.text, "Gold decided: Open Calverleigh day unit to medical outliers until 20:00.");
    assert_eq!(heard.decision.as_ref(), Some(&decision), "gold reads the whole of it");
    let told = list(&trust, &[TimelineKind::Decision]).await;
    assert_eq!((told.len(), &told[0].decision), (1, &None), "a trust reads what was decided: {told:?}");

    let refused = trust.monitor().record_decision(ask.clone()).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let long =
        v1::Decision { decision: "x".repeat(501), consulted: vec![String::new(); 21], ..Default::default() };
    let bad = v1::RecordDecisionRequest { request_id: fresh_request_id(), decision: Some(long), ..ask };
    let refused = Problem::from(&gold.monitor().record_decision(bad).await.unwrap_err());
    let fields: Vec<&str> = refused.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    assert_eq!(fields, ["decision.decision", "decision.rationale", "decision.consulted"]);
    assert_eq!(refused.violations[1].reason, reasons::REQUIRED);
}

async fn what_happened_to_one_record_is_had_by_its_id_and_so_is_an_alert(world: &mut World) {
    let (home, gold) = (world.user("bed-manager.ZA4"), world.user("duty-lead"));
    let mut raised = Vec::new();
    for case in ["case 1", "case 2"] {
        raised.push(home.raise(wire::need("ZA401", case, 1)).await.id);
    }
    let about =
        |subjects: &[String]| v1::ListTimelineRequest { subjects: subjects.to_vec(), ..Default::default() };
    let told = call!(gold.monitor(), list_timeline, about(&raised[..1])).unwrap().entries;
    assert!(!told.is_empty() && told.iter().all(|entry| entry.subjects.contains(&raised[0])), "{told:?}");
    let both = call!(gold.monitor(), list_timeline, about(&raised)).unwrap().entries;
    assert!(both.len() > told.len(), "{both:?}");
    let refused = call!(gold.monitor(), list_timeline, about(&vec![raised[0].clone(); 51])).unwrap_err();
    let wrong = &refused.violations[0];
    assert_eq!((wrong.field.as_str(), wrong.reason.as_str()), ("subjects", reasons::TOO_MANY));

    let named = |ids: Vec<String>| v1::ListAlertsRequest { ids, ..Default::default() };
    let unknown = call!(gold.monitor(), list_alerts, named(vec![fresh_request_id()])).unwrap().alerts;
    assert_eq!(unknown, [], "nobody knows it");
    let refused = call!(gold.monitor(), list_alerts, named(vec![fresh_request_id(); 101])).unwrap_err();
    let wrong = &refused.violations[0];
    assert_eq!((wrong.field.as_str(), wrong.reason.as_str()), ("ids", reasons::TOO_MANY));
    let refused = call!(gold.monitor(), list_alerts, named(vec!["no id".to_owned()])).unwrap_err();
    assert_eq!(refused.violations[0].field, "ids[0]");
}
