//! Counts errors and warnings for the timeline while logs are read. Like what rules find, the result does not depend on
//! the order in which it is put together.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use periscope_core::ArtifactPath;

use crate::source::Source;
use crate::timeline::{
    Level, MAX_BUCKETS, MAX_ENTRIES, NARROWEST, Timeline, TimelineBucket, TimelineEntry, floor, wider,
};

/// How far back the axis goes. A line that says it is older is counted, but has no place.
const REACH: jiff::SignedDuration = jiff::SignedDuration::from_hours(400 * 24);

/// A line on the axis. Ordered by time, file and line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Mark {
    pub(crate) time: Timestamp,
    pub(crate) file: Arc<ArtifactPath>,
    pub(crate) line: u64,
    pub(crate) text: String,
}

/// The newest lines. In most logs each line is newer than all before it, so they are put in order only now and then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Newest {
    /// Up to twice as many as are kept.
    marks: Vec<Mark>,
    /// What is older than this is not kept.
    oldest: Option<Timestamp>,
}

impl Newest {
    fn wants(&self, time: Timestamp) -> bool {
        self.oldest.is_none_or(|oldest| oldest <= time)
    }

    fn push(&mut self, mark: Mark) {
        self.marks.push(mark);
        if self.marks.len() >= 2 * MAX_ENTRIES {
            self.marks = std::mem::take(self).kept();
            self.oldest = self.marks.first().map(|mark| mark.time);
        }
    }

    /// What is kept, in order.
    fn kept(mut self) -> Vec<Mark> {
        self.marks.sort_unstable();
        let surplus = self.marks.len().saturating_sub(MAX_ENTRIES);
        self.marks.drain(..surplus);
        self.marks
    }
}

/// A bucket: where it begins, and of what.
type Bucket = (i64, Source, Level);

/// Counts, and the newest lines.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    width: i64,
    buckets: BTreeMap<Bucket, u64>,
    /// The bucket of the last line, and lines of it that are not counted in it yet: most lines are of the same one as
    /// the line before.
    last: Option<(Bucket, u64)>,
    newest: BTreeMap<(Source, Level), Newest>,
    untimed: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            width: NARROWEST,
            buckets: BTreeMap::new(),
            last: None,
            newest: BTreeMap::new(),
            untimed: 0,
        }
    }
}

impl Tally {
    /// Counts a line without a time, or one from before the axis begins.
    pub(crate) fn add_untimed(&mut self) {
        self.untimed += 1;
    }

    /// Whether a time has a place on the axis of a run.
    pub(crate) fn has_place(time: Timestamp, started: Timestamp) -> bool {
        time.duration_since(started).abs() <= REACH
    }

    /// Counts a line; what is shown of it is made only if it is kept.
    pub(crate) fn add(&mut self, source: Source, level: Level, time: Timestamp, mark: impl FnOnce() -> Mark) {
        let bucket = (floor(time.as_second(), self.width), source, level);
        match &mut self.last {
            Some((last, lines)) if *last == bucket => *lines += 1,
            _ => {
                self.count_last();
                self.last = Some((bucket, 1));
            }
        }
        let newest = self.newest.entry((source, level)).or_default();
        if newest.wants(time) {
            newest.push(mark());
        }
    }

    pub(crate) fn merge(&mut self, mut other: Self) {
        other.count_last();
        self.count_last();
        self.untimed += other.untimed;
        while self.width < other.width && self.widen() {}
        for ((start, source, level), count) in other.buckets {
            *self
                .buckets
                .entry((floor(start, self.width), source, level))
                .or_default() += count;
        }
        self.bound();
        for (of, other) in other.newest {
            let newest = self.newest.entry(of).or_default();
            for mark in other.kept() {
                newest.push(mark);
            }
        }
    }

    fn count_last(&mut self) {
        if let Some(((start, source, level), lines)) = self.last.take() {
            *self
                .buckets
                .entry((floor(start, self.width), source, level))
                .or_default() += lines;
            self.bound();
        }
    }

    fn bound(&mut self) {
        while self.buckets.len() > MAX_BUCKETS && self.widen() {}
    }

    fn widen(&mut self) -> bool {
        let Some(width) = wider(self.width) else { return false };
        self.width = width;
        for ((start, source, level), count) in std::mem::take(&mut self.buckets) {
            *self.buckets.entry((floor(start, width), source, level)).or_default() += count;
        }
        true
    }

    /// The timeline of what was counted.
    pub(crate) fn to_timeline(&self) -> Timeline {
        let mut whole = self.clone();
        whole.count_last();
        whole.into_timeline()
    }

    fn into_timeline(self) -> Timeline {
        let buckets = self
            .buckets
            .iter()
            .map(|((start, source, level), count)| TimelineBucket {
                start: Timestamp::from_second(*start).unwrap_or_default(),
                source: source.as_str().to_owned(),
                level: *level,
                count: *count,
            });
        let mut buckets: Vec<_> = buckets.collect();
        // By the words for the sources, as in the document.
        buckets.sort_by(|a, b| (a.start, &a.source, a.level).cmp(&(b.start, &b.source, b.level)));
        let entries = self.newest.into_iter().flat_map(|((source, level), newest)| {
            newest.kept().into_iter().map(move |mark| TimelineEntry {
                time: mark.time,
                level,
                source: source.as_str().to_owned(),
                file: mark.file.as_ref().clone(),
                line: Some(mark.line),
                text: mark.text,
            })
        });
        let mut entries: Vec<_> = entries.collect();
        entries.sort_by(|a, b| (a.time, &a.file, a.line).cmp(&(b.time, &b.file, b.line)));
        let counted: u64 = buckets.iter().map(|bucket| bucket.count).sum();
        Timeline {
            bucket_seconds: self.width,
            omitted: counted - entries.len() as u64,
            buckets,
            entries,
            untimed: self.untimed,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::{Mark, Tally};
    use crate::source::Source;
    use crate::timeline::{Level, MAX_BUCKETS, MAX_ENTRIES};

    fn add(tally: &mut Tally, second: i64, line: u64) {
        let time = jiff::Timestamp::from_second(second).unwrap();
        let source = if line.is_multiple_of(3) {
            Source::Kernel
        } else {
            Source::Kubelet
        };
        tally.add(source, Level::Error, time, || Mark {
            time,
            file: Arc::new("a.log".parse().unwrap()),
            line,
            text: "x".to_owned(),
        });
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_order_of_lines_and_parts_does_not_matter(
            seconds in prop::collection::vec(0..20_000_i64, 0..6000),
        ) {
            let mut whole = Tally::default();
            let mut parts: [Tally; 3] = Default::default();
            for (line, second) in (0..).zip(&seconds) {
                add(&mut whole, *second, line);
                add(&mut parts[usize::try_from(second % 3).unwrap()], *second, line);
            }
            let mut merged = Tally::default();
            for part in parts.into_iter().rev() {
                merged.merge(part);
            }
            let timeline = merged.to_timeline();
            prop_assert_eq!(&timeline, &whole.to_timeline());
            prop_assert!(timeline.buckets.len() <= MAX_BUCKETS);
            prop_assert!(timeline.entries.len() <= 2 * MAX_ENTRIES);
            let counted: u64 = timeline.buckets.iter().map(|bucket| bucket.count).sum();
            prop_assert_eq!(counted, seconds.len() as u64);
            prop_assert_eq!(timeline.omitted, counted - timeline.entries.len() as u64);
        }
    }
}
