//! The certificates between a person and the services: whether they are accepted, and for how long yet.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rustls::client::ClientConfig;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, ProtocolVersion, RootCertStore};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tonic::transport::Uri;
use x509_parser::prelude::{FromDer as _, X509Certificate};

use crate::cli::settings::Context;

/// A certificate that ends sooner than this is worth a word, unless all of its life is short.
const WARNED: SignedDuration = SignedDuration::from_hours(14 * 24);

/// From when until when a certificate holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    from: Timestamp,
    until: Timestamp,
}

impl Life {
    /// Says how long it holds yet: `61 days left`, `20 h left`; `ended` where it does not.
    pub(super) fn left(self, now: Timestamp) -> String {
        let left = self.until.duration_since(now);
        match left.as_hours() {
            _ if !left.is_positive() => "ended".to_owned(),
            0 => format!("{} min left", left.as_mins()),
            hours @ 1..48 => format!("{hours} h left"),
            hours => format!("{} days left", hours / 24),
        }
    }

    /// Says whether it ends soon: within a fortnight, or in the last third of a life that is shorter than six weeks.
    pub(super) fn ends_soon(self, now: Timestamp) -> bool {
        let third = self.until.duration_since(self.from) / 3;
        self.until.duration_since(now) < WARNED.min(third)
    }

    /// Says whether it has ended.
    pub(super) fn is_over(self, now: Timestamp) -> bool {
        self.until <= now
    }
}

/// What an address showed of itself.
#[derive(Debug)]
pub(super) struct Shown {
    /// Such as `TLS 1.3`.
    pub(super) version: &'static str,
    /// Of the certificate.
    pub(super) life: Life,
}

/// Connects to an `https` address as the command line does, and reads the certificate that it shows.
///
/// # Errors
/// In words: the address, the authority or the certificate cannot be used, or nobody answers in time.
pub(super) async fn shown(
    context: &Context,
    address: &str,
    now: Timestamp,
    limit: Duration,
) -> Result<Shown, String> {
    let uri: Uri = address.parse().map_err(|_| "it is no address".to_owned())?;
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
    let name = ServerName::try_from(host.clone()).map_err(|_| format!("\"{host}\" is no name of a host"))?;
    let config = config(context, now)?;
    let connecting = async {
        let stream = TcpStream::connect((host.as_str(), uri.port_u16().unwrap_or(443))).await?;
        TlsConnector::from(Arc::new(config)).connect(name, stream).await
    };
    let connected = timeout(limit, connecting).await;
    let stream = connected.map_err(|_| format!("no answer within {} s", limit.as_secs()))?;
    let stream = stream.map_err(|error| refused(&error))?;
    let (_, session) = stream.get_ref();
    let shown = session.peer_certificates().and_then(<[_]>::first).ok_or("it shows no certificate")?;
    let version = match session.protocol_version() {
        Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
        Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
        Some(_) | None => "TLS",
    };
    Ok(Shown { version, life: life(shown)? })
}

/// Reads the life of the first certificate of a PEM file.
///
/// # Errors
/// In words, when there is none that can be read.
pub(super) fn of_file(path: &Path) -> Result<Life, String> {
    let certificates = certificates(path)?;
    life(certificates.first().ok_or_else(|| format!("{} holds no certificate", path.display()))?)
}

fn config(context: &Context, now: Timestamp) -> Result<ClientConfig, String> {
    let authority = context.authority_file.as_deref().ok_or("the context names no authority_file")?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates(authority)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", authority.display()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_details(provider, Arc::new(At(now)))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let mut config = match (&context.certificate_file, &context.key_file) {
        (Some(certificate), Some(key)) => {
            let key_der = PrivateKeyDer::from_pem_file(key)
                .map_err(|error| format!("{} cannot be read: {error}", key.display()))?;
            config
                .with_client_auth_cert(certificates(certificate)?, key_der)
                .map_err(|error| format!("{}: {error}", certificate.display()))?
        }
        (Some(_) | None, _) => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec()];
    Ok(config)
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let unreadable = |error: &dyn std::fmt::Display| format!("{} cannot be read: {error}", path.display());
    let read = CertificateDer::pem_file_iter(path).map_err(|error| unreadable(&error))?;
    read.collect::<Result<_, _>>().map_err(|error| unreadable(&error))
}

fn life(certificate: &CertificateDer<'_>) -> Result<Life, String> {
    let (_, read) = X509Certificate::from_der(certificate)
        .map_err(|error| format!("the certificate cannot be read: {error}"))?;
    let moment = |seconds| Timestamp::from_second(seconds).map_err(|error| error.to_string());
    let validity = read.validity();
    Ok(Life {
        from: moment(validity.not_before.timestamp())?,
        until: moment(validity.not_after.timestamp())?,
    })
}

/// Says in words why a connection is none.
fn refused(error: &std::io::Error) -> String {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    match inner {
        Some(rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => "its certificate has ended".to_owned(),
        Some(rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        )) => "its certificate is not signed by the authority that the context names".to_owned(),
        Some(other) => format!("its certificate is not accepted: {other}"),
        None => format!("nobody answers: {error}"),
    }
}

/// The command's own time, by which certificates are judged.
#[derive(Debug)]
struct At(Timestamp);

impl TimeProvider for At {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.as_second()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_life_is_told_in_days_hours_and_minutes_and_warned_of_by_its_length() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let year = Life { from: at("2026-01-25T00:00:00Z"), until: at("2027-01-25T00:00:00Z") };
        for (now, left, soon) in [
            ("2026-11-24T12:00:00Z", "61 days left", false),
            ("2027-01-11T00:00:00Z", "14 days left", false),
            ("2027-01-11T00:00:01Z", "13 days left", true),
            ("2027-01-24T00:00:00Z", "24 h left", true),
            ("2027-01-24T23:30:00Z", "30 min left", true),
            ("2027-01-25T00:00:00Z", "ended", true),
        ] {
            let now = at(now);
            assert_eq!((year.left(now).as_str(), year.ends_soon(now)), (left, soon), "{now}");
            assert_eq!(year.is_over(now), left == "ended");
        }
        // A system's certificate of a day is no news in its morning.
        let day = Life { from: at("2026-11-24T00:00:00Z"), until: at("2026-11-25T00:00:00Z") };
        assert!(!day.ends_soon(at("2026-11-24T15:00:00Z")) && day.ends_soon(at("2026-11-24T17:00:00Z")));
    }
}
