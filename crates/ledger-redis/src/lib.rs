//! The ledger over Redis 7.0 or later, or Valkey.
//!
//! One function, `commit.lua`, is the only writer, but for what the archive alone may do (`keeper.lua`); reads are plain
//! commands. All keys are named in [`keys`].
//!
//! Invariants: nobody else in the tree knows Redis; no business rule is here; a commit whose answer was lost is said to
//! be of unknown outcome, never to have failed.

mod access;
mod decode;
mod deploy;
mod drawn;
mod errors;
mod keeper;
pub mod keys;
mod link;
mod opening;
pub mod planted;
mod presence;
mod roll;
pub mod seal;
mod settings;
mod snapshot;
mod store;
mod strict;
#[cfg(feature = "testing")]
pub mod testing;
mod torn;
mod whereabouts;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use fallow_ledger::{
    Change, Changes, Commit, Cursor, Key, Ledger, Outcome, Part, Revision, Trouble, Versioned, check_read,
    limits,
};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

pub use access::Access;
use decode::Said;
pub use deploy::deploy;
use keys::Keys;
use link::Link;
pub use opening::Status;
pub use settings::{Durability, ServerReport};
use store::{Head, Store};
use whereabouts::Whereabouts;
use writer::{Queue, Writer};

/// The usual [`Options::response_timeout`]: above the slowest fsync of a healthy disk, below a person's patience.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The usual [`Options::settle`]: several times what a process needs to find the server that took another's place.
const SETTLE: Duration = Duration::from_secs(5);

/// The usual [`Options::look_every`]: a changed server is noticed within it by those who neither read nor write.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The usual [`Options::check_every`].
const CHECK_EVERY: Duration = Duration::from_secs(60);

/// The usual [`Options::roll_every`]: much shorter than from one restart of a store to the next.
const ROLL_EVERY: Duration = Duration::from_secs(600);

/// The usual [`Options::roll_wait`]: many times what a living process takes to look at the ledger.
const ROLL_WAIT: Duration = Duration::from_secs(60);

/// How much longer than asked a blocking read may take before its connection is held to be dead.
const WAIT_GRACE: Duration = Duration::from_secs(2);

/// How a ledger over Redis is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// What this process is called in the record of writers, such as `matching@host`; it need not be one of a kind.
    pub name: String,
    /// What the deployment says of the server's durability.
    pub durability: Durability,
    /// Whether this process only looks on: it writes nothing, makes no ledger where there is none, and is no witness, so that
    /// nothing that it has read is held against the store. For one that judges whether others notice what is lost.
    pub looks_on: bool,
    /// Passwords and certificates.
    pub access: Access,
    /// Whether to load the function when the server does not have it. In production the user `deploy` loads it.
    pub load_functions: bool,
    /// How many request ids are remembered per scope.
    pub requests_per_scope: usize,
    /// How many replicas must hold a write before it is acknowledged; 0 for a single server.
    pub replicas: u32,
    /// Whether an OK waits until the archive has on its disk what it rests on.
    pub strict_archive: bool,
    /// How long a call may take before it is given up, and how long replicas may take after that. A commit that takes
    /// longer is of unknown outcome.
    pub response_timeout: Duration,
    /// How long a changed server waits for writers that do not say what they know, once one that was there has. Only how
    /// soon writes resume depends on it: a writer that knows better and comes later still closes the ledger.
    pub settle: Duration,
    /// How often a process that nothing stirs looks whether the ledger is still as it saw it.
    pub look_every: Duration,
    /// How often the server is asked again for its version and settings.
    pub check_every: Duration,
    /// How often the writers on record are called, so that none that has died stays there.
    pub roll_every: Duration,
    /// How long a writer may take to answer before it is taken off the record. One that was merely asleep comes back on it
    /// with its next commit.
    pub roll_wait: Duration,
}

impl Default for Options {
    /// The settings of production, but that the function is loaded when it is missing.
    fn default() -> Options {
        Options {
            name: String::new(),
            durability: Durability::Checked,
            looks_on: false,
            access: Access::default(),
            load_functions: true,
            requests_per_scope: limits::REQUESTS_PER_SCOPE,
            replicas: 0,
            strict_archive: false,
            response_timeout: RESPONSE_TIMEOUT,
            settle: SETTLE,
            look_every: LOOK_EVERY,
            check_every: CHECK_EVERY,
            roll_every: ROLL_EVERY,
            roll_wait: ROLL_WAIT,
        }
    }
}

