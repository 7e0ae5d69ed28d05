//! The ledger over Redis 7.0 or later, or Valkey.
//!
//! One function, `commit.lua`, is the only writer, but for what the archive alone may do (`keeper.lua`); reads are plain
//! commands. All keys are named in [`keys`].
//!
//! Invariants: nobody else in the tree knows Redis; no business rule is here; a commit whose answer was lost is said to
//! be of unknown outcome, never to have failed.

mod decode;
mod errors;
mod keeper;
pub mod keys;
mod link;
pub mod planted;
mod settings;
#[cfg(feature = "testing")]
pub mod testing;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fallow_ledger::{
    Change, Changes, Commit, Cursor, Key, Ledger, Outcome, Revision, Trouble, Versioned, check_read, limits,
};
use redis::{Client, Cmd, FromRedisValue, Pipeline, RedisError};
use tokio::sync::OnceCell;

use decode::Said;
use keys::Keys;
use link::Link;
pub use settings::{Durability, ServerReport};

const FUNCTIONS: &str = include_str!("commit.lua");
const COMMIT: &str = "fallow_commit_v1";
const OPEN: &str = "fallow_open_v1";

/// The usual [`Options::response_timeout`]: above the slowest fsync of a healthy disk, below a person's patience.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// How much longer than asked a blocking read may take before its connection is held to be dead.
const WAIT_GRACE: Duration = Duration::from_secs(2);

/// How a ledger over Redis is used.
#[derive(Clone, Debug)]
pub struct Options {
    /// What the deployment says of the server's durability.
    pub durability: Durability,
    /// Whether to load the function when the server does not have it. In production the user `deploy` loads it.
    pub load_functions: bool,
    /// How many request ids are remembered per scope.
    pub requests_per_scope: usize,
    /// How long a call may take before it is given up. A commit that takes longer is of unknown outcome.
    pub response_timeout: Duration,
}

impl Default for Options {
    /// The settings of production, but that the function is loaded when it is missing.
    fn default() -> Options {
        Options {
            durability: Durability::Checked,
            load_functions: true,
            requests_per_scope: limits::REQUESTS_PER_SCOPE,
            response_timeout: RESPONSE_TIMEOUT,
        }
    }
}

/// The ledger of one region over Redis.
pub struct RedisLedger {
    link: Link,
    keys: Keys,
    options: Options,
    /// The history that was found when the ledger was opened. A store of another history is closed to this process'
    /// writes.
    history: OnceCell<Arc<str>>,
    /// The highest revision that the store has told this process. A store that is behind it has lost something.
    seen: AtomicU64,
}

impl RedisLedger {
    /// Connects to the server, checks that it keeps what it acknowledges, and opens the ledger of a region.
    ///
    /// `url` is `redis://[user:password@]host:port[/db]`. The region's name has no braces.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] when the server cannot be reached; [`Trouble::Misconfigured`] when the URL is none, the
    /// server is too old or would lose acknowledged writes, or the function is missing and may not be loaded.
    pub async fn connect(url: &str, region: &str, options: Options) -> Result<RedisLedger, Trouble> {
        let ledger = RedisLedger::lazy(url, region, options)?;
        ledger.opened().await?;
        Ok(ledger)
    }

    /// Makes a ledger that connects, checks the server and opens the region when it is first used, as
    /// [`RedisLedger::connect`] does at once. Until that succeeds, every call tries it again and fails with its trouble.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] when the URL is none.
    pub fn lazy(url: &str, region: &str, options: Options) -> Result<RedisLedger, Trouble> {
        // The URL may hold a password: it is not repeated.
        let client = Client::open(url)
            .map_err(|error| Trouble::Misconfigured { detail: format!("the URL of the store: {error}") })?;
        Ok(RedisLedger {
            link: Link::new(client, options.response_timeout),
            keys: Keys::of(region),
            options,
            history: OnceCell::new(),
            seen: AtomicU64::new(0),
        })
    }

    /// Gives the history of the ledger, opening it first if that has not been done yet.
    async fn opened(&self) -> Result<&Arc<str>, Trouble> {
        let open = async || {
            let report = self.check_server().await?;
            tracing::info!(version = report.version, shortcomings = ?report.shortcomings, "store checked");
            let (history, revision) = self.open().await?;
            self.saw(revision);
            Ok(history)
        };
        self.history.get_or_try_init(open).await
    }

    /// Asks the server for its version and settings, and holds them against what the deployment asks for.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] naming each setting that is wrong; [`Trouble::Unavailable`].
    pub async fn check_server(&self) -> Result<ServerReport, Trouble> {
        let mut line = self.link.line().await?;
        let report = settings::report(&mut line.connection).await?;
        settings::judge(&report, &self.options.durability)?;
        Ok(report)
    }

