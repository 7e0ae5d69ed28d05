//! The demonstration's switches, over the wire: what a browser without scripts sends, and what the services then say.

use clap::{CommandFactory as _, Parser as _};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;
use crate::cli::{self, Terminal};
use crate::root::{Command, Root};

/// A person at a browser without scripts.
struct Person {
    console: SocketAddr,
    cookie: String,
}

impl Person {
    async fn signs_in(console: SocketAddr) -> Self {
        let mut person = Self { console, cookie: String::new() };
        let answer = person.send("POST", "/sign-in", "user=bed-manager.ZA4&next=/demo").await;
        let (_, rest) = answer.split_once("fallow_session=").unwrap_or_else(|| panic!("{answer}"));
        person.cookie = format!("fallow_session={}", rest.split(';').next().unwrap());
        person
    }

    /// Sends a request; returns the whole answer.
    async fn send(&self, method: &str, path: &str, form: &str) -> String {
        let Self { console, cookie } = self;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {console}\r\nconnection: close\r\ncookie: {cookie}\r\ncontent-type: \
             application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
            form.len()
        );
        let mut stream = tokio::net::TcpStream::connect(console).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Presses the button of a speed on the page that is there now; returns the answer and the page after it.
    async fn sets_the_speed(&self, speed: &str) -> (String, String) {
        let page = self.send("GET", "/demo", "").await;
        let (_, rest) = page.split_once("name=\"csrf\" value=\"").unwrap_or_else(|| panic!("{page}"));
        let csrf = rest.split('"').next().unwrap();
        let answer = self.send("POST", "/demo/speed", &format!("csrf={csrf}&speed={speed}")).await;
        (answer, self.send("GET", "/demo", "").await)
    }
}

/// While nothing changes, a situation that was told may be told again with its time, for less than this long.
const TOLD_ANEW_AFTER: jiff::SignedDuration = jiff::SignedDuration::from_secs(2);

/// Asks the services for the time, as anybody's command line does.
async fn told_by_the_services(folder: &Path) -> Timestamp {
    said(folder, "situation").await["at"].as_str().unwrap().parse().unwrap()
}

