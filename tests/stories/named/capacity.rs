//! Capacity by kind: theatres at their release week, hubs and diagnostic centres, and every kind in one system.

use fallow_api::v1::{self, Objection, Priority, ResourceKind, transfer};
use jiff::SignedDuration;

use crate::wire;
use crate::world::{World, stories};

use super::{agree, case, lasting, managers, need_of, refused, session, travel, window};

stories!(
    fallow_theatre_capacity_is_released_at_the_trusts_own_week_and_used_by_the_minute,
    a_surgical_hub_is_ring_fenced_for_elective_needs,
    a_community_diagnostic_centre_offers_each_dm01_test_for_itself,
    a_home_trust_may_bring_its_own_team,
    several_collaboratives_live_in_one_region_and_share_what_each_agreed,
    an_operational_delivery_network_lends_within_itself,
);

const DAY: SignedDuration = SignedDuration::from_hours(24);

/// Aldermoor releases five weeks before the day.
async fn fallow_theatre_capacity_is_released_at_the_trusts_own_week_and_used_by_the_minute(
    world: &mut World,
) {
    let [theatre, home] = managers(world, ["ZA1", "ZA4"]);
    let starts = DAY * 42 + SignedDuration::from_hours(1);
    let mut offer = session("ZA101", starts, world);
    offer.cadence = Some(prost_types::Duration { seconds: (DAY * 31).as_secs(), nanos: 0 });
    let offer = theatre.publish(offer).await;
    let release_at = world.now() + DAY * 7 + SignedDuration::from_hours(1);
    assert_eq!(offer.release_at, Some(fallow_api::convert::time::to_wire(release_at)));
    let raised = home.raise(case("ZA401", "hip 1", Priority::P4)).await;
    assert_eq!(refused(world, &home, &raised).await, [(Objection::Suspended, 1)]);

    world.pass(DAY * 7 + SignedDuration::from_hours(1));
    let proposed = home.proposal_of(&raised).await;
    assert_eq!((proposed.offer.as_str(), proposed.units), (offer.id.as_str(), 1));
    assert_eq!(proposed.minutes, 105, "the case and its turnover");
    assert_eq!(theatre.offer(&offer.id).await.figures.unwrap().free, 135);
    // A session of the week to come has been released long ago.
    let near = theatre.publish(v1::Offer { source_key: "theatre 3".into(), ..session("ZA101", DAY, world) });
    assert_eq!(near.await.release_at, None);
}

/// Aldermoor's hub, by the policy of the demonstration's region.
async fn a_surgical_hub_is_ring_fenced_for_elective_needs(world: &mut World) {
    let [hub, home] = managers(world, ["ZA1", "ZA4"]);
    let offer = hub.publish(session("ZA102", DAY, world)).await;
    let urgent = home.raise(case("ZA401", "fracture", Priority::P1b)).await;
    assert_eq!(refused(world, &home, &urgent).await, [(Objection::RingFenced, 1)]);
    let elective = home.raise(case("ZA401", "hip 1", Priority::P2)).await;
    let proposed = home.proposal_of(&elective).await;
    assert_eq!(proposed.offer, offer.id);
    // The same theatre in the hospital next door takes the emergency.
    let hospital = hub.publish(session("ZA101", DAY, world)).await;
    assert_eq!(home.proposal_of(&urgent).await.offer, hospital.id);
}

