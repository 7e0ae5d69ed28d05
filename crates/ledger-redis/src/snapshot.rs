//! A snapshot in parts: a region of a hundred thousand records is not read in one call, for Redis does nothing else
//! meanwhile, and every commit of the region would wait for it.
//!
//! The live records are scanned, which tells each that stays as it is once, and those that change meanwhile anyhow; then
//! the log from where it began is applied, which makes all of it of one revision, the log's last.

use std::collections::HashMap;

use fallow_ledger::{Change, Cursor, Key, Part, Trouble, Versioned, limits};
use tokio::sync::mpsc;

use crate::store::Head;
use crate::{RedisLedger, decode};

/// Records up to which one call is quick: some milliseconds of the server's time.
const AT_ONCE: u64 = 2_000;
/// Records that one call of a scan gives, about.
const PART: usize = 1_000;
/// How often a scan is begun anew whose log was trimmed meanwhile, or whose server changed.
const ATTEMPTS: usize = 3;

/// What a call of a scan gives: where the next one goes on, 0 after the last, and names with what is stored under them.
type Page = (u64, Vec<(Vec<u8>, Vec<u8>)>);

/// How the ledger is found before a scan.
struct Start {
    cursor: Cursor,
    line: Line,
    records: u64,
}

/// What is the same for as long as nothing that was read can have been lost.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    /// The ledger's epoch.
    epoch: Option<String>,
    /// The server, as long as it is neither made a replica nor a primary, nor begun anew.
    replid: String,
    /// How often the connection was lost before.
    losses: u64,
}

impl RedisLedger {
    /// Takes a snapshot, in parts when it is large, and tells them.
    pub(crate) async fn tell_snapshot(&self, told: &mpsc::Sender<Part>) -> Result<Cursor, Trouble> {
        for _ in 0..ATTEMPTS {
            let Some(start) = self.start().await? else { break };
            if start.records <= AT_ONCE {
                break;
            }
            tell(told, Part::Anew).await;
            self.scan(told).await?;
            match self.of_one_revision(told, start).await {
                Err(Trouble::CursorGone) => {}
                taken => return taken,
            }
        }
        tell(told, Part::Anew).await;
        self.at_once(told).await
    }

    /// Where the log is, on which server, and how many records are live; `None` when the region has no history.
    async fn start(&self) -> Result<Option<Start>, Trouble> {
        let losses = self.store.link.losses();
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.add_command(self.store.head_call());
        pipeline.cmd("HLEN").arg(&self.store.keys.live);
        pipeline.cmd("INFO").arg("replication");
        let (head, records, info): (Head, u64, String) = self.store.query("read the head", &pipeline).await?;
        let replid = info.lines().find_map(|line| line.strip_prefix("master_replid:"));
        let line = Line { epoch: head.2.clone(), replid: replid.unwrap_or_default().to_owned(), losses };
        let found = self.store.saw(head)?;
        Ok(found.map(|(history, head)| Start { cursor: Cursor::new(history, head), line, records }))
    }

    async fn scan(&self, told: &mpsc::Sender<Part>) -> Result<(), Trouble> {
        let mut page = self.page(0).await?;
        while page.0 != 0 {
            // The server looks for the next page while this one is taken in.
            let (next, taken) = tokio::join!(self.page(page.0), tell_stored(told, page.1));
            taken?;
            page = next?;
        }
        tell_stored(told, page.1).await
    }

    async fn page(&self, place: u64) -> Result<Page, Trouble> {
        let mut pipeline = redis::pipe();
        pipeline.cmd("HSCAN").arg(&self.store.keys.live).arg(place).arg("COUNT").arg(PART);
        let (page,): (Page,) = self.store.query("take a snapshot", &pipeline).await?;
        Ok(page)
    }

    /// Applies what was committed since the scan was begun, to the head as it is after the scan.
    async fn of_one_revision(&self, told: &mpsc::Sender<Part>, start: Start) -> Result<Cursor, Trouble> {
        // What was scanned is of no later revision than this.
        let end = self.start().await?.ok_or(Trouble::CursorGone)?.cursor;
        let mut cursor = start.cursor;
        while cursor.revision() < end.revision() {
            let page = self.changes_now(&cursor, limits::CHANGES_PAGE).await?;
            cursor = page.cursor;
            for change in page.changes {
                tell_change(told, change).await;
            }
        }
        // Some of it may be of a server that another has taken the place of, which need not have it.
        let last = self.start().await?.ok_or(Trouble::CursorGone)?;
        let losses = self.store.link.losses();
        if last.cursor.history() != cursor.history() || (Line { losses, ..last.line }) != start.line {
            return Err(Trouble::CursorGone);
        }
        Ok(cursor)
    }

    /// Takes a snapshot in one call.
    async fn at_once(&self, told: &mpsc::Sender<Part>) -> Result<Cursor, Trouble> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.add_command(self.store.head_call());
        pipeline.cmd("HGETALL").arg(&self.store.keys.live);
        type Answer = (Head, Vec<(Vec<u8>, Vec<u8>)>);
        let (head, live): Answer = self.store.query("take a snapshot", &pipeline).await?;
        let (history, head) = match self.store.saw(head)? {
            Some(found) => found,
            // Wiped since: what is there now, nothing, is the beginning of another history.
            None => self.store.open().await?,
        };
        tell_stored(told, live).await?;
        Ok(Cursor::new(history, head))
    }
}

