//! HL7 FHIR R4: a Bundle of the trusts, their sites, what each site provides, and a schedule with slots for each offer.
//!
//! A slot of FHIR has no count, so there is one for each state that units of an offer are in, and an extension that says
//! how many units it stands for. What is held for a proposal is `busy-tentative`; what can be proposed to nobody, because it
//! is stale, suspended, not released or without its team, is `busy-unavailable`, and its freshness is a tag.

use std::collections::BTreeSet;

use fallow_api::render;
use fallow_api::v1::{Freshness, Offer, Resource, ResourceKind, Site, Trust};
use jiff::Timestamp;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::stock::{Apart, apart, by_site, is_live, released_later};
use super::{Told, legal};
use crate::cli::codes::word;
use crate::cli::rows::freshness;
use crate::cli::time::from_wire;

/// Where the resources of a bundle are named from. No server is there: the name only tells them apart.
pub(super) const BASE: &str = "https://fallow.invalid/fhir";
/// ODS codes of trusts.
const ODS_TRUST: &str = "https://fhir.nhs.uk/Id/ods-organization-code";
/// ODS codes of sites.
const ODS_SITE: &str = "https://fhir.nhs.uk/Id/ods-site-code";
/// Our resources, kind/code/level.
pub(super) const RESOURCES: &str = "urn:fallow:v1:resource";
/// Treatment Function Codes of the NHS Data Dictionary, as the NHS names them in FHIR.
pub(super) const SPECIALTIES: &str =
    "https://fhir.nhs.uk/CodeSystem/NHSDataModelAndDictionary-treatment-function";
/// Units of measure.
const UCUM: &str = "http://unitsofmeasure.org";
/// FRESH, AGEING, STALE.
pub(super) const FRESHNESS: &str = "urn:fallow:v1:freshness";
/// How many units a slot stands for.
pub(super) const UNITS: &str = "urn:fallow:v1:slot-units";

/// Longest id that FHIR takes.
pub(super) const ID_CHARS_MAX: usize = 64;
/// Bytes of a digest that tell long ids apart.
const DIGEST_BYTES: usize = 16;

/// Makes the bundle. Without a live offer it has no `entry`, for FHIR has no empty lists.
pub(in crate::cli) fn bundle(told: &Told<'_>) -> Value {
    let mut entries = Vec::new();
    let live = || told.offers.iter().filter(|offer| is_live(offer));
    let trusts: BTreeSet<&str> = live().map(|offer| offer.trust.as_str()).collect();
    for code in trusts {
        let known = told.region.trusts.iter().find(|trust| trust.ods == code);
        entries.push(organization(code, known));
    }
    for (code, stocks) in by_site(told.offers) {
        let known = told.region.sites.iter().find(|site| site.code == code);
        let trust = stocks.iter().flat_map(|stock| &stock.offers).map(|offer| offer.trust.as_str()).next();
        let trust = trust.unwrap_or_default();
        entries.push(location(code, trust, known));
        entries.extend(stocks.iter().map(|stock| service(code, trust, stock.resource)));
    }
    for offer in live() {
        entries.extend(schedule(offer, told.at));
    }
    let entries: Vec<Value> = entries.into_iter().map(entry).collect();
    let mut bundle = json!({
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": instant(told.at),
    });
    if !entries.is_empty() {
        bundle["entry"] = entries.into();
    }
    bundle
}

fn entry(resource: Value) -> Value {
    let part = |name: &str| resource.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    json!({ "fullUrl": format!("{BASE}/{}/{}", part("resourceType"), part("id")), "resource": resource })
}

fn organization(code: &str, known: Option<&Trust>) -> Value {
    json!({
        "resourceType": "Organization",
        "id": code,
        "identifier": [{ "system": ODS_TRUST, "value": code }],
        "active": true,
        "name": called(code, known.map(|trust| trust.name.as_str())),
    })
}

fn location(code: &str, trust: &str, known: Option<&Site>) -> Value {
    let mut location = json!({
        "resourceType": "Location",
        "id": code,
        "identifier": [{ "system": ODS_SITE, "value": code }],
        "status": "active",
        "name": called(code, known.map(|site| site.name.as_str())),
        "mode": "instance",
        "managingOrganization": reference("Organization", trust),
    });
    if let Some(site) = known {
        location["position"] = json!({ "longitude": site.lon, "latitude": site.lat });
        let phone = legal(&site.phone);
        if !phone.trim().is_empty() {
            location["telecom"] = json!([{ "system": "phone", "value": phone, "use": "work" }]);
        }
    }
    location
}

/// Returns a name as FHIR takes it, the code where there is none: FHIR has no empty words.
fn called(code: &str, name: Option<&str>) -> String {
    let name = legal(name.unwrap_or_default());
    if name.trim().is_empty() { code.to_owned() } else { name }
}

fn service(site: &str, trust: &str, resource: &Resource) -> Value {
    let mut service = json!({
        "resourceType": "HealthcareService",
        "id": service_id(site, resource),
        "active": true,
        "providedBy": reference("Organization", trust),
        "type": [concept(resource)],
        "location": [reference("Location", site)],
        "name": render::resource(resource),
    });
    if !resource.specialties.is_empty() {
        service["specialty"] = specialties(resource);
    }
    service
}

