//! ServiceRequests of HL7 FHIR R4 as needs: the other way from the [bundle](super::fhir).
//!
//! Read is only what makes a need. Nothing of the subject, of who asked, of reasons or of notes is looked at: who the
//! patient is stays where the request was made. How urgent a need is, is a clinical judgement in bands of its own; the
//! four words of FHIR are none of them, so the band is that of the time, unless the request names one.

use fallow_api::v1::{Need, Priority};
use jiff::Timestamp;
use serde_json::Value;

use super::fhir::{RESOURCES, SPECIALTIES};
use crate::cli::codes;
use crate::cli::demand::band;
use crate::cli::shorthand::resource;
use crate::cli::time::to_wire;

/// What the place must be able to do, in `orderDetail`.
pub(super) const CAPABILITIES: &str = "urn:fallow:v1:capability";
/// Our band, in `category`.
pub(super) const PRIORITIES: &str = "urn:fallow:v1:priority";
/// Minutes of one case in a theatre, an extension.
pub(super) const MINUTES: &str = "urn:fallow:v1:minutes-per-case";
/// The system of patients' numbers, which are no references of a case.
const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";

/// What was found in a file.
#[derive(Debug, Default)]
pub(in crate::cli) struct Requests {
    /// Each request in its place, from 1: a need, or what is wrong with it by its element.
    pub(in crate::cli) read: Vec<(usize, Result<Need, Vec<Wrong>>)>,
    /// Requests that ask for nothing now: ended, on hold, drafts, or of what not to do.
    pub(in crate::cli) passed_over: usize,
}

/// What is wrong with an element.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cli) struct Wrong {
    /// The element, such as `occurrencePeriod.end`.
    pub(in crate::cli) element: &'static str,
    /// What is wrong, and what would be right.
    pub(in crate::cli) text: String,
}

/// Reads a Bundle, or one ServiceRequest. Other resources of a Bundle are passed over without a count.
///
/// # Errors
/// Says why the file is neither.
pub(in crate::cli) fn read(bytes: &[u8], now: Timestamp) -> Result<Requests, String> {
    let file: Value = serde_json::from_slice(bytes).map_err(|error| format!("is not JSON: {error}"))?;
    let resources: Vec<&Value> = match kind(&file) {
        "ServiceRequest" => vec![&file],
        "Bundle" => {
            let entries = file["entry"].as_array().map(Vec::as_slice).unwrap_or_default();
            entries.iter().map(|entry| &entry["resource"]).collect()
        }
        "" => return Err("is not FHIR: it has no resourceType".to_owned()),
        other => return Err(format!("is a {other}: give a Bundle, or a ServiceRequest")),
    };
    let mut found = Requests::default();
    let requests = resources.into_iter().enumerate().filter(|(_, one)| kind(one) == "ServiceRequest");
    for (place, request) in requests {
        let is_wanted = request["status"] == "active" && request["doNotPerform"] != true;
        if is_wanted {
            found.read.push((place + 1, need(request, now)));
        } else {
            found.passed_over += 1;
        }
    }
    Ok(found)
}

fn kind(resource: &Value) -> &str {
    resource["resourceType"].as_str().unwrap_or_default()
}

