//! Connections that come back by themselves.
//!
//! The library's own reconnecting connection retries on its own terms, and a caller of a commit must know whether it
//! was sent. So there is one shared, pipelined connection that is replaced once it is lost, and a few for calls that
//! block, since a blocking command holds up everything behind it.

use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fallow_ledger::Trouble;
use redis::RedisError;
use redis::aio::MultiplexedConnection;
use tokio::sync::Mutex;

use crate::errors::{is_connection_lost, is_no_primary};
use crate::whereabouts::Whereabouts;

/// How many idle connections for blocking calls are kept; one process has one reader of the log.
const IDLE_WAITERS: usize = 4;

/// A connection, and which one it is.
pub(crate) struct Line {
    pub(crate) connection: MultiplexedConnection,
    number: u64,
}

pub(crate) struct Link {
    whereabouts: Whereabouts,
    response_timeout: Duration,
    current: Mutex<Current>,
    /// How often a connection was tried, so that those who queued behind a failure do not each wait for their own.
    attempts: AtomicU64,
    losses: AtomicU64,
    waiters: StdMutex<Vec<MultiplexedConnection>>,
}

#[derive(Default)]
struct Current {
    line: Option<(u64, MultiplexedConnection)>,
    failure: Option<Trouble>,
}

impl Link {
    /// Makes a link that connects when it is first used. A call on it is given up after `response_timeout`.
    pub(crate) fn new(whereabouts: Whereabouts, response_timeout: Duration) -> Link {
        Link {
            whereabouts,
            response_timeout,
            current: Mutex::default(),
            attempts: AtomicU64::new(0),
            losses: AtomicU64::new(0),
            waiters: StdMutex::default(),
        }
    }

    /// Gives the shared connection, making one if there is none.
    pub(crate) async fn line(&self) -> Result<Line, Trouble> {
        let seen = self.attempts.load(Ordering::Acquire);
        let mut current = self.current.lock().await;
        if let Some((number, connection)) = &current.line {
            return Ok(Line { connection: connection.clone(), number: *number });
        }
        if self.attempts.load(Ordering::Acquire) != seen
            && let Some(failure) = &current.failure
        {
            return Err(failure.clone());
        }
        let number = self.attempts.fetch_add(1, Ordering::AcqRel) + 1;
        match self.whereabouts.connect(Some(self.response_timeout)).await {
            Ok(connection) => {
                *current = Current { line: Some((number, connection.clone())), failure: None };
                Ok(Line { connection, number })
            }
            Err(failure) => {
                current.failure = Some(failure.clone());
                Err(failure)
            }
        }
    }

    /// Lets go of a connection after an error that has made it useless, or has shown that it no longer leads to the
    /// primary; the next caller gets a new one. Returns whether it was.
    pub(crate) async fn lost(&self, line: &Line, error: &RedisError) -> bool {
        if !is_connection_lost(error) && !is_no_primary(error) {
            return false;
        }
        // Those that wait lead to the same place.
        self.waiters().clear();
        let mut current = self.current.lock().await;
        if current.line.as_ref().is_some_and(|(number, _)| *number == line.number) {
            current.line = None;
            self.losses.fetch_add(1, Ordering::AcqRel);
        }
        true
    }

    /// Makes a connection for one user alone. A call on it is given up after `response_timeout`.
    pub(crate) async fn alone(&self, response_timeout: Duration) -> Result<MultiplexedConnection, Trouble> {
        self.whereabouts.connect(Some(response_timeout)).await
    }

    /// Returns a number that changes whenever the shared connection was lost: others to the same server are then best made
    /// anew too.
    pub(crate) fn losses(&self) -> u64 {
        self.losses.load(Ordering::Acquire)
    }

    /// Takes a connection for one blocking call. It has no timeout of its own: the caller sets one.
    pub(crate) async fn waiter(&self) -> Result<MultiplexedConnection, Trouble> {
        if let Some(idle) = self.waiters().pop() {
            return Ok(idle);
        }
        self.whereabouts.connect(None).await
    }

    /// Gives back a connection whose blocking call has ended well. One that is not given back is closed.
    pub(crate) fn give_back(&self, waiter: MultiplexedConnection) {
        let mut waiters = self.waiters();
        if waiters.len() < IDLE_WAITERS {
            waiters.push(waiter);
        }
    }

    fn waiters(&self) -> std::sync::MutexGuard<'_, Vec<MultiplexedConnection>> {
        self.waiters.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
