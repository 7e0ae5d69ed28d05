//! South West mental health: one queue by lead provider, security levels, distance and days away from home, and the way
//! back as a reason of its own.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::v1::{self, Objection, Priority, ResourceKind, need, transfer};
use jiff::SignedDuration;

use crate::people::{User, call};
use crate::wire;
use crate::world::{World, stories};

use super::{agree, lasting, managers, need_of, travel};

stories!(
    a_single_point_of_access_matches_secure_and_camhs_beds_and_says_how_far_from_home,
    who_is_out_of_area_is_brought_home,
);

/// Exeter, whose local services are Devon Partnership's.
const EXETER: &str = "E07000041";

/// The South West in the region of these worlds, with the trusts of the latter's first provider leading.
async fn south_west(world: &World) {
    let file = include_str!("../../../regions/south-west-mental-health.toml");
    world.user("platform-admin").apply_region(file.replacen("id = \"SWM\"", "id = \"north-vale\"", 1)).await;
}

/// Asserts that the engine has looked at a need and that nothing is proposed for it, and returns why, with counts.
async fn refused_in(world: &World, home: &User, need: &v1::Need) -> Vec<(Objection, i64)> {
    // A need of the last band has its proposal: what is more urgent was looked at before.
    let [giver, taker] = managers(world, ["XP2", "XP3"]);
    giver.publish(lasting("XP201", bed("MH_212"), 1, world)).await;
    let last = taker.raise(need_of("XP301", "rehabilitation", bed("MH_212"), Priority::P4)).await;
    taker.proposal_of(&last).await;
    let why = home.explain(need).await;
    assert_eq!(why.proposals, []);
    why.unserved.unwrap().counts.iter().map(|count| (count.reason(), count.count)).collect()
}

fn bed(code: &str) -> v1::Resource {
    wire::resource(ResourceKind::Bed, code)
}

async fn a_single_point_of_access_matches_secure_and_camhs_beds_and_says_how_far_from_home(
    world: &mut World,
) {
    south_west(world).await;
    let [devon, bath, independent, company] = managers(world, ["RWV", "RVN", "XP1", "XC1"]);
    independent.publish(lasting("XP101", bed("MH_206"), 4, world)).await;
    let secure =
        v1::Need { home_area: EXETER.into(), ..need_of("RWV01", "secure 1", bed("MH_207"), Priority::P2) };
    let raised = devon.raise(secure).await;
    let from_home = raised.from_home.expect("the area is one of the region's");
    assert_eq!((from_home.kilometres, from_home.out_of_area), (2, false), "he is at home now");
    assert_eq!(refused_in(world, &devon, &raised).await, [(Objection::SecurityLevel, 1)]);

    let medium = bath.publish(lasting("RVN01", bed("MH_207"), 1, world)).await;
    let proposed = devon.proposal_of(&raised).await;
    assert_eq!(proposed.offer, medium.id);
    let away = proposed.from_home.unwrap();
    assert!(away.out_of_area && (100..120).contains(&away.kilometres), "{away:?}");
    // Young people of the community interest company, at an independent provider.
    independent.publish(lasting("XP101", bed("MH_301"), 1, world)).await;
    let young = company.raise(need_of("XC101", "young 1", bed("MH_301"), Priority::P1b)).await;
    let found = company.proposal_of(&young).await;
    assert_eq!((found.supporting_trust.as_str(), found.from_home), ("XP1", None), "no area was given");

    // One queue for the whole collaborative, whoever asks; its lead sees every proposal in it.
    for user in [&devon, &independent] {
        let codes = vec!["MH_207".into(), "MH_301".into()];
        let filter = Some(v1::NeedFilter { codes, ..Default::default() });
        let request = v1::ListNeedsRequest { filter, ..Default::default() };
        let all = call!(user.demand(), list_needs, request).unwrap();
        let names: Vec<&str> = all.needs.iter().map(|need| need.case_ref.as_str()).collect();
        assert_eq!(names, ["young 1", "secure 1"]);
    }
    let lead = world.lead_provider_of("RWV");
    let seen = call!(lead.matching(), list_proposals, v1::ListProposalsRequest::default()).unwrap();
    for expected in [&proposed, &found] {
        assert!(seen.proposals.iter().any(|one| one.id == expected.id));
    }
}

