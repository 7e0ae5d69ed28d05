//! The matching engine: who may be matched with what, who goes first, the best plan, and why.

pub mod burden;
pub mod eligible;
#[cfg(test)]
mod examples;
pub mod explain;
pub mod explanation;
pub mod giving;
pub mod joins;
mod model;
pub mod network;
pub mod problem;
#[cfg(test)]
mod random;
pub mod rank;
pub mod simulate;
pub mod solve;
pub mod theatre;

pub use model::kept;
