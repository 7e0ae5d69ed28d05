//! The timeline: what happened, for somebody, in plain words. Listed newest first, and watched.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use fallow_api::convert::codes::Coded;
use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1::watch_timeline_response::Item;
use fallow_api::v1::{self, WatchTimelineResponse};
use fallow_api::violation::Violations;
use fallow_domain::actor::{Actor, Role};
use fallow_domain::monitor::happened::{Happened, Sort, What};
use fallow_domain::monitor::sentence::Words;
use fallow_domain::region::Region;
use fallow_ledger::watch::{BOOKMARK_EVERY, Event, Watch, WatchEnd};
use fallow_ledger::{Cursor, Revision};
use fallow_live::call::Call;
use fallow_live::visibility::Viewer;
use fallow_live::{Live, RETRY_AFTER};
use futures::stream::{self, Stream};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use tokio::time::Instant;

use crate::chronicle::{Chronicle, Entry, entries_of, id_of, may_see};
use crate::decision;

/// How long a list waits for the chronicle to reach what the picture shows.
const CATCH_UP: Duration = Duration::from_secs(2);
/// Entries that a watch begins with.
const BEGINS_WITH: usize = 100;
/// Most records that a filter names.
const SUBJECTS_MAX: usize = 50;

/// What a caller wants of the timeline.
struct Filter {
    kinds: Vec<Sort>,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
    /// Ids of records; empty = all.
    subjects: BTreeSet<String>,
}

impl Filter {
    fn fits(&self, happened: &Happened) -> bool {
        (self.kinds.is_empty() || self.kinds.contains(&happened.what.sort()))
            && self.from.is_none_or(|from| happened.at >= from)
            && self.until.is_none_or(|until| happened.at <= until)
            && (self.subjects.is_empty()
                || concerns(&happened.what).1.iter().any(|subject| self.subjects.contains(subject)))
    }
}

fn kinds(check: &mut Check<'_>, wire: &[i32]) -> Vec<Sort> {
    if !check.at_most("kinds", wire.len(), Sort::ALL.len()) {
        return Vec::new();
    }
    wire.iter().enumerate().filter_map(|(at, kind)| check.coded(&format!("kinds[{at}]"), *kind)).collect()
}

/// Lists a page of what happened, newest first.
///
/// # Errors
/// Violations of the request; [`Failure::NotReady`] while the log is still being read.
pub(crate) async fn list(
    call: &Call,
    chronicle: &Chronicle,
    request: &v1::ListTimelineRequest,
) -> Result<v1::ListTimelineResponse, Failure> {
    let mut check = Check::new("");
    let kinds = kinds(&mut check, &request.kinds);
    let subjects = if check.at_most("subjects", request.subjects.len(), SUBJECTS_MAX) {
        request.subjects.iter().cloned().collect()
    } else {
        BTreeSet::new()
    };
    let filter = Filter {
        kinds,
        from: check.time("from", request.from.as_ref()),
        until: check.time("until", request.until.as_ref()),
        subjects,
    };
    check.finish(Some(()))?;
    let query = format!(
        "ListTimeline {:?} {:?} {:?} {:?} {:?} {:?}",
        call.actor.role, call.actor.trust, filter.kinds, request.from, request.until, filter.subjects
    );
    let page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let revision = call.live.picture().revision();
    if !chronicle.reached(revision, CATCH_UP).await && chronicle.progress().borrow().is_none() {
        return Err(Failure::NotReady { retry_after: RETRY_AFTER });
    }
    let mut found = chronicle.newest(revision);
    let viewer = call.viewer();
    found.retain(|entry| filter.fits(&entry.happened) && may_see(&viewer, &entry.happened));
    let (found, next_page_token) = call.live.pages().cut(&page, &query, found);
    let teller = Teller::new(&call.region.region, &viewer);
    let entries = found.iter().map(|entry| teller.tell(entry)).collect();
    Ok(v1::ListTimelineResponse {
        entries,
        next_page_token,
        revision: number_to_wire(revision.0),
        held_from: chronicle.held_from().map(time::to_wire),
    })
}

/// Writes entries for one viewer.
pub(crate) struct Teller<'a> {
    region: &'a Region,
    zone: TimeZone,
    whole: bool,
}

impl<'a> Teller<'a> {
    pub(crate) fn new(region: &'a Region, viewer: &Viewer<'_>) -> Self {
        Self { region, zone: zone(region), whole: viewer.sees_region() }
    }

