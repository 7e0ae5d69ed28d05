//! An ambulance trust is a member that sees what it carries, and nothing else.

use fallow_api::client::fresh_request_id;
use fallow_api::problem::Problem;
use fallow_api::v1::{self, transfer::State};
use tonic::Code;

use crate::people::call;
use crate::wire;
use crate::world::{World, stories};

use super::{agree, managers, north_vale, travel};

stories!(an_ambulance_trust_sees_the_transfers_that_it_carries);

async fn an_ambulance_trust_sees_the_transfers_that_it_carries(world: &mut World) {
    let trust = "[[trust]]\nods = \"ZA8\"\nname = \"Vale Ambulance Service\"\n";
    world.user("platform-admin").apply_region(north_vale(trust)).await;
    let [near, home, ambulance] = managers(world, ["ZA1", "ZA4", "ZA8"]);
    near.publish_beds("ZA101", 2).await;
    let raised = home.raise(wire::need("ZA401", "case 1", 2)).await;
    let planned = agree(&home, &near, &home.proposal_of(&raised).await).await;
    let get = async || {
        call!(ambulance.matching(), get_transfer, v1::GetTransferRequest { transfer: planned.id.clone() })
    };
    assert_eq!(get().await.unwrap_err().code, Code::NotFound);
    let book = v1::AdvanceTransferRequest {
        request_id: fresh_request_id(),
        transfer: planned.id.clone(),
        transport: Some(v1::Transport { kind: "ambulance".into(), provider: "ZA8".into(), booked: true }),
        ..Default::default()
    };
    call!(home.matching(), advance_transfer, book).unwrap();
    let seen = ambulance.transfer_in(&planned, State::Planned).await;
    assert_eq!((seen.from_site.as_str(), seen.to_site.as_str(), seen.units), ("ZA401", "ZA101", 2));
    assert!(seen.due_at.is_some() && seen.transport.unwrap().booked);
    let carried = v1::TransferFilter { carriers: vec!["ZA8".into()], ..Default::default() };
    let request = v1::ListTransfersRequest { filter: Some(carried), ..Default::default() };
    assert_eq!(call!(home.matching(), list_transfers, request).unwrap().transfers.len(), 1);
    // It carries; what moves, and whether, the two trusts say.
    let wrong = ambulance.advance(&planned, State::Ready, &[]).await.unwrap_err();
    assert_eq!(wrong.code, Code::PermissionDenied);
    let proposal = v1::GetProposalRequest { proposal: planned.proposal.clone() };
    assert_eq!(call!(ambulance.matching(), get_proposal, proposal).unwrap_err().code, Code::NotFound);
    travel(&home, &near, &planned).await;
    assert_eq!(get().await.unwrap().transfer.unwrap().state(), State::Arrived);
}
