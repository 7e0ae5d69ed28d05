//! A log replayed: the same decisions, or where they part. Each checker is shown a fault that it must find.

use std::time::Duration;

use fallow_domain::decide::offer::OfferReport;
use fallow_domain::need::{Need, Priority};
use fallow_domain::policy::Policy;
use fallow_ledger::record::Record;
use fallow_ledger::{Change, Key, RecordKind, Revision};
use fallow_matching::Facts;
use fallow_matching::engine::{AT_A_TIME, Placement, plan};
use fallow_matching::replay::{Decider, Divergence, LogFlaw, OtherPolicy, Replay, Tally, Window};
use jiff::{SignedDuration, Timestamp};

use crate::examples::{beds, gold, need, report};
use crate::world::World;

/// A morning: beds and needs, a decline, holds that run out, an urgent need that displaces, a trust under pressure, a
/// stale offer that is confirmed.
async fn morning() -> (World, Vec<Change>) {
    let world = World::new().await;
    let engine = world.engine();
    world.beds("ZA1", "a", 1).await;
    world.beds("ZA2", "b", 1).await;
    world.need("ZA4", "n1", Priority::P3).await;
    world.until_held(&["n1 -> a"]).await;
    world.need("ZA4", "n2", Priority::P2).await;
    world.until_held(&["n1 -> a", "n2 -> b"]).await;
    world.need("ZA4", "n3", Priority::P1B).await;
    world.until("n3 displaces", |world| world.held().iter().any(|held| held.starts_with("n3"))).await;
    world.decline(&world.the_proposal("n3")).await;
    world.until("it has looked", |world| world.held().len() == 2).await;
    world.wait_minutes(61);
    world.confirm("ZA1", "a").await;
    world.confirm("ZA2", "b").await;
    world.until("holds ran out", |world| world.proposals().len() > 4).await;
    let declared = fallow_domain::standing::Declaration { opel: 4, at: world.now(), by: gold() };
    let ods = "ZA2".parse().unwrap();
    let reserves = std::collections::BTreeMap::new();
    let said = fallow_domain::standing::TrustState { ods, declared: Some(declared), reserves };
    world.put(fallow_ledger::record::trust_key(ods), Record::Trust(said)).await;
    let on_b = |world: &World| world.held().iter().any(|held| held.ends_with("-> b"));
    world.until("nobody asks ZA2", |world| !on_b(world)).await;
    world.beds("ZA3", "c", 2).await;
    world.until("c serves", |world| world.held().iter().any(|held| held.ends_with("-> c"))).await;
    let mut many = need("ZA4", "n4", Priority::P1A, world.now());
    many.units = 2.into();
    world.raise(many, None).await;
    world.until("n4 is served", |world| world.held().iter().any(|held| held.starts_with("n4"))).await;
    world.rests().await;
    engine.kill().await;
    let log = log_of(&world).await;
    (world, log)
}

pub(crate) async fn log_of(world: &World) -> Vec<Change> {
    let ledger = world.live.ledger();
    let (_, now) = ledger.snapshot().await.unwrap();
    let mut cursor = now.at(Revision::ABSENT);
    let mut log = Vec::new();
    while cursor.revision() < now.revision() {
        let page = ledger.changes(&cursor, 100, Duration::ZERO).await.unwrap();
        cursor = page.cursor;
        log.extend(page.changes);
    }
    log
}

pub(crate) fn replay(
    world: &World,
    log: &[Change],
    decider: Decider,
    window: Window,
) -> Result<(Tally, Vec<Divergence>), LogFlaw> {
    let mut replay = Replay::new(&world.calendar, decider, window, (Revision::ABSENT, &[]))?;
    let mut found = Vec::new();
    for change in log {
        found.extend(replay.take(change)?);
    }
    Ok((replay.tally(), found))
}

fn texts(world: &World, log: &[Change], decider: Decider) -> Vec<String> {
    let (_, found) = replay(world, log, decider, Window::default()).unwrap();
    found.into_iter().map(|one| format!("{}: {}", one.revision, one.text)).collect()
}

/// Changes one field of one record of a log, with its value before in the same form.
fn tampered(log: &[Change], place: usize, key: &Key, change: impl Fn(&mut serde_json::Value)) -> Vec<Change> {
    let mut log = log.to_vec();
    let body = log[place].writes.get_mut(key).unwrap().as_mut().unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(body).unwrap();
    change(&mut value["r"]);
    *body = serde_json::to_vec(&value).unwrap().into();
    log
}

/// The commits of the log with a verb, and the first key of a kind that each writes.
fn steps(log: &[Change], verb: &str, kind: RecordKind) -> Vec<(usize, Key)> {
    let is_it = |change: &&(usize, &Change)| {
        fallow_ledger::cause::Cause::decode(&change.1.cause).is_some_and(|cause| cause.verb == verb)
    };
    let key = |(place, change): (usize, &Change)| {
        change.writes.keys().find(|key| key.kind == kind).map(|key| (place, key.clone()))
    };
    log.iter().enumerate().filter(|found| is_it(&found)).filter_map(key).collect()
}

