//! When gold is told of a need for which nothing is proposed, or was: the same words on the web and in the command line.

use jiff::Timestamp;
use prost_types::Timestamp as WireTimestamp;

use crate::v1::{Alert, ListAlertsRequest, ListAlertsResponse, Need, alert};

/// The rule that tells gold of needs, as the wire has it.
const RULE: &str = "need_unserved";

/// Most alerts of the need's trust that are looked through.
const LOOKED_THROUGH: i32 = 200;

/// Returns the request whose answer [`told`] takes: what gold was told of the trust's needs, and which rules alarm nobody.
#[must_use]
pub fn asks(need: &Need) -> ListAlertsRequest {
    let trusts = vec![need.trust.clone()];
    ListAlertsRequest { page_size: LOOKED_THROUGH, trusts, ..ListAlertsRequest::default() }
}

/// How people of one place write a time, and who somebody is.
pub struct Words<'a> {
    /// Writes a time with its day: `today 20:00`, `tomorrow 08:00`, `Thu 26 Nov 13:30`.
    pub clock: &'a dyn Fn(Timestamp) -> String,
    /// Writes who took an alert, whom the wire names `gold` or `bed_manager ZA4`.
    pub owner: &'a dyn Fn(&str) -> String,
}

impl Words<'_> {
    /// Writes a time as a sentence has it: `at 20:00` of today, else `tomorrow at 08:00`.
    #[must_use]
    pub fn at(&self, time: Timestamp) -> String {
        let clock = (self.clock)(time);
        match clock.rsplit_once(' ') {
            Some(("today", time)) => format!("at {time}"),
            Some((day, time)) => format!("{day} at {time}"),
            None => clock,
        }
    }
}

/// Says when gold is told of a need, or was. `due` is what its explanation says. What is due by the rule and stands in no
/// alert was closed by somebody: of it nothing is said.
#[must_use]
pub fn told(
    need: &Need,
    due: Option<&WireTimestamp>,
    alerts: &ListAlertsResponse,
    now: Timestamp,
    words: &Words<'_>,
) -> Option<String> {
    let read = |at: &WireTimestamp| Timestamp::new(at.seconds, at.nanos).ok();
    let is_of_it = |alert: &&Alert| alert.rule == RULE && alert.subjects.contains(&need.id);
    if let Some(alert) = alerts.alerts.iter().find(is_of_it) {
        let raised = words.at(read(alert.raised_at.as_ref()?)?);
        return Some(match alert.state() {
            _ if alert.digest => {
                format!(
                    "It stands in gold\u{2019}s digest, raised {raised}, which alarms nobody: ring gold if it cannot wait."
                )
            }
            alert::State::Taken => {
                format!("Gold was told {raised}; taken by {}.", (words.owner)(&alert.owner))
            }
            alert::State::Raised | alert::State::Closed | alert::State::Unspecified => {
                format!("Gold was told {raised}; nobody has taken it yet.")
            }
        });
    }
    let then = words.at(due.and_then(read).filter(|then| *then > now)?);
    Some(if alerts.digest_rules.iter().any(|rule| rule == RULE) {
        format!("It goes into gold\u{2019}s digest {then}, which alarms nobody: ring gold if it cannot wait.")
    } else {
        format!("Gold is told {then}.")
    })
}
