//! Listing and watching actions.

use fallow_api::convert::request::number_to_wire;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::action::{Action, ActionState};
use fallow_domain::actor::Actor;
use fallow_host::clock::Clock;
use fallow_ledger::record::Record;
use fallow_ledger::{RecordKind, Revision};
use fallow_live::call::Call;
use fallow_live::watch::{Told, Watching};
use futures::Stream;
use jiff::{SignedDuration, Timestamp};

use super::{may_know, to_wire, with_changes};
use crate::kept::action_of;

/// How long after it was proposed an action is listed.
const LISTED_FOR: SignedDuration = SignedDuration::from_hours(14 * 24);
/// Actions of a page where nobody says how many.
const LISTED_DEFAULT: i32 = 500;
/// Bytes of region files on a page at most, the newest first: a client takes 4 MiB, and no file must hide what breaks glass.
const LISTED_FILE_BYTES_MAX: usize = 1024 * 1024;

/// Lists a page of the actions that concern the caller.
///
/// # Errors
/// Violations of `page_size` and `page_token`.
pub(crate) fn list(
    call: &Call,
    message: &v1::ListActionsRequest,
) -> Result<v1::ListActionsResponse, Failure> {
    let query = format!(
        "ListActions {:?} {:?} {:?} {}",
        call.actor.role, call.actor.trust, call.actor.subject, message.waiting
    );
    let size = if message.page_size == 0 { LISTED_DEFAULT } else { message.page_size };
    let page = call.live.pages().page(size, &message.page_token, &query)?;
    let still = call.live.picture().still();
    let mut found: Vec<(Action, u64)> = Vec::new();
    for (_, seen) in still.all(RecordKind::Monitor) {
        let Some(action) = action_of(&seen.record) else { continue };
        if is_listed(call, action, message.waiting) {
            found.push((action.clone(), seen.revision.0));
        }
    }
    most_urgent_first(&mut found, call.at);
    let (mut found, next_page_token) = call.live.pages().cut(&page, &query, found);
    found.sort_by(|(a, _), (b, _)| newest_first(a, b));
    let mut room = LISTED_FILE_BYTES_MAX;
    Ok(v1::ListActionsResponse {
        actions: found
            .iter()
            .map(|(action, revision)| without_long_file(to_wire(call, action, *revision), &mut room))
            .map(|action| if message.waiting { with_changes(call, action) } else { action })
            .collect(),
        revision: number_to_wire(call.live.picture().revision().0),
        next_page_token,
    })
}

