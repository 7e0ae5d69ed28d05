//! Reading transfers: one at once, the first due first at one revision, watches; and parsing what is said of them.

use fallow_api::convert::{AHEAD_DAYS_MAX, Check, codes, request, transfer};
use fallow_api::reasons;
use fallow_api::status::Failure;
use fallow_api::v1;
use fallow_domain::actor::Actor;
use fallow_domain::decide::transfer::Progress;
use fallow_domain::ids::{Label, TransferId};
use fallow_domain::lifecycle::transfer::is_lent;
use fallow_domain::transfer::{ReturnPlan, Transfer, TransferState, Transport};
use fallow_ledger::record::{Record, transfer_key};
use fallow_ledger::{RecordKind, Revision};
use fallow_live::Live;
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use fallow_live::visibility::Viewer;
use fallow_live::watch::{Told, Watching};
use futures::Stream;
use jiff::{SignedDuration, Timestamp};

use crate::verbs::{self, transfer_for};

/// Most checklist items named by one call.
const ITEMS_MAX: usize = 50;

/// Reads one transfer, with the revision of the picture.
pub(crate) fn get(call: &Call, id: &TransferId) -> Result<(v1::Transfer, u64), Failure> {
    let (found, revision) = transfer_for(call, id)?;
    Ok((transfer::to_wire(&found, revision.0), call.live.picture().revision().0))
}

/// Lists a page of transfers, the first due first.
pub(crate) fn list(
    call: &Call,
    request: &v1::ListTransfersRequest,
) -> Result<v1::ListTransfersResponse, Failure> {
    let filter = request.filter.clone().unwrap_or_default();
    let query = format!("ListTransfers {:?} {:?} {filter:?}", call.actor.role, call.actor.trust);
    let page = call.live.pages().page(request.page_size, &request.page_token, &query)?;
    let (records, revision) = {
        let still = call.live.picture().still();
        (still.all(RecordKind::Transfer), still.revision())
    };
    let mut found: Vec<(&Transfer, Revision)> = records
        .iter()
        .filter_map(|(_, seen)| seen.record.transfer().map(|found| (found, seen.revision)))
        .filter(|(found, _)| call.viewer().transfer(found).is_some() && fits(&filter, found))
        .collect();
    found.sort_by(|(a, _), (b, _)| (a.due_at, &a.id).cmp(&(b.due_at, &b.id)));
    let (found, next_page_token) = call.live.pages().cut(&page, &query, found);
    let transfers = found.into_iter().map(|(found, revision)| transfer::to_wire(found, revision.0)).collect();
    Ok(v1::ListTransfersResponse {
        transfers,
        next_page_token,
        revision: request::number_to_wire(revision.0),
    })
}

/// Starts a watch of transfers.
pub(crate) fn watch(
    call: Call,
    request: v1::WatchTransfersRequest,
    stopping: impl Future<Output = ()> + Send + 'static,
) -> Result<impl Stream<Item = Result<Told<v1::Transfer>, Failure>> + Send, Failure> {
    let picture = call.live.picture().clone();
    let filter = request.filter.unwrap_or_default();
    let role = call.actor.role;
    let (live, actor): (Live, Actor) = (call.live, call.actor);
    // The region in force is looked at each time, for a watch outlives it.
    let seeing = move |record: &Record, revision: Revision| {
        let found = record.transfer().filter(|found| fits(&filter, found))?;
        let region = live.region().ok()?;
        let visible = Viewer { actor: &actor, region: &region.region }.transfer(found)?;
        Some(transfer::to_wire(visible.get(), revision.0))
    };
    let watching = Watching::start(&picture, RecordKind::Transfer, &request.cursor, seeing)?.for_role(role);
    Ok(watching.into_stream(stopping))
}

fn fits(filter: &v1::TransferFilter, found: &Transfer) -> bool {
    let any = |wanted: &[String], is: &str| wanted.is_empty() || wanted.iter().any(|text| text == is);
    any(&filter.needs, found.need.as_str())
        && found.trusts().any(|trust| any(&filter.trusts, trust.as_str()))
        && if filter.states.is_empty() {
            !found.is_over()
        } else {
            filter.states.contains(&codes::Coded::to_wire(found.state))
        }
        && (!filter.returning || comes_back(found))
        && any(&filter.carriers, found.transport.as_ref().map_or("", |by| by.provider.as_str()))
}

/// Says whether a patient who has arrived is to come back, or is on the way: what the repatriation list holds. Staff and
/// items come back too, but nobody repatriates them.
fn comes_back(found: &Transfer) -> bool {
    match found.state {
        TransferState::Arrived | TransferState::Completed => {
            !is_lent(found.resource.kind) && found.return_plan.is_some()
        }
        TransferState::RepatriationDue | TransferState::Repatriating => true,
        TransferState::Deployed
        | TransferState::Extended
        | TransferState::Planned
        | TransferState::Ready
        | TransferState::InTransit
        | TransferState::Repatriated
        | TransferState::Returned
        | TransferState::Aborted => false,
    }
}

/// Parses what a trust says of a transfer.
///
/// # Errors
/// Every violation.
pub(crate) fn parse_advance(
    call: &Call,
    message: &v1::AdvanceTransferRequest,
) -> Result<(Mutation, TransferId, Progress), Failure> {
    let mut check = Check::new("");
    let id = verbs::parse_transfer_id(&mut check, &message.transfer);
    let to = check.optional_coded::<TransferState>("to", message.to);
    let mut ticks = Vec::with_capacity(message.done.len().min(ITEMS_MAX));
    if check.at_most("done", message.done.len(), ITEMS_MAX) {
        for (index, name) in message.done.iter().enumerate() {
            let name: Label = check.required_text(&format!("done[{index}]"), name);
            ticks.push((name, true));
        }
    }
    let transport = message.transport.as_ref().map(|wire| Transport {
        kind: check.required_text("transport.kind", &wire.kind),
        provider: check.text("transport.provider", &wire.provider),
        booked: wire.booked,
    });
    let due_at = due_at(&mut check, message.due_at.as_ref(), call.at);
    let return_plan = message.return_plan.as_ref().map(|wire| ReturnPlan {
        due_at: time_ahead(&mut check, "return_plan.due_at", wire.due_at.as_ref(), call.at),
        note: check.text("return_plan.note", &wire.note),
    });
    let mutation = call.asked("AdvanceTransfer", &mut check, message, id.as_ref().map(transfer_key));
    let progress = Progress { to, ticks, transport, due_at, return_plan };
    let parsed = mutation.zip(id).map(|(mutation, id)| (mutation, id, progress));
    Ok(check.finish(parsed)?)
}

/// Parses a due time, which lies not too far ahead.
pub(crate) fn due_at(
    check: &mut Check<'_>,
    wire: Option<&prost_types::Timestamp>,
    at: Timestamp,
) -> Option<Timestamp> {
    time_ahead(check, "due_at", wire, at)
}

fn time_ahead(
    check: &mut Check<'_>,
    field: &str,
    wire: Option<&prost_types::Timestamp>,
    at: Timestamp,
) -> Option<Timestamp> {
    let time = check.time(field, wire)?;
    let latest = at.checked_add(SignedDuration::from_hours(24 * AHEAD_DAYS_MAX)).unwrap_or(Timestamp::MAX);
    if time > latest {
        check.wrong(field, reasons::OUT_OF_RANGE, format!("must be at most {AHEAD_DAYS_MAX} days ahead"));
        return None;
    }
    Some(time)
}
