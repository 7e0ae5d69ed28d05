//! A snapshot in parts: a region of a hundred thousand records is not read in one call, for Redis does nothing else
//! meanwhile, and every commit of the region would wait for it.
//!
//! The live records are scanned, which tells each that stays as it is once, and those that change meanwhile anyhow; then
//! the log from where it began is applied, which makes all of it of one revision, the log's last.

use std::collections::HashMap;

use fallow_ledger::{Change, Cursor, Key, Trouble, Versioned, limits};

use crate::store::Head;
use crate::{RedisLedger, decode};

/// Records up to which one call is quick: some milliseconds of the server's time.
const AT_ONCE: u64 = 2_000;
/// Records that one call of a scan gives, about.
const PART: usize = 1_000;
/// How often a scan is begun anew whose log was trimmed meanwhile, or whose server changed.
const ATTEMPTS: usize = 3;

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
    /// Takes a snapshot, in parts when it is large.
    pub(crate) async fn taken(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        for _ in 0..ATTEMPTS {
            let Some(start) = self.start().await? else { break };
            if start.records <= AT_ONCE {
                break;
            }
            let scanned = self.scan().await?;
            match self.of_one_revision(scanned, start).await {
                Err(Trouble::CursorGone) => {}
                taken => return taken,
            }
        }
        self.at_once().await
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

    async fn scan(&self) -> Result<HashMap<Key, Versioned>, Trouble> {
        let (mut place, mut scanned) = (0_u64, HashMap::new());
        loop {
            let mut pipeline = redis::pipe();
            pipeline.cmd("HSCAN").arg(&self.store.keys.live).arg(place).arg("COUNT").arg(PART);
            type Part = (u64, Vec<(Vec<u8>, Vec<u8>)>);
            let (part,): (Part,) = self.store.query("take a snapshot", &pipeline).await?;
            for (name, stored) in part.1 {
                let record = decode::live(decode::key(&name)?, stored)?;
                scanned.insert(record.key.clone(), record);
            }
            place = part.0;
            if place == 0 {
                return Ok(scanned);
            }
        }
    }

    /// Applies what was committed since the scan was begun, to the head as it is after the scan.
    async fn of_one_revision(
        &self,
        mut scanned: HashMap<Key, Versioned>,
        start: Start,
    ) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        // What was scanned is of no later revision than this.
        let end = self.start().await?.ok_or(Trouble::CursorGone)?.cursor;
        let mut cursor = start.cursor;
        while cursor.revision() < end.revision() {
            let page = self.changes_now(&cursor, limits::CHANGES_PAGE).await?;
            cursor = page.cursor;
            for change in page.changes {
                apply(&mut scanned, change);
            }
        }
        // Some of it may be of a server that another has taken the place of, which need not have it.
        let last = self.start().await?.ok_or(Trouble::CursorGone)?;
        let losses = self.store.link.losses();
        if last.cursor.history() != cursor.history() || (Line { losses, ..last.line }) != start.line {
            return Err(Trouble::CursorGone);
        }
        let mut records: Vec<Versioned> = scanned.into_values().collect();
        records.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok((records, cursor))
    }

    /// Takes a snapshot in one call.
    async fn at_once(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.add_command(self.store.head_call());
        pipeline.cmd("HGETALL").arg(&self.store.keys.live);
        type Answer = (Head, HashMap<Vec<u8>, Vec<u8>>);
        let (head, live): Answer = self.store.query("take a snapshot", &pipeline).await?;
        let (history, head) = match self.store.saw(head)? {
            Some(found) => found,
            // Wiped since: what is there now, nothing, is the beginning of another history.
            None => self.store.open().await?,
        };
        let records = live.into_iter().map(|(name, stored)| decode::live(decode::key(&name)?, stored));
        let mut records = records.collect::<Result<Vec<Versioned>, Trouble>>()?;
        records.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok((records, Cursor::new(history, head)))
    }
}

fn apply(records: &mut HashMap<Key, Versioned>, change: Change) {
    for (key, body) in change.writes {
        match body {
            Some(body) => {
                let record = Versioned { key: key.clone(), revision: change.revision, body };
                records.insert(key, record);
            }
            None => drop(records.remove(&key)),
        }
    }
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
        let whole = ledger.of_one_revision(ledger.scan().await.unwrap(), start).await.unwrap();
        assert_eq!(whole, ledger.at_once().await.unwrap());

        // What is written after the other took over is lost, but not before a part of a scan has told of it.
        let start = ledger.start().await.unwrap().unwrap();
        other.command(&["REPLICAOF", "NO", "ONE"]).await;
        ledger.commit(writing(7..8, "lost")).await.unwrap();
        let scanned = ledger.scan().await.unwrap();
        assert!(scanned.values().any(|record| record.body == "lost"));
        server.command(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await;
        other.has_replicas(1).await;
        server.caught_up().await;
        server.command(&["REPLICAOF", "NO", "ONE"]).await;

        let taken = ledger.of_one_revision(scanned, start).await;
        assert!(matches!(taken, Err(Trouble::CursorGone)), "of one revision, with what was lost");
        assert_eq!(ledger.taken().await.unwrap(), whole);
    }

    #[tokio::test]
    async fn a_scan_over_a_connection_that_was_lost_meanwhile_is_begun_anew() {
        let server = RedisServer::start().await;
        let options = Options { durability: Durability::Unsafe, ..Options::default() };
        let ledger = RedisLedger::connect(&server.url(), "region", options).await.unwrap();
        ledger.commit(writing(0..10, "kept")).await.unwrap();
        let start = ledger.start().await.unwrap().unwrap();
        server.command(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]).await;
        let scanned = ledger.scan().await.unwrap();
        let taken = ledger.of_one_revision(scanned, start).await;
        assert!(matches!(taken, Err(Trouble::CursorGone)), "some may be of another server");
    }
}
