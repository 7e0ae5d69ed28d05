//! The situation report: the region as of a time, on one page, which somebody signs off.

use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, need, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::ids::Text;
use fallow_domain::monitor::kept::{Alert, AlertState, Kept, SIGNED_BYTES_MAX, SignOff};
use fallow_domain::need::Need;
use fallow_domain::offer::Freshness;
use fallow_domain::refusal::Refusal;
use fallow_domain::situation::{Situation, is_overdue};
use fallow_ledger::Revision;
use fallow_ledger::record::{Record, sign_off_key};
use fallow_ledger::transact::{Done, Step};
use fallow_live::RETRY_AFTER;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use jiff::{SignedDuration, Timestamp};

use crate::chronicle::shown;
use crate::past::Moment;
use crate::{alerts, decision, trend, view};

/// Most unmet needs that a report lists, the most overdue first.
const UNMET_MAX: usize = 200;
/// Most decisions, and most alerts, that a report lists.
const LISTED_MAX: usize = 100;
/// How far back decisions are listed when no report was signed before.
const DECISIONS_OVER: SignedDuration = SignedDuration::from_hours(24);

/// Parses as of when a report is; absent = now.
///
/// # Errors
/// A violation when it is in the future.
pub(crate) fn as_of(call: &Call, check: &mut Check<'_>, wire: Option<&prost_types::Timestamp>) -> Timestamp {
    let as_of = check.time("as_of", wire).unwrap_or(call.at);
    if as_of > call.at {
        check.wrong("as_of", reasons::WINDOW, "must not be in the future");
    }
    as_of
}

/// Returns the report as of a time: as it was signed, where it was and the caller sees the region; otherwise as the log
/// has it.
///
/// # Errors
/// `REVISION_GONE` when neither reaches back so far.
pub(crate) fn get(call: &Call, as_of: Timestamp, store_caveat: &str) -> Result<v1::Sitrep, Failure> {
    let signed = call.live.picture().get(&sign_off_key(as_of));
    let signed = signed.as_ref().and_then(|seen| Some((sign_off_of(&seen.record)?, seen.revision)));
    if let Some((sign_off, revision)) = signed.filter(|_| call.viewer().sees_region())
        && let Ok(mut report) = serde_json::from_str::<v1::Sitrep>(&sign_off.content)
    {
        sign(&mut report, sign_off, revision);
        return Ok(report);
    }
    let moment = moment(call, as_of)?;
    let mut report = of(call, &moment, store_caveat);
    if let Some((sign_off, revision)) = signed {
        sign(&mut report, sign_off, revision);
    }
    Ok(report)
}

fn moment(call: &Call, as_of: Timestamp) -> Result<Moment, Failure> {
    let picture = call.live.picture();
    let found = if as_of == call.at { Moment::now(picture, as_of) } else { Moment::at(picture, as_of) };
    found.ok_or_else(|| {
        if call.live.region().is_err() {
            return Failure::NotReady { retry_after: RETRY_AFTER };
        }
        let text = format!("the changes since {as_of} are no longer kept here: ask for a later time");
        Failure::Refused(Refusal::new(reasons::REVISION_GONE, text))
    })
}

