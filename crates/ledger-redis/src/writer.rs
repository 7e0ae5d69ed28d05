//! The one way of commits to the store.
//!
//! All commits of a process go over a connection of their own, in batches: what comes in while a batch is under way is the
//! next batch, so nothing waits for company. A batch is one transaction, so that the server flushes its log once for it: a
//! long request it reads in parts, and would flush after each. What becomes of one commit of a batch is nothing to the
//! others. Where replicas must hold a write, `WAIT` follows the transaction on the same connection, and covers everything
//! before it on that server.
//!
//! A second batch goes while one is under way once it is as large, so that the server is not without work while the answers
//! of the first are taken in. Each is judged by its own answers and by the epoch that it named; neither rests on the other.
//! Where replicas are asked for there is one batch at a time: nothing is written after a write that they may not hold.
//!
//! Invariants: a caller that goes away stops nobody else's commit. What was surely not sent is `Unavailable`; what was
//! sent and not answered, or is not on as many replicas as asked, is `Unknown`.

use std::sync::Arc;
use std::time::Duration;

use fallow_ledger::{Commit, Outcome, Trouble, planted};
use futures::future::{BoxFuture, FutureExt as _};
use futures::stream::{FuturesUnordered, StreamExt as _};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, ErrorKind, FromRedisValue, RedisError, RedisResult, Value};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::Instant;

use crate::Options;
use crate::decode::{self, Said};
use crate::errors;
use crate::store::Store;

/// The most commits of a batch: some milliseconds of the server's time, and far fewer than its reply buffers hold.
const BATCH: usize = 256;

/// When a batch takes no further commit, in bytes: below what a server's query buffer takes with ease.
const BATCH_BYTES: usize = 4 * 1024 * 1024;

/// How much may be queued, in KiB, each commit counted as one at least: some seconds of a busy region, and a bound on
/// memory while the store is slow.
const QUEUE_KIB: u32 = 64 * 1024;

/// How often a commit is tried: once for each thing that may be found out of date.
const TRIES: u32 = 4;

/// A commit that waits for its answer.
struct Job {
    commit: Commit,
    since: Instant,
    /// Whether it was sent once already, and its answer lost with the connection.
    sent_before: bool,
    answer: oneshot::Sender<Result<Said, Trouble>>,
    _room: OwnedSemaphorePermit,
}

impl Job {
    /// Answers. What was sent before is perhaps written, whatever became of it now.
    fn fail(self, trouble: Trouble) {
        let trouble = match self.sent_before {
            true => Trouble::Unknown { detail: trouble.to_string() },
            false => trouble,
        };
        self.tell(Err(trouble));
    }

    fn tell(self, answer: Result<Said, Trouble>) {
        // The caller may have gone away: there is nobody to tell.
        let _ = self.answer.send(answer);
    }
}

/// Commits that are sent together.
#[derive(Default)]
struct Batch {
    jobs: Vec<Job>,
    bytes: usize,
}

impl Batch {
    fn push(&mut self, job: Job) {
        self.bytes += bytes(&job.commit);
        self.jobs.push(job);
    }

    fn is_full(&self) -> bool {
        self.jobs.len() >= BATCH || self.bytes >= BATCH_BYTES
    }
}

/// The answer to each call of a transaction, and whether enough replicas hold what was written, or why not.
type Answers = Result<(Vec<RedisResult<Value>>, Result<(), String>), RedisError>;

/// A batch that was sent.
struct UnderWay {
    len: usize,
    answered: BoxFuture<'static, Sent>,
}

/// What became of a batch.
struct Sent {
    batch: Vec<Job>,
    /// The epoch that it named.
    epoch: String,
    line: MultiplexedConnection,
    answers: Answers,
}

/// Where commits are handed in.
pub(crate) struct Queue {
    jobs: mpsc::UnboundedSender<Job>,
    room: Arc<Semaphore>,
    patience: Duration,
}

