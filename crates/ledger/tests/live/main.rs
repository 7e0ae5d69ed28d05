//! The picture, its watches and transactions, over the embedded ledger.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]

mod following;
mod transacting;
mod unsteady;
mod world;