/// Makes the report of a moment, as far as the caller sees it.
fn of(call: &Call, moment: &Moment, store_caveat: &str) -> v1::Sitrep {
    let viewer = call.viewer();
    let situation =
        Situation::within(&moment.region, &moment.states, &moment.records, moment.at, |trust, kind| {
            kind.map_or_else(|| viewer.knows_trust(trust), |kind| viewer.knows_kind(trust, kind))
        });
    let mut unmet: Vec<&Need> =
        moment.records.needs.values().filter(|need| is_overdue(need, moment.at)).collect();
    unmet.retain(|need| viewer.knows_kind(need.trust, need.resource.kind));
    unmet.sort_by_key(|need| (need.needed_by, need.id.clone()));
    let before = moment.shelf.sign_offs.iter().map(|(as_of, _)| *as_of).find(|at| *at < moment.at);
    let since = before.unwrap_or_else(|| moment.at.saturating_sub(DECISIONS_OVER).unwrap_or(moment.at));
    let decisions =
        moment.shelf.decisions.iter().filter(|(decision, _)| decision.at > since && viewer.sees_region());
    let told_of = |alert: &Alert| alert.state != AlertState::Closed && !alert.digest;
    let alerts = moment.shelf.alerts.iter().filter(|(alert, _)| told_of(alert));
    let stood = alerts.filter_map(|(alert, revision)| Some((shown(&viewer, alert)?, *revision)));
    let silent = situation.trusts.iter().filter(|(_, trust)| trust.freshness == Some(Freshness::Stale));
    let silent = silent.map(|(code, _)| code.to_string()).collect();
    let mut told =
        view::to_wire_of(&situation, &moment.region, &moment.state, "", moment.revision, store_caveat);
    if let Some(headline) = told.headline.as_mut().filter(|_| viewer.sees_region()) {
        trend::usual(headline, &situation.headline, &moment.shelf, moment.at);
    }
    v1::Sitrep {
        as_of: Some(time::to_wire(moment.at)),
        situation: Some(told),
        // A report is printed and passed on: it names no patient, whoever reads it.
        unmet: unmet
            .iter()
            .take(UNMET_MAX)
            .map(|need| need::to_wire(need, moment.revision.0, false))
            .collect(),
        decisions: decisions
            .take(LISTED_MAX)
            .map(|(decision, revision)| decision::to_wire(decision, *revision))
            .collect(),
        signed_off_by: String::new(),
        signed_off_at: None,
        revision: number_to_wire(moment.revision.0),
        signatory: String::new(),
        silent,
        alerts: stood.take(LISTED_MAX).map(|(alert, revision)| alerts::to_wire(&alert, revision)).collect(),
    }
}

fn sign(report: &mut v1::Sitrep, sign_off: &SignOff, revision: Revision) {
    report.signed_off_by = sign_off.by.role.to_string();
    report.signed_off_at = Some(time::to_wire(sign_off.at));
    report.signatory = sign_off.signatory.to_string();
    report.revision = number_to_wire(revision.0);
}

fn sign_off_of(record: &Record) -> Option<&SignOff> {
    match crate::kept::kept_of(record)? {
        Kept::SignOff(sign_off) => Some(sign_off),
        Kept::Decision(_) | Kept::Action(_) | Kept::Alert(_) | Kept::Rollup(_) => None,
    }
}

/// Parses a sign-off.
///
/// # Errors
/// Everything that is wrong with it.
pub(crate) fn parse(
    call: &Call,
    message: &v1::SignOffSitrepRequest,
) -> Result<(Mutation, Timestamp, Text<200>), Failure> {
    let mut check = Check::new("");
    check.required("as_of", message.as_of.as_ref());
    let at = as_of(call, &mut check, message.as_of.as_ref());
    let signatory = check.text("signatory", &message.signatory);
    let mutation = call.asked("SignOffSitrep", &mut check, message, Some(sign_off_key(at)));
    Ok((check.finish(mutation)?, at, signatory))
}

/// Signs a report off, and keeps it as it is signed. One that is signed already stays as it was: its first signature
/// counts.
///
/// # Errors
/// As [`get`]; as [`fallow_live::Live::mutate`].
pub(crate) async fn sign_off(
    call: &Call,
    mutation: &Mutation,
    as_of: Timestamp,
    signatory: &Text<200>,
    store_caveat: &str,
) -> Result<(v1::Sitrep, Done<SignOff>), Failure> {
    let mut report = get(call, as_of, store_caveat)?;
    let key = sign_off_key(as_of);
    let content = serde_json::to_string(&report).unwrap_or_default();
    let sign_off = SignOff {
        as_of,
        at: mutation.at,
        by: mutation.actor.clone(),
        signatory: signatory.clone(),
        content: if content.len() <= SIGNED_BYTES_MAX { content } else { String::new() },
    };
    let done = call.live.mutate(mutation, vec![key.clone()], |view| {
        if let Some(was) = view.get(&key).and_then(sign_off_of) {
            return Ok(Step::Answer(without_content(was)));
        }
        let record = Record::Monitor(Box::new(Kept::SignOff(sign_off.clone())));
        Ok(Step::Write { writes: vec![(key.clone(), Some(record))], answer: without_content(&sign_off) })
    });
    let done = done.await?;
    sign(&mut report, &done.answer, Revision(call.revision(&done, &key, mutation.validate_only)));
    Ok((report, done))
}

/// What an answer remembers: it is small on purpose.
fn without_content(sign_off: &SignOff) -> SignOff {
    SignOff { content: String::new(), ..sign_off.clone() }
}
