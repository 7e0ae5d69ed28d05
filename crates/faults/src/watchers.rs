//! Those who watch: the inboxes from which clients learn, and a picture of everything that is compared with the log.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Result;
use fallow_api::client::Client;
use fallow_api::v1;
use fallow_domain::actor::Role;
use tonic::Code;

use crate::fleet::Fleet;
use crate::traders::Board;

const AGAIN_AFTER: Duration = Duration::from_millis(60);

/// A record as a watcher has it: its revision, and what can be compared of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) revision: i64,
    pub(crate) state: String,
    /// Staffed, occupied, blocked, held and committed, of an offer.
    pub(crate) figures: [i64; 5],
}

/// The picture of one watcher.
#[derive(Debug, Default)]
pub(crate) struct Picture {
    state: Mutex<Drawn>,
}

/// What a watcher has drawn.
#[derive(Debug, Clone, Default)]
pub(crate) struct Drawn {
    pub(crate) records: BTreeMap<String, Seen>,
    /// The highest revision that it was told of.
    pub(crate) revision: i64,
    /// How often it started afresh, and went on from a cursor.
    pub(crate) starts: (u32, u32),
    /// What it was told wrongly.
    pub(crate) wrong: Vec<String>,
}

impl Picture {
    /// Returns what is drawn now.
    pub(crate) fn drawn(&self) -> Drawn {
        self.lock().clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Drawn> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, id: &str, seen: Seen, is_snapshot: bool) {
        let mut drawn = self.lock();
        if let Some(had) = drawn.records.get(id)
            && had.revision >= seen.revision
            && !is_snapshot
        {
            let text = format!("{id} at {} was told after it at {}", seen.revision, had.revision);
            drawn.wrong.push(text);
        }
        drawn.records.insert(id.to_owned(), seen);
    }
}

/// One message of any watch, as the loop below takes it.
enum Told {
    Record(String, Seen),
    Removed(String),
    SnapshotDone,
    Nothing,
}

/// Makes the loop of a watch: it goes on from its cursor whenever it is cut, and starts afresh when that is gone.
macro_rules! watch {
    ($picture:expr, $open:expr, $item:path, $record:ident, $seen:expr, $saw:expr) => {{
        let picture: &Picture = $picture;
        let mut cursor = String::new();
        loop {
            let mut fresh = cursor.is_empty();
            match $open(cursor.clone()).await {
                Ok(answer) => {
                    use $item as Item;
                    let mut stream = answer.into_inner();
                    {
                        let mut drawn = picture.lock();
                        if fresh {
                            drawn.records.clear();
                            drawn.starts.0 += 1;
                        } else {
                            drawn.starts.1 += 1;
                        }
                    }
                    loop {
                        let message = match stream.message().await {
                            Ok(Some(message)) => message,
                            Ok(None) => break,
                            Err(status) => {
                                if status.code() == Code::OutOfRange {
                                    cursor.clear();
                                }
                                break;
                            }
                        };
                        let told = match message.item {
                            Some(Item::$record(record)) => {
                                let seen = $seen(&record);
                                let id = record.id.clone();
                                $saw(record);
                                Told::Record(id, seen)
                            }
                            Some(Item::Removed(id)) => Told::Removed(id),
                            Some(Item::SnapshotDone(_)) => Told::SnapshotDone,
                            Some(Item::Bookmark(_) | Item::Moved(_)) | None => Told::Nothing,
                        };
                        match told {
                            Told::Record(id, seen) => picture.put(&id, seen, fresh),
                            Told::Removed(id) => drop(picture.lock().records.remove(&id)),
                            Told::SnapshotDone => fresh = false,
                            Told::Nothing => {}
                        }
                        if !message.cursor.is_empty() {
                            cursor = message.cursor;
                        }
                        // Within a snapshot the revision is that of its end: it is reached when it is done.
                        if !fresh {
                            let mut drawn = picture.lock();
                            drawn.revision = drawn.revision.max(message.revision);
                        }
                    }
                }
                Err(status) if status.code() == Code::OutOfRange => cursor.clear(),
                Err(_) => {}
            }
            tokio::time::sleep(AGAIN_AFTER).await;
        }
    }};
}

