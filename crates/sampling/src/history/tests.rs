use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rstest::rstest;

use super::History;
use crate::layout::{FILE_BYTES, Segment, as_kept};
use crate::target::{Outcome, Target};

fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn at(second: i64) -> Timestamp {
    noon() + SignedDuration::from_secs(second)
}

/// One connection with a segment for each `(start, end, error, follows)`, the times in seconds after noon.
fn history(segments: &[(i64, i64, Option<&str>, bool)]) -> History {
    let target = Target {
        kind: "x".to_owned(),
        host: "host.example".to_owned(),
        port: 443,
        optional: true,
        every: Duration::from_secs(5),
    };
    let segments = segments
        .iter()
        .zip(1..)
        .map(|((start, end, error, follows), id)| Segment {
            version: id,
            id,
            target: 1,
            follows: *follows,
            outcome: as_kept(&error.map_or(Outcome::Connected, |why| Outcome::TcpFailed(why.to_owned()))),
            start: at(*start),
            end: at(*end),
            samples: 3,
            worst_millis: 9,
            total_millis: 15,
        });
    History {
        connections: vec![(target, segments.collect())],
    }
}

/// Start, end, last failure, whether nobody knows what came after, error, samples.
type Row<'a> = (i64, Option<i64>, i64, bool, &'a str, u64);

const DAY: i64 = 24 * 3600;

#[rstest]
#[case::never(&[(-60, -5, None, false)], &[])]
#[case::recovered(&[(-60, -40, None, false), (-35, -20, Some("a"), true), (-15, -5, None, true)],
    &[(-35, Some(-15), -20, false, "tcp: a", 3)])]
#[case::still(&[(-60, -40, None, false), (-35, -5, Some("a"), true)], &[(-35, None, -5, false, "tcp: a", 3)])]
#[case::nobody_looked_afterwards(&[(-900, -800, Some("a"), false)], &[(-900, None, -800, true, "tcp: a", 3)])]
#[case::nobody_looked_for_a_while(&[(-900, -800, Some("a"), false), (-100, -5, None, false)],
    &[(-900, None, -800, true, "tcp: a", 3)])]
#[case::down_before_and_after_a_gap(&[(-900, -800, Some("a"), false), (-100, -5, Some("a"), false)],
    &[(-900, None, -800, true, "tcp: a", 3), (-100, None, -5, false, "tcp: a", 3)])]
#[case::one_with_several_errors(&[(-60, -40, Some("a"), false), (-35, -20, Some("b"), true), (-15, -5, Some("a"), true)],
    &[(-60, None, -5, false, "tcp: a", 9)])]
#[case::too_long_ago(&[(-DAY - 100, -DAY - 50, Some("a"), false), (-DAY - 45, -5, None, true)], &[])]
#[case::of_a_wrong_clock(&[(DAY, DAY + 9, Some("a"), false), (-60, -5, None, false)], &[])]
fn periods(#[case] segments: &[(i64, i64, Option<&str>, bool)], #[case] expected: &[Row]) {
    let found = history(segments).down_periods(noon());
    let second = |time: Timestamp| time.duration_since(noon()).as_secs();
    let rows: Vec<_> = found
        .iter()
        .map(|p| {
            (
                second(p.start),
                p.end.map(second),
                second(p.last_failure),
                p.unknown_after,
                p.error.as_str(),
                p.samples,
            )
        })
        .collect();
    assert_eq!(rows, expected);
    assert!(
        found
            .iter()
            .all(|p| p.optional && p.is_down_still() == (p.end.is_none() && !p.unknown_after))
    );
}

#[test]
fn the_errors_that_are_named_are_few() {
    let errors: Vec<_> = (0..9).map(|n| format!("e{n}")).collect();
    let segments: Vec<_> = (0..9)
        .zip(&errors)
        .map(|(n, error)| (n * 5 - 100, n * 5 - 96, Some(error.as_str()), n > 0))
        .collect();
    let found = history(&segments).down_periods(noon());
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].other_errors, ["tcp: e1", "tcp: e2", "tcp: e3"]);
}

#[test]
fn a_stretch_has_its_latencies() {
    let found = &history(&[(-60, -5, None, false)]).stretches(noon())[0];
    assert_eq!((found.mean_millis, found.worst_millis, found.samples), (5, 9, 3));
    assert_eq!((found.status.as_str(), found.continues), ("Connected", false));
}

proptest! {
    #[test]
    fn any_bytes_tell_something_or_are_refused(
        bytes in prop::collection::vec(any::<u8>(), 0..5000),
        ring in any::<bool>(),
    ) {
        let mut file = crate::layout::header().bytes;
        if !ring {
            file.clear();
        }
        file.extend(bytes);
        file.truncate(FILE_BYTES);
        if let Ok(history) = History::parse(&file) {
            history.down_periods(noon());
            history.stretches(noon());
        }
    }
}