#[tokio::test]
async fn the_same_input_gives_the_same_decisions() {
    let (world, log) = morning().await;
    let (tally, found) = replay(&world, &log, Decider::default(), Window::default()).unwrap();
    assert_eq!(found, []);
    assert_eq!(tally.not_compared, 0);
    assert!(tally.placements >= 6 && tally.chores >= 2, "{tally:?}");
    assert_eq!(tally.commits, u64::try_from(log.len()).unwrap());
    // A window leaves out what was decided before it, but not what was there.
    let from = crate::examples::start() + SignedDuration::from_mins(30);
    let late = Window { from, to: Timestamp::MAX };
    let (later, found) = replay(&world, &log, Decider::default(), late).unwrap();
    assert_eq!(found, []);
    assert!(later.placements > 0 && later.placements < tally.placements, "{later:?}");
}

#[tokio::test]
async fn what_was_tampered_with_is_named() {
    let (world, log) = morning().await;
    let proposed = steps(&log, "propose", RecordKind::Proposal);
    // A hold that lasts longer than the policy gives it.
    let (place, key) = &proposed[0];
    let longer =
        tampered(&log, *place, key, |proposal| proposal["held_until"] = "2026-11-23T22:00:00Z".into());
    let found = texts(&world, &longer, Decider::default());
    let revision = log[*place].revision;
    assert!(found[0].starts_with(&format!("{revision}: {key} differs: held_until is")), "{found:?}");
    // An explanation with other points.
    let kinder = tampered(&log, *place, key, |proposal| {
        proposal["explanation"]["burden"] = serde_json::json!({ "changed": true });
    });
    assert!(matches!(
        replay(&world, &kinder, Decider::default(), Window::default()),
        Err(LogFlaw::Unreadable { .. }) | Ok(_)
    ));
    // A need that was not as urgent as the log now says: what was decided for it no longer follows.
    let raised = steps(&log, "RaiseNeed", RecordKind::Need);
    let (place, key) = raised.iter().find(|(_, key)| &*key.id == "n3").unwrap();
    let calmer = tampered(&log, *place, key, |need| need["priority"] = "P4".into());
    let found = texts(&world, &calmer, Decider::default());
    assert!(
        found.iter().any(|text| text.contains("for need n3; the replay has nothing for it")),
        "{found:?}"
    );
    // An engine's step that nobody decided.
    let lapses = steps(&log, "lapse", RecordKind::Proposal);
    let supersedes = steps(&log, "supersede", RecordKind::Proposal);
    let (place, _) = lapses.first().or(supersedes.first()).unwrap();
    let mut other = log.clone();
    let mut cause: serde_json::Value = serde_json::from_slice(&other[*place].cause).unwrap();
    cause["verb"] = "expire_offer".into();
    other[*place].cause = serde_json::to_vec(&cause).unwrap().into();
    let found = texts(&world, &other, Decider::default());
    assert!(found[0].contains("the log has expire_offer of"), "{found:?}");
}

#[tokio::test]
async fn a_change_that_is_gone_is_a_gap() {
    let (world, mut log) = morning().await;
    log.remove(3);
    let flaw = replay(&world, &log, Decider::default(), Window::default()).unwrap_err();
    assert_eq!(flaw, LogFlaw::Gap { expected: Revision(4), found: Revision(5) });
}

#[tokio::test]
async fn another_engine_is_found_out() {
    let (world, log) = morning().await;
    fn nothing(_: &Facts) -> Vec<Placement> {
        Vec::new()
    }
    fn generous(facts: &Facts) -> Vec<Placement> {
        let mut planned = plan(facts);
        for suggest in planned.iter_mut().flat_map(|placement| &mut placement.suggest) {
            suggest.units = suggest.units.plus(1.into()).unwrap();
        }
        planned
    }
    /// Puts the last need first, so that what the log has first comes later.
    fn backwards(facts: &Facts) -> Vec<Placement> {
        let mut planned = plan(facts);
        for placement in &mut planned {
            placement.supersede.clear();
        }
        planned
    }
    fn idle(_: &Facts) -> Vec<fallow_matching::engine::Chore> {
        Vec::new()
    }
    let planner = |plan| Decider { plan, ..Decider::default() };
    let found = texts(&world, &log, planner(nothing));
    assert!(found[0].contains("for need n1; the replay has nothing for it"), "{found:?}");
    let found = texts(&world, &log, planner(generous));
    assert!(found[0].contains("1 of offer a for need n1; the replay has 2 of offer a"), "{found:?}");
    let found = texts(&world, &log, planner(backwards));
    assert!(!found.is_empty(), "who must yield was left out");
    let found = texts(&world, &log, Decider { chores: idle, ..Decider::default() });
    assert!(found[0].contains("the replay does not"), "{found:?}");
}

