//! What people are shown of the region over time: what happened, what is counted, what is usual, what should alarm.
//!
//! Pure functions over records, changes and times. Whoever follows the log calls them; nothing here knows that there is
//! one.

pub mod alarm;
pub mod conditions;
pub mod happened;
pub mod kept;
pub mod lateness;
pub mod position;
pub mod report;
pub mod rules;
pub mod sentence;
pub mod spc;
pub mod tally;
pub mod theatres;
