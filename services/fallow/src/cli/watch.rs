//! Watches: what changes, as it changes. A dropped watch goes on from its cursor, and the gap is said.

use std::time::Duration;

use clap::{Args, ValueEnum};
use fallow_api::v1::{
    GetRegionRequest, WatchAlertsRequest, WatchAlertsResponse, WatchNeedsRequest, WatchNeedsResponse,
    WatchOffersRequest, WatchOffersResponse, WatchProposalsRequest, WatchProposalsResponse,
    WatchSituationResponse, WatchTimelineResponse, WatchTransfersRequest, WatchTransfersResponse,
    watch_alerts_response, watch_needs_response, watch_offers_response, watch_proposals_response,
    watch_situation_response, watch_timeline_response, watch_transfers_response,
};
use serde::Serialize;
use tokio::time::{Instant, sleep_until, timeout};
use tonic::{Code, Status, Streaming};

use super::failure::{Exit, Failure};
use super::session::Session;

/// First wait before a dropped watch is opened again; doubled up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(500);
/// Longest wait before a dropped watch is opened again.
const WAIT_MAX: Duration = Duration::from_secs(15);
/// Changes that come closer together than this are drawn once.
const DRAW_TOGETHER: Duration = Duration::from_millis(200);

/// What sort of message a watch sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sort {
    /// A record, or the end of one.
    Change,
    /// The state at the beginning is complete.
    SnapshotDone,
    /// Nothing new.
    Bookmark,
    /// The server is stopping.
    Moved,
}

/// A message of any watch.
pub(crate) trait Event: Serialize {
    /// Where to go on after it.
    fn cursor(&self) -> &str;

    /// What sort of message it is.
    fn sort(&self) -> Sort;
}

/// Implements [`Event`]: the message, its module, and which of its items are changes.
macro_rules! event {
    ($($message:ident, $module:ident: $($change:ident)|+ $(, $done:ident)?;)+) => {$(
        impl Event for $message {
            fn cursor(&self) -> &str {
                &self.cursor
            }

            fn sort(&self) -> Sort {
                match &self.item {
                    $(Some($module::Item::$change(_)))|+ => Sort::Change,
                    $(Some($module::Item::$done(_)) => Sort::SnapshotDone,)?
                    Some($module::Item::Moved(_)) => Sort::Moved,
                    Some($module::Item::Bookmark(_)) | None => Sort::Bookmark,
                }
            }
        }
    )+};
}

event! {
    WatchOffersResponse, watch_offers_response: Offer | Removed, SnapshotDone;
    WatchNeedsResponse, watch_needs_response: Need | Removed, SnapshotDone;
    WatchProposalsResponse, watch_proposals_response: Proposal | Removed, SnapshotDone;
    WatchTransfersResponse, watch_transfers_response: Transfer | Removed, SnapshotDone;
    WatchAlertsResponse, watch_alerts_response: Alert | Removed, SnapshotDone;
    WatchTimelineResponse, watch_timeline_response: Entry, SnapshotDone;
    WatchSituationResponse, watch_situation_response: Situation;
}

/// What comes of a watch.
#[derive(Debug)]
pub(crate) enum Happening<E> {
    /// A message other than a bookmark.
    Event(E),
    /// Something about the watch itself, for people.
    Notice(String),
}

/// A watch that opens itself again.
pub(crate) struct Feed<E, O> {
    open: O,
    cursor: String,
    stream: Option<Streaming<E>>,
    held_back: Option<E>,
    wait: Duration,
    lost_at: Option<Instant>,
    retry_at: Option<Instant>,
}

impl<E: Event, O: AsyncFnMut(String) -> Result<Streaming<E>, Status>> Feed<E, O> {
    /// Begins a watch after a cursor; an empty one begins with a snapshot.
    pub(crate) fn new(cursor: String, open: O) -> Self {
        Self { open, cursor, stream: None, held_back: None, wait: WAIT_MIN, lost_at: None, retry_at: None }
    }

