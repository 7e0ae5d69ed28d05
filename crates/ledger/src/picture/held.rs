//! How the picture holds what it shows: its records, and its last changes.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use fallow_domain::ids::Label;
use fallow_domain::standing::Claim;

use super::{Applied, RECENT_CHANGES, RECENT_RECORDS, Seen};
use crate::cursor::Revision;
use crate::record::Record;

/// A record as the picture holds it. There are as many claims as offers that have a key of their own, and a record has room
/// for the largest kind: a claim is held by what it says, and made a record again for who asks.
#[derive(Debug)]
pub(super) enum Held {
    /// Any record.
    Whole(Seen),
    /// A claim, by its revision and holder.
    Claim(Revision, Label),
}

impl Held {
    pub(super) fn of(revision: Revision, record: &Arc<Record>) -> Self {
        if let Record::Claim(claim) = &**record {
            return Self::Claim(revision, claim.holder.clone());
        }
        Self::Whole(Seen { revision, record: record.clone() })
    }

    pub(super) fn seen(&self) -> Seen {
        match self {
            Self::Whole(seen) => seen.clone(),
            Self::Claim(revision, holder) => {
                let record = Arc::new(Record::Claim(Claim { holder: holder.clone() }));
                Seen { revision: *revision, record }
            }
        }
    }
}

/// The last changes, dense, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Recent {
    changes: VecDeque<Arc<Applied>>,
    /// How many records they wrote together.
    records: usize,
}

impl Recent {
    pub(super) fn push(&mut self, applied: Arc<Applied>) {
        self.records += applied.items.len();
        self.changes.push_back(applied);
        while self.changes.len() > RECENT_CHANGES || self.records > RECENT_RECORDS {
            let Some(oldest) = self.changes.pop_front() else { return };
            self.records -= oldest.items.len();
        }
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

impl Deref for Recent {
    type Target = VecDeque<Arc<Applied>>;

    fn deref(&self) -> &VecDeque<Arc<Applied>> {
        &self.changes
    }
}
