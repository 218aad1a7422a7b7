//! How often each rule replaced something. Only what reached the output is counted.

use crate::rules::{RULES, RuleId};

/// Replacements per rule; a secret in several fragments of one line, or in several lines of one block, counts once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    hits: [u64; RuleId::COUNT],
}

impl Counts {
    /// The rules that replaced something, by id, in the order of [`RULES`].
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        RULES
            .iter()
            .map(|rule| rule.id)
            .zip(self.hits)
            .filter(|&(_, hits)| hits > 0)
    }

    /// All replacements together.
    pub fn total(&self) -> u64 {
        self.hits.iter().sum()
    }

    /// Adds what another stream counted.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.hits.iter_mut().zip(other.hits) {
            *mine += theirs;
        }
    }

    pub(crate) fn add(&mut self, rule: RuleId) {
        self.hits[rule as usize] += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merged_counts_are_sums_and_zeros_are_not_listed() {
        let mut one = Counts::default();
        one.add(RuleId::Jwt);
        let mut two = one.clone();
        two.add(RuleId::Password);
        one.merge(&two);
        let mut listed: Vec<_> = one.iter().collect();
        listed.sort_unstable();
        assert_eq!(listed, [("jwt", 2), ("password", 1)]);
        assert_eq!(one.total(), 3);
    }
}
