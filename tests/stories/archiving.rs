//! A region beside its archive: what is archived is what happened, what is trimmed is missed by nobody, and a region that
//! was lost is rebuilt and goes on.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fallow_api::reasons;
use fallow_api::v1::{self, need};
use fallow_archive::archivist::{Archivist, Keep};
use fallow_archive::auditor::Auditor;
use fallow_archive::export::Line;
use fallow_archive::identifiers::{Look, Suspicion};
use fallow_archive::verify::{Against, Report, Told, Witness, verify};
use fallow_archive::{Disk, Settings, SigningKey};
use fallow_ledger::record::Record;
use fallow_ledger::state::{State, digest};
use fallow_ledger::{Cursor, Keeper, Ledger, Revision, Versioned};
use jiff::SignedDuration;
use tonic::Code;

use crate::wire;
use crate::world::{World, soon};

/// Holds the whole log of a ledger against every rule, step by step and as a whole: what every story ends with.
pub(crate) async fn no_rule_is_broken(ledger: &dyn Ledger) {
    let (records, now) = ledger.snapshot().await.unwrap();
    let mut auditor = Auditor::default();
    let mut cursor = now.at(Revision::ABSENT);
    while cursor.revision() < now.revision() {
        let page = ledger.changes(&cursor, 1_000, Duration::ZERO).await.unwrap();
        cursor = page.cursor;
        for change in page.changes.iter().filter(|change| change.revision <= now.revision()) {
            assert_eq!(auditor.take(change), []);
        }
    }
    assert_eq!(auditor.check(), []);
    assert_eq!(auditor.compare(&records), []);
}

fn settings(folder: &Path, key: &SigningKey) -> Settings {
    Settings {
        folder: folder.to_owned(),
        region: "north-vale".into(),
        segment_bytes: 20_000,
        segment_age: SignedDuration::from_hours(1),
        key: Some(key.clone()),
    }
}

/// Archives all there is, as the role does, and returns what a reader finds: it goes on without a break.
async fn archived(world: &World, folder: &Path, key: &SigningKey, keep: Keep) -> Report {
    let report = archived_anew(world, folder, key, keep).await;
    assert_eq!(report.breaks, []);
    report
}

/// As [`archived`], where the archive may begin again behind another history.
async fn archived_anew(world: &World, folder: &Path, key: &SigningKey, keep: Keep) -> Report {
    let keeper = world.keeper().await;
    let mut archivist = Archivist::new(keeper.clone(), settings(folder, key), Disk::default(), keep);
    let head = keeper.snapshot().await.unwrap().1.revision();
    let caught_up = async {
        while archivist.step(world.now(), Duration::ZERO).await.unwrap().archived.cursor.revision() < head {}
        archivist.step(world.now(), Duration::ZERO).await.unwrap();
    };
    soon("the archive", caught_up).await;
    let witnesses = keeper.reach().await.unwrap().archived.iter().map(Witness::store).collect();
    let report = verify(folder, &Against { keys: vec![key.public()], witnesses }, &mut |_| {}).unwrap();
    assert_eq!(report.findings, []);
    report
}

/// As [`archived`], until the archive has all that the ledger has, for services write by themselves now and then.
/// Returns what a reader finds, and what the ledger held then.
async fn archived_whole(
    world: &World,
    folder: &Path,
    key: &SigningKey,
    keep: Keep,
) -> (Report, Vec<Versioned>, Cursor) {
    let whole = async {
        loop {
            let report = archived(world, folder, key, keep).await;
            let (records, head) = world.keeper().await.snapshot().await.unwrap();
            if report.last.as_ref().map(|last| last.cursor()) == Some(head.clone()) {
                break (report, records, head);
            }
        }
    };
    soon("an archive of the whole log", whole).await
}

