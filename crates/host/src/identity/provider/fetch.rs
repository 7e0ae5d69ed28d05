//! Short requests to the identity provider: over TLS, never redirected, with a limit on time and on every answer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Time that a whole request gets, from the first packet to the last.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// Why the provider gave no answer. Shows nothing of what was sent.
#[derive(Debug, Error)]
pub enum FetchError {
    /// The address is none, or not of a kind that is trusted.
    #[error("the address must begin with https:// and name a host (http:// only on this machine)")]
    Address,
    /// The authorities of certificates cannot be read.
    #[error("the authorities of certificates cannot be read: {0}")]
    Authorities(String),
    /// The provider cannot be reached, or its certificate is not believed.
    #[error("the provider cannot be reached")]
    Away(#[source] std::io::Error),
    /// The provider does not speak HTTP as it should.
    #[error("the provider does not answer as it should")]
    Http(#[source] hyper::Error),
    /// The answer is larger than it may be.
    #[error("the answer is larger than {0} bytes, or was cut off")]
    Body(usize),
    /// The answer took too long.
    #[error("the provider did not answer within {} s", REQUEST_TIME.as_secs())]
    Late,
    /// The provider answered with another status than was hoped for.
    #[error("the provider answered with status {0}")]
    Status(u16),
}

/// What the provider answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// The HTTP status.
    pub(super) status: u16,
    /// The kind of its content, in lower case and without parameters.
    pub(super) kind: String,
    /// The content.
    pub(super) body: Bytes,
}

/// Who asks.
#[derive(Clone, Copy)]
pub(super) enum Credential<'a> {
    None,
    Bearer(&'a str),
    /// A client's id and secret.
    Basic(&'a str, &'a str),
}

/// Makes requests. Cheap to clone; each is made on a connection of its own, for they are rare.
#[derive(Clone)]
pub(super) struct Fetcher(TlsConnector);

impl Fetcher {
    /// Makes one that believes the authorities of a file, or those of the machine.
    pub(super) fn new(authorities: Option<&Path>) -> Result<Self, FetchError> {
        let mut roots = RootCertStore::empty();
        let wrong = |what: &dyn std::fmt::Display| FetchError::Authorities(what.to_string());
        match authorities {
            Some(path) => {
                let pem =
                    std::fs::read(path).map_err(|error| wrong(&format!("{}: {error}", path.display())))?;
                for certificate in CertificateDer::pem_slice_iter(&pem) {
                    roots.add(certificate.map_err(|error| wrong(&error))?).map_err(|error| wrong(&error))?;
                }
                if roots.is_empty() {
                    return Err(wrong(&format!("{} holds none", path.display())));
                }
            }
            // One that cannot be read is left out; without any, no provider is believed.
            None => drop(roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs)),
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| wrong(&error))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Reads an address. An answer with any status but 200, a redirection among them, is an error.
    pub(super) async fn get(
        &self,
        address: &str,
        credential: Credential<'_>,
        bytes_max: usize,
    ) -> Result<Answer, FetchError> {
        let answer = self.send(Method::GET, address, credential, None, bytes_max).await?;
        if answer.status == 200 { Ok(answer) } else { Err(FetchError::Status(answer.status)) }
    }

    /// Sends a form, and returns the answer whatever its status.
    pub(super) async fn post(
        &self,
        address: &str,
        credential: Credential<'_>,
        fields: &[(&str, &str)],
        bytes_max: usize,
    ) -> Result<Answer, FetchError> {
        self.send(Method::POST, address, credential, Some(form(fields)), bytes_max).await
    }