impl Queue {
    /// Hands a commit in and waits for its answer.
    ///
    /// # Errors
    /// [`Trouble::Unavailable`] when there is no room within the response timeout; else what the store said.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<Said, Trouble> {
        let kib = u32::try_from(bytes(&commit) / 1024 + 1).unwrap_or(QUEUE_KIB).min(QUEUE_KIB);
        let room = tokio::time::timeout(self.patience, self.room.clone().acquire_many_owned(kib)).await;
        let Ok(Ok(room)) = room else {
            let detail = "commit: too many wait for the store already".to_owned();
            return Err(Trouble::Unavailable { detail });
        };
        let (answer, told) = oneshot::channel();
        let job = Job { commit, since: Instant::now(), sent_before: false, answer, _room: room };
        if self.jobs.send(job).is_err() {
            return Err(Trouble::Unavailable { detail: "commit: the process ends".to_owned() });
        }
        let ended = || Trouble::Unknown { detail: "commit: the process ends".to_owned() };
        told.await.unwrap_or_else(|_| Err(ended()))
    }
}

/// Returns about how large a commit is when it is sent.
fn bytes(commit: &Commit) -> usize {
    let bodies: usize = commit.writes.values().flatten().map(bytes::Bytes::len).sum();
    bodies + commit.cause.len() + commit.answer.len() + 64 * (commit.expects.len() + commit.writes.len())
}

/// Takes commits from the queue and writes them.
pub(crate) struct Writer {
    store: Arc<Store>,
    jobs: mpsc::UnboundedReceiver<Job>,
    /// The connection, and how often the shared one had been lost when it was made.
    line: Option<(u64, MultiplexedConnection)>,
    /// Whether the replicas must be seen to follow before anything more is written: a store that writes on without them
    /// only adds to what may be lost.
    in_doubt: bool,
    /// The epoch of the last batch.
    epoch: String,
}

impl Writer {
    /// Makes a writer and the queue that it serves.
    pub(crate) fn new(store: Arc<Store>) -> (Queue, Writer) {
        let (sender, jobs) = mpsc::unbounded_channel();
        let room = Arc::new(Semaphore::new(QUEUE_KIB as usize));
        let queue = Queue { jobs: sender, room, patience: store.options.response_timeout };
        (queue, Writer { store, jobs, line: None, in_doubt: false, epoch: String::new() })
    }

    /// Writes until the queue is closed.
    pub(crate) async fn run(mut self) {
        let mut under_way = FuturesUnordered::new();
        let mut next = Batch::default();
        // How many commits the batch that was sent last has.
        let mut ahead = 0;
        loop {
            tokio::select! {
                biased;
                Some(sent) = under_way.next() => self.take_in_and_try_again(sent).await,
                Some(job) = self.jobs.recv(), if !next.is_full() => next.push(job),
                else => break,
            }
            while !next.is_full()
                && let Ok(job) = self.jobs.try_recv()
            {
                next.push(job);
            }
            let goes = match under_way.len() {
                0 => !next.jobs.is_empty(),
                // A smaller one would cost a flush of the server's log for fewer than could share it.
                1 => next.jobs.len() >= ahead && self.may_follow(),
                _ => false,
            };
            if goes && let Some(batch) = self.begin(std::mem::take(&mut next).jobs).await {
                ahead = batch.len;
                under_way.push(batch.answered);
            }
        }
    }

    /// Takes in what became of a batch. What a lost connection, a missing function or a ledger that had changed left open is
    /// tried again, each once.
    async fn take_in_and_try_again(&mut self, sent: Sent) {
        let mut again = self.take_in(sent, true).await;
        for tries_left in (0..TRIES - 1).rev() {
            let Some(batch) = self.begin(again).await else { return };
            let sent = batch.answered.await;
            again = self.take_in(sent, tries_left > 0).await;
        }
    }

    /// Whether a second batch may go while one is under way: nothing speaks against it that would have to be waited for, and
    /// no replicas are asked for, for which the server holds up what follows on the connection.
    fn may_follow(&self) -> bool {
        let losses = self.store.link.losses();
        self.store.options.replicas == 0
            && self.store.settings_allow().is_ok()
            && self.line.as_ref().is_some_and(|(then, _)| *then == losses)
            && self.store.presence.may_write()
            && self.store.presence.place().0 == self.epoch
    }

