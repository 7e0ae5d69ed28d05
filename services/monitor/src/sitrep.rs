//! The situation report: the region as of a time, on one page, which somebody signs off.

use std::collections::BTreeMap;

use fallow_api::convert::request::number_to_wire;
use fallow_api::convert::{Check, need, time};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::ids::{CollaborativeId, Text};
use fallow_domain::monitor::kept::{Alert, Kept, SIGNED_BYTES_MAX, SignOff};
use fallow_domain::monitor::position::{ALERTS_MAX, UNMET_MAX, for_report};
use fallow_domain::need::Need;
use fallow_domain::offer::Freshness;
use fallow_domain::refusal::Refusal;
use fallow_domain::region::Region;
use fallow_domain::situation::Situation;
use fallow_domain::standing::ModeChange;
use fallow_ledger::Revision;
use fallow_ledger::record::{Record, position_key, sign_off_key};
use fallow_ledger::transact::{Done, Step};
use fallow_live::RETRY_AFTER;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use fallow_live::visibility::Reach;
use jiff::{SignedDuration, Timestamp};

use crate::chronicle::shown;
use crate::kept::{Shelf, position_of};
use crate::past::Moment;
use crate::timeline::clock;
use crate::{alerts, decision, position, trend, view};

/// Most decisions that a report lists.
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
/// has it, or as it was taken down at the end of an hour.
///
/// # Errors
/// `REVISION_GONE` when none of them has the time.
pub(crate) fn get(call: &Call, as_of: Timestamp, store_caveat: &str) -> Result<v1::Sitrep, Failure> {
    let signed = call.live.picture().get(&sign_off_key(as_of));
    let signed = signed.as_ref().and_then(|seen| Some((sign_off_of(&seen.record)?, seen.revision)));
    if let Some((sign_off, revision)) = signed.filter(|_| call.viewer().sees_region())
        && let Ok(mut report) = serde_json::from_str::<v1::Sitrep>(&sign_off.content)
    {
        sign(&mut report, sign_off, revision);
        return Ok(report);
    }
    let picture = call.live.picture();
    let found = if as_of == call.at { Moment::now(picture, as_of) } else { Moment::at(picture, as_of) };
    let mut report = match found {
        Some(moment) => write(call, &of_moment(call, &moment), store_caveat),
        None => kept(call, as_of, store_caveat)?,
    };
    if let Some((sign_off, revision)) = signed {
        sign(&mut report, sign_off, revision);
    }
    Ok(report)
}

/// What a report is made of: the region at a moment, as the caller sees it.
struct Then<'a> {
    as_of: Timestamp,
    revision: Revision,
    situation: Situation,
    /// The region in force, with the modes of then.
    region: &'a Region,
    switched: &'a BTreeMap<CollaborativeId, ModeChange>,
    /// Needs that were not met in time, the most overdue first.
    unmet: Vec<&'a Need>,
    /// Alerts that stood, newest first.
    alerts: Vec<(&'a Alert, Revision)>,
    /// What the monitor keeps; later than then, too.
    shelf: &'a Shelf,
}

fn of_moment<'a>(call: &Call, moment: &'a Moment) -> Then<'a> {
    let reach = call.viewer().reach();
    let sees = |trust, kind| reach.knows(&moment.region, trust, kind);
    let told = moment.shelf.alerts.iter().filter(|(alert, _)| position::is_told(alert));
    Then {
        as_of: moment.at,
        revision: moment.revision,
        situation: Situation::within(&moment.region, &moment.states, &moment.records, moment.at, sees),
        region: &moment.region,
        switched: &moment.state.modes,
        unmet: position::unmet(moment),
        alerts: told.map(|(alert, revision)| (alert, *revision)).collect(),
        shelf: &moment.shelf,
    }
}

