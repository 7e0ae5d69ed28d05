use fallow_api::v1;

use super::*;

const PUBLISH: &str = "/fallow.v1.CapacityService/PublishOffer";
const REPLACE: &str = "/fallow.v1.CapacityService/ReplaceOffers";

fn wrong(path: &str, message: &impl Message) -> Vec<String> {
    match check(path, &message.encode_to_vec(), "2026-11-24T08:00:00Z".parse().unwrap()) {
        Ok(()) => Vec::new(),
        Err(Failure::Invalid(wrong)) => {
            assert_eq!(wrong.reason(), reasons::PATIENT_IDENTIFIER_SUSPECTED);
            wrong.iter().map(|wrong| wrong.field.clone()).collect()
        }
        Err(other) => panic!("{other}"),
    }
}

fn publish(change: impl FnOnce(&mut v1::Offer)) -> v1::PublishOfferRequest {
    let mut offer =
        v1::Offer { source_key: "bay 12".into(), note: "2 HDU, ext 4471".into(), ..Default::default() };
    change(&mut offer);
    v1::PublishOfferRequest {
        request_id: "019a7b1c-9994-7659-9190-999476591400".into(),
        offer: Some(offer),
        ..Default::default()
    }
}

#[test]
fn every_text_of_a_message_is_looked_at() {
    let number = || "999 476 5914".to_owned();
    assert_eq!(wrong(PUBLISH, &publish(|_| {})), [""; 0]);
    assert_eq!(wrong(PUBLISH, &publish(|o| o.note = number())), ["offer.note"]);
    assert_eq!(wrong(PUBLISH, &publish(|o| o.source_key = number())), ["offer.source_key"]);
    assert_eq!(
        wrong(PUBLISH, &publish(|o| o.capabilities = vec!["a".into(), number()])),
        ["offer.capabilities[1]"]
    );
    let both = |o: &mut v1::Offer| (o.note, o.campaign) = (number(), "Mrs Example".into());
    assert_eq!(wrong(PUBLISH, &publish(both)), ["offer.note", "offer.campaign"]);
    let items = vec![v1::Offer::default(), v1::Offer { note: number(), ..Default::default() }];
    assert_eq!(wrong(REPLACE, &v1::ReplaceOffersRequest { items, ..Default::default() }), ["items[1].note"]);
}

#[test]
fn a_number_that_is_split_is_found_and_keys_side_by_side_are_not() {
    let split = |o: &mut v1::Offer| (o.source_key, o.note) = ("999 476".into(), "5914".into());
    assert_eq!(wrong(PUBLISH, &publish(split)), ["offer.note"]);
    let back = |o: &mut v1::Offer| (o.source_key, o.note) = ("5914".into(), "for 999 476".into());
    assert_eq!(wrong(PUBLISH, &publish(back)), ["offer.source_key"]);
    let labels = |o: &mut v1::Offer| o.capabilities = vec!["99947".into(), "65914".into()];
    assert_eq!(wrong(PUBLISH, &publish(labels)), ["offer.capabilities[1]"]);
    let items = |first: v1::Offer, second: v1::Offer| v1::ReplaceOffersRequest {
        items: vec![first, second],
        ..Default::default()
    };
    let note = |text: &str| v1::Offer { note: text.into(), ..Default::default() };
    let key = |text: &str| v1::Offer { source_key: text.into(), ..Default::default() };
    assert_eq!(wrong(REPLACE, &items(note("999 476"), note("5914"))), ["items[1].note"]);
    assert_eq!(wrong(REPLACE, &items(key("99947"), key("65914"))), [""; 0]);
}

#[test]
fn a_place_and_a_moment_side_by_side_are_no_number() {
    let moment = |o: &mut v1::Offer| (o.source_key, o.note) = ("bay 13".into(), "24/11/2026 14:00".into());
    assert_eq!(wrong(PUBLISH, &publish(moment)), [""; 0]);
    for key in ["202611240800", "20261124070000", "123456789"] {
        assert_eq!(wrong(PUBLISH, &publish(|o| o.source_key = key.into())), [""; 0], "{key}");
    }
    assert_eq!(wrong(PUBLISH, &publish(|o| o.note = "123456789".into())), ["offer.note"]);
}

#[test]
fn a_home_area_is_a_text_and_its_code_no_half_of_a_number() {
    let need = |home: &str, key: &str| v1::RaiseNeedRequest {
        need: Some(v1::Need { home_area: home.into(), case_ref: key.into(), ..Default::default() }),
        ..Default::default()
    };
    const RAISE: &str = "/fallow.v1.DemandService/RaiseNeed";
    assert_eq!(wrong(RAISE, &need("E08000003", "LC-118")), [""; 0]);
    for key in 10..100 {
        assert_eq!(wrong(RAISE, &need("E08000003", &key.to_string())), [""; 0], "{key}");
    }
    assert_eq!(wrong(RAISE, &need("999 476 5914", "")), ["need.home_area"]);
    assert_eq!(wrong(RAISE, &need("5914", "for 999 476")), ["need.home_area"]);
}

#[test]
fn the_roles_that_a_team_needs_are_texts() {
    let team = v1::Team { needs: vec!["Mrs Example".into()], ..Default::default() };
    assert_eq!(wrong(PUBLISH, &publish(|o| o.team = Some(team))), ["offer.team.needs[0]"]);
}

fn refused(path: &str, message: &[u8]) -> (&'static str, String) {
    let refused = check(path, message, Timestamp::UNIX_EPOCH).unwrap_err();
    (refused.reason(), refused.to_string())
}

