use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use rstest::rstest;

use super::Recorder;
use crate::history::History;
use crate::layout::{CLOSED_SLOTS, FILE_BYTES, Image, Write, header};
use crate::target::{MAX_TARGETS, Outcome, Sample, Target};

pub(crate) fn target(kind: &str, every: u64) -> Target {
    Target {
        kind: kind.to_owned(),
        host: "host.example".to_owned(),
        port: 443,
        optional: false,
        every: Duration::from_secs(every),
    }
}

pub(crate) fn noon() -> Timestamp {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn sample(second: i64, outcome: Outcome) -> Sample {
    Sample {
        at: noon() + SignedDuration::from_secs(second),
        took: Duration::from_millis(7),
        outcome,
    }
}

fn up(second: i64) -> Sample {
    sample(second, Outcome::Connected)
}

fn down(second: i64) -> Sample {
    sample(second, Outcome::TcpFailed("refused".to_owned()))
}

/// A ring in memory: its bytes, and who writes them.
struct Tape {
    bytes: Vec<u8>,
    recorder: Recorder,
    targets: Vec<Target>,
}

impl Tape {
    fn new(targets: &[Target]) -> Self {
        let mut bytes = vec![0; FILE_BYTES];
        apply(&mut bytes, &[header()]);
        let mut tape = Self {
            bytes,
            recorder: Recorder::restore(None, &[]).0,
            targets: targets.to_vec(),
        };
        tape.restart();
        tape
    }

    fn restart(&mut self) {
        let image = Image::parse(&self.bytes).unwrap();
        let (recorder, writes) = Recorder::restore(Some(image), &self.targets);
        self.recorder = recorder;
        apply(&mut self.bytes, &writes);
    }

    fn record(&mut self, samples: &[Sample]) {
        for sample in samples {
            let writes = self.recorder.record(0, sample);
            apply(&mut self.bytes, &writes);
        }
    }

    fn beat(&mut self) {
        let write = self.recorder.beat();
        apply(&mut self.bytes, write.as_slice());
    }

    /// Start, end and samples of each stretch, whether it is up, and whether it continues the one before.
    fn stretches(&self) -> Vec<(i64, i64, u32, bool, bool)> {
        let now = noon() + SignedDuration::from_hours(1);
        let second = |time: Timestamp| time.duration_since(noon()).as_secs();
        let stretches = History::parse(&self.bytes).unwrap().stretches(now);
        let rows = stretches.iter();
        rows.map(|s| (second(s.start), second(s.end), s.samples, s.is_connected(), s.continues))
            .collect()
    }
}

fn apply(bytes: &mut [u8], writes: &[Write]) {
    for write in writes {
        bytes[write.at..write.at + write.bytes.len()].copy_from_slice(&write.bytes);
    }
}

#[rstest]
#[case::steady(&[up(0), up(5), up(10)], &[(0, 10, 3, true, false)])]
#[case::down(&[up(0), up(5), down(10), down(15), up(20)],
    &[(0, 5, 2, true, false), (10, 15, 2, false, true), (20, 20, 1, true, true)])]
#[case::a_slow_try_is_no_gap(&[up(0), up(16)], &[(0, 16, 2, true, false)])]
#[case::gap(&[up(0), up(17)], &[(0, 0, 1, true, false), (17, 17, 1, true, false)])]
#[case::gap_and_change(&[up(0), down(60)], &[(0, 0, 1, true, false), (60, 60, 1, false, false)])]
#[case::clock_set_back(&[up(1000), up(1005), down(1010), down(10), down(15), up(20)],
    &[(1000, 1005, 2, true, false), (5, 15, 3, false, true), (20, 20, 1, true, true)])]
#[case::clock_set_forward(&[up(0), up(600)], &[(0, 0, 1, true, false), (600, 600, 1, true, false)])]
#[case::clock_trimmed(&[up(5), up(4), up(9)], &[(5, 9, 3, true, false)])]
fn segments(#[case] samples: &[Sample], #[case] expected: &[(i64, i64, u32, bool, bool)]) {
    let mut tape = Tape::new(&[target("x", 5)]);
    tape.record(samples);
    tape.beat();
    assert_eq!(tape.stretches(), expected);
}

#[test]
fn what_stays_the_same_is_written_with_the_heartbeat_only() {
    let mut recorder = Recorder::restore(None, &[target("x", 5)]).0;
    assert_eq!(recorder.record(0, &up(0)).len(), 1);
    assert!((1..100).all(|n| recorder.record(0, &up(n * 5)).is_empty()));
    assert!(recorder.beat().is_some());
    assert!(recorder.beat().is_none());
    assert_eq!(recorder.record(0, &down(500)).len(), 2);
    assert!(recorder.beat().is_none());
}

#[test]
fn a_segment_ends_after_an_hour_so_that_latencies_are_of_their_time() {
    let mut tape = Tape::new(&[target("x", 30)]);
    tape.record(&(0..=240).map(|n| up(n * 30)).collect::<Vec<_>>());
    let found = tape.stretches();
    assert_eq!(found[0], (0, 3570, 120, true, false));
    assert_eq!(found[1], (3600, 7170, 120, true, true));
}

