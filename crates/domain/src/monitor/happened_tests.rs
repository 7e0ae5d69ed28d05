use super::*;
use crate::lifecycle::Party;
use crate::monitor::sentence::Words;
use crate::proposal::SupportingDecline;
use crate::records::Records;
use crate::region::{Region, file};
use crate::test_world::*;

const REGION: &str = r#"
    [region]
    id = "ZA"
    name = "North Vale"
    timezone = "Europe/London"
    [[trust]]
    ods = "ZA1"
    name = "Aldermoor"
    [[trust]]
    ods = "ZA2"
    name = "Brackwater"
"#;

fn region() -> Region {
    file::parse(REGION).unwrap()
}

/// Everything that is different between two sets of records happened in one change.
fn between(before: &Records, after: &Records, at: Timestamp, by: &Actor) -> Vec<Happened> {
    let mut items = Vec::new();
    for (id, now) in &after.offers {
        items.push(Item::Offer(before.offers.get(id), Some(now)));
    }
    for (id, now) in &after.needs {
        items.push(Item::Need(before.needs.get(id), Some(now)));
    }
    for (id, now) in &after.proposals {
        items.push(Item::Proposal(before.proposals.get(id), Some(now)));
    }
    for (id, now) in &after.transfers {
        items.push(Item::Transfer(before.transfers.get(id), Some(now)));
    }
    of(&Step { at, by, items: &items })
}

/// Does something to a world and returns the sentences of what happened.
fn told(world: &mut World, act: impl FnOnce(&mut World)) -> Vec<String> {
    said(&happened(world, act))
}

fn happened(world: &mut World, act: impl FnOnce(&mut World)) -> Vec<Happened> {
    happened_by(&manager("ZA1"), world, act)
}

fn happened_by(by: &Actor, world: &mut World, act: impl FnOnce(&mut World)) -> Vec<Happened> {
    let before = world.records.clone();
    act(world);
    between(&before, &world.records, world.at, by)
}

fn said(happened: &[Happened]) -> Vec<String> {
    let region = region();
    let clock = |at: Timestamp| at.strftime("%H:%M").to_string();
    let words = Words { region: &region, time: &clock };
    happened.iter().map(|one| words.say(one)).collect()
}

#[test]
fn the_way_of_a_need_is_told_step_by_step() {
    let mut world = World::with(10, 4, 1);
    let at = world.at;
    let raised = said(&between(&Records::default(), &world.records, at, &manager("ZA2")));
    assert_eq!(raised.len(), 1, "an offer is no event: {raised:?}");
    assert!(raised[0].starts_with("Brackwater raised a need: 1 × General and acute, adult"), "{raised:?}");
    let pair = "1 × General and acute, adult, from Aldermoor to Brackwater";
    assert_eq!(
        told(&mut world, |w| w.propose("p-1", "n-1", "o-1", 1).unwrap()),
        [format!("Proposed: {pair}.")]
    );
    world.wait(3);
    let accepted = told(&mut world, |w| {
        w.support("p-1", crate::decide::proposal::SupportingReply::Accept { units: None }).unwrap()
    });
    assert_eq!(accepted, [format!("Aldermoor accepted: {pair}.")]);
    let agreed = told(&mut world, |w| {
        w.home("p-1", crate::decide::proposal::HomeReply::Accept { units: None }).unwrap()
    });
    assert_eq!(
        agreed,
        [
            "All of Brackwater's need is agreed: 1 × General and acute, adult, 3 min after it was raised."
                .to_owned(),
            format!("Brackwater accepted: {pair}."),
            format!("Agreed: {pair}."),
        ]
    );
    assert_eq!(told(&mut world, |_| {}), [""; 0], "nothing changed, nothing happened");
}

