//! What a client makes of a status: reason, wrong fields, numbers, plain words. The reverse of [`crate::status`].

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::reasons::{self, Reason};
use crate::v1;

/// A failed call as a client shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The gRPC code.
    pub code: Code,
    /// The coded reason; empty when the answer did not come from Fallow.
    pub reason: String,
    /// What happened, in plain words.
    pub text: String,
    /// Every field that is wrong.
    pub violations: Vec<WrongField>,
    /// The numbers behind the reason, by name.
    pub numbers: BTreeMap<String, String>,
    /// When to try again, where the server said so.
    pub retry_after: Option<Duration>,
    /// The request id the call carried, where the server repeated it.
    pub request_id: Option<String>,
    /// The kind of record that is not there, such as `offer`; empty where that is not what is wrong.
    pub missing: String,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrongField {
    /// Its path, such as `offer.window.until`.
    pub field: String,
    /// What is wrong, in plain words.
    pub text: String,
    /// The coded reason.
    pub reason: String,
}

impl Problem {
    /// Returns what the table of reasons says, or `None` for a reason this client does not know.
    #[must_use]
    pub fn explanation(&self) -> Option<&'static Reason> {
        reasons::find(&self.reason)
    }

    /// Says whether the same request with the same request id may be sent again by itself.
    #[must_use]
    pub fn is_retryable(&self) -> bool {
        self.code == Code::Unavailable
            && self.reason != reasons::STORE_SEALED
            && self.reason != reasons::STORE_MISCONFIGURED
    }

    /// Returns the reason for which the audit log keeps the call: that its caller may not, or that a text of it could
    /// identify a patient. `None` for every other failure.
    #[must_use]
    pub fn denial(&self) -> Option<&str> {
        const SUSPECTED: &str = reasons::PATIENT_IDENTIFIER_SUSPECTED;
        match self.code {
            Code::PermissionDenied => Some(&self.reason),
            Code::InvalidArgument => {
                let is_suspected = self.reason == SUSPECTED
                    || self.violations.iter().any(|violation| violation.reason == SUSPECTED);
                is_suspected.then_some(SUSPECTED)
            }
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::NotFound
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss
            | Code::Unauthenticated => None,
        }
    }

    /// Says whether a change may have been made although the call failed.
    #[must_use]
    pub fn is_outcome_unknown(&self) -> bool {
        self.reason == reasons::OUTCOME_UNKNOWN
    }
}

impl From<&Status> for Problem {
    fn from(status: &Status) -> Self {
        let details = status.get_error_details();
        // Another house's reasons mean other things, so only ours are taken.
        let info = details.error_info().filter(|info| info.domain == crate::status::DOMAIN);
        let violations = details.bad_request().map(|bad| bad.field_violations.as_slice()).unwrap_or_default();
        Self {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            text: match status.message() {
                "" => format!("the server answered {}", reasons::code_name(status.code())),
                text => text.to_owned(),
            },
            violations: violations
                .iter()
                .map(|violation| WrongField {
                    field: violation.field.clone(),
                    text: violation.description.clone(),
                    reason: violation.reason.clone(),
                })
                .collect(),
            numbers: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            retry_after: details.retry_info().and_then(|retry| retry.retry_delay),
            request_id: details.request_info().map(|request| request.request_id.clone()),
            missing: details.resource_info().map(|info| info.resource_type.clone()).unwrap_or_default(),
        }
    }
}

impl From<&v1::ItemError> for Problem {
    fn from(error: &v1::ItemError) -> Self {
        Self {
            code: Code::from_i32(error.code),
            reason: error.reason.clone(),
            text: error.message.clone(),
            violations: error
                .violations
                .iter()
                .map(|violation| WrongField {
                    field: violation.field.clone(),
                    text: violation.description.clone(),
                    reason: violation.reason.clone(),
                })
                .collect(),
            numbers: error.numbers.clone(),
            retry_after: None,
            request_id: None,
            missing: String::new(),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The wrong fields say more than the sentence that sums them up.
        if self.violations.is_empty() {
            return f.write_str(&self.text);
        }
        for (index, violation) in self.violations.iter().enumerate() {
            let comma = if index == 0 { "" } else { "; " };
            write!(f, "{comma}{} {}", violation.field, violation.text)?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