#[rstest]
#[case::at_once(10, false, &[(0, 10, 3, true, false)])]
#[case::killed_before_its_heartbeat(70, true, &[(0, 70, 2, true, false)])]
#[case::away(120, false, &[(0, 5, 2, true, false), (120, 120, 1, true, false)])]
#[case::clock_behind(-60, false, &[(0, 5, 2, true, false), (-60, -60, 1, true, false)])]
fn a_restart(#[case] first: i64, #[case] killed: bool, #[case] expected: &[(i64, i64, u32, bool, bool)]) {
    let mut tape = Tape::new(&[target("x", 5)]);
    tape.record(&[up(0), up(5)]);
    if !killed {
        tape.beat();
    }
    tape.restart();
    tape.record(&[up(first)]);
    tape.beat();
    assert_eq!(tape.stretches(), expected);
}

#[test]
fn the_oldest_give_way_and_a_restart_finds_the_place() {
    let mut tape = Tape::new(&[target("x", 5)]);
    let count = i64::try_from(CLOSED_SLOTS).unwrap() + 500;
    for n in 0..count {
        if n % 97 == 0 {
            tape.restart();
        }
        tape.record(&[if n % 2 == 0 { up(n) } else { down(n) }]);
    }
    let found = tape.stretches();
    assert_eq!(found.len(), CLOSED_SLOTS + 1);
    assert!(found.iter().rev().map(|s| s.0).eq((0..count).rev().take(found.len())));
}

#[test]
fn targets_come_and_go() {
    let mut tape = Tape::new(&[target("a", 5), target("b", 5)]);
    tape.record(&[up(0)]);
    tape.targets = vec![target("b", 30), target("c", 5)];
    tape.restart();
    tape.record(&[down(100)]);
    tape.targets = vec![target("a", 5)];
    tape.restart();
    tape.record(&[up(200)]);
    let history = History::parse(&tape.bytes).unwrap();
    let found: Vec<_> = history
        .stretches(noon())
        .into_iter()
        .map(|s| (s.kind, s.samples))
        .collect();
    assert_eq!(found, [("a".to_owned(), 1), ("a".to_owned(), 1), ("b".to_owned(), 1)]);
}

#[test]
fn a_full_table_forgets_those_that_are_no_more() {
    let many = |from: usize| {
        (from..from + MAX_TARGETS)
            .map(|n| target(&n.to_string(), 5))
            .collect::<Vec<_>>()
    };
    let mut tape = Tape::new(&many(0));
    tape.record(&[up(0)]);
    tape.targets = many(MAX_TARGETS - 1);
    tape.restart();
    tape.record(&[down(1)]);
    let found: Vec<_> = History::parse(&tape.bytes).unwrap().stretches(noon());
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!((found[0].kind.as_str(), found[0].is_connected()), ("31", false));
}

/// Every place at which a machine may stop in the middle of a write.
#[test]
fn whatever_is_cut_or_spoilt_only_the_last_sample_is_lost() {
    let mut tape = Tape::new(&[target("x", 5)]);
    tape.record(&[up(0), up(5), down(10), down(15), up(20)]);
    tape.beat();
    let before = (tape.bytes.clone(), tape.stretches());
    let writes = tape.recorder.record(0, &down(25));
    assert_eq!(writes.len(), 2);
    apply(&mut tape.bytes, &writes);
    let after = tape.stretches();
    let steps: Vec<(usize, u8)> = writes
        .iter()
        .flat_map(|w| (w.at..).zip(w.bytes.iter().copied()))
        .collect();
    // What comes after the first record of a bank is empty, as it was.
    for cut in 0..300 {
        for garbage in [false, true] {
            let mut torn = before.0.clone();
            for (at, byte) in &steps[..cut] {
                torn[*at] = *byte;
            }
            if garbage {
                torn[steps[cut].0] ^= 0xa5;
            }
            let mut found = Tape {
                bytes: torn,
                recorder: Recorder::restore(None, &[]).0,
                targets: vec![target("x", 5)],
            };
            let seen = found.stretches();
            assert!(seen == before.1 || seen == after, "cut at {cut}: {seen:?}");
            // And whoever starts then goes on from there.
            found.restart();
            found.record(&[down(30), up(35)]);
            let seen = found.stretches();
            let start = if seen.len() == after.len() + 1 { seen[3].0 } else { 0 };
            assert!(start == 25 || start == 30, "cut at {cut}: {seen:?}");
            assert_eq!(seen.last(), Some(&(35, 35, 1, true, true)), "cut at {cut}");
        }
    }
}

proptest! {
    /// Whatever comes when, and whoever restarts: no sample is counted twice, and every change is there.
    #[test]
    fn samples_are_counted_once(
        steps in prop::collection::vec((0i64..40, any::<bool>(), prop::sample::select(vec![0u8, 1, 2])), 1..60),
    ) {
        let mut tape = Tape::new(&[target("x", 5)]);
        let mut second = 0;
        for (pause, is_up, then) in &steps {
            second += pause;
            tape.record(&[if *is_up { up(second) } else { down(second) }]);
            match then {
                0 => {}
                1 => tape.beat(),
                _ => { tape.beat(); tape.restart(); }
            }
        }
        tape.beat();
        let found = tape.stretches();
        prop_assert_eq!(found.iter().map(|s| s.2 as usize).sum::<usize>(), steps.len());
        prop_assert!(found.windows(2).all(|pair| pair[0].1 <= pair[1].0));
        let changes = steps.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
        let seen = found.windows(2).filter(|pair| pair[0].3 != pair[1].3).count();
        prop_assert_eq!(seen, changes);
    }
}
