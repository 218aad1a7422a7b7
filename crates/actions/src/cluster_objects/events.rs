//! Warnings of all namespaces, and whatever is said of nodes: as rows for machines and as a table.

use periscope_cluster::{ClusterAccess, ListScope, ResourceType};
use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_documents::{NodeEvent, names, to_lines};
use periscope_redact::object::redact;

use super::nodes::keep_bytes;
use crate::api_errors::state_of;
use crate::cluster_health::{read_event, table_of_events};
use crate::host_files::reason_of;
use crate::kube_objects::Ending;

/// The artifact of the table.
pub(super) const TABLE: &str = "events.txt";

/// Most events that are looked at: forty pages.
const MAX_LOOKED_AT: usize = 20_000;
/// Most events that are kept, the newest. Twice as many are in memory at a time, of a kibibyte or so.
const MAX_KEPT: usize = 3_000;

/// What is asked for: the events of the one list are not in the other.
const LISTS: [&str; 2] = ["type=Warning", "involvedObject.kind=Node,type!=Warning"];

/// Keeps the events.
pub(super) async fn gather(access: &ClusterAccess, sink: &Sink) {
    let mut newest = Newest::default();
    let mut ending = None;
    for fields in LISTS {
        ending = ending.or(take(access, fields, &mut newest).await);
    }
    let (rows, left_out) = newest.into_rows();
    if ending.is_none() && left_out > 0 {
        ending = Some((State::Truncated, format!("the {left_out} oldest events are left out")));
    }
    if let (true, Some((state, reason))) = (rows.is_empty(), &ending) {
        sink.record(names::CLUSTER_EVENTS, *state, reason);
        sink.record(TABLE, *state, reason);
        return;
    }
    match to_lines(&rows) {
        Ok(lines) => {
            let spec = ArtifactSpec::new(names::CLUSTER_EVENTS, Content::Json).source("events");
            keep_bytes(sink, spec, &lines, ending.clone()).await;
        }
        Err(error) => sink.record(names::CLUSTER_EVENTS, State::Failed, error.to_string()),
    }
    let table = table_of_events(&rows);
    keep_bytes(
        sink,
        ArtifactSpec::new(TABLE, Content::Text).source("events"),
        table.as_bytes(),
        ending,
    )
    .await;
}

async fn take(access: &ClusterAccess, fields: &str, newest: &mut Newest) -> Ending {
    let resource = ResourceType::events();
    let scope = ListScope {
        namespace: None,
        fields: Some(fields.to_owned()),
    };
    let mut list = access.list(&resource, &scope);
    let mut looked_at = 0;
    loop {
        match list.next().await {
            Ok(Some(_)) if looked_at == MAX_LOOKED_AT => {
                return Some((State::Truncated, format!("only {MAX_LOOKED_AT} events were looked at")));
            }
            Ok(Some(mut event)) => {
                looked_at += 1;
                redact(&mut event);
                newest.add(read_event(&event));
            }
            Ok(None) => return None,
            Err(error) => return Some((state_of(&error), reason_of(&error))),
        }
    }
}

/// The newest events of any number.
#[derive(Default)]
struct Newest {
    rows: Vec<NodeEvent>,
    left_out: usize,
}

impl Newest {
    fn add(&mut self, event: NodeEvent) {
        if self.rows.len() == 2 * MAX_KEPT {
            self.prune();
        }
        self.rows.push(event);
    }

    fn prune(&mut self) {
        self.rows.sort_by_key(|event| event.time);
        let more = self.rows.len().saturating_sub(MAX_KEPT);
        self.rows.drain(..more);
        self.left_out += more;
    }

    /// The rows, oldest first, and how many there were besides.
    fn into_rows(mut self) -> (Vec<NodeEvent>, usize) {
        self.prune();
        (self.rows, self.left_out)
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_newest_are_kept_in_their_order() {
        let mut newest = Newest::default();
        // In no order: a step that is prime to the number leads past every second once.
        let all = 3 * MAX_KEPT;
        for n in 0..all {
            let second = i64::try_from(n * 7919 % all).unwrap();
            newest.add(NodeEvent {
                time: Timestamp::from_second(second).ok(),
                ..NodeEvent::default()
            });
        }
        let (rows, left_out) = newest.into_rows();
        assert_eq!((rows.len(), left_out), (MAX_KEPT, 2 * MAX_KEPT));
        let seconds: Vec<_> = rows.iter().filter_map(|row| Some(row.time?.as_second())).collect();
        let expected: Vec<_> = (2 * MAX_KEPT..all).map(|n| i64::try_from(n).unwrap()).collect();
        assert_eq!(seconds, expected);
    }
}
