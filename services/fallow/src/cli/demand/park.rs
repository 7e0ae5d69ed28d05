//! Needs that are put aside, and taken up again.

use fallow_api::v1::{ParkNeedRequest, ResumeNeedRequest};

use super::args::{Park, Resume};
use super::find;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::time::{self, to_wire};

/// Runs `fallow demand park`.
pub(super) async fn park(session: &mut Session<'_>, args: Park) -> Result<Exit, Failure> {
    // A time that is none is said before anything is asked for.
    let review_at = time::parse(&args.review, session.now(), &session.zone)?;
    let (need, id) = (find(session, &args.id).await?, args.change.request_id());
    let request = ParkNeedRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        need: need.id,
        review_at: Some(to_wire(review_at)),
        reason: args.reason,
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().park_need(ask).await).await?;
    let until = time::show(review_at, session.now(), &session.zone);
    session.show_changed(answer.need.as_ref(), &format!("parked until {until}"), answer.revision)
}

/// Runs `fallow demand resume`.
pub(super) async fn resume(session: &mut Session<'_>, args: Resume) -> Result<Exit, Failure> {
    let (need, id) = (find(session, &args.id).await?, args.change.request_id());
    let request = ResumeNeedRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        need: need.id,
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().resume_need(ask).await).await?;
    session.show_changed(answer.need.as_ref(), "taken up again", answer.revision)
}
