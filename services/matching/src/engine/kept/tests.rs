//! Random logs: what is kept decides what a look at everything decides, at every step.

use fallow_domain::actor::Actor;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::offer::{self as offers, OfferReport};
use fallow_domain::decide::proposal::{HomeReply, Reply, SupportingReply, Terms, answer};
use fallow_domain::ids::{CollaborativeId, Label, Note, ProposalId, RegionId, TransferId, TrustCode};
use fallow_domain::need::Priority;
use fallow_domain::offer::{OfferState, Suspension, Team, Window};
use fallow_domain::proposal::{HomeDecline, SupportingDecline};
use fallow_domain::quantity::Count;
use fallow_domain::records::Records;
use fallow_domain::refusal::Refusal;
use fallow_domain::region::{Mode, Region};
use fallow_domain::resource::{Code, Resource, Specialty};
use fallow_domain::standing::{Declaration, ModeChange, RegionState, TrustState};
use fallow_ledger::record::{need_key, offer_key, region_key, trust_key};
use fallow_live::neighbours;
use jiff::SignedDuration;

use super::*;
use crate::engine::{chores, first_of_plan, next_deadline, of_chore, of_placement, plan};
use crate::then::facts_of;
use examples::{beds, manager, need, report, start};

#[path = "../../../tests/engine/examples.rs"]
mod examples;
mod touching;

pub(in crate::engine) use touching::{a_contested_bed, a_contested_team};

/// How a log differs from others.
#[derive(Debug, Clone, Copy)]
struct Kind {
    /// Points for each unit beyond a trust's fair share.
    fair_step: u32,
    /// Whether there are theatres beside the beds, some without their teams, and staff.
    theatres: bool,
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }

    fn small(&mut self, n: u64) -> u32 {
        u32::try_from(self.below(n)).unwrap()
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }
}

const TRUSTS: [&str; 4] = ["ZA1", "ZA2", "ZA3", "ZA4"];

fn region_toml(kind: Kind) -> String {
    let allowance = if kind.fair_step > 0 { "fair_allowance = 1" } else { "" };
    let mut text = format!(
        "[region]\nid = \"Y99\"\nname = \"Tests\"\nresources = {{ STAFF = [\"ODP\"] }}\n[policy]\nkeep_points = 10\nfair_step = {}\n",
        kind.fair_step
    );
    for (at, trust) in TRUSTS.iter().enumerate() {
        let reserve = if at == 0 { "reserve = { \"BED/CC_ADULT/3\" = 1 }" } else { "" };
        text += &format!("[[trust]]\nods = \"{trust}\"\nname = \"{trust}\"\n{reserve}\n{allowance}\n");
        text += &format!(
            "[[site]]\ncode = \"{trust}01\"\ntrust = \"{trust}\"\nname = \"{trust}\"\nlat = 53.{at}\nlon = -2.0\nkind = \"HOSPITAL\"\n"
        );
    }
    // A trust's reserve is over all its sites: one far from the rest.
    text += "[[site]]\ncode = \"ZA102\"\ntrust = \"ZA1\"\nname = \"ZA1 far\"\nlat = 54.0\nlon = -2.0\nkind = \"HOSPITAL\"\n";
    text += "[[collaborative]]\nid = \"all\"\nname = \"All\"\nkind = \"ACUTE\"\nmembers = [\"ZA1\", \"ZA2\", \"ZA3\", \"ZA4\"]\nshares = [\"BED\", \"THEATRE\", \"STAFF\"]\n";
    text
}

fn engine_actor() -> Actor {
    crate::engine::actor()
}

fn resource(kind: ResourceKind, code: &str) -> Resource {
    Resource { kind, code: Code::new(code), specialties: Vec::new(), level: None, level_scheme: None }
}

fn theatre(specialty: u16) -> Resource {
    let specialties = vec![Specialty::new(specialty).unwrap()];
    Resource { specialties, ..resource(ResourceKind::Theatre, "MAIN") }
}

