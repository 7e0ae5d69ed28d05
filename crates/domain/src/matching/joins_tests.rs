use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::matching::examples::{after, labels, need, offer, problem, region, resource};
use crate::matching::solve::solve;
use crate::need::Priority;
use crate::offer::{OfferState, Team, Window};
use crate::region::Region;
use crate::resource::Specialty;

const HOUR: i64 = 3_600;

/// All three trusts share theatres and staff.
fn sharing() -> Region {
    let mut region = region();
    region.collaboratives[0].shares.insert(ResourceKind::Staff);
    region
}

/// A case of 90 minutes of AAA.
fn case(id: &str) -> Need {
    let mut case = need(id);
    case.resource = resource(ResourceKind::Theatre, "MAIN");
    case.resource.specialties = vec![Specialty::new(110).unwrap()];
    case.minutes_per_case = 90.into();
    case
}

/// A session of BBB, tomorrow for four hours, without anaesthetist and ODP.
fn session(id: &str) -> Offer {
    let mut session = offer(id);
    session.resource = resource(ResourceKind::Theatre, "MAIN");
    session.resource.specialties = vec![Specialty::new(110).unwrap()];
    session.figures.staffed = 240.into();
    session.window = Window { from: Some(after(24 * HOUR)), until: after(28 * HOUR) };
    session.team = Team { staffed: false, needs: labels(&["ANAESTHETIST", "ODP"]) };
    session
}

/// A team of CCC with both, all of tomorrow.
fn team(id: &str) -> Offer {
    let mut team = offer(id);
    (team.trust, team.site) = ("CCC".parse().unwrap(), "CCC01".parse().unwrap());
    team.resource = resource(ResourceKind::Staff, "ODP");
    team.capabilities = labels(&["ANAESTHETIST"]);
    team.window = Window { from: Some(after(16 * HOUR)), until: after(36 * HOUR) };
    team
}

fn found(problem: &Problem) -> Vec<Join> {
    joins(problem, &solve(problem, None, 1_000, 1, &mut || false))
}

fn names(joins: &[Join]) -> Vec<(&str, &str, &str, u32)> {
    joins.iter().map(|j| (j.need.as_str(), j.session.as_str(), j.team.as_str(), j.cases)).collect()
}

/// What is joined of one case, one session and one team when one thing is different.
fn joined(change: impl FnOnce(&mut Region, &mut Need, &mut Offer, &mut Offer)) -> usize {
    let (mut region, mut case, mut session, mut team) = (sharing(), case("N1"), session("S1"), team("T1"));
    change(&mut region, &mut case, &mut session, &mut team);
    found(&problem(region, vec![case], vec![session, team])).len()
}

#[test]
fn a_session_without_a_team_is_joined_with_one_from_a_third_trust() {
    let all = problem(sharing(), vec![case("N1")], vec![session("S1"), team("T1")]);
    let joins = found(&all);
    assert_eq!(names(&joins), [("N1", "S1", "T1", 1)]);
    let (from, to) = ("CCC01".parse().unwrap(), "BBB01".parse().unwrap());
    assert_eq!(joins[0].team_travel, all.region.travel_minutes(from, to).unwrap());
}

