//! The policy that holds between two trusts: the region's, or what its incident mode puts before it.

use jiff::Timestamp;

use crate::campaign::Block;
use crate::codes;
use crate::ids::TrustCode;
use crate::need::{Need, Priority};
use crate::policy::{ApprovalRule, HoldTime, HoldTimes, Policy, StandingAgreement};
use crate::proposal::Authority;
use crate::quantity::Count;
use crate::resource::{Code, ResourceKind};

/// The part of the policy that concerns a pair of trusts, as it holds between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InForce<'a> {
    /// A trust that has declared this OPEL or more is not asked.
    pub opel_limit: u8,
    /// How long holds last.
    pub hold: HoldTimes,
    /// Who must approve what.
    pub approval: &'a [ApprovalRule],
    /// What trusts have agreed to beforehand.
    pub standing_agreement: &'a [StandingAgreement],
}

/// What two trusts deal about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matter<'a> {
    /// The kind of resource.
    pub kind: ResourceKind,
    /// Its code: of staff that are lent, the role.
    pub code: &'a Code,
    /// How urgent.
    pub priority: Priority,
    /// How much.
    pub units: Count,
}

impl Policy {
    /// Returns what holds between two trusts; `is_incident` says whether a collaborative that joins them is in incident
    /// mode (see [`crate::region::Region::is_incident_between`]).
    #[must_use]
    pub fn in_force(&self, is_incident: bool) -> InForce<'_> {
        let routine = InForce {
            opel_limit: self.opel_limit,
            hold: self.hold,
            approval: &self.approval,
            standing_agreement: &self.standing_agreement,
        };
        if !is_incident {
            return routine;
        }
        let incident = &self.incident;
        InForce {
            opel_limit: incident.opel_limit.unwrap_or(routine.opel_limit),
            hold: incident.hold.unwrap_or(routine.hold),
            approval: incident.approval.as_deref().unwrap_or(routine.approval),
            standing_agreement: incident.standing_agreement.as_deref().unwrap_or(routine.standing_agreement),
        }
    }
}

impl InForce<'_> {
    /// Returns how long a hold for a need lasts, in a block or alone. A block's long hold is for planned work: an urgent
    /// case that finds a place in one does not wait for it.
    #[must_use]
    pub fn hold_for(&self, need: &Need, block: Option<&Block>) -> HoldTime {
        let resource = &need.resource;
        if block.is_some() && need.priority.is_planned() {
            return self.hold.campaign;
        }
        self.hold.of(need.priority, codes::is_critical_care(resource.kind, resource.code.as_str()))
    }

    /// Returns whether somebody above the two trusts must approve so many units: the first rule that applies says who.
    #[must_use]
    pub fn authority_for(&self, kind: ResourceKind, priority: Priority, units: Count) -> Authority {
        self.approval
            .iter()
            .find(|rule| {
                is_among(&rule.kinds, &kind) && is_among(&rule.bands, &priority) && units > rule.units_over
            })
            .map_or(Authority::NotNeeded, |rule| Authority::Pending { role: rule.role })
    }

    /// Returns the agreement by which a trust has agreed beforehand to what another asks of it, or offers it, from a time
    /// on: an agreement answers for nothing that begins when it is over. Of several, as when one is renewed before it ends,
    /// it is the one that lasts longest; of those the first.
    #[must_use]
    pub fn agreement_of(
        &self,
        trust: TrustCode,
        with: TrustCode,
        asked: &Matter<'_>,
        begins: Timestamp,
    ) -> Option<&StandingAgreement> {
        let mut found = self.standing_agreement.iter().filter(|agreement| {
            agreement.trust == trust
                && begins < agreement.until
                && is_among(&agreement.with, &with)
                && is_among(&agreement.kinds, &asked.kind)
                && is_among(&agreement.codes, asked.code)
                && is_among(&agreement.bands, &asked.priority)
                && agreement.units_up_to.is_none_or(|most| asked.units <= most)
        });
        let first = found.next()?;
        Some(found.fold(first, |longest, next| if next.until > longest.until { next } else { longest }))
    }
}

