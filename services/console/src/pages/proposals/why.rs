//! Why a proposal was made, in the words that the command line and the API use too.

use fallow_api::render::{self, Line};
use fallow_api::v1::Proposal;

use crate::directory::Directory;
use crate::words::time::Now;

/// An explanation: the line that says most, and the others.
pub(in crate::pages) struct Why {
    /// Place in the queue and burden.
    pub(in crate::pages) headline: String,
    /// What else there is to say, line by line.
    pub(in crate::pages) lines: Vec<Line>,
}

impl Why {
    /// Explains a proposal; `None` when the engine gave no explanation.
    pub(in crate::pages) fn new(proposal: &Proposal, now: &Now, directory: &Directory) -> Option<Self> {
        let mut lines = render::proposal(proposal, directory.names(), &now.zone).into_iter();
        let headline = lines.next()?.text;
        Some(Self { headline, lines: lines.collect() })
    }
}