    async fn send(
        &self,
        method: Method,
        address: &str,
        credential: Credential<'_>,
        form: Option<String>,
        bytes_max: usize,
    ) -> Result<Answer, FetchError> {
        let uri: Uri = address.parse().map_err(|_| FetchError::Address)?;
        let target = Target::of(&uri)?;
        let mut request = Request::builder()
            .method(method)
            .uri(uri.path_and_query().map_or("/", |path| path.as_str()))
            .header(HOST, target.authority)
            .header(ACCEPT, "application/json, application/jwt");
        let header = match credential {
            Credential::None => None,
            Credential::Bearer(token) => Some(format!("Bearer {token}")),
            Credential::Basic(id, secret) => {
                let pair = format!("{}:{}", percent(id), percent(secret));
                Some(format!("Basic {}", STANDARD.encode(pair)))
            }
        };
        if let Some(header) = header {
            let mut value = HeaderValue::from_str(&header).map_err(|_| FetchError::Address)?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if form.is_some() {
            request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        }
        let body = Full::new(Bytes::from(form.unwrap_or_default()));
        let request = request.body(body).map_err(|_| FetchError::Address)?;
        let answered = async {
            let tcp = TcpStream::connect((target.host, target.port)).await.map_err(FetchError::Away)?;
            if target.is_plain {
                return exchange(tcp, request, bytes_max).await;
            }
            let name = ServerName::try_from(target.host.to_owned()).map_err(|_| FetchError::Address)?;
            let tls = self.0.connect(name, tcp).await.map_err(FetchError::Away)?;
            exchange(tls, request, bytes_max).await
        };
        tokio::time::timeout(REQUEST_TIME, answered).await.map_err(|_| FetchError::Late)?
    }
}

async fn exchange<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(
    stream: S,
    request: Request<Full<Bytes>>,
    bytes_max: usize,
) -> Result<Answer, FetchError> {
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(FetchError::Http)?;
    let mut connection = std::pin::pin!(connection);
    let answered = async {
        let response = sender.send_request(request).await.map_err(FetchError::Http)?;
        let (head, body) = response.into_parts();
        let kind = head.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_lowercase();
        let body = Limited::new(body, bytes_max).collect().await.map_err(|_| FetchError::Body(bytes_max))?;
        Ok(Answer { status: head.status.as_u16(), kind, body: body.to_bytes() })
    };
    let mut answered = std::pin::pin!(answered);
    // The connection is driven as long as the answer comes; it may end just before its last bytes are read.
    tokio::select! {
        biased;
        answer = &mut answered => answer,
        _ended = &mut connection => answered.await,
    }
}

/// Where a request goes.
struct Target<'u> {
    authority: &'u str,
    host: &'u str,
    port: u16,
    is_plain: bool,
}

impl<'u> Target<'u> {
    fn of(uri: &'u Uri) -> Result<Self, FetchError> {
        let authority =
            uri.authority().filter(|one| !one.as_str().contains('@')).ok_or(FetchError::Address)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let is_plain = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTPS => false,
            // On this machine nobody listens in between: for development and tests.
            Some(scheme) if *scheme == Scheme::HTTP && is_this_machine(host) => true,
            Some(_) | None => return Err(FetchError::Address),
        };
        let port = authority.port_u16().unwrap_or(if is_plain { 80 } else { 443 });
        Ok(Self { authority: authority.as_str(), host, port, is_plain })
    }
}

fn is_this_machine(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Says whether an address may be asked: https, or http on this machine.
pub(super) fn is_trusted(address: &str) -> bool {
    address.parse::<Uri>().is_ok_and(|uri| Target::of(&uri).is_ok())
}

/// Writes a form.
pub(super) fn form(fields: &[(&str, &str)]) -> String {
    let pairs: Vec<String> =
        fields.iter().map(|(name, value)| format!("{}={}", percent(name), percent(value))).collect();
    pairs.join("&")
}

fn percent(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tls_is_trusted_beyond_this_machine() {
        for good in [
            "https://id.example/a",
            "https://id.example:8443",
            "http://127.0.0.1:9/x",
            "http://[::1]:9/",
            "http://localhost:9",
        ] {
            assert!(is_trusted(good), "{good}");
        }
        for bad in [
            "http://id.example/",
            "ftp://id.example",
            "id.example",
            "",
            "https://a@id.example/",
            "file:///etc/passwd",
        ] {
            assert!(!is_trusted(bad), "{bad}");
        }
    }

    #[test]
    fn forms_are_encoded() {
        assert_eq!(
            form(&[("scope", "openid profile"), ("a", "ü&=")]),
            "scope=openid%20profile&a=%C3%BC%26%3D"
        );
    }
}
