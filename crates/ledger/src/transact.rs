//! Read, decide, commit once: the way in which every handler and the engine change the ledger.
//!
//! A decision is pure and is bound to the exact version of everything it read. When any of it has changed, the commit
//! writes nothing and the decision is made afresh on what is there now, a bounded number of times.
//!
//! What a decision sees is always of one revision: when it asks for more, everything is read again at once. Even a
//! refusal, which no commit checks, therefore rests on records that were there together.
//!
//! At first it sees what the picture shows, which costs nothing. That may be behind, and only the commit finds out: so
//! whatever is not committed (a refusal, an answer without a change, a mere check) is decided again on what the ledger
//! itself says, as is every attempt after the first.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::cause::Cause;
use crate::commit::{Commit, Outcome, RequestKey};
use crate::cursor::Revision;
use crate::key::Key;
use crate::picture::Picture;
use crate::planted;
use crate::record::{Record, lease_key};
use crate::trouble::Trouble;
use crate::{Ledger, Writes};

/// How often a decision is made afresh before the caller is told that it lost the race.
pub const ATTEMPTS: u32 = 12;

/// How long a new attempt waits for the picture to show what made the last one fail.
const CATCH_UP: Duration = Duration::from_millis(200);

/// What a decision read, at its exact versions, all of one revision.
#[derive(Debug, Default)]
pub struct View {
    records: BTreeMap<Key, Option<(Revision, Arc<Record>)>>,
    /// The history of the picture that it is of; `None` when it is of the ledger.
    glanced_in: Option<Arc<str>>,
}

impl View {
    /// Returns a record that was read, or `None` when it was absent or not read.
    #[must_use]
    pub fn get(&self, key: &Key) -> Option<&Record> {
        self.records.get(key)?.as_ref().map(|(_, record)| record.as_ref())
    }

    /// Returns the revision that last wrote a record; [`Revision::ABSENT`] when there is none.
    #[must_use]
    pub fn revision(&self, key: &Key) -> Revision {
        self.records.get(key).and_then(Option::as_ref).map_or(Revision::ABSENT, |(revision, _)| *revision)
    }

    /// Says whether a key was read, be the record there or not.
    #[must_use]
    pub fn has_read(&self, key: &Key) -> bool {
        self.records.contains_key(key)
    }

    /// Returns every record that was read and is there, in order of key.
    pub fn records(&self) -> impl Iterator<Item = (&Key, &Record)> {
        self.records.iter().filter_map(|(key, read)| read.as_ref().map(|(_, record)| (key, record.as_ref())))
    }
}

/// What a decision comes to.
#[derive(Debug)]
pub enum Step<A> {
    /// It must know these records too.
    Read(Vec<Key>),
    /// It changes these records (`None` deletes) and answers so. A record that is written without having been read
    /// must not be there yet.
    Write {
        /// New versions of the records that change.
        writes: Vec<(Key, Option<Record>)>,
        /// The answer, remembered under the request id.
        answer: A,
    },
    /// It changes nothing and answers so.
    Answer(A),
    /// The records do not hang together, for something changed between two reads: read again.
    ReadAgain,
}

/// What has been done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done<A> {
    /// The answer of the decision, now or when the request id was first used.
    pub answer: A,
    /// The revision of the commit; [`Revision::ABSENT`] when nothing was written.
    pub revision: Revision,
    /// Whether the request id had been used before, so that nothing was written now.
    pub replayed: bool,
}

