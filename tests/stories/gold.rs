//! The situation report, of its time, which somebody signs.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1;
use jiff::{SignedDuration, Timestamp};
use tonic::Code;

use crate::people::User;
use crate::wire;
use crate::world::{World, stories};

stories!(the_situation_report_is_of_its_time_and_signed);

async fn the_situation_report_is_of_its_time_and_signed(world: &mut World) {
    let (gold, home) = (world.user("duty-lead"), world.user("bed-manager.ZA4"));
    home.raise(wire::need("ZA401", "case 1", 1)).await;
    let at_eight = world.now();
    world.pass(SignedDuration::from_mins(4));
    home.raise(wire::need("ZA401", "case 2", 1)).await;
    let get = async |user: &User, as_of: Timestamp| {
        let ask = v1::GetSitrepRequest { as_of: Some(to_wire(as_of)) };
        user.monitor().get_sitrep(ask).await.map(|answer| answer.into_inner().sitrep.unwrap())
    };
    let open = |sitrep: &v1::Sitrep| sitrep.situation.as_ref().unwrap().headline.unwrap().needs_open;
    let then = get(&gold, at_eight).await.unwrap();
    let now = get(&gold, world.now()).await.unwrap();
    assert_eq!((open(&then), open(&now)), (1, 2), "the report is of its time");
    assert_eq!(then.signed_off_at, None);

    let sign = v1::SignOffSitrepRequest {
        request_id: fresh_request_id(),
        as_of: Some(to_wire(at_eight)),
        signatory: "duty director".into(),
        ..Default::default()
    };
    let checked =
        v1::SignOffSitrepRequest { validate_only: true, request_id: fresh_request_id(), ..sign.clone() };
    assert_eq!(gold.monitor().sign_off_sitrep(checked).await.unwrap().into_inner().revision, 0);
    assert_eq!(get(&gold, at_eight).await.unwrap().signed_off_at, None, "that was a check");
    let signed = gold.monitor().sign_off_sitrep(sign.clone()).await.unwrap().into_inner();
    let report = signed.sitrep.unwrap();
    assert_eq!((report.signed_off_by.as_str(), report.signatory.as_str()), ("gold", "duty director"));
    assert_eq!((open(&report), report.signed_off_at), (1, Some(to_wire(world.now()))));
    // Another signature changes nothing: the first counts.
    let second = v1::SignOffSitrepRequest {
        request_id: fresh_request_id(),
        signatory: "somebody else".into(),
        ..sign.clone()
    };
    let second = gold.monitor().sign_off_sitrep(second).await.unwrap().into_inner().sitrep.unwrap();
    assert_eq!(second.signatory, "duty director");
    let read = get(&gold, at_eight).await.unwrap();
    assert_eq!((read.signatory.as_str(), open(&read)), ("duty director", 1));
    assert_eq!(home.monitor().sign_off_sitrep(sign).await.unwrap_err().code(), Code::PermissionDenied);

    // Of a time before everything, and of one to come, there is none.
    let gone = Problem::from(&get(&gold, at_eight - SignedDuration::from_hours(100)).await.unwrap_err());
    assert_eq!((gone.code, gone.reason.as_str()), (Code::OutOfRange, reasons::REVISION_GONE));
    let ahead = Problem::from(&get(&gold, world.now() + SignedDuration::from_hours(1)).await.unwrap_err());
    assert_eq!(ahead.violations[0].field, "as_of");
}
