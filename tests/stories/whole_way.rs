//! The main job from end to end: capacity published, a need raised, a proposal with its reasons, two yeses, a transfer
//! to its end, and gold who sees each step.

use fallow_api::reasons;
use fallow_api::v1::{self, need, proposal, transfer};
use tonic::Code;

use crate::people::User;
use crate::wire;
use crate::world::{World, stories};

stories!(from_a_free_bed_to_a_patient_in_it, a_transfer_that_is_called_off_gives_the_units_back);

async fn from_a_free_bed_to_a_patient_in_it(world: &mut World) {
    let (home, gold) = (world.user("bed-manager.ZA4"), world.user("duty-lead"));
    let (near, far) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA3"));
    // Aldermoor is 22 minutes from Dunmere and Calverleigh 41; Eastholme takes children only, Brackwater is suspended.
    let offer = near.publish_beds("ZA101", 3).await;
    let runner_up = far.publish_beds("ZA301", 2).await;
    let mut children = wire::offer("ZA501", 4, world.now());
    children.limits = Some(v1::Limits { age_max: Some(15), ..Default::default() });
    world.user("bed-manager.ZA5").publish(children).await;
    let brackwater = world.user("bed-manager.ZA2");
    let closed = brackwater.publish_beds("ZA201", 4).await;
    brackwater.suspend(&closed, world.now() + jiff::SignedDuration::from_hours(4)).await;
    gold.situation_where("the capacity", |seen| free(seen, "ZA1") == 3 && free(seen, "ZA3") == 2).await;

    let patient = v1::Patient { age: Some(71), ..Default::default() };
    let raised = home.raise(v1::Need { patient: Some(patient), ..wire::need("ZA401", "case 1", 1) }).await;
    assert_eq!(raised.state(), need::State::Open);
    let proposed = home.proposal_of(&raised).await;
    assert_eq!((proposed.offer.as_str(), proposed.units), (offer.id.as_str(), 1));
    assert_eq!((proposed.home_trust.as_str(), proposed.supporting_trust.as_str()), ("ZA4", "ZA1"));
    explains_itself(&proposed, &runner_up);
    gold.situation_where("the hold", |seen| held(seen, "ZA1") == 1 && headline(seen).proposals_held == 1)
        .await;
    let seen_by_them = near.need(&raised.id).await;
    assert_eq!(seen_by_them.patient, Some(patient), "the proposal joins the two");
    assert_eq!(far.need(&raised.id).await.patient, None, "nobody else needs to know");

    // The supporting trust says yes, then the home trust.
    let answered = near.accept(&proposed).await;
    assert_eq!(answered.transfer, None);
    let answered = home.accept(&proposed).await;
    assert_eq!(answered.proposal.unwrap().state(), proposal::State::Confirmed);
    let planned = answered.transfer.expect("the second yes makes the transfer");
    assert_eq!((planned.from_site.as_str(), planned.to_site.as_str()), ("ZA401", "ZA101"));
    assert_eq!(figures(&near, &offer).await, [0, 1, 2, 0], "held, committed, free, occupied");
    home.need_in(&raised, need::State::Agreed).await;
    gold.situation_where("the promise", |seen| {
        committed(seen, "ZA1") == 1 && headline(seen).proposals_held == 0
    })
    .await;

    travels(&home, &near, &planned).await;
    assert_eq!(figures(&near, &offer).await, [0, 0, 2, 1], "held, committed, free, occupied");
    let met = home.need_in(&raised, need::State::Met).await;
    assert_eq!((met.units_proposed, met.units_committed, met.units_arrived), (0, 1, 1));
    gold.situation_where("the arrival", |seen| committed(seen, "ZA1") == 0 && free(seen, "ZA1") == 2).await;
    let done = near.advance(&planned, transfer::State::Completed, &[]).await.unwrap();
    assert_eq!(done.state(), transfer::State::Completed);
    gold.situation_where("the end", |seen| {
        let headline = headline(seen);
        (headline.needs_open, headline.proposals_held, headline.transfers_moving) == (0, 0, 0)
    })
    .await;
}

/// The proposal says why: terms that make the burden, the runner-up, and why the others are not used.
fn explains_itself(proposed: &v1::Proposal, runner_up: &v1::Offer) {
    let why = proposed.explanation.as_ref().expect("no proposal without its reasons");
    let terms: Vec<_> = why.terms.iter().map(|term| (term.name.as_str(), term.points)).collect();
    assert_eq!(terms, [("travel", 22), ("declared OPEL", 4)]);
    let burden: i64 = why.terms.iter().map(|term| term.points).sum();
    assert_eq!(burden, 26);
    let [second] = why.alternatives.as_slice() else { panic!("{:?}", why.alternatives) };
    assert_eq!((second.offer.as_str(), second.burden), (runner_up.id.as_str(), 45));
    assert_eq!(second.reason, format!("{} points more", second.burden - burden));
    let mut not_used: Vec<_> =
        why.not_used.iter().map(|count| (count.reason().as_str_name(), count.count)).collect();
    not_used.sort_unstable();
    assert_eq!(
        not_used,
        [("OBJECTION_AGE_OR_SEX", 1), ("OBJECTION_CHEAPER_ELSEWHERE", 1), ("OBJECTION_SUSPENDED", 1)],
        "every other offer of the resource is counted once"
    );
    let rank = why.rank.as_ref().unwrap();
    assert_eq!((rank.position, rank.of, rank.priority()), (1, 1, v1::Priority::P2));
    let after = why.after.as_ref().unwrap();
    assert_eq!((after.free, after.reserve), (2, 0));
    // A flip is for people: it names the trust that would be asked, not an id.
    assert!(why.flips[0].then.starts_with("Calverleigh Hospitals would be asked"), "{:?}", why.flips);
    assert!(why.revision > 0 && why.revision < proposed.revision, "{} {}", why.revision, proposed.revision);
    assert!(!why.policy.is_empty() && why.checked_at.is_some());
}

