//! A region that lives in memory: its records, what the engine keeps of them, and what happens.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use fallow_bench::invent::Dice;
use fallow_bench::stopwatch::{Spent, Stopwatch};
use fallow_domain::actor::{Actor, ActorKind, Role};
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::ids::{Label, NeedId, OfferId, ProposalId, TransferId, TrustCode};
use fallow_domain::matching::problem::Problem;
use fallow_domain::matching::solve::solve;
use fallow_domain::need::{Need, NeedState};
use fallow_domain::offer::Offer;
use fallow_domain::proposal::ProposalState;
use fallow_domain::quantity::Count;
use fallow_domain::records::Records;
use fallow_domain::resource::{ResourceKey, ResourceKind};
use fallow_domain::standing::Decline;
use fallow_ledger::picture::{AppliedItem, Seen};
use fallow_ledger::record::{Record, decline_key, need_key, offer_key, proposal_key};
use fallow_ledger::{Key, Revision};
use fallow_live::neighbours;
use fallow_matching::Facts;
use fallow_matching::engine::{AT_A_TIME, Chore, Kept, Placement, of_chore, of_placement};
use jiff::{SignedDuration, Timestamp};

/// Rounds in which a region must come to rest.
const ROUNDS_MAX: usize = 50;
/// Steps of theatre search for the plan that is carried out before the measurement.
const THEATRE_STEPS: u64 = 2_000;

/// Something that happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Happening {
    NeedIn,
    NeedOut,
    UnitsIn,
    UnitsOut,
    SameFigures,
    Decline,
    Time,
}

impl Happening {
    pub(super) const ALL: [Self; 7] = [
        Self::NeedIn,
        Self::NeedOut,
        Self::UnitsIn,
        Self::UnitsOut,
        Self::SameFigures,
        Self::Decline,
        Self::Time,
    ];

    pub(super) fn told(self) -> &'static str {
        match self {
            Self::NeedIn => "need in",
            Self::NeedOut => "need out",
            Self::UnitsIn => "unit or hour in",
            Self::UnitsOut => "unit or hour out",
            Self::SameFigures => "same figures again",
            Self::Decline => "decline",
            Self::Time => "time",
        }
    }
}

/// What the engine decided.
pub(super) struct Decided {
    pub(super) chores: Vec<Chore>,
    pub(super) placements: Vec<Placement>,
}

pub(super) struct Region {
    dice: Dice,
    at: Timestamp,
    revision: Revision,
    policy: String,
    region: Arc<fallow_domain::region::Region>,
    calendar: WorkingCalendar,
    records: BTreeMap<Key, Seen>,
    shelves: HashMap<(TrustCode, ResourceKey), Vec<OfferId>>,
    offers: Vec<OfferId>,
    needs: Vec<NeedId>,
    /// Needs that may come, which the plan served before the measurement.
    to_come: Vec<Need>,
    kept: Option<Kept>,
    made: u64,
}

