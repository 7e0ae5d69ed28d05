//! From a change of the log to what happened, and who may hear of it.

use std::sync::Arc;

use fallow_domain::action::Action;
use fallow_domain::actor::Role;
use fallow_domain::ids::{NeedId, TrustCode};
use fallow_domain::monitor::happened::{self, Happened, Item, Step, What};
use fallow_domain::monitor::kept::{Alert, Child};
use fallow_domain::monitor::rules::Rule;
use fallow_ledger::cause::Cause;
use fallow_ledger::picture::{Applied, AppliedItem, Picture};
use fallow_ledger::record::{Record, need_key};
use fallow_ledger::{RecordKind, Revision};
use fallow_live::visibility::Viewer;

use super::Entry;

/// Returns what a change means to people; what it does not say of itself, the picture knows.
pub(crate) fn entries_of(applied: &Applied, picture: &Picture) -> Vec<Entry> {
    entries_in(applied.revision, &applied.cause, &applied.items, |need| {
        picture.get(&need_key(need)).map(|seen| seen.record)
    })
}

pub(super) fn entries_in(
    revision: Revision,
    cause: &[u8],
    items: &[AppliedItem],
    record_of: impl Fn(&NeedId) -> Option<Arc<Record>>,
) -> Vec<Entry> {
    let Some(cause) = Cause::decode(cause) else { return Vec::new() };
    let items: Vec<Item<'_>> = items.iter().filter_map(item).collect();
    if items.is_empty() {
        return Vec::new();
    }
    let step = Step { at: cause.at, by: &cause.by, items: &items };
    let resource_of = |need: &NeedId| match &*record_of(need)? {
        Record::Need(need) => Some(need.resource.key()),
        Record::Offer(_)
        | Record::Proposal(_)
        | Record::Transfer(_)
        | Record::Trust(_)
        | Record::Feed(_)
        | Record::Region(_)
        | Record::Lease(_)
        | Record::Claim(_)
        | Record::Session(_)
        | Record::Monitor(_)
        | Record::Decline(_) => None,
    };
    let happened = happened::of(&step).into_iter().enumerate();
    let entry = |(place, mut happened): (usize, Happened)| {
        happened.what.fill(resource_of);
        Entry { revision, place, happened }
    };
    happened.map(entry).collect()
}

/// Picks a record's own kind out of what it was and what it is.
macro_rules! both {
    ($kind:ident, $item:expr) => {{
        let before = match $item.before.as_deref() {
            Some(Record::$kind(record)) => Some(&*record),
            Some(_) | None => None,
        };
        let after = match $item.after.as_deref() {
            Some(Record::$kind(record)) => Some(&*record),
            Some(_) | None => None,
        };
        (before, after)
    }};
}

fn item(item: &AppliedItem) -> Option<Item<'_>> {
    match item.key.kind {
        RecordKind::Offer => {
            let (before, after) = both!(Offer, item);
            Some(Item::Offer(before, after))
        }
        RecordKind::Need => {
            let (before, after) = both!(Need, item);
            Some(Item::Need(before, after))
        }
        RecordKind::Proposal => {
            let (before, after) = both!(Proposal, item);
            Some(Item::Proposal(before, after))
        }
        RecordKind::Transfer => {
            let (before, after) = both!(Transfer, item);
            Some(Item::Transfer(before, after))
        }
        RecordKind::Trust => {
            let (before, after) = both!(Trust, item);
            Some(Item::Trust(before, after))
        }
        RecordKind::Region => {
            let (before, after) = both!(Region, item);
            Some(Item::Region(before, after))
        }
        RecordKind::Monitor => {
            let (before, after) = both!(Monitor, item);
            Some(Item::Monitor(before.map(|kept| &**kept), after.map(|kept| &**kept)))
        }
        RecordKind::Feed
        | RecordKind::Lease
        | RecordKind::Claim
        | RecordKind::Session
        | RecordKind::Decline => None,
    }
}

