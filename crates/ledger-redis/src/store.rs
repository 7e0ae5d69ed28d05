//! One region of one server, as everything in this crate sees it.

use std::sync::{Arc, Mutex, PoisonError};

use fallow_ledger::{Commit, Revision, Trouble, limits};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, FromRedisValue, Pipeline, RedisError};
use tokio::sync::OnceCell;

use crate::keys::{self, Keys};
use crate::link::Link;
use crate::presence::Presence;
use crate::settings::{self, ServerReport};
use crate::strict::Reached;
use crate::torn::Asked;
use crate::{Options, decode, errors, planted};

pub(crate) const FUNCTIONS: &str = include_str!("commit.lua");
const NOT_LOADED: &str =
    "the store does not have this release's functions; the user deploy loads them: fallow ledger deploy";
const COMMIT: &str = "fallow_commit_v2";
const TOUCH: &str = "fallow_touch_v2";

/// Where the ledger is, as `meta` says: history, revision, epoch, and the highest revision known to be on the replicas.
pub(crate) type Head = (Option<String>, Option<Vec<u8>>, Option<String>, Option<Vec<u8>>);

pub(crate) struct Store {
    pub(crate) link: Link,
    pub(crate) keys: Keys,
    pub(crate) options: Options,
    /// What this process has seen.
    pub(crate) presence: Presence,
    opened: OnceCell<()>,
    /// How far the archive is known to be, where an OK waits for it.
    pub(crate) reached: tokio::sync::Mutex<Reached>,
    /// When the server was asked to write its log afresh.
    pub(crate) rewrite_asked: Asked,
    /// Why the server's settings forbid writing, as of the last check.
    unsafe_settings: Mutex<Option<Trouble>>,
}

impl Store {
    pub(crate) fn new(link: Link, keys: Keys, options: Options) -> Store {
        let presence = Presence::new(&options.name);
        Store {
            link,
            keys,
            options,
            presence,
            opened: OnceCell::new(),
            reached: tokio::sync::Mutex::default(),
            rewrite_asked: Asked::default(),
            unsafe_settings: Mutex::default(),
        }
    }

    /// Checks the server and opens the ledger, unless that has been done.
    ///
    /// A ledger that is closed to writes, or lies on a server that may not be written to, is open for reads: that is no
    /// trouble here.
    pub(crate) async fn opened(&self) -> Result<(), Trouble> {
        let open = async || {
            let (_, verdict) = self.survey().await?;
            let trouble = match self.attest(false).await {
                Ok(_) => return Ok(()),
                Err(trouble @ Trouble::Misconfigured { .. }) => trouble,
                Err(trouble) => return Err(trouble),
            };
            match self.look().await {
                Ok(look) if look.found.history.is_some() => Ok(()),
                // What is wrong with the server says more than what fails because of it.
                Ok(_) | Err(_) => Err(verdict.err().unwrap_or(trouble)),
            }
        };
        self.opened.get_or_try_init(open).await.copied()
    }

    /// Asks the server for its version and settings, and holds them against what the deployment asks for.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] naming each setting that is wrong; [`Trouble::Unavailable`].
    pub(crate) async fn check_server(&self) -> Result<ServerReport, Trouble> {
        let (report, verdict) = self.survey().await?;
        verdict.map(|()| report)
    }

    /// As [`Store::check_server`], and gives what was found also where it is refused.
    async fn survey(&self) -> Result<(ServerReport, Result<(), Trouble>), Trouble> {
        let (report, verdict) = self.ask_server().await?;
        let now = verdict.as_ref().err().cloned();
        let before = std::mem::replace(
            &mut *self.unsafe_settings.lock().unwrap_or_else(PoisonError::into_inner),
            now.clone(),
        );
        if self.opened.get().is_none() || before != now {
            match &now {
                None => {
                    tracing::info!(version = report.version, found = ?report, "the store may be written to")
                }
                Some(trouble) => tracing::error!(error = %trouble, "the store may not be written to"),
            }
        }
        Ok((report, verdict))
    }