/// Returns the report of an end of an hour that the log no longer reaches, as it was taken down then.
///
/// # Errors
/// `REVISION_GONE` when it was not, naming the nearest that was.
fn kept(call: &Call, as_of: Timestamp, store_caveat: &str) -> Result<v1::Sitrep, Failure> {
    if call.live.region().is_err() {
        return Err(Failure::NotReady { retry_after: RETRY_AFTER });
    }
    let picture = call.live.picture();
    let mut region = Region::clone(&call.region.region);
    let (shelf, seen) = (Shelf::read(picture), picture.get(&position_key(as_of)));
    let reach = call.viewer().reach();
    let own = match reach {
        Reach::Region => None,
        // Of somebody who sees nothing, nothing is kept.
        Reach::Trust(_) | Reach::Nothing => Some(call.actor.trust),
    };
    let found = seen.as_ref().and_then(|seen| position_of(&seen.record)).and_then(|position| {
        let sees = |trust, kind| reach.knows(&region, trust, kind);
        let situation = match own {
            None => position.seen_by(None, sees),
            Some(own) => position.seen_by(Some(own?), sees),
        };
        Some((position, situation?))
    });
    let Some((position, situation)) = found else {
        return Err(Failure::Refused(Refusal::new(reasons::REVISION_GONE, gone(&region, &shelf, as_of))));
    };
    for joint in &mut region.collaboratives {
        joint.mode = position.modes.get(&joint.id).copied().unwrap_or(joint.mode);
    }
    let then = Then {
        as_of,
        revision: Revision(position.revision),
        situation,
        region: &region,
        switched: &position.switched,
        unmet: position.unmet.iter().collect(),
        alerts: position.alerts.iter().map(|stood| (&stood.alert, Revision(stood.revision))).collect(),
        shelf: &shelf,
    };
    Ok(write(call, &then, store_caveat))
}

/// Says that a time can no longer be told, and which can.
fn gone(region: &Region, shelf: &Shelf, as_of: Timestamp) -> String {
    let clock = clock(region);
    let distance = |at: &Timestamp| at.duration_since(as_of).abs();
    let nearest = shelf.positions().map(|position| position.at).min_by_key(distance);
    let told = format!(
        "the region as of {} can no longer be told: the changes since then are no longer kept here",
        clock(as_of)
    );
    match nearest {
        None => format!("{told}. Ask for a later time"),
        Some(at) => format!("{told}. Ends of hours are kept for longer, the nearest is {}", clock(at)),
    }
}

/// Writes the report, as far as the caller sees what is in it.
fn write(call: &Call, then: &Then<'_>, store_caveat: &str) -> v1::Sitrep {
    let viewer = call.viewer();
    let situation = &then.situation;
    let unmet = then.unmet.iter().filter(|need| viewer.knows_kind(need.trust, need.resource.kind));
    let signed = then.shelf.sign_offs.iter().filter(|(_, at)| *at <= then.as_of);
    let before = signed.map(|(as_of, _)| *as_of).find(|at| *at < then.as_of);
    let since = before.unwrap_or_else(|| then.as_of.saturating_sub(DECISIONS_OVER).unwrap_or(then.as_of));
    let within = |at: Timestamp| at > since && at <= then.as_of;
    let decisions =
        then.shelf.decisions.iter().filter(|(decision, _)| within(decision.at) && viewer.sees_region());
    let alerts = then.alerts.iter();
    let stood = alerts.filter_map(|(alert, revision)| Some((shown(&viewer, alert)?, *revision)));
    let silent = situation.trusts.iter().filter(|(_, trust)| trust.freshness == Some(Freshness::Stale));
    let silent = silent.map(|(code, _)| code.to_string()).collect();
    let mut told = view::to_wire_of(situation, then.region, then.switched, "", then.revision, store_caveat);
    if let Some(headline) = told.headline.as_mut().filter(|_| viewer.sees_region()) {
        trend::usual(headline, &situation.headline, then.shelf, then.as_of);
    }
    v1::Sitrep {
        as_of: Some(time::to_wire(then.as_of)),
        situation: Some(told),
        unmet: unmet
            .take(UNMET_MAX)
            .map(|need| need::to_wire(&for_report(need), then.revision.0, false))
            .collect(),
        decisions: decisions
            .take(LISTED_MAX)
            .map(|(decision, revision)| decision::to_wire(decision, *revision))
            .collect(),
        signed_off_by: String::new(),
        signed_off_at: None,
        revision: number_to_wire(then.revision.0),
        signatory: String::new(),
        silent,
        alerts: stood
            .take(ALERTS_MAX)
            .map(|(alert, revision)| alerts::to_wire(&alert, revision, &then.region.policy.alerts))
            .collect(),
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
        Kept::Decision(_) | Kept::Action(_) | Kept::Alert(_) | Kept::Rollup(_) | Kept::Position(_) => None,
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
