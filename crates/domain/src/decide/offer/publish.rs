//! A trust says what an offer's figures are: by a whole report, by a difference, or by "still true".

use std::ops::Range;

use jiff::{SignedDuration, Timestamp};

use super::{capacity_committed, party};
use crate::actor::Actor;
use crate::decide::{figures, holds, words};
use crate::ids::{CollaborativeId, Label, Note, OfferId, SiteCode, SourceKey, TrustCode};
use crate::lifecycle::offer::{OfferCommand, TABLE};
use crate::offer::{Baseline, Figures, Limits, Offer, OfferState, Recent, Source, Suspension, Team, Window};
use crate::quantity::Count;
use crate::records::{Desk, Records};
use crate::refusal::{Refusal, reason};
use crate::resource::Resource;

/// What a trust reports of an offer: absolute figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferReport {
    /// The trust's own key of the thing.
    pub source_key: Option<SourceKey>,
    /// The trust.
    pub trust: TrustCode,
    /// Where it is.
    pub site: SiteCode,
    /// What it is.
    pub resource: Resource,
    /// Units that have their staff.
    pub staffed: Count,
    /// Units in use, arrived transfers included.
    pub occupied: Count,
    /// Units that cannot be used.
    pub blocked: Count,
    /// When it can be used.
    pub window: Window,
    /// What it can do beyond the ordinary; sorted, each once.
    pub capabilities: Vec<Label>,
    /// Whom it can take.
    pub limits: Limits,
    /// Whether it has its team.
    pub team: Team,
    /// The collaboratives it is for; empty = all.
    pub shared_with: Vec<CollaborativeId>,
    /// Not proposed before this time; `None` = the report does not say.
    pub release_at: Option<Timestamp>,
    /// When the trust's own release week begins (see [`crate::region::Region::release_week`]), which counts where nobody has
    /// said otherwise of this session.
    pub release_week: Option<Timestamp>,
    /// The local day in which the window starts, from its first instant until the next day's; `None` = not known by day. What
    /// was said of a session's release is of that day, whatever the hour at which it starts.
    pub day: Option<Range<Timestamp>>,
    /// The campaign it belongs to; empty = none.
    pub campaign: Label,
    /// When the figures were so.
    pub reported_at: Timestamp,
    /// Who says so.
    pub source: Source,
    /// The number of the report, where the source numbers them.
    pub source_seq: Option<u64>,
    /// How often the trust promises to report.
    pub cadence: SignedDuration,
    /// A remark for people.
    pub note: Note,
}

impl OfferReport {
    /// Makes a feed's report of staffed units, none of them in use, with nothing special about them.
    #[must_use]
    pub fn bare(
        source_key: SourceKey,
        (trust, site): (TrustCode, SiteCode),
        resource: Resource,
        staffed: Count,
        window: Window,
        (reported_at, cadence): (Timestamp, SignedDuration),
    ) -> Self {
        Self {
            source_key: Some(source_key),
            trust,
            site,
            resource,
            staffed,
            occupied: Count::ZERO,
            blocked: Count::ZERO,
            window,
            capabilities: Vec::new(),
            limits: Limits::default(),
            team: Team::default(),
            shared_with: Vec::new(),
            release_at: None,
            release_week: None,
            day: None,
            campaign: Label::default(),
            reported_at,
            source: Source::Feed,
            source_seq: None,
            cadence,
            note: Note::default(),
        }
    }
}

