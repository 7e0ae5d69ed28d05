//! Tasks of the process: spawned by name, seen when they panic, waited for at the end.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// The tasks of a process and the word to stop. Cheap to clone; clones are the same set.
#[derive(Clone, Default)]
pub struct Tasks(Arc<Inner>);

#[derive(Default)]
struct Inner {
    stop: CancellationToken,
    tracker: TaskTracker,
    running: Mutex<BTreeMap<u64, &'static str>>,
    next: AtomicU64,
    panics: AtomicU64,
    failed: AtomicBool,
}

/// How the tasks did not end as they should.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TasksError {
    /// Some tasks did not end in time.
    #[error("still running after {seconds} s: {}", names.join(", "))]
    StillRunning {
        /// How long was waited, in seconds.
        seconds: u64,
        /// The names of those tasks, in order of their start.
        names: Vec<&'static str>,
    },
    /// A task that the process cannot do without ended before it should.
    #[error("a vital task ended before it should; the log says which and why")]
    VitalTaskEnded,
}

impl Tasks {
    /// Makes an empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Spawns a task without which the process goes on. A panic in it is logged and counted.
    pub fn spawn(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, false, task);
    }

    /// Spawns a task without which the process is of no use: when it ends or panics before [`Tasks::stop`], the
    /// process is told to stop and [`Tasks::finish`] reports the failure, so that whoever started it starts it again.
    pub fn spawn_vital(&self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.start(name, true, task);
    }

    /// Tells every task to stop. May be called more than once.
    pub fn stop(&self) {
        self.0.stop.cancel();
    }

    /// Says whether the tasks have been told to stop.
    #[must_use]
    pub fn is_stopping(&self) -> bool {
        self.0.stop.is_cancelled()
    }

    /// Waits until the tasks are told to stop. Every long task listens to this.
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        self.0.stop.clone().cancelled_owned()
    }

    /// Returns how many tasks have panicked.
    #[must_use]
    pub fn panics(&self) -> u64 {
        self.0.panics.load(Ordering::Relaxed)
    }

    /// Tells every task to stop and waits for all of them, at most `limit`.
    ///
    /// # Errors
    /// Names the tasks that did not end, or says that a vital one had ended before.
    pub async fn finish(&self, limit: Duration) -> Result<(), TasksError> {
        self.stop();
        self.0.tracker.close();
        if tokio::time::timeout(limit, self.0.tracker.wait()).await.is_err() {
            let names = self.running().values().copied().collect();
            return Err(TasksError::StillRunning { seconds: limit.as_secs(), names });
        }
        if self.0.failed.load(Ordering::Acquire) { Err(TasksError::VitalTaskEnded) } else { Ok(()) }
    }

    // The one place that may spawn.
    #[expect(clippy::disallowed_methods)]
    fn start(&self, name: &'static str, vital: bool, task: impl Future<Output = ()> + Send + 'static) {
        let tasks = self.clone();
        let id = self.0.next.fetch_add(1, Ordering::Relaxed);
        self.running().insert(id, name);
        let watched = async move {
            let panicked = AssertUnwindSafe(task).catch_unwind().await.is_err();
            tasks.running().remove(&id);
            if panicked {
                // The panic hook has printed where; this line says which task it was.
                tracing::error!(task = name, "a task panicked");
                tasks.0.panics.fetch_add(1, Ordering::Relaxed);
            }
            if vital && (panicked || !tasks.is_stopping()) {
                tracing::error!(task = name, "a vital task ended: the process stops");
                tasks.0.failed.store(true, Ordering::Release);
                tasks.stop();
            }
        };
        tokio::spawn(self.0.tracker.track_future(watched));
    }

    fn running(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, &'static str>> {
        // The map is whole after every single operation, so a poisoned lock changes nothing.
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tasks")
            .field("running", &self.running().values().collect::<Vec<_>>())
            .field("stopping", &self.is_stopping())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    #[tokio::test]
    async fn tasks_are_told_to_stop_and_waited_for() {
        let tasks = Tasks::new();
        let done = Arc::new(AtomicBool::new(false));
        let (set, stopping) = (done.clone(), tasks.stopping());
        tasks.spawn_vital("follower", async move {
            stopping.await;
            set.store(true, Ordering::Release);
        });
        assert_eq!(tasks.finish(SOON).await, Ok(()));
        assert!(done.load(Ordering::Acquire));
    }

    #[tokio::test(start_paused = true)]
    async fn tasks_that_do_not_end_are_named() {
        let tasks = Tasks::new();
        tasks.spawn("deaf", std::future::pending());
        tasks.spawn("brief", async {});
        let expected = TasksError::StillRunning { seconds: 5, names: vec!["deaf"] };
        assert_eq!(tasks.finish(SOON).await, Err(expected));
    }

    #[tokio::test]
    async fn a_panic_is_counted_and_the_process_goes_on() {
        let tasks = Tasks::new();
        tasks.spawn("clumsy", async { panic!("on purpose") });
        while tasks.panics() == 0 {
            tokio::task::yield_now().await;
        }
        assert!(!tasks.is_stopping());
        assert_eq!(tasks.finish(SOON).await, Ok(()));
    }

    #[tokio::test]
    async fn the_end_of_a_vital_task_stops_the_process() {
        for panics in [false, true] {
            let tasks = Tasks::new();
            tasks.spawn_vital("engine", async move { assert!(!panics, "on purpose") });
            tasks.stopping().await;
            assert_eq!(tasks.finish(SOON).await, Err(TasksError::VitalTaskEnded));
        }
    }
}
