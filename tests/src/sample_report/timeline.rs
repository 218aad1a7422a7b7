//! Errors and warnings of a day.

use std::collections::BTreeMap;

use jiff::Timestamp;
use periscope_scan::{Level, Timeline, TimelineBucket, TimelineEntry};

use super::{before_start, path};

/// Who says what where.
const KINDS: [(&str, Level, &str, &str); 8] = [
    (
        "kubelet",
        Level::Error,
        "system-logs/journal/kubelet.log",
        "E1120 pod_workers.go:1301] \"Error syncing pod, skipping\" err=\"failed to \\\"StartContainer\\\" for \\\"ledger\\\" with CrashLoopBackOff: \\\"back-off 5m0s restarting failed container\\\"\" pod=\"payments/ledger-5c9d7f6b4-abcde\"",
    ),
    (
        "kubelet",
        Level::Warning,
        "system-logs/journal/kubelet.log",
        "W1120 eviction_manager.go:372] \"Eviction manager: attempting to reclaim\" resourceName=\"ephemeral-storage\"",
    ),
    (
        "containerd",
        Level::Error,
        "system-logs/journal/containerd.log",
        "level=error msg=\"PullImage failed\" error=\"failed to extract layer: no space left on device\"",
    ),
    (
        "events",
        Level::Warning,
        "cluster-resources/events.json",
        "FreeDiskSpaceFailed: Failed to garbage collect required amount of images",
    ),
    (
        "containers",
        Level::Error,
        "container-logs/pods/payments_ledger/app/0.log",
        "ERROR write /data/ledger.db: no space left on device",
    ),
    (
        "containers",
        Level::Warning,
        "container-logs/pods/shop_cart-0/app/0.log",
        "warn: slow query took 2.4 s",
    ),
    (
        "kernel",
        Level::Warning,
        "system-logs/journal/kernel.log",
        "EXT4-fs warning (device sda1): ext4_dx_add_entry:2465: Directory index full!",
    ),
    (
        "services",
        Level::Error,
        "system-logs/journal/localdns.log",
        "[ERROR] plugin/errors: 2 mcr.microsoft.com. A: read udp 10.224.0.5:53: i/o timeout",
    ),
];

/// Lines of a day: some always, most of them in the last hour.
pub(super) fn timeline(lines: i64) -> Timeline {
    let mut timeline = Timeline {
        bucket_seconds: 15,
        ..Timeline::default()
    };
    let mut buckets: BTreeMap<(i64, &str, Level), u64> = BTreeMap::new();
    let mut seed: u64 = 42;
    let mut random = |below: u64| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((seed >> 33) % below).unwrap_or(0)
    };
    let mut lines: Vec<(i64, usize, i64)> = (0..lines)
        .map(|n| {
            let ago = if random(10) < 7 {
                random(60) * random(60)
            } else {
                random(86_400)
            };
            (
                before_start(ago).as_second(),
                usize::try_from(random(8)).unwrap_or(0),
                n,
            )
        })
        .collect();
    lines.sort_unstable();
    for (at, kind, n) in lines {
        let Some(&(source, level, file, text)) = KINDS.get(kind) else {
            continue;
        };
        *buckets.entry((at.div_euclid(15) * 15, source, level)).or_default() += 1 + u64::try_from(n % 3).unwrap_or(0);
        timeline.omitted += u64::try_from(n % 3).unwrap_or(0);
        timeline.entries.push(TimelineEntry {
            time: Timestamp::from_second(at).unwrap_or_default(),
            level,
            source: source.to_owned(),
            file: if source == "events" {
                file.to_owned()
            } else {
                path(file)
            }
            .parse()
            .expect("a path"),
            line: (source != "events").then_some(n.unsigned_abs() + 1),
            text: format!("{text} ({n})"),
        });
    }
    timeline.buckets = buckets
        .into_iter()
        .map(|((at, source, level), count)| TimelineBucket {
            start: Timestamp::from_second(at).unwrap_or_default(),
            source: source.to_owned(),
            level,
            count,
        })
        .collect();
    timeline
}
