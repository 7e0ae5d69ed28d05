//! What callers were told, held against the log.

use std::collections::BTreeMap;
use std::time::Duration;

use fallow_api::reasons;
use fallow_ledger::record::Record;
use fallow_ledger::{Key, RecordKind};
use tonic::Code;

use super::{Breach, Evidence};
use crate::asks::Ask;
use crate::history::{Attempt, End, Op, Said};
use crate::tail::Entry;

/// Checks every answer.
pub(super) fn check(evidence: &Evidence<'_>) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let effects = effects(evidence.log);
    let groups = groups(evidence.ops);
    for op in evidence.ops {
        no_lost_ok(op, evidence, &mut breaches);
        answers_agree(op, &mut breaches);
        forbidden(op, &mut breaches);
        bugs(op, &mut breaches);
    }
    for (name, ops) in &groups {
        let found = effects.get(name).map_or(&[][..], Vec::as_slice);
        one_effect(name, ops, found, &mut breaches);
    }
    if evidence.sealed_at.is_none() {
        expected_revisions(evidence, &mut breaches);
    }
    real_time(evidence.ops, &mut breaches);
    sealed(evidence, &mut breaches);
    breaches
}

/// A request's name: the trust and the id, for ids are scoped by trust.
type Name<'a> = (&'a str, &'a str);

fn groups(ops: &[Op]) -> BTreeMap<Name<'_>, Vec<&Op>> {
    let mut groups: BTreeMap<Name<'_>, Vec<&Op>> = BTreeMap::new();
    for op in ops {
        groups.entry((op.trust, &op.request_id)).or_default().push(op);
    }
    groups
}

/// The entries of the log that requests brought about. One that says that a call was denied is no effect of it.
fn effects(log: &[Entry]) -> BTreeMap<Name<'_>, Vec<&Entry>> {
    let mut effects: BTreeMap<Name<'_>, Vec<&Entry>> = BTreeMap::new();
    for entry in log {
        let Some(cause) = entry.cause.as_ref().filter(|cause| cause.denied.is_none()) else { continue };
        if let (Some(trust), Some(id)) = (&cause.by.trust, &cause.request_id) {
            effects.entry((trust.as_str(), id)).or_default().push(entry);
        }
    }
    effects
}

fn shown(op: &Op) -> String {
    let ends = op.attempts.iter().map(|attempt| {
        let end = match &attempt.end {
            End::Ok(said) => format!("OK at revision {}", said.revision),
            End::Refused(code, reason) => format!("{code:?} {reason}"),
            End::Unknown(why) => format!("unknown ({why})"),
        };
        let ended = match attempt.ended {
            Duration::MAX => "…".to_owned(),
            ended => format!("{:.3}", ended.as_secs_f64()),
        };
        format!("{:.3}-{ended} s {end}", attempt.invoked.as_secs_f64())
    });
    let ends: Vec<String> = ends.collect();
    format!(
        "{} of {} by client {}, id {}: {}",
        op.ask.verb(),
        op.trust,
        op.client,
        op.request_id,
        ends.join("; ")
    )
}

