//! What a situation report needs of the end of an hour: made of the records then, and read when the log no longer reaches
//! back.

use fallow_domain::monitor::kept::{Alert, AlertState};
use fallow_domain::monitor::position::{ALERTS_MAX, Position, Stood};
use fallow_domain::need::Need;
use fallow_domain::situation::{Situation, is_overdue};
use fallow_live::visibility::Reach;
use jiff::Timestamp;

use crate::past::Moment;

/// Takes down the region at the end of an hour, `moment` being then or soon after. Cost: a pass over the records for each
/// trust.
fn of(moment: &Moment, at: Timestamp) -> Position {
    let seen = moment.region.trusts.keys().map(|own| {
        let reach = Reach::Trust(*own);
        let sees = |trust, kind| reach.knows(&moment.region, trust, kind);
        let fold = Situation::within(&moment.region, &moment.states, &moment.records, moment.at, sees);
        (*own, fold.headline)
    });
    let mut position = Position::of(&moment.situation(), at, moment.revision.0, seen.collect());
    position.modes =
        moment.region.collaboratives.iter().map(|joint| (joint.id.clone(), joint.mode)).collect();
    position.switched = moment.state.modes.clone();
    position.put_unmet(unmet(moment).into_iter());
    let stood = moment.shelf.alerts.iter().filter(|(alert, _)| is_told(alert)).take(ALERTS_MAX);
    position.alerts =
        stood.map(|(alert, revision)| Stood { alert: alert.clone(), revision: revision.0 }).collect();
    position
}

/// As [`of`], where nobody waits for it; with the moment, for who goes on with it. `None` when the process ends.
pub(crate) async fn taken(moment: Moment, at: Timestamp) -> Option<(Moment, Position)> {
    let take = move || {
        let position = of(&moment, at);
        (moment, position)
    };
    tokio::task::spawn_blocking(take).await.ok()
}

/// Returns the needs that were not met in time, the most overdue first.
pub(crate) fn unmet(moment: &Moment) -> Vec<&Need> {
    let mut unmet: Vec<&Need> =
        moment.records.needs.values().filter(|need| is_overdue(need, moment.at)).collect();
    unmet.sort_by_key(|need| (need.needed_by, need.id.clone()));
    unmet
}

/// Says whether a report tells of an alert: it stands, and is in no digest.
pub(crate) fn is_told(alert: &Alert) -> bool {
    alert.state != AlertState::Closed && !alert.digest
}
