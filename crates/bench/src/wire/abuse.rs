//! `fallow-bench wire-abuse`: what well-behaved trusts notice while another caller does harm. Their calls are the same and
//! as often in every part; the first part is the quiet one, beside which the others stand.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use fallow_api::client::{Client, fresh_request_id};
use fallow_api::v1::{ListOffersRequest, PublishOfferRequest};
use fallow_bench::stopwatch::{Stopwatch, percentile};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::feed::{SITE, offer};
use super::fleet::{Ground, Lanes, REGION, Served, ready};
use crate::ledger::load::cpu_us;
use crate::ledger::{Figure, medians, say};

/// Trusts that keep to their limits, and the one that does not.
const OTHERS: [&str; 4] = ["ZA2", "ZA3", "ZA4", "ZA5"];
const NOISY: &str = "ZA1";
/// How often each of the others reads: a fifth of what it may.
const EVERY: Duration = Duration::from_millis(100);
/// A hundred times the twenty calls a second that a trust may publish, sent every hundredth of a second.
const NOISE_EACH: u32 = 20;
const NOISE_EVERY: Duration = Duration::from_millis(10);
/// Connections that do harm beside one another.
const ATTACKERS: usize = 4;
/// Frames of one write.
const A_ROUND: u32 = 100;

/// What `wire-abuse` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The program `fallow`, as released.
    #[arg(long, value_name = "FILE")]
    fallow: PathBuf,
    /// How often everything is measured; medians are printed.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// How long each part is measured, in seconds.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Print one object instead of lines.
    #[arg(long)]
    json: bool,
}

/// What is done to the service meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Harm {
    Nothing,
    NoisyTrust,
    RapidReset,
    Continuation,
    Pings,
}

impl Harm {
    const ALL: [Self; 5] =
        [Self::Nothing, Self::NoisyTrust, Self::RapidReset, Self::Continuation, Self::Pings];

    const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "others, all quiet",
            Self::NoisyTrust => "others, a trust at 100 times its limit",
            Self::RapidReset => "others, streams opened and reset",
            Self::Continuation => "others, heads without end",
            Self::Pings => "others, pings",
        }
    }

    /// Returns the frames of one write, the streams counted on from `round`.
    fn frames(self, round: u32) -> Vec<u8> {
        let streams = (0..A_ROUND).map(|number| (round * A_ROUND + number) * 2 + 1);
        match self {
            Self::Nothing | Self::NoisyTrust => Vec::new(),
            Self::RapidReset => streams
                .flat_map(|stream| [frame(1, 5, stream, &head()), frame(3, 0, stream, &[0, 0, 0, 8])])
                .flatten()
                .collect(),
            Self::Continuation if round == 0 => frame(1, 1, 1, &head()),
            Self::Continuation => (0..A_ROUND).flat_map(|_| frame(9, 0, 1, b"\0\x01x\x01y")).collect(),
            Self::Pings => (0..A_ROUND).flat_map(|_| frame(6, 0, 0, b"pingpong")).collect(),
        }
    }
}

/// Measures, and prints the medians.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let figures = runtime.block_on(measure(options))?;
    say(&figures, options.json)
}

async fn measure(options: &Options) -> Result<Vec<Figure>> {
    let mut rounds = Vec::new();
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        let ground = Ground::new(&options.fallow, Path::new(REGION.0), REGION.1).await?;
        let noisy = ground.token(NOISY)?;
        let served = ground.serve("one", &["capacity"], &noisy, Lanes::AsSet)?;
        ready(&served).await?;
        let others = OTHERS
            .iter()
            .map(|trust| served.client_of(&ground.token(trust)?))
            .collect::<Result<Vec<Client>>>()?;
        let mut figures = Vec::new();
        for harm in Harm::ALL {
            figures.push(part(&served, &others, harm, Duration::from_secs(options.seconds)).await?);
        }
        rounds.push(figures);
    }
    Ok(medians(&rounds))
}