    /// Writes an entry.
    pub(crate) fn tell(&self, entry: &Entry) -> v1::TimelineEntry {
        let Happened { at, by, what } = &entry.happened;
        let told_on = at.to_zoned(self.zone.clone()).date();
        let clock = |time: Timestamp| {
            let time = time.to_zoned(self.zone.clone());
            let shape = if time.date() == told_on { "%H:%M" } else { "%a %-d %b %H:%M" };
            time.strftime(shape).to_string()
        };
        let words = Words { region: self.region, time: &clock };
        let (trusts, subjects) = concerns(what);
        let decision = match what {
            What::Decided(decided) if self.whole => Some(decision::to_wire(decided, entry.revision)),
            What::Decided(_)
            | What::NeedRaised { .. }
            | What::NeedAgreed { .. }
            | What::NeedEnded { .. }
            | What::NeedParked { .. }
            | What::NeedResumed { .. }
            | What::NeedStands { .. }
            | What::Asked { .. }
            | What::Proposed(_)
            | What::Answered { .. }
            | What::Extended { .. }
            | What::ProposalEnded { .. }
            | What::Agreed(_)
            | What::Moved { .. }
            | What::Aborted { .. }
            | What::Declared { .. }
            | What::ModeSwitched { .. }
            | What::RegionApplied { .. }
            | What::Alerted(_)
            | What::Acted(_)
            | What::SignedOff { .. } => None,
        };
        v1::TimelineEntry {
            id: id_of(entry),
            at: Some(time::to_wire(*at)),
            kind: what.sort().to_wire(),
            text: words.say(&entry.happened),
            trusts,
            subjects,
            role: by.to_string(),
            revision: number_to_wire(entry.revision.0),
            decision,
        }
    }
}

/// Returns the time zone of a region, by which people read times.
pub(crate) fn zone(region: &Region) -> TimeZone {
    TimeZone::get(&region.timezone).unwrap_or(TimeZone::UTC)
}

/// Writes times as people of a region read them, with the day: "Tue 24 Nov 14:20".
pub(crate) fn clock(region: &Region) -> impl Fn(Timestamp) -> String + use<> {
    let zone = zone(region);
    move |at| at.to_zoned(zone.clone()).strftime("%a %-d %b %H:%M").to_string()
}

/// Returns the trusts and the records that something concerns.
fn concerns(what: &What) -> (Vec<String>, Vec<String>) {
    if let Some(need) = what.need() {
        return (vec![need.trust.to_string()], vec![need.id.to_string()]);
    }
    if let Some(pair) = what.pair() {
        let trusts = [Some(pair.home), Some(pair.supporting), pair.third];
        let subjects = [
            Some(pair.need.to_string()),
            Some(pair.proposal.to_string()),
            pair.transfer.as_ref().map(ToString::to_string),
        ];
        return (
            trusts.into_iter().flatten().map(|trust| trust.to_string()).collect(),
            subjects.into_iter().flatten().collect(),
        );
    }
    match what {
        What::Declared { trust, .. } => (vec![trust.to_string()], Vec::new()),
        What::Asked { of, by, .. } => {
            let trusts = [Some(*of), by.filter(|by| by != of)];
            (trusts.into_iter().flatten().map(|trust| trust.to_string()).collect(), Vec::new())
        }
        What::Alerted(alert) => (
            alert.trusts.iter().map(ToString::to_string).collect(),
            std::iter::once(alert.id.to_string())
                .chain(alert.subjects.iter().map(ToString::to_string))
                .collect(),
        ),
        What::Decided(decision) => (Vec::new(), vec![decision.id.to_string()]),
        What::Acted(action) => {
            let proposal = action.errand.proposal().map(ToString::to_string);
            let subjects = std::iter::once(action.id.to_string()).chain(proposal).collect();
            (action.trusts.iter().map(ToString::to_string).collect(), subjects)
        }
        What::ModeSwitched { collaborative, .. } => (Vec::new(), vec![collaborative.to_string()]),
        What::RegionApplied { .. }
        | What::SignedOff { .. }
        | What::NeedRaised { .. }
        | What::NeedAgreed { .. }
        | What::NeedEnded { .. }
        | What::NeedParked { .. }
        | What::NeedResumed { .. }
        | What::NeedStands { .. }
        | What::Proposed(_)
        | What::Answered { .. }
        | What::Extended { .. }
        | What::ProposalEnded { .. }
        | What::Agreed(_)
        | What::Moved { .. }
        | What::Aborted { .. } => (Vec::new(), Vec::new()),
    }
}

/// A watch of one caller.
pub(crate) struct Watching {
    live: Live,
    actor: Actor,
    filter: Filter,
    watch: Watch,
    ready: VecDeque<WatchTimelineResponse>,
    cursor: String,
    told_at: Instant,
}

