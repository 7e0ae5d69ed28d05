//! The live protocol over a real socket: fragments by ETag, the stream of events, and who may have them.

mod approvals;
mod fake;
mod inbox;
mod lookers;
mod records;
mod stage;
mod tracker;
mod two_people;
mod upload;
mod walls;

use std::net::SocketAddr;
use std::time::Duration;

use stage::Stage;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer than any answer takes on a busy machine.
const SOON: Duration = Duration::from_secs(20);

/// A browser reduced to what these tests need: it sends one request on a connection.
struct Visitor {
    address: SocketAddr,
    cookie: String,
}

impl Visitor {
    async fn signed_in(stage: &Stage) -> Self {
        Self::signed_in_as(stage, "bed-manager.ZA4").await
    }

    async fn signed_in_as(stage: &Stage, user: &str) -> Self {
        let mut visitor = Self { address: stage.address, cookie: String::new() };
        let answer = visitor.ask("POST", "/sign-in", "", &format!("user={user}")).await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
        let cookie = header(&answer, "set-cookie").expect("a cookie");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
        visitor.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        visitor
    }

    async fn open(&self, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.expect("the console listens");
        let (host, cookie, length) = (self.address, &self.cookie, body.len());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {cookie}\r\n{headers}\
             Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("the console reads");
        stream
    }

    /// Sends a request and returns the whole answer.
    async fn ask(&self, method: &str, path: &str, headers: &str, body: &str) -> String {
        let mut stream = self.open(method, path, headers, body).await;
        let mut answer = Vec::new();
        timeout(SOON, stream.read_to_end(&mut answer)).await.expect("in time").expect("an answer");
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn get(&self, path: &str, headers: &str) -> String {
        self.ask("GET", path, headers, "").await
    }

    /// Reads a stream until it has said something, and returns all it said.
    async fn listen(&self, headers: &str, until: &str) -> String {
        let mut stream = self.open("GET", "/events", headers, "").await;
        Self::hear(&mut stream, until).await
    }

    async fn hear(stream: &mut TcpStream, until: &str) -> String {
        let mut heard = String::new();
        let mut bytes = [0; 4096];
        while !heard.contains(until) {
            let read = timeout(SOON, stream.read(&mut bytes)).await;
            let read =
                read.unwrap_or_else(|_| panic!("no {until:?} in {heard:?}")).expect("the stream is open");
            assert!(read > 0, "the stream ended after {heard:?}");
            heard.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        heard
    }
}

/// Returns the value of a header of an answer.
fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    let mut lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

/// Adds one free unit to an offer, as another client would.
fn change(stage: &Stage) -> i64 {
    stage.world.change(|records| {
        let revision = records.bump("elsewhere");
        let offer = records.offers.iter_mut().find(|offer| offer.id == "o-3").expect("an offer");
        offer.figures.as_mut().expect("figures").free += 1;
        offer.revision = revision;
        revision
    })
}

/// Waits until the console has heard of the world, so that what follows is told as a change.
async fn wait_until_it_follows(visitor: &Visitor) {
    visitor.listen("Last-Event-ID: 1\r\n", "event: gold").await;
}

#[tokio::test]
async fn a_fragment_is_sent_again_only_when_it_changed() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let first = visitor.get("/f/capacity", "").await;
    assert!(first.starts_with("HTTP/1.1 200"), "{first}");
    let tag = header(&first, "etag").expect("an ETag").to_owned();
    let known = format!("If-None-Match: {tag}\r\n");
    let again = visitor.get("/f/capacity", &known).await;
    assert!(again.starts_with("HTTP/1.1 304") && again.ends_with("\r\n\r\n"), "{again}");
    change(&stage);
    let changed = visitor.get("/f/capacity", &known).await;
    assert!(changed.starts_with("HTTP/1.1 200") && header(&changed, "etag") != Some(&tag), "{changed}");
    stage.tasks.stop();
}

#[tokio::test]
async fn a_change_is_told_by_its_revision_and_nothing_else() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    wait_until_it_follows(&visitor).await;
    let mut stream = visitor.open("GET", "/events", "", "").await;
    let begun = Visitor::hear(&mut stream, "event: build").await;
    assert_eq!(header(&begun, "x-accel-buffering"), Some("no"));
    assert_eq!(header(&begun, "content-type"), Some("text/event-stream"));
    assert_eq!(header(&begun, "content-encoding"), None, "a compressed stream would be held back");
    assert!(begun.contains("retry: 3000"), "{begun}");
    let revision = change(&stage);
    let told = Visitor::hear(&mut stream, "event: cap").await;
    assert!(
        told.contains(&format!("id: {revision}")) && told.contains(&format!("data: {revision}")),
        "{told}"
    );
    assert!(!told.contains("o-3"), "a stream names no record: {told}");
    stage.tasks.stop();
}

