//! One trust and one resource: the account behind a number of the situation, what waits for it, and whom to ring.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::{
    AskToConfirmRequest, GetSituationRequest, Need, NeedFilter, Offer, OfferFilter, Proposal, ProposalFilter,
    Resource, ResourceKind, Transfer, TransferFilter, situation,
};
use http::{HeaderMap, StatusCode};
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::super::frame::{Frame, Place, rendered};
use super::super::problem::summary;
use super::super::trends::Trend;
use super::grid;
use super::sections::{Entry, Section, sections};
use crate::app::{Update, Visit};
use crate::directory::{Desk, Directory};
use crate::form::Posted;
use crate::problem::Problem;
use crate::routes;
use crate::words::codes::{self, Tag};
use crate::words::time::{Now, from_wire, span};
use crate::words::{self, resource};

/// How long a week is.
const WEEK_HOURS: i64 = 7 * 24;

/// Which number.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    /// ODS code of the trust.
    #[serde(default)]
    trust: String,
    /// Key of the resource, such as `BED/CC_ADULT/2`.
    #[serde(default)]
    resource: String,
}

#[derive(Template)]
#[template(path = "situation/one_page.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    account: String,
}

/// The part of the page that updates itself.
#[derive(Template)]
#[template(path = "situation/one.html")]
struct Account {
    csrf: String,
    asked: Asked,
    /// `Dunmere General Hospital, Level 2`.
    name: String,
    /// `short by 1 bed`.
    spare: String,
    net: String,
    pressure: i32,
    opel: Option<String>,
    freshness: Tag,
    /// `staffed 14 = free 1 + held 1 + agreed 1 + occupied 11 + blocked 0`.
    sum: String,
    /// What is kept back and what is needed of it.
    below: String,
    offers: Vec<OfferLine>,
    needs: Vec<NeedLine>,
    proposals: usize,
    transfers: usize,
    /// `Reported by person, every 1 h. Late 3 times in 7 days.`
    reports: String,
    /// `Feed adt: number 1234, 2 min ago`, of each feed that has reported for the trust.
    feeds: Vec<String>,
    desks: Vec<Desk>,
    /// The same number hour by hour; `None` where it cannot be read.
    trend: Option<Trend>,
    is_own: bool,
    /// Whether the viewer may write a decision down.
    can_decide: bool,
    /// Whether the viewer may ask the trust to confirm.
    can_ask: bool,
}

/// One live offer.
struct OfferLine {
    place: String,
    figures: String,
    until: String,
    age: String,
    freshness: Tag,
    /// `feed, every 15 min`.
    source: String,
    revision: i64,
}

/// One live need.
struct NeedLine {
    what: String,
    case_ref: String,
    needed_by: String,
    state: Tag,
}

/// Everything that is read.
struct Known {
    cell: situation::Cell,
    /// From when on it is counted how often the number was late; `None` where it is not.
    late_from: Option<Timestamp>,
    trust: situation::TrustSituation,
    offers: Vec<Offer>,
    needs: Vec<Need>,
    proposals: Vec<Proposal>,
    transfers: Vec<Transfer>,
}

/// `GET /situation/one`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    show(&visit, &asked, None).await
}

/// `GET /f/situation/one`
pub(crate) async fn fragment(
    Update(visit): Update,
    Query(asked): Query<Asked>,
    headers: HeaderMap,
) -> Response {
    match read(&visit, &asked).await {
        Ok(account) => routes::fragment(&headers, rendered(&account)),
        Err(problem) => visit.refuse(&problem),
    }
}

/// `POST /situation/ask`: asks the trust whether its figures are still true.
pub(crate) async fn ask(Posted { visit, fields }: Posted) -> Response {
    let asked =
        Asked { trust: fields.text("trust").to_owned(), resource: fields.text("resource").to_owned() };
    let request = AskToConfirmRequest {
        request_id: fields.request_id_at(visit.sent_at),
        trust: asked.trust.clone(),
        resource: resource::from_key(&asked.resource),
        ..AskToConfirmRequest::default()
    };
    match visit.calls.capacity().ask_to_confirm(request).await {
        Ok(answer) => {
            let said = match answer.into_inner().asked {
                0 => "Nothing to ask: every figure of it is fresh.".to_owned(),
                many => format!("Asked to confirm {}.", words::count(many, "offer", "offers")),
            };
            let next = format!("/situation/one?trust={}&resource={}", asked.trust, asked.resource);
            visit.done(said, &next)
        }
        Err(status) => show(&visit, &asked, Some(status.into())).await,
    }
}

