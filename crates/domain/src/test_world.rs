//! A small world for the tests of decisions: two beds' worth of trusts, offers and needs, and people to act.

mod joined;

use jiff::{SignedDuration, Timestamp};

use crate::actor::{Actor, ActorKind, Role};
use crate::calendar::WorkingCalendar;
use crate::decide::need::Raised;
use crate::decide::offer::OfferReport;
use crate::decide::proposal::{HomeReply, Reply, Room, Suggestion, SupportingReply, Terms, answer, propose};
use crate::decide::{need, offer};
use crate::ids::{Label, NeedId, Note, OfferId, ProposalId, SiteCode, SourceKey, TransferId, TrustCode};
use crate::matching::explanation::{After, Explanation, Fairness, RankFacts};
use crate::need::{Need, Priority, Scope};
use crate::offer::{Offer, Window};
use crate::policy::Policy;
use crate::proposal::Proposal;
use crate::quantity::Count;
use crate::records::Records;
use crate::refusal::Refusal;
use crate::region::{Region, file};
use crate::resource::{Code, Resource, ResourceKind};
use crate::transfer::Transfer;

/// Two trusts with a site each, of which the first keeps a bed back and is under pressure.
const TWO_TRUSTS: &str = r#"
    [region]
    id = "ZA"
    name = "North Vale"
    timezone = "Europe/London"
    [[trust]]
    ods = "ZA1"
    name = "Aldermoor"
    opel = 2
    reserve = { "BED/GA_ADULT" = 1 }
    [[trust]]
    ods = "ZA2"
    name = "Brackwater"
    [[site]]
    code = "ZA101"
    trust = "ZA1"
    name = "Aldermoor General"
    lat = 53.0
    lon = -2.0
    kind = "HOSPITAL"
    [[site]]
    code = "ZA201"
    trust = "ZA2"
    name = "Brackwater General"
    lat = 53.1
    lon = -2.1
    kind = "HOSPITAL"
"#;

/// The region of the two trusts.
pub(crate) fn two_trusts() -> Region {
    file::parse(TWO_TRUSTS).unwrap()
}

/// Monday 08:00.
pub(crate) fn monday() -> Timestamp {
    "2026-11-23T08:00:00Z".parse().unwrap()
}

pub(crate) fn minutes(n: i64) -> SignedDuration {
    SignedDuration::from_mins(n)
}

pub(crate) fn note(text: &str) -> Note {
    Note::parse(text).unwrap()
}

pub(crate) fn offer_id(text: &str) -> OfferId {
    OfferId::parse(text).unwrap()
}

pub(crate) fn need_id(text: &str) -> NeedId {
    NeedId::parse(text).unwrap()
}

pub(crate) fn proposal_id(text: &str) -> ProposalId {
    ProposalId::parse(text).unwrap()
}

pub(crate) fn transfer_id(text: &str) -> TransferId {
    TransferId::parse(text).unwrap()
}

pub(crate) fn actor(subject: &str, role: Role, trust: Option<&str>) -> Actor {
    Actor {
        subject: Label::parse(subject).unwrap(),
        kind: ActorKind::Person,
        role,
        trust: trust.map(|t| t.parse().unwrap()),
    }
}

/// The bed manager of a trust.
pub(crate) fn manager(trust: &str) -> Actor {
    actor(&format!("manager-{trust}"), Role::BedManager, Some(trust))
}

pub(crate) fn engine() -> Actor {
    Actor { kind: ActorKind::System, ..actor("engine", Role::Engine, None) }
}

pub(crate) fn gold() -> Actor {
    actor("gold", Role::Gold, None)
}

pub(crate) fn resource(kind: ResourceKind, code: &str) -> Resource {
    Resource { kind, code: Code::new(code), specialties: Vec::new(), level: None, level_scheme: None }
}

pub(crate) fn report(trust: &str, key: &str, staffed: u32, occupied: u32, at: Timestamp) -> OfferReport {
    let key = SourceKey::parse(key).unwrap();
    let window = Window { from: None, until: at + SignedDuration::from_hours(24 * 30) };
    let beds = resource(ResourceKind::Bed, "GA_ADULT");
    let told = (at, SignedDuration::from_hours(24 * 20));
    let report = OfferReport::bare(key, place(trust), beds, staffed.into(), window, told);
    OfferReport { occupied: occupied.into(), ..report }
}

pub(crate) fn new_need(trust: &str, id: &str, units: u32, at: Timestamp) -> Need {
    let beds = resource(ResourceKind::Bed, "GA_ADULT");
    Need {
        case_ref: Some(crate::ids::CaseRef::parse(id).unwrap()),
        units: units.into(),
        scope: Scope::EpisodeOnly,
        ..Need::bare(need_id(id), place(trust), beds, Priority::P1B, at)
    }
}

/// A trust and its first site.
fn place(trust: &str) -> (TrustCode, SiteCode) {
    (trust.parse().unwrap(), format!("{trust}01").parse().unwrap())
}

pub(crate) fn explanation(at: Timestamp) -> Explanation {
    Explanation {
        rank: RankFacts {
            priority: Priority::P1B,
            score: 0,
            breach_at: at,
            waited_days: 0,
            position: 1,
            of: 1,
        },
        terms: Vec::new(),
        after: After { free: 0, reserve: 0, pressure: 1 },
        fairness: Fairness::default(),
        alternatives: Vec::new(),
        not_used: Vec::new(),
        flips: Vec::new(),
        unknown: Vec::new(),
        checked_at: at,
        revision: 1,
        policy: "1".into(),
    }
}

