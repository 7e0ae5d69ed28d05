//! Answers that tonic gave by itself, put right. Ours are known by their details and stay as they are.

use fallow_api::problem::Problem;
use fallow_api::status::Failure;
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use tonic::body::Body;
use tonic::{Code, Status};

use super::frames::malformed;
use crate::rights::Call;
use crate::telemetry;

/// How prost's message about an unreadable message begins.
const UNREADABLE: &str = "failed to decode Protobuf message";

/// Mends an answer that is all head: a failure before the first message.
pub(super) fn head(response: &mut Response<Body>, call: Option<&'static Call>, id: &str) {
    if let Some(status) = mended(response.headers(), call, id) {
        *response = status.into_http();
    }
}

/// Mends the end of an answer: a failure after the first message, or of a stream.
pub(super) fn trailers(trailers: &mut HeaderMap, call: Option<&'static Call>, id: &str) {
    if let Some(status) = mended(trailers, call, id) {
        *trailers = trailers_of(&status);
    }
}

/// Says whether an answer ended well, by its end, without taking that apart.
pub(super) fn is_well(trailers: &HeaderMap) -> bool {
    trailers.get(Status::GRPC_STATUS).is_some_and(|code| code == "0")
}

/// Returns trailers that say a status.
pub(super) fn trailers_of(status: &Status) -> HeaderMap {
    let mut trailers = HeaderMap::new();
    // Our own statuses hold nothing that a header cannot; if one did, the code must still arrive.
    if status.add_header(&mut trailers).is_err() {
        trailers.insert(Status::GRPC_STATUS, HeaderValue::from(i32::from(Code::Internal)));
    }
    trailers
}

/// The trailer by which gRPC clients are told how long to wait before they try again, in milliseconds.
pub(super) const PUSHBACK: HeaderName = HeaderName::from_static("grpc-retry-pushback-ms");

/// Says to gRPC's own retries what the details say to people: when to try again.
pub(super) fn push_back(headers: &mut HeaderMap) {
    let Some(status) = Status::from_header_map(headers).filter(|status| status.code() != Code::Ok) else {
        return;
    };
    if let Some(wait) = Problem::from(&status).retry_after {
        headers.insert(PUSHBACK, HeaderValue::from(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)));
    }
}

/// Returns a failure that says where to look and nothing else.
pub(super) fn bug() -> Failure {
    Failure::Bug { trace_id: telemetry::trace_id().unwrap_or_default() }
}

/// Returns what should have been answered instead of a failure without details, if that is what it is.
fn mended(headers: &HeaderMap, call: Option<&'static Call>, id: &str) -> Option<Status> {
    // Health and reflection speak for themselves.
    let call = call?;
    let status = Status::from_header_map(headers)?;
    if status.code() == Code::Ok || !status.details().is_empty() {
        return None;
    }
    let code = status.code();
    let failure = if code == Code::Internal && status.message().starts_with(UNREADABLE) {
        malformed()
    } else if code == Code::Unimplemented {
        Failure::Unimplemented
    } else if code == Code::Cancelled {
        Failure::DeadlinePassed { mutation: call.changes }
    } else {
        tracing::error!(?code, message = status.message(), "a handler failed without saying why");
        bug()
    };
    Some(failure.status(Some(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_well_when_its_status_is() {
        for code in 0..=16 {
            let status = Status::new(Code::from(code), "as it ended");
            assert_eq!(is_well(&trailers_of(&status)), status.code() == Code::Ok, "{code}");
        }
        assert!(!is_well(&HeaderMap::new()), "no status is none that is well");
    }
}