async fn show(visit: &Visit, asked: &Asked, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let (frame, account) =
        tokio::join!(Frame::read(visit, Place::Situation, "Account of a number"), read(visit, asked));
    visit.answer(account.map(|account| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let frame = Frame { title: account.name.clone(), ..frame };
        let page = Page {
            frame,
            sections: sections(visit, Section::Situation),
            problem: problem.map_or_else(String::new, |problem| summary(&problem, &[])),
            account: rendered(&account),
        };
        routes::html(status, rendered(&page))
    }))
}

/// Reads what is behind the number. A trust or a resource that nobody knows is not found.
async fn read(visit: &Visit, asked: &Asked) -> Result<Account, Problem> {
    let wanted = resource::from_key(&asked.resource).ok_or_else(Problem::not_found)?;
    let (trusts, codes) = (vec![asked.trust.clone()], vec![wanted.code.clone()]);
    let offers = OfferFilter { trusts: trusts.clone(), codes: codes.clone(), ..OfferFilter::default() };
    let needs = NeedFilter { trusts: trusts.clone(), codes, ..NeedFilter::default() };
    let joined = ProposalFilter { trusts: trusts.clone(), ..ProposalFilter::default() };
    let moved = TransferFilter { trusts, ..TransferFilter::default() };
    let situation = async {
        let answer = visit.calls.monitor().get_situation(GetSituationRequest::default()).await?;
        Ok::<_, Problem>(answer.into_inner().situation.unwrap_or_default())
    };
    let (trend, situation, offers, needs, proposals, transfers, directory) = tokio::join!(
        Trend::of_net(visit, &asked.trust, wanted.clone()),
        situation,
        visit.calls.offers(offers),
        visit.calls.needs(needs),
        visit.calls.proposals(joined),
        visit.calls.transfers(moved),
        visit.directory()
    );
    let situation = situation?;
    let late_from = from_wire(situation.late_counted_from.as_ref());
    let trust = situation.trusts.into_iter().find(|one| one.trust == asked.trust);
    let is_it = |one: &Option<Resource>| one.as_ref().is_some_and(|one| is_same(one, &wanted));
    let cell = situation.cells.into_iter().find(|cell| cell.trust == asked.trust && is_it(&cell.resource));
    let (offers, needs) = (offers.unwrap_or_default(), needs.unwrap_or_default());
    let offers: Vec<Offer> = offers.into_iter().filter(|one| is_it(&one.resource)).collect();
    let needs: Vec<Need> = needs.into_iter().filter(|one| is_it(&one.resource)).collect();
    let concerns = |one: &Proposal| {
        needs.iter().any(|need| need.id == one.need) || offers.iter().any(|offer| offer.id == one.offer)
    };
    let known = Known {
        proposals: proposals.unwrap_or_default().into_iter().filter(concerns).collect(),
        transfers: transfers.unwrap_or_default().into_iter().filter(|one| is_it(&one.resource)).collect(),
        cell: cell
            .unwrap_or_else(|| situation::Cell { resource: Some(wanted.clone()), ..Default::default() }),
        trust: trust.ok_or_else(Problem::not_found)?,
        late_from,
        offers,
        needs,
    };
    let is_own = visit.viewer().trust.as_deref() == Some(asked.trust.as_str());
    let mut account = Account::new(&visit.signed.csrf, &visit.now, asked, is_own, &known, &*directory?);
    account.trend = trend;
    account.can_decide = visit.rights().may("/timeline/decision");
    account.can_ask = !is_own && visit.rights().may("/situation/ask");
    Ok(account)
}

/// Says whether two resources are the same number of the situation.
fn is_same(one: &Resource, other: &Resource) -> bool {
    (one.kind, &one.code, one.level) == (other.kind, &other.code, other.level)
}

