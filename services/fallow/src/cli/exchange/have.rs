//! OASIS EDXL-HAVE 2.0, the Hospital Availability Exchange: a report of facilities, the services of each, and what each
//! service has free.
//!
//! Elements, their order and their codes are those of the working draft of 2012, whose schema the specification's editor
//! published with examples (namespace `urn:oasis:names:tc:emergency:edxl:have:2.0`). They have not been checked against the
//! published standard. A time carries its distance from UTC, as EDXL wants it.

use std::io;

use fallow_api::render;
use fallow_api::v1::{Resource, ResourceKind, Site, site};
use jiff::Timestamp;
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesText, Event};

use super::stock::{Stock, by_site};
use super::{Told, legal};
use crate::cli::time::from_wire;

/// The namespaces of a report, by the prefixes that it uses.
pub(super) const NAMESPACES: [(&str, &str); 4] = [
    ("xmlns:have", "urn:oasis:names:tc:emergency:edxl:have:2.0"),
    ("xmlns:edxl-ct", "urn:oasis:names:tc:emergency:edxl:ct:1.0"),
    ("xmlns:n", "urn:oasis:names:tc:emergency:edxl:ciq:1.0:xnl"),
    ("xmlns:gml", "http://www.opengis.net/gml/3.2"),
];
/// What the keys of services are: the resources of Fallow.
const TAXONOMY: &str = "urn:fallow:v1:resource";
/// The standard's own list of how full a service is.
const CAPACITY_LIST: &str = "urn:oasis:names:tc:emergency:EDXL:HAVE:2.0:Defaults:CapacityCodeStatus";

type Xml = Writer<Vec<u8>>;

/// Writes a report of what the sites of the offers have. `None` when there is no live offer: a report without a facility is
/// none.
///
/// # Errors
/// Those of the writer.
pub(in crate::cli) fn write(told: &Told<'_>) -> io::Result<Option<Vec<u8>>> {
    let sites = by_site(told.offers);
    if sites.is_empty() {
        return Ok(None);
    }
    let mut xml = Writer::new_with_indent(Vec::new(), b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    let root = xml.create_element("have:HAVE").with_attributes(NAMESPACES);
    root.write_inner_content(|xml| {
        element(xml, "have:organizationInformation", |xml| name(xml, &told.region.name))?;
        let reports = || sites.values().flatten().flat_map(|stock| &stock.offers);
        let first = reports().filter_map(|offer| from_wire(offer.reported_at)).min();
        element(xml, "have:reportingPeriod", |xml| {
            text(xml, "edxl-ct:fromDateTime", &time(told, first.unwrap_or(told.at).min(told.at)))?;
            text(xml, "edxl-ct:toDateTime", &time(told, told.at))
        })?;
        text(
            xml,
            "have:reportComment",
            "Counts are of capacity that can be proposed at the end of the period, before what each trust keeps for itself. \
             Figures that are too old, suspended, not released, without a team or of a later time are not counted; each \
             service says which.",
        )?;
        sites.iter().try_for_each(|(code, stocks)| facility(xml, told, code, stocks))
    })?;
    let mut bytes = xml.into_inner();
    bytes.push(b'\n');
    Ok(Some(bytes))
}

fn facility(xml: &mut Xml, told: &Told<'_>, code: &str, stocks: &[Stock<'_>]) -> io::Result<()> {
    let site = told.region.sites.iter().find(|site| site.code == code);
    let called = site.map_or(code, |site| site.name.as_str());
    element(xml, "have:facility", |xml| {
        element(xml, "have:facilityInformation", |xml| {
            // The type of the schema is a name, which cannot begin with a digit: some site codes do.
            text(xml, "have:facilityID", &format!("ODS-{code}"))?;
            text(xml, "have:facilityName", called)?;
            site.map_or(Ok(()), |site| place(xml, site))?;
            element(xml, "have:facilityDetails", |xml| name(xml, trust_of(told, site, stocks)))?;
            match site.map(Site::kind).and_then(kind) {
                Some(kind) => text(xml, "have:facilityKind", kind),
                None => Ok(()),
            }
        })?;
        element(xml, "have:serviceList", |xml| {
            text(xml, "have:taxonomyURI", TAXONOMY)?;
            text(xml, "have:taxonomyName", "Fallow resources, kind/code/level")?;
            stocks.iter().try_for_each(|stock| service(xml, told, stock))
        })
    })
}

