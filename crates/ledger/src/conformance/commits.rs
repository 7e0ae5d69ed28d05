//! Checks of `commit`, but for request ids.

use std::time::Duration;

use bytes::Bytes;
use tokio::task::JoinSet;

use super::{Fault, Maker, Verdict, committed, draft, key, one, same};
use crate::limits::{self, Limit};
use crate::{Outcome, Revision, Trouble};

/// All of it is written.
pub async fn all_of_it_is_written(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let mut many = draft();
    for n in 0..limits::WRITES_PER_COMMIT {
        many =
            many.writing(key(&n.to_string()), n.to_string()).expecting(key(&n.to_string()), Revision::ABSENT);
    }
    same!(committed(&*ledger, many.clone()).await?, Revision(1), "the revision of a large commit");
    let keys: Vec<_> = many.writes.keys().cloned().collect();
    let found = ledger.read(&keys).await?;
    let written: Vec<_> = found.into_iter().flatten().map(|r| (r.key, Some(r.body))).collect();
    same!(written, many.writes.into_iter().collect::<Vec<_>>(), "the records of a large commit");
    Ok(())
}

/// Nothing is written if any record that was read has changed.
pub async fn nothing_is_written_if_any_record_has_changed(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    committed(&*ledger, draft().writing(key("a"), "1").writing(key("b"), "1")).await?;
    committed(&*ledger, draft().writing(key("b"), "2")).await?;
    let before = ledger.snapshot().await?;
    let stale = draft()
        .expecting(key("a"), Revision(1))
        .expecting(key("b"), Revision(1))
        .writing(key("a"), "lost")
        .writing(key("c"), "lost")
        .deleting(key("b"));
    same!(
        ledger.commit(stale).await?,
        Outcome::Conflict { keys: vec![key("b")] },
        "a commit on a stale record"
    );
    same!(ledger.snapshot().await?, before, "the snapshot after a conflict");
    same!(ledger.changes(&before.1, 10, Duration::ZERO).await?.changes, vec![], "the log after a conflict");
    let fresh =
        draft().expecting(key("a"), Revision(1)).expecting(key("b"), Revision(2)).writing(key("a"), "2");
    same!(committed(&*ledger, fresh).await?, Revision(3), "a commit on fresh records");
    Ok(())
}

/// What was seen in another history is worth nothing, even where the revisions are the same.
pub async fn what_was_seen_in_another_history_conflicts(maker: &dyn Maker) -> Verdict {
    let (ledger, other) = (maker.fresh().await, maker.fresh().await);
    for ledger in [&ledger, &other] {
        committed(&**ledger, draft().writing(key("a"), "1")).await?;
    }
    let (before, elsewhere) = (ledger.snapshot().await?, other.snapshot().await?.1);
    let commit = || draft().expecting(key("a"), Revision(1)).writing(key("a"), "2");
    same!(
        ledger.commit(commit().seen_in(elsewhere.history().clone())).await?,
        Outcome::Conflict { keys: vec![key("a")] },
        "a commit on what was seen in another history"
    );
    same!(ledger.snapshot().await?, before, "the snapshot after that");
    let own = commit().seen_in(before.1.history().clone());
    same!(committed(&*ledger, own).await?, Revision(2), "a commit on what was seen in this history");
    Ok(())
}

/// A conflict names every record that differs, in key order.
pub async fn a_conflict_names_every_record_that_differs(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    committed(&*ledger, draft().writing(key("a"), "1").writing(key("b"), "1")).await?;
    let stale = draft()
        .expecting(key("d"), Revision(1))
        .expecting(key("c"), Revision::ABSENT)
        .expecting(key("b"), Revision(9))
        .expecting(key("a"), Revision(1));
    same!(ledger.commit(stale).await?, Outcome::Conflict { keys: vec![key("b"), key("d")] }, "the conflict");
    Ok(())
}

/// An expected absence is compared like any revision.
pub async fn an_expected_absence_is_compared(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let create = draft().expecting(key("a"), Revision::ABSENT).writing(key("a"), "first");
    same!(committed(&*ledger, create.clone()).await?, Revision(1), "the first creation");
    let second = ledger.commit(create.writing(key("a"), "second")).await?;
    same!(second, Outcome::Conflict { keys: vec![key("a")] }, "the second creation");
    same!(one(&*ledger, &key("a")).await?, Some((Revision(1), "first".into())), "the record");
    Ok(())
}

