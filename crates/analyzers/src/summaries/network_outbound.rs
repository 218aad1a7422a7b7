//! `networkoutbound`: each connection's stretches of one status, as one JSON array: of the last hours, where an agent
//! sampled them, and of the run itself.

use jiff::{SignedDuration, Timestamp};
use periscope_core::{AnalyzeError, Inputs};
use periscope_documents::{Connection, ConnectionStretch, from_lines, names};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::artifact::{self, Artifact};
use crate::segments::by_connection;

/// RFC 3339 without fractions, as the original writes times.
const WHOLE_SECONDS: &str = "%Y-%m-%dT%H:%M:%SZ";
/// Most stretches of one type: `az aks kanalyze` shows a line for each.
const MAX_ROWS: usize = 20;
/// How old the newest sample may be that the run's own try goes on from: the agent writes what grows every minute, and
/// samples twice a minute at least.
const MAX_AGE: SignedDuration = SignedDuration::from_mins(2);

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Row {
    kind: String,
    start: Timestamp,
    end: Timestamp,
    status: String,
}

/// The document; an empty array when no connection was tried.
///
/// # Errors
/// When the connections cannot be read or understood.
pub fn network_outbound(inputs: &dyn Inputs) -> Result<Vec<u8>, AnalyzeError> {
    let connections = by_connection(elements(inputs, names::CONNECTIONS)?);
    let stretches = elements::<ConnectionStretch>(inputs, names::SAMPLES)?;
    let mut sampled = rows_of_samples(stretches.into_iter().map(|(_, stretch)| stretch));
    let mut rows = Vec::new();
    for connection in &connections {
        let (past, others) = sampled.into_iter().partition(|row: &Row| row.kind == connection.kind);
        sampled = others;
        let present = connection.segments().into_iter().map(|segment| Row {
            kind: connection.kind.clone(),
            start: segment.start,
            end: segment.end,
            status: segment.status,
        });
        rows.extend(in_short(past, present.collect()));
    }
    // What only the agent tries: the name servers.
    while let Some(first) = sampled.first() {
        let kind = first.kind.clone();
        let (past, others) = sampled.into_iter().partition(|row: &Row| row.kind == kind);
        sampled = others;
        rows.extend(in_short(past, Vec::new()));
    }
    let rows = rows.into_iter().map(|row| {
        // The original's fields in the original's order (Periscope contract, section 1.4).
        json!({
            "HostName": inputs.node(),
            "Type": row.kind,
            "Start": row.start.strftime(WHOLE_SECONDS).to_string(),
            "End": row.end.strftime(WHOLE_SECONDS).to_string(),
            "Status": row.status,
        })
    });
    Ok(rows.collect::<Value>().to_string().into_bytes())
}

/// A document's elements; none where it is not there whole.
fn elements<T: DeserializeOwned>(inputs: &dyn Inputs, name: &str) -> Result<Vec<(u64, T)>, AnalyzeError> {
    match artifact::read(inputs, names::NETWORK_OUTBOUND, name)? {
        Artifact::Whole(text) => from_lines(&text.text).map_err(|error| text.not_understood(&error)),
        Artifact::NoSuchThing | Artifact::Incomplete(_) => Ok(Vec::new()),
    }
}

/// The stretches, joined where the agent divided what had one status all the time.
fn rows_of_samples(stretches: impl Iterator<Item = ConnectionStretch>) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for stretch in stretches {
        match rows.last_mut() {
            Some(last) if stretch.continues && (&last.kind, &last.status) == (&stretch.kind, &stretch.status) => {
                last.end = last.end.max(stretch.end);
            }
            _ => rows.push(Row {
                kind: stretch.kind,
                start: stretch.start,
                end: stretch.end,
                status: stretch.status,
            }),
        }
    }
    rows
}

