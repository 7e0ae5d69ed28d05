//! The decisions apart from the loop: the same facts give the same answer, and nothing is decided twice.

use fallow_domain::ids::Label;
use fallow_domain::need::Priority;
use fallow_domain::reason::NotUsed;
use fallow_matching::Facts;
use fallow_matching::engine::{AT_A_TIME, Because, Chore, chores, first_of_plan, next_deadline, plan};
use jiff::SignedDuration;

use crate::examples::{beds, gold, need, report};
use crate::world::World;

fn facts(world: &World) -> Facts {
    Facts::of(&world.live, world.now()).unwrap()
}

#[tokio::test]
async fn the_same_facts_give_the_same_plan_most_urgent_first() {
    let world = World::new().await;
    for (trust, id, free) in [("ZA1", "a", 1), ("ZA2", "b", 2)] {
        world.beds(trust, id, free).await;
    }
    for (id, priority) in [("n3", Priority::P3), ("n1", Priority::P1A), ("n2", Priority::P2)] {
        world.need("ZA4", id, priority).await;
    }
    let facts = facts(&world);
    let first = plan(&facts);
    let needs: Vec<&str> = first.iter().map(|placement| placement.need.as_str()).collect();
    assert_eq!(needs, ["n1", "n2", "n3"]);
    assert!(first.iter().all(|placement| placement.supersede.is_empty()));
    assert_eq!(plan(&facts), first);
    assert_eq!(chores(&facts), []);
}

#[tokio::test]
async fn what_yields_and_what_takes_its_place_are_one_decision() {
    let world = World::new().await;
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "later", Priority::P3).await;
    let engine = world.engine();
    world.until_held(&["later -> a"]).await;
    engine.kill().await;
    let mut urgent = need("ZA4", "urgent", Priority::P1B, world.now());
    urgent.units = 2.into();
    world.raise(urgent, None).await;
    let found = plan(&facts(&world));
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].need.as_str(), found[0].because), ("urgent", Because::EarlierBand));
    assert_eq!(found[0].supersede, [world.the_proposal("later").id]);
    assert_eq!(found[0].suggest[0].units.get(), 1, "as much as there is");
}

#[tokio::test]
async fn a_hold_is_due_at_its_end_and_its_offer_when_it_goes_stale() {
    let world = World::new().await;
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "n", Priority::P3).await;
    let engine = world.engine();
    world.until_held(&["n -> a"]).await;
    engine.kill().await;
    let held = world.the_proposal("n");
    let stale = held.proposed_at + SignedDuration::from_hours(2) + SignedDuration::from_nanos(1);
    assert_eq!(next_deadline(&facts(&world)), Some(stale));
    world.wait_minutes(121);
    assert_eq!(chores(&facts(&world)), [Chore::Supersede(held.id.clone(), NotUsed::Stale)]);
    world.confirm("ZA1", "a").await;
    assert_eq!(chores(&facts(&world)), []);
    world.wait_minutes(119);
    assert_eq!(chores(&facts(&world)), [Chore::Lapse(held.id)]);
}

#[tokio::test]
async fn a_trust_under_pressure_is_asked_no_more() {
    let world = World::new().await;
    world.beds("ZA1", "a", 1).await;
    world.need("ZA4", "n", Priority::P3).await;
    let _engine = world.engine();
    world.until_held(&["n -> a"]).await;
    let declared = fallow_domain::standing::Declaration { opel: 4, at: world.now(), by: gold() };
    let ods = "ZA1".parse().unwrap();
    let said = fallow_domain::standing::TrustState {
        ods,
        declared: Some(declared),
        reserves: std::collections::BTreeMap::new(),
    };
    let key = fallow_ledger::record::trust_key(ods);
    world.put(key, fallow_ledger::record::Record::Trust(said)).await;
    world.until_held(&[]).await;
    assert!(world.the_proposal("n").ended_because.as_str().contains("TRUST_UNDER_PRESSURE"));
    world.rests().await;
}

#[tokio::test]
async fn a_raised_reserve_takes_back_a_hold_that_reaches_into_it() {
    let world = World::new().await;
    let mut three = report("ZA1", "a", 3, world.now());
    three.resource = beds("CC_ADULT", Some(3));
    world.publish(three).await;
    let mut two = need("ZA4", "n", Priority::P3, world.now());
    (two.resource, two.units) = (beds("CC_ADULT", Some(3)), 2.into());
    world.raise(two, None).await;
    let _engine = world.engine();
    world.until_held(&["n -> a"]).await;
    assert_eq!(world.the_proposal("n").units.get(), 2);
    let ods = "ZA1".parse().unwrap();
    let reserves = [("BED/CC_ADULT/3".parse().unwrap(), 2.into())].into();
    let said = fallow_domain::standing::TrustState { ods, declared: None, reserves };
    world.put(fallow_ledger::record::trust_key(ods), fallow_ledger::record::Record::Trust(said)).await;
    world.until("one unit", |world| world.offer("a").figures.held.get() == 1).await;
    let ended = world.proposals().into_iter().find(|p| p.units.get() == 2).unwrap();
    assert!(ended.ended_because.as_str().contains("BELOW_RESERVE"));
    world.rests().await;
    assert_eq!(world.the_proposal("n").units.get(), 1);
}

#[tokio::test]
async fn much_is_placed_a_little_at_a_time_the_most_urgent_first() {
    let world = World::new().await;
    world.beds("ZA1", "a", 50).await;
    for number in 0..50 {
        let priority = if number < 40 { Priority::P3 } else { Priority::P1B };
        world.need("ZA4", &format!("n{number:02}"), priority).await;
    }
    let first = first_of_plan(&facts(&world), AT_A_TIME);
    assert_eq!(first.len(), AT_A_TIME);
    let urgent = first.iter().take_while(|placement| placement.need.as_str() >= "n40");
    assert_eq!(urgent.count(), 10, "the most urgent first");
    let _engine = world.engine();
    world.until("all of them", |world| world.offer("a").figures.held.get() == 50).await;
    world.rests().await;
}

#[tokio::test]
async fn a_block_is_placed_whole_however_much_waits() {
    let world = World::new().await;
    for number in 0..20 {
        let mut part = report("ZA1", &format!("s{number:02}"), 1, world.now());
        part.campaign = Label::parse("saturday").unwrap();
        world.publish(part).await;
        world.need("ZA4", &format!("n{number:02}"), Priority::P3).await;
    }
    let placed = first_of_plan(&facts(&world), AT_A_TIME);
    assert_eq!(placed.len(), 20, "nobody is asked for an answer to half of it");
}
