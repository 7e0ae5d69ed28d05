//! What is written has the shape of its standard: the order and number of elements, the codes, the references, and the
//! figures of the offers.

use std::collections::{BTreeMap, BTreeSet};

use fallow_api::v1::{Figures, Offer, Region, Resource, ResourceKind, Site, Trust, Window, offer, site};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};
use serde_json::Value;

use super::{Told, fhir, have};

mod apart;

/// 14:31 on Tuesday 24 November 2026.
const NOW: &str = "2026-11-24T14:31:00Z";

fn at(text: &str) -> Option<prost_types::Timestamp> {
    let at: Timestamp = text.parse().unwrap();
    Some(prost_types::Timestamp { seconds: at.as_second(), nanos: 0 })
}

/// An offer of a site of Aldermoor, two of six free, reported twenty minutes ago, to be confirmed hourly.
fn offer(id: &str, site: &str, kind: ResourceKind, code: &str) -> Offer {
    Offer {
        id: id.into(),
        trust: "ZA1".into(),
        site: site.into(),
        resource: Some(Resource { kind: kind.into(), code: code.into(), ..Resource::default() }),
        figures: Some(Figures {
            staffed: 6,
            occupied: 2,
            held: 1,
            committed: 1,
            free: 2,
            ..Figures::default()
        }),
        window: Some(Window { from: None, until: at("2026-11-24T20:00:00Z") }),
        state: offer::State::Open.into(),
        reported_at: at("2026-11-24T14:11:00Z"),
        cadence: Some(prost_types::Duration { seconds: 3_600, nanos: 0 }),
        note: "ask for the sister <on call>".into(),
        ..Offer::default()
    }
}

fn offers() -> Vec<Offer> {
    let bed = |id: &str| offer(id, "ZA101", ResourceKind::Bed, "GA_ADULT");
    let theatre = offer("t", "ZA102", ResourceKind::Theatre, "MAIN");
    let specialties = vec!["110".to_owned()];
    vec![
        bed("fresh"),
        Offer { reported_at: at("2026-11-24T11:00:00Z"), ..bed("stale") },
        Offer { state: offer::State::Suspended.into(), ..bed("suspended") },
        Offer { state: offer::State::Withdrawn.into(), ..bed("gone") },
        Offer {
            window: Some(Window { from: at("2026-11-26T13:30:00Z"), until: at("2026-11-26T17:30:00Z") }),
            resource: theatre
                .resource
                .clone()
                .map(|resource| Resource { specialties: specialties.clone(), ..resource }),
            ..theatre.clone()
        },
        Offer {
            id: "t2".into(),
            window: Some(Window { from: at("2026-11-27T13:30:00Z"), until: at("2026-11-27T17:30:00Z") }),
            resource: theatre.resource.clone().map(|resource| Resource { specialties, ..resource }),
            ..theatre
        },
        // A site that the region does not name, and figures that do not suffice.
        Offer {
            trust: "ZA9".into(),
            figures: Some(Figures { staffed: 1, occupied: 1, held: 1, short: 1, ..Figures::default() }),
            ..offer("ct", "8ZZ01", ResourceKind::Diagnostic, "CT")
        },
    ]
}

fn region() -> Region {
    let site = |code: &str, name: &str, kind: site::Kind| Site {
        code: code.into(),
        trust: "ZA1".into(),
        name: name.into(),
        lat: 53.5,
        lon: -2.25,
        kind: kind.into(),
        phone: "0161 496 0101".into(),
    };
    Region {
        name: "North Vale".into(),
        trusts: vec![Trust { ods: "ZA1".into(), name: "Aldermoor & District".into(), ..Trust::default() }],
        sites: vec![
            site("ZA101", "Aldermoor General", site::Kind::Hospital),
            site("ZA102", "Aldermoor Scans \u{1}<CDC>", site::Kind::CommunityDiagnosticCentre),
        ],
        ..Region::default()
    }
}

