//! One region of one server, as everything in this crate sees it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use fallow_ledger::{Commit, Revision, Trouble, limits};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError};
use tokio::sync::OnceCell;

use crate::keys::{self, Keys};
use crate::link::Link;
use crate::settings::{self, ServerReport};
use crate::{Options, decode, errors, planted};

pub(crate) const FUNCTIONS: &str = include_str!("commit.lua");
const COMMIT: &str = "fallow_commit_v2";
const OPEN: &str = "fallow_open_v2";
const TOUCH: &str = "fallow_touch_v2";

pub(crate) struct Store {
    pub(crate) link: Link,
    pub(crate) keys: Keys,
    pub(crate) options: Options,
    /// The history that was found when the ledger was opened. A store of another history is closed to this process'
    /// writes.
    history: OnceCell<Arc<str>>,
    /// The highest revision that the store has told this process. A store that is behind it has lost something.
    seen: AtomicU64,
}

impl Store {
    pub(crate) fn new(link: Link, keys: Keys, options: Options) -> Store {
        Store { link, keys, options, history: OnceCell::new(), seen: AtomicU64::new(0) }
    }

    /// Gives the history of the ledger, opening it first if that has not been done yet.
    pub(crate) async fn opened(&self) -> Result<&Arc<str>, Trouble> {
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
    pub(crate) async fn check_server(&self) -> Result<ServerReport, Trouble> {
        let mut line = self.link.line().await?;
        let report = settings::report(&mut line.connection).await?;
        settings::judge(&report, &self.options.durability)?;
        Ok(report)
    }

    /// Gives the history and the last revision, making a history if there is none.
    pub(crate) async fn open(&self) -> Result<(Arc<str>, Revision), Trouble> {
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
    pub(crate) async fn call<T: FromRedisValue>(&self, call: &Cmd) -> Result<T, Failed> {
        self.call_of(&planted::spoil(FUNCTIONS), call).await
    }

    /// Calls a function, loading the library that it is of first if the server does not have it.
    pub(crate) async fn call_of<T: FromRedisValue>(&self, library: &str, call: &Cmd) -> Result<T, Failed> {
        let mut line = self.link.line().await.map_err(Failed::NotSent)?;
        let mut answer = call.query_async(&mut line.connection).await;
        if let Err(error) = &answer
            && errors::is_function_missing(error)
        {
            self.load_library(&mut line.connection, library).await.map_err(Failed::NotSent)?;
            answer = call.query_async(&mut line.connection).await;
        }
        match answer {
            Ok(answer) => Ok(answer),
            Err(error) => {
                self.link.lost(&line, &error).await;
                Err(Failed::Sent(error))
            }
        }
    }

    /// Loads the functions of `commit.lua`.
    pub(crate) async fn load(&self, line: &mut MultiplexedConnection) -> Result<(), Trouble> {
        self.load_library(line, &planted::spoil(FUNCTIONS)).await
    }

    async fn load_library(&self, line: &mut MultiplexedConnection, library: &str) -> Result<(), Trouble> {
        if !self.options.load_functions {
            return Err(not_loaded());
        }
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(library);
        let loaded: Result<String, RedisError> = load.query_async(line).await;
        loaded.map(drop).map_err(|error| match errors::is_misuse(&error) {
            // In production the services' own user may not.
            true => not_loaded(),
            false => errors::not_sent("load the function", &error),
        })
    }

    /// Reads, once more over a new connection when the one at hand turns out to be lost.
    pub(crate) async fn query<T: FromRedisValue>(
        &self,
        doing: &str,
        pipeline: &Pipeline,
    ) -> Result<T, Trouble> {
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

    pub(crate) fn saw(&self, revision: Revision) {
        self.seen.fetch_max(revision.0, Ordering::AcqRel);
    }

    pub(crate) fn saw_in(&self, history: &str, revision: Revision) {
        if self.history.get().is_some_and(|ours| history == &**ours) {
            self.saw(revision);
        }
    }

    /// Whether an answer that writes nothing is to leave a mark all the same, so that a wait for replicas covers what it
    /// rests on.
    fn touches(&self) -> u8 {
        u8::from(self.options.replicas > 0 && !fallow_ledger::planted::on("touch-skipped"))
    }

    /// The smallest write there is.
    pub(crate) fn touch_call(&self) -> Cmd {
        let mut call = redis::cmd("FCALL");
        call.arg(TOUCH).arg(1).arg(&self.keys.meta);
        call
    }

    /// Writes a commit as the function takes it.
    pub(crate) fn commit_call(&self, commit: &Commit) -> Cmd {
        let history = self.history.get().map_or("", |history| &**history);
        let mut call = redis::cmd("FCALL");
        call.arg(COMMIT).arg(self.keys.all().len()).arg(&self.keys.all());
        call.arg(history).arg(self.seen.load(Ordering::Acquire)).arg(self.touches());
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

fn not_loaded() -> Trouble {
    let detail =
        "the store does not have this release's functions; the user deploy loads them: fallow ledger deploy";
    Trouble::Misconfigured { detail: detail.to_owned() }
}

/// A call of a function that failed.
pub(crate) enum Failed {
    NotSent(Trouble),
    Sent(RedisError),
}

impl Failed {
    pub(crate) fn into_trouble(self, of_sent: impl FnOnce(&RedisError) -> Trouble) -> Trouble {
        match self {
            Failed::NotSent(trouble) => trouble,
            Failed::Sent(error) => of_sent(&error),
        }
    }
}
