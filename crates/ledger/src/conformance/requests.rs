//! Checks of request ids.

use bytes::Bytes;
use jiff::SignedDuration;
use tokio::task::JoinSet;

use super::{Fault, Maker, REQUESTS_PER_SCOPE, START, Verdict, committed, draft, key, one, same};
use crate::limits;
use crate::{Commit, Outcome, RequestKey, Revision, Trouble};

fn request(scope: &str, id: &str, body: &str) -> RequestKey {
    RequestKey::new(scope, id, body.as_bytes())
}

fn replayed(revision: u64, answer: &'static str) -> Outcome {
    Outcome::Replayed { revision: Revision(revision), answer: answer.into() }
}

/// The same request id with the same digest answers as before, and has no second effect.
pub async fn the_same_request_id_answers_as_before(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let first = draft().writing(key("a"), "1").requested(request("ZA1", "r1", "take"), "taken");
    same!(committed(&*ledger, first.clone()).await?, Revision(1), "the first time");
    let before = ledger.snapshot().await?;
    same!(ledger.commit(first.clone()).await?, replayed(1, "taken"), "the second time");
    let other_answer = draft().writing(key("b"), "2").requested(request("ZA1", "r1", "take"), "other");
    same!(ledger.commit(other_answer).await?, replayed(1, "taken"), "with other writes and another answer");
    same!(ledger.snapshot().await?, before, "the snapshot after replays");
    let every_byte: Bytes = (0..=u8::MAX).collect::<Vec<u8>>().into();
    let binary = draft().requested(request("ZA1", "r2", ""), every_byte.clone());
    committed(&*ledger, binary.clone()).await?;
    let again = Outcome::Replayed { revision: Revision(2), answer: every_byte };
    same!(ledger.commit(binary).await?, again, "an answer of every byte");
    Ok(())
}

/// The request id is looked up first: a repetition is answered as before, whatever has changed since.
pub async fn the_request_id_is_looked_up_first(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let create = draft()
        .expecting(key("a"), Revision::ABSENT)
        .writing(key("a"), "1")
        .requested(request("ZA1", "r1", "create"), "created");
    committed(&*ledger, create.clone()).await?;
    committed(&*ledger, draft().writing(key("a"), "2")).await?;
    same!(ledger.commit(create).await?, replayed(1, "created"), "the repetition");
    same!(one(&*ledger, &key("a")).await?, Some((Revision(2), "2".into())), "the record");
    Ok(())
}

/// The same request id with another digest is refused, and writes nothing.
pub async fn with_another_digest_it_is_refused(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    committed(&*ledger, draft().writing(key("a"), "1").requested(request("ZA1", "r1", "take 1"), "1"))
        .await?;
    let before = ledger.snapshot().await?;
    let other = draft().writing(key("a"), "2").requested(request("ZA1", "r1", "take 2"), "2");
    same!(ledger.commit(other).await?, Outcome::RequestIdReused, "another request under the same id");
    same!(ledger.snapshot().await?, before, "the snapshot after the refusal");
    Ok(())
}

/// Request ids are scoped: two scopes may use the same id, and no pair of scope and id is taken for another.
pub async fn request_ids_are_scoped(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let pairs = [
        ("ZA1", "r1"),
        ("ZA2", "r1"),
        ("ZA", "1r1"),
        ("ZA1r", "1"),
        ("", "ZA1r1"),
        ("ZA1/", "r1"),
        ("ZA1", "/r1"),
    ];
    for (n, (scope, id)) in (1..).zip(pairs) {
        let commit = draft().requested(request(scope, id, "take"), n.to_string());
        same!(committed(&*ledger, commit).await?, Revision(n), "the first use of {id} by {scope}");
    }
    same!(
        ledger.commit(draft().requested(request("ZA2", "r1", "take"), "")).await?,
        replayed(2, "2"),
        "ZA2's replay"
    );
    Ok(())
}

