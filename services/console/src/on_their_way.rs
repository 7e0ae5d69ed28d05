//! People on their way to the identity provider: what is known of each goes with their own browser, sealed.
//!
//! Nothing is kept here, so that nobody who sets out ten thousand times takes a place from anybody else. What the provider
//! must show us again is made from the seal's key, and stands in no cookie.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::form::matches;

/// How long somebody may take at the provider.
pub(crate) const SIGN_IN_WITHIN: Duration = Duration::from_secs(10 * 60);
/// Bytes of a block of the hash.
const BLOCK: usize = 64;

/// The key of this process, by which it knows what it sealed.
pub(crate) struct Seal([u8; BLOCK]);

/// Somebody on their way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OnTheirWay {
    /// What the provider's answer must carry, known to this browser alone.
    pub(crate) state: String,
    /// Whether they must come back signed in more strongly, and anew.
    pub(crate) stronger: bool,
    /// When they set out, in seconds since 1970.
    pub(crate) began: i64,
    /// Where they go afterwards.
    pub(crate) next: String,
}

impl Default for Seal {
    fn default() -> Self {
        let mut key = [0; BLOCK];
        for part in key.chunks_exact_mut(16) {
            part.copy_from_slice(Uuid::new_v4().as_bytes());
        }
        Self(key)
    }
}

impl Seal {
    /// Returns what the ID token of a sign-in must carry.
    pub(crate) fn nonce(&self, state: &str) -> String {
        self.code("nonce", state)
    }

    /// Returns what only we can show when we ask for its tokens.
    pub(crate) fn verifier(&self, state: &str) -> String {
        self.code("verifier", state)
    }

    /// Writes somebody's way into a cookie.
    pub(crate) fn close(&self, way: &OnTheirWay) -> String {
        let next = URL_SAFE_NO_PAD.encode(&way.next);
        let open = format!("{}.{}.{}.{next}", way.state, way.began, u8::from(way.stronger));
        let code = self.code("way", &open);
        format!("{open}.{code}")
    }

    /// Reads a cookie; `None` when we did not write it, or too long ago.
    pub(crate) fn open(&self, cookie: &str, now: Timestamp) -> Option<OnTheirWay> {
        let (open, code) = cookie.rsplit_once('.')?;
        if !matches(code, &self.code("way", open)) {
            return None;
        }
        let mut parts = open.split('.');
        let (state, began, stronger) = (parts.next()?, parts.next()?.parse().ok()?, parts.next()? == "1");
        let next = String::from_utf8(URL_SAFE_NO_PAD.decode(parts.next()?).ok()?).ok()?;
        let age =
            Duration::try_from(now.duration_since(Timestamp::from_second(began).ok()?)).unwrap_or_default();
        (age < SIGN_IN_WITHIN).then(|| OnTheirWay { state: state.to_owned(), stronger, began, next })
    }

    /// Returns the code of a text for one use, as 43 letters, digits, dashes and underscores.
    fn code(&self, of: &str, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.hmac(&format!("{of}\0{text}")))
    }

    /// HMAC-SHA-256 (RFC 2104).
    fn hmac(&self, text: &str) -> [u8; 32] {
        let keyed = |pad: u8| Sha256::new().chain_update(self.0.map(|byte| byte ^ pad));
        keyed(0x5c).chain_update(keyed(0x36).chain_update(text).finalize()).finalize().into()
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn way() -> OnTheirWay {
        OnTheirWay {
            state: "s-_1".to_owned(),
            stronger: true,
            began: 1_795_000_000,
            next: "/resume/a?b=ü".to_owned(),
        }
    }

    #[test]
    fn what_was_sealed_is_read_for_ten_minutes_and_by_nobody_else() {
        let (seal, other) = (Seal::default(), Seal::default());
        let began = Timestamp::from_second(way().began).unwrap();
        let cookie = seal.close(&way());
        assert_eq!(seal.open(&cookie, began), Some(way()));
        assert_eq!(seal.open(&cookie, began + SignedDuration::from_secs(599)), Some(way()));
        assert_eq!(seal.open(&cookie, began + SignedDuration::from_secs(600)), None);
        assert_eq!(other.open(&cookie, began), None);
        for at in 0..cookie.len() {
            let mut spoilt = cookie.clone().into_bytes();
            spoilt[at] = if spoilt[at] == b'A' { b'B' } else { b'A' };
            assert_eq!(seal.open(std::str::from_utf8(&spoilt).unwrap(), began), None, "letter {at}");
        }
        for bad in ["", ".", "a.b.c.d.e"] {
            assert_eq!(seal.open(bad, began), None);
        }
    }

    #[test]
    fn what_the_provider_must_show_is_of_one_sign_in_and_stands_in_no_cookie() {
        let seal = Seal::default();
        let (nonce, verifier, cookie) = (seal.nonce("s"), seal.verifier("s"), seal.close(&way()));
        assert_eq!((nonce.len(), verifier.len()), (43, 43));
        assert!(nonce != verifier && nonce != seal.nonce("t") && nonce != Seal::default().nonce("s"));
        assert!(!cookie.contains(&nonce) && !cookie.contains(&verifier));
    }

    #[test]
    fn the_code_is_that_of_the_standard() {
        // RFC 4231, case 2.
        let mut key = [0; BLOCK];
        key[..4].copy_from_slice(b"Jefe");
        let code = Seal(key).hmac("what do ya want for nothing?");
        let hex: String = code.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
    }
}