fn told<'a>(offers: &'a [Offer], region: &'a Region, zone: &'a TimeZone) -> Told<'a> {
    Told { offers, region, at: NOW.parse().unwrap(), zone }
}

/// An element, as it was read again.
#[derive(Debug, Default)]
struct Element {
    name: String,
    attributes: BTreeMap<String, String>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    fn all(&self, name: &str) -> Vec<&Self> {
        self.children.iter().filter(|child| child.name == name).collect()
    }

    /// Follows a path of names, each the first of its name.
    fn at(&self, path: &str) -> &Self {
        let mut element = self;
        for name in path.split('/') {
            let found = element.children.iter().find(|child| child.name == name);
            element = found.unwrap_or_else(|| panic!("no {name} of {path} in {}", element.name));
        }
        element
    }
}

fn read(bytes: &[u8]) -> Element {
    let begun = |tag: &BytesStart<'_>| Element {
        name: tag.name().as_ref().to_owned(),
        attributes: tag
            .attributes()
            .map(|attribute| {
                let attribute = attribute.unwrap();
                (attribute.key.as_ref().to_owned(), attribute.value.into_owned())
            })
            .collect(),
        ..Element::default()
    };
    let mut reader = Reader::from_str(std::str::from_utf8(bytes).unwrap());
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => open.push(begun(&tag)),
            Event::End(_) => {
                let mut ended = open.pop().unwrap();
                ended.text = ended.text.trim().to_owned();
                open.last_mut().unwrap().children.push(ended);
            }
            Event::Text(more) => open.last_mut().unwrap().text.push_str(&more.xml10_content()),
            Event::GeneralRef(name) => {
                let named = name.xml10_content();
                let sign = quick_xml::escape::resolve_predefined_entity(&named).unwrap().to_owned();
                open.last_mut().unwrap().text.push_str(&sign);
            }
            Event::Decl(_) => {}
            Event::Eof => break,
            other @ (Event::Empty(_)
            | Event::CData(_)
            | Event::Comment(_)
            | Event::PI(_)
            | Event::DocType(_)) => panic!("{other:?}"),
        }
    }
    open.remove(0).children.remove(0)
}

/// The elements in one: name, at least, at most.
type Within = &'static [(&'static str, usize, usize)];

/// What each element of a report holds, in order: name, at least, at most. What is not named holds text alone.
const GRAMMAR: &[(&str, Within)] = &[
    (
        "have:HAVE",
        &[
            ("have:organizationInformation", 1, 1),
            ("have:reportingPeriod", 0, 1),
            ("have:reportComment", 0, 1),
            ("have:facility", 1, 9_999),
        ],
    ),
    ("have:organizationInformation", &[("n:OrganisationName", 1, 1)]),
    ("have:facilityDetails", &[("n:OrganisationName", 1, 1)]),
    ("n:OrganisationName", &[("n:NameElement", 1, 1)]),
    ("have:reportingPeriod", &[("edxl-ct:fromDateTime", 1, 1), ("edxl-ct:toDateTime", 1, 1)]),
    ("have:facility", &[("have:facilityInformation", 1, 1), ("have:serviceList", 1, 9_999)]),
    (
        "have:facilityInformation",
        &[
            ("have:facilityID", 1, 1),
            ("have:facilityName", 1, 1),
            ("have:facilityGeoLocation", 0, 1),
            ("have:facilityDetails", 1, 1),
            ("have:facilityKind", 0, 1),
        ],
    ),
    ("have:facilityGeoLocation", &[("edxl-ct:EDXLGeoLocation", 1, 1)]),
    ("edxl-ct:EDXLGeoLocation", &[("gml:Point", 1, 1)]),
    ("gml:Point", &[("gml:pos", 1, 1)]),
    (
        "have:serviceList",
        &[("have:taxonomyURI", 1, 1), ("have:taxonomyName", 1, 1), ("have:serviceListItem", 1, 9_999)],
    ),
    (
        "have:serviceListItem",
        &[
            ("have:serviceTaxonomyKeyValue", 1, 1),
            ("have:serviceName", 1, 1),
            ("have:serviceStatus", 0, 1),
            ("have:serviceBedCapacity", 0, 1),
            ("have:capacity", 0, 1),
        ],
    ),
    ("have:serviceStatus", &[("have:isAvailable", 1, 1), ("have:comment", 0, 1)]),
    (
        "have:serviceBedCapacity",
        &[
            ("have:availableCount", 1, 1),
            ("have:baselineCount", 0, 1),
            ("have:capacityNote", 0, 1),
            ("have:availability", 0, 1),
        ],
    ),
    ("have:capacity", &[("edxl-ct:ValueListURI", 1, 1), ("edxl-ct:Value", 1, 1)]),
];

