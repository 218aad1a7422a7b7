//! Pauses between tries, longer each time, and not the same on every node.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST: Duration = Duration::from_secs(30);

/// How often it was tried in vain.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    spread: RandomState,
}

impl Backoff {
    /// The pause before the next try: between half and all of 1 s, 2 s, 4 s, … 30 s.
    pub(super) fn next(&mut self) -> Duration {
        let whole = FIRST.saturating_mul(1 << self.failures.min(5)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        let half = whole / 2;
        half + self.part_of(half)
    }

    /// It worked: the next pause is short again.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    fn part_of(&self, whole: Duration) -> Duration {
        // Every process has keys of its own, and every count another hash.
        let hash = self.spread.hash_one(self.failures);
        whole.mul_f64(f64::from(u16::try_from(hash & 0xffff).unwrap_or(0)) / 65_536.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_bound_and_begin_anew() {
        let mut backoff = Backoff::default();
        for whole in [1, 2, 4, 8, 16, 30, 30, 30] {
            let pause = backoff.next();
            let whole = Duration::from_secs(whole);
            assert!(pause >= whole / 2 && pause <= whole, "{pause:?} of {whole:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
    }

    #[test]
    fn nodes_do_not_try_at_the_same_time() {
        let pauses: Vec<_> = (0..20).map(|_| Backoff::default().next()).collect();
        assert!(pauses.iter().any(|pause| *pause != pauses[0]), "{pauses:?}");
    }
}
