//! What each step of a case leaves in the store: measured over a real Redis, printed, and bounded, so that nobody adds a
//! kilobyte to each change without noticing.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use fallow_api::v1::{self, need, transfer};
use fallow_ledger::{Change, Key, Revision};

use crate::people::User;
use crate::wire;
use crate::world::World;

/// Cases over which the figures are averaged.
const CASES: u64 = 10;

/// Bytes that a step leaves: in `live` and in `log` of names, bodies and causes, and in `outcomes` of the store's memory.
type Sizes = [i64; 3];

/// The most that a step may leave in each. Some twice of what was measured, see docs/limits.md.
const BOUNDS: [(&str, Sizes); 7] = [
    ("publish an offer", [2_000, 3_000, 5_000]),
    ("adjust an offer", [500, 3_000, 5_000]),
    ("raise a need, propose and hold", [7_000, 14_000, 5_000]),
    ("first yes", [1_500, 8_000, 5_000]),
    ("second yes", [4_000, 14_000, 5_000]),
    ("arrive", [3_000, 24_000, 15_000]),
    ("complete", [1_500, 8_000, 5_000]),
];

/// What the store holds.
#[derive(Clone, Copy, Default)]
struct Held {
    live: u64,
    /// Of all of the log so far.
    log: u64,
    outcomes: u64,
    revision: u64,
}

async fn held(world: &World, before: Held) -> Held {
    let keeper = world.keeper().await;
    let (records, head) = keeper.snapshot().await.unwrap();
    let name = |key: &Key| key.to_string().len() as u64;
    let live = records.iter().map(|record| name(&record.key) + record.body.len() as u64).sum();
    let page = keeper.changes(&head.at(Revision(before.revision)), 1_000, Duration::ZERO).await.unwrap();
    let write =
        |(key, body): (&Key, &Option<Bytes>)| name(key) + body.as_ref().map_or(0, |body| body.len() as u64);
    let change = |change: &Change| change.cause.len() as u64 + change.writes.iter().map(write).sum::<u64>();
    let log = before.log + page.changes.iter().map(change).sum::<u64>();
    let [_, _, outcomes] = world.store_bytes().await;
    Held { live, log, outcomes, revision: page.cursor.revision().0 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_what_each_step_leaves_in_the_store() {
    let world = World::over_redis().await;
    let (giver, taker) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA4"));
    let mut grown: BTreeMap<&str, Sizes> = BTreeMap::new();
    let mut before = held(&world, Held::default()).await;
    let mut step = async |name: &'static str| {
        let after = held(&world, before).await;
        let by = |after: u64, before: u64| after.cast_signed() - before.cast_signed();
        let sum = grown.entry(name).or_default();
        sum[0] += by(after.live, before.live);
        sum[1] += by(after.log, before.log);
        sum[2] += by(after.outcomes, before.outcomes);
        before = after;
    };
    for case in 0..CASES {
        let offer = giver.publish_beds("ZA101", 1).await;
        step("publish an offer").await;
        giver.adjust(&offer, 1).await;
        step("adjust an offer").await;
        let raised = taker.raise(wire::need("ZA401", &format!("case {case}"), 1)).await;
        let proposed = taker.proposal_of(&raised).await;
        step("raise a need, propose and hold").await;
        giver.accept(&proposed).await;
        step("first yes").await;
        let planned = taker.accept(&proposed).await.transfer.expect("the second yes makes the transfer");
        step("second yes").await;
        arrive(&giver, &taker, &planned).await;
        taker.need_in(&raised, need::State::Met).await;
        step("arrive").await;
        giver.advance(&planned, transfer::State::Completed, &[]).await.unwrap();
        step("complete").await;
    }
    println!("| step | live | log | outcomes |\n|---|---|---|---|");
    for (name, bound) in BOUNDS {
        let mean = grown[name].map(|sum| sum / CASES.cast_signed());
        println!("| {name} | {} | {} | {} |", mean[0], mean[1], mean[2]);
        assert!(
            mean.iter().zip(bound).all(|(is, most)| *is <= most),
            "{name} leaves {mean:?}, at most {bound:?}"
        );
    }
    let [live, log, _] = world.store_bytes().await;
    println!("memory: live {live} for {}, log {log} for {}", before.live, before.log);
    world.finish().await;
}

/// Takes a transfer over its checklist and its way to its arrival.
async fn arrive(giver: &User, taker: &User, planned: &v1::Transfer) {
    use transfer::State;
    let names: Vec<&str> = planned.checklist.iter().map(|item| item.name.as_str()).collect();
    taker.advance(planned, State::Ready, &names).await.unwrap();
    taker.advance(planned, State::InTransit, &[]).await.unwrap();
    giver.advance(planned, State::Arrived, &[]).await.unwrap();
}
