//! L2: from a need to its proposal, in a region with all its records, while offers are published.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use fallow_api::client::{Client, fresh_request_id};
use fallow_api::json::from_str;
use fallow_api::v1::raise_needs_response::Result as Raised;
use fallow_api::v1::stream_offers_response::Result as Ack;
use fallow_api::v1::watch_proposals_response::Item;
use fallow_api::v1::{
    ExplainNeedRequest, Need, Offer, PublishOfferRequest, RaiseNeedRequest, RaiseNeedsRequest,
    StreamOffersRequest, WatchProposalsRequest, WatchProposalsResponse,
};
use fallow_bench::invent::{Size, invent};
use fallow_bench::stopwatch::percentile;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout};
use tonic::Streaming;

use super::Options;
use super::feed::{now, offer};
use super::fleet::{Ground, Lanes, Served, ready};
use super::watching::{PER_SECOND, publish};
use crate::ledger::Figure;

/// Beds and slots of a region, without theatres.
const REGION: Size = Size { trusts: 50, needed: 10_000, offered: 12_000, cases: 0, sessions: 0 };
/// How many needs are measured, ten in each second.
const NEEDS: u64 = 200;
/// How many offers the load publishes over and over.
const OFFERS: u64 = 2_000;
/// So long without a new proposal, and everything has been proposed that can be.
const SETTLED: Duration = Duration::from_secs(5);
/// Beds of which the measured needs are met: more than all that waits.
const PLENTY: i64 = 5_000;

/// Measures from the call to the watch that shows the proposal.
pub(crate) async fn need_to_proposal(options: &Options) -> Result<Figure> {
    let files = invent(REGION, 1, now(), 0);
    let folder = tempfile::tempdir()?;
    files.write(folder.path())?;
    let ground = Ground::new(&options.fallow, &folder.path().join("region.toml"), "Y90").await?;
    let trusts = by_trust(&files.offers, &files.needs)?;
    let tokens: BTreeMap<&String, String> =
        trusts.keys().map(|trust| Ok((trust, ground.token(trust)?))).collect::<Result<_>>()?;
    let (home, token) = tokens.iter().next().context("a trust")?;
    let capacity = ground.serve("capacity", &["capacity", "monitor"], token, Lanes::Open)?;
    ready(&capacity).await?;
    let demand = ground.serve("demand", &["demand"], token, Lanes::Open)?;
    let matching = ground.serve("matching", &["matching"], token, Lanes::Open)?;
    fill(&trusts, &tokens, &capacity, &demand).await?;

    let gold = matching.client_of(&ground.gold()?)?;
    let (_task, mut proposals) = watch(&gold).await?;
    let (support, _) = tokens.iter().nth(1).context("a second trust")?;
    let mut plenty = offer(&format!("{support}01"), "plenty", PLENTY);
    if let Some(resource) = &mut plenty.resource {
        resource.code = "GA_ADULT".to_owned();
    }
    let request =
        PublishOfferRequest { request_id: fresh_request_id(), offer: Some(plenty), ..Default::default() };
    capacity.client_of(&tokens[support])?.capacity().publish_offer(request).await.context("plenty")?;
    while timeout(SETTLED, proposals.recv()).await.is_ok() {}

    let site = format!("{home}01");
    let load = publish(capacity.client()?, &site, PER_SECOND * (NEEDS / 10 + 2), |number| {
        format!("load {}", number % OFFERS)
    });
    let (loaded, raised) = tokio::join!(load, raise(&demand, home));
    loaded?;
    let mut raised = raised?;
    let mut took = Vec::new();
    while !raised.is_empty() {
        let Ok(seen) = timeout(Duration::from_secs(30), proposals.recv()).await else {
            let waiting = raised.keys().next().context("a need that waits")?;
            let why = gold.matching().explain_need(explain(waiting)).await?.into_inner();
            bail!("{} needs got no proposal within 30 s; {waiting}: {why:?}", raised.len());
        };
        let (need, at) = seen.context("the watch ended")?;
        if let Some(since) = raised.remove(&need) {
            took.push(u64::try_from(at.duration_since(since).as_nanos())?);
        }
    }
    took.sort_unstable();
    Ok(Figure {
        what: "need to proposal, at region scale".to_owned(),
        at_once: 1,
        per_second: PER_SECOND as f64,
        p50_us: percentile(&took, 50.0) as f64 / 1e3,
        p99_us: percentile(&took, 99.0) as f64 / 1e3,
        server_us: 0.0,
        client_us: 0.0,
    })
}

