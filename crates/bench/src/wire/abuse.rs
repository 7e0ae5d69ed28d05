//! `fallow-bench wire-abuse`: what well-behaved trusts notice while another caller does harm. Each measurement beside harm
//! has a quiet one right before or right after it, in turns; what is compared is the two of a pair.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use fallow_api::client::Client;
use fallow_api::v1::ListOffersRequest;
use fallow_bench::stopwatch::{Stopwatch, percentile};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::attack::{Done, Harm};
use super::fleet::{Ground, Lanes, REGION, Served, ready};
use crate::ledger::load::cpu_us;
use crate::ledger::middle;

/// Trusts that keep to their limits, and the one that does not.
const OTHERS: [&str; 4] = ["ZA2", "ZA3", "ZA4", "ZA5"];
const NOISY: &str = "ZA1";
/// How often each of the others reads: half as often as it may.
const EVERY: Duration = Duration::from_millis(40);
/// How long harm is done before it is measured beside, and after.
const LEAD: Duration = Duration::from_millis(400);
/// Of the calls of a trust at a hundred times its limit, the share that must be refused for it to be that.
const REFUSED_LEAST: f64 = 0.9;

/// What `wire-abuse` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The program `fallow`, as released.
    #[arg(long, value_name = "FILE")]
    fallow: PathBuf,
    /// How many pairs of each sort of harm are measured; medians are printed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How long each part is measured, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 5)]
    seconds: u64,
    /// Print one object instead of lines.
    #[arg(long)]
    json: bool,
}

/// What the others notice of one sort of harm: medians of the pairs.
#[derive(Debug, Serialize)]
struct Beside {
    what: &'static str,
    quiet_p50_us: f64,
    quiet_p99_us: f64,
    p50_us: f64,
    p99_us: f64,
    /// The p99 beside harm, in those of the quiet part of the same pair: the median, the least and the most of the pairs.
    of_quiet: [f64; 3],
    /// What was sent a second, what of it was refused, and the connections that were ended a second.
    sent: f64,
    refused: f64,
    ended: f64,
    /// Processor time of the service a second, in milliseconds: quiet, and beside harm.
    service_ms: [f64; 2],
}

/// One part of a pair.
struct Part {
    p50_us: f64,
    p99_us: f64,
    service_ms: f64,
    done: Done,
}

/// Measures, and prints the medians.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let all = runtime.block_on(measure(options))?;
    if options.json {
        println!("{}", serde_json::to_string(&all)?);
        return Ok(());
    }
    for Beside {
        what, quiet_p99_us, p99_us, of_quiet: [middle, least, most], sent, refused, ended, ..
    } in all
    {
        println!(
            "{what:<32} p99 {quiet_p99_us:>6.0} -> {p99_us:>6.0} us, {middle:.2} ({least:.2} to {most:.2}); {sent:.0}/s \
             sent, {refused:.0}/s refused, {ended:.0}/s connections ended"
        );
    }
    Ok(())
}

async fn measure(options: &Options) -> Result<Vec<Beside>> {
    let time = Duration::from_secs(options.seconds);
    let mut pairs: Vec<Vec<(Part, Part)>> = Harm::ALL.iter().map(|_| Vec::new()).collect();
    for round in 0..options.rounds {
        eprintln!("round {} of {}", round + 1, options.rounds);
        let ground = Ground::new(&options.fallow, Path::new(REGION.0), REGION.1).await?;
        let noisy = ground.token(NOISY)?;
        let served = ground.serve("one", &["capacity"], &noisy, Lanes::AsSet)?;
        ready(&served).await?;
        let others = OTHERS
            .iter()
            .map(|trust| served.client_of(&ground.token(trust)?))
            .collect::<Result<Vec<Client>>>()?;
        // The first calls of a connection are not like the others.
        part(&served, &others, None, Duration::from_secs(1)).await?;
        for (harm, pairs) in Harm::ALL.into_iter().zip(&mut pairs) {
            let pair = if round % 2 == 0 {
                let quiet = part(&served, &others, None, time).await?;
                (quiet, part(&served, &others, Some(harm), time).await?)
            } else {
                let beside = part(&served, &others, Some(harm), time).await?;
                (part(&served, &others, None, time).await?, beside)
            };
            let (quiet, beside) = &pair;
            eprintln!(
                "  {}: p99 {:.0} -> {:.0} us, {:?}",
                harm.name(),
                quiet.p99_us,
                beside.p99_us,
                beside.done
            );
            pairs.push(pair);
        }
    }
    Ok(Harm::ALL.into_iter().zip(&pairs).map(|(harm, pairs)| beside(harm, pairs, options.seconds)).collect())
}

