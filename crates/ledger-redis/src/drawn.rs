//! Which snapshots show something that was lost.
//!
//! A process may be shown what a server had that then lost its place to another which lacks it. Nothing that follows in the
//! log takes it back, so whatever was made of such a snapshot has to be made anew; until then no commit may rest on it.
//!
//! A snapshot is told by the allocation of its history's name: all cursors made of it, and all that is decided on it, have
//! the very same.

use std::sync::{Arc, Weak};

/// When a snapshot was begun.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun(u64);

/// The snapshots that something is still made of.
#[derive(Debug, Default)]
pub(crate) struct Drawn {
    /// Counts what happens, so that earlier is told from later.
    turn: u64,
    /// The turn in which the last of what was lost was read.
    lost: Option<u64>,
    snapshots: Vec<(Weak<str>, Begun)>,
}

impl Drawn {
    /// Returns the turn in which something is read.
    pub(crate) fn turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    pub(crate) fn begin(&mut self) -> Begun {
        Begun(self.turn())
    }

    pub(crate) fn end(&mut self, history: &Arc<str>, begun: Begun) {
        self.snapshots.retain(|(name, _)| name.strong_count() > 0);
        self.snapshots.push((Arc::downgrade(history), begun));
    }

    /// Notes that something was lost that was read in a turn.
    pub(crate) fn lose(&mut self, turn: u64) {
        self.lost = self.lost.max(Some(turn));
    }

    /// Says whether a snapshot has nothing that was lost. Of a name of no snapshot it is not known when it was first used: it
    /// has none if nothing ever was.
    pub(crate) fn is_whole(&self, history: &Arc<str>) -> bool {
        self.lost.is_none_or(|lost| self.begun(history).is_some_and(|begun| begun > lost))
    }

    /// Says whether a snapshot has, or may have, something that was lost. Of a name of no snapshot it is not said.
    pub(crate) fn is_spoilt(&self, history: &Arc<str>) -> bool {
        self.begun(history).zip(self.lost).is_some_and(|(begun, lost)| begun <= lost)
    }

    fn begun(&self, history: &Arc<str>) -> Option<u64> {
        let is_it = |(name, _): &&(Weak<str>, Begun)| std::ptr::addr_eq(name.as_ptr(), Arc::as_ptr(history));
        self.snapshots.iter().find(is_it).map(|(_, Begun(turn))| *turn)
    }
}