/// Measures what the others notice of one sort of harm.
async fn part(served: &Served, others: &[Client], harm: Harm, time: Duration) -> Result<Figure> {
    let done = Arc::new(AtomicBool::new(false));
    let harmed = Arc::new(AtomicU64::new(0));
    let mut doing = JoinSet::new();
    match harm {
        Harm::Nothing => {}
        Harm::NoisyTrust => {
            doing.spawn(noise(served.client()?, done.clone(), harmed.clone()));
        }
        Harm::RapidReset | Harm::Continuation | Harm::Pings => {
            let address = served.address.trim_start_matches("http://").to_owned();
            for _ in 0..ATTACKERS {
                doing.spawn(attack(address.clone(), harm, done.clone(), harmed.clone()));
            }
        }
    }
    let (before, watch) = (cpu_us(served.id()), Stopwatch::start());
    let mut lanes = JoinSet::new();
    for client in others {
        lanes.spawn(reads(client.clone(), time));
    }
    let (mut times, mut failed) = (Vec::new(), 0);
    while let Some(lane) = lanes.join_next().await {
        let (more, wrong) = lane?;
        times.extend(more);
        failed += wrong;
    }
    let (spent, after) = (watch.spent(), cpu_us(served.id()));
    done.store(true, Ordering::Relaxed);
    while doing.join_next().await.is_some() {}
    ensure!(failed == 0, "{}: {failed} of {} calls failed", harm.name(), times.len());
    let harmed = harmed.load(Ordering::Relaxed);
    ensure!(harm == Harm::Nothing || harmed > 0, "{}: nothing was done", harm.name());
    eprintln!("  {}: {harmed} done meanwhile", harm.name());
    let calls = times.len();
    times.sort_unstable();
    Ok(Figure {
        what: harm.name().to_owned(),
        at_once: others.len(),
        per_second: calls as f64 / (spent.wall_ns as f64 / 1e9),
        p50_us: percentile(&times, 50.0) as f64 / 1e3,
        p99_us: percentile(&times, 99.0) as f64 / 1e3,
        server_us: (after - before) / calls as f64,
        client_us: spent.cpu_ns as f64 / 1e3 / calls as f64,
    })
}

/// Reads at an even pace; returns how long each call took, from when it was due, and how many failed.
async fn reads(client: Client, time: Duration) -> (Vec<u64>, u64) {
    let (mut times, mut failed) = (Vec::new(), 0);
    let mut pace = interval(EVERY);
    // A call that was late delays the next one, and is not made up for.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let calls = time.as_millis() / EVERY.as_millis();
    for _ in 0..calls {
        pace.tick().await;
        let one = Stopwatch::start();
        let ask = ListOffersRequest { page_size: 10, ..ListOffersRequest::default() };
        failed += u64::from(client.capacity().list_offers(ask).await.is_err());
        times.push(one.spent().wall_ns);
    }
    (times, failed)
}

/// Publishes far above the limit, without waiting for answers.
async fn noise(client: Client, done: Arc<AtomicBool>, sent: Arc<AtomicU64>) {
    let mut pace = interval(NOISE_EVERY);
    let mut calls = JoinSet::new();
    while !done.load(Ordering::Relaxed) {
        pace.tick().await;
        for number in 0..NOISE_EACH {
            let mut capacity = client.capacity();
            let request = PublishOfferRequest {
                request_id: fresh_request_id(),
                offer: Some(offer(SITE, &format!("noise {number}"), 1)),
                ..PublishOfferRequest::default()
            };
            sent.fetch_add(1, Ordering::Relaxed);
            calls.spawn(async move { drop(capacity.publish_offer(request).await) });
        }
        // What is answered is forgotten.
        while calls.try_join_next().is_some() {}
    }
    calls.shutdown().await;
}

/// Keeps one connection after the other busy with frames, until each is ended.
async fn attack(address: String, harm: Harm, done: Arc<AtomicBool>, sent: Arc<AtomicU64>) {
    const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    while !done.load(Ordering::Relaxed) {
        let Ok(mut stream) = TcpStream::connect(&address).await else {
            sleep(Duration::from_millis(10)).await;
            continue;
        };
        let mut round = 0;
        let mut bytes = HELLO.to_vec();
        while !done.load(Ordering::Relaxed) && round < u32::MAX / (4 * A_ROUND) {
            bytes.extend(harm.frames(round));
            // A server that does not read any more holds us up, which is its right.
            match timeout(Duration::from_secs(1), stream.write_all(&bytes)).await {
                Ok(Ok(())) => sent.fetch_add(u64::from(A_ROUND), Ordering::Relaxed),
                Ok(Err(_)) | Err(_) => break,
            };
            bytes.clear();
            round += 1;
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or_default().to_be_bytes();
    let mut frame = length[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// The head of a call, as HPACK writes it without a table: POST, http, the path, the kind.
fn head() -> Vec<u8> {
    let mut head = vec![0x83, 0x86];
    let path = "/fallow.v1.CapacityService/ListOffers";
    for (name, value) in [(":path", path), (":authority", "fallow"), ("content-type", "application/grpc")] {
        head.push(0);
        for text in [name, value] {
            head.push(u8::try_from(text.len()).unwrap_or_default());
            head.extend(text.bytes());
        }
    }
    head
}
