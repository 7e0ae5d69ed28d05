//! Refusals: what a rule said no to, coded, with its numbers.

use thiserror::Error;

/// A rule said no. The reason is fixed and is what programs read; the text is for people; the numbers are the figures
/// that the rule compared, in order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text}")]
pub struct Refusal {
    /// The reason, one of [`reason::ALL`], such as `CAPACITY_COMMITTED`.
    pub reason: &'static str,
    /// What was refused and why, in plain words.
    pub text: String,
    /// The figures, each with its name: `("free", "0")`.
    pub numbers: Vec<(&'static str, String)>,
}

impl Refusal {
    /// Makes a refusal without numbers.
    #[must_use]
    pub fn new(reason: &'static str, text: impl Into<String>) -> Self {
        Self { reason, text: text.into(), numbers: Vec::new() }
    }

    /// Adds a figure.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.numbers.push((name, value.to_string()));
        self
    }

    /// Makes the refusal for records that hang together differently from when they were looked up. It is no rule's no:
    /// read again and decide again.
    pub(crate) fn torn(what: impl Into<String>) -> Self {
        Self::new(reason::CHANGED_MEANWHILE, what)
    }
}

/// Declares the reasons once, as constants and as a list.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {
        $($(#[$doc])* pub const $name: &str = stringify!($name);)+

        /// Every reason a decision refuses with, in order of declaration. The table of errors explains each.
        pub const ALL: &[&str] = &[$($name),+];
    };
}

/// The reasons of refusals.
pub mod reason {
    reasons!(
        /// The records read do not hang together: something changed between two reads. Read again and decide again.
        CHANGED_MEANWHILE,
        /// The record's state does not allow the command; numbers `from`, `command`.
        ILLEGAL_TRANSITION,
        /// The command is another side's to give.
        WRONG_SIDE,
        /// The same person gave the other answer.
        SECOND_PERSON_REQUIRED,
        /// Acting for a trust, or around it, needs a reason from the list and in words.
        OVERRIDE_REASON,
        /// Nobody confirmed the action in its time; numbers `expires_at`.
        OVERRIDE_EXPIRED,
        /// The same person has proposed to act for others too often within a day; numbers `used`, `most`.
        OVERRIDE_LIMIT,
        /// The hold ran out; numbers `held_until`.
        HOLD_EXPIRED,
        /// The hold has not run out yet; numbers `held_until`.
        HOLD_NOT_EXPIRED,
        /// This side has said yes before.
        ALREADY_ACCEPTED,
        /// A trust has answered, so the proposal is no longer the engine's or gold's to end.
        ALREADY_ANSWERED,
        /// This side has extended the hold before; a provisional yes counts.
        ALREADY_EXTENDED,
        /// More time than the policy's hold; numbers `latest`.
        HOLD_TOO_LONG,
        /// Ten seconds have passed, or the other side has answered.
        TOO_LATE_TO_RETRACT,
        /// No collaborative that joins trusts of the proposal is in incident mode.
        NOT_INCIDENT_MODE,
        /// A reason in words is required.
        REASON_REQUIRED,
        /// Answered holds or committed units stand on the offer; numbers `proposals`, `transfers`.
        CAPACITY_COMMITTED,
        /// Answered holds or agreed units stand on the need; numbers `proposals`, `transfers`, `bound`.
        UNITS_BOUND,
        /// Fewer units are free or wanted than asked for; numbers `free` or `wanted`, and `asked`.
        NOT_ENOUGH_UNITS,
        /// The hold would take the trust's free units below what it keeps for itself; numbers `free`, `reserve`, `asked`.
        BELOW_RESERVE,
        /// The offer's figures are too old to be proposed on; numbers `reported_at`.
        STALE,
        /// The session is not released yet; numbers `release_at`.
        NOT_RELEASED,
        /// The offer is the home trust's own.
        SAME_TRUST,
        /// The pair was declined, and neither has changed since.
        DECLINED_BEFORE,
        /// The report was made longer ago than two cadences; numbers `reported_at`, `oldest`.
        SOURCE_STALE,
        /// The report is dated more than a minute ahead; numbers `reported_at`, `now`.
        SOURCE_AHEAD,
        /// The source has sent a later report before; numbers `last`.
        OUT_OF_ORDER_FEED,
        /// The figures change by more than half and more than ten within five minutes: confirm; numbers `before`, `after`.
        LARGE_CHANGE,
        /// Two items of one batch have the same source key.
        DUPLICATE,
        /// An item of a whole state has no source key.
        SOURCE_KEY_REQUIRED,
        /// The window has passed, or it ends before it starts.
        WINDOW,
        /// A figure is outside its range; numbers `value`, `max`.
        OUT_OF_RANGE,
        /// The time for this has not come; numbers `not_before`.
        NOT_YET,
        /// Theatre sessions take no reserve.
        NO_RESERVE_FOR_THEATRE,
        /// The transfer's checklist is not done; numbers `open`.
        CHECKLIST_OPEN,
        /// There is no such item on the checklist.
        NO_SUCH_ITEM,
        /// The working calendar ends before the hold would.
        CALENDAR_ENDS,
        /// The agreement by which staff or an item were lent ends before that; numbers `until`.
        AGREEMENT_ENDS,
        /// The same was asked too short a while ago; numbers `not_before`, `retry_after_seconds`.
        RATE_LIMITED,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_is_declared_once() {
        let mut sorted = reason::ALL.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(sorted.len(), reason::ALL.len());
        assert!(reason::ALL.contains(&"HOLD_EXPIRED"));
    }
}
