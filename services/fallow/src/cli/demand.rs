//! `fallow demand`, and its short forms `need` and `why-not`: what the own trust needs.

mod args;
mod explain;
mod park;
mod validate;
mod wait;

use std::collections::BTreeSet;

use fallow_api::client::Client;
use fallow_api::convert::request::SELECTION_MAX;
use fallow_api::v1::{
    AmendNeedRequest, DeclineReason, GetNeedRequest, ListNeedsRequest, Need, NeedFilter, Patient, Priority,
    RaiseNeedRequest, ResolveNeedOutsideRequest, Resource, WatchNeedsRequest, WithdrawNeedRequest, need,
};
use jiff::{SignedDuration, Timestamp};
use prost_types::FieldMask;

use self::args::{Amend, EndNeed, Resolve};
pub(crate) use self::args::{Demand, List, Raise, ShortNeed};
pub(crate) use self::args::{NewTerms, Validate, WhyNot};
pub(crate) use self::explain::explain;
pub(crate) use self::validate::validate;
use super::failure::{Exit, Failure};
use super::page::pages;
use super::pick::pick;
use super::session::Session;
use super::time::{self, to_wire};
use super::timeline::history;
use super::watch::follow;

/// The command that shows what there is, for errors.
const LIST: &str = "fallow demand list";

/// Runs `fallow demand …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Demand) -> Result<Exit, Failure> {
    match command {
        Demand::Raise(args) => raise(session, args).await,
        Demand::Amend(args) => amend(session, args).await,
        Demand::Withdraw(args) => withdraw(session, args).await,
        Demand::ResolveOutside(args) => resolve_outside(session, args).await,
        Demand::Park(args) => park::park(session, args).await,
        Demand::Resume(args) => park::resume(session, args).await,
        Demand::Ask(args) => validate::ask(session, args).await,
        Demand::Validate(args) => validate(session, args).await,
        Demand::Explain(args) => explain(session, args).await,
        Demand::Wait(args) => wait::wait(session, args).await,
        Demand::List(args) => list(session, args).await,
        Demand::Show { id } => {
            let need = find(session, &id).await?;
            session.show_one(&need)
        }
        Demand::History { id } => {
            let need = find(session, &id).await?;
            history(session, vec![need.id]).await
        }
    }
}

/// Runs `fallow demand raise`.
pub(crate) async fn raise(session: &mut Session<'_>, args: Raise) -> Result<Exit, Failure> {
    let id = args.terms.change.request_id();
    let need = need_of(session, &args, &id)?;
    if args.terms.priority.is_none() {
        let band = need.priority().as_str_name().trim_start_matches("PRIORITY_");
        session
            .terminal
            .say(&format!("priority {band}, from the time it is needed by; --priority says otherwise"))?;
    }
    let request = RaiseNeedRequest {
        request_id: id.clone(),
        validate_only: args.terms.change.dry_run,
        need: Some(need),
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().raise_need(ask).await).await?;
    if answer.already_live {
        if let Some(need) = &answer.need {
            session.show_one(need)?;
        }
        session.terminal.say("already raised: this is the live one; nothing was changed")?;
        return Ok(Exit::Ok);
    }
    session.show_changed(answer.need.as_ref(), "raised", answer.revision)
}

fn need_of(session: &Session<'_>, args: &Raise, request_id: &str) -> Result<Need, Failure> {
    let terms = &args.terms;
    let now = session.now();
    let at =
        |text: &Option<String>| text.as_deref().map(|text| time::parse(text, now, &session.zone)).transpose();
    let needed_by = at(&terms.needed_by)?;
    let priority = match (terms.priority, needed_by) {
        (Some(priority), _) => priority,
        (None, Some(by)) => band(by, now),
        (None, None) => {
            return Err(Failure::usage("how urgent is it?")
                .next("say --by TIME, or --priority P1A, P1B, P2, P3 or P4"));
        }
    };
    let patient = Patient {
        age: terms.age,
        sex: terms.sex.map(i32::from),
        bmi: terms.bmi,
        asa: terms.asa,
        isolation: None,
    };
    Ok(Need {
        // Without a reference of the trust's own, one that no other need has.
        case_ref: terms.case_ref.clone().unwrap_or_else(|| format!("CLI-{}", tail(request_id))),
        site: session.site(terms.site.as_deref())?,
        resource: Some(Resource { specialties: terms.specialty.clone(), ..args.resource.clone() }),
        units: args.count,
        minutes_per_case: terms
            .minutes_per_case
            .as_deref()
            .map(time::minutes)
            .transpose()?
            .unwrap_or_default(),
        priority: priority.into(),
        listed_at: terms.listed.as_deref().map(|text| past(text, session)).transpose()?.map(to_wire),
        earliest: at(&terms.earliest)?.map(to_wire),
        needed_by: needed_by.map(to_wire),
        requires: terms.need.clone(),
        patient: (patient != Patient::default()).then_some(patient),
        max_travel_minutes: terms.max_travel.as_deref().map(time::minutes).transpose()?.unwrap_or_default(),
        imd_decile: terms.imd_decile.unwrap_or_default(),
        reason: terms.reason.map(i32::from).unwrap_or_default(),
        scope: terms.scope.map(i32::from).unwrap_or_default(),
        pathway: terms.pathway.map(i32::from).unwrap_or_default(),
        brings_team: terms.brings_team,
        fragile_service: terms.fragile_service,
        cohort: terms.cohort.clone(),
        note: terms.note.clone(),
        ..Need::default()
    })
}

