//! Random commands of random people over a small world: whatever is decided, every rule holds, and what is refused is
//! refused for a reason that people can read.

use jiff::SignedDuration;
use proptest::prelude::*;

use crate::actor::{Actor, Role};
use crate::decide::need::{self, Raised};
use crate::decide::offer;
use crate::decide::proposal::{self, HomeReply, Reply, Ruling, SupportingReply};
use crate::decide::transfer::{self, Progress};
use crate::ids::{Label, NeedId, Note, OfferId, ProposalId, TransferId};
use crate::invariants::check_reserve;
use crate::lifecycle::transfer::is_lent;
use crate::offer::Team;
use crate::proposal::{Authority, HomeDecline, ProposalState, SupportingDecline};
use crate::quantity::Count;
use crate::records::Records;
use crate::refusal::reason;
use crate::resource::ResourceKind;
use crate::test_world::*;
use crate::transfer::{AbortCode, TransferState};

/// One random command: which, on the how-manieth record, by whom, with a number.
#[derive(Debug, Clone, Copy)]
struct Op {
    verb: u8,
    pick: usize,
    who: u8,
    number: u32,
    wait_minutes: i64,
}

const VERBS: u8 = 38;

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let op = (0..VERBS, any::<prop::sample::Index>(), 0..24_u8, 0..6_u32, 0..12_i64).prop_map(
        |(verb, pick, who, number, wait_minutes)| Op {
            verb,
            pick: pick.index(1 << 16),
            who,
            number,
            wait_minutes,
        },
    );
    prop::collection::vec(op, 1..300)
}

const KINDS: [(ResourceKind, &str); 3] =
    [(ResourceKind::Bed, "GA_ADULT"), (ResourceKind::Theatre, "MAIN"), (ResourceKind::Staff, "ODP")];

/// Mostly the trust that may, sometimes somebody who may not.
fn person(who: u8, right: &str) -> Actor {
    match who {
        0 => manager("ZA1"),
        1 => gold(),
        2 => engine(),
        3 => actor("icb", Role::Icb, None),
        4 => actor("one-and-the-same", Role::SiteLead, Some(right)),
        _ => manager(right),
    }
}

fn nth<K, V>(map: &std::collections::BTreeMap<K, V>, pick: usize) -> Option<(&K, &V)> {
    if map.is_empty() { None } else { map.iter().nth(pick % map.len()) }
}

struct Run {
    world: World,
    reserve: u32,
    next_id: u32,
    done: u32,
}

impl Run {
    fn new(needs_approval: bool) -> Self {
        let mut world = World::new();
        if needs_approval {
            world.policy =
                toml::from_str("[[approval]]\nkinds = [\"BED\"]\nunits_over = 1\nrole = \"icb\"").unwrap();
        }
        let mut run = Self { world, reserve: 1, next_id: 0, done: 0 };
        for (i, trust) in ["ZA1", "ZA2", "ZA3"].iter().enumerate() {
            for more in 0..2 {
                run.publish_new(trust, i + more);
                run.raise_new(trust, i + more + 1, 1);
            }
        }
        run
    }

    fn id(&mut self, prefix: &str) -> String {
        self.next_id += 1;
        format!("{prefix}-{:04}", self.next_id)
    }

    fn publish_new(&mut self, trust: &str, kind: usize) {
        let (kind, code) = KINDS[kind % 3];
        let id = self.id("o");
        let size = if kind.is_minutes() { 240 } else { 4 };
        let mut report = report(trust, &id, size, 0, self.world.at);
        report.resource = resource(kind, code);
        if kind.is_minutes() && self.next_id.is_multiple_of(2) {
            // A session without its team, which somebody's ODP can make whole.
            report.team = Team { staffed: false, needs: vec![Label::parse("ODP").unwrap()] };
            report.window.from = Some(self.world.at + minutes(90));
        }
        self.world.publish(&id, report);
    }

    fn raise_new(&mut self, trust: &str, kind: usize, units: u32) {
        let (kind, code) = KINDS[kind % 3];
        let id = self.id("n");
        let mut need = new_need(trust, &id, units, self.world.at);
        need.resource = resource(kind, code);
        if kind.is_minutes() {
            need.minutes_per_case = Count::new(60);
        }
        if self.next_id.is_multiple_of(4) {
            need.needed_by = Some(self.world.at + minutes(30));
        }
        self.world.raise(need);
    }