/// Starts a watch of the actions that are listed.
///
/// # Errors
/// A violation of `cursor`; `CURSOR_GONE`; [`Failure::NotReady`].
pub(crate) fn watch(
    call: Call,
    clock: Clock,
    request: v1::WatchActionsRequest,
    stopping: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Stream<Item = Result<Told<v1::Action>, Failure>> + Send, Failure> {
    let (picture, role, waiting) = (call.live.picture().clone(), call.actor.role, request.waiting);
    let (live, actor): (_, Actor) = (call.live, call.actor);
    // The time, rights and the region are looked at each time, for a watch outlives them.
    let seeing = move |record: &Record, revision: Revision| {
        let action = action_of(record)?;
        let call = Call::new(&live, actor.clone(), clock.now(), None).ok()?;
        let mut room = LISTED_FILE_BYTES_MAX;
        let told = |action| without_long_file(to_wire(&call, action, revision.0), &mut room);
        let told = is_listed(&call, action, waiting).then_some(action).map(told)?;
        Some(if waiting { with_changes(&call, told) } else { told })
    };
    let watching = Watching::start(&picture, RecordKind::Monitor, &request.cursor, seeing)?.for_role(role);
    Ok(watching.into_stream(stopping))
}

/// Says whether an action is the caller's to know and recent enough, or still to be reviewed, and one that was asked for.
fn is_listed(call: &Call, action: &Action, waiting: bool) -> bool {
    let is_recent = call.at.duration_since(action.proposed_at) <= LISTED_FOR;
    (is_recent || action.awaits_review())
        && (!waiting || action.state(call.at) == ActionState::Proposed)
        && may_know(call, action)
}

fn newest_first(a: &Action, b: &Action) -> std::cmp::Ordering {
    (b.proposed_at, &b.id).cmp(&(a.proposed_at, &a.id))
}

/// Sorts by what has to be seen first. Glass that was broken and at which nobody has looked comes before all, the oldest
/// first: no number of newer ones hides it, for nothing but its review ends it. Then comes what waits for a second person,
/// which ends by itself, and then what has ended.
fn most_urgent_first(found: &mut [(Action, u64)], now: Timestamp) {
    let rank = |action: &Action| match (action.awaits_review(), action.state(now)) {
        (true, _) => 0,
        (false, ActionState::Proposed) => 1,
        (false, _) => 2,
    };
    found.sort_by(|(a, _), (b, _)| {
        let within =
            if a.awaits_review() && b.awaits_review() { newest_first(b, a) } else { newest_first(a, b) };
        rank(a).cmp(&rank(b)).then(within)
    });
}

/// Leaves out the text of a file that nobody confirms any more, or for which there is no room left beside newer ones.
fn without_long_file(mut listed: v1::Action, room: &mut usize) -> v1::Action {
    let is_waiting = listed.state() == v1::action::State::Proposed;
    if let Some(v1::action::Call::ApplyRegion(asked)) = &mut listed.call {
        match room.checked_sub(asked.toml.len()).filter(|_| is_waiting) {
            Some(left) => *room = left,
            None => asked.toml.clear(),
        }
    }
    listed
}

#[cfg(test)]
mod tests {
    use super::super::FILE_BYTES_MAX;
    use super::*;

    #[test]
    fn files_leave_room_in_a_list_and_only_those_that_wait_are_there() {
        let listed = |state: v1::action::State, bytes: usize| v1::Action {
            state: state.into(),
            call: Some(v1::action::Call::ApplyRegion(v1::ApplyRegionRequest {
                toml: "x".repeat(bytes),
                ..Default::default()
            })),
            ..Default::default()
        };
        let mut room = LISTED_FILE_BYTES_MAX;
        let mut left = |state, bytes| match without_long_file(listed(state, bytes), &mut room).call {
            Some(v1::action::Call::ApplyRegion(asked)) => asked.toml.len(),
            other => panic!("{other:?}"),
        };
        let waits = v1::action::State::Proposed;
        assert_eq!(left(v1::action::State::Confirmed, 10), 0);
        let nine = [(); 9].map(|()| left(waits, FILE_BYTES_MAX));
        assert_eq!(nine.iter().sum::<usize>(), LISTED_FILE_BYTES_MAX);
        assert_eq!(nine[..2], [FILE_BYTES_MAX; 2], "the newest are there");
    }

    #[test]
    fn what_nobody_has_looked_at_is_listed_however_much_is_newer() {
        let golden = include_str!("../../../../crates/ledger/tests/golden/monitor.v1.action.json");
        let golden: serde_json::Value = serde_json::from_str(golden).unwrap();
        let action: Action = serde_json::from_value(golden["r"]["action"].clone()).unwrap();
        assert!(action.awaits_review());
        let first = action.proposed_at;
        let now = first + SignedDuration::from_secs(700);
        let at = |second| Action { proposed_at: first + SignedDuration::from_secs(second), ..action.clone() };
        // One is unreviewed, 600 newer ones still wait for their second person.
        let waits = |second| {
            let expires_at = now + SignedDuration::from_hours(1);
            (Action { expires_at, confirmed: None, ..at(second) }, 1)
        };
        let listed = |found: Vec<(Action, u64)>| -> Vec<i64> {
            let mut listed = found;
            most_urgent_first(&mut listed, now);
            listed.truncate(500);
            listed.sort_by(|(a, _), (b, _)| newest_first(a, b));
            listed.iter().map(|(listed, _)| listed.proposed_at.duration_since(first).as_secs()).collect()
        };
        assert_eq!(waits(1).0.state(now), ActionState::Proposed);
        let found = [(at(0), 1)].into_iter().chain((1..=600).map(waits)).collect();
        assert_eq!(listed(found), (102..=600).rev().chain([0]).collect::<Vec<_>>());
        // What waits comes before what has ended, however new.
        let ended = |second| (Action { expires_at: first, confirmed: None, ..at(second) }, 1);
        assert_eq!(ended(9).0.state(now), ActionState::Expired);
        let found = [waits(0)].into_iter().chain((1..=600).map(ended)).collect();
        assert_eq!(listed(found), (102..=600).rev().chain([0]).collect::<Vec<_>>());
        // Of more unreviewed ones than are listed, the oldest, whose review is the most overdue.
        let found = (0..600).map(|second| (at(second), 1)).collect();
        assert_eq!(listed(found), (0..500).rev().collect::<Vec<_>>());
    }
}
