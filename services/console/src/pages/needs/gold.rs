//! What happens to a need for which nothing is proposed if nothing changes: when it is unmet, and when gold is told, or was.

use fallow_api::render::gold;
use fallow_api::v1::{ListAlertsResponse, Need, UnservedExplanation};

use super::super::alerts::owner;
use crate::app::Visit;
use crate::directory::Directory;
use crate::words::time::{Now, from_wire};

/// Reads what gold was told of the trust's needs and which rules alarm nobody; nothing where the monitor does not answer.
pub(super) async fn alerts(visit: &Visit, need: &Need) -> ListAlertsResponse {
    let answer = visit.calls.monitor().list_alerts(gold::asks(need)).await;
    answer.map(tonic::Response::into_inner).unwrap_or_default()
}

/// Says what comes if nothing changes: `If nothing changes this is unmet at 20:00. Gold is told at 19:00.`
pub(super) fn said(
    need: &Need,
    unserved: &UnservedExplanation,
    alerts: &ListAlertsResponse,
    now: &Now,
    directory: &Directory,
) -> Option<String> {
    let words = gold::Words { clock: &|at| now.clock(at), owner: &|who| owner(who, directory) };
    let needed_by = from_wire(need.needed_by.as_ref()).filter(|by| unserved.unserved > 0 && *by > now.at);
    let unmet = needed_by.map(|by| format!("If nothing changes this is unmet {}.", words.at(by)));
    let told = gold::told(need, unserved.gold_told_at.as_ref(), alerts, now.at, &words);
    let all: Vec<String> = unmet.into_iter().chain(told).collect();
    (!all.is_empty()).then(|| all.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::time::to_wire;
    use fallow_api::v1::{Alert, Region, Trust, alert};
    use jiff::Timestamp;

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
            rule: "need_unserved".to_owned(),
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
        let digest = ListAlertsResponse {
            digest_rules: vec!["need_unserved".to_owned()],
            ..ListAlertsResponse::default()
        };
        let said = said_of(Some("2026-11-24T19:00:00Z"), &digest);
        assert!(said.contains("goes into gold\u{2019}s digest at 19:00, which alarms nobody"), "{said}");
        let said = said_of(Some("2026-11-24T14:00:00Z"), &alert("n-4", "", true));
        assert!(said.contains("in gold\u{2019}s digest, raised at 14:05"), "{said}");
    }

    #[test]
    fn a_time_of_another_day_names_it() {
        let now = Now { at: time("2026-11-24T14:32:00Z"), zone: jiff::tz::TimeZone::UTC };
        let words = gold::Words { clock: &|at| now.clock(at), owner: &str::to_owned };
        assert_eq!(words.at(time("2026-11-25T08:00:00Z")), "tomorrow at 08:00");
        assert_eq!(words.at(time("2026-11-26T08:00:00Z")), "Thu 26 Nov at 08:00");
    }
}
