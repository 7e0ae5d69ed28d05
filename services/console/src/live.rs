//! Live updates, poke and pull: the stream says only that something of a sort is at a revision; the page fetches what it shows.
//!
//! One watch per sort and process follows the services with the console's own credential. It keeps the newest revision of
//! each sort and nothing else, so a slow browser can never lag: it is told the newest when it is ready. The revisions
//! being those of the ledger, a browser that comes back with the last one it heard is told of whatever is newer.

use std::convert::Infallible;
use std::time::Duration;

use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use fallow_api::v1::{
    WatchAlertsRequest, WatchNeedsRequest, WatchOffersRequest, WatchProposalsRequest, WatchSituationRequest,
    WatchTransfersRequest,
};
use fallow_host::tasks::Tasks;
use futures::stream::{self, BoxStream, Stream, StreamExt};
use http::{HeaderName, HeaderValue};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tonic::Status;

use crate::assets;
use crate::problem::Problem;
use crate::session::TokenIssuer;
use crate::upstream::{Calls, Upstream};

/// A sort of news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Topic {
    /// Offers.
    Capacity,
    /// Needs.
    Needs,
    /// Proposals.
    Inbox,
    /// Transfers.
    Transfers,
    /// The region as gold sees it.
    Gold,
    /// Alerts, and what else the monitor keeps.
    Alerts,
}

impl Topic {
    const ALL: [Self; 6] =
        [Self::Capacity, Self::Needs, Self::Inbox, Self::Transfers, Self::Gold, Self::Alerts];

    /// Returns the name of the event, which pages listen to.
    const fn name(self) -> &'static str {
        match self {
            Self::Capacity => "cap",
            Self::Needs => "req",
            Self::Inbox => "inbox",
            Self::Transfers => "xfer",
            Self::Gold => "gold",
            Self::Alerts => "alert",
        }
    }
}

/// A sign of life on a quiet stream.
const BEAT_EVERY: Duration = Duration::from_secs(15);

/// Proxies that inspect traffic cut streams at an hour; ours ends before and the browser comes back by itself.
const STREAM_FOR: Duration = Duration::from_secs(50 * 60);

/// How long the browser waits before it comes back.
const RETRY: Duration = Duration::from_secs(3);

/// News of a sort closer together than this are told as one: the first at once, what follows when this has passed.
const TELL_EVERY: Duration = Duration::from_millis(200);

/// Watches send something at least every 5 s; one that is silent for three times that is taken as dead.
const SILENT_FOR: Duration = Duration::from_secs(15);

/// How long to wait before a broken watch is tried again.
const WATCH_AGAIN: Duration = Duration::from_secs(1);

/// Services end a connection after minutes, with what runs over it. A watch that breaks and has lived this long is begun
/// anew without a word of alarm.
const HAS_LIVED: Duration = Duration::from_secs(60);

/// What is known of one sort of news.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Known {
    /// The revision of the newest change; 0 until the watch has begun.
    revision: i64,
    /// Whether the watch is running.
    alive: bool,
}

type Board = [Known; Topic::ALL.len()];

/// The newest revision of each sort. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Live(watch::Sender<Board>);

