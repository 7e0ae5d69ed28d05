//! When a transfer takes its next step, and who takes it.

use fallow_api::v1;
use fallow_api::v1::transfer::State;
use jiff::Timestamp;

use super::super::people::pace;

/// A session is travelled to so many minutes before it begins.
const BEFORE_A_SESSION: i64 = 75;
/// Staff and items are at work so many minutes after they came.
const UNTIL_AT_WORK: i64 = 10;

/// What is due.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Due {
    /// Something done, or the next step.
    Advance(Box<v1::AdvanceTransferRequest>),
    /// It is called off.
    Abort(v1::DeclineReason),
}

/// Returns what a trust does about a transfer now, if anything. `settled_minutes` is how far the case is ahead of its
/// records.
pub(super) fn due(
    transfer: &v1::Transfer,
    own: &str,
    seed: u64,
    (case_ref, settled_minutes): (&str, i64),
    now: Timestamp,
) -> Option<Due> {
    let minutes_since = |time: &Option<prost_types::Timestamp>| {
        time.as_ref().map(|time| (now.as_second() - time.seconds).div_euclid(60))
    };
    let pace = pace(seed, case_ref);
    let age = minutes_since(&transfer.agreed_at)? + settled_minutes;
    let until_due = -minutes_since(&transfer.due_at)?;
    let kind = transfer.resource.as_ref().map(|resource| resource.kind());
    let is_lent = matches!(kind, Some(v1::ResourceKind::Staff | v1::ResourceKind::Equipment));
    let is_session = matches!(kind, Some(v1::ResourceKind::Theatre | v1::ResourceKind::Diagnostic));
    let is_home = transfer.home_trust == own;
    let (sends, receives) = (is_home != is_lent, is_home == is_lent);
    let step = |to: State| {
        let request =
            v1::AdvanceTransferRequest { transfer: transfer.id.clone(), to: to.into(), ..Default::default() };
        Some(Due::Advance(Box::new(request)))
    };

    let items = i64::try_from(transfer.checklist.len()).unwrap_or(0);
    let ready_at = pace.item * items;
    let leaves_at = ready_at + pace.leaving;
    let arrives_at = leaves_at + pace.way;
    match transfer.state() {
        State::Planned if is_home && pace.is_aborted && settled_minutes == 0 && age >= ready_at / 2 => {
            Some(Due::Abort(v1::DeclineReason::NotFit))
        }
        State::Planned if is_home => prepare(transfer, age, pace.item),
        // A session waits for its day, everything else leaves when it is ready.
        State::Ready if sends && is_session && until_due <= BEFORE_A_SESSION => step(State::InTransit),
        State::Ready if sends && !is_session && age >= leaves_at => step(State::InTransit),
        State::InTransit if receives && is_session && until_due <= 0 => step(State::Arrived),
        State::InTransit if receives && !is_session && age >= arrives_at => step(State::Arrived),
        State::Arrived if is_lent && is_home && age >= arrives_at + UNTIL_AT_WORK => step(State::Deployed),
        State::Arrived if !is_lent && !is_home => {
            let since = minutes_since(&entered(transfer, State::Arrived))?;
            if since + settled_minutes / 4 >= pace.finishing { step(State::Completed) } else { None }
        }
        State::Deployed | State::Extended if !is_home && until_due <= 0 => step(State::Returned),
        State::Completed if !is_home && transfer.return_plan.is_some() => {
            let stayed = minutes_since(&entered(transfer, State::Completed))?;
            if stayed >= pace.stay_hours * 60 { step(State::RepatriationDue) } else { None }
        }
        State::RepatriationDue if !is_home => {
            let due = minutes_since(&entered(transfer, State::RepatriationDue))?;
            if due >= pace.leaving { step(State::Repatriating) } else { None }
        }
        State::Repatriating if is_home => {
            let on_way = minutes_since(&entered(transfer, State::Repatriating))?;
            if on_way >= pace.way { step(State::Repatriated) } else { None }
        }
        State::Unspecified
        | State::Planned
        | State::Ready
        | State::InTransit
        | State::Arrived
        | State::Completed
        | State::RepatriationDue
        | State::Repatriating
        | State::Repatriated
        | State::Aborted
        | State::Deployed
        | State::Extended
        | State::Returned => None,
    }
}

