//! The archive as a witness: what its word does to a ledger whose server restarted while nobody else was left.

use std::time::Duration;

use fallow_ledger::{Archived, Attested, Commit, Keeper, Key, Ledger, Outcome, RecordKind, RequestKey};
use fallow_ledger::{Revision, Seen, Trouble};
use fallow_ledger_redis::seal::Standing;
use fallow_ledger_redis::testing::{RedisServer, until};
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::Timestamp;

const REGION: &str = "north-vale";
const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);

/// A process that waits for nobody who is silent.
fn hasty() -> Options {
    Options { durability: Durability::Unsafe, settle: Duration::ZERO, ..Options::default() }
}

async fn process(server: &RedisServer, options: Options) -> RedisLedger {
    RedisLedger::connect(&server.url(), REGION, options).await.expect("a ledger")
}

async fn commit(ledger: &RedisLedger, id: u64) -> Result<Outcome, Trouble> {
    let id = id.to_string();
    let commit = Commit::new(AT).writing(Key::new(RecordKind::Offer, "1"), id.clone());
    ledger.commit(commit.requested(RequestKey::new("ZA1", id.clone(), id.as_bytes()), "done")).await
}

/// As [`commit`], again while the store is too slow to take it.
async fn settled(ledger: &RedisLedger, id: u64) -> Result<Outcome, Trouble> {
    loop {
        match commit(ledger, id).await {
            Err(Trouble::Unavailable { .. }) => {}
            answer => return answer,
        }
    }
}

/// What an archive has seen that has archived all there is.
async fn seen(ledger: &RedisLedger) -> Seen {
    let Ok(Attested::Open { line, .. }) = ledger.attest(None).await else { panic!("it is not open") };
    Seen { cursor: ledger.reach().await.expect("a reach").head, line: Some(line) }
}

/// Speaks for the archive as often as it takes to have waited for the silent. Says whether the ledger opened.
async fn opens(server: &RedisServer, options: Options, seen: &Seen) -> bool {
    let archive = process(server, options).await;
    let mut closed = 0;
    while closed < 3 {
        match archive.attest(Some(seen)).await {
            Ok(Attested::Open { .. }) => return true,
            Ok(Attested::Closed { .. }) => closed += 1,
            Err(trouble) => assert!(trouble.is_passing(), "{trouble}"),
        }
    }
    false
}

/// A server on which so many commits were made by a process that then died with it, and what the archive had seen then.
async fn after_a_restart_of_everything(commits: u64) -> (RedisServer, Seen) {
    let mut server = RedisServer::start_durable().await;
    let writer = process(&server, hasty()).await;
    for id in 1..=commits {
        commit(&writer, id).await.expect("a commit");
    }
    let seen = seen(&writer).await;
    drop(writer);
    server.restart().await;
    (server, seen)
}

async fn standing(server: &RedisServer) -> Standing {
    process(server, hasty()).await.status().await.expect("a status").standing
}

#[tokio::test]
async fn an_archive_that_has_everything_opens_the_ledger_when_nobody_else_is_left() {
    let (mut server, seen) = after_a_restart_of_everything(2).await;
    let fresh = process(&server, hasty()).await;
    assert!(matches!(settled(&fresh, 3).await, Err(Trouble::Sealed { .. })), "nobody has spoken");
    assert!(!fresh.writes_ok());
    assert!(opens(&server, hasty(), &seen).await);
    until("it is seen by itself", async || fresh.writes_ok()).await;
    until("writes go on", async || commit(&fresh, 3).await.is_ok()).await;

    // And again, though nothing was written since it opened: what the archive has seen is the opening.
    let seen = self::seen(&fresh).await;
    drop(fresh);
    server.restart().await;
    assert!(opens(&server, hasty(), &seen).await);
}

#[tokio::test]
async fn an_archive_that_lacks_what_the_store_has_cannot_show_that_nothing_more_is_missing() {
    let (server, seen) = after_a_restart_of_everything(3).await;
    let behind = Seen { cursor: seen.cursor.at(Revision(2)), ..seen };
    assert!(!opens(&server, hasty(), &behind).await);
    assert!(matches!(standing(&server).await, Standing::Waiting(_)), "it may yet be shown by another");
    // Where an OK waits for the archive, nothing that the archive lacks was acknowledged.
    assert!(opens(&server, Options { strict_archive: true, ..hasty() }, &behind).await);
}

