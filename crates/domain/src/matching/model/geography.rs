//! Trusts, sites, agreements and journeys as small integers.

use rustc_hash::FxHashMap;

use crate::ids::{CollaborativeId, SiteCode, TrustCode};
use crate::matching::burden::opel_points;
use crate::matching::network::position;
use crate::place::{self, Coordinates};
use crate::region::{Collaborative, Mode, Region};
use crate::resource::ResourceKind;

/// A set of collaboratives, a bit each.
pub(super) type Set = Box<[u64]>;

/// The trusts and sites of a region by their positions in order of code.
pub(super) struct Geography {
    trusts: FxHashMap<TrustCode, u32>,
    sites: FxHashMap<SiteCode, u32>,
    /// Where each site is.
    coordinates: Vec<Coordinates>,
    /// The sites that take planned work only.
    ring_fenced: Vec<bool>,
    /// Measured minutes between sites, from a need's to an offer's.
    measured: FxHashMap<(u32, u32), u32>,
    /// The place of each collaborative among the bits, in order of id.
    collaboratives: Vec<CollaborativeId>,
    /// The collaboratives of each trust.
    member_of: Vec<Set>,
    /// The collaboratives that share each kind, by the kind's place in [`ResourceKind::ALL`].
    sharing: Vec<Set>,
    /// The collaboratives in incident mode.
    incident: Set,
    opel: Vec<Option<u8>>,
    opel_points: Vec<u32>,
    opel_limit: u8,
    incident_opel_limit: u8,
}

impl Geography {
    pub(super) fn new(region: &Region) -> Self {
        let policy = &region.policy;
        let words = region.collaboratives.len().div_ceil(64);
        let trusts: FxHashMap<TrustCode, u32> =
            region.trusts.keys().enumerate().map(|(at, code)| (*code, position(at))).collect();
        let sites: FxHashMap<SiteCode, u32> =
            region.sites.keys().enumerate().map(|(at, code)| (*code, position(at))).collect();
        let set = |keep: &dyn Fn(&Collaborative) -> bool| -> Set {
            let mut set = vec![0u64; words];
            for (at, collaborative) in region.collaboratives.iter().enumerate() {
                if keep(collaborative) {
                    set[at / 64] |= 1 << (at % 64);
                }
            }
            set.into()
        };
        let mut member_of: Vec<Set> = vec![vec![0; words].into(); trusts.len()];
        for (at, collaborative) in region.collaboratives.iter().enumerate() {
            for member in collaborative.members.iter().filter_map(|member| trusts.get(member)) {
                member_of[*member as usize][at / 64] |= 1 << (at % 64);
            }
        }
        let measured = region
            .travel
            .iter()
            .filter_map(|((from, to), &minutes)| Some(((*sites.get(from)?, *sites.get(to)?), minutes)));
        Self {
            measured: measured.collect(),
            coordinates: region.sites.values().map(|site| site.coordinates).collect(),
            ring_fenced: region.sites.keys().map(|site| region.is_ring_fenced(*site)).collect(),
            collaboratives: region.collaboratives.iter().map(|one| one.id.clone()).collect(),
            member_of,
            sharing: ResourceKind::ALL.iter().map(|kind| set(&|c| c.shares.contains(kind))).collect(),
            incident: set(&|c| c.mode == Mode::Incident),
            opel: region.trusts.values().map(|trust| trust.opel).collect(),
            opel_points: region.trusts.values().map(|trust| opel_points(policy, trust.opel)).collect(),
            opel_limit: policy.opel_limit,
            incident_opel_limit: policy.incident.opel_limit.unwrap_or(policy.opel_limit),
            trusts,
            sites,
        }
    }

    pub(super) fn trust(&self, code: TrustCode) -> Option<u32> {
        self.trusts.get(&code).copied()
    }

    pub(super) fn trust_count(&self) -> usize {
        self.opel.len()
    }

    pub(super) fn site(&self, code: SiteCode) -> Option<u32> {
        self.sites.get(&code).copied()
    }

    /// Says whether a site takes planned work only.
    pub(super) fn is_ring_fenced(&self, site: SiteCode) -> bool {
        self.site(site).and_then(|at| self.ring_fenced.get(at as usize)).copied().unwrap_or(false)
    }

    pub(super) fn site_count(&self) -> usize {
        self.coordinates.len()
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
        set.into()
    }

    /// Says whether a collaborative that shares the kind joins two trusts, of those given; `None` = all of them.
    pub(super) fn shares(&self, one: u32, other: u32, kind: ResourceKind, with: Option<&Set>) -> bool {
        let (one, other) = (&self.member_of[one as usize], &self.member_of[other as usize]);
        let sharing = &self.sharing[kind as usize];
        (0..one.len()).any(|word| {
            one[word] & other[word] & sharing[word] & with.map_or(u64::MAX, |with| with[word]) != 0
        })
    }

    /// Says whether a need's trust may ask another for a kind at all: an agreement joins them, they are not one, and
    /// the other is not under too much pressure.
    pub(super) fn may_ask(&self, one: u32, other: u32, kind: ResourceKind) -> bool {
        if one == other || !self.shares(one, other, kind, None) {
            return false;
        }
        self.opel[other as usize].is_none_or(|opel| {
            let (one, other) = (&self.member_of[one as usize], &self.member_of[other as usize]);
            let in_incident = (0..one.len()).any(|word| one[word] & other[word] & self.incident[word] != 0);
            opel < if in_incident { self.incident_opel_limit } else { self.opel_limit }
        })
    }

    pub(super) fn opel_points(&self, trust: u32) -> u32 {
        self.opel_points[trust as usize]
    }

    /// Minutes from a need's site to an offer's.
    pub(super) fn travel(&self, from: u32, to: u32) -> u32 {
        let measured = if self.measured.is_empty() {
            None
        } else {
            self.measured.get(&(from, to)).or_else(|| self.measured.get(&(to, from)))
        };
        measured.copied().unwrap_or_else(|| {
            place::travel_minutes(self.coordinates[from as usize], self.coordinates[to as usize])
        })
    }
}