/// The ledger of one region over Redis.
pub struct RedisLedger {
    store: Arc<Store>,
    /// What runs beside the calls, started by the first of them: it ends with the ledger.
    running: OnceLock<(Queue, JoinSet<()>)>,
}

impl RedisLedger {
    /// Connects to the server, checks that it keeps what it acknowledges, and opens the ledger of a region.
    ///
    /// `url` is one of these, with TLS where it begins with `rediss`:
    /// - `redis://[user[:password]@]host[:port][/db]`, one server;
    /// - `redis+sentinel://[user[:password]@]host[:port],…/service[?db=N]`, the primary that Sentinels name;
    /// - `redis+cluster://[user[:password]@]host[:port],…`, the primary of the region's slot, found by any of the hosts.
    ///
    /// The region's name has no braces.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] when the server cannot be reached; [`Trouble::Misconfigured`] when the URL is none, the
    /// server is too old or would lose acknowledged writes, or the function is missing and may not be loaded.
    pub async fn connect(url: &str, region: &str, options: Options) -> Result<RedisLedger, Trouble> {
        let ledger = RedisLedger::lazy(url, region, options)?;
        ledger.opened().await?;
        ledger.store.settings_allow()?;
        Ok(ledger)
    }

    /// Makes a ledger that connects, checks the server and opens the region when it is first used, as
    /// [`RedisLedger::connect`] does at once. Until that succeeds, every call tries it again and fails with its trouble. A
    /// server that would lose acknowledged writes is read from all the same; commits are refused.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] when the URL is none.
    pub fn lazy(url: &str, region: &str, options: Options) -> Result<RedisLedger, Trouble> {
        let whereabouts = Whereabouts::new(url, &options.access, keys::slot(region))?;
        let link = Link::new(whereabouts, options.response_timeout);
        let store = Arc::new(Store::new(link, Keys::of(region), options));
        Ok(RedisLedger { store, running: OnceLock::new() })
    }

    /// Asks the server for its version and settings, and holds them against what the deployment asks for.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] naming each setting that is wrong; [`Trouble::Unavailable`].
    pub async fn check_server(&self) -> Result<ServerReport, Trouble> {
        self.store.check_server().await
    }

    /// Says for the last time what this process knows, so that nobody waits for it after the next restart of the server.
    /// To be called when nothing is under way any more.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`].
    pub async fn leave(&self) -> Result<(), Trouble> {
        // Who never saw it has nothing to say.
        match self.running.get() {
            Some(_) => self.store.leave().await,
            None => Ok(()),
        }
    }

    /// Opens the ledger and gives the queue of commits, unless that has been done.
    async fn opened(&self) -> Result<&Queue, Trouble> {
        self.store.opened().await?;
        let (queue, _) = self.running.get_or_init(|| {
            let (queue, writer) = Writer::new(self.store.clone());
            let mut tasks = JoinSet::new();
            tasks.spawn(writer.run());
            if !self.store.options.looks_on {
                tasks.spawn(self.store.clone().look_after());
            }
            (queue, tasks)
        });
        Ok(queue)
    }

    /// The changes after the cursor that are there now.
    async fn changes_now(&self, cursor: &Cursor, limit: usize) -> Result<Changes, Trouble> {
        let after = cursor.revision();
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.add_command(self.store.head_call());
        pipeline
            .cmd("XRANGE")
            .arg(&self.store.keys.log)
            .arg(format!("({after}-0"))
            .arg("+")
            .arg("COUNT")
            .arg(limit);
        type Answer = (Head, Vec<decode::Entry>);
        let (head, entries): Answer = self.store.query("read the log", &pipeline).await?;
        let Some((history, head)) = self.store.saw(head)? else { return Err(Trouble::CursorGone) };
        if history != *cursor.history() || after > head || self.store.presence.is_spoilt(cursor.history()) {
            return Err(Trouble::CursorGone);
        }
        let changes = entries.into_iter().map(decode::change).collect::<Result<Vec<Change>, Trouble>>()?;
        follows(after, head, &changes)?;
        let cursor = changes.last().map_or_else(|| cursor.clone(), |last| cursor.at(last.revision));
        Ok(Changes { changes, cursor })
    }

