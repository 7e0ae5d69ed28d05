//! An explanation to take away: as text for whoever is told of it, and whole for whoever checks it.

use axum::extract::Query;
use axum::response::{IntoResponse, Response};
use fallow_api::render;
use fallow_api::v1::{GetProposalRequest, Proposal};
use http::HeaderValue;
use http::header::CONTENT_TYPE;
use serde::Deserialize;

use super::view;
use crate::app::Visit;
use crate::problem::Problem;
use crate::words::time::from_wire;

/// Which proposal.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    id: String,
}

/// `GET /proposals/text`: what is proposed and why, as text.
pub(crate) async fn text(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let made = async {
        let proposal = read(&visit, &asked).await?;
        let proposals = std::slice::from_ref(&proposal);
        let (needs, offers, directory) = tokio::join!(
            super::needs_of(&visit, proposals),
            super::offers_of(&visit, proposals),
            visit.directory()
        );
        let (directory, now) = (directory?, &visit.now);
        let (need, offer) = (needs.get(&proposal.need), offers.get(&proposal.offer));
        let resource = need.and_then(|one| one.resource.as_ref());
        let resource = resource.or(offer.and_then(|one| one.resource.as_ref()));
        let held = from_wire(proposal.held_until.as_ref()).map(|until| now.clock(until));
        let said = format!(
            "{} for {}, from {}{}\n{}",
            view::what(&proposal, resource),
            view::for_whom(&proposal, need, &directory),
            view::place(&proposal, offer, now, &directory),
            held.map(|until| format!(", held until {until}")).unwrap_or_default(),
            render::plain(&render::proposal(&proposal, directory.names(), &now.zone)),
        );
        Ok::<_, Problem>(plain(said))
    };
    visit.answer(made.await)
}

/// `GET /proposals/raw`: the proposal and its explanation as the services have them.
pub(crate) async fn raw(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let made = async {
        let proposal = read(&visit, &asked).await?;
        let json = fallow_api::json::to_string(&proposal)
            .map_err(|error| Problem::invalid("id", &error.to_string()))?;
        Ok::<_, Problem>(
            ([(CONTENT_TYPE, HeaderValue::from_static("application/json"))], json).into_response(),
        )
    };
    visit.answer(made.await)
}

async fn read(visit: &Visit, asked: &Asked) -> Result<Proposal, Problem> {
    let request = GetProposalRequest { proposal: asked.id.clone() };
    let answer = visit.calls.matching().get_proposal(request).await?.into_inner();
    answer.proposal.ok_or_else(Problem::not_found)
}

/// Answers with text.
pub(in crate::pages) fn plain(text: String) -> Response {
    ([(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))], text).into_response()
}
