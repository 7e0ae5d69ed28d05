//! Who may sign in: the identity provider, the tables of roles, and the sessions that have ended.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fallow_domain::ids::Label;
use fallow_host::clock::Clock;
use fallow_host::identity::provider::Provider;
use fallow_host::identity::sessions::{Ended, EndedSessions};
use fallow_host::telemetry;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, session_key};
use fallow_monitor::{RoleTables, SignIns};

use super::{Process, StartError};

impl Process {
    /// Returns the identity provider of the settings, of which nothing is asked yet; `None` when there is none.
    ///
    /// # Errors
    /// The settings of the provider cannot be used.
    pub(super) fn provider(&self) -> Result<Option<Provider>, StartError> {
        let options = self.config.provider.options(self.config.identity.leeway_seconds);
        // Its tokens are of the real world, whatever the region's clock shows.
        Ok(options.map(|options| Provider::new(options, Clock::system())).transpose()?)
    }

    /// Returns how people sign in; `None` when there is no provider.
    ///
    /// # Errors
    /// The provider, the tables of roles or the signing key cannot be used.
    pub fn sign_ins(&self) -> Result<Option<SignIns>, StartError> {
        let Some(provider) = self.provider()? else { return Ok(None) };
        let settings = &self.config.provider;
        let signer = self.identity.signer.clone().ok_or(StartError::NoExchangeKey)?;
        let roles = RoleTables::open(Path::new(&settings.role_folder), &Clock::system())?;
        let shown = provider.clone();
        telemetry::show_counter(
            "fallow.identity.provider_failures",
            "How often the identity provider's keys or description could not be read.",
            move || shown.failures(),
        );
        Ok(Some(SignIns {
            provider,
            roles,
            signer,
            verifier: self.identity.verifier.clone(),
            token_life: Duration::from_secs(self.config.identity.token_seconds.into()),
            cli_client: settings.cli_client.clone(),
            scopes: settings.scopes.clone(),
            step_up_acr: settings.step_up_acr.clone(),
        }))
    }
}

/// Returns what tells of each session whether it has ended: the log does, as far as the picture shows it.
pub(super) fn ended_sessions(picture: Arc<Picture>) -> Arc<EndedSessions> {
    Arc::new(move |name: &Label| match &*picture.get(&session_key(name))?.record {
        Record::Session(session) => Some(Ended::from(session)),
        Record::Offer(_)
        | Record::Need(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    })
}