fn beside(harm: Harm, pairs: &[(Part, Part)], seconds: u64) -> Beside {
    let quiet = |value: fn(&Part) -> f64| middle(pairs.iter().map(|(quiet, _)| value(quiet)));
    let beside = |value: fn(&Part) -> f64| middle(pairs.iter().map(|(_, beside)| value(beside)));
    let ratios: Vec<f64> = pairs.iter().map(|(quiet, beside)| beside.p99_us / quiet.p99_us).collect();
    let (least, most) = (ratios.iter().copied().reduce(f64::min), ratios.iter().copied().reduce(f64::max));
    let second = seconds as f64 + 2.0 * LEAD.as_secs_f64();
    Beside {
        what: harm.name(),
        quiet_p50_us: quiet(|part| part.p50_us),
        quiet_p99_us: quiet(|part| part.p99_us),
        p50_us: beside(|part| part.p50_us),
        p99_us: beside(|part| part.p99_us),
        of_quiet: [middle(ratios.iter().copied()), least.unwrap_or_default(), most.unwrap_or_default()],
        sent: beside(|part| part.done.sent as f64) / second,
        refused: beside(|part| part.done.refused as f64) / second,
        ended: beside(|part| part.done.ended as f64) / second,
        service_ms: [quiet(|part| part.service_ms), beside(|part| part.service_ms)],
    }
}

/// Measures what the others notice, quiet or beside harm.
async fn part(served: &Served, others: &[Client], harm: Option<Harm>, time: Duration) -> Result<Part> {
    let attacker = harm.map(|harm| attacker(served, harm, time + 2 * LEAD)).transpose()?;
    // A quiet part has its pause too: what was begun beside harm has ended by then.
    sleep(LEAD).await;
    let (before, watch) = (cpu_us(served.id()), Stopwatch::start());
    let mut lanes = JoinSet::new();
    for (at, client) in others.iter().enumerate() {
        // Evenly beside one another, not all at once.
        let offset = EVERY * u32::try_from(at)? / u32::try_from(others.len())?;
        lanes.spawn(reads(client.clone(), offset, time));
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    while let Some(lane) = lanes.join_next().await {
        let (more, wrong) = lane?;
        times.extend(more);
        failed += wrong;
    }
    let (spent, after) = (watch.spent(), cpu_us(served.id()));
    let name = harm.map_or("all quiet", Harm::name);
    let done = attacker.map(|child| done(child, name)).transpose()?.unwrap_or_default();
    ensure!(failed == 0, "{name}: {failed} of {} calls of the others failed", times.len());
    match harm {
        Some(Harm::NoisyTrust) => {
            let share = done.refused as f64 / done.sent as f64;
            ensure!(share >= REFUSED_LEAST, "{name}: only {} of {} were refused", done.refused, done.sent);
        }
        Some(harm) => {
            ensure!(done.sent > 0, "{name}: nothing was done");
            ensure!(done.ended > 0 || !harm.is_ended(), "{name}: no connection was ended");
        }
        None => {}
    }
    times.sort_unstable();
    Ok(Part {
        p50_us: percentile(&times, 50.0) as f64 / 1e3,
        p99_us: percentile(&times, 99.0) as f64 / 1e3,
        service_ms: (after - before) / 1e3 / (spent.wall_ns as f64 / 1e9),
        done,
    })
}

/// Starts whoever does harm, as a process that gets what the others leave of the processor: it stands for machines elsewhere.
fn attacker(served: &Served, harm: Harm, time: Duration) -> Result<Child> {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(std::env::current_exe()?).args(["wire-attack", "--harm", harm.argument()]);
    command.args(["--address", &served.address, "--token", &served.token]);
    command.arg("--millis").arg(time.as_millis().to_string());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))
}

fn done(attacker: Child, name: &str) -> Result<Done> {
    let output = attacker.wait_with_output()?;
    ensure!(output.status.success(), "{name}: whoever did harm ended with {}", output.status);
    serde_json::from_slice(&output.stdout).with_context(|| format!("{name}: what was done cannot be read"))
}

/// Reads at an even pace; returns how long each call took, from when it was due, and how many failed.
async fn reads(client: Client, offset: Duration, time: Duration) -> (Vec<u64>, u64) {
    sleep(offset).await;
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut pace = interval(EVERY);
    // A call that was late does not make the next one late: it is asked at once, and its wait counts.
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let calls = time.as_millis() / EVERY.as_millis();
    for _ in 0..calls {
        let due = pace.tick().await;
        let ask = ListOffersRequest { page_size: 10, ..ListOffersRequest::default() };
        failed += u64::from(client.capacity().list_offers(ask).await.is_err());
        times.push(u64::try_from(due.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    (times, failed)
}