fn need(request: &Value, now: Timestamp) -> Result<Need, Vec<Wrong>> {
    let mut faults = Vec::new();
    let mut wrong = |element, text: String| faults.push(Wrong { element, text });
    let mut need = Need { case_ref: case_ref(request).to_owned(), units: 1, ..Need::default() };
    if need.case_ref.is_empty() {
        wrong("identifier", "needs a reference of the case that is no patient's number".to_owned());
    }
    match coded(&request["code"], RESOURCES).next() {
        None => wrong("code", format!("needs a coding of {RESOURCES}, such as bed/cc_adult/2")),
        Some(key) => match resource(key) {
            Ok(found) => need.resource = Some(found),
            Err(said) => wrong("code", format!("is no resource: {said}")),
        },
    }
    if let Some(found) = &mut need.resource {
        found.specialties = coded(&request["performerType"], SPECIALTIES).map(str::to_owned).collect();
    }
    let count = &request["quantityQuantity"]["value"];
    if !count.is_null() {
        match count.as_i64().filter(|count| (1..=10_000).contains(count)) {
            Some(count) => need.units = count,
            None => wrong("quantityQuantity.value", "must be a whole number, 1 to 10,000".to_owned()),
        }
    }
    let (element, end) = match request["occurrencePeriod"]["end"].as_str() {
        Some(end) => ("occurrencePeriod.end", Some(end)),
        None => ("occurrenceDateTime", request["occurrenceDateTime"].as_str()),
    };
    for (element, text, at) in [
        (element, end, &mut need.needed_by),
        ("occurrencePeriod.start", request["occurrencePeriod"]["start"].as_str(), &mut need.earliest),
        ("authoredOn", request["authoredOn"].as_str(), &mut need.listed_at),
    ] {
        match text.map(str::parse::<Timestamp>) {
            None => {}
            Some(Ok(found)) => *at = Some(to_wire(found)),
            Some(Err(_)) => {
                let text = "needs a time and its distance from UTC, such as 2026-11-24T16:00:00Z";
                wrong(element, text.to_owned());
            }
        }
    }
    let named = listed(&request["category"]).flat_map(|one| coded(one, PRIORITIES)).next();
    let needed_by = crate::cli::time::from_wire(need.needed_by);
    match (named.map(codes::parse::<Priority>), needed_by) {
        (Some(Ok(named)), _) => need.priority = named.into(),
        (Some(Err(said)), _) => wrong("category", format!("is no band: {said}")),
        (None, Some(by)) => need.priority = band(by, now).into(),
        (None, None) if end.is_some() => {}
        (None, None) => wrong(
            "occurrenceDateTime",
            "is missing: how urgent is it? Give a time, or a category of urn:fallow:v1:priority".to_owned(),
        ),
    }
    let site = request["locationReference"][0]["reference"].as_str().unwrap_or_default();
    need.site = site.rsplit_once('/').map_or("", |(_, code)| code).to_uppercase();
    need.requires =
        listed(&request["orderDetail"]).flat_map(|one| coded(one, CAPABILITIES)).map(str::to_owned).collect();
    let minutes = listed(&request["extension"]).find(|one| one["url"] == MINUTES);
    if let Some(minutes) = minutes {
        match minutes["valueInteger"].as_i64().filter(|minutes| *minutes > 0) {
            Some(minutes) => need.minutes_per_case = minutes,
            None => wrong("extension", format!("{MINUTES} must be a whole number of minutes, at least 1")),
        }
    }
    if faults.is_empty() { Ok(need) } else { Err(faults) }
}

/// Returns the first reference that is no patient's number, else the id of the request.
fn case_ref(request: &Value) -> &str {
    let of_cases = listed(&request["identifier"]).filter(|one| one["system"] != NHS_NUMBER);
    let named = of_cases.filter_map(|one| one["value"].as_str()).find(|value| !value.is_empty());
    named.or(request["id"].as_str()).unwrap_or_default()
}

fn listed(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().map(Vec::as_slice).unwrap_or_default().iter()
}

/// Returns the codes of one system.
fn coded<'a>(concept: &'a Value, system: &'a str) -> impl Iterator<Item = &'a str> {
    listed(&concept["coding"])
        .filter(move |one| one["system"] == system)
        .filter_map(|one| one["code"].as_str())
}

#[cfg(test)]
mod tests {
    use fallow_api::render::resource_key;
    use serde_json::json;

    use super::*;

    fn now() -> Timestamp {
        "2026-11-24T14:31:00Z".parse().unwrap()
    }

    fn request() -> Value {
        json!({
            "resourceType": "ServiceRequest",
            "id": "r1",
            "identifier": [
                { "system": NHS_NUMBER, "value": "999 000 0000" },
                { "system": "urn:trust:cases", "value": "LC-118" },
            ],
            "status": "active",
            "intent": "order",
            "priority": "stat",
            "code": { "coding": [{ "system": RESOURCES, "code": "theatre/main" }] },
            "performerType": { "coding": [{ "system": SPECIALTIES, "code": "110" }] },
            "orderDetail": [{ "coding": [{ "system": CAPABILITIES, "code": "laminar_flow" }] }],
            "quantityQuantity": { "value": 2 },
            "extension": [{ "url": MINUTES, "valueInteger": 90 }],
            "subject": { "reference": "Patient/p1", "display": "somebody" },
            "reasonCode": [{ "text": "what is nobody else's to know" }],
            "note": [{ "text": "what is nobody else's to know" }],
            "occurrencePeriod": { "start": "2026-11-25T08:00:00Z", "end": "2026-11-26T16:00:00+00:00" },
            "authoredOn": "2026-11-20T09:00:00Z",
            "locationReference": [{ "reference": "Location/za401" }],
        })
    }

    fn one(request: Value) -> Result<Need, Vec<Wrong>> {
        let read = read(request.to_string().as_bytes(), now()).unwrap();
        let [(1, found)] = read.read.as_slice() else { panic!("{read:?}") };
        found.clone()
    }

