//! One round: start everything, work under faults, heal, see that it lives, stop, and check.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use fallow_api::reasons;
use fallow_domain::actor::Role;
use fallow_ledger::{Cursor, Keeper as _, RecordKind, Revision, Versioned};
use fallow_ledger_redis::RedisLedger;
use fallow_ledger_redis::seal::Standing;
use tokio::time::Instant;

use crate::archive;
use crate::check::{self, Breach, Evidence};
use crate::fleet::{Fleet, Tools};
use crate::history::{End, History, Op};
use crate::nemesis;
use crate::plan::{Fault, Plan};
use crate::tail::Tail;
use crate::traders::{Board, CLIENTS, TRUSTS, Trader, repeat};
use crate::watchers::{Drawn, Watchers};

/// How many plain calls in a row each client must have answered for the system to be live again.
const LIVE_CALLS: usize = 5;
/// The request ids of the calls that ask whether it is.
const LIVE_FROM: u64 = 1_000_000;
/// How long watchers may take to hear of the last change once everything is healed, and the log to come to rest.
const CAUGHT_UP_WITHIN: Duration = Duration::from_secs(60);
/// How long a sealed ledger is tried again after it must be closed.
const SEALED_FOR: Duration = Duration::from_millis(1_500);

/// What came of a round.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What does not hold.
    pub(crate) breaches: Vec<Breach>,
    /// Writes that callers were told of.
    pub(crate) acknowledged: usize,
    /// Requests made.
    pub(crate) calls: usize,
    /// How long it took to live again after the last fault.
    pub(crate) live_after: Option<Duration>,
    /// Objects whose histories were judged, and left.
    pub(crate) linear: (usize, usize),
    /// What the folder of a failing round holds as a text.
    pub(crate) report: String,
}

/// Plays a round in a folder of its own.
///
/// # Errors
/// It could not be played: nothing is said about the system under test.
pub(crate) async fn play(plan: &Plan, folder: &Path, tools: &Tools, patience: Duration) -> Result<Outcome> {
    let small_disk = plan.faults.iter().any(|(_, fault)| matches!(fault, Fault::DiskFull(_)));
    let fleet = start(folder, plan, tools, small_disk).await?;
    let (history, board, tail, watchers) =
        (History::new(), Board::default(), Tail::default(), Watchers::default());
    let ledger = fleet.ledger()?;
    let work = async {
        work(plan, &fleet, &history, &board).await?;
        let healed = Instant::now();
        let live = match plan.seals() {
            true => stay_sealed(plan, &fleet, &history, &board, patience).await?,
            false => live_again(plan, &fleet, &history, &board, healed, patience).await?,
        };
        if plan.seals() {
            return Ok((live, None, Vec::new()));
        }
        let mut wrong = Vec::new();
        if let Err(text) = settle(&fleet, &history).await {
            wrong.push(Breach::new("live_again", format!("{text:#}")));
        }
        let end = match at_rest(&tail, &ledger, &history, &watchers).await {
            Ok((end, pictures)) => Some((end, pictures)),
            Err(breach) => {
                wrong.push(breach);
                None
            }
        };
        Ok::<_, anyhow::Error>((live, end, wrong))
    };
    // Those who only look on go on until the work is done; the services are seen to all the while.
    let (live, end, mut breaches) = tokio::select! {
        done = work => done?,
        () = tail.follow(&ledger, &history) => bail!("the log is no longer followed"),
        watched = watchers.watch(&fleet, &board) => { watched?; bail!("nobody watches any more") }
        seen = see_to(&fleet) => { seen?; bail!("nobody sees to the services any more") }
    };
    let live_after = match live {
        Ok(after) => Some(after),
        Err(breach) => {
            breaches.push(breach);
            None
        }
    };
    let (end, pictures) = end.unzip();
    let pictures = pictures.unwrap_or_default();
    breaches.extend(tail.faults().into_iter().map(|text| Breach::new("dense_revisions", text)));
    breaches.extend(archive::check(&fleet, &history.all(), &tail.entries(), plan.seals()).await?);
    let plan = plan.clone();
    // Other rounds are played meanwhile, and wait for nobody's judgement.
    let judged = tokio::task::spawn_blocking(move || {
        drop(fleet);
        judge(&plan, &history, &tail, end.as_ref(), &pictures, breaches, live_after)
    });
    Ok(judged.await?)
}

