//! Numbers that look random and are the same in every run, so that every machine measures the same bytes.

/// `SplitMix64` (<https://prng.di.unimi.it/splitmix64.c>): small, and good enough for log lines.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `bound`, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Like [`Self::below`], small numbers far more often: as latencies, and as what is asked for, are.
    pub(super) fn skewed(&mut self, bound: u64) -> u64 {
        let below = self.below(bound) + 1;
        let below = self.below(below) + 1;
        self.below(below)
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        let at = self.skewed(from.len() as u64);
        &from[usize::try_from(at).unwrap_or(0)]
    }

    pub(super) fn one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    /// As many hexadecimal digits.
    pub(super) fn hex(&mut self, digits: usize) -> String {
        let digit = |_| char::from_digit(u32::try_from(self.below(16)).unwrap_or(0), 16);
        (0..digits).filter_map(digit).collect()
    }

    /// An identifier as Kubernetes gives to its objects.
    pub(super) fn uuid(&mut self) -> String {
        let [first, second, third, fourth, fifth] = [8, 4, 3, 3, 12].map(|digits| self.hex(digits));
        format!("{first}-{second}-4{third}-a{fourth}-{fifth}")
    }
}
