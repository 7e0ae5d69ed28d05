//! Trusts, sites, agreements and journeys as small integers.

use std::collections::HashMap;

use rayon::prelude::*;

use crate::ids::{CollaborativeId, SiteCode, TrustCode};
use crate::matching::burden::opel_points;
use crate::matching::network::{NONE, position};
use crate::matching::problem::Problem;
use crate::place;
use crate::region::Mode;
use crate::resource::ResourceKind;

use super::facts::NeedFacts;

/// A set of collaboratives, a bit each.
type Set = Vec<u64>;

/// No journey: a site that the region does not know.
pub(super) const NO_WAY: u32 = u32::MAX;

pub(super) struct Geography {
    trusts: HashMap<TrustCode, u32>,
    sites: HashMap<SiteCode, u32>,
    /// The place of each collaborative among the bits, in order of id.
    collaboratives: Vec<CollaborativeId>,
    /// The collaboratives of each trust.
    member_of: Vec<Set>,
    /// The collaboratives that share each kind.
    sharing: HashMap<ResourceKind, Set>,
    /// The collaboratives in incident mode.
    incident: Set,
    opel: Vec<Option<u8>>,
    opel_points: Vec<u32>,
    opel_limit: u8,
    incident_opel_limit: u8,
    /// Minutes from each site (row) to each site (column).
    minutes: Vec<u32>,
}

/// What joins a need's trust and an offer's.
pub(super) struct Pair<'a> {
    member: &'a [u64],
    other: &'a [u64],
    sharing: &'a [u64],
}

impl Pair<'_> {
    /// Says whether a collaborative that shares the kind joins them, of those given; `None` = all of them.
    pub(super) fn shares(&self, with: Option<&[u64]>) -> bool {
        (0..self.member.len()).any(|word| {
            self.member[word]
                & self.other[word]
                & self.sharing[word]
                & with.map_or(u64::MAX, |with| with[word])
                != 0
        })
    }
}

impl Geography {
    pub(super) fn new(problem: &Problem) -> Self {
        let region = &problem.region;
        let policy = &region.policy;
        let collaboratives: Vec<_> = region.collaboratives.iter().map(|one| one.id.clone()).collect();
        let words = collaboratives.len().div_ceil(64);
        let set = |keep: &dyn Fn(&crate::region::Collaborative) -> bool| {
            let mut set = vec![0u64; words];
            for (at, collaborative) in region.collaboratives.iter().enumerate() {
                if keep(collaborative) {
                    set[at / 64] |= 1 << (at % 64);
                }
            }
            set
        };
        let of_kind = |&kind: &ResourceKind| (kind, set(&|c| c.shares.contains(&kind)));
        Self {
            trusts: region.trusts.keys().enumerate().map(|(at, code)| (*code, position(at))).collect(),
            sites: region.sites.keys().enumerate().map(|(at, code)| (*code, position(at))).collect(),
            member_of: region.trusts.keys().map(|trust| set(&|c| c.members.contains(trust))).collect(),
            sharing: ResourceKind::ALL.iter().map(of_kind).collect(),
            incident: set(&|c| c.mode == Mode::Incident),
            opel: region.trusts.values().map(|trust| trust.opel).collect(),
            opel_points: region.trusts.values().map(|trust| opel_points(policy, trust.opel)).collect(),
            opel_limit: policy.opel_limit,
            incident_opel_limit: policy.incident.opel_limit.unwrap_or(policy.opel_limit),
            minutes: minutes(problem),
            collaboratives,
        }
    }

    pub(super) fn trust(&self, code: TrustCode) -> u32 {
        self.trusts.get(&code).copied().unwrap_or(NONE)
    }

    pub(super) fn site(&self, code: SiteCode) -> u32 {
        self.sites.get(&code).copied().unwrap_or(NONE)
    }

    /// The set of the collaboratives named; unknown ones are nobody's.
    pub(super) fn set_of(&self, ids: &[CollaborativeId]) -> Set {
        let mut set = vec![0u64; self.collaboratives.len().div_ceil(64)];
        for id in ids {
            let from = self.collaboratives.partition_point(|other| other < id);
            let same = self.collaboratives[from..].iter().take_while(|other| *other == id).count();
            for at in from..from + same {
                set[at / 64] |= 1 << (at % 64);
            }
        }
        set
    }

    /// What joins the need's trust and the other for a kind; `None` when nothing does, when they are one, or when the
    /// other is under too much pressure to be asked.
    pub(super) fn pair(&self, need: &NeedFacts, other: u32, kind: ResourceKind) -> Option<Pair<'_>> {
        if need.trust == other || need.trust == NONE || other == NONE {
            return None;
        }
        let member = &self.member_of[need.trust as usize];
        let pair = Pair { member, other: &self.member_of[other as usize], sharing: self.sharing.get(&kind)? };
        let joined = pair.shares(None);
        let in_incident =
            (0..member.len()).any(|word| member[word] & pair.other[word] & self.incident[word] != 0);
        let limit = if in_incident { self.incident_opel_limit } else { self.opel_limit };
        let spared = self.opel[other as usize].is_some_and(|opel| opel >= limit);
        (joined && !spared).then_some(pair)
    }

    pub(super) fn opel_points(&self, trust: u32) -> u32 {
        self.opel_points[trust as usize]
    }

    /// Minutes from a need's site to an offer's.
    pub(super) fn travel(&self, from: u32, to: u32) -> u32 {
        if from == NONE || to == NONE {
            return NO_WAY;
        }
        self.minutes[from as usize * self.sites.len() + to as usize]
    }
}

/// Minutes between all sites that needs and offers name; other journeys are left out.
fn minutes(problem: &Problem) -> Vec<u32> {
    let region = &problem.region;
    let sites: Vec<_> = region.sites.iter().map(|(code, site)| (*code, site.coordinates)).collect();
    let place: HashMap<SiteCode, usize> =
        sites.iter().enumerate().map(|(at, (code, _))| (*code, at)).collect();
    let mut asking = vec![false; sites.len()];
    let mut giving = vec![false; sites.len()];
    for at in problem.needs.iter().filter_map(|need| place.get(&need.site)) {
        asking[*at] = true;
    }
    for at in problem.offers.iter().filter_map(|offer| place.get(&offer.site)) {
        giving[*at] = true;
    }
    let mut minutes = vec![NO_WAY; sites.len() * sites.len()];
    minutes.par_chunks_mut(sites.len().max(1)).enumerate().for_each(|(from, row)| {
        if asking[from] {
            for (to, minutes) in row.iter_mut().enumerate().filter(|(to, _)| giving[*to]) {
                *minutes = place::travel_minutes(sites[from].1, sites[to].1);
            }
        }
    });
    for ((from, to), &measured) in &region.travel {
        if let (Some(&from_at), Some(&to_at)) = (place.get(from), place.get(to)) {
            minutes[from_at * sites.len() + to_at] = measured;
            if !region.travel.contains_key(&(*to, *from)) {
                minutes[to_at * sites.len() + from_at] = measured;
            }
        }
    }
    minutes
}