#[tokio::test]
async fn what_an_archive_read_after_the_restart_is_no_witness() {
    let (server, seen) = after_a_restart_of_everything(2).await;
    // Of an archive that does not know on which line it read, or read on one that ended: all of it, but when?
    let unseen = Seen { line: None, ..seen.clone() };
    assert!(!opens(&server, hasty(), &unseen).await, "a place of the history says nothing of its last line");
    assert!(opens(&server, hasty(), &seen).await);
    let late = process(&server, hasty()).await;
    commit(&late, 3).await.expect("it is open");
    let head = late.reach().await.expect("a reach").head;
    drop(late);
    let mut server = server;
    server.restart().await;
    let of_another_line = Seen { cursor: head.at(Revision(2)), ..seen };
    assert!(!opens(&server, hasty(), &of_another_line).await, "it was not there when the third was written");
}

#[tokio::test]
async fn a_store_that_lacks_what_the_archive_has_is_closed_for_good() {
    let (server, seen) = after_a_restart_of_everything(2).await;
    let more = Seen { cursor: seen.cursor.at(Revision(3)), ..seen.clone() };
    assert!(!opens(&server, hasty(), &more).await);
    assert!(matches!(standing(&server).await, Standing::Closed(_)));
    assert!(!opens(&server, hasty(), &seen).await, "nobody's word opens it again");
}

#[tokio::test]
async fn a_region_that_is_rebuilt_goes_on_from_where_its_archive_saw_it() {
    let (server, seen) = after_a_restart_of_everything(2).await;
    let (records, head) = process(&server, hasty()).await.snapshot().await.expect("a snapshot");
    server.command(&["FLUSHALL"]).await;
    // The archive comes first, and closes the empty store.
    assert!(!opens(&server, hasty(), &seen).await);
    let note = Archived { cursor: head, chain: [7; 32], at: AT };
    let operator = process(&server, hasty()).await;
    operator.restore(&records, &note, seen.line.as_deref()).await.expect("it is filled");
    assert!(opens(&server, hasty(), &seen).await);
    let more = Seen { cursor: seen.cursor.at(Revision(3)), ..seen };
    assert!(!opens(&server, hasty(), &more).await, "another copy of the archive has more than was restored");
}

#[tokio::test]
async fn in_strict_mode_an_ok_waits_for_the_archive() {
    let server = RedisServer::start_durable().await;
    let archive = process(&server, hasty()).await;
    let strict = async |seconds| {
        let response_timeout = Duration::from_secs(seconds);
        process(&server, Options { strict_archive: true, response_timeout, ..hasty() }).await
    };
    let (brief, patient) = (strict(1).await, strict(60).await);
    let unknown = |answer: &Result<Outcome, Trouble>| matches!(answer, Err(Trouble::Unknown { .. }));
    assert!(unknown(&settled(&brief, 1).await), "nothing is archived");
    assert!(unknown(&settled(&brief, 1).await), "nor when it is asked again");
    let note = async |revision: u64| {
        let cursor = archive.reach().await.expect("a reach").head.at(Revision(revision));
        archive.archived(&Archived { cursor, chain: [7; 32], at: AT }).await.expect("it is noted");
    };
    note(1).await;
    let known = commit(&patient, 1).await;
    assert!(matches!(known, Ok(Outcome::Replayed { revision: Revision(1), .. })), "{known:?}");
    assert!(unknown(&settled(&brief, 2).await), "the second is not");
    // It is told while it waits.
    let (answer, ()) = tokio::join!(commit(&patient, 3), async {
        let head = async || archive.reach().await.expect("a reach").head.revision();
        until("it is committed", async || head().await == Revision(3)).await;
        note(3).await;
    });
    assert_eq!(answer, Ok(Outcome::Committed { revision: Revision(3) }));
}

#[tokio::test]
async fn in_strict_mode_the_archive_hears_at_once_what_the_replicas_hold() {
    let server = RedisServer::start_durable().await;
    let replica = server.start_replica(&[]).await;
    server.has_replicas(1).await;
    let options = Options { replicas: 1, response_timeout: Duration::from_secs(60), ..hasty() };
    // Nothing but the commit that waits tells the store what is kept.
    let never = Duration::from_secs(3_600);
    let strict = Options { strict_archive: true, look_every: never, ..options.clone() };
    let (archive, strict) = (process(&server, options).await, process(&server, strict).await);
    let (answer, ()) = tokio::join!(commit(&strict, 1), async {
        until("it is known to be kept", async || {
            matches!(archive.attest(None).await, Ok(Attested::Open { kept: Revision(1), .. }))
        })
        .await;
        let cursor = archive.reach().await.expect("a reach").head;
        archive.archived(&Archived { cursor, chain: [7; 32], at: AT }).await.expect("it is noted");
    });
    assert_eq!(answer, Ok(Outcome::Committed { revision: Revision(1) }));
    drop(replica);
}