impl Region {
    /// Makes a region of a scenario: its best plan is carried out, but for so many lines that are left to be proposed.
    pub(super) fn new(problem: Problem, offers: Option<usize>, standing: usize, seed: u64) -> Result<Self> {
        let problem = sized(problem, offers)?;
        let plan = solve(&problem, None, THEATRE_STEPS, seed, &mut || false);
        let mut offers: BTreeMap<OfferId, Offer> =
            problem.offers.iter().map(|offer| (offer.id.clone(), (**offer).clone())).collect();
        let mut needs: BTreeMap<NeedId, Need> =
            problem.needs.iter().map(|need| (need.id.clone(), (**need).clone())).collect();
        let mut to_come = Vec::new();
        let carried_out = plan.allocations.len().saturating_sub(standing);
        let every = plan.allocations.len().div_ceil(standing.max(1)).max(1);
        let done = plan.allocations.iter().enumerate().filter(|(at, _)| at % every != 0).take(carried_out);
        for (_, line) in done {
            let (Some(need), Some(offer)) = (needs.get_mut(&line.need), offers.get_mut(&line.offer)) else {
                continue;
            };
            let turnover = u64::from(problem.region.policy.turnover_minutes) * u64::from(line.units);
            let is_theatre = offer.resource.kind == ResourceKind::Theatre;
            let units = if is_theatre { u32::try_from(line.minutes + turnover)? } else { line.units };
            let free = offer.figures.free().get();
            let occupied = offer.figures.occupied.plus(Count::new(units.min(free)));
            offer.figures.occupied = occupied.context("too many units")?;
            need.units = need.units.less(Count::new(line.units));
            if need.units.is_zero() {
                let mut again = need.clone();
                again.units = Count::new(line.units);
                to_come.push(again);
                needs.remove(&line.need);
            }
        }
        let day = |n: i64| problem.at + SignedDuration::from_hours(24 * n);
        let days = (0..60).map(|n| (day(n), day(n) + SignedDuration::from_hours(8))).collect();
        let mut made = Self {
            dice: Dice(seed),
            at: problem.at,
            revision: Revision(1),
            policy: "1".to_owned(),
            region: problem.region.clone(),
            calendar: WorkingCalendar::new(days).map_err(anyhow::Error::msg)?,
            records: BTreeMap::new(),
            shelves: HashMap::new(),
            offers: offers.keys().cloned().collect(),
            needs: needs.keys().cloned().collect(),
            to_come,
            kept: None,
            made: 0,
        };
        for offer in offers.into_values() {
            made.shelves.entry((offer.trust, offer.resource.key())).or_default().push(offer.id.clone());
            made.put(offer_key(&offer.id), Record::Offer(offer));
        }
        for need in needs.into_values() {
            made.put(need_key(&need.id), Record::Need(need));
        }
        Ok(made)
    }

    fn put(&mut self, key: Key, record: Record) {
        self.records.insert(key, Seen { revision: self.revision, record: Arc::new(record) });
    }

    /// Everything that there is now.
    pub(super) fn facts(&self) -> Facts {
        let mut facts = Facts::new(self.at, self.revision, self.region.clone(), self.policy.clone());
        for (key, seen) in &self.records {
            facts.add(key.clone(), seen);
        }
        facts
    }

    /// Starts the engine on everything.
    pub(super) fn start(&mut self) -> Result<Spent> {
        let facts = Arc::new(self.facts());
        let watch = Stopwatch::start();
        self.kept = Some(Kept::of(facts, BTreeMap::new()));
        Ok(watch.spent())
    }

    fn kept(&mut self) -> Result<&mut Kept> {
        self.kept.as_mut().context("the engine is not started")
    }

    /// Lets the engine decide, and carries it out, until nothing is to be done; says how many proposals stand.
    pub(super) fn come_to_rest(&mut self) -> Result<usize> {
        for _ in 0..ROUNDS_MAX {
            let decided = self.decide(&[]);
            if decided.chores.is_empty() && decided.placements.is_empty() {
                return Ok(self.kept()?.facts().holds.len());
            }
            self.carry_out(decided);
        }
        bail!("something is to be done after {ROUNDS_MAX} rounds")
    }

    /// Takes changes in and decides.
    pub(super) fn decide(&mut self, items: &[AppliedItem]) -> Decided {
        let (at, revision) = (self.at, self.revision);
        let Some(kept) = self.kept.as_mut() else {
            return Decided { chores: Vec::new(), placements: Vec::new() };
        };
        if !items.is_empty() {
            // Only another region file can be unreadable, and none comes.
            let _ = kept.take(revision, items);
        }
        kept.look(at);
        let chores = kept.chores();
        Decided { chores, placements: kept.placements(AT_A_TIME) }
    }

    /// Carries out what was decided; what a rule refuses is left.
    pub(super) fn carry_out(&mut self, decided: Decided) {
        let at = self.at;
        for chore in decided.chores {
            let read = self.around(&[chore.root()]);
            if let Ok(changes) = of_chore(&chore, &read, &engine(), at) {
                self.commit(changes);
            }
        }
        for placement in decided.placements {
            let mut roots = vec![need_key(&placement.need)];
            roots.extend(placement.suggest.iter().map(|suggest| offer_key(&suggest.offer)));
            roots.extend(placement.supersede.iter().map(proposal_key));
            let read = self.around(&roots);
            let ids: Vec<(ProposalId, TransferId)> =
                placement.suggest.iter().filter_map(|_| self.ids()).collect();
            let region = self.region.clone();
            let terms = (&*region, &self.calendar);
            if let Ok(changes) = of_placement(&placement, &ids, &read, terms, &engine(), at) {
                self.commit(changes);
            }
        }
    }