fn random_resource(dice: &mut Dice, kind: Kind) -> Resource {
    match dice.below(if kind.theatres { 10 } else { 5 }) {
        0..=2 => beds("GA_ADULT", None),
        3 | 4 => beds("CC_ADULT", Some(if dice.chance(50) { 2 } else { 3 })),
        8 | 9 => resource(ResourceKind::Staff, "ODP"),
        _ => theatre(*dice.pick(&[110, 300])),
    }
}

/// A log in the making, and the records as it makes them.
struct Log {
    dice: Dice,
    kind: Kind,
    calendar: WorkingCalendar,
    records: BTreeMap<Key, Seen>,
    live: Records,
    revision: Revision,
    at: Timestamp,
    kept: Kept,
    made: u64,
    /// Joins that were carried out.
    joined: usize,
    /// How many needs of a part are placed at a time.
    at_most: usize,
    /// How often that left something for later.
    cut: usize,
}

impl Log {
    fn new(seed: u64, kind: Kind) -> Self {
        let region = RegionState {
            toml: region_toml(kind),
            version: 1,
            modes: BTreeMap::new(),
            applied_at: start(),
            applied_by: engine_actor(),
        };
        let key = region_key(&RegionId::parse("Y99").unwrap());
        let seen = Seen { revision: Revision(1), record: Arc::new(Record::Region(region)) };
        let records: BTreeMap<Key, Seen> = [(key, seen)].into();
        let days = (0..14).map(|day| {
            let nine = start() + SignedDuration::from_hours(day * 24 - 1);
            (nine, nine + SignedDuration::from_hours(8))
        });
        Self {
            dice: Dice(seed),
            kind,
            calendar: WorkingCalendar::new(days.collect()).unwrap(),
            kept: Kept::new(start(), Revision(1), &records).unwrap(),
            records,
            live: Records::default(),
            revision: Revision(1),
            at: start(),
            made: 0,
            joined: 0,
            at_most: if seed.is_multiple_of(2) { usize::MAX } else { 2 },
            cut: 0,
        }
    }

    fn region(&self) -> Arc<Region> {
        self.kept.facts().region.clone()
    }

    /// Commits, and tells what is kept.
    fn commit(&mut self, writes: Vec<(Key, Option<Record>)>) {
        self.revision = self.revision.next();
        let mut items = Vec::new();
        for (key, record) in writes {
            let after = record.map(Arc::new);
            let before = match &after {
                Some(record) => {
                    let seen = Seen { revision: self.revision, record: record.clone() };
                    self.records.insert(key.clone(), seen)
                }
                None => self.records.remove(&key),
            };
            match after.as_deref() {
                Some(Record::Offer(offer)) => self.live.put_offer(offer.clone()),
                Some(Record::Need(need)) => self.live.put_need(need.clone()),
                Some(Record::Proposal(proposal)) => self.live.put_proposal(proposal.clone()),
                Some(Record::Transfer(transfer)) => self.live.put_transfer(transfer.clone()),
                Some(Record::Decline(decline)) => self.live.put_decline(decline.clone()),
                Some(
                    Record::Trust(_)
                    | Record::Feed(_)
                    | Record::Region(_)
                    | Record::Lease(_)
                    | Record::Claim(_)
                    | Record::Session(_)
                    | Record::Monitor(_),
                )
                | None => {}
            }
            items.push(AppliedItem { key, before: before.map(|seen| seen.record), after });
        }
        self.kept.take(self.revision, &items).unwrap();
    }

    fn try_to(&mut self, changes: Result<Records, Refusal>) {
        if let Ok(changes) = changes {
            self.commit(neighbours::writes(changes));
        }
    }

    fn put_offer(&mut self, offer: Offer) {
        self.commit(vec![(offer_key(&offer.id), Some(Record::Offer(offer)))]);
    }

    fn put_need(&mut self, need: Need) {
        self.commit(vec![(need_key(&need.id), Some(Record::Need(need)))]);
    }