#[tokio::test]
async fn who_comes_back_is_told_what_they_missed() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    wait_until_it_follows(&visitor).await;
    let revision = change(&stage);
    let missed = visitor.listen("Last-Event-ID: 100\r\n", "event: cap").await;
    assert!(missed.contains(&format!("data: {revision}")), "{missed}");
    for unknown in ["999999", "garbled"] {
        visitor.listen(&format!("Last-Event-ID: {unknown}\r\n"), "event: reset").await;
    }
    stage.tasks.stop();
}

#[tokio::test]
async fn without_a_session_there_is_nothing_to_hear_or_see() {
    let stage = Stage::on("127.0.0.1:0").await;
    let nobody = Visitor { address: stage.address, cookie: "fallow_session=guess".to_owned() };
    for path in ["/events", "/f/capacity", "/f/head/capacity"] {
        assert!(nobody.get(path, "").await.starts_with("HTTP/1.1 401"), "{path}");
    }
    let page = nobody.get("/capacity", "").await;
    assert_eq!(header(&page, "location"), Some("/sign-in?next=/capacity"));
    let form = nobody.ask("POST", "/capacity/still-true", "", "all=1").await;
    assert_eq!(header(&form, "location"), Some("/sign-in?next=/"));
    stage.tasks.stop();
}

#[tokio::test]
async fn a_form_sent_twice_is_one_request() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let page = visitor.get("/capacity", "").await;
    let csrf = page
        .split("name=\"csrf\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .expect("a secret");
    let form = format!("csrf={csrf}&offer=o-3&revision=100&shown=0&by=1");
    for _ in 0..2 {
        let answer = visitor.ask("POST", "/capacity/free", "", &form).await;
        assert!(answer.starts_with("HTTP/1.1 303"), "{answer}");
    }
    let refused = visitor.ask("POST", "/capacity/free", "Origin: https://evil.example\r\n", &form).await;
    assert!(refused.starts_with("HTTP/1.1 403"), "{refused}");
    let ids = stage.world.records().request_ids.clone();
    assert_eq!(ids.len(), 2, "the service was asked twice");
    assert_eq!(ids[0], ids[1], "under one id, by which it does the second nothing");
    stage.tasks.stop();
}

#[tokio::test]
async fn a_service_that_is_away_is_said_plainly() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    stage.services.stop();
    let page = timeout(SOON, async {
        loop {
            let page = visitor.get("/capacity", "").await;
            if page.starts_with("HTTP/1.1 503") {
                return page;
            }
        }
    });
    let page = page.await.expect("the services end");
    assert!(page.contains("Fallow cannot be reached") || page.contains("Fallow did not answer"), "{page}");
    assert!(page.contains("Sign out"), "the frame stays");
    stage.tasks.stop();
}

#[tokio::test]
async fn every_page_tells_of_broken_glass_for_a_day() {
    use fallow_api::v1::{Action, action::State};

    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let now = stage.world.clock.now();
    let glass = |text: &str, state: State, hours: i64| Action {
        text: text.to_owned(),
        breaks_glass: text.starts_with("Break glass"),
        confirmed_at: Some(fallow_api::convert::time::to_wire(now - jiff::SignedDuration::from_hours(hours))),
        state: state.into(),
        ..Action::default()
    };
    let shown =
        [glass("Break glass: waits", State::Proposed, 0), glass("Break glass: done", State::Confirmed, 23)];
    let hidden = [
        glass("Break glass: too long ago", State::Confirmed, 24),
        glass("Break glass: in vain", State::Expired, 0),
        glass("Break glass: refused", State::Refused, 0),
        glass("Two people: a region file", State::Confirmed, 0),
    ];
    let all = shown.iter().chain(&hidden).cloned().collect();
    stage.world.change(|records| records.actions = all);
    for page in ["/proposals", "/transfers"] {
        let page = visitor.get(page, "").await;
        for action in &shown {
            assert!(page.contains(&action.text), "{}: {page}", action.text);
        }
        for action in &hidden {
            assert!(!page.contains(&action.text), "{}: {page}", action.text);
        }
    }
    stage.tasks.stop();
}

#[tokio::test]
async fn every_page_says_what_an_ok_rests_on() {
    let stage = Stage::on("127.0.0.1:0").await;
    let visitor = Visitor::signed_in(&stage).await;
    let pages = ["/proposals", "/capacity", "/needs", "/transfers", "/situation", "/help"];
    for page in pages {
        let shown = visitor.get(page, "").await;
        assert!(
            shown.starts_with("HTTP/1.1 200") && !shown.contains("It is not checked."),
            "{page}: {shown}"
        );
    }
    stage.world.change(|records| records.situation.store_caveat = "It is not checked.".to_owned());
    for page in pages {
        let shown = visitor.get(page, "").await;
        assert!(shown.contains("It is not checked."), "{page}: {shown}");
    }
    stage.tasks.stop();
}
