//! Alerts: listing and watching them, and the two things that people do with them.

use std::collections::BTreeSet;

use fallow_api::convert::codes::Coded;
use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, resource, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::actor::{Actor, Role};
use fallow_domain::ids::{AlertId, Note, TrustCode};
use fallow_domain::monitor::alarm;
use fallow_domain::monitor::kept::{Alert, AlertState, Kept};
use fallow_domain::monitor::rules::{AlertPolicy, Rule};
use fallow_domain::refusal::{Refusal, reason};
use fallow_ledger::record::{Record, alert_key};
use fallow_ledger::transact::{Done, Step};
use fallow_ledger::{RecordKind, Revision};
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use fallow_live::visibility::Viewer;
use fallow_live::watch::{Told, Watching};
use futures::Stream;

use crate::chronicle::{may_see_alert, shown};
use crate::kept::{Shelf, alert_of};

/// Which alerts are wanted.
struct Filter {
    trusts: Vec<TrustCode>,
    states: Vec<AlertState>,
    ids: BTreeSet<AlertId>,
}

impl Filter {
    fn fits(&self, alert: &Alert) -> bool {
        let of_trust = self.trusts.is_empty() || alert.trusts.iter().any(|trust| self.trusts.contains(trust));
        let states: &[AlertState] = match self.states.as_slice() {
            [] if self.ids.is_empty() => &[AlertState::Raised, AlertState::Taken],
            [] => AlertState::ALL,
            asked => asked,
        };
        let is_named = self.ids.is_empty() || self.ids.contains(&alert.id);
        of_trust && is_named && states.contains(&alert.state)
    }
}

/// Most trusts that a filter names.
const TRUSTS_MAX: usize = 500;
/// Most alerts that a filter names.
const IDS_MAX: usize = 100;

fn trusts(check: &mut Check<'_>, wire: &[String]) -> Vec<TrustCode> {
    if !check.at_most("trusts", wire.len(), TRUSTS_MAX) {
        return Vec::new();
    }
    wire.iter().enumerate().filter_map(|(at, code)| check.ods(&format!("trusts[{at}]"), code)).collect()
}

/// Lists a page of alerts, newest first.
///
/// # Errors
/// Violations of the request.
pub(crate) fn list(call: &Call, request: &v1::ListAlertsRequest) -> Result<v1::ListAlertsResponse, Failure> {
    let mut check = Check::new("");
    let trusts = trusts(&mut check, &request.trusts);
    let mut states = Vec::new();
    if check.at_most("states", request.states.len(), AlertState::ALL.len()) {
        for (at, state) in request.states.iter().enumerate() {
            states.extend(check.coded::<AlertState>(&format!("states[{at}]"), *state));
        }
    }
    let mut ids = BTreeSet::new();
    if check.at_most("ids", request.ids.len(), IDS_MAX) {
        for (at, id) in request.ids.iter().enumerate() {
            ids.extend(check.id(&format!("ids[{at}]"), id, AlertId::parse));
        }
    }
    let filter = check.finish(Some(Filter { trusts, states, ids }))?;
    let query = format!(
        "ListAlerts {:?} {:?} {:?} {:?} {:?}",
        call.actor.role, call.actor.trust, filter.trusts, filter.states, filter.ids
    );
    let page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let shelf = Shelf::read(call.live.picture());
    let viewer = call.viewer();
    let one = |(alert, revision): &(Alert, Revision)| Some((shown(&viewer, alert)?, *revision));
    let seen: Vec<(Alert, Revision)> = shelf.alerts.iter().filter_map(one).collect();
    // Which rules nobody acts on counts the whole region: it decides for everybody alike.
    let policy = &call.region.region.policy.alerts;
    let records = alarm::records(shelf.alerts.iter().map(|(alert, _)| alert), call.at).into_iter();
    let is_digest = |(_, record): &(Rule, alarm::Record)| record.is_digest(policy);
    let raised = alarm::spent(seen.iter().map(|(alert, _)| alert), call.at);
    let found = seen.into_iter().filter(|(alert, _)| filter.fits(alert));
    let (found, next_page_token) = call.live.pages().cut(&page, &query, found);
    Ok(v1::ListAlertsResponse {
        alerts: found.into_iter().map(|(alert, revision)| to_wire(&alert, revision, policy)).collect(),
        next_page_token,
        revision: number_to_wire(shelf.revision.0),
        raised_24h: number_to_wire(raised),
        per_day: policy.per_day.into(),
        digest_rules: records.filter(is_digest).map(|(rule, _)| rule.to_string()).collect(),
    })
}

