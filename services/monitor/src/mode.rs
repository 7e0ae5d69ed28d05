//! Switching a collaborative between routine and incident.

use fallow_api::status::Failure;
use fallow_domain::ids::{CollaborativeId, Note};
use fallow_domain::region::Mode;
use fallow_domain::standing::ModeChange;
use fallow_ledger::record::{Record, region_key};
use fallow_ledger::transact::{Done, Step};
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use fallow_live::region::lay_over;

/// Switches the mode. A mode that holds already keeps the time since when it does.
///
/// # Errors
/// [`Failure::NotFound`] when the region has no such collaborative; as [`fallow_live::Live::mutate`].
pub(crate) async fn run(
    call: &Call,
    mutation: &Mutation,
    id: &CollaborativeId,
    mode: Mode,
    reason: &Note,
) -> Result<Done<ModeChange>, Failure> {
    let key = region_key(call.live.region_id());
    let missing = || Failure::NotFound { record: "collaborative", id: id.to_string() };
    call.live
        .mutate(mutation, vec![key.clone()], |view| {
            let Some(Record::Region(state)) = view.get(&key) else { return Err(missing()) };
            // Only what was checked is ever applied.
            let now = lay_over(state, std::iter::empty()).map_err(|_| missing())?;
            let is_on = now.collaboratives.iter().find(|c| c.id == *id).ok_or_else(missing)?.mode == mode;
            let since = state.modes.get(id).filter(|_| is_on).map_or(mutation.at, |change| change.at);
            let change = ModeChange { mode, reason: reason.clone(), by: mutation.actor.clone(), at: since };
            if state.modes.get(id) == Some(&change) {
                return Ok(Step::Answer(change));
            }
            let mut state = state.clone();
            state.modes.insert(id.clone(), change.clone());
            Ok(Step::Write { writes: vec![(key.clone(), Some(Record::Region(state)))], answer: change })
        })
        .await
}
