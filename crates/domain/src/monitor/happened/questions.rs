//! What trusts are asked about what they have said, and what they answer: whether figures are still true, whether a need
//! still stands.

use std::collections::BTreeMap;

use super::{Item, Question, Step, What, of_need};
use crate::ids::TrustCode;
use crate::need::Need;
use crate::offer::Offer;
use crate::resource::ResourceKey;

/// Tells what a step asks: once of each trust and resource, however many records the question is put on.
pub(super) fn asked(step: &Step<'_>) -> Vec<What> {
    let mut about: BTreeMap<(TrustCode, Question, ResourceKey), u32> = BTreeMap::new();
    for item in step.items {
        let put = match item {
            Item::Offer(before, Some(after)) if is_asked_about(step, *before, after) => {
                (after.trust, Question::StillTrue, after.resource.key())
            }
            Item::Need(before, Some(after)) if is_asked_whether(step, *before, after) => {
                (after.trust, Question::StillStands, after.resource.key())
            }
            Item::Offer(..)
            | Item::Need(..)
            | Item::Proposal(..)
            | Item::Transfer(..)
            | Item::Trust(..)
            | Item::Region(..)
            | Item::Monitor(..) => continue,
        };
        *about.entry(put).or_default() += 1;
    }
    let by = step.by.trust;
    let told = about.into_iter();
    told.map(|((of, question, resource), about)| What::Asked { of, by, question, resource, about }).collect()
}

fn is_asked_about(step: &Step<'_>, before: Option<&Offer>, after: &Offer) -> bool {
    let known = before.map(|before| &before.recent.asked);
    let is_new = |asked| !known.is_some_and(|known| known.contains(asked));
    after.recent.asked.iter().any(|asked| asked.at == step.at && is_new(asked))
}

fn is_asked_whether(step: &Step<'_>, before: Option<&Need>, after: &Need) -> bool {
    let was = before.and_then(|before| before.validation.asked.as_ref());
    after.validation.asked.as_ref().is_some_and(|asked| asked.at == step.at && was != Some(asked))
}

/// Tells what a home trust has said of its need.
pub(super) fn answered(before: &Need, after: &Need) -> Option<What> {
    let said = after.validation.said.as_ref().filter(|said| before.validation.said.as_ref() != Some(said))?;
    Some(What::NeedStands { need: of_need(after), consented: said.consented, fit: said.fit })
}
