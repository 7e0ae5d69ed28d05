//! The matching service: what the engine suggests, what trusts answer, and what follows.
//!
//! `grpc` translates and each verb has a file, as in the other services. `engine` is the one active copy per region that
//! proposes and does what time brings about: what it does is decided purely (`chores`, `plan`, `deadline`) and carried
//! out by commits that name the lease among what they read.

mod answer;
mod bypass;
mod campaigns;
pub mod engine;
mod explain;
mod facts;
mod grpc;
mod incidents;
mod proposals;
mod reminders;
pub mod replay;
mod simulate;
mod then;
mod transfers;
mod verbs;
mod world;

pub use facts::Facts;
pub use grpc::Matching;
pub use then::NoFacts;
