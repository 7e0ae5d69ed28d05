//! Which server program a fixture runs.

use std::ffi::OsString;

/// The variable that holds the path of a `valkey-server`. `cargo xtask test` sets it.
const VALKEY: &str = "FALLOW_VALKEY_SERVER";

/// A server program.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Program {
    /// `redis-server`, which every machine that runs these tests has.
    #[default]
    Redis,
    /// `valkey-server`: of the path that `FALLOW_VALKEY_SERVER` names.
    Valkey,
}

impl Program {
    /// Returns the program to run.
    pub(super) fn path(self) -> OsString {
        match self {
            Program::Redis => "redis-server".into(),
            Program::Valkey => std::env::var_os(VALKEY).unwrap_or_else(|| "valkey-server".into()),
        }
    }

    /// Returns how to come by the program.
    pub(super) fn install_line(self) -> &'static str {
        match self {
            Program::Redis => "install it with: apt-get install redis-server",
            Program::Valkey => "cargo xtask test brings one; else name one by FALLOW_VALKEY_SERVER",
        }
    }

    /// Returns in plain words what is missing, when the program cannot be run here.
    ///
    /// Redis is never missing: a test without it fails. Valkey may be, but not where `FALLOW_VALKEY_SERVER` names one.
    pub fn missing(self) -> Option<String> {
        let ran = std::process::Command::new(self.path()).arg("--version").output();
        match (self, ran) {
            (Program::Redis, _) | (_, Ok(_)) => None,
            (Program::Valkey, Err(_)) if std::env::var_os(VALKEY).is_some() => None,
            (Program::Valkey, Err(error)) => Some(format!(
                "no valkey-server here ({error}), so nothing was tried over it: {}",
                self.install_line()
            )),
        }
    }
}
