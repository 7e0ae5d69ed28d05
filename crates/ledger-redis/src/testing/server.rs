//! One server.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use redis::{AsyncConnectionConfig, IntoConnectionInfo};
use tempfile::TempDir;

use super::{Certificates, LOOK_EVERY, Program, READY_WITHIN, STARTS, free_port, until};

/// How long a command of the fixture may take: a machine that runs many tests at once is slow, and the library's own half a
/// second is then too short.
const PATIENCE: Duration = Duration::from_secs(10);

/// How much of a server's log is shown when it does not come up.
const LOG_LINES: usize = 12;

/// What a server is started with.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    program: Program,
    arguments: Vec<String>,
    /// Files that are written into the server's folder before it starts: name and text.
    files: Vec<(String, String)>,
    certificates: Option<Certificates>,
    /// As whom the fixture itself signs in, with the password; the server's default user if nobody is named.
    keeper: Option<(String, String)>,
}

impl Setup {
    /// A server of this program that keeps nothing: the quickest.
    pub fn of(program: Program) -> Setup {
        Setup { program, ..Setup::default() }
    }

    /// Adds arguments of the command line, such as `--appendonly yes`.
    #[must_use]
    pub fn with(mut self, arguments: &[&str]) -> Setup {
        self.arguments.extend(arguments.iter().map(ToString::to_string));
        self
    }

    /// Keeps every acknowledged write, as production does.
    #[must_use]
    pub fn durable(self) -> Setup {
        self.with(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Runs as a Sentinel over what its file names.
    #[must_use]
    pub(super) fn sentinel(mut self, file: String) -> Setup {
        self.files.push(("sentinel.conf".to_owned(), file));
        self.with(&["sentinel.conf", "--sentinel"])
    }

    /// Takes the users from the text of an ACL file. The fixture itself signs in as one of them.
    #[must_use]
    pub fn users(mut self, acl: &str, fixture_user: &str, password: &str) -> Setup {
        self.files.push(("users.acl".to_owned(), acl.to_owned()));
        self.keeper = Some((fixture_user.to_owned(), password.to_owned()));
        self.with(&["--aclfile", "users.acl"])
    }

    /// Serves TLS only, and demands a certificate of its clients where `of_clients` is set.
    #[must_use]
    pub fn tls(mut self, certificates: &Certificates, of_clients: bool) -> Setup {
        self.certificates = Some(certificates.clone());
        let files = [
            ("ca.pem", &certificates.ca),
            ("server.pem", &certificates.server.0),
            ("server.key", &certificates.server.1),
        ];
        self.files.extend(files.map(|(name, text)| (name.to_owned(), text.clone())));
        let asked = if of_clients { "yes" } else { "no" };
        self.with(&[
            "--tls-ca-cert-file",
            "ca.pem",
            "--tls-cert-file",
            "server.pem",
            "--tls-key-file",
            "server.key",
        ])
        .with(&["--tls-auth-clients", asked, "--tls-replication", "yes"])
    }
}

/// A server of its own on a free port of this machine, with its files in a temporary folder. Killed on drop.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    setup: Setup,
    process: Option<Child>,
}

impl RedisServer {
    /// Starts a `redis-server` that keeps nothing: the quickest.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not come up.
    pub async fn start() -> RedisServer {
        RedisServer::start_with(&["--appendonly", "no"]).await
    }

    /// Starts a `redis-server` that keeps every acknowledged write, as production does.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not come up.
    pub async fn start_durable() -> RedisServer {
        RedisServer::start_as(Setup::default().durable()).await
    }

    /// Starts a `redis-server` with these further arguments.
    ///
    /// # Panics
    /// When `redis-server` is not installed or does not come up.
    pub async fn start_with(arguments: &[&str]) -> RedisServer {
        RedisServer::start_as(Setup::default().with(arguments)).await
    }

    /// Starts a replica of this server, of the same program and with these further arguments, and waits until it has
    /// everything that its primary has.
    ///
    /// # Panics
    /// When it does not come up or does not catch up.
    pub async fn start_replica(&self, arguments: &[&str]) -> RedisServer {
        let mut setup = self.setup.clone().with(&["--replicaof", &format!("127.0.0.1 {}", self.port)]);
        if let Some((user, password)) = &self.setup.keeper {
            setup = setup.with(&["--masteruser", user, "--masterauth", password]);
        }
        let replica = RedisServer::start_as(setup.with(arguments)).await;
        replica.caught_up().await;
        replica
    }

    /// Starts a server.
    ///
    /// # Panics
    /// When its program is not installed or it does not come up.
    pub async fn start_as(setup: Setup) -> RedisServer {
        let mut why = String::new();
        for _ in 0..STARTS {
            match RedisServer::try_start(setup.clone()).await {
                Ok(server) => return server,
                Err(refusal) => why = refusal,
            }
        }
        panic!("{:?} did not come up: {why}", setup.program.path());
    }

