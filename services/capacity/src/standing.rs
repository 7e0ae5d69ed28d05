//! What a trust says of itself: reserves and declared OPEL.

use fallow_api::status::Failure;
use fallow_domain::decide::trust;
use fallow_domain::quantity::Count;
use fallow_domain::refusal::Refusal;
use fallow_domain::resource::ResourceKey;
use fallow_domain::standing::TrustState;
use fallow_ledger::record::{Record, trust_key};
use fallow_ledger::transact::{Done, Step};
use fallow_live::call::Call;
use fallow_live::mutate::Mutation;
use jiff::Timestamp;

/// Sets what the trust keeps for itself of one resource.
pub(crate) async fn set_reserve(
    call: &Call,
    mutation: &Mutation,
    resource: &ResourceKey,
    units: Count,
) -> Result<Done<TrustState>, Failure> {
    let own = call.own_trust()?;
    change(call, mutation, |before| trust::set_reserve(before, own, resource.clone(), units, &call.actor))
        .await
}

/// Declares the trust's OPEL.
pub(crate) async fn declare_pressure(
    call: &Call,
    mutation: &Mutation,
    opel: u8,
    declared_at: Timestamp,
) -> Result<Done<TrustState>, Failure> {
    let own = call.own_trust()?;
    change(call, mutation, |before| trust::declare_opel(before, own, opel, declared_at, &call.actor, call.at))
        .await
}

async fn change(
    call: &Call,
    mutation: &Mutation,
    decide: impl Fn(Option<&TrustState>) -> Result<TrustState, Refusal> + Send + Sync,
) -> Result<Done<TrustState>, Failure> {
    let key = trust_key(call.own_trust()?);
    call.live
        .mutate(mutation, vec![key.clone()], |view| {
            let before = match view.get(&key) {
                Some(Record::Trust(state)) => Some(state),
                Some(_) | None => None,
            };
            let state = decide(before)?;
            if before == Some(&state) {
                return Ok(Step::Answer(state));
            }
            Ok(Step::Write { writes: vec![(key.clone(), Some(Record::Trust(state.clone())))], answer: state })
        })
        .await
}
