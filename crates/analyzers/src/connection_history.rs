//! Whether something that the node needs was out of reach in the last hours, though it can be reached now: from the
//! samples that the agent took between runs.

use jiff::Timestamp;
use periscope_core::{AnalyzeError, Analyzer, AnalyzerDescriptor, Fault, Finding, Inputs, Severity};
use periscope_documents::{Connection, DownPeriod, names};

use crate::artifact;
use crate::document::{self, Document};
use crate::span;

/// One try that failed may be one lost packet; a second one is some seconds later at least.
const MIN_SAMPLES: u64 = 2;
/// Single failed tries are told of from here on.
const MIN_BLIPS: usize = 3;
/// Most periods that are named in a finding; the document has them all.
const MAX_PERIODS: usize = 5;

static CONNECTION_WAS_DOWN: Fault = Fault {
    id: "connection-was-down",
    summary: "Something that the node needs was out of reach for a while",
    severity: Severity::Medium,
    caused_by: &[
        "dns-server-failing",
        "conntrack-full",
        "packet-drops",
        "cpu-pressure",
        "memory-pressure",
    ],
    remedy: "Compare the times with changes of routes, firewall and DNS, with upgrades of the cluster, and with the node's load.",
};

static DESCRIPTOR: AnalyzerDescriptor = AnalyzerDescriptor {
    id: "connection-history",
    summary: "Whether connections that the node needs were down between runs, by the agent's samples",
    faults: &[&CONNECTION_WAS_DOWN],
};

/// Judges what the agent sampled.
pub(crate) struct ConnectionHistory;

impl Analyzer for ConnectionHistory {
    fn descriptor(&self) -> &'static AnalyzerDescriptor {
        &DESCRIPTOR
    }

    fn analyze(&self, inputs: &dyn Inputs) -> Result<Vec<Finding>, AnalyzeError> {
        // Archives of programs before this one have no word on it.
        if !artifact::is_planned(inputs, names::NETWORK_OUTBOUND, names::DOWN_PERIODS) {
            return Ok(Vec::new());
        }
        let (text, periods) = match document::read(inputs, names::NETWORK_OUTBOUND, names::DOWN_PERIODS)? {
            Document::Whole(text, periods) => (text, periods),
            Document::NoSuchThing => {
                return Ok(vec![DESCRIPTOR.pass("No agent samples connections on this node.")]);
            }
            Document::Incomplete(why) => {
                return Ok(vec![document::unknown(&DESCRIPTOR, names::NETWORK_OUTBOUND, &why)]);
            }
        };
        let down_now = down_now(inputs)?;
        let mut connections = by_connection(periods);
        connections.retain(is_worth_telling);
        if connections.is_empty() {
            let pass =
                "Nothing that the node needs was out of reach for long in the last 24 hours, by the agent's samples.";
            return Ok(vec![DESCRIPTOR.pass(pass)]);
        }
        let mut findings = Vec::new();
        for periods in connections {
            let Some((_, last)) = periods.last() else { continue };
            // What cannot be reached now is a finding of its own, of the run's own try.
            if down_now.contains(&last.kind) {
                continue;
            }
            let target = format!("{} ({}:{})", last.kind, last.host, last.port);
            let lines = periods.iter().rev().take(MAX_PERIODS);
            let evidence = lines.map(|(line, _)| text.evidence(*line));
            let title = title(&target, &periods, inputs.started());
            findings.push(CONNECTION_WAS_DOWN.warn(&target, title).evidences(evidence));
        }
        if findings.is_empty() {
            findings.push(DESCRIPTOR.pass("What was out of reach is so now, of which the run's own tries tell."));
        }
        Ok(findings)
    }
}

/// The types of connections that failed in the run itself.
fn down_now(inputs: &dyn Inputs) -> Result<Vec<String>, AnalyzeError> {
    Ok(
        match document::read(inputs, names::NETWORK_OUTBOUND, names::CONNECTIONS)? {
            Document::Whole(_, connections) => {
                let connections = connections
                    .into_iter()
                    .map(|(_, connection): (u64, Connection)| connection);
                connections.filter(|c| !c.is_connected()).map(|c| c.kind).collect()
            }
            Document::NoSuchThing | Document::Incomplete(_) => Vec::new(),
        },
    )
}

type Periods = Vec<(u64, DownPeriod)>;

fn by_connection(periods: Periods) -> Vec<Periods> {
    let mut connections: Vec<Periods> = Vec::new();
    for (line, period) in periods {
        let same = |known: &&mut Periods| {
            let first = known.first().map(|(_, first)| (&first.kind, &first.host, first.port));
            first == Some((&period.kind, &period.host, period.port))
        };
        match connections.iter_mut().find(same) {
            Some(known) => known.push((line, period)),
            None => connections.push(vec![(line, period)]),
        }
    }
    connections
}

fn is_worth_telling(periods: &Periods) -> bool {
    let is_needed = periods.iter().any(|(_, period)| !period.optional);
    is_needed && (periods.len() >= MIN_BLIPS || periods.iter().any(|(_, period)| period.samples >= MIN_SAMPLES))
}

fn title(target: &str, periods: &Periods, now: Timestamp) -> String {
    let is_down = periods.iter().any(|(_, period)| period.is_down_still());
    let verb = if is_down { "is out of reach" } else { "was out of reach" };
    let mut named: Vec<String> = periods
        .iter()
        .rev()
        .take(MAX_PERIODS)
        .map(|(_, p)| in_words(p, now))
        .collect();
    if periods.len() > MAX_PERIODS {
        named.push(format!("and {} more times before", periods.len() - MAX_PERIODS));
    }
    format!("{target} {verb}, by the agent's samples: {}.", named.join("; "))
}

