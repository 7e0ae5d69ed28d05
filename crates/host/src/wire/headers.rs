//! What a request's head must be, before anything of its body is read.

use std::time::Duration;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_domain::refusal::Refusal;
use http::header::{ALLOW, CONTENT_TYPE};
use http::{HeaderMap, Method, Request, Response, StatusCode};
use jiff::Timestamp;
use tonic::body::Body;
use uuid::Uuid;

use super::REQUEST_ID;
use crate::texts;

/// The header of a call's deadline.
const TIMEOUT: &str = "grpc-timeout";
/// Most digits of a deadline, by the gRPC protocol.
const TIMEOUT_DIGITS_MAX: usize = 8;
/// Shortest deadline with which a change is tried: below it, it would mostly end in doubt.
const SHORTEST_CHANGE: Duration = Duration::from_millis(100);
/// Longest request id that is taken over, in characters.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// Binary metadata is base64, with or without padding.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Makes a refusal whose code the table of reasons decides.
pub(super) fn refusal(reason: &'static str, text: &str) -> Failure {
    Failure::Refused(Refusal::new(reason, text))
}

/// Returns the HTTP answer to what is no gRPC at all.
pub(super) fn not_grpc(request: &Request<Body>) -> Option<Response<Body>> {
    let mut response = Response::new(Body::empty());
    if request.method() != Method::POST {
        *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
        response.headers_mut().insert(ALLOW, http::HeaderValue::from_static("POST"));
        return Some(response);
    }
    let kind = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    if kind != "application/grpc" && kind != "application/grpc+proto" {
        *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
        return Some(response);
    }
    None
}

/// Says whether a path is of health or reflection: open to all, because it says nothing of the region.
pub(super) fn is_infrastructure(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.v1")
}

/// Returns the caller's id of a call when it is short, plain and no patient's, for it goes into logs; else a new one.
pub(super) fn request_id(headers: &HeaderMap, now: Timestamp) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |id: &&str| {
        (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
            && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c))
            && !texts::is_suspect(id, now)
    };
    given.filter(plain).map_or_else(|| Uuid::now_v7().to_string(), str::to_owned)
}

/// Refuses binary metadata that is not binary, and a compression that is not on.
pub(super) fn check_metadata(headers: &HeaderMap) -> Result<(), Failure> {
    for (name, value) in headers.iter().filter(|(name, _)| name.as_str().ends_with("-bin")) {
        // Several values of one name may be joined by commas.
        if value.as_bytes().split(|byte| *byte == b',').any(|part| BASE64.decode(part.trim_ascii()).is_err())
        {
            return Err(refusal(reasons::BAD_METADATA, &format!("{name} is not base64")));
        }
    }
    match headers.get("grpc-encoding") {
        Some(encoding) if encoding != "identity" => {
            Err(refusal(reasons::COMPRESSION_UNSUPPORTED, "messages are taken uncompressed only"))
        }
        Some(_) | None => Ok(()),
    }
}

/// Takes the deadline out of the headers, so that nothing behind us times the call a second time and otherwise.
pub(super) fn take_deadline(headers: &mut HeaderMap, changes: bool) -> Result<Option<Duration>, Failure> {
    let mut given = headers.get_all(TIMEOUT).iter();
    let deadline = match (given.next(), given.next()) {
        (None, _) => return Ok(None),
        (Some(value), None) => value.to_str().ok().and_then(parse_timeout),
        (Some(_), Some(_)) => None,
    };
    headers.remove(TIMEOUT);
    let Some(deadline) = deadline else {
        let text = "grpc-timeout must be once 1 to 8 digits and one of H, M, S, m, u, n, such as 500m";
        return Err(refusal(reasons::BAD_DEADLINE, text));
    };
    if changes && deadline < SHORTEST_CHANGE {
        let text = "a change needs a deadline of at least 100 ms; nothing was done";
        return Err(refusal(reasons::DEADLINE_TOO_SHORT, text));
    }
    Ok(Some(deadline))
}

/// Reads a deadline as the gRPC protocol writes it.
fn parse_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if !(1..=TIMEOUT_DIGITS_MAX).contains(&digits.len()) || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let number: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(number * 3_600)),
        "M" => Some(Duration::from_secs(number * 60)),
        "S" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_millis(number)),
        "u" => Some(Duration::from_micros(number)),
        "n" => Some(Duration::from_nanos(number)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_as_the_protocol_writes_them() {
        for (text, expected) in [
            ("1H", Some(3_600_000)),
            ("2M", Some(120_000)),
            ("3S", Some(3_000)),
            ("250m", Some(250)),
            ("4000u", Some(4)),
            ("99999999n", Some(99)),
            ("0S", Some(0)),
            ("99999999H", Some(99_999_999 * 3_600_000)),
        ] {
            assert_eq!(parse_timeout(text).map(|d| d.as_millis()), expected, "{text}");
        }
        for bad in ["", "S", "5", "100q", "-5S", "+5S", "123456789S", "1.5S", " 5S", "5 S", "5é"] {
            assert_eq!(parse_timeout(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn a_request_id_is_taken_over_when_it_is_plain() {
        let id = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, value.parse().unwrap());
            request_id(&headers, Timestamp::UNIX_EPOCH)
        };
        assert_eq!(id("feed-7.a_1"), "feed-7.a_1");
        for odd in [String::new(), "a b".into(), "<b>".into(), "9994765914".into(), "x".repeat(65)] {
            assert_eq!(id(&odd).len(), 36, "{odd:?}");
        }
    }
}
