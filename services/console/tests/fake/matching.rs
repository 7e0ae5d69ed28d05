//! Proposals and transfers, as far as the pages need them.

use fallow_api::v1::matching_service_server::MatchingService;
use fallow_api::v1::*;
use futures::StreamExt;
use tokio_stream::wrappers::WatchStream;
use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use super::{Records, World, expect};

/// Finds what a call changes, by its id and the revision at which it is expected, and dates it by the call's revision.
fn proposal_to_change<'a>(
    records: &'a mut Records,
    (id, expected): (&str, Option<i64>),
    request_id: &str,
) -> Result<(i64, &'a mut Proposal), Status> {
    let at = place(&records.proposals, "proposal", |one| one.id == id)?;
    expect(expected, records.proposals[at].revision)?;
    let revision = records.bump(request_id);
    let proposal = &mut records.proposals[at];
    proposal.revision = revision;
    Ok((revision, proposal))
}

/// As [`proposal_to_change`].
fn transfer_to_change<'a>(
    records: &'a mut Records,
    (id, expected): (&str, Option<i64>),
    request_id: &str,
) -> Result<(i64, &'a mut Transfer), Status> {
    let at = place(&records.transfers, "transfer", |one| one.id == id)?;
    expect(expected, records.transfers[at].revision)?;
    let revision = records.bump(request_id);
    let transfer = &mut records.transfers[at];
    transfer.revision = revision;
    Ok((revision, transfer))
}

fn place<T>(all: &[T], what: &str, is_it: impl Fn(&T) -> bool) -> Result<usize, Status> {
    all.iter().position(is_it).ok_or_else(|| Status::not_found(format!("there is no such {what}")))
}

/// The answer of a trust that a proposal asks.
fn side_of<'a>(proposal: &'a Proposal, trust: &str) -> Option<&'a Answer> {
    match &proposal.team {
        _ if proposal.home_trust == trust => proposal.home.as_ref(),
        Some(team) if team.trust == trust => team.answer.as_ref(),
        Some(_) | None => proposal.supporting.as_ref(),
    }
}

fn side_of_mut<'a>(proposal: &'a mut Proposal, trust: &str) -> &'a mut Option<Answer> {
    match &mut proposal.team {
        _ if proposal.home_trust == trust => &mut proposal.home,
        Some(team) if team.trust == trust => &mut team.answer,
        Some(_) | None => &mut proposal.supporting,
    }
}

fn answer_of(verdict: Verdict, reason: i32, at: prost_types::Timestamp) -> Answer {
    let state = match verdict {
        Verdict::Accept => answer::State::Accepted,
        Verdict::Provisional => answer::State::Provisional,
        Verdict::Decline | Verdict::Unspecified => answer::State::Declined,
    };
    Answer { state: state.into(), reason, at: Some(at), ..Answer::default() }
}

/// Says whether a proposal waits for a role's approval.
fn awaits(proposal: &Proposal, role: &str) -> bool {
    let pending = |one: &&Authority| one.state() == authority::State::Pending && one.role == role;
    proposal.authority.as_ref().filter(pending).is_some()
}

fn all_say_yes(proposal: &Proposal) -> bool {
    let yes = |side: &Option<Answer>| side.as_ref().is_some_and(|one| one.state() == answer::State::Accepted);
    yes(&proposal.home)
        && yes(&proposal.supporting)
        && proposal.team.as_ref().is_none_or(|team| yes(&team.answer))
}

#[tonic::async_trait]
impl MatchingService for World {
    async fn list_proposals(
        &self,
        request: Request<ListProposalsRequest>,
    ) -> Result<Response<ListProposalsResponse>, Status> {
        let trust = self.trust(&request)?;
        let role = self.caller(&request)?.actor.role;
        let filter = request.into_inner().filter.unwrap_or_default();
        let held = vec![proposal::State::Held.into()];
        let states = if filter.states.is_empty() { held } else { filter.states };
        let records = self.records();
        let proposals = records.proposals.iter().filter(|one| {
            let lender = one.team.as_ref().map(|team| &team.trust);
            let sides: Vec<&String> =
                [&one.home_trust, &one.supporting_trust].into_iter().chain(lender).collect();
            let waits = side_of(one, &trust).is_none_or(|side| side.state() == answer::State::Pending);
            states.contains(&one.state)
                && (filter.trusts.is_empty() || sides.iter().any(|side| filter.trusts.contains(side)))
                && (!filter.waiting_for_me
                    || (sides.contains(&&trust) && waits)
                    || awaits(one, role.as_str()))
        });
        let proposals = proposals.cloned().collect();
        Ok(Response::new(ListProposalsResponse {
            proposals,
            revision: records.revision,
            ..Default::default()
        }))
    }

