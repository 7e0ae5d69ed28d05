//! Records to answer with.

use fallow_api::v1::explanation::{After, Alternative, Fairness, NotUsed, Rank, Term};
use fallow_api::v1::{
    Answer, Authority, ChecklistItem, Explanation, Figures, Need, Objection, Offer, Priority, Proposal,
    Resource, ResourceKind, ReturnPlan, Source, Transfer, Transport, Window, answer, authority, need, offer,
    proposal, transfer,
};

use crate::world::at;

pub(crate) fn bed(code: &str, level: i32) -> Option<Resource> {
    Some(Resource { kind: ResourceKind::Bed.into(), code: code.into(), level, ..Resource::default() })
}

/// Two of fourteen Level 2 beds free at Dunmere, reported half an hour ago.
pub(crate) fn level_2() -> Offer {
    Offer {
        id: "0198c2a1-0000-7000-8000-000000000001".into(),
        source_key: "ZA401:bed/cc_adult/2".into(),
        trust: "ZA4".into(),
        site: "ZA401".into(),
        resource: bed("CC_ADULT", 2),
        figures: Some(Figures {
            staffed: 14,
            occupied: 10,
            held: 1,
            committed: 1,
            free: 2,
            ..Figures::default()
        }),
        window: Some(Window { from: None, until: at("2026-11-24T20:00:00Z") }),
        state: offer::State::Open.into(),
        reported_at: at("2026-11-24T13:57:00Z"),
        source: Source::Person.into(),
        cadence: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        revision: 41,
        ..Offer::default()
    }
}

/// Scanner slots of Dunmere that nobody has confirmed for three hours, overcommitted by one.
pub(crate) fn stale_ct() -> Offer {
    Offer {
        id: "0198c2a1-0000-7000-8000-000000000002".into(),
        source_key: "ct".into(),
        resource: Some(Resource {
            kind: ResourceKind::Diagnostic.into(),
            code: "CT".into(),
            ..Resource::default()
        }),
        figures: Some(Figures { staffed: 4, occupied: 4, held: 1, short: 1, ..Figures::default() }),
        window: Some(Window { from: at("2026-11-26T13:30:00Z"), until: at("2026-11-26T17:30:00Z") }),
        state: offer::State::Suspended.into(),
        reported_at: at("2026-11-24T11:20:00Z"),
        note: "one scanner | portable".into(),
        ..level_2()
    }
}

/// Dunmere's need LC-118, as the console's drawings have it.
pub(crate) fn lc_118() -> Need {
    Need {
        id: "0198c2b2-0000-7000-8000-000000000001".into(),
        case_ref: "LC-118".into(),
        trust: "ZA4".into(),
        site: "ZA401".into(),
        resource: bed("CC_ADULT", 3),
        units: 1,
        priority: Priority::P1a.into(),
        needed_by: at("2026-11-24T16:00:00Z"),
        requires: vec!["isolation".into()],
        state: need::State::Proposed.into(),
        units_proposed: 1,
        revision: 42,
        ..Need::default()
    }
}

/// Dunmere's need LC-120, past its time and without a proposal.
pub(crate) fn lc_120() -> Need {
    Need {
        id: "0198c2b2-0000-7000-8000-000000000002".into(),
        case_ref: "LC-120".into(),
        resource: bed("GA_ADULT", 0),
        units: 2,
        needed_by: at("2026-11-24T14:00:00Z"),
        requires: Vec::new(),
        state: need::State::Open.into(),
        units_proposed: 0,
        revision: 40,
        ..lc_118()
    }
}

/// Aldermoor's bed for LC-118, held for another 12 minutes and 40 seconds.
pub(crate) fn suggestion() -> Proposal {
    Proposal {
        id: "0198c2c3-0000-7000-8000-000000000001".into(),
        need: lc_118().id,
        offer: "0198c2a1-0000-7000-8000-000000000009".into(),
        home_trust: "ZA4".into(),
        supporting_trust: "ZA1".into(),
        units: 1,
        held_until: at("2026-11-24T14:43:40Z"),
        supporting: Some(Answer { state: answer::State::Accepted.into(), ..Answer::default() }),
        home: Some(Answer { state: answer::State::Pending.into(), ..Answer::default() }),
        authority: Some(Authority { state: authority::State::NotNeeded.into(), ..Authority::default() }),
        explanation: Some(explanation()),
        state: proposal::State::Held.into(),
        revision: 43,
        ..Proposal::default()
    }
}

fn explanation() -> Explanation {
    let term = |name: &str, points, detail: &str| Term { name: name.into(), points, detail: detail.into() };
    Explanation {
        rank: Some(Rank {
            priority: Priority::P1a.into(),
            breach_at: at("2026-11-25T14:25:00Z"),
            waited_days: 0,
            position: 2,
            of: 29,
            score: 0,
        }),
        terms: vec![term("travel", 22, "22 minutes"), term("declared OPEL", 4, "2")],
        after: Some(After { free: 1, reserve: 1, pressure: 2 }),
        fairness: Some(Fairness { given: 14, taken: 11, share: 31, ..Fairness::default() }),
        alternatives: vec![Alternative {
            offer: "o".into(),
            trust: "ZA3".into(),
            burden: 41,
            reason: "41 minutes away".into(),
        }],
        not_used: vec![NotUsed {
            reason: Objection::Stale.into(),
            count: 1,
            example: "Eastholme, 3 h".into(),
        }],
        checked_at: at("2026-11-24T14:30:52Z"),
        revision: 42,
        policy: "nv-2026-11".into(),
        ..Explanation::default()
    }
}

/// What became of the suggestion.
pub(crate) fn moving() -> Transfer {
    let item = |name: &str, done| ChecklistItem {
        name: name.into(),
        done_at: if done { at("2026-11-24T14:20:00Z") } else { None },
        done_by: if done { "bed_manager".into() } else { String::new() },
    };
    Transfer {
        id: "0198c2d4-0000-7000-8000-000000000001".into(),
        proposal: suggestion().id,
        need: lc_118().id,
        offer: suggestion().offer,
        home_trust: "ZA4".into(),
        supporting_trust: "ZA1".into(),
        resource: bed("CC_ADULT", 3),
        units: 1,
        state: transfer::State::InTransit.into(),
        due_at: at("2026-11-24T15:10:00Z"),
        transport: Some(Transport { kind: "ambulance".into(), provider: "RX7".into(), booked: true }),
        checklist: vec![item("clinical handover", true), item("records sent", false)],
        return_plan: Some(ReturnPlan::default()),
        steps: vec![transfer::Step {
            state: transfer::State::Planned.into(),
            at: at("2026-11-24T14:10:00Z"),
            role: "site_lead".into(),
            trust: "ZA1".into(),
        }],
        revision: 44,
        ..Transfer::default()
    }
}
