//! Errors and warnings of all logs on one axis: how many there were when, and the newest of them in words. What they
//! mean is for analyzers to say.

use jiff::Timestamp;
use periscope_core::ArtifactPath;
use serde::{Deserialize, Serialize};

/// Most bytes of a line that the timeline shows.
pub(crate) const MAX_TEXT: usize = 200;
/// Most entries of one source and level that are kept: the newest.
pub(crate) const MAX_ENTRIES: usize = 100;
/// Most buckets: where there would be more, they become wider.
pub(crate) const MAX_BUCKETS: usize = 4000;
/// The widths of a bucket, in seconds. Each is a multiple of the one before, so that buckets can be joined.
const WIDTHS: [i64; 10] = [1, 5, 15, 60, 300, 900, 3600, 14_400, 86_400, 604_800];

/// How bad a line says it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// An error, or worse.
    Error,
    /// A warning.
    Warning,
}

/// How many lines of one source and level were written in one span of time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineBucket {
    /// Where the span begins; it is [`Timeline::bucket_seconds`] long.
    pub start: Timestamp,
    /// Where the lines come from, such as `kernel` or `containers`.
    pub source: String,
    /// How bad they are.
    pub level: Level,
    /// How many.
    pub count: u64,
}

/// One line, or one event, with its time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TimelineEntry {
    /// When it was written.
    pub time: Timestamp,
    /// How bad it is.
    pub level: Level,
    /// Where it comes from, such as `kernel` or `events`.
    pub source: String,
    /// The artifact.
    pub file: ArtifactPath,
    /// The line in it, counted from 1; absent where it stands on no line of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Its words without the time and the program before them, at most 200 bytes.
    pub text: String,
}

/// Errors and warnings of all logs on one axis.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Timeline {
    /// How long a bucket is.
    pub bucket_seconds: i64,
    /// The counts, by time, then source, then level; spans without a line are left out.
    pub buckets: Vec<TimelineBucket>,
    /// The newest lines of each source and level, by time.
    pub entries: Vec<TimelineEntry>,
    /// Lines that are counted in the buckets but not among the entries.
    pub omitted: u64,
    /// Errors and warnings that have no time and so no place on the axis.
    pub untimed: u64,
}

impl Default for Timeline {
    fn default() -> Self {
        Self {
            bucket_seconds: WIDTHS[0],
            buckets: Vec::new(),
            entries: Vec::new(),
            omitted: 0,
            untimed: 0,
        }
    }
}

/// The start of the bucket of this width in which a second lies.
pub(crate) fn floor(second: i64, width: i64) -> i64 {
    second.div_euclid(width) * width
}

/// The next width of a bucket.
pub(crate) fn wider(width: i64) -> Option<i64> {
    WIDTHS.into_iter().find(|&next| next > width)
}

/// The narrowest width.
pub(crate) const NARROWEST: i64 = WIDTHS[0];

impl Timeline {
    /// Adds something that is no line of a log, such as an event. Where there are too many of its source and level, the
    /// oldest of them goes.
    pub fn add(&mut self, entry: TimelineEntry) {
        self.count(&entry);
        let alike = |other: &TimelineEntry| other.source == entry.source && other.level == entry.level;
        if self.entries.iter().filter(|other| alike(other)).count() >= MAX_ENTRIES {
            self.omitted += 1;
            let oldest = self.entries.iter().position(alike);
            match oldest.and_then(|at| Some((at, self.entries.get(at)?.time))) {
                Some((at, time)) if time < entry.time => drop(self.entries.remove(at)),
                _ => return,
            }
        }
        let text = cut(&entry.text, MAX_TEXT).to_owned();
        let at = self.entries.partition_point(|other| other.time <= entry.time);
        self.entries.insert(at, TimelineEntry { text, ..entry });
    }

    fn count(&mut self, entry: &TimelineEntry) {
        let start = |width| Timestamp::from_second(floor(entry.time.as_second(), width)).unwrap_or(entry.time);
        let key = (start(self.bucket_seconds), entry.source.as_str(), entry.level);
        let found = self
            .buckets
            .binary_search_by(|bucket| (bucket.start, bucket.source.as_str(), bucket.level).cmp(&key));
        match found {
            Ok(at) => {
                if let Some(bucket) = self.buckets.get_mut(at) {
                    bucket.count += 1;
                }
            }
            Err(at) => {
                let bucket = TimelineBucket {
                    start: key.0,
                    source: entry.source.clone(),
                    level: entry.level,
                    count: 1,
                };
                self.buckets.insert(at, bucket);
                while self.buckets.len() > MAX_BUCKETS && self.widen() {}
            }
        }
    }

    /// Joins buckets to wider ones; whether there is a wider width.
    fn widen(&mut self) -> bool {
        let Some(width) = wider(self.bucket_seconds) else {
            return false;
        };
        self.bucket_seconds = width;
        let mut joined = std::collections::BTreeMap::new();
        for bucket in self.buckets.drain(..) {
            let start = floor(bucket.start.as_second(), width);
            *joined.entry((start, bucket.source, bucket.level)).or_insert(0) += bucket.count;
        }
        let buckets = joined
            .into_iter()
            .map(|((start, source, level), count)| TimelineBucket {
                start: Timestamp::from_second(start).unwrap_or_default(),
                source,
                level,
                count,
            });
        self.buckets = buckets.collect();
        true
    }
}

/// The start of a text, at most so many bytes.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::{Level, MAX_BUCKETS, MAX_ENTRIES, Timeline, TimelineEntry};

    fn entry(second: i64, source: &str) -> TimelineEntry {
        TimelineEntry {
            time: jiff::Timestamp::from_second(second).unwrap(),
            level: Level::Error,
            source: source.to_owned(),
            file: "events.json".parse().unwrap(),
            line: None,
            text: "é".repeat(200),
        }
    }

    #[test]
    fn the_newest_entries_of_each_source_stay_in_order_and_all_are_counted() {
        let mut timeline = Timeline::default();
        for second in (0..300).rev().chain(300..400) {
            timeline.add(entry(second, "a"));
        }
        timeline.add(entry(5, "b"));
        assert_eq!(timeline.entries.len(), MAX_ENTRIES + 1);
        assert_eq!(timeline.omitted, 300);
        assert_eq!(timeline.entries[0].source, "b");
        let times: Vec<_> = timeline.entries[1..].iter().map(|e| e.time.as_second()).collect();
        assert_eq!(times, (300..400).collect::<Vec<_>>());
        assert_eq!(timeline.buckets.iter().map(|b| b.count).sum::<u64>(), 401);
        assert_eq!(timeline.entries[0].text.len(), 200);
    }

    #[test]
    fn buckets_become_wider_rather_than_too_many() {
        let mut timeline = Timeline::default();
        let seconds = i64::try_from(MAX_BUCKETS).unwrap() + 1;
        for second in 0..seconds {
            timeline.add(entry(second, "a"));
        }
        assert_eq!(timeline.bucket_seconds, 5);
        assert_eq!(timeline.buckets.len(), MAX_BUCKETS / 5 + 1);
        assert_eq!(timeline.buckets[0].count, 5);
        assert!(timeline.buckets.is_sorted_by_key(|bucket| bucket.start));
    }
}
