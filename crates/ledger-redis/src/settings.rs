//! Whether the server is one that keeps what it acknowledges.

use std::collections::HashMap;

use fallow_ledger::Trouble;
use redis::RedisError;
use redis::aio::MultiplexedConnection;

/// The oldest major version that has Functions.
const OLDEST: u32 = 7;

/// The settings without which an OK would not be a receipt.
const WANTED: [(&str, &str); 3] =
    [("appendonly", "yes"), ("appendfsync", "always"), ("maxmemory-policy", "noeviction")];

/// What a deployment says of its server's settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// The server is asked, and refused unless it keeps every acknowledged write.
    Checked,
    /// The server hides its settings; someone has looked at them. Who and when, for every screen.
    Attested(String),
    /// Less is allowed: development and tests. Acknowledged writes may be lost.
    Unsafe,
}

/// What the server is and how it is set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerReport {
    /// The version of Redis that it is or is compatible with, such as `7.0.15`.
    pub version: String,
    /// What would lose acknowledged writes, each as `name is value, must be wanted`; empty when nothing would.
    pub shortcomings: Vec<String>,
    /// What makes it less safe than it looks, and is no reason to refuse it.
    pub warnings: Vec<String>,
    /// How many replicas are connected.
    pub replicas: u32,
}

/// Asks the server what it is.
///
/// `wanted` is how many replicas are to hold a write before it is acknowledged.
pub(crate) async fn report(
    connection: &mut MultiplexedConnection,
    wanted: u32,
) -> Result<ServerReport, RedisError> {
    let mut pipeline = redis::pipe();
    pipeline.cmd("INFO").arg("server");
    pipeline.cmd("INFO").arg("replication");
    let (server, replication): (String, String) = pipeline.query_async(connection).await?;
    let version = field(&server, "redis_version").unwrap_or("unknown");
    let replicas =
        field(&replication, "connected_slaves").and_then(|number| number.parse().ok()).unwrap_or(0);
    let names = WANTED.map(|(name, _)| name);
    let asked =
        redis::cmd("CONFIG").arg("GET").arg(&names).query_async::<HashMap<String, String>>(connection).await;
    let shortcomings = match asked {
        Ok(found) => shortcomings(&found),
        // Managed stores rename or forbid CONFIG.
        Err(error) if error.code().is_some() => vec![format!("the server hides its settings ({error})")],
        Err(error) => return Err(error),
    };
    let warnings = warnings(wanted, replicas);
    Ok(ServerReport { version: version.to_owned(), shortcomings, warnings, replicas })
}

/// Finds a field in what the server tells of itself, lines of `name:value`.
fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
}

/// What is to be told of replicas. `WAIT` tells the truth of each write, so none of it is a reason to refuse.
fn warnings(wanted: u32, replicas: u32) -> Vec<String> {
    match (wanted, replicas) {
        (wanted, replicas) if replicas < wanted => {
            vec![format!("{replicas} replicas are connected, and {wanted} must hold each write")]
        }
        (0, 1..) => vec![format!(
            "{replicas} replicas are connected and none need hold a write: a failover may lose what was acknowledged, \
             and then closes the ledger"
        )],
        (_, _) => Vec::new(),
    }
}

fn shortcomings(found: &HashMap<String, String>) -> Vec<String> {
    let found = |name: &str| found.get(name).map_or("not set", String::as_str);
    let differ = WANTED.into_iter().filter(|(name, wanted)| found(name) != *wanted);
    differ.map(|(name, wanted)| format!("{name} is {}, must be {wanted}", found(name))).collect()
}

/// Holds a report against what the deployment asks for.
pub(crate) fn judge(report: &ServerReport, durability: &Durability) -> Result<(), Trouble> {
    let misconfigured = |detail| Err(Trouble::Misconfigured { detail });
    let major = report.version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    if major.is_none_or(|major| major < OLDEST) {
        return misconfigured(format!(
            "the server's version is {}, must be {OLDEST}.0 or later",
            report.version
        ));
    }
    match durability {
        Durability::Checked if !report.shortcomings.is_empty() => {
            misconfigured(report.shortcomings.join("; "))
        }
        Durability::Checked | Durability::Attested(_) | Durability::Unsafe => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reported(version: &str, shortcomings: Vec<String>) -> ServerReport {
        ServerReport { version: version.to_owned(), shortcomings, warnings: vec![], replicas: 0 }
    }

    #[test]
    fn a_server_that_would_lose_writes_is_named_setting_by_setting() {
        let set =
            |value: &str| [("appendonly", "yes"), ("appendfsync", value)].map(|(n, v)| (n.into(), v.into()));
        let found = shortcomings(&HashMap::from(set("everysec")));
        let expected =
            ["appendfsync is everysec, must be always", "maxmemory-policy is not set, must be noeviction"];
        assert_eq!(found, expected);
        let report = reported("7.0.15", found);
        let detail = expected.join("; ");
        assert_eq!(judge(&report, &Durability::Checked), Err(Trouble::Misconfigured { detail }));
        assert_eq!(judge(&report, &Durability::Unsafe), Ok(()));
        assert_eq!(judge(&report, &Durability::Attested("A. Person, 2026-11-21".into())), Ok(()));
    }

    #[test]
    fn an_old_or_unknown_version_is_refused_whatever_is_allowed() {
        for version in ["6.2.14", "unknown", ""] {
            let report = reported(version, vec![]);
            assert!(
                matches!(judge(&report, &Durability::Unsafe), Err(Trouble::Misconfigured { .. })),
                "{version}"
            );
        }
        for version in ["7.0.15", "8.0.1", "10.0.0"] {
            let report = reported(version, vec![]);
            assert_eq!(judge(&report, &Durability::Checked), Ok(()), "{version}");
        }
    }
}
