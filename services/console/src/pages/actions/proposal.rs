//! One live proposal, for those above its trusts: bypassing it, and answering for a trust that cannot.

use askama::Template;
use axum::extract::Query;
use axum::response::Response;
use fallow_api::v1::action::Call;
use fallow_api::v1::{
    Action, AnswerProposalRequest, BypassProposalRequest, DeclineReason, GetNeedRequest, GetProposalRequest,
    GetRegionRequest, Need, OverrideReason, Proposal, ProposeActionRequest, Region, Verdict, answer,
    proposal as wire,
};
use http::StatusCode;
use serde::Deserialize;

use super::super::frame::{Frame, Place, rendered};
use super::super::problem::{Control, summary};
use super::super::situation::sections::{Entry, Section, sections};
use super::view::{self, ANSWER_ROLES, BYPASS_ROLES, OVERRIDES};
use crate::app::Visit;
use crate::directory::Directory;
use crate::form::{Fields, Posted};
use crate::problem::Problem;
use crate::routes;
use crate::words::codes;
use crate::words::time::from_wire;

/// The controls of the page's forms, for the error summary.
const CONTROLS: &[Control] = &[
    Control::new("code", "code", "Why, by code"),
    Control::new("reason", "reason", "Why"),
    Control::new("for_trust", "for-trust", "For which trust"),
    Control::new("answer_proposal.reason", "decline", "Why the trust says no"),
    Control::new("verdict", "for-trust", "Answer"),
];

/// Which proposal.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    id: String,
}

#[derive(Template)]
#[template(path = "actions/proposal.html")]
struct Page {
    frame: Frame,
    sections: Vec<Entry>,
    problem: String,
    csrf: String,
    id: String,
    revision: i64,
    what: String,
    trusts: String,
    supporting: String,
    home: String,
    /// What each side has said.
    sides: Vec<(String, codes::Tag)>,
    until: String,
    /// Why it ended, where it did.
    ended: Option<String>,
    /// Whether gold may bypass it alone, for there is an incident.
    may_bypass: bool,
    /// Whether the viewer may ask a second person to bypass it.
    may_ask_bypass: bool,
    /// The trusts that the viewer may answer for with somebody else: code, name, whether they were chosen.
    may_answer: Vec<(String, String, bool)>,
    is_answered: bool,
    /// Value, words, whether it was chosen.
    codes: Vec<(&'static str, &'static str, bool)>,
    declines: Vec<(&'static str, &'static str, bool)>,
    reason: String,
    verdict: String,
}

/// `GET /actions/proposal`
pub(crate) async fn page(visit: Visit, Query(asked): Query<Asked>) -> Response {
    show(&visit, &asked.id, &Fields::default(), None).await
}

/// `POST /actions/bypass`: gold alone, in an incident.
pub(crate) async fn bypass(Posted { visit, fields }: Posted) -> Response {
    let id = fields.text("proposal");
    let request = BypassProposalRequest {
        request_id: fields.request_id(),
        expected_revision: fields.revision(),
        proposal: id.to_owned(),
        reason: fields.text("reason").to_owned(),
        ..BypassProposalRequest::default()
    };
    match visit.calls.matching().bypass_proposal(request).await {
        Ok(answer) => {
            let ended = answer.into_inner().proposal.unwrap_or_default();
            let directory = visit.directory().await.unwrap_or_default();
            let (supporting, home) =
                (directory.trust(&ended.supporting_trust), directory.trust(&ended.home_trust));
            let said = format!(
                "Bypassed. {supporting} and {home} are told, with your reason: {}. Fallow looks for another offer.",
                ended.ended_because
            );
            visit.done(said, "/actions")
        }
        Err(status) => show(&visit, id, &fields, Some(status.into())).await,
    }
}

/// `POST /actions/glass`: asks a second person to bypass it without an incident, or to answer for a trust.
pub(crate) async fn glass(Posted { visit, fields }: Posted) -> Response {
    let id = fields.text("proposal");
    let made = async {
        let request = ProposeActionRequest {
            request_id: fields.request_id(),
            action: Some(action(&fields)?),
            ..ProposeActionRequest::default()
        };
        Ok::<_, Problem>(visit.calls.monitor().propose_action(request).await?)
    };
    match made.await {
        Ok(_) => visit.done(
            "Asked for. Both trusts see it now. Nothing is done until a second person, in another role, confirms it here.",
            "/actions",
        ),
        Err(problem) => show(&visit, id, &fields, Some(problem)).await,
    }
}

/// Reads what is asked for.
fn action(fields: &Fields) -> Result<Action, Problem> {
    let (proposal, reason) = (fields.text("proposal").to_owned(), fields.text("reason").to_owned());
    let code = OverrideReason::from_str_name(&format!("OVERRIDE_REASON_{}", fields.text("code")));
    let code = code.filter(|code| *code != OverrideReason::Unspecified);
    let code = code.ok_or_else(|| Problem::invalid("code", "choose why"))?;
    let (call, for_trust) = match fields.text("answer") {
        "accept" | "decline" => {
            let is_no = fields.text("answer") == "decline";
            let why = codes::read_decline(fields.text("decline")).filter(|_| is_no);
            let answer = AnswerProposalRequest {
                proposal,
                verdict: if is_no { Verdict::Decline } else { Verdict::Accept }.into(),
                reason: why.unwrap_or(DeclineReason::Unspecified).into(),
                ..AnswerProposalRequest::default()
            };
            (Call::AnswerProposal(answer), fields.text("for_trust").to_owned())
        }
        _ => {
            let reason = reason.clone();
            let bypass = BypassProposalRequest { proposal, reason, ..BypassProposalRequest::default() };
            (Call::BypassProposal(bypass), String::new())
        }
    };
    Ok(Action { call: Some(call), for_trust, code: code.into(), reason, ..Action::default() })
}

