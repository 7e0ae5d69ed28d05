//! Why a change came about: kept with the change in the log, for timelines, audit and traces.

use bytes::Bytes;
use fallow_domain::actor::Actor;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::cursor::Revision;
use crate::record::read_json;

/// Who did what, when, and in which trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cause {
    /// Who.
    pub by: Actor,
    /// The call or the engine's step, such as `PublishOffer` or `propose`.
    pub verb: String,
    /// When, by the clock of whoever committed. Of what was denied: when it was written into the log.
    pub at: Timestamp,
    /// The request id, where it was a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The W3C trace context of the call, so that what follows from the change joins its trace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traceparent: Option<String>,
    /// An engine's step: the revision whose facts it was decided on, so that a replay can decide again on the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_at: Option<Revision>,
    /// Set where nothing was done, for it was denied: such a change writes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denied: Option<Denied>,
}

/// Why a call was denied, and how often. Nothing of what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denied {
    /// The coded reason, such as `ROLE_FORBIDS`; of several calls the commonest, as the verb is.
    pub reason: String,
    /// How many calls this entry stands for: 1, or those of a caller and minute beyond the ones that have an entry each.
    pub times: u64,
    /// When the call was denied; of several the last. `None` = when it was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Cause {
    /// Writes the cause as the log keeps it.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        // Text keys and plain values only, which is all that JSON asks for.
        let cause = serde_json::to_vec(self).unwrap_or_default();
        // Without the room that was left for more: it is kept with its change.
        Bytes::from(cause.into_boxed_slice())
    }

    /// Reads a cause; `None` when it was not written as one.
    #[must_use]
    pub fn decode(body: &[u8]) -> Option<Self> {
        read_json(body).ok()
    }
}
