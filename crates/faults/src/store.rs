//! The Redis servers of a round, as production runs them, and what is done to them.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, bail};
use fallow_ledger::conformance::twin::Dice;

use crate::clock::{Shim, Stepped};
use crate::process::{Process, Start};
use crate::proxy::{Acknowledged, Target};
use crate::resp;

/// Bytes of the small disk of a server whose disk runs full.
const SMALL_DISK: usize = 64 * 1024 * 1024;
const READY_WITHIN: Duration = Duration::from_secs(30);
/// How long a stopped server's last answers may take through the proxies: they lie in this machine's memory.
const DRAINED: Duration = Duration::from_millis(50);

/// A server of Redis.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) clock: Stepped,
    port: u16,
    folder: PathBuf,
    acknowledged: Acknowledged,
    is_replica_by_birth: bool,
    /// Whether its folder is a small disk of its own.
    has_small_disk: AtomicBool,
}

impl Server {
    /// Makes a server that keeps every acknowledged write; `replica_of` names the port of its primary.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub(crate) fn new(
        name: &str,
        (port, replica_of): (u16, Option<u16>),
        (folder, logs): (&Path, &Path),
        shim: &Shim,
    ) -> Result<Self> {
        let data = folder.join(name);
        std::fs::create_dir_all(&data)?;
        let clock = Stepped::new(folder.join(format!("{name}.clock")))?;
        let port_text = port.to_string();
        let words = [
            "redis-server",
            "--bind",
            "127.0.0.1",
            "--port",
            &port_text,
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
            "--maxmemory-policy",
            "noeviction",
            // One file throughout, so that its length says what is on disk.
            "--auto-aof-rewrite-percentage",
            "0",
            "--repl-diskless-sync-delay",
            "0",
            "--dir",
        ];
        let mut command: Vec<String> = words.map(ToOwned::to_owned).into();
        command.push(data.display().to_string());
        if let Some(primary) = replica_of {
            command.extend(["--replicaof".to_owned(), "127.0.0.1".to_owned(), primary.to_string()]);
        }
        let start = Start {
            name: name.to_owned(),
            command,
            environment: shim.environment(&clock).into(),
            folder: folder.to_owned(),
        };
        let logs_of_writes = data.join("appendonlydir");
        Ok(Self {
            process: Process::new(start, logs),
            clock,
            port,
            folder: data,
            acknowledged: Acknowledged::of(logs_of_writes),
            is_replica_by_birth: replica_of.is_some(),
            has_small_disk: AtomicBool::new(false),
        })
    }

    /// Returns where a proxy leads to reach it.
    pub(crate) fn target(&self) -> Target {
        Target { port: self.port, acknowledged: self.acknowledged.clone() }
    }

    /// Says whether its arguments make it a replica.
    pub(crate) fn is_replica_by_birth(&self) -> bool {
        self.is_replica_by_birth
    }

    /// Returns its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits until it answers and has loaded its files.
    ///
    /// # Errors
    /// It does not in time, or ends at once again and again.
    pub(crate) async fn ready(&self) -> Result<()> {
        let ready = async {
            loop {
                let info = resp::ask(self.port, &["INFO"]).await.unwrap_or_default();
                // Another's server may have taken the port.
                let own = self.process.id().map(|id| format!("process_id:{id}"));
                let has = |wanted: &str| info.lines().any(|line| line.trim() == wanted);
                if own.is_some_and(|own| has(&own)) && has("loading:0") {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        if tokio::time::timeout(READY_WITHIN, ready).await.is_err() {
            bail!("{} does not answer:\n{}", self.process.name(), self.process.tail(10));
        }
        Ok(())
    }

    /// Cuts the power: what is not on disk is gone. The log is cut anywhere at or after what was acknowledged, in the
    /// middle of a write or not. Returns how many bytes were lost.
    ///
    /// # Errors
    /// The log cannot be cut.
    pub(crate) async fn cut_power(&self, dice: &mut Dice) -> Result<u64> {
        // Stopped first, so that every answer that it gave passes before the lengths are compared.
        self.process.pause();
        tokio::time::sleep(DRAINED).await;
        self.process.kill();
        let Some(path) = self.acknowledged.file() else { return Ok(0) };
        let kept = self.acknowledged.bytes_of(&path);
        let Ok(found) = std::fs::metadata(&path) else { return Ok(0) };
        let loose = found.len().saturating_sub(kept);
        let lost = dice.below(loose + 1);
        let file = std::fs::OpenOptions::new().write(true).open(&path)?;
        file.set_len(found.len() - lost)?;
        file.sync_all()?;
        Ok(lost)
    }

    /// Gives the server's folder a small disk of its own, before it is started.
    ///
    /// # Errors
    /// It cannot be mounted. What is staged on a full disk must not be staged on the host's.
    pub(crate) fn small_disk(&self) -> Result<()> {
        let mut mount = std::process::Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={SMALL_DISK}"), "tmpfs"]).arg(&self.folder);
        let done = mount.output()?;
        if !done.status.success() {
            bail!("no small disk can be mounted: {}", String::from_utf8_lossy(&done.stderr));
        }
        self.has_small_disk.store(true, Ordering::Release);
        Ok(())
    }

    /// Fills the small disk to its last byte.
    ///
    /// # Errors
    /// There is none, or it is larger than it was made: nothing else is filled.
    pub(crate) fn fill_disk(&self) -> Result<()> {
        use std::io::Write as _;
        if !self.has_small_disk.load(Ordering::Acquire) {
            bail!("{} has no small disk to be filled", self.process.name());
        }
        let mut file = std::fs::File::create(self.folder.join("filler"))?;
        let block = [0_u8; 4096];
        for _ in 0..=SMALL_DISK / block.len() {
            if file.write_all(&block).is_err() {
                return Ok(());
            }
        }
        bail!("the small disk of {} is not full after {SMALL_DISK} bytes", self.process.name())
    }

    /// Makes room on the disk again.
    pub(crate) fn free_disk(&self) {
        // It may not have been filled.
        let _ = std::fs::remove_file(self.folder.join("filler"));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.has_small_disk.load(Ordering::Acquire) {
            self.process.kill();
            let copy = self.folder.with_extension("kept");
            // What a failing round leaves behind is looked at after the disk is gone.
            let _ = std::process::Command::new("cp").arg("-r").arg(&self.folder).arg(copy).output();
            let _ = std::process::Command::new("umount").arg(&self.folder).output();
        }
    }
}
