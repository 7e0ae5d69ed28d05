//! What a change touches, one case at a time.

use fallow_domain::reason::NotUsed;
use fallow_domain::standing::EngineLease;
use fallow_ledger::record::lease_key;

use super::*;

const QUIET: Kind = Kind { fair_step: 0, theatres: false };

impl Log {
    /// Publishes adult beds of a trust's first site, or of its far one.
    fn beds(&mut self, site: &str, id: &str, free: u32) {
        let report = OfferReport { site: site.parse().unwrap(), ..report(&site[..3], id, free, self.at) };
        self.publish(report);
    }

    fn publish(&mut self, report: OfferReport) {
        let id = OfferId::parse(report.source_key.as_ref().unwrap().as_str()).unwrap();
        let (by, at) = (manager(report.trust.as_str()), self.at);
        let changes = offers::publish(&self.live, &id, report, true, &by, at);
        self.commit(neighbours::writes(changes.unwrap()));
    }

    /// Looks, carries everything out, and returns what it was in short.
    fn settle(&mut self) -> Vec<String> {
        let (due, placements) = self.look("a step");
        assert_eq!(due, []);
        for placement in &placements {
            assert!(self.place(placement));
        }
        in_short(&placements)
    }

    fn keep_one_bed(&mut self) {
        self.keep("ZA1".parse().unwrap(), None, ("BED/GA_ADULT", 1));
    }
}

/// The only bed is held for a planned need, and an urgent one has come.
pub(in crate::engine) fn a_contested_bed() -> Facts {
    let mut log = Log::new(0, QUIET);
    log.beds("ZA101", "bed", 1);
    log.put_need(need("ZA2", "planned", Priority::P3, start()));
    assert_eq!(log.settle().len(), 1);
    log.put_need(need("ZA3", "urgent", Priority::P1A, start()));
    Facts::clone(log.kept.facts())
}

/// A lease is nothing that is decided on.
#[test]
fn a_renewal_touches_nothing() {
    let mut log = Log::new(0, QUIET);
    log.beds("ZA101", "bed", 1);
    log.put_need(need("ZA2", "n", Priority::P2, start()));
    log.settle();
    log.settle();
    let holder = Label::parse("engine-1").unwrap();
    let lease = EngineLease { holder, epoch: 1, until: start() };
    log.commit(vec![(lease_key(), Some(Record::Lease(lease)))]);
    assert!(log.kept.look.touched.is_empty() && log.kept.look.changed.is_empty());
    log.kept.look(log.at);
    assert!(log.kept.look.parts.values().all(|todo| !todo.is_open()) && !log.kept.look.joins);
    assert_eq!(log.settle(), [""; 0]);
}

/// The trust's reserve stands between a hold and the trust's near beds, until a bed far away has it covered.
#[test]
fn a_unit_of_a_sibling_sets_free_what_the_reserve_kept() {
    let mut log = Log::new(0, QUIET);
    log.keep_one_bed();
    log.beds("ZA101", "near", 1);
    log.beds("ZA102", "sibling", 0);
    log.beds("ZA401", "farther", 1);
    log.put_need(need("ZA2", "n", Priority::P2, start()));
    assert_eq!(log.settle(), ["n: [\"1 of farther\"] for []"]);
    assert_eq!(log.settle(), [""; 0]);
    log.beds("ZA102", "sibling", 1);
    assert_eq!(log.settle(), ["n: [\"1 of near\"] for [p0001]"]);
}

/// What an urgent need can use is kept back by the reserve while a later need holds a bed that is of no use to it.
#[test]
fn a_hold_on_a_sibling_gives_way_for_what_the_reserve_keeps() {
    let mut log = Log::new(0, QUIET);
    let dialysis = || vec![Label::parse("dialysis").unwrap()];
    log.keep_one_bed();
    log.beds("ZA101", "near", 1);
    let far = OfferReport { capabilities: dialysis(), ..report("ZA1", "sibling", 1, start()) };
    log.publish(OfferReport { site: "ZA102".parse().unwrap(), ..far });
    let mut other = Need { requires: dialysis(), ..need("ZA3", "other", Priority::P1A, start()) };
    log.put_need(other.clone());
    assert_eq!(log.settle(), ["other: [\"1 of sibling\"] for []"]);
    let urgent = need("ZA2", "urgent", Priority::P1B, start());
    log.put_need(Need { max_travel_minutes: Some(60), ..urgent });
    assert_eq!(log.settle(), [""; 0]);
    other = log.live.needs[&other.id].clone();
    other.priority = Priority::P3;
    log.put_need(other);
    assert_eq!(log.settle(), ["urgent: [\"1 of near\"] for [p0001]"]);
}

fn teams(id: &str, units: u32) -> OfferReport {
    OfferReport { resource: resource(ResourceKind::Staff, "ODP"), ..report("ZA3", id, units, start()) }
}

fn unstaffed_session() -> OfferReport {
    let from = start() + SignedDuration::from_hours(24);
    OfferReport {
        resource: theatre(110),
        window: Window { from: Some(from), until: from + SignedDuration::from_hours(4) },
        team: Team { staffed: false, needs: vec![Label::parse("ODP").unwrap()] },
        ..report("ZA1", "session", 240, start())
    }
}

fn case(trust: &str, id: &str, priority: Priority) -> Need {
    let minutes_per_case = Count::new(90);
    Need { resource: theatre(110), minutes_per_case, ..need(trust, id, priority, start()) }
}

fn shift(trust: &str, id: &str, priority: Priority) -> Need {
    Need { resource: resource(ResourceKind::Staff, "ODP"), ..need(trust, id, priority, start()) }
}

/// The only session and the only team are held for a planned case, and an urgent one has come.
pub(in crate::engine) fn a_contested_team() -> Facts {
    let mut log = Log::new(0, Kind { theatres: true, ..QUIET });
    log.publish(teams("team", 1));
    log.publish(unstaffed_session());
    log.put_need(case("ZA2", "planned", Priority::P3));
    assert_eq!(log.settle().len(), 1);
    log.put_need(case("ZA4", "urgent", Priority::P1A));
    Facts::clone(log.kept.facts())
}

/// Of a proposal and a join that a raised reserve no longer bears together, one ends.
#[test]
fn what_a_raised_reserve_asks_for_ends_one_hold_only() {
    let mut log = Log::new(0, Kind { theatres: true, ..QUIET });
    log.publish(teams("teams", 2));
    log.publish(unstaffed_session());
    log.put_need(case("ZA2", "case", Priority::P2));
    log.put_need(shift("ZA4", "list", Priority::P2));
    let mut held = log.settle();
    held.extend(log.settle());
    assert_eq!(held, ["list: [\"1 of teams\"] for []", "case: [\"1 of session\"] for []"]);
    log.keep("ZA3".parse().unwrap(), None, ("STAFF/ODP", 1));
    let (due, _) = log.look("a reserve is raised");
    assert_eq!(due, [Chore::Supersede(ProposalId::parse("p0001").unwrap(), NotUsed::BelowReserve)]);
}
