//! The ledger that the settings name.

use std::path::Path;
use std::sync::Arc;

use fallow_host::config::{Config, Store, StoreKind};
use fallow_ledger::{Keeper, Ledger, MemoryLedger};
use fallow_ledger_redis::{Access, Durability, Options, RedisLedger};

use super::{StartError, read};

/// Opens the ledger that the settings name, for services. As [`open_keeper`].
///
/// # Errors
/// A setting of the store cannot be used.
pub fn open(config: &Config) -> Result<Arc<dyn Ledger>, StartError> {
    Ok(open_keeper(config)?)
}

/// Opens the ledger that the settings name, for the archive and for commands of an operator, who alone may trim and fill
/// it. A store behind the network is reached when it is first used.
///
/// # Errors
/// A setting of the store cannot be used.
pub fn open_keeper(config: &Config) -> Result<Arc<dyn Keeper>, StartError> {
    let store = &config.store;
    match store.kind {
        StoreKind::Embedded => Ok(Arc::new(MemoryLedger::new())),
        StoreKind::Redis => Ok(Arc::new(open_redis(config, "fallow")?)),
    }
}

/// Opens the ledger of the settings' Redis, whatever the kind of store that they name. It is reached when it is first used.
///
/// The process is on record as `role@host` while it may write.
///
/// # Errors
/// A setting of the store cannot be used.
pub fn open_redis(config: &Config, role: &str) -> Result<RedisLedger, StartError> {
    let url = config.store.url.reveal();
    let options = Options { name: format!("{role}@{}", host()), ..redis_options(config)? };
    RedisLedger::lazy(url, config.region.id.as_str(), options)
        .map_err(|trouble| StartError::Store(trouble.to_string()))
}

/// Returns what this machine is called, for people.
fn host() -> String {
    let found = std::fs::read_to_string("/proc/sys/kernel/hostname");
    found.map_or_else(|_| "host".to_owned(), |name| name.trim().to_owned())
}

/// Returns how the settings want Redis to be used.
///
/// # Errors
/// A file that a setting names cannot be read.
pub fn redis_options(config: &Config) -> Result<Options, StartError> {
    let store = &config.store;
    let durability = match store.durability_attested.as_str() {
        _ if store.allow_unsafe_durability => Durability::Unsafe,
        "" => Durability::Checked,
        who_and_when => Durability::Attested(who_and_when.to_owned()),
    };
    Ok(Options {
        durability,
        access: access(store)?,
        replicas: store.replicas,
        strict_archive: config.archive.strict,
        response_timeout: store.command_timeout(),
        settle: store.settle(),
        ..Options::default()
    })
}

/// What every screen says of a store whose settings are not checked, or that may lose what it acknowledged; empty for one
/// that is checked.
pub(super) fn caveat(store: &Store) -> String {
    match (store.kind, store.durability_attested.as_str()) {
        (StoreKind::Embedded, _) => String::new(),
        (StoreKind::Redis, _) if store.allow_unsafe_durability => {
            "The store is allowed to lose what was confirmed here: confirm by telephone what matters."
                .to_owned()
        }
        (StoreKind::Redis, "") => String::new(),
        (StoreKind::Redis, who_and_when) => {
            format!("That the store keeps what was confirmed is not checked; {who_and_when} vouched for it.")
        }
    }
}

/// Reads the passwords and certificates that the settings name.
fn access(store: &Store) -> Result<Access, StartError> {
    let first_line = |setting, path: Option<&Path>| {
        let text = path.map(|path| read(setting, path)).transpose()?;
        Ok::<_, StartError>(text.map(|text| text.lines().next().unwrap_or_default().to_owned()))
    };
    let pem = |setting, path| Ok::<_, StartError>(read(setting, path)?.into_bytes());
    let certificate = store.certificate_files().map(|(certificate, key)| {
        Ok::<_, StartError>((pem("store.certificate_file", certificate)?, pem("store.key_file", key)?))
    });
    Ok(Access {
        password: first_line("store.password_file", store.password_file())?,
        sentinel_user: Some(store.sentinel_user.clone()).filter(|user| !user.is_empty()),
        sentinel_password: first_line("store.sentinel_password_file", store.sentinel_password_file())?,
        authorities: store.ca_file().map(|path| pem("store.ca_file", path)).transpose()?,
        certificate: certificate.transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(settings: &[(&str, &str)]) -> Config {
        Config::load(None, []).unwrap().with(settings).unwrap()
    }

    #[test]
    fn secrets_come_from_the_first_lines_of_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            path.display().to_string()
        };
        let (one, two) = (file("one", "p@ss:/#% né\nsecond"), file("two", "other\n"));
        let ca = file("ca", "pem");
        let store = config(&[
            ("store.password_file", &one),
            ("store.sentinel_user", "watch"),
            ("store.sentinel_password_file", &two),
            ("store.ca_file", &ca),
            ("store.certificate_file", &ca),
            ("store.key_file", &one),
            ("store.replicas", "1"),
            ("archive.strict", "true"),
        ]);
        let options = redis_options(&store).unwrap();
        assert_eq!((options.replicas, options.strict_archive), (1, true));
        assert_eq!(options.access.password.as_deref(), Some("p@ss:/#% né"));
        assert_eq!(options.access.sentinel_user.as_deref(), Some("watch"));
        assert_eq!(options.access.sentinel_password.as_deref(), Some("other"));
        assert_eq!(options.access.authorities.as_deref(), Some(&b"pem"[..]));
        assert_eq!(options.access.certificate.unwrap().0, b"pem");
    }

    #[test]
    fn what_an_ok_rests_on_is_said_unless_the_server_is_asked() {
        let caveat = |also: &[(&str, &str)]| {
            let mut settings = vec![("store.kind", "redis"), ("store.url", "redis://127.0.0.1:1")];
            settings.extend(also);
            super::caveat(&config(&settings).store)
        };
        assert_eq!(caveat(&[]), "");
        let said = caveat(&[("store.durability_attested", "A. Person, 2026-11-22")]);
        assert_eq!(
            said,
            "That the store keeps what was confirmed is not checked; A. Person, 2026-11-22 vouched for it."
        );
        assert!(caveat(&[("store.allow_unsafe_durability", "true")]).contains("allowed to lose"));
    }

    #[tokio::test]
    async fn a_store_that_is_away_is_a_ledger_all_the_same() {
        let away = config(&[("store.kind", "redis"), ("store.url", "redis://127.0.0.1:1")]);
        let trouble = open(&away).unwrap().snapshot().await.unwrap_err();
        assert!(trouble.is_passing(), "{trouble}");
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        let missing = config(&[("store.kind", "redis"), ("store.password_file", "/nowhere")]);
        assert!(matches!(
            open(&missing).err(),
            Some(StartError::File { setting: "store.password_file", .. })
        ));
        let bad = config(&[("store.kind", "redis"), ("store.url", "redis+sentinel://u:secret@host")]);
        let refusal = open(&bad).err().unwrap().to_string();
        assert!(!refusal.contains("secret"), "{refusal}");
    }
}
