//! What becomes of a ledger whose server restarts, is replaced, falls behind, or is tuned into losing data.

mod way;

use std::fs::OpenOptions;
use std::path::PathBuf;
use std::time::Duration;

use fallow_ledger::{Commit, Key, Ledger, Outcome, RecordKind, RequestKey, Revision, Trouble};
use fallow_ledger_redis::keys::Keys;
use fallow_ledger_redis::seal::{Acceptance, Standing};
use fallow_ledger_redis::testing::{RedisServer, until};
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::Timestamp;
use way::Way;

const REGION: &str = "north-vale";
const AT: Timestamp = Timestamp::constant(1_795_000_000, 0);
/// Longer than any test.
const NEVER: Duration = Duration::from_secs(3_600);

fn offer() -> Key {
    Key::new(RecordKind::Offer, "1")
}

fn requested(id: u64) -> Commit {
    let id = id.to_string();
    Commit::new(AT)
        .writing(offer(), id.clone())
        .requested(RequestKey::new("ZA1", id.clone(), id.as_bytes()), "done")
}

/// A process that settles for nobody and, unless it acts, looks at nothing.
fn still() -> Options {
    Options {
        durability: Durability::Unsafe,
        response_timeout: Duration::from_secs(2),
        settle: NEVER,
        look_every: NEVER,
        check_every: NEVER,
        ..Options::default()
    }
}

async fn process(url: &str, options: Options) -> RedisLedger {
    RedisLedger::connect(url, REGION, options).await.expect("a ledger")
}

/// A process that calls the roll often and has little patience with those who do not answer.
fn watchful(name: &str) -> Options {
    Options {
        name: name.to_owned(),
        look_every: Duration::from_millis(20),
        roll_every: Duration::from_millis(50),
        roll_wait: Duration::from_millis(200),
        ..still()
    }
}

/// Returns who is on record as a writer.
async fn writers(ledger: &RedisLedger) -> Vec<String> {
    ledger.status().await.expect("a status").found.seal.writers
}

/// How often a server ran a command, or refused to: `calls` or `rejected_calls`.
async fn counted(server: &RedisServer, command: &str, what: &str) -> u64 {
    let info = server.command(&["INFO", "commandstats"]).await;
    let info = redis::from_redis_value::<String>(info).expect("text");
    let line = info.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:")));
    let fields = line.unwrap_or_default().split(',');
    let found = fields.filter_map(|field| field.split_once('=')).find(|(name, _)| *name == what);
    found.map_or(0, |(_, number)| number.parse().expect("a number"))
}

/// Commits, and again while it is not known whether that was done.
async fn commits(ledger: &RedisLedger, id: u64) -> Result<Revision, Trouble> {
    loop {
        match ledger.commit(requested(id)).await {
            Ok(Outcome::Committed { revision } | Outcome::Replayed { revision, .. }) => return Ok(revision),
            Ok(other) => panic!("{other:?}"),
            Err(Trouble::Unknown { .. } | Trouble::Unavailable { .. }) => {}
            Err(trouble) => return Err(trouble),
        }
    }
}

async fn is_closed(ledger: &RedisLedger, id: u64) {
    let answer = commits(ledger, id).await;
    assert!(matches!(answer, Err(Trouble::Sealed { .. })), "{answer:?}");
}

async fn standing(ledger: &RedisLedger) -> Standing {
    ledger.status().await.expect("a status").standing
}

async fn body(ledger: &RedisLedger) -> String {
    let found = ledger.read(&[offer()]).await.expect("reads go on").pop().flatten().expect("a record");
    String::from_utf8_lossy(&found.body).into_owned()
}

/// Waits until a replica has so many commits.
async fn has_revision(replica: &RedisServer, revision: u64) {
    let meta = Keys::of(REGION).meta;
    until("the replica has it", async || {
        let found = replica.command(&["HGET", &meta, "revision"]).await;
        redis::from_redis_value::<Option<u64>>(found).expect("a number") == Some(revision)
    })
    .await;
}

/// The file to which a server appends what it writes.
fn log_file(server: &RedisServer) -> PathBuf {
    let folder = std::fs::read_dir(server.folder().join("appendonlydir")).expect("its folder");
    let mut files = folder.map(|entry| entry.expect("an entry").path());
    files.find(|path| path.to_string_lossy().ends_with(".incr.aof")).expect("the file of what was appended")
}

