//! Every class of failure has its exit code, whatever the call.

use std::collections::HashMap;

use fallow_api::reasons;
use fallow_api::v1::{ListOffersRequest, ListOffersResponse};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::world::World;

#[tokio::test]
async fn each_status_ends_with_its_code() {
    let world = World::new().await;
    for (code, exit) in [
        (Code::InvalidArgument, 2),
        (Code::NotFound, 3),
        (Code::FailedPrecondition, 4),
        (Code::Aborted, 4),
        (Code::AlreadyExists, 4),
        (Code::PermissionDenied, 5),
        (Code::Unauthenticated, 5),
        (Code::ResourceExhausted, 6),
        (Code::Unavailable, 6),
        (Code::DeadlineExceeded, 7),
        (Code::Internal, 1),
    ] {
        world.script.on(
            "CapacityService/ListOffers",
            move |_: ListOffersRequest| -> Result<ListOffersResponse, _> {
                Err(Status::new(code, "said no"))
            },
        );
        let told = world.run("mine").await;
        assert_eq!(told.exit, exit, "{code:?}");
        assert_eq!(told.out, "", "{code:?}: failures are no data");
        assert!(
            told.err.starts_with(&format!("error: {}: said no\n", reasons::code_name(code))),
            "{}",
            told.err
        );
    }
}

#[tokio::test]
async fn every_reason_names_a_next_step() {
    let world = World::new().await;
    for reason in reasons::all() {
        world.script.on(
            "CapacityService/ListOffers",
            move |_: ListOffersRequest| -> Result<ListOffersResponse, _> {
                let details = ErrorDetails::with_error_info(reason.name, "fallow", HashMap::new());
                Err(Status::with_error_details(reason.codes[0], "said no", details))
            },
        );
        let told = world.run("mine").await;
        assert!(told.err.starts_with(&format!("error: {}: said no\n", reason.name)), "{}", told.err);
        assert!(told.err.contains(&format!("  next: fallow errors {}\n", reason.name)), "{}", told.err);
        assert!(told.err.matches("  next: ").count() >= 2, "{}", told.err);
    }
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_a_timeout() {
    let world = World::new().await;
    // A listener that never speaks: connections are made and nothing follows.
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    let told = world.run(&format!("mine --endpoint http://{address} --deadline 1s")).await;
    assert_eq!(told.exit, 7, "{}", told.err);
    assert!(
        told.err.starts_with("error: DEADLINE_EXCEEDED: the answer did not come in time\n"),
        "{}",
        told.err
    );
}

#[tokio::test]
async fn a_change_whose_answer_is_lost_says_how_to_repeat_it() {
    let world = World::new().await;
    let id = "0198c2a1-1111-7000-8000-00000000abcd";
    let told = world
        .run(&format!(
            "free 2 level2 --until 20:00 --site ZA401 --endpoint http://127.0.0.1:1 --request-id {id}"
        ))
        .await;
    assert_eq!(told.exit, 6);
    assert!(told.err.contains(&format!("--request-id {id}\n")), "{}", told.err);
}