/// Publishes an offer: a new one when `read` has none of that id, else the same one again. Figures are absolute; held
/// and committed units stay, and when too few are left holds are released (see [`crate::decide`]).
///
/// # Errors
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION` (it has ended: publish under a new id), `WINDOW`, `SOURCE_STALE`, `SOURCE_AHEAD`,
/// `OUT_OF_ORDER_FEED`, `LARGE_CHANGE`, `CAPACITY_COMMITTED` (another resource or site while units are promised),
/// `CHANGED_MEANWHILE`.
pub fn publish(
    read: &Records,
    id: &OfferId,
    report: OfferReport,
    confirm_large_change: bool,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    publish_on(&mut desk, id, report, confirm_large_change, actor, at)?;
    Ok(desk.finish())
}

pub(super) fn publish_on(
    desk: &mut Desk<'_>,
    id: &OfferId,
    report: OfferReport,
    confirm_large_change: bool,
    actor: &Actor,
    at: Timestamp,
) -> Result<(), Refusal> {
    let known = desk.read().offers.get(id);
    let by = party(actor, known.map_or(report.trust, |o| o.trust));
    if known.is_some_and(|o| o.trust != report.trust) || by != crate::lifecycle::Party::Supporting {
        return Err(Refusal::new(reason::WRONG_SIDE, "a trust publishes for itself only"));
    }
    let window = report.window;
    if window.until <= at || window.from.is_some_and(|from| from >= window.until) {
        return Err(Refusal::new(reason::WINDOW, "the window has passed, or ends before it starts")
            .with("until", window.until));
    }
    figures::check_time(known, (report.source, report.reported_at, report.cadence), at)?;
    match known {
        None => {
            desk.put().put_offer(born(id.clone(), report, at));
            Ok(())
        }
        Some(known) => {
            TABLE.edge(known.state, OfferCommand::Report, by)?;
            report_again(desk, known, report, confirm_large_change, actor, at)
        }
    }
}

fn born(id: OfferId, report: OfferReport, at: Timestamp) -> Offer {
    let figures = Figures {
        staffed: report.staffed,
        occupied: report.occupied,
        blocked: report.blocked,
        ..Figures::default()
    };
    let release_is_usual = report.release_at.is_none() && report.release_week.is_some();
    Offer {
        id,
        source_key: report.source_key,
        trust: report.trust,
        site: report.site,
        resource: report.resource,
        figures,
        window: report.window,
        capabilities: report.capabilities,
        limits: report.limits,
        team: report.team,
        shared_with: report.shared_with,
        release_at: report.release_at.or(report.release_week),
        campaign: report.campaign,
        state: OfferState::Open,
        suspension: None,
        reported_at: report.reported_at,
        source: report.source,
        source_seq: report.source_seq,
        cadence: report.cadence,
        note: report.note,
        generation: 0,
        recent: Recent {
            arrivals: Vec::new(),
            baseline: Some(Baseline { at, usable: figures.usable() }),
            reports: [(report.source, report.reported_at)].into(),
            asked: Vec::new(),
            release_is_usual,
        },
    }
}

fn report_again(
    desk: &mut Desk<'_>,
    known: &Offer,
    report: OfferReport,
    confirm_large_change: bool,
    actor: &Actor,
    at: Timestamp,
) -> Result<(), Refusal> {
    if known.resource != report.resource || known.site != report.site {
        release_all_or_refuse(desk, known, at)?;
    }
    let offer = desk.offer_mut(&known.id)?;
    let free_before = offer.figures.free();
    offer.figures.staffed = report.staffed;
    offer.figures.blocked = report.blocked;
    offer.figures.occupied = figures::occupied_with_arrivals(offer, report.occupied, report.reported_at);
    figures::check_large_change(offer, known.figures, confirm_large_change, at)?;
    let is_other_thing = offer.resource != report.resource
        || offer.site != report.site
        || offer.window != report.window
        || offer.limits != report.limits
        || offer.capabilities != report.capabilities
        || offer.team != report.team;
    if is_other_thing || offer.figures.free() > free_before {
        offer.generation = offer.generation.saturating_add(1);
    }
    if offer.suspension.as_ref().is_some_and(|s| s.left_out) {
        offer.state = OfferState::Open;
        offer.suspension = None;
    }
    // What was said of this session's release stands until something else is said: a feed that is silent about it takes
    // back nothing that a person released by hand.
    let said = report.release_at.or_else(|| said_before(offer, &report));
    offer.source_key = report.source_key;
    offer.site = report.site;
    offer.resource = report.resource;
    offer.window = report.window;
    offer.capabilities = report.capabilities;
    offer.limits = report.limits;
    offer.team = report.team;
    offer.shared_with = report.shared_with;
    offer.recent.release_is_usual = said.is_none() && report.release_week.is_some();
    offer.release_at = said.or(report.release_week);
    offer.campaign = report.campaign;
    offer.source_seq = report.source_seq;
    offer.cadence = report.cadence;
    offer.note = report.note;
    mark_reported(offer, report.source, report.reported_at);
    holds::release_short(desk, &known.id, actor, at)
}

/// Returns what was said of this session's release, by whomever: the session of another day is another session.
fn said_before(offer: &Offer, report: &OfferReport) -> Option<Timestamp> {
    let is_same_day = match (offer.window.from, &report.day) {
        (Some(from), Some(day)) => day.contains(&from),
        (from, _) => from == report.window.from,
    };
    offer.release_at.filter(|_| is_same_day && !offer.recent.release_is_usual)
}

/// An offer that becomes another thing cannot keep the promises made of the old one.
fn release_all_or_refuse(desk: &mut Desk<'_>, known: &Offer, at: Timestamp) -> Result<(), Refusal> {
    let (unanswered, answered) = {
        let all = holds::of_offer(desk, &known.id)?;
        holds::split_unanswered(desk, all)?
    };
    let transfers = super::committed_transfers(desk, &known.id)?;
    if !answered.is_empty() || !transfers.is_empty() {
        return Err(capacity_committed(&known.id, &answered, &transfers));
    }
    let because = words("The trust changed what it offers.");
    holds::supersede_given(desk, &unanswered, &known.id, &because, at)
}

fn mark_reported(offer: &mut Offer, source: Source, reported_at: Timestamp) {
    offer.source = source;
    offer.reported_at = reported_at;
    offer.recent.reports.insert(source, reported_at);
    // Whoever asked has the answer.
    offer.recent.asked.clear();
}

/// Moves an offer's free units by a difference, not zero: lowers occupied by it (raises it for a negative number), and
/// staffed takes the part that would carry occupied below 0.
///
/// # Errors
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `OUT_OF_RANGE`, `LARGE_CHANGE` (publish the figures instead), `CHANGED_MEANWHILE`.
pub fn adjust(
    read: &Records,
    id: &OfferId,
    by: i64,
    actor: &Actor,
    at: Timestamp,
) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    adjust_on(&mut desk, id, by, actor, at)?;
    Ok(desk.finish())
}

pub(crate) fn adjust_on(
    desk: &mut Desk<'_>,
    id: &OfferId,
    by: i64,
    actor: &Actor,
    at: Timestamp,
) -> Result<(), Refusal> {
    let offer = desk.offer_mut(id)?;
    TABLE.edge(offer.state, OfferCommand::Adjust, party(actor, offer.trust))?;
    let before = offer.figures;
    figures::move_free(&mut offer.figures, by)?;
    figures::check_large_change(offer, before, false, at)?;
    if offer.figures.free() > before.free() {
        offer.generation = offer.generation.saturating_add(1);
    }
    mark_reported(offer, Source::Adjustment, at);
    holds::release_short(desk, id, actor, at)
}

/// Records that the figures of some offers are still true.
///
/// # Errors
/// `WRONG_SIDE`, `ILLEGAL_TRANSITION`, `CHANGED_MEANWHILE`; all or nothing.
pub fn confirm(read: &Records, ids: &[OfferId], actor: &Actor, at: Timestamp) -> Result<Records, Refusal> {
    let mut desk = Desk::new(read);
    for id in ids {
        let offer = desk.offer_mut(id)?;
        TABLE.edge(offer.state, OfferCommand::Confirm, party(actor, offer.trust))?;
        mark_reported(offer, Source::Person, at);
    }
    Ok(desk.finish())
}

/// Marks an offer as left out of a whole state of its site.
pub(super) fn left_out(offer: &mut Offer) {
    offer.state = OfferState::Suspended;
    let reason = words("Left out of the site's report while units of it are promised.");
    offer.suspension.get_or_insert(Suspension { until: None, reason, left_out: true });
}

impl From<Offer> for OfferReport {
    /// Takes what is reported of an offer; its state and what Fallow keeps of it are dropped.
    fn from(offer: Offer) -> Self {
        let (release_at, release_week) =
            if offer.recent.release_is_usual { (None, offer.release_at) } else { (offer.release_at, None) };
        Self {
            source_key: offer.source_key,
            trust: offer.trust,
            site: offer.site,
            resource: offer.resource,
            staffed: offer.figures.staffed,
            occupied: offer.figures.occupied,
            blocked: offer.figures.blocked,
            window: offer.window,
            capabilities: offer.capabilities,
            limits: offer.limits,
            team: offer.team,
            shared_with: offer.shared_with,
            release_at,
            release_week,
            day: None,
            campaign: offer.campaign,
            reported_at: offer.reported_at,
            source: offer.source,
            source_seq: offer.source_seq,
            cadence: offer.cadence,
            note: offer.note,
        }
    }
}