    fn apply(&mut self, op: Op) {
        // Mostly no time passes: a hold of 20 minutes sees some dozens of commands.
        self.world.wait((op.wait_minutes - 8).max(0));
        let decided = match op.verb {
            0..=8 => self.on_offer(op),
            9..=15 => self.on_need(op),
            16..=19 => self.propose(op),
            20..=26 => self.on_proposal(op),
            _ => self.on_transfer(op),
        };
        let Some(decided) = decided else { return };
        let is_taken = self.world.take(decided);
        // Everything there is was given, so nothing can have changed meanwhile.
        assert_ne!(is_taken, Err(reason::CHANGED_MEANWHILE), "{op:?}");
        self.done += u32::from(is_taken.is_ok());
    }

    fn on_offer(&mut self, op: Op) -> Option<Decided> {
        let at = self.world.at;
        let (id, offer) = nth(&self.world.records.offers, op.pick)?;
        let (id, offer): (OfferId, _) = (id.clone(), offer.clone());
        let by = person(op.who, offer.trust.as_str());
        let scale = if offer.resource.kind.is_minutes() { 60 } else { 1 };
        let records = &self.world.records;
        Some(match op.verb {
            0 => {
                let trust = offer.trust.to_string();
                self.publish_new(&trust, op.pick);
                return None;
            }
            1 | 2 => {
                let mut report = offer::OfferReport::from(offer);
                report.staffed = (op.number * scale).into();
                report.occupied = (u32::from(op.who) % 3 * scale).into();
                report.reported_at = at - SignedDuration::from_mins(i64::from(op.who % 2));
                offer::publish(records, &id, report, op.who.is_multiple_of(2), &by, at)
            }
            3 => offer::adjust(records, &id, (i64::from(op.number) - 3) * i64::from(scale), &by, at),
            4 => offer::confirm(records, &[id], &by, at),
            5 => offer::suspend(records, &[id], Some(at + minutes(30)), &note("flood"), &by, at),
            6 => offer::resume(records, &[id], &by, at),
            7 if op.number == 0 => offer::withdraw(records, &id, &note("closed"), &by, at),
            7 => {
                let fresh = offer_id(&format!("fresh-{}", self.next_id));
                let items = if op.number > 3 {
                    vec![]
                } else {
                    let report = offer::OfferReport { reported_at: at, ..offer.clone().into() };
                    vec![(fresh, report)]
                };
                let scope = (offer.trust, offer.site);
                offer::replace(records, scope, &[offer.resource.kind], items, false, &by, at)
                    .map(|r| r.changes)
            }
            _ => offer::expire(
                records,
                &id,
                &engine(),
                at + SignedDuration::from_hours(i64::from(op.number) * 200),
            ),
        })
    }

    fn on_need(&mut self, op: Op) -> Option<Decided> {
        let at = self.world.at;
        let (id, need) = nth(&self.world.records.needs, op.pick)?;
        let (id, need): (NeedId, _) = (id.clone(), need.clone());
        let by = person(op.who, need.trust.as_str());
        let records = &self.world.records;
        Some(match op.verb {
            9 => {
                let again = need.clone();
                if let Ok(Raised::AlreadyLive(live)) =
                    need::raise(records, again, &manager(need.trust.as_str()), at)
                {
                    assert_eq!(live, id);
                }
                let trust = need.trust.to_string();
                self.raise_new(&trust, op.pick, op.number.max(1));
                return None;
            }
            10 => need::amend(records, crate::need::Need { units: op.number.into(), ..need }, &by, at),
            11 => {
                let requires = vec![crate::ids::Label::parse("isolation").unwrap()];
                need::amend(records, crate::need::Need { requires, ..need }, &by, at)
            }
            12 => need::park(records, &id, at + minutes(60), &Note::default(), &by, at),
            13 => need::resume(records, &id, &by),
            14 if op.number == 0 => need::withdraw(records, &id, &note("not needed"), &by, at),
            14 if op.number == 1 => need::resolve_outside(records, &id, &note("by telephone"), &by, at),
            14 => need::expire(records, &id, &engine(), at + SignedDuration::from_hours(24 * 28)),
            _ => need::give_up(records, &id, &engine(), at),
        })
    }