/// Says whether somebody may hear of what happened: of needs and offers of the kinds that are shared with them, of
/// proposals and transfers that join their trust, of what gold does, and of alerts of trusts they know.
pub(crate) fn may_see(viewer: &Viewer<'_>, happened: &Happened) -> bool {
    if viewer.sees_region() {
        return true;
    }
    if !viewer.sees_anything() {
        return false;
    }
    if let Some(need) = happened.what.need() {
        return viewer.knows_kind(need.trust, need.resource.kind);
    }
    if let Some(pair) = happened.what.pair() {
        let lends = pair.third.is_some() && pair.third == viewer.actor.trust;
        return lends || viewer.between(pair.home, pair.supporting);
    }
    match &happened.what {
        What::Declared { trust, .. } => viewer.knows_trust(*trust),
        // What the figures and needs of a kind are to somebody, questions about them are.
        What::Asked { of, resource, .. } => viewer.knows_kind(*of, resource.kind),
        What::Alerted(alert) => may_see_alert(viewer, alert),
        What::Acted(action) => may_see_action(viewer, action),
        What::ModeSwitched { .. }
        | What::RegionApplied { .. }
        | What::Decided(_)
        | What::SignedOff { .. } => true,
        What::NeedRaised { .. }
        | What::NeedAgreed { .. }
        | What::NeedEnded { .. }
        | What::NeedParked { .. }
        | What::NeedResumed { .. }
        | What::NeedStands { .. }
        | What::Proposed(_)
        | What::Answered { .. }
        | What::Extended { .. }
        | What::ProposalEnded { .. }
        | What::Agreed(_)
        | What::Moved { .. }
        | What::Aborted { .. } => false,
    }
}

/// Says whether somebody may see an action of two people: whoever sees the region, the trusts that it concerns and those
/// who know one of them, and of what concerns everybody, everybody.
pub(crate) fn may_see_action(viewer: &Viewer<'_>, action: &Action) -> bool {
    viewer.sees_region() || (viewer.sees_anything() && is_of_two_concerning(viewer, &action.trusts))
}

/// Says whether what is done for or around a trust is somebody's business: its own people's, and of who coordinates
/// a collaborative of it or leads one.
fn concerned(viewer: &Viewer<'_>, trust: TrustCode) -> bool {
    match viewer.actor.role {
        Role::Coordinator | Role::LeadProvider => viewer.knows_trust(trust),
        Role::TrustSystem
        | Role::BedManager
        | Role::SiteLead
        | Role::Icb
        | Role::Engine
        | Role::Console
        | Role::Gold
        | Role::Auditor
        | Role::PlatformAdmin => viewer.actor.trust == Some(trust),
    }
}

/// Returns an alert as somebody may see it: with the children that they may know, and of an alert of the region, which
/// they do not see, what it explains of their own trust, so that no folding hides it from them.
pub(crate) fn shown(viewer: &Viewer<'_>, alert: &Alert) -> Option<Alert> {
    if viewer.sees_region() {
        return Some(alert.clone());
    }
    let mut shown = alert.clone();
    if may_see_alert(viewer, alert) {
        shown.children.retain(|child| may_see_child(viewer, child));
        return Some(shown);
    }
    let own = viewer.actor.trust.filter(|_| viewer.sees_anything() && viewer.actor.role != Role::Console)?;
    shown.children.retain(|child| child.trusts.contains(&own));
    if shown.children.is_empty() {
        return None;
    }
    let first = shown.children.remove(0);
    shown.rule = first.rule;
    (shown.cause, shown.text, shown.trusts) = (first.cause, first.text, first.trusts);
    (shown.resource, shown.subjects) = (first.resource, Vec::new());
    // What was said of the whole is not theirs.
    shown.note = fallow_domain::ids::Note::default();
    Some(shown)
}

fn may_see_child(viewer: &Viewer<'_>, child: &Child) -> bool {
    let is_own = viewer.actor.trust.is_some_and(|own| child.trusts.contains(&own));
    let knows = |trust: &TrustCode| match &child.resource {
        Some(key) => viewer.knows_kind(*trust, key.kind),
        None => false,
    };
    match child.rule {
        Rule::ActionWaits | Rule::GlassBroken => is_of_two_concerning(viewer, &child.trusts),
        Rule::TrustPressure
        | Rule::RegionNet
        | Rule::FeedSilent
        | Rule::NeedUnserved
        | Rule::TransferOverdue
        | Rule::OfferShort
        | Rule::RecordUnreadable
        | Rule::StoreCaveat => is_own || (!child.trusts.is_empty() && child.trusts.iter().all(knows)),
    }
}

