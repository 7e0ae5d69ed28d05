//! The requests that clients make, and how each is put on the wire.

use std::time::Duration;

use fallow_api::client::Client;
use fallow_api::convert::time::{span_to_wire, to_wire};
use fallow_api::problem::Problem;
use fallow_api::{reasons, v1};
use fallow_host::clock::Clock;
use jiff::SignedDuration;
use tonic::{Code, Request, Response, Status};

use crate::fleet::DEADLINE;
use crate::history::{End, Said};

/// What a client asks for. The same ask with the same request id is the same request, byte for byte.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ask {
    /// Publishes an offer under the trust's own key.
    Publish(v1::Offer),
    /// Moves what is free of an offer.
    Adjust { offer: String, by: i64, expected: Option<i64>, validate_only: bool },
    /// Takes an offer back.
    WithdrawOffer { offer: String },
    /// Raises a need.
    Raise(v1::Need),
    /// Takes a need back.
    WithdrawNeed { need: String },
    /// Says yes or no to a proposal.
    Answer { proposal: String, yes: bool, is_home: bool },
    /// Takes a transfer on.
    Advance { transfer: String, to: v1::transfer::State, done: Vec<String> },
    /// Calls a transfer off.
    Abort { transfer: String, is_home: bool },
}

impl Ask {
    /// Makes an offer of beds at a site.
    pub(crate) fn beds(site: &str, key: &str, code: &str, units: i64) -> Self {
        let until = Clock::system().now() + SignedDuration::from_hours(48);
        let resource =
            v1::Resource { kind: v1::ResourceKind::Bed.into(), code: code.into(), ..Default::default() };
        Self::Publish(v1::Offer {
            source_key: key.into(),
            site: site.into(),
            resource: Some(resource),
            figures: Some(v1::Figures { staffed: units, ..Default::default() }),
            window: Some(v1::Window { from: None, until: Some(to_wire(until)) }),
            cadence: Some(span_to_wire(SignedDuration::from_hours(4))),
            ..Default::default()
        })
    }

    /// Makes a need of one bed.
    pub(crate) fn bed_for(site: &str, case: &str, code: &str, priority: v1::Priority) -> Self {
        let resource =
            v1::Resource { kind: v1::ResourceKind::Bed.into(), code: code.into(), ..Default::default() };
        Self::Raise(v1::Need {
            case_ref: case.into(),
            site: site.into(),
            resource: Some(resource),
            units: 1,
            priority: priority.into(),
            ..Default::default()
        })
    }

