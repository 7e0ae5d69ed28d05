//! How far long work is, for a person who waits for it: on a terminal, and nowhere else.

use std::io::{IsTerminal, Write};

use fallow_archive::verify::Told;

/// Says how far long work is.
pub(crate) struct Progress {
    is_shown: bool,
    changes: u64,
    segments: (u64, u64),
}

/// Changes between two looks at the terminal.
const TOLD_EVERY: u64 = 2_000;

impl Progress {
    /// Shows progress when standard error is a terminal.
    pub(crate) fn new() -> Self {
        Self { is_shown: std::io::stderr().is_terminal(), changes: 0, segments: (0, 0) }
    }

    /// Counts what an archive told.
    pub(crate) fn count(&mut self, told: &Told<'_>) {
        match told {
            Told::Segment { number, of } => self.segments = (*number, *of),
            Told::Snapshot(_) => {}
            Told::Change { .. } => self.changes += 1,
        }
        let is_due = match told {
            Told::Segment { .. } => true,
            Told::Snapshot(_) | Told::Change { .. } => self.changes.is_multiple_of(TOLD_EVERY),
        };
        if self.is_shown && is_due {
            let (number, of) = self.segments;
            // Nobody is told that standard error is gone.
            let _ = write!(std::io::stderr(), "\rsegment {number} of {of}, {} changes ", self.changes);
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        if self.is_shown {
            let _ = write!(std::io::stderr(), "\r{:60}\r", "");
        }
    }
}
