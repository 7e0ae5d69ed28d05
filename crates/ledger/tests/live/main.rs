//! The picture, its watches and transactions, over the embedded ledger.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it waits for; the rest is the rest")]

mod copying;
mod following;
mod transacting;
mod unsteady;
mod world;