    /// Sends a batch, and answers those of it that cannot be sent. Nothing is under way where none can be.
    async fn begin(&mut self, mut batch: Vec<Job>) -> Option<UnderWay> {
        let patience = self.store.options.response_timeout;
        batch.retain(|job| !job.answer.is_closed());
        let (late, batch): (Vec<Job>, Vec<Job>) =
            batch.into_iter().partition(|job| !job.sent_before && job.since.elapsed() > patience);
        fail_all(late, &self.why_late());
        if batch.is_empty() {
            return None;
        }
        let line = match self.ready().await {
            Ok(line) => line,
            Err(trouble) => {
                fail_all(batch, &trouble);
                return None;
            }
        };
        let batch = self.tell_of_other_histories(batch);
        if batch.is_empty() {
            return None;
        }
        let place = (self.epoch.clone(), self.store.presence.place().1);
        let calls = batch.iter().map(|job| self.store.commit_call(&place, &job.commit));
        let exchange = exchange(&self.store.options, line.clone(), calls);
        let len = batch.len();
        let answered = async move { Sent { batch, epoch: place.0, line, answers: exchange.await } };
        Some(UnderWay { len, answered: answered.boxed() })
    }

    /// Answers a batch, but for what is to be tried again.
    async fn take_in(&mut self, sent: Sent, may_try_again: bool) -> Vec<Job> {
        let Sent { batch, epoch, line, answers } = sent;
        match answers {
            Ok((answers, held)) => self.tell(batch, (&epoch, line), answers, held, may_try_again).await,
            Err(error) => {
                self.line = None;
                // With a request id a second try can have no second effect, and tells what became of the first. After
                // a timeout it would only add to the load.
                let lost = may_try_again && errors::is_connection_lost(&error) && !error.is_timeout();
                let (again, lost): (Vec<Job>, Vec<Job>) = batch
                    .into_iter()
                    .partition(|job| lost && !job.sent_before && job.commit.request.is_some());
                fail_all(lost, &errors::of_commit(&error));
                again.into_iter().map(|job| Job { sent_before: true, ..job }).collect()
            }
        }
    }

    /// Answers those whose revisions were seen in another history than that of the epoch that the batch will name: they
    /// conflict. Gives the others. The store takes the batch in that epoch alone, and what this process has been shown in the
    /// epoch's history is what the store has.
    fn tell_of_other_histories(&self, batch: Vec<Job>) -> Vec<Job> {
        let is_of_another = |job: &Job| {
            let seen_in = job.commit.seen_in.as_ref();
            seen_in.is_some_and(|history| !self.store.presence.vouches(&self.epoch, history))
        };
        let (others, batch): (Vec<Job>, Vec<Job>) = batch.into_iter().partition(is_of_another);
        for job in others {
            let keys = job.commit.expects.keys().cloned().collect();
            job.tell(Ok(Said::Outcome(Outcome::Conflict { keys })));
        }
        batch
    }

    /// Says why commits have waited too long for their turn: for a ledger that was closed, or for a slow store.
    fn why_late(&self) -> Trouble {
        match self.store.presence.closed() {
            Some(detail) => Trouble::Sealed { detail },
            None => unavailable("commit: the store is too slow"),
        }
    }

    /// Gives the connection, once nothing speaks against writing over it.
    async fn ready(&mut self) -> Result<MultiplexedConnection, Trouble> {
        self.store.settings_allow()?;
        let losses = self.store.link.losses();
        let line = match &self.line {
            Some((then, line)) if *then == losses => line.clone(),
            Some(_) | None => {
                // The replicas have as long as the server, and the answer comes after both.
                let line = self.store.link.alone(self.store.options.response_timeout * 2).await?;
                self.store.presence.doubt();
                self.line.insert((losses, line)).1.clone()
            }
        };
        self.store.writable().await?;
        let (epoch, _) = self.store.presence.place();
        if self.epoch != epoch {
            self.epoch = epoch;
            self.in_doubt = self.store.options.replicas > 0;
        }
        if self.in_doubt {
            self.see_replicas(&line).await?;
        }
        Ok(line)
    }