/// Everything that is watched in a round.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    /// All offers, as capacity tells them.
    pub(crate) offers: Picture,
    /// All proposals, as one process of matching tells them, and the other.
    pub(crate) proposals: [Picture; 2],
    /// All needs, as demand tells them.
    pub(crate) needs: Picture,
    transfers: [Picture; 2],
}

impl Watchers {
    /// Watches until it is stopped from outside.
    ///
    /// # Errors
    /// A credential cannot be made.
    pub(crate) async fn watch(&self, fleet: &Fleet, board: &Board) -> Result<()> {
        let gold = fleet.client(Role::Gold, None, 2)?;
        let other = fleet.client(Role::Gold, None, 3)?;
        tokio::join!(
            watch_offers(&self.offers, &gold),
            watch_needs(&self.needs, &gold),
            watch_proposals(&self.proposals[0], &gold, board),
            watch_proposals(&self.proposals[1], &other, board),
            watch_transfers(&self.transfers[0], &gold, board),
            watch_transfers(&self.transfers[1], &other, board),
        );
        Ok(())
    }
}

async fn watch_offers(picture: &Picture, client: &Client) {
    let states = states(v1::offer::State::try_from);
    let open = async |cursor| {
        let filter = v1::OfferFilter { states: states.clone(), ..Default::default() };
        client.capacity().watch_offers(v1::WatchOffersRequest { cursor, filter: Some(filter) }).await
    };
    let seen = |offer: &v1::Offer| {
        let figures = offer.figures.unwrap_or_default();
        let f = figures;
        Seen {
            revision: offer.revision,
            state: name(format!("{:?}", offer.state())),
            figures: [f.staffed, f.occupied, f.blocked, f.held, f.committed],
        }
    };
    watch!(picture, open, v1::watch_offers_response::Item, Offer, seen, drop)
}

async fn watch_needs(picture: &Picture, client: &Client) {
    let states = states(v1::need::State::try_from);
    let open = async |cursor| {
        let filter = v1::NeedFilter { states: states.clone(), ..Default::default() };
        client.demand().watch_needs(v1::WatchNeedsRequest { cursor, filter: Some(filter) }).await
    };
    let seen = |need: &v1::Need| plain(need.revision, format!("{:?}", need.state()));
    watch!(picture, open, v1::watch_needs_response::Item, Need, seen, drop)
}

async fn watch_proposals(picture: &Picture, client: &Client, board: &Board) {
    let states = states(v1::proposal::State::try_from);
    let open = async |cursor| {
        let filter = v1::ProposalFilter { states: states.clone(), ..Default::default() };
        client.matching().watch_proposals(v1::WatchProposalsRequest { cursor, filter: Some(filter) }).await
    };
    let seen = |proposal: &v1::Proposal| plain(proposal.revision, format!("{:?}", proposal.state()));
    let saw = |proposal| board.saw_proposal(proposal);
    watch!(picture, open, v1::watch_proposals_response::Item, Proposal, seen, saw)
}

async fn watch_transfers(picture: &Picture, client: &Client, board: &Board) {
    let open = async |cursor| {
        client.matching().watch_transfers(v1::WatchTransfersRequest { cursor, ..Default::default() }).await
    };
    let seen = |transfer: &v1::Transfer| plain(transfer.revision, format!("{:?}", transfer.state()));
    let saw = |transfer| board.saw_transfer(transfer);
    watch!(picture, open, v1::watch_transfers_response::Item, Transfer, seen, saw)
}

fn plain(revision: i64, state: String) -> Seen {
    Seen { revision, state: name(state), figures: [0; 5] }
}

fn name(state: String) -> String {
    crate::check::plain(&state)
}

/// Returns the number of every state of a kind of record but the unspecified one.
fn states<S, E>(from: impl Fn(i32) -> Result<S, E>) -> Vec<i32> {
    (1..32).filter(|number| from(*number).is_ok()).collect()
}
