//! Whether packets or connections are lost on the node now: counters that grew while it was looked at, and losses that
//! are a large part of all traffic since boot.

use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{NetworkCounter, names};

use crate::document::{self, Document, unknown};

/// Most findings; further ones are counted.
const MAX_FINDINGS: usize = 4;

/// Losses since boot count when there are so many of them, and they are such a part of the whole, in percent.
const EVER_LEAST: u64 = 10_000;
const EVER_PERCENT: u64 = 5;

static PACKET_DROPS: Fault = Fault {
    id: "packet-drops",
    summary: "Packets or connections are dropped on the node",
    severity: Severity::Medium,
    caused_by: &["conntrack-full", "cpu-pressure", "memory-pressure", "soft-lockup"],
    remedy: "Look in `network-state/counters.txt` which counters grow, and at the load of the process or interface that is named.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "packet-drops",
    summary: "Whether packets or connections are dropped on the node",
    faults: &[&PACKET_DROPS],
};

/// When the growth of a counter between two readings is trouble: at least so much, at least such a part in percent.
struct Limit {
    counter: &'static str,
    least: u64,
    percent: u64,
    /// What happened, in a sentence after the number.
    words: &'static str,
}

const fn limit(counter: &'static str, least: u64, percent: u64, words: &'static str) -> Limit {
    Limit {
        counter,
        least,
        percent,
        words,
    }
}

/// A few drops an hour are normal everywhere: broadcasts that nobody wants, bursts. A process that does not accept its
/// connections loses every one, so a few are enough.
const LIMITS: [Limit; 9] = [
    limit(
        "listen-overflows",
        3,
        0,
        "connections were dropped because a process accepts too slowly",
    ),
    limit(
        "softnet-dropped",
        1,
        0,
        "packets were dropped because the processor was too slow to take them",
    ),
    limit("rx-dropped", 20, 1, "received packets were dropped"),
    limit("rx-errors", 20, 1, "received packets had errors"),
    limit("tx-dropped", 20, 1, "packets to send were dropped"),
    limit("tx-errors", 20, 1, "packets could not be sent"),
    limit(
        "tcp-backlog-drops",
        20,
        0,
        "packets were dropped because a process reads too slowly",
    ),
    limit(
        "udp-receive-buffer-errors",
        20,
        0,
        "datagrams were dropped because a process reads too slowly",
    ),
    limit("tcp-retransmits", 100, 5, "packets had to be sent again"),
];

/// Finds losses.
pub(crate) struct PacketDrops;

impl Analyzer for PacketDrops {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        let read = document::read::<NetworkCounter>(inputs, names::NETWORK_STATE, names::NETWORK_COUNTERS)?;
        let (text, rows) = match read {
            Document::Whole(text, rows) => (text, rows),
            Document::NoSuchThing => {
                let why = "The counters of the node's network are not to be seen";
                return Ok(vec![unknown(&DESCRIPTOR, names::NETWORK_STATE, why)]);
            }
            Document::Incomplete(why) => return Ok(vec![unknown(&DESCRIPTOR, names::NETWORK_STATE, &why)]),
        };
        let mut lossy: Vec<_> = rows
            .iter()
            .filter_map(|(line, row)| Some((line, row, judge(row)?)))
            .collect();
        lossy.sort_by_key(|(_, row, _)| std::cmp::Reverse((row.grew, row.total)));
        let mut findings: Vec<_> = lossy
            .iter()
            .take(MAX_FINDINGS)
            .map(|(line, row, words)| {
                PACKET_DROPS
                    .warn(&*row.object, format!("{}: {words}.", row.object))
                    .evidence(text.evidence(**line))
            })
            .collect();
        if let Some((line, _, _)) = lossy.get(MAX_FINDINGS) {
            let title = format!("{} more counters of losses grow.", lossy.len() - MAX_FINDINGS);
            findings.push(
                PACKET_DROPS
                    .warn("other objects", title)
                    .evidence(text.evidence(**line)),
            );
        }
        if findings.is_empty() {
            findings.push(DESCRIPTOR.pass("No packets were dropped that matter."));
        }
        Ok(findings)
    }
}