/// Returns what a command says to programs.
async fn said(folder: &Path, command: &str) -> serde_json::Value {
    let folder = folder.display().to_string();
    let words = ["fallow", "--as", "duty-lead", command, "-o", "json", "--state-home", folder.as_str()];
    let root = Root::try_parse_from(words).unwrap();
    let Command::Client(verb) = root.command else { panic!("not a client command") };
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let terminal = Terminal {
        out: &mut out,
        err: &mut err,
        interactive: false,
        colour: false,
        ascii: false,
        input: None,
    };
    cli::run(*verb, root.global, Root::command(), Clock::system(), terminal).await;
    serde_json::from_slice(&out).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&err)))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demonstration_says_that_it_takes_changes() {
    let folder = tempfile::tempdir().unwrap();
    let args = DevArgs { port: 0, grpc_port: 0, no_simulator: true, ..DevArgs::default() };
    let shown = Demonstration::start(&args, folder.path()).await.unwrap();
    let until_told = async {
        loop {
            let found = said(folder.path(), "doctor").await;
            let checks = found["checks"].as_array().unwrap();
            let store = checks.iter().find(|check| check["check"] == "store").unwrap();
            // What is not told yet is a warning.
            if store["level"] == "ok" {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), until_told).await.unwrap();
    shown.end(Duration::from_secs(10)).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_person_stops_the_clock_of_everything_and_lets_it_run_on() {
    let folder = tempfile::tempdir().unwrap();
    let args = DevArgs { port: 0, grpc_port: 0, ..DevArgs::default() };
    let shown = Demonstration::start(&args, folder.path()).await.unwrap();
    let person = Person::signs_in(shown.console).await;
    let (clock, begun) = (shown.clock().clone(), person.send("GET", "/demo", "").await);
    assert!(begun.contains("a minute passes every second") && begun.contains("60 times as fast"), "{begun}");
    let told = told_by_the_services(folder.path()).await;
    clock.sleep_until(clock.now() + TOLD_ANEW_AFTER).await;
    assert!(told < told_by_the_services(folder.path()).await);

    let (answer, page) = person.sets_the_speed("0").await;
    assert!(answer.starts_with("HTTP/1.1 303") && answer.contains("location: /demo"), "{answer}");
    assert!(page.contains("From now on, time stands still."), "{page}");
    assert!(page.contains("value=\"0\" aria-pressed=\"true\">Stop the clock"), "{page}");
    let stood = (clock.now(), told_by_the_services(folder.path()).await);
    let (_, page) = person.sets_the_speed("0").await;
    assert_eq!((clock.now(), told_by_the_services(folder.path()).await), stood, "{page}");

    // Each step that people take by the clock comes after it runs again, and the clock has not jumped.
    let (_, page) = person.sets_the_speed("10").await;
    assert!(page.contains("time passes 10 times as fast") && clock.speed() == Some(10), "{page}");
    clock.sleep_until(stood.0 + TOLD_ANEW_AFTER).await;
    assert!(told_by_the_services(folder.path()).await > stood.1);

    for wrong in ["7", "-1", "fast", ""] {
        let (answer, _) = person.sets_the_speed(wrong).await;
        assert!(
            answer.starts_with("HTTP/1.1 422") && answer.contains("choose one of the speeds"),
            "{answer}"
        );
    }
    let unsigned = person.send("POST", "/demo/speed", "csrf=another&speed=60").await;
    assert!(!unsigned.starts_with("HTTP/1.1 303") || !unsigned.contains("location: /demo\r"), "{unsigned}");
    assert_eq!(
        clock.speed(),
        Some(10),
        "only a form of this session sets it, and only to a speed that there is"
    );
    shown.end(Duration::from_secs(10)).await.unwrap();
}

/// What a trust may do in a minute, its people do in a second here; a demonstration that was begun slowly can be sped up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_demonstration_counts_its_limits_by_its_clock() {
    let region = file::parse(NORTH_VALE).unwrap();
    let plain = Config::load(None, []).unwrap().limits.clone();
    for (speed, times) in [(1, 60), (60, 60), (600, 600), (3_600, 3_600)] {
        let args = DevArgs { speed, ..DevArgs::default() };
        let found = settings(&args, &region).unwrap().limits.clone();
        let pairs = [
            (plain.publish_per_second, found.publish_per_second),
            (plain.publish_burst, found.publish_burst),
            (plain.need_per_second, found.need_per_second),
            (plain.need_burst, found.need_burst),
            (plain.answer_per_second, found.answer_per_second),
            (plain.answer_burst, found.answer_burst),
            (plain.steer_per_second, found.steer_per_second),
            (plain.steer_burst, found.steer_burst),
            (plain.read_per_second, found.read_per_second),
            (plain.read_burst, found.read_burst),
        ];
        for (plain, found) in pairs {
            assert_eq!(found, (plain * times).min(100_000), "{speed}");
        }
    }

    let folder = tempfile::tempdir().unwrap();
    let args = DevArgs { port: 0, grpc_port: 0, no_simulator: true, ..DevArgs::default() };
    let shown = Demonstration::start(&args, folder.path()).await.unwrap();
    let file = folder.path().join("fallow-dev/tokens/bed-manager.ZA4.token");
    let token = std::fs::read_to_string(file).unwrap();
    let to = fallow_api::client::Settings::at(shown.grpc_url()).with_token(token.trim());
    let mut demand = fallow_api::client::Client::new(&to).unwrap().demand();
    // Three times the burst of needs that a trust has by its own clock, one after the other and without a second try.
    for _ in 0..plain.need_burst * 3 {
        let ask = fallow_api::v1::RaiseNeedRequest { validate_only: true, ..Default::default() };
        let refused = demand.raise_need(ask).await.unwrap_err();
        assert_eq!(refused.code(), tonic::Code::InvalidArgument, "{refused}");
    }
    shown.end(Duration::from_secs(10)).await.unwrap();
}
