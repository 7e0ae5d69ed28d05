//! Chance from a seed, the same on every machine: no arithmetic here whose last digit could differ.

/// Pseudo-random numbers from a seed (splitmix64), so that a search can be repeated.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to below `count`.
    pub(super) fn below(&mut self, count: usize) -> usize {
        below(self.bits(), count)
    }
}

/// A number from 0 to below `count`, from the upper half of some bits.
#[allow(clippy::cast_possible_truncation)] // less than count
pub(super) fn below(bits: u64, count: usize) -> usize {
    (((bits >> 32) * count as u64) >> 32) as usize
}

/// Negated logarithms: how much worse, in units of the temperature, a change may make a plan and still be kept.
pub(super) struct Patience(Vec<f64>);

/// Steps in which chance is read.
const GRAINS: u16 = 4096;

impl Patience {
    pub(super) fn new() -> Self {
        Self(
            (0..GRAINS)
                .map(|grain| negated_logarithm((f64::from(grain) + 0.5) / f64::from(GRAINS)))
                .collect(),
        )
    }

    /// A length of patience, of which longer ones are exponentially rarer; 1 on average.
    pub(super) fn of(&self, bits: u64) -> f64 {
        self.0[below(bits, usize::from(GRAINS))]
    }
}

/// −ln(x) for 0 < x < 1, by multiplications and additions alone.
fn negated_logarithm(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 0.75 {
        x *= 2.0;
        sum += std::f64::consts::LN_2;
    }
    // ln(x) = 2 artanh((x − 1) / (x + 1))
    let y = (1.0 - x) / (1.0 + x);
    let (square, mut power, mut n) = (y * y, y, 1.0);
    while power.abs() > 1e-18 {
        sum += 2.0 * power / n;
        power *= square;
        n += 2.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_is_the_negated_logarithm() {
        for thousandth in 1..1000 {
            let x = f64::from(thousandth) / 1000.0;
            assert!((negated_logarithm(x) + x.ln()).abs() < 1e-12, "{x}");
        }
        let patience = Patience::new();
        let mut dice = Dice::new(1);
        let mean = (0..100_000).map(|_| patience.of(dice.bits())).sum::<f64>() / 100_000.0;
        assert!((mean - 1.0).abs() < 0.02, "{mean}");
    }
}
