//! A Saturday list for three trusts, answered as a block.

use jiff::SignedDuration;

use crate::calendar::WorkingCalendar;
use crate::campaign::{Block, Campaign, Capacity, Cases, campaigns};
use crate::decide::proposal::{HomeReply, Reply, SupportingReply, answer_campaign, extend, lapse, supersede};
use crate::ids::{Label, Note, ProposalId};
use crate::need::Priority;
use crate::offer::Window;
use crate::proposal::{HomeDecline, ProposalState, SupportingDecline};
use crate::records::Records;
use crate::resource::ResourceKind;
use crate::test_world::*;

const YES: Reply = Reply::Supporting(SupportingReply::Accept { units: None });
const NO: Reply =
    Reply::Supporting(SupportingReply::Decline { code: SupportingDecline::Staffing, set_free: None });
const HOME_YES: Reply = Reply::Home(HomeReply::Accept { units: None });
const HOME_NO: Reply = Reply::Home(HomeReply::Decline { code: HomeDecline::NotFit });

/// The session begins on Saturday at nine.
fn saturday() -> jiff::Timestamp {
    monday() + SignedDuration::from_hours(5 * 24 + 1)
}

fn block() -> Block {
    Block { site: "ZA101".parse().unwrap(), campaign: Label::parse("Saturday lists").unwrap() }
}

fn session(key: &str) -> crate::decide::offer::OfferReport {
    let mut session = report("ZA1", key, 240, 0, monday());
    session.resource = resource(ResourceKind::Theatre, "MAIN");
    session.window = Window { from: Some(saturday()), until: saturday() + SignedDuration::from_hours(4) };
    session.campaign = block().campaign;
    session
}

/// Two sessions of one campaign at ZA1, and a case of each of three trusts: p-1 and p-2 in the first session, p-3 in the
/// second.
fn list() -> World {
    let mut world = World::new();
    let day = |n: i64| monday() + SignedDuration::from_hours(24 * n);
    let at_work = (0..5).map(|n| (day(n) + minutes(60), day(n) + minutes(540))).collect();
    world.calendar = WorkingCalendar::new(at_work).unwrap();
    world.publish("o-1", session("theatre 1"));
    world.publish("o-2", session("theatre 2"));
    for (n, trust, offer) in [(1, "ZA2", "o-1"), (2, "ZA3", "o-1"), (3, "ZA4", "o-2")] {
        let mut need = new_need(trust, &format!("n-{n}"), 1, monday());
        need.resource = resource(ResourceKind::Theatre, "MAIN");
        need.minutes_per_case = 60.into();
        need.priority = Priority::P4;
        world.raise(need);
        world.propose(&format!("p-{n}"), &format!("n-{n}"), offer, 1).unwrap();
    }
    world
}

impl World {
    fn answer(&mut self, cases: &[&str], reply: Reply, trust: &str) -> Result<(), &'static str> {
        let cases: Vec<_> =
            cases.iter().map(|id| (proposal_id(id), transfer_id(&format!("t-{id}")))).collect();
        let by = manager(trust);
        let terms = self.terms();
        let decided =
            answer_campaign(&self.records, &cases, reply, &Note::default(), |_| terms, &by, self.at);
        self.take(decided)
    }

    fn campaign(&self, trust: &str) -> Campaign {
        let Records { offers, proposals, transfers, .. } = &self.records;
        let found =
            campaigns(offers.values(), proposals.values(), transfers.values(), Some(trust.parse().unwrap()));
        let [campaign] = <[Campaign; 1]>::try_from(found).unwrap();
        campaign
    }

    fn states(&self) -> Vec<ProposalState> {
        self.records.proposals.values().map(|proposal| proposal.state).collect()
    }
}

fn ids(texts: &[&str]) -> Vec<ProposalId> {
    texts.iter().map(|text| proposal_id(text)).collect()
}

