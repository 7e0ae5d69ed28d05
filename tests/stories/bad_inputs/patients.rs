//! B96 to B107: nobody who could be a patient comes in, by whatever entrance, and what is refused is said nowhere.

use fallow_domain::region::file;
use tokio_stream::wrappers::ReceiverStream;

use super::*;
use crate::world::soon;

/// The rows of the catalogue, by number.
const REFUSED: [(&str, &str); 34] = [
    ("B96", "999 476 5914"),
    ("B96", "9994765914"),
    ("B96", "999-476-5914"),
    ("B97", "９９９ ０００ ００１８"),
    ("B97", "٩٩٩ ٠٠٠ ٠٠١٨"),
    ("B97", "999\u{200D} 000\u{200D} 0018"),
    ("B97", "999OOOOO18"),
    ("B98", "NHS no 9994765915"),
    ("B100", "DOB 12/03/1948"),
    ("B100", "12.3.48"),
    ("B100", "1948-03-12"),
    ("B100", "12 Mar 1948"),
    ("B100", "born 1948"),
    ("B101", "82M"),
    ("B101", "67 yo F #NOF"),
    ("B102", "Mrs Ada Example"),
    ("B102", "pt: J. SMITH"),
    ("B103", "MRN 1234567"),
    ("B103", "Hosp no: K123456"),
    ("B104", "LS1 4AB"),
    ("B104", "07700 900123"),
    ("B104", "a.b@example.org"),
    ("B104", "QQ123456C"),
    ("B105", "CHI 0101900018"),
    ("B105", "9990000018"),
    ("B105", "9999999999"),
    ("B105", "1111111111"),
    ("B105", "passport 123456789"),
    ("B105", "C12345678"),
    ("B105", "19480312"),
    ("B105", "born 1 Nov"),
    ("B105", "aged 81, female"),
    ("B105", "Dr Example"),
    ("B105", "+44 7700 900123"),
];

/// B107, which must be kept.
const KEPT: [&str; 7] = [
    "24/11/2026 14:00",
    "ext 4471",
    "2 HDU 4 ward",
    "bay 12-18",
    "bleep 2031",
    "opens 0730",
    "2 HDU beds from 14:00 24/11, side rooms, ext 4471",
];

/// A number of the range kept for tests, which stands for all of them at the other entrances.
const NUMBER: &str = "999 476 5914";

pub(super) async fn no_patient_comes_in(world: &mut World) {
    let calverleigh = world.user("bed-manager.ZA3");
    let offer = calverleigh.publish(wire::offer("ZA301", 2, world.now())).await;
    let need = calverleigh.raise(wire::need("ZA301", "standing", 1)).await;
    let before = world.records().await;

    let on = Ground { now: world.now(), offer, need };
    for (row, text) in REFUSED {
        is_refused(
            row,
            on.publish(|offer| offer.note = text.into()).by(&calverleigh).await,
            "offer.note",
            text,
        );
    }
    // B99 and B106: split over two fields, or by another entrance.
    let suspend =
        |reason: &str| Sent::Suspend(v1::SuspendOffersRequest { reason: reason.into(), ..on.suspended() });
    for (row, sent, field, text) in [
        (
            "B99",
            on.publish(|o| (o.source_key, o.note) = ("999 476".into(), "5914".into())),
            "offer.note",
            "999 476",
        ),
        (
            "B99",
            on.publish(|o| o.capabilities = vec!["99947".into(), "65914".into()]),
            "offer.capabilities[1]",
            "99947",
        ),
        (
            "B99",
            on.raise(|n| (n.case_ref, n.note) = ("999".into(), "4765914".into())),
            "need.note",
            "4765914",
        ),
        ("B106", on.publish(|o| o.source_key = NUMBER.into()), "offer.source_key", NUMBER),
        ("B106", on.publish(|o| o.capabilities = vec![NUMBER.into()]), "offer.capabilities[0]", NUMBER),
        ("B106", on.raise(|n| n.case_ref = NUMBER.into()), "need.case_ref", NUMBER),
        ("B106", on.raise(|n| n.requires = vec![NUMBER.into()]), "need.requires[0]", NUMBER),
        ("B106", on.raise(|n| n.cost_centre = NUMBER.into()), "need.cost_centre", NUMBER),
        ("B106", suspend(NUMBER), "reason", NUMBER),
        ("B106 cell of a sheet", on.replace(on.with_notes(&["side room", NUMBER])), "items[1].note", NUMBER),
    ] {
        is_refused(row, sent.by(&calverleigh).await, field, text);
    }
    feed_named_after_a_patient(&on, &calverleigh).await;
    header_of_a_patient(&calverleigh).await;
    items_of_streams(&on, &calverleigh).await;
    region_file(world).await;
    assert_eq!(world.records().await, before, "nothing of it is written");

    for text in KEPT {
        let offer = v1::Offer { note: text.into(), ..wire::offer("ZA301", 1, world.now()) };
        assert_eq!(calverleigh.publish(offer).await.note, text);
    }
}

