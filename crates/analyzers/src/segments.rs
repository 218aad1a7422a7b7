//! Joins the samples of one connection into stretches of time with one status; judges none of them.

use jiff::{SignedDuration, Timestamp};
use periscope_documents::Connection;

/// Samples further apart than this say nothing about the time between them (Periscope contract, section 1.4).
const MAX_GAP: SignedDuration = SignedDuration::from_secs(5);

/// A stretch of time in which a connection had one status.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// First sample.
    pub(crate) start: Timestamp,
    /// Last sample.
    pub(crate) end: Timestamp,
    /// What the connection was like.
    pub(crate) status: String,
}

/// All samples of one connection, in the order of time.
pub(crate) struct Samples {
    /// The connection's type.
    pub(crate) kind: String,
    /// Line in the document, and sample.
    pub(crate) samples: Vec<(u64, Connection)>,
}

/// Sorts samples by connection, in the order in which connections first appear, and by time.
pub(crate) fn by_connection(samples: Vec<(u64, Connection)>) -> Vec<Samples> {
    let mut connections: Vec<Samples> = Vec::new();
    for (line, sample) in samples {
        match connections.iter_mut().find(|known| known.kind == sample.kind) {
            Some(known) => known.samples.push((line, sample)),
            None => connections.push(Samples {
                kind: sample.kind.clone(),
                samples: vec![(line, sample)],
            }),
        }
    }
    for connection in &mut connections {
        connection.samples.sort_by_key(|(_, sample)| sample.start);
    }
    connections
}

impl Samples {
    /// The samples as stretches of one status each: a new one begins where the status changes or after a gap.
    pub(crate) fn segments(&self) -> Vec<Segment> {
        let mut segments: Vec<Segment> = Vec::new();
        for (_, sample) in &self.samples {
            match segments.last_mut() {
                Some(last) if last.status == sample.status && sample.start.duration_since(last.end) <= MAX_GAP => {
                    last.end = sample.start;
                }
                _ => segments.push(Segment {
                    start: sample.start,
                    end: sample.start,
                    status: sample.status.clone(),
                }),
            }
        }
        segments
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use periscope_documents::{Connection, Network};
    use rstest::rstest;

    use super::by_connection;

    /// A sample of `kind` at second `second` of a minute.
    pub(crate) fn sample(kind: &str, second: i64, status: &str) -> Connection {
        Connection {
            kind: kind.to_owned(),
            from: Network::Node,
            host: "host.example".to_owned(),
            port: 443,
            optional: false,
            start: format!("2026-11-20T10:00:{second:02}.25Z").parse().unwrap(),
            millis: 10,
            status: status.to_owned(),
            dns: None,
            tcp: Vec::new(),
            tls: None,
            http: None,
        }
    }

    #[rstest]
    #[case::one(&[(0, "Connected")], &[(0, 0, "Connected")])]
    #[case::steady(&[(0, "Connected"), (5, "Connected"), (10, "Connected")], &[(0, 10, "Connected")])]
    #[case::gap(&[(0, "Connected"), (6, "Connected")], &[(0, 0, "Connected"), (6, 6, "Connected")])]
    #[case::down(&[(0, "Connected"), (2, "Error: tcp"), (4, "Error: tcp"), (6, "Connected")],
        &[(0, 0, "Connected"), (2, 4, "Error: tcp"), (6, 6, "Connected")])]
    #[case::another_error(&[(0, "Error: dns"), (2, "Error: tcp")], &[(0, 0, "Error: dns"), (2, 2, "Error: tcp")])]
    #[case::out_of_order(&[(4, "Connected"), (0, "Connected")], &[(0, 4, "Connected")])]
    fn stretches(#[case] samples: &[(i64, &str)], #[case] expected: &[(i64, i64, &str)]) {
        let lines = (2..)
            .zip(samples.iter().map(|(second, status)| sample("x", *second, status)))
            .collect();
        let connections = by_connection(lines);
        assert_eq!(connections.len(), 1);
        let found: Vec<_> = connections[0].segments();
        let base = sample("x", 0, "").start;
        let found: Vec<_> = found
            .iter()
            .map(|s| {
                (
                    s.start.duration_since(base).as_secs(),
                    s.end.duration_since(base).as_secs(),
                    s.status.as_str(),
                )
            })
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn connections_are_kept_apart() {
        let lines = vec![
            (2, sample("a", 0, "x")),
            (3, sample("b", 0, "x")),
            (4, sample("a", 1, "x")),
        ];
        let kinds: Vec<_> = by_connection(lines)
            .into_iter()
            .map(|c| (c.kind, c.samples.len()))
            .collect();
        assert_eq!(kinds, [("a".to_owned(), 2), ("b".to_owned(), 1)]);
    }
}
