use std::collections::BTreeMap;

use super::*;
use crate::problem::Problem;
use crate::reasons::REQUIRED;

const SECOND: Duration = Duration::from_secs(1);

/// One of each failure, with the code and the reason that api.md's table of errors gives it.
fn table() -> Vec<(Failure, Code, &'static str)> {
    let wrong = Violations::one("offer.site", reasons::BAD_CODE, "must be five capitals or digits");
    let refused = |reason| Failure::Refused(Refusal::new(reason, "no").with("free", 0));
    vec![
        (Failure::Invalid(wrong), Code::InvalidArgument, "BAD_CODE"),
        (refused("CAPACITY_COMMITTED"), Code::FailedPrecondition, "CAPACITY_COMMITTED"),
        (refused("OUT_OF_ORDER_FEED"), Code::Aborted, "OUT_OF_ORDER_FEED"),
        (refused("WRONG_SIDE"), Code::PermissionDenied, "WRONG_SIDE"),
        (refused("WINDOW"), Code::InvalidArgument, "WINDOW"),
        (Failure::NotFound { record: "offer", id: "o1".into() }, Code::NotFound, "NOT_FOUND"),
        (
            Failure::Forbidden { reason: reasons::ROLE_FORBIDS, text: "gold never answers".into() },
            Code::PermissionDenied,
            "ROLE_FORBIDS",
        ),
        (
            Failure::Unauthenticated { reason: reasons::TOKEN_EXPIRED, text: "the token has ended".into() },
            Code::Unauthenticated,
            "TOKEN_EXPIRED",
        ),
        (Failure::ChangedMeanwhile { current: Some(7) }, Code::Aborted, "CHANGED_MEANWHILE"),
        (
            Failure::Limited {
                reason: reasons::RATE_LIMITED,
                subject: "trust ZA1, publish".into(),
                text: "20 calls a second".into(),
                retry_after: Some(SECOND),
            },
            Code::ResourceExhausted,
            "RATE_LIMITED",
        ),
        (Failure::NotReady { retry_after: SECOND }, Code::Unavailable, "NOT_READY"),
        (Failure::ProviderAway { retry_after: SECOND }, Code::Unavailable, "PROVIDER_AWAY"),
        (Failure::StoreAway { retry_after: SECOND }, Code::Unavailable, "STORE_AWAY"),
        (Failure::OutcomeUnknown { retry_after: SECOND }, Code::Unavailable, "OUTCOME_UNKNOWN"),
        (Failure::StoreSealed, Code::Unavailable, "STORE_SEALED"),
        (
            Failure::StoreMisconfigured { text: "appendfsync is no".into() },
            Code::Unavailable,
            "STORE_MISCONFIGURED",
        ),
        (Failure::CursorGone, Code::OutOfRange, "CURSOR_GONE"),
        (Failure::RequestIdReused, Code::AlreadyExists, "REQUEST_ID_REUSED"),
        (Failure::DeadlinePassed { mutation: true }, Code::DeadlineExceeded, "OUTCOME_UNKNOWN"),
        (Failure::DeadlinePassed { mutation: false }, Code::DeadlineExceeded, "DEADLINE_PASSED"),
        (Failure::Unimplemented, Code::Unimplemented, "UNKNOWN_METHOD"),
        (Failure::Bug { trace_id: "4bf9".into() }, Code::Internal, "BUG"),
    ]
}

#[test]
fn every_failure_has_its_code_its_reason_and_words_for_people() {
    for (failure, code, reason) in table() {
        let status = failure.status(Some("018f"));
        assert_eq!((status.code(), failure.reason()), (code, reason), "{failure:?}");
        let known = reasons::find(reason).unwrap();
        assert!(known.codes.contains(&code), "{reason} does not come with {code:?}");
        let details = status.get_error_details();
        assert_eq!(details.error_info().unwrap().domain, DOMAIN);
        assert!(details.localized_message().unwrap().message.contains(known.user), "{reason}");
        assert_eq!(details.request_info().unwrap().request_id, "018f");
    }
}

#[test]
fn a_client_reads_what_the_server_wrote() {
    for (failure, code, reason) in table() {
        let problem = Problem::from(&failure.status(Some("018f")));
        assert_eq!((problem.code, problem.reason.as_str()), (code, reason));
        assert_eq!(problem.text, failure.to_string());
        assert_eq!(problem.numbers, failure.numbers().into_iter().collect::<BTreeMap<_, _>>());
        assert_eq!(problem.request_id.as_deref(), Some("018f"));
        assert_eq!(problem.explanation(), reasons::find(reason));
        let item = Problem::from(&failure.item_error());
        assert_eq!((item.code, &item.reason, &item.text), (code, &problem.reason, &problem.text));
    }
}

#[test]
fn details_say_what_api_md_promises_of_each() {
    for (failure, code, reason) in table() {
        let details = failure.status(None).get_error_details();
        assert_eq!(details.precondition_failure().is_some(), code == Code::FailedPrecondition, "{reason}");
        assert_eq!(details.bad_request().is_some(), code == Code::InvalidArgument, "{reason}");
        assert_eq!(details.resource_info().is_some(), code == Code::NotFound, "{reason}");
        assert_eq!(details.quota_failure().is_some(), code == Code::ResourceExhausted, "{reason}");
        let waits = ["RATE_LIMITED", "NOT_READY", "PROVIDER_AWAY", "STORE_AWAY"].contains(&reason)
            || (reason == "OUTCOME_UNKNOWN" && code == Code::Unavailable);
        assert_eq!(details.retry_info().is_some(), waits, "{reason}");
        assert!(details.request_info().is_none() && details.debug_info().is_none(), "{reason}");
    }
}

#[test]
fn every_violation_is_listed_with_its_reason() {
    let mut wrong = Violations::one("offer.window.until", reasons::WINDOW, "must be after `from`");
    wrong.add("offer.site", REQUIRED, "must be given");
    let problem = Problem::from(&Status::from(Failure::from(wrong)));
    assert_eq!(problem.reason, reasons::INVALID);
    let listed: Vec<_> = problem.violations.iter().map(|v| (v.field.as_str(), v.reason.as_str())).collect();
    assert_eq!(listed, [("offer.window.until", "WINDOW"), ("offer.site", "REQUIRED")]);
    assert_eq!(problem.to_string(), "offer.window.until must be after `from`; offer.site must be given");
}

#[test]
fn a_long_list_stays_within_a_header() {
    let mut wrong = Violations::new();
    for index in 0..10_000 {
        wrong.add(format!("items[{index}].note"), reasons::BAD_TEXT, "x".repeat(140));
    }
    let status = Status::from(Failure::from(wrong));
    // Base64 makes four letters of three bytes.
    assert!(status.details().len() * 4 / 3 + status.message().len() < 12_000);
    let problem = Problem::from(&status);
    assert!((20..=LISTED_MAX).contains(&problem.violations.len()), "{}", problem.violations.len());
    assert_eq!(problem.numbers["violations"], "10000");
}

#[test]
fn another_house_s_status_is_shown_and_not_believed() {
    let mut details = ErrorDetails::new();
    details.set_error_info("HOLD_EXPIRED", "elsewhere.example", HashMap::new());
    let problem = Problem::from(&Status::with_error_details(Code::Unavailable, "", details));
    assert_eq!((problem.reason.as_str(), problem.text.as_str()), ("", "the server answered UNAVAILABLE"));
    assert!(problem.is_retryable() && problem.explanation().is_none());
}