    /// Waits until there is an entry after the cursor, or the wait runs out.
    async fn wait(&self, cursor: &Cursor, wait: Duration) -> Result<(), Trouble> {
        let mut waiter = self.store.link.waiter().await?;
        // 0 would block for ever.
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).clamp(1, 3_600_000);
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(wait_ms);
        read.arg("STREAMS").arg(&self.store.keys.log).arg(format!("{}-0", cursor.revision()));
        let patience = Duration::from_millis(wait_ms) + WAIT_GRACE;
        match tokio::time::timeout(patience, read.query_async::<redis::Value>(&mut waiter)).await {
            Ok(Ok(_entry)) => {
                self.store.link.give_back(waiter);
                Ok(())
            }
            Ok(Err(error)) => Err(errors::of_read("wait for a change", &error)),
            Err(_elapsed) => Err(Trouble::Unavailable { detail: "wait for a change: no answer".to_owned() }),
        }
    }
}

/// Checks that changes follow on `after` without a gap, and that there are some if the head is later: else they are no
/// longer kept.
fn follows(after: Revision, head: Revision, changes: &[Change]) -> Result<(), Trouble> {
    match changes.first() {
        None if after == head => return Ok(()),
        None => return Err(Trouble::CursorGone),
        Some(first) if first.revision != after.next() => return Err(Trouble::CursorGone),
        Some(_) => {}
    }
    match changes.windows(2).find(|pair| pair[1].revision != pair[0].revision.next()) {
        None => Ok(()),
        Some(pair) => {
            let detail = format!("the log goes from {} to {}", pair[0].revision, pair[1].revision);
            Err(Trouble::Corrupt { key: None, detail })
        }
    }
}

#[async_trait]
impl Ledger for RedisLedger {
    async fn read(&self, keys: &[Key]) -> Result<Vec<Option<Versioned>>, Trouble> {
        check_read(keys)?;
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        self.opened().await?;
        let names: Vec<String> = keys.iter().map(Key::to_string).collect();
        let mut pipeline = redis::pipe();
        pipeline.cmd("HMGET").arg(&self.store.keys.live).arg(names);
        // Asked for afterwards, the head is no earlier than anything read.
        pipeline.add_command(self.store.head_call());
        let (found, head): (Vec<Option<Vec<u8>>>, Head) = self.store.query("read records", &pipeline).await?;
        self.store.saw(head)?;
        let records = keys.iter().zip(found);
        records
            .map(|(key, stored)| stored.map(|stored| decode::live(key.clone(), stored)).transpose())
            .collect()
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        let (tell, told) = mpsc::channel(1);
        let (cursor, records) = tokio::join!(self.snapshot_in_parts(tell), snapshot::collected(told));
        Ok((records, cursor?))
    }

    async fn snapshot_in_parts(&self, told: mpsc::Sender<Part>) -> Result<Cursor, Trouble> {
        self.opened().await?;
        let begun = self.store.presence.begin_drawing();
        let cursor = self.tell_snapshot(&told).await?;
        self.store.presence.drawn(cursor.history(), begun);
        Ok(cursor)
    }

    async fn changes(&self, cursor: &Cursor, limit: usize, wait: Duration) -> Result<Changes, Trouble> {
        self.opened().await?;
        let limit = limit.clamp(1, limits::CHANGES_PAGE);
        let now = self.changes_now(cursor, limit).await?;
        if !now.changes.is_empty() || wait.is_zero() {
            return Ok(now);
        }
        self.wait(cursor, wait).await?;
        self.changes_now(cursor, limit).await
    }

    async fn commit(&self, commit: Commit) -> Result<Outcome, Trouble> {
        commit.check()?;
        let queue = self.opened().await?;
        let scope = commit.request.as_ref().map(|request| request.scope.clone()).unwrap_or_default();
        match queue.commit(commit).await? {
            Said::Outcome(outcome) => self.store.archived(&outcome).await.map(|()| outcome),
            Said::Full => {
                let allowed = self.store.options.requests_per_scope;
                Err(Trouble::TooManyRequests { scope: scope.to_string(), allowed })
            }
            Said::Changed => {
                Err(Trouble::Sealed { detail: "the ledger is not the one that was opened".to_owned() })
            }
        }
    }
}
