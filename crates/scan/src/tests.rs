//! Whole logs through the scan: what is found in them, however they are cut and in whatever order they come.

use std::sync::{Arc, LazyLock};

use jiff::Timestamp;
use proptest::prelude::*;

use crate::{Outcome, RuleFile, RuleSet, Scanner};

const KERNEL: &str = "nodes/n/system-logs/journal/kernel.log";
const KUBELET: &str = "nodes/n/system-logs/journal/kubelet.log";
const DMESG: &str = "nodes/n/system/dmesg.txt";
const POD: &str = "nodes/n/container-logs/pods/a_b_c/d/0.log";

fn started() -> Timestamp {
    "2026-11-20T21:00:00Z".parse().unwrap()
}

/// Rules of our own, so that tests do not change with those that are built in.
static RULES: LazyLock<Arc<RuleSet>> = LazyLock::new(|| {
    let rule = |id: &str, sources: &str, rest: &str| {
        format!(
            "- id: {id}\n  summary: s\n  sources: [{sources}]\n  literals: [{id}]\n  signal: true\n{rest}  \
             fixtures: {{positive: [a {id} of x], negative: [another]}}\n"
        )
    };
    let text = [
        rule(
            "test-crash",
            "kernel, kubelet",
            "  regex: 'test-crash of (?P<what>\\w+)'\n  group_by: what\n",
        ),
        rule("test-word", "containers", "  window: 1h\n"),
    ];
    let file = RuleFile {
        name: "tests.yaml".to_owned(),
        text: text.concat(),
    };
    Arc::new(RuleSet::with_files(&[file]).unwrap())
});

fn scan(artifacts: &[(&str, &[u8])], piece: usize) -> Outcome {
    let scanner = Scanner::new(Arc::clone(&RULES), started());
    for (path, bytes) in artifacts {
        let Some(mut scan) = scanner.artifact(&path.parse().unwrap()) else {
            continue;
        };
        for piece in bytes.chunks(piece.max(1)) {
            scan.push(piece);
        }
        scanner.finish(scan);
    }
    scanner.outcome()
}

/// Line, second of the hour and captured name of each hit.
fn lines(outcome: &Outcome, rule: &str) -> Vec<(u64, Option<i64>, String)> {
    let hits = outcome.hits();
    let hits = hits.of(rule).iter();
    hits.map(|hit| {
        let second = hit.time.map(|time| time.as_second() % 3600);
        let what = hit.captures.get("what").cloned().unwrap_or_default();
        (hit.line, second, what)
    })
    .collect()
}

const JOURNAL: &str = "\
2026-11-20T20:00:01.000000+00:00 n kernel: quiet
2026-11-20T20:00:02.000000+00:00 n kernel: a test-crash of disk
2026-11-20T20:00:03.000000+00:00 n kernel: a test-crash
                                           and a test-crash of memory
-- Boot 0123456789abcdef0123456789abcdef --

2026-11-18T20:00:04.000000+00:00 n kernel: an old test-crash of disk
2026-11-20T20:00:05.000000+00:00 n kernel: WARNING: a test-crash of disk";

#[test]
fn lines_are_counted_from_one_and_have_the_time_of_their_entry() {
    let outcome = scan(&[(KERNEL, JOURNAL.as_bytes())], usize::MAX);
    let found = lines(&outcome, "test-crash");
    let expected = [(2, Some(2), "disk"), (4, Some(3), "memory"), (8, Some(5), "disk")];
    assert_eq!(
        found,
        expected.map(|(line, second, what)| (line, second, what.to_owned()))
    );
    assert_eq!(outcome.hits().count("test-crash"), 3);
    assert_eq!(
        outcome.hits().of("test-crash")[0].quote,
        JOURNAL.lines().nth(1).unwrap()
    );
    assert_eq!((outcome.lines, outcome.artifacts), (8, 1));
    let timeline = outcome.timeline();
    assert_eq!(timeline.entries.len(), 1);
    assert_eq!(timeline.entries[0].text, "WARNING: a test-crash of disk");
    assert_eq!(
        (timeline.entries[0].line, timeline.entries[0].source.as_str()),
        (Some(8), "kernel")
    );
}

#[test]
fn a_rule_sees_its_own_sources_and_a_log_counts_once() {
    let dmesg = b"[Fri Nov 20] a test-crash of dmesg\n";
    let pod = b"2026-11-20T20:30:00.123456789Z stdout F a test-crash of pod, test-word\n\
        2026-11-20T19:30:00.123456789Z stdout F test-word\n";
    let both = scan(&[(DMESG, dmesg), (KERNEL, JOURNAL.as_bytes()), (POD, pod)], 1000);
    assert_eq!(both.hits().count("test-crash"), 3);
    assert_eq!(lines(&both, "test-word"), [(1, Some(1800), String::new())]);
    let alone = scan(&[(DMESG, dmesg), (POD, pod)], 1000);
    assert_eq!(lines(&alone, "test-crash"), [(1, None, "dmesg".to_owned())]);
}

