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
use fallow_ledger::{Commit, Ledger as _, MemoryLedger, RecordKind};
use fallow_live::pages::PageKey;
use jiff::Timestamp;

use super::*;
use crate::engine::lease::Asking;
use crate::engine::{AT_A_TIME, block};

const AT: Timestamp = Timestamp::UNIX_EPOCH;
const SOON: Duration = Duration::from_secs(5);
const REGION: &str = r#"
    region = { id = "Y99", name = "Small" }
    trust = [{ ods = "AAA", name = "A" }, { ods = "BBB", name = "B", reserve = { "BED/GA_ADULT" = 2 } }]
    site = [{ code = "AAA01", trust = "AAA", name = "A", lat = 53, lon = -2, kind = "HOSPITAL" },
            { code = "BBB01", trust = "BBB", name = "B", lat = 53, lon = -2, kind = "HOSPITAL" }]
    collaborative = [{ id = "beds", name = "Beds", kind = "ACUTE", members = ["AAA", "BBB"], shares = ["BED"] }]
"#;

fn offer(id: &str, staffed: u32) -> Record {
    let text = format!(
        r#"{{"id":"{id}","trust":"BBB","site":"BBB01","resource":{{"kind":"BED","code":"GA_ADULT"}},
            "figures":{{"staffed":{staffed},"occupied":0,"blocked":0}},"window":{{"until":"1970-01-02T00:00:00Z"}},
            "state":"OPEN","reported_at":"1970-01-01T00:00:00Z","source":"FEED","cadence":"PT1H"}}"#
    );
    Record::Offer(serde_json::from_str(&text).unwrap())
}

fn need(id: &str, units: u32) -> Need {
    let text = format!(
        r#"{{"id":"{id}","trust":"AAA","site":"AAA01","resource":{{"kind":"BED","code":"GA_ADULT"}},"units":{units},
            "priority":"P2","listed_at":"1970-01-01T00:00:00Z","patient":{{"age":70}},"reason":"CAPACITY",
            "scope":"EPISODE_ONLY","state":"OPEN"}}"#
    );
    serde_json::from_str(&text).unwrap()
}

fn region() -> Record {
    let by = fallow_domain::actor::Actor {
        subject: Label::parse("somebody").unwrap(),
        kind: ActorKind::Person,
        role: Role::PlatformAdmin,
        trust: None,
    };
    let toml = REGION.to_owned();
    Record::Region(RegionState { toml, version: 1, modes: BTreeMap::new(), applied_at: AT, applied_by: by })
}

async fn put(live: &Live, records: Vec<(Key, Record)>) {
    let commit = records
        .into_iter()
        .fold(Commit::new(AT), |commit, (key, record)| commit.writing(key, record.encode()));
    live.ledger().commit(commit).await.unwrap();
    let (_, cursor) = live.ledger().snapshot().await.unwrap();
    assert!(live.picture().reached(cursor.revision(), SOON).await);
}

/// Three needs for beds of a trust that keeps two for itself, and what the engine plans for them.
async fn planned(tasks: &Tasks) -> (Live, Lease, Kept, Vec<Vec<Vec<Placement>>>) {
    let (ledger, picture) = (Arc::new(MemoryLedger::new()), Arc::new(Picture::default()));
    let (followed, stopping) = (follow(ledger.clone(), picture.clone()), tasks.stopping());
    tasks.spawn("follower", async move {
        tokio::select! { () = followed => {}, () = stopping => {} }
    });
    let id = RegionId::parse("Y99").unwrap();
    let live = Live::new(id.clone(), ledger, picture, PageKey::new(b"test"));
    let offers = ["o-1", "o-2", "o-3", "o-4", "o-5", "o-6", "o-7", "o-8"]
        .map(|id| (offer_key(&OfferId::parse(id).unwrap()), offer(id, 10)));
    let needs = ["n-1", "n-2", "n-3"].map(|id| need(id, 1));
    let needs = needs.map(|need| (need_key(&need.id), Record::Need(need)));
    let records = offers.into_iter().chain(needs).chain([(region_key(&id), region())]);
    put(&live, records.collect()).await;
    let holder = Label::parse("engine").unwrap();
    let asking = Asking { live: &live, holder: &holder, life: SOON, at: AT, steady: Duration::ZERO };
    let lease = asking.take(None).await.unwrap().expect("nobody has it");
    let (records, cursor) = live.picture().copy(Of::Kinds(&RecordKind::ALL)).unwrap();
    let mut kept = Kept::new(AT, cursor.revision(), &records).unwrap();
    kept.look(AT);
    let commits = block::in_commits(block::together(kept.placements(AT_A_TIME), kept.facts()));
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
    assert_eq!(carrier.place_many(&commits[0], &kept).await.unwrap(), Carried::Done);
    assert_eq!(proposed(&live), (vec!["n-1".to_owned(), "n-2".to_owned(), "n-3".to_owned()], 1));
    tasks.stop();
}

#[tokio::test]
async fn what_changed_meanwhile_is_left_out_and_the_rest_is_one_commit() {
    let tasks = Tasks::new();
    let (live, lease, kept, commits) = planned(&tasks).await;
    let amended = need("n-2", 2);
    put(&live, vec![(need_key(&amended.id), Record::Need(amended))]).await;
    let calendar = WorkingCalendar::default();
    let mut carrier = Carrier::new(&live, &lease, &calendar, &kept);
    assert_eq!(carrier.place_many(&commits[0], &kept).await.unwrap(), Carried::Done);
    assert_eq!(proposed(&live), (vec!["n-1".to_owned(), "n-3".to_owned()], 1));
    // Nothing is left of it all but what was overtaken.
    assert_eq!(carrier.place_many(&commits[0][1..2], &kept).await.unwrap(), Carried::Skipped);
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
    assert_eq!(carrier.place_many(&commits[0], &kept).await.unwrap(), Carried::LeaseLost);
    assert_eq!(proposed(&live), (vec![], 0));
    tasks.stop();
}
