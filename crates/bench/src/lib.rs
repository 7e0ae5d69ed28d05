//! Measures the matching engine: what `fallow-bench` prints, and what the peers are given to solve.
//!
//! Lean on purpose: nothing of the services is built to measure the engine. `cargo xtask bench matching` runs it beside the
//! peers.

pub mod dump;
pub mod events;
pub mod fairness;
pub mod figures;
pub mod greedy;
pub mod input;
pub mod invent;
pub mod stopwatch;
