//! A region on a ledger in memory, with its picture, a clock that the test moves, and engines.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use fallow_api::status::Failure;
use fallow_domain::actor::Actor;
use fallow_domain::calendar::WorkingCalendar;
use fallow_domain::decide::offer::OfferReport;
use fallow_domain::decide::proposal::{HomeReply, Reply, SupportingReply, Terms, answer};
use fallow_domain::decide::{need as needs, offer as offers};
use fallow_domain::ids::{CollaborativeId, Label, Note, OfferId, RegionId, TransferId, TrustCode};
use fallow_domain::invariants;
use fallow_domain::need::{Need, Priority};
use fallow_domain::offer::Offer;
use fallow_domain::proposal::{HomeDecline, Proposal, ProposalState, SupportingDecline};
use fallow_domain::records::Records;
use fallow_domain::refusal::Refusal;
use fallow_domain::region::Mode;
use fallow_domain::standing::{Claim, ModeChange, RegionState};
use fallow_host::clock::Clock;
use fallow_host::tasks::Tasks;
use fallow_ledger::follow::follow;
use fallow_ledger::picture::Picture;
use fallow_ledger::record::{Record, case_claim_key, need_key, offer_key, region_key};
use fallow_ledger::transact::Step;
use fallow_ledger::{Key, MemoryLedger, RecordKind, Revision};
use fallow_live::Live;
use fallow_live::mutate::Mutation;
use fallow_live::neighbours;
use fallow_live::pages::PageKey;
use fallow_matching::engine::{self, Settings, Standing};
use jiff::{SignedDuration, Timestamp};

use crate::examples::{gold, manager, need, report, start};

/// How long a test waits for what must come.
const SOON: Duration = Duration::from_secs(20);
/// How often a test looks for what no record shows.
const A_MOMENT: Duration = Duration::from_millis(5);
/// How long a test looks for what must not come.
const A_WHILE: Duration = Duration::from_millis(150);

pub(crate) const LEASE: SignedDuration = SignedDuration::from_secs(10);

const REGION: &str = r#"
[region]
id = "Y99"
name = "Tests"
[policy]
[[trust]]
ods = "ZA1"
name = "A"
reserve = { "BED/CC_ADULT/3" = 1 }
[[trust]]
ods = "ZA2"
name = "B"
[[trust]]
ods = "ZA3"
name = "C"
[[trust]]
ods = "ZA4"
name = "D"
[[site]]
code = "ZA101"
trust = "ZA1"
name = "A"
lat = 53.0
lon = -2.0
kind = "HOSPITAL"
[[site]]
code = "ZA201"
trust = "ZA2"
name = "B"
lat = 53.1
lon = -2.0
kind = "HOSPITAL"
[[site]]
code = "ZA301"
trust = "ZA3"
name = "C"
lat = 53.2
lon = -2.0
kind = "HOSPITAL"
[[site]]
code = "ZA401"
trust = "ZA4"
name = "D"
lat = 53.3
lon = -2.0
kind = "HOSPITAL"
[[travel]]
from = "ZA401"
to = "ZA101"
minutes = 20
[[travel]]
from = "ZA401"
to = "ZA201"
minutes = 26
[[travel]]
from = "ZA401"
to = "ZA301"
minutes = 60
[[collaborative]]
id = "all"
name = "All"
kind = "ACUTE"
members = ["ZA1", "ZA2", "ZA3", "ZA4"]
shares = ["BED", "THEATRE"]
"#;

pub(crate) struct World {
    pub(crate) live: Live,
    pub(crate) clock: Clock,
    pub(crate) calendar: WorkingCalendar,
    tasks: Tasks,
}

impl Drop for World {
    fn drop(&mut self) {
        self.tasks.stop();
    }
}

impl World {
    /// A region without engines, where people work every day.
    pub(crate) async fn new() -> Self {
        Self::with("").await
    }

    /// A region without engines, where people work every day, with more lines of policy.
    pub(crate) async fn with(policy: &str) -> Self {
        let nine = |day: i64| start() + SignedDuration::from_hours(day * 24 - 1);
        let days = (0..7).map(|day| (nine(day), nine(day) + SignedDuration::from_hours(8))).collect();
        Self::under(policy, WorkingCalendar::new(days).unwrap()).await
    }

