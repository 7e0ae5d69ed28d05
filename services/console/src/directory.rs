//! Names and telephones: what the region file says of trusts and sites.

use std::collections::BTreeMap;

use fallow_api::render::Names;
use fallow_api::v1::{GetRegionRequest, Region, Resource, ResourceKind};

use crate::problem::Problem;
use crate::upstream::Calls;
use crate::words::resource::{self, ChoiceGroup};

/// The trusts, sites and codes of a region.
#[derive(Debug, Clone, Default)]
pub(crate) struct Directory {
    /// The region's name.
    pub(crate) region: String,
    names: Names,
    trusts: BTreeMap<String, String>,
    sites: BTreeMap<String, Site>,
    collaboratives: BTreeMap<String, String>,
    own_codes: Vec<Resource>,
    spots: Vec<Spot>,
}

/// Where a site lies.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spot {
    /// ODS code of its trust.
    pub(crate) trust: String,
    /// Its name.
    pub(crate) name: String,
    /// Degrees north, WGS 84.
    pub(crate) lat: f64,
    /// Degrees east, WGS 84.
    pub(crate) lon: f64,
    /// Whether it is a hospital.
    pub(crate) is_hospital: bool,
}

/// A place of a trust.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Site {
    /// Its ODS code.
    pub(crate) code: String,
    /// ODS code of its trust.
    pub(crate) trust: String,
    /// Its name.
    pub(crate) name: String,
    /// The desk's telephone; empty where none is given.
    pub(crate) phone: String,
}

/// A desk that people ring.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Desk {
    /// The site's name.
    pub(crate) name: String,
    /// The number as people write it.
    pub(crate) phone: String,
    /// The number as a `tel:` link has it.
    pub(crate) link: String,
}

impl Directory {
    /// Reads the region with a person's credential.
    pub(crate) async fn read(calls: &Calls) -> Result<Self, Problem> {
        let answer = calls.monitor().get_region(GetRegionRequest {}).await?.into_inner();
        Ok(Self::new(answer.region.unwrap_or_default()))
    }

    /// Makes a directory from what the region file says.
    pub(crate) fn new(region: Region) -> Self {
        let names = Names::of(&region);
        let spots = spots(&region.sites);
        let trusts = region.trusts.into_iter().map(|trust| (trust.ods, trust.name));
        let sites = region.sites.into_iter().map(|site| {
            let known = Site { code: site.code, trust: site.trust, name: site.name, phone: site.phone };
            (known.code.clone(), known)
        });
        let collaboratives = region.collaboratives.into_iter().map(|one| (one.id, one.name));
        Self {
            region: region.name,
            names,
            collaboratives: collaboratives.collect(),
            trusts: trusts.collect(),
            sites: sites.collect(),
            own_codes: region.resources,
            spots,
        }
    }

    /// Returns the names by which explanations call trusts.
    pub(crate) fn names(&self) -> &Names {
        &self.names
    }

    /// Returns the name of a trust, its code when it has none.
    pub(crate) fn trust<'a>(&'a self, ods: &'a str) -> &'a str {
        self.trusts.get(ods).map_or(ods, String::as_str)
    }

    /// Returns the code and name of every trust, in order of their codes.
    pub(crate) fn trusts(&self) -> impl Iterator<Item = (&str, &str)> {
        self.trusts.iter().map(|(ods, name)| (ods.as_str(), name.as_str()))
    }

    /// Returns the id and name of every collaborative.
    pub(crate) fn collaboratives(&self) -> impl Iterator<Item = (&str, &str)> {
        self.collaboratives.iter().map(|(id, name)| (id.as_str(), name.as_str()))
    }

    /// Returns the name of a collaborative, its id when it has none.
    pub(crate) fn collaborative<'a>(&'a self, id: &'a str) -> &'a str {
        self.collaboratives.get(id).map_or(id, String::as_str)
    }

    /// Returns the name of a site, its code when it has none.
    pub(crate) fn site<'a>(&'a self, code: &'a str) -> &'a str {
        self.sites.get(code).map_or(code, |site| site.name.as_str())
    }

    /// Returns the sites of a trust in the order of their codes.
    pub(crate) fn sites_of(&self, trust: &str) -> Vec<&Site> {
        self.sites.values().filter(|site| site.trust == trust).collect()
    }

