//! Built-in users for development and tests: roles, not persons. Production refuses to start with them.

use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::ids::{Label, RegionId, TrustCode};

use super::Caller;

/// What each trust has, by name before the dot: `bed-manager.ZA1`.
const OF_A_TRUST: [(&str, ActorKind, Role); 3] = [
    ("bed-manager", ActorKind::Person, Role::BedManager),
    ("site-lead", ActorKind::Person, Role::SiteLead),
    ("trust-system", ActorKind::System, Role::TrustSystem),
];

/// What the region has, by whole name.
const ABOVE_TRUSTS: [(&str, ActorKind, Role); 8] = [
    ("coordinator", ActorKind::Person, Role::Coordinator),
    ("icb", ActorKind::Person, Role::Icb),
    ("lead-provider", ActorKind::Person, Role::LeadProvider),
    ("duty-lead", ActorKind::Person, Role::Gold),
    ("auditor", ActorKind::Person, Role::Auditor),
    ("platform-admin", ActorKind::Person, Role::PlatformAdmin),
    ("engine", ActorKind::System, Role::Engine),
    ("console", ActorKind::System, Role::Console),
];

/// Returns the built-in user of a name, such as `bed-manager.ZA1` or `duty-lead`.
#[must_use]
pub fn user(name: &str, region: &RegionId) -> Option<Caller> {
    let ((_, kind, role), trust) = match name.split_once('.') {
        Some((name, trust)) => (find(&OF_A_TRUST, name)?, Some(trust.parse::<TrustCode>().ok()?)),
        None => (find(&ABOVE_TRUSTS, name)?, None),
    };
    let subject = Label::parse(name).ok()?;
    Some(Caller::unasked(Actor { subject, kind, role, trust }, region.clone()))
}

/// Returns the name of every built-in user of a region with these trusts, those of the trusts first.
#[must_use]
pub fn names(trusts: &[TrustCode]) -> Vec<String> {
    let of_trusts = trusts.iter().flat_map(|trust| OF_A_TRUST.map(|(name, _, _)| format!("{name}.{trust}")));
    of_trusts.chain(ABOVE_TRUSTS.map(|(name, _, _)| name.to_owned())).collect()
}

fn find(table: &[(&'static str, ActorKind, Role)], name: &str) -> Option<(&'static str, ActorKind, Role)> {
    table.iter().copied().find(|row| row.0 == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_a_user_and_every_role_is_played() {
        let region = RegionId::parse("north-vale").unwrap();
        let trusts = ["ZA1", "ZA2"].map(|code| code.parse().unwrap());
        let users: Vec<_> = names(&trusts).iter().map(|name| user(name, &region).unwrap()).collect();
        assert_eq!(users.len(), 2 * 3 + 8);
        for role in Role::ALL {
            assert!(users.iter().any(|user| user.actor.role == *role), "{role}");
        }
        assert_eq!(user("bed-manager.ZA1", &region).unwrap().actor.trust, Some(trusts[0]));
        for nobody in ["", "bed-manager", "bed-manager.", "bed-manager.za1", "duty-lead.ZA1", "root"] {
            assert_eq!(user(nobody, &region), None, "{nobody:?}");
        }
    }
}