#[test]
fn a_decline_says_who_and_why_and_whether_it_came_late() {
    use crate::decide::proposal::{HomeReply, SupportingReply};
    let decline = SupportingReply::Decline { code: SupportingDecline::Staffing, set_free: None };
    let mut world = World::with(10, 4, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    let early = happened(&mut world, |w| w.support("p-1", decline).unwrap());
    let [Happened { what: What::ProposalEnded { side, code, late, .. }, .. }] = early.as_slice() else {
        panic!("{early:?}")
    };
    assert_eq!((*side, *code, *late), (Some(Party::Supporting), "STAFFING", None));
    assert_eq!(
        said(&early),
        ["Aldermoor declined (staffing): 1 × General and acute, adult, from Aldermoor to Brackwater."]
    );

    let mut world = World::with(10, 4, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.home("p-1", HomeReply::Accept { units: None }).unwrap();
    let relied_on = happened(&mut world, |w| w.support("p-1", decline).unwrap());
    assert!(
        said(&relied_on).iter().any(|text| text.ends_with(" Late: the other side relied on it.")),
        "the home trust had said yes: {relied_on:?}"
    );

    // Nobody had said anything: whoever declines at the last is reproached with nothing more than that.
    let mut world = World::with(10, 4, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.at = world.records.proposals[&proposal_id("p-1")].held_until - minutes(1);
    let last_minute = said(&happened(&mut world, |w| w.support("p-1", decline).unwrap()));
    let pair = "1 × General and acute, adult, from Aldermoor to Brackwater";
    let text = format!(
        "Aldermoor declined (staffing): {pair}. Late: less than a third of the time to answer was left."
    );
    assert_eq!(last_minute, [text]);
}

#[test]
fn more_time_and_the_word_of_an_authority_are_told() {
    use crate::actor::Role;
    use crate::decide::proposal::{self, Ruling};
    let mut world = World::with(10, 4, 1);
    world.policy = toml::from_str("[[approval]]\nrole = \"icb\"").unwrap();
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    let pair = "1 × General and acute, adult, from Aldermoor to Brackwater";
    let longer = told(&mut world, |w| {
        let id = proposal_id("p-1");
        let changes =
            proposal::extend(&w.records, &id, Some(minutes(5)), &w.terms(), &manager("ZA2"), w.at).unwrap();
        w.records.apply(changes);
    });
    assert_eq!(longer, [format!("Brackwater took more time, until 08:25: {pair}.")]);
    let board = actor("board", Role::Icb, None);
    let refused = happened_by(&board, &mut world, |w| {
        let no = Ruling::Refuse { because: note("keep it in the system") };
        let (id, transfer) = (proposal_id("p-1"), transfer_id("t-1"));
        w.records.apply(proposal::rule(&w.records, &id, no, false, &transfer, &board, w.at).unwrap());
    });
    let [Happened { what: What::ProposalEnded { side, code, late, .. }, .. }] = refused.as_slice() else {
        panic!("{refused:?}")
    };
    assert_eq!((*side, *code, *late), (Some(Party::Authority), "REFUSED", None));
    assert_eq!(
        said(&refused),
        [format!("The integrated care board did not approve: {pair}. Reason: keep it in the system.")]
    );
}

#[test]
fn a_stay_is_told_as_it_was_changed_and_an_approval_by_whose_it_is() {
    use crate::actor::Role;
    use crate::decide::proposal::{self, Ruling};
    use crate::decide::transfer;
    use crate::resource::ResourceKind;
    use crate::transfer::TransferState;
    let mut world = World::new();
    let mut shift = report("ZA1", "bank", 3, 0, world.at);
    shift.resource = resource(ResourceKind::Staff, "ODP");
    let mut need = new_need("ZA2", "n-1", 1, world.at);
    need.resource = shift.resource.clone();
    world.publish("o-1", shift);
    world.raise(need);
    world.policy = toml::from_str("[[approval]]\nrole = \"lead_provider\"").unwrap();
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    let lead = actor("lead", Role::LeadProvider, Some("ZA1"));
    let approved = happened_by(&lead, &mut world, |w| {
        let (id, transfer) = (proposal_id("p-1"), transfer_id("t-p-1"));
        let yes = proposal::rule(&w.records, &id, Ruling::Approve, false, &transfer, &lead, w.at);
        w.records.apply(yes.unwrap());
    });
    let odp = crate::monitor::sentence::resource(&"STAFF/ODP".parse().unwrap());
    let pair = format!("1 × {odp}, from Aldermoor to Brackwater");
    assert_eq!(said(&approved), [format!("The lead provider approved: {pair}.")]);
    world.agree("p-1");
    world.records.transfers.get_mut(&transfer_id("t-p-1")).unwrap().state = TransferState::Deployed;
    let mut extended = |after: i64| {
        told(&mut world, |w| {
            let due_at = monday() + minutes(after);
            let id = transfer_id("t-p-1");
            let stay = transfer::extend(&w.records, &id, due_at, &manager("ZA1"), w.at);
            w.records.apply(stay.unwrap());
        })
    };
    let stays = [60_000, 70_000, 50_000].map(|after| extended(after).concat());
    let told = ["Stay extended", "Stay extended", "Stay shortened"].map(|how| format!("{how}: {pair}."));
    assert_eq!(stays, told);
}

#[test]
fn a_need_that_is_parked_is_told_with_its_reason_and_when_it_is_looked_for_again() {
    use crate::decide::need::{park, resume};
    let mut world = World::with(10, 4, 1);
    let (id, home, beds) = (need_id("n-1"), manager("ZA2"), "1 × General and acute, adult");
    let mut parked = |after: i64, because: &str| {
        told(&mut world, |w| {
            let until = monday() + minutes(after);
            w.take(park(&w.records, &id, until, &note(because), &home, w.at)).unwrap();
        })
    };
    let first = parked(90, "waits for a scan");
    assert_eq!(first, [format!("Brackwater parked a need: {beds}, until 09:30. Reason: waits for a scan.")]);
    assert_eq!(parked(120, ""), [""; 0], "another review is no news");
    let resumed = told(&mut world, |w| w.take(resume(&w.records, &id, &home)).unwrap());
    assert_eq!(resumed, [format!("Brackwater's need is looked for again: {beds}.")]);
    // The note that is there says nothing about why it is parked this time.
    let again = told(&mut world, |w| {
        let until = monday() + minutes(60);
        w.take(park(&w.records, &id, until, &Note::default(), &home, w.at)).unwrap();
    });
    assert_eq!(again, [format!("Brackwater parked a need: {beds}, until 09:00.")]);
}

#[test]
fn what_a_trust_is_asked_is_told_once_and_so_is_what_it_says() {
    use crate::decide::need::{ask_to_validate, validate};
    use crate::decide::offer::ask;
    let mut world = World::with(10, 4, 1);
    world.publish("o-2", report("ZA1", "ward 2", 5, 0, world.at));
    // Of what is fresh nobody asks.
    world.wait(21 * 24 * 60);
    let (near, home) = (manager("ZA1"), manager("ZA2"));
    let offers = ["o-1", "o-2"].map(offer_id);
    let asks = |by: &Actor, world: &mut World| {
        said(&happened_by(by, world, |w| {
            w.take(ask(&w.records, &offers, None, minutes(60), by, w.at)).unwrap();
        }))
    };
    assert_eq!(
        asks(&home, &mut world),
        ["Brackwater asked Aldermoor whether 2 offers of General and acute, adult are still true."]
    );
    world.wait(1);
    assert_eq!(
        asks(&gold(), &mut world),
        ["Gold command asked Aldermoor whether 2 offers of General and acute, adult are still true."],
        "what was asked before is not told again"
    );
    let needs = [need_id("n-1")];
    let asked = happened_by(&near, &mut world, |w| {
        w.take(ask_to_validate(&w.records, &needs, minutes(60), &near, w.at)).unwrap();
    });
    assert_eq!(
        said(&asked),
        ["Aldermoor asked Brackwater whether a need of General and acute, adult still stands."]
    );
    assert_eq!(asked[0].what.sort(), Sort::Need);
    let stands = told(&mut world, |w| {
        w.take(validate(&w.records, &needs[0], (true, false), &home, w.at)).unwrap();
    });
    assert_eq!(
        stands,
        [
            "Brackwater's need still stands: 1 × General and acute, adult; willing to be treated elsewhere, not fit yet."
        ]
    );
}

#[test]
fn the_answer_of_a_teams_trust_is_told_like_any_other() {
    use crate::decide::proposal::SupportingReply;
    let mut world = World::joined();
    let yes = told(&mut world, |w| w.lend("p-1", SupportingReply::Accept { units: None }).unwrap());
    assert_eq!(yes.len(), 1, "{yes:?}");
    assert!(yes[0].starts_with("ZA3 accepted: 2 × "), "{yes:?}");
}

#[test]
fn what_is_not_known_before_is_not_made_up() {
    // The first change that is read of a record that was there long before: it says nothing of itself.
    let mut world = World::with(10, 4, 1);
    world.propose("p-1", "n-1", "o-1", 1).unwrap();
    world.agree("p-1");
    world.wait(60);
    let found = between(&Records::default(), &world.records, world.at, &manager("ZA1"));
    assert_eq!(found, [], "{found:?}");
}

#[test]
fn declarations_modes_and_files_are_told_when_they_are_new() {
    use crate::standing::{Declaration, ModeChange};
    let at = monday();
    let declared = |opel, at| TrustState {
        ods: "ZA1".parse().unwrap(),
        declared: Some(Declaration { opel, at, by: manager("ZA1") }),
        reserves: [].into(),
    };
    let (was, is) = (declared(2, at - minutes(60)), declared(3, at));
    let by = gold();
    let tell = |items: &[Item<'_>]| said(&of(&Step { at, by: &by, items }));
    assert_eq!(tell(&[Item::Trust(Some(&was), Some(&is))]), ["Aldermoor declared OPEL 3, was 2."]);
    assert_eq!(tell(&[Item::Trust(Some(&is), Some(&is))]), [""; 0]);
    assert_eq!(tell(&[Item::Trust(None, Some(&was))]), [""; 0], "declared an hour before this change");

    let file = RegionState {
        toml: String::new(),
        version: 1,
        modes: [].into(),
        applied_at: at - minutes(60),
        applied_by: gold(),
    };
    let mut incident = file.clone();
    let change = ModeChange { mode: Mode::Incident, reason: note("norovirus"), by: gold(), at };
    incident.modes.insert(CollaborativeId::parse("nv").unwrap(), change);
    assert_eq!(
        tell(&[Item::Region(Some(&file), Some(&incident))]),
        ["Gold declared an incident in nv. Reason: norovirus."]
    );
    assert_eq!(
        tell(&[Item::Region(None, Some(&incident))]),
        ["Gold declared an incident in nv. Reason: norovirus."],
        "the file was applied before, the mode is new"
    );
    let next = RegionState { version: 2, ..file.clone() };
    assert_eq!(tell(&[Item::Region(Some(&file), Some(&next))]), ["Region file 2 came into force."]);
}
