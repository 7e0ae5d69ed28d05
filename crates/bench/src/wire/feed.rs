//! What a trust's systems send: single offers, a stream of them, a site's whole state.

use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, Result, bail, ensure};
use fallow_api::client::fresh_request_id;
use fallow_api::v1::stream_offers_response::Result as Ack;
use fallow_api::v1::{
    Figures, Offer, PublishOfferRequest, ReplaceOffersRequest, Resource, ResourceKind, StreamOffersRequest,
    Window,
};
use fallow_bench::stopwatch::Stopwatch;
use prost_types::{Duration, Timestamp};

use super::fleet::Served;
use crate::ledger::Figure;
use crate::ledger::load::{closed, cpu_us};

/// How many offers a site's whole state has.
const WHOLE_STATE: i64 = 1_000;
/// The site of that state: what the others publish is not in it and would be withdrawn.
const STATE_SITE: &str = "ZA102";
/// How many offers are published over and over.
const OFFERS: u64 = 2_000;
/// Numbers of a feed, each above all before.
pub(crate) static SEQUENCE: AtomicI64 = AtomicI64::new(1);

/// The site of the services' own region.
pub(crate) const SITE: &str = "ZA101";

/// An offer of a site under a name of the source, open for two days from now on.
pub(crate) fn offer(site: &str, name: &str, staffed: i64) -> Offer {
    Offer {
        source_key: name.to_owned(),
        site: site.to_owned(),
        resource: Some(Resource {
            kind: ResourceKind::Bed.into(),
            code: "STEP_DOWN".into(),
            ..Resource::default()
        }),
        figures: Some(Figures { staffed, ..Figures::default() }),
        window: Some(Window { from: None, until: Some(in_two_days()) }),
        cadence: Some(Duration { seconds: 4 * 3_600, nanos: 0 }),
        ..Offer::default()
    }
}

fn in_two_days() -> Timestamp {
    Timestamp { seconds: now().as_second() + 2 * 86_400, nanos: 0 }
}

/// The time, in whole seconds.
pub(crate) fn now() -> jiff::Timestamp {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    jiff::Timestamp::from_second(now.tv_sec).unwrap_or_default()
}

/// Publishes offers one by one, so many at once.
pub(crate) async fn publish(what: &str, served: &Served, at_once: usize, calls: u64) -> Result<Figure> {
    // As many connections as a few trusts have.
    let clients = (0..at_once.min(4)).map(|_| served.client()).collect::<Result<Vec<_>>>()?;
    let call = move |lane: usize, number: u64| {
        let mut capacity = clients[lane % clients.len()].capacity();
        let offer =
            offer(SITE, &format!("single {}", number % OFFERS), 1 + i64::from(number.is_multiple_of(7)));
        let request = PublishOfferRequest {
            request_id: fresh_request_id(),
            offer: Some(offer),
            ..PublishOfferRequest::default()
        };
        async move { capacity.publish_offer(request).await.is_ok() }
    };
    closed(what, at_once, calls, served.id(), call).await
}

/// Sends offers down one stream as fast as they are taken.
pub(crate) async fn stream(served: &Served, offers: u64) -> Result<Figure> {
    let (before, watch) = (cpu_us(served.id()), Stopwatch::start());
    let items = (0..offers).map(|number| StreamOffersRequest {
        feed: "bench-stream".to_owned(),
        source_seq: SEQUENCE.fetch_add(1, Ordering::Relaxed),
        offer: Some(offer(
            SITE,
            &format!("streamed {}", number % OFFERS),
            1 + i64::from(number.is_multiple_of(7)),
        )),
    });
    let items = tokio_stream::iter(items.collect::<Vec<_>>());
    let mut answers = served.client()?.capacity().stream_offers(items).await?.into_inner();
    let mut taken = 0;
    while let Some(answer) = answers.message().await? {
        match answer.result {
            Some(Ack::Revision(_)) => taken += 1,
            Some(Ack::Error(error)) => bail!("an item was refused: {error:?}"),
            None => bail!("an item without an answer"),
        }
    }
    ensure!(taken == offers, "{taken} of {offers} offers were taken");
    let (spent, after) = (watch.spent(), cpu_us(served.id()));
    Ok(Figure {
        what: "StreamOffers, one stream".to_owned(),
        at_once: 1,
        per_second: offers as f64 / (spent.wall_ns as f64 / 1e9),
        p50_us: 0.0,
        p99_us: 0.0,
        server_us: (after - before) / offers as f64,
        client_us: spent.cpu_ns as f64 / 1e3 / offers as f64,
    })
}

/// Replaces a site's whole state by another.
pub(crate) async fn replace(served: &Served) -> Result<Figure> {
    let mut capacity = served.client()?.capacity();
    let request = |staffed| ReplaceOffersRequest {
        site: STATE_SITE.to_owned(),
        kinds: vec![ResourceKind::Bed.into()],
        feed: "bench-state".to_owned(),
        source_seq: SEQUENCE.fetch_add(1, Ordering::Relaxed),
        items: (0..WHOLE_STATE)
            .map(|number| offer(STATE_SITE, &format!("state {number}"), staffed))
            .collect(),
        confirm_large_change: true,
        ..ReplaceOffersRequest::default()
    };
    capacity.replace_offers(request(1)).await.context("the first state")?;
    let call = request(2);
    let (before, watch) = (cpu_us(served.id()), Stopwatch::start());
    capacity.replace_offers(call).await.context("the second state")?;
    let (spent, after) = (watch.spent(), cpu_us(served.id()));
    let us = spent.wall_ns as f64 / 1e3;
    Ok(Figure {
        what: "ReplaceOffers of 1000, all changed".to_owned(),
        at_once: 1,
        per_second: 1e6 / us,
        p50_us: us,
        p99_us: us,
        server_us: after - before,
        client_us: spent.cpu_ns as f64 / 1e3,
    })
}
