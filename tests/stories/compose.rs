//! docker-compose.yml is true: what it says is run, as processes of this machine, with the commands, environment and
//! health checks that stand in it, and works. A container engine is not assumed.

mod file;

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use fallow_api::client::{Client, Settings};
use fallow_api::v1::{self, watch_situation_response::Item};
use fallow_host::clock::Clock;
use file::{Declared, Files};
use tempfile::TempDir;

use crate::people::User;
use crate::wire;
use crate::world::{PATIENCE, soon};

/// How long to wait before a health check is repeated.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The services of the file as processes.
struct Stack {
    files: Files,
    root: PathBuf,
    folder: TempDir,
    /// The port of this machine that stands for each `host:port` of the file.
    ports: BTreeMap<String, u16>,
    running: Vec<(Declared, Child)>,
}

impl Stack {
    fn prepare() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned();
        let folder = tempfile::tempdir().unwrap();
        let variables = BTreeMap::from([("FALLOW_SECRETS", folder.path().display().to_string())]);
        let files = Files::read(&root, &variables);
        let names = [
            "redis:6379",
            "console:7430",
            "capacity:7431",
            "demand:7432",
            "matching:7433",
            "monitor:7434",
            "archive:7435",
        ];
        // Held together, so that they differ.
        let free: Vec<TcpListener> =
            names.iter().map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let port = |listener: &TcpListener| listener.local_addr().unwrap().port();
        let ports = names.iter().zip(&free).map(|(name, free)| ((*name).to_owned(), port(free))).collect();
        Self { files, root, folder, ports, running: Vec::new() }
    }

    fn address(&self, host: &str) -> String {
        let (_, port) = self.ports.iter().find(|(name, _)| name.starts_with(host)).unwrap();
        format!("127.0.0.1:{port}")
    }

    /// Returns a word of the file as it is on this machine.
    fn here(&self, service: &Declared, word: &str) -> String {
        let mut here = word.replace("0.0.0.0", "127.0.0.1");
        // What is a volume there is a folder here.
        here = here.replace("/var/lib/fallow", &self.folder.path().join("volumes").display().to_string());
        for (inside, outside) in &service.secrets {
            here = here.replace(inside, &outside.display().to_string());
        }
        for (inside, folder) in &self.files.copies {
            here = here.replace(inside, &self.root.join(folder).display().to_string());
        }
        for (name, port) in &self.ports {
            here = here.replace(name, &format!("127.0.0.1:{port}"));
            // A port by itself is where the service listens.
            if name.split_once(':').is_some_and(|(_, inside)| inside == here) {
                here = port.to_string();
            }
        }
        here
    }

    fn environment(&self, service: &Declared) -> BTreeMap<String, String> {
        service.environment.iter().map(|(key, value)| (key.clone(), self.here(service, value))).collect()
    }

    /// Returns a command of ours with the environment of a service and nothing else.
    fn ours(&self, service: &Declared, words: &[String]) -> Command {
        let mut command = Command::new(binary());
        command.args(words.iter().map(|word| self.here(service, word)));
        command.env_clear().envs(self.environment(service));
        command.current_dir(self.folder.path());
        command
    }

    fn start(&mut self, service: &Declared) {
        let mut command = if service.is_ours {
            assert_eq!(self.files.entrypoint, ["fallow"]);
            self.ours(service, &service.command)
        } else {
            let (program, words) = service.command.split_first().expect("a command");
            let port = self.ports["redis:6379"].to_string();
            let mut command = Command::new(program);
            command
                .args(words.iter().map(|word| self.here(service, word)))
                .args(["--bind", "127.0.0.1", "--port", &port])
                .current_dir(self.folder.path());
            command
        };
        let log = std::fs::File::create(self.log(&service.name)).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap_or_else(|error| panic!("{} cannot be run: {error}", service.name));
        self.running.push((service.clone(), child));
    }

    fn log(&self, name: &str) -> PathBuf {
        self.folder.path().join(format!("{name}.log"))
    }

    /// Runs the health check of a service once.
    fn is_healthy(&self, service: &Declared) -> bool {
        let mut command = match service.health.split_first().expect("a health check") {
            (program, words) if program == "fallow" => self.ours(service, words),
            (program, words) => {
                let mut command = Command::new(program);
                command.args(["-p", &self.ports["redis:6379"].to_string()]).args(words);
                command
            }
        };
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
            .status()
            .unwrap_or_else(|error| panic!("{:?} cannot be run: {error}", service.health))
            .success()
    }

    /// Waits until a service is healthy, while no process ends.
    async fn healthy(&mut self, service: &Declared) {
        self.until(&format!("{} being healthy", service.name), |stack| stack.is_healthy(service)).await;
    }

    /// Waits for something, while no process ends.
    async fn until(&mut self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let wait = async {
            while !is_so(self) {
                for (service, child) in &mut self.running {
                    if let Some(status) = child.try_wait().unwrap() {
                        let log = self.folder.path().join(format!("{}.log", service.name));
                        panic!(
                            "{} ended, {status}:\n{}",
                            service.name,
                            std::fs::read_to_string(log).unwrap()
                        );
                    }
                }
                tokio::time::sleep(ASK_AGAIN).await;
            }
        };
        soon(what, wait).await;
    }

    /// Tells every process to end, the ones that depend on others first, and sees that each does so well and in time.
    async fn stop(mut self) {
        for (service, child) in self.running.drain(..).rev().collect::<Vec<_>>() {
            let id = child.id().to_string();
            assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
            let grace = Duration::from_secs(service.grace_seconds);
            let ended = tokio::task::spawn_blocking(move || {
                let mut child = child;
                child.wait().unwrap()
            });
            let status = tokio::time::timeout(grace, ended).await;
            let log = std::fs::read_to_string(self.log(&service.name)).unwrap();
            let status =
                status.unwrap_or_else(|_| panic!("{} did not end within {grace:?}:\n{log}", service.name));
            assert!(status.unwrap().success(), "{}:\n{log}", service.name);
            assert!(!self.is_healthy(&service), "{} is gone and yet healthy", service.name);
        }
    }

    /// Waits until everything is archived, and sees that the commands of an operator find nothing wrong.
    async fn archive_is_whole(&mut self, archive: &Declared) {
        let folder = self.here(archive, "/var/lib/fallow/archive");
        let key = self.folder.path().join("archive-key.pub.pem").display().to_string();
        let words = |words: &[&str]| {
            let keyed = [words, &["--key", &key]].concat();
            keyed.into_iter().map(str::to_owned).collect::<Vec<String>>()
        };
        let verify = words(&["audit", "verify", &folder, "--store"]);
        let whole = |stack: &Self| {
            let said = stack.ours(archive, &verify).output().unwrap();
            let text = String::from_utf8(said.stdout).unwrap();
            assert!(said.status.success(), "{text}{}", String::from_utf8_lossy(&said.stderr));
            assert!(text.ends_with("sound\n") && !text.contains("NOT"), "{text}");
            text.contains("; 0 changes are not archived")
        };
        self.until("everything being archived", whole).await;
        let said = output(&mut self.ours(archive, &words(&["ledger", "verify", "--archive", &folder])));
        assert!(said.ends_with("sound\n") && !said.contains("BROKEN"), "{said}");
        let said = output(&mut self.ours(archive, &words(&["audit", "export", &folder, "--trust", "ZA1"])));
        assert!(said.contains("compose-test (trust_system) for ZA1  PublishOffer"), "{said}");
        let receipt = output(&mut self.ours(archive, &words(&["audit", "receipt", &folder])));
        assert!(receipt.contains("\"fallow_receipt\":1"), "{receipt}");
    }

    fn user(&self, role: &str, trust: Option<&str>) -> User {
        let mut issue = Command::new(binary());
        issue.args(["token", "issue", "--subject", "compose-test", "--role", role, "--key"]);
        issue.arg(self.folder.path().join("signing-key.pem"));
        issue.args(trust.map(|trust| ["--trust", trust]).into_iter().flatten());
        let token = output(&mut issue);
        let settings = Settings {
            capacity: format!("http://{}", self.address("capacity")),
            demand: format!("http://{}", self.address("demand")),
            matching: format!("http://{}", self.address("matching")),
            monitor: format!("http://{}", self.address("monitor")),
            ..Settings::at("http://127.0.0.1:1").with_token(token.trim())
        };
        User { client: Client::new(&settings).unwrap(), now: Clock::system().now() }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        for (_, child) in &mut self.running {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Returns the program that the image holds, from the build folder in which this test lies.
fn binary() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("fallow");
    assert!(built.is_file(), "{} is missing: cargo build --package fallow", built.display());
    built
}

fn output(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn the_services_of_the_compose_file_run_and_work_together() {
    let mut stack = Stack::prepare();
    output(Command::new(binary()).args(["token", "keygen"]).arg(stack.folder.path()));
    output(Command::new(binary()).args(["archive", "keygen"]).arg(stack.folder.path()));
    output(Command::new(binary()).args(["ledger", "users"]).arg(stack.folder.path()));
    let (once, services): (Vec<_>, Vec<_>) =
        stack.files.without_profile().into_iter().partition(|service| service.is_once);
    let (ours, store): (Vec<_>, Vec<_>) = services.into_iter().partition(|service| service.is_ours);
    let names: Vec<&str> = ours.iter().map(|service| service.name.as_str()).collect();
    assert_eq!(names, ["archive", "capacity", "console", "demand", "matching", "monitor"]);

    // Started before their store is there, they wait for it: no process ends, and none says that it serves.
    for service in &ours {
        stack.start(service);
    }
    let monitor = ours.iter().find(|service| service.name == "monitor").unwrap();
    let listens = |stack: &Stack| std::net::TcpStream::connect(stack.address("monitor")).is_ok();
    stack.until("monitor listening", listens).await;
    assert!(!stack.is_healthy(monitor), "monitor serves without a store");
    for service in &store {
        stack.start(service);
        stack.healthy(service).await;
    }
    for service in &once {
        let said = output(&mut stack.ours(service, &service.command));
        assert!(said.contains("has the functions"), "{}: {said}", service.name);
    }
    for service in &ours {
        stack.healthy(service).await;
    }

    let (gold, feed) = (stack.user("gold", None), stack.user("trust_system", Some("ZA1")));
    let request = v1::WatchSituationRequest::default();
    let mut watch = gold.monitor().watch_situation(request).await.unwrap().into_inner();
    let offer = feed.publish_beds("ZA101", 3).await;
    let seen = soon("the offer in gold's situation", async {
        loop {
            let message = watch.message().await.unwrap().expect("a watch goes on");
            if let Some(Item::Situation(situation)) = message.item
                && let Some(cell) = situation.cells.iter().find(|cell| cell.trust == "ZA1" && cell.free == 3)
            {
                return (message.revision, cell.offers);
            }
        }
    })
    .await;
    assert!(seen.0 >= offer.revision && seen.1 == 1, "{seen:?}");
    // A bed that is needed is found: the engine of one process reads what two others wrote.
    let home = stack.user("bed_manager", Some("ZA2"));
    let need = home.raise(wire::need("ZA201", "LC-118", 1)).await;
    soon("a proposal for the need", async {
        while home.need(&need.id).await.state() != v1::need::State::Proposed {
            tokio::time::sleep(ASK_AGAIN).await;
        }
    })
    .await;
    drop(watch);
    stack.archive_is_whole(&ours[0]).await;
    tokio::time::timeout(PATIENCE * 2, stack.stop()).await.unwrap();
}
