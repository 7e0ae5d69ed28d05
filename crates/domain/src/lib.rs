//! What Fallow knows and decides, and nothing else.
//!
//! This crate has no IO, asks no clock and rolls no dice: records come in, a decision comes out, and time is always
//! an argument. The same code therefore serves the live engine, `fallow match` on files, simulation and replay.
//!
//! Words are those of the glossary: an *offer* is capacity that a trust publishes, a *need* is demand that a trust
//! raises, a *hold* sets units of an offer aside for one *proposal*, and a *transfer* follows when both trusts said yes.

pub mod action;
pub mod actor;
pub mod calendar;
pub mod campaign;
pub mod clocks;
pub mod codes;
pub mod decide;
pub mod ids;
pub mod in_force;
pub mod invariants;
pub mod lent;
pub mod lifecycle;
pub mod matching;
pub mod monitor;
pub mod need;
pub mod offer;
pub mod place;
pub mod policy;
pub mod pressure;
pub mod proposal;
pub mod quantity;
pub mod reason;
pub mod records;
pub mod refusal;
pub mod region;
pub mod resource;
pub mod situation;
pub mod standing;
pub mod transfer;

#[cfg(test)]
mod test_world;
