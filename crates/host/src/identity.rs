//! Who calls: a signed token in, a [`Caller`] out, or the reason why not.
//!
//! The acting trust comes from the credential, never from the message. A token's times are checked against the
//! system's clock even while a demonstration runs at sixtyfold speed: a credential is made and held in the real world,
//! and a person's five minutes must not pass in five seconds.

use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::actor::{Actor, ActorKind};
use fallow_domain::ids::{Label, RegionId, TrustCode};
use jiff::Timestamp;
use tonic::Request;

use crate::clock::Clock;
use crate::config::Config;

mod assurance;
pub mod built_in;
mod compact;
mod keys;
pub mod provider;
pub mod sessions;
mod signed;
pub mod systems;
pub mod tls;
mod token;

pub use assurance::Assurance;
pub use keys::{KeyError, KeySet, SigningKey};
pub use token::{Signer, TOKEN_BYTES_MAX, Verifier};

/// Who calls, as the credential says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The person or system, its role and the trust it acts for.
    pub actor: Actor,
    /// The region that the credential is for.
    pub region: RegionId,
    /// How sure the identity provider was of a person; `None` for systems.
    pub assurance: Option<Assurance>,
    /// The sign-in at the identity provider that the credential came from; `None` for systems and built-in users.
    pub session: Option<Label>,
    /// When they signed in there, by the provider's clock; `None` where there is no session.
    pub signed_in_at: Option<Timestamp>,
}

impl Caller {
    /// Makes a system, which signs in nowhere.
    #[must_use]
    pub fn system(actor: Actor, region: RegionId) -> Self {
        Self { actor, region, assurance: None, session: None, signed_in_at: None }
    }

    /// Makes somebody whom no identity provider was asked about, for development and tests: a person counts as sure.
    #[must_use]
    pub fn unasked(actor: Actor, region: RegionId) -> Self {
        let assurance = (actor.kind == ActorKind::Person).then_some(Assurance::Three);
        Self { actor, region, assurance, session: None, signed_in_at: None }
    }

    /// Checks that a person has signed in well enough.
    ///
    /// # Errors
    /// `AAL_TOO_LOW`: they must sign in again, with more. So must whoever is no person.
    pub fn assured(&self, least: Assurance) -> Result<(), Failure> {
        if self.assurance.is_some_and(|found| found >= least) {
            return Ok(());
        }
        Err(Failure::Forbidden {
            reason: reasons::AAL_TOO_LOW,
            text: format!(
                "this needs a sign-in of assurance level {}, such as with your card or security key",
                least.level()
            ),
        })
    }

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

/// What a process needs to know callers: who it believes, and the key with which it speaks itself.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Verifies the tokens of callers.
    pub verifier: Verifier,
    /// Signs tokens, when this process has a key.
    pub signer: Option<Signer>,
}

impl Identity {
    /// Reads the keys that the settings name. A development process without any makes its own, which end with it.
    ///
    /// # Errors
    /// A key file cannot be used, or none is named outside development.
    pub fn open(config: &Config) -> Result<Self, KeyError> {
        let settings = &config.identity;
        let names = (settings.issuer.as_str(), settings.audience.as_str());
        let own = match settings.signing_key_file() {
            Some(path) => Some(SigningKey::read(&path)?),
            None if config.dev.enabled && settings.issuer_keys_file().is_none() => {
                Some(SigningKey::generate()?)
            }
            None => None,
        };
        let keys = match (settings.issuer_keys_file(), &own) {
            (Some(path), _) => KeySet::read(&path)?,
            // Whoever holds the private key of the only issuer needs no second file.
            (None, Some(own)) => own.key_set(),
            (None, None) => return Err(KeyError::NotSet),
        };
        let clock = Clock::system();
        Ok(Self {
            signer: own.map(|key| Signer::new(key, names.0, names.1, clock.clone())),
            verifier: Verifier::new(keys, names, config.region.id.clone(), settings.leeway_seconds, clock),
        })
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn keys_come_from_the_settings() {
        let plain = Config::load(None, []).unwrap();
        assert!(matches!(Identity::open(&plain), Err(KeyError::NotSet)));
        let dev = plain.clone().with(&[("dev.enabled", "true")]).unwrap();
        let user = built_in::user("bed-manager.ZA1", &dev.region.id).unwrap();
        let own = Identity::open(&dev).unwrap();
        let token = own.signer.unwrap().issue(&user, Duration::from_secs(60)).unwrap();
        assert_eq!(own.verifier.verify(&token), Ok(user.clone()));

        // Two processes: one signs, the other knows the public key alone.
        let folder = tempfile::tempdir().unwrap();
        let key = SigningKey::generate().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(at("key.pem"), key.to_pem()).unwrap();
        std::fs::write(at("keys.json"), key.key_set().to_json()).unwrap();
        let signs = plain.clone().with(&[("identity.signing_key_file", &at("key.pem"))]).unwrap();
        let knows = plain.with(&[("identity.issuer_keys_file", &at("keys.json"))]).unwrap();
        let token =
            Identity::open(&signs).unwrap().signer.unwrap().issue(&user, Duration::from_secs(60)).unwrap();
        let other = Identity::open(&knows).unwrap();
        assert!(other.signer.is_none());
        assert_eq!(other.verifier.verify(&token), Ok(user));
    }
}
