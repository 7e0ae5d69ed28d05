//! Staff, equipment and virtual wards go the same way as beds and theatres.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::reasons;
use fallow_api::v1::{self, Priority, ResourceKind, transfer::State};
use jiff::SignedDuration;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, stories};

use super::{agree, lasting, managers, need_of, travel, window};

stories!(
    joint_capacity_and_demand_is_of_beds_theatres_equipment_and_staff,
    staff_and_items_are_deployed_extended_and_returned,
    virtual_wards_step_down_beds_and_the_two_hour_response,
);

async fn joint_capacity_and_demand_is_of_beds_theatres_equipment_and_staff(world: &mut World) {
    let [supporting, home] = managers(world, ["ZA1", "ZA4"]);
    for (kind, code) in [
        (ResourceKind::Bed, "STEP_DOWN"),
        (ResourceKind::Equipment, "VENTILATOR"),
        (ResourceKind::Staff, "SONOGRAPHER"),
        (ResourceKind::VirtualWard, "FRAILTY"),
    ] {
        let resource = || wire::resource(kind, code);
        let offer = supporting.publish(lasting("ZA101", resource(), 2, world)).await;
        let raised = home.raise(need_of("ZA401", code, resource(), Priority::P2)).await;
        let proposed = home.proposal_of(&raised).await;
        assert_eq!(proposed.offer, offer.id, "{code}");
        let planned = agree(&home, &supporting, &proposed).await;
        let figures = supporting.offer(&offer.id).await.figures.unwrap();
        assert_eq!((figures.staffed, figures.committed, figures.free), (2, 1, 1), "{code}");
        let is_lent = matches!(kind, ResourceKind::Staff | ResourceKind::Equipment);
        let way = if is_lent { ("ZA101", "ZA401") } else { ("ZA401", "ZA101") };
        assert_eq!((planned.from_site.as_str(), planned.to_site.as_str()), way, "{code}");
        assert!(!planned.checklist.is_empty());
    }
    let offer = supporting.publish(super::session("ZA101", SignedDuration::from_hours(24), world)).await;
    let raised = home.raise(super::case("ZA401", "hip 1", Priority::P3)).await;
    assert_eq!(home.proposal_of(&raised).await.offer, offer.id);
}

async fn extend(user: &User, transfer: &v1::Transfer, due_at: jiff::Timestamp) -> v1::Transfer {
    let request = v1::ExtendTransferRequest {
        request_id: fresh_request_id(),
        transfer: transfer.id.clone(),
        due_at: Some(to_wire(due_at)),
        ..Default::default()
    };
    call!(user.matching(), extend_transfer, request).unwrap().transfer.unwrap()
}

async fn staff_and_items_are_deployed_extended_and_returned(world: &mut World) {
    let [lender, home] = managers(world, ["ZA1", "ZA4"]);
    for (kind, code) in [(ResourceKind::Staff, "ODP"), (ResourceKind::Equipment, "CPAP_DEVICE")] {
        let resource = || wire::resource(kind, code);
        let shift = v1::Offer {
            window: Some(window(world, None, SignedDuration::from_hours(12))),
            ..lasting("ZA101", resource(), 1, world)
        };
        let offer = lender.publish(shift).await;
        let raised = home.raise(need_of("ZA401", code, resource(), Priority::P1b)).await;
        let planned = agree(&home, &lender, &home.proposal_of(&raised).await).await;
        // The way back stands in the plan from the start: the end of the shift.
        let shift_ends = offer.window.unwrap().until;
        assert_eq!(planned.return_plan.as_ref().unwrap().due_at, shift_ends, "{code}");
        travel(&lender, &home, &planned).await;
        let deployed = home.advance(&planned, State::Deployed, &[]).await.unwrap();
        assert_eq!((deployed.state(), deployed.due_at), (State::Deployed, shift_ends));
        let later = world.now() + SignedDuration::from_hours(20);
        let extended = extend(&home, &planned, later).await;
        assert_eq!((extended.state(), extended.due_at), (State::Extended, Some(to_wire(later))));
        let returning = v1::TransferFilter { returning: true, ..Default::default() };
        let request = v1::ListTransfersRequest { filter: Some(returning), ..Default::default() };
        let listed = call!(lender.matching(), list_transfers, request).unwrap().transfers;
        assert_eq!(listed, [], "nobody repatriates staff or an item");
        let refused = home.advance(&planned, State::Returned, &[]).await.unwrap_err();
        assert_eq!(refused.reason, reasons::WRONG_SIDE, "who lent it says that it is back");
        let back = lender.advance(&planned, State::Returned, &[]).await.unwrap();
        assert_eq!(back.state(), State::Returned);
    }
}

