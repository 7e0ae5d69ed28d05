//! The lifecycle of a transfer.
//!
//! The table speaks of the home and the supporting trust; who sends and who receives depends on what moves. A patient
//! goes from the home trust to the supporting one, staff and items the other way, so each leg has a row for either and
//! [`crate::decide::transfer`] sees to it that only the trust at the right end takes the step.

use super::Party::{Engine, Home, Supporting, Team};
use super::{Edge, Table};
use crate::resource::{ResourceKind, coded};
use crate::transfer::TransferState::{
    self, Aborted, Arrived, Completed, Deployed, Extended, InTransit, Planned, Ready, Repatriated,
    Repatriating, RepatriationDue, Returned,
};

coded!(
    /// What can be asked of a transfer.
    TransferCommand {
        /// Everything is ready.
        Prepare = "PREPARE",
        /// It has left.
        Depart = "DEPART",
        /// It is there.
        Arrive = "ARRIVE",
        /// The stay is over, or the test done.
        Complete = "COMPLETE",
        /// Staff or an item are at work.
        Deploy = "DEPLOY",
        /// More time.
        Extend = "EXTEND",
        /// Staff or an item are back.
        Return = "RETURN",
        /// Ready to go back.
        CallBack = "CALL_BACK",
        /// On the way back.
        SendBack = "SEND_BACK",
        /// Back.
        ArriveBack = "ARRIVE_BACK",
        /// Called off.
        Abort = "ABORT",
        /// Something done, booked or moved that is no step.
        Note = "NOTE",
    }
);

/// The table of transfers.
pub const TABLE: Table<TransferState, TransferCommand> = Table {
    record: "transfer",
    births: &[Planned],
    edges: &[
        Edge { from: &[Planned], command: TransferCommand::Prepare, by: &[Home, Supporting], to: &[Ready] },
        Edge { from: &[Ready], command: TransferCommand::Depart, by: &[Home, Supporting], to: &[InTransit] },
        Edge {
            from: &[InTransit],
            command: TransferCommand::Arrive,
            by: &[Home, Supporting],
            to: &[Arrived],
        },
        Edge { from: &[Arrived], command: TransferCommand::Complete, by: &[Supporting], to: &[Completed] },
        Edge { from: &[Arrived], command: TransferCommand::Deploy, by: &[Home], to: &[Deployed] },
        Edge {
            from: &[Deployed, Extended],
            command: TransferCommand::Extend,
            by: &[Home, Supporting],
            to: &[Extended],
        },
        Edge {
            from: &[Completed, RepatriationDue],
            command: TransferCommand::Extend,
            by: &[Home, Supporting],
            to: &[],
        },
        Edge {
            from: &[Deployed, Extended],
            command: TransferCommand::Return,
            by: &[Supporting],
            to: &[Returned],
        },
        Edge {
            from: &[Completed],
            command: TransferCommand::CallBack,
            by: &[Supporting, Engine],
            to: &[RepatriationDue],
        },
        Edge {
            from: &[RepatriationDue],
            command: TransferCommand::SendBack,
            by: &[Supporting],
            to: &[Repatriating],
        },
        Edge { from: &[Repatriating], command: TransferCommand::ArriveBack, by: &[Home], to: &[Repatriated] },
        Edge {
            from: &[Planned, Ready, InTransit],
            command: TransferCommand::Abort,
            by: &[Home, Supporting, Team],
            to: &[Aborted],
        },
        Edge {
            from: &[
                Planned,
                Ready,
                InTransit,
                Arrived,
                Completed,
                RepatriationDue,
                Repatriating,
                Deployed,
                Extended,
            ],
            command: TransferCommand::Note,
            by: &[Home, Supporting, Team],
            to: &[],
        },
    ],
};

/// Returns the command that takes a transfer to a state, or `None` where no step does: PLANNED is where it starts, and
/// ABORTED needs a code.
#[must_use]
pub const fn command_to(state: TransferState) -> Option<TransferCommand> {
    match state {
        Planned | Aborted => None,
        Ready => Some(TransferCommand::Prepare),
        InTransit => Some(TransferCommand::Depart),
        Arrived => Some(TransferCommand::Arrive),
        Completed => Some(TransferCommand::Complete),
        RepatriationDue => Some(TransferCommand::CallBack),
        Repatriating => Some(TransferCommand::SendBack),
        Repatriated => Some(TransferCommand::ArriveBack),
        Deployed => Some(TransferCommand::Deploy),
        Extended => Some(TransferCommand::Extend),
        Returned => Some(TransferCommand::Return),
    }
}

/// Says whether what moves goes to the home trust and comes back: staff and items do, patients do not.
#[must_use]
pub const fn is_lent(kind: ResourceKind) -> bool {
    match kind {
        ResourceKind::Staff | ResourceKind::Equipment => true,
        ResourceKind::Bed | ResourceKind::Theatre | ResourceKind::Diagnostic | ResourceKind::VirtualWard => {
            false
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_command_and_party_has_the_stated_outcome() {
        super::super::check_table(
            &TABLE,
            TransferState::ALL,
            TransferCommand::ALL,
            "
                                              PLANNED READY      IN_TRANSIT ARRIVED   COMPLETED REPATRIATION_DUE REPATRIATING REPATRIATED DEPLOYED EXTENDED RETURNED ABORTED
            PREPARE     | home supporting   | READY   x          x          x         x         x                x            x           x        x        x        x
            DEPART      | home supporting   | x       IN_TRANSIT x          x         x         x                x            x           x        x        x        x
            ARRIVE      | home supporting   | x       x          ARRIVED    x         x         x                x            x           x        x        x        x
            COMPLETE    | supporting        | x       x          x          COMPLETED x         x                x            x           x        x        x        x
            DEPLOY      | home              | x       x          x          DEPLOYED  x         x                x            x           x        x        x        x
            EXTEND      | home supporting   | x       x          x          x         =         =                x            x           EXTENDED EXTENDED x        x
            RETURN      | supporting        | x       x          x          x         x         x                x            x           RETURNED RETURNED x        x
            CALL_BACK   | supporting engine | x       x          x          x         REPATRIATION_DUE x         x            x           x        x        x        x
            SEND_BACK   | supporting        | x       x          x          x         x         REPATRIATING     x            x           x        x        x        x
            ARRIVE_BACK | home              | x       x          x          x         x         x                REPATRIATED  x           x        x        x        x
            ABORT       | home supporting team | ABORTED ABORTED    ABORTED    x         x         x                x            x           x        x        x        x
            NOTE        | home supporting team | =       =          =          =         =         =                =            x           =        =        x        x
            ",
        );
    }

    #[test]
    fn each_state_is_reached_by_its_own_command() {
        for state in TransferState::ALL {
            if let Some(command) = command_to(*state) {
                assert!(TABLE.edges.iter().any(|e| e.command == command && e.to.contains(state)), "{state}");
            }
        }
    }
}
