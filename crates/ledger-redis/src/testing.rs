//! A real `redis-server` for tests. Redis is never faked.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

const READY_WITHIN: Duration = Duration::from_secs(10);

/// A `redis-server` of its own on a free port of this machine, with its files in a temporary folder. Killed on drop.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    arguments: Vec<String>,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts a server that keeps nothing: the quickest.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not come up.
    pub async fn start() -> RedisServer {
        RedisServer::start_with(&["--appendonly", "no"]).await
    }

    /// Starts a server that keeps every acknowledged write, as production does.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not come up.
    pub async fn start_durable() -> RedisServer {
        RedisServer::start_with(&["--appendonly", "yes", "--appendfsync", "always"]).await
    }

    /// Starts a server with these further arguments.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not come up.
    pub async fn start_with(arguments: &[&str]) -> RedisServer {
        // The port that is found free may be taken before the server binds it: then try another.
        for _ in 0..5 {
            let mut server = RedisServer {
                folder: tempfile::tempdir().expect("a temporary folder"),
                port: free_port(),
                arguments: arguments.iter().map(ToString::to_string).collect(),
                process: None,
            };
            if server.launch().await {
                return server;
            }
        }
        panic!("redis-server did not come up within {READY_WITHIN:?}");
    }

    /// Returns the URL to connect to.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/", self.port)
    }

    /// Kills the server as `kill -9` does. What it wrote to its files stays.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts the server again on the same port and files, after [`RedisServer::kill`].
    ///
    /// # Panics
    /// When it does not come up.
    pub async fn restart(&mut self) {
        self.kill();
        assert!(self.launch().await, "redis-server did not come up again within {READY_WITHIN:?}");
    }

    /// Sends one command over a connection of its own and gives the answer.
    ///
    /// # Panics
    /// When the server cannot be reached or refuses the command.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        self.try_command(words).await.expect("the server takes the command")
    }

    async fn try_command(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let mut connection = redis::Client::open(self.url())?.get_multiplexed_async_connection().await?;
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        command.query_async(&mut connection).await
    }

    /// Launches the process and waits until it answers; false when it ended instead.
    async fn launch(&mut self) -> bool {
        let mut command = Command::new("redis-server");
        command.args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""]);
        command.args(&self.arguments).arg("--dir").arg(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn();
        let process = process.unwrap_or_else(|error| {
            panic!("redis-server could not be run ({error}); install it with: apt-get install redis-server")
        });
        let process = self.process.insert(process);
        let id = process.id().to_string();
        let ready = async {
            loop {
                if self.process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None))) {
                    return false;
                }
                // Another process may have taken the port: only our own counts. While the server loads its files it
                // answers this call and refuses all others.
                let info = self.try_command(&["INFO"]).await;
                let info = info.and_then(|info| Ok(redis::from_redis_value::<String>(info)?));
                let ours =
                    |line: &str| line.strip_prefix("process_id:").is_some_and(|found| found.trim() == id);
                if info
                    .is_ok_and(|info| info.lines().any(ours) && info.lines().any(|line| line == "loading:0"))
                {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(READY_WITHIN, ready).await.unwrap_or(false)
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    listener.local_addr().expect("the port's number").port()
}