    /// Returns what happens next: a message, or that the watch was lost, or is back. May be dropped while waiting.
    ///
    /// # Errors
    /// When opening it again cannot help: not allowed, a wrong request.
    pub(crate) async fn next(&mut self) -> Result<Happening<E>, Failure> {
        if let Some(event) = self.held_back.take() {
            return Ok(Happening::Event(event));
        }
        loop {
            // An instant rather than a length: whoever drops this wait and comes back goes on with it.
            if let Some(at) = self.retry_at {
                sleep_until(at).await;
                self.retry_at = None;
            }
            let event = match self.message().await {
                Ok(Some(event)) => event,
                Ok(None) => match self.lost(&Status::unavailable("the stream ended"))? {
                    Some(notice) => return Ok(Happening::Notice(notice)),
                    None => continue,
                },
                Err(status) => match self.lost(&status)? {
                    Some(notice) => return Ok(Happening::Notice(notice)),
                    None => continue,
                },
            };
            self.wait = WAIT_MIN;
            if !event.cursor().is_empty() {
                event.cursor().clone_into(&mut self.cursor);
            }
            match event.sort() {
                Sort::Change | Sort::SnapshotDone => self.held_back = Some(event),
                Sort::Bookmark => {}
                Sort::Moved => self.stream = None,
            }
            if let Some(lost_at) = self.lost_at.take() {
                let gap = lost_at.elapsed().as_secs_f64();
                return Ok(Happening::Notice(format!("back after {gap:.1} s; going on from where it was")));
            }
            if let Some(event) = self.held_back.take() {
                return Ok(Happening::Event(event));
            }
        }
    }

    async fn message(&mut self) -> Result<Option<E>, Status> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            None => self.stream.insert((self.open)(self.cursor.clone()).await?),
        };
        stream.message().await
    }

    /// Decides what a broken watch does: it ends, or it is opened again. Only the first loss in a row is said.
    fn lost(&mut self, status: &Status) -> Result<Option<String>, Failure> {
        self.stream = None;
        match status.code() {
            Code::OutOfRange if !self.cursor.is_empty() => {
                self.cursor.clear();
                return Ok(Some(
                    "the place in the log is no longer kept: starting again with what there is now"
                        .to_owned(),
                ));
            }
            Code::Unavailable
            | Code::Unknown
            | Code::Internal
            | Code::Cancelled
            | Code::Aborted
            | Code::ResourceExhausted
            | Code::DeadlineExceeded
            | Code::DataLoss => {}
            Code::Ok
            | Code::OutOfRange
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Unimplemented
            | Code::Unauthenticated => return Err(Failure::of(status)),
        }
        let now = Instant::now();
        self.retry_at = Some(now + self.wait);
        self.wait = (self.wait * 2).min(WAIT_MAX);
        if self.lost_at.is_some() {
            return Ok(None);
        }
        self.lost_at = Some(now);
        Ok(Some(format!("not live: {}; trying again", status.message())))
    }
}

/// Follows one list: redraws it on a screen, writes one JSON line for each message elsewhere. Ends by Ctrl-C.
pub(crate) async fn follow<E: Event>(
    session: &mut Session<'_>,
    open: impl AsyncFnMut(String) -> Result<Streaming<E>, Status>,
    mut draw: impl AsyncFnMut(&mut Session<'_>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    let mut feed = Feed::new(String::new(), open);
    loop {
        match feed.next().await? {
            Happening::Notice(notice) => session.terminal.say(&notice)?,
            Happening::Event(event) if !session.terminal.interactive => {
                session.terminal.json(&event, false)?;
                session.terminal.out.flush()?;
            }
            Happening::Event(_) => {
                // What comes at once is drawn once; what is said meanwhile stands below it.
                let mut notices = Vec::new();
                while let Ok(more) = timeout(DRAW_TOGETHER, feed.next()).await {
                    if let Happening::Notice(notice) = more? {
                        notices.push(notice);
                    }
                }
                session.keep_time().await?;
                session.terminal.clear()?;
                unless_away(draw(session).await.map(|_| ()), session)?;
                for notice in notices {
                    session.terminal.say(&notice)?;
                }
                session.terminal.out.flush()?;
            }
        }
    }
}

/// Lets a picture go on while the services are away: that is said instead of ending.
pub(crate) fn unless_away(drawn: Result<(), Failure>, session: &mut Session<'_>) -> Result<(), Failure> {
    match drawn {
        Err(failure) if failure.exit == Exit::Unavailable || failure.exit == Exit::TimedOut => {
            session.terminal.say(&format!("not live: {}", failure.what))
        }
        drawn => drawn,
    }
}

/// The kinds of things that can be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Offers.
    Offer,
    /// Needs.
    Need,
    /// Proposals.
    Proposal,
    /// Transfers.
    Transfer,
    /// Alerts.
    Alert,
}

