//! From one process's publish to another process's watches.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use fallow_api::client::{Client, fresh_request_id};
use fallow_api::v1::watch_offers_response::Item;
use fallow_api::v1::{PublishOfferRequest, SnapshotDone, WatchOffersRequest, WatchOffersResponse};
use fallow_bench::stopwatch::{Stopwatch, percentile};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval};
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::MetadataValue;
use tonic::transport::Endpoint;
use tonic::{Request, Streaming};
use tonic_prost::ProstCodec;

use super::feed::{SITE, offer};
use super::fleet::Served;
use crate::ledger::Figure;
use crate::ledger::load::cpu_us;

/// How many offers are published in each second.
pub(crate) const PER_SECOND: u64 = 1_000;
/// For so long.
const SECONDS: u64 = 5;
/// How many watch at once.
const WATCHERS: usize = 1_000;
/// How many watches share a connection.
const PER_CONNECTION: usize = 250;

async fn watch(served: &Served) -> Result<Streaming<WatchOffersResponse>> {
    let mut watch =
        served.client()?.capacity().watch_offers(WatchOffersRequest::default()).await?.into_inner();
    caught_up(&mut watch).await?;
    Ok(watch)
}

async fn caught_up(watch: &mut Streaming<WatchOffersResponse>) -> Result<()> {
    while let Some(message) = watch.message().await? {
        if matches!(message.item, Some(Item::SnapshotDone(_))) {
            return Ok(());
        }
    }
    anyhow::bail!("the watch ended")
}

/// Publishes at a steady rate, each call under the name that is given for its number. Gives when each was sent, by name.
pub(crate) async fn publish(
    client: Client,
    site: &str,
    calls: u64,
    name: impl Fn(u64) -> String,
) -> Result<HashMap<String, Instant>> {
    let mut beat = interval(Duration::from_millis(10));
    let (mut sent, mut answers) = (HashMap::new(), JoinSet::new());
    for number in 0..calls {
        if number % (PER_SECOND / 100) == 0 {
            beat.tick().await;
        }
        let name = name(number);
        let request = PublishOfferRequest {
            request_id: fresh_request_id(),
            offer: Some(offer(site, &name, 1)),
            ..PublishOfferRequest::default()
        };
        sent.insert(name, Instant::now());
        let mut capacity = client.capacity();
        answers.spawn(async move { capacity.publish_offer(request).await.err() });
    }
    let failed: Vec<_> = answers.join_all().await.into_iter().flatten().collect();
    ensure!(failed.is_empty(), "{} offers were not published; the first: {}", failed.len(), failed[0]);
    Ok(sent)
}

fn figure(what: &str, at_once: usize, mut ns: Vec<u64>, server_us: f64) -> Figure {
    ns.sort_unstable();
    Figure {
        what: what.to_owned(),
        at_once,
        per_second: PER_SECOND as f64,
        p50_us: percentile(&ns, 50.0) as f64 / 1e3,
        p99_us: percentile(&ns, 99.0) as f64 / 1e3,
        server_us,
        client_us: 0.0,
    }
}

fn between(sent: &HashMap<String, Instant>, seen: &[(String, Instant)]) -> Vec<u64> {
    let times = seen.iter().filter_map(|(name, at)| Some(at.duration_since(*sent.get(name)?)));
    times.map(|time| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)).collect()
}

/// L2: from the call to the watch of another process.
pub(crate) async fn publish_to_visible(one: &Served, other: &Served) -> Result<Figure> {
    let mut watch = watch(other).await?;
    let (seen, mut names) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok(Some(message)) = watch.message().await {
            if let Some(Item::Offer(offer)) = message.item {
                // The measurement is over when nobody takes it.
                let _ = seen.send((offer.source_key, Instant::now()));
            }
        }
    });
    let before = cpu_us(other.id());
    let sent = publish(one.client()?, SITE, PER_SECOND * SECONDS, |n| format!("visible {n}")).await?;
    let mut found = Vec::new();
    while found.len() < sent.len() {
        let next = tokio::time::timeout(Duration::from_secs(30), names.recv()).await;
        let next = next.context("an offer was not seen within 30 s")?.context("the watch ended")?;
        if sent.contains_key(&next.0) {
            found.push(next);
        }
    }
    let each = (cpu_us(other.id()) - before) / sent.len() as f64;
    Ok(figure("publish to visible, another process", 1, between(&sent, &found), each))
}