/// An empty list stands for all.
fn is_among<T: PartialEq>(list: &[T], value: &T) -> bool {
    list.is_empty() || list.contains(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actor::Role;

    const POLICY: &str = r#"
        opel_limit = 4
        [[approval]]
        kinds = ["STAFF"]
        units_over = 2
        role = "icb"
        [[standing_agreement]]
        id = "mou-1"
        trust = "ZA1"
        bands = ["P1A"]
        units_up_to = 1
        until = "2027-01-01T00:00:00Z"
        [[standing_agreement]]
        id = "staff-mou"
        trust = "ZA3"
        with = ["ZA1"]
        kinds = ["STAFF"]
        codes = ["ODP"]
        until = "2026-12-01T00:00:00Z"
        [incident]
        opel_limit = 5
        approval = []
    "#;

    #[test]
    fn incident_mode_goes_before_the_rest_only_where_it_says_something() {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        let (routine, incident) = (policy.in_force(false), policy.in_force(true));
        assert_eq!((routine.opel_limit, incident.opel_limit), (4, 5));
        let ask =
            |f: &InForce<'_>, units: u32| f.authority_for(ResourceKind::Staff, Priority::P2, units.into());
        assert_eq!(ask(&routine, 3), Authority::Pending { role: Role::Icb });
        assert_eq!(ask(&routine, 2), Authority::NotNeeded);
        assert_eq!(ask(&incident, 3), Authority::NotNeeded);
        assert_eq!(incident.hold, routine.hold);
    }

    #[test]
    fn an_agreement_answers_for_its_pair_roles_bands_units_and_time() {
        let policy: Policy = toml::from_str(POLICY).unwrap();
        let agreed = |trust: &str, with: &str, (kind, code): (_, &str), band, units: u32, at: &str| {
            let code = Code::new(code);
            let asked = Matter { kind, code: &code, priority: band, units: units.into() };
            let (trust, with) = (trust.parse().unwrap(), with.parse().unwrap());
            policy.in_force(false).agreement_of(trust, with, &asked, at.parse().unwrap()).is_some()
        };
        let bed = (ResourceKind::Bed, "GA_ADULT");
        let (now, end) = ("2026-11-24T08:00:00Z", "2027-01-01T00:00:00Z");
        assert!(agreed("ZA1", "ZA2", bed, Priority::P1A, 1, now));
        assert!(!agreed("ZA2", "ZA1", bed, Priority::P1A, 1, now));
        assert!(!agreed("ZA1", "ZA2", bed, Priority::P2, 1, now));
        assert!(!agreed("ZA1", "ZA2", bed, Priority::P1A, 2, now));
        assert!(!agreed("ZA1", "ZA2", bed, Priority::P1A, 1, end));
        // The second lends ODPs to one trust, and nobody else to anybody else.
        let odp = (ResourceKind::Staff, "ODP");
        assert!(agreed("ZA3", "ZA1", odp, Priority::P3, 1, now));
        assert!(!agreed("ZA3", "ZA2", odp, Priority::P3, 1, now));
        assert!(!agreed("ZA3", "ZA1", (ResourceKind::Staff, "SCRUB_NURSE"), Priority::P3, 1, now));
        assert!(!agreed("ZA3", "ZA1", odp, Priority::P3, 1, "2026-12-01T00:00:00Z"));
    }

    #[test]
    fn of_agreements_that_overlap_the_one_that_lasts_longest_answers() {
        let until = [("renewed", "2027-12-01"), ("again", "2027-12-01"), ("last", "2027-11-30")];
        let renewals = until.map(|(id, until)| {
            format!(
                "[[standing_agreement]]\nid = \"{id}\"\ntrust = \"ZA3\"\nwith = [\"ZA1\"]\nkinds = [\"STAFF\"]\n\
                 units_up_to = 2\nuntil = \"{until}T00:00:00Z\"\n"
            )
        });
        let routine = POLICY.split("[incident]").next().unwrap();
        let policy: Policy = toml::from_str(&format!("{routine}\n{}", renewals.concat())).unwrap();
        let (odp, now) = (Code::new("ODP"), "2026-11-24T08:00:00Z".parse().unwrap());
        let by = |units: u32| {
            let asked =
                Matter { kind: ResourceKind::Staff, code: &odp, priority: Priority::P3, units: units.into() };
            let (trust, with) = ("ZA3".parse().unwrap(), "ZA1".parse().unwrap());
            let in_force = policy.in_force(false);
            in_force.agreement_of(trust, with, &asked, now).map(|found| found.id.to_string())
        };
        assert_eq!(by(1).as_deref(), Some("renewed"));
        assert_eq!(by(3).as_deref(), Some("staff-mou"), "what the others do not cover");
    }
}
