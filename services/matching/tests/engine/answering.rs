//! The calls of the service, as they come over the wire: who may say what, and what follows.

use fallow_api::v1::matching_service_client::MatchingServiceClient;
use fallow_api::v1::matching_service_server::MatchingServiceServer;
use fallow_api::v1::{self, Verdict};
use fallow_domain::actor::Actor;
use fallow_domain::ids::RegionId;
use fallow_domain::need::Priority;
use fallow_domain::proposal::{Proposal, ProposalState};
use fallow_host::identity::Caller;
use fallow_host::tasks::Tasks;
use fallow_matching::Matching;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;
use tracing::{Event, Metadata, Subscriber, span};
use uuid::Uuid;

use crate::examples::{gold, manager};
use crate::world::{Running, World};

type Client = MatchingServiceClient<MatchingServiceServer<Matching>>;

fn client(world: &World) -> Client {
    let calendar = Arc::new(world.calendar.clone());
    MatchingServiceClient::new(Matching::server(
        world.live.clone(),
        world.clock.clone(),
        calendar,
        Tasks::new(),
    ))
}

/// Makes a request as the wire layer hands it on: with who calls.
fn from<T>(actor: Actor, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Caller::system(actor, RegionId::parse("Y99").unwrap()));
    request
}

fn id() -> String {
    Uuid::new_v4().to_string()
}

fn answer(proposal: &Proposal, verdict: Verdict) -> v1::AnswerProposalRequest {
    v1::AnswerProposalRequest {
        request_id: id(),
        proposal: proposal.id.to_string(),
        verdict: verdict.into(),
        ..v1::AnswerProposalRequest::default()
    }
}

fn reason(status: &Status) -> String {
    let details = status.get_error_details();
    details.error_info().map(|info| info.reason.clone()).unwrap_or_default()
}

/// Bed a of ZA1 is held for need n of ZA4.
async fn held() -> (World, Running, Client, Proposal) {
    let world = World::new().await;
    let engine = world.engine();
    world.beds("ZA1", "a", 2).await;
    world.need("ZA4", "n", Priority::P2).await;
    world.until_held(&["n -> a"]).await;
    let (client, proposal) = (client(&world), world.the_proposal("n"));
    (world, engine, client, proposal)
}

#[tokio::test]
async fn two_yeses_make_a_transfer_and_a_repeated_one_answers_as_before() {
    let (world, _engine, mut client, proposal) = held().await;
    let first = client.answer_proposal(from(manager("ZA1"), answer(&proposal, Verdict::Accept))).await;
    assert_eq!(first.unwrap().into_inner().transfer, None);
    let last = answer(&proposal, Verdict::Accept);
    let done = client.answer_proposal(from(manager("ZA4"), last.clone())).await.unwrap().into_inner();
    let transfer = done.transfer.clone().unwrap();
    assert_eq!(transfer.state(), v1::transfer::State::Planned);
    assert_eq!(done.proposal.as_ref().unwrap().state(), v1::proposal::State::Confirmed);
    let again = client.answer_proposal(from(manager("ZA4"), last)).await.unwrap().into_inner();
    assert_eq!(again, done);
    let read = v1::GetTransferRequest { transfer: transfer.id.clone() };
    let read = client.get_transfer(from(manager("ZA1"), read)).await.unwrap().into_inner();
    assert_eq!(read.transfer, Some(transfer));
    world.check();
}

#[tokio::test]
async fn each_side_says_its_own_and_others_know_of_nothing() {
    let (_world, _engine, mut client, proposal) = held().await;
    let answered = client.answer_proposal(from(manager("ZA2"), answer(&proposal, Verdict::Accept))).await;
    assert_eq!(answered.unwrap_err().code(), Code::NotFound);
    let read = v1::GetProposalRequest { proposal: proposal.id.to_string() };
    let read = client.get_proposal(from(manager("ZA2"), read)).await;
    assert_eq!(read.unwrap_err().code(), Code::NotFound);
    for (trust, wrong) in [
        ("ZA4", answer(&proposal, Verdict::Provisional)),
        ("ZA4", v1::AnswerProposalRequest { set_free: Some(0), ..answer(&proposal, Verdict::Decline) }),
        ("ZA1", answer(&proposal, Verdict::Decline)),
        ("ZA1", v1::AnswerProposalRequest { units: -1, ..answer(&proposal, Verdict::Accept) }),
        ("ZA1", answer(&proposal, Verdict::Unspecified)),
    ] {
        let status = client.answer_proposal(from(manager(trust), wrong.clone())).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{wrong:?}");
    }
    let more = v1::AnswerProposalRequest { units: 3, ..answer(&proposal, Verdict::Accept) };
    let status = client.answer_proposal(from(manager("ZA1"), more)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition, "more than is proposed");
    let home = v1::DeclineReason::PatientDeclined.into();
    let wrong = v1::AnswerProposalRequest { reason: home, ..answer(&proposal, Verdict::Decline) };
    let status = client.answer_proposal(from(manager("ZA1"), wrong)).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument, "the reason is of the other side");
    let bypass = v1::BypassProposalRequest {
        request_id: id(),
        proposal: proposal.id.to_string(),
        reason: "Fairer elsewhere".into(),
        ..v1::BypassProposalRequest::default()
    };
    let status = client.bypass_proposal(from(gold(), bypass)).await.unwrap_err();
    assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "NOT_INCIDENT_MODE"));
}

