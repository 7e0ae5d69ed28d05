//! Settings of the identity provider by which people sign in.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::settings::{Check, set_path};
use crate::identity::provider::{Options, algorithms};

/// The identity provider by which people sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// Its issuer; empty for none.
    pub issuer: String,
    /// The one algorithm with which it signs.
    pub algorithm: String,
    /// The file with the authorities of its certificate; empty for those of the machine.
    pub ca_file: String,
    /// The console's client id.
    pub console_client: String,
    /// The file with the console's client secret; empty for none.
    pub console_secret_file: String,
    /// Where people reach the console.
    pub console_address: String,
    /// The command line's client id; empty for none.
    pub cli_client: String,
    /// What is asked for at sign-in.
    pub scopes: String,
    /// The `acr` asked for at sign-in; empty for none.
    pub sign_in_acr: String,
    /// The `acr` asked for when more is needed.
    pub step_up_acr: String,
    /// The folder with each organisation's table of roles.
    pub role_folder: String,
}

impl Provider {
    /// Says whether people sign in by a provider.
    #[must_use]
    pub fn is_set(&self) -> bool {
        !self.issuer.is_empty()
    }

    /// Returns what must be known of the provider; `None` when there is none.
    #[must_use]
    pub fn options(&self, leeway_seconds: u32) -> Option<Options> {
        let clients = [&self.console_client, &self.cli_client];
        self.is_set().then(|| Options {
            issuer: self.issuer.clone(),
            algorithm: self.algorithm.clone(),
            clients: clients.into_iter().filter(|client| !client.is_empty()).cloned().collect(),
            authorities: set_path(&self.ca_file).map(Path::to_owned),
            leeway_seconds,
        })
    }

    /// Returns the file with the console's client secret, if one is set.
    #[must_use]
    pub fn console_secret_file(&self) -> Option<PathBuf> {
        set_path(&self.console_secret_file).map(Path::to_owned)
    }

    /// Finds every contradiction.
    pub(super) fn problems(&self, check: &mut Check, is_development: bool) {
        if !algorithms().contains(&self.algorithm.as_str()) {
            check.problem("provider.algorithm", format!("must be one of {}", algorithms().join(", ")));
        }
        if !self.is_set() {
            return;
        }
        let schemes: &[&str] = if is_development { &["https://", "http://127.0.0.1"] } else { &["https://"] };
        check.scheme("provider.issuer", &self.issuer, schemes);
        if self.console_client.is_empty() && self.cli_client.is_empty() {
            check.problem(
                "provider.console_client",
                "must be set with provider.issuer, or provider.cli_client",
            );
        }
        if !self.console_client.is_empty() {
            check.scheme("provider.console_address", &self.console_address, schemes);
            if self.console_secret_file.is_empty() {
                check.problem("provider.console_secret_file", "must be set with provider.console_client");
            }
        }
        if !self.scopes.split(' ').any(|scope| scope == "openid") {
            check.problem("provider.scopes", "must have openid among them");
        }
        check.filled("provider.role_folder", &self.role_folder);
    }
}