/// Says what of an element is not as the grammar has it.
fn wrong(element: &Element, faults: &mut Vec<String>) {
    let rule = GRAMMAR.iter().find(|(name, _)| *name == element.name).map(|(_, rule)| *rule);
    let mut left = element.children.iter().map(|child| child.name.as_str()).peekable();
    for (name, least, most) in rule.unwrap_or_default() {
        let mut count = 0;
        while left.next_if(|next| next == name).is_some() {
            count += 1;
        }
        if !(*least..=*most).contains(&count) {
            faults.push(format!("{} has {count} {name}", element.name));
        }
    }
    if let Some(more) = left.next() {
        faults.push(format!("{} has {more} out of place", element.name));
    }
    let codes: &[&str] = match element.name.as_str() {
        "have:isAvailable" => &["true", "false"],
        "have:facilityKind" => &["Hospital", "LongTermCare", "TemporaryFacility"],
        "have:availability" | "edxl-ct:Value" => &["Open", "Full", "Exceeded", "Inactive"],
        _ => &[],
    };
    if !codes.is_empty() && !codes.contains(&element.text.as_str()) {
        faults.push(format!("{} is {}", element.name, element.text));
    }
    if rule.is_none() && element.text.is_empty() {
        faults.push(format!("{} is empty", element.name));
    }
    element.children.iter().for_each(|child| wrong(child, faults));
}

fn report(offers: &[Offer]) -> String {
    let (region, zone) = (region(), TimeZone::get("Europe/London").unwrap());
    String::from_utf8(have::write(&told(offers, &region, &zone)).unwrap().unwrap()).unwrap()
}

#[test]
fn a_report_has_the_elements_of_the_standard_in_their_order() {
    let text = report(&offers());
    assert!(text.starts_with("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<have:HAVE "), "{text}");
    let root = read(text.as_bytes());
    let mut faults = Vec::new();
    wrong(&root, &mut faults);
    assert!(faults.is_empty(), "{faults:?}\n{text}");
    for (prefix, namespace) in have::NAMESPACES {
        assert_eq!(root.attributes.get(prefix).map(String::as_str), Some(namespace));
    }
    let ids: BTreeSet<&str> = root
        .all("have:facility")
        .into_iter()
        .map(|facility| facility.at("have:facilityInformation/have:facilityID").text.as_str())
        .collect();
    assert_eq!(ids, BTreeSet::from(["ODS-8ZZ01", "ODS-ZA101", "ODS-ZA102"]));
    // The check itself can fail.
    let moved = text.replace("have:availableCount", "have:count").replace(">Open<", ">Ajar<");
    let mut faults = Vec::new();
    wrong(&read(moved.as_bytes()), &mut faults);
    assert_eq!(faults.len(), 3, "{faults:?}");
}

