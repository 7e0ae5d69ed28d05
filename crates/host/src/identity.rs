//! Who calls: a signed token in, a [`Caller`] out, or the reason why not.
//!
//! The acting trust comes from the credential, never from the message. A token's times are checked against the
//! system's clock even while a demonstration runs at sixtyfold speed: a credential is made and held in the real world,
//! and a person's five minutes must not pass in five seconds.

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::Actor;
use fallow_domain::ids::{RegionId, TrustCode};
use tonic::Request;

pub mod built_in;
mod keys;
mod token;

pub use keys::{KeyError, KeySet, SigningKey};
pub use token::{Signer, TOKEN_BYTES_MAX, Verifier};

/// Who calls, as the credential says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person or system, its role and the trust it acts for.
    pub actor: Actor,
    /// The region that the credential is for.
    pub region: RegionId,
}

impl Caller {
    /// Returns the trust that the caller acts for.
    ///
    /// # Errors
    /// The caller's role is above trusts.
    pub fn own_trust(&self) -> Result<TrustCode, Failure> {
        self.actor.trust.ok_or_else(|| Failure::Forbidden {
            reason: reasons::ROLE_FORBIDS,
            text: format!("the role {} acts for no trust", self.actor.role),
        })
    }

    /// Returns the trust that the caller acts for, once it is sure that a message names no other.
    ///
    /// # Errors
    /// The message names another trust, or the caller's role is above trusts.
    pub fn acting_for(&self, named: Option<TrustCode>) -> Result<TrustCode, Failure> {
        let own = self.own_trust()?;
        match named {
            Some(named) if named != own => Err(Failure::Forbidden {
                reason: reasons::TRUST_MISMATCH,
                text: format!("your credential is for trust {own}, the message names {named}"),
            }),
            Some(_) | None => Ok(own),
        }
    }
}

/// Returns who makes a call, as the wire layer found out before the handler ran.
///
/// # Errors
/// The call came past the wire layer without a credential: only calls that are open to all do.
pub fn caller<T>(request: &Request<T>) -> Result<Caller, Failure> {
    request.extensions().get::<Caller>().cloned().ok_or_else(no_credentials)
}

fn no_credentials() -> Failure {
    Failure::Unauthenticated {
        reason: reasons::NO_CREDENTIALS,
        text: "sign in: the call carries no token".to_owned(),
    }
}
