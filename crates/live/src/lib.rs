//! What a gRPC service over the ledger stands on: the ledger, the picture that follows it, the region in force, and the
//! one way to change something.
//!
//! It knows the wire only to speak of failures and to number requests; it knows no process: who calls and what time it
//! is are arguments. The console and the bridge have no part in it.

pub mod audience;
pub mod call;
pub mod denials;
pub mod lists;
pub mod mutate;
pub mod neighbours;
pub mod pages;
pub mod region;
pub mod visibility;
pub mod watch;
mod written;

use std::sync::Arc;
use std::time::Duration;

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::ids::RegionId;
use fallow_domain::refusal::Refusal;
use fallow_ledger::limits::CHANGES_PAGE;
use fallow_ledger::picture::{Picture, Seen};
use fallow_ledger::record::Record;
use fallow_ledger::transact::that_cannot_be;
use fallow_ledger::{Cursor, Ledger, Trouble};
use jiff::Timestamp;

use crate::denials::Denials;
use crate::pages::PageKey;
use crate::region::InForce;

/// How soon a client may try again when the store is away or the process not ready.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How long a change waits to hear of the record that it is about.
const HEAR_WITHIN: std::time::Duration = std::time::Duration::from_secs(2);

/// What is answered while the picture does not show what is asked for, and soon will.
fn not_ready() -> Failure {
    Failure::NotReady { retry_after: RETRY_AFTER }
}

/// The ledger of one region, its picture, and the region in force. Cheap to clone.
#[derive(Clone)]
pub struct Live {
    ledger: Arc<dyn Ledger>,
    picture: Arc<Picture>,
    region: Arc<region::Cache>,
    pages: Arc<PageKey>,
    denials: Arc<Denials>,
}

impl Live {
    /// Joins a ledger with the picture that a follower fills from it. Processes that serve pages of the same lists to
    /// the same clients share `pages`.
    #[must_use]
    pub fn new(region: RegionId, ledger: Arc<dyn Ledger>, picture: Arc<Picture>, pages: PageKey) -> Self {
        Self {
            ledger,
            picture,
            region: Arc::new(region::Cache::new(region)),
            pages: Arc::new(pages),
            denials: Arc::new(Denials::default()),
        }
    }

    /// The id of the region, whether or not one is in force.
    #[must_use]
    pub fn region_id(&self) -> &RegionId {
        self.region.id()
    }

    /// The ledger.
    #[must_use]
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// The picture.
    #[must_use]
    pub fn picture(&self) -> &Arc<Picture> {
        &self.picture
    }

    /// Returns the region in force: the file last applied, with the modes that gold has switched and what trusts have
    /// declared since.
    ///
    /// # Errors
    /// [`Failure::NotReady`] while the picture is not drawn or no region file was ever applied.
    pub fn region(&self) -> Result<Arc<InForce>, Failure> {
        self.region.in_force(&self.picture)
    }

    /// Waits until the picture shows a record that the ledger has, so that a change of what another process has just
    /// written is not refused as a change of nothing. A record that the ledger does not have is not waited for; that it
    /// never was, only a ledger that is open can say.
    ///
    /// # Errors
    /// The store's troubles.
    pub async fn hear_of(&self, key: &fallow_ledger::Key) -> Result<(), Failure> {
        if self.picture.get(key).is_some() {
            return Ok(());
        }
        let found = self.ledger.read(std::slice::from_ref(key)).await.map_err(mutate::trouble_failure)?;
        match found.into_iter().flatten().next() {
            Some(record) => {
                self.picture.reached(record.revision, HEAR_WITHIN).await;
                Ok(())
            }
            // A ledger that has lost everything does not have it either, and shows that only to who would write.
            None => self.takes_writes().await,
        }
    }

    /// Waits until the picture shows everything that was acknowledged before this call, whichever process wrote it: for
    /// changes of records that only the picture can find.
    ///
    /// # Errors
    /// [`Failure::NotReady`] while the picture is behind or not drawn; the store's troubles.
    pub async fn catch_up(&self) -> Result<(), Failure> {
        let mut cursor = self.picture.still().cursor().cloned().ok_or_else(not_ready)?;
        loop {
            let page = self.ledger.changes(&cursor, CHANGES_PAGE, Duration::ZERO).await;
            let page = page.map_err(mutate::trouble_failure)?;
            cursor = page.cursor;
            if page.changes.len() < CHANGES_PAGE {
                break;
            }
        }
        if self.picture.reached(cursor.revision(), HEAR_WITHIN).await { Ok(()) } else { Err(not_ready()) }
    }

    /// Waits until the picture has reached a place in the log that a page token names: a token may have been given by a copy
    /// whose picture was ahead of this one's.
    ///
    /// # Errors
    /// [`Failure::Refused`] (`REVISION_GONE`) when the ledger is of another history than the token;
    /// [`Failure::NotReady`] while the picture is behind or not drawn; the store's troubles.
    pub async fn stands_at(&self, place: &Cursor) -> Result<(), Failure> {
        let shown = self.picture.still().cursor().map(|cursor| cursor.history().clone());
        if shown.ok_or_else(not_ready)? == *place.history() {
            let reached = self.picture.reached(place.revision(), HEAR_WITHIN).await;
            return if reached { Ok(()) } else { Err(not_ready()) };
        }
        // One of the two is of a ledger that is no more: this picture, which is then drawn afresh soon, or the token.
        match self.ledger.changes(place, 1, Duration::ZERO).await {
            Ok(_) => Err(not_ready()),
            Err(Trouble::CursorGone) => {
                let text = "the page token is of another history of the ledger, which was restored or replaced since: \
                            leave it out, for the first page";
                Err(Refusal::new(reasons::REVISION_GONE, text).into())
            }
            Err(trouble) => Err(mutate::trouble_failure(trouble)),
        }
    }

    /// Asks whether the ledger is open, by a commit that expects what cannot be: it writes nothing.
    async fn takes_writes(&self) -> Result<(), Failure> {
        let probe = that_cannot_be(Timestamp::UNIX_EPOCH);
        self.ledger.commit(probe).await.map(drop).map_err(mutate::trouble_failure)
    }

    /// The calls that were denied, on their way into the log.
    #[must_use]
    pub fn denials(&self) -> &Arc<Denials> {
        &self.denials
    }

    /// The key that numbers pages are signed with.
    #[must_use]
    pub fn pages(&self) -> &PageKey {
        &self.pages
    }

    /// Returns a record and the revision that last wrote it, through `pick`, which says what kind it must be.
    ///
    /// # Errors
    /// [`Failure::NotFound`] when there is none.
    pub fn find<T>(
        &self,
        kind: &'static str,
        key: &fallow_ledger::Key,
        pick: impl Fn(&Record) -> Option<&T>,
    ) -> Result<(T, Seen), Failure>
    where
        T: Clone,
    {
        let found = self.picture.get(key);
        found
            .and_then(|seen| pick(&seen.record).cloned().map(|record| (record, seen)))
            .ok_or_else(|| Failure::NotFound { record: kind, id: key.id.to_string() })
    }
}
