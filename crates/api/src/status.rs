//! The one mapping from what went wrong to a gRPC status with its details.

use std::collections::HashMap;
use std::time::Duration;

use fallow_domain::refusal::{self, Refusal};
use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

use crate::reasons;
use crate::v1;
use crate::violation::{LISTED_MAX, Violations};

/// The `domain` of every `google.rpc.ErrorInfo` of Fallow.
pub const DOMAIN: &str = "fallow";
/// The language of messages for people.
const LOCALE: &str = "en-GB";
/// Most bytes of text in the violations of one answer: details travel in a header, and clients take 16 KiB of headers.
const VIOLATION_BYTES_MAX: usize = 5_000;

/// What went wrong, as far as a caller may know.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Failure {
    /// The request is wrong in itself.
    #[error("{0}")]
    Invalid(Violations),
    /// A rule of the domain says no; the reason decides the code.
    #[error("{0}")]
    Refused(Refusal),
    /// There is no such record, or the caller may not know of it.
    #[error("there is no such {record}, or it is not yours to see")]
    NotFound {
        /// The kind of record, such as `offer`.
        record: &'static str,
        /// The id that was asked for.
        id: String,
    },
    /// The caller has no right to do this.
    #[error("{text}")]
    Forbidden {
        /// One of the reasons of access.
        reason: &'static str,
        /// Why, in plain words.
        text: String,
    },
    /// The caller is not signed in, or badly.
    #[error("{text}")]
    Unauthenticated {
        /// One of the reasons of access.
        reason: &'static str,
        /// Why, in plain words; nothing of the credential.
        text: String,
    },
    /// The record changed after the caller read it, or a bounded number of retries lost every race.
    #[error("it changed meanwhile: read it again and decide again")]
    ChangedMeanwhile {
        /// The record's revision now, where it is known.
        current: Option<u64>,
    },
    /// A limit is reached.
    #[error("{text}")]
    Limited {
        /// `RATE_LIMITED`, `CONCURRENCY`, `WATCH_LIMIT`, `SLOW_CONSUMER` or `MESSAGE_TOO_LARGE`.
        reason: &'static str,
        /// Whose limit it is, such as `trust ZA1, publish`.
        subject: String,
        /// Which limit and how much it is, in plain words.
        text: String,
        /// When to try again; `None` = unchanged never.
        retry_after: Option<Duration>,
    },
    /// The process is starting or stopping.
    #[error("this process does not serve yet, or no longer")]
    NotReady {
        /// When to try again.
        retry_after: Duration,
    },
    /// The identity provider gives no answer, so that nobody can be signed in.
    #[error("the identity provider does not answer; nothing was done")]
    ProviderAway {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store cannot be reached, and surely nothing was written.
    #[error("the store cannot be reached; nothing was written")]
    StoreAway {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store went away while the change was on its way.
    #[error("it is not known whether the change was written; repeat it with the same request id")]
    OutcomeUnknown {
        /// When to try again.
        retry_after: Duration,
    },
    /// The store is closed to changes until its history is settled.
    #[error("the store is closed to changes until its history is settled")]
    StoreSealed,
    /// The store is set up so that it could lose changes.
    #[error("the store takes no changes: {text}")]
    StoreMisconfigured {
        /// Which settings are wrong.
        text: String,
    },
    /// The place in the log is no longer kept.
    #[error("the place to go on from is no longer kept: watch again from the start")]
    CursorGone,
    /// The request id was used for another request.
    #[error("this request id was used for another request")]
    RequestIdReused,
    /// The deadline passed.
    #[error("{}", if *mutation { "the time is over and the outcome is not known; repeat with the same request id" } else { "the time is over" })]
    DeadlinePassed {
        /// Whether the call could have changed something.
        mutation: bool,
    },
    /// This server has no such call.
    #[error("this server has no such call")]
    Unimplemented,
    /// Fallow made a mistake. Nothing of it is said but where to find it.
    #[error("something went wrong in Fallow; trace {trace_id}")]
    Bug {
        /// Finds the log.
        trace_id: String,
    },
}

impl From<Refusal> for Failure {
    /// A rule that only says "not so soon" is a limit to the caller, with the time to wait.
    fn from(refusal: Refusal) -> Self {
        if refusal.reason != refusal::reason::RATE_LIMITED {
            return Self::Refused(refusal);
        }
        let wait = refusal.numbers.iter().find(|(name, _)| *name == "retry_after_seconds");
        Self::Limited {
            reason: reasons::RATE_LIMITED,
            subject: "asking the same trust the same".to_owned(),
            text: refusal.text,
            retry_after: wait.and_then(|(_, seconds)| seconds.parse().ok()).map(Duration::from_secs),
        }
    }
}

impl From<Violations> for Failure {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl Failure {
    /// Returns the coded reason.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(violations) => violations.reason(),
            Self::Refused(refusal) => refusal.reason,
            Self::NotFound { .. } => reasons::NOT_FOUND,
            Self::Forbidden { reason, .. }
            | Self::Unauthenticated { reason, .. }
            | Self::Limited { reason, .. } => reason,
            Self::ChangedMeanwhile { .. } => reasons::CHANGED_MEANWHILE,
            Self::NotReady { .. } => reasons::NOT_READY,
            Self::ProviderAway { .. } => reasons::PROVIDER_AWAY,
            Self::StoreAway { .. } => reasons::STORE_AWAY,
            Self::OutcomeUnknown { .. } | Self::DeadlinePassed { mutation: true } => reasons::OUTCOME_UNKNOWN,
            Self::StoreSealed => reasons::STORE_SEALED,
            Self::StoreMisconfigured { .. } => reasons::STORE_MISCONFIGURED,
            Self::CursorGone => reasons::CURSOR_GONE,
            Self::RequestIdReused => reasons::REQUEST_ID_REUSED,
            Self::DeadlinePassed { mutation: false } => reasons::DEADLINE_PASSED,
            Self::Unimplemented => reasons::UNKNOWN_METHOD,
            Self::Bug { .. } => reasons::BUG,
        }
    }

    /// Returns the gRPC code.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Invalid(_) => Code::InvalidArgument,
            // The domain's rules speak in reasons; what each is on the wire stands in the table.
            Self::Refused(refusal) => reasons::find(refusal.reason)
                .and_then(|reason| reason.codes.first().copied())
                .unwrap_or(Code::FailedPrecondition),
            Self::NotFound { .. } => Code::NotFound,
            Self::Forbidden { .. } => Code::PermissionDenied,
            Self::Unauthenticated { .. } => Code::Unauthenticated,
            Self::ChangedMeanwhile { .. } => Code::Aborted,
            Self::Limited { .. } => Code::ResourceExhausted,
            Self::NotReady { .. }
            | Self::ProviderAway { .. }
            | Self::StoreAway { .. }
            | Self::OutcomeUnknown { .. }
            | Self::StoreSealed
            | Self::StoreMisconfigured { .. } => Code::Unavailable,
            Self::CursorGone => Code::OutOfRange,
            Self::RequestIdReused => Code::AlreadyExists,
            Self::DeadlinePassed { .. } => Code::DeadlineExceeded,
            Self::Unimplemented => Code::Unimplemented,
            Self::Bug { .. } => Code::Internal,
        }
    }

    /// Returns the status for a call, with the request id it carried.
    #[must_use]
    pub fn status(&self, request_id: Option<&str>) -> Status {
        let message = self.to_string();
        let mut details = ErrorDetails::new();
        details.set_error_info(self.reason(), DOMAIN, self.numbers());
        match self {
            Self::Invalid(violations) => list(violations, &mut details),
            Self::Refused(refusal) if self.code() == Code::InvalidArgument => {
                let mut field = FieldViolation::new("", &refusal.text);
                field.reason = refusal.reason.to_owned();
                details.set_bad_request(vec![field]);
            }
            Self::Refused(refusal) if self.code() == Code::FailedPrecondition => {
                details.add_precondition_failure_violation(refusal.reason, "", &refusal.text);
            }
            Self::NotFound { record, id } => {
                details.set_resource_info(*record, id, "", &message);
            }
            Self::Limited { subject, text, retry_after, .. } => {
                details.add_quota_failure_violation(subject, text);
                if retry_after.is_some() {
                    details.set_retry_info(*retry_after);
                }
            }
            Self::NotReady { retry_after }
            | Self::ProviderAway { retry_after }
            | Self::StoreAway { retry_after }
            | Self::OutcomeUnknown { retry_after } => {
                details.set_retry_info(Some(*retry_after));
            }
            // For these the reason and its numbers say it all.
            Self::Refused(_)
            | Self::Forbidden { .. }
            | Self::Unauthenticated { .. }
            | Self::ChangedMeanwhile { .. }
            | Self::StoreSealed
            | Self::StoreMisconfigured { .. }
            | Self::CursorGone
            | Self::RequestIdReused
            | Self::DeadlinePassed { .. }
            | Self::Unimplemented
            | Self::Bug { .. } => {}
        }
        if let Some(id) = request_id {
            details.set_request_info(id, "");
        }
        if let Some(reason) = reasons::find(self.reason()) {
            details.set_localized_message(LOCALE, format!("{} {}", reason.means, reason.user));
        }
        Status::with_error_details(self.code(), message, details)
    }

    /// Returns what a stream says of one refused item.
    #[must_use]
    pub fn item_error(&self) -> v1::ItemError {
        let wrong = if let Self::Invalid(violations) = self { violations.clone() } else { Violations::new() };
        let violations = wrong
            .into_iter()
            .take(LISTED_MAX)
            .map(|wrong| v1::FieldViolation {
                field: wrong.field,
                description: wrong.text,
                reason: wrong.reason.to_owned(),
            })
            .collect();
        v1::ItemError {
            code: i32::from(self.code()),
            reason: self.reason().to_owned(),
            message: self.to_string(),
            violations,
            numbers: self.numbers().into_iter().collect(),
        }
    }

    fn numbers(&self) -> HashMap<String, String> {
        let named = |name: &str, value: String| HashMap::from([(name.to_owned(), value)]);
        match self {
            Self::Refused(refusal) => {
                refusal.numbers.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
            }
            Self::ChangedMeanwhile { current: Some(current) } => named("current", current.to_string()),
            Self::Invalid(violations) => named("violations", violations.len().to_string()),
            Self::Bug { trace_id } => named("trace_id", trace_id.clone()),
            Self::NotFound { .. }
            | Self::Forbidden { .. }
            | Self::Unauthenticated { .. }
            | Self::ChangedMeanwhile { current: None }
            | Self::Limited { .. }
            | Self::NotReady { .. }
            | Self::ProviderAway { .. }
            | Self::StoreAway { .. }
            | Self::OutcomeUnknown { .. }
            | Self::StoreSealed
            | Self::StoreMisconfigured { .. }
            | Self::CursorGone
            | Self::RequestIdReused
            | Self::DeadlinePassed { .. }
            | Self::Unimplemented => HashMap::new(),
        }
    }
}

/// Lists violations as far as a header can carry them; the number `violations` says how many there are.
fn list(violations: &Violations, details: &mut ErrorDetails) {
    let mut room = VIOLATION_BYTES_MAX;
    let mut listed = Vec::new();
    for violation in violations.iter().take(LISTED_MAX) {
        let size = violation.field.len() + violation.text.len() + violation.reason.len();
        if size > room {
            break;
        }
        room -= size;
        let mut field = FieldViolation::new(&violation.field, &violation.text);
        field.reason = violation.reason.to_owned();
        listed.push(field);
    }
    details.set_bad_request(listed);
}

impl From<Failure> for Status {
    fn from(failure: Failure) -> Self {
        failure.status(None)
    }
}

#[cfg(test)]
mod tests;
