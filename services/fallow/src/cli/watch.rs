//! Watches: what changes, as it changes. A dropped watch goes on from its cursor, and the gap is said.

use std::time::Duration;

use clap::{Args, ValueEnum};
use fallow_api::client::Client;
use fallow_api::v1::{
    GetRegionRequest, WatchActionsResponse, WatchAlertsRequest, WatchAlertsResponse, WatchNeedsRequest,
    WatchNeedsResponse, WatchOffersRequest, WatchOffersResponse, WatchProposalsRequest,
    WatchProposalsResponse, WatchSituationResponse, WatchTimelineResponse, WatchTransfersRequest,
    WatchTransfersResponse, watch_actions_response, watch_alerts_response, watch_needs_response,
    watch_offers_response, watch_proposals_response, watch_situation_response, watch_timeline_response,
    watch_transfers_response,
};
use futures::future::LocalBoxFuture;
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout_at};
use tonic::{Code, Status, Streaming};

use super::failure::{Exit, Failure, plainly};
use super::output::Terminal;
use super::session::Session;

/// First wait before a dropped watch is opened again; doubled up to [`WAIT_MAX`].
const WAIT_MIN: Duration = Duration::from_millis(500);
/// Longest wait before a dropped watch is opened again.
const WAIT_MAX: Duration = Duration::from_secs(15);
/// Changes that come closer together than this are drawn once.
const DRAW_TOGETHER: Duration = Duration::from_millis(200);
/// Changes wait no longer than this to be drawn, however many more come.
const DRAW_BY: Duration = Duration::from_secs(1);
/// What stands on a screen is read again this often even when nothing changes: figures age, and holds run out.
pub(crate) const AGES_MOVE: Duration = Duration::from_secs(10);

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
pub(crate) trait Event: Serialize + 'static {
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
    WatchActionsResponse, watch_actions_response: Action | Removed, SnapshotDone;
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
    /// It is about to be opened: [`Feed::open_by`] says by which credential, for a watch outlives one.
    Opens,
}

/// What can be followed: one watch, or several as one.
pub(crate) trait Source {
    /// What it tells.
    type Event: Serialize;

    /// Returns what happens next. May be dropped while waiting.
    async fn next(&mut self) -> Result<Happening<Self::Event>, Failure>;

    /// Says by whom it opens next, after it said [`Happening::Opens`]. Returns what people have to know.
    fn open_by(&mut self, client: Result<Client, Failure>) -> Result<Option<String>, Failure>;
}

/// A watch that is being opened.
type Opening<E> = LocalBoxFuture<'static, Result<Streaming<E>, Status>>;

/// A watch that opens itself again.
pub(crate) struct Feed<E> {
    open: Box<dyn FnMut(Client, String) -> Opening<E>>,
    client: Option<Box<Client>>,
    cursor: String,
    /// Kept until it has ended: whoever drops a wait for it and comes back goes on with it.
    opening: Option<Opening<E>>,
    stream: Option<Streaming<E>>,
    held_back: Option<E>,
    wait: Duration,
    lost_at: Option<Instant>,
    retry_at: Option<Instant>,
    /// Whether the credential was refused since the last message.
    refused: bool,
}

