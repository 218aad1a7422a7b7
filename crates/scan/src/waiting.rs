//! Lines that a rule found and that are taken apart only when the artifact has ended: where a rule finds very many,
//! almost all are neither among the oldest nor among the newest by then. What is in them is not known here.

use jiff::Timestamp;

use crate::kept::{NEWEST, OLDEST};

/// Longest line that waits: so much memory is never worth the time.
pub(crate) const MAX_WAITING: usize = 1024;
/// Lines that wait before those in the middle go: twice as many as are kept, so that they are seldom put in order.
const MAX_LINES: usize = 2 * (OLDEST + NEWEST);

/// A line as it is. Of one artifact, so that time and number put it in order.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) time: Option<Timestamp>,
    pub(crate) number: u64,
    /// Where the literal is by which it was found.
    pub(crate) literal: usize,
    pub(crate) text: Box<[u8]>,
}

/// The lines of one rule that wait.
#[derive(Debug, Default)]
pub(crate) struct Waiting {
    /// All that may be among the oldest or the newest.
    pub(crate) lines: Vec<Raw>,
    /// How many were there besides.
    pub(crate) others: u64,
}

impl Waiting {
    pub(crate) fn push(&mut self, line: Raw) {
        self.lines.push(line);
        if self.lines.len() >= MAX_LINES {
            self.lines.sort_unstable_by_key(|line| (line.time, line.number));
            let middle = self.lines.drain(OLDEST..MAX_LINES - NEWEST);
            self.others += middle.len() as u64;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Raw, Waiting};
    use crate::kept::{NEWEST, OLDEST};

    proptest! {
        #[test]
        fn the_oldest_and_the_newest_wait(seconds in prop::collection::vec(prop::option::of(0..200_i64), 0..500)) {
            let mut waiting = Waiting::default();
            let mut all = Vec::new();
            for (number, second) in (1..).zip(&seconds) {
                let time = second.and_then(|second| jiff::Timestamp::from_second(second).ok());
                all.push((time, number));
                waiting.push(Raw { time, number, literal: 0, text: Box::default() });
            }
            all.sort_unstable();
            let left: Vec<_> = waiting.lines.iter().map(|line| (line.time, line.number)).collect();
            let ends = all.iter().take(OLDEST).chain(all.iter().rev().take(NEWEST));
            for line in ends {
                prop_assert!(left.contains(line));
            }
            prop_assert_eq!(left.len() as u64 + waiting.others, all.len() as u64);
        }
    }
}