/// A desk that watches is told again of what it has not answered, when a sixth of the time is over.
async fn is_reminded(world: &World, desk: &User, proposed: &v1::Proposal) {
    let told = crate::watching::proposals(desk, v1::ProposalFilter::default(), |seen| {
        let now = seen.get(&proposed.id)?;
        match now.reminded {
            // Time goes on once the watch has begun.
            0 if now.reminders.first()?.seconds > world.now().as_second() => {
                world.pass(SignedDuration::from_secs(101));
                None
            }
            0 => None,
            _ => Some(now.clone()),
        }
    });
    let told = told.await;
    assert_eq!((told.reminded, told.revision), (1, proposed.revision), "nothing else has changed");
}

/// A desk that comes back with its cursor is told of what fell due while it was away.
async fn is_reminded_after_a_break(world: &World, desk: &User, proposed: &v1::Proposal) {
    use v1::watch_proposals_response::Item;
    let watch = async |cursor: &str| {
        let request = v1::WatchProposalsRequest { cursor: cursor.into(), ..Default::default() };
        desk.matching().watch_proposals(request).await.unwrap().into_inner()
    };
    let mut told = watch("").await;
    let cursor = loop {
        let message = crate::world::soon("the snapshot", told.message()).await.unwrap().unwrap();
        if let Some(Item::SnapshotDone(_)) = message.item {
            break message.cursor;
        }
    };
    drop(told);
    for (passes, reminded) in [(101, 1), (100, 2)] {
        world.pass(SignedDuration::from_secs(passes));
        let mut told = watch(&cursor).await;
        let again = loop {
            let message = crate::world::soon("a reminder", told.message()).await.unwrap().unwrap();
            if let Some(Item::Proposal(again)) = message.item
                && again.id == proposed.id
            {
                break again;
            }
        };
        assert_eq!(again.reminded, reminded);
    }
}

async fn virtual_wards_step_down_beds_and_the_two_hour_response(world: &mut World) {
    let [supporting, home] = managers(world, ["ZA1", "ZA4"]);
    let ward = || wire::resource(ResourceKind::VirtualWard, "RESPIRATORY");
    supporting.publish(lasting("ZA101", ward(), 5, world)).await;
    supporting.publish_beds("ZA101", 2).await;
    // A crisis: ten minutes to answer, and reminders after a sixth and a third of them.
    let crisis = v1::Need {
        needed_by: Some(to_wire(world.now() + SignedDuration::from_hours(2))),
        ..need_of("ZA401", "crisis 1", ward(), Priority::P1a)
    };
    let raised = home.raise(crisis).await;
    let proposed = home.proposal_of(&raised).await;
    let since = |time: &Option<prost_types::Timestamp>| {
        time.as_ref().unwrap().seconds - proposed.proposed_at.unwrap().seconds
    };
    assert_eq!(since(&proposed.held_until), 600);
    let reminders: Vec<i64> = proposed.reminders.iter().map(|at| since(&Some(*at))).collect();
    assert_eq!(reminders, [100, 200]);
    let phones = (proposed.home_phone.as_str(), proposed.supporting_phone.as_str());
    assert_eq!(phones, ("0555 0104", "0555 0101"), "whom to ring about it");
    is_reminded(world, &supporting, &proposed).await;
    let second = home.raise(need_of("ZA401", "crisis 2", ward(), Priority::P1a)).await;
    is_reminded_after_a_break(world, &home, &home.proposal_of(&second).await).await;
    let planned = agree(&home, &supporting, &proposed).await;
    travel(&home, &supporting, &planned).await;
    home.need_in(&raised, v1::need::State::Met).await;
    // Somebody who could leave, with the pathway he leaves by.
    let delayed = v1::Need {
        discharge_pathway: v1::DischargePathway::P2.into(),
        scope: v1::Scope::WholePathway.into(),
        ..wire::need("ZA401", "discharge 1", 1)
    };
    let raised = home.raise(delayed).await;
    let planned = agree(&home, &supporting, &home.proposal_of(&raised).await).await;
    assert_eq!(planned.return_plan, None, "his whole pathway moves");
}