    /// Makes sure that the replicas follow: a small write, and a wait for it.
    async fn see_replicas(&mut self, line: &MultiplexedConnection) -> Result<(), Trouble> {
        let (mut answers, held) =
            match exchange(&self.store.options, line.clone(), [self.store.touch_call()]).await {
                Ok(answered) => answered,
                Err(error) => {
                    self.line = None;
                    return Err(errors::not_sent("see the replicas", &error));
                }
            };
        if let Some(Err(error)) = answers.pop() {
            match errors::is_function_missing(&error) {
                // What it would have touched is not there either: the batch finds out for itself.
                true => return self.store.load(&mut line.clone()).await,
                false => return Err(self.refused(&error)),
            }
        }
        held.map_err(|detail| unavailable(&detail))?;
        self.in_doubt = false;
        Ok(())
    }

    /// Tells each caller what the store answered. Gives what the store has surely not run, and what may be tried again.
    async fn tell(
        &mut self,
        batch: Vec<Job>,
        (epoch, mut line): (&str, MultiplexedConnection),
        answers: Vec<RedisResult<Value>>,
        held: Result<(), String>,
        may_try_again: bool,
    ) -> Vec<Job> {
        self.in_doubt |= held.is_err();
        let (mut missing, mut again) = (Vec::new(), Vec::new());
        let mut answers = answers.into_iter();
        for job in batch {
            match answers.next() {
                Some(Ok(answer)) => {
                    let said =
                        Vec::from_redis_value(answer).map_err(|error| errors::of_commit(&error.into()));
                    match said.and_then(decode::said).and_then(|said| self.judge(said, epoch, &held)) {
                        Ok(Said::Changed) if may_try_again => again.push(job),
                        Ok(Said::Changed) => {
                            let detail = "the ledger is not the one that was opened".to_owned();
                            job.fail(Trouble::Sealed { detail });
                        }
                        Ok(said) => job.tell(Ok(said)),
                        Err(trouble) => job.fail(trouble),
                    }
                }
                Some(Err(error)) if may_try_again && errors::is_function_missing(&error) => missing.push(job),
                Some(Err(error)) => {
                    let trouble = self.refused(&error);
                    job.fail(trouble);
                }
                None => job.fail(Trouble::Unknown { detail: "commit: no answer".to_owned() }),
            }
        }
        if !again.is_empty() {
            // The connection may be to a server whose place another has taken.
            self.line = None;
            self.store.presence.doubt();
        }
        if !missing.is_empty() {
            match self.store.load(&mut line).await {
                Ok(()) => again.extend(missing),
                Err(trouble) => fail_all(missing, &trouble),
            }
        }
        again
    }

    /// Holds what the function said in an epoch against what the replicas hold.
    fn judge(&self, said: Said, epoch: &str, held: &Result<(), String>) -> Result<Said, Trouble> {
        let Said::Outcome(outcome) = &said else { return Ok(said) };
        match (outcome, held) {
            (Outcome::Committed { revision } | Outcome::Replayed { revision, .. }, Ok(())) => {
                match self.store.presence.acknowledged(epoch, *revision) {
                    true => Ok(said),
                    false => Err(Trouble::Unknown { detail: "the store changed meanwhile".to_owned() }),
                }
            }
            (Outcome::Committed { .. } | Outcome::Replayed { .. }, Err(detail)) => {
                Err(Trouble::Unknown { detail: detail.clone() })
            }
            (Outcome::Conflict { .. } | Outcome::RequestIdReused, Ok(())) => Ok(said),
            // Nothing was written, but what this rests on may yet be lost.
            (Outcome::Conflict { .. } | Outcome::RequestIdReused, Err(detail)) => Err(unavailable(detail)),
        }
    }

    /// What a refusal of the server means. One that is no primary is looked for anew.
    fn refused(&mut self, error: &RedisError) -> Trouble {
        if errors::is_no_primary(error) {
            self.line = None;
        }
        errors::of_commit(error)
    }
}

/// Sends calls as one transaction, and the wait for the replicas after it. Gives an answer for each call, and whether
/// enough replicas hold what was written, or why not.
fn exchange(
    options: &Options,
    mut line: MultiplexedConnection,
    calls: impl IntoIterator<Item = Cmd>,
) -> BoxFuture<'static, Answers> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("MULTI");
    for call in calls {
        pipeline.add_command(call);
    }
    pipeline.cmd("EXEC");
    let wanted = options.replicas;
    if wanted > 0 {
        let patience_ms = u64::try_from(options.response_timeout.as_millis());
        // 0 would wait for ever.
        pipeline.cmd("WAIT").arg(wanted).arg(patience_ms.unwrap_or(u64::MAX).clamp(1, 60_000));
    }
    let answered = async move {
        let mut answers: Vec<RedisResult<Value>> = pipeline.ignore_errors().query_async(&mut line).await?;
        let held = if wanted > 0 { held_by(wanted, answers.pop()) } else { Ok(()) };
        let done = answers.pop();
        let queued = answers.split_off(answers.len().min(1));
        let held = if planted::on("reply-before-wait") { Ok(()) } else { held };
        Ok((each(queued, done)?, held))
    };
    answered.boxed()
}