    /// An offer as a trust publishes it.
    fn new_offer(&mut self) {
        self.made += 1;
        let id = OfferId::parse(&format!("o{:03}", self.dice.below(900) * 1_000 + self.made)).unwrap();
        let trust = *self.dice.pick(&TRUSTS);
        let resource = random_resource(&mut self.dice, self.kind);
        let is_theatre = resource.kind == ResourceKind::Theatre;
        let staffed = if is_theatre { 60 * (1 + self.dice.small(4)) } else { self.dice.small(4) };
        let hours = |n: u32| SignedDuration::from_hours(n.into());
        let from = self.at + hours(1 + self.dice.small(60));
        let is_staff = resource.kind == ResourceKind::Staff;
        let is_unstaffed = is_theatre && self.dice.chance(40);
        let site =
            if trust == "ZA1" && self.dice.chance(50) { "ZA102".to_owned() } else { format!("{trust}01") };
        let report = OfferReport {
            site: site.parse().unwrap(),
            resource,
            window: Window {
                from: (is_theatre || (!is_staff && self.dice.chance(50))).then_some(from),
                until: from + hours(if is_staff { 80 } else { 4 + self.dice.small(40) }),
            },
            team: if is_unstaffed {
                Team { staffed: false, needs: vec![Label::parse("ODP").unwrap()] }
            } else {
                Team::default()
            },
            release_at: self.dice.chance(10).then(|| self.at + SignedDuration::from_mins(40)),
            cadence: hours(1 + self.dice.small(8)),
            ..report(trust, id.as_str(), staffed, self.at)
        };
        let (by, at) = (manager(trust), self.at);
        self.try_to(offers::publish(&Records::default(), &id, report, true, &by, at));
    }

    fn new_need(&mut self) {
        self.made += 1;
        let id = format!("n{:03}", self.dice.below(900) * 1_000 + self.made);
        let trust = *self.dice.pick(&TRUSTS);
        let resource = random_resource(&mut self.dice, self.kind);
        let is_theatre = resource.kind == ResourceKind::Theatre;
        let later = |dice: &mut Dice, hours: u64| SignedDuration::from_hours(dice.small(hours).into());
        let priority = *self.dice.pick(Priority::ALL);
        let need = Need {
            resource,
            units: Count::new(1 + self.dice.small(2)),
            minutes_per_case: Count::new(if is_theatre { 30 + 10 * self.dice.small(9) } else { 0 }),
            listed_at: self.at - later(&mut self.dice, 200),
            earliest: self.dice.chance(30).then(|| self.at + later(&mut self.dice, 30)),
            needed_by: self.dice.chance(40).then(|| self.at + later(&mut self.dice, 60)),
            max_travel_minutes: self.dice.chance(30).then(|| 20 + self.dice.small(30)),
            ..need(trust, &id, priority, self.at)
        };
        self.put_need(need);
    }

    fn some_offer(&mut self) -> Option<Offer> {
        let live: Vec<OfferId> = self.kept.facts().offers.keys().cloned().collect();
        (!live.is_empty()).then(|| self.live.offers[self.dice.pick(&live)].clone())
    }

    fn some_need(&mut self) -> Option<Need> {
        let live: Vec<NeedId> = self.kept.facts().needs.keys().cloned().collect();
        (!live.is_empty()).then(|| self.live.needs[self.dice.pick(&live)].clone())
    }

    fn change_offer(&mut self) {
        let Some(mut offer) = self.some_offer() else { return };
        match self.dice.below(6) {
            0 => {
                let until = self.dice.chance(50).then(|| self.at + SignedDuration::from_mins(30));
                offer.state = OfferState::Suspended;
                offer.suspension = Some(Suspension { reason: Note::default(), until, left_out: false });
            }
            1 => (offer.state, offer.suspension, offer.reported_at) = (OfferState::Open, None, self.at),
            2 => offer.window.until = self.at + SignedDuration::from_hours(self.dice.small(50).into()),
            _ => {
                let step = if offer.resource.kind == ResourceKind::Theatre { 30 } else { 1 };
                let taken = offer.figures.held.get() + offer.figures.committed.get();
                offer.figures.staffed = Count::new(taken + step * self.dice.small(4));
                offer.reported_at = self.at;
            }
        }
        offer.generation += self.dice.small(2);
        self.put_offer(offer);
    }

