//! `fallow ledger open`: the word of an archive, or of a person who accepts a loss.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use fallow_domain::ids::ProposalId;
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_ledger::{Attested, Keeper, Seen};
use fallow_ledger_redis::seal::Standing;
use jiff::Timestamp;

use super::accept::{Person, end_holds};
use super::{LedgerError, SettingsArgs, block_on};
use crate::cli::audit::{AgainstArgs, OperateError, settled};
use crate::wiring::open_redis;

/// Opens a ledger that is closed to writes.
#[derive(Debug, Args)]
pub struct OpenArgs {
    #[command(flatten)]
    settings: SettingsArgs,
    /// The folder of the archive: its word for a store that has all of it
    #[arg(long, value_name = "FOLDER", conflicts_with = "accept_loss")]
    archive: Option<PathBuf>,
    #[command(flatten)]
    against: AgainstArgs,
    /// Open it though changes that were acknowledged are lost: ends every open hold, and is on record
    #[arg(long, requires_all = ["by", "reason"])]
    accept_loss: bool,
    /// Who accepts the loss
    #[arg(long, value_name = "NAME", requires = "accept_loss")]
    by: Option<String>,
    /// Why, for every trust that had a hold; at most 80 characters
    #[arg(long, value_name = "TEXT", requires = "accept_loss")]
    reason: Option<String>,
    /// A hold that is not ended: its trusts have been spoken to. May be given more than once
    #[arg(long, value_name = "PROPOSAL", requires = "accept_loss", value_parser = super::accept::proposal)]
    leave: Vec<ProposalId>,
}

/// Opens it, and returns what to say.
pub(super) fn run(args: &OpenArgs) -> Result<String, LedgerError> {
    let config = args.settings.load_redis()?;
    match (&args.by, &args.reason) {
        (Some(by), Some(reason)) if args.accept_loss => {
            let person = Person::parse(by, reason)?;
            block_on(accept(&config, &person, &args.leave, Clock::system().now()))?
        }
        (_, _) => block_on(async {
            let seen = match &args.archive {
                Some(folder) => Some(seen(&config, folder, &args.against).await?),
                None => None,
            };
            speak(&config, seen).await
        })?,
    }
}

/// Reads what an archive can say, if it is sound and of this region.
async fn seen(config: &Config, folder: &Path, against: &AgainstArgs) -> Result<Seen, LedgerError> {
    let against = against.read()?;
    if against.keys.is_empty() && !config.archive.allow_unsigned {
        let text = "--key: name the public key of the archive, or set archive.allow_unsigned";
        return Err(OperateError::Usage(text.to_owned()).into());
    }
    let report = settled(folder, &against).await?;
    if let Some(finding) = report.findings.into_iter().next() {
        return Err(OperateError::Unsound(finding).into());
    }
    let last = report.last.ok_or(OperateError::Archive("the archive is empty"))?;
    match *last.header.region == *config.region.id.as_str() {
        true => Ok(last.seen()),
        false => {
            let text = format!("the archive is of region {}, not {}", last.header.region, config.region.id);
            Err(OperateError::Usage(text).into())
        }
    }
}

/// Says what the archive has seen, if anything; and how the ledger stands then.
async fn speak(config: &Config, archive: Option<Seen>) -> Result<String, LedgerError> {
    let ledger = open_redis(config, "operator")?;
    if let Some(seen) = &archive
        && let Attested::Closed { .. } = ledger.attest(Some(seen)).await?
    {
        // Those who are silent get as long as they would from any other witness.
        tokio::time::sleep(config.store.settle()).await;
        ledger.attest(Some(seen)).await?;
    }
    match ledger.status().await?.standing {
        Standing::Open => Ok("the ledger is open\n".to_owned()),
        Standing::Waiting(why) => Err(LedgerError::Closed {
            why,
            next: "start a process that was there, or the archive, or name its folder with --archive; else accept a loss with \
                   --accept-loss --by NAME --reason TEXT",
        }),
        Standing::Closed(why) => Err(LedgerError::Closed {
            why,
            next: "go back to the server that has it, rebuild from the archive, or accept the loss with --accept-loss \
                   --by NAME --reason TEXT",
        }),
    }
}

/// Accepts the loss: ends every open hold, then opens the ledger for all.
async fn accept(
    config: &Config,
    person: &Person,
    leave: &[ProposalId],
    at: Timestamp,
) -> Result<String, LedgerError> {
    let ledger = Arc::new(open_redis(config, "operator")?);
    ledger.accept_loss(&person.word(at)).await?;
    let ended = end_holds(config, ledger.clone(), person, leave, at).await;
    if ended.is_ok() {
        ledger.loss_accepted().await?;
    }
    ledger.leave().await?;
    let ended = ended?;
    Ok(format!(
        "the ledger is open: {} accepted the loss, and {ended} open holds were ended with the reason given\n",
        person.name()
    ))
}
