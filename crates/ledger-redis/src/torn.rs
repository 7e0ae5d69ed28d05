//! What a power cut may leave at the end of a server's log, and how the ledger gets rid of it.
//!
//! Redis logs a commit as MULTI … EXEC. A log that ends in the middle of a command between the two is cut at its last
//! whole command when the server starts, so that it ends in an open MULTI. What is written next is read, at the start
//! after that, as part of the open one: what nobody was told of comes back, and what was acknowledged is refused in its
//! place (Redis 7.0.15; found by fault runs). A server that has started therefore writes its log afresh before the
//! ledger opens on it: the new one begins with what is in memory, and the torn end is gone.

use std::time::Duration;

use fallow_ledger::{Trouble, planted};

use crate::errors;
use crate::store::Store;

/// How often it is asked whether the log is written.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What `INFO persistence` says of the log.
struct Log {
    /// Whether there is one.
    is_kept: bool,
    /// Whether it was written afresh since the server started.
    is_fresh: bool,
    /// Whether it is being written afresh, or about to be.
    is_under_way: bool,
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
        }
    }
}

impl Store {
    /// Has the server write its log afresh, unless it has done so since it started. Cost: that of writing all that is in
    /// memory once per start.
    ///
    /// A server whose users may not ask for it goes on as it is: whoever runs it mends its log before each start, as
    /// `redis-check-aof --fix` does.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] when the log is not written within the response timeout; it goes on being written.
    pub(crate) async fn shed_torn_end(&self) -> Result<(), Trouble> {
        if planted::on("torn-end-kept") {
            return Ok(());
        }
        let doing = "write the server's log afresh";
        let mut line = self.link.line().await?;
        let since = tokio::time::Instant::now();
        loop {
            let asked =
                redis::cmd("INFO").arg("persistence").query_async::<String>(&mut line.connection).await;
            let log = Log::read(&asked.map_err(|error| errors::of_read(doing, &error))?);
            if !log.is_kept || log.is_fresh {
                return Ok(());
            }
            if since.elapsed() >= self.options.response_timeout {
                return Err(Trouble::Unavailable { detail: format!("{doing}: not done yet") });
            }
            if !log.is_under_way {
                let begun = redis::cmd("BGREWRITEAOF").query_async::<String>(&mut line.connection).await;
                match begun {
                    Ok(_) => {}
                    // Another process has just asked for it.
                    Err(error) if error.to_string().contains("already in progress") => {}
                    Err(error) if error.code().is_some() => {
                        tracing::warn!(%error, "the store's log may end in what a power cut tore");
                        return Ok(());
                    }
                    Err(error) => return Err(errors::of_read(doing, &error)),
                }
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
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
