//! Answers of trusts: what a side says.

use fallow_domain::decide::proposal::{HomeReply, Reply, SupportingReply};
use fallow_domain::ids::TrustCode;
use fallow_domain::proposal::{HomeDecline, Proposal, SupportingDecline};
use fallow_domain::quantity::Count;

use super::codes::Coded;
use super::{Check, FIGURE_MAX};
use crate::{reasons, v1};

/// For which side a trust speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Speaks {
    /// The supporting trust's.
    Supporting,
    /// The home trust's; also whoever has no side, whom the decision refuses.
    Home,
    /// That of the trust that lends a team.
    Team,
}

impl Speaks {
    /// Returns the side of a proposal for which a trust speaks.
    #[must_use]
    pub fn of(proposal: &Proposal, trust: TrustCode) -> Self {
        if proposal.supporting_trust == trust {
            Self::Supporting
        } else if proposal.third_trust() == Some(trust) {
            Self::Team
        } else {
            Self::Home
        }
    }
}

/// Parses what a side says.
pub fn reply(check: &mut Check<'_>, message: &v1::AnswerProposalRequest, speaks: Speaks) -> Option<Reply> {
    match speaks {
        Speaks::Supporting => giving(check, message).map(Reply::Supporting),
        Speaks::Home => home(check, message).map(Reply::Home),
        Speaks::Team => giving(check, message).map(Reply::Team),
    }
}

/// Parses what a trust says that gives something.
fn giving(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<SupportingReply> {
    match verdict(check, message)? {
        v1::Verdict::Accept => Some(SupportingReply::Accept { units: units(check, message)? }),
        v1::Verdict::Provisional => Some(SupportingReply::Provisional),
        v1::Verdict::Decline => {
            let code = check.coded::<SupportingDecline>("reason", message.reason);
            let set_free = match message.set_free {
                Some(free) => check.number("set_free", free, 0, FIGURE_MAX).map(Count::new).map(Some),
                None => Some(None),
            };
            Some(SupportingReply::Decline { code: code?, set_free: set_free? })
        }
        v1::Verdict::Unspecified => None,
    }
}

fn home(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<HomeReply> {
    if message.set_free.is_some() {
        check.wrong("set_free", reasons::NOT_APPLICABLE, "is for the trust to say whose offer it is");
        return None;
    }
    match verdict(check, message)? {
        v1::Verdict::Accept => Some(HomeReply::Accept { units: units(check, message)? }),
        v1::Verdict::Decline => {
            Some(HomeReply::Decline { code: check.coded::<HomeDecline>("reason", message.reason)? })
        }
        v1::Verdict::Provisional => {
            check.wrong(
                "verdict",
                reasons::NOT_APPLICABLE,
                "only a trust that gives something answers provisionally",
            );
            None
        }
        v1::Verdict::Unspecified => None,
    }
}

/// Parses the verdict, and refuses what belongs to another one.
fn verdict(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<v1::Verdict> {
    let verdict = match v1::Verdict::try_from(message.verdict) {
        Ok(v1::Verdict::Unspecified) => {
            check.wrong("verdict", reasons::REQUIRED, "must be ACCEPT, PROVISIONAL or DECLINE");
            return None;
        }
        Ok(verdict) => verdict,
        Err(_) => {
            check.wrong("verdict", reasons::UNKNOWN_VALUE, "must be ACCEPT, PROVISIONAL or DECLINE");
            return None;
        }
    };
    let (is_accept, is_decline) = (verdict == v1::Verdict::Accept, verdict == v1::Verdict::Decline);
    let misplaced = [
        ("units", message.units != 0 && !is_accept, "goes with ACCEPT"),
        ("reason", message.reason != 0 && !is_decline, "goes with DECLINE"),
        ("set_free", message.set_free.is_some() && !is_decline, "goes with DECLINE"),
    ];
    for (field, is_misplaced, text) in misplaced {
        if is_misplaced {
            check.wrong(field, reasons::NOT_APPLICABLE, text);
        }
    }
    check.is_clean().then_some(verdict)
}

/// Parses how many units are accepted; the outer `None` is a violation, the inner one means all.
///
/// Whether so many are proposed is for the decision to say: a repeated answer must find its first outcome although the
/// proposal has shrunk since.
fn units(check: &mut Check<'_>, message: &v1::AnswerProposalRequest) -> Option<Option<Count>> {
    if message.units == 0 {
        return Some(None);
    }
    check.number("units", message.units, 1, FIGURE_MAX).map(Count::new).map(Some)
}

/// Writes what a side says as the request that says it, for a proposal.
#[must_use]
pub fn to_wire(proposal: &str, reply: Reply, note: &str) -> v1::AnswerProposalRequest {
    let units = |units: Option<Count>| units.map_or(0, |units| i64::from(units.get()));
    let (verdict, units, reason, set_free) = match reply {
        Reply::Supporting(said) | Reply::Team(said) => match said {
            SupportingReply::Accept { units: some } => (v1::Verdict::Accept, units(some), 0, None),
            SupportingReply::Provisional => (v1::Verdict::Provisional, 0, 0, None),
            SupportingReply::Decline { code, set_free } => {
                (v1::Verdict::Decline, 0, code.to_wire(), set_free.map(|free| i64::from(free.get())))
            }
        },
        Reply::Home(said) => match said {
            HomeReply::Accept { units: some } => (v1::Verdict::Accept, units(some), 0, None),
            HomeReply::Decline { code } => (v1::Verdict::Decline, 0, code.to_wire(), None),
        },
    };
    v1::AnswerProposalRequest {
        proposal: proposal.to_owned(),
        verdict: verdict.into(),
        units,
        reason,
        set_free,
        note: note.to_owned(),
        ..v1::AnswerProposalRequest::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_side_says_is_read_back_from_its_request() {
        let some = Some(Count::from(2));
        let giving = [
            SupportingReply::Accept { units: None },
            SupportingReply::Accept { units: some },
            SupportingReply::Provisional,
            SupportingReply::Decline { code: SupportingDecline::CaseMix, set_free: some },
        ];
        let homes = [HomeReply::Accept { units: some }, HomeReply::Decline { code: HomeDecline::NotFit }];
        let all = giving
            .into_iter()
            .flat_map(|said| {
                [(Speaks::Supporting, Reply::Supporting(said)), (Speaks::Team, Reply::Team(said))]
            })
            .chain(homes.map(|said| (Speaks::Home, Reply::Home(said))));
        for (speaks, said) in all {
            let mut check = Check::new("");
            assert_eq!(reply(&mut check, &to_wire("p-1", said, ""), speaks), Some(said));
            assert!(check.is_clean());
        }
    }
}