#[test]
fn levels_are_those_that_programs_write() {
    let pod = r#"2026-11-20T20:30:00.123456789Z stderr F E1120 20:30:00.123456       1 a.go:1] "broken"
2026-11-20T20:30:01.123456789Z stderr F I1120 20:30:00.123456       1 a.go:1] "an ERROR in words"
2026-11-20T20:30:02.123456789Z stderr F an error that nobody marked
2026-11-20T20:30:03.123456789Z stderr F time="2026-11-20T20:30:03Z" level=warning msg="x"
2026-11-20T20:30:04.123456789Z stdout F {"level":"error","msg":"x"}
2026-11-20T20:30:05.123456789Z stdout F {"level":"info","msg":"an ERROR in words"}
{"log":"W1120 20:30:06.123456       1 a.go:1] x\n","stream":"stderr","time":"2026-11-20T20:30:06.1Z"}
{"log":"{\"level\":\"error\"}\n","stream":"stderr","time":"2026-11-20T20:30:07.1Z"}
"#;
    let outcome = scan(&[(POD, pod.as_bytes())], 100);
    let found: Vec<_> = outcome
        .timeline()
        .entries
        .iter()
        .map(|entry| {
            (
                entry.line.unwrap(),
                format!("{:?}", entry.level),
                entry.time.as_second() % 60,
            )
        })
        .collect();
    let expected = [
        (1, "Error", 0),
        (4, "Warning", 3),
        (5, "Error", 4),
        (7, "Warning", 6),
        (8, "Error", 7),
    ];
    assert_eq!(
        found,
        expected.map(|(line, level, second)| (line, level.to_owned(), second))
    );
}

#[test]
fn of_a_very_long_line_only_the_start_is_seen_and_the_interesting_part_is_quoted() {
    let long = |before: usize| {
        let mut text = b"2026-11-20T20:00:02.000000+00:00 n kernel: ".to_vec();
        text.extend(vec![b'x'; before]);
        text.extend_from_slice("é a test-crash of disk".as_bytes());
        text.extend(vec![b'y'; 10_000]);
        text.extend_from_slice(b"\n2026-11-20T20:00:03.000000+00:00 n kernel: a test-crash of end\n");
        text
    };
    let near = scan(&[(KERNEL, &long(5000))], 999);
    let quote = near.hits().of("test-crash")[0].quote.clone();
    assert!(
        quote.starts_with('…') && quote.contains("a test-crash of disk") && quote.len() <= 400,
        "{quote}"
    );
    assert_eq!(near.hits().count("test-crash"), 2);
    let far = scan(&[(KERNEL, &long(9000))], 999);
    assert_eq!(lines(&far, "test-crash"), [(2, Some(3), "end".to_owned())]);
}

/// Pieces of logs that look like those that matter, to be put together by chance.
fn part() -> impl Strategy<Value = Vec<u8>> {
    let parts = [
        "\n",
        "\n",
        "\r\n",
        "2026-11-20T20:00:02.000000+00:00 n kernel: ",
        "2026-11-20T20:00:03.123456789Z stderr F ",
        "E1120 20:00:04.000000 1 a.go:1] ",
        "                    ",
        "a test-crash of disk",
        "test-crash of ",
        "test-word",
        " level=error ",
        "WARNING: ",
        "I/O error, dev sda, sector 1",
        "{\"log\":\"",
        "é\u{1F600}",
        "-- Boot --",
    ];
    let known = prop::sample::select(parts.to_vec()).prop_map(|part| part.as_bytes().to_vec());
    let long = (1..10_000_usize).prop_map(|len| vec![b'z'; len]);
    let any = prop::collection::vec(any::<u8>(), 0..20);
    prop_oneof![20 => known, 1 => long, 2 => any]
}

proptest! {
    #[test]
    fn the_cuts_between_pieces_make_no_difference(
        parts in prop::collection::vec(part(), 0..60),
        path in prop::sample::select(vec![KERNEL, KUBELET, DMESG, POD]),
        cuts in prop::collection::vec(1..3000_usize, 1..50),
    ) {
        let text = parts.concat();
        let whole = scan(&[(path, &text)], usize::MAX);
        let scanner = Scanner::new(Arc::clone(&RULES), started());
        let mut pieces = scanner.artifact(&path.parse().unwrap()).unwrap();
        let mut rest = text.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        scanner.finish(pieces);
        let in_pieces = scanner.outcome();
        prop_assert_eq!(in_pieces.hits(), whole.hits());
        prop_assert_eq!(in_pieces.timeline(), whole.timeline());
        prop_assert_eq!(in_pieces.lines, text.split_inclusive(|&b| b == b'\n').count() as u64);
        for hit in ["test-crash", "test-word", "io-errors"].iter().flat_map(|rule| whole.hits().of(rule).to_vec()) {
            prop_assert!(hit.quote.len() <= 400);
        }
    }
}

#[test]
fn the_rule_of_the_programming_guide_is_in_order() {
    let guide = include_str!("../../../docs/programming-guide.md");
    let rules: Vec<_> = guide
        .split("```yaml")
        .skip(1)
        .filter_map(|text| text.split("```").next())
        .collect();
    assert_eq!(rules.len(), 1);
    let file = RuleFile {
        name: "programming-guide.md".to_owned(),
        text: rules.concat(),
    };
    assert_eq!(RuleSet::lint(&[file]), []);
}