#[test]
fn a_report_counts_what_can_be_proposed_and_says_what_is_stale() {
    let text = report(&offers());
    let root = read(text.as_bytes());
    let facilities = root.all("have:facility");
    let [unknown, hospital, centre] = facilities.as_slice() else { panic!("{text}") };

    let beds = hospital.at("have:serviceList/have:serviceListItem");
    assert_eq!(beds.at("have:serviceTaxonomyKeyValue").text, "bed/ga_adult");
    assert_eq!(beds.at("have:serviceStatus/have:isAvailable").text, "true");
    let capacity = beds.at("have:serviceBedCapacity");
    assert_eq!(
        [&capacity.at("have:availableCount").text, &capacity.at("have:baselineCount").text],
        ["2", "6"],
        "of three live offers, one can be proposed"
    );
    assert_eq!(
        capacity.at("have:capacityNote").text,
        "STALE, not counted: 2 free when last reported at 2026-11-24T11:00:00+00:00, promised every 60 min; SUSPENDED, not \
         counted: 2 free, no new holds"
    );
    assert_eq!(hospital.at("have:facilityInformation/have:facilityName").text, "Aldermoor General");
    assert_eq!(
        hospital.at("have:facilityInformation/have:facilityDetails/n:OrganisationName/n:NameElement").text,
        "Aldermoor & District"
    );
    assert_eq!(
        hospital
            .at("have:facilityInformation/have:facilityGeoLocation/edxl-ct:EDXLGeoLocation/gml:Point/gml:pos")
            .text,
        "53.500000 -2.250000"
    );

    let session = centre.at("have:serviceList/have:serviceListItem");
    assert_eq!(centre.at("have:facilityInformation/have:facilityName").text, "Aldermoor Scans <CDC>");
    assert_eq!(session.at("have:serviceTaxonomyKeyValue").text, "theatre/main/110");
    assert_eq!(session.at("have:capacity/edxl-ct:Value").text, "Inactive");
    assert_eq!(
        session.at("have:serviceStatus/have:comment").text,
        "not counted yet: 2 free from 2026-11-26T13:30:00+00:00, 2 free from 2026-11-27T13:30:00+00:00"
    );

    let scanner = unknown.at("have:serviceList/have:serviceListItem");
    assert_eq!(unknown.at("have:facilityInformation/have:facilityName").text, "8ZZ01");
    assert_eq!(scanner.at("have:capacity/edxl-ct:Value").text, "Exceeded");
    assert_eq!(scanner.at("have:serviceStatus/have:isAvailable").text, "false");

    assert_eq!(root.at("have:reportingPeriod/edxl-ct:fromDateTime").text, "2026-11-24T11:00:00+00:00");
    assert_eq!(root.at("have:reportingPeriod/edxl-ct:toDateTime").text, "2026-11-24T14:31:00+00:00");
    assert!(!text.contains("sister"), "a note is for the trusts it was written for");
}

#[test]
fn without_a_live_offer_there_is_no_report_and_an_empty_bundle() {
    let (region, zone) = (region(), TimeZone::UTC);
    let gone = vec![Offer { state: offer::State::Expired.into(), ..offers().remove(0) }];
    assert!(have::write(&told(&gone, &region, &zone)).unwrap().is_none());
    let bundle = fhir::bundle(&told(&gone, &region, &zone));
    assert!(bundle.get("entry").is_none(), "{bundle}");
    assert_eq!(faults(&bundle), Vec::<String>::new());
}

/// Elements that each type of resource has here, required ones first, up to the bar.
const SHAPES: &[(&str, &[&str], &[&str])] = &[
    ("Organization", &["id", "identifier", "active", "name"], &[]),
    (
        "Location",
        &["id", "identifier", "status", "name", "mode", "managingOrganization"],
        &["position", "telecom"],
    ),
    ("HealthcareService", &["id", "active", "providedBy", "type", "location", "name"], &["specialty"]),
    ("Schedule", &["id", "meta", "active", "serviceType", "actor", "planningHorizon"], &[]),
    (
        "Slot",
        &[
            "id",
            "meta",
            "extension",
            "serviceType",
            "schedule",
            "status",
            "start",
            "end",
            "overbooked",
            "comment",
        ],
        &["specialty"],
    ),
];