/// What is to be said of a counter, when anything is.
fn judge(row: &NetworkCounter) -> Option<String> {
    let limit = LIMITS.iter().find(|limit| limit.counter == row.counter)?;
    if row.grew >= limit.least && is_part(row.grew, row.of_grew, limit.percent) {
        let of = if limit.percent > 0 && row.of_grew > 0 {
            format!(" of {}", row.of_grew)
        } else {
            String::new()
        };
        return Some(format!("{}{of} {} within {} ms", row.grew, limit.words, row.millis));
    }
    let is_packets = limit.percent > 0;
    if is_packets && row.total >= EVER_LEAST && is_part(row.total, row.of, EVER_PERCENT) {
        return Some(format!("{} of {} {} since it was made", row.total, row.of, limit.words));
    }
    None
}

fn is_part(part: u64, whole: u64, percent: u64) -> bool {
    u128::from(part) * 100 >= u128::from(whole) * u128::from(percent)
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, Finding, State, Verdict};
    use periscope_documents::{NetworkCounter, names, to_lines};
    use rstest::rstest;

    use super::PacketDrops;
    use crate::fixture::Artifacts;

    fn row(object: &str, counter: &str, (total, of): (u64, u64), (grew, of_grew): (u64, u64)) -> NetworkCounter {
        NetworkCounter {
            object: object.to_owned(),
            counter: counter.to_owned(),
            total,
            of,
            grew,
            of_grew,
            millis: 2000,
        }
    }

    fn findings(rows: &[NetworkCounter]) -> Vec<Finding> {
        let artifacts =
            Artifacts::default().with(names::NETWORK_STATE, names::NETWORK_COUNTERS, to_lines(rows).unwrap());
        PacketDrops.analyze(&artifacts).unwrap()
    }

    #[test]
    fn a_healthy_node_passes() {
        let found = findings(&[
            row("interface eth0", "rx-dropped", (900, 20_000_000), (1, 30)),
            row("interface lo", "rx-dropped", (30_000, 30_000_000), (0, 0)),
            row("node", "listen-overflows", (5_000, 90_000), (0, 4)),
            row("node", "tcp-retransmits", (10_000, 9_000_000), (3, 10)),
            row("cpu 0", "softnet-squeezed", (99, 100), (99, 100)),
        ]);
        assert_eq!(
            found.iter().map(|f| f.verdict).collect::<Vec<_>>(),
            [Verdict::Pass],
            "{found:?}"
        );
    }

    #[rstest]
    #[case::overflow(row("default/web-0", "listen-overflows", (7, 0), (7, 0)),
        "default/web-0: 7 connections were dropped because a process accepts too slowly within 2000 ms.")]
    #[case::softnet(row("cpu 1", "softnet-dropped", (2, 100), (2, 100)), "cpu 1: 2 packets were dropped")]
    #[case::now(row("interface eth0", "rx-dropped", (500, 90_000_000), (400, 2_000)), "400 of 2000 received packets")]
    #[case::ever(row("interface eth0", "tx-errors", (60_000, 1_000_000), (0, 0)), "60000 of 1000000 packets could not be sent since")]
    fn losses_are_found(#[case] row: NetworkCounter, #[case] words: &str) {
        let found = findings(&[row]);
        assert_eq!((found.len(), found[0].verdict), (1, Verdict::Warn));
        assert!(found[0].title.contains(words), "{}", found[0].title);
        assert_eq!(found[0].evidence[0].line, Some(2));
    }

    #[test]
    fn of_many_the_worst_are_named() {
        let rows: Vec<_> = (0..9)
            .map(|n| row(&format!("default/web-{n}"), "listen-overflows", (n, 0), (3 + n, 0)))
            .collect();
        let found = findings(&rows);
        assert_eq!(found.len(), 5);
        assert_eq!(found[0].object, "default/web-8");
        assert!(found[4].title.starts_with("5 more"), "{}", found[4].title);
    }

    #[test]
    fn what_is_not_known_is_not_passed() {
        let denied = Artifacts::default().without(names::NETWORK_STATE, names::NETWORK_COUNTERS, State::Denied);
        assert_eq!(PacketDrops.analyze(&denied).unwrap()[0].verdict, Verdict::Unknown);
    }
}
