//! What happened to one transfer, from the need on.

use fallow_api::v1::{Answer, Need, Proposal, Transfer, answer, transfer};
use jiff::Timestamp;

use crate::directory::Directory;
use crate::words::codes;
use crate::words::time::{Now, from_wire};

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moment {
    /// `14:31`, with the day when it was another one.
    pub(super) time: String,
    pub(super) text: String,
}

/// Returns what is known to have happened, oldest first.
pub(super) fn of(
    transfer: &Transfer,
    need: Option<&Need>,
    proposal: Option<&Proposal>,
    now: &Now,
    directory: &Directory,
) -> Vec<Moment> {
    let mut all: Vec<(Timestamp, String)> = Vec::new();
    let mut add = |at: Option<Timestamp>, text: String| all.extend(at.map(|at| (at, text)));
    if let Some(need) = need {
        let home = directory.trust(&need.trust);
        add(from_wire(need.raised_at.as_ref()), format!("Need raised ({home})"));
    }
    if let Some(proposal) = proposal {
        let rank = proposal.explanation.as_ref().and_then(|why| why.rank);
        let rank = rank.map_or_else(String::new, |rank| format!(", rank {} of {}", rank.position, rank.of));
        add(from_wire(proposal.proposed_at.as_ref()), format!("Proposed{rank}"));
        let sides = [
            (&proposal.supporting_trust, proposal.supporting.as_ref()),
            (&proposal.home_trust, proposal.home.as_ref()),
        ];
        let lender = proposal.team.as_ref().map(|team| (&team.trust, team.answer.as_ref()));
        for (trust, said) in sides.into_iter().chain(lender) {
            if let Some(said) = said {
                add(from_wire(said.at.as_ref()), answered(directory.trust(trust), said));
            }
        }
    }
    add(from_wire(transfer.agreed_at.as_ref()), "Agreed: the transfer began".to_owned());
    for item in &transfer.checklist {
        add(from_wire(item.done_at.as_ref()), format!("{}{}", item.name, by(&item.done_by, "", directory)));
    }
    for step in transfer.steps.iter().filter(|step| step.state() != transfer::State::Planned) {
        let why = match step.state() {
            transfer::State::Aborted => format!(": {}", codes::decline(transfer.abort_reason())),
            transfer::State::Unspecified
            | transfer::State::Planned
            | transfer::State::Ready
            | transfer::State::InTransit
            | transfer::State::Arrived
            | transfer::State::Completed
            | transfer::State::RepatriationDue
            | transfer::State::Repatriating
            | transfer::State::Repatriated
            | transfer::State::Deployed
            | transfer::State::Extended
            | transfer::State::Returned => String::new(),
        };
        let text = codes::transfer_state(step.state()).text;
        add(from_wire(step.at.as_ref()), format!("{text}{why}{}", by(&step.role, &step.trust, directory)));
    }
    // Stable: what happened in one moment stays in the order in which it must have.
    all.sort_by_key(|(at, _)| *at);
    let day = |at: Timestamp| at.to_zoned(now.zone.clone()).date();
    let time = |at| if day(at) == day(now.at) { now.time_of_day(at) } else { now.clock(at) };
    all.into_iter().map(|(at, text)| Moment { time: time(at), text: sentence(&text) }).collect()
}

fn answered(trust: &str, said: &Answer) -> String {
    let role = if said.role.is_empty() { String::new() } else { format!(" ({})", codes::role(&said.role)) };
    let what = match said.state() {
        answer::State::Accepted if !said.agreement.is_empty() => "accepted by standing agreement",
        answer::State::Accepted => "accepted",
        answer::State::Provisional => "said probably",
        answer::State::Declined => "declined",
        answer::State::Unspecified | answer::State::Pending => "was asked",
    };
    format!("{trust} {what}{role}")
}

/// Says who did it, where that is known.
fn by(role: &str, trust: &str, directory: &Directory) -> String {
    match (role, trust) {
        ("", "") => String::new(),
        ("", trust) => format!(" ({})", directory.trust(trust)),
        (role, "") => format!(" ({})", codes::role(role)),
        (role, trust) => format!(" ({}, {})", codes::role(role), directory.trust(trust)),
    }
}

/// Begins a text with a capital.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::time::to_wire;
    use fallow_api::v1::ChecklistItem;
    use jiff::tz::TimeZone;

    fn at(text: &str) -> Option<prost_types::Timestamp> {
        Some(to_wire(text.parse().unwrap()))
    }

    #[test]
    fn everything_that_is_known_is_told_in_order() {
        let need = Need { trust: "ZA4".to_owned(), raised_at: at("2026-11-24T14:25:00Z"), ..Need::default() };
        let proposal = Proposal {
            supporting_trust: "ZA1".to_owned(),
            home_trust: "ZA4".to_owned(),
            proposed_at: at("2026-11-24T14:26:00Z"),
            supporting: Some(Answer {
                state: answer::State::Accepted.into(),
                at: at("2026-11-24T14:31:00Z"),
                role: "site_lead".to_owned(),
                ..Answer::default()
            }),
            ..Proposal::default()
        };
        let step = |state: transfer::State, text: &str| transfer::Step {
            state: state.into(),
            at: at(text),
            role: "bed_manager".to_owned(),
            trust: "ZA4".to_owned(),
        };
        let transfer = Transfer {
            agreed_at: at("2026-11-24T14:33:00Z"),
            steps: vec![
                step(transfer::State::Planned, "2026-11-24T14:33:00Z"),
                step(transfer::State::Aborted, "2026-11-24T14:50:00Z"),
            ],
            checklist: vec![ChecklistItem {
                name: "clinical handover".to_owned(),
                done_at: at("2026-11-24T14:41:00Z"),
                done_by: "bed_manager".to_owned(),
            }],
            abort_reason: fallow_api::v1::DeclineReason::NotFit.into(),
            ..Transfer::default()
        };
        let now = Now {
            at: "2026-11-24T15:00:00Z".parse().unwrap(),
            zone: TimeZone::get("Europe/London").unwrap(),
        };
        let told = of(&transfer, Some(&need), Some(&proposal), &now, &Directory::default());
        let told: Vec<String> = told.into_iter().map(|one| format!("{} {}", one.time, one.text)).collect();
        assert_eq!(
            told,
            [
                "14:25 Need raised (ZA4)",
                "14:26 Proposed",
                "14:31 ZA1 accepted (Site lead)",
                "14:33 Agreed: the transfer began",
                "14:41 Clinical handover (Bed manager)",
                "14:50 Aborted: Not fit to move (Bed manager, ZA4)",
            ]
        );
    }
}
