//! `fallow ledger deploy`.

use fallow_host::config::StoreKind;
use fallow_ledger_redis::deploy;

use super::{LedgerError, SettingsArgs};
use crate::wiring::redis_options;

/// Loads the functions, and returns what to say.
pub(super) fn run(args: &SettingsArgs) -> Result<String, LedgerError> {
    let config = args.load()?;
    if config.store.kind != StoreKind::Redis {
        return Err(LedgerError::Embedded);
    }
    let access = redis_options(&config)?.access;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(LedgerError::Runtime)?;
    let servers = runtime.block_on(deploy(config.store.url.reveal(), &access))?;
    Ok(servers
        .iter()
        .map(|server| format!("{server}  has the functions of {}\n", env!("CARGO_PKG_VERSION")))
        .collect())
}