/// `no_lost_ok`: what an OK said is in the log, at its revision, under its request, and as it said.
fn no_lost_ok(op: &Op, evidence: &Evidence<'_>, breaches: &mut Vec<Breach>) {
    let head = evidence.log.last().map_or(0, |entry| entry.change.revision.0);
    for attempt in &op.attempts {
        let End::Ok(said) = &attempt.end else { continue };
        if matches!(op.ask, Ask::Adjust { validate_only: true, .. }) {
            if said.revision != 0 {
                breaches
                    .push(Breach::new("refusal_has_no_effect", format!("a check only wrote: {}", shown(op))));
            }
            continue;
        }
        if said.revision == 0 {
            if let Some(text) = nothing_written(op, said, evidence) {
                breaches.push(Breach::new("no_lost_ok", format!("{text}: {}", shown(op))));
            }
            continue;
        }
        if evidence.sealed_at.is_some() && said.revision > head {
            continue;
        }
        let place = usize::try_from(said.revision - 1).unwrap_or(usize::MAX);
        let found = evidence.log.get(place).filter(|entry| entry.change.revision.0 == said.revision);
        let Some(entry) = found else {
            breaches.push(Breach::new("no_lost_ok", format!("the log ends at {head}: {}", shown(op))));
            continue;
        };
        let is_its = entry.cause.as_ref().is_some_and(|cause| {
            cause.request_id.as_ref() == Some(&op.request_id)
                && cause.by.trust.is_some_and(|trust| trust.as_str() == op.trust)
                && cause.verb == op.ask.verb()
        });
        if !is_its {
            let cause = entry.cause.as_ref().map(|cause| {
                let trust = cause.by.trust.map(|trust| trust.to_string()).unwrap_or_default();
                format!("{} of {trust}, id {:?}", cause.verb, cause.request_id)
            });
            let text = format!("revision {} is {cause:?}: {}", said.revision, shown(op));
            breaches.push(Breach::new("no_lost_ok", text));
            continue;
        }
        if let Some(difference) = differs(said, entry) {
            breaches.push(Breach::new("no_wrong_answer", format!("{difference}: {}", shown(op))));
        }
    }
}

/// Returns what is wrong with an OK that says that nothing had to be written.
fn nothing_written(op: &Op, said: &Said, evidence: &Evidence<'_>) -> Option<String> {
    let told = match &op.ask {
        // A need that is live already is answered as it is.
        Ask::Raise(_) => said.need.as_ref().map(|need| (RecordKind::Need, need.id.as_str(), need.revision)),
        // These change something whenever they are done.
        Ask::Publish(_)
        | Ask::Adjust { .. }
        | Ask::WithdrawOffer { .. }
        | Ask::WithdrawNeed { .. }
        | Ask::Answer { .. }
        | Ask::Advance { .. }
        | Ask::Abort { .. } => return Some("an OK wrote nothing".to_owned()),
    };
    let Some((kind, id, revision)) = told else { return Some("an OK says nothing".to_owned()) };
    let key = Key::new(kind, id);
    let is_there = |entry: &Entry| {
        i64::try_from(entry.change.revision.0) == Ok(revision) && entry.change.writes.contains_key(&key)
    };
    let is_known = evidence.log.iter().any(is_there) || evidence.sealed_at.is_some();
    (!is_known).then(|| format!("{key} was told as of {revision}, which did not write it"))
}

/// Returns where an answer differs from what the log has at its revision.
fn differs(said: &Said, entry: &Entry) -> Option<String> {
    let written = |kind: RecordKind, id: &str| {
        let key = Key::new(kind, id);
        let body = entry.change.writes.iter().find(|(of, _)| **of == key)?.1.as_ref()?;
        Record::decode(kind, body).ok()
    };
    if let Some(offer) = &said.offer
        && let Some(Record::Offer(logged)) = written(RecordKind::Offer, &offer.id)
    {
        let told = offer.figures.unwrap_or_default();
        let told = [told.staffed, told.occupied, told.blocked, told.held, told.committed];
        let f = logged.figures;
        let has = [f.staffed, f.occupied, f.blocked, f.held, f.committed].map(|count| i64::from(count.get()));
        if told != has {
            return Some(format!("offer {} was told as {told:?} and is {has:?}", offer.id));
        }
    }
    if let Some(proposal) = &said.proposal
        && let Some(Record::Proposal(logged)) = written(RecordKind::Proposal, &proposal.id)
    {
        let told = proposal.state().as_str_name().trim_start_matches("STATE_").to_owned();
        if told != logged.state.to_string().to_uppercase() {
            return Some(format!("proposal {} was told as {told} and is {}", proposal.id, logged.state));
        }
    }
    if let Some(transfer) = &said.transfer
        && let Some(Record::Transfer(logged)) = written(RecordKind::Transfer, &transfer.id)
    {
        let told = transfer.state().as_str_name().trim_start_matches("STATE_").to_owned();
        if told != logged.state.to_string().to_uppercase() {
            return Some(format!("transfer {} was told as {told} and is {}", transfer.id, logged.state));
        }
    }
    None
}