/// A bed is offered and a need raised, both trusts say yes.
async fn trade(world: &World, case: &str) -> v1::Need {
    let (giver, taker) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA4"));
    giver.publish_beds("ZA101", 3).await;
    let need = taker.raise(wire::need("ZA401", case, 1)).await;
    let proposed = taker.proposal_of(&need).await;
    giver.accept(&proposed).await;
    taker.accept(&proposed).await;
    taker.need_in(&need, need::State::Agreed).await
}

const ALL: Keep = Keep { age: SignedDuration::from_hours(24), changes: 0 };

async fn an_archive_says_what_happened(world: World) {
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate().unwrap());
    trade(&world, "LC-118").await;
    archived(&world, folder.path(), &key, ALL).await;
    trade(&world, "LC-119").await;
    let (report, records, head) = archived_whole(&world, folder.path(), &key, ALL).await;
    assert_eq!(report.state.unwrap().digest(), digest(&records));
    let lines = exported(folder.path());
    assert_eq!(lines.len() as u64, head.revision().0);
    let raised = lines.iter().find(|line| line.verb == "RaiseNeed").expect("a line for the need");
    assert_eq!(raised.by, "bed-manager.ZA4");
    assert!(raised.text().contains("1 x BED/"), "{}", raised.text());
    assert!(raised.concerns("ZA4".parse().unwrap()) && !raised.concerns("ZA1".parse().unwrap()));
    let proposed = lines.iter().find(|line| line.text().contains("HELD")).expect("a line for the hold");
    assert!(proposed.concerns("ZA4".parse().unwrap()) && proposed.concerns("ZA1".parse().unwrap()));
    assert!(lines.iter().any(|line| line.text().contains("-> ")), "what changed is told");
    let (found, texts) = looked(folder.path());
    assert_eq!(found, [], "nothing that services write looks like a patient");
    assert!(texts > 50, "the region file alone has as many: {texts}");
    world.finish().await;
}

/// Looks for what could identify a patient.
fn looked(folder: &Path) -> (Vec<Suspicion>, u64) {
    let mut look = Look::default();
    let report = verify(folder, &Against::default(), &mut |told| match told {
        Told::Segment { .. } => {}
        Told::Snapshot(drawn) => look.snapshot(drawn),
        Told::Change { change, .. } => look.change(change),
    });
    assert_eq!(report.unwrap().findings, []);
    look.end()
}

fn exported(folder: &Path) -> Vec<Line> {
    let (mut state, mut lines) = (State::default(), Vec::new());
    verify(folder, &Against::default(), &mut |told| match told {
        Told::Segment { .. } => {}
        Told::Snapshot(drawn) => state = drawn.clone(),
        Told::Change { change, .. } => {
            lines.push(Line::of(change, |key| Record::decode(key.kind, state.get(key)?).ok()));
            state.apply(change).unwrap();
        }
    })
    .unwrap();
    lines
}

async fn what_is_trimmed_is_missed_by_nobody(mut world: World) {
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate().unwrap());
    trade(&world, "LC-118").await;
    let before = world.keeper().await.snapshot().await.unwrap().1;
    archived(&world, folder.path(), &key, ALL).await;
    let keeper = world.keeper().await;
    assert_eq!(keeper.reach().await.unwrap().oldest, Revision(1), "nothing has aged");
    world.pass(SignedDuration::from_hours(25));
    archived(&world, folder.path(), &key, ALL).await;
    let oldest = keeper.reach().await.unwrap().oldest;
    assert!(oldest > before.revision(), "the log begins at {oldest}, it was at {before}");
    // A process that starts afterwards knows nothing of a cursor from before; its watcher starts again and goes on.
    world.add_process().await;
    let taker = world.user_at(1, "bed-manager.ZA4");
    let request = v1::WatchNeedsRequest { cursor: before.to_string(), ..Default::default() };
    let gone = match taker.demand().watch_needs(request).await {
        Err(gone) => gone,
        Ok(told) => told.into_inner().message().await.unwrap_err(),
    };
    assert_eq!(gone.code(), Code::OutOfRange, "{gone}");
    assert!(
        gone.message().contains("cursor") || format!("{gone:?}").contains(reasons::CURSOR_GONE),
        "{gone}"
    );
    trade(&world, "LC-120").await;
    let (report, records, _) = archived_whole(&world, folder.path(), &key, ALL).await;
    assert_eq!(report.state.unwrap().digest(), digest(&records));
    world.end().await;
}

