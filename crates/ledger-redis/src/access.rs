//! How the store's servers are signed in to, and whom they must prove to be.

use std::fmt;

/// Passwords and certificates. None of them is ever printed. What is not set here is taken from the URL, or not used.
#[derive(Clone, Default)]
pub struct Access {
    /// The password of the user that the URL names, or of the server's default user.
    pub password: Option<String>,
    /// The user at the Sentinels, where they have users of their own.
    pub sentinel_user: Option<String>,
    /// The password at the Sentinels.
    pub sentinel_password: Option<String>,
    /// The authorities that may have signed a server's certificate, in PEM; those of the machine when not set.
    pub authorities: Option<Vec<u8>>,
    /// The certificate by which this process proves itself, and its key, each in PEM.
    pub certificate: Option<(Vec<u8>, Vec<u8>)>,
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access")
            .field("password", &self.password.is_some())
            .field("sentinel_user", &self.sentinel_user)
            .field("sentinel_password", &self.sentinel_password.is_some())
            .field("authorities", &self.authorities.is_some())
            .field("certificate", &self.certificate.is_some())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_tells_no_secret() {
        let secret = || "hidden".to_owned();
        let access = Access {
            password: Some(secret()),
            sentinel_user: Some("watch".to_owned()),
            sentinel_password: Some(secret()),
            authorities: Some(secret().into()),
            certificate: Some((secret().into(), secret().into())),
        };
        let printed = format!("{access:?}");
        assert!(printed.contains("watch") && !printed.contains("hidden"), "{printed}");
    }
}
