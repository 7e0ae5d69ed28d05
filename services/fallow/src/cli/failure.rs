//! What a command says when it fails: a code, what, why, and the next command; and what it leaves as exit code.

use std::fmt::Write;

use fallow_api::problem::{Problem, WrongField};
use fallow_api::reasons;
use tonic::{Code, Status};

use super::time::TimeError;

/// The exit codes of every command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Failed for a reason that no other code names.
    Failed,
    /// The command or one of its values is wrong.
    Usage,
    /// Not there, or not yours to know.
    NotFound,
    /// A conflict or a precondition: the record moved on, a rule refused.
    Conflict,
    /// Not allowed, or not signed in.
    NotAllowed,
    /// The service is away or asks to wait.
    Unavailable,
    /// Timed out.
    TimedOut,
    /// Done in part: some rows were rejected.
    Partial,
    /// Nothing matched: `why-not` of a need that nothing serves, `wait` for what can no longer come.
    NothingMatched,
    /// Ended by Ctrl-C.
    Interrupted,
}

impl Exit {
    /// Returns the number that the shell sees.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotFound => 3,
            Self::Conflict => 4,
            Self::NotAllowed => 5,
            Self::Unavailable => 6,
            Self::TimedOut => 7,
            Self::Partial => 8,
            Self::NothingMatched => 9,
            Self::Interrupted => 130,
        }
    }

    fn of(code: Code) -> Self {
        match code {
            Code::Ok => Self::Ok,
            Code::InvalidArgument => Self::Usage,
            Code::NotFound => Self::NotFound,
            Code::FailedPrecondition | Code::Aborted | Code::AlreadyExists => Self::Conflict,
            Code::PermissionDenied | Code::Unauthenticated => Self::NotAllowed,
            Code::Unavailable | Code::ResourceExhausted => Self::Unavailable,
            Code::DeadlineExceeded => Self::TimedOut,
            Code::Cancelled
            | Code::Unknown
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Internal
            | Code::DataLoss => Self::Failed,
        }
    }
}

/// Why a command failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// What the shell sees.
    pub(crate) exit: Exit,
    /// The coded reason, such as `HOLD_EXPIRED`, or the class where there is none.
    pub(crate) reason: String,
    /// What failed, in words.
    pub(crate) what: String,
    /// The numbers and field violations behind it.
    pub(crate) why: Vec<String>,
    /// What to type next.
    pub(crate) next: Vec<String>,
}

impl Failure {
    /// Makes a failure of the caller's own making.
    pub(crate) fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "USAGE", what)
    }

    /// Makes a failure.
    pub(crate) fn new(exit: Exit, reason: &str, what: impl Into<String>) -> Self {
        Self { exit, reason: reason.to_owned(), what: what.into(), why: Vec::new(), next: Vec::new() }
    }

    /// Adds a line of why.
    pub(crate) fn because(mut self, why: impl Into<String>) -> Self {
        self.why.push(why.into());
        self
    }

    /// Adds the next command.
    pub(crate) fn next(mut self, next: impl Into<String>) -> Self {
        self.next.push(next.into());
        self
    }

    /// Turns what a stream ended with into what a person reads.
    pub(crate) fn of(status: &Status) -> Self {
        Problem::from(status).into()
    }

    /// Says that the same change can be sent again without harm.
    pub(crate) fn retry_with(mut self, request_id: &str) -> Self {
        let may_have_happened = matches!(self.exit, Exit::Unavailable | Exit::TimedOut | Exit::Interrupted)
            || (self.exit == Exit::Failed && self.reason != "UNIMPLEMENTED");
        if may_have_happened {
            self.next.push(format!("retry safely, with the same command and --request-id {request_id}"));
        }
        self
    }

    /// Returns the text for the person, ended by a line feed.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("error: {}: {}\n", self.reason, self.what);
        for why in &self.why {
            let _ = writeln!(text, "  why:  {why}");
        }
        for next in &self.next {
            let _ = writeln!(text, "  next: {next}");
        }
        text
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        let reason = if problem.reason.is_empty() {
            reasons::code_name(problem.code)
        } else {
            problem.reason.as_str()
        };
        let mut failure = Self::new(Exit::of(problem.code), reason, plainly(&problem.text));
        // What is about no field has been said already, and so has what alone is wrong.
        let is_said = |wrong: &WrongField| {
            wrong.field.is_empty() || (problem.violations.len() == 1 && problem.text.contains(&wrong.text))
        };
        let of_fields = problem.violations.iter().filter(|wrong| !is_said(wrong));
        failure.why.extend(of_fields.map(|wrong| format!("{}: {}", wrong.field, wrong.text)));
        // How many there are is seen.
        let numbers = problem.numbers.iter().filter(|(name, _)| *name != "violations");
        failure.why.extend(numbers.map(|(name, value)| format!("{name} = {value}")));
        if let Some(wait) = problem.retry_after {
            failure.next.push(format!("wait {} s, then the same command", wait.as_secs_f64().ceil()));
        }
        let list = list_of(&problem.missing).filter(|_| problem.code == Code::NotFound);
        failure.next.extend(list.or_else(|| next_after(reason, problem.code)).map(str::to_owned));
        if let Some(known) = problem.explanation() {
            if failure.next.is_empty() && !known.user.is_empty() {
                failure.next.push(known.user.to_owned());
            }
            failure.next.push(format!("fallow errors {reason}"));
        }
        failure
    }
}