async fn who_is_out_of_area_is_brought_home(world: &mut World) {
    south_west(world).await;
    let [devon, bath] = managers(world, ["RWV", "RVN"]);
    bath.publish(lasting("RVN01", bed("MH_200"), 1, world)).await;
    let acute =
        v1::Need { home_area: EXETER.into(), ..need_of("RWV01", "acute 1", bed("MH_200"), Priority::P1b) };
    let raised = devon.raise(acute).await;
    let planned = agree(&devon, &bath, &devon.proposal_of(&raised).await).await;
    assert_eq!((planned.reason(), planned.away_since), (v1::TransferReason::Capacity, None));
    assert!(planned.from_home.unwrap().out_of_area);
    let arrived = travel(&devon, &bath, &planned).await;
    assert_eq!(arrived.away_since, Some(to_wire(world.now())));
    // His way back is planned while he is there, and stands on the list of those to be brought home.
    let back_at = world.now() + SignedDuration::from_hours(24 * 9);
    let plan = v1::AdvanceTransferRequest {
        request_id: fresh_request_id(),
        transfer: planned.id.clone(),
        return_plan: Some(v1::ReturnPlan {
            due_at: Some(to_wire(back_at)),
            note: "when a bed is free".into(),
        }),
        ..Default::default()
    };
    call!(bath.matching(), advance_transfer, plan).unwrap();
    bath.advance(&planned, transfer::State::Completed, &[]).await.unwrap();
    let list = async || {
        let filter = v1::TransferFilter { returning: true, ..Default::default() };
        let request = v1::ListTransfersRequest { filter: Some(filter), ..Default::default() };
        call!(devon.matching(), list_transfers, request).unwrap().transfers
    };
    let [listed] = list().await.try_into().unwrap();
    assert_eq!((listed.id.as_str(), listed.due_at), (planned.id.as_str(), Some(to_wire(back_at))));
    world.pass(SignedDuration::from_hours(24 * 9));
    let due = devon.transfer_in(&planned, transfer::State::RepatriationDue).await;
    assert_eq!(due.away_until, None);

    // A bed of his own trust: the trust where he is asks for it, with the way back as its reason.
    let home_bed = devon.publish(lasting("RWV01", bed("MH_200"), 1, world)).await;
    let back = v1::Need {
        home_area: EXETER.into(),
        reason: v1::TransferReason::Repatriation.into(),
        away_since: due.away_since,
        ..need_of("RVN01", "back 1", bed("MH_200"), Priority::P2)
    };
    let back = bath.raise(back).await;
    assert!(back.from_home.unwrap().out_of_area, "he is far from home now");
    assert_eq!(back.away_since, due.away_since);
    let proposed = bath.proposal_of(&back).await;
    assert_eq!(
        (proposed.offer.as_str(), proposed.from_home.unwrap().out_of_area),
        (home_bed.id.as_str(), false)
    );
    let home_again = agree(&bath, &devon, &proposed).await;
    assert_eq!(home_again.reason(), v1::TransferReason::Repatriation);
    assert_eq!(home_again.return_plan, None, "who was brought home stays");
    travel(&bath, &devon, &home_again).await;
    bath.need_in(&back, need::State::Met).await;
    bath.advance(&planned, transfer::State::Repatriating, &[]).await.unwrap();
    let over = devon.advance(&planned, transfer::State::Repatriated, &[]).await.unwrap();
    assert_eq!(over.away_until, Some(to_wire(world.now())));
    assert_eq!(list().await, []);
}
