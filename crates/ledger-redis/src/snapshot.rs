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
/// How often a scan is begun anew whose log was trimmed meanwhile.
const ATTEMPTS: usize = 3;

impl RedisLedger {
    /// Takes a snapshot, in parts when it is large.
    pub(crate) async fn taken(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        for _ in 0..ATTEMPTS {
            let Some((start, records)) = self.head().await? else { break };
            if records <= AT_ONCE {
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

    /// Where the log is, and how many records are live; `None` when the region has no history.
    async fn head(&self) -> Result<Option<(Cursor, u64)>, Trouble> {
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.add_command(self.store.head_call());
        pipeline.cmd("HLEN").arg(&self.store.keys.live);
        let (head, records): (Head, u64) = self.store.query("read the head", &pipeline).await?;
        let found = self.store.saw(head)?;
        Ok(found.map(|(history, head)| (Cursor::new(history, head), records)))
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
        start: Cursor,
    ) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        // What was scanned is of no later revision than this.
        let Some((end, _)) = self.head().await? else { return Err(Trouble::CursorGone) };
        if end.history() != start.history() {
            return Err(Trouble::CursorGone);
        }
        let mut cursor = start;
        while cursor.revision() < end.revision() {
            let page = self.changes_now(&cursor, limits::CHANGES_PAGE).await?;
            cursor = page.cursor;
            for change in page.changes {
                apply(&mut scanned, change);
            }
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