    fn change_need(&mut self) {
        let Some(mut need) = self.some_need() else { return };
        match self.dice.below(4) {
            0 => need.priority = *self.dice.pick(Priority::ALL),
            1 => need.earliest = Some(self.at + SignedDuration::from_hours(self.dice.small(30).into())),
            2 => need.max_travel_minutes = self.dice.chance(50).then(|| 20 + self.dice.small(40)),
            _ => need.units = need.units.plus(Count::ONE).unwrap(),
        }
        need.generation += self.dice.small(2);
        self.put_need(need);
    }

    fn answer(&mut self) {
        let held: Vec<ProposalId> = self.kept.facts().holds.keys().cloned().collect();
        if held.is_empty() {
            return;
        }
        let id = self.dice.pick(&held).clone();
        let proposal = self.live.proposals[&id].clone();
        self.made += 1;
        let transfer = TransferId::parse(&format!("t{}", self.made)).unwrap();
        let (at, note) = (self.at, Note::default());
        let gives = |reply, dice: &mut Dice| match proposal.third_trust() {
            Some(lender) if dice.chance(50) => (Reply::Team(reply), lender),
            Some(_) | None => (Reply::Supporting(reply), proposal.supporting_trust),
        };
        let (reply, by) = match self.dice.below(4) {
            0 => (Reply::Home(HomeReply::Accept { units: None }), proposal.home_trust),
            1 => {
                let code = HomeDecline::PatientDeclined;
                (Reply::Home(HomeReply::Decline { code }), proposal.home_trust)
            }
            2 => gives(SupportingReply::Accept { units: None }, &mut self.dice),
            _ => {
                let (code, set_free) = (SupportingDecline::Staffing, None);
                gives(SupportingReply::Decline { code, set_free }, &mut self.dice)
            }
        };
        let region = self.region();
        let terms = Terms {
            in_force: region.policy.in_force(false),
            calendar: &self.calendar,
            turnover_minutes: region.policy.turnover_minutes,
        };
        let by = manager(by.as_str());
        let changes = answer(&self.live, &id, reply, &note, &transfer, &terms, &by, at);
        self.try_to(changes);
    }

    /// A trust says what it declares, and how many units of a resource it keeps for itself.
    fn keep(&mut self, ods: TrustCode, declared: Option<Declaration>, (resource, units): (&str, u32)) {
        let reserves = [(resource.parse().unwrap(), Count::new(units))].into();
        let said = TrustState { ods, declared, reserves };
        self.commit(vec![(trust_key(ods), Some(Record::Trust(said)))]);
    }

    fn change_region(&mut self) {
        let by = engine_actor();
        if self.dice.chance(80) {
            let ods = self.dice.pick(&TRUSTS).parse().unwrap();
            let declared =
                Declaration { opel: 1 + u8::try_from(self.dice.below(4)).unwrap(), at: self.at, by };
            let keeps = self.dice.small(3);
            return self.keep(ods, Some(declared), ("BED/GA_ADULT", keeps));
        }
        let key = region_key(&RegionId::parse("Y99").unwrap());
        let Record::Region(state) = &*self.records[&key].record else { panic!("no region") };
        let mut state = state.clone();
        state.version += 1;
        let mode = if self.dice.chance(50) { Mode::Incident } else { Mode::Routine };
        let change = ModeChange { mode, at: self.at, by, reason: Note::default() };
        state.modes.insert(CollaborativeId::parse("all").unwrap(), change);
        self.commit(vec![(key, Some(Record::Region(state)))]);
    }

