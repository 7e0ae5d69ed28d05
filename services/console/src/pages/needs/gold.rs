//! What happens to a need for which nothing is proposed if nothing changes: when it is unmet, and when gold is told, or was.

use fallow_api::v1::{ListAlertsRequest, ListAlertsResponse, Need, UnservedExplanation, alert};
use jiff::Timestamp;

use super::super::alerts::owner;
use crate::app::Visit;
use crate::directory::Directory;
use crate::words::time::{Now, from_wire};

/// The rule that tells gold of needs, as the wire has it.
const RULE: &str = "need_unserved";

/// Most alerts of the need's trust that are looked through.
const LOOKED_THROUGH: i32 = 200;

/// Reads what gold was told of the trust's needs and which rules alarm nobody; nothing where the monitor does not answer.
pub(super) async fn alerts(visit: &Visit, need: &Need) -> ListAlertsResponse {
    let trusts = vec![need.trust.clone()];
    let ask = ListAlertsRequest { page_size: LOOKED_THROUGH, trusts, ..ListAlertsRequest::default() };
    visit.calls.monitor().list_alerts(ask).await.map(tonic::Response::into_inner).unwrap_or_default()
}

/// Says what comes if nothing changes: `If nothing changes this is unmet at 20:00. Gold is told at 19:00.`
pub(super) fn said(
    need: &Need,
    unserved: &UnservedExplanation,
    alerts: &ListAlertsResponse,
    now: &Now,
    directory: &Directory,
) -> Option<String> {
    let needed_by = from_wire(need.needed_by.as_ref()).filter(|by| unserved.unserved > 0 && *by > now.at);
    let unmet = needed_by.map(|by| format!("If nothing changes this is unmet {}.", at(by, now)));
    let told = told(need, unserved, alerts, now, directory);
    let all: Vec<String> = unmet.into_iter().chain(told).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

/// Says when gold is told, or was. What is due by the rule and stands in no alert was closed by somebody: of it nothing is
/// said.
fn told(
    need: &Need,
    unserved: &UnservedExplanation,
    alerts: &ListAlertsResponse,
    now: &Now,
    directory: &Directory,
) -> Option<String> {
    let is_of_it = |alert: &&fallow_api::v1::Alert| alert.rule == RULE && alert.subjects.contains(&need.id);
    if let Some(alert) = alerts.alerts.iter().find(is_of_it) {
        let raised = at(from_wire(alert.raised_at.as_ref())?, now);
        return Some(match alert.state() {
            _ if alert.digest => {
                format!(
                    "It stands in gold\u{2019}s digest, raised {raised}, which alarms nobody: ring gold if it cannot wait."
                )
            }
            alert::State::Taken => {
                format!("Gold was told {raised}; taken by {}.", owner(&alert.owner, directory))
            }
            alert::State::Raised | alert::State::Closed | alert::State::Unspecified => {
                format!("Gold was told {raised}; nobody has taken it yet.")
            }
        });
    }
    let then = from_wire(unserved.gold_told_at.as_ref()).filter(|then| *then > now.at)?;
    let then = at(then, now);
    Some(if alerts.digest_rules.iter().any(|rule| rule == RULE) {
        format!("It goes into gold\u{2019}s digest {then}, which alarms nobody: ring gold if it cannot wait.")
    } else {
        format!("Gold is told {then}.")
    })
}

/// Writes a time as a sentence has it: `at 20:00` of today, else `tomorrow at 08:00`.
fn at(time: Timestamp, now: &Now) -> String {
    let clock = now.clock(time);
    match clock.rsplit_once(' ') {
        Some(("today", time)) => format!("at {time}"),
        Some((day, time)) => format!("{day} at {time}"),
        None => clock,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::time::to_wire;
    use fallow_api::v1::{Alert, Region, Trust};

    fn time(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    /// What is said at 14:32 of a need that is due at 20:00, of which gold is told at `told`.
    fn said_of(told: Option<&str>, alerts: &ListAlertsResponse) -> String {
        let now = Now { at: time("2026-11-24T14:32:00Z"), zone: jiff::tz::TimeZone::UTC };
        let need = Need {
            id: "n-4".to_owned(),
            needed_by: Some(to_wire(time("2026-11-24T20:00:00Z"))),
            ..Need::default()
        };
        let unserved = UnservedExplanation {
            unserved: 1,
            gold_told_at: told.map(|at| to_wire(time(at))),
            ..UnservedExplanation::default()
        };
        let dunmere = Trust { ods: "ZA4".to_owned(), name: "Dunmere".to_owned(), ..Trust::default() };
        let vale = Directory::new(Region { trusts: vec![dunmere], ..Region::default() });
        said(&need, &unserved, alerts, &now, &vale).unwrap_or_default()
    }

    fn alert(subject: &str, owner: &str, digest: bool) -> ListAlertsResponse {
        let state = if owner.is_empty() { alert::State::Raised } else { alert::State::Taken };
        let alert = Alert {
            rule: RULE.to_owned(),
            subjects: vec![subject.to_owned()],
            raised_at: Some(to_wire(time("2026-11-24T14:05:00Z"))),
            owner: owner.to_owned(),
            state: state.into(),
            digest,
            ..Alert::default()
        };
        ListAlertsResponse { alerts: vec![alert], ..ListAlertsResponse::default() }
    }

    #[test]
    fn when_gold_is_told_is_said_and_never_guessed() {
        let nobody = ListAlertsResponse::default();
        let unmet = "If nothing changes this is unmet at 20:00.";
        let at_seven = Some("2026-11-24T19:00:00Z");
        assert_eq!(said_of(at_seven, &nobody), format!("{unmet} Gold is told at 19:00."));
        assert_eq!(said_of(None, &nobody), unmet, "the rule is off");
        let past = Some("2026-11-24T14:00:00Z");
        assert_eq!(said_of(past, &nobody), unmet, "somebody has closed it");
        assert_eq!(said_of(past, &alert("n-9", "", false)), unmet, "it is of another need");
        assert_eq!(
            said_of(past, &alert("n-4", "", false)),
            format!("{unmet} Gold was told at 14:05; nobody has taken it yet.")
        );
        assert_eq!(
            said_of(past, &alert("n-4", "bed_manager ZA4", false)),
            format!("{unmet} Gold was told at 14:05; taken by Bed manager, Dunmere.")
        );
    }

    #[test]
    fn a_digest_is_no_alarm_and_is_not_called_one() {
        let digest =
            ListAlertsResponse { digest_rules: vec![RULE.to_owned()], ..ListAlertsResponse::default() };
        let said = said_of(Some("2026-11-24T19:00:00Z"), &digest);
        assert!(said.contains("goes into gold\u{2019}s digest at 19:00, which alarms nobody"), "{said}");
        let said = said_of(Some("2026-11-24T14:00:00Z"), &alert("n-4", "", true));
        assert!(said.contains("in gold\u{2019}s digest, raised at 14:05"), "{said}");
    }

    #[test]
    fn a_time_of_another_day_names_it() {
        let now = Now { at: time("2026-11-24T14:32:00Z"), zone: jiff::tz::TimeZone::UTC };
        assert_eq!(at(time("2026-11-25T08:00:00Z"), &now), "tomorrow at 08:00");
        assert_eq!(at(time("2026-11-26T08:00:00Z"), &now), "Thu 26 Nov at 08:00");
    }
}