/// `one_effect_per_request_id`: every answer to one request is the first.
fn answers_agree(op: &Op, breaches: &mut Vec<Breach>) {
    if matches!(op.ask, Ask::Adjust { validate_only: true, .. }) {
        return;
    }
    let oks: Vec<&Said> = op
        .attempts
        .iter()
        .filter_map(|attempt| match &attempt.end {
            End::Ok(said) => Some(&**said),
            End::Refused(..) | End::Unknown(_) => None,
        })
        .collect();
    if let Some(pair) = oks.windows(2).find(|pair| pair[0].revision != pair[1].revision) {
        let text = format!("answered {} and {}: {}", pair[0].revision, pair[1].revision, shown(op));
        breaches.push(Breach::new("one_effect_per_request_id", text));
    }
}

fn forbidden(op: &Op, breaches: &mut Vec<Breach>) {
    if let Some(invariant) = op.forbidden
        && op.ok().is_some()
    {
        breaches.push(Breach::new(invariant, shown(op)));
    }
}

/// A bug's answer is never right.
fn bugs(op: &Op, breaches: &mut Vec<Breach>) {
    let is_bug = |attempt: &&Attempt| match &attempt.end {
        End::Refused(code, _) => matches!(code, Code::Internal | Code::DataLoss | Code::Unimplemented),
        End::Unknown(why) => why.starts_with("Internal") || why.starts_with("DataLoss"),
        End::Ok(_) => false,
    };
    if op.attempts.iter().any(|attempt| is_bug(&attempt)) {
        breaches.push(Breach::new(
            "no_wrong_answer",
            format!("an answer says that there is a bug: {}", shown(op)),
        ));
    }
}

/// `one_effect_per_request_id` and `refusal_has_no_effect`.
fn one_effect(name: &Name<'_>, ops: &[&Op], effects: &[&Entry], breaches: &mut Vec<Breach>) {
    let breach = |invariant, text: String| Breach::new(invariant, format!("{text}: {}", shown(ops[0])));
    if effects.len() > 1 {
        let revisions: Vec<u64> = effects.iter().map(|entry| entry.change.revision.0).collect();
        let text = format!("request {} of {} had effects at {revisions:?}", name.1, name.0);
        breaches.push(breach("one_effect_per_request_id", text));
    }
    let attempts = || ops.iter().flat_map(|op| &op.attempts);
    let is_reused = |attempt: &Attempt| matches!(&attempt.end, End::Refused(_, reason) if reason == reasons::REQUEST_ID_REUSED);
    if ops.len() == 1 && attempts().any(is_reused) {
        breaches.push(breach("one_effect_per_request_id", "an id used once is said to be used".to_owned()));
    }
    let Some(effect) = effects.first() else { return };
    if attempts().all(|attempt| matches!(attempt.end, End::Refused(..))) {
        let text = format!("every answer was a refusal, and revision {} is its", effect.change.revision);
        breaches.push(breach("refusal_has_no_effect", text));
        return;
    }
    // Once it is written, the same request is answered as before: not refused by a rule that now says no.
    let told = ops.iter().filter_map(|op| op.ok()).map(|(attempt, _)| attempt.ended).min();
    let known: Duration = told.map_or(effect.seen, |told| told.min(effect.seen));
    let verb = effect.cause.as_ref().map(|cause| cause.verb.as_str());
    for op in ops.iter().filter(|op| op.forbidden.is_none() && verb == Some(op.ask.verb())) {
        let contradicts = |attempt: &&Attempt| {
            attempt.invoked > known
                && matches!(&attempt.end, End::Refused(code, _) if matches!(
                    code,
                    Code::FailedPrecondition | Code::NotFound | Code::Aborted | Code::AlreadyExists
                        | Code::PermissionDenied | Code::InvalidArgument
                ))
        };
        if op.attempts.iter().any(|attempt| contradicts(&attempt)) {
            let text = format!("revision {} is its, and a repetition was refused", effect.change.revision);
            breaches.push(Breach::new("one_effect_per_request_id", format!("{text}: {}", shown(op))));
        }
    }
}

