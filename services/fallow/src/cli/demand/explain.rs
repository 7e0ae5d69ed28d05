//! `fallow why-not`: why a need is not served, and which command would help.

use fallow_api::render::{self, gold};
use fallow_api::v1::unserved_explanation::change::Change;
use fallow_api::v1::{ExplainNeedRequest, ExplainNeedResponse, Need, UnservedExplanation};

use super::{WhyNot, find};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::time;

/// Runs `fallow demand explain`.
pub(crate) async fn explain(session: &mut Session<'_>, args: WhyNot) -> Result<Exit, Failure> {
    let need = find(session, &args.id).await?;
    let trust = args.trust.map(|trust| trust.to_uppercase()).unwrap_or_default();
    let client = session.matching()?;
    let answer = session
        .call(ExplainNeedRequest { need: need.id.clone(), trust }, async |ask| {
            client.clone().explain_need(ask).await
        })
        .await?;
    let names = session.names().await?;
    let unserved = answer.unserved.as_ref().is_some_and(|why| why.unserved > 0);
    let alarm = match answer.unserved.as_ref().filter(|why| unserved && why.gold_told_at.is_some()) {
        Some(why) => alarm(&need, why, &names, session).await?,
        None => None,
    };
    let text = text(&need, &answer, (unserved, alarm), &names, session);
    session.show_message(&answer, &need.id, &text)?;
    Ok(if unserved && answer.proposals.is_empty() { Exit::NothingMatched } else { Exit::Ok })
}

/// Says when gold is told of the need, or was. Where alerts cannot be read, only what is still to come is said.
async fn alarm(
    need: &Need,
    why: &UnservedExplanation,
    names: &render::Names,
    session: &Session<'_>,
) -> Result<Option<String>, Failure> {
    let client = session.monitor()?;
    let alerts = session.call(gold::asks(need), async |ask| client.clone().list_alerts(ask).await).await;
    let (now, zone) = (session.now(), &session.zone);
    let owner = |who: &str| match who.split_once(' ') {
        Some((role, trust)) => format!("{}, {}", role.replace('_', " "), names.trust(trust)),
        None => who.replace('_', " "),
    };
    let words = gold::Words { clock: &|at| time::show(at, now, zone), owner: &owner };
    Ok(gold::told(need, why.gold_told_at.as_ref(), &alerts.unwrap_or_default(), now, &words))
}

fn text(
    need: &Need,
    answer: &ExplainNeedResponse,
    (unserved, alarm): (bool, Option<String>),
    names: &render::Names,
    session: &Session<'_>,
) -> String {
    let mut text = String::new();
    if let Some(why) = answer.unserved.as_ref().filter(|_| unserved) {
        let mut why = render::unserved(need, why, &session.zone);
        why.notes.extend(alarm.map(|text| render::Line { label: "Alarm", text }));
        text.push_str(&render::plain_unserved(&why, &|change| command(need, change)));
    }
    for proposal in &answer.proposals {
        let from = names.trust(&proposal.supporting_trust);
        let what = render::need_in_words(need, &session.zone);
        text.push_str(&format!("{what}    {} proposed from {from}\n", proposal.units));
        text.push_str(&render::plain(&render::proposal(proposal, names, &session.zone)));
    }
    if text.is_empty() {
        text = format!("{}    every unit is placed\n", render::need_in_words(need, &session.zone));
    }
    text
}

/// The command that makes a change, where one person can make it here.
fn command(need: &Need, change: &Change) -> Option<String> {
    let name = if need.case_ref.is_empty() { &need.id } else { &need.case_ref };
    match change {
        Change::TravelLimit(limit) => {
            Some(format!("fallow demand amend {name} --max-travel {}m", limit.minutes))
        }
        Change::Confirm(confirm) => Some(format!("fallow capacity ask {}", confirm.trust)),
        Change::LaterBy(later) => {
            let at = time::from_wire(later.needed_by)?;
            Some(format!("fallow demand amend {name} --needed-by {at}"))
        }
        // Only the other trust can do these; the words say what to ask it for.
        Change::MoreUnits(_) | Change::LowerReserve(_) | Change::FindTeam(_) => None,
    }
}
