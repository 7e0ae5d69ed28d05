//! The log itself: its numbers, every rule of the records at every revision, what is live, and what watchers have.

use std::collections::BTreeMap;

use fallow_domain::actor::Role;
use fallow_domain::decide::proposal::Room;
use fallow_domain::invariants::{self, Violation};
use fallow_domain::proposal::ProposalState;
use fallow_domain::records::Records;
use fallow_domain::region::{Region, file};
use fallow_ledger::record::Record;
use fallow_ledger::{Key, RecordKind, Revision};

use super::{Breach, Evidence};
use crate::fleet::REGION_FILE;
use crate::tail::Entry;
use crate::watchers::{Drawn, Seen};

/// Checks the log and everything that is made of it.
pub(super) fn check(evidence: &Evidence<'_>) -> Vec<Breach> {
    let mut breaches = dense(evidence.log);
    breaches.extend(replay(evidence.log));
    if let Some((live, cursor)) = evidence.live {
        breaches.extend(live_equals_replay(evidence.log, live, cursor.revision()));
        for (kind, drawn) in evidence.pictures {
            breaches.extend(picture_equals_replay(kind, drawn, evidence.log));
        }
    }
    breaches
}

/// `dense_revisions`: the log begins at 1, since nothing of it is archived here, and each entry is one more.
fn dense(log: &[Entry]) -> Vec<Breach> {
    let place = log.iter().zip(1_u64..).find(|(entry, expected)| entry.change.revision.0 != *expected);
    let found =
        place.map(|(entry, expected)| format!("{} stands where {expected} must", entry.change.revision));
    found.map(|text| Breach::new("dense_revisions", text)).into_iter().collect()
}

fn named(violation: &Violation, revision: Revision) -> Breach {
    let text = format!("at revision {revision}, {}: {}", violation.record, violation.found);
    Breach::new(violation.rule.as_str(), text)
}

/// Every rule of the records, at every revision and over every step.
fn replay(log: &[Entry]) -> Vec<Breach> {
    let Some(region) = region() else {
        return vec![Breach::new("harness", format!("{REGION_FILE} cannot be read"))];
    };
    let mut breaches = Vec::new();
    let mut world = Records::default();
    for entry in log {
        let revision = entry.change.revision;
        let Some(cause) = &entry.cause else {
            breaches.push(Breach::new("no_wrong_answer", format!("revision {revision} has no cause")));
            continue;
        };
        let mut changes = Records::default();
        let mut gone = Vec::new();
        for (key, body) in &entry.change.writes {
            match body.as_ref().map(|body| Record::decode(key.kind, body)) {
                Some(Ok(record)) => put(&mut changes, record),
                Some(Err(why)) => {
                    breaches
                        .push(Breach::new("no_wrong_answer", format!("revision {revision}, {key}: {why}")));
                }
                None => gone.push(key.clone()),
            }
        }
        let found = invariants::check_step(&world, &changes, cause.at);
        breaches.extend(found.iter().map(|violation| named(violation, revision)));
        breaches.extend(denied(entry, cause));
        breaches.extend(above_trusts(entry, cause));
        breaches.extend(only_asks(&world, &changes, cause, revision));
        breaches.extend(own_side(&world, &changes, cause, revision));
        let new_holds: Vec<_> = changes
            .proposals
            .values()
            .filter(|p| p.state == ProposalState::Held && !world.proposals.contains_key(&p.id))
            .cloned()
            .collect();
        world.apply(changes);
        for hold in new_holds {
            if let Some(offer) = world.offers.get(&hold.offer) {
                let key = offer.resource.key();
                let trust = region.trusts.get(&offer.trust);
                let reserve = trust.and_then(|trust| trust.reserve.get(&key)).copied().unwrap_or_default();
                let room = Room::of(world.offers.values(), (offer.trust, &key), reserve, cause.at);
                breaches.extend(invariants::check_reserve(&hold, room).iter().map(|v| named(v, revision)));
            }
        }
        let found = invariants::check(&world);
        breaches.extend(found.iter().map(|violation| named(violation, revision)));
        for key in gone {
            remove(&mut world, &key);
        }
        if breaches.len() > 50 {
            break;
        }
    }
    breaches
}

