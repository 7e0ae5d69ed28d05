//! The network between a process and Redis, which can be broken on purpose.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How the network is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Weather {
    /// Everything passes.
    Clear,
    /// Everything passes after so long.
    Slow(Duration),
    /// Nothing passes either way, and nobody is told.
    BlackHole,
    /// What is sent arrives; what is answered does not.
    HalfOpen,
    /// Connections are refused and cut.
    Cut,
}

/// A way from one process to a server.
#[derive(Debug)]
pub(crate) struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    _listener: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    weather: watch::Sender<Weather>,
    /// Where it leads, and the file whose length is noted whenever an answer passes.
    target: Mutex<Target>,
    /// Counts the times when all connections were cut.
    cuts: watch::Sender<u64>,
    /// How many answers to commits are still to be dropped after the server has done the work.
    drops: AtomicU32,
}

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// Its port on this machine.
    pub(crate) port: u16,
    /// What it must have on disk: the length of its log when it last answered.
    pub(crate) acknowledged: Acknowledged,
}

/// The length of a server's log on disk when an answer of it last passed a proxy. Redis answers after its fsync, so
/// all of that is on disk whatever the power does.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    folder: PathBuf,
    /// The file that is written now, and its length.
    last: Arc<Mutex<(PathBuf, u64)>>,
}

impl Acknowledged {
    /// Watches over the folder with a server's log of writes.
    pub(crate) fn of(folder: PathBuf) -> Self {
        Self { folder, last: Arc::default() }
    }

    /// Returns the file that the server appends to: the last that its manifest names.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let manifest = std::fs::read_to_string(self.folder.join("appendonly.aof.manifest")).ok()?;
        let last = manifest.lines().rfind(|line| line.ends_with("type i"))?;
        Some(self.folder.join(last.split_whitespace().nth(1)?))
    }

    fn note(&self) {
        let Some(file) = self.file() else { return };
        let Ok(found) = std::fs::metadata(&file) else { return };
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == file {
            last.1 = last.1.max(found.len());
        } else {
            *last = (file, found.len());
        }
    }

    /// Returns how many bytes of a file are surely on disk.
    pub(crate) fn bytes_of(&self, file: &Path) -> u64 {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 == file { last.1 } else { 0 }
    }
}

/// By this a call that commits is known.
const COMMIT: &[u8] = b"fallow_commit";
/// For how long nothing comes after the last part of an answer.
const QUIET: Duration = Duration::from_millis(50);

impl Proxy {
    /// Opens a way to a server on a free port.
    ///
    /// # Errors
    /// No port is free.
    pub(crate) async fn open(target: Target) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let port = listener.local_addr()?.port();
        let shared = Arc::new(Shared {
            weather: watch::Sender::new(Weather::Clear),
            target: Mutex::new(target),
            cuts: watch::Sender::new(0),
            drops: AtomicU32::new(0),
        });
        let mut tasks = JoinSet::new();
        let accepting = shared.clone();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                tokio::select! {
                    accepted = listener.accept() => match accepted {
                        Ok((client, _)) => drop(connections.spawn(carry(client, accepting.clone()))),
                        Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                    },
                    Some(_) = connections.join_next() => {}
                }
            }
        });
        Ok(Self { port, shared, _listener: tasks })
    }

    /// Returns the port that it listens on.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Changes the weather; connections that are open feel it too.
    pub(crate) fn set(&self, weather: Weather) {
        self.shared.weather.send_replace(weather);
        if weather == Weather::Cut {
            self.cut();
        }
    }

    /// Cuts every connection; new ones may be made.
    pub(crate) fn cut(&self) {
        self.shared.cuts.send_modify(|cuts| *cuts += 1);
    }

    /// Drops the answers to the next commits, after the server has done the work, and cuts their connections.
    pub(crate) fn drop_answers(&self, commits: u32) {
        self.shared.drops.store(commits, Ordering::Release);
    }

    /// Leads somewhere else from now on.
    pub(crate) fn lead_to(&self, target: Target) {
        *self.shared.target.lock().unwrap_or_else(PoisonError::into_inner) = target;
        self.cut();
    }
}

async fn carry(client: TcpStream, shared: Arc<Shared>) {
    let mut cuts = shared.cuts.subscribe();
    cuts.mark_unchanged();
    if *shared.weather.borrow() == Weather::Cut {
        // Dropped with unread bytes the connection is reset, not closed.
        return;
    }
    let target = shared.target.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let address = SocketAddr::from(([127, 0, 0, 1], target.port));
    let Ok(server) = TcpStream::connect(address).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // Whether the answer that comes next is to a commit whose answer is to be dropped.
    let doomed = AtomicU32::new(0);
    tokio::select! {
        () = asks(from_client, to_server, &shared, &doomed) => {}
        () = answers(from_server, to_client, &shared, &target, &doomed) => {}
        _ = cuts.changed() => {}
    }
}

async fn asks(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    shared: &Shared,
    doomed: &AtomicU32,
) {
    let mut weather = shared.weather.subscribe();
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        if bytes[..read].windows(COMMIT.len()).any(|window| window == COMMIT)
            && shared.drops.fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1)).is_ok()
        {
            doomed.store(1, Ordering::Release);
        }
        let passes = |now: &Weather| !matches!(now, Weather::BlackHole);
        if wait(&mut weather, passes).await.is_none() || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

async fn answers(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    shared: &Shared,
    target: &Target,
    doomed: &AtomicU32,
) {
    let mut weather = shared.weather.subscribe();
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut bytes).await {
        target.acknowledged.note();
        if doomed.load(Ordering::Acquire) > 0 {
            // A long batch is answered in parts: the last comes when its work is done.
            while let Ok(Ok(1..)) = timeout(QUIET, from.read(&mut bytes)).await {
                target.acknowledged.note();
            }
            return;
        }
        let passes = |now: &Weather| !matches!(now, Weather::BlackHole | Weather::HalfOpen);
        if wait(&mut weather, passes).await.is_none() || to.write_all(&bytes[..read]).await.is_err() {
            return;
        }
    }
}

/// Waits until something may pass; `None` when the way is gone.
async fn wait(weather: &mut watch::Receiver<Weather>, passes: impl Fn(&Weather) -> bool) -> Option<()> {
    let now = *weather.wait_for(passes).await.ok()?;
    if let Weather::Slow(by) = now {
        tokio::time::sleep(by).await;
    }
    Some(())
}