#[test]
fn more_and_longer_texts_than_any_record_has_are_refused() {
    let many = publish(|o| o.capabilities = vec![String::new(); 32_000]).encode_to_vec();
    let (reason, told) = refused(PUBLISH, &many);
    assert!(reason == reasons::TOO_MANY && told.contains("offer.capabilities["), "{reason}: {told}");
    let (reason, told) =
        refused(PUBLISH, &publish(|o| o.note = "x".repeat(TEXT_BYTES_MAX + 1)).encode_to_vec());
    assert!(reason == reasons::BAD_TEXT && told.contains("offer.note"), "{reason}: {told}");
    let labels = |o: &mut v1::Offer| o.capabilities = vec!["4".into(); 150];
    let items: Vec<v1::Offer> = vec![publish(labels).offer.unwrap(); 1_000];
    let (reason, _) =
        refused(REPLACE, &v1::ReplaceOffersRequest { items, ..Default::default() }.encode_to_vec());
    assert_eq!(reason, reasons::TOO_MANY, "pairs of one message");
    let items: Vec<v1::Offer> = (0..1_000)
        .map(|item| v1::Offer {
            source_key: format!("bay {item}"),
            note: format!("2 HDU, ext 44{}", item % 90 + 10),
            capabilities: vec!["TELEMETRY".into(); 20],
            ..Default::default()
        })
        .collect();
    assert_eq!(wrong(REPLACE, &v1::ReplaceOffersRequest { items, ..Default::default() }), [""; 0]);
    let items = vec![v1::Offer { note: "999 476 5914".into(), ..Default::default() }; 1_000];
    let listed = wrong(REPLACE, &v1::ReplaceOffersRequest { items, ..Default::default() });
    assert_eq!(listed.len(), LISTED_MAX);
}

#[test]
fn what_comes_after_an_unknown_group_is_looked_at_and_what_cannot_be_read_is_refused() {
    use prost::encoding::encode_key;
    let (mut group, mut open) = (Vec::new(), Vec::new());
    encode_key(1_000, WireType::StartGroup, &mut open);
    group.extend(&open);
    encode_key(1_000, WireType::EndGroup, &mut group);
    let note = publish(|o| o.note = "999 000 0018".into()).encode_to_vec();
    let decoded = v1::PublishOfferRequest::decode(&[&group[..], &note].concat()[..]);
    assert!(decoded.is_ok(), "the reader skips it");
    let (reason, told) = refused(PUBLISH, &[group, note.clone()].concat());
    assert!(reason == reasons::PATIENT_IDENTIFIER_SUSPECTED && told.contains("offer.note"), "{told}");
    for broken in [[&open[..], &note].concat(), note[..note.len() - 1].to_vec()] {
        assert_eq!(refused(PUBLISH, &broken).0, reasons::MALFORMED_MESSAGE);
    }
}

#[test]
fn what_is_said_repeats_nothing() {
    let message = publish(|o| o.note = "side room, Mrs Ada Example".into()).encode_to_vec();
    let refused = check(PUBLISH, &message, Timestamp::UNIX_EPOCH).unwrap_err().to_string();
    assert!(refused.contains("offer.note") && !refused.contains("Ada"), "{refused}");
}

#[test]
fn headers_are_looked_at_but_for_those_of_the_protocol() {
    let mut headers = HeaderMap::new();
    for name in [
        "authorization",
        "traceparent",
        "grpc-timeout",
        "x-bin",
        "x-forwarded-for",
        "x-b3-traceid",
        "forwarded",
        "via",
        "x-request-start",
    ] {
        headers.insert(name, "9994765914".parse().unwrap());
    }
    assert_eq!(check_headers(&headers, Timestamp::UNIX_EPOCH), Ok(()));
    headers.insert("x-case", "9994765914".parse().unwrap());
    assert!(matches!(
        check_headers(&headers, Timestamp::UNIX_EPOCH),
        Err(Failure::Invalid(wrong)) if wrong.iter().all(|wrong| wrong.field == "x-case")
    ));
}

#[test]
fn the_names_that_are_left_out_are_in_order_and_everything_else_is_text() {
    assert!(PARSED.is_sorted());
    let texts = |path: &str, message: &str| -> Vec<&str> {
        let request = &CONTRACT.messages[CONTRACT.requests[path]];
        let held = request.fields.values().find(|field| field.name == message).unwrap();
        let Holds::Message(held) = held.holds else { panic!("{message} is no message") };
        let fields = CONTRACT.messages[held].fields.values();
        fields.filter(|field| matches!(field.holds, Holds::Text)).map(|field| field.name.as_str()).collect()
    };
    for (path, message, fields) in [
        (PUBLISH, "offer", &["source_key", "capabilities", "note", "campaign"][..]),
        (
            "/fallow.v1.DemandService/RaiseNeed",
            "need",
            &["case_ref", "requires", "funding_route", "cost_centre", "note"],
        ),
    ] {
        let found = texts(path, message);
        assert!(fields.iter().all(|field| found.contains(field)), "{message}: {found:?}");
        assert!(!found.contains(&"id") && !found.contains(&"trust"), "{message}: {found:?}");
    }
}

#[test]
fn what_was_harmless_is_looked_at_anew_on_another_day_and_what_was_not_every_time() {
    let (near, far) = ("2026-11-24".parse().unwrap(), "2028-11-24".parse().unwrap());
    let dated = "closed until 30/11/2026, seen anew";
    for day in [near, far, near, far] {
        assert_eq!(find_anew(dated, day).is_some(), day == far, "{day}");
    }
    let long = format!("{dated}{}", ", and so on".repeat(10));
    assert!(long.len() > REMEMBERED_BYTES_MAX);
    for day in [near, far, near] {
        assert_eq!(find_anew(&long, day).is_some(), day == far, "{day}");
    }
    for _ in 0..2 {
        assert_eq!(find_anew("999 476 5914", near).map(|found| found.rule), Some(Rule::NhsNumber));
    }
}