    /// A region without engines, with more lines of policy and another calendar.
    pub(crate) async fn under(policy: &str, calendar: WorkingCalendar) -> Self {
        let ledger = Arc::new(MemoryLedger::new());
        let picture = Arc::new(Picture::default());
        let tasks = Tasks::new();
        let (follower, stopping) = (follow(ledger.clone(), picture.clone()), tasks.stopping());
        tasks.spawn("follower", async move {
            tokio::select! { () = follower => {}, () = stopping => {} }
        });
        let id = RegionId::parse("Y99").unwrap();
        let live = Live::new(id.clone(), ledger, picture, PageKey::new(b"test"));
        let world = Self { live, clock: Clock::manual(start()), calendar, tasks };
        let region = RegionState {
            toml: REGION.replacen("[policy]", &format!("[policy]\n{policy}"), 1),
            version: 1,
            modes: BTreeMap::new(),
            applied_at: start(),
            applied_by: gold(),
        };
        world.put(region_key(&id), Record::Region(region)).await;
        world
    }

    /// Starts an engine; it ends with what is returned.
    pub(crate) fn engine(&self) -> Running {
        let (stops, kills) = (Tasks::new(), Tasks::new());
        let settings = Settings { lease: LEASE.try_into().unwrap() };
        let standing = Arc::new(Standing::default());
        let calendar = Arc::new(self.calendar.clone());
        let (live, clock, stopping) = (self.live.clone(), self.clock.clone(), stops.stopping());
        let run = engine::run(live, clock, calendar, settings, standing.clone(), stopping);
        let killed = kills.stopping();
        stops.spawn("engine", async move {
            tokio::select! { biased; () = killed => {}, () = run => {} }
        });
        Running { stops, kills, standing }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn wait_minutes(&self, minutes: i64) {
        self.clock.advance(SignedDuration::from_mins(minutes));
    }

    pub(crate) async fn put(&self, key: Key, record: Record) {
        let mutation = self.mutation(gold(), "put", None);
        let put = |_: &_| Ok(Step::Write { writes: vec![(key.clone(), Some(record.clone()))], answer: () });
        self.live.mutate(&mutation, vec![key.clone()], put).await.unwrap();
    }

    /// Gold declares an incident in a collaborative.
    pub(crate) async fn switch_to_incident(&self, collaborative: &str) {
        let mut region = self.live.region().unwrap().state.clone();
        let reason = Note::parse("crash on the motorway").unwrap();
        let change = ModeChange { mode: Mode::Incident, reason, by: gold(), at: self.now() };
        region.modes.insert(CollaborativeId::parse(collaborative).unwrap(), change);
        self.put(region_key(self.live.region_id()), Record::Region(region)).await;
    }

    pub(crate) fn mutation(&self, by: Actor, verb: &'static str, trace: Option<&str>) -> Mutation {
        Mutation {
            actor: by,
            verb,
            at: self.now(),
            is_feed: false,
            request: None,
            validate_only: false,
            expected: None,
            traceparent: trace.map(str::to_owned),
            decided_at: None,
        }
    }

    /// Publishes beds, or reports them again.
    pub(crate) async fn beds(&self, trust: &str, id: &str, free: u32) {
        self.publish(report(trust, id, free, self.now())).await;
    }

    pub(crate) async fn publish(&self, report: OfferReport) {
        let (by, at) = (manager(report.trust.as_str()), self.now());
        let id = OfferId::parse(report.source_key.as_ref().unwrap().as_str()).unwrap();
        self.decide(&by, offer_key(&id), |read| offers::publish(read, &id, report.clone(), true, &by, at))
            .await;
    }

    pub(crate) async fn confirm(&self, trust: &str, id: &str) {
        let (by, at, id) = (manager(trust), self.now(), OfferId::parse(id).unwrap());
        self.decide(&by, offer_key(&id), |read| offers::confirm(read, std::slice::from_ref(&id), &by, at))
            .await;
    }

    /// Raises a need for a bed.
    pub(crate) async fn need(&self, trust: &str, id: &str, priority: Priority) {
        self.raise(need(trust, id, priority, self.now()), None).await;
    }

    pub(crate) async fn raise(&self, need: Need, trace: Option<&str>) {
        let by = manager(need.trust.as_str());
        let raised = needs::raise(&Records::default(), need.clone(), &by, self.now()).unwrap();
        let needs::Raised::New(changes) = raised else { panic!("live before") };
        let mut writes = neighbours::writes(changes);
        if let Some(case) = &need.case_ref {
            let claim = case_claim_key(need.trust, case.as_str(), &need.resource.key());
            writes.push((
                claim,
                Some(Record::Claim(Claim { holder: Label::parse(need.id.as_str()).unwrap() })),
            ));
        }
        let mutation = self.mutation(by, "RaiseNeed", trace);
        let put = |_: &_| Ok(Step::Write { writes: writes.clone(), answer: () });
        self.live.mutate(&mutation, vec![need_key(&need.id)], put).await.unwrap();
    }

    pub(crate) async fn decide(
        &self,
        by: &Actor,
        root: Key,
        decide: impl Fn(&Records) -> Result<Records, Refusal> + Send + Sync,
    ) {
        self.try_to(by, root, decide).await.unwrap();
    }

    /// Decides, or says why not.
    pub(crate) async fn try_to(
        &self,
        by: &Actor,
        root: Key,
        decide: impl Fn(&Records) -> Result<Records, Refusal> + Send + Sync,
    ) -> Result<(), Failure> {
        let mutation = self.mutation(by.clone(), "test", None);
        self.live.decide(&mutation, vec![root], |read| Ok((decide(read)?, ()))).await.map(|_| ())
    }

    async fn try_answer(&self, proposal: &Proposal, reply: Reply, by: TrustCode) -> Result<(), Failure> {
        let (by, at) = (manager(by.as_str()), self.now());
        let region = self.live.region().unwrap();
        let terms = Terms {
            in_force: region.region.policy.in_force(false),
            calendar: &self.calendar,
            turnover_minutes: 15,
        };
        let transfer = TransferId::parse(&format!("t-{}", proposal.id)).unwrap();
        let key = fallow_ledger::record::proposal_key(&proposal.id);
        self.try_to(&by, key, |read| {
            answer(read, &proposal.id, reply, &Note::default(), &transfer, &terms, &by, at)
        })
        .await
    }

    pub(crate) async fn try_support(
        &self,
        proposal: &Proposal,
        reply: SupportingReply,
    ) -> Result<(), Failure> {
        self.try_answer(proposal, Reply::Supporting(reply), proposal.supporting_trust).await
    }

    pub(crate) async fn support(&self, proposal: &Proposal, reply: SupportingReply) {
        self.try_support(proposal, reply).await.unwrap();
    }

    pub(crate) async fn decline(&self, proposal: &Proposal) {
        let reply = SupportingReply::Decline { code: SupportingDecline::Staffing, set_free: None };
        self.support(proposal, reply).await;
    }

    pub(crate) async fn try_home(&self, proposal: &Proposal, reply: HomeReply) -> Result<(), Failure> {
        self.try_answer(proposal, Reply::Home(reply), proposal.home_trust).await
    }

    pub(crate) async fn home(&self, proposal: &Proposal, reply: HomeReply) {
        self.try_home(proposal, reply).await.unwrap();
    }

    pub(crate) async fn refuse_at_home(&self, proposal: &Proposal) {
        self.home(proposal, HomeReply::Decline { code: HomeDecline::PatientDeclined }).await;
    }

    pub(crate) fn all(&self, kind: RecordKind) -> Vec<(Key, Revision, Arc<Record>)> {
        let still = self.live.picture().still();
        still.all(kind).into_iter().map(|(key, seen)| (key, seen.revision, seen.record)).collect()
    }

    pub(crate) fn proposals(&self) -> Vec<Proposal> {
        let all = self.all(RecordKind::Proposal).into_iter();
        let mut all: Vec<Proposal> = all
            .map(|(_, _, record)| match &*record {
                Record::Proposal(proposal) => proposal.clone(),
                other => panic!("{other:?}"),
            })
            .collect();
        all.sort_by(|a, b| (a.proposed_at, &a.id).cmp(&(b.proposed_at, &b.id)));
        all
    }

    /// The live proposals, as `need -> offer`.
    pub(crate) fn held(&self) -> Vec<String> {
        let held = self.proposals().into_iter().filter(|p| p.state == ProposalState::Held);
        let mut held: Vec<String> = held.map(|p| format!("{} -> {}", p.need, p.offer)).collect();
        held.sort();
        held
    }

    pub(crate) fn offer(&self, id: &str) -> Offer {
        let key = offer_key(&OfferId::parse(id).unwrap());
        match &*self.live.picture().get(&key).unwrap().record {
            Record::Offer(offer) => offer.clone(),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn the_proposal(&self, need: &str) -> Proposal {
        let found = self.proposals().into_iter().rev().find(|p| p.need.as_str() == need);
        found.unwrap_or_else(|| panic!("no proposal for {need}"))
    }

    /// Waits until something is so, at every revision on the way checking the rules that always hold.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        let mut revisions = self.live.picture().revisions();
        let wait = async {
            loop {
                revisions.borrow_and_update();
                self.check();
                if is_so(self) {
                    return;
                }
                revisions.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(SOON, wait).await.is_err() {
            panic!("not {what}: {:?}", self.held());
        }
    }

    /// Lets time pass, a lease's life at a time, until something is so.
    pub(crate) async fn pass_until(&self, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.until_so(what, || {
            self.clock.advance(LEASE);
            is_so(self)
        })
        .await;
    }

    /// Waits until something is so that no record shows.
    pub(crate) async fn until_so(&self, what: &str, is_so: impl Fn() -> bool) {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(A_MOMENT).await;
            }
        };
        if tokio::time::timeout(SOON, wait).await.is_err() {
            panic!("not {what}");
        }
    }

    /// Waits until these are the live proposals.
    pub(crate) async fn until_held(&self, expected: &[&str]) {
        self.until(&format!("{expected:?}"), |world| world.held() == expected).await;
    }

    /// Makes sure that nothing changes for a while but the lease.
    pub(crate) async fn rests(&self) {
        tokio::time::sleep(A_WHILE).await;
        let kinds = [RecordKind::Proposal, RecordKind::Offer, RecordKind::Need];
        let before: Vec<_> = kinds.iter().flat_map(|kind| self.all(*kind)).map(|(k, r, _)| (k, r)).collect();
        tokio::time::sleep(A_WHILE).await;
        let after: Vec<_> = kinds.iter().flat_map(|kind| self.all(*kind)).map(|(k, r, _)| (k, r)).collect();
        assert_eq!(before, after);
        self.check();
    }

    /// Every record as decisions take them.
    pub(crate) fn records(&self) -> Records {
        let still = self.live.picture().still();
        let mut all = Records::default();
        for kind in RecordKind::ALL {
            for (_, seen) in still.all(kind) {
                match &*seen.record {
                    Record::Offer(offer) => all.put_offer(offer.clone()),
                    Record::Need(need) => all.put_need(need.clone()),
                    Record::Proposal(proposal) => all.put_proposal(proposal.clone()),
                    Record::Transfer(transfer) => all.put_transfer(transfer.clone()),
                    Record::Decline(decline) => all.put_decline(decline.clone()),
                    Record::Trust(_)
                    | Record::Feed(_)
                    | Record::Region(_)
                    | Record::Lease(_)
                    | Record::Claim(_)
                    | Record::Session(_)
                    | Record::Monitor(_) => {}
                }
            }
        }
        all
    }

    pub(crate) fn check(&self) {
        assert_eq!(invariants::check(&self.records()), []);
    }
}

/// A running engine.
pub(crate) struct Running {
    stops: Tasks,
    kills: Tasks,
    pub(crate) standing: Arc<Standing>,
}

impl Running {
    /// Stops it as if its process had died: the lease stays.
    pub(crate) async fn kill(self) {
        self.kills.stop();
        self.stops.finish(SOON).await.unwrap();
    }

    /// Tells it to stop, as a process does that ends in order.
    pub(crate) async fn stop(self) {
        self.stops.finish(SOON).await.unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kills.stop();
    }
}
