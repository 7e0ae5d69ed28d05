use super::*;
use crate::v1::Patient;
use crate::v1::explanation::{After, Alternative, Fairness, Flip, Term};
use crate::v1::unserved_explanation::Relaxation;
use crate::v1::unserved_explanation::change::{LowerReserve, TravelLimit};

fn time(text: &str) -> Option<prost_types::Timestamp> {
    let time: jiff::Timestamp = text.parse().unwrap();
    Some(prost_types::Timestamp { seconds: time.as_second(), nanos: 0 })
}

fn region() -> Region {
    let trust =
        |ods: &str, name: &str| crate::v1::Trust { ods: ods.into(), name: name.into(), ..Default::default() };
    Region { trusts: vec![trust("ZA1", "Aldermoor"), trust("ZA3", "Calverleigh")], ..Default::default() }
}

fn rank() -> Rank {
    Rank {
        priority: Priority::P1a.into(),
        breach_at: time("2026-11-25T14:25:00Z"),
        waited_days: 0,
        position: 2,
        of: 29,
        score: 0,
    }
}

fn bed(code: &str, level: i32) -> Resource {
    Resource { kind: ResourceKind::Bed.into(), code: code.into(), level, ..Default::default() }
}

#[test]
fn a_proposal_is_explained_line_by_line() {
    let term = |name: &str, points, detail: &str| Term { name: name.into(), points, detail: detail.into() };
    let explained = Proposal {
        supporting_trust: "ZA1".into(),
        explanation: Some(Explanation {
            rank: Some(rank()),
            terms: vec![
                term("travel", 22, "22 minutes"),
                term("declared OPEL", 4, "2"),
                term("fairness", 0, ""),
            ],
            after: Some(After { free: 1, reserve: 1, pressure: 2 }),
            fairness: Some(Fairness {
                given: 14,
                taken: 11,
                share: 31,
                staffed_share: Some(27),
                most_deprived_share: Some(40),
            }),
            // Two sites of one trust that cost the same are said once.
            alternatives: ["o9", "o10"]
                .map(|offer| Alternative {
                    offer: offer.into(),
                    trust: "ZA3".into(),
                    burden: 41,
                    reason: "41 minutes away".into(),
                })
                .to_vec(),
            not_used: vec![
                NotUsed { reason: Objection::Stale.into(), count: 3, example: "Eastholme, 3 h".into() },
                NotUsed { reason: Objection::TrustUnderPressure.into(), count: 1, example: String::new() },
            ],
            flips: vec![Flip {
                change: "Aldermoor declares OPEL 3".into(),
                then: "Calverleigh would be asked first".into(),
            }],
            checked_at: time("2026-11-24T14:31:52Z"),
            revision: 88213,
            policy: "nv-2026-11".into(),
            unknown: vec!["ASA grade".into()],
        }),
        ..Default::default()
    };
    let text = plain(&proposal(&explained, &Names::of(&region()), &TimeZone::UTC));
    assert_eq!(
        text,
        "  Why this match  rank 2 of 29 open needs, P1A listed today, breach Wed 25 Nov 14:25, burden 26 (lower is better)
  Burden          travel 22 minutes = 22 | declared OPEL 2 = 4 | fairness = 0
  After this      Aldermoor has 1 free and keeps 1 for itself; pressure 2 of 4.
  Fairness        28 days: Aldermoor has given 14 and taken 11; 31% of all giving, with 27% of what is staffed. Of those helped whose area is known, about 40% live in the most deprived fifth.
  Runner-up       Calverleigh, burden 41: 41 minutes away
  Not used        3 stale: nobody has confirmed them (Eastholme, 3 h); 1 at a trust that is itself under pressure
  Not known       ASA grade
  Would flip      if Aldermoor declares OPEL 3, Calverleigh would be asked first
  Checked         at 14:31:52 on revision 88213, policy nv-2026-11
"
    );
    assert_eq!(proposal(&Proposal::default(), &Names::default(), &TimeZone::UTC), []);

    let theatre = Proposal { minutes: 75, ..explained };
    let text = plain(&proposal(&theatre, &Names::of(&region()), &TimeZone::UTC));
    assert!(text.contains("Aldermoor has 1 minute free and keeps 1 minute for itself;"), "{text}");
}

