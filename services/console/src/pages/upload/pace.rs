//! One call for each row of a sheet, at the pace that the services allow.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::{StreamExt, stream};
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::problem::{Kind, Problem};

/// Calls for one upload at once: it shall not keep the services from anybody else.
const AT_ONCE: usize = 4;
/// How long an upload is spread over at most; a thousand needs at five a second take 200 s.
const PATIENCE: Duration = Duration::from_secs(240);

/// What became of one row.
pub(super) enum Became<R> {
    /// The service did it.
    Done(R),
    /// The service refused this row; the others go on.
    Refused(Problem),
    /// What went wrong would go wrong for every further row.
    Stopped(Problem),
    /// An earlier row ended the upload.
    Untried,
}

/// Makes the call of each row, in order, as `with` lets it be made at that time: an upload takes longer than a credential
/// lasts. A row that comes too soon waits as long as the service says and is sent again with the same request id.
pub(super) async fn each<A, C, G, R, F>(
    asks: Vec<(usize, A)>,
    with: impl Fn() -> G + Clone + Send,
    call: impl Fn(C, A) -> F + Clone + Send,
) -> Vec<(usize, Became<R>)>
where
    A: Clone + Send,
    C: Send,
    G: Future<Output = Result<C, Problem>> + Send,
    F: Future<Output = Result<R, Status>> + Send,
    R: Send,
{
    let until = Instant::now() + PATIENCE;
    let stopped = Arc::new(AtomicBool::new(false));
    let calls = stream::iter(asks).map(move |(row, ask)| {
        let (with, call, stopped) = (with.clone(), call.clone(), stopped.clone());
        async move {
            if stopped.load(Ordering::Relaxed) {
                return (row, Became::Untried);
            }
            let became = paced(until, ask, with, call).await;
            if matches!(became, Became::Stopped(_)) {
                stopped.store(true, Ordering::Relaxed);
            }
            (row, became)
        }
    });
    calls.buffered(AT_ONCE).collect().await
}

async fn paced<A: Clone, C, G, R, F>(
    until: Instant,
    ask: A,
    with: impl Fn() -> G,
    call: impl Fn(C, A) -> F,
) -> Became<R>
where
    G: Future<Output = Result<C, Problem>>,
    F: Future<Output = Result<R, Status>>,
{
    loop {
        let with = match with().await {
            Ok(with) => with,
            Err(problem) => return Became::Stopped(problem),
        };
        let status = match call(with, ask.clone()).await {
            Ok(answer) => return Became::Done(answer),
            Err(status) => status,
        };
        match wait_of(&status) {
            Some(wait) if Instant::now().checked_add(wait).is_some_and(|then| then <= until) => {
                sleep(wait).await;
            }
            Some(_) | None => return of_row(Problem::from(status)),
        }
    }
}

/// Returns how long to wait before the same call; `None` when waiting does not help.
fn wait_of(status: &Status) -> Option<Duration> {
    let wait = status.get_error_details().retry_info()?.retry_delay?;
    // A service that names no time shall not be asked without a pause.
    (status.code() == Code::ResourceExhausted).then(|| wait.max(Duration::from_millis(10)))
}

/// Tells a problem of one row from one that ends the upload.
fn of_row<R>(problem: Problem) -> Became<R> {
    match problem.kind {
        Kind::Invalid | Kind::Refused | Kind::ChangedMeanwhile | Kind::NotFound => Became::Refused(problem),
        Kind::Forbidden
        | Kind::SignedOut
        | Kind::Limited
        | Kind::Away
        | Kind::OutcomeUnknown
        | Kind::Broken => Became::Stopped(problem),
    }
}

/// Says which rows: `2 to 21, 23`.
pub(super) fn rows_in_words(rows: &[usize]) -> String {
    let mut runs: Vec<(usize, usize)> = Vec::new();
    for row in rows.iter().copied() {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == row => *last = row,
            Some(_) | None => runs.push((row, row)),
        }
    }
    let run = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    };
    runs.iter().map(run).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use tonic_types::ErrorDetails;

    use super::*;

    fn limited(wait: Duration) -> Status {
        let details = ErrorDetails::with_retry_info(Some(wait));
        Status::with_error_details(Code::ResourceExhausted, "too much at once", details)
    }

    async fn nothing() -> Result<(), Problem> {
        Ok(())
    }

    /// A thousand rows at five a second, with a credential that is good for a minute after it was asked for.
    #[tokio::test(start_paused = true)]
    async fn an_upload_outlives_the_credential_that_it_began_with() {
        let with = || async { Ok(Instant::now()) };
        let call = |asked_at: Instant, row: usize| async move {
            sleep(Duration::from_millis(800)).await;
            match asked_at.elapsed() < Duration::from_secs(60) {
                true => Ok(row),
                false => Err(Status::unauthenticated("it has ended")),
            }
        };
        let began = Instant::now();
        let became = each((2..1002).map(|row| (row, row)).collect(), with, call).await;
        assert!(began.elapsed() >= Duration::from_secs(190), "{:?}", began.elapsed());
        let done = became.iter().filter(|(_, one)| matches!(one, Became::Done(_))).count();
        assert_eq!(done, 1_000);
        // Whoever has none any more ends the upload.
        let with = || async { Err::<Instant, _>(Problem::signed_out("over")) };
        let became = each(vec![(2, 2), (3, 3)], with, call).await;
        assert!(matches!(became[0], (2, Became::Stopped(_))), "it is no fault of the row");
        assert!(became.iter().all(|(_, one)| !matches!(one, Became::Done(_))), "nothing was sent");
    }

    #[tokio::test(start_paused = true)]
    async fn a_row_that_comes_too_soon_waits_and_is_sent_again_as_it_was() {
        let seen = Arc::new(AtomicUsize::new(0));
        let call = |(): (), row: usize| {
            let seen = seen.clone();
            async move {
                match seen.fetch_add(1, Ordering::Relaxed) {
                    5..30 => Err(limited(Duration::from_secs(1))),
                    _ => Ok(row),
                }
            }
        };
        let became = each((2..42).map(|row| (row, row)).collect(), nothing, call).await;
        let done = became.iter().filter(|(row, one)| matches!(one, Became::Done(done) if done == row));
        assert_eq!((became.len(), done.count()), (40, 40));
        assert_eq!(seen.load(Ordering::Relaxed), 65);
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends_and_what_was_not_tried_is_told() {
        let call = |(): (), _: usize| async { Err::<(), _>(limited(Duration::from_secs(1))) };
        let became = each((2..42).map(|row| (row, row)).collect(), nothing, call).await;
        let stopped = became.iter().filter(|(_, one)| matches!(one, Became::Stopped(_))).count();
        let untried = became.iter().filter(|(_, one)| matches!(one, Became::Untried)).count();
        assert!((1..=AT_ONCE).contains(&stopped) && stopped + untried == 40, "{stopped} {untried}");
    }

    #[test]
    fn rows_are_told_in_runs() {
        assert_eq!(rows_in_words(&[2, 3, 4, 6, 8, 9]), "2 to 4, 6, 8 to 9");
        assert_eq!(rows_in_words(&[]), "");
    }
}
