//! The end of a session, written into the log.

use fallow_api::status::Failure;
use fallow_domain::actor::Actor;
use fallow_domain::ids::Label;
use fallow_domain::standing::EndedSession;
use fallow_ledger::record::{Record, session_key};
use fallow_ledger::transact::Step;
use fallow_ledger::{Key, RecordKind};
use fallow_live::mutate::Mutation;
use jiff::{SignedDuration, Timestamp};

use super::Inner;
use super::exchange::SESSION_LIFE;

/// How much longer than any session the record of its end is kept.
const KEEP_LONGER: SignedDuration = SignedDuration::from_hours(1);
/// Records of ends long past that are taken out with each new one.
const TIDIED_MAX: usize = 16;

/// Who ended a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// Its person.
    Person,
    /// The identity provider.
    Provider,
}

/// Ends a session, or all of a person. Once it is in the log, every process refuses what was signed in with it.
///
/// # Errors
/// The store's troubles.
pub(super) async fn run(inner: &Inner, actor: Actor, name: &Label, by: By) -> Result<(), Failure> {
    let (key, now) = (session_key(name), inner.real.now());
    let by = match by {
        By::Person => "person",
        By::Provider => "provider",
    };
    let ended = EndedSession {
        at: now,
        until: now.saturating_add(SESSION_LIFE + KEEP_LONGER).unwrap_or(Timestamp::MAX),
        by: Label::parse(by).unwrap_or_default(),
    };
    let mutation = Mutation {
        actor,
        verb: "EndSession",
        at: inner.clock.now(),
        request: None,
        is_feed: false,
        validate_only: false,
        expected: None,
        traceparent: fallow_host::telemetry::traceparent(),
        decided_at: None,
    };
    let past = long_past(inner, now);
    let first: Vec<Key> = past.iter().cloned().chain([key.clone()]).collect();
    inner
        .live
        .mutate(&mutation, first, |view| {
            let is_person = name.as_str().starts_with("p-");
            // One session ends once; a person may have begun others since.
            if let Some(Record::Session(before)) = view.get(&key)
                && (!is_person || before.at >= now)
            {
                return Ok(Step::Answer(()));
            }
            let gone = past.iter().filter(|old| **old != key && view.get(old).is_some());
            let mut writes: Vec<_> = gone.map(|old| (old.clone(), None)).collect();
            writes.push((key.clone(), Some(Record::Session(ended.clone()))));
            Ok(Step::Write { writes, answer: () })
        })
        .await?;
    Ok(())
}

/// Returns some records of ends that nothing rests on any more.
fn long_past(inner: &Inner, now: Timestamp) -> Vec<Key> {
    let all = inner.live.picture().still().all(RecordKind::Session);
    let is_past = |record: &Record| matches!(record, Record::Session(session) if session.until < now);
    all.into_iter().filter(|(_, seen)| is_past(&seen.record)).map(|(key, _)| key).take(TIDIED_MAX).collect()
}
