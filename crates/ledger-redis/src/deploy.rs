//! Putting the functions where they are called.

use fallow_ledger::Trouble;

use crate::access::Access;
use crate::errors::{is_misuse, not_sent};
use crate::whereabouts::Whereabouts;
use crate::{keeper, store};

/// Loads the functions onto every primary that can hold a region, as the user that the URL names.
///
/// A function of another release keeps its own name, so processes of both can go on. Returns the servers that have the
/// functions now. Repeating it does no harm.
///
/// # Errors
/// [`Trouble::Unavailable`] when a primary cannot be reached: some may have the functions then;
/// [`Trouble::Misconfigured`] when the URL is none or the user may not load functions.
pub async fn deploy(url: &str, access: &Access) -> Result<Vec<String>, Trouble> {
    let mut loaded = Vec::new();
    for (host, mut connection) in Whereabouts::new(url, access, 0)?.primaries().await? {
        for library in [store::FUNCTIONS, keeper::FUNCTIONS] {
            let mut load = redis::cmd("FUNCTION");
            load.arg("LOAD").arg("REPLACE").arg(library);
            load.exec_async(&mut connection).await.map_err(|error| match is_misuse(&error) {
                true => Trouble::Misconfigured { detail: format!("load the functions at {host}: {error}") },
                false => not_sent(&format!("load the functions at {host}"), &error),
            })?;
        }
        loaded.push(host.to_string());
    }
    Ok(loaded)
}
