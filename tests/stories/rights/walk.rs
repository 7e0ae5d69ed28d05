//! Every call of the contract, by every role, for a record of the own trust, of one in the same collaborative, and of one
//! in none: what the table of rights says is what is answered, with its code and its reason.
//!
//! The records are Aldermoor's virtual wards, which it shares with Eastholme and not with Brackwater. Every change is
//! asked for as a check, so that what may be done is not done.

use std::collections::BTreeSet;

use bytes::{Buf, BufMut};
use fallow_api::client::fresh_request_id;
use fallow_api::convert::time::to_wire;
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use fallow_domain::actor::Role;
use fallow_host::rights::{CALLS, Call, Grant};
use http::uri::PathAndQuery;
use jiff::SignedDuration;
use prost::Message;
use tonic::client::Grpc;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Code, Request, Status};

use super::{connect, player};
use crate::wire::{self, resource};
use crate::world::World;

/// The trust whose records they are, one that shares a collaborative with it, and one to which they are hidden.
const OWN: &str = "ZA1";
const SAME: &str = "ZA5";
const OTHER: &str = "ZA2";

/// What a call is about, as far as it matters who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum About {
    /// No record that is somebody's: everybody who may call at all is answered.
    Nothing,
    /// A trust that the message names as the caller's own.
    Oneself,
    /// An offer or a need, which is its trust's and seen by those it is shared with.
    Shared,
    /// A proposal or a transfer, which is between two trusts.
    Between,
}

