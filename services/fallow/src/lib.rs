//! The `fallow` binary: every role of the system, the batch engine and the command line.

pub mod cli;
pub mod dev;
pub mod dev_ca;
mod gap;
pub mod healthcheck;
pub mod match_files;
pub mod replay;
pub mod root;
pub mod serve;
pub mod token;
pub mod wiring;
