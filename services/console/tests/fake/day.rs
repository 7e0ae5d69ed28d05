//! A winter Tuesday in North Vale, seen from Dunmere. All names and numbers are fictional.

use fallow_api::v1::*;
use jiff::{SignedDuration, Timestamp};

use super::{Records, saturday};

const TRUSTS: [(&str, &str, i32, Freshness); 6] = [
    ("ZA1", "Aldermoor University Hospitals", 2, Freshness::Fresh),
    ("ZA2", "Brackwater Hospitals", 4, Freshness::Stale),
    ("ZA3", "Calverleigh Hospitals", 2, Freshness::Fresh),
    ("ZA4", "Dunmere General Hospital", 3, Freshness::Fresh),
    ("ZA5", "Eastholme Hospitals", 0, Freshness::Ageing),
    ("ZA6", "Garrow Children\u{2019}s Hospital", 1, Freshness::Fresh),
];

/// Code, trust, name, telephone, and degrees north and east.
const SITES: [(&str, &str, &str, &str, f64, f64); 7] = [
    ("ZA101", "ZA1", "Aldermoor Royal Infirmary", "0555 0101", 54.21, -1.98),
    ("ZA102", "ZA1", "Aldermoor Elective Hub", "0555 0111", 54.19, -1.93),
    ("ZA201", "ZA2", "Brackwater General Hospital", "0555 0102", 54.08, -2.13),
    ("ZA301", "ZA3", "Calverleigh District Hospital", "0555 0103", 54.36, -1.72),
    ("ZA401", "ZA4", "Dunmere General", "0555 0104", 54.14, -1.83),
    ("ZA501", "ZA5", "Eastholme Infirmary", "0555 0105", 54.17, -1.55),
    ("ZA601", "ZA6", "Garrow Children\u{2019}s Hospital", "0555 0106", 54.24, -1.95),
];

/// Columns of the situation, and the net and pressure of each trust; 0 for pressure is "not provided".
const HEAT: [(&str, [(i64, i32); 6]); 7] = [
    ("GA_ADULT", [(6, 1), (-7, 4), (3, 2), (1, 2), (-3, 3), (0, 0)]),
    ("CC_ADULT/2", [(2, 2), (-1, 3), (3, 2), (-1, 3), (0, 0), (0, 0)]),
    ("CC_ADULT/3", [(1, 2), (-2, 4), (1, 2), (0, 2), (0, 0), (0, 0)]),
    ("PICU", [(0, 0), (0, 0), (0, 0), (0, 0), (0, 0), (2, 1)]),
    ("CT", [(-2, 3), (-6, 4), (5, 1), (-2, 3), (3, 2), (1, 2)]),
    ("MRI", [(5, 1), (-3, 3), (1, 2), (1, 2), (1, 2), (0, 0)]),
    ("COLONOSCOPY", [(7, 1), (5, 1), (-2, 3), (-2, 3), (1, 2), (0, 0)]),
];

pub(crate) fn resource(key: &str) -> Resource {
    let (code, level) = key.split_once('/').unwrap_or((key, "0"));
    let kind = match code {
        "CT" | "MRI" | "COLONOSCOPY" => ResourceKind::Diagnostic,
        "MAIN" => ResourceKind::Theatre,
        "ODP" | "CRITICAL_CARE_NURSE" | "ANAESTHETIST" => ResourceKind::Staff,
        _ => ResourceKind::Bed,
    };
    let specialties = if code == "MAIN" { vec!["110".to_owned()] } else { Vec::new() };
    let level = level.parse().unwrap_or(0);
    Resource { kind: kind.into(), code: code.to_owned(), specialties, level, level_scheme: 0 }
}

pub(super) struct Day(Timestamp);

impl Day {
    /// Returns the time so many minutes from now.
    pub(super) fn at(&self, minutes: i64) -> Option<prost_types::Timestamp> {
        let at = self.0 + SignedDuration::from_mins(minutes);
        Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
    }

    /// Makes an offer of free units, reported so many minutes ago with an hour's cadence.
    pub(super) fn offer(
        &self,
        id: &str,
        site: &str,
        key: &str,
        figures: [i64; 5],
        age: i64,
        source: Source,
    ) -> Offer {
        let [staffed, free, held, committed, blocked] = figures;
        let occupied = staffed - free - held - committed - blocked;
        Offer {
            id: id.to_owned(),
            source_key: format!("key of {id}"),
            trust: site[..3].to_owned(),
            site: site.to_owned(),
            resource: Some(resource(key)),
            figures: Some(Figures { staffed, occupied, blocked, held, committed, free, short: 0 }),
            window: Some(Window { from: self.at(-300), until: self.at(330) }),
            state: offer::State::Open.into(),
            reported_at: self.at(-age),
            source: source.into(),
            cadence: Some(prost_types::Duration { seconds: 3600, nanos: 0 }),
            revision: 100,
            ..Offer::default()
        }
    }