/// `fallow watch`
#[derive(Debug, Args)]
#[command(
    before_help = "Examples:\n  fallow watch --kinds proposal,transfer | jq .proposal.id\n  fallow watch --kinds need \
                        --since TOKEN\n  fallow watch --region north-vale\n\nOne JSON line for each change. Each line has a cursor: --since takes it to go on from there."
)]
pub(crate) struct Watch {
    /// What to watch
    #[arg(long, value_enum, value_delimiter = ',', default_value = "proposal,transfer,need,offer")]
    kinds: Vec<Kind>,
    /// Go on after this cursor of a line; with one kind only
    #[arg(long, value_name = "TOKEN")]
    since: Option<String>,
    /// Only of this region, by its id or name: refused when the services are of another
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
}

/// Runs `fallow watch`.
pub(crate) async fn run(session: &mut Session<'_>, args: Watch) -> Result<Exit, Failure> {
    if args.since.is_some() && args.kinds.len() != 1 {
        return Err(Failure::usage("--since goes on in one watch: a cursor belongs to one kind")
            .next("fallow watch --kinds proposal --since TOKEN"));
    }
    if let Some(region) = &args.region {
        is_of(session, region).await?;
    }
    let since = args.since.unwrap_or_default();
    let (capacity, demand, matching, monitor) =
        (session.capacity()?, session.demand()?, session.matching()?, session.monitor()?);
    let offers = Feed::new(since.clone(), async |cursor| {
        let ask = WatchOffersRequest { cursor, filter: None };
        capacity.clone().watch_offers(ask).await.map(tonic::Response::into_inner)
    });
    let needs = Feed::new(since.clone(), async |cursor| {
        let ask = WatchNeedsRequest { cursor, filter: None };
        demand.clone().watch_needs(ask).await.map(tonic::Response::into_inner)
    });
    let proposals = Feed::new(since.clone(), async |cursor| {
        let ask = WatchProposalsRequest { cursor, filter: None };
        matching.clone().watch_proposals(ask).await.map(tonic::Response::into_inner)
    });
    let transfers = Feed::new(since.clone(), async |cursor| {
        let ask = WatchTransfersRequest { cursor, filter: None };
        matching.clone().watch_transfers(ask).await.map(tonic::Response::into_inner)
    });
    let alerts = Feed::new(since, async |cursor| {
        let ask = WatchAlertsRequest { cursor, trusts: Vec::new() };
        monitor.clone().watch_alerts(ask).await.map(tonic::Response::into_inner)
    });
    let session = &tokio::sync::Mutex::new(session);
    let asked = |kind| args.kinds.contains(&kind);
    tokio::select! {
        end = print(session, offers), if asked(Kind::Offer) => end,
        end = print(session, needs), if asked(Kind::Need) => end,
        end = print(session, proposals), if asked(Kind::Proposal) => end,
        end = print(session, transfers), if asked(Kind::Transfer) => end,
        end = print(session, alerts), if asked(Kind::Alert) => end,
    }
}

/// Refuses when the services are not of a region: each serves one, and a script shall not take one for another.
async fn is_of(session: &Session<'_>, region: &str) -> Result<(), Failure> {
    let client = session.monitor()?;
    let answer = session.call(GetRegionRequest {}, async |ask| client.clone().get_region(ask).await).await?;
    let found = answer.region.unwrap_or_default();
    if found.id.eq_ignore_ascii_case(region) || found.name.eq_ignore_ascii_case(region) {
        return Ok(());
    }
    let what = format!("these services are of {} ({}), not of \"{region}\"", found.name, found.id);
    Err(Failure::new(Exit::NotFound, "OTHER_REGION", what).next("fallow context list, and --context NAME"))
}

/// Writes one kind's changes as they come. The session is shared with the other kinds, for a line at a time.
async fn print<E: Event>(
    session: &tokio::sync::Mutex<&mut Session<'_>>,
    mut feed: Feed<E, impl AsyncFnMut(String) -> Result<Streaming<E>, Status>>,
) -> Result<Exit, Failure> {
    loop {
        let happening = feed.next().await?;
        let mut session = session.lock().await;
        match happening {
            Happening::Notice(notice) => session.terminal.say(&notice)?,
            Happening::Event(event) => {
                session.terminal.json(&event, false)?;
                session.terminal.out.flush()?;
            }
        }
    }
}
