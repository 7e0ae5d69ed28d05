//! The one way to change something: read, decide, commit once, and answer when the picture shows it.

use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::actor::Actor;
use fallow_domain::refusal::{Refusal, reason};
use fallow_ledger::cause::Cause;
use fallow_ledger::record::Record;
use fallow_ledger::transact::{Done, Fault, Order, Step, View, transact};
use fallow_ledger::{Key, RequestKey, Revision, Trouble, planted};
use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use uuid::Uuid;

use crate::neighbours;
use crate::{Live, RETRY_AFTER};

/// How long an answer waits for the picture to show what it wrote. The write is durable before; this only makes a
/// caller see its own change in what it reads next.
const SEE_OWN_WRITE: Duration = Duration::from_secs(2);

/// Who wants what changed, and under which request.
#[derive(Debug, Clone)]
pub struct Mutation {
    /// Who.
    pub actor: Actor,
    /// The call, such as `PublishOffer`.
    pub verb: &'static str,
    /// The time the decision takes as now.
    pub at: Timestamp,
    /// The request id, or another name by which a repetition is known, and the bytes it stands for; `None` where the
    /// record itself tells a repetition.
    pub request: Option<(String, Vec<u8>)>,
    /// Whether the name is a feed's number. Feeds have a scope of their own, so that a long waiting list never uses up
    /// what a trust's people need to answer.
    pub is_feed: bool,
    /// Decide and check, but write nothing.
    pub validate_only: bool,
    /// The revision that the caller last saw of the record it changes.
    pub expected: Option<(Key, Revision)>,
    /// The W3C trace context of the call.
    pub traceparent: Option<String>,
    /// An engine's step: the revision whose facts it was decided on.
    pub decided_at: Option<Revision>,
}

impl Mutation {
    fn order(&self) -> Order {
        // Ids are scoped by trust; callers above trusts have a scope each.
        let scope = match self.actor.trust {
            Some(trust) => trust.to_string(),
            None => format!("{} {}", self.actor.role, self.actor.subject),
        };
        let scope = if self.is_feed { format!("{scope} feeds") } else { scope };
        let request = self.request.as_ref().map(|(id, body)| {
            let mut named = self.verb.as_bytes().to_vec();
            named.push(0);
            named.extend_from_slice(body);
            RequestKey::new(scope, id.as_str(), &named)
        });
        Order {
            cause: Cause {
                by: self.actor.clone(),
                verb: self.verb.to_owned(),
                at: self.at,
                request_id: self.request.as_ref().map(|(id, _)| id.clone()),
                traceparent: self.traceparent.clone(),
                decided_at: self.decided_at,
                denied: None,
            },
            request,
            validate_only: self.validate_only,
        }
    }
}

impl Live {
    /// Carries a mutation out: reads `first`, lets `decide` ask for more, commits what it decides.
    ///
    /// # Errors
    /// Whatever `decide` refuses with; `CHANGED_MEANWHILE` when the caller's revision is stale or every race was lost;
    /// `REQUEST_ID_REUSED`; the store's troubles.
    pub async fn mutate<A: Serialize + DeserializeOwned>(
        &self,
        mutation: &Mutation,
        first: Vec<Key>,
        mut decide: impl FnMut(&View) -> Result<Step<A>, Failure> + Send,
    ) -> Result<Done<A>, Failure> {
        let mut first = first;
        if let Some((key, _)) = &mutation.expected
            && !first.contains(key)
        {
            first.push(key.clone());
        }
        let expected = mutation.expected.clone();
        let decide = move |view: &View| {
            if let Some((key, revision)) = &expected {
                let current = view.revision(key);
                if current != *revision && !planted::on("expected-revision-ignored") {
                    let current = (current != Revision::ABSENT).then_some(current.0);
                    return Err(Failure::ChangedMeanwhile { current });
                }
            }
            match decide(view) {
                Err(Failure::Refused(Refusal { reason: reason::CHANGED_MEANWHILE, .. })) => {
                    Ok(Step::ReadAgain)
                }
                other => other,
            }
        };
        let done = transact(self.ledger(), self.picture(), mutation.order(), first, decide)
            .await
            .map_err(failure)?;
        self.picture().reached(done.revision, SEE_OWN_WRITE).await;
        Ok(done)
    }