    async fn approve_proposal(
        &self,
        request: Request<ApproveProposalRequest>,
    ) -> Result<Response<ApproveProposalResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        if asked.refuse && asked.reason.is_empty() {
            let text = "every trust of the proposal sees why: give a reason";
            let details = ErrorDetails::with_bad_request([FieldViolation::new("reason", text)]);
            return Err(Status::with_error_details(tonic::Code::InvalidArgument, text, details));
        }
        self.change(|records| {
            let known = (asked.proposal.as_str(), asked.expected_revision);
            let (revision, proposal) = proposal_to_change(records, known, &asked.request_id)?;
            let state = if asked.refuse { authority::State::Refused } else { authority::State::Approved };
            if let Some(authority) = &mut proposal.authority {
                (authority.state, authority.reason) = (state.into(), asked.reason);
            }
            if asked.refuse {
                proposal.set_state(proposal::State::Declined);
            }
            let proposal = Some(proposal.clone());
            Ok(Response::new(ApproveProposalResponse { proposal, revision, transfer: None }))
        })
    }

    async fn extend_transfer(
        &self,
        request: Request<ExtendTransferRequest>,
    ) -> Result<Response<ExtendTransferResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            let known = (asked.transfer.as_str(), asked.expected_revision);
            let (revision, transfer) = transfer_to_change(records, known, &asked.request_id)?;
            transfer.set_state(transfer::State::Extended);
            transfer.return_plan = Some(ReturnPlan { due_at: asked.due_at, note: String::new() });
            Ok(Response::new(ExtendTransferResponse { transfer: Some(transfer.clone()), revision }))
        })
    }

    async fn bypass_proposal(
        &self,
        request: Request<BypassProposalRequest>,
    ) -> Result<Response<BypassProposalResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        let now = prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 };
        self.change(|records| {
            let known = (asked.proposal.as_str(), asked.expected_revision);
            let (revision, proposal) = proposal_to_change(records, known, &asked.request_id)?;
            proposal.set_state(proposal::State::Bypassed);
            (proposal.ended_because, proposal.ended_at) = (asked.reason, Some(now));
            let proposal = Some(proposal.clone());
            Ok(Response::new(BypassProposalResponse { proposal, revision, instead: None }))
        })
    }

    async fn answer_proposal(
        &self,
        request: Request<AnswerProposalRequest>,
    ) -> Result<Response<AnswerProposalResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let now = prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 };
        self.change(|records| {
            let known = (asked.proposal.as_str(), asked.expected_revision);
            let (revision, proposal) = proposal_to_change(records, known, &asked.request_id)?;
            let said = answer_of(asked.verdict(), asked.reason, now);
            let state = said.state();
            *side_of_mut(proposal, &trust) = Some(said);
            if asked.units > 0 {
                proposal.units = asked.units;
            }
            let mut transfer = None;
            if state == answer::State::Declined {
                proposal.set_state(proposal::State::Declined);
            } else if all_say_yes(proposal) {
                proposal.set_state(proposal::State::Confirmed);
                transfer = Some(Transfer {
                    id: format!("t-{revision}"),
                    proposal: proposal.id.clone(),
                    need: proposal.need.clone(),
                    offer: proposal.offer.clone(),
                    home_trust: proposal.home_trust.clone(),
                    supporting_trust: proposal.supporting_trust.clone(),
                    units: proposal.units,
                    state: transfer::State::Planned.into(),
                    due_at: Some(prost_types::Timestamp { seconds: now.seconds + 3600, nanos: 0 }),
                    agreed_at: Some(now),
                    revision,
                    ..Transfer::default()
                });
            }
            let proposal = proposal.clone();
            records.transfers.extend(transfer.clone());
            Ok(Response::new(AnswerProposalResponse { proposal: Some(proposal), transfer, revision }))
        })
    }

    async fn answer_campaign(
        &self,
        request: Request<AnswerCampaignRequest>,
    ) -> Result<Response<AnswerCampaignResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        let now = prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 };
        self.change(|records| {
            let revision = records.bump(&asked.request_id);
            let mut answered = 0;
            for proposal in records.proposals.iter_mut().filter(|one| asked.proposals.contains(&one.id)) {
                if proposal.block != asked.block {
                    return Err(Status::invalid_argument("a proposal is not of this block"));
                }
                *side_of_mut(proposal, &trust) = Some(answer_of(asked.verdict(), asked.reason, now));
                proposal.revision = revision;
                if asked.verdict() == Verdict::Decline {
                    proposal.set_state(proposal::State::Declined);
                } else if all_say_yes(proposal) {
                    proposal.set_state(proposal::State::Confirmed);
                }
                answered += 1;
            }
            Ok(Response::new(AnswerCampaignResponse { answered, revision, ..Default::default() }))
        })
    }

    async fn retract_answer(
        &self,
        request: Request<RetractAnswerRequest>,
    ) -> Result<Response<RetractAnswerResponse>, Status> {
        let trust = self.trust(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            let known = (asked.proposal.as_str(), None);
            let (revision, proposal) = proposal_to_change(records, known, &asked.request_id)?;
            *side_of_mut(proposal, &trust) = None;
            Ok(Response::new(RetractAnswerResponse { proposal: Some(proposal.clone()), revision }))
        })
    }

    async fn extend_hold(
        &self,
        request: Request<ExtendHoldRequest>,
    ) -> Result<Response<ExtendHoldResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            let known = (asked.proposal.as_str(), asked.expected_revision);
            let (revision, proposal) = proposal_to_change(records, known, &asked.request_id)?;
            if let Some(until) = &mut proposal.held_until {
                until.seconds += asked.by.map_or(0, |by| by.seconds);
            }
            Ok(Response::new(ExtendHoldResponse { proposal: Some(proposal.clone()), revision }))
        })
    }

    async fn explain_need(
        &self,
        request: Request<ExplainNeedRequest>,
    ) -> Result<Response<ExplainNeedResponse>, Status> {
        use unserved_explanation::change::Change;
        self.caller(&request)?;
        let not_used = |reason: Objection, count, example: &str| explanation::NotUsed {
            reason: reason.into(),
            count,
            example: example.to_owned(),
        };
        let relax = |change, text: &str, places| unserved_explanation::Relaxation {
            change: Some(unserved_explanation::Change { change: Some(change) }),
            text: text.to_owned(),
            places,
        };
        let need = request.into_inner().need;
        // The rule of this region tells gold an hour before.
        let needed_by = self.records().needs.iter().find(|one| one.id == need).and_then(|one| one.needed_by);
        let hour_before = needed_by.map(|by| prost_types::Timestamp { seconds: by.seconds - 3_600, ..by });
        let unserved = UnservedExplanation {
            need,
            gold_told_at: hour_before,
            unserved: 2,
            offers: 14,
            counts: vec![
                not_used(Objection::TooFar, 6, "Calverleigh District Hospital, 52 min"),
                not_used(Objection::AgeOrSex, 4, "Aldermoor Royal Infirmary, male bay"),
                not_used(Objection::Stale, 3, "Eastholme Infirmary, last heard 3 h ago"),
                not_used(Objection::HeldForAnother, 1, "Aldermoor Royal Infirmary"),
            ],
            taken_by: vec![Priority::P1a.into()],
            relaxations: vec![
                relax(
                    Change::TravelLimit(unserved_explanation::change::TravelLimit { minutes: 60 }),
                    "travel limit 60 minutes instead of 45",
                    2,
                ),
                relax(
                    Change::Confirm(unserved_explanation::change::Confirm {
                        offer: "o-9".to_owned(),
                        trust: "ZA5".to_owned(),
                    }),
                    "Eastholme confirms its G&A beds",
                    1,
                ),
            ],
            ..UnservedExplanation::default()
        };
        Ok(Response::new(ExplainNeedResponse { unserved: Some(unserved), ..Default::default() }))
    }

    async fn list_transfers(
        &self,
        request: Request<ListTransfersRequest>,
    ) -> Result<Response<ListTransfersResponse>, Status> {
        self.caller(&request)?;
        let filter = request.into_inner().filter.unwrap_or_default();
        let records = self.records();
        let transfers = records.transfers.iter().filter(|one| {
            let sides = [&one.home_trust, &one.supporting_trust];
            let has_ended = matches!(one.state(), transfer::State::Completed | transfer::State::Aborted);
            let comes_back = one.return_plan.is_some() && one.state() == transfer::State::Arrived;
            (filter.trusts.is_empty() || sides.iter().any(|side| filter.trusts.contains(side)))
                && if filter.states.is_empty() { !has_ended } else { filter.states.contains(&one.state) }
                && (!filter.returning || comes_back)
        });
        let transfers = transfers.cloned().collect();
        Ok(Response::new(ListTransfersResponse {
            transfers,
            revision: records.revision,
            ..Default::default()
        }))
    }

    async fn simulate(
        &self,
        request: Request<SimulateRequest>,
    ) -> Result<Response<SimulateResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        let number = i64::try_from(asked.changes.len()).unwrap_or(0);
        for change in &asked.changes {
            if let Some(simulated_change::Change::TravelLimitMinutes(minutes)) = change.change
                && !(1..=1_440).contains(&minutes)
            {
                return Err(Status::invalid_argument("changes[0].travel_limit_minutes: must be 1 to 1,440"));
            }
        }
        let before =
            PlanSummary { placed: 29, unserved: 11, median_travel_minutes: 24, ..Default::default() };
        let after = PlanSummary { placed: 29 + 6 * number, median_travel_minutes: 31, ..before.clone() };
        let revision = asked.base_revision.unwrap_or(self.records().revision);
        let changed = vec![PlacementChange {
            need: "n-4".to_owned(),
            after: "o-30".to_owned(),
            units: 2,
            name: "LC-120".to_owned(),
            after_trust: "ZA3".to_owned(),
            ..Default::default()
        }];
        Ok(Response::new(SimulateResponse {
            before: Some(before),
            after: Some(after),
            changed,
            changed_total: 1,
            worse_off: vec!["DX-77 travels 12 minutes farther".to_owned()],
            worse_off_total: 1,
            at: Some(prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 }),
            revision,
            ..Default::default()
        }))
    }

    async fn get_transfer(
        &self,
        request: Request<GetTransferRequest>,
    ) -> Result<Response<GetTransferResponse>, Status> {
        self.caller(&request)?;
        let id = request.into_inner().transfer;
        let records = self.records();
        let at = place(&records.transfers, "transfer", |one| one.id == id)?;
        let transfer = Some(records.transfers[at].clone());
        Ok(Response::new(GetTransferResponse { transfer, revision: 0 }))
    }

    async fn get_proposal(
        &self,
        request: Request<GetProposalRequest>,
    ) -> Result<Response<GetProposalResponse>, Status> {
        self.caller(&request)?;
        let id = request.into_inner().proposal;
        let records = self.records();
        let at = place(&records.proposals, "proposal", |one| one.id == id)?;
        let proposal = Some(records.proposals[at].clone());
        Ok(Response::new(GetProposalResponse { proposal, revision: 0 }))
    }

    async fn abort_transfer(
        &self,
        request: Request<AbortTransferRequest>,
    ) -> Result<Response<AbortTransferResponse>, Status> {
        self.caller(&request)?;
        let asked = request.into_inner();
        self.change(|records| {
            let known = (asked.transfer.as_str(), asked.expected_revision);
            let (revision, transfer) = transfer_to_change(records, known, &asked.request_id)?;
            transfer.set_state(transfer::State::Aborted);
            transfer.abort_reason = asked.reason;
            Ok(Response::new(AbortTransferResponse { transfer: Some(transfer.clone()), revision }))
        })
    }

    async fn advance_transfer(
        &self,
        request: Request<AdvanceTransferRequest>,
    ) -> Result<Response<AdvanceTransferResponse>, Status> {
        let role = self.caller(&request)?.actor.role.to_string();
        let asked = request.into_inner();
        let now = prost_types::Timestamp { seconds: self.now().as_second(), nanos: 0 };
        self.change(|records| {
            let known = (asked.transfer.as_str(), asked.expected_revision);
            let (revision, transfer) = transfer_to_change(records, known, &asked.request_id)?;
            if asked.to() != transfer::State::Unspecified {
                transfer.state = asked.to;
            }
            for item in transfer.checklist.iter_mut().filter(|item| asked.done.contains(&item.name)) {
                item.done_at = Some(now);
                item.done_by = role.clone();
            }
            if let Some(transport) = &asked.transport {
                transfer.transport = Some(transport.clone());
            }
            if let Some(plan) = &asked.return_plan {
                transfer.return_plan = Some(plan.clone());
            }
            Ok(Response::new(AdvanceTransferResponse { transfer: Some(transfer.clone()), revision }))
        })
    }

    async fn watch_proposals(
        &self,
        request: Request<WatchProposalsRequest>,
    ) -> Result<Response<BoxStream<WatchProposalsResponse>>, Status> {
        self.caller(&request)?;
        let changes = WatchStream::new(self.watch()).map(|revision| {
            let item = Some(watch_proposals_response::Item::Bookmark(Bookmark {}));
            Ok(WatchProposalsResponse { item, revision, ..Default::default() })
        });
        Ok(Response::new(changes.boxed()))
    }

    async fn watch_transfers(
        &self,
        request: Request<WatchTransfersRequest>,
    ) -> Result<Response<BoxStream<WatchTransfersResponse>>, Status> {
        self.caller(&request)?;
        let changes = WatchStream::new(self.watch()).map(|revision| {
            let item = Some(watch_transfers_response::Item::Bookmark(Bookmark {}));
            Ok(WatchTransfersResponse { item, revision, ..Default::default() })
        });
        Ok(Response::new(changes.boxed()))
    }
}