async fn show(visit: &Visit, id: &str, fields: &Fields, problem: Option<Problem>) -> Response {
    if let Some(way) = problem.as_ref().and_then(|problem| visit.way_out(problem)) {
        return way;
    }
    let read = async {
        let request = GetProposalRequest { proposal: id.to_owned() };
        let proposal =
            visit.calls.matching().get_proposal(request).await?.into_inner().proposal.unwrap_or_default();
        let region = visit.calls.monitor().get_region(GetRegionRequest {}).await?.into_inner().region;
        let request = GetNeedRequest { need: proposal.need.clone() };
        // Not everybody who may act sees the need; the proposal is shown without it.
        let need =
            visit.calls.demand().get_need(request).await.ok().and_then(|answer| answer.into_inner().need);
        Ok::<_, Problem>((proposal, region.unwrap_or_default(), need))
    };
    let (frame, read, directory) =
        tokio::join!(Frame::read(visit, Place::Situation, "Act on a proposal"), read, visit.directory());
    visit.answer(read.map(|read| {
        let status = problem.as_ref().map_or(StatusCode::OK, Problem::http_status);
        let problem = problem.map_or_else(String::new, |problem| summary(&problem, CONTROLS));
        let page = Page::new(visit, frame, problem, fields, read, &directory.unwrap_or_default());
        routes::html(status, rendered(&page))
    }))
}

impl Page {
    fn new(
        visit: &Visit,
        frame: Frame,
        problem: String,
        fields: &Fields,
        (proposal, region, need): (Proposal, Region, Option<Need>),
        directory: &Directory,
    ) -> Self {
        let viewer = visit.viewer();
        let role = viewer.role.as_str();
        let is_live = proposal.state() == wire::State::Held;
        let is_incident = is_incident_between(&region, &proposal);
        let name = |trust: &str| directory.trust(trust).to_owned();
        let sides =
            [(&proposal.supporting_trust, &proposal.supporting), (&proposal.home_trust, &proposal.home)];
        let states = sides.map(|(trust, said)| {
            let state = said.as_ref().map_or(answer::State::Pending, |said| said.state());
            (trust, state)
        });
        let own = |trust: &&String| role != "site_lead" || viewer.trust.as_ref() == Some(trust);
        let chosen = fields.text("for_trust");
        let may_answer = states
            .iter()
            .filter(|(_, state)| is_live && *state == answer::State::Pending && ANSWER_ROLES.contains(&role))
            .map(|(trust, _)| trust)
            .filter(|trust| own(trust))
            .map(|trust| ((*trust).clone(), name(trust), *trust == chosen))
            .collect();
        let is_answered = states.iter().any(|(_, state)| *state != answer::State::Pending);
        let is_bypassable = is_live && !is_answered;
        let held_until = from_wire(proposal.held_until.as_ref());
        Self {
            frame,
            sections: sections(visit, Section::Actions),
            problem,
            csrf: visit.signed.csrf.clone(),
            revision: proposal.revision,
            what: view::what(&proposal, need.as_ref()),
            trusts: view::between(&proposal, directory),
            supporting: name(&proposal.supporting_trust),
            home: name(&proposal.home_trust),
            sides: states.iter().map(|(trust, state)| (name(trust), codes::answer_state(*state))).collect(),
            until: held_until.map(|until| visit.now.clock(until)).unwrap_or_default(),
            ended: (!is_live).then(|| proposal.ended_because.clone()),
            may_bypass: is_bypassable && role == "gold" && is_incident,
            may_ask_bypass: is_bypassable && !(role == "gold" && is_incident) && BYPASS_ROLES.contains(&role),
            may_answer,
            is_answered,
            codes: OVERRIDES
                .iter()
                .map(|(code, words)| (code_key(*code), *words, code_key(*code) == fields.text("code")))
                .collect(),
            declines: codes::DECLINES
                .iter()
                .map(|code| {
                    (
                        codes::decline_key(*code),
                        codes::decline(*code),
                        codes::decline_key(*code) == fields.text("decline"),
                    )
                })
                .collect(),
            reason: fields.text("reason").to_owned(),
            verdict: fields.text("answer").to_owned(),
            id: proposal.id,
        }
    }
}

fn code_key(code: OverrideReason) -> &'static str {
    code.as_str_name().trim_start_matches("OVERRIDE_REASON_")
}

/// Says whether a collaborative is in incident mode that joins the supporting trust with the home trust, or with a third
/// one whose team comes. The service decides.
pub(in crate::pages) fn is_incident_between(region: &Region, proposal: &Proposal) -> bool {
    // A team of the home or the supporting trust has no answer of its own.
    let third = proposal.team.as_ref().filter(|team| team.answer.is_some()).map(|team| &team.trust);
    region.collaboratives.iter().any(|one| {
        let has = |trust| one.members.contains(trust);
        codes::is_incident(one.mode())
            && has(&proposal.supporting_trust)
            && (has(&proposal.home_trust) || third.is_some_and(has))
    })
}
