//! Small theatres, each against every plan there is.

use super::*;

/// What a plan costs, worst band first: in strict mode the penalties band by band, then the burden; else the surrogate.
fn worth(theatre: &Theatre, mode: Mode, sessions: &[Option<u32>]) -> Vec<i64> {
    if mode == Mode::Weighted {
        return vec![theatre.surrogate(sessions)];
    }
    let mut worth = vec![0; 4];
    for (case, penalty) in theatre.penalties().into_iter().enumerate() {
        match sessions[case] {
            Some(session) => worth[3] += i64::from(theatre.burden(case, session).unwrap()),
            None => worth[usize::from(theatre.cases()[case].band)] += penalty,
        }
    }
    worth
}

/// The least worth of all plans.
fn least(theatre: &Theatre, mode: Mode) -> Vec<i64> {
    fn go(
        theatre: &Theatre,
        mode: Mode,
        sessions: &mut Vec<Option<u32>>,
        left: &mut [i64],
        least: &mut Vec<i64>,
    ) {
        let case = sessions.len();
        let Some(its) = theatre.cases().get(case) else {
            let worth = worth(theatre, mode, sessions);
            if worth < *least {
                *least = worth;
            }
            return;
        };
        for place in theatre.places_of(case) {
            if left[place.session as usize] >= its.size {
                left[place.session as usize] -= its.size;
                sessions.push(Some(place.session));
                go(theatre, mode, sessions, left, least);
                sessions.pop();
                left[place.session as usize] += its.size;
            }
        }
        sessions.push(None);
        go(theatre, mode, sessions, left, least);
        sessions.pop();
    }
    let mut least = vec![i64::MAX];
    go(theatre, mode, &mut Vec::new(), &mut theatre.rooms().to_vec(), &mut least);
    least
}

fn check_best(theatre: &Theatre) -> Result<(), TestCaseError> {
    for mode in [Mode::Strict, Mode::Weighted] {
        let schedule = solve(theatre, mode, 1_000);
        let reached = worth(theatre, mode, &schedule.sessions);
        prop_assert_eq!(reached, least(theatre, mode), "{:?}", mode);
        prop_assert!(schedule.steps <= 1, "what is proved to be best needs no search");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2500, ..ProptestConfig::default() })]

    /// No theatre of this size is too large to be proved.
    #[test]
    fn six_cases_and_two_sessions_are_planned_at_least_cost(theatre in theatres_of(7, 3)) {
        check_best(&theatre)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn eight_cases_and_three_sessions_are_planned_at_least_cost(theatre in theatres_of(9, 4)) {
        check_best(&theatre)?;
    }

    /// Needs of several units bring equal cases.
    #[test]
    fn equal_cases_are_planned_at_least_cost(theatre in theatres_of(5, 3), copies in 2usize..4) {
        let mut all = Theatre::new(theatre.rooms().to_vec());
        for (at, &case) in theatre.cases().iter().enumerate().take(3) {
            for _ in 0..copies {
                all.add(case, theatre.places_of(at).to_vec());
            }
        }
        check_best(&all)?;
    }

    /// The cost of a job depends on the agent and so does what it uses.
    #[test]
    fn every_job_has_an_agent_at_least_cost(
        table in prop::collection::vec((prop::collection::vec((1u32..30, 0u32..9), 6), 6u32..22), 2..4),
    ) {
        let row = |pick: fn(&(u32, u32)) -> u32| table.iter().map(|(row, _)| row.iter().map(pick).collect()).collect();
        let assignment = assign::Assignment {
            capacities: table.iter().map(|row| row.1).collect(),
            costs: row(|pair| pair.0),
            uses: row(|pair| pair.1),
        };
        let found = assignment.solve(u64::MAX, 1, &mut || false);
        let least = cheapest(&assignment, 0, &mut assignment.capacities.clone());
        prop_assert_eq!(found.map(|found| found.cost), least);
    }
}

/// The least cost of the jobs from one on; `None` where they cannot all be done.
fn cheapest(assignment: &assign::Assignment, job: usize, left: &mut [u32]) -> Option<u64> {
    if job == assignment.costs[0].len() {
        return Some(0);
    }
    let mut best = None;
    for agent in 0..left.len() {
        let used = assignment.uses[agent][job];
        if left[agent] >= used {
            left[agent] -= used;
            let rest = cheapest(assignment, job + 1, left);
            let cost = rest.map(|rest| rest + u64::from(assignment.costs[agent][job]));
            best = best.into_iter().chain(cost).min();
            left[agent] += used;
        }
    }
    best
}

/// The greedy plan alone would not do: what the tests above compare does differ.
#[test]
fn greedy_plans_of_small_theatres_cost_more() {
    let mut runner = TestRunner::deterministic();
    let (mut greedy, mut best) = (0, 0);
    for _ in 0..300 {
        let theatre = theatres_of(9, 4).new_tree(&mut runner).unwrap().current();
        greedy += theatre.surrogate(&solve(&theatre, Mode::Weighted, 0).sessions);
        best += least(&theatre, Mode::Weighted)[0];
    }
    assert!(greedy * 100 > best * 101, "{greedy} against {best}");
}
