//! What people answer to a proposal, and after how long. The same seed, case and trusts give the same answer.

use fallow_api::v1::DeclineReason;

use super::dice::Dice;

/// Which side of a proposal somebody answers for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// The trust whose offer it is.
    Supporting,
    /// The trust whose need it is.
    Home,
    /// The trust whose team it is, where the session has none.
    Lender,
}

/// An answer, and after how many minutes it comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reply {
    /// Yes.
    Accept {
        /// After so many minutes.
        after: i64,
        /// To half of the units, where there are several.
        part: bool,
    },
    /// Probably yes, and yes somewhat later.
    Provisional {
        /// After so many minutes.
        after: i64,
        /// So many minutes from then.
        then: i64,
    },
    /// No.
    Decline {
        /// After so many minutes.
        after: i64,
        /// Why.
        reason: DeclineReason,
    },
    /// Nobody looks at it.
    Silence,
}

/// Reasons of a supporting trust, the usual ones more often.
const SUPPORTING: [DeclineReason; 6] = [
    DeclineReason::Staffing,
    DeclineReason::Staffing,
    DeclineReason::CapacityChanged,
    DeclineReason::CapacityChanged,
    DeclineReason::CaseMix,
    DeclineReason::InfectionControl,
];

/// Reasons of a trust that lends a team.
const LENDER: [DeclineReason; 2] = [DeclineReason::Staffing, DeclineReason::CapacityChanged];

/// Reasons of a home trust.
const HOME: [DeclineReason; 4] = [
    DeclineReason::PatientDeclined,
    DeclineReason::NotFit,
    DeclineReason::TooFarForPatient,
    DeclineReason::NoTransport,
];

/// Returns what the people of `own` answer about some units of a case when the other trust is `other`. The unhurried take
/// longer and leave more.
pub(super) fn reply(
    seed: u64,
    side: Side,
    (case_ref, units): (&str, i64),
    (own, other): (&str, &str),
    unhurried: bool,
) -> Reply {
    let mut dice = Dice::named(seed, &format!("{side:?} {case_ref} {units} {own} {other}"));
    let after = if unhurried { dice.between(9, 45) } else { dice.between(2, 9) };
    let (then, part) = (dice.between(6, 14), dice.chance(30));
    // Accept, provisional, decline, silence.
    let weights = match (side, unhurried) {
        (Side::Supporting | Side::Lender, false) => [70, 9, 14, 7],
        (Side::Supporting | Side::Lender, true) => [46, 8, 11, 35],
        (Side::Home, false) => [90, 0, 6, 4],
        (Side::Home, true) => [60, 0, 5, 35],
    };
    let reasons: &[DeclineReason] = match side {
        Side::Supporting => &SUPPORTING,
        Side::Lender => &LENDER,
        Side::Home => &HOME,
    };
    match dice.weighted(&weights) {
        0 => Reply::Accept { after, part: part && side == Side::Supporting },
        1 => Reply::Provisional { after, then },
        2 => Reply::Decline { after, reason: dice.pick(reasons).copied().unwrap_or(DeclineReason::Other) },
        _ => Reply::Silence,
    }
}

/// Minutes that the steps of a transfer take from the agreement on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pace {
    /// Between two items of the checklist.
    pub(super) item: i64,
    /// From ready to leaving.
    pub(super) leaving: i64,
    /// On the way.
    pub(super) way: i64,
    /// From arrival until it is finished.
    pub(super) finishing: i64,
    /// From finished until the way back, where one is planned, in hours.
    pub(super) stay_hours: i64,
    /// Called off on the way to being ready.
    pub(super) is_aborted: bool,
}

/// Returns how fast the transfer of a case moves.
pub(super) fn pace(seed: u64, case_ref: &str) -> Pace {
    let mut dice = Dice::named(seed, &format!("transfer {case_ref}"));
    Pace {
        item: dice.between(4, 12),
        leaving: dice.between(5, 25),
        way: dice.between(18, 48),
        finishing: dice.between(15, 60),
        stay_hours: dice.between(18, 60),
        is_aborted: dice.chance(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(side: Side, unhurried: bool) -> Vec<Reply> {
        (0..2_000).map(|case| reply(1, side, (&format!("LC-{case}"), 1), ("ZA3", "ZA2"), unhurried)).collect()
    }

    #[test]
    fn people_answer_in_every_way_and_mostly_say_yes() {
        let share = |side, unhurried, what: fn(&Reply) -> bool| {
            replies(side, unhurried).iter().filter(|reply| what(reply)).count() * 100 / 2_000
        };
        let yes = |reply: &Reply| matches!(reply, Reply::Accept { .. });
        let no = |reply: &Reply| matches!(reply, Reply::Decline { .. });
        let silent = |reply: &Reply| matches!(reply, Reply::Silence);
        let maybe = |reply: &Reply| matches!(reply, Reply::Provisional { .. });
        assert!((64..76).contains(&share(Side::Supporting, false, yes)));
        assert!((10..18).contains(&share(Side::Supporting, false, no)));
        assert!((4..11).contains(&share(Side::Supporting, false, silent)));
        assert!((28..42).contains(&share(Side::Supporting, true, silent)));
        assert!(share(Side::Supporting, false, maybe) > 4);
        assert_eq!(share(Side::Home, false, maybe), 0);
        assert_eq!(replies(Side::Home, true), replies(Side::Home, true));
    }

    #[test]
    fn some_transfers_are_called_off_and_none_takes_all_day() {
        let paces: Vec<Pace> = (0..1_000).map(|case| pace(5, &format!("LC-{case}"))).collect();
        let aborted = paces.iter().filter(|pace| pace.is_aborted).count();
        assert!((20..70).contains(&aborted), "{aborted}");
        assert!(paces.iter().all(|pace| 4 * pace.item + pace.leaving + pace.way + pace.finishing < 240));
    }
}
