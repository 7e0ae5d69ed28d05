//! What a copy of the engine is at the moment, for those who look after it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Whether a copy of the engine is the active one, and how that has changed. Shared with whoever shows it; nothing is
/// decided by it, and a copy that stands by is as healthy as the active one.
#[derive(Debug, Default)]
pub struct Standing {
    active: AtomicBool,
    takeovers: AtomicU64,
    leases_lost: AtomicU64,
}

impl Standing {
    /// Says whether this copy is the region's active engine.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.active.load(Ordering::Relaxed)
    }

    /// Returns how often this copy has become the active engine.
    #[must_use]
    pub fn takeovers(&self) -> u64 {
        self.takeovers.load(Ordering::Relaxed)
    }

    /// Returns how often this copy has found its lease to be another's, and stepped down.
    #[must_use]
    pub fn leases_lost(&self) -> u64 {
        self.leases_lost.load(Ordering::Relaxed)
    }

    pub(super) fn stand_up(&self, is_takeover: bool) {
        self.takeovers.fetch_add(u64::from(is_takeover), Ordering::Relaxed);
        self.active.store(true, Ordering::Relaxed);
    }

    pub(super) fn stand_down(&self, is_lost: bool) {
        self.leases_lost.fetch_add(u64::from(is_lost), Ordering::Relaxed);
        self.active.store(false, Ordering::Relaxed);
    }
}
