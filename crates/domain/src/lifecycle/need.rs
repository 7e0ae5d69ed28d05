//! The lifecycle of a need.

use super::Party::{Authority, Engine, Gold, Home, Other};
use super::{Edge, Table};
use crate::need::NeedState::{
    self, Agreed, Expired, Met, OnHold, Open, PartAgreed, Proposed, ResolvedOutside, Unmet, Withdrawn,
};
use crate::resource::coded;

coded!(
    /// What can be asked of a need.
    NeedCommand {
        /// Other figures or facts.
        Amend = "AMEND",
        /// Somebody asks whether it still stands.
        AskToValidate = "ASK_TO_VALIDATE",
        /// It still stands, as far as it does.
        Validate = "VALIDATE",
        /// Parked until a review.
        Park = "PARK",
        /// Looked for again.
        Resume = "RESUME",
        /// Taken back.
        Withdraw = "WITHDRAW",
        /// Solved without Fallow.
        ResolveOutside = "RESOLVE_OUTSIDE",
        /// A hold of the engine.
        Hold = "HOLD",
        /// A proposal or transfer moved its gauges: the state follows from them.
        Settle = "SETTLE",
        /// Its needed-by has passed.
        GiveUp = "GIVE_UP",
        /// Nobody came back to it after its review.
        Expire = "EXPIRE",
    }
);

/// The table of needs.
pub const TABLE: Table<NeedState, NeedCommand> = Table {
    record: "need",
    births: &[Open],
    edges: &[
        Edge {
            from: &[Open, Proposed, PartAgreed, Agreed],
            command: NeedCommand::Amend,
            by: &[Home],
            to: &[Open, Proposed, PartAgreed, Agreed, Met],
        },
        Edge { from: &[OnHold], command: NeedCommand::Amend, by: &[Home], to: &[OnHold, Met] },
        Edge {
            from: &[Open, Proposed, PartAgreed, OnHold],
            command: NeedCommand::AskToValidate,
            by: &[Authority, Gold, Other],
            to: &[],
        },
        Edge {
            from: &[Open, Proposed, PartAgreed, OnHold],
            command: NeedCommand::Validate,
            by: &[Home],
            to: &[],
        },
        Edge {
            from: &[Open, Proposed, PartAgreed, OnHold],
            command: NeedCommand::Park,
            by: &[Home],
            to: &[OnHold],
        },
        Edge {
            from: &[OnHold],
            command: NeedCommand::Resume,
            by: &[Home],
            to: &[Open, Proposed, PartAgreed, Agreed],
        },
        Edge {
            from: &[Open, Proposed, PartAgreed, Agreed, OnHold],
            command: NeedCommand::Withdraw,
            by: &[Home],
            to: &[Withdrawn],
        },
        Edge {
            from: &[Open, Proposed, PartAgreed, Agreed, OnHold],
            command: NeedCommand::ResolveOutside,
            by: &[Home],
            to: &[ResolvedOutside],
        },
        Edge {
            from: &[Open, Proposed, PartAgreed],
            command: NeedCommand::Hold,
            by: &[Engine],
            to: &[Proposed, PartAgreed, Agreed],
        },
        Edge {
            from: &[Open, Proposed, PartAgreed, Agreed],
            command: NeedCommand::Settle,
            by: &[Engine],
            to: &[Open, Proposed, PartAgreed, Agreed, Met],
        },
        Edge { from: &[OnHold], command: NeedCommand::Settle, by: &[Engine], to: &[OnHold, Met] },
        Edge {
            from: &[Open, Proposed, PartAgreed, OnHold],
            command: NeedCommand::GiveUp,
            by: &[Engine],
            to: &[Unmet],
        },
        Edge { from: &[OnHold], command: NeedCommand::Expire, by: &[Engine], to: &[Expired] },
    ],
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_command_and_party_has_the_stated_outcome() {
        const FOLLOWS: &str = "OPEN+PROPOSED+PART_AGREED+AGREED+MET";
        let statement = "
                               OPEN    PROPOSED PART_AGREED AGREED  MET ON_HOLD WITHDRAWN EXPIRED UNMET RESOLVED_OUTSIDE
            AMEND           | home   | FOLLOWS FOLLOWS  FOLLOWS     FOLLOWS x   ON_HOLD+MET x     x       x     x
            ASK_TO_VALIDATE | authority gold other | = = = x x = x x x x
            VALIDATE        | home   | =       =        =           x       x   =       x         x       x     x
            PARK            | home   | ON_HOLD ON_HOLD  ON_HOLD     x       x   ON_HOLD x         x       x     x
            RESUME          | home   | x       x        x           x       x   OPEN+PROPOSED+PART_AGREED+AGREED x x x x
            WITHDRAW        | home   | WITHDRAWN WITHDRAWN WITHDRAWN WITHDRAWN x WITHDRAWN x      x       x     x
            RESOLVE_OUTSIDE | home   | RESOLVED_OUTSIDE RESOLVED_OUTSIDE RESOLVED_OUTSIDE RESOLVED_OUTSIDE x RESOLVED_OUTSIDE x x x x
            HOLD            | engine | PROPOSED+PART_AGREED+AGREED PROPOSED+PART_AGREED+AGREED PROPOSED+PART_AGREED+AGREED x x x x x x x
            SETTLE          | engine | FOLLOWS FOLLOWS  FOLLOWS     FOLLOWS x   ON_HOLD+MET x     x       x     x
            GIVE_UP         | engine | UNMET   UNMET    UNMET       x       x   UNMET   x         x       x     x
            EXPIRE          | engine | x       x        x           x       x   EXPIRED x         x       x     x
        ";
        super::super::check_table(
            &TABLE,
            NeedState::ALL,
            NeedCommand::ALL,
            &statement.replace("FOLLOWS", FOLLOWS),
        );
    }

    #[test]
    fn an_ended_need_stays_ended() {
        for ended in NeedState::ALL.iter().filter(|s| s.is_ended()) {
            for to in NeedState::ALL.iter().filter(|to| *to != ended) {
                assert!(!TABLE.is_legal(*ended, *to), "{ended} to {to}");
            }
        }
    }
}
