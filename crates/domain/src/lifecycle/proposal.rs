//! The lifecycle of a proposal, and of each trust's answer within it.

use super::Party::{Authority, Engine, Gold, Home, Supporting, Team};
use super::{Edge, Table};
use crate::proposal::ProposalState::{
    self, Bypassed, Confirmed, Declined, Held, Lapsed, Superseded, Withdrawn,
};
use crate::refusal::{Refusal, reason};
use crate::resource::coded;

coded!(
    /// What can be asked of a proposal.
    ProposalCommand {
        /// Yes to some or all units.
        Accept = "ACCEPT",
        /// Yes, subject to a check.
        Provisional = "PROVISIONAL",
        /// No.
        Decline = "DECLINE",
        /// The own answer taken back.
        Retract = "RETRACT",
        /// More time.
        Extend = "EXTEND",
        /// The authority's yes.
        Approve = "APPROVE",
        /// The authority's no.
        Refuse = "REFUSE",
        /// The hold ran out.
        Lapse = "LAPSE",
        /// Replaced, or its ground is gone, before anybody answered.
        Supersede = "SUPERSEDE",
        /// The need was taken back, or an answer may have been lost with the store.
        Withdraw = "WITHDRAW",
        /// Set aside by gold.
        Bypass = "BYPASS",
    }
);

/// The table of proposals.
pub const TABLE: Table<ProposalState, ProposalCommand> = Table {
    record: "proposal",
    // CONFIRMED at birth: every trust had agreed beforehand.
    births: &[Held, Confirmed],
    edges: &[
        Edge {
            from: &[Held],
            command: ProposalCommand::Accept,
            by: &[Home, Supporting, Team],
            to: &[Held, Confirmed],
        },
        Edge { from: &[Held], command: ProposalCommand::Provisional, by: &[Supporting, Team], to: &[] },
        Edge {
            from: &[Held],
            command: ProposalCommand::Decline,
            by: &[Home, Supporting, Team],
            to: &[Declined],
        },
        Edge { from: &[Held], command: ProposalCommand::Retract, by: &[Home, Supporting, Team], to: &[] },
        Edge { from: &[Held], command: ProposalCommand::Extend, by: &[Home, Supporting, Team], to: &[] },
        Edge {
            from: &[Held],
            command: ProposalCommand::Approve,
            by: &[Authority, Gold],
            to: &[Held, Confirmed],
        },
        Edge { from: &[Held], command: ProposalCommand::Refuse, by: &[Authority, Gold], to: &[Declined] },
        Edge { from: &[Held], command: ProposalCommand::Lapse, by: &[Engine], to: &[Lapsed] },
        // A trust supersedes by what it says of its offer or need; the engine by a better plan.
        Edge {
            from: &[Held],
            command: ProposalCommand::Supersede,
            by: &[Engine, Home, Supporting, Team],
            to: &[Superseded],
        },
        Edge { from: &[Held], command: ProposalCommand::Withdraw, by: &[Home, Engine], to: &[Withdrawn] },
        Edge { from: &[Held], command: ProposalCommand::Bypass, by: &[Gold], to: &[Bypassed] },
    ],
};

coded!(
    /// What a trust can have answered, without its code.
    AnswerState {
        /// Nothing yet.
        Pending = "PENDING",
        /// Yes, subject to a check.
        Provisional = "PROVISIONAL",
        /// Yes.
        Accepted = "ACCEPTED",
        /// No.
        Declined = "DECLINED",
    }
);

/// The table of one trust's answer: from an answer, on a verdict, to the next answer.
pub const ANSWERS: &[(AnswerState, ProposalCommand, AnswerState)] = &[
    (AnswerState::Pending, ProposalCommand::Accept, AnswerState::Accepted),
    (AnswerState::Pending, ProposalCommand::Provisional, AnswerState::Provisional),
    (AnswerState::Pending, ProposalCommand::Decline, AnswerState::Declined),
    (AnswerState::Provisional, ProposalCommand::Accept, AnswerState::Accepted),
    (AnswerState::Provisional, ProposalCommand::Decline, AnswerState::Declined),
    (AnswerState::Provisional, ProposalCommand::Retract, AnswerState::Pending),
    (AnswerState::Accepted, ProposalCommand::Retract, AnswerState::Pending),
];

