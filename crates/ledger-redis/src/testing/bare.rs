//! The commit function without anything of this crate around it: what a measurement of the ledger is held against.

use std::sync::Arc;

use fallow_ledger::{Commit, Outcome, Trouble};
use redis::Arg;

use crate::decode::{self, Said};
use crate::keys::{self, Keys};
use crate::link::Link;
use crate::store::Store;
use crate::whereabouts::Whereabouts;
use crate::{Durability, Options};

/// A plain, shared connection to an opened region, over which commits go one by one as they come.
#[derive(Clone)]
pub struct Bare {
    store: Arc<Store>,
    connection: redis::aio::MultiplexedConnection,
}

impl Bare {
    /// Opens a region.
    ///
    /// # Errors
    /// As [`crate::RedisLedger::connect`].
    pub async fn connect(url: &str, region: &str) -> Result<Bare, Trouble> {
        let options = Options { durability: Durability::Unsafe, ..Options::default() };
        let whereabouts = Whereabouts::new(url, &options.access, keys::slot(region))?;
        let link = Link::new(whereabouts, options.response_timeout);
        let store = Arc::new(Store::new(link, Keys::of(region), options));
        store.opened().await?;
        let connection = store.link.line().await?.connection;
        Ok(Bare { store, connection })
    }

    /// Returns the words of the command that commits this.
    pub fn words(&self, commit: &Commit) -> Vec<Vec<u8>> {
        let words = self.store.commit_call(&self.store.presence.place(), commit);
        let simple = words.args_iter().filter_map(|word| match word {
            Arg::Simple(bytes) => Some(bytes.to_vec()),
            Arg::Cursor | _ => None,
        });
        simple.collect()
    }

    /// Calls the function, and says whether it committed.
    pub async fn commit(&mut self, commit: &Commit) -> bool {
        let call = self.store.commit_call(&self.store.presence.place(), commit);
        let answer: Result<Vec<Vec<u8>>, _> = call.query_async(&mut self.connection).await;
        matches!(answer.map(decode::said), Ok(Ok(Said::Outcome(Outcome::Committed { .. }))))
    }
}