/// Whether as many replicas as wanted said that they hold everything so far, or why not.
fn held_by(wanted: u32, answer: Option<RedisResult<Value>>) -> Result<(), String> {
    match answer {
        Some(Ok(Value::Int(found))) if found >= i64::from(wanted) => Ok(()),
        Some(Ok(Value::Int(found))) => Err(format!("{found} of {wanted} replicas hold it")),
        Some(Err(error)) => Err(format!("wait for the replicas: {error}")),
        Some(Ok(_)) | None => Err("wait for the replicas: no number".to_owned()),
    }
}

/// Gives the answer to each call of a transaction, from how each was received and what became of the whole.
///
/// # Errors
/// The answer is none that a transaction has: what became of it is not known.
fn each(
    queued: Vec<RedisResult<Value>>,
    done: Option<RedisResult<Value>>,
) -> Result<Vec<RedisResult<Value>>, RedisError> {
    match done {
        Some(Ok(Value::Array(answers))) if answers.len() == queued.len() => {
            Ok(answers.into_iter().map(RedisResult::from_redis_value).collect::<Result<_, _>>()?)
        }
        Some(Err(aborted)) => {
            // Nothing was run. Why, the server said when it refused to take a call.
            let calls = queued.len();
            let why = queued.into_iter().find_map(Result::err).unwrap_or(aborted);
            Ok(vec![Err(why); calls])
        }
        Some(Ok(_)) | None => Err((ErrorKind::UnexpectedReturnType, "no answer to a transaction").into()),
    }
}

fn unavailable(detail: &str) -> Trouble {
    Trouble::Unavailable { detail: detail.to_owned() }
}

fn fail_all(jobs: Vec<Job>, trouble: &Trouble) {
    jobs.into_iter().for_each(|job| job.fail(trouble.clone()));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &'static str) -> RedisError {
        let parsed = redis::parse_redis_value(text.as_bytes());
        let refused = RedisResult::<Value>::from_redis_value(parsed.expect("a whole answer"));
        refused.expect("an answer").expect_err("a refusal")
    }

    #[test]
    fn each_call_of_a_transaction_has_its_own_answer() {
        let queued = || vec![Ok(Value::SimpleString("QUEUED".to_owned())); 2];
        let parsed =
            redis::parse_redis_value(b"*2\r\n:1\r\n-ERR Function not found\r\n").expect("a whole answer");
        let answers = each(queued(), Some(Ok(parsed))).expect("answers");
        assert_eq!(answers[0], Ok(Value::Int(1)));
        assert!(answers[1].as_ref().is_err_and(errors::is_function_missing), "{answers:?}");
    }

    #[test]
    fn a_transaction_that_was_refused_says_why_for_each_call() {
        let queued =
            vec![Ok(Value::SimpleString("QUEUED".to_owned())), Err(refusal("-MOVED 1 127.0.0.1:7\r\n"))];
        let aborted = refusal("-EXECABORT Transaction discarded because of previous errors.\r\n");
        let answers = each(queued, Some(Err(aborted))).expect("answers");
        let codes: Vec<_> =
            answers.iter().map(|answer| answer.as_ref().expect_err("refused").code()).collect();
        assert_eq!(codes, [Some("MOVED"), Some("MOVED")]);
    }

    #[test]
    fn what_became_of_a_transaction_without_a_whole_answer_is_not_known() {
        for done in [None, Some(Ok(Value::Nil)), Some(Ok(Value::Array(Vec::new())))] {
            let error = each(vec![Ok(Value::Nil)], done).expect_err("no answers");
            assert!(matches!(errors::of_commit(&error), Trouble::Unknown { .. }), "{error}");
        }
    }
}