    fn propose(&mut self, op: Op) -> Option<Decided> {
        let id = self.id("p");
        let at = self.world.at;
        let (need, wanted) = nth(&self.world.records.needs, op.pick)?;
        let fitting: Vec<&OfferId> = self
            .world
            .records
            .offers
            .values()
            .filter(|o| o.resource.kind == wanted.resource.kind && o.state == crate::offer::OfferState::Open)
            .map(|o| &o.id)
            .collect();
        let offer = (*fitting.get(op.pick % fitting.len().max(1))?).clone();
        let suggestion = self.world.suggestion(&id, need.as_str(), offer.as_str(), op.number.clamp(1, 2));
        let room = self.world.room(offer.as_str(), self.reserve);
        let is_minutes = wanted.resource.kind.is_minutes();
        let is_staffed = self.world.records.offers[&offer].team.staffed;
        let staff = self.world.records.offers.values();
        let team = staff.filter(|o| o.resource.kind == ResourceKind::Staff).nth(usize::from(op.who) % 3);
        if let Some(team) = team.map(|team| team.id.clone()).filter(|_| is_minutes && !is_staffed) {
            return Some(self.propose_joined(suggestion, &team));
        }
        let decided =
            proposal::propose(&self.world.records, suggestion, room, &self.world.terms(), &engine(), at);
        if let Ok(changes) = &decided {
            let mut after = self.world.records.clone();
            after.apply(changes.clone());
            let offer = &after.offers[&offer];
            let key = offer.resource.key();
            let left =
                proposal::Room::of(after.offers.values(), (offer.trust, &key), self.reserve.into(), at);
            if !is_minutes {
                assert_eq!(check_reserve(&after.proposals[&proposal_id(&id)], left), None);
            }
        }
        Some(decided)
    }

    fn propose_joined(&self, suggestion: proposal::Suggestion, team: &OfferId) -> Decided {
        let (at, terms) = (self.world.at, self.world.terms());
        let id = suggestion.id.clone();
        let room = self.world.room(suggestion.offer.as_str(), 0);
        let suggested = proposal::SuggestedTeam {
            offer: team,
            travel_minutes: 20,
            others: 0,
            room: self.world.room(team.as_str(), self.reserve),
            in_force: terms.in_force,
        };
        let decided =
            proposal::propose_joined(&self.world.records, suggestion, suggested, room, &terms, &engine(), at);
        if let Ok(changes) = &decided {
            let mut after = self.world.records.clone();
            after.apply(changes.clone());
            let offer = &after.offers[team];
            let key = offer.resource.key();
            let left =
                proposal::Room::of(after.offers.values(), (offer.trust, &key), self.reserve.into(), at);
            assert_eq!(check_reserve(&after.proposals[&id], left), None);
        }
        decided
    }

    fn on_proposal(&mut self, op: Op) -> Option<Decided> {
        let at = self.world.at;
        // Mostly live ones: dead ones are soon the many.
        let live: Vec<&ProposalId> = self
            .world
            .records
            .proposals
            .values()
            .filter(|p| p.state == ProposalState::Held || op.who == 23)
            .map(|p| &p.id)
            .collect();
        let id: ProposalId = (*live.get(op.pick % live.len().max(1))?).clone();
        let proposal = &self.world.records.proposals[&id];
        let transfer = transfer_id(&format!("t-{id}"));
        let (records, terms) = (&self.world.records, self.world.terms());
        let supporting = person(op.who, proposal.supporting_trust.as_str());
        let home = person(op.who, proposal.home_trust.as_str());
        let team = proposal.third_trust().map(|trust| person(op.who, trust.as_str()));
        let empty = Note::default();
        let units = (op.number > 3).then_some(Count::ONE);
        Some(match op.verb {
            20 | 21 => {
                let reply = match op.number {
                    0 => SupportingReply::Provisional,
                    1 => SupportingReply::Decline {
                        code: SupportingDecline::Staffing,
                        set_free: Some(Count::new(op.number)),
                    },
                    _ => SupportingReply::Accept { units },
                };
                let (reply, by) = match team.filter(|_| op.verb == 21) {
                    Some(team) => (Reply::Team(reply), team),
                    None => (Reply::Supporting(reply), supporting),
                };
                proposal::answer(records, &id, reply, &empty, &transfer, &terms, &by, at)
            }
            22 | 23 => {
                let reply = match op.number {
                    0 => HomeReply::Decline { code: HomeDecline::NotFit },
                    _ => HomeReply::Accept { units },
                };
                proposal::answer(records, &id, Reply::Home(reply), &empty, &transfer, &terms, &home, at)
            }
            24 if matches!(proposal.authority, Authority::Pending { .. }) => {
                let icb = actor("icb", Role::Icb, None);
                proposal::rule(records, &id, Ruling::Approve, false, &transfer, &icb, at)
            }
            24 if op.number < 3 => {
                proposal::retract(records, &id, &team.filter(|_| op.number == 2).unwrap_or(home), at)
            }
            24 => {
                let by = team.filter(|_| op.number == 5).unwrap_or(supporting);
                proposal::extend(records, &id, None, &terms, &by, at)
            }
            25 if op.number == 0 => proposal::supersede(records, &id, &note("a better plan"), &engine(), at),
            25 if op.number == 1 => proposal::bypass(records, &id, &note("fire"), true, &gold(), at),
            _ => proposal::lapse(records, &id, &engine(), at),
        })
    }

