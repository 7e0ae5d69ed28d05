//! The monitor service: the region as a whole.
//!
//! `grpc` translates; each verb has a file that says which records and which decision. It never writes a trust's numbers.

mod apply;
mod diff;
mod grpc;
mod mode;
mod situation;
mod view;
mod watch;

pub use apply::bootstrap;
pub use grpc::Monitor;
