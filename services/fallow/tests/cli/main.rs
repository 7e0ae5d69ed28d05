//! The command line against scripted services, and an operator's over a real store: what it asks, what it prints, how it
//! ends. Golden files hold the words.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod actions;
mod audit;
mod bad_input;
mod calls;
mod campaigns;
mod capacity;
mod contexts;
mod contract;
mod credentials;
mod demand;
mod doctor;
mod failures;
mod gold;
mod ledger;
mod process;
mod proofs;
mod proposals;
mod records;
mod region_over_time;
mod schema;
mod script;
mod sheets;
mod sign_in;
mod transfers;
mod watches;
mod what_if;
mod world;