async fn a_region_that_was_lost_is_rebuilt_and_goes_on(mut world: World) {
    let (folder, key) = (tempfile::tempdir().unwrap(), SigningKey::generate().unwrap());
    trade(&world, "LC-118").await;
    world.stop_process(0).await;
    let report = archived(&world, folder.path(), &key, ALL).await;
    let (before, head) = world.keeper().await.snapshot().await.unwrap();
    let epoch = world.epoch().await;
    world.wipe().await;
    let keeper = world.keeper().await;
    let state = report.state.unwrap();
    let records: Vec<Versioned> = state.records().collect();
    let last = report.last.unwrap();
    keeper.restore(&records, &last.note(), last.line.as_deref()).await.unwrap();
    let (after, cursor) = keeper.snapshot().await.unwrap();
    assert_eq!(
        (digest(&after), cursor.revision()),
        (digest(&before), head.revision()),
        "the same, record by record"
    );
    assert_ne!(cursor.history(), head.history(), "a cursor from before goes nowhere");
    world.add_process().await;
    // The lease of the engine that was is in what was restored.
    world.until_taken_over(epoch).await;
    trade(&world, "LC-119").await;
    // The archive goes on in the same folder, and tells that another history begins.
    let report = archived_anew(&world, folder.path(), &key, ALL).await;
    assert_eq!(report.breaks.iter().map(|one| &one.before).collect::<Vec<_>>(), [&head]);
    assert!(report.last.unwrap().cursor().revision() > Revision(state.revision().0 + 3));
    world.end().await;
}

/// A record that was changed behind the ledger's back is found by the audit.
async fn what_is_changed_behind_the_log_is_found(world: World) {
    trade(&world, "LC-118").await;
    let keeper: Arc<dyn Keeper> = world.keeper().await;
    let (mut records, head) = keeper.snapshot().await.unwrap();
    let right = State::of(records.clone(), head.revision());
    let offer =
        records.iter_mut().find(|record| String::from_utf8_lossy(&record.body).contains("\"committed\":1"));
    let offer = offer.expect("an offer with a unit promised");
    offer.body = String::from_utf8_lossy(&offer.body).replace("\"committed\":1", "\"committed\":2").into();
    let name = offer.key.to_string();
    let rules: Vec<String> = Auditor::of(State::of(records.clone(), head.revision()))
        .check()
        .into_iter()
        .map(|b| b.rule)
        .collect();
    assert_eq!(rules, ["no_double_hold"], "two units stand for one transfer");
    let differing = Auditor::of(right.clone()).compare(&records);
    assert!(matches!(&differing[..], [one] if one.rule == "picture_equals_replay" && one.record == name));
    // What refers to something that is gone.
    let need = |record: &Versioned| record.key.kind == fallow_ledger::RecordKind::Need;
    let orphaned: Vec<Versioned> = right.records().filter(|record| !need(record)).collect();
    let broken = Auditor::of(State::of(orphaned, head.revision())).check();
    assert!(broken.iter().any(|broken| broken.rule == "no_orphans"), "{broken:?}");
    world.finish().await;
}

macro_rules! over_both {
    ($($story:ident),+ $(,)?) => {
        mod in_memory {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(crate::world::World::in_memory().await).await;
            })+
        }
        mod slow {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $story() {
                super::$story(crate::world::World::over_redis().await).await;
            })+
        }
    };
}

over_both!(
    an_archive_says_what_happened,
    what_is_trimmed_is_missed_by_nobody,
    a_region_that_was_lost_is_rebuilt_and_goes_on,
    what_is_changed_behind_the_log_is_found,
);