/// Returns a schedule of one offer, and its slots.
fn schedule(offer: &Offer, at: Timestamp) -> Vec<Value> {
    let Some(resource) = &offer.resource else { return Vec::new() };
    let window = offer.window.unwrap_or_default();
    let reported = from_wire(offer.reported_at).unwrap_or(at);
    // What has no beginning is to be had since it was said.
    let begins = from_wire(window.from).unwrap_or(reported);
    let ends = from_wire(window.until).unwrap_or(begins).max(begins);
    let mut meta = json!({ "lastUpdated": instant(reported) });
    let fresh = freshness(offer, at);
    if fresh != Freshness::Unspecified {
        meta["tag"] =
            json!([{ "system": FRESHNESS, "code": word::<Freshness>(fresh.into()).to_uppercase() }]);
    }
    let said = match apart(offer, at) {
        Some(Apart::Stale) => "STALE: nobody has said that this is still true. Proposed to nobody".to_owned(),
        Some(Apart::Suspended) => "SUSPENDED: no new holds".to_owned(),
        Some(Apart::NotReleased) => {
            let release = released_later(offer, at).map(instant).unwrap_or_default();
            format!("NOT RELEASED: proposed from {release}")
        }
        Some(Apart::NoTeam) => "NO TEAM: only with a team that is lent or brought".to_owned(),
        Some(Apart::Over) => "the time of this offer is over".to_owned(),
        // A slot of a time to come is what bookings are made of.
        Some(Apart::Later) | None => String::new(),
    };
    let figures = offer.figures.unwrap_or_default();
    let free = if said.is_empty() { "free" } else { "busy-unavailable" };
    let states = [
        ("free", free, figures.free),
        ("held", "busy-tentative", figures.held),
        ("agreed", "busy", figures.committed),
        ("occupied", "busy", figures.occupied),
        ("blocked", "busy-unavailable", figures.blocked),
    ];
    let mut made = vec![json!({
        "resourceType": "Schedule",
        "id": offer.id,
        "meta": meta,
        "active": true,
        "serviceType": [concept(resource)],
        "actor": [
            reference("Location", &offer.site),
            reference("HealthcareService", &service_id(&offer.site, resource)),
        ],
        "planningHorizon": { "start": instant(begins), "end": instant(ends) },
    })];
    for (name, status, units) in states.into_iter().filter(|(_, _, units)| *units > 0) {
        let mut slot = json!({
            "resourceType": "Slot",
            "id": format!("{}-{name}", offer.id),
            "meta": meta,
            "extension": [{ "url": UNITS, "valueQuantity": quantity(resource.kind(), units) }],
            "serviceType": [concept(resource)],
            "schedule": reference("Schedule", &offer.id),
            "status": status,
            "start": instant(begins),
            "end": instant(ends),
            "overbooked": name == "agreed" && figures.short > 0,
        });
        if !resource.specialties.is_empty() {
            slot["specialty"] = specialties(resource);
        }
        let minutes = if resource.kind() == ResourceKind::Theatre { "minutes " } else { "" };
        let counted = format!("{units} {minutes}{name}");
        let is_apart = name == "free" && !said.is_empty();
        slot["comment"] = if is_apart { format!("{counted}. {said}").into() } else { counted.into() };
        made.push(slot);
    }
    made
}

/// Writes units as FHIR's quantity, with the code of what is counted.
fn quantity(kind: ResourceKind, units: i64) -> Value {
    let (one, unit) = render::units(kind);
    // What UCUM has no unit of is counted by a word in braces.
    let code = if kind == ResourceKind::Theatre { "min".to_owned() } else { format!("{{{one}}}") };
    json!({ "value": units, "unit": unit, "system": UCUM, "code": code })
}

/// Returns the id of what a site provides: letters, digits, dashes and dots, as FHIR wants it.
fn service_id(site: &str, resource: &Resource) -> String {
    let key = render::resource_key(resource).replace('/', ".").replace('_', "-");
    let specialties: String = resource.specialties.iter().map(|code| format!(".{code}")).collect();
    let id = format!("{site}.{key}{specialties}");
    if id.len() <= ID_CHARS_MAX {
        return id;
    }
    // Too long: the rest is told by a digest of the whole, which is the same every time.
    let digest = Sha256::digest(&id);
    let digest: String = digest.iter().take(DIGEST_BYTES).map(|byte| format!("{byte:02x}")).collect();
    format!("{site}.{digest}")
}

fn reference(kind: &str, id: &str) -> Value {
    json!({ "reference": format!("{kind}/{id}") })
}

fn concept(resource: &Resource) -> Value {
    json!({
        "coding": [{ "system": RESOURCES, "code": render::resource_key(resource) }],
        "text": render::resource(resource),
    })
}

fn specialties(resource: &Resource) -> Value {
    let coded = resource.specialties.iter();
    coded.map(|code| json!({ "coding": [{ "system": SPECIALTIES, "code": code }] })).collect()
}

/// Writes a time as FHIR's instant, in UTC.
fn instant(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}
