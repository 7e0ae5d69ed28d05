//! What every page has around it: header, navigation with counts, live bar, help.

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use fallow_api::v1::{Action, GetSituationRequest, ListActionsRequest, ProposalFilter, Situation, action};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};

use super::demo;
use crate::app::{Update, Visit};
use crate::assets;
use crate::demo::Demo;
use crate::directory::{Desk, Directory};
use crate::preferences::Preferences;
use crate::problem::Problem;
use crate::routes;
use crate::session::{Flash, Viewer};
use crate::words::{codes, time};

/// A page that the navigation leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// The inbox.
    Proposals,
    /// What we offer.
    Capacity,
    /// What we need.
    Needs,
    /// What was agreed.
    Transfers,
    /// The region.
    Situation,
    /// Help, sign-in, problems: none of them.
    Elsewhere,
}

impl Place {
    const ALL: [Self; 6] =
        [Self::Proposals, Self::Capacity, Self::Needs, Self::Transfers, Self::Situation, Self::Elsewhere];

    /// Returns the last part of the page's address.
    pub(crate) const fn path(self) -> &'static str {
        match self {
            Self::Proposals => "proposals",
            Self::Capacity => "capacity",
            Self::Needs => "needs",
            Self::Transfers => "transfers",
            Self::Situation => "situation",
            Self::Elsewhere => "elsewhere",
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Proposals => "Proposals",
            Self::Capacity => "Capacity",
            Self::Needs => "Needs",
            Self::Transfers => "Transfers",
            Self::Situation => "Situation",
            Self::Elsewhere => "",
        }
    }

    /// Says whether the page is of one trust, so that roles above trusts have none.
    const fn is_of_a_trust(self) -> bool {
        match self {
            Self::Proposals | Self::Capacity => true,
            Self::Needs | Self::Transfers | Self::Situation | Self::Elsewhere => false,
        }
    }
}

/// One entry of the navigation.
struct Entry {
    path: &'static str,
    name: &'static str,
    /// How many wait; 0 is not shown.
    count: usize,
    is_current: bool,
    /// Whether a phone shows it under More.
    is_folded: bool,
}

/// So many entries stand beside More on a phone, where one line has room for no more.
const UNFOLDED: usize = 3;

/// Says whether the policy can ask the viewer to approve what trusts agree, and nobody asks them for a trust's answer.
fn may_approve(viewer: &Viewer) -> bool {
    ["icb", "lead_provider", "gold"].contains(&viewer.role.as_str())
}

/// How long every page tells of what broke glass: until the whole of the next shift has seen it.
const GLASS_SHOWN_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Says whether an action is told of on every page: while it waits, and after it was done.
fn is_news(action: &Action, now: Timestamp) -> bool {
    match action.state() {
        action::State::Proposed => true,
        action::State::Confirmed => time::from_wire(action.confirmed_at.as_ref())
            .is_some_and(|done| now.duration_since(done) < GLASS_SHOWN_FOR),
        action::State::Expired | action::State::Refused | action::State::Unspecified => false,
    }
}

/// A collaborative in incident mode.
struct Incident {
    name: String,
    since: Option<String>,
    reason: String,
}

/// The part of the frame that changes: navigation with counts, incident banner.
#[derive(Template)]
#[template(path = "frame/head.html")]
pub(crate) struct Head {
    /// The page, as the fragment's address has it.
    place: &'static str,
    entries: Vec<Entry>,
    /// How many proposals wait for the viewer to approve them.
    approvals: usize,
    incidents: Vec<Incident>,
    /// What broke glass and is the viewer's business, in words.
    broken_glass: Vec<String>,
    /// What an OK rests on where the store's settings are not checked.
    store_caveat: String,
    /// Set when the counts could not be read.
    missing: bool,
}

