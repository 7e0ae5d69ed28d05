//! One call: who calls, at what time, over what.

use std::sync::Arc;

use fallow_api::convert::Check;
use fallow_api::convert::request::{self, Mutating, Mutation as Asked};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::Actor;
use fallow_domain::ids::TrustCode;
use fallow_ledger::transact::Done;
use fallow_ledger::{Key, Revision};
use jiff::Timestamp;
use prost::Message;
use uuid::Uuid;

use crate::Live;
use crate::mutate::Mutation;
use crate::region::InForce;
use crate::visibility::Viewer;

/// One call: who calls, at what time, over what. Every handler decides by it.
#[derive(Clone)]
pub struct Call {
    /// The ledger and its picture.
    pub live: Live,
    /// Who calls, from the credential.
    pub actor: Actor,
    /// The time that the call takes as now.
    pub at: Timestamp,
    /// The region in force when the call came.
    pub region: Arc<InForce>,
    traceparent: Option<String>,
}

impl Call {
    /// Takes a call.
    ///
    /// # Errors
    /// [`Failure::NotReady`] while there is no region in force; [`Failure::Forbidden`] (`TRUST_NOT_ACTIVE`) when the
    /// caller's trust is not in the region, or was merged into another.
    pub fn new(
        live: &Live,
        actor: Actor,
        at: Timestamp,
        traceparent: Option<String>,
    ) -> Result<Self, Failure> {
        let region = live.region()?;
        if let Some(ods) = actor.trust {
            let text = match region.region.trusts.get(&ods) {
                None => Some(format!("trust {ods} is not in the region {}", region.region.id)),
                Some(trust) => {
                    trust.successor.map(|successor| format!("trust {ods} is now part of {successor}"))
                }
            };
            if let Some(text) = text {
                return Err(Failure::Forbidden { reason: reasons::TRUST_NOT_ACTIVE, text });
            }
        }
        Ok(Self { live: live.clone(), actor, at, region, traceparent })
    }

    /// Returns the trust that the caller acts for.
    ///
    /// # Errors
    /// [`Failure::Forbidden`] (`ROLE_FORBIDS`) for roles above trusts.
    pub fn own_trust(&self) -> Result<TrustCode, Failure> {
        self.actor.trust.ok_or_else(|| Failure::Forbidden {
            reason: reasons::ROLE_FORBIDS,
            text: format!("the role {} acts for no trust", self.actor.role),
        })
    }

    /// Returns the caller as one who reads.
    #[must_use]
    pub fn viewer(&self) -> Viewer<'_> {
        Viewer { actor: &self.actor, region: &self.region.region }
    }

    /// Returns what live input is checked against.
    #[must_use]
    pub fn input(&self, trust: TrustCode) -> fallow_api::convert::Published<'_> {
        fallow_api::convert::Published { region: &self.region.region, trust, at: self.at }
    }

    fn mutation(&self, verb: &'static str, asked: &Asked, body: Vec<u8>, changes: Option<Key>) -> Mutation {
        Mutation {
            request: Some((asked.request_id.to_string(), body)),
            expected: asked.expected_revision.and_then(|revision| Some((changes?, Revision(revision)))),
            ..self.unnamed(verb, asked.validate_only)
        }
    }

    /// Parses what every change carries and returns the mutation that the request asks for; `changes` is the one record
    /// that an expected revision is about.
    pub fn asked<R: Mutating + Message>(
        &self,
        verb: &'static str,
        check: &mut Check<'_>,
        message: &R,
        changes: Option<Key>,
    ) -> Option<Mutation> {
        let asked = request::mutation(check, message)?;
        Some(self.mutation(verb, &asked, message.encode_to_vec(), changes))
    }

    /// Returns a mutation whose repetition is known by a name of its own, such as a feed's number, instead of a request
    /// id.
    #[must_use]
    pub fn named(&self, verb: &'static str, name: String, body: Vec<u8>, validate_only: bool) -> Mutation {
        Mutation { request: Some((name, body)), is_feed: true, ..self.unnamed(verb, validate_only) }
    }

    /// Returns a mutation that knows its repetition by the record it changes.
    #[must_use]
    pub fn unnamed(&self, verb: &'static str, validate_only: bool) -> Mutation {
        Mutation {
            actor: self.actor.clone(),
            verb,
            at: self.at,
            request: None,
            is_feed: false,
            validate_only,
            expected: None,
            traceparent: self.traceparent.clone(),
            decided_at: None,
        }
    }

    /// Returns the revision to answer with: that of the commit, or of the record as it stands where nothing had to be
    /// written; 0 when the call only checked.
    #[must_use]
    pub fn revision<A>(&self, done: &Done<A>, key: &Key, validate_only: bool) -> u64 {
        match done.revision {
            Revision::ABSENT if !validate_only => {
                self.live.picture().get(key).map_or(0, |seen| seen.revision.0)
            }
            revision => revision.0,
        }
    }
}

/// Makes the text of a new record's id: sorted by the time of making, which is the process's own business and nothing
/// that a decision looks at.
#[must_use]
pub fn new_id() -> String {
    Uuid::now_v7().to_string()
}
