//! The settings of encryption.

use serde::{Deserialize, Serialize};

use super::Problem;

/// How connections are encrypted, and which systems are known by their certificates.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The file with this process's certificate and what leads to its authority; empty for no encryption.
    pub certificate_file: String,
    /// The file with its key.
    pub key_file: String,
    /// The file with the authorities of the systems' certificates.
    pub client_ca_file: String,
    /// The file with the authorities' revocation lists; empty for none.
    pub crl_file: String,
    /// Whether a connection without a certificate is refused.
    pub require_client_certificate: bool,
    /// The environment that a certificate must be of.
    pub environment: String,
    /// Longest handshake in milliseconds, 500 to 30,000.
    pub handshake_ms: u32,
    /// Handshakes beside one another, 1 to 10,000.
    pub handshakes: u32,
    /// Seconds between looks at the files, 1 to 50.
    pub reload_seconds: u32,
}

impl Tls {
    /// Finds every value out of its range, and what is named without what belongs to it.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (path, value, range) in [
            ("tls.handshake_ms", self.handshake_ms, 500..=30_000),
            ("tls.handshakes", self.handshakes, 1..=10_000),
            // What was revoked has lost its connections within a minute.
            ("tls.reload_seconds", self.reload_seconds, 1..=50),
        ] {
            if !range.contains(&value) {
                problems.push(Problem::new(
                    path,
                    format!("must be {} to {}, is {value}", range.start(), range.end()),
                ));
            }
        }
        if self.environment.is_empty() {
            problems.push(Problem::new("tls.environment", "must not be empty"));
        }
        let parts = [
            ("tls.certificate_file", &self.certificate_file),
            ("tls.key_file", &self.key_file),
            ("tls.client_ca_file", &self.client_ca_file),
        ];
        let any = !self.crl_file.is_empty() || parts.iter().any(|(_, file)| !file.is_empty());
        for (path, _) in parts.iter().filter(|(_, file)| any && file.is_empty()) {
            let text = "must be set: certificate_file, key_file and client_ca_file go together";
            problems.push(Problem::new(*path, text));
        }
        problems
    }
}