/// One connection's rows, the run's own last: so many that a person reads them, and of those before rather the ones
/// that tell of a fault.
fn in_short(mut past: Vec<Row>, present: Vec<Row>) -> Vec<Row> {
    past.sort_by_key(|row| row.start);
    let mut present = present.into_iter();
    let mut own: Vec<Row> = Vec::new();
    if let Some(first) = present.next() {
        let goes_on = past.pop_if(|last| {
            let age = first.start.duration_since(last.end);
            last.status == first.status && -MAX_AGE <= age && age <= MAX_AGE
        });
        own.push(Row {
            start: goes_on.map_or(first.start, |last| last.start.min(first.start)),
            ..first
        });
    }
    own.extend(present);
    let room = MAX_ROWS.saturating_sub(own.len());
    let faults = past.iter().filter(|row| row.status != Connection::CONNECTED).count();
    let mut faults_over = faults.saturating_sub(room);
    let mut others_over = (past.len() - faults).saturating_sub(room - faults.min(room));
    // The oldest of each kind go first.
    past.retain(|row| {
        let over = if row.status == Connection::CONNECTED {
            &mut others_over
        } else {
            &mut faults_over
        };
        let goes = *over > 0;
        *over = over.saturating_sub(1);
        !goes
    });
    past.append(&mut own);
    past
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use periscope_core::State;
    use periscope_documents::{Connection, ConnectionStretch, names, to_lines};
    use rstest::rstest;
    use serde_json::Value;

    use super::{MAX_ROWS, network_outbound};
    use crate::fixture::Artifacts;
    use crate::segments::tests::sample;

    #[test]
    fn the_shape_is_the_originals() {
        let samples = [
            sample("Internet", 0, "Connected"),
            sample("AKS API Server", 1, "Error: tcp: connection refused"),
        ];
        let artifacts = Artifacts::default()
            .with(names::NETWORK_OUTBOUND, names::CONNECTIONS, to_lines(&samples).unwrap())
            .without(names::NETWORK_OUTBOUND, names::SAMPLES, State::NotPresent);
        let document = String::from_utf8(network_outbound(&artifacts).unwrap()).unwrap();
        assert_eq!(
            document,
            r#"[{"HostName":"node1","Type":"Internet","Start":"2026-11-20T10:00:00Z","End":"2026-11-20T10:00:00Z","Status":"Connected"},{"HostName":"node1","Type":"AKS API Server","Start":"2026-11-20T10:00:01Z","End":"2026-11-20T10:00:01Z","Status":"Error: tcp: connection refused"}]"#
        );
    }

    #[test]
    fn without_connections_it_is_an_empty_array() {
        assert_eq!(network_outbound(&Artifacts::default()).unwrap(), b"[]");
    }

    /// The moment at which the run tries its connections.
    fn now() -> Timestamp {
        sample("x", 0, "").start
    }

    /// A stretch of a connection, in seconds before now.
    fn stretch(kind: &str, from: i64, to: i64, status: &str, continues: bool) -> ConnectionStretch {
        ConnectionStretch {
            kind: kind.to_owned(),
            host: "host.example".to_owned(),
            port: 443,
            optional: false,
            start: now() - SignedDuration::from_secs(from),
            end: now() - SignedDuration::from_secs(to),
            samples: 2,
            status: status.to_owned(),
            mean_millis: 1,
            worst_millis: 1,
            continues,
        }
    }

    /// Type, start and end in seconds before now, and whether it is connected.
    fn rows(stretches: &[ConnectionStretch], samples: &[Connection]) -> Vec<(String, i64, i64, bool)> {
        let artifacts = Artifacts::default()
            .with(names::NETWORK_OUTBOUND, names::CONNECTIONS, to_lines(samples).unwrap())
            .with(names::NETWORK_OUTBOUND, names::SAMPLES, to_lines(stretches).unwrap());
        let document: Vec<Value> = serde_json::from_slice(&network_outbound(&artifacts).unwrap()).unwrap();
        let second = |value: &Value| {
            let time: Timestamp = value.as_str().unwrap().parse().unwrap();
            (now().duration_since(time).as_millis() + 500)
                .div_euclid(1000)
                .try_into()
                .unwrap()
        };
        let row = |row: &Value| {
            assert_eq!(row["HostName"], "node1");
            let status = row["Status"].as_str().unwrap();
            assert!(status == "Connected" || status.starts_with("Error: "), "{status}");
            let kind = row["Type"].as_str().unwrap().to_owned();
            (kind, second(&row["Start"]), second(&row["End"]), status == "Connected")
        };
        document.iter().map(row).collect()
    }

    const UP: &str = "Connected";
    const DOWN: &str = "Error: tcp: timed out";

    #[rstest]
    #[case::steady(&[stretch("x", 7200, 3605, UP, false), stretch("x", 3600, 5, UP, true)], UP, &[(7200, 0, true)])]
    #[case::was_down(
        &[stretch("x", 900, 605, UP, false), stretch("x", 600, 405, DOWN, true), stretch("x", 400, 5, UP, true)], UP,
        &[(900, 605, true), (600, 405, false), (400, 0, true)])]
    #[case::down_since(&[stretch("x", 900, 605, UP, false), stretch("x", 600, 5, DOWN, true)], DOWN,
        &[(900, 605, true), (600, 0, false)])]
    #[case::another_error_now(&[stretch("x", 900, 5, UP, false)], "Error: tls: eof", &[(900, 5, true), (0, 0, false)])]
    #[case::the_agent_was_away(&[stretch("x", 900, 605, UP, false), stretch("x", 300, 5, UP, false)], UP,
        &[(900, 605, true), (300, 0, true)])]
    #[case::the_agent_is_away(&[stretch("x", 900, 605, UP, false)], UP, &[(900, 605, true), (0, 0, true)])]
    fn the_last_hours_come_before_the_try(
        #[case] stretches: &[ConnectionStretch],
        #[case] status: &str,
        #[case] expected: &[(i64, i64, bool)],
    ) {
        let found = rows(stretches, &[sample("x", 0, status)]);
        let found: Vec<_> = found.into_iter().map(|(_, start, end, up)| (start, end, up)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_only_the_agent_tries_comes_last() {
        let stretches = [stretch("DNS", 60, 5, UP, false), stretch("x", 60, 5, UP, false)];
        let kinds: Vec<_> = rows(&stretches, &[sample("x", 0, UP)])
            .into_iter()
            .map(|row| (row.0, row.1))
            .collect();
        assert_eq!(kinds, [("x".to_owned(), 60), ("DNS".to_owned(), 60)]);
    }

    #[rstest]
    // Half of them are down periods: of the ten places that they leave, the newest of the others.
    #[case::ten_faults(20, 10)]
    #[case::more_faults_than_room(90, 19)]
    fn a_table_stays_readable(#[case] count: i64, #[case] faults: usize) {
        let stretches: Vec<_> = (0..count)
            .map(|n| {
                stretch(
                    "x",
                    9000 - n * 10,
                    9000 - n * 10 - 5,
                    if n % 2 == 0 { UP } else { DOWN },
                    n > 0,
                )
            })
            .collect();
        let found = rows(&stretches, &[sample("x", 0, UP)]);
        assert_eq!(found.len(), MAX_ROWS);
        assert_eq!(found.iter().filter(|row| !row.3).count(), faults);
        assert!(found.windows(2).all(|pair| pair[0].1 > pair[1].1));
        assert_eq!(found.last(), Some(&("x".to_owned(), 0, 0, true)));
        assert!(
            found.iter().any(|row| row.1 == 9000 - (count - 1) * 10),
            "the newest stretch is there"
        );
    }
}
