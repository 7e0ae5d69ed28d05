//! The engine on a ledger in memory, with a clock that the test moves.

#![allow(clippy::unwrap_used, reason = "also helpers of tests say what failed by their line")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it waits for; the rest is the rest")]

mod answering;
mod deciding;
mod examples;
mod giving;
mod handing_over;
mod in_time;
mod promises;
mod proposing;
mod replaying;
mod tracing_through;
mod world;
mod yielding;
