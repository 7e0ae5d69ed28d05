//! What trusts report: wards by day and night, sessions by the sheet.

use std::collections::BTreeSet;

use fallow_api::v1;
use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

use super::{Act, Event, hours, kind_of, resource, sex, wire_time};
use crate::dev::dice::Dice;
use crate::dev::scenario::{Reporter, Scenario, Session, Ward, trust_of};

/// How often a patient administration system reports.
const ADT_MINUTES: i64 = 15;
/// How often a person at a desk reports.
const DESK_MINUTES: i64 = 60;
/// How many of a hundred hours a person forgets to.
const FORGOTTEN: u32 = 7;
/// Rolling wards end at the end of a season, the same for every report: a changed end would be another offer.
const SEASON_DAYS: i64 = 180;

/// What is reported by the sheet, when, and for how many days ahead. A day's last report stays good for the night.
const SHEETS: [(v1::ResourceKind, &[&str], i64, i64); 4] = [
    (v1::ResourceKind::Theatre, &["05:50", "12:10", "17:20"], 24, 21),
    (v1::ResourceKind::Diagnostic, &["02:05", "06:05", "10:05", "14:05", "18:05", "22:05"], 6, 5),
    (v1::ResourceKind::Staff, &["00:10", "06:10", "12:10", "18:10"], 8, 1),
    (v1::ResourceKind::Equipment, &["00:15", "06:15", "12:15", "18:15"], 8, 1),
];

/// Returns everything as it stands at a moment.
pub(super) fn all(scenario: &Scenario, seed: u64, at: Timestamp) -> Vec<Event> {
    let mut events: Vec<Event> =
        scenario.trusts().into_iter().filter_map(|trust| streamed(scenario, seed, trust, at)).collect();
    for ward in scenario.ward.iter().filter(|ward| ward.by == Reporter::Desk) {
        let mut event = published(scenario, seed, ward, at);
        // Nobody counted all desks at the same minute.
        if let Act::Publish(offer) = &mut event.act {
            let ago = Dice::named(seed, &format!("desk {} {}", ward.site, ward.key)).between(2, 50);
            offer.reported_at = wire_time(at - SignedDuration::from_mins(ago));
        }
        events.push(event);
    }
    for (kind, _, _, _) in SHEETS {
        events.extend(replaced(scenario, seed, kind, at));
    }
    events
}

/// Returns the reports of a day.
pub(super) fn of_day(scenario: &Scenario, seed: u64, day: i64) -> Vec<Event> {
    let Ok(midnight) = scenario.on_day(day, Time::midnight()) else { return Vec::new() };
    let after = |minutes| midnight + SignedDuration::from_mins(minutes);
    let mut events = Vec::new();
    for trust in scenario.trusts() {
        let offset = Dice::named(seed, &format!("adt {trust}")).between(0, ADT_MINUTES - 1);
        let times = (0..24 * 60 / ADT_MINUTES).map(|turn| after(turn * ADT_MINUTES + offset));
        let heard = times.filter(|at| !is_silent(scenario, trust, *at));
        events.extend(heard.filter_map(|at| streamed(scenario, seed, trust, at)));
    }
    for ward in scenario.ward.iter().filter(|ward| ward.by == Reporter::Desk) {
        let mut dice = Dice::named(seed, &format!("desk {} {} day {day}", ward.site, ward.key));
        let offset = dice.between(8, 50);
        for turn in 0..24 * 60 / DESK_MINUTES {
            let at = after(turn * DESK_MINUTES + offset + dice.between(-8, 4));
            if !dice.chance(FORGOTTEN) {
                events.push(published(scenario, seed, ward, at));
            }
        }
    }
    for (kind, times, _, _) in SHEETS {
        let times = times.iter().filter_map(|time| scenario.on_day(day, time.parse().ok()?).ok());
        events.extend(times.flat_map(|at| replaced(scenario, seed, kind, at)));
    }
    events
}

fn is_silent(scenario: &Scenario, trust: &str, at: Timestamp) -> bool {
    let time = scenario.local(at).time();
    scenario
        .silence
        .iter()
        .any(|silence| silence.trust == trust && silence.from <= time && time < silence.until)
}

fn streamed(scenario: &Scenario, seed: u64, trust: &str, at: Timestamp) -> Option<Event> {
    let wards = scenario.ward.iter().filter(|ward| ward.by == Reporter::Adt && trust_of(&ward.site) == trust);
    let offers: Vec<v1::Offer> = wards.map(|ward| ward_offer(scenario, seed, ward, at)).collect();
    (!offers.is_empty()).then(|| Event { at, trust: trust.to_owned(), act: Act::Stream(offers) })
}

fn published(scenario: &Scenario, seed: u64, ward: &Ward, at: Timestamp) -> Event {
    let offer = Box::new(ward_offer(scenario, seed, ward, at));
    Event { at, trust: trust_of(&ward.site).to_owned(), act: Act::Publish(offer) }
}