    /// Asks the server for its version and settings. Gives them with the verdict on them.
    pub(crate) async fn ask_server(&self) -> Result<(ServerReport, Result<(), Trouble>), Trouble> {
        let mut last_try = false;
        let report = loop {
            let mut line = self.link.line().await?;
            match settings::report(&mut line.connection, self.options.replicas).await {
                Ok(report) => break report,
                Err(error) => {
                    let lost = self.link.lost(&line, &error).await && !error.is_timeout();
                    if !lost || last_try {
                        return Err(errors::of_read("read the server's settings", &error));
                    }
                    last_try = true;
                }
            }
        };
        let verdict = settings::judge(&report, &self.options.durability);
        Ok((report, verdict))
    }

    /// Says whether the server's settings allow writing, as of the last check.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`].
    pub(crate) fn settings_allow(&self) -> Result<(), Trouble> {
        let trouble = self.unsafe_settings.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.clone().map_or(Ok(()), Err)
    }

    /// Calls a function of `commit.lua`.
    pub(crate) async fn call<T: FromRedisValue>(&self, call: &Cmd) -> Result<T, Failed> {
        self.call_of(&planted::spoil(FUNCTIONS), call).await
    }

    /// Calls a function that may be called twice, once more over a new connection when the one at hand turns out to be lost.
    pub(crate) async fn call_again<T: FromRedisValue>(&self, call: &Cmd) -> Result<T, Failed> {
        match self.call(call).await {
            Err(Failed::Sent(error)) if errors::is_connection_lost(&error) && !error.is_timeout() => {
                self.call(call).await
            }
            answered => answered,
        }
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
            return Err(Trouble::Misconfigured { detail: NOT_LOADED.to_owned() });
        }
        let mut load = redis::cmd("FUNCTION");
        load.arg("LOAD").arg("REPLACE").arg(library);
        let loaded: Result<String, RedisError> = load.query_async(line).await;
        loaded.map(drop).map_err(|error| match errors::is_misuse(&error) {
            // In production the services' own user may not; they wait for the one who may.
            true => Trouble::Unavailable { detail: NOT_LOADED.to_owned() },
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

    /// Asks where the ledger is.
    pub(crate) fn head_call(&self) -> Cmd {
        let mut call = redis::cmd("HMGET");
        call.arg(&self.keys.meta).arg(&["history", "revision", "epoch", "kept"]);
        call
    }

    /// Remembers where the ledger was found to be. Gives its history and last revision, or nothing when it has none.
    pub(crate) fn saw(&self, head: Head) -> Result<Option<(Arc<str>, Revision)>, Trouble> {
        let (history, revision, epoch, kept) = head;
        let (Some(history), Some(revision)) = (history, revision) else {
            self.presence.doubt();
            return Ok(None);
        };
        let revision = decode::revision(&revision)?;
        let kept = match kept {
            Some(kept) if self.options.replicas > 0 => decode::revision(&kept)?,
            None if self.options.replicas > 0 => Revision::ABSENT,
            Some(_) | None => revision,
        };
        let history: Arc<str> = history.into();
        self.presence.read(&history, epoch.as_deref(), revision, kept);
        Ok(Some((history, revision)))
    }

    /// Whether an answer that writes nothing is to leave a mark all the same, so that a wait for replicas covers what it
    /// rests on.
    fn touches(&self) -> u8 {
        u8::from(self.options.replicas > 0 && !fallow_ledger::planted::on("touch-skipped"))
    }

    /// The smallest write there is.
    pub(crate) fn touch_call(&self) -> Cmd {
        let mut call = redis::cmd("FCALL");
        let (epoch, kept) = self.presence.place();
        call.arg(TOUCH).arg(1).arg(&self.keys.meta).arg(epoch).arg(kept);
        call
    }

    /// Writes a commit as the function takes it.
    pub(crate) fn commit_call(&self, (epoch, known): &(String, u64), commit: &Commit) -> Cmd {
        let mut call = redis::cmd("FCALL");
        call.arg(COMMIT).arg(self.keys.all().len()).arg(&self.keys.all());
        call.arg(epoch).arg(known).arg(self.touches());
        call.arg(limits::REQUEST_MEMORY.as_secs() * 1_000);
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
