//! Keys: Ed25519 alone, made here for development or read from files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet, ThumbprintHash};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey};
use thiserror::Error;

/// Most keys in a set: one in use, one before it, one after it, and room.
const KEYS_MAX: usize = 16;

/// Why keys cannot be used. Never shows anything of a key.
#[derive(Debug, Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no key or key set of the form asked for.
    #[error("{0}")]
    Malformed(&'static str),
    /// The settings name no key.
    #[error("set identity.issuer_keys_file: without the issuer's keys nobody can be believed")]
    NotSet,
    /// The operating system gave no randomness.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// A private key that signs tokens.
#[derive(Clone)]
pub struct SigningKey {
    pub(super) encoding: EncodingKey,
    public: Jwk,
    pem: String,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.id())
    }
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret_key = [0; 32];
        getrandom::fill(&mut secret_key).map_err(|_| KeyError::NoRandomness)?;
        let pem = KeypairBytes { secret_key, public_key: None }
            .to_pkcs8_pem(LineEnding::LF)
            .map_err(|_| KeyError::Malformed("a new key could not be written"))?;
        Self::from_pem(&pem)
    }

    /// Reads a key from PKCS#8 PEM.
    ///
    /// # Errors
    /// The text is no Ed25519 private key in PKCS#8 PEM.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        const WRONG: KeyError = KeyError::Malformed("is no Ed25519 private key in PKCS#8 PEM");
        let encoding = EncodingKey::from_ed_pem(pem.as_bytes()).map_err(|_| WRONG)?;
        let mut public = Jwk::from_encoding_key(&encoding, Algorithm::EdDSA).map_err(|_| WRONG)?;
        // The id of a key is its thumbprint (RFC 7638), so that two processes give the same key the same id.
        public.common.key_id = Some(public.thumbprint(ThumbprintHash::SHA256).map_err(|_| WRONG)?);
        Ok(Self { encoding, public, pem: pem.to_owned() })
    }

    /// Reads a key from a file of PKCS#8 PEM.
    ///
    /// # Errors
    /// The file cannot be read or holds no such key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::from_pem(&read(path)?)
    }

    /// Returns the key's id, which tokens name as `kid`.
    #[must_use]
    pub fn id(&self) -> &str {
        self.public.common.key_id.as_deref().unwrap_or_default()
    }

    /// Returns the private key as PKCS#8 PEM, to be kept in a file that only its owner reads.
    #[must_use]
    pub fn to_pem(&self) -> &str {
        &self.pem
    }

    /// Returns the public half as a set of one.
    #[must_use]
    pub fn key_set(&self) -> KeySet {
        let decoding = DecodingKey::from_jwk(&self.public);
        let keys =
            decoding.map(|key| (self.id().to_owned(), (self.public.clone(), key))).into_iter().collect();
        KeySet(Arc::new(keys))
    }
}

/// The public keys of an issuer, by id.
#[derive(Clone)]
pub struct KeySet(Arc<BTreeMap<String, (Jwk, DecodingKey)>>);

impl std::fmt::Debug for KeySet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl KeySet {
    /// Reads a JWK set. Every key must be Ed25519 and have an id of its own: one algorithm, no guessing.
    ///
    /// # Errors
    /// The text is no such set, is empty, or has more than 16 keys.
    pub fn from_json(json: &str) -> Result<Self, KeyError> {
        let set: JwkSet = serde_json::from_str(json)
            .map_err(|_| KeyError::Malformed("is no JWK set: {\"keys\": [...]}"))?;
        if set.keys.is_empty() || set.keys.len() > KEYS_MAX {
            return Err(KeyError::Malformed("must hold 1 to 16 keys"));
        }
        let mut keys = BTreeMap::new();
        for jwk in set.keys {
            let is_ed25519 = matches!(&jwk.algorithm, AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519);
            let id = jwk.common.key_id.clone().filter(|id| !id.is_empty());
            let (true, Some(id)) = (is_ed25519, id) else {
                return Err(KeyError::Malformed("every key must be Ed25519 (kty OKP) and have a kid"));
            };
            let key =
                DecodingKey::from_jwk(&jwk).map_err(|_| KeyError::Malformed("a key's x is not readable"))?;
            if keys.insert(id, (jwk, key)).is_some() {
                return Err(KeyError::Malformed("two keys have the same kid"));
            }
        }
        Ok(Self(Arc::new(keys)))
    }

    /// Reads a JWK set from a file.
    ///
    /// # Errors
    /// The file cannot be read or holds no such set.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        Self::from_json(&read(path)?)
    }

    /// Returns the set as JSON, as [`KeySet::from_json`] reads it.
    #[must_use]
    pub fn to_json(&self) -> String {
        let set = JwkSet { keys: self.0.values().map(|(jwk, _)| jwk.clone()).collect() };
        serde_json::to_string_pretty(&set).unwrap_or_default()
    }

    /// Returns the key of an id. The id is only ever compared, never opened as a path or an address.
    pub(super) fn find(&self, id: &str) -> Option<&DecodingKey> {
        self.0.get(id).map(|(_, key)| key)
    }
}

fn read(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_files() {
        let key = SigningKey::generate().unwrap();
        let again = SigningKey::from_pem(key.to_pem()).unwrap();
        assert_eq!(key.id(), again.id());
        assert_eq!(key.id().len(), 43);
        let set = KeySet::from_json(&key.key_set().to_json()).unwrap();
        assert!(set.find(key.id()).is_some() && set.find("another").is_none());
        assert!(!format!("{key:?} {set:?}").contains("PRIVATE"));
        assert_ne!(key.id(), SigningKey::generate().unwrap().id());
    }

    #[test]
    fn only_sets_of_named_ed25519_keys_are_taken() {
        let key = SigningKey::generate().unwrap().key_set().to_json();
        let body = key.trim().trim_start_matches("{\n  \"keys\": [").trim_end_matches("\n  ]\n}").to_owned();
        for (bad, why) in [
            ("", "is no JWK set"),
            ("{\"keys\": []}", "1 to 16"),
            (r#"{"keys":[{"kty":"oct","k":"c2VjcmV0","kid":"a"}]}"#, "Ed25519"),
            (
                r#"{"keys":[{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
                "kid",
            ),
            (&format!("{{\"keys\": [{body}, {body}]}}"), "same kid"),
        ] {
            let error = KeySet::from_json(bad).unwrap_err().to_string();
            assert!(error.contains(why), "{bad}: {error}");
        }
        assert!(matches!(KeySet::read(Path::new("/nowhere")), Err(KeyError::Unreadable { .. })));
        assert!(
            SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").is_err()
        );
    }
}
