//! The matching engine: who may be matched with what, who goes first, the best plan, and why.

pub mod explanation;
pub mod network;
pub mod theatre;