/// Does the next thing on the checklist, books the transport with the third, and says READY when all is done.
fn prepare(transfer: &v1::Transfer, age: i64, minutes_per_item: i64) -> Option<Due> {
    let open: Vec<&v1::ChecklistItem> =
        transfer.checklist.iter().filter(|item| item.done_at.is_none()).collect();
    let done = i64::try_from(transfer.checklist.len() - open.len()).unwrap_or(0);
    let due = usize::try_from(age / minutes_per_item.max(1) - done).unwrap_or(0).min(open.len());
    let is_patient = !transfer.resource.as_ref().is_some_and(|resource| {
        matches!(resource.kind(), v1::ResourceKind::Staff | v1::ResourceKind::Equipment)
    });
    let request = |to: State, done: Vec<String>| {
        let transport = (is_patient && transfer.transport.is_none()).then(|| v1::Transport {
            kind: "patient transport".to_owned(),
            provider: "North Vale Ambulance".to_owned(),
            booked: true,
        });
        Some(Due::Advance(Box::new(v1::AdvanceTransferRequest {
            transfer: transfer.id.clone(),
            to: to.into(),
            done,
            transport,
            ..Default::default()
        })))
    };
    let names = open.iter().take(due).map(|item| item.name.clone()).collect();
    match (open.len(), due) {
        (0, _) => request(State::Ready, Vec::new()),
        (_, 0) => None,
        (open, due) if due == open => request(State::Ready, names),
        _ => request(State::Unspecified, names),
    }
}

/// Returns when a transfer entered a state.
fn entered(transfer: &v1::Transfer, state: State) -> Option<prost_types::Timestamp> {
    transfer.steps.iter().find(|step| step.state() == state).and_then(|step| step.at)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_768_300_000;

    fn at(minutes_ago: i64) -> Option<prost_types::Timestamp> {
        Some(prost_types::Timestamp { seconds: NOW - minutes_ago * 60, nanos: 0 })
    }

    fn transfer(state: State, agreed_minutes_ago: i64, done: usize) -> v1::Transfer {
        let item = |number: usize| v1::ChecklistItem {
            name: format!("item {number}"),
            done_at: if number < done { at(0) } else { None },
            ..Default::default()
        };
        v1::Transfer {
            id: "t1".into(),
            home_trust: "ZA2".into(),
            supporting_trust: "ZA1".into(),
            resource: Some(v1::Resource { kind: v1::ResourceKind::Bed.into(), ..Default::default() }),
            state: state.into(),
            agreed_at: at(agreed_minutes_ago),
            due_at: at(-120),
            checklist: (0..4).map(item).collect(),
            ..Default::default()
        }
    }

    /// What a trust does; a case that is not called off.
    fn next(transfer: &v1::Transfer, own: &str) -> Option<(State, usize)> {
        let seed = (0..).find(|seed| !pace(*seed, "LC-1").is_aborted).unwrap();
        match due(transfer, own, seed, ("LC-1", 0), Timestamp::from_second(NOW).unwrap())? {
            Due::Advance(request) => Some((request.to(), request.done.len())),
            Due::Abort(reason) => panic!("{reason:?}"),
        }
    }

    #[test]
    fn the_checklist_is_done_item_by_item_by_the_home_trust() {
        assert_eq!(next(&transfer(State::Planned, 0, 0), "ZA2"), None);
        let (to, done) = next(&transfer(State::Planned, 13, 0), "ZA2").unwrap();
        assert!(to == State::Unspecified && (1..4).contains(&done), "{to:?} {done}");
        assert_eq!(next(&transfer(State::Planned, 60, 3), "ZA2"), Some((State::Ready, 1)));
        assert_eq!(next(&transfer(State::Planned, 60, 4), "ZA2"), Some((State::Ready, 0)));
        assert_eq!(next(&transfer(State::Planned, 60, 0), "ZA1"), None);
    }

    #[test]
    fn each_step_is_taken_by_the_trust_at_the_right_end() {
        let late = 400;
        assert_eq!(next(&transfer(State::Ready, late, 4), "ZA2"), Some((State::InTransit, 0)));
        assert_eq!(next(&transfer(State::Ready, late, 4), "ZA1"), None);
        assert_eq!(next(&transfer(State::InTransit, late, 4), "ZA1"), Some((State::Arrived, 0)));
        assert_eq!(next(&transfer(State::InTransit, late, 4), "ZA2"), None);

        let mut lent = transfer(State::Ready, late, 4);
        lent.resource = Some(v1::Resource { kind: v1::ResourceKind::Staff.into(), ..Default::default() });
        assert_eq!(next(&lent, "ZA1"), Some((State::InTransit, 0)));
        assert_eq!(next(&lent, "ZA2"), None);
        lent.state = State::Arrived.into();
        assert_eq!(next(&lent, "ZA2"), Some((State::Deployed, 0)));
    }

    #[test]
    fn a_session_is_travelled_to_on_its_day() {
        let mut case = transfer(State::Ready, 400, 4);
        case.resource = Some(v1::Resource { kind: v1::ResourceKind::Theatre.into(), ..Default::default() });
        case.due_at = at(-24 * 60);
        assert_eq!(next(&case, "ZA2"), None);
        case.due_at = at(-60);
        assert_eq!(next(&case, "ZA2"), Some((State::InTransit, 0)));
    }
}
