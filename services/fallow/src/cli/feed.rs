//! `fallow feed`: how fresh each trust's figures are, for those who connect systems.

use clap::Subcommand;
use fallow_api::client::Client;
use fallow_api::render;
use fallow_api::v1::situation::{FeedHeard, TrustSituation};
use fallow_api::v1::watch_offers_response::Item;
use fallow_api::v1::{Offer, OfferFilter, WatchOffersRequest, WatchSituationRequest};
use serde::{Serialize, Serializer};

use super::failure::{Exit, Failure};
use super::options::Format;
use super::output::{Cell, Column, Record, View, column};
use super::rows::freshness_cell;
use super::session::Session;
use super::time::{ago, from_wire};
use super::watch::{Feed, Happening, follow};
use super::{capacity, situation};

/// `fallow feed …`
#[derive(Debug, Subcommand)]
pub(crate) enum Feeds {
    /// List every trust with the age of its newest report
    #[command(before_help = "Examples:\n  fallow feed list\n  fallow feed list --watch")]
    List {
        /// Go on showing what changes
        #[arg(short, long)]
        watch: bool,
    },
    /// Show a trust's offers, the oldest figures first, and how far each of its feeds has come
    #[command(before_help = "Example:\n  fallow feed show ZA2")]
    Show {
        /// ODS code of the trust. Default: your own
        trust: Option<String>,
    },
    /// Print a trust's reports as they come
    #[command(
        before_help = "Examples:\n  fallow feed tail ZA2\n  fallow feed tail ZA2 -o jsonl | tee za2.jsonl"
    )]
    Tail {
        /// ODS code of the trust. Default: your own
        trust: Option<String>,
    },
}

/// Runs `fallow feed …`.
pub(crate) async fn run(session: &mut Session<'_>, command: Feeds) -> Result<Exit, Failure> {
    match command {
        Feeds::List { watch: false } => list(session).await,
        Feeds::List { watch: true } => {
            let open = move |client: Client, cursor| {
                let request = WatchSituationRequest { cursor, ..WatchSituationRequest::default() };
                async move { client.monitor().watch_situation(request).await.map(tonic::Response::into_inner) }
            };
            follow(session, open, async |session| list(session).await).await
        }
        Feeds::Show { trust } => {
            let filter = of(session, trust)?;
            let mut offers = capacity::all(session, &filter).await?;
            offers.sort_by_key(|offer| offer.reported_at.map(|at| (at.seconds, at.nanos)));
            let situation = situation::get(session, "").await?;
            let named = situation.trusts.into_iter().filter(|one| filter.trusts.contains(&one.trust));
            let feeds: Vec<String> =
                named.flat_map(|one| one.feeds).map(|feed| heard(&feed, &session.view())).collect();
            for feed in feeds {
                session.terminal.say(&feed)?;
            }
            session.show_list(&offers, "it offers nothing")
        }
        Feeds::Tail { trust } => {
            let filter = of(session, trust)?;
            tail(session, filter).await
        }
    }
}

async fn list(session: &mut Session<'_>) -> Result<Exit, Failure> {
    let situation = situation::get(session, "").await?;
    let feeds: Vec<Heard> = situation.trusts.into_iter().map(Heard).collect();
    session.show_list(&feeds, "no trust is known here")
}

/// Says how far a feed has come, and when.
fn heard(feed: &FeedHeard, view: &View) -> String {
    let at = match from_wire(feed.at) {
        Some(at) if !view.exact => ago(view.now.duration_since(at)),
        Some(_) | None => view.time(feed.at),
    };
    format!("feed {}: number {}, {at}", feed.name, feed.last_source_seq)
}

fn of(session: &Session<'_>, trust: Option<String>) -> Result<OfferFilter, Failure> {
    let trust = trust.map(|trust| trust.to_uppercase()).or_else(|| session.own_trust());
    let trust = trust.ok_or_else(|| Failure::usage("which trust?").next("fallow feed list"))?;
    Ok(OfferFilter { trusts: vec![trust], ..OfferFilter::default() })
}

/// Prints each report on a line; what there was before is passed over.
async fn tail(session: &mut Session<'_>, filter: OfferFilter) -> Result<Exit, Failure> {
    let mut feed = Feed::new(String::new(), move |client: Client, cursor| {
        let ask = WatchOffersRequest { cursor, filter: Some(filter.clone()) };
        async move { client.capacity().watch_offers(ask).await.map(tonic::Response::into_inner) }
    });
    let as_json = matches!(session.global.format(), Format::Json | Format::Jsonl);
    let is_quiet = session.global.format() == Format::Id;
    let mut begun = false;
    loop {
        let event = match feed.next().await? {
            Happening::Opens => {
                if let Some(notice) = feed.open_by(session.lasting().await)? {
                    session.terminal.say(&notice)?;
                }
                continue;
            }
            Happening::Notice(notice) => {
                session.terminal.say(&notice)?;
                continue;
            }
            Happening::Event(event) => event,
        };
        match (&event.item, begun) {
            (Some(Item::SnapshotDone(_)), _) => begun = true,
            (Some(Item::Offer(_) | Item::Removed(_)), true) if as_json => {
                session.terminal.json(&event, false)?
            }
            (Some(Item::Offer(Offer { id, .. }) | Item::Removed(id)), true) if is_quiet => {
                session.terminal.data(&format!("{id}\n"))?;
            }
            (Some(Item::Offer(offer)), true) => {
                let line = line(offer, &session.view());
                session.terminal.data(&line)?;
            }
            (Some(Item::Removed(id)), true) => session.terminal.data(&format!("{id}  ended\n"))?,
            (Some(Item::Offer(_) | Item::Removed(_)), false)
            | (Some(Item::Bookmark(_) | Item::Moved(_)) | None, _) => {}
        }
        session.terminal.out.flush()?;
    }
}

fn line(offer: &Offer, view: &View) -> String {
    let figures = offer.figures.unwrap_or_default();
    let resource = offer.resource.as_ref().map(render::resource_key).unwrap_or_default();
    let source = super::codes::word::<fallow_api::v1::Source>(offer.source);
    format!(
        "{}  {}  {resource:<24}  free {}  staffed {}  {source}  {}\n",
        view.time(offer.reported_at),
        offer.site,
        figures.free,
        figures.staffed,
        offer.source_key
    )
}

/// A trust, as its reports are heard.
#[derive(Debug)]
struct Heard(TrustSituation);

impl Serialize for Heard {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Record for Heard {
    const COLUMNS: &'static [Column] = &[
        column("trust"),
        column("name"),
        column("heard"),
        column("fresh"),
        column("offers"),
        column("stale"),
    ];

    fn id(&self) -> &str {
        &self.0.trust
    }

    fn row(&self, view: &View) -> Vec<Cell> {
        let heard = match from_wire(self.0.last_reported_at) {
            Some(at) if !view.exact => ago(view.now.duration_since(at)),
            Some(_) | None => view.time(self.0.last_reported_at),
        };
        vec![
            self.0.trust.as_str().into(),
            self.0.name.as_str().into(),
            heard.into(),
            freshness_cell(self.0.freshness()),
            self.0.offers.to_string().into(),
            self.0.offers_stale.to_string().into(),
        ]
    }
}
