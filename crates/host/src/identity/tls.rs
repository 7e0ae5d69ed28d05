//! Mutual TLS: our own rustls settings under tonic, whose own know no revocation and no new certificates.
//!
//! TLS 1.3 only. Certificates, keys, authorities and revocation lists are read again while the process runs; what cannot
//! be read leaves everything as it was. After each look, every open connection is held against the rules anew, so that a
//! certificate that was revoked, or has ended, loses the connections that it has. There are no session tickets: a
//! resumed session would never be asked for its certificate again.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use fallow_domain::ids::RegionId;
use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{CertificateError, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio_util::sync::CancellationToken;
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, X509Certificate};

use super::systems::{System, Unnamed};
use crate::clock::Clock;
use crate::config;

mod accept;

pub use accept::{Connection, incoming};

/// What the throw-away authority of development is called. No process serves by it outside development.
pub const DEV_AUTHORITY: &str = "Fallow throw-away authority, for development only";

/// Longest life of a client's certificate, in seconds: three days. Ours live one, and are renewed at half of it, so that
/// one that was stolen is soon worth nothing even where nobody revokes it.
const LIFE_SECONDS_MAX: i64 = 72 * 3_600;

/// Why TLS cannot be served.
#[derive(Debug, Error)]
pub enum TlsError {
    /// A file cannot be read as what it must be.
    #[error("{setting}: cannot read {} as PEM", path.display())]
    File {
        /// The setting.
        setting: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The file of revocation lists holds none.
    #[error("tls.crl_file: {} holds no revocation list", path.display())]
    NoLists {
        /// The file.
        path: PathBuf,
    },
    /// The certificate and its key, or the authorities, do not go together.
    #[error("tls: {0}")]
    Unfit(String),
    /// The authority is the throw-away one.
    #[error("tls.client_ca_file: the throw-away authority of `fallow dev-ca` is for development only")]
    DevAuthority,
}

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Nobody has said: the connection has no certificate.
    Unknown,
    /// A system, or why its certificate names none.
    Certified(Result<System, Unnamed>),
}

/// The TLS of a process. Cheap to clone; clones share connections and certificates.
#[derive(Clone)]
pub struct Tls(Arc<Inner>);

struct Inner {
    settings: config::Tls,
    region: RegionId,
    is_dev: bool,
    current: ArcSwap<Current>,
    open: Mutex<BTreeMap<u64, Open>>,
    next: AtomicU64,
}

/// What is in force, of one reading of the files.
struct Current {
    server: Arc<ServerConfig>,
    verifier: Arc<dyn ClientCertVerifier>,
    /// When each revocation list should have been replaced, in seconds since 1970.
    lists_end: Vec<i64>,
}

/// A connection that is open, with what it was opened by.
struct Open {
    chain: Vec<CertificateDer<'static>>,
    closed: CancellationToken,
}

impl Tls {
    /// Reads the files that the settings name; `None` when they name none.
    ///
    /// # Errors
    /// A file cannot be read, they do not go together, or the authority is the throw-away one outside development.
    pub fn open(config: &config::Config) -> Result<Option<Self>, TlsError> {
        let settings = config.tls.clone();
        if settings.certificate_file.is_empty() {
            return Ok(None);
        }
        let current = Current::read(&settings, config.dev.enabled)?;
        Ok(Some(Self(Arc::new(Inner {
            settings,
            region: config.region.id.clone(),
            is_dev: config.dev.enabled,
            current: ArcSwap::from_pointee(current),
            open: Mutex::default(),
            next: AtomicU64::new(0),
        }))))
    }

    /// Reads the files again, and closes every connection whose certificate does not hold any more.
    ///
    /// # Errors
    /// As [`Tls::open`]; then what was in force stays so.
    pub fn reload(&self) -> Result<(), TlsError> {
        let read = Current::read(&self.0.settings, self.0.is_dev);
        let outcome = read.map(|current| self.0.current.store(Arc::new(current)));
        // Also by the old rules a certificate comes to its end.
        self.close_what_does_not_hold();
        outcome
    }

    /// Reads the files again and again, until the future is dropped.
    pub async fn keep_fresh(&self) {
        loop {
            tokio::time::sleep(Duration::from_secs(self.0.settings.reload_seconds.into())).await;
            if let Err(error) = self.reload() {
                tracing::error!(error = &error as &dyn std::error::Error, "certificates stay as they were");
            }
            let stale = self.stale_lists();
            if stale > 0 {
                tracing::error!(
                    stale,
                    "revocation lists are out of date: what was revoked since is believed"
                );
            }
        }
    }

    fn close_what_does_not_hold(&self) {
        let current = self.0.current.load();
        let open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        for connection in open.values() {
            connection.close_unless_it_holds(&current);
        }
    }

