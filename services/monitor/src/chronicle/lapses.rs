//! When figures were late, as the log tells it: each stretch during which an offer was STALE and that has ended.

use std::collections::VecDeque;

use fallow_domain::monitor::lateness::{self, Lapse};
use fallow_ledger::RecordKind;
use fallow_ledger::cause::Cause;
use fallow_ledger::picture::AppliedItem;
use fallow_ledger::record::Record;
use jiff::Timestamp;

/// Most stretches that are held: the ends of hours keep what was counted of them.
const LAPSES_MAX: usize = 20_000;

/// Stretches that have ended, by when they did, oldest first.
#[derive(Debug, Default)]
pub(super) struct Lapses {
    ended: VecDeque<Lapse>,
    /// Of those that ended after this, every one is there; `None` = as far back as the log was read.
    whole_from: Option<Timestamp>,
}

impl Lapses {
    /// Takes what a change ended.
    pub(super) fn take(&mut self, cause: &[u8], items: &[AppliedItem]) {
        let offers = || items.iter().filter(|item| item.key.kind == RecordKind::Offer);
        if offers().next().is_none() {
            return;
        }
        let Some(cause) = Cause::decode(cause) else { return };
        for item in offers() {
            let before = item.before.as_deref().and_then(Record::offer);
            let after = item.after.as_deref().and_then(Record::offer);
            let Some(lapse) = before.and_then(|before| lateness::ended(before, after, cause.at)) else {
                continue;
            };
            if self.ended.len() >= LAPSES_MAX {
                self.whole_from = self.ended.pop_front().and_then(|gone| gone.until).or(self.whole_from);
            }
            self.ended.push_back(lapse);
        }
    }

    /// Returns those that ended after a time; `None` when not all of them are held.
    pub(super) fn after(&self, from: Timestamp) -> Option<Vec<Lapse>> {
        let is_whole = self.whole_from.is_none_or(|whole| whole <= from);
        is_whole.then(|| {
            self.ended.iter().filter(|lapse| lapse.until.is_none_or(|until| until > from)).cloned().collect()
        })
    }
}