#[test]
fn each_thing_that_must_be_so_keeps_a_join_from_being_made() {
    assert_eq!(joined(|_, _, _, _| {}), 1);
    // The team may be the theatre trust's own, or the home trust's.
    for (trust, site) in [("BBB", "BBB01"), ("AAA", "AAA01")] {
        let from =
            |team: &mut Offer| (team.trust, team.site) = (trust.parse().unwrap(), site.parse().unwrap());
        assert_eq!(joined(|_, _, _, team| from(team)), 1, "{trust}");
    }
    type Change = fn(&mut Region, &mut Need, &mut Offer, &mut Offer);
    let not: [(&str, Change); 19] = [
        ("some of the session is promised", |_, _, session, _| session.figures.held = 1.into()),
        ("some of the session is used", |_, _, session, _| session.figures.occupied = 1.into()),
        ("a role is missing", |_, _, _, team| team.capabilities.clear()),
        ("the team comes late", |_, _, _, team| team.window.from = Some(after(24 * HOUR + 1))),
        ("the team goes early", |_, _, _, team| team.window.until = after(28 * HOUR - 1)),
        ("no one is free", |_, _, _, team| team.figures.occupied = 1.into()),
        ("old figures of the team", |_, _, _, team| team.reported_at = after(-3 * HOUR)),
        ("the team is suspended", |_, _, _, team| team.state = OfferState::Suspended),
        ("staff are not shared", |region, _, _, _| {
            region.collaboratives[0].shares.remove(&ResourceKind::Staff);
        }),
        ("the team is for others", |_, _, _, team| {
            team.shared_with = vec![crate::ids::CollaborativeId::parse("pair").unwrap()];
        }),
        ("the team's trust is under pressure", |region, _, _, _| {
            region.trusts.get_mut(&"CCC".parse().unwrap()).unwrap().opel = Some(4);
        }),
        ("the team's trust keeps it", |region, _, _, team| {
            let trust = region.trusts.get_mut(&"CCC".parse().unwrap()).unwrap();
            trust.reserve.insert(team.resource.key(), 1.into());
        }),
        ("the session has its team", |_, _, session, _| session.team = Team::default()),
        ("nobody says who is lacking", |_, _, session, _| session.team.needs.clear()),
        ("the session does another specialty", |_, _, session, _| {
            session.resource.specialties = vec![Specialty::new(120).unwrap()];
        }),
        ("the session is too short", |_, _, session, _| session.figures.staffed = 89.into()),
        ("the session is suspended", |_, _, session, _| session.state = OfferState::Suspended),
        ("too far for the patient", |_, case, _, _| case.max_travel_minutes = Some(1)),
        ("the home trust brings the team", |_, case, _, _| case.brings_team = true),
    ];
    for (why, change) in not {
        assert_eq!(joined(change), 0, "{why}");
    }
}

/// Who sees a team is a matter between its trust and that of the theatre: the home trust's agreements do not help.
#[test]
fn a_team_comes_where_its_trust_and_that_of_the_theatre_share_staff_with_each_other() {
    let ids = |ids: &[&str]| ids.iter().map(|id| crate::ids::CollaborativeId::parse(id).unwrap()).collect();
    assert_eq!(joined(|_, _, _, team| team.shared_with = ids(&["all"])), 1);
    assert_eq!(joined(|_, _, _, team| team.shared_with = ids(&["pair", "all"])), 1);
    // The pair is of the trust that sends the team and the home trust.
    let of_the_pair = |region: &mut Region| {
        region.collaboratives[0].shares.remove(&ResourceKind::Staff);
        region.collaboratives[1].shares.insert(ResourceKind::Staff);
    };
    assert_eq!(joined(|region, _, _, _| of_the_pair(region)), 0);
    assert_eq!(
        joined(|region, _, _, team| {
            region.collaboratives[1].shares.insert(ResourceKind::Staff);
            team.shared_with = ids(&["pair"]);
        }),
        0,
        "shared with a collaborative that the theatre is not in"
    );
    // Within a trust nobody has to agree.
    let own = |region: &mut Region, _: &mut Need, _: &mut Offer, team: &mut Offer| {
        region.collaboratives[0].shares.remove(&ResourceKind::Staff);
        (team.trust, team.site) = ("BBB".parse().unwrap(), "BBB01".parse().unwrap());
        team.shared_with = ids(&["pair"]);
    };
    assert_eq!(joined(own), 1);
}

#[test]
fn a_team_that_was_declined_for_the_need_does_not_come_again_but_another_does() {
    let mut far = team("T2");
    (far.trust, far.site) = ("BBB".parse().unwrap(), "BBB01".parse().unwrap());
    let mut all = problem(sharing(), vec![case("N1")], vec![session("S1"), team("T1"), far]);
    let first = found(&all);
    assert_eq!(
        (names(&first), first[0].other_teams),
        (vec![("N1", "S1", "T2", 1)], 1),
        "it is there already"
    );
    all.declined.insert((NeedId::parse("N1").unwrap(), OfferId::parse("T2").unwrap()));
    let second = found(&all);
    assert_eq!((names(&second), second[0].other_teams), (vec![("N1", "S1", "T1", 1)], 0));
    all.declined.insert((NeedId::parse("N1").unwrap(), OfferId::parse("T1").unwrap()));
    assert_eq!(found(&all), []);
}

