//! The keys of an archive: Ed25519, read from files as the keys of tokens are. A key of its own, so that whoever may
//! sign tokens cannot rewrite the record of what was done with them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey, DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{Signature, Signer as _, VerifyingKey};
use fallow_ledger::state::hex;
use sha2::{Digest as _, Sha256};

use crate::entry::{Checkpoint, Header};
use crate::frame::Chain;

/// Why a key cannot be used. Never shows anything of it.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is no key of the form asked for.
    #[error("{0}")]
    Malformed(&'static str),
    /// The operating system gave no randomness.
    #[error("the system gives no random bytes")]
    NoRandomness,
}

/// The private key that signs checkpoints.
#[derive(Clone)]
pub struct SigningKey(Arc<ed25519_dalek::SigningKey>);

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey({})", self.public().id())
    }
}

impl SigningKey {
    /// Makes a new key.
    ///
    /// # Errors
    /// The operating system gives no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut secret = [0; 32];
        getrandom::fill(&mut secret).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self(Arc::new(ed25519_dalek::SigningKey::from_bytes(&secret))))
    }

    /// Reads a key from a file of PKCS#8 PEM.
    ///
    /// # Errors
    /// The file cannot be read or holds no Ed25519 private key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        const WRONG: KeyError = KeyError::Malformed("is no Ed25519 private key in PKCS#8 PEM");
        let key = ed25519_dalek::SigningKey::from_pkcs8_pem(&text(path)?).map_err(|_| WRONG)?;
        Ok(Self(Arc::new(key)))
    }

    /// Returns the key as PKCS#8 PEM, for a file that only its owner reads.
    ///
    /// # Errors
    /// It cannot be written so.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self.0.to_pkcs8_pem(LineEnding::LF);
        pem.map(|pem| pem.to_string()).map_err(|_| KeyError::Malformed("the key could not be written"))
    }

    /// Returns the public half, which whoever verifies is given.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs a checkpoint.
    #[must_use]
    pub fn sign(&self, checkpoint: Checkpoint, header: &Header, before: &Chain) -> Checkpoint {
        let signature = self.0.sign(&checkpoint.signed(header, before));
        Checkpoint { signature: Some(signature.to_bytes()), ..checkpoint }
    }
}

/// The public key of an archive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Reads a key from a file of PEM (SPKI).
    ///
    /// # Errors
    /// The file cannot be read or holds no Ed25519 public key.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        const WRONG: KeyError = KeyError::Malformed("is no Ed25519 public key in PEM");
        VerifyingKey::from_public_key_pem(&text(path)?).map(Self).map_err(|_| WRONG)
    }

    /// Returns the key as PEM (SPKI).
    ///
    /// # Errors
    /// It cannot be written so.
    pub fn to_pem(&self) -> Result<String, KeyError> {
        let pem = self.0.to_public_key_pem(LineEnding::LF);
        pem.map_err(|_| KeyError::Malformed("the key could not be written"))
    }

    /// Returns the fingerprint of the key, by which people compare two of them: its SHA-256, 64 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes()))
    }

    /// Returns the id of the key, by which an archive finds its own: the first 16 digits of its fingerprint. Somebody with
    /// enough machines can make another key of the same id, so that it is not for people to compare.
    #[must_use]
    pub fn id(&self) -> String {
        hex(&Sha256::digest(self.0.as_bytes())[..8])
    }

    /// Says whether a checkpoint carries this key's signature.
    #[must_use]
    pub fn has_signed(&self, checkpoint: &Checkpoint, header: &Header, before: &Chain) -> bool {
        let signed = checkpoint.signed(header, before);
        checkpoint.signature.is_some_and(|signature| {
            self.0.verify_strict(&signed, &Signature::from_bytes(&signature)).is_ok()
        })
    }
}

fn text(path: &Path) -> Result<String, KeyError> {
    std::fs::read_to_string(path).map_err(|source| KeyError::Unreadable { path: path.to_owned(), source })
}

/// Reads so many bytes in hexadecimal, lower case, as we write it: one text for one value.
pub(crate) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let is_digit = |digit: &u8| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != 2 * N || !text.as_bytes().iter().all(is_digit) {
        return None;
    }
    let digit = |place: usize| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).ok();
    let bytes: Option<Vec<u8>> = (0..N).map(digit).collect();
    bytes?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_their_files() {
        let folder = tempfile::tempdir().unwrap();
        let (secret, public) = (folder.path().join("secret"), folder.path().join("public"));
        let key = SigningKey::generate().unwrap();
        std::fs::write(&secret, key.to_pem().unwrap()).unwrap();
        std::fs::write(&public, key.public().to_pem().unwrap()).unwrap();
        assert_eq!(SigningKey::read(&secret).unwrap().public(), key.public());
        assert_eq!(PublicKey::read(&public).unwrap(), key.public());
        assert!(PublicKey::read(&secret).is_err() && SigningKey::read(&public).is_err());
        assert_eq!(key.public().id().len(), 16);
        assert_eq!(key.public().fingerprint().len(), 64);
        assert!(key.public().fingerprint().starts_with(&key.public().id()));
        assert!(!format!("{key:?}").contains("PRIVATE"));
    }
}