/// All live records, a policy, and a clock that the test moves.
pub(crate) struct World {
    pub(crate) records: Records,
    pub(crate) policy: Policy,
    pub(crate) calendar: WorkingCalendar,
    pub(crate) at: Timestamp,
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            records: Records::default(),
            policy: Policy::default(),
            calendar: WorkingCalendar::default(),
            at: monday(),
        }
    }

    /// Trust ZA1 offers `staffed` beds of which `occupied` are occupied; ZA2 needs `units`.
    pub(crate) fn with(staffed: u32, occupied: u32, units: u32) -> Self {
        let mut world = Self::new();
        world.publish("o-1", report("ZA1", "ward 1", staffed, occupied, world.at));
        world.raise(new_need("ZA2", "n-1", units, world.at));
        world
    }

    pub(crate) fn wait(&mut self, minutes: i64) {
        self.at += SignedDuration::from_mins(minutes);
    }

    /// Takes a decision over when it was one, checks every rule, and returns the refusal's reason when it was not.
    pub(crate) fn take(&mut self, decided: Result<Records, Refusal>) -> Result<(), &'static str> {
        let changes = decided.map_err(|refusal| {
            assert!(crate::refusal::reason::ALL.contains(&refusal.reason), "{refusal:?}");
            refusal.reason
        })?;
        assert_eq!(crate::invariants::check_step(&self.records, &changes, self.at), []);
        self.records.apply(changes);
        assert_eq!(crate::invariants::check(&self.records), []);
        Ok(())
    }

    pub(crate) fn publish(&mut self, id: &str, report: OfferReport) {
        let by = manager(report.trust.as_str());
        self.take(offer::publish(&self.records, &offer_id(id), report, false, &by, self.at)).unwrap();
    }

    pub(crate) fn raise(&mut self, need: Need) {
        let by = manager(need.trust.as_str());
        match need::raise(&self.records, need, &by, self.at).unwrap() {
            Raised::New(changes) => self.take(Ok(changes)).unwrap(),
            Raised::AlreadyLive(id) => panic!("{id} is live"),
        }
    }

    pub(crate) fn terms(&self) -> Terms<'_> {
        Terms { in_force: self.policy.in_force(false), calendar: &self.calendar, turnover_minutes: 15 }
    }

    pub(crate) fn suggestion(&self, id: &str, need: &str, offer: &str, units: u32) -> Suggestion {
        Suggestion {
            id: proposal_id(id),
            need: need_id(need),
            offer: offer_id(offer),
            units: units.into(),
            from_home: None,
            explanation: explanation(self.at),
            transfer: transfer_id(&format!("t-{id}")),
        }
    }

    pub(crate) fn propose(
        &mut self,
        id: &str,
        need: &str,
        offer: &str,
        units: u32,
    ) -> Result<(), &'static str> {
        let suggestion = self.suggestion(id, need, offer, units);
        let room = self.room(offer, 0);
        self.take(propose(&self.records, suggestion, room, &self.terms(), &engine(), self.at))
    }

    pub(crate) fn room(&self, offer: &str, reserve: u32) -> Room {
        let offer = &self.records.offers[&offer_id(offer)];
        let key = offer.resource.key();
        Room::of(self.records.offers.values(), (offer.trust, &key), reserve.into(), self.at)
    }

    /// A trust answers for a side.
    pub(crate) fn answer_as(&mut self, id: &str, reply: Reply, trust: &str) -> Result<(), &'static str> {
        let (transfer, by) = (transfer_id(&format!("t-{id}")), manager(trust));
        let (id, none) = (proposal_id(id), Note::default());
        self.take(answer(&self.records, &id, reply, &none, &transfer, &self.terms(), &by, self.at))
    }

    /// The supporting trust of a proposal answers.
    pub(crate) fn support(&mut self, id: &str, reply: SupportingReply) -> Result<(), &'static str> {
        let trust = self.proposal(id).supporting_trust;
        self.answer_as(id, Reply::Supporting(reply), trust.as_str())
    }

    /// The home trust of a proposal answers.
    pub(crate) fn home(&mut self, id: &str, reply: HomeReply) -> Result<(), &'static str> {
        let trust = self.proposal(id).home_trust;
        self.answer_as(id, Reply::Home(reply), trust.as_str())
    }

    /// Both trusts say yes to all.
    pub(crate) fn agree(&mut self, id: &str) {
        self.support(id, SupportingReply::Accept { units: None }).unwrap();
        self.home(id, HomeReply::Accept { units: None }).unwrap();
    }

    pub(crate) fn proposal(&self, id: &str) -> &Proposal {
        &self.records.proposals[&proposal_id(id)]
    }

    pub(crate) fn offer(&self, id: &str) -> &Offer {
        &self.records.offers[&offer_id(id)]
    }

    pub(crate) fn need(&self, id: &str) -> &Need {
        &self.records.needs[&need_id(id)]
    }

    pub(crate) fn transfer(&self, id: &str) -> &Transfer {
        &self.records.transfers[&transfer_id(id)]
    }

    /// An offer's staffed, occupied, blocked, held, committed, free and short.
    pub(crate) fn account(&self, id: &str) -> [u64; 7] {
        let f = self.offer(id).figures;
        [f.staffed, f.occupied, f.blocked, f.held, f.committed, f.free()]
            .map(|c| u64::from(c.get()))
            .into_iter()
            .chain([f.short()])
            .collect::<Vec<_>>()
            .try_into()
            .unwrap()
    }

    /// A need's gauges: proposed, committed, arrived.
    pub(crate) fn gauges(&self, id: &str) -> [u32; 3] {
        let n = self.need(id);
        [n.units_proposed, n.units_committed, n.units_arrived].map(Count::get)
    }
}