#[test]
fn a_unit_of_staff_that_the_plan_gives_away_is_not_joined() {
    let mut shift = need("N2");
    shift.resource = resource(ResourceKind::Staff, "ODP");
    shift.priority = Priority::P4;
    shift.earliest = Some(after(20 * HOUR));
    let all = |units: u32| {
        let mut team = team("T1");
        team.figures.staffed = units.into();
        found(&problem(sharing(), vec![case("N1"), shift.clone()], vec![session("S1"), team])).len()
    };
    assert_eq!((all(1), all(2)), (0, 1), "even a need of the last band goes before a join");
}

/// What one offer of a trust has left, or reported lately, says nothing of another.
#[test]
fn a_team_comes_from_the_offer_that_has_one() {
    let mut shift = need("N2");
    shift.resource = resource(ResourceKind::Staff, "ODP");
    shift.earliest = Some(after(20 * HOUR));
    shift.max_travel_minutes = Some(60);
    // Nearer to the session, and the only one near enough for the shift: the plan gives its only unit away.
    let mut near = team("T1");
    near.site = "BBB01".parse().unwrap();
    let far = team("T2");
    let needs = || vec![case("N1"), shift.clone()];
    let given = problem(sharing(), needs(), vec![session("S1"), near.clone(), far.clone()]);
    assert_eq!(names(&found(&given)), [("N1", "S1", "T2", 1)]);
    let free = problem(sharing(), vec![case("N1")], vec![session("S1"), near.clone(), far.clone()]);
    assert_eq!(names(&found(&free)), [("N1", "S1", "T1", 1)]);
    near.reported_at = after(-3 * HOUR);
    let stale = problem(sharing(), vec![case("N1")], vec![session("S1"), near, far]);
    assert_eq!(names(&found(&stale)), [("N1", "S1", "T2", 1)]);
}

/// The last case of a session needs no turnover after it.
#[test]
fn a_session_holds_cases_with_turnover_only_between_them() {
    let held = |minutes: u32| {
        let mut cases = case("N1");
        cases.units = 9.into();
        let mut session = session("S1");
        session.figures.staffed = minutes.into();
        found(&problem(sharing(), vec![cases], vec![session, team("T1")]))[0].cases
    };
    assert_eq!([194, 195, 299, 300].map(held), [1, 2, 2, 3]);
}

#[test]
fn the_most_urgent_case_gets_the_only_team_and_a_session_holds_what_it_can() {
    let (mut first, second) = (case("N2"), case("N1"));
    first.priority = Priority::P1A;
    first.units = 4.into();
    let offers = vec![session("S1"), session("S2"), team("T1")];
    let joins = found(&problem(sharing(), vec![second, first], offers));
    assert_eq!(names(&joins), [("N2", "S1", "T1", 2)], "two cases of 90 minutes and a turnover in 240");
}

