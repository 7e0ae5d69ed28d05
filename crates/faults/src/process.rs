//! Processes of a round: each with its log in a file, signalled by its own id, and gone when the round is.

use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// How a process is started.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    /// What it is called in a report.
    pub(crate) name: String,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// Its environment beyond what is inherited.
    pub(crate) environment: Vec<(String, String)>,
    /// Where it runs.
    pub(crate) folder: PathBuf,
}

/// A process that is to run, and runs again when it ended.
#[derive(Debug)]
pub(crate) struct Process {
    start: Start,
    log: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    child: Option<Child>,
    /// Whether it is to run: a fault keeps it down.
    is_wanted: bool,
    starts: u32,
}

impl Process {
    /// Makes a process that does not run yet; its log goes to the folder of logs.
    pub(crate) fn new(start: Start, logs: &Path) -> Self {
        let log = logs.join(format!("{}.log", start.name));
        Self { start, log, state: Mutex::default() }
    }

    /// Returns what it is called.
    pub(crate) fn name(&self) -> &str {
        &self.start.name
    }

    /// Starts it, and lets it be started again whenever it ends.
    ///
    /// # Errors
    /// The program cannot be run.
    pub(crate) fn run(&self) -> Result<()> {
        let mut state = self.state();
        state.is_wanted = true;
        self.launch(&mut state)
    }

    /// Starts it again if it has ended and is to run, as whoever runs services does. Returns whether it had.
    ///
    /// # Errors
    /// The program cannot be run.
    pub(crate) fn see_to_it(&self) -> Result<bool> {
        let mut state = self.state();
        let has_ended = match &mut state.child {
            Some(child) => child.try_wait()?.is_some(),
            None => false,
        };
        if !has_ended || !state.is_wanted {
            return Ok(false);
        }
        self.launch(&mut state)?;
        Ok(true)
    }

    /// Returns the id of the process that runs, or ran last.
    pub(crate) fn id(&self) -> Option<u32> {
        self.state().child.as_ref().map(Child::id)
    }

    /// Returns how often it was started.
    pub(crate) fn starts(&self) -> u32 {
        self.state().starts
    }

    /// Kills it as `kill -9` does, and keeps it down until [`Process::run`].
    pub(crate) fn kill(&self) {
        let mut state = self.state();
        state.is_wanted = false;
        if let Some(mut child) = state.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Tells it to end, as whoever runs services does, and waits. Returns whether it ended in time and as it should.
    pub(crate) async fn stop(&self, within: Duration) -> bool {
        self.state().is_wanted = false;
        self.signal(Signal::TERM);
        let ended = async {
            loop {
                let ended = match &mut self.state().child {
                    Some(child) => child.try_wait(),
                    None => return false,
                };
                match ended {
                    Ok(Some(status)) => return status.success(),
                    Ok(None) => tokio::time::sleep(Duration::from_millis(20)).await,
                    Err(_) => return false,
                }
            }
        };
        tokio::time::timeout(within, ended).await.unwrap_or(false)
    }

    /// Stops it in its tracks: it keeps its connections and answers nothing.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
    }

    /// Lets it go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    /// Returns the last lines of its log.
    pub(crate) fn tail(&self, lines: usize) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    fn signal(&self, signal: Signal) {
        let state = self.state();
        let id = state.child.as_ref().and_then(|child| i32::try_from(child.id()).ok());
        if let Some(pid) = id.and_then(Pid::from_raw) {
            // It may have ended; then there is nothing to stop.
            let _ = kill_process(pid, signal);
        }
    }

    fn launch(&self, state: &mut State) -> Result<()> {
        let mut log = OpenOptions::new().append(true).create(true).open(&self.log)?;
        log.seek(SeekFrom::End(0))?;
        let mut command = mortal(&self.start.command);
        command.current_dir(&self.start.folder);
        // The developer's own settings of Fallow are not those of a round.
        for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name.as_encoded_bytes())) {
            command.env_remove(name);
        }
        command.envs(self.start.environment.iter().cloned());
        command.stdin(Stdio::null()).stdout(copy(&log)?).stderr(copy(&log)?);
        // A group of its own: Ctrl-C ends the rounds, and the rounds end their processes.
        command.process_group(0);
        let child = command.spawn().with_context(|| format!("{} cannot be run", self.start.command[0]))?;
        if let Some(mut old) = state.child.replace(child) {
            let _ = old.kill();
            let _ = old.wait();
        }
        state.starts += 1;
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A paused process dies of SIGKILL like any other.
        self.kill();
    }
}

fn is_setting(name: &[u8]) -> bool {
    name.starts_with(b"FALLOW__")
}

fn copy(log: &File) -> Result<Stdio> {
    Ok(Stdio::from(log.try_clone()?))
}

/// Returns a command that dies with whoever started it, where the system has the means.
fn mortal(words: &[String]) -> Command {
    const SETPRIV: &str = "/usr/bin/setpriv";
    let mut command = if Path::new(SETPRIV).is_file() {
        let mut command = Command::new(SETPRIV);
        command.args(["--pdeathsig", "KILL", "--", &words[0]]);
        command
    } else {
        Command::new(&words[0])
    };
    command.args(&words[1..]);
    command
}
