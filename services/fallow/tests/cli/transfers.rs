//! `fallow transfer`.

use fallow_api::v1::{
    AbortTransferRequest, AbortTransferResponse, AdvanceTransferRequest, AdvanceTransferResponse,
    ExtendTransferRequest, ExtendTransferResponse, GetTransferRequest, GetTransferResponse,
    ListTransfersRequest, ListTransfersResponse, ReturnPlan, Transfer,
};
use insta::assert_snapshot;
use tonic::Status;

use crate::records::moving;
use crate::world::{World, at};

pub(crate) fn lists(world: &World) {
    world.script.on("MatchingService/ListTransfers", |_: ListTransfersRequest| {
        Ok(ListTransfersResponse { transfers: vec![moving()], next_page_token: String::new(), revision: 44 })
    });
    world.script.on("MatchingService/GetTransfer", |ask: GetTransferRequest| {
        match ask.transfer == moving().id {
            true => Ok(GetTransferResponse { transfer: Some(moving()), revision: 44 }),
            false => Err(Status::not_found("no such transfer")),
        }
    });
}

#[tokio::test]
async fn transfers_are_listed_shown_and_taken_on() {
    let world = World::new().await;
    lists(&world);
    world.script.on("MatchingService/AdvanceTransfer", |_: AdvanceTransferRequest| {
        Ok(AdvanceTransferResponse { transfer: Some(moving()), revision: 45 })
    });
    world.script.on("MatchingService/AbortTransfer", |_: AbortTransferRequest| {
        Ok(AbortTransferResponse { transfer: Some(moving()), revision: 46 })
    });
    assert_snapshot!(world.transcript(&[
        "transfer list",
        "transfer show 0198c2d4",
        "transfer advance 0198c2d4 --to arrived -q",
        "transfer advance 0198c2d4 --done \"records sent\" --transport ambulance --provider RX7 --booked --due 15:30 -q",
        "transfer advance 0198c2d4",
        "transfer advance 0198c2d4 --to arived",
        "transfer abort 0198c2d4 --reason not_fit -q",
    ]).await);
}

#[tokio::test]
async fn a_stay_is_made_longer() {
    let world = World::new().await;
    lists(&world);
    world.script.on("MatchingService/ExtendTransfer", |_: ExtendTransferRequest| {
        Ok(ExtendTransferResponse { transfer: Some(moving()), revision: 45 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "transfer extend 0198c2d4 --until 20:00 -q",
                "transfer extend 0198c2d4 --until soon",
                "transfer extend 0198c2d4",
            ])
            .await
    );
}

#[tokio::test]
async fn who_comes_back_is_listed_and_planned() {
    let world = World::new().await;
    let planned = || Transfer {
        return_plan: Some(ReturnPlan { due_at: at("2026-11-27T10:00:00Z"), note: "rings first".into() }),
        ..moving()
    };
    world.script.on("MatchingService/ListTransfers", move |ask: ListTransfersRequest| {
        let is_asked = ask.filter.unwrap_or_default().returning;
        let transfers = if is_asked { vec![planned()] } else { Vec::new() };
        Ok(ListTransfersResponse { transfers, next_page_token: String::new(), revision: 44 })
    });
    world.script.on("MatchingService/GetTransfer", move |_: GetTransferRequest| {
        Ok(GetTransferResponse { transfer: Some(planned()), revision: 44 })
    });
    world.script.on("MatchingService/AdvanceTransfer", move |_: AdvanceTransferRequest| {
        Ok(AdvanceTransferResponse { transfer: Some(planned()), revision: 45 })
    });
    assert_snapshot!(
        world
            .transcript(&[
                "returns",
                "transfer list --returning -q",
                "transfer show 0198c2d4",
                "transfer advance 0198c2d4 --return-by 2026-11-28T09:00:00Z -q",
                "transfer advance 0198c2d4 --return-note \"the ward rings\" -q",
            ])
            .await
    );
}
