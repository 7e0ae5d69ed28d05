//! What the audit log is told of calls that were denied.

use super::*;

const BYPASS: &str = "/fallow.v1.MatchingService/BypassProposal";
/// A number of the range that is kept for tests.
const NHS_NUMBER: &str = "999 000 0018";

fn noted(world: &World) -> Vec<(String, &'static str, String, String)> {
    let taken = std::mem::take(&mut *world.denied.lock().unwrap());
    let told = |denied: Denied| {
        let said = format!("{denied:?}");
        assert!(!said.contains("0018"), "{said}");
        (denied.by.subject.to_string(), denied.call, denied.reason, denied.request_id)
    };
    taken.into_iter().map(told).collect()
}

#[tokio::test]
async fn a_denial_is_told_once_with_who_and_why_and_nothing_of_what_was_sent() {
    let world = world().await;
    let manager = "bed-manager.ZA1".to_owned();
    let suspected = reasons::PATIENT_IDENTIFIER_SUSPECTED.to_owned();
    let named = |path: &str| world.request(path).header(REQUEST_ID, "r-7");

    world.send(named(BYPASS), framed(&v1::BypassProposalRequest::default())).await;
    let forbidden = (manager.clone(), "BypassProposal", reasons::ROLE_FORBIDS.to_owned(), "r-7".to_owned());
    assert_eq!(noted(&world), [forbidden]);

    let offer = Some(v1::Offer { note: format!("for {NHS_NUMBER}"), ..Default::default() });
    world.send(named(PUBLISH), framed(&PublishOfferRequest { offer, ..Default::default() })).await;
    let told = (manager.clone(), "PublishOffer", suspected.clone(), "r-7".to_owned());
    assert_eq!(noted(&world), [told]);

    // In a header, which is looked at before anybody's rights.
    let request = named(GET).header("x-note", NHS_NUMBER);
    world.send(request, framed(&GetOfferRequest::default())).await;
    assert_eq!(noted(&world), [(manager, "GetOffer", suspected, "r-7".to_owned())]);
}

#[tokio::test]
async fn what_is_no_denial_is_not_told() {
    let world = world().await;
    world.is_well().await;
    let away = PublishOfferRequest { request_id: "away".into(), ..Default::default() };
    assert_eq!(world.call(PUBLISH, &away).await.outcome().0, Code::Unavailable);
    // Nobody knows who that is.
    let nobody = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{}{BYPASS}", world.address))
        .header("content-type", "application/grpc");
    let got = world.send(nobody, framed(&v1::BypassProposalRequest::default())).await;
    assert_eq!(got.outcome(), (Code::Unauthenticated, reasons::NO_CREDENTIALS));
    assert_eq!(noted(&world), []);
}
