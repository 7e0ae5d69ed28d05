//! Keys that sign, and random texts.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::{EncodePrivateKey, KeypairBytes, spki::der::pem::LineEnding};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::IssuerError;

/// A key pair with its id.
pub(crate) struct Key {
    id: String,
    public: String,
    secret: EncodingKey,
}

impl Key {
    pub(crate) fn generate() -> Result<Self, IssuerError> {
        let mut secret_key = [0; 32];
        getrandom::fill(&mut secret_key).map_err(|_| IssuerError::Key)?;
        let public = URL_SAFE_NO_PAD.encode(SigningKey::from_bytes(&secret_key).verifying_key().as_bytes());
        let pem = KeypairBytes { secret_key, public_key: None }.to_pkcs8_pem(LineEnding::LF);
        let pem = pem.map_err(|_| IssuerError::Key)?;
        let secret = EncodingKey::from_ed_pem(pem.as_bytes()).map_err(|_| IssuerError::Key)?;
        Ok(Self { id: random()?, public, secret })
    }

    /// Returns the public half as a JWK.
    pub(crate) fn jwk(&self) -> Value {
        json!({ "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": self.id, "x": self.public })
    }

    pub(crate) fn sign(&self, kind: &str, claims: &Value) -> Result<String, IssuerError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.id.clone());
        header.typ = Some(kind.to_owned());
        jsonwebtoken::encode(&header, claims, &self.secret).map_err(|_| IssuerError::Key)
    }
}

/// Returns a text that nobody guesses.
pub(crate) fn random() -> Result<String, IssuerError> {
    let mut bytes = [0; 24];
    getrandom::fill(&mut bytes).map_err(|_| IssuerError::Key)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