fn judge(
    plan: &Plan,
    history: &History,
    tail: &Tail,
    end: Option<&(Vec<Versioned>, Cursor)>,
    pictures: &[(&'static str, Drawn)],
    mut breaches: Vec<Breach>,
    live_after: Option<Duration>,
) -> Outcome {
    let (ops, log) = (history.all(), tail.entries());
    let evidence = Evidence { ops: &ops, log: &log, live: end, sealed_at: history.sealed_at(), pictures };
    let found = check::check(&evidence);
    breaches.extend(found.breaches);
    let acknowledged = ops.iter().filter(|op| op.ok().is_some_and(|(_, said)| said.revision > 0)).count();
    let mut report = format!("seed {}, {:?}\n", plan.seed, plan.world);
    for (at, fault) in &plan.faults {
        report.push_str(&format!("{:7.3} s  {fault:?}\n", at.as_secs_f64()));
    }
    report.push_str("\nbreaches\n");
    breaches.iter().for_each(|breach| report.push_str(&format!("{breach}\n")));
    report.push_str("\nremarks\n");
    history.remarks().iter().for_each(|line| report.push_str(&format!("{line}\n")));
    report.push_str("\ncalls\n");
    ops.iter().for_each(|op| report.push_str(&line(op)));
    report.push_str("\nlog\n");
    for entry in &log {
        let verb = entry.cause.as_ref().map_or("?", |cause| cause.verb.as_str());
        let keys: Vec<String> = entry.change.writes.keys().map(ToString::to_string).collect();
        report.push_str(&format!("{} {verb} {}\n", entry.change.revision, keys.join(" ")));
    }
    Outcome { breaches, acknowledged, calls: ops.len(), live_after, linear: found.linear, report }
}

fn line(op: &Op) -> String {
    let mut text = format!("client {} {} {} {:?}\n", op.client, op.trust, op.request_id, op.ask);
    for attempt in &op.attempts {
        let end = match &attempt.end {
            End::Ok(said) => format!("ok {}", said.revision),
            End::Refused(code, reason) => format!("refused {code:?} {reason}"),
            End::Unknown(why) => format!("unknown {why}"),
        };
        let (from, to) = (attempt.invoked.as_secs_f64(), attempt.ended.as_secs_f64());
        text.push_str(&format!("    {from:.4} to {to:.4}  {end}\n"));
    }
    text
}

/// Starts the processes, with other ports when somebody else took one meanwhile.
async fn start(folder: &Path, plan: &Plan, tools: &Tools, small_disk: bool) -> Result<Fleet> {
    let mut last = None;
    for attempt in 0..3 {
        let own: PathBuf = folder.join(format!("start-{attempt}"));
        std::fs::create_dir_all(&own)?;
        match Fleet::start(&own, plan.world, tools, small_disk).await {
            Ok(fleet) => return Ok(fleet),
            Err(error) => last = Some(error),
        }
    }
    Err(last.context("no start")?).context("the processes do not start")
}

/// Sees that what ended by itself is started again.
async fn see_to(fleet: &Fleet) -> Result<()> {
    loop {
        fleet.see_to_all()?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Clients work while faults happen, and a little longer.
async fn work(plan: &Plan, fleet: &Fleet, history: &History, board: &Board) -> Result<()> {
    let traders = (0..CLIENTS)
        .map(|number| Trader::new((number, 0), plan.seed, fleet, history, board))
        .collect::<Result<Vec<_>>>()?;
    let trade = futures::future::join_all(traders.into_iter().map(Trader::trade));
    let rage = async {
        let least = tokio::time::sleep(plan.work);
        nemesis::rage(plan, fleet, history).await?;
        least.await;
        Ok(())
    };
    tokio::select! {
        done = rage => done,
        _ = trade => bail!("the clients have gone"),
    }
}

/// `live_again`: soon after the last fault every client is served, call after call.
async fn live_again(
    plan: &Plan,
    fleet: &Fleet,
    history: &History,
    board: &Board,
    healed: Instant,
    patience: Duration,
) -> Result<Result<Duration, Breach>> {
    let mut served = Vec::new();
    for number in 0..CLIENTS {
        let mut trader = Trader::new((number, LIVE_FROM), plan.seed, fleet, history, board)?;
        served.push(async move {
            let mut in_a_row = 0;
            while in_a_row < LIVE_CALLS {
                in_a_row = if trader.is_served().await { in_a_row + 1 } else { 0 };
                if in_a_row == 0 {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
    }
    let all = async {
        futures::future::join_all(served).await;
        fleet.serving(patience).await
    };
    let left = patience.saturating_sub(healed.elapsed());
    Ok(match tokio::time::timeout(left, all).await {
        Ok(Ok(())) => Ok(healed.elapsed()),
        Ok(Err(error)) => Err(Breach::new("live_again", format!("{error:#}"))),
        Err(_) => {
            let text = format!("not every client is served {patience:?} after the last fault");
            Err(Breach::new("live_again", text))
        }
    })
}

/// The ledger has lost what it acknowledged: clients go on trying, and every service is started afresh, so that none
/// is closed only because it remembers. That nobody is served, the checks see in the history; here it is seen that
/// somebody is there to serve: the store says that it is closed, and a process that runs says so to a caller.
async fn stay_sealed(
    plan: &Plan,
    fleet: &Fleet,
    history: &History,
    board: &Board,
    patience: Duration,
) -> Result<Result<Duration, Breach>> {
    let mut traders = Vec::new();
    for number in 0..CLIENTS {
        traders.push(Trader::new((number, LIVE_FROM), plan.seed, fleet, history, board)?);
    }
    let trade = futures::future::join_all(traders.into_iter().map(Trader::trade));
    let restart = async {
        // Where the store has nothing left they know not even which region they are of, and say that.
        let flushed = plan.faults.iter().any(|(_, fault)| *fault == Fault::Flush);
        let reasons =
            [reasons::STORE_SEALED, if flushed { reasons::NOT_READY } else { reasons::STORE_SEALED }];
        let remembering = said_sealed(fleet, history, (history.now(), patience), &reasons).await;
        tokio::time::sleep(SEALED_FOR).await;
        for service in &fleet.services {
            service.process.kill();
            service.process.run()?;
        }
        let afresh = said_sealed(fleet, history, (history.now(), patience * 2), &reasons).await;
        tokio::time::sleep(SEALED_FOR).await;
        Ok(remembering.and(afresh).map(|()| Duration::ZERO))
    };
    tokio::select! {
        done = restart => done,
        _ = trade => bail!("the clients have gone"),
    }
}

/// Waits until the ledger is closed for good, and a running process has refused a call for one of these reasons.
async fn said_sealed(
    fleet: &Fleet,
    history: &History,
    (since, within): (Duration, Duration),
    reasons: &[&str],
) -> Result<(), Breach> {
    let ledger = fleet.ledger().map_err(|error| Breach::new("sealed_after_loss", format!("{error:#}")))?;
    let mut standing = "nothing".to_owned();
    let said = async {
        loop {
            match ledger.status().await {
                Ok(status)
                    if matches!(status.standing, Standing::Closed(_))
                        && history.was_refused(since, reasons) =>
                {
                    return;
                }
                Ok(status) => standing = format!("{:?}", status.standing),
                Err(trouble) => standing = trouble.to_string(),
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let in_time = tokio::time::timeout(within, said).await;
    in_time.map_err(|_| {
        let reasons = history.refusals(since);
        let text =
            format!("{within:?} after the loss the ledger says {standing}, and callers are told {reasons:?}");
        Breach::new("sealed_after_loss", text)
    })
}

/// Repeats every request of unknown outcome until it is known: that is what an unknown outcome promises.
async fn settle(fleet: &Fleet, history: &History) -> Result<()> {
    let open = history.open_ops();
    let clients =
        TRUSTS.map(|(trust, _)| fleet.client(Role::BedManager, Some(trust), 2).map(|client| (trust, client)));
    let clients: Vec<_> = clients.into_iter().collect::<Result<_>>()?;
    let all = open.into_iter().map(|(place, op)| {
        let client = clients.iter().find(|(trust, _)| *trust == op.trust).map(|(_, client)| client.clone());
        async move {
            let Some(client) = client else { return true };
            for _ in 0..100 {
                if repeat(history, place, &client).await.is_final() {
                    return true;
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            false
        }
    });
    let known = futures::future::join_all(all).await;
    match known.iter().filter(|known| !**known).count() {
        0 => Ok(()),
        still => bail!("of {still} requests the outcome stays unknown"),
    }
}

/// What is live, and the pictures of those who watch, both as of the end of the log.
type AtRest = ((Vec<Versioned>, Cursor), Vec<(&'static str, Drawn)>);

/// Waits until every watcher has been told of everything that was written, and the archive has it, and reads the log to
/// its end. The engines go
/// on meanwhile, so it may take several looks until nothing has changed between two.
async fn at_rest(
    tail: &Tail,
    ledger: &RedisLedger,
    history: &History,
    watchers: &Watchers,
) -> Result<AtRest, Breach> {
    let all = [
        (RecordKind::Offer, &watchers.offers),
        (RecordKind::Need, &watchers.needs),
        (RecordKind::Proposal, &watchers.proposals[0]),
        (RecordKind::Proposal, &watchers.proposals[1]),
    ];
    let kinds = all.map(|(kind, _)| kind);
    let unreadable = |error: anyhow::Error| Breach::new("dense_revisions", format!("{error:#}"));
    let until = Instant::now() + CAUGHT_UP_WITHIN;
    loop {
        // The store may be away for a moment still.
        if let Err(error) = tail.finish(ledger, history).await {
            if Instant::now() >= until {
                return Err(unreadable(error));
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
            continue;
        }
        let last = kinds.map(|kind| tail.last_of(kind));
        let pictures = all.map(|(kind, picture)| (kind.as_str(), picture.drawn()));
        let told = pictures.iter().map(|(_, drawn)| u64::try_from(drawn.revision).unwrap_or(0));
        let lagging = told.zip(last).zip(kinds).find(|((told, last), _)| told < last);
        let end = tail.revision();
        let reach = ledger.reach().await.ok();
        if let Some(reach) = reach.as_ref().filter(|reach| reach.oldest > Revision(1)) {
            let text =
                format!("the log begins at {}, and nothing of it is old enough to be trimmed", reach.oldest);
            return Err(Breach::new("dense_revisions", text));
        }
        let archived = reach.and_then(|reach| reach.archived);
        let is_archived = archived.as_ref().is_some_and(|archived| archived.cursor.revision() >= end);
        if lagging.is_none() && is_archived {
            let Ok(live) = tail.finish(ledger, history).await else { continue };
            if kinds.map(|kind| tail.last_of(kind)) == last {
                return Ok((live, pictures.into()));
            }
        }
        if Instant::now() >= until {
            let text = match lagging {
                Some(((told, last), kind)) => {
                    format!("a watcher of {}s is told of {told} and not of {last}", kind.as_str())
                }
                None if !is_archived => format!("the log ends at {end}, and archived is {archived:?}"),
                None => "the log does not come to rest".to_owned(),
            };
            return Err(Breach::new("live_again", text));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