/// A change that named the revision it was made for was made on that one.
fn expected_revisions(evidence: &Evidence<'_>, breaches: &mut Vec<Breach>) {
    let mut last: BTreeMap<&Key, Vec<u64>> = BTreeMap::new();
    for entry in evidence.log {
        for (key, _) in entry.change.writes.iter().filter(|(key, _)| key.kind == RecordKind::Offer) {
            last.entry(key).or_default().push(entry.change.revision.0);
        }
    }
    for op in evidence.ops {
        let Ask::Adjust { offer, expected: Some(expected), validate_only: false, .. } = &op.ask else {
            continue;
        };
        let Some((_, said)) = op.ok() else { continue };
        let key = Key::new(RecordKind::Offer, offer.as_str());
        let before = last.get(&key).and_then(|all| all.iter().rfind(|at| **at < said.revision));
        if said.revision > 0 && before.copied() != u64::try_from(*expected).ok() {
            let text = format!("revision {expected} was expected and {before:?} was there: {}", shown(op));
            breaches.push(Breach::new("no_wrong_answer", text));
        }
    }
}

/// No later answer contradicts an OK: what was acknowledged before a call began comes before it in the log.
fn real_time(ops: &[Op], breaches: &mut Vec<Breach>) {
    let mut told: Vec<(Duration, u64, &Op)> = ops
        .iter()
        .filter_map(|op| op.ok().map(|(attempt, said)| (attempt.ended, said.revision, op)))
        .filter(|(_, revision, _)| *revision > 0)
        .collect();
    told.sort_by_key(|(ended, ..)| *ended);
    let mut begun: Vec<(Duration, u64, &Op)> =
        told.iter().map(|(_, revision, op)| (op.invoked(), *revision, *op)).collect();
    begun.sort_by_key(|(invoked, ..)| *invoked);
    let mut next = 0;
    let mut highest: Option<(u64, &Op)> = None;
    for (invoked, revision, op) in begun {
        while let Some((ended, before, other)) = told.get(next)
            && *ended < invoked
        {
            if highest.is_none_or(|(high, _)| *before > high) {
                highest = Some((*before, other));
            }
            next += 1;
        }
        if let Some((high, other)) = highest
            && high >= revision
        {
            let text = format!("{} came before {} had begun", shown(other), shown(op));
            breaches.push(Breach::new("real_time_order", text));
        }
    }
}

/// Where acknowledged writes were lost, nothing is acknowledged afterwards.
fn sealed(evidence: &Evidence<'_>, breaches: &mut Vec<Breach>) {
    let Some(since) = evidence.sealed_at else { return };
    for op in evidence.ops {
        if matches!(op.ask, Ask::Adjust { validate_only: true, .. }) {
            continue;
        }
        // An OK of whatever revision: what was written before, or that nothing had to be, cannot be known any more.
        let is_ok = |attempt: &Attempt| matches!(attempt.end, End::Ok(_));
        let opened = op.attempts.iter().any(|attempt| attempt.invoked > since && is_ok(attempt));
        if opened {
            let text = format!("lost at {:.3} s, and acknowledged: {}", since.as_secs_f64(), shown(op));
            breaches.push(Breach::new("sealed_after_loss", text));
        }
    }
}
