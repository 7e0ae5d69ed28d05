use std::collections::BTreeMap;
use std::time::Duration;

use fallow_domain::actor::{ActorKind, Role};
use fallow_domain::ids::{Label, RegionId};
use fallow_domain::need::Need;
use fallow_domain::standing::RegionState;
use fallow_host::tasks::Tasks;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::{Of, Picture};
use fallow_ledger::record::{Record, region_key};
use fallow_ledger::{Commit, MemoryLedger, RecordKind};
use fallow_live::pages::PageKey;
use jiff::Timestamp;

use super::*;
use crate::engine::block;
use crate::engine::lease::Asking;
use crate::replay::{Decider, Replay, Window};

const AT: Timestamp = Timestamp::UNIX_EPOCH;
const SOON: Duration = Duration::from_secs(5);
/// A trust that asks and one that has three sites, each farther away than the last.
const REGION: &str = r#"
    region = { id = "Y99", name = "Small" }
    trust = [{ ods = "AAA", name = "A" }, { ods = "BBB", name = "B", reserve = { "BED/GA_ADULT" = KEPT } }]
    site = [{ code = "AAA01", trust = "AAA", name = "A", lat = 53, lon = -2, kind = "HOSPITAL" },
            { code = "BBB01", trust = "BBB", name = "B1", lat = 53, lon = -2, kind = "HOSPITAL" },
            { code = "BBB02", trust = "BBB", name = "B2", lat = 53.1, lon = -2, kind = "HOSPITAL" },
            { code = "BBB03", trust = "BBB", name = "B3", lat = 53.2, lon = -2, kind = "HOSPITAL" }]
    collaborative = [{ id = "beds", name = "Beds", kind = "ACUTE", members = ["AAA", "BBB"], shares = ["BED"] }]
"#;

fn in_time() -> bool {
    false
}

/// Adult beds of the trust that has them, at its first site.
fn offer(id: &str, staffed: u32) -> Record {
    offer_at(id, 1, "GA_ADULT", staffed)
}

fn offer_at(id: &str, site: u8, code: &str, staffed: u32) -> Record {
    let text = format!(
        r#"{{"id":"{id}","trust":"BBB","site":"BBB0{site}","resource":{{"kind":"BED","code":"{code}"}},
            "figures":{{"staffed":{staffed},"occupied":0,"blocked":0}},"window":{{"until":"1970-01-02T00:00:00Z"}},
            "state":"OPEN","reported_at":"1970-01-01T00:00:00Z","source":"FEED","cadence":"PT1H"}}"#
    );
    Record::Offer(serde_json::from_str(&text).unwrap())
}

fn need(id: &str, units: u32) -> Need {
    need_of(id, "GA_ADULT", "P2", units)
}