    fn ids(&mut self) -> Option<(ProposalId, TransferId)> {
        self.made += 1;
        Some((
            ProposalId::parse(&format!("p{}", self.made)).ok()?,
            TransferId::parse(&format!("t{}", self.made)).ok()?,
        ))
    }

    /// Some records with those that decisions on them read: a hold's need and offer, a need's holds, an offer's shelf.
    fn around(&self, roots: &[Key]) -> Records {
        let mut read = Records::default();
        for root in roots {
            let Some(seen) = self.records.get(root) else { continue };
            self.read(&seen.record, &mut read);
        }
        read
    }

    fn read(&self, record: &Record, read: &mut Records) {
        match record {
            Record::Offer(offer) => {
                let shelf = self.shelves.get(&(offer.trust, offer.resource.key())).into_iter().flatten();
                for id in shelf {
                    if let Some(Record::Offer(other)) =
                        self.records.get(&offer_key(id)).map(|seen| &*seen.record)
                    {
                        read.put_offer(other.clone());
                    }
                }
            }
            Record::Need(need) => {
                read.put_need(need.clone());
                let holds = self.kept.iter().flat_map(|kept| kept.facts().holds.values());
                holds
                    .filter(|hold| hold.need == need.id)
                    .for_each(|hold| read.put_proposal((**hold).clone()));
            }
            Record::Proposal(proposal) => {
                read.put_proposal(proposal.clone());
                for key in [need_key(&proposal.need), offer_key(&proposal.offer)] {
                    if let Some(seen) = self.records.get(&key) {
                        self.read(&seen.record, read);
                    }
                }
            }
            Record::Transfer(_)
            | Record::Trust(_)
            | Record::Feed(_)
            | Record::Region(_)
            | Record::Lease(_)
            | Record::Claim(_)
            | Record::Session(_)
            | Record::Monitor(_)
            | Record::Decline(_) => {}
        }
    }

    /// Commits changes, and tells the engine.
    fn commit(&mut self, changes: Records) {
        let items = self.write(neighbours::writes(changes));
        let revision = self.revision;
        if let Some(kept) = self.kept.as_mut() {
            let _ = kept.take(revision, &items);
        }
    }

