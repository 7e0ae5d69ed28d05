//! What is searched for together, and between which temperatures.

use super::Mode;
use super::parts::Part;
use crate::matching::network::position;

/// How the temperature falls: from and to such shares of a cost, in per mille.
#[derive(Clone, Copy)]
pub(super) struct Cooling {
    /// The cost of a case where all must be served; else the mean of what it costs to leave one of the band unserved.
    pub(super) cost: Option<i64>,
    pub(super) from: i64,
    pub(super) to: i64,
}

/// How the temperature of theatre lists falls.
pub(super) const OF_LISTS: Cooling = Cooling { cost: None, from: 100, to: 3 };

/// Cases that are searched for together.
pub(super) struct Phase {
    pub(super) band: Option<u8>,
    /// The cases that the phase moves; those of earlier bands are added as they were served.
    pub(super) cases: Vec<u32>,
    pub(super) active: Vec<u32>,
    pub(super) hot: f64,
    pub(super) cold: f64,
}

/// The phases of one cycle: the bands in strict mode, else one for all.
pub(super) fn phases(part: &Part, mode: Mode, cooling: Cooling) -> Vec<Phase> {
    let all = 0..position(part.cases.len());
    let mut bands: Vec<Option<u8>> = match mode {
        Mode::Weighted => vec![None],
        Mode::Strict => part.bands.iter().map(|&band| Some(band)).collect(),
    };
    bands.sort_unstable();
    bands.dedup();
    let phase = |band: Option<u8>| {
        let is_its = |&case: &u32| band.is_none_or(|band| part.bands[case as usize] == band);
        let cases: Vec<u32> = all.clone().filter(is_its).collect();
        let sum: i64 = cases.iter().map(|&case| part.away[case as usize]).sum();
        let mean = cooling.cost.unwrap_or(sum / i64::from(position(cases.len()).max(1)));
        #[allow(clippy::cast_precision_loss)]
        let degrees = |share: i64| (mean * share) as f64 / 1000.0 + 0.01;
        Phase { band, active: cases.clone(), cases, hot: degrees(cooling.from), cold: degrees(cooling.to) }
    };
    bands.into_iter().map(phase).collect()
}

/// What lies between two numbers above 0, in even ratios: `share` of the way in parts of 2 to the power of `bits`.
///
/// By square roots and products alone, which are exact on every machine.
pub(super) fn between(from: f64, to: f64, share: u64, bits: u32) -> f64 {
    let (mut at, mut root) = (from, to / from);
    for bit in (0..bits).rev() {
        root = root.sqrt();
        if share >> bit & 1 == 1 {
            at *= root;
        }
    }
    at
}
