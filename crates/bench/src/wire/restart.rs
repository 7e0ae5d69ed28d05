//! `fallow-bench restart`: what one service alone weighs while nobody calls, and how soon it serves again with so many
//! live offers: of goal B1.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use fallow_api::v1::stream_offers_response::Result as Ack;
use fallow_api::v1::{ListOffersRequest, StreamOffersRequest};
use fallow_bench::stopwatch::Stopwatch;
use serde::Serialize;
use tokio::time::sleep;

use super::feed::offer;
use super::fleet::{Ground, Lanes, REGION, Served, ready};

/// The trusts that publish, each with a site of its own.
const TRUSTS: [(&str, &str); 5] =
    [("ZA1", "ZA101"), ("ZA2", "ZA201"), ("ZA3", "ZA301"), ("ZA4", "ZA401"), ("ZA5", "ZA501")];
/// How long a service is left alone before it is weighed.
const IDLE: Duration = Duration::from_secs(10);
/// How often a service that starts is asked whether it serves.
const ASKED_EVERY: Duration = Duration::from_millis(5);
/// How long it may take to serve.
const PATIENCE: Duration = Duration::from_secs(60);

/// What `restart` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The program `fallow`, as released.
    #[arg(long, value_name = "FILE")]
    fallow: PathBuf,
    /// Live offers at the restart.
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    offers: u64,
    /// How often it is started anew; medians are printed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Print one object instead of lines.
    #[arg(long)]
    json: bool,
}

/// What was measured: memory in MiB, times in seconds.
#[derive(Debug, Serialize)]
struct Measured {
    offers: u64,
    idle_mib: f64,
    empty_start_s: f64,
    restart_s: f64,
    full_mib: f64,
}

/// Measures, and prints the medians.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let found = runtime.block_on(measure(options))?;
    if options.json {
        println!("{}", serde_json::to_string(&found)?);
        return Ok(());
    }
    println!("one capacity service, nobody calls          {:>7.0} MiB", found.idle_mib);
    println!("from its start to its first answer          {:>7.2} s", found.empty_start_s);
    println!("the same with {:>7} live offers           {:>7.2} s", found.offers, found.restart_s);
    println!("and then, nobody calls                      {:>7.0} MiB", found.full_mib);
    Ok(())
}

async fn measure(options: &Options) -> Result<Measured> {
    let ground = Ground::new(&options.fallow, REGION.0.as_ref(), REGION.1).await?;
    let token = ground.token(TRUSTS[0].0)?;
    let (empty_start_s, idle_mib) = started(&ground, &token, options.rounds).await?;
    let served = ground.serve("filling", &["capacity"], &token, Lanes::Open)?;
    ready(&served).await?;
    let each = options.offers.div_ceil(TRUSTS.len() as u64);
    for (trust, site) in TRUSTS {
        fill(&served, &ground.token(trust)?, site, each)
            .await
            .with_context(|| format!("the offers of {trust}"))?;
    }
    drop(served);
    let (restart_s, full_mib) = started(&ground, &token, options.rounds).await?;
    Ok(Measured { offers: each * TRUSTS.len() as u64, idle_mib, empty_start_s, restart_s, full_mib })
}

/// Starts a service so many times; returns the medians of how long it took to its first answer, and of what it weighed
/// when it had been left alone.
async fn started(ground: &Ground, token: &str, rounds: usize) -> Result<(f64, f64)> {
    let (mut seconds, mut weights) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let watch = Stopwatch::start();
        let served = ground.serve("started", &["capacity"], token, Lanes::Open)?;
        let client = served.client()?;
        let one = ListOffersRequest { page_size: 1, ..ListOffersRequest::default() };
        while client.capacity().list_offers(one.clone()).await.is_err() {
            if Duration::from_nanos(watch.spent().wall_ns) > PATIENCE {
                bail!("it did not serve within {PATIENCE:?}");
            }
            sleep(ASKED_EVERY).await;
        }
        seconds.push(watch.spent().wall_ns as f64 / 1e9);
        sleep(IDLE).await;
        weights.push(resident_mib(served.id())?);
    }
    Ok((median(seconds), median(weights)))
}

/// Publishes so many offers of a site down one stream.
async fn fill(served: &Served, token: &str, site: &str, offers: u64) -> Result<()> {
    let items = (0..offers).map(|number| StreamOffersRequest {
        feed: "bench-fill".to_owned(),
        source_seq: i64::try_from(number + 1).unwrap_or(i64::MAX),
        offer: Some(offer(site, &format!("filled {number}"), 1)),
    });
    let items = tokio_stream::iter(items.collect::<Vec<_>>());
    let mut answers = served.client_of(token)?.capacity().stream_offers(items).await?.into_inner();
    let mut taken = 0;
    while let Some(answer) = answers.message().await? {
        ensure!(
            matches!(answer.result, Some(Ack::Revision(_))),
            "an item was not taken: {:?}",
            answer.result
        );
        taken += 1;
    }
    ensure!(taken == offers, "{taken} of {offers} offers were taken");
    Ok(())
}

/// Returns the middle of what was measured.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or_default()
}

/// Reads what a process has in memory.
fn resident_mib(process: u32) -> Result<f64> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