/// `refusal_has_no_effect`: an entry that says that a call was denied writes nothing.
fn denied(entry: &Entry, cause: &fallow_ledger::cause::Cause) -> Option<Breach> {
    let written = entry.change.writes.keys().next().filter(|_| cause.denied.is_some())?;
    let text = format!("revision {}, {} was denied and wrote {written}", entry.change.revision, cause.verb);
    Some(Breach::new("refusal_has_no_effect", text))
}

/// `gold_writes_nothing_of_trusts`: who stands above the trusts changes nothing that is one's.
fn above_trusts(entry: &Entry, cause: &fallow_ledger::cause::Cause) -> Option<Breach> {
    let of_trusts = |kind: RecordKind| match kind {
        RecordKind::Offer
        | RecordKind::Need
        | RecordKind::Proposal
        | RecordKind::Transfer
        | RecordKind::Trust
        | RecordKind::Feed
        | RecordKind::Decline => true,
        RecordKind::Region
        | RecordKind::Lease
        | RecordKind::Claim
        | RecordKind::Session
        | RecordKind::Monitor => false,
    };
    let written = entry.change.writes.keys().find(|key| of_trusts(key.kind));
    let written = written.filter(|_| cause.by.role == Role::Gold && !ASKS.contains(&cause.verb.as_str()))?;
    let text =
        format!("revision {}, {} by {} wrote {written}", entry.change.revision, cause.verb, cause.by.role);
    Some(Breach::new("gold_writes_nothing_of_trusts", text))
}

/// The verbs that put a question on another trust's record: `questions_change_nothing` holds them to that.
const ASKS: [&str; 2] = ["AskToConfirm", "AskToValidate"];

/// `questions_change_nothing`: who asks whether something is still true changes nothing of it but the question.
fn only_asks(
    before: &Records,
    changes: &Records,
    cause: &fallow_ledger::cause::Cause,
    revision: Revision,
) -> Vec<Breach> {
    if !ASKS.contains(&cause.verb.as_str()) {
        return Vec::new();
    }
    let offers = changes.offers.values().filter(|new| {
        before.offers.get(&new.id).is_none_or(|old| {
            let mut asked = old.clone();
            asked.recent.asked.clone_from(&new.recent.asked);
            asked != **new
        })
    });
    let needs = changes.needs.values().filter(|new| {
        before.needs.get(&new.id).is_none_or(|old| {
            let mut asked = old.clone();
            asked.validation.asked.clone_from(&new.validation.asked);
            asked != **new
        })
    });
    let touched: Vec<String> = offers
        .map(|offer| format!("offer {}", offer.id))
        .chain(needs.map(|need| format!("need {}", need.id)))
        .collect();
    let text =
        |what: &String| format!("revision {revision}, {} by {} changed {what}", cause.verb, cause.by.role);
    touched.iter().map(|what| Breach::new("questions_change_nothing", text(what))).collect()
}

/// `own_side_only`: a trust publishes and answers only for itself.
fn own_side(
    before: &Records,
    changes: &Records,
    cause: &fallow_ledger::cause::Cause,
    revision: Revision,
) -> Vec<Breach> {
    let Some(by) = cause.by.trust else { return Vec::new() };
    let mut breaches = Vec::new();
    let mut breach = |text: String| {
        breaches.push(Breach::new(
            "own_side_only",
            format!("revision {revision}, {} by {by}: {text}", cause.verb),
        ));
    };
    if matches!(cause.verb.as_str(), "PublishOffer" | "AdjustOffer" | "WithdrawOffer") {
        for offer in changes.offers.values().filter(|offer| offer.trust != by) {
            breach(format!("offer {} is of {}", offer.id, offer.trust));
        }
    }
    if matches!(cause.verb.as_str(), "RaiseNeed" | "WithdrawNeed") {
        for need in changes.needs.values().filter(|need| need.trust != by) {
            breach(format!("need {} is of {}", need.id, need.trust));
        }
    }
    if cause.verb == "AnswerProposal" {
        for new in changes.proposals.values() {
            let Some(old) = before.proposals.get(&new.id) else { continue };
            let home = old.home.answer.state() != new.home.answer.state() && new.home_trust != by;
            let supporting =
                old.supporting.answer.state() != new.supporting.answer.state() && new.supporting_trust != by;
            if home || supporting {
                breach(format!("answered another side of proposal {}", new.id));
            }
        }
    }
    breaches
}

