//! The end of a session, written into the log.

use fallow_api::status::Failure;
use fallow_domain::actor::Actor;
use fallow_domain::ids::Label;
use fallow_domain::standing::EndedSession;
use fallow_host::identity::sessions::EndedBy;
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

/// Ends a session, or all of a person, for whoever signed in until `at` by the provider's clock. Once it is in the log,
/// every process refuses what was signed in with it.
///
/// # Errors
/// The store's troubles.
pub(super) async fn run(
    inner: &Inner,
    actor: Actor,
    name: &Label,
    (at, by): (Timestamp, EndedBy),
) -> Result<(), Failure> {
    let (key, now) = (session_key(name), inner.real.now());
    let ended = EndedSession {
        at,
        until: now.saturating_add(SESSION_LIFE + KEEP_LONGER).unwrap_or(Timestamp::MAX),
        by: Label::parse(by.as_str()).unwrap_or_default(),
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
            if let Some(Record::Session(before)) = view.get(&key)
                && !says_more(before, &ended)
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

/// Says whether an end ends what the one that is recorded does not: what was signed in later, or a name for good. What a
/// provider has ended stays so; of a person it names all that was signed in until then.
fn says_more(before: &EndedSession, ended: &EndedSession) -> bool {
    let by_provider = |session: &EndedSession| session.by.as_str() == EndedBy::Provider.as_str();
    match (by_provider(before), by_provider(ended)) {
        (false, true) => true,
        (true, false) => false,
        (false, false) | (true, true) => before.at < ended.at,
    }
}

/// Returns some records of ends that nothing rests on any more.
fn long_past(inner: &Inner, now: Timestamp) -> Vec<Key> {
    let all = inner.live.picture().still().all(RecordKind::Session);
    let is_past = |record: &Record| matches!(record, Record::Session(session) if session.until < now);
    all.into_iter().filter(|(_, seen)| is_past(&seen.record)).map(|(key, _)| key).take(TIDIED_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_end_counts_and_a_providers_is_never_taken_back() {
        let end = |by: EndedBy, second: i64| EndedSession {
            at: Timestamp::from_second(second).unwrap(),
            until: Timestamp::MAX,
            by: Label::parse(by.as_str()).unwrap(),
        };
        let (person, provider) = (EndedBy::Person, EndedBy::Provider);
        for (before, ended, expected) in [
            (end(person, 5), end(person, 5), false),
            (end(person, 5), end(person, 6), true),
            (end(person, 5), end(provider, 4), true),
            (end(provider, 5), end(person, 6), false),
            (end(provider, 5), end(provider, 5), false),
            (end(provider, 5), end(provider, 6), true),
        ] {
            assert_eq!(says_more(&before, &ended), expected, "{before:?} {ended:?}");
        }
    }
}