fn tail(request_id: &str) -> String {
    let digits: Vec<char> = request_id.chars().filter(char::is_ascii_hexdigit).collect();
    digits[digits.len().saturating_sub(8)..].iter().collect::<String>().to_uppercase()
}

/// A time of listing lies behind: a date, or RFC 3339.
fn past(text: &str, session: &Session<'_>) -> Result<Timestamp, Failure> {
    if let Ok(date) = text.trim().parse::<jiff::civil::Date>()
        && let Ok(start) = date.to_zoned(session.zone.clone())
    {
        return Ok(start.timestamp());
    }
    Ok(time::parse(text, session.now(), &session.zone)?)
}

/// The band whose time is the first that covers the time it is needed by.
pub(super) fn band(needed_by: Timestamp, now: Timestamp) -> Priority {
    let hours = needed_by.duration_since(now).as_secs().div_euclid(3_600);
    let within = |limit: SignedDuration| hours < limit.as_hours();
    if within(SignedDuration::from_hours(24)) {
        Priority::P1a
    } else if within(SignedDuration::from_hours(72)) {
        Priority::P1b
    } else if within(SignedDuration::from_hours(28 * 24)) {
        Priority::P2
    } else if within(SignedDuration::from_hours(91 * 24)) {
        Priority::P3
    } else {
        Priority::P4
    }
}

async fn amend(session: &mut Session<'_>, args: Amend) -> Result<Exit, Failure> {
    let found = find(session, &args.id).await?;
    let (changed, mask) = changed(session, args.terms, "fallow demand amend --help")?;
    let changed = Need { id: found.id, ..changed };
    let id = args.change.request_id();
    let request = AmendNeedRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        need: Some(changed),
        update_mask: Some(mask),
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().amend_need(ask).await).await?;
    session.show_changed(answer.need.as_ref(), "amended", answer.revision)
}

/// Returns what is to be otherwise, with the names of the fields.
///
/// # Errors
/// When nothing is to change, or a time is none.
pub(crate) fn changed(
    session: &Session<'_>,
    terms: NewTerms,
    help: &str,
) -> Result<(Need, FieldMask), Failure> {
    let now = session.now();
    let at = |text: &str| time::parse(text, now, &session.zone).map(|at| Some(to_wire(at)));
    let mut changed = Need::default();
    let mut mask = Vec::new();
    let mut name = |field: &str| mask.push(field.to_owned());
    if let Some(units) = terms.count {
        changed.units = units;
        name("units");
    }
    if let Some(priority) = terms.priority {
        changed.priority = priority.into();
        name("priority");
    }
    if let Some(text) = &terms.needed_by {
        changed.needed_by = at(text)?;
        name("needed_by");
    }
    if let Some(text) = &terms.earliest {
        changed.earliest = at(text)?;
        name("earliest");
    }
    if let Some(text) = &terms.max_travel {
        changed.max_travel_minutes = time::minutes(text)?;
        name("max_travel_minutes");
    }
    if !terms.need.is_empty() {
        changed.requires = terms.need;
        name("requires");
    }
    if let Some(note) = terms.note {
        changed.note = note;
        name("note");
    }
    if mask.is_empty() {
        return Err(Failure::usage("what is to change?").next(help));
    }
    Ok((changed, FieldMask { paths: mask }))
}

async fn withdraw(session: &mut Session<'_>, args: EndNeed) -> Result<Exit, Failure> {
    let (need, id) = (find(session, &args.id).await?, args.change.request_id());
    let request = WithdrawNeedRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        need: need.id,
        reason: DeclineReason::into(args.reason),
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().withdraw_need(ask).await).await?;
    session.show_changed(answer.need.as_ref(), "withdrawn", answer.revision)
}

async fn resolve_outside(session: &mut Session<'_>, args: Resolve) -> Result<Exit, Failure> {
    let (need, id) = (find(session, &args.id).await?, args.change.request_id());
    let request = ResolveNeedOutsideRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        need: need.id,
        note: args.note,
    };
    let client = session.demand()?;
    let answer =
        session.send(&id, request, async |ask| client.clone().resolve_need_outside(ask).await).await?;
    session.show_changed(answer.need.as_ref(), "resolved outside Fallow", answer.revision)
}

