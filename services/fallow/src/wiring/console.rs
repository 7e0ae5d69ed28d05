//! The console: a client of the services like any other, with a key that signs its own credential.

use std::net::SocketAddr;
use std::time::Duration;

use fallow_console::{AtProvider, BuiltInUser, Endpoints, Settings, SignIn, TokenIssuer};
use fallow_domain::ids::TrustCode;
use fallow_domain::region::{Region, file};
use fallow_host::config::Config;
use fallow_host::identity::provider::{Client, Secret};
use fallow_host::identity::{Signer, built_in};
use fallow_host::serve::ServeError;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tonic::transport::Endpoint;

use super::{Process, Service, Services, StartError, client_tls, read};

impl Process {
    /// Starts the console as a vital task, and returns where it listens. It finds the services of this process where
    /// they listen, and the others where the settings say.
    ///
    /// # Errors
    /// There is no signing key, an endpoint is no address, or the address cannot be listened on.
    pub async fn console(&self, services: Option<&Services>) -> Result<SocketAddr, StartError> {
        let config = &self.config;
        let signer = self.identity.signer.as_ref().ok_or(StartError::NoSigningKey)?;
        let issuer = |name: &str| {
            built_in::user(name, &config.region.id).map(|user| TokenIssuer::new(signer.clone(), user))
        };
        let settings = Settings {
            endpoints: self.endpoints(services)?,
            credential: issuer("console").ok_or(StartError::NoSigningKey)?,
            sign_in: match self.at_provider()? {
                Some(at) => SignIn::Provider(Box::new(at)),
                None if config.identity.built_in_users => SignIn::BuiltIn(self.built_in_users(signer)?),
                None => SignIn::AccessToken,
            },
            demo: self.demo.clone(),
            idle: Duration::from_secs(config.identity.idle_seconds.into()),
            https: config.provider.console_address.starts_with("https://"),
        };
        let address = SocketAddr::new(config.listen.bind, config.listen.console);
        let failed = |source| ServeError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let (clock, tasks) = (self.clock.clone(), self.tasks.clone());
        self.tasks.spawn_vital("console", async move {
            if let Err(error) = fallow_console::serve(settings, clock, tasks, listener).await {
                tracing::error!(error = &error as &dyn std::error::Error, "the console ended");
            }
        });
        tracing::info!(%address, "the console listens");
        Ok(address)
    }

    /// Returns the identity provider as the console uses it; `None` when people do not sign in there.
    fn at_provider(&self) -> Result<Option<AtProvider>, StartError> {
        let settings = &self.config.provider;
        let Some(provider) = self.provider()?.filter(|_| !settings.console_client.is_empty()) else {
            return Ok(None);
        };
        let secret = settings.console_secret_file();
        let secret = secret.map(|path| read("provider.console_secret_file", &path)).transpose()?;
        let client = Client {
            id: settings.console_client.clone(),
            secret: secret.map(|text| Secret::new(text.trim())),
            scopes: settings.scopes.clone(),
        };
        Ok(Some(AtProvider {
            provider,
            client,
            address: settings.console_address.clone(),
            sign_in_acr: settings.sign_in_acr.clone(),
            step_up_acr: settings.step_up_acr.clone(),
        }))
    }

    /// Returns where the services are, and again whenever the files of the certificates have changed: ours live a day.
    fn endpoints(&self, services: Option<&Services>) -> Result<watch::Receiver<Endpoints>, StartError> {
        let url_of = |service: Service| {
            let here = services.and_then(|services| services.url(service));
            here.unwrap_or_else(|| service.endpoint(&self.config).to_owned())
        };
        let urls: Vec<String> = Service::ALL.into_iter().map(url_of).collect();
        let (config, mut known) = (self.config.clone(), certificate_files(&self.config));
        let (renewed, endpoints) = watch::channel(endpoints_at(&config, &urls)?);
        if config.tls.certificate_file.is_empty() {
            return Ok(endpoints);
        }
        let (stopping, every) =
            (self.tasks.stopping(), Duration::from_secs(config.tls.reload_seconds.into()));
        let look = async move {
            loop {
                tokio::time::sleep(every).await;
                let found = certificate_files(&config);
                if found == known {
                    continue;
                }
                match endpoints_at(&config, &urls) {
                    Ok(endpoints) => {
                        known = found;
                        renewed.send_replace(endpoints);
                    }
                    // Perhaps half of the files are there yet: they are looked at again.
                    Err(error) => tracing::error!(
                        error = &error as &dyn std::error::Error,
                        "the console's certificate stays as it was"
                    ),
                }
            }
        };
        self.tasks.spawn("console certificates", async move {
            tokio::select! {
                () = look => {}
                () = stopping => {}
            }
        });
        Ok(endpoints)
    }

    /// Returns the built-in users of the region file's trusts, and those above trusts.
    fn built_in_users(&self, signer: &Signer) -> Result<Vec<BuiltInUser>, StartError> {
        let region: Option<Region> = match &self.region_file {
            Some(toml) => Some(file::parse(toml).map_err(|error| StartError::Region(error.to_string()))?),
            None => None,
        };
        let trusts: Vec<TrustCode> = region.iter().flat_map(|region| region.trusts.keys().copied()).collect();
        let users = built_in::names(&trusts).into_iter().filter_map(|name| {
            let caller = built_in::user(&name, &self.config.region.id)?;
            let named = |trust| Some(region.as_ref()?.trusts.get(&trust)?.name.to_string());
            let place = caller.actor.trust.map_or_else(
                || "Region".to_owned(),
                |trust| named(trust).unwrap_or_else(|| trust.to_string()),
            );
            Some(BuiltInUser { place, issuer: TokenIssuer::new(signer.clone(), caller) })
        });
        Ok(users.collect())
    }
}

/// Returns the endpoints of the services at their addresses, by the certificates that the files hold now.
fn endpoints_at(config: &Config, urls: &[String]) -> Result<Endpoints, StartError> {
    let tls = client_tls(config)?;
    let endpoint = |service: Service| {
        let url = urls.get(service as usize).cloned().unwrap_or_default();
        let wrong = |_| StartError::Setting("endpoints: must each be an http or https address");
        let encrypts = url.starts_with("https://");
        let endpoint = Endpoint::from_shared(url).map_err(wrong)?;
        match &tls {
            Some(tls) if encrypts => endpoint.tls_config(tls.clone()).map_err(wrong),
            Some(_) | None => Ok(endpoint),
        }
    };
    Ok(Endpoints {
        capacity: endpoint(Service::Capacity)?,
        demand: endpoint(Service::Demand)?,
        matching: endpoint(Service::Matching)?,
        monitor: endpoint(Service::Monitor)?,
    })
}

/// Reads what decides how the services are reached; a file that cannot be read is nothing.
fn certificate_files(config: &Config) -> [Option<Vec<u8>>; 3] {
    let tls = &config.tls;
    [&tls.certificate_file, &tls.key_file, &tls.client_ca_file].map(|path| std::fs::read(path).ok())
}