#[test]
fn an_unserved_need_shows_each_reason_with_its_fix() {
    let need = Need {
        case_ref: "LC-120".into(),
        resource: Some(bed("GA_ADULT", 0)),
        units: 2,
        needed_by: time("2026-11-24T20:00:00Z"),
        patient: Some(Patient { sex: Some(Sex::Female.into()), ..Default::default() }),
        ..Default::default()
    };
    let count = |reason: Objection, count, example: &str| NotUsed {
        reason: reason.into(),
        count,
        example: example.into(),
    };
    let relaxation = |change: Change, text: &str, places| Relaxation {
        change: Some(crate::v1::unserved_explanation::Change { change: Some(change) }),
        text: text.into(),
        places,
    };
    let why = UnservedExplanation {
        unserved: 2,
        offers: 14,
        counts: vec![
            count(Objection::AgeOrSex, 4, "no bay of that sex"),
            count(Objection::TooFar, 10, "Calverleigh, 52 minutes"),
        ],
        taken_by: vec![Priority::P1a.into()],
        relaxations: vec![
            relaxation(Change::TravelLimit(TravelLimit { minutes: 60 }), "travel limit 60 minutes", 2),
            relaxation(Change::LowerReserve(LowerReserve::default()), "something else", 1),
        ],
        checked_at: time("2026-11-24T14:31:52Z"),
        revision: 7,
        ..Default::default()
    };
    let rendered = unserved(&need, &why, &TimeZone::UTC);
    let command = |change: &Change| match change {
        Change::TravelLimit(limit) => Some(format!("--max-travel {}m", limit.minutes)),
        Change::Confirm(_)
        | Change::MoreUnits(_)
        | Change::LowerReserve(_)
        | Change::LaterBy(_)
        | Change::FindTeam(_) => None,
    };
    assert_eq!(
        plain_unserved(&rendered, &command),
        "LC-120  2 x G&A, female, needed by Tue 24 Nov 20:00    0 of 14 offers fit
  10  TOO_FAR     too far                                     Calverleigh, 52 minutes  fix: --max-travel 60m places 2
   4  AGE_OR_SEX  with an age or sex limit that rules it out  no bay of that sex
      fix: something else places 1
  Taken by  P1A needs
  Checked   at 14:31:52 on revision 7
"
    );
    let part = unserved(&need, &UnservedExplanation { unserved: 1, ..why }, &TimeZone::UTC);
    assert_eq!(part.verdict, "1 of 2 units have no proposal");
}

#[test]
fn resources_go_by_the_names_people_use() {
    let other = |kind: ResourceKind, code: &str| Resource {
        kind: kind.into(),
        code: code.into(),
        ..Default::default()
    };
    for (given, name, key) in [
        (bed("CC_ADULT", 3), "Level 3", "bed/cc_adult/3"),
        (bed("GA_ADULT", 0), "G&A", "bed/ga_adult"),
        (bed("STEP_DOWN", 0), "Step down", "bed/step_down"),
        (bed("MH_206", 0), "MH 206", "bed/mh_206"),
        (bed("NEONATAL", 2), "Neonatal HD", "bed/neonatal/2"),
        (other(ResourceKind::Diagnostic, "CT"), "CT", "diagnostic/ct"),
    ] {
        assert_eq!(resource(&given), name);
        assert_eq!(resource_key(&given), key);
    }
    let theatre = Resource { specialties: vec!["110".into()], ..other(ResourceKind::Theatre, "MAIN") };
    assert_eq!(resource(&theatre), "Theatre 110");
}
