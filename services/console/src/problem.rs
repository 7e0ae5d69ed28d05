//! What went wrong with a call, as people need to hear it.

use fallow_api::v1::ItemError;
use http::StatusCode;
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// The sort of a problem: what the person, not the program, does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Mend the form: the violations say what.
    Invalid,
    /// A rule said no; the text says which.
    Refused,
    /// Somebody changed the record meanwhile: look again.
    ChangedMeanwhile,
    /// It is not there, or not theirs to know.
    NotFound,
    /// They may not do this.
    Forbidden,
    /// The credential has ended: sign in again.
    SignedOut,
    /// Too much at once: wait a little.
    Limited,
    /// The service is away and nothing was written: try again.
    Away,
    /// The service is away and the change may have been written: trying again is safe.
    OutcomeUnknown,
    /// Our fault.
    Broken,
}

/// The reason with which a call asks for a stronger sign-in.
const AAL_TOO_LOW: &str = "AAL_TOO_LOW";

/// A field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Violation {
    /// Its path on the wire, such as `offer.window.until`.
    pub(crate) field: String,
    /// What is wrong and which range is right.
    pub(crate) text: String,
}

/// What went wrong with a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    /// The sort.
    pub(crate) kind: Kind,
    /// The coded reason, such as `HOLD_EXPIRED`; empty where there is none.
    pub(crate) reason: String,
    /// What people read.
    pub(crate) text: String,
    /// Every field that is wrong.
    pub(crate) violations: Vec<Violation>,
}

impl Problem {
    /// Makes a problem that the console itself found in a form.
    pub(crate) fn invalid(field: &str, text: &str) -> Self {
        let violations = vec![Violation { field: field.to_owned(), text: text.to_owned() }];
        Self { kind: Kind::Invalid, reason: String::new(), text: text.to_owned(), violations }
    }

    /// Makes the problem of something that is not there.
    pub(crate) fn not_found() -> Self {
        Self::plain(Kind::NotFound, "There is nothing here, or it is not yours to see.")
    }

    /// Makes the problem of a form that was not made by this page for this session.
    pub(crate) fn forged() -> Self {
        Self::plain(Kind::Forbidden, "This form has expired. Go back, reload the page and try again.")
    }

    /// Makes the problem of something that somebody's role may not do.
    pub(crate) fn forbidden(text: &str) -> Self {
        Self::plain(Kind::Forbidden, text)
    }

    /// Makes the problem of a session that has ended.
    pub(crate) fn signed_out(text: &str) -> Self {
        Self::plain(Kind::SignedOut, text)
    }

    /// Says whether the person must sign in more strongly for this.
    pub(crate) fn is_too_weak(&self) -> bool {
        self.reason == AAL_TOO_LOW
    }

    /// Makes the problem of something that a rule does not allow.
    pub(crate) fn refused(text: &str) -> Self {
        Self::plain(Kind::Refused, text)
    }

    /// Makes the problem of somebody behind this page who does not answer.
    pub(crate) fn away(text: &str) -> Self {
        Self::plain(Kind::Away, text)
    }

    fn plain(kind: Kind, text: &str) -> Self {
        Self { kind, reason: String::new(), text: text.to_owned(), violations: Vec::new() }
    }

    /// Returns the heading under which the problem is shown.
    pub(crate) fn heading(&self) -> &'static str {
        match self.kind {
            Kind::Invalid => "There is a problem",
            Kind::Refused => "Fallow could not do this",
            Kind::ChangedMeanwhile => "This changed since you opened it",
            Kind::NotFound => "Not found",
            Kind::Forbidden => "Not allowed",
            Kind::SignedOut => "You are signed out",
            Kind::Limited => "Too much at once",
            Kind::Away => "Fallow cannot be reached",
            Kind::OutcomeUnknown => "Fallow did not answer",
            Kind::Broken => "Something went wrong in Fallow",
        }
    }

    /// Returns what to do next.
    pub(crate) fn advice(&self) -> &'static str {
        match self.kind {
            Kind::Invalid => "Correct it and send the form again.",
            Kind::Refused => "Nothing was changed.",
            Kind::ChangedMeanwhile => "Nothing was overwritten. Check what it says now and decide again.",
            Kind::NotFound => "It may have ended meanwhile.",
            Kind::Forbidden => "Nothing was changed. Ask your site lead if you need this right.",
            Kind::SignedOut => "Sign in again to go on.",
            Kind::Limited => "Wait a minute and try again.",
            Kind::Away => "Nothing was changed. Try again; telephone if it is urgent.",
            Kind::OutcomeUnknown => {
                "It may or may not have been done. Trying again is safe: it is never done twice."
            }
            Kind::Broken => "Try again; telephone if it is urgent.",
        }
    }

    /// Returns the status that a page about the problem is sent with.
    pub(crate) fn http_status(&self) -> StatusCode {
        match self.kind {
            Kind::Invalid | Kind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::ChangedMeanwhile => StatusCode::CONFLICT,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::SignedOut => StatusCode::UNAUTHORIZED,
            Kind::Limited => StatusCode::TOO_MANY_REQUESTS,
            Kind::Away | Kind::OutcomeUnknown => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Broken => StatusCode::BAD_GATEWAY,
        }
    }
}

