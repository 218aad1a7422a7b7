//! Judges all candidates of one line, or of a window of an overlong one, and settles what overlaps. Both ways through
//! the redactor come here, so that they come to the same decisions.

use std::ops::Range;

use crate::carry::Carry;
use crate::found::{Found, Stop, View};
use crate::rules::RuleId;
use crate::scan::Rules;

/// A range of a line that goes.
#[derive(Clone, Debug)]
pub(crate) struct Taken {
    pub(crate) range: Range<usize>,
    pub(crate) rule: RuleId,
    pub(crate) stop: Stop,
    pub(crate) quoted: Option<usize>,
}

/// What is to be judged: the view, its lower-cased copy, and how.
#[derive(Clone, Copy)]
pub(crate) struct Task<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) view: View<'a>,
    pub(crate) lower: &'a [u8],
    /// Only rules whose forms leave no doubt.
    pub(crate) binary: bool,
    /// What lies before was given out already.
    pub(crate) floor: usize,
}

impl Task<'_> {
    /// Judges the candidates that begin at or after `from` and before `decided`, and those that lie between a name
    /// before
    /// `decided` and its value. What goes is put into `taken`, sorted and without overlaps. Answers up to where candidates
    /// were judged, and what the line means for the next one.
    pub(crate) fn judge(&self, mut from: usize, decided: usize, taken: &mut Vec<Taken>) -> (usize, Option<Carry>) {
        let mut horizon = taken.last().map_or(decided, |last| last.range.end.max(decided));
        let mut carry = None;
        while let Some(candidate) = self.rules.candidate(self.lower, from) {
            let at = candidate.range.clone();
            if at.start >= horizon {
                break;
            }
            let before = taken.partition_point(|other| other.range.start <= at.start);
            if let Some(other) = before.checked_sub(1).map(|last| &taken[last])
                && at.start < other.range.end
            {
                from = other.range.end;
                continue;
            }
            // Between a name and its value there may be another secret, so the search does not jump behind the value.
            from = at.start + 1;
            if self.binary && !self.rules.fits_binary(&candidate) {
                continue;
            }
            for found in self.rules.judge(&candidate, self.view, &at) {
                if found.carry.is_some() {
                    carry.clone_from(&found.carry);
                }
                let range = found.range.start.max(self.floor)..found.range.end;
                if !range.is_empty() {
                    horizon = horizon.max(range.end);
                    take(taken, Found { range, ..found });
                }
            }
        }
        (horizon, carry)
    }
}

/// Adds a range; together with those that it overlaps it becomes one.
fn take(taken: &mut Vec<Taken>, found: Found) {
    let first = taken.partition_point(|other| other.range.end <= found.range.start);
    let after = taken.partition_point(|other| other.range.start < found.range.end);
    let mut new = Taken {
        range: found.range,
        rule: found.rule,
        stop: found.stop,
        quoted: found.quoted,
    };
    if first < after {
        let known = &taken[first];
        let last = &taken[after - 1];
        // The one that ends last says what ends both.
        let stop = if last.range.end > new.range.end {
            last.stop
        } else {
            new.stop
        };
        let range = known.range.start.min(new.range.start)..last.range.end.max(new.range.end);
        new = Taken {
            range,
            stop,
            rule: known.rule,
            quoted: known.quoted,
        };
    }
    taken.splice(first..after, [new]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::apart(&[(10, 20), (30, 40), (0, 5)], &[(0, 5), (10, 20), (30, 40)])]
    #[case::touching(&[(10, 20), (20, 30)], &[(10, 20), (20, 30)])]
    #[case::inside(&[(10, 20), (12, 15)], &[(10, 20)])]
    #[case::around(&[(10, 20), (30, 40), (5, 50)], &[(5, 50)])]
    #[case::across(&[(10, 20), (30, 40), (15, 35)], &[(10, 40)])]
    fn overlapping_ranges_become_one(#[case] ranges: &[(usize, usize)], #[case] expected: &[(usize, usize)]) {
        let mut taken = Vec::new();
        for &(start, end) in ranges {
            take(&mut taken, Found::new(RuleId::Jwt, start..end, Stop::Line));
        }
        let ranges: Vec<_> = taken
            .into_iter()
            .map(|taken| (taken.range.start, taken.range.end))
            .collect();
        assert_eq!(ranges, expected);
    }
}
