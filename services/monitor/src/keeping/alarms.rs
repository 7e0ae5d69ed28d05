//! Raising, folding and clearing alerts, each in a commit of its own.

use fallow_api::status::Failure;
use fallow_domain::ids::{AlertId, Label, Note};
use fallow_domain::monitor::alarm::{self, Act, Folded, Since};
use fallow_domain::monitor::conditions::{self, Condition, Outside};
use fallow_domain::monitor::kept::{Alert, Kept};
use fallow_domain::standing::Claim;
use fallow_ledger::record::{Record, alert_key, cause_claim_key};
use fallow_ledger::transact::Step;
use fallow_live::Live;
use fallow_live::call::new_id;
use jiff::Timestamp;

use super::by_monitor;
use crate::kept::alert_of;
use crate::past::Moment;
use crate::timeline::clock;

/// Looks at a moment and does what its conditions come to. Returns since when what is the matter is so.
///
/// # Errors
/// The store's troubles; what was not done then is decided again at the next look.
pub(super) async fn keep(
    live: &Live,
    moment: &Moment,
    store_caveat: &str,
    mut since: Since,
) -> Result<Since, Failure> {
    let outside =
        Outside { store_caveat: store_caveat.to_owned(), unreadable: live.picture().unreadable().len() };
    let mut found = conditions::of(&moment.situation(), &moment.records, &moment.region, &outside);
    let clock = clock(&moment.region);
    found.extend(conditions::of_actions(moment.shelf.actions(), &moment.region, &clock, moment.at));
    let alerts: Vec<&Alert> = moment.shelf.alerts.iter().map(|(alert, _)| alert).collect();
    let acts = alarm::decide(&found, &alerts, &moment.region.policy.alerts, &mut since, moment.at);
    for act in acts {
        match act {
            Act::Raise(condition, with) => raise(live, &condition, &with, moment.at).await?,
            Act::Tell(id, now, with) => {
                change(live, "FoldAlert", &id, moment.at, |alert| alarm::told(alert, &now, &with)).await?;
            }
            Act::Clear(id, note) => clear(live, &id, &note, moment.at).await?,
        }
    }
    Ok(since)
}

/// Raises an alert, unless another copy has raised one of the same cause.
async fn raise(live: &Live, condition: &Condition, with: &Folded, at: Timestamp) -> Result<(), Failure> {
    let Ok(id) = AlertId::parse(&new_id()) else { return Ok(()) };
    let alert = alarm::raised(id, condition, with, at);
    let (key, claim) = (alert_key(&alert.id), cause_claim_key(alert.rule.as_str(), alert.cause.as_str()));
    let holder = Label::parse(&key.id).unwrap_or_default();
    live.mutate(&by_monitor("RaiseAlert", at), vec![claim.clone()], |view| {
        if view.get(&claim).is_some() {
            return Ok(Step::Answer(()));
        }
        let alert = Record::Monitor(Box::new(Kept::Alert(alert.clone())));
        let claimed = Record::Claim(Claim { holder: holder.clone() });
        Ok(Step::Write {
            writes: vec![(key.clone(), Some(alert)), (claim.clone(), Some(claimed))],
            answer: (),
        })
    })
    .await
    .map(drop)
}

async fn change(
    live: &Live,
    verb: &'static str,
    id: &AlertId,
    at: Timestamp,
    change: impl Fn(Alert) -> Alert + Send + Sync,
) -> Result<(), Failure> {
    let key = alert_key(id);
    live.mutate(&by_monitor(verb, at), vec![key.clone()], |view| {
        let Some(was) = view.get(&key).and_then(alert_of) else { return Ok(Step::Answer(())) };
        // Over meanwhile, by another copy's look.
        if !was.stands() {
            return Ok(Step::Answer(()));
        }
        let now = change(was.clone());
        if now == *was {
            return Ok(Step::Answer(()));
        }
        let now = Record::Monitor(Box::new(Kept::Alert(now)));
        Ok(Step::Write { writes: vec![(key.clone(), Some(now))], answer: () })
    })
    .await
    .map(drop)
}

/// Notes that the cause of an alert is over, and gives its name free.
async fn clear(live: &Live, id: &AlertId, note: &Note, at: Timestamp) -> Result<(), Failure> {
    let key = alert_key(id);
    live.mutate(&by_monitor("ClearAlert", at), vec![key.clone()], |view| {
        let Some(was) = view.get(&key).and_then(alert_of).filter(|alert| alert.stands()) else {
            return Ok(Step::Answer(()));
        };
        let claim = cause_claim_key(was.rule.as_str(), was.cause.as_str());
        if !view.has_read(&claim) {
            return Ok(Step::Read(vec![claim]));
        }
        let now = Record::Monitor(Box::new(Kept::Alert(alarm::cleared(was.clone(), note, at))));
        let mut writes = vec![(key.clone(), Some(now))];
        if view.get(&claim).is_some() {
            writes.push((claim, None));
        }
        Ok(Step::Write { writes, answer: () })
    })
    .await
    .map(drop)
}