/// `picture_equals_replay`, of the store: what is live is what the log makes.
fn live_equals_replay(log: &[Entry], live: &[fallow_ledger::Versioned], head: Revision) -> Vec<Breach> {
    let mut made: BTreeMap<&Key, (Revision, &bytes::Bytes)> = BTreeMap::new();
    for entry in log.iter().take_while(|entry| entry.change.revision <= head) {
        for (key, body) in &entry.change.writes {
            match body {
                Some(body) => drop(made.insert(key, (entry.change.revision, body))),
                None => drop(made.remove(key)),
            }
        }
    }
    let mut breaches = Vec::new();
    for record in live {
        match made.remove(&record.key) {
            Some((revision, body)) if revision == record.revision && *body == record.body => {}
            Some((revision, _)) => {
                let text = format!("{} is live at {} and logged at {revision}", record.key, record.revision);
                breaches.push(Breach::new("picture_equals_replay", text));
            }
            None => {
                let text = format!("{} is live at {} and not in the log", record.key, record.revision);
                breaches.push(Breach::new("picture_equals_replay", text));
            }
        }
    }
    for (key, (revision, _)) in made {
        let text = format!("{key} is logged at {revision} and not live");
        breaches.push(Breach::new("picture_equals_replay", text));
    }
    breaches
}

/// `picture_equals_replay`, of a watcher: what it was told, applied, is what the log makes.
fn picture_equals_replay(kind: &'static str, drawn: &Drawn, log: &[Entry]) -> Vec<Breach> {
    let mut breaches: Vec<Breach> =
        drawn.wrong.iter().map(|text| Breach::new("picture_equals_replay", text.clone())).collect();
    let mut made: BTreeMap<String, Seen> = BTreeMap::new();
    for entry in log {
        let revision = i64::try_from(entry.change.revision.0).unwrap_or(i64::MAX);
        for (key, body) in &entry.change.writes {
            if key.kind.as_str() != kind {
                continue;
            }
            match body.as_ref().and_then(|body| Record::decode(key.kind, body).ok()) {
                Some(record) => drop(made.insert(key.id.to_string(), seen(&record, revision))),
                None => drop(made.remove(&*key.id)),
            }
        }
    }
    for (id, has) in &drawn.records {
        match made.remove(id) {
            Some(is) if is == *has => {}
            is => {
                let text = format!("{kind} {id} is {is:?}, and a watcher has {has:?}");
                breaches.push(Breach::new("picture_equals_replay", text));
            }
        }
    }
    for (id, is) in made {
        let text = format!("{kind} {id} is {is:?}, and a watcher has none");
        breaches.push(Breach::new("picture_equals_replay", text));
    }
    breaches
}

fn seen(record: &Record, revision: i64) -> Seen {
    let (state, figures) = match record {
        Record::Offer(offer) => {
            let f = offer.figures;
            let figures = [f.staffed, f.occupied, f.blocked, f.held, f.committed];
            (offer.state.to_string(), figures.map(|count| i64::from(count.get())))
        }
        Record::Need(need) => (need.state.to_string(), [0; 5]),
        Record::Proposal(proposal) => (proposal.state.to_string(), [0; 5]),
        Record::Transfer(transfer) => (transfer.state.to_string(), [0; 5]),
        Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => (String::new(), [0; 5]),
    };
    Seen { revision, state: plain(&state), figures }
}

/// Returns a state's name as both the wire and the log can be brought to write it.
pub(crate) fn plain(state: &str) -> String {
    state.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

fn put(records: &mut Records, record: Record) {
    match record {
        Record::Offer(offer) => records.put_offer(offer),
        Record::Need(need) => records.put_need(need),
        Record::Proposal(proposal) => records.put_proposal(proposal),
        Record::Transfer(transfer) => records.put_transfer(transfer),
        Record::Decline(decline) => records.put_decline(decline),
        Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_) => {}
    }
}