    /// Returns the desk of a site, if it has a telephone.
    pub(crate) fn desk(&self, site: &str) -> Option<Desk> {
        self.sites.get(site).and_then(Site::desk)
    }

    /// Returns the desk of a trust: that of its first site that has a telephone.
    pub(crate) fn desk_of(&self, trust: &str) -> Option<Desk> {
        self.sites_of(trust).into_iter().find_map(Site::desk)
    }

    /// Returns every desk, trust by trust.
    pub(crate) fn desks(&self) -> Vec<(String, Vec<Desk>)> {
        let desks = |trust: &String| self.sites_of(trust).into_iter().filter_map(Site::desk).collect();
        self.trusts.iter().map(|(ods, name)| (name.clone(), desks(ods))).collect()
    }

    /// Returns where the sites lie, in the order of their codes; those of which it is not said are left out.
    pub(crate) fn spots(&self) -> &[Spot] {
        &self.spots
    }

    /// Returns every resource that may be offered or needed here, by kind.
    pub(crate) fn choices(&self) -> Vec<ChoiceGroup> {
        resource::choices(&self.own_codes)
    }

    /// Returns the keys of the region's own resources, such as `staff/odp`.
    pub(crate) fn own_resources(&self) -> Vec<String> {
        self.own_codes.iter().map(fallow_api::render::resource_key).collect()
    }

    /// Returns the roles that a theatre's team can lack: the region's STAFF codes.
    pub(crate) fn roles(&self) -> Vec<&str> {
        let staff = self.own_codes.iter().filter(|code| code.kind() == ResourceKind::Staff);
        staff.map(|code| code.code.as_str()).collect()
    }
}

/// Reads where sites lie. Nobody has a hospital off the coast of Africa: no degrees at all are none that were said.
fn spots(sites: &[fallow_api::v1::Site]) -> Vec<Spot> {
    let is_said = |site: &&fallow_api::v1::Site| site.lat != 0.0 || site.lon != 0.0;
    let mut known: Vec<_> = sites.iter().filter(is_said).collect();
    known.sort_by(|a, b| a.code.cmp(&b.code));
    let spot = |site: &fallow_api::v1::Site| Spot {
        trust: site.trust.clone(),
        name: site.name.clone(),
        lat: site.lat,
        lon: site.lon,
        is_hospital: site.kind() == fallow_api::v1::site::Kind::Hospital,
    };
    known.into_iter().map(spot).collect()
}

impl Site {
    fn desk(&self) -> Option<Desk> {
        Desk::new(&self.name, &self.phone)
    }
}

impl Desk {
    /// Makes a desk that can be rung; `None` without a number.
    pub(crate) fn new(name: &str, phone: &str) -> Option<Self> {
        let link: String = phone.chars().filter(|c| c.is_ascii_digit() || *c == '+').collect();
        (!link.is_empty()).then(|| Self { name: name.to_owned(), phone: phone.to_owned(), link })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_api::v1::{Site as WireSite, Trust};

    fn vale() -> Directory {
        let site = |code: &str, name: &str, phone: &str| WireSite {
            code: code.to_owned(),
            trust: "ZA1".to_owned(),
            name: name.to_owned(),
            phone: phone.to_owned(),
            ..WireSite::default()
        };
        Directory::new(Region {
            trusts: vec![Trust { ods: "ZA1".to_owned(), name: "Aldermoor".to_owned(), ..Trust::default() }],
            sites: vec![site("ZA102", "Hub", "0555 0111"), site("ZA101", "Infirmary", "")],
            ..Region::default()
        })
    }

    #[test]
    fn unknown_codes_name_themselves() {
        let vale = vale();
        assert_eq!((vale.trust("ZA1"), vale.trust("ZZ9")), ("Aldermoor", "ZZ9"));
        assert_eq!((vale.site("ZA101"), vale.site("ZZ999")), ("Infirmary", "ZZ999"));
    }

    #[test]
    fn a_trusts_desk_is_one_that_can_be_rung() {
        let desk = vale().desk_of("ZA1").unwrap();
        assert_eq!((desk.name.as_str(), desk.link.as_str()), ("Hub", "05550111"));
        assert_eq!(vale().desk("ZA101"), None);
    }
}
