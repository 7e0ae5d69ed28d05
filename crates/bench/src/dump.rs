//! The pooled network and the theatre as files that the peers read.
//!
//! A file is a row of 64-bit little-endian integers: how many of each there are, then one array after the other. Positions
//! count from 0; -1 stands for none.
//!
//! - network: `stores, demands, arcs`; of the stores `parent`, `room`, `fair_allowance`, `fair_step`; of the demands
//!   `units`, `class` (less is served first); `starts` of each demand's arcs (one more than demands); of the arcs `store`,
//!   `cost`. Fairness stands only on stores without a parent.
//! - theatre: `sessions, cases, places`; `room` of the sessions; of the cases `size`, `class`, `band`, `penalty` (what it
//!   costs the surrogate unserved); `starts` of each case's places; of the places `session`, `burden`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use fallow_domain::matching::network::Network;
use fallow_domain::matching::theatre::Theatre;

/// Writes a network.
///
/// # Errors
/// The file cannot be written.
pub fn network(path: &Path, network: &Network) -> std::io::Result<()> {
    let (stores, demands) = (&network.stores, network.demands());
    let arcs = || (0..demands.len()).flat_map(|need| network.arcs_of(need));
    let mut out = Integers::create(path)?;
    out.counts(&[stores.len(), demands.len(), network.arc_count()])?;
    out.all(stores.iter().map(|store| store.parent.map_or(-1, i64::from)))?;
    out.all(stores.iter().map(|store| store.room))?;
    out.all(stores.iter().map(|store| store.fairness.map_or(-1, |fairness| fairness.allowance)))?;
    out.all(stores.iter().map(|store| store.fairness.map_or(-1, |fairness| fairness.step)))?;
    out.all(demands.iter().map(|demand| demand.units))?;
    out.all(demands.iter().map(|demand| i64::try_from(demand.class).unwrap_or(i64::MAX)))?;
    out.starts((0..demands.len()).map(|need| network.arcs_of(need).len()))?;
    out.all(arcs().map(|arc| i64::from(arc.store)))?;
    out.all(arcs().map(|arc| i64::from(arc.cost)))?;
    out.finish()
}

/// Writes a theatre.
///
/// # Errors
/// The file cannot be written.
pub fn theatre(path: &Path, theatre: &Theatre) -> std::io::Result<()> {
    let (rooms, cases) = (theatre.rooms(), theatre.cases());
    let places = || (0..cases.len()).flat_map(|case| theatre.places_of(case));
    let mut out = Integers::create(path)?;
    out.counts(&[rooms.len(), cases.len(), places().count()])?;
    out.all(rooms.iter().copied())?;
    out.all(cases.iter().map(|case| case.size))?;
    out.all(cases.iter().map(|case| i64::from(case.class)))?;
    out.all(cases.iter().map(|case| i64::from(case.band)))?;
    out.all(theatre.penalties().iter().copied())?;
    out.starts((0..cases.len()).map(|case| theatre.places_of(case).len()))?;
    out.all(places().map(|place| i64::from(place.session)))?;
    out.all(places().map(|place| i64::from(place.burden)))?;
    out.finish()
}

/// A file of integers in the making.
pub(crate) struct Integers(BufWriter<File>);

impl Integers {
    pub(crate) fn create(path: &Path) -> std::io::Result<Self> {
        Ok(Self(BufWriter::new(File::create(path)?)))
    }

    pub(crate) fn all(&mut self, mut values: impl Iterator<Item = i64>) -> std::io::Result<()> {
        values.try_for_each(|value| self.0.write_all(&value.to_le_bytes()))
    }

    pub(crate) fn counts(&mut self, counts: &[usize]) -> std::io::Result<()> {
        self.all(counts.iter().map(|&count| i64::try_from(count).unwrap_or(i64::MAX)))
    }

    /// Writes where each list starts and where the last one ends.
    fn starts(&mut self, lengths: impl Iterator<Item = usize>) -> std::io::Result<()> {
        let mut start = 0;
        self.counts(&[start])?;
        for length in lengths {
            start += length;
            self.counts(&[start])?;
        }
        Ok(())
    }

    pub(crate) fn finish(mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fallow_domain::matching::network::{Arc, Demand, Fairness, Store};
    use fallow_domain::matching::theatre::{Case, Place};

    fn check(write: impl Fn(&Path) -> std::io::Result<()>, expected: &[i64]) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dump");
        write(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let integers: Vec<i64> =
            bytes.chunks(8).map(|eight| i64::from_le_bytes(eight.try_into().unwrap())).collect();
        assert_eq!(integers, expected);
    }

    #[test]
    fn a_network_is_written_array_by_array() {
        let fairness = Some(Fairness { allowance: 2, step: 3 });
        let mut its = Network::new(vec![
            Store { parent: Some(1), room: 4, fairness: None },
            Store { parent: None, room: 9, fairness },
        ]);
        its.add(Demand { units: 5, class: 1 }, [Arc { store: 0, cost: 6 }]);
        its.add(Demand { units: 1, class: 0 }, []);
        #[rustfmt::skip]
        let expected = [2, 2, 1,  1, -1,  4, 9,  -1, 2,  -1, 3,  5, 1,  1, 0,  0, 1, 1,  0,  6];
        check(|path| network(path, &its), &expected);
    }

    #[test]
    fn a_theatre_is_written_array_by_array() {
        let mut its = Theatre::new(vec![100, 50]);
        let case = Case { size: 60, class: 0, band: 2 };
        its.add(case, [0, 1].map(|session| Place { session, burden: 8 }));
        #[rustfmt::skip]
        let expected = [2, 1, 1,  100, 50,  60,  0,  2,  300,  0, 1,  0,  8];
        check(|path| theatre(path, &its), &expected);
    }
}
