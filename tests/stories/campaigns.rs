//! A Saturday list for three trusts: sessions of one campaign, the cases of each trust, and one answer from each side.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::{span_to_wire, to_wire};
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use jiff::SignedDuration;
use tonic::Code;

use crate::people::{User, call};
use crate::watching::proposals;
use crate::wire;
use crate::world::{World, stories};

stories!(
    a_saturday_list_is_run_for_three_trusts,
    one_case_declined_leaves_the_list,
    an_answer_is_to_what_was_seen,
    a_block_that_nobody_answers_lapses_whole
);

const CAMPAIGN: &str = "Saturday lists";
/// Dunmere, Eastholme and Calverleigh have the cases; Aldermoor has the theatres.
const HOMES: [&str; 3] = ["ZA4", "ZA5", "ZA3"];

fn block() -> v1::Block {
    v1::Block { site: "ZA101".into(), campaign: CAMPAIGN.into() }
}

impl User {
    async fn campaign(&self) -> v1::Campaign {
        let request = v1::GetCampaignRequest { block: Some(block()) };
        call!(self.matching(), get_campaign, request).unwrap().campaign.unwrap()
    }

    async fn answer_campaign(
        &self,
        request: v1::AnswerCampaignRequest,
    ) -> Result<v1::AnswerCampaignResponse, Problem> {
        call!(self.matching(), answer_campaign, request)
    }

    /// Answers all that it sees waiting.
    async fn says(&self, verdict: v1::Verdict) -> Result<v1::AnswerCampaignResponse, Problem> {
        let proposals = self.campaign().await.waiting;
        self.answer_campaign(answer(proposals, verdict)).await
    }
}

fn answer(proposals: Vec<String>, verdict: v1::Verdict) -> v1::AnswerCampaignRequest {
    v1::AnswerCampaignRequest {
        request_id: fresh_request_id(),
        block: Some(block()),
        proposals,
        verdict: verdict.into(),
        ..Default::default()
    }
}

/// Publishes two sessions of four hours next Saturday and raises a case of 90 minutes for each of the trusts, and waits
/// until all are proposed: two fit in one session, the third in the other.
async fn list(world: &World) -> (User, Vec<User>) {
    let provider = world.user("bed-manager.ZA1");
    let theatre =
        v1::Resource { specialties: vec!["110".into()], ..wire::resource(v1::ResourceKind::Theatre, "MAIN") };
    let starts = world.now() + SignedDuration::from_hours(4 * 24 + 1);
    for room in ["1", "2"] {
        let offer = v1::Offer {
            source_key: format!("theatre {room}"),
            resource: Some(theatre.clone()),
            window: Some(v1::Window {
                from: Some(to_wire(starts)),
                until: Some(to_wire(starts + SignedDuration::from_hours(4))),
            }),
            cadence: Some(span_to_wire(SignedDuration::from_hours(7 * 24))),
            campaign: CAMPAIGN.into(),
            ..wire::offer("ZA101", 240, world.now())
        };
        provider.publish(offer).await;
    }
    let homes: Vec<User> = HOMES.iter().map(|trust| world.user(&format!("bed-manager.{trust}"))).collect();
    for (home, trust) in homes.iter().zip(HOMES) {
        let need = v1::Need {
            resource: Some(theatre.clone()),
            minutes_per_case: 90,
            priority: v1::Priority::P4.into(),
            ..wire::need(&format!("{trust}01"), &format!("hip {trust}"), 1)
        };
        home.raise(need).await;
    }
    held(&provider, 3).await;
    (provider, homes)
}

/// Waits until so many proposals are held, and returns them.
async fn held(user: &User, count: usize) -> Vec<v1::Proposal> {
    let live = v1::ProposalFilter::default();
    proposals(user, live, |seen| (seen.len() == count).then(|| seen.values().cloned().collect())).await
}

async fn a_saturday_list_is_run_for_three_trusts(world: &mut World) {
    let (provider, homes) = list(world).await;
    let seen = provider.campaign().await;
    assert_eq!((seen.trust.as_str(), seen.waiting.len(), seen.cases.len()), ("ZA1", 3, 3));
    let [sum] = seen.capacity.as_slice() else { panic!("{seen:?}") };
    assert_eq!((sum.kind(), sum.offers, sum.usable), (v1::ResourceKind::Theatre, 2, 480));
    assert_eq!((sum.held, sum.free), (315, 165), "three cases and their turnovers");
    // Two working days of eight hours from Tuesday at eight: until Wednesday's end at five.
    let lapses = "2026-11-25T17:00:00Z".parse().unwrap();
    assert_eq!(seen.lapses_at, Some(to_wire(lapses)));
    for (home, trust) in homes.iter().zip(HOMES) {
        let own = home.campaign().await;
        let [cases] = own.cases.as_slice() else { panic!("a trust sees its own cases: {own:?}") };
        assert_eq!((cases.trust.as_str(), cases.without_supporting, cases.without_home), (trust, 1, 1));
        assert_eq!(own.waiting.len(), 1);
    }

    // The provider says yes once; the same request again is answered as before and does nothing more.
    let yes = answer(seen.waiting.clone(), v1::Verdict::Accept);
    let said = provider.answer_campaign(yes.clone()).await.unwrap();
    assert_eq!((said.answered, said.transfers.len()), (3, 0));
    assert_eq!(provider.answer_campaign(yes).await.unwrap(), said);
    // Each home trust says yes once, for its own.
    for home in &homes {
        let said = home.says(v1::Verdict::Accept).await.unwrap();
        assert_eq!((said.answered, said.transfers.len()), (1, 1));
    }
    let agreed = provider.campaign().await;
    assert_eq!(
        agreed.cases.iter().map(|cases| (cases.proposed, cases.agreed)).collect::<Vec<_>>(),
        [(0, 1); 3]
    );
    assert_eq!((agreed.capacity[0].held, agreed.capacity[0].committed), (0, 315));
    assert_eq!((agreed.waiting, agreed.lapses_at), (vec![], None));
    assert_eq!(world.records().await.transfers.len(), 3);
    let listed = call!(provider.matching(), list_campaigns, v1::ListCampaignsRequest::default()).unwrap();
    assert_eq!(listed.campaigns.len(), 1);
    // Gold, above the trusts, looks on, and has nothing to answer.
    let gold = world.user("duty-lead").campaign().await;
    assert_eq!((gold.cases.len(), gold.waiting.len()), (3, 0));
}

