//! Numbers that look random and are the same on every machine (splitmix64).

use std::time::Duration;

pub(super) struct Random(pub(super) u64);

impl Random {
    /// Below a bound.
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound as u64).unwrap()
    }

    /// A time below so many milliseconds.
    pub(super) fn millis(&mut self, bound: usize) -> Duration {
        Duration::from_micros(self.below(bound * 1_000) as u64)
    }

    pub(super) fn one_of<T: Copy>(&mut self, among: &[T]) -> T {
        among[self.below(among.len())]
    }

    pub(super) fn is_heads(&mut self) -> bool {
        self.below(2) == 0
    }
}