/// Restarts a server with its log cut back to a length that it had.
async fn restart_cut_to(server: &mut RedisServer, bytes: u64) {
    server.kill();
    let file = OpenOptions::new().write(true).open(log_file(server)).expect("the log");
    file.set_len(bytes).expect("it is cut");
    server.restart().await;
}

fn length(server: &RedisServer) -> u64 {
    log_file(server).metadata().expect("its length").len()
}

#[tokio::test]
async fn a_restart_of_the_same_server_opens_by_itself_once_all_writers_have_spoken() {
    let mut server = RedisServer::start_durable().await;
    let (one, two) = (process(&server.url(), still()).await, process(&server.url(), still()).await);
    assert_eq!(commits(&one, 1).await, Ok(Revision(1)));
    assert_eq!(commits(&two, 2).await, Ok(Revision(2)));
    server.restart().await;
    // The other has not spoken yet, and might know of more.
    is_closed(&one, 3).await;
    assert!(matches!(standing(&one).await, Standing::Waiting(_)));
    assert_eq!(commits(&two, 4).await, Ok(Revision(3)), "all have spoken");
    assert_eq!(commits(&one, 3).await, Ok(Revision(4)));
    let (_, cursor) = one.snapshot().await.unwrap();
    assert_eq!(cursor.revision(), Revision(4));
}

#[tokio::test]
async fn processes_that_only_look_speak_by_themselves() {
    let mut server = RedisServer::start_durable().await;
    let watchful = Options { look_every: Duration::from_millis(50), ..still() };
    let (one, two) = (process(&server.url(), still()).await, process(&server.url(), watchful).await);
    assert_eq!(commits(&one, 1).await, Ok(Revision(1)));
    assert_eq!(commits(&two, 2).await, Ok(Revision(2)));
    server.restart().await;
    until("the ledger is open again", async || commits(&one, 3).await == Ok(Revision(3))).await;
}

#[tokio::test]
async fn a_server_whose_log_is_cut_never_opens_while_its_writer_lives() {
    let mut server = RedisServer::start_durable().await;
    let ledger = process(&server.url(), still()).await;
    assert_eq!(commits(&ledger, 1).await, Ok(Revision(1)));
    let kept = length(&server);
    assert_eq!(commits(&ledger, 2).await, Ok(Revision(2)));
    restart_cut_to(&mut server, kept).await;
    is_closed(&ledger, 3).await;
    assert!(matches!(standing(&ledger).await, Standing::Closed(_)));
    assert_eq!(body(&ledger).await, "1", "reads go on");
    // Neither does a process that was not there open it, nor another restart.
    is_closed(&process(&server.url(), Options { settle: Duration::ZERO, ..still() }).await, 4).await;
    server.restart().await;
    is_closed(&ledger, 5).await;
}

#[tokio::test]
async fn a_server_whose_log_is_cut_never_opens_while_a_reader_of_it_lives() {
    let mut server = RedisServer::start_durable().await;
    let reader = process(&server.url(), still()).await;
    let writer = process(&server.url(), still()).await;
    assert_eq!(commits(&writer, 1).await, Ok(Revision(1)));
    let kept = length(&server);
    assert_eq!(commits(&writer, 2).await, Ok(Revision(2)));
    assert_eq!(body(&reader).await, "2");
    drop(writer);
    restart_cut_to(&mut server, kept).await;
    // It has never written, and what it knows it knows from one read.
    is_closed(&reader, 3).await;
    assert!(matches!(standing(&reader).await, Standing::Closed(_)));
}

