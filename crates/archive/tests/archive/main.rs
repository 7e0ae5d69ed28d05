//! The archive over the embedded ledger: what it keeps, what it finds, and how it comes back.

#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

mod attacker;
mod attesting;
mod auditing;
mod crashing;
mod identifying;
mod keeping_up;
mod proving;
mod staged;
mod tampering;
mod world;
