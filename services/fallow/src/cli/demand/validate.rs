//! Whether needs still stand: asking other trusts, and saying so of one's own.

use fallow_api::v1::{AskToValidateRequest, ValidateNeedRequest};

use super::args::{Ask, Validate};
use super::find;
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;

/// Runs `fallow demand ask`.
pub(super) async fn ask(session: &mut Session<'_>, args: Ask) -> Result<Exit, Failure> {
    let mut needs = Vec::new();
    for typed in &args.ids {
        needs.push(find(session, typed).await?.id);
    }
    let id = args.change.request_id();
    let request = AskToValidateRequest { request_id: id.clone(), validate_only: args.change.dry_run, needs };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().ask_to_validate(ask).await).await?;
    let text = match answer.asked {
        1 => "1 need is asked about\n".to_owned(),
        asked => format!("{asked} needs are asked about\n"),
    };
    session.show_message(&answer, "", &text)?;
    session.say_changed("asked", answer.revision)
}

/// Runs `fallow demand validate`.
pub(crate) async fn validate(session: &mut Session<'_>, args: Validate) -> Result<Exit, Failure> {
    let (need, id) = (find(session, &args.id).await?, args.change.request_id());
    let request = ValidateNeedRequest {
        request_id: id.clone(),
        validate_only: args.change.dry_run,
        expected_revision: args.expect.if_revision,
        need: need.id,
        consented: args.consented,
        fit: args.fit,
    };
    let client = session.demand()?;
    let answer = session.send(&id, request, async |ask| client.clone().validate_need(ask).await).await?;
    let said = match (args.consented, args.fit) {
        (true, true) => "it still stands: the patient has consented and is fit",
        (true, false) => "it still stands: the patient has consented, and is not fit yet",
        (false, true) => "it still stands: the patient is fit, and has not consented yet",
        (false, false) => "it still stands: the patient has not consented and is not fit yet",
    };
    session.show_changed(answer.need.as_ref(), said, answer.revision)
}