#[tokio::test]
async fn what_a_process_has_read_that_only_looks_on_is_not_held_against_the_store() {
    let mut server = RedisServer::start_durable().await;
    let onlooker = Options { looks_on: true, look_every: Duration::from_millis(10), ..still() };
    let onlooker = process(&server.url(), onlooker).await;
    assert_eq!(
        onlooker.snapshot().await,
        Err(Trouble::Unavailable { detail: "the region has no ledger yet".to_owned() })
    );
    let early = process(&server.url(), Options { settle: Duration::ZERO, ..still() }).await;
    let late = process(&server.url(), still()).await;
    assert_eq!(commits(&early, 1).await, Ok(Revision(1)));
    let kept = length(&server);
    assert_eq!(commits(&late, 2).await, Ok(Revision(2)));
    assert_eq!(body(&onlooker).await, "2");
    drop(late);
    restart_cut_to(&mut server, kept).await;
    // It read what is gone, and goes on reading.
    until("the server is read again", async || onlooker.read(&[offer()]).await.is_ok()).await;
    assert_eq!(body(&onlooker).await, "1");
    assert_eq!(onlooker.leave().await, Ok(()));
    let refused = onlooker.commit(requested(3)).await;
    assert!(matches!(refused, Err(Trouble::Misconfigured { .. })), "{refused:?}");
    // The one who would be heard did not come to know of it, and nobody else says anything.
    assert_eq!(commits(&early, 4).await, Ok(Revision(2)));
}

#[tokio::test]
async fn a_process_that_was_not_there_waits_for_one_that_was() {
    let mut server = RedisServer::start_durable().await;
    let writer = process(&server.url(), still()).await;
    assert_eq!(commits(&writer, 1).await, Ok(Revision(1)));
    drop(writer);
    server.restart().await;
    // However long it waits, it knows nothing of what was before.
    let fresh = process(&server.url(), Options { settle: Duration::ZERO, ..still() }).await;
    is_closed(&fresh, 2).await;
    is_closed(&fresh, 2).await;
    assert_eq!(body(&fresh).await, "1", "reads go on");
}

#[tokio::test]
async fn a_process_that_read_a_closed_ledger_does_not_open_an_empty_one() {
    let mut server = RedisServer::start_durable().await;
    let writer = process(&server.url(), still()).await;
    assert_eq!(commits(&writer, 1).await, Ok(Revision(1)));
    drop(writer);
    server.restart().await;
    let reader = process(&server.url(), still()).await;
    is_closed(&reader, 2).await;
    assert_eq!(body(&reader).await, "1", "reads go on");
    server.command(&["FLUSHALL"]).await;
    is_closed(&reader, 2).await;
    assert!(matches!(standing(&reader).await, Standing::Closed(why) if why.contains("knows revision 1")));
    // Nor does anybody who comes and knows nothing.
    is_closed(&process(&server.url(), still()).await, 2).await;
}

#[tokio::test]
async fn nobody_waits_for_a_process_that_has_left() {
    let mut server = RedisServer::start_durable().await;
    let (one, two) = (process(&server.url(), still()).await, process(&server.url(), still()).await);
    assert_eq!(commits(&one, 1).await, Ok(Revision(1)));
    assert_eq!(commits(&two, 2).await, Ok(Revision(2)));
    one.leave().await.unwrap();
    two.leave().await.unwrap();
    drop((one, two));
    server.restart().await;
    let fresh = process(&server.url(), still()).await;
    assert_eq!(commits(&fresh, 3).await, Ok(Revision(3)));
}

#[tokio::test]
async fn a_process_that_leaves_says_first_what_the_server_has_lost() {
    let mut server = RedisServer::start_durable().await;
    let ledger = process(&server.url(), still()).await;
    assert_eq!(commits(&ledger, 1).await, Ok(Revision(1)));
    let kept = length(&server);
    assert_eq!(commits(&ledger, 2).await, Ok(Revision(2)));
    restart_cut_to(&mut server, kept).await;
    until("it has left", async || ledger.leave().await.is_ok()).await;
    drop(ledger);
    // Nobody is left to be waited for, and nobody who knows of the second commit.
    let fresh = process(&server.url(), Options { settle: Duration::ZERO, ..still() }).await;
    is_closed(&fresh, 3).await;
    assert!(matches!(standing(&fresh).await, Standing::Closed(_)));
}