    fn write(&mut self, writes: Vec<(Key, Option<Record>)>) -> Vec<AppliedItem> {
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
            items.push(AppliedItem { key, before: before.map(|seen| seen.record), after });
        }
        items
    }

    /// Lets one thing happen; the engine has not heard of it yet.
    pub(super) fn happen(&mut self) -> (Happening, Vec<AppliedItem>) {
        loop {
            let happening = match self.dice.below(20) {
                0..=4 => Happening::NeedIn,
                5 | 6 => Happening::NeedOut,
                7..=10 => Happening::UnitsIn,
                11 | 12 => Happening::UnitsOut,
                13..=15 => Happening::SameFigures,
                16 | 17 => Happening::Decline,
                _ => Happening::Time,
            };
            if let Some(items) = self.make(happening) {
                return (happening, items);
            }
        }
    }

    fn make(&mut self, happening: Happening) -> Option<Vec<AppliedItem>> {
        let writes = match happening {
            Happening::NeedIn => {
                let place = self.dice.place(self.to_come.len());
                let mut need = self.to_come.get(place)?.clone();
                self.made += 1;
                need.id = NeedId::parse(&format!("{}-{}", need.id, self.made)).ok()?;
                self.needs.push(need.id.clone());
                vec![(need_key(&need.id), Some(Record::Need(need)))]
            }
            Happening::NeedOut => {
                let place = self.dice.place(self.needs.len());
                let id = self.needs.get(place)?.clone();
                let mut need = self.need(&id)?;
                if !need.units_proposed.is_zero() {
                    return None;
                }
                self.needs.swap_remove(place);
                need.state = NeedState::Withdrawn;
                vec![(need_key(&id), Some(Record::Need(need)))]
            }
            Happening::UnitsIn | Happening::UnitsOut | Happening::SameFigures => {
                let mut offer = self.some_offer()?;
                let by = Count::new(if offer.resource.kind == ResourceKind::Theatre { 60 } else { 1 });
                if happening == Happening::UnitsIn {
                    offer.figures.staffed = offer.figures.staffed.plus(by)?;
                } else if happening == Happening::UnitsOut {
                    if offer.figures.free() < by {
                        return None;
                    }
                    offer.figures.staffed = offer.figures.staffed.less(by);
                }
                offer.reported_at = self.at;
                vec![(offer_key(&offer.id), Some(Record::Offer(offer)))]
            }
            Happening::Decline => self.decline()?,
            Happening::Time => {
                self.at += SignedDuration::from_secs(i64::from(1 + self.dice.below(20)));
                return Some(Vec::new());
            }
        };
        Some(self.write(writes))
    }

    /// A proposal is declined: its units come free, and the pair is not tried again.
    fn decline(&mut self) -> Option<Vec<(Key, Option<Record>)>> {
        let holds = self.kept.as_ref()?.facts().holds.clone();
        let place = self.dice.place(holds.len());
        let mut hold = (**holds.values().nth(place)?).clone();
        let (mut need, mut offer) = (self.need(&hold.need)?, self.offer(&hold.offer)?);
        hold.state = ProposalState::Declined;
        hold.ended_at = Some(self.at);
        need.units_proposed = need.units_proposed.less(hold.units);
        need.state = NeedState::Open;
        offer.figures.held = offer.figures.held.less(hold.minutes_or_units_held);
        let decline = Decline {
            need: need.id.clone(),
            offer: offer.id.clone(),
            need_generation: need.generation,
            offer_generation: offer.generation,
            code: Label::default(),
            at: self.at,
        };
        Some(vec![
            (offer_key(&offer.id), Some(Record::Offer(offer))),
            (need_key(&need.id), Some(Record::Need(need))),
            (proposal_key(&hold.id), Some(Record::Proposal(hold))),
            (decline_key(&decline.need, &decline.offer), Some(Record::Decline(decline))),
        ])
    }

    fn some_offer(&mut self) -> Option<Offer> {
        let place = self.dice.place(self.offers.len());
        let id = self.offers.get(place)?.clone();
        self.offer(&id).filter(|offer| !offer.state.is_ended())
    }

    fn offer(&self, id: &OfferId) -> Option<Offer> {
        self.records.get(&offer_key(id))?.record.offer().cloned()
    }

    fn need(&self, id: &NeedId) -> Option<Need> {
        self.records.get(&need_key(id))?.record.need().filter(|need| !need.state.is_ended()).cloned()
    }
}

/// A scenario with another number of offers: every so-manieth of its own with as large a share of its needs, or its own
/// again under other names.
fn sized(mut problem: Problem, offers: Option<usize>) -> Result<Problem> {
    let Some(wanted) = offers else { return Ok(problem) };
    let there = problem.offers.len();
    if wanted <= there {
        let is_kept = |at: usize| at * wanted / there != (at + 1) * wanted / there;
        let (mut offer, mut need) = (0.., 0..);
        problem.offers.retain(|_| offer.next().is_some_and(is_kept));
        problem.needs.retain(|_| need.next().is_some_and(is_kept));
        return Ok(problem);
    }
    let own = problem.offers.clone();
    for (number, offer) in (there..wanted).zip(own.iter().cycle()) {
        let mut offer = (**offer).clone();
        offer.id = OfferId::parse(&format!("{}-{number}", offer.id)).context("an id is too long")?;
        problem.offers.push(Arc::new(offer));
    }
    Ok(problem)
}

fn engine() -> Actor {
    Actor {
        subject: Label::parse("engine").unwrap_or_default(),
        kind: ActorKind::System,
        role: Role::Engine,
        trust: None,
    }
}
