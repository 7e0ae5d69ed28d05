//! Stories: the whole system in one process, as its users meet it, once per ledger.
//!
//! Each story drives real services over gRPC on a free port and waits for records and revisions, never for time. After
//! it, every rule of the live records holds.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod alternatives;
mod archiving;
mod audit;
mod bad_inputs;
mod campaigns;
mod canary;
mod compose;
mod copies;
mod feeds;
mod freshness;
mod gold;
mod growth;
mod joins;
mod named;
mod overcommit;
mod parsers;
mod people;
mod process;
mod races;
mod regions;
mod repeats;
mod replaying;
mod rights;
mod slow_watcher;
mod tap;
mod timeline;
mod trace;
mod two_people;
mod watching;
mod what_if;
mod whole_way;
mod winter_tuesday;
mod wire;
mod witness;
mod world;
