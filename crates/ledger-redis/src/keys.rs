//! Every key of the ledger in Redis: the only place in the tree that names one.
//!
//! All keys of a region carry the hash tag `{region}`, so that they lie in one slot of a Cluster and one function
//! call may touch them all. None has a time to live: a key that vanished by itself would lose units. The only
//! writer of all of them is `commit.lua`; the archive's `keeper.lua` notes in `meta` what is archived, trims `log`, and
//! fills a region that is empty.

/// The keys of one region.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Hash. `history`: the id that cursors carry. `revision`: the last commit's number, in decimal. `epoch`: what a commit
    /// must name, empty while the ledger is sealed. `seal`: see `seal.rs`, as JSON. `kept`: the highest revision known to be
    /// on the replicas. `archived`: what the archive has on disk, see `keeper.lua`. Bound: these fields; a seal of some 50 KB.
    pub meta: String,
    /// Hash. `kind/id` → revision in decimal, a space, body. Bound: one field per live record; bodies of at most
    /// `BODY_BYTES`.
    pub live: String,
    /// Stream. `<revision>-0` → `cause`, then for each record written `kind/id` → `=` and its body, or `-` when it was
    /// deleted. Bound: one entry per commit, trimmed only by the archive, never by `MAXLEN`.
    pub log: String,
    /// Hash. Request (see `request`) → SHA-256 of what was asked (32 bytes), revision in decimal, a space, answer.
    /// Bound: `REQUESTS_PER_SCOPE` fields per scope.
    pub outcomes: String,
    /// Sorted set of the requests in `outcomes` by the time of their commit, in milliseconds since 1970: what is to be
    /// forgotten next. Bound: as `outcomes`.
    pub outcome_times: String,
    /// Hash. Scope → how many of its requests are in `outcomes`. Bound: one field per scope.
    pub outcome_counts: String,
    /// Hash, as `live`: records put aside for a region that is being restored, of which one step makes `live`. Written by
    /// `keeper.lua` alone. Bound: as `live`; absent but for the minute of a restore.
    pub restoring: String,
}

impl Keys {
    /// Names the keys of a region. The region's name has no braces.
    pub fn of(region: &str) -> Keys {
        let key = |name: &str| format!("fallow:{{{region}}}:{name}");
        Keys {
            meta: key("meta"),
            live: key("live"),
            log: key("log"),
            outcomes: key("outcomes"),
            outcome_times: key("outcome-times"),
            outcome_counts: key("outcome-counts"),
            restoring: key("restoring"),
        }
    }

    /// Lists the keys in the order in which `commit.lua` takes them.
    pub fn all(&self) -> [&str; 6] {
        [&self.meta, &self.live, &self.log, &self.outcomes, &self.outcome_times, &self.outcome_counts]
    }
}

/// Returns the slot of a Cluster in which all keys of a region lie: CRC-16 of its hash tag (XMODEM: polynomial 0x1021),
/// modulo 16,384.
pub(crate) fn slot(region: &str) -> u16 {
    let shift = |crc: u16, _| if crc & 0x8000 == 0 { crc << 1 } else { (crc << 1) ^ 0x1021 };
    let take = |crc: u16, byte| (0..8).fold(crc ^ (u16::from(byte) << 8), shift);
    region.bytes().fold(0, take) % 16_384
}

/// Names a request: the length of its scope, a colon, the scope, the id. No two pairs of scope and id share a name.
pub(crate) fn request(scope: &str, id: &str) -> String {
    if fallow_ledger::planted::on("request-id-not-scoped") {
        return format!("0:{id}");
    }
    format!("{}:{scope}{id}", scope.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_keys_of_a_region_have_its_hash_tag_and_differ() {
        let keys = Keys::of("north-vale");
        for key in keys.all() {
            assert!(key.starts_with("fallow:{north-vale}:"), "{key}");
            assert_eq!(keys.all().iter().filter(|other| **other == key).count(), 1, "{key}");
        }
    }

    #[test]
    fn the_slot_is_that_of_the_specification() {
        // The check value of CRC-16/XMODEM is 0x31C3; the others are what CLUSTER KEYSLOT answers.
        for (tag, expected) in [("123456789", 0x31C3), ("", 0), ("foo", 12_182), ("north-vale", 10_488)] {
            assert_eq!(slot(tag), expected, "{tag}");
        }
    }

    #[test]
    fn no_two_requests_share_a_name() {
        assert_ne!(request("ZA1", "1"), request("ZA", "11"));
        assert_ne!(request("", "3:a"), request("3", ":a"));
    }
}