impl Live {
    /// Makes a board on which nothing is known.
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Board::default()))
    }

    /// Follows the services until the process stops.
    pub(crate) fn follow(&self, upstream: &Upstream, credential: &TokenIssuer, tasks: &Tasks) {
        for topic in Topic::ALL {
            let (live, upstream, credential) = (self.clone(), upstream.clone(), credential.clone());
            let stopping = tasks.stopping();
            tasks.spawn("console watch", async move {
                let watching = live.keep_watching(topic, &upstream, &credential);
                tokio::select! {
                    () = watching => {}
                    () = stopping => {}
                }
            });
        }
    }

    async fn keep_watching(&self, topic: Topic, upstream: &Upstream, credential: &TokenIssuer) {
        loop {
            if let Err(problem) = self.watch_once(topic, upstream, credential).await {
                tracing::warn!(
                    topic = topic.name(),
                    reason = problem.reason,
                    text = problem.text,
                    "a watch broke"
                );
            }
            self.set(topic, |known| known.alive = false);
            sleep(WATCH_AGAIN).await;
        }
    }

    /// Watches one sort until its stream ends, breaks or falls silent.
    async fn watch_once(
        &self,
        topic: Topic,
        upstream: &Upstream,
        credential: &TokenIssuer,
    ) -> Result<(), Problem> {
        let calls = upstream.as_bearer(&credential.token())?.without_deadline();
        let mut news = std::pin::pin!(open(topic, &calls).await?);
        let began = Instant::now();
        while let Ok(Some(revision)) = timeout(SILENT_FOR, news.next()).await {
            let revision = match revision {
                Ok(revision) => revision,
                Err(status) => return broken(topic, began.elapsed(), status),
            };
            // The console may see revisions and no records, so what it hears of a change is a bookmark at a higher
            // revision. The first message counts too: something may have happened while nobody watched.
            self.set(topic, |known| {
                known.alive = true;
                known.revision = known.revision.max(revision);
            });
        }
        Ok(())
    }

    fn set(&self, topic: Topic, change: impl FnOnce(&mut Known)) {
        self.0.send_if_modified(|board| {
            let known = &mut board[topic as usize];
            let before = *known;
            change(known);
            *known != before
        });
    }

    /// Serves one browser, which says what it heard last.
    pub(crate) fn stream(
        &self,
        last_event_id: Option<&str>,
        stopping: impl Future<Output = ()> + Send + 'static,
    ) -> Response {
        let heard = last_event_id.map(|id| id.parse::<i64>().unwrap_or(i64::MAX));
        let events = events(self.0.subscribe(), heard).take_until(stopping).take_until(sleep(STREAM_FOR));
        let buffering = (HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        ([buffering], Sse::new(events.map(Ok::<_, Infallible>))).into_response()
    }
}

/// The revision of one message of a watch.
type News = Result<i64, Status>;

/// Says whether a watch that broke is a problem.
fn broken(topic: Topic, lived: Duration, status: Status) -> Result<(), Problem> {
    if lived < HAS_LIVED {
        return Err(status.into());
    }
    tracing::info!(topic = topic.name(), why = status.message(), "a watch is begun anew");
    Ok(())
}

/// Opens the watch of one sort.
async fn open(topic: Topic, calls: &Calls) -> Result<BoxStream<'static, News>, Problem> {
    macro_rules! revisions {
        ($client:ident, $watch:ident, $request:ident) => {
            calls
                .$client()
                .$watch($request::default())
                .await?
                .into_inner()
                .map(|message| Ok(message?.revision))
                .boxed()
        };
    }
    Ok(match topic {
        Topic::Capacity => revisions!(capacity, watch_offers, WatchOffersRequest),
        Topic::Needs => revisions!(demand, watch_needs, WatchNeedsRequest),
        Topic::Inbox => revisions!(matching, watch_proposals, WatchProposalsRequest),
        Topic::Transfers => revisions!(matching, watch_transfers, WatchTransfersRequest),
        Topic::Gold => revisions!(monitor, watch_situation, WatchSituationRequest),
        Topic::Alerts => revisions!(monitor, watch_alerts, WatchAlertsRequest),
    })
}

/// What one browser has been told.
struct Told {
    board: watch::Receiver<Board>,
    revisions: [i64; Topic::ALL.len()],
    /// When each sort was told of last.
    told_at: [Option<Instant>; Topic::ALL.len()],
    /// The events that go out next, in order of revision.
    waiting: Vec<Event>,
    beat_at: Instant,
}

/// Returns the events for one browser: news, and beats while all watches run.
fn events(board: watch::Receiver<Board>, heard: Option<i64>) -> impl Stream<Item = Event> + Send + 'static {
    let now = *board.borrow();
    let mut waiting = vec![Event::default().event("build").data(assets::build()).retry(RETRY)];
    let revisions = match heard {
        // A first visit has just read everything.
        None => now.map(|topic| topic.revision),
        // From another ledger, or garbled: everything must be read again.
        Some(heard)
            if now.iter().any(|topic| topic.revision > 0) && now.iter().all(|t| t.revision < heard) =>
        {
            waiting.push(Event::default().event("reset").data("0"));
            now.map(|topic| topic.revision)
        }
        Some(heard) => [heard; Topic::ALL.len()],
    };
    waiting.reverse();
    let told_at = [None; Topic::ALL.len()];
    let told = Told { board, revisions, told_at, waiting, beat_at: Instant::now() };
    stream::unfold(told, |mut told| async move {
        loop {
            if let Some(event) = told.waiting.pop() {
                return Some((event, told));
            }
            let held_until = told.collect();
            if !told.waiting.is_empty() {
                continue;
            }
            tokio::select! {
                changed = told.board.changed() => changed.ok()?,
                () = sleep_until(held_until.unwrap_or_else(Instant::now)), if held_until.is_some() => {}
                () = sleep_until(told.beat_at + BEAT_EVERY) => {
                    told.beat_at = Instant::now();
                    // Browsers do not see comments, so a beat is an event. There is none while a watch is down: the
                    // page then finds the stream silent and asks by itself.
                    if told.board.borrow().iter().all(|topic| topic.alive) {
                        told.waiting.push(Event::default().event("beat").data(""));
                    }
                }
            }
        }
    })
}