    /// Sends it once and returns what it came to.
    pub(crate) async fn send(&self, client: &Client, request_id: &str) -> End {
        let sent = async {
            let id = request_id.to_owned();
            match self {
                Self::Publish(offer) => {
                    let request = v1::PublishOfferRequest {
                        request_id: id,
                        offer: Some(offer.clone()),
                        confirm_large_change: true,
                        ..Default::default()
                    };
                    let said = client.capacity().publish_offer(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        offer: said.offer,
                        ..Said::default()
                    }))
                }
                Self::Adjust { offer, by, expected, validate_only } => {
                    let request = v1::AdjustOfferRequest {
                        request_id: id,
                        offer: offer.clone(),
                        by: *by,
                        expected_revision: *expected,
                        validate_only: *validate_only,
                    };
                    let said = client.capacity().adjust_offer(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        offer: said.offer,
                        ..Said::default()
                    }))
                }
                Self::WithdrawOffer { offer } => {
                    let request = v1::WithdrawOfferRequest {
                        request_id: id,
                        offer: offer.clone(),
                        reason: v1::DeclineReason::CapacityChanged.into(),
                        ..Default::default()
                    };
                    let said = client.capacity().withdraw_offer(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        offer: said.offer,
                        ..Said::default()
                    }))
                }
                Self::Raise(need) => {
                    let request = v1::RaiseNeedRequest {
                        request_id: id,
                        need: Some(need.clone()),
                        ..Default::default()
                    };
                    let said = client.demand().raise_need(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        need: said.need,
                        ..Said::default()
                    }))
                }
                Self::WithdrawNeed { need } => {
                    let request = v1::WithdrawNeedRequest {
                        request_id: id,
                        need: need.clone(),
                        reason: v1::DeclineReason::TreatedElsewhere.into(),
                        ..Default::default()
                    };
                    let said = client.demand().withdraw_need(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        need: said.need,
                        ..Said::default()
                    }))
                }
                Self::Answer { proposal, yes, is_home } => {
                    let (verdict, reason) = match (yes, is_home) {
                        (true, _) => (v1::Verdict::Accept, v1::DeclineReason::Unspecified),
                        (false, true) => (v1::Verdict::Decline, v1::DeclineReason::NotFit),
                        (false, false) => (v1::Verdict::Decline, v1::DeclineReason::Staffing),
                    };
                    let request = v1::AnswerProposalRequest {
                        request_id: id,
                        proposal: proposal.clone(),
                        verdict: verdict.into(),
                        reason: reason.into(),
                        ..Default::default()
                    };
                    let said = client.matching().answer_proposal(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        proposal: said.proposal,
                        transfer: said.transfer,
                        ..Said::default()
                    }))
                }
                Self::Advance { transfer, to, done } => {
                    let request = v1::AdvanceTransferRequest {
                        request_id: id,
                        transfer: transfer.clone(),
                        to: (*to).into(),
                        done: done.clone(),
                        ..Default::default()
                    };
                    let said = client.matching().advance_transfer(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        transfer: said.transfer,
                        ..Said::default()
                    }))
                }
                Self::Abort { transfer, is_home } => {
                    let reason =
                        if *is_home { v1::DeclineReason::NotFit } else { v1::DeclineReason::Staffing };
                    let request = v1::AbortTransferRequest {
                        request_id: id,
                        transfer: transfer.clone(),
                        reason: reason.into(),
                        ..Default::default()
                    };
                    let said = client.matching().abort_transfer(timed(request)).await?;
                    Ok(of(said, |said| Said {
                        revision: at(said.revision),
                        transfer: said.transfer,
                        ..Said::default()
                    }))
                }
            }
        };
        // The server keeps the deadline too; this is for one that is stopped in its tracks.
        match tokio::time::timeout(DEADLINE + Duration::from_millis(500), sent).await {
            Ok(Ok(said)) => End::Ok(Box::new(said)),
            Ok(Err(status)) => refusal(&status),
            Err(_) => End::Unknown("no answer".to_owned()),
        }
    }

    /// Returns the call's name in the log.
    pub(crate) const fn verb(&self) -> &'static str {
        match self {
            Self::Publish(_) => "PublishOffer",
            Self::Adjust { .. } => "AdjustOffer",
            Self::WithdrawOffer { .. } => "WithdrawOffer",
            Self::Raise(_) => "RaiseNeed",
            Self::WithdrawNeed { .. } => "WithdrawNeed",
            Self::Answer { .. } => "AnswerProposal",
            Self::Advance { .. } => "AdvanceTransfer",
            Self::Abort { .. } => "AbortTransfer",
        }
    }
}

fn timed<M>(message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.set_timeout(DEADLINE);
    request
}

fn of<M>(response: Response<M>, said: impl FnOnce(M) -> Said) -> Said {
    said(response.into_inner())
}

fn at(revision: i64) -> u64 {
    u64::try_from(revision).unwrap_or(0)
}

/// What a status says of whether the call was done. Only a reason of ours says that it surely was not: a connection
/// that broke says nothing.
fn refusal(status: &Status) -> End {
    let problem = Problem::from(status);
    if status.code() == Code::InvalidArgument {
        return End::Refused(status.code(), "INVALID".to_owned());
    }
    let is_silent = problem.reason.is_empty() || matches!(status.code(), Code::Cancelled | Code::Unknown);
    let text = format!("{:?} {}", status.code(), status.message());
    if is_silent || problem.is_outcome_unknown() {
        // Refused before it was sent: nothing listens there.
        let nobody = status.message().contains("tcp connect error") || text.contains("Connection refused");
        if nobody {
            return End::Refused(Code::Unavailable, "NOBODY_LISTENS".to_owned());
        }
        return End::Unknown(text);
    }
    if problem.reason == reasons::DEADLINE_PASSED {
        return End::Unknown(text);
    }
    End::Refused(status.code(), problem.reason)
}