fn in_words(period: &DownPeriod, now: Timestamp) -> String {
    let start = period.start.strftime("%Y-%m-%dT%H:%M:%SZ");
    let length = |end: Timestamp| span::words(end.duration_since(period.start));
    let error = &period.error;
    match period.end {
        Some(end) => format!("from {start} for {} ({error})", length(end)),
        None if period.unknown_after => format!(
            "from {start} for {} at least, and nobody sampled after that ({error})",
            length(period.last_failure)
        ),
        None => format!("since {start}, {} ago ({error})", length(now)),
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::{Analyzer, State, Verdict};
    use periscope_documents::{Connection, DownPeriod, names, to_lines};
    use rstest::rstest;

    use super::ConnectionHistory;
    use crate::fixture::Artifacts;
    use crate::segments::tests::sample;

    /// Down at 09:`minute`, for a minute, by so many samples.
    fn period(kind: &str, minute: i64, samples: u64) -> DownPeriod {
        let at = |minute: i64, second: i64| format!("2026-11-20T09:{minute:02}:{second:02}Z").parse().unwrap();
        DownPeriod {
            kind: kind.to_owned(),
            host: "host.example".to_owned(),
            port: 443,
            optional: false,
            start: at(minute, 0),
            end: Some(at(minute + 1, 0)),
            last_failure: at(minute, 55),
            unknown_after: false,
            error: "tcp: timed out".to_owned(),
            other_errors: Vec::new(),
            samples,
        }
    }

    fn findings(periods: &[DownPeriod], connections: &[Connection]) -> Vec<(Verdict, String, Vec<u64>)> {
        let artifacts = Artifacts::default()
            .with(names::NETWORK_OUTBOUND, names::DOWN_PERIODS, to_lines(periods).unwrap())
            .with(
                names::NETWORK_OUTBOUND,
                names::CONNECTIONS,
                to_lines(connections).unwrap(),
            );
        let found = ConnectionHistory.analyze(&artifacts).unwrap();
        let rows = found.into_iter();
        rows.map(|f| (f.verdict, f.title, f.evidence.iter().filter_map(|e| e.line).collect()))
            .collect()
    }

    #[test]
    fn a_connection_that_was_down_and_is_not_now_is_a_finding() {
        let found = findings(
            &[period("y", 1, 9), period("x", 3, 12), period("x", 30, 1)],
            &[sample("x", 0, "Connected"), sample("y", 0, "Error: tcp: timed out")],
        );
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].0, found[0].2.as_slice()), (Verdict::Warn, &[4, 3][..]));
        assert_eq!(
            found[0].1,
            "x (host.example:443) was out of reach, by the agent's samples: from 2026-11-20T09:30:00Z for 60 s \
             (tcp: timed out); from 2026-11-20T09:03:00Z for 60 s (tcp: timed out)."
        );
    }

    #[test]
    fn how_it_ended_is_told() {
        let still = DownPeriod {
            end: None,
            ..period("DNS", 50, 9)
        };
        let found = findings(&[still], &[]);
        assert!(
            found[0].1.ends_with(
                "is out of reach, by the agent's samples: since 2026-11-20T09:50:00Z, 10 min ago (tcp: timed out)."
            ),
            "{}",
            found[0].1
        );
        let unknown = DownPeriod {
            end: None,
            unknown_after: true,
            ..period("x", 50, 9)
        };
        let found = findings(&[unknown], &[]);
        assert!(
            found[0].1.contains("for 55 s at least, and nobody sampled after that"),
            "{}",
            found[0].1
        );
    }

    #[rstest]
    #[case::never(vec![])]
    #[case::one_lost_try(vec![period("x", 1, 1), period("x", 9, 1), period("y", 1, 1)])]
    #[case::optional(vec![DownPeriod { optional: true, ..period("x", 1, 99) }])]
    fn what_is_no_finding(#[case] periods: Vec<DownPeriod>) {
        let found = findings(&periods, &[sample("x", 0, "Connected")]);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [Verdict::Pass]);
    }

    #[test]
    fn what_is_down_now_is_told_of_elsewhere() {
        let found = findings(&[period("x", 1, 99)], &[sample("x", 0, "Error: tcp: timed out")]);
        assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [Verdict::Pass]);
    }

    #[test]
    fn many_tries_lost_one_by_one_are_a_finding_that_names_the_last_of_them() {
        let periods: Vec<_> = (0..7).map(|n| period("x", n * 2, 1)).collect();
        let found = findings(&periods, &[]);
        assert_eq!(
            (found[0].0, found[0].2.as_slice()),
            (Verdict::Warn, &[8, 7, 6, 5, 4][..])
        );
        assert!(found[0].1.ends_with("; and 2 more times before."), "{}", found[0].1);
    }

    #[rstest]
    #[case::no_agent(Artifacts::default().without(names::NETWORK_OUTBOUND, names::DOWN_PERIODS, State::NotPresent), &[Verdict::Pass])]
    #[case::of_an_older_program(Artifacts::default(), &[])]
    #[case::spoilt(Artifacts::default().without(names::NETWORK_OUTBOUND, names::DOWN_PERIODS, State::Failed), &[Verdict::Unknown])]
    fn without_samples(#[case] artifacts: Artifacts, #[case] expected: &[Verdict]) {
        let found = ConnectionHistory.analyze(&artifacts).unwrap();
        assert_eq!(found.iter().map(|f| f.verdict).collect::<Vec<_>>(), expected);
    }
}
