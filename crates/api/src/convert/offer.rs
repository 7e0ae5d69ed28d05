//! Offers.

use std::ops::Range;

use fallow_domain::decide::offer::OfferReport;
use fallow_domain::ids::{CollaborativeId, OfferId, TrustCode};
use fallow_domain::offer::{
    Asked, Figures, Limits, Offer, OfferState, Recent, Sex, Source, Suspension, Team, Window,
};
use fallow_domain::quantity::Count;
use fallow_domain::region::Region;
use fallow_domain::resource::ResourceKind;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::check::LABELS_MAX;
use super::codes::Coded;
use super::time::{span_to_wire, to_wire as time_to_wire};
use super::{
    AHEAD_DAYS_MAX, Check, FIGURE_MAX, FILED_FIGURE_MAX, Filed, Published, SESSION_DAYS_MAX, resource,
};
use crate::reasons::{BAD_ID, NOT_APPLICABLE, REQUIRED, SERVER_FIELD, TRUST_MISMATCH, WINDOW};
use crate::status::Failure;
use crate::v1;
use crate::violation::Violations;

/// Shortest cadence: a minute.
const CADENCE_MIN: SignedDuration = SignedDuration::from_mins(1);
/// Longest cadence: 31 days.
const CADENCE_MAX: SignedDuration = SignedDuration::from_hours(31 * 24);

/// Parses an offer that a trust publishes, as `prefix` names it in the request. `source` is who reports where the offer
/// does not say.
///
/// # Errors
/// `Forbidden` when it names another trust; else every violation at once.
pub fn published(
    wire: &v1::Offer,
    prefix: &str,
    live: &Published<'_>,
    source: Source,
) -> Result<OfferReport, Failure> {
    own_trust(&wire.trust, live.trust, &join(prefix, "trust"))?;
    let mut check = Check::new(prefix);
    written_by_the_server(&mut check, wire);
    let site = check.site("site", &wire.site, Some(live.trust), live.region);
    let resource = resource::parse(&mut check, wire.resource.as_ref(), live.region, true);
    let figures = figures(&mut check, wire.figures.as_ref(), FIGURE_MAX);
    let kind = resource.as_ref().map(|resource| resource.kind);
    let window = live_window(&mut check, wire.window.as_ref(), kind, live.at);
    let release_at = release(&mut check, wire, kind);
    let release_week = kind.zip(window).and_then(|(kind, window)| {
        let week = live.region.release_week(live.trust, kind, window);
        week.filter(|release_at| *release_at > live.at)
    });
    let day = window.and_then(|window| window.from).and_then(|from| local_day(from, live.region));
    let source = match check.optional_coded("source", wire.source) {
        Some(Source::Adjustment) => {
            check.wrong(
                "source",
                SERVER_FIELD,
                "must be FEED, SHEET or PERSON; AdjustOffer makes adjustments",
            );
            source
        }
        Some(given) => given,
        None => source,
    };
    let source_seq = source_seq(&mut check, wire.source_seq);
    let reported_at = check.time("reported_at", wire.reported_at.as_ref()).unwrap_or(live.at);
    let cadence = cadence(&mut check, wire.cadence.as_ref());
    let (limits, team) = (limits(&mut check, wire.limits.as_ref()), team(&mut check, wire.team.as_ref()));
    let capabilities = check.labels("capabilities", &wire.capabilities);
    let shared_with = shared_with(&mut check, &wire.shared_with, live.trust, live.region);
    let source_key = Some(check.text("source_key", &wire.source_key)).filter(|key| !key.is_empty());
    let note = check.text("note", &wire.note);
    let campaign = check.text("campaign", &wire.campaign);
    let report = match (site, resource, figures, window, cadence) {
        (Some(site), Some(resource), Some(figures), Some(window), Some(cadence)) => Some(OfferReport {
            source_key,
            trust: live.trust,
            site,
            resource,
            staffed: figures.staffed,
            occupied: figures.occupied,
            blocked: figures.blocked,
            window,
            capabilities,
            limits,
            team,
            shared_with,
            release_at,
            release_week,
            day,
            campaign,
            reported_at,
            source,
            source_seq,
            cadence,
            note,
        }),
        _ => None,
    };
    Ok(check.finish(report)?)
}