/// Small worlds: cases of one trust, sessions and teams of all, reserves, and needs for staff that compete.
fn worlds() -> impl Strategy<Value = Problem> {
    let cases = prop::collection::vec((0usize..5, 1u32..4, 1i64..5), 1..5);
    let sessions = prop::collection::vec((1usize..3, prop::sample::select(vec![60u32, 120, 240])), 0..4);
    let teams = prop::collection::vec((0usize..3, 0u32..3, any::<bool>(), any::<bool>()), 0..4);
    let shifts = prop::collection::vec((0usize..5, 0usize..3), 0..3);
    (cases, sessions, teams, shifts, prop::collection::vec(0u32..2, 3)).prop_map(
        |(cases, sessions, teams, shifts, reserves)| {
            let places = [("AAA", "AAA01"), ("BBB", "BBB01"), ("CCC", "CCC01")];
            let place = |at: usize| (places[at].0.parse().unwrap(), places[at].1.parse().unwrap());
            let mut region = sharing();
            for ((trust, _), kept) in places.iter().zip(reserves) {
                let trust = region.trusts.get_mut(&trust.parse().unwrap()).unwrap();
                trust.reserve.insert(team("T").resource.key(), kept.into());
            }
            let mut needs = Vec::new();
            for (at, (band, units, days)) in cases.into_iter().enumerate() {
                let mut case = case(&format!("N{at}"));
                case.priority = Priority::ALL[band];
                case.units = units.into();
                case.listed_at = after(-days * 24 * HOUR);
                needs.push(case);
            }
            for (at, (band, trust)) in shifts.into_iter().enumerate() {
                let mut shift = need(&format!("M{at}"));
                shift.resource = resource(ResourceKind::Staff, "ODP");
                (shift.trust, shift.site) = place(trust);
                shift.priority = Priority::ALL[band];
                needs.push(shift);
            }
            let mut offers = Vec::new();
            for (at, (trust, minutes)) in sessions.into_iter().enumerate() {
                let mut session = session(&format!("S{at}"));
                (session.trust, session.site) = place(trust);
                session.figures.staffed = minutes.into();
                offers.push(session);
            }
            for (at, (trust, units, has_both, is_long)) in teams.into_iter().enumerate() {
                let mut team = team(&format!("T{at}"));
                (team.trust, team.site) = place(trust);
                team.figures.staffed = units.into();
                if !has_both {
                    team.capabilities.clear();
                }
                if !is_long {
                    team.window.until = after(26 * HOUR);
                }
                offers.push(team);
            }
            problem(region, needs, offers)
        },
    )
}

/// The records after a plan and some joins: each allocation and join held.
fn after_joins(problem: &Problem, plan: &Plan, joins: &[Join]) -> Problem {
    let mut held: BTreeMap<&OfferId, u32> = BTreeMap::new();
    for line in &plan.allocations {
        *held.entry(&line.offer).or_default() += line.units;
    }
    for join in joins {
        *held.entry(&join.team).or_default() += 1;
    }
    let mut after = problem.clone();
    after.offers = problem
        .offers
        .iter()
        .map(|offer| {
            let mut offer = (**offer).clone();
            if offer.resource.kind == ResourceKind::Staff {
                offer.figures.held = held.get(&offer.id).copied().unwrap_or(0).into();
            }
            Arc::new(offer)
        })
        .collect();
    after
}

/// Says what is wrong with some joins after a plan; nothing = they take only what is left, in order of rank, and leave
/// nothing that could be joined.
fn flaw(problem: &Problem, plan: &Plan, joins: &[Join]) -> Option<String> {
    let offer = |id: &OfferId| problem.offers.iter().find(|offer| offer.id == *id).unwrap();
    let need = |id: &NeedId| problem.needs.iter().find(|need| need.id == *id).unwrap();
    let after = after_joins(problem, plan, joins);
    if let Some(short) = after.offers.iter().find(|offer| offer.figures.short() > 0) {
        return Some(format!("{} gives more than it has", short.id));
    }
    for join in joins {
        let (team, session) = (offer(&join.team), offer(&join.session));
        if spare_of(&after, team) < 0 {
            return Some(format!("{join:?} takes what the trust keeps"));
        }
        if !covers(team, session) {
            return Some(format!("{join:?} lacks a role or an hour"));
        }
        if join.cases == 0 || join.cases * 90 + (join.cases - 1) * 15 > session.figures.free().get() {
            return Some(format!("{join:?} does not fit"));
        }
    }
    let sessions: BTreeSet<&OfferId> = joins.iter().map(|join| &join.session).collect();
    if sessions.len() < joins.len() {
        return Some("a session has two teams".to_owned());
    }
    let setting = problem.setting();
    let lacks_a_team =
        |case: &Need, session: &Offer| objections(problem, &setting, case, session) == [NotUsed::TeamMissing];
    for (id, unserved) in
        plan.unserved.iter().filter(|(id, _)| need(id).resource.kind == ResourceKind::Theatre)
    {
        let case = need(id);
        let served: u32 = joins.iter().filter(|join| join.need == *id).map(|join| join.cases).sum();
        if served > *unserved {
            return Some(format!("{id} is served more than it needs"));
        }
        if served == *unserved {
            continue;
        }
        for session in problem.offers.iter().filter(|s| !sessions.contains(&s.id) && lacks_a_team(case, s)) {
            let idle = after.offers.iter().find(|team| {
                team.resource.kind == ResourceKind::Staff
                    && covers(team, session)
                    && team.figures.free().get() > 0
                    && spare_of(&after, team) > 0
            });
            if let Some(team) = idle {
                return Some(format!("{id}, {} and {} could be joined", session.id, team.id));
            }
        }
        let own = rank(case, &problem.region.policy, problem.at);
        for join in joins {
            let other = rank(need(&join.need), &problem.region.policy, problem.at);
            if other > own && lacks_a_team(case, offer(&join.session)) {
                return Some(format!("{id} goes without for the less urgent {}", join.need));
            }
        }
    }
    None
}

