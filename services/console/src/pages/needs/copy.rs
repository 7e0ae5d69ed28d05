//! Why a need is not served, as text for whoever is told of it.

use axum::extract::Query;
use axum::response::Response;
use fallow_api::render;
use fallow_api::v1::{ExplainNeedRequest, GetNeedRequest};
use serde::Deserialize;

use super::super::proposals::copy::plain;
use crate::app::Visit;
use crate::problem::Problem;

/// Which need.
#[derive(Debug, Clone, Default, Deserialize)]
pub(crate) struct Asked {
    #[serde(default)]
    need: String,
}

/// `GET /needs/text`
pub(crate) async fn text(visit: Visit, Query(asked): Query<Asked>) -> Response {
    let made = async {
        let (mut matching, mut demand) = (visit.calls.matching(), visit.calls.demand());
        let explain = ExplainNeedRequest { need: asked.need.clone(), ..ExplainNeedRequest::default() };
        let known = GetNeedRequest { need: asked.need };
        let (explained, known) = tokio::join!(matching.explain_need(explain), demand.get_need(known));
        let unserved = explained?.into_inner().unserved.unwrap_or_default();
        let need = known?.into_inner().need.unwrap_or_default();
        let said = render::unserved(&need, &unserved, &visit.now.zone);
        Ok::<_, Problem>(plain(render::plain_unserved(&said, &|_| None)))
    };
    visit.answer(made.await)
}
