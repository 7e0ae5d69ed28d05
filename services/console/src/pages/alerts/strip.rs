//! The alerts as one strip, on the situation and on the wall: how many, of whom, and the oldest that nobody has.

use fallow_api::v1::{Alert, ListAlertsRequest};

use crate::app::Visit;
use crate::problem::Problem;
use crate::words::time::{Now, from_wire};

/// Alerts that the strip names.
const NAMED: usize = 3;
/// Alerts that are counted.
const COUNTED: i32 = 200;

/// The strip.
pub(crate) struct Strip {
    /// `Alerts: 3, 1 without an owner`.
    pub(crate) title: String,
    /// The first of them, those without an owner before the others.
    pub(crate) named: Vec<Named>,
}

/// One alert of the strip.
pub(crate) struct Named {
    /// Its id, for the address of its account.
    pub(crate) id: String,
    /// What it says.
    pub(crate) text: String,
    /// `unowned 14 min` or `owned`.
    pub(crate) whose: String,
}

impl Strip {
    /// Reads what is open. A strip that cannot be read says so: a screen without it would look calm.
    pub(crate) async fn read(visit: &Visit) -> Self {
        let ask = ListAlertsRequest { page_size: COUNTED, ..ListAlertsRequest::default() };
        match visit.calls.monitor().list_alerts(ask).await.map_err(Problem::from) {
            Ok(answer) => Self::new(answer.into_inner().alerts, &visit.now),
            Err(_) => Self { title: "Alerts cannot be read".to_owned(), named: Vec::new() },
        }
    }

    fn new(alerts: Vec<Alert>, now: &Now) -> Self {
        let mut open: Vec<Alert> = alerts.into_iter().filter(|alert| !alert.digest).collect();
        let unowned = open.iter().filter(|alert| alert.owner.is_empty()).count();
        let title = match (open.len(), unowned) {
            (0, _) => "Alerts: none".to_owned(),
            (all, 0) => format!("Alerts: {all}, all owned"),
            (all, unowned) => format!("Alerts: {all}, {unowned} without an owner"),
        };
        // The longest without an owner comes first; it is what the room should see.
        open.sort_by_key(|alert| (!alert.owner.is_empty(), from_wire(alert.raised_at.as_ref())));
        let named = open.into_iter().take(NAMED).map(|alert| {
            let age = from_wire(alert.raised_at.as_ref()).map(|raised| now.age(raised)).unwrap_or_default();
            let whose = if alert.owner.is_empty() { format!("unowned {age}") } else { "owned".to_owned() };
            Named { id: alert.id, text: alert.text, whose }
        });
        Self { title, named: named.collect() }
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::words::time::to_wire;

    #[test]
    fn what_nobody_has_comes_first_and_the_digest_not_at_all() {
        let now = Now { at: "2026-11-24T14:32:00Z".parse().unwrap(), zone: TimeZone::UTC };
        let alert = |text: &str, owner: &str, raised: &str, digest| Alert {
            text: text.to_owned(),
            owner: owner.to_owned(),
            raised_at: Some(to_wire(raised.parse().unwrap())),
            digest,
            ..Alert::default()
        };
        let strip = Strip::new(
            vec![
                alert("CT is short.", "", "2026-11-24T14:30:00Z", false),
                alert("Aldermoor is silent.", "gold", "2026-11-24T13:00:00Z", false),
                alert("Brackwater is silent.", "", "2026-11-24T14:18:00Z", false),
                alert("Often so.", "", "2026-11-24T08:00:00Z", true),
            ],
            &now,
        );
        assert_eq!(strip.title, "Alerts: 3, 2 without an owner");
        let named: Vec<String> =
            strip.named.into_iter().map(|one| format!("{} {}", one.text, one.whose)).collect();
        assert_eq!(
            named,
            [
                "Brackwater is silent. unowned 14 min",
                "CT is short. unowned 2 min",
                "Aldermoor is silent. owned"
            ]
        );
        assert_eq!(Strip::new(Vec::new(), &now).title, "Alerts: none");
    }
}
