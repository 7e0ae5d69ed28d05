use super::*;
use crate::ids::Note;
use crate::lifecycle::Party;
use crate::matching::explanation::Lever;
use crate::monitor::happened::{Happened, Late, OfNeed, Pair, What};
use crate::need::NeedState;
use crate::proposal::ProposalState;
use crate::records::Records;
use crate::region::file;
use crate::test_world::*;

const ALL: Sight<'static> = Sight { need: &|_, _| true, trust: &|_| true, pair: &|_, _| true, only: None };

fn trust(code: &str) -> TrustCode {
    code.parse().unwrap()
}

fn of_need(decile: Option<u8>) -> OfNeed {
    OfNeed {
        id: need_id("n-1"),
        trust: trust("ZA2"),
        resource: "BED/GA_ADULT".parse().unwrap(),
        units: 1,
        imd_decile: decile,
    }
}

fn pair(from: &str, to: &str, units: u32) -> Pair {
    Pair {
        proposal: proposal_id("p-1"),
        transfer: None,
        need: need_id("n-1"),
        home: trust(to),
        supporting: trust(from),
        third: None,
        resource: None,
        units,
    }
}

fn tally(what: Vec<What>) -> Tally {
    let happened: Vec<Happened> = what
        .into_iter()
        .map(|what| Happened { at: monday(), by: crate::actor::Role::Engine, what })
        .collect();
    Tally::of(monday(), monday() + minutes(1), &happened)
}

fn declined(from: &str, code: &'static str, side: Option<Party>, late: bool) -> What {
    let state = if side.is_some() { ProposalState::Declined } else { ProposalState::Lapsed };
    let late = late.then_some(Late::ReliedOn);
    What::ProposalEnded { pair: pair(from, "ZA2", 1), state, side, code, because: Note::default(), late }
}

fn row<'a>(table: &'a Table, name: &str) -> &'a [f64] {
    &table.rows.iter().find(|row| row.name == name).unwrap().values
}