    /// Starts a server on a port that is free, or says why it did not come up: another may have taken it meanwhile.
    pub(super) async fn try_start(setup: Setup) -> Result<RedisServer, String> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, text) in &setup.files {
            std::fs::write(folder.path().join(name), text).expect("a file of the server");
        }
        let mut server = RedisServer { folder, port: free_port(), setup, process: None };
        server.launch().await.map(|()| server)
    }

    /// Returns the URL to connect to, without a user.
    pub fn url(&self) -> String {
        let scheme = if self.setup.certificates.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/", self.port)
    }

    /// Returns the port on which it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the number of its process, or nothing while it is killed.
    pub fn process_id(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Returns the folder with its files: `appendonlydir` with the log of its writes, where it keeps one.
    pub fn folder(&self) -> &Path {
        self.folder.path()
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
        self.launch().await.expect("the server comes up again");
    }

    /// Waits until this replica is connected to its primary and has all that was there.
    ///
    /// # Panics
    /// When it does not catch up.
    pub async fn caught_up(&self) {
        until("the replica has caught up", async || {
            self.info("replication").await.contains("master_link_status:up")
        })
        .await;
    }

    /// Waits until so many replicas are connected and follow.
    ///
    /// # Panics
    /// When they do not come.
    pub async fn has_replicas(&self, count: usize) {
        until("the replicas follow", async || {
            self.info("replication").await.matches("state=online").count() >= count
        })
        .await;
    }

    /// Gives a section of what the server tells of itself, lines of `name:value`.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn info(&self, section: &str) -> String {
        let info = self.command(&["INFO", section]).await;
        redis::from_redis_value(info).expect("text")
    }

    /// Sends one command over a connection of its own and gives the answer.
    ///
    /// # Panics
    /// When the server cannot be reached or refuses the command.
    pub async fn command(&self, words: &[&str]) -> redis::Value {
        self.try_command(words).await.expect("the server takes the command")
    }

    /// Returns how many bytes of the server's memory a key takes; 0 when it is not there.
    ///
    /// # Panics
    /// When the server cannot be reached.
    pub async fn bytes(&self, key: &str) -> u64 {
        let bytes = self.command(&["MEMORY", "USAGE", key, "SAMPLES", "0"]).await;
        redis::from_redis_value::<Option<u64>>(bytes).expect("a number").unwrap_or(0)
    }

    /// Sends one command over a connection of its own and gives the answer or the refusal.
    ///
    /// # Errors
    /// The server cannot be reached or refuses the command.
    pub async fn try_command(&self, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let keeper = self.setup.keeper.as_ref();
        self.send(keeper.map(|(user, password)| (&**user, &**password)), words).await
    }

    /// As [`RedisServer::try_command`], as this user.
    ///
    /// # Errors
    /// The server cannot be reached, does not know the user, or refuses the command.
    pub async fn try_as(
        &self,
        user: &str,
        password: &str,
        words: &[&str],
    ) -> redis::RedisResult<redis::Value> {
        self.send(Some((user, password)), words).await
    }

    async fn send(&self, who: Option<(&str, &str)>, words: &[&str]) -> redis::RedisResult<redis::Value> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut connection = self.client(who)?.get_multiplexed_async_connection_with_config(&config).await?;
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        command.query_async(&mut connection).await
    }

    fn client(&self, who: Option<(&str, &str)>) -> redis::RedisResult<redis::Client> {
        let info = self.url().into_connection_info()?;
        // A user may not be allowed the call by which the library gives its name.
        let mut settings = info.redis_settings().clone().set_skip_set_lib_name();
        if let Some((user, password)) = who {
            settings = settings.set_username(user).set_password(password);
        }
        let info = info.set_redis_settings(settings);
        match &self.setup.certificates {
            None => redis::Client::open(info),
            Some(certificates) => redis::Client::build_with_tls(info, certificates.of_client()),
        }
    }

    /// Launches the process and waits until it answers, or says why it does not.
    async fn launch(&mut self) -> Result<(), String> {
        let mut command = Command::new(self.setup.program.path());
        // A Sentinel's file must be its first argument.
        command.args(&self.setup.arguments);
        let port = self.port.to_string();
        match &self.setup.certificates {
            None => command.args(["--port", &port]),
            Some(_) => command.args(["--port", "0", "--tls-port", &port]),
        };
        command.args(["--bind", "127.0.0.1", "--save", "", "--repl-diskless-sync-delay", "0"]);
        command.arg("--dir").arg(self.folder.path()).current_dir(self.folder.path());
        command.args(["--logfile", "server.log"]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| {
            let program = self.setup.program;
            panic!("{:?} could not be run ({error}); {}", program.path(), program.install_line())
        });
        let process = self.process.insert(process);
        let id = process.id().to_string();
        let mut last = String::new();
        let ready = async {
            loop {
                if self.process.as_mut().is_none_or(|process| !matches!(process.try_wait(), Ok(None))) {
                    return Err("it ended".to_owned());
                }
                match self.is_ready(&id).await {
                    Ok(true) => return Ok(()),
                    Ok(false) => "not ready".clone_into(&mut last),
                    Err(error) => last = error.to_string(),
                }
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let ended = tokio::time::timeout(READY_WITHIN, ready).await;
        ended.unwrap_or_else(|_| Err(format!("no answer within {READY_WITHIN:?}: {last}"))).map_err(|why| {
            let log = std::fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default();
            let end = log.lines().rev().take(LOG_LINES).collect::<Vec<_>>();
            format!("{why}; its log ends, latest first:\n{}", end.join("\n"))
        })
    }

    /// Says whether it is our own process that answers, for another may have taken the port, and has loaded its files:
    /// before that it answers this call and refuses all others.
    async fn is_ready(&self, process: &str) -> redis::RedisResult<bool> {
        let info = redis::from_redis_value::<String>(self.try_command(&["INFO"]).await?)?;
        let ours = |line: &str| line.strip_prefix("process_id:").is_some_and(|found| found.trim() == process);
        let loaded =
            |line: &str| ["loading:0", "redis_mode:sentinel", "server_mode:sentinel"].contains(&line);
        Ok(info.lines().any(ours) && info.lines().any(loaded))
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}