#[tokio::test]
async fn a_replica_that_lacks_a_commit_never_opens_and_one_that_has_all_does() {
    for has_all in [false, true] {
        let mut primary = RedisServer::start_durable().await;
        let replica = primary.start_replica(&[]).await;
        let way = Way::to(&primary.url()).await;
        let ledger = process(&way.url(), still()).await;
        assert_eq!(commits(&ledger, 1).await, Ok(Revision(1)));
        has_revision(&replica, 1).await;
        if !has_all {
            replica.command(&["REPLICAOF", "NO", "ONE"]).await;
        }
        assert_eq!(commits(&ledger, 2).await, Ok(Revision(2)));
        if has_all {
            has_revision(&replica, 2).await;
        }
        primary.kill();
        replica.command(&["REPLICAOF", "NO", "ONE"]).await;
        way.turn_to(&replica.url());
        match has_all {
            true => assert_eq!(commits(&ledger, 3).await, Ok(Revision(3))),
            false => {
                is_closed(&ledger, 3).await;
                assert!(matches!(standing(&ledger).await, Standing::Closed(_)));
                assert_eq!(body(&ledger).await, "1", "reads go on");
            }
        }
    }
}

/// Connections outlive a server's time as a replica, and so would a replication id that was remembered with them.
#[tokio::test]
async fn a_server_that_was_made_a_replica_and_a_primary_again_is_another_server() {
    let server = RedisServer::start_durable().await;
    let other = server.start_replica(&[]).await;
    // One knows more than the other, and looks at nothing until it writes again.
    let ahead = process(&server.url(), still()).await;
    let behind = process(&server.url(), still()).await;
    assert_eq!(commits(&ahead, 1).await, Ok(Revision(1)));
    assert_eq!(commits(&behind, 2).await, Ok(Revision(2)));
    has_revision(&other, 2).await;
    other.command(&["REPLICAOF", "NO", "ONE"]).await;
    assert_eq!(commits(&ahead, 3).await, Ok(Revision(3)));
    assert_eq!(commits(&ahead, 4).await, Ok(Revision(4)));

    server.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await;
    server.caught_up().await;
    server.command(&["REPLICAOF", "NO", "ONE"]).await;
    // Nothing that this one knows is missing, but the other has not spoken.
    is_closed(&behind, 5).await;
    drop(behind);

    // A third, which settles soon, was not there; with the word of one who was, the ledger goes on without the silent one.
    let hasty = process(&server.url(), Options { settle: Duration::ZERO, ..still() }).await;
    until("the ledger is opened without the silent writer", async || commits(&hasty, 6).await.is_ok()).await;
    for id in 7..=10 {
        commits(&hasty, id).await.expect("open");
    }
    // Its revisions are beyond what the silent one knows, but they are others.
    is_closed(&ahead, 11).await;
    is_closed(&hasty, 12).await;
}

#[tokio::test]
async fn an_emptied_server_closes_for_everybody_once_one_that_knew_it_speaks() {
    let server = RedisServer::start().await;
    let knowing = process(&server.url(), still()).await;
    assert_eq!(commits(&knowing, 1).await, Ok(Revision(1)));
    server.command(&["FLUSHALL"]).await;
    is_closed(&knowing, 2).await;
    let fresh = process(&server.url(), still()).await;
    is_closed(&fresh, 3).await;
}

#[tokio::test]
async fn a_loss_that_a_person_accepts_opens_the_ledger_for_all_and_is_on_record() {
    let mut server = RedisServer::start_durable().await;
    let ledger = process(&server.url(), still()).await;
    assert_eq!(commits(&ledger, 1).await, Ok(Revision(1)));
    let kept = length(&server);
    assert_eq!(commits(&ledger, 2).await, Ok(Revision(2)));
    let (_, cursor) = ledger.snapshot().await.unwrap();
    let operator = process(&server.url(), still()).await;
    let word = Acceptance {
        by: "A. Person".to_owned(),
        reason: "the disk lost power".to_owned(),
        at: AT.to_string(),
        lost: None,
    };
    let refused = operator.accept_loss(&word).await;
    assert!(matches!(refused, Err(Trouble::Misconfigured { .. })), "nothing is lost: {refused:?}");

    restart_cut_to(&mut server, kept).await;
    is_closed(&ledger, 3).await;
    operator.accept_loss(&word).await.unwrap();
    is_closed(&ledger, 3).await;
    assert_eq!(commits(&operator, 4).await, Ok(Revision(2)), "who accepts may write first");
    operator.loss_accepted().await.unwrap();
    operator.leave().await.unwrap();

    assert_eq!(commits(&ledger, 3).await, Ok(Revision(3)), "it need not be started again");
    assert_eq!(ledger.changes(&cursor, 10, Duration::ZERO).await, Err(Trouble::CursorGone));
    let accepted = ledger.status().await.unwrap().found.seal.accepted.unwrap();
    assert_eq!((accepted.by, accepted.reason), (word.by, word.reason));
    assert_eq!(accepted.lost.map(|lost| (lost.knew.revision, lost.head)), Some((2, 1)));
}