fn bundle(offers: &[Offer]) -> Value {
    let (region, zone) = (region(), TimeZone::UTC);
    fhir::bundle(&told(offers, &region, &zone))
}

/// Says what of a bundle is not as FHIR R4 has it, as far as this bundle uses it.
fn faults(bundle: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    if bundle["resourceType"] != "Bundle" || bundle["type"] != "collection" {
        faults.push("no collection".to_owned());
    }
    empty("Bundle", bundle, &mut faults);
    let Some(entries) = bundle.get("entry").and_then(Value::as_array) else { return faults };
    let names: Vec<&str> = entries.iter().filter_map(|entry| entry["fullUrl"].as_str()).collect();
    if names.iter().collect::<BTreeSet<_>>().len() != entries.len() {
        faults.push("a name is missing or there twice".to_owned());
    }
    for entry in entries {
        let resource = &entry["resource"];
        let (kind, id) = (resource["resourceType"].as_str().unwrap(), resource["id"].as_str().unwrap());
        let plain = |sign: char| sign.is_ascii_alphanumeric() || sign == '-' || sign == '.';
        if id.is_empty() || id.len() > fhir::ID_CHARS_MAX || !id.chars().all(plain) {
            faults.push(format!("{kind} has the id {id}"));
        }
        if entry["fullUrl"] != format!("{}/{kind}/{id}", fhir::BASE) {
            faults.push(format!("{kind}/{id} is called {}", entry["fullUrl"]));
        }
        let (_, required, others) = SHAPES.iter().find(|(name, _, _)| *name == kind).unwrap();
        for name in *required {
            if resource.get(name).is_none_or(|value| value.is_null() || *value == "") {
                faults.push(format!("{kind}/{id} has no {name}"));
            }
        }
        for name in resource.as_object().unwrap().keys() {
            let known = required.iter().chain(*others).any(|known| known == name);
            if !known && name != "resourceType" {
                faults.push(format!("{kind}/{id} has {name}"));
            }
        }
        let statuses: &[&str] = match kind {
            "Slot" => &["busy", "free", "busy-unavailable", "busy-tentative", "entered-in-error"],
            "Location" => &["active", "suspended", "inactive"],
            _ => &[],
        };
        if !statuses.is_empty() && !statuses.iter().any(|status| resource["status"] == **status) {
            faults.push(format!("{kind}/{id} is {}", resource["status"]));
        }
        for time in ["start", "end"].iter().filter_map(|name| resource[name].as_str()) {
            if time.parse::<Timestamp>().is_err() {
                faults.push(format!("{kind}/{id} is at {time}"));
            }
        }
        for reference in references(resource) {
            if !names.contains(&format!("{}/{reference}", fhir::BASE).as_str()) {
                faults.push(format!("{kind}/{id} refers to {reference}"));
            }
        }
    }
    faults
}

/// FHIR has no empty lists, objects or words, and no control characters in words.
fn empty(path: &str, value: &Value, faults: &mut Vec<String>) {
    let is_empty = match value {
        Value::Null => true,
        Value::Array(parts) => {
            parts.iter().for_each(|part| empty(path, part, faults));
            parts.is_empty()
        }
        Value::Object(parts) => {
            parts.iter().for_each(|(name, part)| empty(&format!("{path}.{name}"), part, faults));
            parts.is_empty()
        }
        Value::String(words) => words.trim().is_empty() || words.chars().any(char::is_control),
        Value::Bool(_) | Value::Number(_) => false,
    };
    if is_empty {
        faults.push(format!("{path} is {value}"));
    }
}

fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(parts) => parts
            .iter()
            .flat_map(|(name, part)| match (name.as_str(), part) {
                ("reference", Value::String(to)) => vec![to.clone()],
                _ => references(part),
            })
            .collect(),
        Value::Array(parts) => parts.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