/// Returns what the trust of a site is called.
fn trust_of<'t>(told: &'t Told<'_>, site: Option<&'t Site>, stocks: &'t [Stock<'_>]) -> &'t str {
    let first = stocks.iter().flat_map(|stock| &stock.offers).map(|offer| offer.trust.as_str()).next();
    let code = site.map(|site| site.trust.as_str()).or(first).unwrap_or_default();
    told.region.trusts.iter().find(|trust| trust.ods == code).map_or(code, |trust| trust.name.as_str())
}

fn service(xml: &mut Xml, told: &Told<'_>, stock: &Stock<'_>) -> io::Result<()> {
    let counted = stock.to_be_had(told.at);
    let notes = stock.not_counted(told.at, &|at| time(told, at)).join("; ");
    let (free, staffed) = counted.unwrap_or_default();
    let fullness = match counted {
        None => "Inactive",
        Some(_) if stock.short(told.at) > 0 => "Exceeded",
        Some((0, _)) => "Full",
        Some(_) => "Open",
    };
    let is_beds = matches!(stock.resource.kind(), ResourceKind::Bed);
    let said = match (counted, notes.as_str()) {
        (Some(_), "") if is_beds => String::new(),
        (Some(_), "") => format!("{free} of {} free", render::counted(staffed, stock.resource.kind())),
        (Some(_), notes) if is_beds => notes.to_owned(),
        (Some(_), notes) => {
            format!("{free} of {} free; {notes}", render::counted(staffed, stock.resource.kind()))
        }
        (None, notes) => notes.to_owned(),
    };
    element(xml, "have:serviceListItem", |xml| {
        text(xml, "have:serviceTaxonomyKeyValue", &key(stock.resource))?;
        text(xml, "have:serviceName", &render::resource(stock.resource))?;
        element(xml, "have:serviceStatus", |xml| {
            text(xml, "have:isAvailable", if free > 0 { "true" } else { "false" })?;
            if said.is_empty() { Ok(()) } else { text(xml, "have:comment", &said) }
        })?;
        if is_beds {
            return element(xml, "have:serviceBedCapacity", |xml| {
                text(xml, "have:availableCount", &free.to_string())?;
                text(xml, "have:baselineCount", &staffed.to_string())?;
                if !notes.is_empty() {
                    text(xml, "have:capacityNote", &notes)?;
                }
                text(xml, "have:availability", fullness)
            });
        }
        // Minutes, slots and shifts are no beds.
        element(xml, "have:capacity", |xml| {
            text(xml, "edxl-ct:ValueListURI", CAPACITY_LIST)?;
            text(xml, "edxl-ct:Value", fullness)
        })
    })
}

/// Returns what tells a service from the others of its facility.
fn key(resource: &Resource) -> String {
    let specialties: String = resource.specialties.iter().map(|code| format!("/{code}")).collect();
    format!("{}{specialties}", render::resource_key(resource))
}

fn place(xml: &mut Xml, site: &Site) -> io::Result<()> {
    element(xml, "have:facilityGeoLocation", |xml| {
        element(xml, "edxl-ct:EDXLGeoLocation", |xml| {
            let id = format!("at-{}", site.code);
            let point = xml
                .create_element("gml:Point")
                .with_attributes([("gml:id", id.as_str()), ("srsName", "urn:ogc:def:crs:EPSG::4326")]);
            point.write_inner_content(|xml| {
                text(xml, "gml:pos", &format!("{:.6} {:.6}", site.lat, site.lon))
            })?;
            Ok(())
        })
    })
}

/// Returns the standard's word for a kind of site; it has none for a place of tests alone.
const fn kind(kind: site::Kind) -> Option<&'static str> {
    match kind {
        site::Kind::Hospital
        | site::Kind::SurgicalHub
        | site::Kind::MentalHealthUnit
        | site::Kind::CommunityHospital => Some("Hospital"),
        site::Kind::CommunityDiagnosticCentre | site::Kind::Unspecified => None,
    }
}

fn name(xml: &mut Xml, called: &str) -> io::Result<()> {
    element(xml, "n:OrganisationName", |xml| text(xml, "n:NameElement", called))
}

/// Writes a time with its distance from UTC in figures: EDXL takes no "Z".
fn time(told: &Told<'_>, at: Timestamp) -> String {
    at.to_zoned(told.zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

fn element(xml: &mut Xml, name: &str, inner: impl FnOnce(&mut Xml) -> io::Result<()>) -> io::Result<()> {
    xml.create_element(name).write_inner_content(inner)?;
    Ok(())
}

/// Writes an element of text.
fn text(xml: &mut Xml, name: &str, words: &str) -> io::Result<()> {
    xml.create_element(name).write_text_content(BytesText::new(&legal(words)))?;
    Ok(())
}
