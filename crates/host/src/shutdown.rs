//! The end of a process: on SIGTERM or SIGINT everything is told to stop.

use crate::tasks::Tasks;

/// Tells `tasks` to stop when the process is asked to end, and returns then; also when they are told otherwise.
///
/// # Errors
/// The operating system refuses to tell us of signals.
pub async fn on_signal(tasks: &Tasks) -> std::io::Result<()> {
    let name = tokio::select! {
        name = signal()? => name,
        () = tasks.stopping() => return Ok(()),
    };
    tracing::info!(signal = name, "stopping");
    tasks.stop();
    Ok(())
}

/// Returns a future that ends with the name of the signal that arrived. Listening begins at once, not at its first poll.
#[cfg(unix)]
fn signal() -> std::io::Result<impl Future<Output = &'static str>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
        }
    })
}

/// Returns a future that ends with the name of the signal that arrived.
#[cfg(not(unix))]
fn signal() -> std::io::Result<impl Future<Output = &'static str>> {
    Ok(async {
        // An error means that no signal can arrive: then only the tasks end the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
        "Ctrl-C"
    })
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn sigterm_stops_the_tasks() {
        let tasks = Tasks::new();
        let mut waiting = std::pin::pin!(on_signal(&tasks));
        assert!(futures::poll!(&mut waiting).is_pending());
        let me = std::process::id().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &me]).status().unwrap().success());
        waiting.await.unwrap();
        assert!(tasks.is_stopping());
    }

    #[tokio::test]
    async fn tasks_that_stop_by_themselves_end_the_wait() {
        let tasks = Tasks::new();
        tasks.stop();
        on_signal(&tasks).await.unwrap();
    }
}