#[test]
fn a_block_is_held_for_the_campaign_time_and_an_urgent_case_for_its_own() {
    let world = list();
    let two_days = monday() + SignedDuration::from_hours(24) + minutes(540);
    for id in ["p-1", "p-2", "p-3"] {
        assert_eq!((world.proposal(id).held_until, &world.proposal(id).block), (two_days, &Some(block())));
    }
    let mut world = list();
    let mut urgent = new_need("ZA2", "n-9", 1, world.at);
    urgent.resource = resource(ResourceKind::Theatre, "MAIN");
    urgent.minutes_per_case = 60.into();
    world.raise(urgent);
    world.propose("p-9", "n-9", "o-2", 1).unwrap();
    assert_eq!(world.proposal("p-9").held_until, world.at + minutes(20), "P1B");
    assert_eq!(world.proposal("p-9").block, Some(block()), "it is of the block all the same");
}

#[test]
fn a_blocks_hold_ends_when_its_session_begins() {
    let mut world = list();
    let mut soon = session("theatre 3");
    soon.window.from = Some(monday() + minutes(120));
    world.publish("o-3", soon);
    let mut need = new_need("ZA2", "n-9", 1, world.at);
    need.resource = resource(ResourceKind::Theatre, "MAIN");
    need.minutes_per_case = 60.into();
    need.priority = Priority::P4;
    world.raise(need);
    world.propose("p-9", "n-9", "o-3", 1).unwrap();
    assert_eq!(world.proposal("p-9").held_until, monday() + minutes(120));
    let extended =
        extend(&world.records, &proposal_id("p-9"), None, &world.terms(), &manager("ZA2"), world.at);
    assert_eq!(extended.map_err(|refusal| refusal.reason), Err("WINDOW"));
    world.answer(&["p-9"], Reply::Supporting(SupportingReply::Provisional), "ZA1").unwrap();
    assert_eq!(world.proposal("p-9").held_until, monday() + minutes(120), "no longer than it can be used");
}

#[test]
fn one_yes_of_the_provider_and_one_of_each_home_trust_agree_the_block() {
    let mut world = list();
    assert_eq!(world.campaign("ZA1").waiting, ids(&["p-1", "p-2", "p-3"]));
    assert_eq!(world.campaign("ZA3").waiting, ids(&["p-2"]));
    world.answer(&["p-1", "p-2", "p-3"], YES, "ZA1").unwrap();
    assert_eq!(world.states(), [ProposalState::Held; 3]);
    assert_eq!(world.campaign("ZA1").waiting, []);
    for (id, trust) in [("p-1", "ZA2"), ("p-2", "ZA3"), ("p-3", "ZA4")] {
        world.wait(1);
        world.answer(&[id], HOME_YES, trust).unwrap();
    }
    assert_eq!(world.states(), [ProposalState::Confirmed; 3]);
    assert_eq!(world.records.transfers.len(), 3);
    let campaign = world.campaign("ZA1");
    let sum = Capacity { offers: 2, usable: 480, held: 0, committed: 225, free: 255 };
    assert_eq!(campaign.capacity, [(ResourceKind::Theatre, sum)].into());
    let each = Cases { agreed: 1, ..Cases::default() };
    assert_eq!(campaign.cases.values().collect::<Vec<_>>(), [&each; 3]);
    assert_eq!((campaign.lapses_at, campaign.trust), (None, "ZA1".parse().unwrap()));
}

#[test]
fn a_campaign_says_who_has_yet_to_answer() {
    let mut world = list();
    world.answer(&["p-2"], HOME_YES, "ZA3").unwrap();
    world.answer(&["p-1", "p-3"], YES, "ZA1").unwrap();
    let campaign = world.campaign("ZA1");
    let count = |without_supporting, without_home| Cases {
        proposed: 1,
        without_supporting,
        without_home,
        ..Cases::default()
    };
    assert_eq!(campaign.cases.values().collect::<Vec<_>>(), [&count(0, 1), &count(1, 0), &count(0, 1)]);
    assert_eq!(campaign.lapses_at, Some(world.proposal("p-1").held_until));
    assert_eq!(campaign.waiting, ids(&["p-2"]));
    // Both yeses to p-1 have made a transfer of it, which the next look counts.
    world.answer(&["p-1"], HOME_YES, "ZA2").unwrap();
    let za2 = "ZA2".parse().unwrap();
    assert_eq!(world.campaign("ZA1").cases[&za2], Cases { agreed: 1, ..Cases::default() });
}

