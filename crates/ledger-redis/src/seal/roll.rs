//! Calling the roll of an open ledger, so that a writer that died is not waited for after the next restart of the store.
//! Pure.

use fallow_ledger::planted;
use serde::{Deserialize, Serialize};

use super::{Found, Seal, Standing};

/// A call of the roll while the ledger is open: who has not answered yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Roll {
    /// Which call it is: an id that was never used.
    pub call: String,
    /// The writers that have not answered.
    pub silent: Vec<String>,
}

/// Calls the roll of an open ledger: whoever is on record as a writer, but for the caller, is to answer by speaking. Nothing
/// when there is nobody to call.
pub fn call_roll(found: &Found, caller: &str, fresh: &str) -> Option<Seal> {
    let mut seal = found.seal.clone();
    let silent: Vec<String> = seal.writers.iter().filter(|id| *id != caller).cloned().collect();
    let is_open = seal.standing(&found.replid) == Standing::Open;
    seal.roll = Some(Roll { call: fresh.to_owned(), silent });
    (is_open && seal.roll.as_ref().is_some_and(|roll| !roll.silent.is_empty())).then_some(seal)
}

/// Takes those off the record of writers who have not answered a call of the roll, and gives their ids. Nothing when all
/// have, or another call came in between.
///
/// It is as if they had left just now: the server is still the one that gave them every OK of this epoch, so it has all that
/// they know. And a new epoch begins, so that one who was merely asleep writes nothing before it is on record again.
pub fn strike_off(found: &Found, call: &str, fresh: &str) -> Option<(Seal, Vec<String>)> {
    let mut seal = found.seal.clone();
    let is_open = seal.standing(&found.replid) == Standing::Open;
    let roll = seal.roll.take().filter(|roll| is_open && roll.call == call && !roll.silent.is_empty())?;
    seal.writers.retain(|writer| !roll.silent.contains(writer));
    if !planted::on("struck-off-unfenced") {
        seal.begin(found, fresh);
    }
    Some((seal, roll.silent))
}

impl Seal {
    /// Takes down that someone has answered the call of the roll, or has left.
    pub(super) fn answer(&mut self, id: &str) {
        if let Some(roll) = &mut self.roll {
            roll.silent.retain(|silent| silent != id);
        }
        self.roll.take_if(|roll| roll.silent.is_empty());
    }
}