impl Watching {
    /// Starts a watch: from a cursor, or (empty) with the newest entries, oldest of them first.
    ///
    /// # Errors
    /// Violations of the request; `CURSOR_GONE`; [`Failure::NotReady`].
    pub(crate) async fn start(
        call: &Call,
        chronicle: &Chronicle,
        request: v1::WatchTimelineRequest,
    ) -> Result<Self, Failure> {
        let mut check = Check::new("");
        let filter = Filter {
            kinds: kinds(&mut check, &request.kinds),
            from: None,
            until: None,
            subjects: BTreeSet::new(),
        };
        check.finish(Some(()))?;
        let from = match request.cursor.as_str() {
            "" => None,
            text => Some(text.parse::<Cursor>().map_err(|_| {
                let text = "must be the cursor of a message of this watch, or empty";
                Violations::one("cursor", reasons::BAD_CURSOR, text)
            })?),
        };
        let watch = call.live.picture().watch(&[], from.as_ref()).map_err(ended)?;
        let mut ready = VecDeque::new();
        if from.is_none() && call.actor.role != Role::Console {
            if !chronicle.reached(watch.revision(), CATCH_UP).await {
                return Err(Failure::NotReady { retry_after: RETRY_AFTER });
            }
            let viewer = call.viewer();
            let newest = chronicle.newest(watch.revision()).into_iter();
            let seen =
                newest.filter(|entry| filter.fits(&entry.happened) && may_see(&viewer, &entry.happened));
            let newest: Vec<Arc<Entry>> = seen.take(BEGINS_WITH).collect();
            let teller = Teller::new(&call.region.region, &viewer);
            // Half of what it begins with is no place to go on from.
            ready.extend(
                newest.iter().rev().map(|entry| message(Item::Entry(teller.tell(entry)), "", entry.revision)),
            );
        }
        Ok(Self {
            live: call.live.clone(),
            actor: call.actor.clone(),
            filter,
            watch,
            ready,
            cursor: request.cursor,
            told_at: Instant::now(),
        })
    }

    async fn next(&mut self) -> Result<WatchTimelineResponse, Failure> {
        loop {
            if let Some(told) = self.ready.pop_front() {
                self.told_at = Instant::now();
                return Ok(told);
            }
            let (event, cursor) = self.watch.next().await.map_err(ended)?;
            let (cursor, revision) = (cursor.to_string(), self.watch.revision());
            match event {
                Event::SnapshotDone => {
                    self.cursor.clone_from(&cursor);
                    return Ok(message(Item::SnapshotDone(v1::SnapshotDone {}), &cursor, revision));
                }
                Event::Bookmark => return Ok(message(Item::Bookmark(v1::Bookmark {}), &cursor, revision)),
                Event::Change(applied) => {
                    let entries = entries_of(&applied, self.live.picture());
                    self.take(&entries);
                    if let Some(last) = self.ready.back_mut() {
                        last.cursor.clone_from(&cursor);
                    }
                    self.cursor = cursor;
                    // The console's own connection hears that something happened, and its pages read what.
                    let is_poked = self.actor.role == Role::Console && !entries.is_empty();
                    if self.ready.is_empty() && (is_poked || self.told_at.elapsed() >= BOOKMARK_EVERY) {
                        self.told_at = Instant::now();
                        return Ok(message(Item::Bookmark(v1::Bookmark {}), &self.cursor, revision));
                    }
                }
                Event::Record(..) => {}
            }
        }
    }

    /// Makes ready what the caller may hear of. Rights and the region are looked at each time, for a watch outlives them.
    fn take(&mut self, entries: &[Entry]) {
        let Ok(region) = self.live.region() else { return };
        let viewer = Viewer { actor: &self.actor, region: &region.region };
        let teller = Teller::new(&region.region, &viewer);
        let seen = entries
            .iter()
            .filter(|entry| self.filter.fits(&entry.happened) && may_see(&viewer, &entry.happened));
        self.ready
            .extend(seen.map(|entry| message(Item::Entry(teller.tell(entry)), &self.cursor, entry.revision)));
    }

    /// Returns the messages, up to `moved` when `stopping` comes, or to the failure that ends the watch.
    pub(crate) fn into_stream(
        self,
        stopping: impl Future<Output = ()> + Send + 'static,
    ) -> impl Stream<Item = Result<WatchTimelineResponse, Failure>> + Send + 'static {
        let stopping: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(stopping);
        stream::unfold(Some((self, stopping)), |state| async move {
            let (mut watching, mut stopping) = state?;
            let next = tokio::select! {
                biased;
                () = &mut stopping => {
                    let moved = Item::Moved(v1::Moved {});
                    return Some((Ok(message(moved, &watching.cursor, watching.watch.revision())), None));
                }
                next = watching.next() => next,
            };
            match next {
                Ok(told) => Some((Ok(told), Some((watching, stopping)))),
                Err(failure) => Some((Err(failure), None)),
            }
        })
    }
}

fn message(item: Item, cursor: &str, revision: Revision) -> WatchTimelineResponse {
    WatchTimelineResponse {
        item: Some(item),
        cursor: cursor.to_owned(),
        revision: number_to_wire(revision.0),
    }
}

fn ended(end: WatchEnd) -> Failure {
    match end {
        WatchEnd::CursorGone => Failure::CursorGone,
        WatchEnd::NotYet => Failure::NotReady { retry_after: RETRY_AFTER },
        WatchEnd::TooSlow { cursor } => Failure::Limited {
            reason: reasons::SLOW_CONSUMER,
            subject: "watch".to_owned(),
            text: format!("the watcher is too far behind: go on from cursor {cursor}"),
            retry_after: Some(RETRY_AFTER),
        },
    }
}