#[tokio::test]
async fn a_server_that_is_tuned_into_losing_data_takes_no_writes_until_it_is_right_again() {
    let server = RedisServer::start_durable().await;
    let asked_often = Options {
        durability: Durability::Checked,
        check_every: Duration::ZERO,
        look_every: Duration::from_millis(20),
        ..still()
    };
    let ledger = process(&server.url(), asked_often).await;
    assert_eq!(commits(&ledger, 1).await, Ok(Revision(1)));
    server.command(&["CONFIG", "SET", "appendfsync", "everysec"]).await;
    let refused = |answer: &Result<Revision, Trouble>| matches!(answer, Err(Trouble::Misconfigured { detail }) if detail.contains("appendfsync is everysec"));
    until("writes are refused", async || refused(&commits(&ledger, 2).await)).await;
    assert!(!body(&ledger).await.is_empty(), "reads go on");
    server.command(&["CONFIG", "SET", "appendfsync", "always"]).await;
    until("writes go on", async || commits(&ledger, 3).await.is_ok()).await;
}

#[tokio::test]
async fn a_restart_of_everything_does_not_wait_for_a_writer_that_crashed_long_ago() {
    let mut server = RedisServer::start_durable().await;
    let crashed = process(&server.url(), still()).await;
    assert_eq!(commits(&crashed, 1).await, Ok(Revision(1)));
    drop(crashed);
    let alive = process(&server.url(), watchful("matching@one")).await;
    assert_eq!(commits(&alive, 2).await, Ok(Revision(2)));
    until("the dead writer is taken off the record", async || {
        let writers = writers(&alive).await;
        matches!(&writers[..], [one] if one.starts_with("matching@one-"))
    })
    .await;
    alive.leave().await.unwrap();
    drop(alive);
    server.restart().await;
    let fresh = process(&server.url(), still()).await;
    assert_eq!(commits(&fresh, 3).await, Ok(Revision(3)));
}

#[tokio::test]
async fn a_writer_that_was_asleep_is_on_record_again_before_it_writes() {
    let server = RedisServer::start_durable().await;
    let asleep = process(&server.url(), Options { name: "demand@two".to_owned(), ..still() }).await;
    assert_eq!(commits(&asleep, 1).await, Ok(Revision(1)));
    let awake = process(&server.url(), watchful("matching@one")).await;
    let other = process(&server.url(), Options { roll_every: NEVER, ..watchful("monitor@one") }).await;
    assert_eq!(commits(&awake, 2).await, Ok(Revision(2)));
    assert_eq!(commits(&other, 3).await, Ok(Revision(3)));
    let (_, cursor) = awake.snapshot().await.unwrap();
    until("the sleeper is taken off the record", async || writers(&awake).await.len() == 2).await;
    assert_eq!(commits(&asleep, 4).await, Ok(Revision(4)));
    let writers = writers(&awake).await;
    assert!(writers.iter().any(|id| id.starts_with("demand@two-")), "{writers:?}");
    // Nobody who watches notices.
    assert_eq!(awake.changes(&cursor, 10, Duration::ZERO).await.unwrap().changes.len(), 1);
}

#[tokio::test]
async fn a_commit_that_was_late_because_the_ledger_was_closed_says_so() {
    let mut server = RedisServer::start_durable().await;
    let writer = process(&server.url(), still()).await;
    assert_eq!(commits(&writer, 1).await, Ok(Revision(1)));
    drop(writer);
    server.restart().await;
    let patience = Duration::from_millis(300);
    let fresh = process(&server.url(), Options { response_timeout: patience, ..still() }).await;
    let later = |n: u64| {
        let fresh = &fresh;
        async move {
            tokio::time::sleep(Duration::from_millis(n)).await;
            fresh.commit(requested(n)).await
        }
    };
    // The first waits for the ledger, and the others for the first: each longer than a commit may wait.
    let answers = tokio::join!(later(2), later(4), later(6), later(8), later(10), later(12));
    let answers = [answers.0, answers.1, answers.2, answers.3, answers.4, answers.5];
    assert!(answers.iter().all(|answer| matches!(answer, Err(Trouble::Sealed { .. }))), "{answers:?}");
}