impl From<Status> for Problem {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let reason = details.error_info().map(|info| info.reason.clone()).unwrap_or_default();
        let unknown = reason == "OUTCOME_UNKNOWN";
        let kind = match status.code() {
            Code::InvalidArgument => Kind::Invalid,
            Code::FailedPrecondition | Code::AlreadyExists | Code::OutOfRange => Kind::Refused,
            Code::Aborted => Kind::ChangedMeanwhile,
            Code::NotFound => Kind::NotFound,
            Code::PermissionDenied => Kind::Forbidden,
            Code::Unauthenticated => Kind::SignedOut,
            Code::ResourceExhausted => Kind::Limited,
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled if unknown => Kind::OutcomeUnknown,
            Code::DeadlineExceeded | Code::Cancelled => Kind::OutcomeUnknown,
            Code::Unavailable => Kind::Away,
            Code::Ok | Code::Unknown | Code::Unimplemented | Code::Internal | Code::DataLoss => Kind::Broken,
        };
        let violations = details.bad_request().map_or_else(Vec::new, |bad| {
            let of = |field: &tonic_types::FieldViolation| Violation {
                field: field.field.clone(),
                text: field.description.clone(),
            };
            bad.field_violations.iter().map(of).collect()
        });
        let localised = details.localized_message().map(|text| text.message.clone());
        let text = match kind {
            Kind::Away => "The service behind this page does not answer.".to_owned(),
            Kind::OutcomeUnknown => "The service took too long to answer.".to_owned(),
            Kind::Broken => {
                tracing::error!(code = ?status.code(), message = status.message(), "a call failed");
                "The service behind this page failed.".to_owned()
            }
            Kind::Invalid
            | Kind::Refused
            | Kind::ChangedMeanwhile
            | Kind::NotFound
            | Kind::Forbidden
            | Kind::SignedOut
            | Kind::Limited => localised.unwrap_or_else(|| sentence(status.message())),
        };
        Self { kind, reason, text, violations }
    }
}

impl From<&ItemError> for Problem {
    fn from(error: &ItemError) -> Self {
        let status = Status::new(Code::from_i32(error.code), error.message.clone());
        let violations = error.violations.iter().map(|violation| Violation {
            field: violation.field.clone(),
            text: violation.description.clone(),
        });
        Self { reason: error.reason.clone(), violations: violations.collect(), ..Self::from(status) }
    }
}

/// Makes a sentence of a message: a capital first, a full stop last.
fn sentence(message: &str) -> String {
    let mut letters = message.trim().chars();
    let Some(first) = letters.next() else { return String::new() };
    let mut text: String = first.to_uppercase().chain(letters).collect();
    if !text.ends_with(['.', '?', '!']) {
        text.push('.');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use tonic_types::ErrorDetails;

    fn check(status: Status, kind: Kind, http: u16) {
        let problem = Problem::from(status);
        assert_eq!((problem.kind, problem.http_status().as_u16()), (kind, http), "{problem:?}");
        assert!(!problem.text.is_empty() && !problem.heading().is_empty() && !problem.advice().is_empty());
    }

    #[test]
    fn each_code_has_its_kind() {
        check(Status::invalid_argument("until is missing"), Kind::Invalid, 422);
        check(Status::failed_precondition("the hold is over"), Kind::Refused, 422);
        check(Status::aborted("it moved on"), Kind::ChangedMeanwhile, 409);
        check(Status::not_found("no such offer"), Kind::NotFound, 404);
        check(Status::permission_denied("your role may not"), Kind::Forbidden, 403);
        check(Status::unauthenticated("expired"), Kind::SignedOut, 401);
        check(Status::resource_exhausted("slow down"), Kind::Limited, 429);
        check(Status::unavailable("connection refused"), Kind::Away, 503);
        check(Status::deadline_exceeded("too late"), Kind::OutcomeUnknown, 503);
        check(Status::internal("a bug"), Kind::Broken, 502);
    }

    #[test]
    fn an_unknown_outcome_is_not_called_unchanged() {
        let details =
            ErrorDetails::with_error_info("OUTCOME_UNKNOWN", "fallow", std::collections::HashMap::new());
        let status = Status::with_error_details(Code::Unavailable, "away", details);
        assert_eq!(Problem::from(status).kind, Kind::OutcomeUnknown);
    }

    #[test]
    fn every_violation_is_kept_and_messages_become_sentences() {
        let details = ErrorDetails::with_bad_request(vec![
            tonic_types::FieldViolation::new("offer.window.until", "must be later than from"),
            tonic_types::FieldViolation::new("offer.figures.staffed", "must be 0 to 10,000"),
        ]);
        let problem =
            Problem::from(Status::with_error_details(Code::InvalidArgument, "two are wrong", details));
        let fields: Vec<_> = problem.violations.iter().map(|v| v.field.as_str()).collect();
        assert_eq!(fields, ["offer.window.until", "offer.figures.staffed"]);
        assert_eq!(problem.text, "Two are wrong.");
    }

    #[test]
    fn failures_do_not_show_their_insides() {
        let problem = Problem::from(Status::internal("panicked at redis://10.0.0.1"));
        assert!(!problem.text.contains("redis"));
    }
}
