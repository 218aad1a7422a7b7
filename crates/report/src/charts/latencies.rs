//! How long others took to answer the node: connections phase by phase, name servers, the API server.

use std::collections::BTreeMap;

use periscope_core::Inputs;
use periscope_documents::{ApiCall, Connection, Lookup, Outcome, names};

use super::{elements, path, value};
use crate::chart::{Bars, Chart, ChartRow, Unit};

/// The time of a connection in one phase, in milliseconds; `None` when it did not get there.
type MillisOf = fn(&Connection) -> Option<u64>;
/// The phases of a connection and its time in each.
const PHASES: [(&str, MillisOf); 4] = [
    ("DNS", |c| c.dns.as_ref().map(|phase| phase.millis)),
    ("TCP", |c| {
        (!c.tcp.is_empty()).then(|| c.tcp.iter().map(|attempt| attempt.millis).sum())
    }),
    ("TLS", |c| c.tls.as_ref().map(|phase| phase.millis)),
    ("HTTP", |c| c.http.as_ref().map(|phase| phase.millis)),
];

/// Outbound connections. Of several tries at one target the middle of each phase is shown.
pub(super) fn connections(inputs: &dyn Inputs) -> Option<Chart> {
    let file = path(inputs, names::NETWORK_OUTBOUND, names::CONNECTIONS);
    let mut targets: BTreeMap<String, Vec<Connection>> = BTreeMap::new();
    for connection in elements::<Connection>(inputs, &file)? {
        let target = format!("{}:{} from the {}", connection.host, connection.port, connection.from);
        targets.entry(target).or_default().push(connection);
    }
    let row = |(target, tries): (String, Vec<Connection>)| {
        let last = tries.last()?;
        let failed = tries.iter().filter(|one| !one.is_connected()).count();
        let note = match (failed, tries.len()) {
            (_, 1) => last.status.clone(),
            (0, all) => format!("{}, middle of {all} tries", last.status),
            (failed, all) => format!("{failed} of {all} tries failed; {}", last.status),
        };
        Some(ChartRow {
            label: format!("{}: {target}", last.kind),
            values: PHASES
                .iter()
                .map(|(_, of)| middle(tries.iter().filter_map(of).collect()))
                .collect(),
            note,
            failed: failed > 0 && !last.optional,
            ..ChartRow::default()
        })
    };
    let mut rows: Vec<ChartRow> = targets.into_iter().filter_map(row).collect();
    rows.sort_by_key(|row| !row.failed);
    Some(Chart {
        title: "Outbound connections".to_owned(),
        about: "Time in each phase of reaching what a node needs.".to_owned(),
        files: vec![file],
        unit: Unit::Millis,
        bars: Bars::Stacked,
        rows_are: "target".to_owned(),
        columns: PHASES.iter().map(|(name, _)| (*name).to_owned()).collect(),
        rows,
    })
}

/// Look-ups at name servers.
pub(super) fn lookups(inputs: &dyn Inputs) -> Option<Chart> {
    let file = path(inputs, names::DNS, names::LOOKUPS);
    let asked = |lookup: &Lookup| lookup.outcome != Outcome::NotAsked;
    let row = |lookup: Lookup| ChartRow {
        label: format!(
            "{} {} at {} over {} from the {}",
            lookup.name, lookup.record_type, lookup.server, lookup.protocol, lookup.from
        ),
        values: vec![Some(value(lookup.millis))],
        failed: !matches!(lookup.outcome, Outcome::NoError | Outcome::NxDomain),
        note: match &lookup.error {
            Some(error) => format!("{}: {error}", lookup.outcome),
            None => lookup.outcome.to_string(),
        },
        ..ChartRow::default()
    };
    let lookups = elements::<Lookup>(inputs, &file)?;
    let mut rows: Vec<ChartRow> = lookups.into_iter().filter(asked).map(row).collect();
    rows.sort_by_key(|row| !row.failed);
    Some(Chart {
        title: "Name look-ups".to_owned(),
        about: "Time until each name server answered.".to_owned(),
        files: vec![file],
        unit: Unit::Millis,
        bars: Bars::EachColumn,
        rows_are: "question".to_owned(),
        columns: vec!["time".to_owned()],
        rows,
    })
}

/// Requests to the API server.
pub(super) fn api_calls(inputs: &dyn Inputs) -> Option<Chart> {
    let file = path(inputs, names::CLUSTER_HEALTH, names::API_SERVER);
    let row = |call: ApiCall| ChartRow {
        failed: call.status.is_none_or(|status| status >= 400),
        note: match (call.status, call.error) {
            (_, Some(error)) => error,
            (Some(status), None) => format!("{status} {}", call.said),
            (None, None) => "no answer".to_owned(),
        },
        label: call.path,
        values: vec![Some(value(call.millis))],
        ..ChartRow::default()
    };
    Some(Chart {
        title: "Requests to the API server".to_owned(),
        about: "Time until the last byte of the answer; the first request also connects.".to_owned(),
        rows: elements::<ApiCall>(inputs, &file)?.into_iter().map(row).collect(),
        files: vec![file],
        unit: Unit::Millis,
        bars: Bars::EachColumn,
        rows_are: "request".to_owned(),
        columns: vec!["time".to_owned()],
    })
}

/// The median; of an even number the greater one of the two in the middle.
fn middle(mut samples: Vec<u64>) -> Option<f64> {
    samples.sort_unstable();
    samples.get(samples.len() / 2).copied().map(value)
}