#[tokio::test]
async fn what_the_log_passed_over_is_found() {
    let world = World::new().await;
    world.beds("ZA1", "a", 9).await;
    // One more than a commit takes: the last has one of its own.
    let held: Vec<String> = (0..9).map(|case| format!("n{case} -> a")).collect();
    for case in 0..9 {
        let priority = if case < 8 { Priority::P1A } else { Priority::P3 };
        world.need("ZA4", &format!("n{case}"), priority).await;
    }
    let engine = world.engine();
    world.until_held(&held.iter().map(String::as_str).collect::<Vec<_>>()).await;
    engine.kill().await;
    let log = log_of(&world).await;
    assert_eq!(texts(&world, &log, Decider::default()), Vec::<String>::new());
    // An engine for which another, more urgent placement comes before what the log has.
    fn doubled(facts: &Facts) -> Vec<Placement> {
        let planned = plan(facts);
        let mut doubled = planned.clone();
        for placement in planned {
            doubled.insert(0, placement);
        }
        doubled
    }
    let found = texts(&world, &log, Decider { plan: doubled, ..Decider::default() });
    assert!(found.iter().any(|text| text.contains("first; the log does not")), "{found:?}");
    // A log that lacks one of the most urgent: neither those placed with it nor the one after it may go before it.
    let lacking = without(&log, "n0");
    let found = texts(&world, &lacking, Decider::default());
    assert_eq!(found.len(), 2, "{found:?}");
    for text in found {
        assert!(text.ends_with("the replay has 1 of offer a for need n0 first; the log does not"), "{text}");
    }
}

/// A log in which one need was never proposed anything: its proposal and its change of state are gone, and so are the
/// units held for it.
fn without(log: &[Change], need: &str) -> Vec<Change> {
    let mut log = log.to_vec();
    for (place, _) in steps(&log, "propose", RecordKind::Proposal) {
        log[place].writes.retain(|key, body| {
            let record = body.as_ref().map(|body| Record::decode(key.kind, body).unwrap());
            match record {
                Some(Record::Proposal(proposal)) => proposal.need.as_str() != need,
                _ => !(key.kind == RecordKind::Need && &*key.id == need),
            }
        });
        let offers = log[place].writes.keys().filter(|key| key.kind == RecordKind::Offer);
        for key in offers.cloned().collect::<Vec<_>>() {
            log = tampered(&log, place, &key, |offer| {
                let held = offer["figures"]["held"].as_u64().unwrap();
                offer["figures"]["held"] = (held - 1).into();
            });
        }
    }
    log
}

#[tokio::test]
async fn another_policy_is_held_against_the_log() {
    let (_world, log) = morning().await;
    let tell = |policy: Policy| {
        let mut trial =
            OtherPolicy::new(policy, Decider::default(), Window::default(), (Revision::ABSENT, &[])).unwrap();
        log.iter().for_each(|change| trial.take(change).unwrap());
        trial.finish()
    };
    // The same policy would have done the same for every need, at the same time.
    let keep = Policy { keep_points: 10, ..Policy::default() };
    let (stories, superseded) = tell(keep.clone());
    assert_eq!(stories.len(), 4);
    for story in &stories {
        assert_eq!(story.logged, story.other, "{story:?}");
    }
    assert!(superseded[0] > 0 && superseded[1] >= superseded[0], "{superseded:?}");
    // One that still asks a trust at OPEL 4.
    let bolder = Policy { opel_limit: 5, ..keep };
    let (stories, _) = tell(bolder);
    let last = stories.iter().find(|story| story.need.as_str() == "n4").unwrap();
    let asks_b = |verdict: &Option<fallow_matching::replay::Verdict>| {
        verdict.as_ref().unwrap().offers.iter().any(|offer| offer.as_str() == "b")
    };
    assert!(!asks_b(&last.logged) && asks_b(&last.other), "{last:?}");
}

/// Of one resource more is asked for than the engine places at a time, and all of it is more urgent than the other.
#[tokio::test]
async fn a_long_list_that_is_placed_a_little_at_a_time_replays() {
    let world = World::new().await;
    let cots = || beds("STEP_DOWN", None);
    let cot = OfferReport { resource: cots(), ..report("ZA2", "cot", 1, world.now()) };
    world.publish(cot).await;
    world.beds("ZA1", "beds", 40).await;
    let mut waiting: Vec<String> = (0..2 * AT_A_TIME).map(|case| format!("n{case:02}")).collect();
    for case in &waiting {
        world.need("ZA4", case, Priority::P1A).await;
    }
    let later = Need { resource: cots(), ..need("ZA4", "later", Priority::P4, world.now()) };
    world.raise(later, None).await;
    let _engine = world.engine();
    waiting = waiting.iter().map(|case| format!("{case} -> beds")).collect();
    waiting.insert(0, "later -> cot".to_owned());
    world.until_held(&waiting.iter().map(String::as_str).collect::<Vec<_>>()).await;
    world.rests().await;
    let log = log_of(&world).await;
    assert_eq!(texts(&world, &log, Decider::default()), Vec::<String>::new());
}
