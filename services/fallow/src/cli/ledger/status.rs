//! `fallow ledger status`.

use std::fmt::Write as _;

use clap::Args;
use fallow_host::config::Config;
use fallow_ledger_redis::seal::Standing;
use fallow_ledger_redis::{Durability, Status};
use serde_json::json;

use super::{LedgerError, SettingsArgs, block_on};
use crate::wiring::open_redis;

/// Tells how the ledger stands.
#[derive(Debug, Args)]
pub struct StatusArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Looks, and returns what to say.
pub(super) fn run(args: &StatusArgs) -> Result<String, LedgerError> {
    let config = args.settings.load_redis()?;
    let ledger = open_redis(&config, "operator")?;
    let status = block_on(ledger.status())??;
    Ok(if args.json { json_text(&config, &status) } else { text(&config, &status) })
}

fn standing(standing: &Standing) -> (&'static str, &str) {
    match standing {
        Standing::Open => ("open", ""),
        Standing::Waiting(why) => ("waiting", why),
        Standing::Closed(why) => ("sealed", why),
    }
}

fn durability(status: &Status) -> (&'static str, &str) {
    match &status.durability {
        Durability::Checked => ("checked", ""),
        Durability::Attested(by) => ("attested", by),
        Durability::Unsafe => ("unsafe", ""),
    }
}

fn writes_ok(status: &Status) -> bool {
    status.standing == Standing::Open && status.refused.is_none()
}

fn json_text(config: &Config, status: &Status) -> String {
    let (found, seal) = (&status.found, &status.found.seal);
    let (word, why) = standing(&status.standing);
    let answers = seal.asking.iter().flat_map(|asking| &asking.answers);
    let answers: Vec<_> = answers.map(|(id, knew)| json!({ "witness": id, "knew": knew })).collect();
    let body = json!({
        "store": config.store.url,
        "region": config.region.id.as_str(),
        "server": {
            "version": status.server.version,
            "replicas": status.server.replicas,
            "shortcomings": status.server.shortcomings,
            "warnings": status.server.warnings,
        },
        "durability": { "kind": durability(status).0, "attested": durability(status).1, "replicas": status.replicas },
        "history": found.history,
        "replication_id": found.replid,
        "epoch": seal.epoch,
        "epoch_began_at": seal.began,
        "revision": found.head,
        "kept": status.kept.0,
        "standing": word,
        "why": why,
        "writes_ok": writes_ok(status),
        "refused": status.refused.as_ref().map(ToString::to_string),
        "writers": seal.writers,
        "answers": answers,
        "lost": seal.lost,
        "accepting": seal.accepting,
        "accepted": seal.accepted,
    });
    format!("{body:#}\n")
}

fn text(config: &Config, status: &Status) -> String {
    let (found, seal) = (&status.found, &status.found.seal);
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:<12}{value}");
    };
    line("store", format!("{}, region {}", config.store.url, config.region.id));
    let server = &status.server;
    line("server", format!("version {}, {} replicas connected", server.version, server.replicas));
    let (kind, by) = durability(status);
    let by = if by.is_empty() { String::new() } else { format!(" by {by}") };
    line("durability", format!("{kind}{by}, {} replicas must hold each write", status.replicas));
    server.shortcomings.iter().for_each(|what| line("", format!("shortcoming: {what}")));
    server.warnings.iter().for_each(|what| line("", format!("warning: {what}")));
    line("history", found.history.clone().unwrap_or_else(|| "none yet".to_owned()));
    line("epoch", if seal.epoch.is_empty() { "none yet".to_owned() } else { seal.epoch.clone() });
    line("server id", found.replid.clone());
    line("revision", format!("{}, known to be kept through {}", found.head, status.kept));
    line("writers", seal.writers.len().to_string());
    for (id, knew) in seal.asking.iter().flat_map(|asking| &asking.answers) {
        line("", format!("{id} knows revision {} of {}: it is there", knew.revision, knew.line));
    }
    seal.silent().filter(|_| seal.asking.is_some()).for_each(|id| line("", format!("{id} is silent")));
    if let Some(word) = &seal.accepted {
        line("accepted", format!("a loss, by {} at {}: {}", word.by, word.at, word.reason));
    }
    if let Some(refused) = &status.refused {
        line("refused", refused.to_string());
    }
    let (word, why) = standing(&status.standing);
    let why = if why.is_empty() { String::new() } else { format!(": {why}") };
    line("writes", format!("{word}{why}"));
    text
}