async fn tell(told: &mpsc::Sender<Part>, part: Part) {
    // Who no longer listens needs nothing.
    let _ = told.send(part).await;
}

async fn tell_stored(told: &mpsc::Sender<Part>, stored: Vec<(Vec<u8>, Vec<u8>)>) -> Result<(), Trouble> {
    let records = stored.into_iter().map(|(name, stored)| decode::live(decode::key(&name)?, stored));
    tell(told, Part::Live(records.collect::<Result<_, Trouble>>()?)).await;
    Ok(())
}

async fn tell_change(told: &mpsc::Sender<Part>, change: Change) {
    let (mut live, mut gone) = (Vec::new(), Vec::new());
    for (key, body) in change.writes {
        match body {
            Some(body) => live.push(Versioned { key, revision: change.revision, body }),
            None => gone.push(key),
        }
    }
    // A change writes each record once, so that it is the same which are told first.
    tell(told, Part::Live(live)).await;
    if !gone.is_empty() {
        tell(told, Part::Gone(gone)).await;
    }
}

/// Makes one list of all parts, in order of key.
pub(crate) async fn collected(mut told: mpsc::Receiver<Part>) -> Vec<Versioned> {
    let mut records: HashMap<Key, Versioned> = HashMap::new();
    while let Some(part) = told.recv().await {
        match part {
            Part::Anew => records.clear(),
            Part::Live(live) => records.extend(live.into_iter().map(|record| (record.key.clone(), record))),
            Part::Gone(keys) => keys.iter().for_each(|key| drop(records.remove(key))),
        }
    }
    let mut records: Vec<Versioned> = records.into_values().collect();
    records.sort_unstable_by(|one, other| one.key.cmp(&other.key));
    records
}

#[cfg(test)]
mod tests {
    use fallow_ledger::{Commit, Ledger as _, RecordKind};
    use jiff::Timestamp;

    use super::*;
    use crate::testing::RedisServer;
    use crate::{Durability, Options};

    fn writing(numbers: impl Iterator<Item = u64>, body: &str) -> Commit {
        let keys = numbers.map(|n| Key::new(RecordKind::Offer, format!("{n:06}")));
        keys.fold(Commit::new(Timestamp::UNIX_EPOCH), |commit, key| commit.writing(key, body.to_owned()))
    }

    #[tokio::test]
    async fn a_scan_of_a_server_that_another_took_the_place_of_is_begun_anew() {
        let server = RedisServer::start().await;
        let options = Options { durability: Durability::Unsafe, ..Options::default() };
        let ledger = RedisLedger::connect(&server.url(), "region", options).await.unwrap();
        for first in (0..=AT_ONCE).step_by(1_000) {
            ledger.commit(writing(first..first + 1_000, "kept")).await.unwrap();
        }
        let other = server.start_replica(&[]).await;
        other.caught_up().await;
        let start = ledger.start().await.unwrap().unwrap();
        let (told, scanned) = mpsc::channel(64);
        ledger.scan(&told).await.unwrap();
        let cursor = ledger.of_one_revision(&told, start).await.unwrap();
        drop(told);
        let whole = (collected(scanned).await, cursor);
        let (told, taken) = mpsc::channel(64);
        let cursor = ledger.at_once(&told).await.unwrap();
        drop(told);
        assert_eq!(whole, (collected(taken).await, cursor));

        // What is written after the other took over is lost, but not before a part of a scan has told of it.
        let start = ledger.start().await.unwrap().unwrap();
        other.command(&["REPLICAOF", "NO", "ONE"]).await;
        ledger.commit(writing(7..8, "lost")).await.unwrap();
        let (told, scanned) = mpsc::channel(64);
        ledger.scan(&told).await.unwrap();
        server.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await;
        other.has_replicas(1).await;
        server.caught_up().await;
        server.command(&["REPLICAOF", "NO", "ONE"]).await;

        let taken = ledger.of_one_revision(&told, start).await;
        assert!(matches!(taken, Err(Trouble::CursorGone)), "of one revision, with what was lost");
        drop(told);
        assert!(collected(scanned).await.iter().any(|record| record.body == "lost"), "it was told of");
        assert_eq!(ledger.snapshot().await.unwrap(), whole);
    }

    #[tokio::test]
    async fn a_scan_over_a_connection_that_was_lost_meanwhile_is_begun_anew() {
        let server = RedisServer::start().await;
        let options = Options { durability: Durability::Unsafe, ..Options::default() };
        let ledger = RedisLedger::connect(&server.url(), "region", options).await.unwrap();
        ledger.commit(writing(0..10, "kept")).await.unwrap();
        let start = ledger.start().await.unwrap().unwrap();
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        let (told, _scanned) = mpsc::channel(64);
        ledger.scan(&told).await.unwrap();
        let taken = ledger.of_one_revision(&told, start).await;
        assert!(matches!(taken, Err(Trouble::CursorGone)), "some may be of another server");
    }
}
