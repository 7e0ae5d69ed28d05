//! The decisions, told as short stories in a small world; every step is checked against every rule by [`World::take`].

mod actions;
mod campaigns;
mod joins;
mod needs;
mod offers;
mod proposals;
mod transfers;
