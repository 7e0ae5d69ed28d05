//! Who may do what, over the wire: every call by every role, and every change of a record that is another trust's.

use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use fallow_domain::actor::Role;
use fallow_host::rights::{CALLS, Grant};
use http::uri::PathAndQuery;
use jiff::SignedDuration;
use tonic::client::Grpc;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request};
use tonic_prost::ProstCodec;

use crate::people::{User, call};
use crate::wire::{self, resource};
use crate::world::{World, stories};

mod walk;

use walk::what_the_table_says_is_what_is_answered;

stories!(
    a_role_does_what_its_column_says_and_nothing_else,
    what_the_table_says_is_what_is_answered,
    nothing_without_a_credential,
    a_record_of_another_trust_is_not_there,
    what_joins_two_trusts_is_not_there_for_a_third,
    what_one_may_not_see_answers_as_what_is_not_there,
);

/// The built-in user that plays a role.
fn player(role: Role) -> &'static str {
    match role {
        Role::TrustSystem => "trust-system.ZA2",
        Role::BedManager => "bed-manager.ZA2",
        Role::SiteLead => "site-lead.ZA2",
        Role::Coordinator => "coordinator",
        Role::Icb => "icb",
        Role::LeadProvider => "lead-provider",
        Role::Engine => "engine",
        Role::Console => "console",
        Role::Gold => "duty-lead",
        Role::Auditor => "auditor",
        Role::PlatformAdmin => "platform-admin",
    }
}

async fn connect(world: &World) -> Channel {
    Endpoint::from_shared(world.address(0)).unwrap().connect().await.unwrap()
}

