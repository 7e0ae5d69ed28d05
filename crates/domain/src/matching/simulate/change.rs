//! Changes, made on a copy.

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::ids::{Label, Note, OfferId, SiteCode, TrustCode};
use crate::matching::problem::Problem;
use crate::offer::{Figures, Limits, Offer, OfferState, Recent, Source, Team, Window};
use crate::quantity::Count;
use crate::region::{Region, SiteKind};
use crate::resource::{Resource, ResourceKind};

use super::{Change, demand};

/// Most changes of one trial: as many as a person can still tell apart.
pub const CHANGES_MAX: usize = 100;
/// How long added units last where neither the change nor the trust's other offers say it.
const USUAL_STAY: SignedDuration = SignedDuration::from_hours(24);

/// A changed copy.
#[derive(Debug, Clone)]
pub struct Changed {
    /// The copy.
    pub problem: Problem,
    /// What is to be known of single changes.
    pub remarks: Vec<Remark>,
}

/// Something to be known of a change that was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Remark {
    /// Fewer units were free than were to go.
    FewerFree {
        /// The change, counted from 0.
        change: usize,
        /// Units that were to go.
        asked: u32,
        /// Units that went.
        taken: u32,
    },
    /// Units of standing proposals stay at a site that closes; minutes for theatres.
    StandingStays {
        /// The change, counted from 0.
        change: usize,
        /// Units held.
        units: u64,
    },
    /// There was nothing for it to change.
    ChangesNothing {
        /// The change, counted from 0.
        change: usize,
    },
}

/// A change that does not fit the problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("changes[{change}].{field} {text}")]
pub struct Misfit {
    /// The change, counted from 0.
    pub change: usize,
    /// The field within it, such as `units.trust`.
    pub field: &'static str,
    /// What is wrong, in plain words.
    pub text: String,
}