impl Account {
    fn new(csrf: &str, now: &Now, asked: &Asked, is_own: bool, known: &Known, directory: &Directory) -> Self {
        let cell = &known.cell;
        let resource = cell.resource.clone().unwrap_or_default();
        let sites = directory.sites_of(&asked.trust);
        let desks = sites.iter().filter_map(|site| directory.desk(&site.code)).collect();
        Self {
            csrf: csrf.to_owned(),
            asked: asked.clone(),
            name: format!("{}, {}", known.trust.name, resource::short(&resource)),
            spare: grid::spare(resource.kind(), cell.net),
            net: grid::amount(resource.kind(), cell.net),
            pressure: cell.pressure.clamp(1, 4),
            opel: grid::opel(&known.trust, now),
            freshness: codes::freshness(cell.freshness()),
            sum: sum(&known.offers),
            below: below(cell, resource.kind()),
            offers: known.offers.iter().map(|one| OfferLine::new(one, now, directory)).collect(),
            needs: known.needs.iter().map(|one| NeedLine::new(one, now)).collect(),
            proposals: known.proposals.len(),
            transfers: known.transfers.len(),
            reports: reports(&known.offers, cell.late_7d, known.late_from, now),
            feeds: known.trust.feeds.iter().map(|one| heard(one, now)).collect(),
            desks,
            trend: None,
            is_own,
            can_decide: false,
            can_ask: false,
        }
    }
}

/// Says how the number is reported and how often that was late: some offer of it stale, with no report for two of its
/// cadences.
fn reports(offers: &[Offer], late: i64, counted_from: Option<Timestamp>, now: &Now) -> String {
    let way = |offer: &Offer| {
        let every = offer.cadence.as_ref().map_or(0, |cadence| cadence.seconds);
        (every, codes::source(offer.source()))
    };
    let ways: BTreeSet<(i64, &str)> = offers.iter().map(way).collect();
    let ways: Vec<String> = ways
        .into_iter()
        .map(|(every, source)| format!("{source}, every {}", span(SignedDuration::from_secs(every))))
        .collect();
    let mut said = if ways.is_empty() { String::new() } else { format!("Source: {}.", ways.join("; ")) };
    let Some(counted_from) = counted_from else { return said };
    let times = match late {
        0 => "Never late".to_owned(),
        1 => "Late once".to_owned(),
        2 => "Late twice".to_owned(),
        more => format!("Late {more} times"),
    };
    // A little less than the week is the week: the hour in which it begins is counted as a whole.
    let is_week = now.at.duration_since(counted_from) >= SignedDuration::from_hours(WEEK_HOURS - 1);
    let since = if is_week { "in 7 days".to_owned() } else { format!("since {}", now.clock(counted_from)) };
    if !said.is_empty() {
        said.push(' ');
    }
    format!("{said}{times} {since}.")
}

/// Says how far a feed has come, and when.
fn heard(feed: &situation::FeedHeard, now: &Now) -> String {
    let age = from_wire(feed.at.as_ref()).map(|at| format!(", {} ago", now.age(at)));
    format!("Feed {}: number {}{}", feed.name, feed.last_source_seq, age.unwrap_or_default())
}

/// Adds the accounts of all live offers up: both sides of it are the same number.
fn sum(offers: &[Offer]) -> String {
    let figures: Vec<_> = offers.iter().filter_map(|offer| offer.figures).collect();
    let all = |of: fn(&fallow_api::v1::Figures) -> i64| figures.iter().map(of).sum::<i64>();
    let short = match all(|one| one.short) {
        0 => String::new(),
        short => format!(" + short {short}"),
    };
    format!(
        "staffed {}{short} = free {} + held {} + agreed {} + occupied {} + blocked {}",
        all(|one| one.staffed),
        all(|one| one.free),
        all(|one| one.held),
        all(|one| one.committed),
        all(|one| one.occupied),
        all(|one| one.blocked),
    )
}

/// Says how the net comes of the free: what is kept back, and what the trust itself needs.
fn below(cell: &situation::Cell, kind: ResourceKind) -> String {
    let (one, many) = resource::units(kind);
    let stale = match cell.offers_stale {
        0 => String::new(),
        some => format!(" {} stale and not counted.", words::count(some, "offer is", "offers are")),
    };
    format!(
        "{} free in offers that are not stale, less {} kept back, less {} of the trust\u{2019}s own needs.{stale}",
        words::count(cell.free, one, many),
        cell.reserve,
        cell.own_needs
    )
}

