//! The lifecycle of an offer.

use super::Party::{Authority, Engine, Gold, Other, Supporting};
use super::{Edge, Table};
use crate::offer::OfferState::{self, Closed, Expired, Open, Suspended, Withdrawn};
use crate::resource::coded;

coded!(
    /// What can be asked of an offer.
    OfferCommand {
        /// New absolute figures.
        Report = "REPORT",
        /// So many more or fewer free.
        Adjust = "ADJUST",
        /// The figures are still true.
        Confirm = "CONFIRM",
        /// Somebody else asks whether the figures are still true.
        Ask = "ASK",
        /// No new holds for a while.
        Suspend = "SUSPEND",
        /// New holds again.
        Resume = "RESUME",
        /// Taken back.
        Withdraw = "WITHDRAW",
        /// A whole state of its site does not name it.
        LeaveOut = "LEAVE_OUT",
        /// A hold of the engine.
        Hold = "HOLD",
        /// Its window has passed.
        Expire = "EXPIRE",
    }
);

/// The table of offers.
pub const TABLE: Table<OfferState, OfferCommand> = Table {
    record: "offer",
    births: &[Open],
    edges: &[
        Edge { from: &[Open], command: OfferCommand::Report, by: &[Supporting], to: &[] },
        // An offer that was suspended because a sheet left it out opens when a sheet names it again.
        Edge { from: &[Suspended], command: OfferCommand::Report, by: &[Supporting], to: &[Suspended, Open] },
        Edge { from: &[Open, Suspended], command: OfferCommand::Adjust, by: &[Supporting], to: &[] },
        Edge { from: &[Open, Suspended], command: OfferCommand::Confirm, by: &[Supporting], to: &[] },
        Edge { from: &[Open, Suspended], command: OfferCommand::Ask, by: &[Authority, Gold, Other], to: &[] },
        Edge {
            from: &[Open, Suspended],
            command: OfferCommand::Suspend,
            by: &[Supporting],
            to: &[Suspended],
        },
        Edge { from: &[Suspended], command: OfferCommand::Resume, by: &[Supporting, Engine], to: &[Open] },
        Edge {
            from: &[Open, Suspended],
            command: OfferCommand::Withdraw,
            by: &[Supporting],
            to: &[Withdrawn],
        },
        Edge {
            from: &[Open, Suspended],
            command: OfferCommand::LeaveOut,
            by: &[Supporting],
            to: &[Withdrawn, Suspended],
        },
        Edge { from: &[Open], command: OfferCommand::Hold, by: &[Engine], to: &[] },
        // CLOSED when all of it was used, EXPIRED when some was not.
        Edge {
            from: &[Open, Suspended],
            command: OfferCommand::Expire,
            by: &[Engine],
            to: &[Closed, Expired],
        },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_command_and_party_has_the_stated_outcome() {
        super::super::check_table(
            &TABLE,
            OfferState::ALL,
            OfferCommand::ALL,
            "
                                        OPEN                SUSPENDED           CLOSED WITHDRAWN EXPIRED
            REPORT    | supporting        | =                   SUSPENDED+OPEN      x      x         x
            ADJUST    | supporting        | =                   =                   x      x         x
            CONFIRM   | supporting        | =                   =                   x      x         x
            ASK       | authority gold other | =                =                   x      x         x
            SUSPEND   | supporting        | SUSPENDED           SUSPENDED           x      x         x
            RESUME    | supporting engine | x                   OPEN                x      x         x
            WITHDRAW  | supporting        | WITHDRAWN           WITHDRAWN           x      x         x
            LEAVE_OUT | supporting        | WITHDRAWN+SUSPENDED WITHDRAWN+SUSPENDED x      x         x
            HOLD      | engine            | =                   x                   x      x         x
            EXPIRE    | engine            | CLOSED+EXPIRED      CLOSED+EXPIRED      x      x         x
            ",
        );
    }

    #[test]
    fn an_ended_offer_stays_ended() {
        for ended in OfferState::ALL.iter().filter(|s| s.is_ended()) {
            for to in OfferState::ALL.iter().filter(|to| *to != ended) {
                assert!(!TABLE.is_legal(*ended, *to), "{ended} to {to}");
            }
        }
    }
}