/// Why nothing was done, or why that is not known.
#[derive(Debug, thiserror::Error)]
pub enum Fault<E> {
    /// The decision said no.
    #[error("refused")]
    Refused(E),
    /// Others kept changing what the decision read.
    #[error("lost a race {ATTEMPTS} times")]
    ChangedMeanwhile,
    /// The request id was used for another request.
    #[error("the request id was used for another request")]
    RequestIdReused,
    /// The store said no, or did not say.
    #[error(transparent)]
    Trouble(#[from] Trouble),
}

/// How a decision is to be carried out.
#[derive(Debug, Clone)]
pub struct Order {
    /// The request, whose outcome is remembered; `None` for the engine's own steps.
    pub request: Option<RequestKey>,
    /// Why, for the log.
    pub cause: Cause,
    /// Decide and check, but write nothing.
    pub validate_only: bool,
}

/// Reads `first`, lets `decide` ask for more, and commits what it decides, bound to the version of all it read.
///
/// `decide` must be pure but for looking things up in the picture: it may be called several times.
///
/// # Errors
/// [`Fault::Refused`] with the decision's own error; [`Fault::ChangedMeanwhile`] after [`ATTEMPTS`] lost races;
/// [`Fault::RequestIdReused`]; [`Fault::Trouble`] from the store.
pub async fn transact<A, E>(
    ledger: &dyn Ledger,
    picture: &Picture,
    order: Order,
    first: Vec<Key>,
    mut decide: impl FnMut(&View) -> Result<Step<A>, E> + Send,
) -> Result<Done<A>, Fault<E>>
where
    A: Serialize + DeserializeOwned,
{
    let mut may_glance = !order.validate_only;
    for _ in 0..ATTEMPTS {
        let mut wanted: BTreeSet<Key> = first.iter().cloned().collect();
        let mut view;
        loop {
            let glance = if may_glance { glance(picture, &wanted) } else { None };
            view = match glance {
                Some(glance) => glance,
                None => read(ledger, &wanted).await?,
            };
            let is_glance = view.glanced_in.is_some();
            let step = match decide(&view) {
                Ok(Step::Read(more)) => {
                    let known = wanted.len();
                    wanted.extend(more);
                    if wanted.len() == known {
                        // It asks for what it has: the records do not hang together.
                        break;
                    }
                    continue;
                }
                Ok(Step::Answer(_) | Step::ReadAgain) | Err(_) if is_glance => {
                    may_glance = false;
                    continue;
                }
                Ok(step) => step,
                Err(refusal) => {
                    return match first_answer(ledger, &order).await? {
                        Some(done) => Ok(done),
                        None => Err(Fault::Refused(refusal)),
                    };
                }
            };
            match step {
                Step::Read(_) | Step::ReadAgain => break,
                Step::Answer(answer) => {
                    let now = Done { answer, revision: Revision::ABSENT, replayed: false };
                    return Ok(first_answer(ledger, &order).await?.unwrap_or(now));
                }
                Step::Write { answer, .. } if order.validate_only && !planted::on("check-only-writes") => {
                    return Ok(Done { answer, revision: Revision::ABSENT, replayed: false });
                }
                Step::Write { writes, answer } => {
                    match ledger.commit(commit(&order, &view, writes, &answer)?).await? {
                        Outcome::Committed { revision } => {
                            return Ok(Done { answer, revision, replayed: false });
                        }
                        Outcome::Replayed { revision, answer } => return replayed(revision, &answer),
                        Outcome::RequestIdReused => return Err(Fault::RequestIdReused),
                        Outcome::Conflict { .. } => break,
                    }
                }
            }
        }
        may_glance = false;
        catch_up(picture, &view).await;
    }
    // An attempt need not have come as far as the commit that looks its request id up.
    first_answer(ledger, &order).await?.ok_or(Fault::ChangedMeanwhile)
}

/// Looks at records in the picture, at one revision; `None` while it is not drawn.
fn glance(picture: &Picture, wanted: &BTreeSet<Key>) -> Option<View> {
    let still = picture.still();
    let history = still.cursor()?.history().clone();
    let found = |key: &Key| still.get(key).map(|seen| (seen.revision, seen.record));
    let records = wanted.iter().map(|key| (key.clone(), found(key))).collect();
    Some(View { records, glanced_in: Some(history) })
}

/// Reads records at one revision.
async fn read(ledger: &dyn Ledger, wanted: &BTreeSet<Key>) -> Result<View, Trouble> {
    let keys: Vec<Key> = wanted.iter().cloned().collect();
    let found = ledger.read(&keys).await?;
    let records = keys.into_iter().zip(found).map(|(key, versioned)| {
        let Some(versioned) = versioned else { return Ok((key, None)) };
        match Record::decode(key.kind, &versioned.body) {
            Ok(record) => Ok((key, Some((versioned.revision, Arc::new(record))))),
            Err(unreadable) => Err(Trouble::Corrupt { key: Some(key), detail: unreadable.to_string() }),
        }
    });
    Ok(View { records: records.collect::<Result<_, _>>()?, glanced_in: None })
}

/// Returns what the request id answered when it was first used, or `None` when it was not.
///
/// A decision that writes nothing never reaches the commit that would find its request id. A repeated request must
/// answer as before all the same ("accepted", not "already accepted"), so the id is looked up by a commit that expects
/// what cannot be: the request id is looked at before the versions, and nothing is ever written.
async fn first_answer<A: DeserializeOwned, E>(
    ledger: &dyn Ledger,
    order: &Order,
) -> Result<Option<Done<A>>, Fault<E>> {
    let Some(request) = order.request.clone().filter(|_| !order.validate_only) else { return Ok(None) };
    if planted::on("answer-not-looked-up") {
        return Ok(None);
    }
    let probe = that_cannot_be(order.cause.at).requested(request, bytes::Bytes::new());
    match ledger.commit(probe).await {
        Ok(Outcome::Replayed { revision, answer }) => replayed(revision, &answer).map(Some),
        Ok(Outcome::RequestIdReused) => Err(Fault::RequestIdReused),
        // A scope that is full remembers all its requests, and this is none of them.
        Ok(Outcome::Conflict { .. } | Outcome::Committed { .. }) | Err(Trouble::TooManyRequests { .. }) => {
            Ok(None)
        }
        Err(trouble) => Err(trouble.into()),
    }
}

/// Makes a commit that expects what cannot be, so that it never writes: for asking what only a commit is told.
#[must_use]
pub fn that_cannot_be(at: Timestamp) -> Commit {
    Commit::new(at).expecting(lease_key(), Revision(u64::MAX >> 12))
}

fn replayed<A: DeserializeOwned, E>(revision: Revision, answer: &[u8]) -> Result<Done<A>, Fault<E>> {
    let answer =
        serde_json::from_slice(answer).map_err(|e| Trouble::Corrupt { key: None, detail: e.to_string() })?;
    Ok(Done { answer, revision, replayed: true })
}

/// Waits until the picture has seen everything that this attempt read, so that the next one looks things up afresh.
async fn catch_up(picture: &Picture, view: &View) {
    let seen = view.records.values().flatten().map(|(revision, _)| *revision).max().unwrap_or_default();
    picture.reached(seen, CATCH_UP).await;
    tokio::task::yield_now().await;
}

fn commit<A: Serialize>(
    order: &Order,
    view: &View,
    writes: Vec<(Key, Option<Record>)>,
    answer: &A,
) -> Result<Commit, Trouble> {
    // Only what may be asked again is remembered.
    let answer = match &order.request {
        Some(_) => {
            serde_json::to_vec(answer).map_err(|e| Trouble::Corrupt { key: None, detail: e.to_string() })?
        }
        None => Vec::new(),
    };
    // What was read is expected as it was; what is written unread is expected to be absent, as its revision says.
    let involved = view.records.keys().chain(writes.iter().map(|(key, _)| key));
    let expects = involved.map(|key| (key.clone(), view.revision(key)));
    let expects = expects.filter(|_| !planted::on("clock-used-for-safety")).collect();
    let writes = if planted::on("offer-not-freed") { without_freed(writes) } else { writes };
    let writes: Writes =
        writes.into_iter().map(|(key, record)| (key, record.map(|record| record.encode()))).collect();
    Ok(Commit {
        at: order.cause.at,
        request: order.request.clone(),
        expects,
        seen_in: view.glanced_in.clone(),
        writes,
        cause: order.cause.encode(),
        answer: answer.into(),
    })
}

/// Leaves out the offers whose units a hold gives back as it ends: a planted bug.
fn without_freed(mut writes: Vec<(Key, Option<Record>)>) -> Vec<(Key, Option<Record>)> {
    let ends = |record: &Option<Record>| matches!(record, Some(Record::Proposal(proposal)) if proposal.ended_at.is_some());
    if writes.iter().any(|(_, record)| ends(record)) {
        writes.retain(|(_, record)| !matches!(record, Some(Record::Offer(_))));
    }
    writes
}