    pub(super) fn need(
        &self,
        id: &str,
        site: &str,
        key: &str,
        units: i64,
        case_ref: &str,
        priority: Priority,
    ) -> Need {
        Need {
            id: id.to_owned(),
            case_ref: case_ref.to_owned(),
            trust: site[..3].to_owned(),
            site: site.to_owned(),
            resource: Some(resource(key)),
            units,
            priority: priority.into(),
            raised_at: self.at(-41),
            needed_by: self.at(95),
            state: need::State::Proposed.into(),
            revision: 100,
            ..Need::default()
        }
    }

    pub(super) fn proposal(&self, id: &str, need: &Need, offer: &Offer, minutes_left: i64) -> Proposal {
        Proposal {
            id: id.to_owned(),
            need: need.id.clone(),
            offer: offer.id.clone(),
            home_trust: need.trust.clone(),
            supporting_trust: offer.trust.clone(),
            units: need.units,
            held_until: self.at(minutes_left),
            explanation: Some(self.explanation()),
            state: proposal::State::Held.into(),
            revision: 100,
            ..Proposal::default()
        }
    }

    fn explanation(&self) -> Explanation {
        let term = |name: &str, points, detail: &str| explanation::Term {
            name: name.to_owned(),
            points,
            detail: detail.to_owned(),
        };
        Explanation {
            rank: Some(explanation::Rank {
                priority: Priority::P1a.into(),
                breach_at: self.at(900),
                waited_days: 0,
                position: 2,
                of: 29,
                score: 12,
            }),
            terms: vec![
                term("travel", 22, "22 minutes"),
                term("declared OPEL", 4, "2"),
                term("fairness", 0, ""),
            ],
            after: Some(explanation::After { free: 1, reserve: 1, pressure: 2 }),
            fairness: Some(explanation::Fairness {
                given: 14,
                taken: 11,
                share: 27,
                staffed_share: Some(22),
                most_deprived_share: Some(38),
            }),
            alternatives: vec![explanation::Alternative {
                offer: "o-30".to_owned(),
                trust: "ZA3".to_owned(),
                burden: 41,
                reason: "41 minutes away".to_owned(),
            }],
            not_used: vec![explanation::NotUsed {
                reason: Objection::Stale.into(),
                count: 1,
                example: "Eastholme Infirmary".to_owned(),
            }],
            flips: vec![explanation::Flip {
                change: "Aldermoor declares OPEL 3".to_owned(),
                then: "Calverleigh would be asked first".to_owned(),
            }],
            checked_at: self.at(0),
            revision: 88_213,
            policy: "nv-2026-11".to_owned(),
            ..Explanation::default()
        }
    }
}