/// Counts what is judged of named offers on the thread that it is the subscriber of.
#[derive(Clone, Default)]
struct JudgedHere(Arc<AtomicUsize>);

impl Subscriber for JudgedHere {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }

    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}

    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        if event.metadata().target() == "fallow_matching::engine::named" {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn enter(&self, _: &span::Id) {}

    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn a_named_offer_is_judged_aside_and_a_repeated_bypass_answers_as_before() {
    let (world, engine, mut client, proposal) = held().await;
    engine.stop().await;
    world.beds("ZA2", "b", 1).await;
    world.switch_to_incident("all").await;
    let bypass = v1::BypassProposalRequest {
        request_id: id(),
        proposal: proposal.id.to_string(),
        reason: "the road is closed".into(),
        offer: "b".into(),
        ..v1::BypassProposalRequest::default()
    };
    let here = JudgedHere::default();
    let done = {
        // The runtime of the test has this thread only: it answers everybody.
        let _here = tracing::subscriber::set_default(here.clone());
        client.bypass_proposal(from(gold(), bypass.clone())).await.unwrap().into_inner()
    };
    assert_eq!(here.0.load(Ordering::Relaxed), 0, "nobody waits while an offer is judged");
    let instead = done.instead.clone().unwrap();
    assert_eq!((instead.offer.as_str(), instead.state()), ("b", v1::proposal::State::Held));
    assert_eq!(world.held(), ["n -> b"]);
    let again = client.bypass_proposal(from(gold(), bypass)).await.unwrap().into_inner();
    assert_eq!(again, done, "although what it was judged of is gone");
}

#[tokio::test]
async fn a_no_with_the_true_figure_keeps_the_offer_right() {
    let (world, _engine, mut client, proposal) = held().await;
    let no = v1::AnswerProposalRequest {
        reason: v1::DeclineReason::CapacityChanged.into(),
        set_free: Some(0),
        ..answer(&proposal, Verdict::Decline)
    };
    client.answer_proposal(from(manager("ZA1"), no)).await.unwrap();
    assert_eq!(world.the_proposal("n").state, ProposalState::Declined);
    assert_eq!(world.offer("a").figures.free().get(), 0);
    world.rests().await;
}

#[tokio::test]
async fn an_answer_is_taken_back_a_hold_is_extended_once_and_what_ran_out_is_over() {
    let (world, _engine, mut client, proposal) = held().await;
    let yes = answer(&proposal, Verdict::Accept);
    client.answer_proposal(from(manager("ZA1"), yes)).await.unwrap();
    let back = v1::RetractAnswerRequest {
        request_id: id(),
        proposal: proposal.id.to_string(),
        ..v1::RetractAnswerRequest::default()
    };
    let back = client.retract_answer(from(manager("ZA1"), back)).await.unwrap().into_inner();
    assert_eq!(back.proposal.unwrap().supporting.unwrap().state(), v1::answer::State::Pending);
    let extend = || v1::ExtendHoldRequest {
        request_id: id(),
        proposal: proposal.id.to_string(),
        ..v1::ExtendHoldRequest::default()
    };
    client.extend_hold(from(manager("ZA4"), extend())).await.unwrap();
    assert_eq!(world.the_proposal("n").held_until, proposal.held_until + jiff::SignedDuration::from_mins(60));
    let status = client.extend_hold(from(manager("ZA4"), extend())).await.unwrap_err();
    assert_eq!(reason(&status), "ALREADY_EXTENDED");
    world.wait_minutes(120);
    let late = client.answer_proposal(from(manager("ZA1"), answer(&proposal, Verdict::Accept))).await;
    assert_eq!(reason(&late.unwrap_err()), "HOLD_EXPIRED");
}

#[tokio::test]
async fn lists_are_of_ones_own_the_first_to_lapse_first() {
    let (world, _engine, mut client, proposal) = held().await;
    world.need("ZA3", "soon", Priority::P1A).await;
    world.until_held(&["n -> a", "soon -> a"]).await;
    let mut listed = async |trust: &str, waiting_for_me| {
        let filter = v1::ProposalFilter { waiting_for_me, ..v1::ProposalFilter::default() };
        let request = v1::ListProposalsRequest { filter: Some(filter), ..Default::default() };
        let list = client.list_proposals(from(manager(trust), request)).await.unwrap().into_inner();
        list.proposals.into_iter().map(|found| found.need).collect::<Vec<_>>()
    };
    assert_eq!(listed("ZA1", true).await, ["soon", "n"]);
    assert_eq!(listed("ZA4", false).await, ["n"]);
    assert_eq!(listed("ZA2", false).await, [""; 0]);
    world.support(&proposal, fallow_domain::decide::proposal::SupportingReply::Accept { units: None }).await;
    assert_eq!(listed("ZA1", true).await, ["soon"]);
    assert_eq!(listed("ZA1", false).await, ["soon", "n"]);
}

#[tokio::test]
async fn a_need_is_explained_over_all_offers_and_over_one_trusts() {
    let (world, _engine, mut client, _) = held().await;
    world.beds("ZA1", "a", 1).await;
    world.need("ZA3", "other", Priority::P3).await;
    world.rests().await;
    let mut explain = async |need: &str, trust: &str| {
        let request = v1::ExplainNeedRequest { need: need.into(), trust: trust.into() };
        let actor = manager(if need == "n" { "ZA4" } else { "ZA3" });
        client.explain_need(from(actor, request)).await.map(tonic::Response::into_inner)
    };
    let served = explain("n", "").await.unwrap();
    assert_eq!((served.unserved, served.proposals.len()), (None, 1));
    let other = explain("other", "").await.unwrap().unserved.unwrap();
    let counts: Vec<_> = other.counts.iter().map(|count| (count.reason(), count.count)).collect();
    assert_eq!((other.unserved, counts), (1, vec![(v1::Objection::HeldForAnother, 1)]));
    assert_eq!(other.taken_by, [i32::from(v1::Priority::P2)]);
    // The region's rule tells gold an hour before the needed-by, or the breach of the band.
    let breach = other.rank.as_ref().and_then(|rank| rank.breach_at).unwrap();
    assert_eq!(other.gold_told_at.map(|at| at.seconds), Some(breach.seconds - 3_600));
    let elsewhere = explain("other", "ZA2").await.unwrap().unserved.unwrap();
    assert_eq!((elsewhere.offers, elsewhere.counts.len()), (0, 0), "ZA2 offers none");
    assert_eq!(explain("nothing", "").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_transfer_is_prepared_and_sent_by_one_and_received_by_the_other() {
    let (world, _engine, mut client, proposal) = held().await;
    client.answer_proposal(from(manager("ZA1"), answer(&proposal, Verdict::Accept))).await.unwrap();
    let last = client.answer_proposal(from(manager("ZA4"), answer(&proposal, Verdict::Accept))).await;
    let transfer = last.unwrap().into_inner().transfer.unwrap();
    let step = |to: v1::transfer::State| v1::AdvanceTransferRequest {
        request_id: id(),
        transfer: transfer.id.clone(),
        to: to.into(),
        ..v1::AdvanceTransferRequest::default()
    };
    use v1::transfer::State;
    let open = client.advance_transfer(from(manager("ZA4"), step(State::Ready))).await.unwrap_err();
    assert_eq!(reason(&open), "CHECKLIST_OPEN");
    let done = transfer.checklist.iter().map(|item| item.name.clone()).collect();
    let transport =
        Some(v1::Transport { kind: "ambulance".into(), provider: "North Vale".into(), booked: true });
    let ready = v1::AdvanceTransferRequest { done, transport, ..step(State::Ready) };
    client.advance_transfer(from(manager("ZA4"), ready)).await.unwrap();
    client.advance_transfer(from(manager("ZA4"), step(State::InTransit))).await.unwrap();
    let early = client.advance_transfer(from(manager("ZA4"), step(State::Arrived))).await.unwrap_err();
    assert_eq!((early.code(), reason(&early).as_str()), (Code::PermissionDenied, "WRONG_SIDE"));
    client.advance_transfer(from(manager("ZA1"), step(State::Arrived))).await.unwrap();
    let abort = v1::AbortTransferRequest {
        request_id: id(),
        transfer: transfer.id.clone(),
        reason: v1::DeclineReason::NotFit.into(),
        ..v1::AbortTransferRequest::default()
    };
    let late = client.abort_transfer(from(manager("ZA4"), abort)).await.unwrap_err();
    assert_eq!(reason(&late), "ILLEGAL_TRANSITION");
    world.check();
}