    fn on_transfer(&mut self, op: Op) -> Option<Decided> {
        let at = self.world.at;
        let (id, transfer) = nth(&self.world.records.transfers, op.pick)?;
        let (id, transfer): (TransferId, _) = (id.clone(), transfer.clone());
        let trusts = [transfer.home_trust, transfer.supporting_trust];
        let by = person(op.who, trusts[usize::from(op.number.is_multiple_of(2))].as_str());
        let by = transfer.third_trust().filter(|_| op.who > 18).map_or(by, |trust| manager(trust.as_str()));
        let records = &self.world.records;
        if op.verb == 27 && op.number == 0 {
            return Some(transfer::abort(records, &id, AbortCode::NotFit, &Note::default(), &by, at));
        }
        let is_deployed = transfer.state == TransferState::Deployed;
        if op.number == 1 && (op.verb <= 28 || is_deployed) {
            return Some(transfer::extend(records, &id, at + minutes(90), &by, at));
        }
        let to = match transfer.state {
            TransferState::Planned => TransferState::Ready,
            TransferState::Ready => TransferState::InTransit,
            TransferState::InTransit => TransferState::Arrived,
            TransferState::Arrived if is_lent(transfer.resource.kind) => TransferState::Deployed,
            TransferState::Arrived => TransferState::Completed,
            TransferState::Completed => TransferState::RepatriationDue,
            TransferState::RepatriationDue => TransferState::Repatriating,
            TransferState::Repatriating => TransferState::Repatriated,
            TransferState::Deployed | TransferState::Extended => TransferState::Returned,
            TransferState::Repatriated | TransferState::Returned | TransferState::Aborted => {
                TransferState::Planned
            }
        };
        let ticks: Vec<_> = if to == TransferState::Ready {
            transfer.checklist.iter().map(|item| (item.name.clone(), op.who != 22)).collect()
        } else {
            Vec::new()
        };
        let advance = |trust: crate::ids::TrustCode| {
            let progress = Progress { to: Some(to), ticks: ticks.clone(), ..Progress::default() };
            transfer::advance(records, &id, progress, &person(op.who, trust.as_str()), at)
        };
        // Mostly the trust that may: it is one of the two.
        let first = advance(transfer.home_trust);
        let is_other = first.as_ref().is_err_and(|refusal| refusal.reason == reason::WRONG_SIDE);
        Some(if is_other && op.number > 0 { advance(transfer.supporting_trust) } else { first })
    }
}

type Decided = Result<Records, crate::refusal::Refusal>;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn random_commands_keep_every_rule(ops in ops(), needs_approval: bool) {
        let mut run = Run::new(needs_approval);
        for op in ops {
            run.apply(op);
        }
    }
}

/// The random commands are worth something only if they get far: all ends of every record are reached.
#[test]
fn random_commands_reach_every_state() {
    use proptest::strategy::ValueTree;
    use proptest::test_runner::{Config, RngSeed, TestRunner};

    let config = Config { rng_seed: RngSeed::Fixed(7), ..Config::default() };
    let mut runner = TestRunner::new(config);
    let mut seen = std::collections::BTreeSet::new();
    for round in 0..400 {
        let mut run = Run::new(round % 2 == 0);
        for op in ops().new_tree(&mut runner).unwrap().current() {
            run.apply(op);
            let records = &run.world.records;
            seen.extend(records.offers.values().map(|o| format!("offer {}", o.state)));
            seen.extend(records.needs.values().map(|n| format!("need {}", n.state)));
            seen.extend(records.proposals.values().map(|p| format!("proposal {}", p.state)));
            seen.extend(records.transfers.values().map(|t| format!("transfer {}", t.state)));
        }
    }
    let all = (crate::offer::OfferState::ALL.iter().map(|s| format!("offer {s}")))
        .chain(crate::need::NeedState::ALL.iter().map(|s| format!("need {s}")))
        .chain(ProposalState::ALL.iter().map(|s| format!("proposal {s}")))
        .chain(TransferState::ALL.iter().map(|s| format!("transfer {s}")));
    let missing: Vec<String> = all.filter(|state| !seen.contains(state)).collect();
    assert_eq!(missing, Vec::<String>::new());
}