/// Returns what a ward reports at a moment: the morning's spare beds, the swing of the day, and a little chance that
/// changes every other hour.
fn ward_offer(scenario: &Scenario, seed: u64, ward: &Ward, at: Timestamp) -> v1::Offer {
    let local = scenario.local(at);
    let hour = usize::try_from(local.hour()).unwrap_or(0);
    let swing = scenario.swing.get(hour).copied().unwrap_or(0) * ward.staffed;
    let name = format!("ward {} {} {} {}", ward.site, ward.key, local.date(), hour / 2);
    let chance = Dice::named(seed, &name).between(-1, 1);
    let since = |(from, _): &&(Time, i64)| *from <= local.time();
    let blocked = ward.blocked.iter().rev().find(since).map_or(0, |(_, blocked)| *blocked);
    let free = (ward.spare + (swing + 500).div_euclid(1_000) + chance).clamp(0, ward.staffed - blocked);
    let minutes = match ward.by {
        Reporter::Adt => ADT_MINUTES,
        Reporter::Desk => DESK_MINUTES,
    };
    v1::Offer {
        source_key: ward.key.clone(),
        site: ward.site.clone(),
        resource: Some(resource(&ward.resource, &[])),
        figures: Some(v1::Figures {
            staffed: ward.staffed,
            occupied: ward.staffed - blocked - free,
            blocked,
            ..Default::default()
        }),
        window: Some(v1::Window { from: None, until: wire_time(end_of_season(scenario, at)) }),
        capabilities: ward.capabilities.clone(),
        limits: limits(ward.sex.as_deref(), ward.age_max),
        note: ward.note.clone(),
        cadence: Some(prost_types::Duration { seconds: minutes * 60, nanos: 0 }),
        ..Default::default()
    }
}

fn end_of_season(scenario: &Scenario, at: Timestamp) -> Timestamp {
    let begins = scenario.begins_at();
    let seasons = at.duration_since(begins).as_hours().max(0) / (24 * SEASON_DAYS);
    hours(begins, 24 * SEASON_DAYS * (seasons + 2))
}

fn limits(only: Option<&str>, age_max: Option<i32>) -> Option<v1::Limits> {
    let limits = v1::Limits { age_max, sex: only.map(sex), ..Default::default() };
    (limits != v1::Limits::default()).then_some(limits)
}

/// Returns what the sheets of a kind say: one for each site that has any.
fn replaced(scenario: &Scenario, seed: u64, kind: v1::ResourceKind, at: Timestamp) -> Vec<Event> {
    let of_kind = |session: &&Session| kind_of(&session.resource) == kind;
    let sites: BTreeSet<&str> = scenario.session.iter().filter(of_kind).map(|s| s.site.as_str()).collect();
    let sheet = |site: &str| {
        let sessions = scenario.session.iter().filter(of_kind).filter(|session| session.site == site);
        let offers = sessions.flat_map(|session| session_offers(scenario, seed, session, at)).collect();
        let act = Act::Replace { site: site.to_owned(), kind, offers };
        Event { at, trust: trust_of(site).to_owned(), act }
    };
    sites.into_iter().map(sheet).collect()
}

/// Returns the sessions of the days that a sheet looks ahead, those that are not over.
fn session_offers(scenario: &Scenario, seed: u64, session: &Session, at: Timestamp) -> Vec<v1::Offer> {
    let kind = kind_of(&session.resource);
    let sheet = SHEETS.iter().find(|(known, ..)| *known == kind);
    let (cadence_hours, days) = sheet.map_or((24, 1), |(_, _, cadence, days)| (*cadence, *days));
    let today = at.duration_since(scenario.begins_at()).as_hours().max(0) / 24;
    let mut offers = Vec::new();
    for day in today..=today + days + 1 {
        let Ok(starts) = scenario.on_day(day, session.starts) else { continue };
        let (ends, local) = (hours(starts, session.hours), scenario.local(starts));
        let mut dice =
            Dice::named(seed, &format!("session {} {} {}", session.site, session.key, local.date()));
        let takes_place = dice.chance(session.held);
        // Some sessions find their team in time, some never do.
        let (lacks_team, found_days_before) = (dice.chance(session.unstaffed), dice.between(-3, 10));
        if !takes_place || ends <= at || !session.weekdays.contains(&local.weekday().to_monday_one_offset()) {
            continue;
        }
        let has_team = !lacks_team || starts.duration_since(at).as_hours() < 24 * found_days_before;
        let is_theatre = kind == v1::ResourceKind::Theatre;
        offers.push(v1::Offer {
            source_key: format!("{}-{}", session.key, local.date()),
            site: session.site.clone(),
            resource: Some(resource(&session.resource, &session.specialties)),
            figures: Some(v1::Figures { staffed: session.units, ..Default::default() }),
            window: Some(v1::Window { from: wire_time(starts), until: wire_time(ends) }),
            limits: limits(None, session.age_max),
            team: (!has_team).then(|| v1::Team { staffed: false, needs: session.needs.clone() }),
            release_at: is_theatre.then(|| wire_time(hours(starts, -14 * 24))).flatten(),
            source: v1::Source::Sheet.into(),
            cadence: Some(prost_types::Duration { seconds: cadence_hours * 3_600, nanos: 0 }),
            ..Default::default()
        });
    }
    offers
}