/// Returns the free units of staff that a trust has above what it keeps.
fn spare_of(records: &Problem, team: &Offer) -> i64 {
    let key = team.resource.key();
    let of_trust = records.offers.iter().filter(|o| o.trust == team.trust && o.resource.key() == key);
    let free: i64 = of_trust.map(|offer| i64::from(offer.figures.free().get())).sum();
    free - records.reserve(team.trust, &key)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn joins_take_only_what_is_left_and_leave_nothing_that_could_be_joined(problem in worlds()) {
        let plan = solve(&problem, None, 1_000, 1, &mut || false);
        let joins = joins(&problem, &plan);
        prop_assert_eq!(flaw(&problem, &plan, &joins), None);
        // The order of the records says nothing.
        let mut turned = problem.clone();
        turned.needs.reverse();
        turned.offers.reverse();
        prop_assert_eq!(joins, super::joins(&turned, &plan));
    }
}

#[test]
fn the_checker_finds_each_planted_flaw() {
    let (mut planned, mut urgent, mut shift) = (case("N1"), case("N2"), need("N3"));
    planned.units = 2.into();
    urgent.priority = Priority::P1A;
    urgent.units = 2.into();
    shift.resource = resource(ResourceKind::Staff, "ODP");
    let mut region = sharing();
    let kept = region.trusts.get_mut(&"CCC".parse().unwrap()).unwrap();
    kept.reserve.insert(team("T1").resource.key(), 1.into());
    let (mut five, mut short) = (team("T1"), team("T2"));
    five.figures.staffed = 5.into();
    short.figures.staffed = 2.into();
    short.window.until = after(26 * HOUR);
    (short.trust, short.site) = ("BBB".parse().unwrap(), "BBB01".parse().unwrap());
    let offers = vec![session("S1"), session("S2"), five, short];
    let problem = problem(region, vec![planned, urgent, shift], offers);
    let plan = solve(&problem, None, 1_000, 1, &mut || false);
    let right = joins(&problem, &plan);
    assert!(!right.is_empty());
    assert_eq!(flaw(&problem, &plan, &right), None);
    let planted = |plant: &dyn Fn(&mut Vec<Join>)| {
        let mut joins = right.clone();
        plant(&mut joins);
        flaw(&problem, &plan, &joins).unwrap_or_default()
    };
    let offer = |text: &str| OfferId::parse(text).unwrap();
    let second = |first: &Join| Join {
        session: offer("S2"),
        need: NeedId::parse("N1").unwrap(),
        cases: 1,
        ..first.clone()
    };
    type Plant<'a> = &'a dyn Fn(&mut Vec<Join>);
    let plants: [(Plant<'_>, &str); 8] = [
        (&|joins| joins.clear(), "could be joined"),
        (&|joins| joins[0].cases = 3, "does not fit"),
        (&|joins| joins[0].team = offer("T2"), "lacks a role or an hour"),
        (&|joins| joins.push(right[0].clone()), "has two teams"),
        (&|joins| joins[0].need = NeedId::parse("N1").unwrap(), "served more than it needs"),
        (&|joins| joins.extend(vec![second(&right[0]); 3]), "takes what the trust keeps"),
        (&|joins| joins.extend(vec![second(&right[0]); 4]), "gives more than it has"),
        (
            &|joins| *joins = vec![Join { session: offer("S1"), ..second(&right[0]) }, second(&right[0])],
            "less urgent",
        ),
    ];
    for (plant, said) in plants {
        let found = planted(plant);
        assert!(found.contains(said), "{said}: {found}");
    }
}
