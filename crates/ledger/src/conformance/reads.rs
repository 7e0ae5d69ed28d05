//! Checks of `read` and `snapshot`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::{Fault, Maker, Verdict, committed, draft, key, one, same};
use crate::limits::{self, Limit};
use crate::{Key, Ledger, Part, RecordKind, Revision, Trouble, Versioned};

/// An absent record is `None`.
pub async fn an_absent_record_is_none(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    same!(one(&*ledger, &key("a")).await?, None, "a record of an empty ledger");
    committed(&*ledger, draft().writing(key("b"), "b")).await?;
    same!(one(&*ledger, &key("a")).await?, None, "a record that was not written");
    let other_kind = Key::new(RecordKind::Need, "b");
    same!(one(&*ledger, &other_kind).await?, None, "the same id of another kind");
    Ok(())
}

/// The answers are in the order of `keys`.
pub async fn answers_are_in_the_order_of_keys(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    same!(ledger.read(&[]).await?, vec![], "answers to a read of nothing");
    committed(&*ledger, draft().writing(key("a"), "A").writing(key("b"), "B")).await?;
    let asked = [key("b"), key("none"), key("a"), key("b")];
    let bodies: Vec<_> =
        ledger.read(&asked).await?.into_iter().map(|found| found.map(|r| (r.key, r.body))).collect();
    let b = Some((key("b"), Bytes::from("B")));
    same!(bodies, vec![b.clone(), None, Some((key("a"), "A".into())), b], "answers in order");
    Ok(())
}

/// Each with the revision that last wrote it.
pub async fn each_with_the_revision_that_last_wrote_it(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    committed(&*ledger, draft().writing(key("a"), "1").writing(key("b"), "1")).await?;
    committed(&*ledger, draft().writing(key("a"), "2")).await?;
    committed(&*ledger, draft().writing(key("c"), "3")).await?;
    same!(one(&*ledger, &key("a")).await?, Some((Revision(2), "2".into())), "a record written twice");
    same!(one(&*ledger, &key("b")).await?, Some((Revision(1), "1".into())), "a record written once");
    Ok(())
}