/// Sends an empty message to a call and returns how it was answered; a stream that opens is an answer.
async fn knock(channel: &Channel, token: Option<&str>, path: &'static str) -> Result<(), Problem> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(());
    if let Some(token) = token {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let codec = ProstCodec::<(), ()>::default();
    let answer = grpc.server_streaming(request, PathAndQuery::from_static(path), codec).await;
    let answer = answer.map(drop);
    answer.map_err(|status| Problem::from(&status))
}

/// An empty message is wrong in itself for most calls; whether the role forbids it is asked before.
async fn a_role_does_what_its_column_says_and_nothing_else(world: &mut World) {
    let (before, channel) = (world.records().await, connect(world).await);
    let mut wrong = Vec::new();
    for role in Role::ALL {
        let token = world.token(player(*role));
        for call in CALLS {
            let is_forbidden = match knock(&channel, Some(&token), call.path).await {
                Ok(()) => false,
                Err(problem) => {
                    let is_forbidden = problem.code == Code::PermissionDenied;
                    if is_forbidden && problem.reason != reasons::ROLE_FORBIDS {
                        wrong.push(format!("{} as {role}: {}", call.path, problem.reason));
                    }
                    is_forbidden
                }
            };
            let grant = call.grant(*role);
            // A call that is open to all is for those who have no role yet.
            if is_forbidden != (grant == Grant::Never && !call.open) {
                wrong.push(format!("{} as {role}: {grant:?}, forbidden: {is_forbidden}", call.path));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(world.records().await, before);
}

async fn nothing_without_a_credential(world: &mut World) {
    let channel = connect(world).await;
    for call in CALLS.iter().filter(|call| !call.open) {
        let refused = knock(&channel, None, call.path).await.unwrap_err();
        assert_eq!((refused.code, refused.reason.as_str()), (Code::Unauthenticated, reasons::NO_CREDENTIALS));
    }
}

/// Brackwater tries every change on what is Aldermoor's.
async fn a_record_of_another_trust_is_not_there(world: &mut World) {
    let (aldermoor, brackwater) = (world.user("site-lead.ZA1"), world.user("site-lead.ZA2"));
    let offer = aldermoor.publish_beds("ZA101", 5).await;
    let mut wanted = wire::need("ZA101", "theirs", 1);
    wanted.resource = Some(resource(v1::ResourceKind::Equipment, "CPAP_DEVICE"));
    let need = aldermoor.raise(wanted).await;
    let before = world.records().await;
    let soon = Some(to_wire(world.now() + SignedDuration::from_hours(2)));
    let ids = || Some(v1::OfferSelection { ids: vec![offer.id.clone()], ..Default::default() });
    let mut answers = Vec::new();
    macro_rules! try_it {
        ($service:ident, $verb:ident, $request:ident { $($field:ident: $value:expr),* $(,)? }) => {{
            let request = v1::$request { request_id: fresh_request_id(), $($field: $value,)* ..Default::default() };
            let answer = call!(brackwater.$service(), $verb, request).map(drop);
            answers.push((stringify!($verb), answer));
        }};
    }
    let (o, n) = (|| offer.id.clone(), || need.id.clone());
    let mask = Some(prost_types::FieldMask { paths: vec!["note".into()] });
    try_it!(capacity, adjust_offer, AdjustOfferRequest { offer: o(), by: 1 });
    try_it!(capacity, confirm_offers, ConfirmOffersRequest { selection: ids() });
    try_it!(
        capacity,
        suspend_offers,
        SuspendOffersRequest { selection: ids(), until: soon, reason: "mine".into() }
    );
    try_it!(capacity, resume_offers, ResumeOffersRequest { selection: ids() });
    try_it!(
        capacity,
        withdraw_offer,
        WithdrawOfferRequest { offer: o(), reason: v1::DeclineReason::Staffing.into() }
    );
    try_it!(
        demand,
        amend_need,
        AmendNeedRequest { need: Some(v1::Need { id: n(), ..Default::default() }), update_mask: mask }
    );
    try_it!(demand, park_need, ParkNeedRequest { need: n(), review_at: soon });
    try_it!(demand, resume_need, ResumeNeedRequest { need: n() });
    try_it!(
        demand,
        withdraw_need,
        WithdrawNeedRequest { need: n(), reason: v1::DeclineReason::NotFit.into() }
    );
    try_it!(demand, resolve_need_outside, ResolveNeedOutsideRequest { need: n(), note: "mine".into() });
    for (verb, answer) in answers {
        let refused = answer.expect_err(verb);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, reasons::NOT_FOUND), "{verb}");
    }
    assert_eq!(world.records().await, before);
}

/// A proposal and a transfer between Dunmere and Aldermoor, and Brackwater tries its hand at both.
async fn what_joins_two_trusts_is_not_there_for_a_third(world: &mut World) {
    let (home, near) = (world.user("bed-manager.ZA4"), world.user("bed-manager.ZA1"));
    let third = world.user("site-lead.ZA2");
    near.publish_beds("ZA101", 2).await;
    let first = home.raise(wire::need("ZA401", "agreed", 1)).await;
    let agreed = home.proposal_of(&first).await;
    near.accept(&agreed).await;
    let transfer = home.accept(&agreed).await.transfer.unwrap();
    let second = home.raise(wire::need("ZA401", "proposed", 1)).await;
    let proposed = home.proposal_of(&second).await;
    world.engine_has_looked().await;
    let before = world.records().await;
    let mut answers = Vec::new();
    macro_rules! try_it {
        ($verb:ident, $request:ident { $($field:ident: $value:expr),* $(,)? }) => {{
            let request = v1::$request { request_id: fresh_request_id(), $($field: $value,)* ..Default::default() };
            answers.push((stringify!($verb), call!(third.matching(), $verb, request).map(drop)));
        }};
    }
    let (p, t) = (|| proposed.id.clone(), || transfer.id.clone());
    let late = Some(to_wire(world.now() + SignedDuration::from_hours(2)));
    try_it!(answer_proposal, AnswerProposalRequest { proposal: p(), verdict: v1::Verdict::Accept.into() });
    try_it!(retract_answer, RetractAnswerRequest { proposal: p() });
    try_it!(extend_hold, ExtendHoldRequest { proposal: p() });
    try_it!(
        advance_transfer,
        AdvanceTransferRequest { transfer: t(), to: v1::transfer::State::Ready.into() }
    );
    try_it!(
        abort_transfer,
        AbortTransferRequest { transfer: t(), reason: v1::DeclineReason::NoTransport.into() }
    );
    try_it!(extend_transfer, ExtendTransferRequest { transfer: t(), due_at: late });
    let read = v1::GetProposalRequest { proposal: p() };
    answers.push(("get_proposal", call!(third.matching(), get_proposal, read).map(drop)));
    let read = v1::GetTransferRequest { transfer: t() };
    answers.push(("get_transfer", call!(third.matching(), get_transfer, read).map(drop)));
    for (verb, answer) in answers {
        let refused = answer.expect_err(verb);
        assert_eq!((refused.code, refused.reason.as_str()), (Code::NotFound, reasons::NOT_FOUND), "{verb}");
    }
    let listed = call!(third.matching(), list_proposals, v1::ListProposalsRequest::default()).unwrap();
    assert!(listed.proposals.iter().all(|other| other.id != proposed.id), "{listed:?}");
    let listed = call!(third.matching(), list_transfers, v1::ListTransfersRequest::default()).unwrap();
    assert_eq!(listed.transfers, []);
    assert_eq!(world.records().await, before);
}

/// Brackwater is in no collaborative that shares virtual wards.
async fn what_one_may_not_see_answers_as_what_is_not_there(world: &mut World) {
    let (aldermoor, brackwater) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA2"));
    let ward = v1::Offer {
        resource: Some(resource(v1::ResourceKind::VirtualWard, "FRAILTY")),
        ..wire::offer("ZA101", 5, world.now())
    };
    let hidden = aldermoor.publish(ward).await;
    let read = async |user: &User, offer: &str| {
        let request = v1::GetOfferRequest { offer: offer.into() };
        call!(user.capacity(), get_offer, request).map(|answer| answer.offer.unwrap().id)
    };
    assert_eq!(read(&aldermoor, &hidden.id).await.unwrap(), hidden.id);
    assert_eq!(read(&world.user("bed-manager.ZA4"), &hidden.id).await.unwrap(), hidden.id);
    let refused = read(&brackwater, &hidden.id).await.unwrap_err();
    let absent = "0".repeat(hidden.id.len());
    let mut as_absent = read(&brackwater, &absent).await.unwrap_err();
    as_absent.text = as_absent.text.replace(&absent, &hidden.id);
    as_absent.request_id.clone_from(&refused.request_id);
    assert_eq!(refused.code, Code::NotFound);
    assert_eq!(refused, as_absent, "the two are told apart by nothing");
    let listed = call!(brackwater.capacity(), list_offers, v1::ListOffersRequest::default()).unwrap();
    assert_eq!(listed.offers, []);
}