impl OfferLine {
    fn new(offer: &Offer, now: &Now, directory: &Directory) -> Self {
        let figures = offer.figures.unwrap_or_default();
        let until = offer.window.as_ref().and_then(|window| from_wire(window.until.as_ref()));
        let cadence = offer.cadence.as_ref().map_or(0, |cadence| cadence.seconds);
        let reported = from_wire(offer.reported_at.as_ref());
        let age = reported.map(|at| now.at.duration_since(at).as_secs());
        let freshness = match age {
            Some(age) if age <= cadence => fallow_api::v1::Freshness::Fresh,
            Some(age) if age <= cadence.saturating_mul(2) => fallow_api::v1::Freshness::Ageing,
            Some(_) => fallow_api::v1::Freshness::Stale,
            None => fallow_api::v1::Freshness::Unspecified,
        };
        Self {
            place: directory.site(&offer.site).to_owned(),
            figures: format!("{} free of {} staffed", figures.free, figures.staffed),
            until: until.map_or_else(|| "not said".to_owned(), |until| now.until(until)),
            age: reported.map_or_else(|| "not said".to_owned(), |at| now.age(at)),
            freshness: codes::freshness(freshness),
            source: format!(
                "{}, every {}",
                codes::source(offer.source()),
                span(SignedDuration::from_secs(cadence))
            ),
            revision: offer.revision,
        }
    }
}

impl NeedLine {
    fn new(need: &Need, now: &Now) -> Self {
        let needed_by = from_wire(need.needed_by.as_ref());
        Self {
            what: need.resource.as_ref().map(|one| resource::phrase(one, need.units)).unwrap_or_default(),
            case_ref: need.case_ref.clone(),
            needed_by: needed_by.map_or_else(|| "open-ended".to_owned(), |by| now.clock(by)),
            state: codes::need_state(need.state()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_api::v1::Figures;

    fn offer(staffed: i64, short: i64, rest: [i64; 5]) -> Offer {
        let [free, held, committed, occupied, blocked] = rest;
        let figures = Figures { staffed, short, free, held, committed, occupied, blocked };
        Offer { figures: Some(figures), ..Offer::default() }
    }

    #[test]
    fn the_account_adds_up_over_all_offers() {
        let one = offer(14, 0, [1, 1, 1, 11, 0]);
        assert_eq!(
            sum(std::slice::from_ref(&one)),
            "staffed 14 = free 1 + held 1 + agreed 1 + occupied 11 + blocked 0"
        );
        let text = sum(&[one, offer(2, 1, [0, 0, 3, 0, 0])]);
        assert_eq!(text, "staffed 16 + short 1 = free 1 + held 1 + agreed 4 + occupied 11 + blocked 0");
    }

    #[test]
    fn how_often_it_was_late_is_said_with_since_when_it_is_counted() {
        let now = Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: jiff::tz::TimeZone::UTC };
        let by = |source: fallow_api::v1::Source, minutes: i64| Offer {
            source: source.into(),
            cadence: Some(prost_types::Duration { seconds: minutes * 60, nanos: 0 }),
            ..Offer::default()
        };
        let (person, feed) = (by(fallow_api::v1::Source::Person, 60), by(fallow_api::v1::Source::Feed, 15));
        let check = |offers: &[Offer], late, from: Option<&str>, expected: &str| {
            let from = from.map(|text| text.parse().unwrap());
            assert_eq!(reports(offers, late, from, &now), expected);
        };
        let week = Some("2026-11-17T14:32:00Z");
        let one = std::slice::from_ref(&person);
        check(one, 3, week, "Source: person, every 1 h. Late 3 times in 7 days.");
        check(one, 0, week, "Source: person, every 1 h. Never late in 7 days.");
        check(
            one,
            1,
            Some("2026-11-24T09:00:00Z"),
            "Source: person, every 1 h. Late once since today 09:00.",
        );
        let both = [person.clone(), feed, person.clone()];
        check(&both, 2, week, "Source: feed, every 15 min; person, every 1 h. Late twice in 7 days.");
        check(&[], 2, week, "Late twice in 7 days.");
        check(one, 3, None, "Source: person, every 1 h.");
    }

    #[test]
    fn stale_offers_are_said_to_be_left_out() {
        let cell =
            situation::Cell { free: 3, reserve: 1, own_needs: 3, offers_stale: 1, ..Default::default() };
        assert_eq!(
            below(&cell, ResourceKind::Bed),
            "3 beds free in offers that are not stale, less 1 kept back, less 3 of the trust\u{2019}s own needs. \
             1 offer is stale and not counted."
        );
    }
}
