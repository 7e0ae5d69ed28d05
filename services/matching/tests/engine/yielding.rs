//! When a standing proposal gives way, and when it does not.

use fallow_domain::decide::proposal::{HomeReply, SupportingReply};
use fallow_domain::need::Priority;
use fallow_domain::proposal::ProposalState;

use crate::examples::{beds, labels, need, report};
use crate::world::World;

#[tokio::test]
async fn an_urgent_need_takes_the_units_of_a_later_band_that_nobody_has_answered() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "later", Priority::P2).await;
    world.until_held(&["later -> a"]).await;
    world.need("ZA4", "urgent", Priority::P1A).await;
    world.until_held(&["urgent -> a"]).await;
    let gone = world.the_proposal("later");
    assert_eq!(gone.state, ProposalState::Superseded);
    assert_eq!(gone.ended_because.as_str(), "A more urgent need takes the units.");
    assert_eq!(gone.ended_at, Some(world.the_proposal("urgent").proposed_at), "in one commit");
    world.rests().await;
}

#[tokio::test]
async fn nothing_that_is_answered_gives_way() {
    for supporting_answers in [true, false] {
        let world = World::new().await;
        let _engine = world.engine();
        world.beds("ZA1", "a", 1).await;
        world.need("ZA4", "later", Priority::P4).await;
        world.until_held(&["later -> a"]).await;
        let held = world.the_proposal("later");
        if supporting_answers {
            world.support(&held, SupportingReply::Provisional).await;
        } else {
            world.home(&held, HomeReply::Accept { units: None }).await;
        }
        world.need("ZA4", "urgent", Priority::P1A).await;
        world.rests().await;
        assert_eq!(world.held(), ["later -> a"]);
    }
}

#[tokio::test]
async fn a_need_of_the_same_band_waits_however_long_it_has_waited() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "first", Priority::P2).await;
    world.until_held(&["first -> a"]).await;
    let mut waited = need("ZA4", "waited", Priority::P2, world.now());
    waited.listed_at = world.now() - jiff::SignedDuration::from_hours(20 * 24);
    world.raise(waited, None).await;
    world.rests().await;
    assert_eq!(world.held(), ["first -> a"]);
}

#[tokio::test]
async fn only_as_much_gives_way_as_is_needed_the_least_urgent_and_newest_first() {
    let world = World::new().await;
    let _engine = world.engine();
    world.beds("ZA1", "a", 3).await;
    for (id, priority) in [("p2", Priority::P2), ("p4-old", Priority::P4), ("p4-new", Priority::P4)] {
        world.need("ZA4", id, priority).await;
        world.until(id, |world| world.held().contains(&format!("{id} -> a"))).await;
        world.wait_minutes(1);
    }
    world.need("ZA3", "urgent", Priority::P1B).await;
    world.until_held(&["p2 -> a", "p4-old -> a", "urgent -> a"]).await;
    world.rests().await;
}

#[tokio::test]
async fn a_hold_of_another_offer_gives_way_where_the_trusts_reserve_stands_between() {
    let world = World::new().await;
    let _engine = world.engine();
    for (offer, free) in [("a1", 1), ("a2", 1)] {
        let mut report = report("ZA1", offer, free, world.now());
        report.resource = beds("CC_ADULT", Some(3));
        world.publish(report).await;
    }
    let critical = |id: &str, priority| {
        let mut need = need("ZA4", id, priority, world.now());
        need.resource = beds("CC_ADULT", Some(3));
        need
    };
    world.raise(critical("later", Priority::P3), None).await;
    world.until("one proposal", |world| world.held().len() == 1).await;
    world.raise(critical("urgent", Priority::P1A), None).await;
    world.until("the urgent one", |world| world.held().iter().any(|held| held.starts_with("urgent"))).await;
    world.rests().await;
    assert_eq!(world.held().len(), 1);
}

#[tokio::test]
async fn a_need_moves_over_so_that_all_urgent_ones_are_served() {
    let world = World::new().await;
    // `near` is open to both, `far` to one only, and `far` is held for a later band.
    world.beds("ZA3", "far", 1).await;
    world.need("ZA4", "later", Priority::P4).await;
    let engine = world.engine();
    world.until_held(&["later -> far"]).await;
    engine.stop().await;
    world.beds("ZA1", "near", 1).await;
    let mut choosy = need("ZA4", "choosy", Priority::P1A, world.now());
    choosy.max_travel_minutes = Some(25);
    world.raise(choosy, None).await;
    world.need("ZA4", "flexible", Priority::P1A).await;
    let _engine = world.engine();
    world.until_held(&["choosy -> near", "flexible -> far"]).await;
    world.rests().await;
}