fn is_refused(row: &str, came: Result<(), Problem>, field: &str, text: &str) {
    let problem = came.expect_err(row);
    let fields: Vec<&str> = problem.violations.iter().map(|wrong| wrong.field.as_str()).collect();
    let outcome = (problem.code, problem.reason.as_str(), fields);
    assert_eq!(
        outcome,
        (Code::InvalidArgument, reasons::PATIENT_IDENTIFIER_SUSPECTED, vec![field]),
        "{row} {text:?}"
    );
    let told = format!("{problem:?}");
    assert!(!told.contains(text), "{row}: what was refused is repeated: {told}");
}

/// The name of a file is where a sheet's feed has its name from.
async fn feed_named_after_a_patient(on: &Ground, user: &User) {
    let Sent::Replace(request) = on.replace(on.items(1)) else { unreachable!() };
    let named = v1::ReplaceOffersRequest { feed: "999-476-5914.csv".into(), ..request };
    is_refused("B106 file name", Sent::Replace(named).by(user).await, "feed", "999-476");
}

async fn header_of_a_patient(user: &User) {
    let mut request = tonic::Request::new(v1::ListOffersRequest::default());
    request.metadata_mut().insert("x-case", "9994765914".parse().unwrap());
    let came = call!(user.capacity(), list_offers, request).map(drop);
    is_refused("B106 header", came, "x-case", "9994765914");
}

/// One item of a stream is refused, and the stream goes on.
async fn items_of_streams(on: &Ground, user: &User) {
    let note = |note: &str| v1::Offer { note: note.into(), ..wire::offer("ZA301", 1, on.now) };
    let items = [note(NUMBER), note("Mrs Ada Example")].map(|offer| v1::StreamOffersRequest {
        feed: "bed-state".into(),
        source_seq: 1,
        offer: Some(offer),
    });
    let (send, receive) = tokio::sync::mpsc::channel(1);
    let mut answers = user.capacity().stream_offers(ReceiverStream::new(receive)).await.unwrap().into_inner();
    for item in items {
        let text = item.offer.as_ref().unwrap().note.clone();
        send.send(item).await.unwrap();
        let answer = soon("an acknowledgement", answers.message()).await.unwrap().unwrap();
        let Some(v1::stream_offers_response::Result::Error(error)) = answer.result else {
            panic!("{answer:?}")
        };
        is_refused("B106 stream of offers", Err(Problem::from(&error)), "offer.note", &text);
    }
    let case = v1::Need { case_ref: NUMBER.into(), ..wire::need("ZA301", "", 1) };
    let item = v1::RaiseNeedsRequest { feed: "list".into(), source_seq: 1, need: Some(case) };
    let mut answers = user.demand().raise_needs(tokio_stream::iter([item])).await.unwrap().into_inner();
    let answer = soon("an acknowledgement", answers.message()).await.unwrap().unwrap();
    let Some(v1::raise_needs_response::Result::Error(error)) = answer.result else { panic!("{answer:?}") };
    is_refused("B106 stream of needs", Err(Problem::from(&error)), "need.case_ref", NUMBER);
}

/// A region file's names and remarks; the telephones of its desks are those of desks.
async fn region_file(world: &World) {
    let admin = world.user("platform-admin");
    let toml = call!(admin.monitor(), get_region, v1::GetRegionRequest {}).unwrap().toml;
    assert!(file::parse(&toml).unwrap().sites.values().any(|site| !site.phone.is_empty()));
    let last = toml.lines().count() + 1;
    let apply = |toml: String| v1::ApplyRegionRequest {
        request_id: fresh_request_id(),
        toml,
        validate_only: true,
        ..Default::default()
    };
    call!(admin.monitor(), apply_region, apply(toml.clone())).unwrap();
    let remark = format!("{toml}\n# for Mrs Ada Example\n");
    let came = call!(admin.monitor(), apply_region, apply(remark)).map(drop);
    let last = if toml.ends_with('\n') { last + 1 } else { last };
    is_refused("B106 region file", came, &format!("line {last}: remark"), "Ada");
}

impl Ground {
    fn suspended(&self) -> v1::SuspendOffersRequest {
        let until = to_wire(self.now + SignedDuration::from_hours(2));
        v1::SuspendOffersRequest { request_id: fresh_request_id(), until: Some(until), ..Default::default() }
    }

    fn with_notes(&self, notes: &[&str]) -> Vec<v1::Offer> {
        let items = self.items(notes.len()).into_iter().zip(notes);
        items.map(|(offer, note)| v1::Offer { note: (*note).into(), ..offer }).collect()
    }
}