/// The checklist, the way, and an arrival that only the receiving trust can say.
async fn travels(home: &User, near: &User, planned: &v1::Transfer) {
    use transfer::State;
    assert_eq!(planned.state(), State::Planned);
    let refused = home.advance(planned, State::Ready, &[]).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::FailedPrecondition, reasons::CHECKLIST_OPEN));
    assert_eq!(refused.numbers.get("open"), Some(&planned.checklist.len().to_string()));
    let refused = home.advance(planned, State::Unspecified, &["Brew tea"]).await.unwrap_err();
    assert_eq!(refused.reason, reasons::NO_SUCH_ITEM);
    let names: Vec<&str> = planned.checklist.iter().map(|item| item.name.as_str()).collect();
    let (first, rest) = names.split_first().unwrap();
    let ticked = near.advance(planned, State::Unspecified, &[first]).await.unwrap();
    assert_eq!(ticked.checklist.iter().filter(|item| item.done_at.is_some()).count(), 1);
    let ready = home.advance(planned, State::Ready, rest).await.unwrap();
    assert_eq!(ready.state(), State::Ready);
    let refused = near.advance(planned, State::InTransit, &[]).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, reasons::WRONG_SIDE));
    let moving = home.advance(planned, State::InTransit, &[]).await.unwrap();
    assert_eq!(moving.state(), State::InTransit);
    let refused = home.advance(planned, State::Arrived, &[]).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::PermissionDenied, reasons::WRONG_SIDE));
    let arrived = near.advance(planned, State::Arrived, &[]).await.unwrap();
    assert_eq!(arrived.state(), State::Arrived);
    let steps: Vec<_> = arrived.steps.iter().map(v1::transfer::Step::state).collect();
    assert_eq!(steps, [State::Ready, State::InTransit, State::Arrived]);
    // Nobody turns back from here.
    let refused = home.abort(planned, v1::DeclineReason::NoTransport).await.unwrap_err();
    assert_eq!(refused.reason, reasons::ILLEGAL_TRANSITION);
}

/// A transfer called off on the way: its units are free again, the need looks for others, and not for this offer.
async fn a_transfer_that_is_called_off_gives_the_units_back(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let offer = near.publish_beds("ZA101", 3).await;
    let second = world.user("bed-manager.ZA3").publish_beds("ZA301", 2).await;
    let raised = home.raise(wire::need("ZA401", "case 1", 2)).await;
    let proposed = home.proposal_of(&raised).await;
    assert_eq!(proposed.offer, offer.id);
    home.accept(&proposed).await;
    let planned = near.accept(&proposed).await.transfer.unwrap();
    let aborted = home.abort(&planned, v1::DeclineReason::NoTransport).await.unwrap();
    assert_eq!(aborted.state(), transfer::State::Aborted);
    assert_eq!(aborted.abort_reason(), v1::DeclineReason::NoTransport);
    let next = home.proposal_where(&raised, |next| next.id != proposed.id).await;
    assert_eq!((next.offer.as_str(), next.units), (second.id.as_str(), 2));
    assert_eq!(figures(&near, &offer).await, [0, 0, 3, 0], "held, committed, free, occupied");
}

/// Held, committed, free and occupied units of an offer.
async fn figures(user: &User, offer: &v1::Offer) -> [i64; 4] {
    let figures = user.offer(&offer.id).await.figures.unwrap();
    [figures.held, figures.committed, figures.free, figures.occupied]
}

fn cell<'s>(situation: &'s v1::Situation, trust: &str) -> Option<&'s v1::situation::Cell> {
    let is_bed = |cell: &&v1::situation::Cell| cell.resource.as_ref().is_some_and(|r| r.code == "STEP_DOWN");
    situation.cells.iter().filter(is_bed).find(|cell| cell.trust == trust)
}

fn free(situation: &v1::Situation, trust: &str) -> i64 {
    cell(situation, trust).map_or(-1, |cell| cell.free)
}

fn held(situation: &v1::Situation, trust: &str) -> i64 {
    cell(situation, trust).map_or(-1, |cell| cell.held)
}

fn committed(situation: &v1::Situation, trust: &str) -> i64 {
    cell(situation, trust).map_or(-1, |cell| cell.committed)
}

fn headline(situation: &v1::Situation) -> v1::situation::Headline {
    situation.headline.unwrap_or_default()
}
