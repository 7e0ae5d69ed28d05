//! Who agreed to a transfer, and when: what somebody asks first who finds it.

use fallow_api::v1::{Answer, Proposal, Transfer, answer, authority};
use jiff::Timestamp;
use prost_types::Timestamp as WireTimestamp;

use super::super::proposals::asked;
use crate::directory::Directory;
use crate::words::codes;
use crate::words::time::{Now, from_wire};

/// Returns `Agreed today 14:33 by Aldermoor (site lead, 14:31) and Dunmere (bed manager, 14:33)`; without those who said so
/// where the proposal cannot be read any more, and `None` where not even the time is known.
pub(super) fn said(
    transfer: &Transfer,
    proposal: Option<&Proposal>,
    now: &Now,
    directory: &Directory,
) -> Option<String> {
    let at = from_wire(transfer.agreed_at.as_ref())?;
    let agreed = format!("Agreed {}", now.clock(at));
    let Some(proposal) = proposal else { return Some(agreed) };
    let time = |one: Option<&WireTimestamp>| from_wire(one).map(|one| time(one, at, now));
    let yes = asked(proposal).filter(|(_, said)| said.state() == answer::State::Accepted);
    let sides: Vec<String> = yes
        .map(|(trust, said)| format!("{} ({})", directory.trust(trust), how(&said, time(said.at.as_ref()))))
        .collect();
    let by = match sides.split_last() {
        None => String::new(),
        Some((one, [])) => format!(" by {one}"),
        Some((last, others)) => format!(" by {} and {last}", others.join(", ")),
    };
    Some(format!("{agreed}{by}{}", approved(proposal, time)))
}

/// Writes when somebody said yes; the day only where it was another one than that of the agreement.
fn time(at: Timestamp, agreed: Timestamp, now: &Now) -> String {
    let day = |at: Timestamp| at.to_zoned(now.zone.clone()).date();
    if day(at) == day(agreed) { now.time_of_day(at) } else { now.clock(at) }
}

/// Says by whom a side said yes, and when.
fn how(said: &Answer, at: Option<String>) -> String {
    let who = match (said.agreement.is_empty(), said.role.as_str()) {
        (false, _) => Some("by standing agreement".to_owned()),
        (true, "") => None,
        (true, role) => Some(small(&codes::role(role))),
    };
    who.into_iter().chain(at).collect::<Vec<_>>().join(", ")
}

/// Says who above the trusts approved it.
fn approved(proposal: &Proposal, time: impl Fn(Option<&WireTimestamp>) -> Option<String>) -> String {
    let authority = proposal.authority.as_ref();
    authority.filter(|one| one.state() == authority::State::Approved).map_or_else(String::new, |one| {
        let at = time(one.at.as_ref()).map(|at| format!(", {at}")).unwrap_or_default();
        format!("; approved by {}{at}", small(&codes::role(&one.role)))
    })
}

/// Begins a name within a sentence small, unless it is made of capitals.
fn small(name: &str) -> String {
    let mut letters = name.chars();
    match (letters.next(), letters.next()) {
        (Some(_), Some(second)) if second.is_uppercase() => name.to_owned(),
        (Some(first), _) => first.to_lowercase().chain(name.chars().skip(1)).collect(),
        (None, _) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::time::to_wire;
    use fallow_api::v1::{Authority, LentTeam};
    use jiff::tz::TimeZone;

    fn at(text: &str) -> Option<prost_types::Timestamp> {
        Some(to_wire(format!("2026-11-24T{text}:00Z").parse().unwrap()))
    }

    fn yes(role: &str, time: &str) -> Answer {
        Answer {
            state: answer::State::Accepted.into(),
            role: role.to_owned(),
            at: at(time),
            ..Answer::default()
        }
    }

    fn told(transfer: &Transfer, proposal: Option<&Proposal>) -> Option<String> {
        let now = Now { at: "2026-11-24T15:00:00Z".parse().unwrap(), zone: TimeZone::UTC };
        said(transfer, proposal, &now, &Directory::default())
    }

    #[test]
    fn each_side_stands_with_its_role_and_its_time() {
        let transfer = Transfer { agreed_at: at("14:33"), ..Transfer::default() };
        assert_eq!(told(&transfer, None).as_deref(), Some("Agreed today 14:33"));
        assert_eq!(told(&Transfer::default(), None), None);
        let mut proposal = Proposal {
            supporting_trust: "ZA1".to_owned(),
            home_trust: "ZA4".to_owned(),
            supporting: Some(yes("site_lead", "14:31")),
            home: Some(yes("bed_manager", "14:33")),
            ..Proposal::default()
        };
        assert_eq!(
            told(&transfer, Some(&proposal)).unwrap(),
            "Agreed today 14:33 by ZA1 (site lead, 14:31) and ZA4 (bed manager, 14:33)"
        );
        proposal.supporting = Some(Answer { agreement: "winter".to_owned(), ..yes("", "14:31") });
        proposal.team = Some(LentTeam {
            trust: "ZA3".to_owned(),
            answer: Some(yes("site_lead", "14:32")),
            ..LentTeam::default()
        });
        proposal.authority = Some(Authority {
            state: authority::State::Approved.into(),
            role: "icb".to_owned(),
            at: at("14:30"),
            ..Authority::default()
        });
        assert_eq!(
            told(&transfer, Some(&proposal)).unwrap(),
            "Agreed today 14:33 by ZA1 (by standing agreement, 14:31), ZA4 (bed manager, 14:33) and ZA3 \
             (site lead, 14:32); approved by integrated care board, 14:30"
        );
    }

    #[test]
    fn who_has_not_said_yes_did_not_agree() {
        let transfer = Transfer { agreed_at: at("14:33"), ..Transfer::default() };
        let proposal = Proposal {
            supporting_trust: "ZA1".to_owned(),
            home_trust: "ZA4".to_owned(),
            home: Some(yes("bed_manager", "14:33")),
            ..Proposal::default()
        };
        let said = told(&transfer, Some(&proposal)).unwrap();
        assert_eq!(said, "Agreed today 14:33 by ZA4 (bed manager, 14:33)");
    }
}
