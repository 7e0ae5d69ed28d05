//! A run of events on a network: needs come and go, units are freed and taken.

use std::io;
use std::path::Path;

use fallow_domain::matching::network::Network;

use crate::dump::Integers;
use crate::invent::Dice;

/// One primitive event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A need comes with all its units; its position in the network.
    NeedIn(u32),
    /// A need goes with all its units.
    NeedOut(u32),
    /// A store gets one more unit; its position in the network.
    UnitIn(u32),
    /// A store loses a unit.
    UnitOut(u32),
}

/// Events from a state in which some needs are there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Story {
    /// Whether each need is there at the start.
    pub present: Vec<bool>,
    /// What happens, in this order.
    pub events: Vec<Event>,
}

/// One need in so many is away at the start. As many come as go, so that about as many stay away.
const AWAY: usize = 10;

/// Draws events that the network allows: half of needs, half of units, on needs and stores that have pairs.
///
/// The same network, seed and count give the same events.
#[must_use]
pub fn story(network: &Network, seed: u64, count: usize) -> Story {
    let mut dice = Dice(seed);
    let all = 0..u32::try_from(network.demands().len()).unwrap_or(u32::MAX);
    let mut there: Vec<u32> = all.filter(|&need| !network.arcs_of(need as usize).is_empty()).collect();
    let arcs = there.iter().flat_map(|&need| network.arcs_of(need as usize));
    let mut stores: Vec<u32> = arcs.map(|arc| arc.store).collect();
    stores.sort_unstable();
    stores.dedup();

    let mut present = vec![true; network.demands().len()];
    let mut away = Vec::new();
    for _ in 0..there.len() / AWAY {
        let need = moved(&mut dice, &mut there, &mut away);
        need.into_iter().for_each(|need| present[need as usize] = false);
    }
    let mut room: Vec<i64> = network.stores.iter().map(|store| store.room).collect();
    let mut events = Vec::with_capacity(count);
    while events.len() < count && !stores.is_empty() {
        let event = match dice.below(4) {
            0 => moved(&mut dice, &mut away, &mut there).map(Event::NeedIn),
            1 => moved(&mut dice, &mut there, &mut away).map(Event::NeedOut),
            way => {
                let store = stores[dice.place(stores.len())];
                let room = &mut room[store as usize];
                let is_in = way == 2 || *room == 0;
                *room += if is_in { 1 } else { -1 };
                Some(if is_in { Event::UnitIn(store) } else { Event::UnitOut(store) })
            }
        };
        events.extend(event);
    }
    Story { present, events }
}

/// Moves one of a list to another, if there is one, and returns it.
fn moved(dice: &mut Dice, from: &mut Vec<u32>, to: &mut Vec<u32>) -> Option<u32> {
    if from.is_empty() {
        return None;
    }
    let one = from.swap_remove(dice.place(from.len()));
    to.push(one);
    Some(one)
}

impl Story {
    /// Writes the story for other solvers: how many events; 1 or 0 of each need, whether it is there; of the events the
    /// kind (0 need in, 1 need out, 2 unit in, 3 unit out) and the place.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let taken = |event: &Event| match *event {
            Event::NeedIn(need) => (0, need),
            Event::NeedOut(need) => (1, need),
            Event::UnitIn(store) => (2, store),
            Event::UnitOut(store) => (3, store),
        };
        let mut out = Integers::create(path)?;
        out.counts(&[self.events.len()])?;
        out.all(self.present.iter().map(|&there| i64::from(there)))?;
        out.all(self.events.iter().map(|event| taken(event).0))?;
        out.all(self.events.iter().map(|event| i64::from(taken(event).1)))?;
        out.finish()
    }

    /// Returns the network as it is after the first `count` events.
    #[must_use]
    pub fn after(&self, network: &Network, count: usize) -> Network {
        let (mut present, mut stores) = (self.present.clone(), network.stores.clone());
        for event in self.events.iter().take(count) {
            match *event {
                Event::NeedIn(need) => present[need as usize] = true,
                Event::NeedOut(need) => present[need as usize] = false,
                Event::UnitIn(store) => stores[store as usize].room += 1,
                Event::UnitOut(store) => stores[store as usize].room -= 1,
            }
        }
        let mut after = Network::new(stores);
        for (need, demand) in network.demands().iter().enumerate() {
            let mut demand = *demand;
            if !present[need] {
                demand.units = 0;
            }
            after.add(demand, network.arcs_of(need).iter().copied());
        }
        after
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_domain::matching::network::{Arc, Demand, Store};

    fn network() -> Network {
        let store = Store { parent: None, room: 1, fairness: None };
        let mut network = Network::new(vec![store; 3]);
        for class in 0..20 {
            let arcs = [0, 1].map(|store| Arc { store, cost: class });
            network.add(Demand { units: 2, class: class.into() }, arcs.into_iter().filter(|_| class < 19));
        }
        network
    }

    #[test]
    fn every_event_is_possible() {
        let network = network();
        let story = story(&network, 1, 1_000);
        assert_eq!(story.events.len(), 1_000);
        let mut present = story.present.clone();
        assert!(present.iter().any(|there| !there), "somebody is away at the start");
        let mut room = [1, 1, 1];
        for event in &story.events {
            match *event {
                Event::NeedIn(need) => assert!(!std::mem::replace(&mut present[need as usize], true)),
                Event::NeedOut(need) => assert!(std::mem::replace(&mut present[need as usize], false)),
                Event::UnitIn(store) => room[store as usize] += 1,
                Event::UnitOut(store) => room[store as usize] -= 1,
            }
            assert!(room.iter().all(|&room| room >= 0) && room[2] == 1, "{room:?}");
        }
        let after = story.after(&network, 1_000);
        assert_eq!(after.stores.iter().map(|store| store.room).collect::<Vec<_>>(), room);
        let there: Vec<bool> = after.demands().iter().map(|demand| demand.units > 0).collect();
        assert_eq!(there, present);
    }

    #[test]
    fn the_seed_decides() {
        assert_eq!(story(&network(), 1, 50), story(&network(), 1, 50));
        assert_ne!(story(&network(), 1, 50), story(&network(), 2, 50));
        assert_eq!(story(&Network::new(Vec::new()), 1, 50).events, []);
    }
}
