//! What the needs of one site can reach: found once for all needs of a code, a trust, a site and some specialties.

use rustc_hash::FxHashMap;

use crate::resource::ResourceKind;

use super::geography::Geography;
use super::shelves::Shelves;

/// Needs that may ask the same trusts for the same things.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Door {
    pub(super) kind: ResourceKind,
    /// The code, by its position among those offered.
    pub(super) code: u32,
    pub(super) trust: u32,
    pub(super) site: u32,
    /// Those of which the offer must list one; `None` = any will do.
    pub(super) specialties: Option<u128>,
}

/// A pool or session that can be reached.
#[derive(Clone, Copy)]
pub(super) struct Reached {
    /// Minutes of travel.
    pub(super) minutes: u32,
    /// Points for travel and the supporting trust's OPEL.
    pub(super) points: u32,
    /// Its position among the facts.
    pub(super) facts: u32,
}

/// What is reached from the doors that have been asked for.
pub(super) struct Reach<'a> {
    geography: &'a Geography,
    shelves: &'a Shelves<'a>,
    doors: FxHashMap<Door, u32>,
    /// Nearest first.
    reached: Vec<Vec<Reached>>,
    /// The sites that have a code, with the minutes to them, nearest first; by code and site to start from.
    near: FxHashMap<(u32, u32), Vec<(u32, u32)>>,
    /// The trusts that a trust may ask for a kind; found once, for they are asked about at every shelf.
    asked: FxHashMap<(u32, u32, ResourceKind), bool>,
    minutes: FxHashMap<(u32, u32), u32>,
}

impl<'a> Reach<'a> {
    pub(super) fn new(geography: &'a Geography, shelves: &'a Shelves<'a>) -> Self {
        Self {
            geography,
            shelves,
            doors: FxHashMap::default(),
            reached: Vec::new(),
            near: FxHashMap::default(),
            asked: FxHashMap::default(),
            minutes: FxHashMap::default(),
        }
    }

    /// Returns the place of what is reached from a door.
    pub(super) fn from(&mut self, door: Door) -> u32 {
        if let Some(&place) = self.doors.get(&door) {
            return place;
        }
        let place = crate::matching::network::position(self.reached.len());
        let reached = self.look(&door);
        self.reached.push(reached);
        self.doors.insert(door, place);
        place
    }

    /// The pools and sessions at a place, nearest first.
    pub(super) fn at(&self, place: u32) -> &[Reached] {
        &self.reached[place as usize]
    }

    fn look(&mut self, door: &Door) -> Vec<Reached> {
        let (geography, shelves, minutes) = (self.geography, self.shelves, &mut self.minutes);
        let near = self.near.entry((door.code, door.site)).or_insert_with(|| {
            let way = |site: u32| {
                let found =
                    minutes.entry((door.site, site)).or_insert_with(|| geography.travel(door.site, site));
                (*found, site)
            };
            let mut near: Vec<(u32, u32)> = shelves.sites_of(door.code).map(way).collect();
            near.sort_unstable();
            near
        });
        let mut reached = Vec::new();
        for &(minutes, site) in near.iter() {
            for shelf in shelves.at(door.code, site) {
                let asked = self.asked.entry((door.trust, shelf.trust, door.kind));
                if !*asked.or_insert_with(|| geography.may_ask(door.trust, shelf.trust, door.kind)) {
                    continue;
                }
                let points = minutes.saturating_add(geography.opel_points(shelf.trust));
                for facts in shelf.range() {
                    let offer = &shelves.facts[facts as usize];
                    let is_shared = || {
                        offer.shared_with.as_ref().is_none_or(|with| {
                            geography.shares(door.trust, shelf.trust, door.kind, Some(with))
                        })
                    };
                    if offer.lists(door.specialties) && is_shared() {
                        reached.push(Reached { minutes, points, facts });
                    }
                }
            }
        }
        reached
    }
}