/// One call, what it is about, and a message that nothing is wrong with but who sends it.
type Row = (&'static str, About, Vec<u8>);

struct Records {
    offer: String,
    need: String,
    proposal: String,
    transfer: String,
}

async fn plant(world: &World) -> Records {
    let (near, home) = (world.user("bed-manager.ZA1"), world.user("bed-manager.ZA4"));
    let ward = || Some(resource(v1::ResourceKind::VirtualWard, "FRAILTY"));
    let offer = v1::Offer { resource: ward(), ..wire::offer("ZA101", 5, world.now()) };
    let offer = near.publish(offer).await.id;
    let need =
        async |case: &str| home.raise(v1::Need { resource: ward(), ..wire::need("ZA401", case, 1) }).await;
    let agreed = home.proposal_of(&need("agreed").await).await;
    near.accept(&agreed).await;
    let transfer = home.accept(&agreed).await.transfer.unwrap().id;
    let proposal = home.proposal_of(&need("proposed").await).await.id;
    let waits = v1::Need {
        resource: Some(resource(v1::ResourceKind::VirtualWard, "RESPIRATORY")),
        ..wire::need("ZA101", "own", 1)
    };
    let need = near.raise(waits).await.id;
    world.engine_has_looked().await;
    Records { offer, need, proposal, transfer }
}

/// Makes a row of each call; one that needs a request id has one, and one that can be checked only is.
#[allow(clippy::too_many_lines)] // one entry for each call of the contract
fn rows(world: &World, records: &Records) -> Vec<Row> {
    use About::{Between, Nothing, Oneself, Shared};

    let Records { offer, need, proposal, transfer } = records;
    let later = || Some(to_wire(world.now() + SignedDuration::from_hours(2)));
    let these = || Some(v1::OfferSelection { ids: vec![offer.clone()], ..Default::default() });
    let mut rows: Vec<Row> = Vec::new();
    /// `check` is a change that is only checked, `read` is no change, `bare` is sent as it is.
    macro_rules! row {
        ($name:literal, $about:expr, check $request:ident { $($field:ident: $value:expr),* $(,)? }) => {
            #[allow(clippy::needless_update)] // some have no other field
            let message = v1::$request {
                request_id: fresh_request_id(), validate_only: true, $($field: $value,)* ..Default::default()
            };
            rows.push(($name, $about, message.encode_to_vec()));
        };
        ($name:literal, $about:expr, read $request:ident { $($field:ident: $value:expr),* $(,)? }) => {
            #[allow(clippy::needless_update)] // some have no other field
            let message = v1::$request { $($field: $value,)* ..Default::default() };
            rows.push(($name, $about, message.encode_to_vec()));
        };
        ($($name:literal)+) => { $(rows.push(($name, Nothing, Vec::new()));)+ };
    }
    let published = v1::Offer { trust: OWN.into(), ..wire::offer("ZA101", 1, world.now()) };
    row!("PublishOffer", Oneself, check PublishOfferRequest { offer: Some(published) });
    row!("AdjustOffer", Shared, check AdjustOfferRequest { offer: offer.clone(), by: 1 });
    row!("ConfirmOffers", Shared, check ConfirmOffersRequest { selection: these() });
    row!("SuspendOffers", Shared, check SuspendOffersRequest { selection: these(), until: later(), reason: "leak".into() });
    row!("ResumeOffers", Shared, check ResumeOffersRequest { selection: these() });
    row!("WithdrawOffer", Shared, check WithdrawOfferRequest {
        offer: offer.clone(), reason: v1::DeclineReason::Staffing.into()
    });
    row!("AskToConfirm", Nothing, check AskToConfirmRequest {
        trust: OWN.into(), resource: Some(resource(v1::ResourceKind::VirtualWard, "FRAILTY"))
    });
    row!("GetOffer", Shared, read GetOfferRequest { offer: offer.clone() });
    let raised = v1::Need { trust: OWN.into(), ..wire::need("ZA101", "another", 1) };
    row!("RaiseNeed", Oneself, check RaiseNeedRequest { need: Some(raised) });
    let amended = v1::Need { id: need.clone(), note: "by noon".into(), ..Default::default() };
    let mask = prost_types::FieldMask { paths: vec!["note".into()] };
    row!("AmendNeed", Shared, check AmendNeedRequest { need: Some(amended), update_mask: Some(mask) });
    row!("ParkNeed", Shared, check ParkNeedRequest { need: need.clone(), review_at: later() });
    row!("ResumeNeed", Shared, check ResumeNeedRequest { need: need.clone() });
    row!("WithdrawNeed", Shared, check WithdrawNeedRequest {
        need: need.clone(), reason: v1::DeclineReason::NotFit.into()
    });
    row!("ResolveNeedOutside", Shared, check ResolveNeedOutsideRequest { need: need.clone(), note: "done".into() });
    row!("ValidateNeed", Shared, check ValidateNeedRequest { need: need.clone() });
    row!("GetNeed", Shared, read GetNeedRequest { need: need.clone() });
    row!("ExplainNeed", Shared, read ExplainNeedRequest { need: need.clone() });
    row!("GetProposal", Between, read GetProposalRequest { proposal: proposal.clone() });
    row!("AnswerProposal", Between, check AnswerProposalRequest {
        proposal: proposal.clone(), verdict: v1::Verdict::Accept.into()
    });
    row!("RetractAnswer", Between, check RetractAnswerRequest { proposal: proposal.clone() });
    row!("ApproveProposal", Between, check ApproveProposalRequest { proposal: proposal.clone() });
    row!("ExtendHold", Between, check ExtendHoldRequest { proposal: proposal.clone() });
    row!("BypassProposal", Between, check BypassProposalRequest { proposal: proposal.clone(), reason: "flood".into() });
    row!("GetTransfer", Between, read GetTransferRequest { transfer: transfer.clone() });
    row!("AdvanceTransfer", Between, check AdvanceTransferRequest {
        transfer: transfer.clone(), to: v1::transfer::State::Ready.into()
    });
    row!("AbortTransfer", Between, check AbortTransferRequest {
        transfer: transfer.clone(), reason: v1::DeclineReason::NoTransport.into()
    });
    row!("ExtendTransfer", Between, check ExtendTransferRequest { transfer: transfer.clone(), due_at: later() });
    // These name no record that is somebody's: what they list and watch is searched byte by byte elsewhere.
    row!("ReplaceOffers" "StreamOffers" "SetReserve" "DeclarePressure" "ListOffers" "WatchOffers");
    row!("RaiseNeeds" "AmendCohort" "WithdrawCohort" "AskToValidate" "ListNeeds" "WatchNeeds");
    row!("ListProposals" "WatchProposals" "ListCampaigns" "GetCampaign" "AnswerCampaign" "Simulate");
    row!("ListTransfers" "WatchTransfers");
    row!("GetSituation" "WatchSituation" "ListAlerts" "TakeAlert" "CloseAlert" "WatchAlerts" "GetTrend");
    row!("GetReport" "ListTimeline" "WatchTimeline" "RecordDecision" "SetMode" "GetSitrep" "SignOffSitrep");
    row!("ApplyRegion" "GetRegion" "ProposeAction" "ConfirmAction" "RefuseAction" "ReviewAction" "GetAction" "ListActions");
    row!("WatchActions" "ListAudit");
    row!("GetProvider" "ExchangeToken" "EndSession" "LogOut");
    rows
}

/// Returns the only refusal that the table means for somebody of a trust, or of none; `None` where the right is theirs.
fn meant(call: &Call, about: About, role: Role, trust: Option<&str>) -> Option<(Code, &'static str)> {
    let hidden = Some((Code::NotFound, reasons::NOT_FOUND));
    let grant = call.grant(role);
    match (grant, about) {
        _ if call.open => None,
        (Grant::Never, _) => Some((Code::PermissionDenied, reasons::ROLE_FORBIDS)),
        (Grant::Any, _) | (_, About::Nothing) => None,
        (Grant::Own | Grant::Shared, _) if trust == Some(OWN) => None,
        (Grant::Own | Grant::Shared, About::Oneself) => {
            Some((Code::PermissionDenied, reasons::TRUST_MISMATCH))
        }
        (Grant::Own | Grant::Shared, About::Between) => hidden,
        (Grant::Own, About::Shared) => hidden,
        (Grant::Shared, About::Shared) if trust == Some(SAME) => None,
        (Grant::Shared, About::Shared) => hidden,
    }
}

/// Says whether an answer is one that a right may have, whatever the message itself comes to.
fn is_of_the_right(outcome: &Result<(), Problem>, about: About) -> bool {
    let Err(problem) = outcome else { return true };
    let is_refused = problem.code == Code::PermissionDenied && problem.reason != "WRONG_SIDE";
    let is_hidden = problem.code == Code::NotFound && about != About::Nothing;
    let is_broken = matches!(problem.code, Code::Unauthenticated | Code::Internal | Code::Unavailable);
    !(is_refused || is_hidden || is_broken)
}

pub(super) async fn what_the_table_says_is_what_is_answered(world: &mut World) {
    let records = plant(world).await;
    let (rows, channel) = (rows(world, &records), connect(world).await);
    let walked: BTreeSet<&str> = rows.iter().map(|(name, _, _)| *name).collect();
    let contract: BTreeSet<&str> = CALLS.iter().map(Call::name).collect();
    assert_eq!(walked, contract, "every call is walked");
    let before = world.records().await;
    let (mut wrong, mut answers) = (Vec::new(), 0);
    for role in Role::ALL {
        for (trust, token) in callers(world, *role) {
            for (name, about, message) in &rows {
                let call = CALLS.iter().find(|call| call.name() == *name).unwrap();
                let outcome = send(&channel, &token, call.path, message.clone()).await;
                answers += 1;
                let is_as_meant = match meant(call, *about, *role, trust) {
                    Some(meant) => outcome
                        .as_ref()
                        .is_err_and(|problem| (problem.code, problem.reason.as_str()) == meant),
                    None => is_of_the_right(&outcome, *about),
                };
                if !is_as_meant {
                    let found = outcome.map_err(|problem| format!("{:?} {}", problem.code, problem.reason));
                    wrong.push(format!("{name} as {role} of {trust:?}: {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {answers}:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(world.records().await, before, "what was asked was to check");
}

/// Returns who plays a role: for roles of trusts and of collaboratives one of each trust, else one above trusts.
fn callers(world: &World, role: Role) -> Vec<(Option<&'static str>, String)> {
    match role {
        Role::TrustSystem | Role::BedManager | Role::SiteLead | Role::Coordinator | Role::LeadProvider => {
            let token = |trust| (Some(trust), world.token_of(role_name(role), trust));
            [OWN, SAME, OTHER].map(token).into()
        }
        Role::Icb | Role::Engine | Role::Console | Role::Gold | Role::Auditor | Role::PlatformAdmin => {
            vec![(None, world.token(player(role)))]
        }
    }
}

fn role_name(role: Role) -> &'static str {
    let player = player(role);
    player.split_once('.').map_or(player, |(name, _)| name)
}

/// Sends bytes to a call and returns how it was answered; a stream that opens is an answer.
async fn send(channel: &Channel, token: &str, path: &'static str, message: Vec<u8>) -> Result<(), Problem> {
    let mut grpc = Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
    let answer = grpc.server_streaming(request, PathAndQuery::from_static(path), Bytes).await;
    answer.map(drop).map_err(|status| Problem::from(&status))
}

/// Messages as bytes, and answers that nobody looks at.
#[derive(Debug, Clone, Copy, Default)]
struct Bytes;

impl Codec for Bytes {
    type Encode = Vec<u8>;
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for Bytes {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bytes {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        message.advance(message.remaining());
        Ok(Some(()))
    }
}