#[test]
fn a_bundle_has_the_shape_of_the_standard() {
    let whole = bundle(&offers());
    assert_eq!(faults(&whole), Vec::<String>::new(), "{whole:#}");
    assert_eq!(whole["timestamp"], "2026-11-24T14:31:00Z");
    // The check itself can fail.
    let text =
        whole.to_string().replace("\"busy-tentative\"", "\"maybe\"").replace("Location/ZA102", "Location/ZA");
    let wrong: Value = serde_json::from_str(&text).unwrap();
    assert!(faults(&wrong).len() >= 2, "{:?}", faults(&wrong));
    let wrong =
        serde_json::json!({ "resourceType": "Bundle", "type": "collection", "entry": [], "id": "\u{1}" });
    assert_eq!(faults(&wrong), ["Bundle.entry is []", "Bundle.id is \"\\u0001\""]);
    // Nothing that a person wrote, and nothing of a patient.
    for word in ["sister", "atient", "note"] {
        assert!(!whole.to_string().contains(word), "{word}");
    }
}

#[test]
fn slots_say_what_is_free_held_and_stale() {
    let whole = bundle(&offers());
    let slots: BTreeMap<&str, &Value> = whole["entry"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["resource"])
        .filter(|resource| resource["resourceType"] == "Slot")
        .map(|slot| (slot["id"].as_str().unwrap(), slot))
        .collect();
    let counted = |id: &str, unit: &str, code: &str| {
        let quantity = &slots[id]["extension"][0]["valueQuantity"];
        assert_eq!([&quantity["unit"], &quantity["code"]], [unit, code]);
        assert_eq!(quantity["system"], "http://unitsofmeasure.org");
    };
    counted("fresh-free", "beds", "{bed}");
    counted("t-free", "minutes", "min");
    let shown = |id: &str| {
        let slot = slots[id];
        let units = slot["extension"][0]["valueQuantity"]["value"].as_i64().unwrap();
        assert_eq!(slot["extension"][0]["url"], fhir::UNITS);
        assert_eq!(slot["meta"]["tag"][0]["system"], fhir::FRESHNESS);
        let fresh = slot["meta"]["tag"][0]["code"].as_str().unwrap();
        (slot["status"].as_str().unwrap(), units, fresh, slot["comment"].as_str().unwrap())
    };
    assert_eq!(shown("fresh-free"), ("free", 2, "FRESH", "2 free"));
    assert_eq!(shown("fresh-held"), ("busy-tentative", 1, "FRESH", "1 held"));
    assert_eq!(shown("fresh-agreed"), ("busy", 1, "FRESH", "1 agreed"));
    assert_eq!(shown("fresh-occupied"), ("busy", 2, "FRESH", "2 occupied"));
    assert_eq!(
        shown("stale-free"),
        (
            "busy-unavailable",
            2,
            "STALE",
            "2 free. STALE: nobody has said that this is still true. Proposed to nobody"
        )
    );
    assert_eq!(shown("suspended-free"), ("busy-unavailable", 2, "FRESH", "2 free. SUSPENDED: no new holds"));
    assert_eq!(shown("t-free"), ("free", 2, "FRESH", "2 minutes free"));
    assert_eq!(slots["t-free"]["start"], "2026-11-26T13:30:00Z");
    assert!(!slots.keys().any(|id| id.starts_with("gone")), "what has ended is nobody's to have");
    assert_eq!(slots["fresh-free"]["start"], "2026-11-24T14:11:00Z", "since it was said");
}

#[test]
fn a_long_key_still_has_an_id_of_its_own() {
    let long = |last: &str| Offer {
        resource: Some(Resource {
            kind: ResourceKind::Equipment.into(),
            code: format!("{}{last}", "VERY_LONG_".repeat(6)),
            ..Resource::default()
        }),
        ..offer(last, "ZA101", ResourceKind::Bed, "GA_ADULT")
    };
    let whole = bundle(&[long("A"), long("B")]);
    assert_eq!(faults(&whole), Vec::<String>::new());
    assert_eq!(whole, bundle(&[long("A"), long("B")]), "the same every time");
}
