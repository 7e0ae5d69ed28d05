//! What other systems read of capacity, EDXL-HAVE and FHIR, and what they ask for. Pure: offers, the region and a time go
//! in, a file comes out; a file goes in, needs come out.
//!
//! Nothing of a need goes out, nor any note: what a person wrote is for the trusts it was written for. Figures that are
//! too old to be proposed are never counted as available; they are told as what they are.

pub(super) mod fhir;
pub(super) mod have;
pub(super) mod requests;
mod stock;

use fallow_api::v1::{Offer, Region};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// What is told, as of when, and in which zone its times are.
pub(super) struct Told<'a> {
    /// The live offers. What has ended is passed over.
    pub(super) offers: &'a [Offer],
    /// The region in force, for the names and places of trusts and sites.
    pub(super) region: &'a Region,
    /// As of when: the age of figures is counted to here.
    pub(super) at: Timestamp,
    /// The zone of times that carry their distance from UTC.
    pub(super) zone: &'a TimeZone,
}

/// Returns words as a file may hold them: what neither XML nor FHIR takes, such as a control character in a name, is left
/// out.
fn legal(words: &str) -> String {
    words.chars().filter(|sign| !sign.is_control() && *sign < '\u{fffe}').collect()
}

#[cfg(test)]
mod tests;
