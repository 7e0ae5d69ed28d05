//! Two ledgers, one random sequence of calls, every answer compared.

use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};

use super::{Fault, START, Verdict, key};
use crate::{Change, Changes, Commit, Cursor, Key, Ledger, Outcome, RequestKey, Revision, Trouble};

/// Numbers that look random and are the same for the same seed (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// Makes the dice of a seed.
    pub fn new(seed: u64) -> Dice {
        Dice(seed)
    }

    /// Returns a number below `bound`, which is at least 1.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// Returns true once in `times`.
    pub fn once_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// How many records the calls are about: few, so that they meet.
const RECORDS: u64 = 8;
/// How many request ids: more than [`super::REQUESTS_PER_SCOPE`], so that the cap is reached.
const REQUEST_IDS: u64 = 80;

/// Makes the same `steps` random calls to both, which must be empty, and compares the answers. `pass` makes time pass for
/// a ledger that has a clock of its own.
///
/// # Errors
/// The first difference, with the seed and the step.
pub async fn compare(
    one: &dyn Ledger,
    two: &dyn Ledger,
    seed: u64,
    steps: u32,
    pass: impl AsyncFn(SignedDuration),
) -> Verdict {
    let mut twins = Twins::start(one, two, seed).await?;
    for step in 0..steps {
        // About a week passes in 500 steps, so that requests are forgotten; and never 72 hours to the minute, for a clock goes
        // on by itself too.
        let time = SignedDuration::from_mins(14 * i64::try_from(twins.dice.below(4)).unwrap_or(0));
        twins.now += time;
        pass(time).await;
        twins.step().await.map_err(|Fault(what)| Fault(format!("seed {seed}, step {step}: {what}")))?;
    }
    Ok(())
}

struct Twins<'a> {
    one: &'a dyn Ledger,
    two: &'a dyn Ledger,
    dice: Dice,
    now: Timestamp,
    /// The cursors of the start: places in the two histories are compared by their distance from them.
    starts: (Cursor, Cursor),
    head: Revision,
    /// What has been read, not always lately: what commits expect.
    known: Vec<(Key, Revision)>,
}

impl<'a> Twins<'a> {
    async fn start(one: &'a dyn Ledger, two: &'a dyn Ledger, seed: u64) -> Result<Twins<'a>, Fault> {
        let starts = (one.snapshot().await?.1, two.snapshot().await?.1);
        let known = (0..RECORDS).map(|n| (record(n), Revision::ABSENT)).collect();
        Ok(Twins { one, two, dice: Dice::new(seed), now: START, starts, head: Revision::ABSENT, known })
    }

    async fn step(&mut self) -> Verdict {
        match self.dice.below(10) {
            0 | 1 => self.read().await,
            2 => self.snapshot().await,
            3 | 4 => self.changes().await,
            _ => self.commit().await,
        }
    }

    async fn read(&mut self) -> Verdict {
        let keys: Vec<Key> = (0..self.dice.below(4)).map(|_| record(self.dice.below(RECORDS))).collect();
        let (one, two) = (self.one.read(&keys).await, self.two.read(&keys).await);
        agree(&one, &two, "read", &keys)?;
        for (key, found) in keys.into_iter().zip(one.unwrap_or_default()) {
            let revision = found.map_or(Revision::ABSENT, |record| record.revision);
            self.known.iter_mut().filter(|(known, _)| *known == key).for_each(|known| known.1 = revision);
        }
        Ok(())
    }

    async fn snapshot(&mut self) -> Verdict {
        let (one, two) = (self.one.snapshot().await, self.two.snapshot().await);
        let plain = |answer: Result<(_, Cursor), Trouble>, start: &Cursor| {
            answer.map(|(live, cursor)| (live, cursor.revision(), cursor.history() == start.history()))
        };
        agree(&plain(one, &self.starts.0), &plain(two, &self.starts.1), "snapshot", &())
    }

    async fn changes(&mut self) -> Verdict {
        // Sometimes ahead of the ledger.
        let after = Revision(self.dice.below(self.head.0 + 3));
        let limit = 1 + usize::try_from(self.dice.below(20)).unwrap_or(0);
        let swapped = self.dice.once_in(10);
        let (for_one, for_two) = (self.starts.0.at(after), self.starts.1.at(after));
        // Sometimes each is asked with the other's cursor.
        let (for_one, for_two) = if swapped { (for_two, for_one) } else { (for_one, for_two) };
        let one = self.one.changes(&for_one, limit, Duration::ZERO).await;
        let two = self.two.changes(&for_two, limit, Duration::ZERO).await;
        agree(&plain_page(one), &plain_page(two), "changes", &(after, limit, swapped))
    }

    async fn commit(&mut self) -> Verdict {
        let mut commit = Commit::new(self.now).because(format!("cause {}", self.dice.below(1_000)));
        for _ in 0..self.dice.below(4) {
            let place = usize::try_from(self.dice.below(RECORDS)).unwrap_or(0);
            let (key, mut revision) = self.known[place].clone();
            if self.dice.once_in(12) {
                revision = Revision(self.dice.below(self.head.0 + 2));
            }
            commit = commit.expecting(key, revision);
        }
        for _ in 0..self.dice.below(4) {
            let key = record(self.dice.below(RECORDS));
            commit =
                if self.dice.once_in(4) { commit.deleting(key) } else { commit.writing(key, self.body()) };
        }
        if self.dice.once_in(2) {
            let scope = if self.dice.once_in(3) { "ZA1" } else { "ZA2" };
            let id = self.dice.below(REQUEST_IDS).to_string();
            let body = if self.dice.once_in(6) { "other" } else { "body" };
            let answer = self.body();
            commit = commit.requested(RequestKey::new(scope, id, body.as_bytes()), answer);
        }
        let (mut for_one, mut for_two) = (commit.clone(), commit.clone());
        if self.dice.once_in(3) {
            let (one, two) = (self.starts.0.history().clone(), self.starts.1.history().clone());
            // Sometimes what is expected was seen in the other's history.
            let (one, two) = if self.dice.once_in(4) { (two, one) } else { (one, two) };
            (for_one, for_two) = (for_one.seen_in(one), for_two.seen_in(two));
        }
        let (one, two) = (self.one.commit(for_one).await, self.two.commit(for_two).await);
        agree(&one, &two, "commit", &commit)?;
        if let Ok(Outcome::Committed { revision }) = one {
            self.head = revision;
        }
        Ok(())
    }

    fn body(&mut self) -> Bytes {
        (0..self.dice.below(12)).map(|_| self.dice.below(256).to_le_bytes()[0]).collect::<Vec<u8>>().into()
    }
}

fn record(n: u64) -> Key {
    key(&n.to_string())
}

/// What can be compared of a page: the cursors are of different histories.
fn plain_page(page: Result<Changes, Trouble>) -> Result<(Vec<Change>, Revision), Trouble> {
    page.map(|page| (page.changes, page.cursor.revision()))
}

fn agree<A: PartialEq + std::fmt::Debug>(
    one: &A,
    two: &A,
    call: &str,
    asked: &dyn std::fmt::Debug,
) -> Verdict {
    if one == two {
        return Ok(());
    }
    Err(Fault(format!("{call} {asked:?}: one answered {one:?}, the other {two:?}")))
}