    #[test]
    fn a_request_is_a_need_and_nothing_of_its_subject() {
        let need = one(request()).unwrap();
        let resource = need.resource.clone().unwrap();
        assert_eq!(
            (resource_key(&resource).as_str(), resource.specialties),
            ("theatre/main", vec!["110".into()])
        );
        assert_eq!((need.case_ref.as_str(), need.site.as_str(), need.units), ("LC-118", "ZA401", 2));
        assert_eq!((need.minutes_per_case, need.requires.as_slice()), (90, &["laminar_flow".to_owned()][..]));
        assert_eq!(need.priority(), Priority::P1b, "by the time, whatever FHIR's own word");
        let at = |text: &str| Some(to_wire(text.parse().unwrap()));
        assert_eq!(need.needed_by, at("2026-11-26T16:00:00Z"));
        assert_eq!(need.earliest, at("2026-11-25T08:00:00Z"));
        assert_eq!(need.listed_at, at("2026-11-20T09:00:00Z"));
        let text = serde_json::to_string(&need).unwrap();
        for word in ["999", "p1", "somebody", "nobody"] {
            assert!(!text.contains(word), "{word}: {text}");
        }
        let mut named = request();
        named["category"] = json!([{ "coding": [{ "system": PRIORITIES, "code": "p2" }] }]);
        named["occurrencePeriod"] = Value::Null;
        assert_eq!(one(named).unwrap().priority(), Priority::P2);
    }

    #[test]
    fn what_is_wrong_is_said_by_the_element() {
        for (element, value, faulty, said) in [
            ("code", json!({ "text": "a bed" }), "code", "needs a coding of urn:fallow:v1:resource"),
            (
                "code",
                json!({ "coding": [{ "system": RESOURCES, "code": "bed/sofa" }] }),
                "code",
                "unknown code \"SOFA\"",
            ),
            ("quantityQuantity", json!({ "value": 0 }), "quantityQuantity.value", "1 to 10,000"),
            ("quantityQuantity", json!({ "value": 1.5 }), "quantityQuantity.value", "a whole number"),
            ("occurrencePeriod", json!({ "end": "2026-11-26" }), "occurrencePeriod.end", "needs a time"),
            ("occurrencePeriod", Value::Null, "occurrenceDateTime", "how urgent is it?"),
            ("authoredOn", json!("yesterday"), "authoredOn", "needs a time"),
            (
                "category",
                json!([{ "coding": [{ "system": PRIORITIES, "code": "P9" }] }]),
                "category",
                "unknown code \"P9\"",
            ),
            (
                "extension",
                json!([{ "url": MINUTES, "valueInteger": "90" }]),
                "extension",
                "whole number of minutes",
            ),
        ] {
            let mut request = request();
            request[element] = value;
            let faults = one(request).unwrap_err();
            assert_eq!(faults.len(), 1, "{element}: {faults:?}");
            assert!(faults[0].element == faulty && faults[0].text.contains(said), "{element}: {faults:?}");
        }
        let mut nameless = request();
        nameless["identifier"] = json!([{ "system": NHS_NUMBER, "value": "999 000 0000" }]);
        nameless["id"] = Value::Null;
        assert_eq!(one(nameless).unwrap_err()[0].element, "identifier");
    }

    #[test]
    fn only_what_is_asked_for_now_is_read() {
        let with = |status: &str| {
            let mut request = request();
            request["status"] = status.into();
            json!({ "resource": request })
        };
        let mut not = request();
        not["doNotPerform"] = true.into();
        let bundle = json!({ "resourceType": "Bundle", "type": "collection", "entry": [
            { "resource": { "resourceType": "Patient", "id": "p1" } },
            with("draft"), with("active"), with("completed"), { "resource": not }, with("active"),
        ]});
        let found = read(bundle.to_string().as_bytes(), now()).unwrap();
        let places: Vec<usize> = found.read.iter().map(|(place, _)| *place).collect();
        assert_eq!((places, found.passed_over), (vec![3, 6], 3));
        for (file, said) in [
            ("[]", "it has no resourceType"),
            ("{", "is not JSON"),
            (r#"{"resourceType":"Patient"}"#, "is a Patient: give a Bundle, or a ServiceRequest"),
        ] {
            assert!(read(file.as_bytes(), now()).unwrap_err().contains(said), "{file}");
        }
        assert_eq!(read(br#"{"resourceType":"Bundle"}"#, now()).unwrap().read.len(), 0);
    }
}