/// Parses an offer of a file.
///
/// # Errors
/// Every violation at once.
pub fn filed(wire: &v1::Offer, file: &Filed<'_>) -> Result<Offer, Violations> {
    let mut check = Check::new("");
    let id = check.id("id", &wire.id, OfferId::parse_any_text);
    let trust = check.trust("trust", &wire.trust, file.region);
    let site = check.site("site", &wire.site, trust, file.region);
    let resource = resource::parse(&mut check, wire.resource.as_ref(), file.region, false);
    let figures = figures(&mut check, wire.figures.as_ref(), FILED_FIGURE_MAX);
    let window = window(&mut check, wire.window.as_ref());
    let release_at = check.time("release_at", wire.release_at.as_ref());
    let release_week = match (trust, &resource, window) {
        (Some(trust), Some(resource), Some(window)) => file.region.release_week(trust, resource.kind, window),
        _ => None,
    };
    let state = check.optional_coded("state", wire.state).unwrap_or(OfferState::Open);
    let suspension = suspension(&mut check, wire.suspension.as_ref());
    let source = check.optional_coded("source", wire.source).unwrap_or(Source::Sheet);
    let source_seq = source_seq(&mut check, wire.source_seq);
    let reported_at = check.time("reported_at", wire.reported_at.as_ref()).unwrap_or(file.at);
    let cadence = cadence(&mut check, wire.cadence.as_ref());
    let (limits, team) = (limits(&mut check, wire.limits.as_ref()), team(&mut check, wire.team.as_ref()));
    let capabilities = check.labels("capabilities", &wire.capabilities);
    let shared_with = match trust {
        Some(trust) => shared_with(&mut check, &wire.shared_with, trust, file.region),
        None => Vec::new(),
    };
    let source_key = Some(check.text("source_key", &wire.source_key)).filter(|key| !key.is_empty());
    let note = check.text("note", &wire.note);
    let campaign = check.text("campaign", &wire.campaign);
    let offer = match (id, trust, site, resource, figures, window, cadence) {
        (Some(id), Some(trust), Some(site), Some(resource), Some(figures), Some(window), Some(cadence)) => {
            Some(Offer {
                id,
                source_key,
                trust,
                site,
                resource,
                figures,
                window,
                capabilities,
                limits,
                team,
                shared_with,
                release_at: release_at.or(release_week),
                campaign,
                state,
                suspension,
                reported_at,
                source,
                source_seq,
                cadence,
                note,
                generation: 0,
                recent: Recent::default(),
            })
        }
        _ => None,
    };
    check.finish(offer)
}

/// Writes an offer for the wire, with its derived figures and the telephone of its site's desk.
#[must_use]
pub fn seen(offer: &Offer, revision: u64, region: &Region) -> v1::Offer {
    v1::Offer { phone: region.phone(offer.site), ..to_wire(offer, revision) }
}

/// Writes an offer for the wire, with its derived figures.
#[must_use]
pub fn to_wire(offer: &Offer, revision: u64) -> v1::Offer {
    v1::Offer {
        id: offer.id.to_string(),
        source_key: offer.source_key.as_ref().map(ToString::to_string).unwrap_or_default(),
        trust: offer.trust.to_string(),
        site: offer.site.to_string(),
        resource: Some(resource::to_wire(&offer.resource)),
        figures: Some(figures_to_wire(&offer.figures)),
        window: Some(v1::Window {
            from: offer.window.from.map(time_to_wire),
            until: Some(time_to_wire(offer.window.until)),
        }),
        capabilities: offer.capabilities.iter().map(ToString::to_string).collect(),
        limits: (!offer.limits.is_open()).then(|| limits_to_wire(&offer.limits)),
        team: Some(v1::Team {
            staffed: offer.team.staffed,
            needs: offer.team.needs.iter().map(ToString::to_string).collect(),
        }),
        shared_with: offer.shared_with.iter().map(ToString::to_string).collect(),
        release_at: offer.release_at.map(time_to_wire),
        campaign: offer.campaign.to_string(),
        state: offer.state.to_wire(),
        reported_at: Some(time_to_wire(offer.reported_at)),
        source: offer.source.to_wire(),
        source_seq: super::request::number_to_wire(offer.source_seq.unwrap_or_default()),
        cadence: Some(span_to_wire(offer.cadence)),
        note: offer.note.to_string(),
        revision: super::request::number_to_wire(revision),
        suspension: offer.suspension.as_ref().map(|suspension| v1::Suspension {
            until: suspension.until.map(time_to_wire),
            reason: suspension.reason.to_string(),
            left_out: suspension.left_out,
        }),
        asked: offer.recent.asked.iter().map(asked_to_wire).collect(),
        phone: String::new(),
    }
}

fn asked_to_wire(asked: &Asked) -> v1::AskedToConfirm {
    v1::AskedToConfirm {
        trust: asked.by.trust.map(|trust| trust.to_string()).unwrap_or_default(),
        role: asked.by.role.to_string(),
        at: Some(time_to_wire(asked.at)),
        need: asked.need.as_ref().map(ToString::to_string).unwrap_or_default(),
    }
}