#[test]
fn equity_is_by_decile_and_says_how_much_is_known() {
    let raised = |decile| What::NeedRaised { need: of_need(decile), needed_by: None };
    let found = tally(vec![
        raised(Some(1)),
        raised(Some(1)),
        raised(None),
        What::NeedAgreed { need: of_need(Some(1)), minutes: Some(20), in_time: true },
        What::NeedEnded { need: of_need(Some(1)), state: NeedState::Unmet },
    ]);
    let world = World::with(10, 4, 1);
    let table = equity(&found, &world.records, &ALL);
    assert_eq!(table.rows.len(), 11);
    // Raised, agreed, per cent, in time, mean minutes, unmet, waiting now.
    assert_eq!(row(&table, "1, most deprived"), [2.0, 1.0, 50.0, 1.0, 20.0, 1.0, 0.0]);
    assert_eq!(row(&table, "not known"), [1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
    assert_eq!(table.notes, ["Deprivation is known of 66.7% of the needs raised."]);
    let nobody = Sight { need: &|_, _| false, ..ALL };
    let of_nobody = equity(&found, &world.records, &nobody);
    assert_eq!(row(&of_nobody, "1, most deprived"), [0.0; 7]);
    assert_eq!(of_nobody.notes, ["Deprivation is known of 0% of the needs raised."]);
}

#[test]
fn fairness_is_lending_beside_beds_and_who_lent_to_whom() {
    let region = file::parse(
        "[region]\nid = \"ZA\"\nname = \"North Vale\"\ntimezone = \"Europe/London\"\n\
         [[trust]]\nods = \"ZA1\"\nname = \"Aldermoor\"\n[[trust]]\nods = \"ZA2\"\nname = \"Brackwater\"\n\
         [[trust]]\nods = \"ZA3\"\nname = \"Calverleigh\"\n",
    );
    let region = region.unwrap();
    let mut world = World::with(10, 4, 1);
    world.publish("o-3", report("ZA3", "ward 3", 30, 0, world.at));
    let situation = Situation::of(&region, &BTreeMap::new(), &world.records, world.at);
    let beds: ResourceKey = "BED/GA_ADULT".parse().unwrap();
    let agreed =
        |from, to, units| What::Agreed(Pair { resource: Some(beds.clone()), ..pair(from, to, units) });
    let found = tally(vec![agreed("ZA1", "ZA2", 3), agreed("ZA3", "ZA2", 1), agreed("ZA2", "ZA1", 2)]);
    let table = fairness(&found, &situation, &region, &ALL);
    assert_eq!(
        table.columns[1..6],
        ["lent", "received", "net", "share of lending %", "share of what is staffed %"]
    );
    assert_eq!(table.columns[6..], ["to ZA1", "to ZA2", "to ZA3"]);
    assert_eq!(row(&table, "ZA1, beds"), [3.0, 2.0, 1.0, 50.0, 25.0, 0.0, 3.0, 0.0]);
    assert_eq!(row(&table, "ZA3, beds"), [1.0, 0.0, 1.0, 16.7, 75.0, 0.0, 1.0, 0.0]);
    // Lent and received balance: the nets sum to nothing.
    assert_eq!(table.rows.iter().map(|row| row.values[2]).sum::<f64>(), 0.0);
    // Who does not see Calverleigh sees nothing of what it lent.
    let third = trust("ZA3");
    let sees = |trust: TrustCode| trust != third;
    let joins = |home: TrustCode, supporting: TrustCode| home != third && supporting != third;
    let table = fairness(&found, &situation, &region, &Sight { trust: &sees, pair: &joins, ..ALL });
    assert_eq!((table.rows.len(), row(&table, "ZA2, beds")[1]), (2, 3.0));
    // To know both trusts is not to see what joins them, nor the beds that are not shared.
    let own = |home: TrustCode, supporting: TrustCode| home == trust("ZA1") || supporting == trust("ZA1");
    let shared = |trust: TrustCode, _: ResourceKind| trust != third;
    let table = fairness(&found, &situation, &region, &Sight { pair: &own, need: &shared, ..ALL });
    assert_eq!(row(&table, "ZA3, beds"), [0.0; 8]);
    assert_eq!(row(&table, "ZA1, beds")[4], 100.0);
    assert_eq!(table.notes[1], "Of beds, what is staffed is not shared with you by ZA3: it does not count.");
    let own = Sight { only: Some(third), ..ALL };
    assert_eq!(row(&fairness(&found, &situation, &region, &own), "ZA2, beds")[1], 1.0);
}

#[test]
fn unlike_kinds_are_not_added_up() {
    let region = file::parse(
        "[region]\nid = \"ZA\"\nname = \"North Vale\"\n[[trust]]\nods = \"ZA1\"\nname = \"Aldermoor\"\n\
         [[trust]]\nods = \"ZA2\"\nname = \"Brackwater\"\n",
    );
    let region = region.unwrap();
    let situation = Situation::of(&region, &BTreeMap::new(), &Records::default(), monday());
    let of = |from, to, units, key: &str| {
        What::Agreed(Pair { resource: Some(key.parse().unwrap()), ..pair(from, to, units) })
    };
    let found = tally(vec![
        of("ZA1", "ZA2", 3, "BED/GA_ADULT"),
        of("ZA1", "ZA2", 1, "BED/PICU"),
        of("ZA2", "ZA1", 20, "THEATRE/MAIN"),
    ]);
    let table = fairness(&found, &situation, &region, &ALL);
    let names: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["ZA1, beds", "ZA2, beds", "ZA1, theatre cases", "ZA2, theatre cases"]);
    assert_eq!(row(&table, "ZA1, beds")[..4], [4.0, 0.0, 4.0, 100.0]);
    assert_eq!(row(&table, "ZA2, theatre cases")[..4], [20.0, 0.0, 20.0, 100.0]);
    assert!(table.notes[0].starts_with("Agreed: 4 beds, 20 theatre cases between trusts."), "{table:?}");
    // What a day kept before kinds were is shown as just that.
    let mut old = found.clone();
    old.pairs.iter_mut().for_each(|row| row.kind = None);
    let both = Tally::sum(found.from, found.until, [&old, &found]);
    let note = |table: Table, name: &str| table.rows.into_iter().find(|row| row.name == name).unwrap().note;
    let agreed = outcomes(&both, &Records::default(), monday(), &ALL);
    assert_eq!(agreed.columns, ["outcome", "count", "% of transfers agreed"]);
    let told = "4 beds, 20 theatre cases, 24 of kinds that were not kept";
    assert_eq!(note(agreed, "Transfers agreed"), told);
    let one = tally(vec![of("ZA1", "ZA2", 1, "THEATRE/MAIN")]);
    let agreed = outcomes(&one, &Records::default(), monday(), &ALL);
    assert_eq!(note(agreed, "Transfers agreed"), "1 theatre case");
    let table = fairness(&both, &situation, &region, &ALL);
    assert_eq!(row(&table, "ZA1, of kinds that were not kept")[..2], [4.0, 20.0]);
    assert_eq!(row(&table, "ZA1, beds")[..2], [4.0, 0.0]);
    // Nothing else that is counted is kept by kind: the rows stay few.
    let others = tally(vec![What::Proposed(pair("ZA1", "ZA2", 1)), declined("ZA1", "STAFFING", None, true)]);
    assert!(others.pairs.iter().all(|row| row.kind.is_none()), "{others:?}");
}

#[test]
fn declines_are_by_reason_and_side_and_say_how_proposals_ended() {
    let found = tally(vec![
        declined("ZA1", "STAFFING", Some(Party::Supporting), true),
        declined("ZA1", "STAFFING", Some(Party::Supporting), false),
        declined("ZA1", "NOT_FIT", Some(Party::Home), false),
        declined("ZA1", "NO_ANSWER", None, false),
        What::Agreed(pair("ZA1", "ZA2", 1)),
    ]);
    let table = declines(&found, &ALL);
    let names: Vec<&str> = table.rows.iter().map(|row| row.name.as_str()).collect();
    assert_eq!(names, ["STAFFING", "NOT_FIT", "NO_ANSWER"]);
    assert_eq!(row(&table, "STAFFING"), [2.0, 50.0, 2.0, 0.0, 0.0]);
    assert_eq!(row(&table, "NO_ANSWER"), [1.0, 25.0, 0.0, 0.0, 1.0]);
    assert_eq!(table.notes, ["Of 5 proposals that ended: agreed 20%, declined 60%, lapsed 20%."]);
    let one = declines(&tally(vec![declined("ZA1", "NO_ANSWER", None, false)]), &ALL);
    assert_eq!(one.notes, ["One proposal ended: lapsed."]);
    // The harm of it is among the outcomes.
    let table = outcomes(&found, &Records::default(), monday(), &ALL);
    assert_eq!(row(&table, "Harm: declined late")[0], 1.0);
    assert_eq!(row(&table, "Transfers agreed"), [1.0, 100.0]);
}

#[test]
fn outcomes_count_what_is_overdue_now() {
    let mut world = World::with(10, 4, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    let table = |world: &World| outcomes(&tally(Vec::new()), &world.records, world.at, &ALL);
    assert_eq!(row(&table(&world), "Harm: transfers overdue now")[0], 0.0);
    world.at = world.transfer("t-p-1").due_at + minutes(1);
    assert_eq!(row(&table(&world), "Harm: transfers overdue now")[0], 1.0);
    let late = table(&world).rows.into_iter().find(|row| row.name == "Harm: transfers overdue now").unwrap();
    assert_eq!(late.note, "Past their due time and not arrived: 1 bed.");
    assert_eq!(table(&world).notes, ["No proposal ended in this time."]);
}

#[test]
fn unmet_needs_stand_by_their_age_against_needed_by() {
    let mut world = World::with(10, 4, 1);
    let at = world.at;
    let mut live = Records::default();
    for (n, minutes_over) in [-120, -60, -30, 0, 1, 60, 61, 240, 241].into_iter().enumerate() {
        let mut need = new_need("ZA2", &format!("n-{n}"), 1, at);
        need.needed_by = Some(at - minutes(minutes_over));
        // What is past its needed-by has ended so, if no answer is awaited.
        if minutes_over > 60 {
            need.state = NeedState::Unmet;
        }
        live.put_need(need);
    }
    world.records = live;
    let key: ResourceKey = "BED/GA_ADULT".parse().unwrap();
    let blocked: BTreeMap<_, _> =
        [(Some(NotUsed::TooFar), 3), (Some(NotUsed::Stale), 1), (None, 1)].into_iter().collect();
    let unlocking = Unlocking {
        needs: 9,
        units: 9,
        blockers: Vec::new(),
        levers: vec![Lever { text: "15 minutes more travel".into(), places: 3 }],
    };
    let table = unmet(&world.records, at, &[(key, blocked)].into(), Some(&unlocking), &ALL);
    assert_eq!(row(&table, "BED/GA_ADULT"), [2.0, 2.0, 2.0, 2.0, 1.0]);
    assert!(table.rows[0].note.starts_with("too far 60%, "), "{table:?}");
    assert_eq!(
        table.notes,
        ["5 needs are past their needed-by.", "Cheapest levers now: 15 minutes more travel: +3 placed."]
    );
}

#[test]
fn tallies_of_parts_add_up_to_the_tally_of_the_whole() {
    let one = tally(vec![
        What::Agreed(pair("ZA1", "ZA2", 3)),
        declined("ZA1", "STAFFING", Some(Party::Home), false),
    ]);
    let other = tally(vec![What::Agreed(pair("ZA1", "ZA2", 2)), What::Agreed(pair("ZA3", "ZA2", 1))]);
    let sum = Tally::sum(monday(), monday() + minutes(1), [&one, &other]);
    let whole = tally(vec![
        What::Agreed(pair("ZA1", "ZA2", 3)),
        declined("ZA1", "STAFFING", Some(Party::Home), false),
        What::Agreed(pair("ZA1", "ZA2", 2)),
        What::Agreed(pair("ZA3", "ZA2", 1)),
    ]);
    assert_eq!(sum, whole);
    // What lies outside the time does not count, and its end is outside.
    let happened = Happened {
        at: monday() + minutes(1),
        by: crate::actor::Role::Engine,
        what: What::Agreed(pair("ZA1", "ZA2", 3)),
    };
    assert_eq!(Tally::of(monday(), monday() + minutes(1), [&happened]).pairs, []);
}

#[test]
fn a_day_is_the_sum_of_its_hours_and_of_no_fewer() {
    let hour = |n: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(n);
    let of_hour = |n: i64| {
        let by = crate::actor::Role::Engine;
        let happened = Happened { at: hour(n), by, what: What::Agreed(pair("ZA1", "ZA2", 1)) };
        Tally::of(hour(n), hour(n + 1), [&happened])
    };
    let hours: Vec<Tally> = (0..26).map(of_hour).collect();
    let day = Tally::of_parts(hour(1), hour(25), &hours).unwrap();
    assert_eq!((day.from, day.until), (hour(1), hour(25)));
    assert_eq!(day.pairs.iter().map(|row| row.count).sum::<u64>(), 24, "{day:?}");
    for missing in [1, 12, 24] {
        let but_one = hours.iter().filter(|part| part.from != hour(missing));
        assert_eq!(Tally::of_parts(hour(1), hour(25), but_one), None, "hour {missing} is missing");
    }
}
