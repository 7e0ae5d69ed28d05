//! What the audit log keeps of a call that was denied.

use std::sync::Arc;

use fallow_api::problem::Problem;
use fallow_domain::actor::Actor;
use http::HeaderMap;
use jiff::Timestamp;
use tonic::Status;

use crate::clock::Clock;
use crate::rights::Call;
use crate::telemetry;

/// A call that was denied, because its caller may not or because a text of it could identify a patient. It holds
/// nothing of what was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// Who was denied, from the credential.
    pub by: Actor,
    /// The call, such as `BypassProposal`.
    pub call: &'static str,
    /// Why, by its coded reason.
    pub reason: String,
    /// The id that the caller was told to name the call by.
    pub request_id: String,
    /// When.
    pub at: Timestamp,
    /// The W3C trace context of the call.
    pub traceparent: Option<String>,
}

/// Is told of each call that was denied. It must not wait.
pub(super) type Note = dyn Fn(Denied) + Send + Sync;

/// Looks at how a known caller's call was answered.
pub(super) struct Noting {
    pub(super) note: Arc<Note>,
    pub(super) clock: Clock,
    pub(super) by: Actor,
    pub(super) call: &'static Call,
}

impl Noting {
    /// Tells of an answer's end, when it is a denial.
    pub(super) fn look(&self, end: &HeaderMap, id: &str) {
        let Some(status) = Status::from_header_map(end) else { return };
        let problem = Problem::from(&status);
        if let Some(reason) = problem.denial() {
            (self.note)(Denied {
                by: self.by.clone(),
                call: self.call.name(),
                reason: reason.to_owned(),
                request_id: id.to_owned(),
                at: self.clock.now(),
                traceparent: telemetry::traceparent(),
            });
        }
    }
}