/// Starts a watch of alerts that are not closed.
///
/// # Errors
/// Violations of the request; `CURSOR_GONE`; [`Failure::NotReady`].
pub(crate) fn watch(
    call: Call,
    request: v1::WatchAlertsRequest,
    stopping: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Stream<Item = Result<Told<v1::Alert>, Failure>> + Send, Failure> {
    let mut check = Check::new("");
    let trusts = trusts(&mut check, &request.trusts);
    let filter = check.finish(Some(Filter { trusts, states: Vec::new(), ids: BTreeSet::new() }))?;
    let (picture, role) = (call.live.picture().clone(), call.actor.role);
    let (live, actor): (_, Actor) = (call.live, call.actor);
    // Rights and the region are looked at each time, for a watch outlives them.
    let seeing = move |record: &Record, revision: Revision| {
        let alert = alert_of(record)?;
        let region = live.region().ok()?;
        let (viewer, policy) =
            (Viewer { actor: &actor, region: &region.region }, &region.region.policy.alerts);
        shown(&viewer, alert)
            .filter(|alert| filter.fits(alert))
            .map(|alert| to_wire(&alert, revision, policy))
    };
    let watching = Watching::start(&picture, RecordKind::Monitor, &request.cursor, seeing)?.for_role(role);
    Ok(watching.into_stream(stopping))
}

/// What somebody does with an alert.
pub(crate) enum Deed {
    /// Takes it.
    Take,
    /// Closes it.
    Close(Note),
}

/// Parses which alert is meant.
pub(crate) fn id(check: &mut Check<'_>, id: &str) -> Option<AlertId> {
    check.id("alert", id, AlertId::parse)
}

/// Takes or closes an alert. To take one's own again, or to close a closed one again, changes nothing.
///
/// # Errors
/// [`Failure::NotFound`]; [`Failure::Forbidden`] (`ROLE_FORBIDS`) for another trust's alert; `ILLEGAL_TRANSITION` to
/// take one that is closed, and to close one about what takes two people.
pub(crate) async fn act(
    call: &Call,
    mutation: &Mutation,
    id: &AlertId,
    deed: &Deed,
) -> Result<Done<Alert>, Failure> {
    let key = alert_key(id);
    call.live.hear_of(&key).await?;
    let missing = || Failure::NotFound { record: "alert", id: id.to_string() };
    call.live
        .mutate(mutation, vec![key.clone()], |view| {
            let was = view.get(&key).and_then(alert_of).ok_or_else(missing)?;
            if shown(&call.viewer(), was).is_none() {
                return Err(missing());
            }
            // Who sees only what an alert explains of their trust does not act on the whole.
            if !may_see_alert(&call.viewer(), was) || !may_act(&call.actor, was) {
                let text = "the alert is not of your trust: its own people, or gold, act on it";
                return Err(Failure::Forbidden { reason: reasons::ROLE_FORBIDS, text: text.to_owned() });
            }
            let mut alert = was.clone();
            match (deed, was.state) {
                (Deed::Take, AlertState::Closed) => {
                    let text = "the alert is closed: there is nothing to take";
                    return Err(Failure::Refused(Refusal::new(reason::ILLEGAL_TRANSITION, text)));
                }
                (Deed::Take, AlertState::Taken) if was.taken_by.as_ref() == Some(&mutation.actor) => {}
                (Deed::Take, AlertState::Raised | AlertState::Taken) => {
                    alert.state = AlertState::Taken;
                    alert.taken_at = Some(mutation.at);
                    alert.taken_by = Some(mutation.actor.clone());
                }
                (Deed::Close(_), AlertState::Closed) => {}
                // Closed, it would be quiet for everybody, and whoever broke glass is one of them.
                (Deed::Close(_), AlertState::Raised | AlertState::Taken) if !may_be_closed(was.rule) => {
                    let text = "the alert is about what takes two people, and ends with it: review, confirm or refuse \
                                it instead";
                    return Err(Failure::Refused(Refusal::new(reason::ILLEGAL_TRANSITION, text)));
                }
                (Deed::Close(note), AlertState::Raised | AlertState::Taken) => {
                    alert.state = AlertState::Closed;
                    alert.closed_at = Some(mutation.at);
                    alert.closed_by = Some(mutation.actor.clone());
                    alert.note = note.clone();
                }
            }
            let answer = shown(&call.viewer(), &alert).ok_or_else(missing)?;
            if alert == *was {
                return Ok(Step::Answer(answer));
            }
            let record = Record::Monitor(Box::new(Kept::Alert(alert)));
            Ok(Step::Write { writes: vec![(key.clone(), Some(record))], answer })
        })
        .await
}

/// Says whether somebody may act on an alert that they see: of one's own trust, or from above the trust.
fn may_act(actor: &Actor, alert: &Alert) -> bool {
    match actor.role {
        Role::Gold | Role::Icb | Role::Coordinator | Role::LeadProvider => true,
        Role::BedManager | Role::SiteLead => actor.trust.is_some_and(|own| alert.trusts.contains(&own)),
        Role::TrustSystem | Role::Engine | Role::Console | Role::Auditor | Role::PlatformAdmin => false,
    }
}

/// Says whether a person may end an alert of a rule. What takes two people ends by what they do about it alone.
const fn may_be_closed(rule: Rule) -> bool {
    match rule {
        Rule::ActionWaits | Rule::GlassBroken => false,
        Rule::TrustPressure
        | Rule::RegionNet
        | Rule::FeedSilent
        | Rule::NeedUnserved
        | Rule::TransferOverdue
        | Rule::OfferShort
        | Rule::RecordUnreadable
        | Rule::StoreCaveat => true,
    }
}

/// Writes an alert for the wire. Who took and who closed it is told by role and trust, and never by name.
pub(crate) fn to_wire(alert: &Alert, revision: Revision, policy: &AlertPolicy) -> v1::Alert {
    let who = |by: Option<&Actor>| {
        by.map_or_else(String::new, |by| match by.trust {
            Some(trust) => format!("{} {trust}", by.role),
            None => by.role.to_string(),
        })
    };
    v1::Alert {
        id: alert.id.to_string(),
        rule: alert.rule.to_string(),
        text: alert.text.to_string(),
        trusts: alert.trusts.iter().map(ToString::to_string).collect(),
        resource: alert.resource.as_ref().map(resource::key_to_wire),
        subjects: alert.subjects.iter().map(ToString::to_string).collect(),
        state: alert.state.to_wire(),
        owner: who(alert.taken_by.as_ref()),
        raised_at: Some(time::to_wire(alert.raised_at)),
        taken_at: alert.taken_at.map(time::to_wire),
        closed_at: alert.closed_at.map(time::to_wire),
        revision: number_to_wire(revision.0),
        children: alert.children.iter().map(|child| child.text.to_string()).collect(),
        digest: alert.digest,
        note: alert.note.to_string(),
        cleared: !alert.stands(),
        cleared_at: alert.cleared_at.map(time::to_wire),
        closed_by: who(alert.closed_by.as_ref()),
        rule_text: alert.rule.words(policy.of(alert.rule)),
    }
}

#[cfg(test)]
mod tests;