#[tokio::test]
async fn reads_of_a_ledger_that_is_closed_do_not_have_it_looked_at_each_time() {
    let server = RedisServer::start().await;
    let ledger = process(&server.url(), Options { look_every: Duration::from_secs(1), ..still() }).await;
    assert_eq!(commits(&ledger, 1).await, Ok(Revision(1)));
    server.command(&["FLUSHALL"]).await;
    is_closed(&ledger, 2).await;
    let (before, since) = (counted(&server, "fcall", "calls").await, tokio::time::Instant::now());
    for _ in 0..500 {
        ledger.read(&[offer()]).await.expect("reads go on");
        tokio::task::yield_now().await;
    }
    let looks = counted(&server, "fcall", "calls").await - before;
    let allowed = 4 * (since.elapsed().as_secs() + 2);
    assert!(looks <= allowed, "500 reads had it looked at {looks} times, not {allowed}");
}

#[tokio::test]
async fn a_process_that_starts_over_a_misconfigured_server_reads_and_does_not_write() {
    let server = RedisServer::start_durable().await;
    let before = process(&server.url(), still()).await;
    assert_eq!(commits(&before, 1).await, Ok(Revision(1)));
    server.command(&["CONFIG", "SET", "appendfsync", "everysec"]).await;
    let checked = Options {
        durability: Durability::Checked,
        check_every: Duration::ZERO,
        look_every: Duration::from_millis(20),
        ..still()
    };
    let started = RedisLedger::lazy(&server.url(), REGION, checked).unwrap();
    assert_eq!(body(&started).await, "1");
    assert_eq!(started.snapshot().await.unwrap().0.len(), 1);
    let refused = commits(&started, 2).await;
    assert!(
        matches!(&refused, Err(Trouble::Misconfigured { detail }) if detail.contains("everysec")),
        "{refused:?}"
    );
    server.command(&["CONFIG", "SET", "appendfsync", "always"]).await;
    until("writes go on", async || commits(&started, 3).await.is_ok()).await;
}

#[tokio::test]
async fn a_server_that_may_not_be_asked_to_write_its_log_afresh_takes_no_writes_unless_someone_attests_it() {
    let mut server = RedisServer::start_durable().await;
    let checked = Options { durability: Durability::Checked, ..still() };
    let ledger = process(&server.url(), checked.clone()).await;
    assert_eq!(commits(&ledger, 1).await, Ok(Revision(1)));
    server.restart().await;
    server.command(&["ACL", "SETUSER", "default", "-bgrewriteaof"]).await;
    let since = tokio::time::Instant::now();
    for id in 2..12 {
        let refused = commits(&ledger, id).await;
        let says = |detail: &str| detail.contains("BGREWRITEAOF is refused");
        assert!(matches!(&refused, Err(Trouble::Misconfigured { detail }) if says(detail)), "{refused:?}");
    }
    let asked = counted(&server, "bgrewriteaof", "rejected_calls").await;
    assert!(asked <= since.elapsed().as_secs() + 2, "asked {asked} times");
    assert_eq!(body(&ledger).await, "1", "reads go on");
    // A process that starts now reads too.
    let started = RedisLedger::lazy(&server.url(), REGION, checked).unwrap();
    assert_eq!(body(&started).await, "1");
    server.command(&["ACL", "SETUSER", "default", "+bgrewriteaof"]).await;
    until("writes go on", async || commits(&ledger, 12).await.is_ok()).await;

    ledger.leave().await.unwrap();
    server.restart().await;
    server.command(&["ACL", "SETUSER", "default", "-bgrewriteaof"]).await;
    let attested = Durability::Attested("A. Person, 2026-11-21".to_owned());
    let other = process(&server.url(), Options { durability: attested, ..still() }).await;
    assert!(commits(&other, 13).await.is_ok());
}