impl Told {
    /// Puts what is newer than what was told in line, the newest revision last, but for sorts that were told of a moment
    /// ago. Returns when the first of those is due.
    fn collect(&mut self) -> Option<Instant> {
        let (board, now) = (*self.board.borrow_and_update(), Instant::now());
        let mut newer: Vec<(i64, &'static str)> = Vec::new();
        let mut held: Vec<(i64, Instant)> = Vec::new();
        for topic in Topic::ALL {
            let at = topic as usize;
            let revision = board[at].revision;
            if revision <= self.revisions[at] {
                continue;
            }
            match self.told_at[at].map(|told| told + TELL_EVERY).filter(|due| *due > now) {
                Some(due) => held.push((revision, due)),
                None => {
                    (self.revisions[at], self.told_at[at]) = (revision, Some(now));
                    newer.push((revision, topic.name()));
                }
            }
        }
        newer.sort_unstable();
        if !newer.is_empty() {
            self.beat_at = now;
        }
        // Who comes back is told of what is newer than the last id, so none goes past what is held back.
        let untold = held.iter().map(|(revision, _)| *revision).min().unwrap_or(i64::MAX);
        let event = |(revision, name): (i64, &'static str)| {
            let event = Event::default().event(name).data(revision.to_string());
            if revision < untold { event.id(revision.to_string()) } else { event }
        };
        // They are popped from the end.
        self.waiting.extend(newer.into_iter().rev().map(event));
        held.into_iter().map(|(_, due)| due).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sets the revision of a sort.
    fn news(live: &Live, topic: Topic, revision: i64) {
        live.set(topic, |known| *known = Known { revision, alive: true });
    }

    /// Reads what one browser is told next, as it is written on the stream, and after how many milliseconds.
    async fn next(events: &mut (impl Stream<Item = Event> + Unpin)) -> (String, u128) {
        let began = Instant::now();
        let event = events.next().await.unwrap();
        let body = Sse::new(stream::iter([Ok::<_, Infallible>(event)])).into_response().into_body();
        let bytes = axum::body::to_bytes(body, 1_000).await.unwrap();
        (String::from_utf8_lossy(&bytes).replace('\n', " ").trim().to_owned(), began.elapsed().as_millis())
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_news_of_a_sort_are_told_at_once_and_what_follows_as_one() {
        let live = Live::new();
        let mut events = Box::pin(events(live.0.subscribe(), None));
        assert!(next(&mut events).await.0.starts_with("event: build"));
        news(&live, Topic::Capacity, 7);
        assert_eq!(next(&mut events).await, ("event: cap data: 7 id: 7".to_owned(), 0));
        news(&live, Topic::Capacity, 8);
        news(&live, Topic::Capacity, 9);
        assert_eq!(next(&mut events).await, ("event: cap data: 9 id: 9".to_owned(), 200));
    }

    #[tokio::test(start_paused = true)]
    async fn one_sort_does_not_hold_up_another_and_nothing_is_lost_for_whoever_comes_back() {
        let live = Live::new();
        let mut events = Box::pin(events(live.0.subscribe(), None));
        next(&mut events).await;
        news(&live, Topic::Capacity, 7);
        next(&mut events).await;
        news(&live, Topic::Capacity, 8);
        news(&live, Topic::Inbox, 9);
        // Its id would say that 8 was told, which is held back.
        assert_eq!(next(&mut events).await, ("event: inbox data: 9".to_owned(), 0));
        assert_eq!(next(&mut events).await, ("event: cap data: 8 id: 8".to_owned(), 200));
    }

    #[test]
    fn a_watch_that_breaks_is_a_problem_unless_its_connection_was_old() {
        let cut = || Status::unknown("error reading a body from connection");
        assert!(broken(Topic::Gold, Duration::from_secs(3), cut()).is_err());
        assert!(broken(Topic::Gold, Duration::from_secs(30 * 60), cut()).is_ok());
    }
}
