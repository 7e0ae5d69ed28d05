//! The ledger that the settings name.

use std::sync::Arc;

use fallow_host::config::{Config, StoreKind};
use fallow_ledger::{Ledger, MemoryLedger};
use fallow_ledger_redis::{Durability, Options, RedisLedger};

use super::{StartError, read};

/// Opens the ledger that the settings name. A store behind the network is reached when it is first used.
///
/// # Errors
/// A setting of the store cannot be used.
pub fn open(config: &Config) -> Result<Arc<dyn Ledger>, StartError> {
    let store = &config.store;
    match store.kind {
        StoreKind::Embedded => Ok(Arc::new(MemoryLedger::new())),
        StoreKind::Redis => {
            if store.replicas > 0 {
                return Err(StartError::Setting(
                    "store.replicas: this version waits for no replicas; an OK that does not wait for them must not \
                     look as if it did",
                ));
            }
            let url = match store.password_file() {
                Some(path) => {
                    let text = read("store.password_file", path)?;
                    with_password(store.url.reveal(), text.lines().next().unwrap_or_default())
                }
                None => store.url.reveal().to_owned(),
            };
            let durability =
                if store.allow_unsafe_durability { Durability::Unsafe } else { Durability::Checked };
            let options =
                Options { durability, response_timeout: store.command_timeout(), ..Options::default() };
            let ledger = RedisLedger::lazy(&url, config.region.id.as_str(), options)
                .map_err(|trouble| StartError::Store(trouble.to_string()))?;
            Ok(Arc::new(ledger))
        }
    }
}

/// Puts a password into a URL, in place of one that is there.
fn with_password(url: &str, password: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (credentials, host) = rest.rsplit_once('@').unwrap_or(("", rest));
    let user = credentials.split(':').next().unwrap_or_default();
    let escaped: String = password
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("{scheme}://{user}:{escaped}@{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Config {
        Config::load(None, []).unwrap().with(settings).unwrap()
    }

    #[test]
    fn a_password_goes_into_the_url_whatever_its_letters() {
        for (url, password, expected) in [
            ("redis://host:6379", "plain", "redis://:plain@host:6379"),
            ("redis://svc@host:6379/1", "p@ss:/#%", "redis://svc:p%40ss%3A%2F%23%25@host:6379/1"),
            ("redis://svc:old@host", "né", "redis://svc:n%C3%A9@host"),
        ] {
            assert_eq!(with_password(url, password), expected);
        }
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_a_ledger_all_the_same() {
        let away = config(&[("store.kind", "redis"), ("store.url", "redis://127.0.0.1:1")]);
        let trouble = open(&away).unwrap().snapshot().await.unwrap_err();
        assert!(trouble.is_passing(), "{trouble}");
    }

    #[test]
    fn what_is_not_kept_is_refused() {
        let replicas = config(&[("store.kind", "redis"), ("store.replicas", "1")]);
        assert!(
            matches!(open(&replicas).err(), Some(StartError::Setting(text)) if text.contains("replicas"))
        );
        let missing = config(&[("store.kind", "redis"), ("store.password_file", "/nowhere")]);
        assert!(matches!(
            open(&missing).err(),
            Some(StartError::File { setting: "store.password_file", .. })
        ));
        let tls = config(&[("store.kind", "redis"), ("store.url", "rediss://secret@host")]);
        let refusal = open(&tls).err().unwrap().to_string();
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}