impl Head {
    /// Reads the counts; a page is shown without them rather than not at all.
    pub(crate) async fn read(visit: &Visit, place: Place) -> Self {
        let waiting = async {
            if visit.viewer().trust.is_none() && !may_approve(visit.viewer()) {
                return Ok(Vec::new());
            }
            let filter = ProposalFilter { waiting_for_me: true, ..ProposalFilter::default() };
            visit.calls.proposals(filter).await
        };
        let situation = async {
            if !visit.rights().may("/situation") {
                return Ok(Situation::default());
            }
            let answer = visit.calls.monitor().get_situation(GetSituationRequest::default()).await?;
            Ok::<_, Problem>(answer.into_inner().situation.unwrap_or_default())
        };
        let actions = async {
            let answer = visit.calls.monitor().list_actions(ListActionsRequest::default()).await?;
            Ok::<_, Problem>(answer.into_inner().actions)
        };
        let (waiting, situation, actions) = tokio::join!(waiting, situation, actions);
        let missing = waiting.is_err() || situation.is_err() || actions.is_err();
        let is_shown = |action: &Action| action.breaks_glass && is_news(action, visit.now.at);
        let actions = actions.unwrap_or_default().into_iter().filter(is_shown);
        let situation = situation.unwrap_or_default();
        let incidents = situation.modes.into_iter().filter(|mode| codes::is_incident(mode.mode()));
        let incident = |mode: fallow_api::v1::situation::CollaborativeMode| Incident {
            since: time::from_wire(mode.since.as_ref()).map(|since| visit.now.clock(since)),
            name: mode.name,
            reason: mode.reason,
        };
        let mut head = Self::without_counts(visit, place);
        head.incidents = incidents.map(incident).collect();
        head.broken_glass = actions.map(|action| action.text).collect();
        head.store_caveat = situation.store_caveat;
        head.missing = missing;
        let inbox = head.entries.iter_mut().filter(|entry| entry.path == Place::Proposals.path());
        let waiting = waiting.map_or(0, |waiting| waiting.len());
        if may_approve(visit.viewer()) {
            head.approvals = waiting;
        } else {
            inbox.for_each(|entry| entry.count = waiting);
        }
        head
    }

    /// Makes the navigation alone, for pages that must be shown whatever else fails.
    pub(crate) fn without_counts(visit: &Visit, place: Place) -> Self {
        let has_trust = visit.viewer().trust.is_some();
        let shown = Place::ALL.into_iter().filter(|entry| *entry != Place::Elsewhere);
        let rights = visit.rights();
        let own = shown.filter(|entry| {
            if entry.is_of_a_trust() { has_trust } else { rights.may(&format!("/{}", entry.path())) }
        });
        let entry = |(at, entry): (usize, Place)| Entry {
            path: entry.path(),
            name: entry.name(),
            count: 0,
            is_current: entry == place,
            is_folded: at >= UNFOLDED,
        };
        Self {
            place: place.path(),
            entries: own.enumerate().map(entry).collect(),
            approvals: 0,
            incidents: Vec::new(),
            broken_glass: Vec::new(),
            store_caveat: String::new(),
            missing: false,
        }
    }

    /// Says whether a phone has this very page under More.
    fn is_folded(&self) -> bool {
        self.entries.iter().any(|entry| entry.is_current && entry.is_folded)
    }

    fn waiting(&self) -> usize {
        self.approvals + self.entries.iter().map(|entry| entry.count).sum::<usize>()
    }
}

/// The line on top of every page of a demonstration.
pub(crate) struct Strip {
    pub(crate) who: String,
    pub(crate) pace: String,
    pub(crate) broken: Vec<String>,
}

impl Strip {
    fn new(visit: &Visit, demo: &Demo, directory: Option<&Directory>) -> Self {
        let unknown = Directory::default();
        let directory = directory.unwrap_or(&unknown);
        Self {
            who: demo::you_are(visit, directory),
            pace: demo::pace(demo),
            broken: demo::broken(demo, directory),
        }
    }
}

