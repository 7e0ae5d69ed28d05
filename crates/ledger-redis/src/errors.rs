//! What an error of the client library means for the caller: above all, whether a commit may have been written.

use fallow_ledger::Trouble;
use redis::{ErrorKind, RedisError};

/// A failure before anything was sent.
pub(crate) fn not_sent(doing: &str, error: &RedisError) -> Trouble {
    Trouble::Unavailable { detail: format!("{doing}: {error}") }
}

/// A change of the seal that others were always faster with.
pub(crate) fn overtaken() -> Trouble {
    Trouble::Unavailable { detail: "speak of the ledger: others keep changing it".to_owned() }
}

/// A failure of a read, which can always be repeated.
pub(crate) fn of_read(doing: &str, error: &RedisError) -> Trouble {
    let detail = format!("{doing}: {error}");
    if is_misuse(error) {
        return Trouble::Misconfigured { detail };
    }
    match error.code() {
        Some("ERR" | "WRONGTYPE") => Trouble::Corrupt { key: None, detail },
        Some(_) => Trouble::Unavailable { detail },
        None if error.kind() == ErrorKind::UnexpectedReturnType => Trouble::Corrupt { key: None, detail },
        None => Trouble::Unavailable { detail },
    }
}

/// A failure of a commit that was sent.
pub(crate) fn of_commit(error: &RedisError) -> Trouble {
    let detail = format!("commit: {error}");
    if is_misuse(error) {
        return Trouble::Misconfigured { detail };
    }
    match error.code() {
        // The function ran into what cannot be: its first write is refused, or a key is of another type.
        Some("ERR" | "WRONGTYPE") => Trouble::Corrupt { key: None, detail },
        // The server said that it did not run it: loading, read-only, out of memory, no permission and the like.
        Some(_) => Trouble::Unavailable { detail },
        // No answer, or none that can be understood.
        None if fallow_ledger::planted::on("unknown-said-to-be-away") => Trouble::Unavailable { detail },
        None => Trouble::Unknown { detail },
    }
}

/// Whether the server does not know our functions. It has then run nothing.
pub(crate) fn is_function_missing(error: &RedisError) -> bool {
    error.code() == Some("ERR") && error.to_string().contains("Function not found")
}

/// Whether the server is no primary, or no longer that of our slot: another has taken its place. It has then run nothing.
pub(crate) fn is_no_primary(error: &RedisError) -> bool {
    // In a transaction, the refusal of its parts is an aborted whole.
    const ELSEWHERE: [&str; 8] =
        ["READONLY", "MOVED", "ASK", "TRYAGAIN", "MASTERDOWN", "CLUSTERDOWN", "LOADING", "EXECABORT"];
    error.code().is_some_and(|code| ELSEWHERE.contains(&code))
}

/// Whether the server answers, but is not of the kind that the settings say, or does not let us in.
pub(crate) fn is_misuse(error: &RedisError) -> bool {
    // Of several calls sent together, the first that failed tells.
    let failed = error.clone().into_server_errors();
    let first = failed.as_ref().and_then(|failed| failed.first()).map(|(_, error)| error.code());
    match error.code().or(first) {
        Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "DENIED") => true,
        Some("ERR") => {
            let said = error.to_string();
            said.contains("unknown command") || said.contains("cluster support disabled")
        }
        Some(_) => false,
        None => error.kind() == ErrorKind::AuthenticationFailed,
    }
}

/// Whether the connection is of no more use.
pub(crate) fn is_connection_lost(error: &RedisError) -> bool {
    error.code().is_none() && (error.is_unrecoverable_error() || error.is_io_error())
}