async fn one_case_declined_leaves_the_list(world: &mut World) {
    let (provider, homes) = list(world).await;
    // Said no in one session, the patient is offered the other one, and says no again: there is no third.
    let first = held(&homes[1], 1).await.remove(0);
    homes[1].decline(&first, v1::DeclineReason::PatientDeclined).await;
    let live = v1::ProposalFilter::default();
    let again = |seen: &std::collections::BTreeMap<String, v1::Proposal>| {
        seen.values().find(|proposal| proposal.id != first.id).cloned()
    };
    let second = proposals(&homes[1], live, again).await;
    assert_ne!(first.offer, second.offer);
    assert_eq!(second.block, Some(block()));
    homes[1].decline(&second, v1::DeclineReason::PatientDeclined).await;
    let said = provider.says(v1::Verdict::Accept).await.unwrap();
    assert_eq!(said.answered, 2, "the others are answered as a block");
    for home in [&homes[0], &homes[2]] {
        assert_eq!(home.says(v1::Verdict::Accept).await.unwrap().transfers.len(), 1);
    }
    assert_eq!(world.records().await.transfers.len(), 2);
}

async fn an_answer_is_to_what_was_seen(world: &mut World) {
    let (provider, homes) = list(world).await;
    let seen = provider.campaign().await.waiting;
    // One case goes while the provider looks at three: nothing is answered, and the provider looks again.
    let gone = homes[0].campaign().await.waiting.remove(0);
    let gone = v1::Proposal { id: gone, ..Default::default() };
    homes[0].decline(&gone, v1::DeclineReason::NotFit).await;
    let refused = provider.answer_campaign(answer(seen.clone(), v1::Verdict::Accept)).await.unwrap_err();
    assert_eq!((refused.code, refused.reason.as_str()), (Code::Aborted, reasons::CHANGED_MEANWHILE));
    let records = world.records().await;
    assert!(records.proposals.values().all(|proposal| !proposal.supporting.is_yes()), "all or none");
    // Whose case it is not, cannot answer it; a block that it is not of, cannot hold it; and a case is named once.
    let theirs = homes[1].campaign().await.waiting;
    let refused = homes[2].answer_campaign(answer(theirs.clone(), v1::Verdict::Accept)).await.unwrap_err();
    assert_eq!(refused.code, Code::NotFound);
    let mut elsewhere = answer(theirs.clone(), v1::Verdict::Accept);
    elsewhere.block = Some(v1::Block { campaign: "Sunday lists".into(), ..block() });
    for request in [
        elsewhere,
        answer([theirs.clone(), theirs.clone()].concat(), v1::Verdict::Accept),
        answer(vec![], v1::Verdict::Accept),
        answer(vec![theirs[0].clone(); 201], v1::Verdict::Accept),
        answer(theirs.clone(), v1::Verdict::Decline),
        answer(theirs.clone(), v1::Verdict::Provisional),
    ] {
        let refused = homes[1].answer_campaign(request).await.unwrap_err();
        assert_eq!(refused.code, Code::InvalidArgument, "{refused:?}");
    }
    // Two answers at once: one holds, the other is told that it came too late.
    let left: Vec<String> = seen.into_iter().filter(|id| *id != gone.id).collect();
    let mut no = answer(left.clone(), v1::Verdict::Decline);
    no.reason = v1::DeclineReason::Staffing.into();
    let (yes, no) = tokio::join!(
        provider.answer_campaign(answer(left, v1::Verdict::Accept)),
        provider.answer_campaign(no)
    );
    let lost = match (&yes, &no) {
        (Ok(_), Err(lost)) | (Err(lost), Ok(_)) => lost,
        both => panic!("one of two holds: {both:?}"),
    };
    assert_eq!((lost.code, lost.reason.as_str()), (Code::Aborted, reasons::CHANGED_MEANWHILE));
}

async fn a_block_that_nobody_answers_lapses_whole(world: &mut World) {
    let (provider, homes) = list(world).await;
    homes[0].says(v1::Verdict::Accept).await.unwrap();
    let seen = provider.campaign().await.waiting;
    world.pass(SignedDuration::from_hours(33));
    let lapsed =
        v1::ProposalFilter { states: vec![v1::proposal::State::Lapsed.into()], ..Default::default() };
    proposals(&provider, lapsed, |seen| (seen.len() == 3).then_some(())).await;
    let refused = provider.answer_campaign(answer(seen, v1::Verdict::Accept)).await.unwrap_err();
    assert_eq!(refused.code, Code::Aborted);
    let records = world.records().await;
    assert!(records.transfers.is_empty());
    assert!(records.declines.len() >= 3, "who did not answer is not asked the same again");
}