/// Refuses a record that names another trust than the credential's. What has not the shape of a code is a violation.
pub(super) fn own_trust(named: &str, own: TrustCode, field: &str) -> Result<(), Failure> {
    if named.is_empty() || named == own.as_str() {
        return Ok(());
    }
    let mut check = Check::new("");
    match check.ods::<TrustCode>(field, named) {
        Some(_) => Err(Failure::Forbidden {
            reason: TRUST_MISMATCH,
            text: format!("{field} names another trust than {own}, for which you act"),
        }),
        None => Err(check.finish::<()>(None).err().unwrap_or_default().into()),
    }
}

/// Returns the path of a field below a prefix.
pub(super) fn join(prefix: &str, field: &str) -> String {
    if prefix.is_empty() { field.to_owned() } else { format!("{prefix}.{field}") }
}

fn written_by_the_server(check: &mut Check<'_>, wire: &v1::Offer) {
    let figures = wire.figures.unwrap_or_default();
    for (field, given) in [
        ("id", !wire.id.is_empty()),
        ("state", wire.state != 0),
        ("revision", wire.revision != 0),
        ("suspension", wire.suspension.is_some()),
        ("asked", !wire.asked.is_empty()),
        ("phone", !wire.phone.is_empty()),
        ("figures.held", figures.held != 0),
        ("figures.committed", figures.committed != 0),
        ("figures.free", figures.free != 0),
        ("figures.short", figures.short != 0),
    ] {
        if given {
            check.wrong(field, SERVER_FIELD, "must be left out: the server writes it");
        }
    }
}

/// Parses the figures that are reported or filed; free and short follow from them and are not read.
fn figures(check: &mut Check<'_>, wire: Option<&v1::Figures>, max: i64) -> Option<Figures> {
    let wire = check.required("figures", wire)?;
    Some(Figures {
        staffed: check.count("figures.staffed", wire.staffed, max),
        occupied: check.count("figures.occupied", wire.occupied, max),
        blocked: check.count("figures.blocked", wire.blocked, max),
        held: check.count("figures.held", wire.held, max),
        committed: check.count("figures.committed", wire.committed, max),
    })
}

/// Parses a window: it ends, and after it starts.
fn window(check: &mut Check<'_>, wire: Option<&v1::Window>) -> Option<Window> {
    let wire = check.required("window", wire)?;
    let from = check.time("window.from", wire.from.as_ref());
    let until = check.required_time("window.until", wire.until.as_ref())?;
    if from.is_some_and(|from| from >= until) {
        check.wrong("window.until", WINDOW, "must be after `from`");
        return None;
    }
    Some(Window { from, until })
}

/// Parses a window that lies ahead and is not too long. A theatre session and a slot of a test are gone once they have
/// begun: of them it must be said when that is.
fn live_window(
    check: &mut Check<'_>,
    wire: Option<&v1::Window>,
    kind: Option<ResourceKind>,
    at: Timestamp,
) -> Option<Window> {
    let window = window(check, wire)?;
    let (start, days) =
        (window.from.unwrap_or(at).max(at), |days: i64| SignedDuration::from_hours(24 * days));
    if window.until <= at {
        check.wrong("window.until", WINDOW, "must be in the future");
    }
    if start.duration_since(at) > days(AHEAD_DAYS_MAX) {
        check.wrong("window.from", WINDOW, format!("must be at most {AHEAD_DAYS_MAX} days ahead"));
    }
    let is_session = kind.is_some_and(|kind| !kind.is_open_while_it_lasts());
    if is_session && window.from.is_none() {
        check.wrong("window.from", REQUIRED, "must say when the session or slot starts");
    }
    let longest = if is_session { SESSION_DAYS_MAX } else { AHEAD_DAYS_MAX };
    if window.until.duration_since(start) > days(longest) {
        check.wrong("window", WINDOW, format!("must be at most {longest} days long"));
    }
    Some(window)
}

fn release(check: &mut Check<'_>, wire: &v1::Offer, kind: Option<ResourceKind>) -> Option<Timestamp> {
    let release_at = check.time("release_at", wire.release_at.as_ref());
    if release_at.is_some() && kind.is_some_and(|kind| kind != ResourceKind::Theatre) {
        check.wrong(
            "release_at",
            NOT_APPLICABLE,
            "must be left out: only theatre sessions have a release week",
        );
    }
    release_at
}