fn remove(records: &mut Records, key: &Key) {
    let id = &*key.id;
    match key.kind {
        RecordKind::Offer => records.offers.retain(|of, _| of.as_str() != id),
        RecordKind::Need => records.needs.retain(|of, _| of.as_str() != id),
        RecordKind::Proposal => records.proposals.retain(|of, _| of.as_str() != id),
        RecordKind::Transfer => records.transfers.retain(|of, _| of.as_str() != id),
        RecordKind::Decline => {
            records.declines.retain(|(need, offer), _| format!("{need} {offer}") != id);
        }
        RecordKind::Trust
        | RecordKind::Feed
        | RecordKind::Region
        | RecordKind::Lease
        | RecordKind::Claim
        | RecordKind::Session
        | RecordKind::Monitor => {}
    }
}

fn region() -> Option<Region> {
    file::parse(&std::fs::read_to_string(REGION_FILE).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_domain::actor::{Actor, ActorKind};
    use fallow_domain::ids::Label;
    use fallow_ledger::Change;
    use fallow_ledger::cause::Cause;

    #[test]
    fn gold_may_write_of_the_region_and_of_no_trust() {
        let wrote = |role, kind| {
            let writes = BTreeMap::from([(Key::new(kind, "1"), None)]);
            let change = Change { revision: Revision(1), writes, cause: bytes::Bytes::new() };
            let subject = Label::parse("somebody").unwrap();
            let by = Actor { subject, kind: ActorKind::Person, role, trust: None };
            let at = jiff::Timestamp::UNIX_EPOCH;
            let cause = Cause {
                by,
                verb: "X".into(),
                at,
                request_id: None,
                traceparent: None,
                decided_at: None,
                denied: None,
            };
            let entry = Entry { change, cause: None, seen: std::time::Duration::ZERO };
            above_trusts(&entry, &cause).is_some()
        };
        assert!(wrote(Role::Gold, RecordKind::Offer) && wrote(Role::Gold, RecordKind::Proposal));
        assert!(!wrote(Role::Gold, RecordKind::Region) && !wrote(Role::BedManager, RecordKind::Offer));
    }

    #[test]
    fn a_question_that_changes_anything_else_is_found() {
        use fallow_api::convert::{Filed, offer};
        use fallow_api::v1;
        use fallow_domain::offer::{Asked, Offer};
        let region = file::parse(include_str!("../../../../regions/north-vale.toml")).unwrap();
        let at: jiff::Timestamp = "2026-11-24T08:00:00Z".parse().unwrap();
        let until = Some(fallow_api::convert::time::to_wire(at + jiff::SignedDuration::from_hours(24)));
        let wire = v1::Offer {
            id: "O1".into(),
            trust: "ZA1".into(),
            site: "ZA101".into(),
            resource: Some(v1::Resource {
                kind: v1::ResourceKind::Bed.into(),
                code: "STEP_DOWN".into(),
                ..Default::default()
            }),
            figures: Some(v1::Figures { staffed: 3, ..Default::default() }),
            window: Some(v1::Window { from: None, until }),
            cadence: Some(fallow_api::convert::time::span_to_wire(jiff::SignedDuration::from_hours(1))),
            ..Default::default()
        };
        let old = offer::filed(&wire, &Filed { region: &region, at }).unwrap();
        let subject = Label::parse("somebody").unwrap();
        let by = Actor { subject, kind: ActorKind::Person, role: Role::Gold, trust: None };
        let found = |before: Option<&Offer>, new: &Offer, verb: &str| {
            let (mut world, mut changes) = (Records::default(), Records::default());
            before.into_iter().for_each(|offer| world.put_offer(offer.clone()));
            changes.put_offer(new.clone());
            let by = by.clone();
            let cause = Cause {
                by,
                verb: verb.into(),
                at,
                request_id: None,
                traceparent: None,
                decided_at: None,
                denied: None,
            };
            only_asks(&world, &changes, &cause, Revision(2)).len()
        };
        let mut asked = old.clone();
        asked.recent.asked.push(Asked { by: by.clone(), at, need: None });
        assert_eq!(found(Some(&old), &asked, "AskToConfirm"), 0);
        asked.figures.staffed = 2.into();
        assert_eq!(found(Some(&old), &asked, "AskToConfirm"), 1, "figures");
        assert_eq!(found(None, &old, "AskToConfirm"), 1, "an offer out of nothing");
        assert_eq!(found(Some(&old), &asked, "PublishOffer"), 0, "held to other rules");
    }
}
