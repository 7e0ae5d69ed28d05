//! Pictures, watches and transactions over a real Redis, also while it is killed, wiped and raced for.

use std::sync::Arc;
use std::time::Duration;

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::Label;
use fallow_domain::standing::Claim;
use fallow_ledger::cause::Cause;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::Record;
use fallow_ledger::transact::{Done, Fault, Order, Step, transact};
use fallow_ledger::watch::{Event, Watch, WatchEnd};
use fallow_ledger::{Key, RecordKind, Revision};
use fallow_ledger_redis::testing::RedisServer;
use fallow_ledger_redis::{Durability, Options, RedisLedger};
use jiff::Timestamp;
use tokio::task::JoinSet;

const SOON: Duration = Duration::from_secs(10);

/// What one process has: its connection, its picture and its follower.
struct Process {
    ledger: Arc<RedisLedger>,
    picture: Arc<Picture>,
    _follower: JoinSet<()>,
}

impl Process {
    async fn start(server: &RedisServer) -> Process {
        let options = Options { durability: Durability::Unsafe, ..Options::default() };
        let ledger = RedisLedger::connect(&server.url(), "north-vale", options).await.expect("a ledger");
        let (ledger, picture) = (Arc::new(ledger), Arc::new(Picture::default()));
        let mut follower = JoinSet::new();
        follower.spawn(follow(ledger.clone(), picture.clone()));
        let process = Process { ledger, picture, _follower: follower };
        process.sees(Revision::ABSENT).await;
        process
    }

    async fn sees(&self, revision: Revision) {
        assert!(self.picture.reached(revision, SOON).await, "the picture has not reached {revision}");
    }

    /// Gives a free place to somebody.
    async fn take(&self, place: &Key, who: &str) -> Result<Done<String>, Fault<String>> {
        let by = Actor {
            subject: Label::parse(who).expect("a name"),
            kind: ActorKind::System,
            role: Role::Engine,
            trust: None,
        };
        let cause = Cause {
            by,
            verb: "take".into(),
            at: Timestamp::UNIX_EPOCH,
            request_id: None,
            traceparent: None,
            decided_at: None,
            denied: None,
        };
        let order = Order { request: None, cause, validate_only: false };
        transact(&*self.ledger, &self.picture, order, vec![place.clone()], |view| match view.get(place) {
            Some(_) => Err("taken".to_owned()),
            None => {
                let claim = Claim { holder: Label::parse(who).expect("a name") };
                Ok(Step::Write {
                    writes: vec![(place.clone(), Some(Record::Claim(claim)))],
                    answer: who.to_owned(),
                })
            }
        })
        .await
    }
}

fn place(n: u32) -> Key {
    Key::new(RecordKind::Claim, n.to_string())
}

async fn watching(process: &Process) -> Watch {
    let mut watch = process.picture.watch(&[], None).expect("a drawn picture");
    assert!(matches!(watch.next().await, Ok((Event::SnapshotDone, _))));
    watch
}

#[tokio::test]
async fn what_one_process_writes_all_see_and_a_picture_outlives_a_killed_server() {
    let mut server = RedisServer::start_durable().await;
    let (one, two) = (Process::start(&server).await, Process::start(&server).await);
    let mut watch = watching(&two).await;
    for n in 1..=3 {
        let revision = one.take(&place(n), "one").await.expect("free").revision;
        two.sees(revision).await;
        assert!(two.picture.get(&place(n)).is_some());
        let (event, _) = watch.next().await.expect("the watch goes on");
        assert!(matches!(event, Event::Change(change) if change.revision == revision));

        server.kill();
        assert!(matches!(one.take(&place(n), "one").await, Err(Fault::Trouble(_))));
        assert!(two.picture.get(&place(n)).is_some(), "reads go on");
        server.restart().await;
    }
}

#[tokio::test]
async fn a_wiped_server_is_an_empty_picture_and_watchers_are_told() {
    let server = RedisServer::start().await;
    let process = Process::start(&server).await;
    let revision = process.take(&place(1), "one").await.expect("free").revision;
    process.sees(revision).await;
    let mut watch = watching(&process).await;
    server.command(&["FLUSHALL"]).await;
    let end = tokio::time::timeout(SOON, watch.next()).await.expect("told in time");
    assert_eq!(end.expect_err("the watch is over"), WatchEnd::CursorGone);
    assert!(process.picture.get(&place(1)).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_32_racers_in_two_processes_one_gets_each_place() {
    let server = RedisServer::start().await;
    let processes = [Process::start(&server).await, Process::start(&server).await].map(Arc::new);
    for n in 0..10 {
        let mut racers = JoinSet::new();
        for racer in 0..32 {
            let process = processes[racer % 2].clone();
            racers.spawn(async move { process.take(&place(n), &racer.to_string()).await });
        }
        let (won, lost): (Vec<_>, Vec<_>) = racers.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(won.len(), 1, "winners of place {n}");
        assert!(lost.iter().all(|lost| matches!(lost, Err(Fault::Refused(_)))), "{lost:?}");
    }
    for process in &processes {
        process.sees(Revision(10)).await;
        assert_eq!(process.picture.still().all(RecordKind::Claim).len(), 10);
    }
}
