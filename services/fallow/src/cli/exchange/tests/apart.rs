//! What is live and still nobody's to have, and what units are called.

use std::collections::BTreeMap;

use fallow_api::v1::{Figures, Offer, Resource, ResourceKind, Team, Window};

use super::{at, bundle, faults, offer, read, report};

/// A session that waits for its release week, and one that nobody staffs. Neither can be proposed as it is.
fn not_ready() -> [Offer; 2] {
    let session = |id: &str| Offer {
        window: Some(Window { from: at("2026-11-24T13:30:00Z"), until: at("2026-11-24T17:30:00Z") }),
        ..offer(id, "ZA101", ResourceKind::Theatre, "MAIN")
    };
    [
        Offer { release_at: at("2026-11-24T16:00:00Z"), ..session("kept") },
        Offer {
            team: Some(Team { staffed: false, needs: vec!["NURSE".into()] }),
            // The resource differs, so that each is told by itself.
            resource: Some(Resource {
                kind: ResourceKind::Theatre.into(),
                code: "DAY".into(),
                ..Resource::default()
            }),
            ..session("bare")
        },
    ]
}

#[test]
fn what_is_not_released_or_has_no_team_is_nobodys_to_have() {
    let text = report(&not_ready());
    let root = read(text.as_bytes());
    let services = root.at("have:facility/have:serviceList").all("have:serviceListItem");
    let said: BTreeMap<&str, [&str; 3]> = services
        .into_iter()
        .map(|service| {
            let of = |path: &str| service.at(path).text.as_str();
            let status = [
                of("have:serviceStatus/have:isAvailable"),
                of("have:capacity/edxl-ct:Value"),
                of("have:serviceStatus/have:comment"),
            ];
            (of("have:serviceTaxonomyKeyValue"), status)
        })
        .collect();
    let kept = "NOT RELEASED, not counted: 2 free, proposed from 2026-11-24T16:00:00+00:00";
    let bare = "NO TEAM, not counted: 2 free, only with a team that is lent or brought";
    assert_eq!(said["theatre/main"], ["false", "Inactive", kept]);
    assert_eq!(said["theatre/day"], ["false", "Inactive", bare]);

    let whole = bundle(&not_ready());
    assert_eq!(faults(&whole), Vec::<String>::new());
    let entries = whole["entry"].as_array().unwrap();
    let slot = |id: &str| {
        let found = entries.iter().map(|entry| &entry["resource"]).find(|resource| resource["id"] == id);
        let [status, comment] = ["status", "comment"].map(|name| found.unwrap()[name].as_str().unwrap());
        (status, comment)
    };
    let kept = "2 minutes free. NOT RELEASED: proposed from 2026-11-24T16:00:00Z";
    assert_eq!(slot("kept-free"), ("busy-unavailable", kept));
    let bare = "2 minutes free. NO TEAM: only with a team that is lent or brought";
    assert_eq!(slot("bare-free"), ("busy-unavailable", bare));

    // A release that has passed, and a team that is there, keep nobody away.
    let [kept, bare] = not_ready();
    let ready = [
        Offer { release_at: at("2026-11-24T14:31:00Z"), ..kept },
        Offer { team: Some(Team { staffed: true, needs: Vec::new() }), ..bare },
    ];
    assert_eq!(report(&ready).matches("<have:isAvailable>true<").count(), 2);
}

#[test]
fn figures_that_are_not_counted_do_not_decide_how_full_a_service_is() {
    let short = Figures { staffed: 1, occupied: 1, held: 1, short: 1, ..Figures::default() };
    let bed = offer("fresh", "ZA101", ResourceKind::Bed, "GA_ADULT");
    let stale = Offer {
        id: "stale".into(),
        figures: Some(short),
        reported_at: at("2026-11-24T11:00:00Z"),
        ..bed.clone()
    };
    let availability = |offers: &[Offer]| {
        let root = read(report(offers).as_bytes());
        let service = root.at("have:facility/have:serviceList/have:serviceListItem");
        service.at("have:serviceBedCapacity/have:availability").text.clone()
    };
    assert_eq!(availability(&[bed.clone(), stale]), "Open");
    assert_eq!(availability(&[Offer { figures: Some(short), ..bed }]), "Exceeded");
}

#[test]
fn units_are_called_what_people_call_them() {
    let said = |kind: ResourceKind, code: &str| {
        let root = read(report(&[offer("o", "ZA101", kind, code)]).as_bytes());
        let service = root.at("have:facility/have:serviceList/have:serviceListItem");
        service.at("have:serviceStatus/have:comment").text.clone()
    };
    assert_eq!(said(ResourceKind::Staff, "ODP"), "2 of 6 shifts free");
    assert_eq!(said(ResourceKind::Equipment, "VENTILATOR"), "2 of 6 items free");
    assert_eq!(said(ResourceKind::VirtualWard, "FRAILTY"), "2 of 6 places free");
}