async fn list(session: &mut Session<'_>, args: List) -> Result<Exit, Failure> {
    let own = if args.everyone { None } else { session.own_trust() };
    let given: Vec<String> = args.trust.iter().map(|trust| trust.to_uppercase()).collect();
    let filter = NeedFilter {
        trusts: if given.is_empty() { own.into_iter().collect() } else { given },
        kinds: args.resource.iter().map(|resource| resource.kind).collect(),
        codes: args.resource.iter().map(|resource| resource.code.clone()).collect(),
        states: args.state.iter().map(|state| i32::from(*state)).collect(),
        priorities: args.priority.iter().map(|priority| i32::from(*priority)).collect(),
        ..NeedFilter::default()
    };
    if !args.watch {
        return draw(session, &filter).await;
    }
    let watched = filter.clone();
    let open = move |client: Client, cursor| {
        let request = WatchNeedsRequest { cursor, filter: Some(watched.clone()) };
        async move { client.demand().watch_needs(request).await.map(tonic::Response::into_inner) }
    };
    follow(session, open, async |session| draw(session, &filter).await).await
}

async fn draw(session: &mut Session<'_>, filter: &NeedFilter) -> Result<Exit, Failure> {
    let needs = all(session, filter).await?;
    session.show_list(&needs, "no needs; raise one: fallow need 1 level3 --by 16:00")
}

/// Lists every need that fits.
pub(crate) async fn all(session: &Session<'_>, filter: &NeedFilter) -> Result<Vec<Need>, Failure> {
    all_at(session, filter, None).await
}

/// Lists every need that fits, as of a time; `None` = now.
pub(crate) async fn all_at(
    session: &Session<'_>,
    filter: &NeedFilter,
    at: Option<Timestamp>,
) -> Result<Vec<Need>, Failure> {
    let client = session.demand()?;
    pages(async |page_size, page_token| {
        let request =
            ListNeedsRequest { page_size, page_token, filter: Some(filter.clone()), as_of: at.map(to_wire) };
        let answer = session.call(request, async |ask| client.clone().list_needs(ask).await).await?;
        Ok((answer.needs, answer.next_page_token))
    })
    .await
}

/// Reads the needs with these ids, in whatever state.
pub(crate) async fn named(session: &Session<'_>, ids: BTreeSet<String>) -> Result<Vec<Need>, Failure> {
    let ids: Vec<String> = ids.into_iter().collect();
    let mut found = Vec::with_capacity(ids.len());
    for ids in ids.chunks(SELECTION_MAX) {
        found.extend(all(session, &NeedFilter { ids: ids.to_vec(), ..NeedFilter::default() }).await?);
    }
    Ok(found)
}

/// Reads one need by its id.
pub(crate) async fn get(session: &Session<'_>, id: &str) -> Result<Need, Failure> {
    let client = session.demand()?;
    let ask = GetNeedRequest { need: id.to_owned() };
    let answer = session.call(ask, async |ask| client.clone().get_need(ask).await).await?;
    answer.need.ok_or_else(|| Failure::new(Exit::NotFound, "NOT_FOUND", "no such need"))
}

/// Finds the need that a person means: by id, the beginning of one, or its case reference; live ones first.
pub(crate) async fn find(session: &Session<'_>, typed: &str) -> Result<Need, Failure> {
    match get(session, typed).await {
        Err(failure) if failure.exit == Exit::NotFound || failure.exit == Exit::Usage => {}
        found => return found,
    }
    let names = |need: &Need| -> Vec<String> { vec![need.id.clone(), need.case_ref.clone()] };
    let live = all(session, &NeedFilter::default()).await?;
    match pick(typed, "need", LIST, &live, names) {
        Err(failure) if failure.exit == Exit::NotFound => {}
        found => return found.cloned(),
    }
    let ended = all(session, &NeedFilter { states: ended_states(), ..NeedFilter::default() }).await?;
    pick(typed, "need", LIST, &ended, names).cloned()
}

fn ended_states() -> Vec<i32> {
    use need::State::{Expired, Met, ResolvedOutside, Unmet, Withdrawn};
    [Met, Withdrawn, Expired, Unmet, ResolvedOutside].map(i32::from).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_band_covers_the_time_it_is_needed_by() {
        let now: Timestamp = "2026-11-24T14:31:00Z".parse().unwrap();
        for (hours, expected) in [
            (0, Priority::P1a),
            (23, Priority::P1a),
            (24, Priority::P1b),
            (71, Priority::P1b),
            (72, Priority::P2),
            (28 * 24, Priority::P3),
            (91 * 24, Priority::P4),
        ] {
            assert_eq!(band(now + SignedDuration::from_hours(hours), now), expected, "{hours}");
        }
    }

    #[test]
    fn a_made_up_reference_is_the_tail_of_the_request() {
        assert_eq!(tail("0198c2a1-0000-7000-8000-00001234abcd"), "1234ABCD");
    }
}