/// Returns the answer that follows from an answer on a verdict.
///
/// # Errors
/// `ALREADY_ACCEPTED` for a second yes, `ALREADY_EXTENDED` for a second provisional one, else `ILLEGAL_TRANSITION`.
pub fn next_answer(from: AnswerState, command: ProposalCommand) -> Result<AnswerState, Refusal> {
    if let Some((_, _, to)) = ANSWERS.iter().find(|(f, c, _)| *f == from && *c == command) {
        return Ok(*to);
    }
    let reason = if from == AnswerState::Accepted && command == ProposalCommand::Accept {
        reason::ALREADY_ACCEPTED
    } else if from == AnswerState::Provisional && command == ProposalCommand::Provisional {
        reason::ALREADY_EXTENDED
    } else {
        reason::ILLEGAL_TRANSITION
    };
    Err(Refusal::new(reason, format!("an answer that is {from} does not take {command}"))
        .with("from", from)
        .with("command", command))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_command_and_party_has_the_stated_outcome() {
        super::super::check_table(
            &TABLE,
            ProposalState::ALL,
            ProposalCommand::ALL,
            "
                                                   HELD           CONFIRMED DECLINED LAPSED SUPERSEDED WITHDRAWN BYPASSED
            ACCEPT      | home supporting team   | HELD+CONFIRMED x         x        x      x          x         x
            PROVISIONAL | supporting team        | =              x         x        x      x          x         x
            DECLINE     | home supporting team   | DECLINED       x         x        x      x          x         x
            RETRACT     | home supporting team   | =              x         x        x      x          x         x
            EXTEND      | home supporting team   | =              x         x        x      x          x         x
            APPROVE     | authority gold         | HELD+CONFIRMED x         x        x      x          x         x
            REFUSE      | authority gold         | DECLINED       x         x        x      x          x         x
            LAPSE       | engine                 | LAPSED         x         x        x      x          x         x
            SUPERSEDE   | engine home supporting team | SUPERSEDED x         x        x      x          x         x
            WITHDRAW    | home engine            | WITHDRAWN      x         x        x      x          x         x
            BYPASS      | gold                   | BYPASSED       x         x        x      x          x         x
            ",
        );
    }

    #[test]
    fn every_answer_and_verdict_has_the_stated_outcome() {
        let statement = "
                        PENDING            PROVISIONAL        ACCEPTED           DECLINED
            ACCEPT      ACCEPTED           ACCEPTED           ALREADY_ACCEPTED   ILLEGAL_TRANSITION
            PROVISIONAL PROVISIONAL        ALREADY_EXTENDED   ILLEGAL_TRANSITION ILLEGAL_TRANSITION
            DECLINE     DECLINED           DECLINED           ILLEGAL_TRANSITION ILLEGAL_TRANSITION
            RETRACT     ILLEGAL_TRANSITION PENDING            PENDING            ILLEGAL_TRANSITION
        ";
        let mut lines = statement.lines().map(str::trim).filter(|l| !l.is_empty());
        let head: Vec<AnswerState> =
            lines.next().unwrap().split_whitespace().map(|s| s.parse().unwrap()).collect();
        assert_eq!(head, AnswerState::ALL);
        for line in lines {
            let mut cells = line.split_whitespace();
            let command: ProposalCommand = cells.next().unwrap().parse().unwrap();
            for (from, expected) in head.iter().zip(cells) {
                let found = match next_answer(*from, command) {
                    Ok(to) => to.as_str(),
                    Err(refusal) => refusal.reason,
                };
                assert_eq!(found, expected, "{from} {command}");
            }
        }
    }
}