/// Says whether what two people do is somebody's business: those it concerns, and of what concerns everybody, everybody.
fn is_of_two_concerning(viewer: &Viewer<'_>, trusts: &[TrustCode]) -> bool {
    trusts.is_empty() || trusts.iter().any(|trust| concerned(viewer, *trust))
}

/// Says whether somebody may see an alert: of what joins trusts, those it joins; of a trust, those who know its figures;
/// of the region, those who see the region. Everybody sees what is said of the store.
pub(crate) fn may_see_alert(viewer: &Viewer<'_>, alert: &Alert) -> bool {
    if viewer.sees_region() {
        return true;
    }
    if !viewer.sees_anything() || viewer.actor.role == Role::Console {
        return false;
    }
    let is_own = viewer.actor.trust.is_some_and(|own| alert.trusts.contains(&own));
    let knows_all = || {
        alert.trusts.iter().all(|trust| match &alert.resource {
            Some(key) => viewer.knows_kind(*trust, key.kind),
            None => viewer.knows_trust(*trust),
        })
    };
    match alert.rule {
        Rule::TransferOverdue | Rule::OfferShort => is_own,
        Rule::TrustPressure | Rule::FeedSilent | Rule::NeedUnserved => is_own || knows_all(),
        Rule::RegionNet | Rule::RecordUnreadable => false,
        Rule::ActionWaits | Rule::GlassBroken => is_of_two_concerning(viewer, &alert.trusts),
        Rule::StoreCaveat => true,
    }
}

#[cfg(test)]
mod tests {
    use fallow_domain::actor::{Actor, ActorKind};
    use fallow_domain::ids::{AlertId, Label, Text};
    use fallow_domain::monitor::alarm::{Folded, raised};
    use fallow_domain::monitor::conditions::Condition;
    use fallow_domain::region::file;

    use super::*;

    #[test]
    fn whoever_is_told_that_glass_was_broken_is_told_that_its_review_is_late() {
        let trust = |code: &str| format!("[[trust]]\nods = \"{code}\"\nname = \"{code}\"\n");
        let pair = "[[collaborative]]\nid = \"nva\"\nname = \"Acute\"\nkind = \"ACUTE\"\n\
                    members = [\"ZA1\", \"ZA2\"]\nshares = [\"BED\"]\n";
        let region = format!(
            "[region]\nid = \"nv\"\nname = \"North Vale\"\n{}{}{}{}{pair}",
            trust("ZA1"),
            trust("ZA2"),
            trust("ZA3"),
            trust("ZA4"),
        );
        let region = file::parse(&region).unwrap();
        let concerned: Vec<TrustCode> = ["ZA1", "ZA3"].map(|code| code.parse().unwrap()).into();
        let condition = Condition {
            rule: Rule::GlassBroken,
            cause: "x-1".into(),
            level: 1,
            text: "Break glass.".into(),
            trusts: concerned.clone(),
            resource: None,
            subjects: Vec::new(),
            parents: Vec::new(),
        };
        let late = Child {
            rule: Rule::GlassBroken,
            cause: Text::parse("x-1 late").unwrap(),
            trusts: concerned,
            resource: None,
            text: Text::parse("The review is late.").unwrap(),
        };
        let folded = Folded { children: vec![late], ..Folded::default() };
        let at = "2026-11-23T08:00:00Z".parse().unwrap();
        let alert = raised(AlertId::parse("a-1").unwrap(), &condition, &folded, at);
        for (role, trust, children) in [
            // Who coordinates a collaborative of one of the two, whether that trust is theirs or not.
            (Role::Coordinator, Some("ZA1"), Some(1)),
            (Role::Coordinator, Some("ZA2"), Some(1)),
            (Role::LeadProvider, Some("ZA2"), Some(1)),
            (Role::SiteLead, Some("ZA3"), Some(1)),
            (Role::Gold, None, Some(1)),
            (Role::SiteLead, Some("ZA2"), None),
            (Role::Coordinator, Some("ZA4"), None),
        ] {
            let subject = Label::parse("somebody").unwrap();
            let own = trust.map(|code| code.parse().unwrap());
            let actor = Actor { subject, kind: ActorKind::Person, role, trust: own };
            let found = shown(&Viewer { actor: &actor, region: &region }, &alert);
            assert_eq!(found.map(|alert| alert.children.len()), children, "{role} {trust:?}");
        }
    }
}