/// Why a change does not fit, before it is known which it is.
type Wrong = (&'static str, String);

/// Makes changes on a copy, one after the other.
///
/// # Errors
/// The first change that names what the region does not have, or that cannot be made; or too many.
pub fn apply(base: &Problem, changes: &[Change]) -> Result<Changed, Misfit> {
    let mut copy = Changed { problem: base.clone(), remarks: Vec::new() };
    for (number, change) in changes.iter().enumerate() {
        if number == CHANGES_MAX {
            let text = format!("is one too many: a trial takes at most {CHANGES_MAX} changes");
            return Err(Misfit { change: number, field: "", text });
        }
        copy.make(number, change).map_err(|(field, text)| Misfit { change: number, field, text })?;
    }
    Ok(copy)
}

impl Changed {
    fn make(&mut self, number: usize, change: &Change) -> Result<(), Wrong> {
        let problem = &mut self.problem;
        let has_changed = match change {
            Change::Units { trust, resource, by, until } => match u32::try_from(*by) {
                Ok(0) => false,
                Ok(more) => {
                    let offer = added(problem, number, (*trust, resource), more, *until)?;
                    problem.offers.push(Arc::new(offer));
                    true
                }
                Err(_) => {
                    if until.is_some() {
                        return Err(("units.until", "must be left out where units go".to_owned()));
                    }
                    known_trust(&problem.region, *trust, "units.trust")?;
                    let asked = by.unsigned_abs();
                    let taken = take_away(problem, *trust, resource, asked);
                    if taken < asked {
                        self.remarks.push(Remark::FewerFree { change: number, asked, taken });
                    }
                    // Said above already.
                    true
                }
            },
            Change::CloseSite(site) => {
                known_site(&problem.region, *site)?;
                let (closed, held) = close(problem, *site);
                if held > 0 {
                    self.remarks.push(Remark::StandingStays { change: number, units: held });
                }
                closed
            }
            Change::Opel { trust, level } => {
                known_trust(&problem.region, *trust, "opel.trust")?;
                match Arc::make_mut(&mut problem.region).trusts.get_mut(trust) {
                    Some(trust) => trust.opel.replace(*level) != Some(*level),
                    None => false,
                }
            }
            Change::FeedReturns(trust) => {
                known_trust(&problem.region, *trust, "feed_returns")?;
                confirm(problem, *trust)
            }
            Change::TravelLimit(minutes) => lengthen(problem, *minutes),
            Change::Demand { resource, thousandths } => {
                demand::scale(&mut problem.needs, resource.as_ref(), *thousandths)
            }
            Change::Policy(policy) => {
                let region = Arc::make_mut(&mut problem.region);
                let before = std::mem::replace(&mut region.policy, (**policy).clone());
                before != region.policy
            }
            Change::Mode { collaborative, mode } => {
                let region = Arc::make_mut(&mut problem.region);
                let mut found =
                    region.collaboratives.iter_mut().filter(|c| c.id == *collaborative).peekable();
                if found.peek().is_none() {
                    return Err(("mode.collaborative", "must be a collaborative of the region".to_owned()));
                }
                let mut has_changed = false;
                for one in found {
                    has_changed |= std::mem::replace(&mut one.mode, *mode) != *mode;
                }
                has_changed
            }
        };
        if !has_changed {
            self.remarks.push(Remark::ChangesNothing { change: number });
        }
        Ok(())
    }
}

fn known_trust(region: &Region, trust: TrustCode, field: &'static str) -> Result<(), Wrong> {
    match region.trusts.contains_key(&trust) {
        true => Ok(()),
        false => Err((field, "must be a trust of the region".to_owned())),
    }
}

fn known_site(region: &Region, site: SiteCode) -> Result<(), Wrong> {
    match region.sites.contains_key(&site) {
        true => Ok(()),
        false => Err(("close_site", "must be a site of the region".to_owned())),
    }
}

/// Makes the offer that stands for added units: like the trust's own first of the resource, with its team, new and open.
fn added(
    problem: &Problem,
    number: usize,
    (trust, resource): (TrustCode, &Resource),
    more: u32,
    until: Option<Timestamp>,
) -> Result<Offer, Wrong> {
    known_trust(&problem.region, trust, "units.trust")?;
    let at = problem.at;
    let is_timed = !resource.kind.is_open_while_it_lasts();
    let key = resource.key();
    // What can be used from now on goes before what has passed.
    let order = |offer: &&Arc<Offer>| {
        let starts_before = is_timed && offer.window.from.is_none_or(|from| from < at);
        (offer.state != OfferState::Open, offer.window.until <= at, starts_before, offer.id.clone())
    };
    let like = problem
        .offers
        .iter()
        .filter(|offer| offer.trust == trust && offer.resource.key() == key)
        .min_by_key(order);
    let site = match like {
        Some(like) => like.site,
        None => main_site(&problem.region, trust)
            .ok_or_else(|| ("units.trust", "must be a trust that has a site".to_owned()))?,
    };
    let mut resource = resource.clone();
    if resource.specialties.is_empty()
        && let Some(like) = like
    {
        resource.specialties.clone_from(&like.resource.specialties);
    }
    if resource.kind == ResourceKind::Theatre && resource.specialties.is_empty() {
        let text = "must name the specialties: the trust has no session to take them from";
        return Err(("units.resource.specialties", text.to_owned()));
    }
    let from = like.and_then(|like| like.window.from);
    // What lasts is there at once, as its neighbour is; what has a time of its own takes the next one.
    let from = match is_timed {
        true => Some(from.filter(|from| *from >= at).unwrap_or(at)),
        false => from.filter(|from| *from <= at),
    };
    let starts = from.map_or(at, |from| from.max(at));
    let usual = like.map(|like| like.window.until).filter(|until| *until > starts);
    let ends = until.or(usual).or_else(|| starts.checked_add(USUAL_STAY).ok()).unwrap_or(Timestamp::MAX);
    if ends <= starts {
        return Err(("units.until", format!("must be after {starts}, when the units can first be used")));
    }
    Ok(Offer {
        id: free_id(problem, number)?,
        source_key: None,
        trust,
        site,
        resource,
        figures: Figures { staffed: Count::new(more), ..Figures::default() },
        window: Window { from, until: ends },
        capabilities: like.map(|like| like.capabilities.clone()).unwrap_or_default(),
        limits: like.map_or_else(Limits::default, |like| like.limits),
        team: Team::default(),
        shared_with: like.map(|like| like.shared_with.clone()).unwrap_or_default(),
        release_at: None,
        campaign: Label::default(),
        state: OfferState::Open,
        suspension: None,
        reported_at: at,
        source: Source::Person,
        source_seq: None,
        cadence: USUAL_STAY,
        note: Note::default(),
        generation: 0,
        recent: Recent::default(),
    })
}

/// Returns a trust's first hospital by code, or its first site where it has none.
fn main_site(region: &Region, trust: TrustCode) -> Option<SiteCode> {
    let own = region.sites.iter().filter(|(_, site)| site.trust == trust);
    own.min_by_key(|(code, site)| (site.kind != SiteKind::Hospital, **code)).map(|(code, _)| *code)
}

/// Returns an id that no offer has: `simulated-1` for the first change.
fn free_id(problem: &Problem, number: usize) -> Result<OfferId, Wrong> {
    let taken: BTreeSet<&str> = problem.offers.iter().map(|offer| offer.id.as_str()).collect();
    let mut text = format!("simulated-{}", number + 1);
    while taken.contains(text.as_str()) {
        text.push('\'');
    }
    OfferId::parse_any_text(&text).map_err(|error| ("units", error.to_string()))
}

/// Takes free units away from a trust's open offers, those that could be proposed first; returns how many went.
fn take_away(problem: &mut Problem, trust: TrustCode, resource: &Resource, asked: u32) -> u32 {
    let (at, key) = (problem.at, resource.key());
    let is_stale = |offer: &Offer| offer.freshness(at) == crate::offer::Freshness::Stale;
    let mut own: Vec<&mut Arc<Offer>> = problem
        .offers
        .iter_mut()
        .filter(|o| o.trust == trust && o.state == OfferState::Open && o.resource.key() == key)
        .collect();
    own.sort_by(|a, b| (is_stale(a), &a.id).cmp(&(is_stale(b), &b.id)));
    let mut left = Count::new(asked);
    for offer in own {
        let goes = offer.figures.free().min(left);
        if !goes.is_zero() {
            left = left.less(goes);
            let figures = &mut Arc::make_mut(offer).figures;
            figures.staffed = figures.staffed.less(goes);
        }
    }
    asked - left.get()
}

/// Suspends the offers of a site; says whether there were any open, and how much of all of them is held.
fn close(problem: &mut Problem, site: SiteCode) -> (bool, u64) {
    let (mut closed, mut held) = (false, 0);
    for offer in problem.offers.iter_mut().filter(|offer| offer.site == site) {
        held += u64::from(offer.figures.held.get());
        if offer.state == OfferState::Open {
            closed = true;
            Arc::make_mut(offer).state = OfferState::Suspended;
        }
    }
    (closed, held)
}

fn confirm(problem: &mut Problem, trust: TrustCode) -> bool {
    let at = problem.at;
    let mut has_changed = false;
    for offer in problem.offers.iter_mut().filter(|offer| offer.trust == trust && offer.reported_at < at) {
        has_changed |= offer.freshness(at) == crate::offer::Freshness::Stale;
        Arc::make_mut(offer).reported_at = at;
    }
    has_changed
}

fn lengthen(problem: &mut Problem, minutes: u32) -> bool {
    let mut has_changed = false;
    for need in &mut problem.needs {
        if need.max_travel_minutes.is_some_and(|limit| limit < minutes) {
            Arc::make_mut(need).max_travel_minutes = Some(minutes);
            has_changed = true;
        }
    }
    has_changed
}
