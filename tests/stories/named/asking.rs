//! A trust whose figures are old is asked whether they are still true, instead of rung up.

use fallow_api::client::fresh_request_id;
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use jiff::SignedDuration;
use tonic::Code;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, stories};

use super::managers;

stories!(
    a_trust_is_asked_whether_its_figures_are_still_true_and_answers,
    a_question_is_between_those_who_ask_and_are_asked,
    a_need_asks_only_about_what_could_serve_it,
    a_trust_with_more_than_one_question_can_ask_is_asked_about_the_rest,
);

async fn ask(user: &User, trust: &str, need: &str) -> Result<v1::AskToConfirmResponse, Problem> {
    let request = v1::AskToConfirmRequest {
        request_id: fresh_request_id(),
        trust: trust.into(),
        need: need.into(),
        ..Default::default()
    };
    call!(user.capacity(), ask_to_confirm, request)
}

async fn a_trust_is_asked_whether_its_figures_are_still_true_and_answers(world: &mut World) {
    let [near, home] = managers(world, ["ZA1", "ZA4"]);
    let offer = near.publish_beds("ZA101", 1).await;
    assert_eq!(ask(&home, "ZA1", "").await.unwrap().asked, 0, "what is fresh needs no question");
    world.pass(wire::CADENCE * 2 + SignedDuration::from_secs(1));
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    assert_eq!(super::refused(world, &home, &raised).await, [(v1::Objection::Stale, 1)]);

    let answer = ask(&home, "ZA1", &raised.id).await.unwrap();
    assert_eq!(answer.asked, 1);
    let seen = near.offer(&offer.id).await;
    assert_eq!(seen.phone, "0555 0101", "and whom one would ring");
    let [asked] = seen.asked.try_into().unwrap();
    assert_eq!((asked.trust.as_str(), asked.role.as_str()), ("ZA4", "bed_manager"));
    assert_eq!(asked.need, raised.id);
    assert_eq!(asked.at, Some(fallow_api::convert::time::to_wire(world.now())));
    // Once is enough for a quarter of an hour.
    world.pass(SignedDuration::from_mins(5));
    let again = ask(&home, "ZA1", "").await.unwrap_err();
    assert_eq!((again.code, again.reason.as_str()), (Code::ResourceExhausted, reasons::RATE_LIMITED));
    assert_eq!(again.retry_after, Some(std::time::Duration::from_secs(600)));
    world.pass(SignedDuration::from_mins(10));
    assert_eq!(ask(&home, "ZA1", "").await.unwrap().asked, 1);

    // "Still true" answers everybody who has asked, and the bed is proposed.
    let confirmed = near.confirm(&offer).await;
    assert_eq!(confirmed.asked, []);
    assert_eq!(home.proposal_of(&raised).await.offer, offer.id);
}

async fn a_question_is_between_those_who_ask_and_are_asked(world: &mut World) {
    let [near, home, third] = managers(world, ["ZA1", "ZA4", "ZA3"]);
    let gold = world.user("duty-lead");
    let offer = near.publish_beds("ZA101", 1).await;
    world.pass(wire::CADENCE + SignedDuration::from_secs(1));
    assert_eq!(ask(&home, "ZA1", "").await.unwrap().asked, 1, "ageing");
    assert_eq!(ask(&gold, "ZA1", "").await.unwrap().asked, 1);
    let seen_by = async |user: &User| -> Vec<String> {
        let asked = user.offer(&offer.id).await.asked;
        asked.into_iter().map(|asked| format!("{} {}", asked.trust, asked.role)).collect()
    };
    assert_eq!(seen_by(&near).await, ["ZA4 bed_manager", " gold"]);
    assert_eq!(seen_by(&gold).await, ["ZA4 bed_manager", " gold"]);
    assert_eq!(seen_by(&home).await, ["ZA4 bed_manager"]);
    assert_eq!(seen_by(&third).await, Vec::<String>::new());

    let own = ask(&near, "ZA1", "").await.unwrap_err();
    assert_eq!((own.code, own.violations[0].field.as_str()), (Code::InvalidArgument, "trust"));
    assert_eq!(ask(&home, "ZA9", "").await.unwrap_err().code, Code::NotFound);
    // What a trust does not share with another is none of its business, nor whether it is old.
    let about = async |user: &User, kind: v1::ResourceKind, code: &str| {
        let request = v1::AskToConfirmRequest {
            request_id: fresh_request_id(),
            trust: "ZA1".into(),
            resource: Some(wire::resource(kind, code)),
            ..Default::default()
        };
        call!(user.capacity(), ask_to_confirm, request)
    };
    let wards = |user| about(user, v1::ResourceKind::VirtualWard, "FRAILTY");
    assert_eq!(wards(&third).await.unwrap_err().code, Code::NotFound, "ZA3 is in no collaborative for it");
    assert_eq!(wards(&home).await.unwrap().asked, 0);
    assert_eq!(wards(&gold).await.unwrap().asked, 0);
    assert!(about(&third, v1::ResourceKind::Diagnostic, "CT").await.is_ok());
    assert_eq!(ask(&home, "nobody", "").await.unwrap_err().code, Code::InvalidArgument);
    let unknown = ask(&home, "ZA1", "01920000-0000-7000-8000-000000000000").await.unwrap_err();
    assert_eq!(unknown.code, Code::NotFound);
    // A question is no report: it leaves the figures as old as they were.
    assert_eq!(near.offer(&offer.id).await.reported_at, offer.reported_at);
}

async fn a_need_asks_only_about_what_could_serve_it(world: &mut World) {
    let [near, home] = managers(world, ["ZA1", "ZA4"]);
    let fits = near.publish_beds("ZA101", 1).await;
    let ward = wire::resource(v1::ResourceKind::Bed, "MATERNITY");
    let other =
        v1::Offer { resource: Some(ward), source_key: "cots".into(), ..wire::offer("ZA101", 2, world.now()) };
    let other = near.publish(other).await;
    let full = v1::Offer { source_key: "full".into(), ..wire::offer("ZA102", 0, world.now()) };
    let full = near.publish(full).await;
    world.pass(wire::CADENCE * 2 + SignedDuration::from_secs(1));
    let raised = home.raise(wire::need("ZA401", "case 1", 1)).await;
    assert_eq!(ask(&home, "ZA1", &raised.id).await.unwrap().asked, 1);
    let asked = async |offer: &v1::Offer| near.offer(&offer.id).await.asked.len();
    assert_eq!((asked(&fits).await, asked(&other).await, asked(&full).await), (1, 0, 0));
    // Without a need, about all the rest.
    assert_eq!(ask(&home, "ZA1", "").await.unwrap().asked, 2);
}

async fn a_trust_with_more_than_one_question_can_ask_is_asked_about_the_rest(world: &mut World) {
    let feed = world.user("trust-system.ZA1");
    let home = world.user("bed-manager.ZA4");
    let bays: Vec<(String, i64)> = (0..501).map(|bay| (format!("bay {bay}"), 1)).collect();
    let bays: Vec<(&str, i64)> = bays.iter().map(|(bay, free)| (bay.as_str(), *free)).collect();
    let request = crate::feeds::state(1, crate::feeds::bays(world, &bays));
    call!(feed.capacity(), replace_offers, request).unwrap();
    world.pass(wire::CADENCE + SignedDuration::from_secs(1));
    assert_eq!(ask(&home, "ZA1", "").await.unwrap().asked, 500);
    assert_eq!(ask(&home, "ZA1", "").await.unwrap().asked, 1);
    assert_eq!(ask(&home, "ZA1", "").await.unwrap_err().reason, reasons::RATE_LIMITED);
}