/// What the layout shows around every page of a signed-in person.
pub(crate) struct Frame {
    /// The page's name, as the title has it.
    pub(crate) title: String,
    /// Proposals waiting for the viewer; the title begins with it.
    pub(crate) waiting: usize,
    pub(crate) region: String,
    pub(crate) head: String,
    /// Role and trust.
    pub(crate) who: String,
    pub(crate) desk: Option<Desk>,
    /// In a demonstration: who one is, how fast time passes, and what is broken on purpose.
    pub(crate) demo: Option<Strip>,
    pub(crate) csrf: String,
    pub(crate) flash: Option<Flash>,
    /// When the page was made.
    pub(crate) made_at: String,
    pub(crate) style: String,
    pub(crate) script: String,
    pub(crate) icon: String,
    pub(crate) build: &'static str,
    /// Whether the page updates itself.
    pub(crate) is_live: bool,
    /// What the person prefers at this screen.
    pub(crate) preferences: Preferences,
}

impl Frame {
    /// Makes the frame of a page.
    pub(crate) async fn read(visit: &Visit, place: Place, title: &str) -> Self {
        let (head, directory) = tokio::join!(Head::read(visit, place), visit.directory());
        Self::new(visit, &head, title, directory.ok().as_deref())
    }

    /// Makes a frame without asking any service.
    pub(crate) fn alone(visit: &Visit, title: &str) -> Self {
        let head = Head::without_counts(visit, Place::Elsewhere);
        Self::new(visit, &head, title, visit.app.sessions.directory(&visit.signed.id).as_deref())
    }

    fn new(visit: &Visit, head: &Head, title: &str, directory: Option<&Directory>) -> Self {
        let viewer = visit.viewer();
        let role = codes::role(&viewer.role);
        let who = match (&viewer.trust, directory) {
            (Some(trust), Some(directory)) => format!("{role}, {}", directory.trust(trust)),
            (Some(trust), None) => format!("{role}, {trust}"),
            (None, _) => role,
        };
        let desk = viewer.trust.as_deref().and_then(|trust| directory.and_then(|known| known.desk_of(trust)));
        Self {
            title: title.to_owned(),
            waiting: head.waiting(),
            region: directory.map_or_else(String::new, |directory| directory.region.clone()),
            head: rendered(head),
            who,
            desk,
            demo: visit.app.settings.demo.as_ref().map(|demo| Strip::new(visit, demo, directory)),
            csrf: visit.signed.csrf.clone(),
            flash: visit.app.sessions.take_flash(&visit.signed.id),
            made_at: visit.now.clock(visit.now.at),
            style: assets::style(),
            script: assets::script(),
            icon: assets::icon(),
            build: assets::build(),
            is_live: head.place != Place::Elsewhere.path(),
            preferences: visit.preferences,
        }
    }
}

/// Writes a template. Ours write to memory, which cannot fail.
pub(crate) fn rendered(template: &impl Template) -> String {
    template.render().unwrap_or_else(|error| {
        tracing::error!(%error, "a template failed");
        String::new()
    })
}

/// `GET /f/head/{page}`: the navigation again.
pub(crate) async fn fragment(
    Update(visit): Update,
    Path(page): Path<String>,
    headers: HeaderMap,
) -> Response {
    let place = Place::ALL.into_iter().find(|place| place.path() == page).unwrap_or(Place::Elsewhere);
    routes::fragment(&headers, rendered(&Head::read(&visit, place).await))
}

#[derive(Template)]
#[template(path = "frame/help.html")]
struct Help {
    frame: Frame,
    desks: Vec<(String, Vec<Desk>)>,
}

/// `GET /help`: what the words mean, and whom to ring.
pub(crate) async fn help(visit: Visit) -> Response {
    let frame = Frame::read(&visit, Place::Elsewhere, "Help and site contacts").await;
    let directory = visit.directory().await.unwrap_or_default();
    routes::html(StatusCode::OK, rendered(&Help { frame, desks: directory.desks() }))
}