    /// Carries out a mutation of offers, needs, proposals and transfers around `roots`: reads them and all that hangs
    /// on them, and commits the changes that `decide` makes of them.
    ///
    /// # Errors
    /// As [`Live::mutate`].
    pub async fn decide<A: Serialize + DeserializeOwned>(
        &self,
        mutation: &Mutation,
        roots: Vec<Key>,
        mut decide: impl FnMut(
            &fallow_domain::records::Records,
        ) -> Result<(fallow_domain::records::Records, A), Failure>
        + Send,
    ) -> Result<Done<A>, Failure> {
        self.decide_beside(mutation, roots, Vec::new(), |_, records| {
            let (changes, answer) = decide(records)?;
            Ok((changes, Vec::new(), answer))
        })
        .await
    }

    /// Carries out a mutation as [`Live::decide`] does, together with that of records of other kinds, `beside`, which the
    /// decision finds in the view.
    ///
    /// # Errors
    /// As [`Live::mutate`].
    pub async fn decide_beside<A: Serialize + DeserializeOwned>(
        &self,
        mutation: &Mutation,
        roots: Vec<Key>,
        beside: Vec<Key>,
        mut decide: impl FnMut(
            &View,
            &fallow_domain::records::Records,
        ) -> Result<
            (fallow_domain::records::Records, Vec<(Key, Option<Record>)>, A),
            Failure,
        > + Send,
    ) -> Result<Done<A>, Failure> {
        let mut first = neighbours::around(self.picture(), &roots);
        first.extend(beside);
        self.mutate(mutation, first, |view| {
            let missing = neighbours::missing(view, self.picture(), &roots);
            if !missing.is_empty() {
                return Ok(Step::Read(missing));
            }
            let (changes, others, answer) = decide(view, &neighbours::records(view))?;
            if changes.is_empty() && others.is_empty() {
                return Ok(Step::Answer(answer));
            }
            let mut writes = neighbours::writes(changes);
            writes.extend(others);
            Ok(Step::Write { writes, answer })
        })
        .await
    }
}

/// Says to a caller what a fault of the ledger means.
fn failure(fault: Fault<Failure>) -> Failure {
    match fault {
        Fault::Refused(failure) => failure,
        Fault::ChangedMeanwhile => Failure::ChangedMeanwhile { current: None },
        Fault::RequestIdReused => Failure::RequestIdReused,
        Fault::Trouble(trouble) => trouble_failure(trouble),
    }
}

/// Says to a caller what the store's trouble means.
#[must_use]
pub fn trouble_failure(trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Unavailable { .. } => Failure::StoreAway { retry_after: RETRY_AFTER },
        Trouble::Unknown { .. } => Failure::OutcomeUnknown { retry_after: RETRY_AFTER },
        Trouble::CursorGone => Failure::CursorGone,
        Trouble::Sealed { .. } => Failure::StoreSealed,
        Trouble::Misconfigured { detail } => Failure::StoreMisconfigured { text: detail },
        Trouble::TooLarge { limit, allowed, found } => Failure::Limited {
            reason: fallow_api::reasons::TOO_MANY,
            subject: limit.as_str().to_owned(),
            text: format!("one change takes at most {allowed} {}, this one has {found}", limit.as_str()),
            retry_after: None,
        },
        Trouble::TooManyRequests { scope, allowed } => Failure::Limited {
            reason: fallow_api::reasons::RATE_LIMITED,
            subject: scope,
            text: format!(
                "the outcomes of {allowed} requests are remembered for 72 hours, which is the most"
            ),
            retry_after: Some(Duration::from_secs(60)),
        },
        Trouble::Corrupt { key, detail } => {
            let trace_id = Uuid::now_v7().to_string();
            tracing::error!(key = ?key, %detail, trace_id, "what is stored cannot be read");
            Failure::Bug { trace_id }
        }
    }
}
