//! What goes with accepting a loss: who does, and the end of every hold that rests on what may be lost.

use std::sync::Arc;
use std::time::Duration;

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::decide::proposal::end_in_doubt;
use fallow_domain::ids::{Label, Note, ProposalId};
use fallow_domain::proposal::ProposalState;
use fallow_host::config::Config;
use fallow_ledger::cause::Cause;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, proposal_key};
use fallow_ledger::{Commit, Ledger, RecordKind, Revision, follow};
use fallow_ledger_redis::RedisLedger;
use fallow_ledger_redis::seal::Acceptance;
use fallow_live::Live;
use fallow_live::mutate::Mutation;
use fallow_live::pages::PageKey;
use jiff::Timestamp;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::LedgerError;
use crate::serve::chain;

/// The call that the log names.
const VERB: &str = "AcceptLoss";
/// How long the records may take to be read.
const READ_WITHIN: Duration = Duration::from_secs(60);

/// Reads the id of a proposal.
pub(super) fn proposal(text: &str) -> Result<ProposalId, String> {
    ProposalId::parse(text).map_err(|error| error.to_string())
}

/// Who accepts, and why.
pub(super) struct Person {
    name: Label,
    reason: String,
    /// What every trust of an ended hold reads.
    because: Note,
}

impl Person {
    /// Reads who accepts, and why.
    pub(super) fn parse(name: &str, reason: &str) -> Result<Person, LedgerError> {
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

    /// Returns their name.
    pub(super) fn name(&self) -> &Label {
        &self.name
    }

    /// Returns their word, as the seal keeps it.
    pub(super) fn word(&self, at: Timestamp) -> Acceptance {
        Acceptance { by: self.name.to_string(), reason: self.reason.clone(), at: at.to_string(), lost: None }
    }

    fn actor(&self) -> Actor {
        Actor { subject: self.name.clone(), kind: ActorKind::Person, role: Role::PlatformAdmin, trust: None }
    }
}

/// Writes into the log that a loss was accepted, and ends every open hold, so that nobody acts on an answer that may be
/// lost. Returns how many.
///
/// One that cannot be ended stops no other.
///
/// # Errors
/// [`LedgerError::Holds`] with those that could not be ended: the ledger must stay closed.
pub(super) async fn end_holds(
    config: &Config,
    ledger: Arc<RedisLedger>,
    person: &Person,
    leave: &[ProposalId],
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
        denied: None,
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
            | Record::Session(_)
            | Record::Monitor(_)
            | Record::Decline(_) => None,
        })
        .collect();
    let (mut ended, mut left) = (0, Vec::new());
    for id in held.into_iter().filter(|id| !leave.contains(id)) {
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
        let end = |read: &_| Ok((end_in_doubt(read, &id, &person.because, &actor, at)?, ()));
        match live.decide(&mutation, vec![proposal_key(&id)], end).await {
            Ok(_) => ended += 1,
            Err(failure) => left.push(format!("{id}: {}", chain(&failure))),
        }
    }
    if left.is_empty() { Ok(ended) } else { Err(LedgerError::Holds { ended, left }) }
}
