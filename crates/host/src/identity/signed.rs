//! Tokens whose signature was found to hold. A system sends the same token with every call, and to work the signature out
//! again costs more than everything else that is asked of it.
//!
//! Kept is only what no later moment changes: that the key which a token names has signed it, and what it claims. Its times,
//! its session and whatever else decides about a call are looked at in every call. A token is known by its hash alone, so
//! that nothing here is a credential, and one whose signature does not hold is never kept.

use std::fmt;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fallow_api::status::Failure;
use lru::LruCache;
use sha2::{Digest as _, Sha256};

use super::token::Claims;

/// Most tokens that are remembered, the latest used; what is forgotten is worked out anew. Claims are no longer than their
/// tokens, of 8 KiB at most: 16 MiB of them all together at the very worst.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(2_048).unwrap();

/// What signed tokens claim, by the SHA-256 of the token.
pub(super) struct Signed(Mutex<LruCache<[u8; 32], Arc<Claims>>>);

impl Default for Signed {
    fn default() -> Self {
        // Without room taken in advance: most processes see a handful.
        let mut known = LruCache::unbounded();
        known.resize(REMEMBERED);
        Self(Mutex::new(known))
    }
}

impl Signed {
    /// Returns the claims of a token; `verify` says what they are when it is not known, or why it is none.
    ///
    /// # Errors
    /// Whatever `verify` refuses it with, which is forgotten at once.
    pub(super) fn claims_of(
        &self,
        token: &str,
        verify: impl FnOnce() -> Result<Claims, Failure>,
    ) -> Result<Arc<Claims>, Failure> {
        let name: [u8; 32] = Sha256::digest(token).into();
        if let Some(known) = self.known().get(&name) {
            return Ok(known.clone());
        }
        let claims = Arc::new(verify()?);
        self.known().put(name, claims.clone());
        Ok(claims)
    }

    fn known(&self) -> MutexGuard<'_, LruCache<[u8; 32], Arc<Claims>>> {
        // Each change is whole in itself.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Signed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signed(..)")
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::identity::compact::refuse;

    #[test]
    fn a_token_is_worked_out_once_while_it_is_among_the_latest() {
        let (signed, worked_out) = (Signed::default(), Cell::new(0));
        let ask = |token: &str| {
            let claims = signed.claims_of(token, || {
                worked_out.set(worked_out.get() + 1);
                Ok(Claims::default())
            });
            assert!(claims.is_ok());
        };
        ask("first");
        ask("first");
        assert_eq!(worked_out.get(), 1);
        for number in 0..REMEMBERED.get() {
            ask(&number.to_string());
        }
        ask("first");
        assert_eq!(worked_out.get(), REMEMBERED.get() + 2);
    }

    #[test]
    fn what_is_refused_is_looked_at_every_time() {
        let (signed, worked_out) = (Signed::default(), Cell::new(0));
        for _ in 0..2 {
            let refused = signed.claims_of("token", || {
                worked_out.set(worked_out.get() + 1);
                refuse("TOKEN_KEY", "no")
            });
            assert!(refused.is_err());
        }
        assert_eq!(worked_out.get(), 2);
    }
}