#[tokio::test]
async fn a_better_place_is_taken_from_ten_points_on_and_nothing_flaps() {
    for (first, better, expected) in [("ZA2", "ZA1", "n -> old"), ("ZA3", "ZA2", "n -> new")] {
        // Travel from D: A 20, B 26, C 60 minutes.
        let world = World::new().await;
        let _engine = world.engine();
        world.beds(first, "old", 1).await;
        world.need("ZA4", "n", Priority::P3).await;
        world.until_held(&["n -> old"]).await;
        world.beds(better, "new", 1).await;
        world.until(expected, |world| world.held() == [expected]).await;
        world.rests().await;
        assert_eq!(world.held(), [expected], "keep_points is 10");
        if expected == "n -> new" {
            let gone = &world.proposals()[0];
            assert_eq!(gone.ended_because.as_str(), "Another offer is better for the need.");
        }
    }
}

impl World {
    /// Publishes beds with an isolation room, or without.
    async fn beds_with(&self, trust: &str, id: &str, free: u32, isolation: bool) {
        let mut report = report(trust, id, free, self.now());
        report.capabilities = if isolation { labels(&["isolation"]) } else { Vec::new() };
        self.publish(report).await;
    }

    /// Raises a need for beds with an isolation room and waits until it has those of `old`.
    async fn until_it_has_old(&self, units: u32) {
        let mut need = need("ZA4", "n", Priority::P3, self.now());
        need.requires = labels(&["isolation"]);
        need.units = units.into();
        self.raise(need, None).await;
        self.until_held(&["n -> old"]).await;
    }

    /// Waits until the engine has looked at all that was published before: it proposes something of another resource.
    async fn is_seen(&self) {
        let mut other = report("ZA1", "z", 1, self.now());
        other.resource = beds("STEP_DOWN", None);
        self.publish(other.clone()).await;
        let mut marker = need("ZA4", "z", Priority::P4, self.now());
        marker.resource = other.resource;
        self.raise(marker, None).await;
        self.until("seen", |world| world.held().contains(&"z -> z".to_owned())).await;
        self.rests().await;
    }

    /// Waits until the proposal has moved to the new place, or the engine has had every reason to and has left it.
    async fn moves_only_if(&self, moves: bool, case: &str) {
        let expected = if moves { "n -> new" } else { "n -> old" };
        if moves {
            self.until_held(&[expected]).await;
        }
        self.is_seen().await;
        assert_eq!(self.held(), [expected, "z -> z"], "{case}");
    }
}

/// From B it is six minutes less to A: that is enough where six points keep nothing, and not where seven do.
#[tokio::test]
async fn a_proposal_that_stands_is_not_disturbed_for_less_than_keep_points_a_unit() {
    for (units, keep, moves) in [(1, 6, true), (1, 7, false), (2, 6, true), (2, 7, false)] {
        let world = World::with(&format!("keep_points = {keep}")).await;
        let _engine = world.engine();
        world.beds_with("ZA2", "old", units, true).await;
        world.until_it_has_old(units).await;
        world.beds_with("ZA1", "new", units, true).await;
        world.moves_only_if(moves, &format!("{units} units, keep_points {keep}")).await;
    }
}

/// Of what is better by enough the need may have nothing: what it may have is 34 points a unit better.
#[tokio::test]
async fn a_proposal_that_stands_is_not_disturbed_for_what_the_need_may_not_have() {
    for (units, keep, moves) in [(1, 34, true), (1, 35, false), (2, 34, true), (2, 35, false)] {
        let world = World::with(&format!("keep_points = {keep}")).await;
        let _engine = world.engine();
        world.beds_with("ZA3", "old", units, true).await;
        world.until_it_has_old(units).await;
        world.beds_with("ZA1", "barred", units, false).await;
        world.beds_with("ZA2", "new", units, true).await;
        world.moves_only_if(moves, &format!("{units} units, keep_points {keep}")).await;
    }
}

/// Somebody has begun to prepare the place: no other is so much better.
#[tokio::test]
async fn a_proposal_that_somebody_has_answered_is_not_moved_to_a_better_place() {
    for supporting_answers in [true, false] {
        let world = World::with("keep_points = 0").await;
        let _engine = world.engine();
        world.beds_with("ZA3", "old", 1, true).await;
        world.until_it_has_old(1).await;
        let held = world.the_proposal("n");
        if supporting_answers {
            world.support(&held, SupportingReply::Provisional).await;
        } else {
            world.home(&held, HomeReply::Accept { units: None }).await;
        }
        world.beds_with("ZA1", "new", 1, true).await;
        world.is_seen().await;
        assert_eq!(world.held(), ["n -> old", "z -> z"]);
    }
}
