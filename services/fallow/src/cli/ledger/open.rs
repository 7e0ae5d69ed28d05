//! `fallow ledger open`: the word of an archive, or of a person who accepts a loss.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::decide::proposal::end_in_doubt;
use fallow_domain::ids::{Label, Note, ProposalId};
use fallow_domain::proposal::ProposalState;
use fallow_host::clock::Clock;
use fallow_host::config::Config;
use fallow_ledger::cause::Cause;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, proposal_key};
use fallow_ledger::{Attested, Commit, Keeper, Ledger, RecordKind, Revision, Seen, follow};
use fallow_ledger_redis::RedisLedger;
use fallow_ledger_redis::seal::{Acceptance, Standing};
use fallow_live::Live;
use fallow_live::mutate::Mutation;
use fallow_live::pages::PageKey;
use jiff::Timestamp;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::{LedgerError, SettingsArgs, block_on};
use crate::cli::audit::{AgainstArgs, OperateError, settled};
use crate::wiring::open_redis;

/// The call that the log names.
const VERB: &str = "AcceptLoss";
/// How long the records may take to be read.
const READ_WITHIN: Duration = Duration::from_secs(60);

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
}

/// Opens it, and returns what to say.
pub(super) fn run(args: &OpenArgs) -> Result<String, LedgerError> {
    let config = args.settings.load_redis()?;
    match (&args.by, &args.reason) {
        (Some(by), Some(reason)) if args.accept_loss => {
            let person = Person::parse(by, reason)?;
            block_on(accept(&config, &person, Clock::system().now()))?
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

/// Who accepts, and why.
struct Person {
    name: Label,
    reason: String,
    /// What every trust of an ended hold reads.
    because: Note,
}

impl Person {
    fn parse(name: &str, reason: &str) -> Result<Person, LedgerError> {
        let wrong = |what: &'static str, error: &dyn std::fmt::Display| LedgerError::Argument {
            what,
            why: error.to_string(),
        };
        let because = Note::parse(&format!("The store lost changes; an answer may be lost: {reason}"));
        Ok(Person {
            name: Label::parse(name).map_err(|error| wrong("--by", &error))?,
            reason: reason.to_owned(),
            because: because.map_err(|error| wrong("--reason", &error))?,
        })
    }

    fn actor(&self) -> Actor {
        Actor { subject: self.name.clone(), kind: ActorKind::Person, role: Role::PlatformAdmin, trust: None }
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
    let ledger = open_redis(config)?;
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
async fn accept(config: &Config, person: &Person, at: Timestamp) -> Result<String, LedgerError> {
    let ledger = Arc::new(open_redis(config)?);
    let word = Acceptance {
        by: person.name.to_string(),
        reason: person.reason.clone(),
        at: at.to_string(),
        lost: None,
    };
    ledger.accept_loss(&word).await?;
    let ended = end_holds(config, ledger.clone(), person, at).await?;
    ledger.loss_accepted().await?;
    ledger.leave().await?;
    Ok(format!(
        "the ledger is open: {} accepted the loss, and {ended} open holds were ended with the reason given\n",
        person.name
    ))
}

/// Writes into the log that a loss was accepted, and ends every open hold, so that nobody acts on an answer that may be
/// lost. Returns how many.
async fn end_holds(
    config: &Config,
    ledger: Arc<RedisLedger>,
    person: &Person,
    at: Timestamp,
) -> Result<usize, LedgerError> {
    let actor = person.actor();
    let cause = Cause {
        by: actor.clone(),
        verb: VERB.to_owned(),
        at,
        request_id: None,
        traceparent: None,
        decided_at: None,
    };
    ledger.commit(Commit::new(at).because(cause.encode())).await?;

    let picture = Arc::new(Picture::default());
    let pages = PageKey::new(Uuid::new_v4().as_bytes());
    let live = Live::new(config.region.id.clone(), ledger.clone(), picture.clone(), pages);
    let mut follower = JoinSet::new();
    follower.spawn(follow::follow(ledger, picture.clone()));
    if !picture.reached(Revision::ABSENT, READ_WITHIN).await {
        return Err(LedgerError::Slow);
    }
    let held: Vec<ProposalId> = picture
        .still()
        .all(RecordKind::Proposal)
        .into_iter()
        .filter_map(|(_, seen)| match &*seen.record {
            Record::Proposal(proposal) if proposal.state == ProposalState::Held => Some(proposal.id.clone()),
            Record::Proposal(_)
            | Record::Offer(_)
            | Record::Need(_)
            | Record::Transfer(_)
            | Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Decline(_) => None,
        })
        .collect();
    for id in &held {
        let mutation = Mutation {
            actor: actor.clone(),
            verb: VERB,
            at,
            request: None,
            is_feed: false,
            validate_only: false,
            expected: None,
            traceparent: None,
            decided_at: None,
        };
        let end = |read: &_| Ok((end_in_doubt(read, id, &person.because, &actor, at)?, ()));
        live.decide(&mutation, vec![proposal_key(id)], end)
            .await
            .map_err(|failure| LedgerError::Hold { id: id.clone(), source: Box::new(failure) })?;
    }
    Ok(held.len())
}