fn explain(need: &str) -> ExplainNeedRequest {
    ExplainNeedRequest { need: need.to_owned(), ..ExplainNeedRequest::default() }
}

type Records = (Vec<Offer>, Vec<Need>);

fn by_trust(offers: &str, needs: &str) -> Result<BTreeMap<String, Records>> {
    let mut trusts: BTreeMap<String, Records> = BTreeMap::new();
    for line in offers.lines() {
        let wire: Offer = from_str(line)?;
        // What the server gives is not sent.
        let sent =
            Offer { id: String::new(), state: 0, reported_at: None, source: 0, source_key: wire.id, ..wire };
        trusts.entry(sent.trust.clone()).or_default().0.push(sent);
    }
    for line in needs.lines() {
        let wire: Need = from_str(line)?;
        let sent = Need { id: String::new(), state: 0, ..wire };
        trusts.entry(sent.trust.clone()).or_default().1.push(sent);
    }
    Ok(trusts)
}

/// Sends everybody's offers, then everybody's needs.
async fn fill(
    trusts: &BTreeMap<String, Records>,
    tokens: &BTreeMap<&String, String>,
    capacity: &Served,
    demand: &Served,
) -> Result<()> {
    for (trust, (offers, _)) in trusts {
        let items: Vec<_> = (1..)
            .zip(offers.iter().cloned())
            .map(|(source_seq, offer)| StreamOffersRequest {
                feed: "fill".to_owned(),
                source_seq,
                offer: Some(offer),
            })
            .collect();
        let mut client = capacity.client_of(&tokens[trust])?.capacity();
        let mut answers = client.stream_offers(tokio_stream::iter(items)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            ensure!(matches!(answer.result, Some(Ack::Revision(_))), "an offer: {answer:?}");
        }
    }
    for (trust, (_, needs)) in trusts {
        let items: Vec<_> = (1..)
            .zip(needs.iter().cloned())
            .map(|(source_seq, need)| RaiseNeedsRequest {
                feed: "fill".to_owned(),
                source_seq,
                need: Some(need),
            })
            .collect();
        let mut client = demand.client_of(&tokens[trust])?.demand();
        let mut answers = client.raise_needs(tokio_stream::iter(items)).await?.into_inner();
        while let Some(answer) = answers.message().await? {
            ensure!(matches!(answer.result, Some(Raised::Raised(_))), "a need: {answer:?}");
        }
    }
    Ok(())
}

/// Watches proposals: the need of each, and when it was seen, until the task is dropped.
async fn watch(client: &Client) -> Result<(JoinSet<()>, mpsc::UnboundedReceiver<(String, Instant)>)> {
    let mut watch: Streaming<WatchProposalsResponse> =
        client.matching().watch_proposals(WatchProposalsRequest::default()).await?.into_inner();
    let (seen, proposals) = mpsc::unbounded_channel();
    let mut task = JoinSet::new();
    task.spawn(async move {
        while let Ok(Some(message)) = watch.message().await {
            if let Some(Item::Proposal(proposal)) = message.item {
                // The measurement is over when nobody takes it.
                let _ = seen.send((proposal.need, Instant::now()));
            }
        }
    });
    Ok((task, proposals))
}

/// Raises needs at a steady rate. Gives when each was sent, by its id.
async fn raise(demand: &Served, home: &str) -> Result<HashMap<String, Instant>> {
    let client = demand.client()?;
    let mut beat = interval(Duration::from_millis(100));
    let mut calls = JoinSet::new();
    for number in 0..NEEDS {
        beat.tick().await;
        let mut client = client.demand();
        let need: Need = from_str(&format!(
            r#"{{"case_ref":"measured-{number}","site":"{home}01","resource":{{"kind":"BED","code":"GA_ADULT"}},
                "units":1,"priority":"P1A","reason":"CAPACITY","scope":"WHOLE_PATHWAY"}}"#
        ))?;
        let request =
            RaiseNeedRequest { request_id: fresh_request_id(), need: Some(need), ..Default::default() };
        calls.spawn(async move {
            let since = Instant::now();
            let answer = client.raise_need(request).await?.into_inner();
            anyhow::Ok((answer.need.unwrap_or_default().id, since))
        });
    }
    let mut raised = HashMap::new();
    for answer in calls.join_all().await {
        let (id, since) = answer?;
        if raised.insert(id, since).is_some() {
            bail!("a need was raised twice");
        }
    }
    Ok(raised)
}
