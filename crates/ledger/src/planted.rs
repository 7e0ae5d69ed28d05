//! Bugs that can be planted on purpose, to prove that the tests and the fault runs find them.
//!
//! Without the feature `planted` there are none: [`on`] is a constant `false`, and the compiler removes what stands
//! behind it. With it, the environment variable [`VARIABLE`] names the one bug that the process has. A bug is one line
//! where it would be made, `if planted::on("touch-skipped")`, and one entry of [`BUGS`]; a bug of the function that runs
//! in Redis is a marked line of its text that is replaced before it is loaded.

/// The environment variable that names the planted bug.
pub const VARIABLE: &str = "FALLOW_PLANTED";

/// Every bug that can be planted: its name, and what is done wrong. In order of name.
pub const BUGS: &[(&str, &str)] = &[
    ("absence-not-compared", "a record that was expected to be absent may be there"),
    ("answer-not-looked-up", "a repeated request that now decides nothing is not known again"),
    ("attestation-ignored", "what a witness knows is not held against what the store has"),
    ("check-only-writes", "a request that asks to be checked only is carried out"),
    ("clock-used-for-safety", "what is decided later is written, whatever has changed since it was read"),
    ("conflict-writes", "a commit of which one record has changed is written all the same"),
    ("deletion-forgotten", "a deleted record stays live"),
    ("digest-not-compared", "a request id that was used for another body answers as it did for that"),
    (
        "emptied-store-opened",
        "a process that read a ledger while it was closed opens the empty store that it finds later",
    ),
    ("epoch-ignored", "a commit may name an epoch that is over"),
    ("expected-revision-ignored", "a change that names the revision it was made for is made on any"),
    ("follower-applies-twice", "a change is told to every watcher twice"),
    ("follower-skips", "after an outage the follower goes on behind the first change that it missed"),
    (
        "fork-not-noticed",
        "a place behind the end of an ended epoch is taken for one of the line that went on",
    ),
    (
        "history-kept-by-a-rebuild",
        "a cursor from beyond the end of an archive goes on in a store rebuilt from it",
    ),
    ("lease-left", "an engine that is told to stop leaves its lease to run out"),
    ("lease-not-expected", "an engine goes on although another has taken the lease"),
    ("lease-stale", "an engine that has renewed its lease expects it as it was before"),
    ("lease-taken-at-once", "a standby takes the lease of an engine that is at work"),
    ("leaves-without-a-word", "a process that ends takes what it knows with it"),
    ("loss-not-noticed", "a store that is behind what it acknowledged takes commits"),
    ("offer-not-freed", "a hold that ends does not give its units back to the offer"),
    ("outcome-not-stored", "a request id is forgotten at once"),
    ("outcomes-forgotten-early", "a request id is forgotten by the next commit, whatever its age"),
    ("reads-not-remembered", "a process that only reads knows nothing of what it read"),
    ("replay-answers-another", "a repeated request is given the revision of the last commit of all"),
    ("reply-before-wait", "a commit is acknowledged whether or not the replicas hold it"),
    ("request-id-not-scoped", "two trusts that use the same request id get each other's answers"),
    ("revision-not-dense", "revisions go up by two"),
    ("seal-skipped", "the server's replication id is not looked at by a commit"),
    ("settings-asked-once", "a server that is tuned into losing data later goes on taking writes"),
    (
        "settles-without-witness",
        "a changed server is opened after a while though nobody who saw it before has spoken",
    ),
    ("silent-writer-not-waited-for", "a changed server is opened at once though a writer has not spoken"),
    (
        "struck-off-unfenced",
        "a writer that was taken off the record when it was silent writes on without being on it",
    ),
    ("torn-end-kept", "a server that has started goes on writing behind what a power cut tore"),
    ("touch-skipped", "a repeated request is acknowledged by a wait for replicas that covers nothing"),
    ("trimmed-unarchived", "the log keeps its last hundred changes, archived or not"),
    ("ttl-used", "outcomes have a time to live of a second"),
    ("unknown-said-to-be-away", "a commit whose answer was lost is said to be surely not written"),
    ("version-not-compared", "a record may have changed since it was read"),
    ("witness-saw-nothing", "a process that never saw the ledger open is taken for a witness"),
    ("write-not-logged", "the last record of a commit is live and not in the log"),
];

/// Says whether a bug is planted in this process.
#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn on(_bug: &str) -> bool {
    false
}

/// Says whether a bug is planted in this process.
#[cfg(feature = "planted")]
#[must_use]
pub fn on(bug: &str) -> bool {
    debug_assert!(BUGS.iter().any(|(name, _)| *name == bug), "{bug} is not in the list of bugs");
    planted() == Some(bug)
}

/// Returns the name of the bug that is planted in this process.
#[cfg(feature = "planted")]
#[must_use]
pub fn planted() -> Option<&'static str> {
    static PLANTED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    // No setting: a bug is nothing that a deployment chooses.
    #[expect(clippy::disallowed_methods)]
    let read = || std::env::var(VARIABLE).ok().filter(|name| !name.is_empty());
    PLANTED.get_or_init(read).as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_has_a_name_of_its_own_in_order() {
        assert!(BUGS.windows(2).all(|pair| pair[0].0 < pair[1].0), "the list of bugs is out of order");
    }
}
