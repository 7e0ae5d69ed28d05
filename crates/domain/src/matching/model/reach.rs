//! What the needs of one site can reach: found once for all needs of a code, a trust, a site and some specialties.

use rustc_hash::FxHashMap;

use crate::matching::network::position;
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

/// What is reached from the doors that have been asked for, as far as anybody who asked at them may travel.
pub(super) struct Reach<'a> {
    geography: &'a Geography,
    shelves: &'a Shelves<'a>,
    doors: FxHashMap<Door, u32>,
    looked: Vec<Looked>,
    /// The sites that have a code, with the minutes to them, nearest first, and where they stand by code and site to start from.
    near: Vec<Vec<(u32, u32)>>,
    near_at: FxHashMap<(u32, u32), u32>,
    /// Of each trust whether another may ask it for a kind, and where that stands by the other and the kind; found once, for it
    /// is asked about at every shelf.
    asked: Vec<Vec<bool>>,
    asked_at: FxHashMap<(u32, ResourceKind), u32>,
    minutes: FxHashMap<(u32, u32), u32>,
}

/// What is reached from a door so far.
struct Looked {
    /// Nearest first.
    reached: Vec<Reached>,
    /// How many of the near sites have been looked at.
    sites: usize,
    /// The list of near sites.
    near: u32,
    /// The list of trusts that may be asked.
    asked: u32,
}

impl<'a> Reach<'a> {
    pub(super) fn new(geography: &'a Geography, shelves: &'a Shelves<'a>) -> Self {
        Self {
            geography,
            shelves,
            doors: FxHashMap::default(),
            looked: Vec::new(),
            near: Vec::new(),
            near_at: FxHashMap::default(),
            asked: Vec::new(),
            asked_at: FxHashMap::default(),
            minutes: FxHashMap::default(),
        }
    }

    /// Returns the place of what is reached from a door within so many minutes, and perhaps of more.
    pub(super) fn from(&mut self, door: Door, within: u32) -> u32 {
        let place = match self.doors.get(&door) {
            Some(&place) => place,
            None => self.open(door),
        };
        self.look(&door, place, within);
        place
    }

    /// The pools and sessions at a place, nearest first.
    pub(super) fn at(&self, place: u32) -> &[Reached] {
        &self.looked[place as usize].reached
    }

    fn open(&mut self, door: Door) -> u32 {
        let (geography, shelves, minutes) = (self.geography, self.shelves, &mut self.minutes);
        let near = *self.near_at.entry((door.code, door.site)).or_insert_with(|| {
            let way = |site: u32| {
                let found =
                    minutes.entry((door.site, site)).or_insert_with(|| geography.travel(door.site, site));
                (*found, site)
            };
            let mut near: Vec<(u32, u32)> = shelves.sites_of(door.code).map(way).collect();
            near.sort_unstable();
            self.near.push(near);
            position(self.near.len() - 1)
        });
        let asked = *self.asked_at.entry((door.trust, door.kind)).or_insert_with(|| {
            let others = 0..position(geography.trust_count());
            self.asked.push(others.map(|other| geography.may_ask(door.trust, other, door.kind)).collect());
            position(self.asked.len() - 1)
        });
        let place = position(self.looked.len());
        self.looked.push(Looked { reached: Vec::new(), sites: 0, near, asked });
        self.doors.insert(door, place);
        place
    }

    /// Looks on from a door to the sites within so many minutes.
    fn look(&mut self, door: &Door, place: u32, within: u32) {
        let (geography, shelves) = (self.geography, self.shelves);
        let looked = &mut self.looked[place as usize];
        let (near, asked) = (&self.near[looked.near as usize], &self.asked[looked.asked as usize]);
        while let Some(&(minutes, site)) = near.get(looked.sites).filter(|(minutes, _)| *minutes <= within) {
            looked.sites += 1;
            for shelf in shelves.at(door.code, site) {
                if !asked[shelf.trust as usize] {
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
                        looked.reached.push(Reached { minutes, points, facts });
                    }
                }
            }
        }
    }
}
