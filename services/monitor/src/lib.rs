//! The monitor service: the region as a whole.
//!
//! It serves the identity service beside it (`identity`), which has nothing to do with the rest.
//!
//! `grpc` translates; each verb has a file that says which records and which decision. It never writes a trust's numbers.

mod action;
mod alerts;
mod apply;
mod audit;
mod chronicle;
mod decision;
mod diff;
mod grpc;
mod identity;
mod keeping;
mod kept;
mod lateness;
mod mode;
mod past;
mod position;
mod reports;
mod sitrep;
mod situation;
mod timeline;
mod trend;
mod view;
mod watch;

pub use apply::{bootstrap, check};
pub use grpc::Monitor;
pub use identity::{Identities, RoleTables, RoleTablesError, SignIns};