/// Puts what the network says into words for a person; what is said by the services themselves stays.
pub(crate) fn plainly(said: &str) -> &str {
    match said {
        "tcp connect error" => {
            "nothing answers at that address: no service runs there, or the way to it is closed"
        }
        "dns error" => "that host's name is not known here",
        "Connecting to HTTPS without TLS enabled" => {
            "https needs the authority that signed the services' certificates: name it in the context's authority_file"
        }
        other => other,
    }
}

impl From<TimeError> for Failure {
    fn from(error: TimeError) -> Self {
        Self::usage(error.to_string())
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::new(Exit::Failed, "OUTPUT", format!("the output could not be written: {error}"))
    }
}

/// The command that lists what there is of a kind of record.
fn list_of(record: &str) -> Option<&'static str> {
    Some(match record {
        "offer" => "fallow capacity list --everyone",
        "need" => "fallow demand list --everyone",
        "cohort" => "fallow demand list -o wide, which names the cohort of each need",
        "proposal" => "fallow proposal list",
        "transfer" => "fallow transfer list",
        "alert" => "fallow alert list",
        "action" => "fallow action list",
        "trust" | "resource" | "collaborative" => "fallow region show",
        _ => return None,
    })
}

/// The command that helps after a reason, where one does.
fn next_after(reason: &str, code: Code) -> Option<&'static str> {
    Some(match reason {
        "CHANGED_MEANWHILE" => "look again with show or list, then repeat with the new --if-revision",
        "HOLD_EXPIRED" | "ALREADY_ACCEPTED" | "ALREADY_ANSWERED" => "fallow inbox",
        "REQUEST_ID_REUSED" => "leave --request-id out: a new one is made",
        "CAPACITY_COMMITTED" | "UNITS_BOUND" => "fallow transfer list",
        "TOO_LATE_TO_RETRACT" => "fallow transfer abort ID --reason CODE, once there is a transfer",
        "WRONG_SIDE" | "ROLE_FORBIDS" | "WRONG_TRUST" => "fallow auth whoami",
        "LARGE_CHANGE" => "if the figure is right, add --confirm-large-change",
        reasons::AAL_TOO_LOW => "fallow auth login --stronger, then the same command",
        "CURSOR_GONE" => "watch again without --since",
        _ => match code {
            Code::Unauthenticated | Code::PermissionDenied => "fallow auth whoami",
            Code::Unavailable if reason == "UNAVAILABLE" => "fallow ping",
            Code::DeadlineExceeded => "fallow ping, or a longer --deadline",
            Code::Unimplemented => "fallow version",
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::ResourceExhausted
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => return None,
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::time::Duration;

    use tonic_types::{ErrorDetails, FieldViolation, StatusExt};

    use super::*;

    #[test]
    fn every_code_has_its_exit() {
        for (code, exit) in [
            (Code::InvalidArgument, 2),
            (Code::NotFound, 3),
            (Code::FailedPrecondition, 4),
            (Code::Aborted, 4),
            (Code::AlreadyExists, 4),
            (Code::PermissionDenied, 5),
            (Code::Unauthenticated, 5),
            (Code::Unavailable, 6),
            (Code::ResourceExhausted, 6),
            (Code::DeadlineExceeded, 7),
            (Code::Internal, 1),
            (Code::Unimplemented, 1),
            (Code::OutOfRange, 1),
        ] {
            assert_eq!(Failure::of(&Status::new(code, "said")).exit.code(), exit, "{code:?}");
        }
        let own = [Exit::Ok, Exit::Partial, Exit::NothingMatched, Exit::Interrupted].map(Exit::code);
        assert_eq!(own, [0, 8, 9, 130]);
    }

    #[test]
    fn a_refusal_shows_its_numbers_and_the_next_command() {
        let numbers = HashMap::from([
            ("held_until".to_owned(), "14:31".to_owned()),
            ("free".to_owned(), "0".to_owned()),
        ]);
        let details = ErrorDetails::with_error_info("HOLD_EXPIRED", "fallow", numbers);
        let status =
            Status::with_error_details(Code::FailedPrecondition, "the hold ran out at 14:31", details);
        assert_eq!(
            Failure::of(&status).text(),
            "error: HOLD_EXPIRED: the hold ran out at 14:31\n  why:  free = 0\n  why:  held_until = 14:31\n  next: fallow \
             inbox\n  next: fallow errors HOLD_EXPIRED\n"
        );
    }

    #[test]
    fn what_is_not_there_is_followed_by_the_command_that_lists_what_is() {
        let next = |record: &str| {
            let details = ErrorDetails::with_resource_info(record, "x", "", "there is no such record");
            let status = Status::with_error_details(Code::NotFound, "there is no such record", details);
            Failure::of(&status).next
        };
        assert_eq!(next("offer"), ["fallow capacity list --everyone"]);
        assert_eq!(next("collaborative"), ["fallow region show"]);
        assert!(next("what nobody knows").is_empty());
    }

    #[test]
    fn what_the_network_says_is_put_into_words() {
        let said = |text: &str| Failure::of(&Status::unavailable(text)).what;
        assert!(said("tcp connect error").starts_with("nothing answers at that address"));
        assert!(said("Connecting to HTTPS without TLS enabled").contains("authority_file"));
        assert_eq!(said("the store is closed"), "the store is closed");
    }

    #[test]
    fn every_violation_is_named() {
        let details = ErrorDetails::with_bad_request(vec![
            FieldViolation::new("offer.window.until", "must be in the future"),
            FieldViolation::new("offer.figures.staffed", "must be 0 to 10,000"),
        ]);
        let status = Status::with_error_details(Code::InvalidArgument, "2 fields are wrong", details);
        let text = Failure::of(&status).text();
        assert!(text.contains("why:  offer.window.until: must be in the future\n"), "{text}");
        assert!(text.contains("why:  offer.figures.staffed: must be 0 to 10,000\n"), "{text}");
    }

    #[test]
    fn what_alone_is_wrong_is_said_once() {
        let numbers = HashMap::from([("violations".to_owned(), "1".to_owned())]);
        let mut details =
            ErrorDetails::with_bad_request(vec![FieldViolation::new("resource", "must be given for NET")]);
        details.set_error_info("REQUIRED", "fallow", numbers);
        let text = "resource must be given for NET";
        let said = Failure::of(&Status::with_error_details(Code::InvalidArgument, text, details)).text();
        assert_eq!(said.matches("must be given for NET").count(), 1, "{said}");
        assert!(!said.contains("violations"), "{said}");
    }

    #[test]
    fn only_what_may_have_happened_is_retried_with_the_same_id() {
        let away = Failure::of(&Status::unavailable("no answer")).retry_with("0198");
        assert_eq!(away.next, ["fallow ping", "retry safely, with the same command and --request-id 0198"]);
        let refused = Failure::of(&Status::failed_precondition("no")).retry_with("0198");
        assert!(refused.next.is_empty());
        let wait = ErrorDetails::with_retry_info(Some(Duration::from_millis(1500)));
        let busy = Failure::of(&Status::with_error_details(Code::ResourceExhausted, "slow down", wait));
        assert_eq!(busy.next, ["wait 2 s, then the same command"]);
    }
}