    /// Gives the history and the last revision, making a history if there is none.
    async fn open(&self) -> Result<(Arc<str>, Revision), Trouble> {
        let new = uuid::Uuid::new_v4().simple().to_string();
        let mut call = redis::cmd("FCALL");
        call.arg(OPEN).arg(1).arg(&self.keys.meta).arg(new);
        // Opening twice is harmless: the history is only written when there is none.
        let (history, revision): (String, Vec<u8>) = self
            .call(&call)
            .await
            .map_err(|failed| failed.into_trouble(|e| errors::of_read("open the ledger", e)))?;
        Ok((history.into(), decode::revision(&revision)?))
    }

    /// Calls a function of `commit.lua`.
    async fn call<T: FromRedisValue>(&self, call: &Cmd) -> Result<T, Failed> {
        self.call_of(&planted::spoil(FUNCTIONS), call).await
    }

    /// Calls a function, loading the library that it is of first if the server does not have it.
    async fn call_of<T: FromRedisValue>(&self, library: &str, call: &Cmd) -> Result<T, Failed> {
        let mut line = self.link.line().await.map_err(Failed::NotSent)?;
        let mut answer = call.query_async(&mut line.connection).await;
        if let Err(error) = &answer
            && errors::is_function_missing(error)
        {
            self.load(&mut line, library).await.map_err(Failed::NotSent)?;
            answer = call.query_async(&mut line.connection).await;
        }
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                let connection_lost = self.link.lost(&line, &error).await;
                Err(Failed::Sent { error, connection_lost })
            }
        }
    }

    async fn load(&self, line: &mut link::Line, library: &str) -> Result<(), Trouble> {
        if !self.options.load_functions {
            let detail = "the functions are not loaded; the user deploy loads them".to_owned();
            return Err(Trouble::Misconfigured { detail });
        }
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(library);
        let loaded: Result<String, RedisError> = load.query_async(&mut line.connection).await;
        loaded.map(drop).map_err(|error| errors::not_sent("load the function", &error))
    }

    /// Reads, once more over a new connection when the one at hand turns out to be lost.
    async fn query<T: FromRedisValue>(&self, doing: &str, pipeline: &Pipeline) -> Result<T, Trouble> {
        let mut last_try = false;
        loop {
            let mut line = self.link.line().await?;
            match pipeline.query_async(&mut line.connection).await {
                Ok(answer) => return Ok(answer),
                Err(error) => {
                    let lost = self.link.lost(&line, &error).await && !error.is_timeout();
                    if !lost || last_try {
                        return Err(errors::of_read(doing, &error));
                    }
                    last_try = true;
                }
            }
        }
    }

    /// The changes after the cursor that are there now.
    async fn changes_now(&self, cursor: &Cursor, limit: usize) -> Result<Changes, Trouble> {
        let after = cursor.revision();
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HMGET").arg(&self.keys.meta).arg("history").arg("revision");
        pipeline
            .cmd("XRANGE")
            .arg(&self.keys.log)
            .arg(format!("({after}-0"))
            .arg("+")
            .arg("COUNT")
            .arg(limit);
        type Answer = ((Option<String>, Option<Vec<u8>>), Vec<decode::Entry>);
        let ((history, head), entries): Answer = self.query("read the log", &pipeline).await?;
        let (Some(history), Some(head)) = (history, head) else { return Err(Trouble::CursorGone) };
        let head = decode::revision(&head)?;
        if history != **cursor.history() || after > head {
            return Err(Trouble::CursorGone);
        }
        self.saw_in(&history, head);
        let changes = entries.into_iter().map(decode::change).collect::<Result<Vec<Change>, Trouble>>()?;
        follows(after, head, &changes)?;
        let cursor = changes.last().map_or_else(|| cursor.clone(), |last| cursor.at(last.revision));
        Ok(Changes { changes, cursor })
    }

    /// Waits until there is an entry after the cursor, or the wait runs out.
    async fn wait(&self, cursor: &Cursor, wait: Duration) -> Result<(), Trouble> {
        let mut waiter = self.link.waiter().await?;
        // 0 would block for ever.
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX).clamp(1, 3_600_000);
        let mut read = redis::cmd("XREAD");
        read.arg("COUNT").arg(1).arg("BLOCK").arg(wait_ms);
        read.arg("STREAMS").arg(&self.keys.log).arg(format!("{}-0", cursor.revision()));
        let patience = Duration::from_millis(wait_ms) + WAIT_GRACE;
        match tokio::time::timeout(patience, read.query_async::<redis::Value>(&mut waiter)).await {
            Ok(Ok(_entry)) => {
                self.link.give_back(waiter);
                Ok(())
            }
            Ok(Err(error)) => Err(errors::of_read("wait for a change", &error)),
            Err(_elapsed) => Err(Trouble::Unavailable { detail: "wait for a change: no answer".to_owned() }),
        }
    }

    fn saw(&self, revision: Revision) {
        self.seen.fetch_max(revision.0, Ordering::AcqRel);
    }

    fn saw_in(&self, history: &str, revision: Revision) {
        if self.history.get().is_some_and(|ours| history == &**ours) {
            self.saw(revision);
        }
    }

    fn commit_call(&self, history: &str, commit: &Commit) -> Cmd {
        let mut call = redis::cmd("FCALL");
        call.arg(COMMIT).arg(self.keys.all().len()).arg(&self.keys.all());
        call.arg(history).arg(self.seen.load(Ordering::Acquire));
        let at_ms = commit.at.as_millisecond();
        call.arg(at_ms).arg(at_ms - limits::REQUEST_MEMORY.as_secs() * 1_000);
        call.arg(limits::REQUESTS_PRUNED_PER_COMMIT);
        match &commit.request {
            Some(request) => {
                call.arg(keys::request(&request.scope, &request.id)).arg(&*request.scope);
                call.arg(&request.digest[..]).arg(&commit.answer[..]);
            }
            None => {
                call.arg("").arg("").arg("").arg("");
            }
        }
        call.arg(self.options.requests_per_scope).arg(&commit.cause[..]).arg(commit.expects.len());
        for (key, revision) in &commit.expects {
            call.arg(key.to_string()).arg(revision.0);
        }
        for (key, body) in &commit.writes {
            call.arg(key.to_string());
            match body {
                Some(body) => call.arg([b"=", &body[..]].concat()),
                None => call.arg("-"),
            };
        }
        call
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

/// A call of a function that failed.
enum Failed {
    NotSent(Trouble),
    Sent { error: RedisError, connection_lost: bool },
}

impl Failed {
    fn into_trouble(self, of_sent: impl FnOnce(&RedisError) -> Trouble) -> Trouble {
        match self {
            Failed::NotSent(trouble) => trouble,
            Failed::Sent { error, .. } => of_sent(&error),
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
        pipeline.cmd("HMGET").arg(&self.keys.live).arg(names);
        let (found,): (Vec<Option<Vec<u8>>>,) = self.query("read records", &pipeline).await?;
        let records = keys.iter().zip(found);
        records
            .map(|(key, stored)| stored.map(|stored| decode::live(key.clone(), stored)).transpose())
            .collect()
    }

    async fn snapshot(&self) -> Result<(Vec<Versioned>, Cursor), Trouble> {
        self.opened().await?;
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        pipeline.cmd("HMGET").arg(&self.keys.meta).arg("history").arg("revision");
        pipeline.cmd("HGETALL").arg(&self.keys.live);
        type Answer = ((Option<String>, Option<Vec<u8>>), HashMap<Vec<u8>, Vec<u8>>);
        let ((history, head), live): Answer = self.query("take a snapshot", &pipeline).await?;
        let (history, head) = match (history, head) {
            (Some(history), Some(head)) => (history.into(), decode::revision(&head)?),
            // Wiped since: what is there now, nothing, is the beginning of another history.
            (None, _) | (_, None) => self.open().await?,
        };
        self.saw_in(&history, head);
        let records = live.into_iter().map(|(name, stored)| decode::live(decode::key(&name)?, stored));
        let mut records = records.collect::<Result<Vec<Versioned>, Trouble>>()?;
        records.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok((records, Cursor::new(history, head)))
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
        let call = self.commit_call(self.opened().await?, &commit);
        let mut answer = self.call::<Vec<Vec<u8>>>(&call).await;
        // The connection broke, perhaps long ago while it was idle. With a request id a second try can have no second
        // effect, and tells what became of the first. After a timeout it would only add to the load.
        let first_was_sent = match &answer {
            Err(Failed::Sent { error, connection_lost: true }) if !error.is_timeout() => {
                commit.request.is_some()
            }
            Ok(_) | Err(Failed::NotSent(_) | Failed::Sent { .. }) => false,
        };
        if first_was_sent {
            answer = self.call(&call).await;
        }
        let answer = answer.map_err(|failed| {
            let trouble = failed.into_trouble(errors::of_commit);
            // What was surely not written is then the second try; of the first nothing is known.
            match trouble.is_passing() && first_was_sent {
                true => Trouble::Unknown { detail: trouble.to_string() },
                false => trouble,
            }
        })?;
        match decode::said(answer)? {
            Said::Outcome(outcome) => {
                if let Outcome::Committed { revision } | Outcome::Replayed { revision, .. } = &outcome {
                    self.saw(*revision);
                }
                Ok(outcome)
            }
            Said::Full => {
                let scope = commit.request.map(|request| request.scope.to_string()).unwrap_or_default();
                Err(Trouble::TooManyRequests { scope, allowed: self.options.requests_per_scope })
            }
            Said::Sealed(detail) => Err(Trouble::Sealed { detail }),
        }
    }
}
