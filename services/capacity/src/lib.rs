//! The capacity service: what trusts offer.
//!
//! `grpc` translates; each verb has a file that says which records and which decision; the decisions are the domain's.

mod ask;
mod feeds;
mod grpc;
mod publish;
mod read;
mod replace;
mod selection;
mod standing;
mod stream;
mod verbs;

pub use grpc::Capacity;