/// Returns the day of the region in which a time lies, from its first instant until the next day's.
fn local_day(at: Timestamp, region: &Region) -> Option<Range<Timestamp>> {
    let zone = TimeZone::get(&region.timezone).unwrap_or(TimeZone::UTC);
    let day = at.to_zoned(zone).start_of_day().ok()?;
    let next = day.tomorrow().and_then(|next| next.start_of_day()).ok()?;
    Some(day.timestamp()..next.timestamp())
}

fn cadence(check: &mut Check<'_>, wire: Option<&prost_types::Duration>) -> Option<SignedDuration> {
    let wire = check.required("cadence", wire)?;
    check.span("cadence", wire, (CADENCE_MIN, CADENCE_MAX), "a minute to 31 days")
}

fn source_seq(check: &mut Check<'_>, wire: i64) -> Option<u64> {
    if wire == 0 { None } else { check.number("source_seq", wire, 1, super::request::NUMBER_MAX) }
}

fn limits(check: &mut Check<'_>, wire: Option<&v1::Limits>) -> Limits {
    let Some(wire) = wire else { return Limits::default() };
    let limits = Limits {
        age_min: check.optional("limits.age_min", wire.age_min, 0, 130),
        age_max: check.optional("limits.age_max", wire.age_max, 0, 130),
        sex: wire.sex.and_then(|sex| check.optional_coded::<Sex>("limits.sex", sex)),
        bmi_max: check.optional("limits.bmi_max", wire.bmi_max, 0, 200),
        asa_max: check.optional("limits.asa_max", wire.asa_max, 1, 6),
    };
    if let (Some(min), Some(max)) = (limits.age_min, limits.age_max)
        && min > max
    {
        check.wrong("limits.age_max", WINDOW, "must be at least `age_min`");
    }
    limits
}

fn limits_to_wire(limits: &Limits) -> v1::Limits {
    // All of these were at most 200 when they were parsed.
    let small = |number: Option<u32>| number.and_then(|number| i32::try_from(number).ok());
    v1::Limits {
        age_min: small(limits.age_min),
        age_max: small(limits.age_max),
        sex: limits.sex.map(Coded::to_wire),
        bmi_max: small(limits.bmi_max),
        asa_max: small(limits.asa_max),
    }
}

fn team(check: &mut Check<'_>, wire: Option<&v1::Team>) -> Team {
    let Some(wire) = wire else { return Team::default() };
    let needs = check.labels("team.needs", &wire.needs);
    if wire.staffed && !needs.is_empty() {
        check.wrong("team.needs", NOT_APPLICABLE, "must be left out when the team is staffed");
    }
    Team { staffed: wire.staffed, needs }
}

fn shared_with(
    check: &mut Check<'_>,
    ids: &[String],
    trust: TrustCode,
    region: &Region,
) -> Vec<CollaborativeId> {
    if !check.at_most("shared_with", ids.len(), LABELS_MAX) {
        return Vec::new();
    }
    let is_member = |id: &CollaborativeId| {
        region.collaboratives.iter().any(|c| c.id == *id && c.members.contains(&trust))
    };
    let mut shared = Vec::with_capacity(ids.len());
    for (index, text) in ids.iter().enumerate() {
        match CollaborativeId::parse_any_text(text) {
            Ok(id) if is_member(&id) => shared.push(id),
            Ok(_) => {
                // One that exists and one that does not look alike to those who are in neither.
                check.wrong(
                    &format!("shared_with[{index}]"),
                    BAD_ID,
                    format!("must be a collaborative of {trust}"),
                );
            }
            Err(error) => check.wrong(&format!("shared_with[{index}]"), BAD_ID, error.to_string()),
        }
    }
    shared.sort_unstable();
    shared.dedup();
    shared
}

fn suspension(check: &mut Check<'_>, wire: Option<&v1::Suspension>) -> Option<Suspension> {
    let wire = wire?;
    Some(Suspension {
        until: check.time("suspension.until", wire.until.as_ref()),
        reason: check.text("suspension.reason", &wire.reason),
        left_out: wire.left_out,
    })
}

fn figures_to_wire(figures: &Figures) -> v1::Figures {
    let number = |count: Count| i64::from(count.get());
    v1::Figures {
        staffed: number(figures.staffed),
        occupied: number(figures.occupied),
        blocked: number(figures.blocked),
        held: number(figures.held),
        committed: number(figures.committed),
        free: number(figures.free()),
        short: super::request::number_to_wire(figures.short()),
    }
}

/// Parses the difference of an adjustment, which is not nothing.
pub fn difference(check: &mut Check<'_>, by: i64) -> Option<i64> {
    if by == 0 {
        check.wrong("by", REQUIRED, "must not be 0");
        return None;
    }
    check.number("by", by, -FIGURE_MAX, FIGURE_MAX)
}

#[cfg(test)]
pub(super) mod tests;