/// A conflict does not remember the request id: the same id can then succeed.
pub async fn a_conflict_does_not_remember_the_request_id(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let stale = draft()
        .expecting(key("a"), Revision(7))
        .writing(key("a"), "1")
        .requested(request("ZA1", "r1", "take"), "taken");
    let conflict = Outcome::Conflict { keys: vec![key("a")] };
    same!(ledger.commit(stale.clone()).await?, conflict, "the conflict");
    same!(ledger.commit(stale.clone()).await?, conflict, "the conflict again");
    let fresh = Commit { expects: [(key("a"), Revision::ABSENT)].into(), ..stale };
    same!(committed(&*ledger, fresh).await?, Revision(1), "the same id after the conflict");
    Ok(())
}

/// Of 50 repetitions at the same time one has an effect, and all get its answer.
pub async fn of_50_repetitions_one_has_an_effect(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    for round in 1..=5 {
        let mut repetitions = JoinSet::new();
        let id = format!("r{round}");
        for n in 0..50 {
            let ledger = ledger.clone();
            let commit = draft()
                .writing(key(&format!("{round}-{n}")), "mine")
                .requested(request("ZA1", &id, "take"), n.to_string());
            repetitions.spawn(async move { (n.to_string(), ledger.commit(commit).await) });
        }
        let (mut first, mut told) = (Vec::new(), Vec::new());
        for (mine, outcome) in repetitions.join_all().await {
            match outcome? {
                Outcome::Committed { revision } => first.push((revision, Bytes::from(mine))),
                Outcome::Replayed { revision, answer } => told.push((revision, answer)),
                other @ (Outcome::Conflict { .. } | Outcome::RequestIdReused) => {
                    return Err(Fault(format!("a repetition was told {other:?}")));
                }
            }
        }
        same!((first.len(), told.len()), (1, 49), "first and repeated answers");
        same!(told.iter().all(|answer| *answer == first[0]), true, "all were told the first answer");
        same!(ledger.snapshot().await?.0.len(), round, "live records after round {round}");
    }
    Ok(())
}

/// An outcome is remembered for 72 hours, and forgotten by later commits.
pub async fn an_outcome_is_remembered_for_72_hours(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let take = draft().requested(request("ZA1", "r1", "take"), "taken");
    committed(&*ledger, take.clone()).await?;
    // Time goes on while this runs: an hour is more than it takes.
    let hour = SignedDuration::from_hours(1);
    maker.pass(limits::REQUEST_MEMORY - hour).await;
    let later = Commit::new(START + limits::REQUEST_MEMORY);
    committed(&*ledger, later).await?;
    same!(ledger.commit(take.clone()).await?, replayed(1, "taken"), "a repetition 72 hours later");
    maker.pass(hour + hour).await;
    let too_late = Commit::new(START + limits::REQUEST_MEMORY + SignedDuration::from_millis(1));
    committed(&*ledger, too_late).await?;
    same!(committed(&*ledger, take).await?, Revision(4), "the same id after 72 hours and a later commit");
    Ok(())
}

/// A full scope is refused, others are not, and it makes room by itself as its requests age.
pub async fn a_full_scope_is_refused_and_makes_room_by_itself(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let by = |scope: &str, n: usize| draft().requested(request(scope, &n.to_string(), "take"), "");
    for n in 0..REQUESTS_PER_SCOPE {
        committed(&*ledger, by("ZA1", n)).await?;
    }
    let before = ledger.snapshot().await?;
    let refused = Trouble::TooManyRequests { scope: "ZA1".into(), allowed: REQUESTS_PER_SCOPE };
    same!(
        ledger.commit(by("ZA1", REQUESTS_PER_SCOPE)).await,
        Err(refused),
        "one more request of a full scope"
    );
    same!(ledger.snapshot().await?, before, "the snapshot after the refusal");
    same!(ledger.commit(by("ZA1", 0)).await?, replayed(1, ""), "a repetition in a full scope");
    committed(&*ledger, by("ZA2", 0)).await?;
    let aged = START + limits::REQUEST_MEMORY + SignedDuration::from_secs(1);
    maker.pass(limits::REQUEST_MEMORY + SignedDuration::from_secs(1)).await;
    committed(&*ledger, Commit { at: aged, ..by("ZA1", REQUESTS_PER_SCOPE) }).await?;
    Ok(())
}