    /// Says who is at the other end, by the certificate that the handshake has verified.
    fn peer(&self, chain: &[CertificateDer<'_>]) -> Peer {
        match chain.first() {
            None => Peer::Unknown,
            Some(leaf) => Peer::Certified(System::of(leaf, &self.0.region, &self.0.settings.environment)),
        }
    }

    /// Returns how many of the revocation lists in force should have been replaced by now: an alert when there are any.
    /// They hold on, for what they revoke stays revoked, and a region is not to stand still when a list is late; what
    /// was revoked since is believed until a new one comes.
    #[must_use]
    pub fn stale_lists(&self) -> u64 {
        let now = Clock::system().now().as_second();
        let ends = &self.0.current.load().lists_end;
        u64::try_from(ends.iter().filter(|ends| **ends <= now).count()).unwrap_or(u64::MAX)
    }

    /// Counts a connection as open until what is returned is dropped.
    fn register(&self, chain: Vec<CertificateDer<'static>>) -> Registered {
        let (number, closed) = (self.0.next.fetch_add(1, Ordering::Relaxed), CancellationToken::new());
        let open = Open { chain, closed: closed.clone() };
        let mut all = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
        // Between the handshake and now the rules may have changed. The others are looked at when rules change: to
        // look at all of them with each one that comes would cost the square of their number.
        open.close_unless_it_holds(&self.0.current.load());
        all.insert(number, open);
        drop(all);
        Registered { tls: self.clone(), number, closed }
    }
}

impl Open {
    fn close_unless_it_holds(&self, current: &Current) {
        let Some((leaf, between)) = self.chain.split_first() else { return };
        if let Err(error) = current.verifier.verify_client_cert(leaf, between, UnixTime::now()) {
            tracing::warn!(
                why = refusal(&error),
                "a connection is closed: its certificate does not hold any more"
            );
            self.closed.cancel();
        }
    }
}

struct Registered {
    tls: Tls,
    number: u64,
    closed: CancellationToken,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.tls.0.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.number);
    }
}

impl Current {
    fn read(settings: &config::Tls, is_dev: bool) -> Result<Self, TlsError> {
        let unfit = |error: &dyn std::fmt::Display| TlsError::Unfit(error.to_string());
        let chain: Vec<_> = read("tls.certificate_file", &settings.certificate_file, |path| {
            CertificateDer::pem_file_iter(path)?.collect()
        })?;
        let key = read("tls.key_file", &settings.key_file, |path| PrivateKeyDer::from_pem_file(path))?;
        let authorities: Vec<CertificateDer<'_>> =
            read("tls.client_ca_file", &settings.client_ca_file, |path| {
                CertificateDer::pem_file_iter(path)?.collect()
            })?;
        if !is_dev && authorities.iter().any(|authority| holds(authority, DEV_AUTHORITY)) {
            return Err(TlsError::DevAuthority);
        }
        let mut roots = RootCertStore::empty();
        for authority in authorities {
            roots.add(authority).map_err(|error| unfit(&error))?;
        }
        let provider = Arc::new(ring::default_provider());
        let mut verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone());
        let mut lists_end = Vec::new();
        if !settings.crl_file.is_empty() {
            let lists: Vec<_> = read("tls.crl_file", &settings.crl_file, |path| {
                CertificateRevocationListDer::pem_file_iter(path)?.collect()
            })?;
            // By no list at all nothing is revoked: a file that was cut short must not let everybody in again.
            if lists.is_empty() {
                return Err(TlsError::NoLists { path: PathBuf::from(&settings.crl_file) });
            }
            lists_end = lists.iter().map(|list| end_of_list(list)).collect();
            verifier = verifier.with_crls(lists).only_check_end_entity_revocation();
        }
        if !settings.require_client_certificate {
            verifier = verifier.allow_unauthenticated();
        }
        let verifier = verifier.build().map_err(|error| unfit(&error))?;
        let mut server = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(|error| unfit(&error))?
            .with_client_cert_verifier(verifier.clone())
            .with_single_cert(chain, key)
            .map_err(|error| unfit(&error))?;
        server.alpn_protocols = vec![b"h2".to_vec()];
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
        Ok(Self { server: Arc::new(server), verifier, lists_end })
    }
}

fn read<T>(
    setting: &'static str,
    path: &str,
    read: impl FnOnce(&Path) -> Result<T, rustls::pki_types::pem::Error>,
) -> Result<T, TlsError> {
    let path = Path::new(path);
    read(path).map_err(|source| TlsError::File { setting, path: path.to_owned(), source })
}

/// Returns when a revocation list should be replaced, in seconds since 1970. One that does not say is late from the
/// beginning: nobody could tell when it is.
fn end_of_list(list: &[u8]) -> i64 {
    let read = CertificateRevocationList::from_der(list).ok();
    read.and_then(|(_, list)| list.next_update().map(|next| next.timestamp())).unwrap_or(i64::MIN)
}

/// Says whether a certificate lives longer than any of a client may.
fn lives_too_long(certificate: &CertificateDer<'_>) -> bool {
    X509Certificate::from_der(certificate).is_ok_and(|(_, parsed)| {
        let validity = parsed.validity();
        validity.not_after.timestamp().saturating_sub(validity.not_before.timestamp()) > LIFE_SECONDS_MAX
    })
}

/// Says whether a name stands in a certificate as it is.
fn holds(certificate: &CertificateDer<'_>, name: &str) -> bool {
    certificate.windows(name.len()).any(|window| window == name.as_bytes())
}

/// Names what a handshake failed of, as the metric counts it.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "another crate's causes, of which the metric tells some apart"
)]
fn refusal(error: &rustls::Error) -> &'static str {
    match error {
        rustls::Error::NoCertificatesPresented => "tls_no_cert",
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => "tls_expired",
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "tls_not_yet_valid"
            }
            CertificateError::Revoked => "tls_revoked",
            CertificateError::UnknownIssuer | CertificateError::BadSignature => "tls_unknown_ca",
            _ => "tls_bad_cert",
        },
        rustls::Error::PeerIncompatible(_) => "tls_version",
        _ => "tls_other",
    }
}

/// Names what an attempt to connect failed of.
fn failure(error: &io::Error) -> &'static str {
    error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()).map_or("tls_broken", refusal)
}

#[cfg(test)]
mod tests;
