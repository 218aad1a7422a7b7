//! What is kept of very many lines: how many there were, the oldest and the newest of them, for each object and in all.
//! The result does not depend on the order in which lines, or parts of the result, are added.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use periscope_core::{ArtifactPath, LineHit};

/// Lines of one rule that are kept.
pub(crate) const OLDEST: usize = 8;
pub(crate) const NEWEST: usize = 24;
/// Lines of one object of a rule that are kept besides.
const OLDEST_OF_OBJECT: usize = 1;
const NEWEST_OF_OBJECT: usize = 2;
/// Objects of a rule that are told apart: the first by name.
const MAX_OBJECTS: usize = 64;

/// A line that was found. Ordered by time, file and line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Line {
    pub(crate) time: Option<Timestamp>,
    pub(crate) file: Arc<ArtifactPath>,
    pub(crate) number: u64,
    pub(crate) quote: String,
    pub(crate) captures: BTreeMap<String, String>,
}

impl Line {
    pub(crate) fn to_hit(&self, rule: &str) -> LineHit {
        LineHit {
            rule: rule.to_owned(),
            file: self.file.as_ref().clone(),
            line: self.number,
            time: self.time,
            quote: self.quote.clone(),
            captures: self.captures.clone(),
        }
    }
}

/// The oldest and the newest of some lines.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ends {
    oldest: BTreeSet<Arc<Line>>,
    newest: BTreeSet<Arc<Line>>,
}

impl Ends {
    fn add(&mut self, line: &Arc<Line>, (oldest, newest): (usize, usize)) {
        if self.oldest.len() < oldest || self.oldest.last().is_some_and(|last| line < last) {
            self.oldest.insert(Arc::clone(line));
            if self.oldest.len() > oldest {
                self.oldest.pop_last();
            }
        }
        if self.newest.len() < newest || self.newest.first().is_some_and(|first| line > first) {
            self.newest.insert(Arc::clone(line));
            if self.newest.len() > newest {
                self.newest.pop_first();
            }
        }
    }

    fn merge(&mut self, other: &Self, sizes: (usize, usize)) {
        for line in other.oldest.iter().chain(&other.newest) {
            self.add(line, sizes);
        }
    }

    /// The lines, each once, in order.
    pub(crate) fn lines(&self) -> BTreeSet<&Line> {
        self.oldest.iter().chain(&self.newest).map(Arc::as_ref).collect()
    }
}

/// The lines about one object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) count: u64,
    pub(crate) ends: Ends,
}

/// The lines that a rule found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) count: u64,
    pub(crate) ends: Ends,
    pub(crate) objects: BTreeMap<String, Object>,
    /// Lines about objects that are not told apart.
    pub(crate) of_others: u64,
}

impl Kept {
    pub(crate) fn add(&mut self, line: &Arc<Line>, object: Option<&str>) {
        self.count += 1;
        self.ends.add(line, (OLDEST, NEWEST));
        let Some(object) = object else { return };
        if let Some(entry) = self.object(object) {
            entry.count += 1;
            entry.ends.add(line, (OLDEST_OF_OBJECT, NEWEST_OF_OBJECT));
            self.bound();
        } else {
            self.of_others += 1;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.of_others += other.of_others;
        self.ends.merge(&other.ends, (OLDEST, NEWEST));
        for (name, object) in &other.objects {
            if let Some(entry) = self.object(name) {
                entry.count += object.count;
                entry.ends.merge(&object.ends, (OLDEST_OF_OBJECT, NEWEST_OF_OBJECT));
                self.bound();
            } else {
                self.of_others += object.count;
            }
        }
    }

    /// The entry of an object, unless there are too many that come before it. One that was ever pushed out has as many
    /// before it for good, so that it never comes back with a part of its lines.
    fn object(&mut self, name: &str) -> Option<&mut Object> {
        if !self.objects.contains_key(name) {
            let is_full = self.objects.len() >= MAX_OBJECTS;
            if is_full
                && self
                    .objects
                    .last_key_value()
                    .is_some_and(|(last, _)| last.as_str() < name)
            {
                return None;
            }
        }
        Some(self.objects.entry(name.to_owned()).or_default())
    }

    fn bound(&mut self) {
        while self.objects.len() > MAX_OBJECTS {
            self.of_others += self.objects.pop_last().map_or(0, |(_, object)| object.count);
        }
    }

    /// Every line that is kept, each once, in order.
    pub(crate) fn lines(&self) -> BTreeSet<&Line> {
        let mut lines = self.ends.lines();
        lines.extend(self.objects.values().flat_map(|object| object.ends.lines()));
        lines
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{Kept, Line, MAX_OBJECTS, NEWEST, OLDEST};

    fn line(second: i64) -> Arc<Line> {
        Arc::new(Line {
            time: jiff::Timestamp::from_second(second / 2).ok(),
            file: Arc::new("a.log".parse().unwrap()),
            number: second.unsigned_abs(),
            quote: format!("line {second}"),
            captures: BTreeMap::new(),
        })
    }

    #[test]
    fn the_oldest_and_the_newest_stay_and_all_are_counted() {
        let mut kept = Kept::default();
        for second in (0..500).rev() {
            kept.add(&line(second), None);
        }
        let lines: Vec<_> = kept.lines().into_iter().map(|line| line.number).collect();
        let newest = i64::try_from(NEWEST).unwrap();
        let expected: Vec<_> = (0..OLDEST as u64).chain((500 - newest).unsigned_abs()..500).collect();
        assert_eq!(lines, expected);
        assert_eq!(kept.count, 500);
    }

    proptest! {
        #[test]
        fn the_order_of_lines_and_parts_does_not_matter(
            lines in prop::collection::vec((0..3000_i64, 0..2 * MAX_OBJECTS), 0..400),
            parts in prop::collection::vec(0..4_usize, 400),
        ) {
            let mut whole = Kept::default();
            let mut in_parts: [Kept; 4] = Default::default();
            for ((at, object), part) in lines.iter().zip(&parts) {
                let object = format!("object {object}");
                whole.add(&line(*at), Some(&object));
                in_parts[*part].add(&line(*at), Some(&object));
            }
            let mut merged = Kept::default();
            for part in in_parts.iter().rev() {
                merged.merge(part);
            }
            prop_assert_eq!(&merged, &whole);
            let counted: u64 = whole.objects.values().map(|object| object.count).sum();
            prop_assert_eq!(counted + whole.of_others, lines.len() as u64);
        }
    }
}