pub(crate) fn winter_tuesday(now: Timestamp) -> Records {
    let day = Day(now);
    let mut endoscopy = day.offer("o-6", "ZA401", "COLONOSCOPY", [4, 4, 0, 0, 0], 125, Source::Sheet);
    endoscopy.note = "Second room, list runs on".to_owned();
    let mut theatre = day.offer("o-7", "ZA401", "MAIN", [240, 240, 0, 0, 0], 50, Source::Sheet);
    theatre.window = Some(Window { from: day.at(2_760), until: day.at(3_000) });
    let mut theatre_short = day.offer("o-8", "ZA401", "MAIN", [210, 210, 0, 0, 0], 50, Source::Sheet);
    theatre_short.window = Some(Window { from: day.at(3_960), until: day.at(4_170) });
    theatre_short.team = Some(Team { staffed: false, needs: vec!["ANAESTHETIST".to_owned()] });
    let mut general = day.offer("o-1", "ZA401", "GA_ADULT", [412, 6, 1, 2, 4], 2, Source::Feed);
    general.window = Some(Window { from: None, until: day.at(90_000) });
    let offers = vec![
        general,
        day.offer("o-2", "ZA401", "CC_ADULT/2", [14, 1, 1, 1, 0], 34, Source::Person),
        day.offer("o-3", "ZA401", "CC_ADULT/3", [10, 0, 0, 0, 1], 34, Source::Person),
        day.offer("o-4", "ZA401", "CT", [6, 6, 0, 0, 0], 78, Source::Person),
        day.offer("o-5", "ZA401", "MRI", [3, 1, 1, 0, 0], 12, Source::Feed),
        endoscopy,
        theatre,
        theatre_short,
        day.offer("o-9", "ZA101", "CC_ADULT/3", [12, 2, 1, 0, 0], 4, Source::Feed),
        day.offer("o-10", "ZA101", "MRI", [9, 5, 0, 0, 0], 9, Source::Feed),
    ];
    let mut needs = vec![
        day.need("n-1", "ZA401", "CC_ADULT/3", 1, "LC-118", Priority::P1a),
        day.need("n-2", "ZA501", "GA_ADULT", 2, "EH-2207", Priority::P1b),
        day.need("n-3", "ZA201", "CC_ADULT/2", 1, "BW-31", Priority::P2),
        day.need("n-4", "ZA401", "GA_ADULT", 2, "LC-120", Priority::P1b),
        day.need("n-5", "ZA401", "MRI", 18, "DX-77", Priority::P4),
        day.need("n-6", "ZA201", "COLONOSCOPY", 3, "BW-44", Priority::P3),
    ];
    needs[0].patient = Some(Patient { age: Some(54), isolation: Some(true), ..Patient::default() });
    needs[0].note = "ventilated, flu A".to_owned();
    needs[3].set_state(need::State::Open);
    needs[3].patient = Some(Patient { sex: Some(Sex::Female.into()), ..Patient::default() });
    needs[4].set_state(need::State::PartAgreed);
    needs[4].units_committed = 12;
    needs[4].needed_by = day.at(-30);
    needs[5].set_state(need::State::Open);
    for (id, case_ref, due, state) in
        [("n-51", "LC-101", -190, need::State::Unmet), ("n-52", "LC-102", -300, need::State::Met)]
    {
        let mut over = day.need(id, "ZA401", "CC_ADULT/2", 1, case_ref, Priority::P1b);
        over.set_state(state);
        (over.raised_at, over.needed_by) = (day.at(due - 240), day.at(due));
        needs.push(over);
    }
    let mut proposals = vec![
        day.proposal("p-1", &needs[0], &offers[8], 12),
        day.proposal("p-2", &needs[1], &offers[0], 34),
        day.proposal("p-3", &needs[2], &offers[1], 4),
    ];
    for (proposal, ago) in proposals.iter_mut().zip([3, 26, 6]) {
        proposal.proposed_at = day.at(-ago);
    }
    proposals[0].supporting =
        Some(Answer { state: answer::State::Accepted.into(), at: day.at(-2), ..Answer::default() });
    let transfer = Transfer {
        id: "t-21".to_owned(),
        proposal: "p-0".to_owned(),
        need: "n-5".to_owned(),
        offer: "o-10".to_owned(),
        home_trust: "ZA4".to_owned(),
        supporting_trust: "ZA1".to_owned(),
        from_site: "ZA401".to_owned(),
        to_site: "ZA101".to_owned(),
        resource: Some(resource("MRI")),
        units: 12,
        state: transfer::State::Planned.into(),
        due_at: day.at(-5),
        checklist: vec![
            ChecklistItem {
                name: "clinical handover".to_owned(),
                done_at: day.at(-20),
                done_by: "bed_manager".to_owned(),
            },
            ChecklistItem { name: "transport booked".to_owned(), ..ChecklistItem::default() },
        ],
        agreed_at: day.at(-38),
        revision: 100,
        ..Transfer::default()
    };
    let mut records = Records {
        actions: Vec::new(),
        offers,
        needs,
        proposals,
        transfers: vec![transfer],
        region: region(),
        situation: situation(&day),
        revision: 100,
        asked: Vec::new(),
        request_ids: Vec::new(),
        too_soon: 0,
        until_away: None,
        is_over: false,
        kept: super::gold::winter_tuesday(now),
    };
    saturday::lend_a_team(&day, &mut records);
    saturday::offer_a_list(&day, &mut records);
    records.proposals.push(agreed(&day, &records));
    records
}

/// The proposal of which the transfer came, agreed by both sides.
fn agreed(day: &Day, records: &Records) -> Proposal {
    let need = records.needs.iter().find(|need| need.id == "n-5").expect("its need");
    let offer = records.offers.iter().find(|offer| offer.id == "o-10").expect("its offer");
    let said = |role: &str, minutes: i64| {
        let (state, at, role) = (answer::State::Accepted.into(), day.at(minutes), role.to_owned());
        Some(Answer { state, at, role, ..Answer::default() })
    };
    Proposal {
        units: 12,
        state: proposal::State::Confirmed.into(),
        proposed_at: day.at(-40),
        supporting: said("site_lead", -39),
        home: said("bed_manager", -38),
        ..day.proposal("p-0", need, offer, -10)
    }
}

