//! What a power cut may leave at the end of a server's log, and how the ledger gets rid of it.
//!
//! Redis logs a commit as MULTI … EXEC. A log that ends in the middle of a command between the two is cut at its last
//! whole command when the server starts, so that it ends in an open MULTI. What is written next is read, at the start
//! after that, as part of the open one: what nobody was told of comes back, and what was acknowledged is refused in its
//! place (Redis 7.0.15; found by fault runs). A server that has started therefore writes its log afresh before the
//! ledger opens on it: the new one begins with what is in memory, and the torn end is gone.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fallow_ledger::{Trouble, planted};
use redis::aio::MultiplexedConnection;
use tokio::time::Instant;

use crate::errors;
use crate::settings::Durability;
use crate::store::Store;

/// How often it is asked whether the log is written.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// How long a server is not asked again to write its log, once it could not or would not: it answers a thousand times a
/// second, and its disk or its users are mended by people.
const ASK_AGAIN: Duration = Duration::from_secs(1);

/// When a server was last asked to write its log afresh, and why it did not, where it said so.
#[derive(Default)]
pub(crate) struct Asked(Mutex<Option<(Instant, Option<Trouble>)>>);

impl Asked {
    /// Whether it was asked a short while ago, and what it said.
    fn lately(&self) -> Option<Option<Trouble>> {
        let asked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        asked.as_ref().filter(|(at, _)| at.elapsed() < ASK_AGAIN).map(|(_, said)| said.clone())
    }

    fn note(&self, said: Option<Trouble>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), said));
    }
}

/// What `INFO persistence` says of the log.
struct Log {
    /// Whether there is one.
    is_kept: bool,
    /// Whether it was written afresh since the server started.
    is_fresh: bool,
    /// Whether it is being written afresh, or about to be.
    is_under_way: bool,
    /// Whether it was last written well, or has not been written afresh yet.
    is_well: bool,
}

impl Log {
    fn read(info: &str) -> Log {
        let number = |name: &str| {
            let found = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            found.and_then(|text| text.trim().parse::<u64>().ok()).unwrap_or(0)
        };
        let is_under_way = number("aof_rewrite_in_progress") + number("aof_rewrite_scheduled") > 0;
        let is_well = info.lines().any(|line| line.trim() == "aof_last_bgrewrite_status:ok");
        Log {
            is_kept: number("aof_enabled") == 1,
            is_fresh: number("aof_rewrites") > 0 && is_well && !is_under_way,
            is_under_way,
            is_well,
        }
    }
}

impl Store {
    /// Has the server write its log afresh, unless it has done so since it started. Cost: that of writing all that is in
    /// memory once per start.
    ///
    /// A server whose users may not ask for it is one whose settings are wrong. Where somebody attests them, or less is
    /// allowed, it goes on as it is: whoever runs it mends its log before each start, as `redis-check-aof --fix` does.
    ///
    /// # Errors
    /// [`Trouble::Misconfigured`] when the server does not let us ask; [`Trouble::Unavailable`] when the log is not written
    /// within the response timeout, as it goes on being written then, or could not be written.
    pub(crate) async fn shed_torn_end(&self) -> Result<(), Trouble> {
        if planted::on("torn-end-kept") {
            return Ok(());
        }
        let doing = "write the server's log afresh";
        let mut line = self.link.line().await?;
        let since = Instant::now();
        loop {
            let asked =
                redis::cmd("INFO").arg("persistence").query_async::<String>(&mut line.connection).await;
            let log = Log::read(&asked.map_err(|error| errors::of_read(doing, &error))?);
            if !log.is_kept || log.is_fresh {
                return Ok(());
            }
            let is_late = since.elapsed() >= self.options.response_timeout;
            match (log.is_under_way, self.rewrite_asked.lately()) {
                (true, _) | (false, Some(None)) if is_late => {
                    return Err(Trouble::Unavailable { detail: format!("{doing}: not done yet") });
                }
                (true, _) => {}
                (false, Some(Some(refusal))) => return self.without_a_fresh_log(refusal),
                // Asked a moment ago, and done already: it went wrong.
                (false, Some(None)) if !log.is_well => {
                    let detail = format!(
                        "{doing}: it failed (aof_last_bgrewrite_status); the server's own log says why, mostly a full disk"
                    );
                    return Err(Trouble::Unavailable { detail });
                }
                (false, Some(None)) => {}
                (false, None) => {
                    let refusal = ask(&mut line.connection, doing).await?;
                    self.rewrite_asked.note(refusal);
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Says whether the ledger may be opened on a server that refuses to write its log afresh.
    fn without_a_fresh_log(&self, refusal: Trouble) -> Result<(), Trouble> {
        match (&self.options.durability, &refusal) {
            (Durability::Checked, _) | (_, Trouble::Unavailable { .. }) => Err(refusal),
            (Durability::Attested(_) | Durability::Unsafe, _) => {
                tracing::warn!(%refusal, "the store's log may end in what a power cut tore");
                Ok(())
            }
        }
    }
}

/// Asks the server to write its log afresh. Gives why it does not, if it says so.
async fn ask(connection: &mut MultiplexedConnection, doing: &str) -> Result<Option<Trouble>, Trouble> {
    match redis::cmd("BGREWRITEAOF").query_async::<String>(connection).await {
        Ok(_) => Ok(None),
        // Another process has just asked for it.
        Err(error) if error.to_string().contains("already in progress") => Ok(None),
        Err(error) if errors::is_misuse(&error) => Ok(Some(Trouble::Misconfigured {
            detail: format!(
                "BGREWRITEAOF is refused ({error}), must be allowed: the server's log may end in what a power cut tore, and \
                 what is written behind that may be lost"
            ),
        })),
        Err(error) if error.code().is_some() => {
            Ok(Some(Trouble::Unavailable { detail: format!("{doing}: {error}") }))
        }
        Err(error) => Err(errors::of_read(doing, &error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_is_fresh_once_it_was_written_well() {
        let log = |rewrites: u8, under_way: u8, status: &str| {
            Log::read(&format!(
                "aof_enabled:1\r\naof_rewrite_in_progress:{under_way}\r\naof_rewrite_scheduled:0\r\n\
                 aof_last_bgrewrite_status:{status}\r\naof_rewrites:{rewrites}\r\n"
            ))
        };
        assert!(log(1, 0, "ok").is_fresh);
        assert!(!log(0, 0, "ok").is_fresh && !log(1, 1, "ok").is_fresh && !log(1, 0, "err").is_fresh);
        assert!(log(0, 1, "ok").is_under_way && !log(0, 0, "ok").is_under_way);
        assert!(!Log::read("aof_enabled:0\r\n").is_kept);
    }
}