/// No commit is seen in part.
pub async fn no_commit_is_seen_in_part(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let pair = [key("left"), key("right")];
    let writer = ledger.clone();
    let [left, right] = pair.clone();
    let mut writers = JoinSet::new();
    writers.spawn(async move {
        for n in 0_u64.. {
            let body = n.to_string();
            committed(&*writer, draft().writing(left.clone(), body.clone()).writing(right.clone(), body))
                .await?;
            tokio::task::yield_now().await;
        }
        Ok::<_, Fault>(())
    });
    // The reader counts, and not the writer: on a busy machine the writer could be done before the first read.
    let mut seen = std::collections::BTreeSet::new();
    while seen.len() < 100 {
        still_writing(&mut writers)?;
        let found = ledger.read(&pair).await?;
        let [left, right] = &found[..] else {
            return Err(Fault("a read of two keys gave another number".into()));
        };
        let revision = |found: &Option<Versioned>| found.as_ref().map(|record| record.revision);
        same!(revision(left), revision(right), "two records that are always written together");
        seen.insert(revision(left));
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// More than `limits::READS` keys are refused.
pub async fn more_keys_than_reads_are_refused(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let keys: Vec<Key> = (0..=limits::READS).map(|n| key(&n.to_string())).collect();
    let refused = Trouble::TooLarge { limit: Limit::Reads, allowed: limits::READS, found: limits::READS + 1 };
    same!(ledger.read(&keys).await, Err(refused), "a read of too many keys");
    same!(ledger.read(&keys[1..]).await?.len(), limits::READS, "a read of as many keys as there may be");
    Ok(())
}

/// A snapshot gives everything live, in key order.
pub async fn a_snapshot_gives_everything_live_in_key_order(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let (live, cursor) = ledger.snapshot().await?;
    same!((live, cursor.revision()), (vec![], Revision::ABSENT), "the snapshot of an empty ledger");
    let need = Key::new(RecordKind::Need, "a");
    committed(&*ledger, draft().writing(need.clone(), "1").writing(key("c"), "1").writing(key("b"), "1"))
        .await?;
    committed(&*ledger, draft().writing(key("b"), "2").deleting(key("c"))).await?;
    let (live, cursor) = ledger.snapshot().await?;
    let record = |key, revision, body: &'static str| Versioned {
        key,
        revision: Revision(revision),
        body: body.into(),
    };
    same!(live, vec![record(key("b"), 2, "2"), record(need, 1, "1")], "the snapshot");
    same!(cursor.revision(), Revision(2), "the revision of the snapshot");
    Ok(())
}

/// All parts together are the snapshot.
pub async fn all_parts_together_are_the_snapshot(maker: &dyn Maker) -> Verdict {
    /// More than any ledger tells in one part.
    const RECORDS: u64 = 5_000;
    let ledger = maker.fresh().await;
    same!(parts(&*ledger).await?.0, BTreeMap::new(), "the parts of an empty ledger");
    for first in (0..RECORDS).step_by(1_000) {
        let some = (first..first + 1_000).map(|n| key(&n.to_string()));
        let draft = some.fold(draft(), |draft, key| draft.writing(key, "body"));
        committed(&*ledger, draft).await?;
    }
    committed(&*ledger, draft().writing(key("7"), "changed").deleting(key("8"))).await?;
    let (told, cursor) = parts(&*ledger).await?;
    let (live, end) = ledger.snapshot().await?;
    same!(cursor, end, "the cursor of the parts");
    same!(told.len(), live.len(), "records told in parts");
    // Not printed: there are thousands.
    same!(told == by_key(live), true, "the parts together are the snapshot");
    Ok(())
}

/// Takes a snapshot in parts, and puts them together.
async fn parts(ledger: &dyn Ledger) -> Result<(BTreeMap<Key, (Revision, Bytes)>, crate::Cursor), Trouble> {
    let (tell, mut told) = mpsc::channel(1);
    let together = async {
        let mut live = BTreeMap::new();
        while let Some(part) = told.recv().await {
            match part {
                Part::Anew => live.clear(),
                Part::Live(records) => live.extend(by_key(records)),
                Part::Gone(keys) => live.retain(|key, _| !keys.contains(key)),
            }
        }
        live
    };
    let (cursor, live) = tokio::join!(ledger.snapshot_in_parts(tell), together);
    Ok((live, cursor?))
}

/// From the cursor of a snapshot, `changes` goes on without gap or repeat, whatever is written meanwhile.
pub async fn changes_go_on_from_a_snapshot_without_gap_or_repeat(maker: &dyn Maker) -> Verdict {
    const WRITERS: u64 = 4;
    const STARTS: usize = 5;
    let ledger = maker.fresh().await;
    let mut writers = JoinSet::new();
    for writer in 0..WRITERS {
        writers.spawn(write_on(ledger.clone(), writer));
    }
    for _ in 0..STARTS {
        follow_between_snapshots(&*ledger, &mut writers).await?;
    }
    Ok(())
}

/// Writes, overwrites and deletes until it is aborted: the reader counts, as above.
async fn write_on(ledger: Arc<dyn Ledger>, writer: u64) -> Verdict {
    for n in 0_u64.. {
        let mine = key(&format!("{writer}-{}", n % 3));
        let draft = if n % 7 == 6 { draft().deleting(mine) } else { draft().writing(mine, n.to_string()) };
        committed(&*ledger, draft.writing(key("shared"), format!("{writer}-{n}"))).await?;
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Takes a snapshot, waits for another that is many changes later, and compares that with the first and the changes
/// between them, while the writers go on.
async fn follow_between_snapshots(ledger: &dyn Ledger, writers: &mut JoinSet<Verdict>) -> Verdict {
    /// How many changes are asked for at a time.
    const PAGE: usize = 7;
    /// How many changes are followed at least: full pages, however slow the writers are.
    const CHANGES: u64 = 6 * PAGE as u64;
    let (live, mut cursor) = ledger.snapshot().await?;
    let mut picture = by_key(live);
    let (later, end) = loop {
        let (live, end) = ledger.snapshot().await?;
        if end.revision().0 >= cursor.revision().0 + CHANGES {
            break (by_key(live), end.revision());
        }
        still_writing(writers)?;
        // A ledger in memory never makes its caller wait; without this the runtime may give the writers no turn.
        tokio::task::yield_now().await;
    };
    while cursor.revision() < end {
        let page = ledger.changes(&cursor, PAGE, Duration::from_secs(5)).await?;
        same!(page.changes.is_empty(), false, "no change within 5 s, at {cursor}");
        for change in page.changes {
            same!(change.revision, cursor.revision().next(), "the change after {cursor}");
            cursor = cursor.at(change.revision);
            if cursor.revision() > end {
                continue;
            }
            for (key, body) in change.writes {
                match body {
                    Some(body) => picture.insert(key, (change.revision, body)),
                    None => picture.remove(&key),
                };
            }
        }
        same!(page.cursor, cursor, "the cursor after the page");
    }
    same!(picture, later, "the picture by snapshot and changes, and the later snapshot");
    Ok(())
}

fn by_key(live: Vec<Versioned>) -> BTreeMap<Key, (Revision, Bytes)> {
    live.into_iter().map(|record| (record.key, (record.revision, record.body))).collect()
}

/// Fails when a writer has ended: each goes on until it is aborted.
fn still_writing(writers: &mut JoinSet<Verdict>) -> Verdict {
    match writers.try_join_next() {
        Some(ended) => ended.map_err(|e| Fault(e.to_string()))?,
        None => Ok(()),
    }
}

/// Bytes come back as written, of any value and also none.
pub async fn bytes_come_back_as_written(maker: &dyn Maker) -> Verdict {
    let ledger = maker.fresh().await;
    let (_, start) = ledger.snapshot().await?;
    let every_byte: Bytes = (0..=u8::MAX).collect::<Vec<u8>>().into();
    let odd = Key::new(RecordKind::Claim, "ZA1/a b/ÅÄÖ\n\0\"'=-");
    let draft = draft()
        .writing(odd.clone(), every_byte.clone())
        .writing(key("empty"), "")
        .writing(key("digits"), "12 34")
        .deleting(key("never"))
        .because(every_byte.clone());
    committed(&*ledger, draft.clone()).await?;
    same!(one(&*ledger, &odd).await?, Some((Revision(1), every_byte)), "a body of every byte");
    same!(one(&*ledger, &key("empty")).await?, Some((Revision(1), Bytes::new())), "an empty body");
    same!(one(&*ledger, &key("digits")).await?, Some((Revision(1), "12 34".into())), "a body of digits");
    let page = ledger.changes(&start, 1, Duration::ZERO).await?;
    let told: Vec<_> = page.changes.into_iter().map(|change| (change.writes, change.cause)).collect();
    same!(told, vec![(draft.writes, draft.cause)], "the change in the log");
    Ok(())
}
