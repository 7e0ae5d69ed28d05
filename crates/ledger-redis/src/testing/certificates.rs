//! A throw-away authority for TLS, with a certificate for a server on this machine and one for a client.

use rcgen::{BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use redis::{ClientTlsConfig, TlsCertificates};

/// Certificates of one throw-away authority, in PEM. None of them is a secret.
#[derive(Clone, Debug)]
pub struct Certificates {
    /// The authority's certificate.
    pub ca: String,
    /// The server's certificate, for 127.0.0.1, and its key.
    pub server: (String, String),
    /// A client's certificate and its key.
    pub client: (String, String),
}

impl Certificates {
    /// Makes an authority and what it signs.
    ///
    /// # Panics
    /// Never on a machine with randomness.
    pub fn generate() -> Certificates {
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.distinguished_name.push(DnType::CommonName, "throw-away authority");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let ca = authority.self_signed(&key).expect("the authority's certificate").pem();
        let issuer = Issuer::new(authority, key);
        let signed = |name: &str, purposes: &[ExtendedKeyUsagePurpose]| {
            let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            params.distinguished_name.push(DnType::CommonName, name);
            params.extended_key_usages = purposes.to_vec();
            let key = KeyPair::generate().expect("a key");
            let certificate = params.signed_by(&key, &issuer).expect("a certificate");
            (certificate.pem(), key.serialize_pem())
        };
        Certificates {
            // The server is also a client: of its primary, and of its fellows in a Cluster.
            server: signed(
                "127.0.0.1",
                &[ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth],
            ),
            client: signed("fallow", &[ExtendedKeyUsagePurpose::ClientAuth]),
            ca,
        }
    }

    pub(super) fn of_client(&self) -> TlsCertificates {
        // Whoever is first chooses for the process, and all choose the same.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (certificate, key) = self.client.clone();
        let client = ClientTlsConfig { client_cert: certificate.into_bytes(), client_key: key.into_bytes() };
        TlsCertificates { client_tls: Some(client), root_cert: Some(self.ca.clone().into_bytes()) }
    }
}
