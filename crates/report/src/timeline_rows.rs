//! Packs the timeline's entries into few bytes: texts that come again stand there once, and when there are too many
//! entries, their texts are cut first and then some of them are left out, warnings before errors.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};
use periscope_scan::{Level, Timeline, TimelineEntry};
use serde::Serialize;

use crate::bounds::{ENTRY_CHARS, NAME_CHARS, TIMELINE_BYTES};
use crate::clean::clean_line;
use crate::embed::ScriptJson;

/// Most entries that are tried: more cannot fit.
const MAX_ENTRIES: usize = 30_000;
/// Most buckets that are told: more than a timeline has.
const MAX_BUCKETS: usize = 8_000;
/// How often fewer are tried before nothing is shown. Each time at most nine tenths of what would fit are taken.
const TRIES: usize = 6;

/// What the scripts get; `page/moments.js` reads it.
#[derive(Debug, Default, Serialize)]
struct Rows {
    /// When the first one was, in milliseconds since 1970.
    start: i64,
    /// How long a bucket is, in milliseconds.
    width: i64,
    sources: Vec<String>,
    files: Vec<String>,
    texts: Vec<String>,
    /// Of each bucket: its number of widths since the one before, level (0 is an error), source, count. The first one
    /// begins at the start.
    buckets: Vec<u64>,
    /// Of each entry: milliseconds since the one before, level, source, file, line (0 without one), text.
    entries: Vec<u64>,
}

/// The entries as the page holds them.
#[derive(Debug)]
pub(crate) struct Packed {
    /// For the scripts.
    pub(crate) json: Option<ScriptJson>,
    /// How many entries are in it.
    pub(crate) shown: usize,
}

/// How many lines are counted in the timeline.
pub(crate) fn counted(timeline: &Timeline) -> usize {
    let counts = timeline.buckets.iter().map(|bucket| bucket.count);
    usize::try_from(counts.fold(0, u64::saturating_add))
        .unwrap_or(usize::MAX)
        .max(timeline.entries.len())
}

/// From when to when the timeline goes. `None` when it is empty.
pub(crate) fn span(timeline: &Timeline) -> Option<(Timestamp, Timestamp)> {
    let width = SignedDuration::from_secs(timeline.bucket_seconds);
    let buckets = timeline.buckets.iter().map(|bucket| bucket.start);
    let ends = buckets
        .clone()
        .map(|start| start.saturating_add(width).unwrap_or(start));
    let entries = timeline.entries.iter().map(|entry| entry.time);
    let first = buckets.chain(entries.clone()).min()?;
    // Where every line is told in words, the last one says more exactly when it ended.
    let last = if timeline.omitted == 0 {
        entries.max().or_else(|| ends.max())
    } else {
        ends.chain(entries).max()
    };
    Some((first, last?))
}

/// Packs a timeline whose buckets and entries are in order of time.
pub(crate) fn pack(timeline: &Timeline, node: &str) -> Packed {
    let mut kept: Vec<&TimelineEntry> = timeline.entries.iter().collect();
    if kept.len() > MAX_ENTRIES {
        kept = thin(&kept, MAX_ENTRIES);
    }
    let mut chars = ENTRY_CHARS.iter();
    let mut max_chars = chars.next().copied().unwrap_or(NAME_CHARS);
    let mut tries = TRIES;
    while let Some(json) = ScriptJson::of(&rows(timeline, node, &kept, max_chars)) {
        if json.len() <= TIMELINE_BYTES {
            let shown = kept.len();
            return Packed {
                json: Some(json),
                shown,
            };
        }
        if let Some(&shorter) = chars.next() {
            max_chars = shorter;
        } else if tries > 0 {
            tries -= 1;
            let fit = kept.len().saturating_mul(TIMELINE_BYTES) / json.len();
            kept = thin(&kept, fit / 10 * 9);
        } else {
            break;
        }
    }
    Packed { json: None, shown: 0 }
}

/// At most `max` of the entries, evenly over their number: all errors before any warning.
fn thin<'a>(entries: &[&'a TimelineEntry], max: usize) -> Vec<&'a TimelineEntry> {
    let errors = entries.iter().filter(|entry| entry.level == Level::Error).count();
    let errors_kept = errors.min(max);
    let warnings_kept = max - errors_kept;
    let mut seen = [0; 2];
    let of_level = |level| match level {
        Level::Error => (0, errors, errors_kept),
        Level::Warning => (1, entries.len() - errors, warnings_kept),
    };
    let is_kept = |entry: &&&TimelineEntry| {
        let (level, all, kept) = of_level(entry.level);
        let Some(seen) = seen.get_mut(level) else { return false };
        let before = *seen * kept / all.max(1);
        *seen += 1;
        *seen * kept / all.max(1) > before
    };
    entries.iter().filter(is_kept).copied().collect()
}