/// A deleted record is absent, and can be made again under a higher revision.
pub async fn a_deleted_record_is_absent(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    committed(&*ledger, draft().writing(key("a"), "1")).await?;
    committed(&*ledger, draft().expecting(key("a"), Revision(1)).deleting(key("a"))).await?;
    same!(one(&*ledger, &key("a")).await?, None, "a deleted record");
    let stale = draft().expecting(key("a"), Revision(1)).writing(key("a"), "2");
    same!(
        ledger.commit(stale).await?,
        Outcome::Conflict { keys: vec![key("a")] },
        "a commit on a deleted record"
    );
    committed(&*ledger, draft().expecting(key("a"), Revision::ABSENT).writing(key("a"), "3")).await?;
    same!(one(&*ledger, &key("a")).await?, Some((Revision(3), "3".into())), "the record made again");
    Ok(())
}

/// A commit without writes takes a revision, and its cause is in the log.
pub async fn a_commit_without_writes_takes_a_revision(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let (_, start) = ledger.snapshot().await?;
    same!(committed(&*ledger, draft().because("seen")).await?, Revision(1), "the revision");
    let page = ledger.changes(&start, 10, Duration::ZERO).await?;
    let told: Vec<_> = page.changes.into_iter().map(|c| (c.revision, c.writes.len(), c.cause)).collect();
    same!(told, vec![(Revision(1), 0, Bytes::from("seen"))], "the change");
    Ok(())
}

/// What is too large writes nothing, and says which limit it breaks.
pub async fn what_is_too_large_writes_nothing(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let before = ledger.snapshot().await?;
    let bytes = |len: usize| Bytes::from(vec![b'x'; len]);
    let named = |len: usize| key(&"x".repeat(len));
    let mut many = draft();
    let mut heavy = draft();
    for n in 0..=limits::WRITES_PER_COMMIT {
        many = many.writing(key(&n.to_string()), "");
    }
    for n in 0..=limits::COMMIT_BYTES / limits::BODY_BYTES {
        heavy = heavy.writing(key(&n.to_string()), bytes(limits::BODY_BYTES));
    }
    let cases = [
        (draft().writing(named(0), ""), Limit::KeyIdBytes),
        (draft().expecting(named(limits::KEY_ID_BYTES + 1), Revision(1)), Limit::KeyIdBytes),
        (draft().writing(key("ok"), "").writing(key("a"), bytes(limits::BODY_BYTES + 1)), Limit::BodyBytes),
        (draft().writing(key("ok"), "").because(bytes(limits::CAUSE_BYTES + 1)), Limit::CauseBytes),
        (many, Limit::WritesPerCommit),
        (heavy, Limit::CommitBytes),
    ];
    for (commit, broken) in cases {
        match ledger.commit(commit).await {
            Err(Trouble::TooLarge { limit, .. }) => {
                same!(limit, broken, "the limit that is named");
            }
            other => return Err(Fault(format!("{broken:?} was not refused: {other:?}"))),
        }
    }
    same!(ledger.snapshot().await?, before, "the snapshot after refusals");
    committed(&*ledger, draft().writing(named(limits::KEY_ID_BYTES), bytes(limits::BODY_BYTES))).await?;
    Ok(())
}

/// Of 32 racers on one record one wins, and the losers write nothing.
pub async fn of_32_racers_on_one_record_one_wins(maker: &dyn Maker) -> Verdict {
    const RACERS: u64 = 32;
    const ROUNDS: u64 = 5;
    let ledger = maker.fresh().await;
    committed(&*ledger, draft().writing(key("unit"), "free")).await?;
    for round in 1..=ROUNDS {
        let mut racers = JoinSet::new();
        for racer in 0..RACERS {
            let ledger = ledger.clone();
            let held = format!("{round}-{racer}");
            let hold = draft()
                .expecting(key("unit"), Revision(round))
                .writing(key("unit"), held.clone())
                .writing(key(&held), "mine");
            racers.spawn(async move { (held, ledger.commit(hold).await) });
        }
        let mut winners = Vec::new();
        for (held, outcome) in racers.join_all().await {
            match outcome? {
                Outcome::Committed { revision } => winners.push((held, revision)),
                Outcome::Conflict { keys } => {
                    same!(keys, vec![key("unit")], "what a loser is told");
                }
                other @ (Outcome::Replayed { .. } | Outcome::RequestIdReused) => {
                    return Err(Fault(format!("a racer was told {other:?}")));
                }
            }
        }
        same!(winners.len(), 1, "winners of round {round}");
        let (held, revision) = winners.remove(0);
        same!(revision, Revision(round + 1), "the winner's revision");
        same!(one(&*ledger, &key("unit")).await?, Some((revision, held.into())), "the record");
        let (live, _) = ledger.snapshot().await?;
        same!(live.len() as u64, 1 + round, "live records after round {round}");
    }
    Ok(())
}
