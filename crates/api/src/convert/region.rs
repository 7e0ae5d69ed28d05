//! Regions, and what trusts say of themselves.

use fallow_domain::ids::TrustCode;
use fallow_domain::quantity::Count;
use fallow_domain::region::Region;
use fallow_domain::region::file::RegionFileError;
use fallow_domain::resource::ResourceKey;
use fallow_domain::standing::Declaration;

use super::codes::Coded;
use super::request::number_to_wire;
use super::resource::key_to_wire;
use super::time::to_wire as time_to_wire;
use crate::reasons::INVALID_REGION;
use crate::v1;
use crate::violation::Violations;

/// Writes a region for the wire. `policy` names the policy in force.
#[must_use]
pub fn to_wire(region: &Region, policy: &str, revision: u64) -> v1::Region {
    let resources = region.resources.iter().flat_map(|(kind, codes)| {
        codes.iter().map(|code| v1::Resource {
            kind: kind.to_wire(),
            code: code.clone(),
            ..v1::Resource::default()
        })
    });
    v1::Region {
        id: region.id.to_string(),
        name: region.name.to_string(),
        timezone: region.timezone.clone(),
        policy: policy.to_owned(),
        trusts: trusts(region),
        sites: sites(region),
        collaboratives: collaboratives(region),
        resources: resources.collect(),
        revision: number_to_wire(revision),
    }
}

/// Writes what a trust keeps for itself of one resource.
#[must_use]
pub fn reserve_to_wire(trust: TrustCode, key: &ResourceKey, units: Count, revision: u64) -> v1::Reserve {
    v1::Reserve {
        trust: trust.to_string(),
        resource: Some(key_to_wire(key)),
        units: units.get().into(),
        revision: number_to_wire(revision),
    }
}

/// Writes a declared OPEL.
#[must_use]
pub fn declaration_to_wire(
    trust: TrustCode,
    declared: &Declaration,
    revision: u64,
) -> v1::PressureDeclaration {
    v1::PressureDeclaration {
        trust: trust.to_string(),
        opel: declared.opel.into(),
        declared_at: Some(time_to_wire(declared.at)),
        revision: number_to_wire(revision),
    }
}

/// Makes violations of what is wrong with a region file; the field is the place in the file.
#[must_use]
pub fn problems(error: &RegionFileError) -> Violations {
    let mut wrong = Violations::new();
    for problem in &error.problems {
        let field = if problem.path.is_empty() { "toml" } else { &problem.path };
        wrong.add(field, INVALID_REGION, &problem.message);
    }
    wrong
}

fn trusts(region: &Region) -> Vec<v1::Trust> {
    region
        .trusts
        .iter()
        .map(|(ods, trust)| v1::Trust {
            ods: ods.to_string(),
            name: trust.name.to_string(),
            opel: trust.opel.map_or(0, i32::from),
            fair_allowance: trust.fair_allowance.map(|units| units.get().into()),
            successor: trust.successor.map(|code| code.to_string()).unwrap_or_default(),
            // At most 52 when the file was read.
            release_weeks: trust.release_weeks.and_then(|weeks| i32::try_from(weeks).ok()),
            reserves: trust
                .reserve
                .iter()
                .map(|(key, units)| reserve_to_wire(*ods, key, *units, 0))
                .collect(),
        })
        .collect()
}

fn sites(region: &Region) -> Vec<v1::Site> {
    region
        .sites
        .iter()
        .map(|(code, site)| v1::Site {
            code: code.to_string(),
            trust: site.trust.to_string(),
            name: site.name.to_string(),
            lat: site.coordinates.lat,
            lon: site.coordinates.lon,
            kind: site.kind.to_wire(),
            phone: site.phone.clone(),
        })
        .collect()
}

fn collaboratives(region: &Region) -> Vec<v1::Collaborative> {
    region
        .collaboratives
        .iter()
        .map(|collaborative| v1::Collaborative {
            id: collaborative.id.to_string(),
            name: collaborative.name.to_string(),
            kind: collaborative.kind.to_wire(),
            members: collaborative.members.iter().map(ToString::to_string).collect(),
            lead: collaborative.lead.map(|code| code.to_string()).unwrap_or_default(),
            shares: collaborative.shares.iter().map(|kind| kind.to_wire()).collect(),
            mode: collaborative.mode.to_wire(),
        })
        .collect()
}
