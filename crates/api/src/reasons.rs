//! Every reason an error can carry, with what it means and what user, operator and developer do about it.
//!
//! docs/errors.md is made from this table by `cargo xtask codegen`. A reason that is not in the table cannot leave the
//! house: [`crate::status`] takes the gRPC code from here.

mod access;
mod input;
mod rule;
mod system;

use std::fmt::Write;

pub use access::*;
pub use input::*;
pub use rule::*;
pub use system::*;
use tonic::Code;

/// What one reason means, and what each of its readers does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reason {
    /// The name that programs compare: `google.rpc.ErrorInfo.reason`, or the reason of one field.
    pub name: &'static str,
    /// The gRPC codes it comes with, the usual one first.
    pub codes: &'static [Code],
    /// What it means, one sentence.
    pub means: &'static str,
    /// What the person at the screen does.
    pub user: &'static str,
    /// What those who run Fallow do.
    pub operator: &'static str,
    /// What those who write a client do.
    pub developer: &'static str,
}

/// A part of the table under one heading.
#[derive(Debug, Clone, Copy)]
pub struct Section {
    /// The heading.
    pub title: &'static str,
    /// Its reasons, in the order of the document.
    pub reasons: &'static [Reason],
}

/// The whole table.
pub const SECTIONS: &[Section] = &[input::SECTION, rule::SECTION, access::SECTION, system::SECTION];

/// Declares the constants and the table of one section at once, so that neither can lack the other's reason.
macro_rules! section {
    ($title:literal: $($name:ident [$($code:ident),+] $means:literal
        user: $user:literal operator: $operator:literal developer: $developer:literal)+) => {
        $(#[doc = $means] pub const $name: &str = stringify!($name);)+

        pub(super) const SECTION: super::Section = super::Section {
            title: $title,
            reasons: &[$(super::Reason {
                name: $name,
                codes: &[$(tonic::Code::$code),+],
                means: $means,
                user: $user,
                operator: $operator,
                developer: $developer,
            }),+],
        };
    };
}
use section;

/// Returns every reason, in the order of the document.
pub fn all() -> impl Iterator<Item = &'static Reason> {
    SECTIONS.iter().flat_map(|section| section.reasons)
}

/// Returns the reason of a name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Reason> {
    all().find(|reason| reason.name == name)
}

/// Returns docs/errors.md.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(concat!(
        "# Errors\n\n",
        "Made from `crates/api/src/reasons` by `cargo xtask codegen`; change it there.\n\n",
        "Every error carries `google.rpc.ErrorInfo` with domain `fallow`, a reason of this page and the numbers behind it. ",
        "INVALID_ARGUMENT also names every wrong field at once in `google.rpc.BadRequest`, each with its own reason. ",
        "Retry only UNAVAILABLE, with the same request id; at most four times, each after a longer, jittered wait.\n",
    ));
    for section in SECTIONS {
        // Writing to a String cannot fail.
        let _ = write!(out, "\n## {}\n", section.title);
        for reason in section.reasons {
            let codes: Vec<_> = reason.codes.iter().map(|code| format!("`{}`", code_name(*code))).collect();
            let _ = write!(out, "\n### {}\n\n{}. {}\n\n", reason.name, codes.join(" or "), reason.means);
            for (reader, does) in
                [("User", reason.user), ("Operator", reason.operator), ("Developer", reason.developer)]
            {
                let _ = writeln!(out, "- {reader}: {does}");
            }
        }
    }
    out
}

/// Returns the name of a gRPC code as the protocol writes it.
#[must_use]
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_is_named_once_and_explained_to_all_three() {
        let mut names = BTreeSet::new();
        for reason in all() {
            assert!(names.insert(reason.name), "{} stands twice", reason.name);
            let shape = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
            assert!(reason.name.chars().all(shape), "{}", reason.name);
            assert!(!reason.codes.is_empty() && !reason.codes.contains(&Code::Ok), "{}", reason.name);
            for text in [reason.means, reason.user, reason.operator, reason.developer] {
                assert!(text.len() > 5 && text.ends_with('.'), "{}: {text:?}", reason.name);
            }
            assert_eq!(find(reason.name), Some(reason));
        }
        assert!(names.len() > 80, "{} reasons", names.len());
    }

    #[test]
    fn every_refusal_of_the_domain_is_explained() {
        for name in fallow_domain::refusal::reason::ALL {
            assert!(find(name).is_some(), "{name} is not in the table");
        }
    }

    #[test]
    fn the_document_is_fresh() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/errors.md");
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(committed == markdown(), "docs/errors.md is out of date: run `cargo xtask codegen`");
    }

    #[test]
    fn only_a_bug_is_internal() {
        let internal: Vec<_> = all().filter(|reason| reason.codes.contains(&Code::Internal)).collect();
        assert_eq!(internal.iter().map(|reason| reason.name).collect::<Vec<_>>(), [BUG]);
    }
}
