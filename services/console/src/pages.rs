//! One folder a page: handlers, view model and templates together.

pub(crate) mod actions;
pub(crate) mod alerts;
pub(crate) mod approvals;
pub(crate) mod capacity;
pub(crate) mod demo;
pub(crate) mod frame;
pub(crate) mod needs;
pub(crate) mod preferences;
pub(crate) mod problem;
pub(crate) mod proposals;
pub(crate) mod provider;
pub(crate) mod reports;
pub(crate) mod resume;
pub(crate) mod search;
pub(crate) mod sign_in;
pub(crate) mod sitrep;
pub(crate) mod situation;
pub(crate) mod timeline;
pub(crate) mod transfers;
pub(crate) mod trends;
pub(crate) mod upload;
pub(crate) mod wall;
pub(crate) mod what_if;

#[cfg(test)]
mod components;
#[cfg(test)]
mod forms;