/// Of what a watcher is told, the name of the offer, and whether the snapshot is complete. A thousand watchers stand on the
/// machine that serves them: what they cost there is taken from what is measured, and they read no more than this.
#[derive(Clone, PartialEq, prost::Message)]
struct Seen {
    #[prost(message, optional, tag = "1")]
    offer: Option<Named>,
    #[prost(message, optional, tag = "3")]
    snapshot_done: Option<SnapshotDone>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Named {
    #[prost(string, tag = "2")]
    source_key: String,
}

/// Starts so many watches on a connection of their own, and waits until each has its snapshot.
async fn watchers(served: &Served, number: usize) -> Result<Vec<Streaming<Seen>>> {
    let channel = Endpoint::from_shared(served.address.clone())?.connect().await?;
    let credential: MetadataValue<_> = format!("Bearer {}", served.token).parse()?;
    let mut watches = Vec::with_capacity(number);
    for _ in 0..number {
        let mut request = Request::new(WatchOffersRequest::default());
        request.metadata_mut().insert("authorization", credential.clone());
        let mut client = Grpc::new(channel.clone());
        client.ready().await?;
        let path = PathAndQuery::from_static("/fallow.v1.CapacityService/WatchOffers");
        let codec = ProstCodec::<WatchOffersRequest, Seen>::default();
        let mut watch = client.server_streaming(request, path, codec).await?.into_inner();
        loop {
            let message = watch.message().await?.context("a watch ended before its snapshot")?;
            if message.snapshot_done.is_some() {
                break;
            }
        }
        watches.push(watch);
    }
    Ok(watches)
}

/// L4: the same with a thousand watchers of that process, and what an idle one holds in its memory.
pub(crate) async fn fan_out(one: &Served, other: &Served) -> Result<Vec<Figure>> {
    const NAME: &str = "fan-out ";
    let memory = rss_kib(other.id());
    let mut watches = Vec::new();
    for _ in 0..WATCHERS / PER_CONNECTION {
        watches.extend(watchers(other, PER_CONNECTION).await?);
    }
    let kib_each = (rss_kib(other.id()) - memory) / WATCHERS as f64;
    let expected = usize::try_from(PER_SECOND * SECONDS)?;
    let seen = Arc::new(Mutex::new(Vec::new()));
    let mut tasks = JoinSet::new();
    for mut watch in watches {
        let seen = seen.clone();
        tasks.spawn(async move {
            // All of them would be millions: a tenth of each tells as much.
            let (mut count, mut mine) = (0, Vec::with_capacity(expected / 10 + 1));
            while count < expected
                && let Ok(Some(message)) = watch.message().await
            {
                if let Some(named) = message.offer.filter(|named| named.source_key.starts_with(NAME)) {
                    if count % 10 == 0 {
                        mine.push((named.source_key, Instant::now()));
                    }
                    count += 1;
                }
            }
            seen.lock().await.extend(mine);
            count == expected
        });
    }
    let (before, mine) = (cpu_us(other.id()), Stopwatch::start());
    let sent = publish(one.client()?, SITE, PER_SECOND * SECONDS, |n| format!("{NAME}{n}")).await?;
    let ended = tokio::time::timeout(Duration::from_secs(120), tasks.join_all()).await;
    let cut = ended.context("a watcher has not seen all within 2 minutes")?;
    let cut = cut.into_iter().filter(|whole| !whole).count();
    let published = sent.len() as f64;
    let each = (cpu_us(other.id()) - before) / published;
    let mut latency =
        figure("publish to visible, 1000 watchers", WATCHERS, between(&sent, &seen.lock().await), each);
    latency.client_us = mine.spent().cpu_ns as f64 / 1e3 / published;
    let mut memory = figure("KiB of an idle watcher (p50)", WATCHERS, Vec::new(), 0.0);
    (memory.per_second, memory.p50_us) = (0.0, kib_each);
    // What those have missed who were cut is in no time above.
    let mut slow = figure("watchers cut for being slow (p50)", WATCHERS, Vec::new(), 0.0);
    (slow.per_second, slow.p50_us) = (0.0, cut as f64);
    Ok(vec![latency, memory, slow])
}

fn rss_kib(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|rest| rest.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