fn region() -> Region {
    let trust = |&(ods, name, opel, _): &(&str, &str, i32, Freshness)| Trust {
        ods: ods.to_owned(),
        name: name.to_owned(),
        opel,
        ..Trust::default()
    };
    let site = |&(code, trust, name, phone, lat, lon): &(&str, &str, &str, &str, f64, f64)| Site {
        code: code.to_owned(),
        trust: trust.to_owned(),
        name: name.to_owned(),
        phone: phone.to_owned(),
        kind: site::Kind::Hospital.into(),
        lat,
        lon,
    };
    Region {
        id: "Y99".to_owned(),
        name: "North Vale".to_owned(),
        trusts: TRUSTS.iter().map(trust).collect(),
        sites: SITES.iter().map(site).collect(),
        collaboratives: vec![Collaborative {
            id: "acute".to_owned(),
            name: "North Vale Acute Provider Collaborative".to_owned(),
            members: TRUSTS.iter().map(|(ods, ..)| (*ods).to_owned()).collect(),
            mode: Mode::Incident.into(),
            ..Collaborative::default()
        }],
        resources: ["ODP", "CRITICAL_CARE_NURSE", "ANAESTHETIST"].map(resource).to_vec(),
        ..Region::default()
    }
}

fn situation(day: &Day) -> Situation {
    let mut cells = Vec::new();
    for (column, nets) in HEAT {
        for ((ods, _, _, freshness), (net, pressure)) in TRUSTS.iter().zip(nets) {
            if pressure > 0 {
                cells.push(situation::Cell {
                    trust: (*ods).to_owned(),
                    resource: Some(resource(column)),
                    net,
                    free: net.max(0)
                        + i64::from(column == "CC_ADULT/2")
                        + 2 * i64::from(column == "GA_ADULT"),
                    pressure,
                    freshness: (*freshness).into(),
                    oldest_reported_at: day.at(if *freshness == Freshness::Stale { -140 } else { -25 }),
                    reserve: i64::from(column == "CC_ADULT/2") + 2 * i64::from(column == "GA_ADULT"),
                    late_7d: if *freshness == Freshness::Fresh { 0 } else { 3 },
                    ..situation::Cell::default()
                });
            }
        }
    }
    let trust = |&(ods, name, opel, freshness): &(&str, &str, i32, Freshness)| situation::TrustSituation {
        trust: ods.to_owned(),
        name: name.to_owned(),
        opel,
        opel_declared_at: day.at(-80),
        freshness: freshness.into(),
        last_reported_at: day.at(if freshness == Freshness::Stale { -134 } else { -4 }),
        ..situation::TrustSituation::default()
    };
    let mode = |id: &str, name: &str, mode: Mode, reason: &str| situation::CollaborativeMode {
        collaborative: id.to_owned(),
        name: name.to_owned(),
        mode: mode.into(),
        since: day.at(-320),
        reason: reason.to_owned(),
    };
    Situation {
        region: "Y99".to_owned(),
        name: "North Vale".to_owned(),
        at: day.at(0),
        late_counted_from: day.at(-7 * 24 * 60),
        headline: Some(situation::Headline {
            needs_open: 38,
            needs_overdue: 9,
            needs_raised_24h: 91,
            needs_placed_24h: 72,
            median_minutes_to_agreed: Some(21),
            proposals_held: 12,
            transfers_moving: 6,
            transfers_overdue: 1,
            trusts_live: 5,
            trusts_all: 6,
            usual_needs_open: usual(20.0, 45.0, false),
            usual_needs_overdue: usual(0.0, 4.0, true),
            usual_placed_percent: usual(70.0, 88.0, false),
            usual_minutes_to_agreed: usual(15.0, 40.0, false),
            usual_transfers_moving: usual(1.0, 9.0, false),
        }),
        cells,
        trusts: TRUSTS.iter().map(trust).collect(),
        modes: vec![
            mode("acute", "North Vale Acute Provider Collaborative", Mode::Incident, "norovirus, Brackwater"),
            mode("care", "Vale Critical Care Network", Mode::Routine, ""),
        ],
        revision: 100,
        store_caveat: String::new(),
    }
}

fn usual(lower: f64, upper: f64, high: bool) -> Option<situation::Usual> {
    Some(situation::Usual { lower, upper, high, low: false })
}