    /// One thing that happens.
    fn happen(&mut self) -> &'static str {
        match self.dice.below(20) {
            0..=3 => {
                self.new_offer();
                "an offer"
            }
            4..=7 => {
                self.new_need();
                "a need"
            }
            8..=11 => {
                self.change_offer();
                "an offer changed"
            }
            12 | 13 => {
                self.change_need();
                "a need changed"
            }
            14..=16 => {
                self.answer();
                "an answer"
            }
            17 => {
                self.change_region();
                "the region"
            }
            _ => {
                let seconds = *self.dice.pick(&[1, 60, 600, 3_600, 14_400]);
                self.at += SignedDuration::from_secs(seconds);
                "time"
            }
        }
    }

    /// Holds what is kept against everything, and returns what is decided.
    fn look(&mut self, tell: &str) -> (Vec<Chore>, Vec<Placement>) {
        self.kept.look(self.at);
        let facts = facts_of(self.at, self.revision, &self.records).unwrap();
        assert_eq!(self.kept.facts().versions, facts.versions, "{tell}");
        assert_eq!(self.kept.facts().giving, facts.giving, "{tell}");
        assert_eq!(self.kept.facts().region, facts.region, "{tell}: the allowances that stand");
        assert_eq!(self.kept.next_deadline(), next_deadline(&facts), "{tell}");
        let due = self.kept.chores();
        assert_eq!(due, chores(&facts), "{tell}");
        let (placements, of_everything) =
            (self.kept.placements(self.at_most), first_of_plan(&facts, self.at_most));
        assert_eq!(in_short(&placements), in_short(&of_everything), "{tell}");
        assert_eq!(placements, of_everything, "{tell}");
        if self.at_most < usize::MAX {
            self.cut += usize::from(plan(&facts).len() > placements.len());
        }
        (due, placements)
    }

    /// Carries out a placement; says whether the rules allowed it.
    fn place(&mut self, placement: &Placement) -> bool {
        let mut ids = Vec::new();
        for _ in &placement.suggest {
            self.made += 1;
            let id = |letter: char| format!("{letter}{:04}", self.made);
            ids.push((ProposalId::parse(&id('p')).unwrap(), TransferId::parse(&id('t')).unwrap()));
        }
        let region = self.region();
        let terms = (&*region, &self.calendar);
        let changes = of_placement(placement, &ids, &self.live, terms, &engine_actor(), self.at);
        let is_done = changes.is_ok();
        self.try_to(changes);
        is_done
    }

    /// Looks, and carries out what is decided, but for some that is refused or overtaken.
    fn decide(&mut self, tell: &str) -> usize {
        let (due, placements) = self.look(tell);
        for chore in due {
            if self.dice.chance(85) {
                let changes = of_chore(&chore, &self.live, &engine_actor(), self.at);
                self.try_to(changes);
            }
        }
        let mut count = 0;
        for placement in placements {
            if self.dice.chance(85) && self.place(&placement) {
                self.joined += placement.suggest.iter().filter(|suggest| suggest.team.is_some()).count();
                count += 1;
            }
        }
        count
    }
}

fn in_short(placements: &[Placement]) -> Vec<String> {
    let suggested = |placement: &Placement| {
        placement
            .suggest
            .iter()
            .map(|suggest| format!("{} of {}", suggest.units, suggest.offer))
            .collect::<Vec<_>>()
    };
    placements.iter().map(|p| format!("{}: {:?} for {:?}", p.need, suggested(p), p.supersede)).collect()
}

#[test]
fn at_every_step_of_random_logs_what_is_kept_decides_what_a_look_at_everything_decides() {
    let kinds = [
        Kind { fair_step: 0, theatres: false },
        Kind { fair_step: 0, theatres: true },
        Kind { fair_step: 12, theatres: true },
    ];
    let (mut proposed, mut joined, mut cut) = (0, 0, 0);
    for seed in 0..24 {
        let kind = kinds[usize::try_from(seed % 3).unwrap()];
        let mut log = Log::new(seed, kind);
        for step in 0..120 {
            let mut what = Vec::new();
            for _ in 0..=log.dice.below(3) {
                what.push(log.happen());
            }
            proposed += log.decide(&format!("seed {seed}, step {step}: {}", what.join(", ")));
        }
        joined += log.joined;
        cut += log.cut;
    }
    assert!(proposed > 500 && joined > 50, "{proposed}, of them {joined} joins");
    assert!(cut > 10, "{cut} times something was left for later");
}
