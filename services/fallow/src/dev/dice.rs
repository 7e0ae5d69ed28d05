//! Chance that can be repeated: a small generator, seeded by a number and a name.
//!
//! Every choice has dice of its own name, so that what one case does never depends on how many others were looked at.

/// A sequence of numbers that looks like chance and is the same for the same seed and name.
#[derive(Debug, Clone)]
pub(super) struct Dice(u64);

/// FNV-1a's start and factor.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

impl Dice {
    /// Makes the dice of a name.
    pub(super) fn named(seed: u64, name: &str) -> Self {
        let hash =
            name.bytes().fold(FNV_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
        let mut dice = Self(hash ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        // Names that differ in their last letter alone would otherwise begin alike.
        dice.roll();
        dice
    }

    /// Returns the next number: SplitMix64 (Steele, Lea and Flood, 2014).
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 to below `end`; 0 for 0.
    pub(super) fn below(&mut self, end: usize) -> usize {
        let end_wide = u64::try_from(end).unwrap_or(u64::MAX).max(1);
        usize::try_from(self.roll() % end_wide).unwrap_or(0)
    }

    /// Returns a number from `least` to `most`, both included; `least` when they are the wrong way round.
    pub(super) fn between(&mut self, least: i64, most: i64) -> i64 {
        let span = u64::try_from(most.saturating_sub(least)).unwrap_or(0).saturating_add(1);
        least.saturating_add(i64::try_from(self.roll() % span).unwrap_or(0))
    }

    /// Says yes in so many cases of a hundred.
    pub(super) fn chance(&mut self, percent: u32) -> bool {
        self.roll() % 100 < u64::from(percent)
    }

    /// Returns one of the values, each as likely; `None` of none.
    pub(super) fn pick<'a, T>(&mut self, values: &'a [T]) -> Option<&'a T> {
        values.get(self.below(values.len()))
    }

    /// Returns a place among the weights, each as likely as its weight says; 0 when all are 0.
    pub(super) fn weighted(&mut self, weights: &[u32]) -> usize {
        let total: u64 = weights.iter().map(|weight| u64::from(*weight)).sum();
        let mut left = self.roll() % total.max(1);
        for (place, weight) in weights.iter().enumerate() {
            if left < u64::from(*weight) {
                return place;
            }
            left -= u64::from(*weight);
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_name_give_the_same_chance() {
        let rolls = |seed, name| {
            let mut dice = Dice::named(seed, name);
            [0; 8].map(|_: u64| dice.roll())
        };
        assert_eq!(rolls(1, "LC-101"), rolls(1, "LC-101"));
        assert_ne!(rolls(1, "LC-101"), rolls(2, "LC-101"));
        assert_ne!(rolls(1, "LC-101"), rolls(1, "LC-102"));
    }

    #[test]
    fn chance_is_spread_over_its_range() {
        let mut dice = Dice::named(7, "spread");
        let mut seen = [0_u32; 10];
        for _ in 0..10_000 {
            seen[dice.below(10)] += 1;
            assert!((-2..=3).contains(&dice.between(-2, 3)));
        }
        assert!(seen.iter().all(|count| (850..1_150).contains(count)), "{seen:?}");
        let yes = (0..10_000).filter(|_| dice.chance(30)).count();
        assert!((2_800..3_200).contains(&yes), "{yes}");
        let heavy = (0..10_000).filter(|_| dice.weighted(&[1, 0, 3]) == 2).count();
        assert!((7_300..7_700).contains(&heavy), "{heavy}");
        assert_eq!((dice.below(0), dice.between(5, 1), dice.pick::<u8>(&[])), (0, 5, None));
    }
}