impl<E: Event> Feed<E> {
    /// Begins a watch after a cursor; an empty one begins with a snapshot.
    pub(crate) fn new<F>(cursor: String, mut open: impl FnMut(Client, String) -> F + 'static) -> Self
    where
        F: Future<Output = Result<Streaming<E>, Status>> + 'static,
    {
        Self {
            open: Box::new(move |client, cursor| Box::pin(open(client, cursor))),
            client: None,
            cursor,
            opening: None,
            stream: None,
            held_back: None,
            wait: WAIT_MIN,
            lost_at: None,
            retry_at: None,
            refused: false,
        }
    }

    /// Says by whom it opens next: with a credential that lasts. Returns what people have to know.
    ///
    /// # Errors
    /// There is none to open by, and another try would find none either.
    pub(crate) fn open_by(&mut self, client: Result<Client, Failure>) -> Result<Option<String>, Failure> {
        match client {
            Ok(client) => self.client = Some(Box::new(client)),
            Err(failure) if is_away(&failure) => return self.lost(&Status::unavailable(failure.what)),
            Err(failure) => return Err(failure),
        }
        Ok(None)
    }

    /// Returns what happens next: a message, or that the watch was lost, is back, or is about to open. May be dropped while waiting.
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
            if self.opens() {
                return Ok(Happening::Opens);
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
            (self.wait, self.refused) = (WAIT_MIN, false);
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

    /// Says whether it has to be told by whom it opens, and does not still wait with that.
    pub(crate) fn opens(&self) -> bool {
        let is_open = self.stream.is_some() || self.opening.is_some() || self.client.is_some();
        !is_open && self.retry_at.is_none()
    }

    async fn message(&mut self) -> Result<Option<E>, Status> {
        if let Some(client) = self.client.take() {
            self.opening = Some((self.open)(*client, self.cursor.clone()));
        }
        if let Some(opening) = &mut self.opening {
            let opened = opening.await;
            self.opening = None;
            self.stream = Some(opened?);
        }
        match &mut self.stream {
            Some(stream) => stream.message().await,
            None => Ok(None),
        }
    }

    /// Decides what a broken watch does: it ends, or it is opened again. Only the first loss in a row is said.
    fn lost(&mut self, status: &Status) -> Result<Option<String>, Failure> {
        let was_open = self.stream.take().is_some();
        match status.code() {
            Code::OutOfRange if !self.cursor.is_empty() => {
                // It does not go on from where it was, so nobody is told afterwards that it does.
                self.cursor.clear();
                self.lost_at = None;
                return Ok(Some(
                    "the place in the log is no longer kept: starting again with what there is now"
                        .to_owned(),
                ));
            }
            // A credential that ended meanwhile, not one that never was good: the next is tried, once.
            Code::Unauthenticated if was_open && !self.refused => {
                self.refused = true;
                return Ok(None);
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
        Ok(Some(format!("not live: {}; trying again", plainly(status.message()))))
    }
}

impl<E: Event> Source for Feed<E> {
    type Event = E;

    async fn next(&mut self) -> Result<Happening<E>, Failure> {
        Feed::next(self).await
    }

    fn open_by(&mut self, client: Result<Client, Failure>) -> Result<Option<String>, Failure> {
        Feed::open_by(self, client)
    }
}

/// Takes what comes at once with a change, so that it is drawn once; returns what is to be said of the watch.
async fn gather(source: &mut impl Source) -> Result<Vec<String>, Failure> {
    let mut notices = Vec::new();
    let by = Instant::now() + DRAW_BY;
    while Instant::now() < by {
        match timeout_at(by.min(Instant::now() + DRAW_TOGETHER), source.next()).await {
            Ok(Ok(Happening::Event(_))) => {}
            Ok(Ok(Happening::Notice(notice))) => notices.push(notice),
            // It says so again when it is asked again.
            Ok(Ok(Happening::Opens)) | Err(_) => break,
            Ok(Err(failure)) => return Err(failure),
        }
    }
    Ok(notices)
}

/// Follows one list: redraws it on a screen, writes one JSON line for each message elsewhere. Ends by Ctrl-C.
pub(crate) async fn follow<E: Event, F>(
    session: &mut Session<'_>,
    open: impl FnMut(Client, String) -> F + 'static,
    draw: impl AsyncFnMut(&mut Session<'_>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure>
where
    F: Future<Output = Result<Streaming<E>, Status>> + 'static,
{
    // On the heap: each list has it beside what it is asked for once.
    Box::pin(follow_all(session, Feed::new(String::new(), open), draw)).await
}

/// Follows, as [`follow`] does, a list that several watches tell of.
pub(crate) async fn follow_all(
    session: &mut Session<'_>,
    mut source: impl Source,
    mut draw: impl AsyncFnMut(&mut Session<'_>) -> Result<Exit, Failure>,
) -> Result<Exit, Failure> {
    if !session.terminal.interactive {
        session.global.check_columns_of_events()?;
    }
    let mut ages = interval_at(Instant::now() + AGES_MOVE, AGES_MOVE);
    ages.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut was_away = false;
    loop {
        let notices = tokio::select! {
            happening = source.next() => match happening? {
                Happening::Opens => {
                    if let Some(notice) = source.open_by(session.lasting().await)? {
                        session.terminal.say(&notice)?;
                    }
                    continue;
                }
                Happening::Notice(notice) => {
                    session.terminal.say(&notice)?;
                    continue;
                }
                Happening::Event(event) if !session.terminal.interactive => {
                    session.terminal.json(&event, false)?;
                    session.terminal.out.flush()?;
                    continue;
                }
                // What is said meanwhile stands below the picture.
                Happening::Event(_) => gather(&mut source).await?,
            },
            _ = ages.tick(), if session.terminal.interactive => Vec::new(),
        };
        match Box::pin(redraw(session, &mut draw)).await {
            Ok(()) => was_away = false,
            // The last picture stays, and the next tick tries again.
            Err(failure) if is_away(&failure) => {
                if !was_away {
                    session.terminal.say(&format!("not live: {}", failure.what))?;
                }
                was_away = true;
            }
            Err(failure) => return Err(failure),
        }
        for notice in notices {
            session.terminal.say(&notice)?;
        }
        session.terminal.out.flush()?;
        ages.reset();
    }
}

/// Reads a list anew and puts it on the screen in place of the last: a screen is emptied only for what is there to fill it.
async fn redraw(
    session: &mut Session<'_>,
    draw: &mut impl AsyncFnMut(&mut Session<'_>) -> Result<Exit, Failure>,
) -> Result<(), Failure> {
    session.lasting().await?;
    session.keep_time().await?;
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let Terminal { interactive, colour, ascii, .. } = session.terminal;
    let page = Terminal { out: &mut out, err: &mut err, interactive, colour, ascii, input: None };
    Box::pin(draw(&mut session.aside(page))).await?;
    session.terminal.clear()?;
    session.terminal.out.write_all(&out)?;
    session.terminal.err.write_all(&err)?;
    Ok(())
}

/// Says whether the services, or who gives credentials, are away: a picture waits for them instead of ending.
pub(crate) fn is_away(failure: &Failure) -> bool {
    failure.exit == Exit::Unavailable || failure.exit == Exit::TimedOut
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
                        --since TOKEN\n  fallow watch --region north-vale\n\nOne JSON line for each change. Each line has a cursor: --since takes it to go on from there.\n\
                        A line with snapshot_done ends a whole state, at the beginning and wherever a place in the log was no longer \
                        kept:\nforget what you had and was not in it."
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
    session.global.check_columns_of_events()?;
    if let Some(region) = &args.region {
        is_of(session, region).await?;
    }
    let since = args.since.unwrap_or_default();
    let offers = Feed::new(since.clone(), |client: Client, cursor| {
        let ask = WatchOffersRequest { cursor, filter: None };
        async move { client.capacity().watch_offers(ask).await.map(tonic::Response::into_inner) }
    });
    let needs = Feed::new(since.clone(), |client: Client, cursor| {
        let ask = WatchNeedsRequest { cursor, filter: None };
        async move { client.demand().watch_needs(ask).await.map(tonic::Response::into_inner) }
    });
    let proposals = Feed::new(since.clone(), |client: Client, cursor| {
        let ask = WatchProposalsRequest { cursor, filter: None };
        async move { client.matching().watch_proposals(ask).await.map(tonic::Response::into_inner) }
    });
    let transfers = Feed::new(since.clone(), |client: Client, cursor| {
        let ask = WatchTransfersRequest { cursor, filter: None };
        async move { client.matching().watch_transfers(ask).await.map(tonic::Response::into_inner) }
    });
    let alerts = Feed::new(since, |client: Client, cursor| {
        let ask = WatchAlertsRequest { cursor, trusts: Vec::new() };
        async move { client.monitor().watch_alerts(ask).await.map(tonic::Response::into_inner) }
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
    mut feed: Feed<E>,
) -> Result<Exit, Failure> {
    loop {
        let happening = feed.next().await?;
        let mut session = session.lock().await;
        match happening {
            Happening::Opens => {
                if let Some(notice) = feed.open_by(session.lasting().await)? {
                    session.terminal.say(&notice)?;
                }
            }
            Happening::Notice(notice) => session.terminal.say(&notice)?,
            Happening::Event(event) => {
                session.terminal.json(&event, false)?;
                session.terminal.out.flush()?;
            }
        }
    }
}
