//! The demand service: what trusts need.
//!
//! `grpc` translates; each verb has a file that says which records and which decision; the decisions are the domain's.

mod cohort;
mod grpc;
mod raise;
mod read;
mod validate;
mod verbs;

pub use grpc::Demand;
