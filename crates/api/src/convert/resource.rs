//! Resources.

use fallow_domain::codes::{has_levels, specialty_name};
use fallow_domain::region::Region;
use fallow_domain::resource::{Code, Level, LevelScheme, Resource, ResourceKey, ResourceKind, Specialty};

use super::Check;
use super::codes::{Coded, or_unspecified};
use crate::reasons::{BAD_CODE, NO_RESERVE_FOR_THEATRE, NOT_APPLICABLE, REQUIRED};
use crate::v1;

/// Most specialties of one offer or need.
const SPECIALTIES_MAX: usize = 100;

/// Parses what is offered or needed. A theatre names at least one specialty where `names_specialty` says so.
pub fn parse(
    check: &mut Check<'_>,
    wire: Option<&v1::Resource>,
    region: &Region,
    names_specialty: bool,
) -> Option<Resource> {
    let wire = check.required("resource", wire)?;
    let kind: Option<ResourceKind> = check.coded("resource.kind", wire.kind);
    let specialties = specialties(check, &wire.specialties);
    let level_scheme: Option<LevelScheme> = check.optional_coded("resource.level_scheme", wire.level_scheme);
    let kind = kind?;
    if names_specialty && kind == ResourceKind::Theatre && wire.specialties.is_empty() {
        check.wrong("resource.specialties", REQUIRED, "must name at least one specialty for a theatre");
    }
    let code = code(check, kind, &wire.code, region)?;
    let level = level(check, kind, &code, wire.level)?;
    Some(Resource { kind, code, specialties, level, level_scheme })
}

/// Parses the key of a resource: kind, code and level.
pub fn parse_key(check: &mut Check<'_>, wire: &v1::Resource, region: &Region) -> Option<ResourceKey> {
    parse(check, Some(wire), region, false).map(|resource| resource.key())
}

/// Parses the key under which a reserve is kept.
pub fn parse_reserve_key(
    check: &mut Check<'_>,
    wire: Option<&v1::Resource>,
    region: &Region,
) -> Option<ResourceKey> {
    let resource = parse(check, wire, region, false)?;
    if resource.kind == ResourceKind::Theatre {
        check.wrong(
            "resource.kind",
            NO_RESERVE_FOR_THEATRE,
            "must not be THEATRE: keep a session by not offering it",
        );
        return None;
    }
    Some(resource.key())
}

/// Writes a resource for the wire.
#[must_use]
pub fn to_wire(resource: &Resource) -> v1::Resource {
    v1::Resource {
        kind: resource.kind.to_wire(),
        code: resource.code.as_str().to_owned(),
        specialties: resource.specialties.iter().map(ToString::to_string).collect(),
        level: resource.level.map_or(0, |level| level.get().into()),
        level_scheme: or_unspecified(resource.level_scheme),
    }
}

/// Writes the key of a resource for the wire.
#[must_use]
pub fn key_to_wire(key: &ResourceKey) -> v1::Resource {
    v1::Resource {
        kind: key.kind.to_wire(),
        code: key.code.as_str().to_owned(),
        level: key.level.map_or(0, |level| level.get().into()),
        ..v1::Resource::default()
    }
}

fn code(check: &mut Check<'_>, kind: ResourceKind, text: &str, region: &Region) -> Option<Code> {
    if text.is_empty() {
        check.wrong("resource.code", REQUIRED, "must be given");
        return None;
    }
    if !region.knows_code(kind, text) {
        check.wrong("resource.code", BAD_CODE, format!("must be a {kind} code of this region's lists"));
        return None;
    }
    Some(Code::new(text))
}

/// Returns the level, which the code must have or must not have; the outer `None` is a violation.
fn level(check: &mut Check<'_>, kind: ResourceKind, code: &Code, number: i32) -> Option<Option<Level>> {
    match (has_levels(kind, code.as_str()), number) {
        (false, 0) => Some(None),
        (false, _) => {
            check.wrong("resource.level", NOT_APPLICABLE, format!("must be left out: {code} has no levels"));
            None
        }
        (true, 0) => {
            check.wrong("resource.level", REQUIRED, format!("must be given for {code}, 1 to 3"));
            None
        }
        (true, number) => {
            let level: u8 = check.number("resource.level", number.into(), 1, 3)?;
            Level::new(level).map(Some)
        }
    }
}

fn specialties(check: &mut Check<'_>, texts: &[String]) -> Vec<Specialty> {
    if !check.at_most("resource.specialties", texts.len(), SPECIALTIES_MAX) {
        return Vec::new();
    }
    let mut specialties = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        match text.parse::<Specialty>() {
            Ok(specialty) if specialty_name(specialty).is_some() => specialties.push(specialty),
            Ok(_) => check.wrong(
                &format!("resource.specialties[{index}]"),
                BAD_CODE,
                "must be a Treatment Function Code in use",
            ),
            Err(shape) => check.wrong(&format!("resource.specialties[{index}]"), BAD_CODE, shape),
        }
    }
    specialties.sort_unstable();
    specialties.dedup();
    specialties
}
