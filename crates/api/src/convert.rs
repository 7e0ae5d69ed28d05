//! Wire to domain and back. Every field is checked and every violation named at once; what comes out is valid.
//!
//! Offers and needs come in by two doors. *Published* is what a trust sends to the live services: what the server writes
//! is refused, windows must lie ahead. *Filed* is what `fallow match` reads from files: ids, states and gauges are given,
//! times may be open-ended, and what is absent has the value that the file format says.

pub mod answer;
pub mod campaign;
mod check;
pub mod codes;
pub mod explanation;
pub mod need;
pub mod offer;
pub mod proposal;
pub mod region;
pub mod request;
pub mod resource;
pub mod simulate;
pub mod time;
pub mod transfer;

pub use check::Check;

use fallow_domain::ids::TrustCode;
use fallow_domain::region::Region;
use jiff::Timestamp;

/// Greatest figure of a live offer or need: beds, slots, places, staff or items; minutes for theatres.
pub const FIGURE_MAX: i64 = 10_000;
/// Greatest figure in a file, where a row may stand for a whole service.
pub const FILED_FIGURE_MAX: i64 = 1_000_000;
/// Furthest that anything live may begin or end ahead, in days.
pub const AHEAD_DAYS_MAX: i64 = 400;
/// Longest session or slot block, in days.
pub const SESSION_DAYS_MAX: i64 = 31;

/// What live input is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Published<'a> {
    /// The region in force.
    pub region: &'a Region,
    /// The trust that the credential acts for.
    pub trust: TrustCode,
    /// Now.
    pub at: Timestamp,
}

/// What rows of files are checked against.
#[derive(Debug, Clone, Copy)]
pub struct Filed<'a> {
    /// The region of the region file.
    pub region: &'a Region,
    /// The time that is taken as now.
    pub at: Timestamp,
}