fn rows(timeline: &Timeline, node: &str, entries: &[&TimelineEntry], max_chars: usize) -> Rows {
    let width = timeline.bucket_seconds.max(1).saturating_mul(1000);
    let mut rows = Rows {
        start: span(timeline).map_or(0, |(first, _)| first.as_millisecond()),
        width,
        ..Rows::default()
    };
    let (mut sources, mut files, mut texts) = (HashMap::new(), HashMap::new(), HashMap::new());
    let mut before = rows.start;
    for bucket in timeline.buckets.iter().take(MAX_BUCKETS) {
        let at = bucket.start.as_millisecond();
        let since = u64::try_from((at - before) / width).unwrap_or(0);
        before = before.max(at);
        let source = number(&mut sources, &mut rows.sources, &bucket.source, NAME_CHARS);
        rows.buckets.extend([since, level(bucket.level), source, bucket.count]);
    }
    before = rows.start;
    for entry in entries {
        let at = entry.time.as_millisecond();
        let since = u64::try_from(at - before).unwrap_or(0);
        before = before.max(at);
        let source = number(&mut sources, &mut rows.sources, &entry.source, NAME_CHARS);
        let file = number(&mut files, &mut rows.files, entry.file.as_str(), usize::MAX);
        let text = number(&mut texts, &mut rows.texts, words(&entry.text, node), max_chars);
        let line = entry.line.unwrap_or(0);
        rows.entries
            .extend([since, level(entry.level), source, file, line, text]);
    }
    rows
}

/// The words of a line without what the page tells beside them: a time in the form of RFC 3339, then the node's name.
fn words<'a>(line: &'a str, node: &str) -> &'a str {
    let is_time = |word: &str| word.len() >= 19 && word.as_bytes().get(10) == Some(&b'T') && word.starts_with("20");
    match line.split_once(' ') {
        Some((time, rest)) if is_time(time) => match rest.split_once(' ') {
            Some((host, rest)) if host == node => rest,
            _ => rest,
        },
        _ => line,
    }
}

fn level(level: Level) -> u64 {
    match level {
        Level::Error => 0,
        Level::Warning => 1,
    }
}

/// The number of a text among those that were met.
fn number<'a>(numbers: &mut HashMap<&'a str, u64>, texts: &mut Vec<String>, text: &'a str, max: usize) -> u64 {
    *numbers.entry(text).or_insert_with(|| {
        texts.push(if max == usize::MAX {
            text.to_owned()
        } else {
            clean_line(text, max)
        });
        texts.len() as u64 - 1
    })
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use periscope_scan::{Level, Timeline, TimelineBucket, TimelineEntry};

    use super::{pack, words};
    use crate::bounds::TIMELINE_BYTES;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + second).unwrap()
    }

    fn entry(second: i64, level: Level, text: String) -> TimelineEntry {
        TimelineEntry {
            time: at(second),
            level,
            source: "kubelet".to_owned(),
            file: "nodes/n/kubelet/kubelet.log".parse().unwrap(),
            line: Some(7),
            text,
        }
    }

    fn timeline(entries: Vec<TimelineEntry>) -> Timeline {
        let mut timeline = Timeline::default();
        timeline.buckets.push(TimelineBucket {
            start: at(0),
            source: "kernel".to_owned(),
            level: Level::Warning,
            count: 4,
        });
        timeline.entries = entries;
        timeline
    }

    #[test]
    fn entries_are_packed_by_reference() {
        let packed = pack(
            &timeline(vec![
                entry(0, Level::Error, "a".to_owned()),
                entry(2, Level::Warning, "b".to_owned()),
                entry(3, Level::Error, "a".to_owned()),
            ]),
            "n",
        );
        assert_eq!(
            packed.json.unwrap().as_str(),
            concat!(
                r#"{"start":1760000000000,"width":1000,"sources":["kernel","kubelet"],"#,
                r#""files":["nodes/n/kubelet/kubelet.log"],"texts":["a","b"],"buckets":[0,1,0,4],"#,
                r#""entries":[0,0,1,0,7,0,2000,1,1,0,7,1,1000,0,1,0,7,0]}"#
            )
        );
    }

    #[test]
    fn words_come_without_time_and_node() {
        for (line, expected) in [
            (
                "2026-11-21T15:15:08.291678+00:00 n1 kubelet[27]: E1121",
                "kubelet[27]: E1121",
            ),
            ("2026-11-21T15:15:08.2Z stderr F panic", "stderr F panic"),
            (
                "time=\"2026-11-21T15:15:08Z\" level=error",
                "time=\"2026-11-21T15:15:08Z\" level=error",
            ),
            ("n1 says so", "n1 says so"),
        ] {
            assert_eq!(words(line, "n1"), expected);
        }
    }

    #[test]
    fn ten_thousand_ordinary_entries_all_fit() {
        let text = |n| {
            format!(
                "E1120 12:00:00.{n} pod_workers.go:1301] \"Error syncing pod, skipping\" err=\"failed to StartContainer \
                 for c{n} with CrashLoopBackOff: back-off 5m0s restarting failed container\""
            )
        };
        let entries = (0..10_000).map(|n| entry(n, Level::Warning, text(n))).collect();
        assert_eq!(pack(&timeline(entries), "n").shown, 10_000);
    }

    #[test]
    fn errors_stay_longer_than_warnings() {
        // What looks worst: every text differs, and is six times as long once it is escaped.
        let hostile = |n: i64| {
            let level = if n % 100 == 0 { Level::Error } else { Level::Warning };
            entry(n, level, format!("{n}{}", "<".repeat(300)))
        };
        let packed = pack(&timeline((0..40_000).map(hostile).collect()), "n");
        let json = packed.json.unwrap();
        assert!(
            json.len() <= TIMELINE_BYTES && json.len() > TIMELINE_BYTES / 2,
            "{}",
            json.len()
        );
        let rows: serde_json::Value = serde_json::from_str(json.as_str()).unwrap();
        let levels = rows["entries"].as_array().unwrap().iter().skip(1).step_by(6);
        assert!(levels.filter(|level| **level == 0).count() >= 299);
    }
}