fn need_of(id: &str, code: &str, priority: &str, units: u32) -> Need {
    let text = format!(
        r#"{{"id":"{id}","trust":"AAA","site":"AAA01","resource":{{"kind":"BED","code":"{code}"}},"units":{units},
            "priority":"{priority}","listed_at":"1970-01-01T00:00:00Z","patient":{{"age":70}},"reason":"CAPACITY",
            "scope":"EPISODE_ONLY","state":"OPEN"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn region(kept: u32) -> Record {
    let by = fallow_domain::actor::Actor {
        subject: Label::parse("somebody").unwrap(),
        kind: ActorKind::Person,
        role: Role::PlatformAdmin,
        trust: None,
    };
    let toml = REGION.replace("KEPT", &kept.to_string());
    Record::Region(RegionState { toml, version: 1, modes: BTreeMap::new(), applied_at: AT, applied_by: by })
}

fn key_of(offer: &Record) -> Key {
    let Record::Offer(offer) = offer else { panic!("{offer:?} is no offer") };
    offer_key(&offer.id)
}

async fn put(live: &Live, records: Vec<(Key, Record)>) {
    let commit = records
        .into_iter()
        .fold(Commit::new(AT), |commit, (key, record)| commit.writing(key, record.encode()));
    live.ledger().commit(commit).await.unwrap();
    let (_, cursor) = live.ledger().snapshot().await.unwrap();
    assert!(live.picture().reached(cursor.revision(), SOON).await);
}

type Planned = (Live, Lease, Kept, Vec<Vec<Vec<Placement>>>);

/// Three needs for beds of a trust that keeps two for itself, and what the engine plans for them.
async fn planned(tasks: &Tasks) -> Planned {
    let offers = ["o-1", "o-2", "o-3", "o-4", "o-5", "o-6", "o-7", "o-8"].map(|id| offer(id, 10));
    planned_of(tasks, 2, offers.into(), ["n-1", "n-2", "n-3"].map(|id| need(id, 1)).into()).await
}

/// Needs for beds of a trust that keeps so many for itself, and what the engine plans for them.
async fn planned_of(tasks: &Tasks, reserve: u32, offers: Vec<Record>, needs: Vec<Need>) -> Planned {
    let (ledger, picture) = (Arc::new(MemoryLedger::new()), Arc::new(Picture::default()));
    let (followed, stopping) = (follow(ledger.clone(), picture.clone()), tasks.stopping());
    tasks.spawn("follower", async move {
        tokio::select! { () = followed => {}, () = stopping => {} }
    });
    let id = RegionId::parse("Y99").unwrap();
    let live = Live::new(id.clone(), ledger, picture, PageKey::new(b"test"));
    let needs = needs.into_iter().map(|need| (need_key(&need.id), Record::Need(need)));
    let offers = offers.into_iter().map(|offer| (key_of(&offer), offer));
    let records = offers.chain(needs).chain([(region_key(&id), region(reserve))]);
    put(&live, records.collect()).await;
    let holder = Label::parse("engine").unwrap();
    let asking = Asking { live: &live, holder: &holder, life: SOON, at: AT, steady: Duration::ZERO };
    let lease = asking.take(None).await.unwrap().expect("nobody has it");
    let (records, cursor) = live.picture().copy(Of::Kinds(&RecordKind::ALL)).unwrap();
    let mut kept = Kept::new(AT, cursor.revision(), &records).unwrap();
    kept.look(AT);
    let commits = block::in_commits(block::together(kept.placements(usize::MAX), kept.facts()));
    (live, lease, kept, commits)
}

/// The needs that have a proposal, and how many commits wrote one.
fn proposed(live: &Live) -> (Vec<String>, usize) {
    let held = live.picture().still().all(RecordKind::Proposal);
    let mut needs: Vec<String> = held
        .iter()
        .map(|(_, seen)| {
            let Record::Proposal(proposal) = &*seen.record else { panic!("{seen:?} is no proposal") };
            proposal.need.to_string()
        })
        .collect();
    needs.sort();
    let revisions: BTreeSet<Revision> = held.iter().map(|(_, seen)| seen.revision).collect();
    (needs, revisions.len())
}

#[tokio::test]
async fn what_is_planned_together_is_one_commit_and_reads_no_more_offers_than_show_the_reserve() {
    let tasks = Tasks::new();
    let (live, lease, kept, commits) = planned(&tasks).await;
    let calendar = WorkingCalendar::default();
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(commits.iter().map(Vec::len).collect::<Vec<_>>(), [3]);
    let groups: Vec<&[Placement]> = commits[0].iter().map(Vec::as_slice).collect();
    let reads = carrier.reads(&groups, &kept).unwrap();
    let read = reads.all.iter().filter(|key| key.kind == RecordKind::Offer).count();
    // Two beds are kept, three are taken, and there are to be eight to spare: two offers beside those that are taken of.
    assert!(read <= 5, "{:?}", reads.all);
    assert_eq!(carrier.place_many(&commits[0], &kept, &in_time).await.unwrap(), Carried::Done);
    assert_eq!(proposed(&live), (vec!["n-1".to_owned(), "n-2".to_owned(), "n-3".to_owned()], 1));
    tasks.stop();
}

#[tokio::test]
async fn what_changed_meanwhile_is_left_out_and_the_rest_is_one_commit() {
    let tasks = Tasks::new();
    let (live, lease, kept, commits) = planned(&tasks).await;
    let amended = need("n-3", 2);
    put(&live, vec![(need_key(&amended.id), Record::Need(amended))]).await;
    let calendar = WorkingCalendar::default();
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    // Where the lease is to be renewed first, there is no second try: what is left waits for the next look.
    assert_eq!(carrier.place_many(&commits[0], &kept, &|| true).await.unwrap(), Carried::Done);
    assert_eq!(proposed(&live), (vec![], 0));
    assert_eq!(carrier.place_many(&commits[0], &kept, &in_time).await.unwrap(), Carried::Done);
    assert_eq!(proposed(&live), (vec!["n-1".to_owned(), "n-2".to_owned()], 1));
    // Nothing is left of it all but what was overtaken.
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(carrier.place_many(&commits[0][2..3], &kept, &in_time).await.unwrap(), Carried::Overtaken);
    tasks.stop();
}

#[tokio::test]
async fn nothing_less_urgent_overtakes_a_need_that_changed_meanwhile() {
    let tasks = Tasks::new();
    let offers =
        vec![offer("o-1", 10), offer_at("o-2", 2, "GA_ADULT", 10), offer_at("o-3", 1, "STEP_DOWN", 3)];
    let needs = vec![
        need_of("n-1", "GA_ADULT", "P1A", 1),
        need_of("n-2", "GA_ADULT", "P1B", 1),
        need_of("n-3", "GA_ADULT", "P2", 1),
        need_of("n-4", "STEP_DOWN", "P2", 1),
    ];
    let (live, lease, kept, commits) = planned_of(&tasks, 0, offers, needs).await;
    assert_eq!(commits.iter().map(Vec::len).collect::<Vec<_>>(), [4]);
    let amended = need_of("n-2", "GA_ADULT", "P1B", 2);
    put(&live, vec![(need_key(&amended.id), Record::Need(amended))]).await;
    let calendar = WorkingCalendar::default();
    // Where each is tried for itself, what is behind it waits as well.
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(carrier.place_many(&commits[0][1..2], &kept, &in_time).await.unwrap(), Carried::Overtaken);
    assert_eq!(carrier.place_many(&commits[0][2..3], &kept, &in_time).await.unwrap(), Carried::Skipped);
    assert_eq!(proposed(&live), (vec![], 0));
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(carrier.place_many(&commits[0], &kept, &in_time).await.unwrap(), Carried::Done);
    // What goes before it is placed, and so is what takes of something else.
    assert_eq!(proposed(&live), (vec!["n-1".to_owned(), "n-4".to_owned()], 1));
    // Nor does it in a later commit on the same look.
    assert_eq!(carrier.place_many(&commits[0][2..3], &kept, &in_time).await.unwrap(), Carried::Skipped);
    assert_eq!(proposed(&live), (vec!["n-1".to_owned(), "n-4".to_owned()], 1));
    // A replay does not miss what waited.
    let (_, now) = live.ledger().snapshot().await.unwrap();
    let log = live.ledger().changes(&now.at(Revision::ABSENT), 100, Duration::ZERO).await.unwrap();
    let mut replay =
        Replay::new(&calendar, Decider::default(), Window::default(), (Revision::ABSENT, &[])).unwrap();
    for change in &log.changes {
        assert_eq!(replay.take(change).unwrap(), [] as [_; 0]);
    }
    assert_eq!((replay.tally().placements, replay.tally().not_compared), (1, 0));
    tasks.stop();
}

#[tokio::test]
async fn an_engine_that_has_lost_its_lease_places_nothing() {
    let tasks = Tasks::new();
    let (live, lease, kept, commits) = planned(&tasks).await;
    let other = Label::parse("other").unwrap();
    let asking = Asking { live: &live, holder: &other, life: SOON, at: AT, steady: Duration::ZERO };
    let shown = live.picture().get(&lease_key()).unwrap().revision;
    asking.take(Some(shown)).await.unwrap().expect("it has run out");
    let calendar = WorkingCalendar::default();
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(carrier.place_many(&commits[0], &kept, &in_time).await.unwrap(), Carried::LeaseLost);
    assert_eq!(proposed(&live), (vec![], 0));
    tasks.stop();
}

#[tokio::test]
async fn what_its_own_commits_took_counts_against_the_reserve() {
    let tasks = Tasks::new();
    // The nearest offer has enough for all, and at first shows the reserve alone.
    let far = ["o-2", "o-3", "o-4", "o-5"].map(|id| offer_at(id, 3, "GA_ADULT", 10));
    let offers = [offer("o-1", 30)].into_iter().chain(far).collect();
    let names: Vec<String> = (10..34).map(|case| format!("n-{case}")).collect();
    let needs = names.iter().map(|id| need(id, 1)).collect();
    let (live, lease, kept, commits) = planned_of(&tasks, 10, offers, needs).await;
    assert_eq!(commits.iter().map(Vec::len).collect::<Vec<_>>(), [8, 8, 8]);
    let calendar = WorkingCalendar::default();
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    for commit in &commits {
        assert_eq!(carrier.place_many(commit, &kept, &in_time).await.unwrap(), Carried::Done);
    }
    assert_eq!(proposed(&live), (names, 3));
    tasks.stop();
}

#[tokio::test]
async fn what_others_took_is_made_up_for_by_offers_not_read_at_first() {
    let tasks = Tasks::new();
    let farther = [offer_at("o-2", 2, "GA_ADULT", 30), offer_at("o-3", 3, "GA_ADULT", 20)];
    let offers = [offer("o-1", 2)].into_iter().chain(farther).collect();
    let (live, lease, kept, commits) = planned_of(&tasks, 10, offers, vec![need("n-1", 1)]).await;
    let calendar = WorkingCalendar::default();
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    let groups: Vec<&[Placement]> = commits[0].iter().map(Vec::as_slice).collect();
    let third = key_of(&offer_at("o-3", 3, "GA_ADULT", 20));
    assert!(!carrier.reads(&groups, &kept).unwrap().all.contains(&third));
    let emptied = offer_at("o-2", 2, "GA_ADULT", 0);
    put(&live, vec![(key_of(&emptied), emptied)]).await;
    assert_eq!(carrier.place_many(&commits[0], &kept, &in_time).await.unwrap(), Carried::Done);
    assert_eq!(proposed(&live), (vec!["n-1".to_owned()], 1));
    tasks.stop();
}

#[tokio::test]
async fn nothing_less_urgent_takes_what_a_need_was_just_refused() {
    let tasks = Tasks::new();
    let offers = vec![
        offer("o-1", 2),
        offer_at("o-2", 2, "GA_ADULT", 2),
        offer_at("o-3", 3, "GA_ADULT", 12),
        offer_at("o-4", 1, "STEP_DOWN", 3),
    ];
    let needs = vec![
        need_of("n-1", "GA_ADULT", "P1A", 2),
        need_of("n-2", "GA_ADULT", "P2", 1),
        need_of("n-3", "STEP_DOWN", "P2", 1),
    ];
    let (live, lease, kept, commits) = planned_of(&tasks, 10, offers, needs).await;
    let planned: Vec<String> = commits[0]
        .iter()
        .flatten()
        .map(|placement| format!("{} -> {}", placement.need, placement.suggest[0].offer))
        .collect();
    assert_eq!(planned, ["n-1 -> o-1", "n-2 -> o-2", "n-3 -> o-4"]);
    // Room for one bed above the reserve, in the end, and two are wanted first.
    let fewer = offer_at("o-3", 3, "GA_ADULT", 7);
    put(&live, vec![(key_of(&fewer), fewer)]).await;
    let calendar = WorkingCalendar::default();
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(carrier.place_many(&commits[0], &kept, &in_time).await.unwrap(), Carried::Done);
    assert_eq!(proposed(&live), (vec!["n-3".to_owned()], 1));
    // A replay does not miss what waited.
    let (_, now) = live.ledger().snapshot().await.unwrap();
    let log = live.ledger().changes(&now.at(Revision::ABSENT), 100, Duration::ZERO).await.unwrap();
    let mut replay =
        Replay::new(&calendar, Decider::default(), Window::default(), (Revision::ABSENT, &[])).unwrap();
    for change in &log.changes {
        assert_eq!(replay.take(change).unwrap(), []);
    }
    assert_eq!((replay.tally().placements, replay.tally().not_compared), (1, 0));
    // Nor does it in a later commit on the same look, nor where each is tried for itself.
    assert_eq!(carrier.place_many(&commits[0][1..2], &kept, &in_time).await.unwrap(), Carried::Skipped);
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(carrier.place_many(&commits[0][..2], &kept, &in_time).await.unwrap(), Carried::Skipped);
    assert_eq!(proposed(&live), (vec!["n-3".to_owned()], 1));
    tasks.stop();
}