#[test]
fn one_case_declined_leaves_the_others_as_they_are() {
    let mut world = list();
    world.answer(&["p-2"], HOME_NO, "ZA3").unwrap();
    assert_eq!(world.states(), [ProposalState::Held, ProposalState::Declined, ProposalState::Held]);
    world.answer(&["p-1", "p-3"], NO, "ZA1").unwrap();
    assert_eq!(world.states(), [ProposalState::Declined; 3]);
    assert_eq!((world.account("o-1")[5], world.account("o-2")[5]), (240, 240), "all minutes are free again");
    assert_eq!(world.records.declines.len(), 3);
}

#[test]
fn a_block_is_answered_whole_or_not_at_all() {
    let mut world = list();
    world.answer(&["p-1"], YES, "ZA1").unwrap();
    let before = world.records.clone();
    let refused = |world: &World, cases: &[&str], reply, trust: &str| {
        let cases: Vec<_> = cases.iter().map(|id| (proposal_id(id), transfer_id("t"))).collect();
        let by = manager(trust);
        answer_campaign(&world.records, &cases, reply, &Note::default(), |_| world.terms(), &by, world.at)
            .map_err(|refusal| (refusal.reason, refusal.numbers.last().cloned().unwrap().1))
    };
    // The case that says no is named, be it the first or the last.
    for cases in [["p-1", "p-2"], ["p-2", "p-1"]] {
        assert_eq!(refused(&world, &cases, YES, "ZA1"), Err(("ALREADY_ACCEPTED", "p-1".into())));
    }
    // Whose side it is decides, for each case.
    assert_eq!(refused(&world, &["p-2", "p-3"], HOME_YES, "ZA3"), Err(("WRONG_SIDE", "p-3".into())));
    assert_eq!(refused(&world, &["p-2"], YES, "ZA3"), Err(("WRONG_SIDE", "p-2".into())));
    assert_eq!(world.records, before);
    // One that has lapsed is no longer there to be answered.
    world.at = world.proposal("p-3").held_until;
    world.take(lapse(&world.records, &proposal_id("p-3"), &engine(), world.at)).unwrap();
    assert_eq!(refused(&world, &["p-2", "p-3"], NO, "ZA1"), Err(("HOLD_EXPIRED", "p-2".into())));
}

#[test]
fn what_has_ended_or_stands_alone_is_of_no_campaign() {
    let mut world = list();
    let mut alone = session("theatre 3");
    alone.campaign = Label::default();
    world.publish("o-3", alone);
    let superseded = supersede(&world.records, &proposal_id("p-3"), &note("better"), &engine(), world.at);
    world.take(superseded).unwrap();
    let campaign = world.campaign("ZA1");
    assert_eq!(campaign.capacity[&ResourceKind::Theatre].offers, 2);
    assert_eq!(campaign.cases.len(), 2);
    // A session that leaves the campaign keeps what was proposed of it in the block.
    let mut left = session("theatre 1");
    left.campaign = Label::default();
    world.publish("o-1", left);
    let campaign = world.campaign("ZA1");
    assert_eq!(campaign.capacity[&ResourceKind::Theatre].offers, 1);
    assert_eq!(campaign.waiting, ids(&["p-1", "p-2"]));
}

/// Two cases of one session are two changes of its figures: the second answer starts from what the first one leaves.
#[test]
fn each_answer_of_a_block_sees_those_before_it() {
    let mut world = list();
    for (id, trust) in [("p-1", "ZA2"), ("p-2", "ZA3"), ("p-3", "ZA4")] {
        world.answer(&[id], HOME_YES, trust).unwrap();
    }
    let mut declined = list();
    declined.answer(&["p-1", "p-2"], NO, "ZA1").unwrap();
    let held = declined.campaign("ZA1").capacity[&ResourceKind::Theatre].held;
    assert_eq!((held, declined.account("o-1")[5]), (75, 240), "only the third case still holds minutes");
    world.answer(&["p-1", "p-2", "p-3"], YES, "ZA1").unwrap();
    assert_eq!(world.states(), [ProposalState::Confirmed; 3]);
    let sum = Capacity { offers: 2, usable: 480, held: 0, committed: 225, free: 255 };
    assert_eq!(world.campaign("ZA1").capacity, [(ResourceKind::Theatre, sum)].into());
}
