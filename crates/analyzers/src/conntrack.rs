//! Whether the kernel's table of connections has room: when it is full, packets of new connections are dropped.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Evidence, Fault, Finding, Inputs, Severity};
use periscope_documents::names;

use crate::artifact::{self, Artifact, Text};
use crate::document::unknown;

/// Fill of the table, in percent, that is unusual; bursts then find it full.
const WARN_PERCENT: u64 = 90;
/// Fill at which new connections are refused now or within moments.
const FAIL_PERCENT: u64 = 98;

static CONNTRACK_FULL: Fault = Fault {
    id: "conntrack-full",
    summary: "The kernel's table of connections is full, or nearly",
    severity: Severity::Critical,
    caused_by: &[],
    remedy: "Raise `net.netfilter.nf_conntrack_max` (AKS: `--linux-os-config`), and find in `network-state/sockets.txt` or \
             with `conntrack -L` who opens so many connections.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "conntrack",
    summary: "Whether the kernel's table of connections has room",
    faults: &[&CONNTRACK_FULL],
};

/// Judges the table of connections.
pub(crate) struct Conntrack;

impl Analyzer for Conntrack {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let fill = match artifact::read(inputs, names::IPTABLES, names::CONNTRACK)? {
            Artifact::Whole(fill) => fill,
            Artifact::NoSuchThing => return Ok(vec![DESCRIPTOR.pass("The kernel tracks no connections.")]),
            Artifact::Incomplete(why) => return Ok(vec![unknown(&DESCRIPTOR, names::IPTABLES, &why)]),
        };
        let value = |name: &str| value(&fill.text, name);
        let (Some((count_line, count)), Some((max_line, max))) =
            (value("nf_conntrack_count"), value("nf_conntrack_max"))
        else {
            return Err(fill.not_understood(&"expected nf_conntrack_count and nf_conntrack_max"));
        };
        // A limit of 0 is none.
        let percent = (count * 100).checked_div(max).unwrap_or(0);
        let says = format!("the table of connections is {percent} % full ({count} of {max} entries)");
        if percent < WARN_PERCENT {
            let pass = DESCRIPTOR.pass(format!("There is room: {says}."));
            return Ok(vec![pass.evidence(fill.evidence(count_line))]);
        }
        let losses = match artifact::read(inputs, names::IPTABLES, names::CONNTRACK_STATS)? {
            Artifact::Whole(stats) => losses(&stats),
            Artifact::NoSuchThing | Artifact::Incomplete(_) => None,
        };
        let evidence = [fill.evidence(count_line), fill.evidence(max_line)];
        let object = "the table of connections";
        Ok(vec![match losses {
            Some((lost, line)) => CONNTRACK_FULL
                .fail(
                    object,
                    format!("Connections are dropped: {says}, {lost} were dropped since boot."),
                )
                .evidences(evidence)
                .evidence(line),
            None if percent >= FAIL_PERCENT => CONNTRACK_FULL
                .fail(object, format!("New connections are about to be dropped: {says}."))
                .evidences(evidence),
            None => CONNTRACK_FULL
                .warn(object, format!("There is hardly room for new connections: {says}."))
                .evidences(evidence),
        }])
    }
}

/// The value of a kernel setting among `path:value` lines, with its line.
fn value(text: &str, name: &str) -> Option<(u64, u64)> {
    (1..).zip(text.lines()).find_map(|(number, line)| {
        let (path, value) = line.rsplit_once(':')?;
        (path.rsplit('/').next() == Some(name)).then(|| Some((number, value.trim().parse().ok()?)))?
    })
}

/// Packets that found no room and connections that were forgotten to make some, over all CPUs, and the line of the CPU
/// that lost most. The columns `drop`, `insert_failed` and `early_drop` say so; a row for each CPU, in hexadecimal
/// (`nf_conntrack_standalone.c`, `ct_cpu_seq_show`).
fn losses(stats: &Text) -> Option<(u64, Evidence)> {
    let mut lines = (1..).zip(stats.text.lines());
    let (_, heading) = lines.next()?;
    let columns: Vec<usize> = heading
        .split_ascii_whitespace()
        .enumerate()
        .filter(|(_, name)| matches!(*name, "drop" | "early_drop" | "insert_failed"))
        .map(|(column, _)| column)
        .collect();
    let rows: Vec<(u64, u64)> = lines
        .map(|(number, line)| {
            let words: Vec<&str> = line.split_ascii_whitespace().collect();
            let lost = columns
                .iter()
                .filter_map(|column| u64::from_str_radix(words.get(*column)?, 16).ok());
            (lost.sum(), number)
        })
        .collect();
    let all = rows.iter().map(|(lost, _)| lost).sum();
    let (most, line) = rows
        .iter()
        .max_by_key(|(lost, number)| (*lost, std::cmp::Reverse(*number)))?;
    (*most > 0).then(|| (all, stats.evidence(*line)))
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, State, Verdict};
    use periscope_documents::names;
    use rstest::rstest;

    use super::Conntrack;
    use crate::fixture::Artifacts;

    const STATS: &str = "\
entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new
0003ff00  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000  00000000
0003ff00  00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000001 0000001f 00000000 00000000  00000000
";

    fn node(count: u64, stats: &str) -> Artifacts {
        let folder = "/proc/sys/net/netfilter";
        let text = format!(
            "{folder}/nf_conntrack_count:{count}\n{folder}/nf_conntrack_max:262144\n{folder}/nf_conntrack_buckets:1\n"
        );
        Artifacts::default().with(names::IPTABLES, names::CONNTRACK, text).with(
            names::IPTABLES,
            names::CONNTRACK_STATS,
            stats,
        )
    }

    #[rstest]
    #[case::healthy(1_200, "", Verdict::Pass, "0 % full")]
    #[case::losses_long_ago(1_200, STATS, Verdict::Pass, "There is room")]
    #[case::near(240_000, "", Verdict::Warn, "91 % full (240000 of 262144 entries)")]
    #[case::near_with_losses(240_000, STATS, Verdict::Fail, "32 were dropped since boot")]
    #[case::full(262_144, "", Verdict::Fail, "100 % full")]
    fn fills(#[case] count: u64, #[case] stats: &str, #[case] verdict: Verdict, #[case] words: &str) {
        let found = Conntrack.analyze(&node(count, stats)).unwrap();
        assert_eq!((found.len(), found[0].verdict), (1, verdict));
        assert!(found[0].title.contains(words), "{}", found[0].title);
    }

    #[test]
    fn the_evidence_is_fill_limit_and_the_cpu_that_lost_most() {
        let found = Conntrack.analyze(&node(262_144, STATS)).unwrap();
        let lines: Vec<_> = found[0].evidence.iter().map(|e| (e.file.as_str(), e.line)).collect();
        assert_eq!(
            lines,
            [
                ("nodes/node1/iptables/conntrack.txt", Some(1)),
                ("nodes/node1/iptables/conntrack.txt", Some(2)),
                ("nodes/node1/iptables/conntrack-stats.txt", Some(3))
            ]
        );
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        let denied = Artifacts::default().without(names::IPTABLES, names::CONNTRACK, State::Denied);
        for artifacts in [Artifacts::default(), denied] {
            assert_eq!(Conntrack.analyze(&artifacts).unwrap()[0].verdict, Verdict::Unknown);
        }
        let none = Artifacts::default().without(names::IPTABLES, names::CONNTRACK, State::NotPresent);
        assert_eq!(Conntrack.analyze(&none).unwrap()[0].verdict, Verdict::Pass);
    }
}