async fn a_community_diagnostic_centre_offers_each_dm01_test_for_itself(world: &mut World) {
    let [centre, home] = managers(world, ["ZA3", "ZA2"]);
    let test = |code: &str| wire::resource(ResourceKind::Diagnostic, code);
    let slots = |code: &str, from: i64| v1::Offer {
        window: Some(window(world, Some(SignedDuration::from_hours(from)), DAY * 2)),
        ..lasting("ZA302", test(code), 4, world)
    };
    let mri = centre.publish(slots("MRI", 24)).await;
    let echo = centre.publish(slots("ECHOCARDIOGRAPHY", 26)).await;
    for (code, offer) in [("MRI", &mri), ("ECHOCARDIOGRAPHY", &echo)] {
        let scoped = v1::Need {
            scope: v1::Scope::DiagnosticOnly.into(),
            ..need_of("ZA201", code, test(code), Priority::P3)
        };
        let raised = home.raise(scoped).await;
        let proposed = home.proposal_of(&raised).await;
        assert_eq!(proposed.offer, offer.id, "{code}");
        // Who only has a test goes home by himself: no return is planned.
        let planned = agree(&home, &centre, &proposed).await;
        assert_eq!((planned.return_plan.as_ref(), planned.due_at), (None, offer.window.unwrap().from));
        travel(&home, &centre, &planned).await;
        let done = centre.advance(&planned, transfer::State::Completed, &[]).await.unwrap();
        assert_eq!(done.state(), transfer::State::Completed);
    }
    let other = home.raise(need_of("ZA201", "scope 1", test("COLONOSCOPY"), Priority::P2)).await;
    assert_eq!(refused(world, &home, &other).await, [], "no offer is of that test");
}

async fn a_home_trust_may_bring_its_own_team(world: &mut World) {
    let [theatre, home] = managers(world, ["ZA1", "ZA4"]);
    let unstaffed = v1::Team { staffed: false, needs: vec!["ANAESTHETIST".into()] };
    let offer = theatre.publish(v1::Offer { team: Some(unstaffed), ..session("ZA101", DAY, world) }).await;
    let without = home.raise(case("ZA401", "hip 1", Priority::P2)).await;
    assert_eq!(refused(world, &home, &without).await, [(Objection::TeamMissing, 1)]);
    let with = v1::Need { brings_team: true, ..case("ZA401", "hip 2", Priority::P3) };
    let proposed = home.proposal_of(&home.raise(with).await).await;
    assert_eq!((proposed.offer.as_str(), proposed.team.as_ref()), (offer.id.as_str(), None));
    agree(&home, &theatre, &proposed).await;
}

/// Aldermoor and Dunmere are in three collaboratives, Brackwater in two: virtual wards are shared within one of them only.
async fn several_collaboratives_live_in_one_region_and_share_what_each_agreed(world: &mut World) {
    let [aldermoor, brackwater, dunmere] = managers(world, ["ZA1", "ZA2", "ZA4"]);
    let ward = || wire::resource(ResourceKind::VirtualWard, "RESPIRATORY");
    let places = aldermoor.publish(lasting("ZA101", ward(), 2, world)).await;
    let outside = brackwater.raise(need_of("ZA201", "copd 1", ward(), Priority::P2)).await;
    assert_eq!(refused(world, &brackwater, &outside).await, [(Objection::NoAgreement, 1)]);
    let within = dunmere.raise(need_of("ZA401", "copd 2", ward(), Priority::P3)).await;
    assert_eq!(dunmere.proposal_of(&within).await.offer, places.id);
    // Beds are shared by the acute collaborative, which has them all.
    let beds = aldermoor.publish_beds("ZA101", 1).await;
    let bed = brackwater.raise(wire::need("ZA201", "case 1", 1)).await;
    assert_eq!(brackwater.proposal_of(&bed).await.offer, beds.id);
}

async fn an_operational_delivery_network_lends_within_itself(world: &mut World) {
    let [aldermoor, dunmere, eastholme] = managers(world, ["ZA1", "ZA4", "ZA5"]);
    let bed = || v1::Resource { level: 2, ..wire::resource(ResourceKind::Bed, "CC_ADULT") };
    let offer =
        v1::Offer { shared_with: vec!["vale-critical-care".into()], ..lasting("ZA101", bed(), 3, world) };
    let offer = aldermoor.publish(offer).await;
    let outside = eastholme.raise(need_of("ZA501", "icu 1", bed(), Priority::P1b)).await;
    assert_eq!(refused(world, &eastholme, &outside).await, [(Objection::NoAgreement, 1)]);
    let member = dunmere.raise(need_of("ZA401", "icu 2", bed(), Priority::P2)).await;
    let proposed = dunmere.proposal_of(&member).await;
    assert_eq!(proposed.offer, offer.id);
    // Critical care is answered within the hour, whatever the band.
    let held = proposed.held_until.unwrap().seconds - proposed.proposed_at.unwrap().seconds;
    assert_eq!(held, 3_600);
}
