//! A replica of what `az aks kanalyze` does after it has found the cluster (`_display_diagnostics_report` in
//! `azext_aks_preview/aks_diagnostics.py`), so that rows are judged by their oldest reader: the same questions to kubectl, the same
//! ten rounds, the same demands on the texts. It prints nothing.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::Cluster;

/// Shared by waiting for rows and waiting for their texts.
const ROUNDS: usize = 10;
const WAIT_FOR_ROWS: Duration = Duration::from_secs(3);
const WAIT_FOR_TEXTS: Duration = Duration::from_secs(10);

/// What the command shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Kanalyze {
    /// The rows of its first table, one a node.
    pub configurations: Vec<Map<String, Value>>,
    /// The rows of its second table, one a connection.
    pub connections: Vec<Map<String, Value>>,
    /// How long it waited.
    pub waited: Duration,
}

impl Kanalyze {
    /// Runs it against the rows of a namespace; the command knows `aks-periscope` only. `sleep` is its clock.
    ///
    /// # Errors
    /// Where the command would fail: kubectl does, or a text is not what it must be.
    pub fn of(cluster: &Cluster, namespace: &str, sleep: impl FnMut(Duration)) -> Result<Self, String> {
        Self::asking(|words| cluster.try_kubectl(words), namespace, sleep)
    }

    fn asking(
        mut kubectl: impl FnMut(&[&str]) -> Option<String>,
        namespace: &str,
        mut sleep: impl FnMut(Duration),
    ) -> Result<Self, String> {
        let mut kubectl = |words: &[&str]| kubectl(words).ok_or_else(|| format!("kubectl fails: {}", words.join(" ")));
        let mut ready: Vec<(String, bool)> = ready_nodes(&kubectl(&["get", "node", "--no-headers"])?)
            .into_iter()
            .map(|node| (node, false))
            .collect();
        let mut shown = Self::default();
        let mut wait = |shown: &mut Self, time| {
            shown.waited += time;
            sleep(time);
        };
        let mut rows_are_there = false;
        for _ in 0..ROUNDS {
            if !rows_are_there {
                let rows = kubectl(&["get", "apd", "-n", namespace, "--no-headers"])?;
                let rows = rows.lines().filter(|line| !line.contains("No resources found")).count();
                if rows < ready.len() {
                    wait(&mut shown, WAIT_FOR_ROWS);
                } else {
                    rows_are_there = true;
                }
                continue;
            }
            for (node, read) in ready.iter_mut().filter(|(_, read)| !read) {
                let row = format!("aks-periscope-diagnostic-{node}");
                let mut text =
                    |path: &str| kubectl(&["get", "apd", &row, "-n", namespace, &format!("-o=jsonpath={path}")]);
                let configuration = text("{.spec.networkconfig}")?;
                let outbound = text("{.spec.networkoutbound}")?;
                if configuration.is_empty() || outbound.is_empty() {
                    wait(&mut shown, WAIT_FOR_TEXTS);
                    break;
                }
                shown.configurations.extend(objects(&format!("[{configuration}]"))?);
                let connections = objects(&outbound)?;
                if let Some(connection) = connections.iter().find(|connection| !connection.contains_key("Status")) {
                    return Err(format!("a connection without Status: {connection:?}"));
                }
                shown.connections.extend(connections);
                *read = true;
            }
        }
        Ok(shown)
    }

    /// The connections that it shows in red.
    pub fn red(&self) -> impl Iterator<Item = &Map<String, Value>> {
        let is_red = |status: &Value| status.as_str().is_some_and(|status| status.contains("Error:"));
        self.connections
            .iter()
            .filter(move |connection| connection.get("Status").is_some_and(is_red))
    }
}

/// The nodes that the command counts, of the lines that kubectl prints: cordoned ones are not among them.
pub fn ready_nodes(lines: &str) -> Vec<String> {
    let nodes = lines.lines().filter_map(|line| {
        let mut columns = line.split_whitespace();
        let name = columns.next()?;
        (columns.next() == Some("Ready")).then(|| name.to_owned())
    });
    nodes.collect()
}

fn objects(text: &str) -> Result<Vec<Map<String, Value>>, String> {
    serde_json::from_str(text).map_err(|error| format!("not a list of objects: {error}: {text}"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NODES: &str = "node-a   Ready                      <none>   5d   v1.34.1\n\
        node-b   Ready,SchedulingDisabled   <none>   5d   v1.34.1\n\
        node-c   NotReady                   <none>   5d   v1.34.1\n\
        node-d   Ready                      <none>   5d   v1.34.1\n";
    const CONFIG: &str = r#"{"HostName":"n","NetworkPlugin":"","KubernetesDNS":["10.0.0.10"]}"#;
    const OUTBOUND: &str = r#"[{"Type":"Internet","Status":"Connected"},{"Type":"API","Status":"Error: refused"}]"#;

    /// A cluster whose rows are there in the `rows`th round, counted from 0, and have their texts in the `texts`th.
    fn shown(rows: usize, texts: usize, config: &str, outbound: &str) -> Result<Kanalyze, String> {
        let round = std::cell::Cell::new(0);
        let kubectl = |words: &[&str]| {
            Some(match words {
                ["get", "node", "--no-headers"] => NODES.to_owned(),
                ["get", "apd", "-n", "ns", "--no-headers"] if round.get() < rows => "one\n".to_owned(),
                ["get", "apd", "-n", "ns", "--no-headers"] => {
                    round.set(round.get() + 1);
                    "one\ntwo\n".to_owned()
                }
                ["get", "apd", row, "-n", "ns", path] => {
                    assert!(["aks-periscope-diagnostic-node-a", "aks-periscope-diagnostic-node-d"].contains(row));
                    match *path {
                        _ if round.get() < texts => String::new(),
                        "-o=jsonpath={.spec.networkconfig}" => config.to_owned(),
                        _ => outbound.to_owned(),
                    }
                }
                other => panic!("{other:?}"),
            })
        };
        Kanalyze::asking(kubectl, "ns", |_| round.set(round.get() + 1))
    }

    #[rstest]
    #[case::at_once(0, 0, 2, 0)]
    #[case::rows_late(8, 0, 2, 24)]
    #[case::rows_too_late(9, 0, 0, 27)]
    #[case::never(20, 20, 0, 30)]
    #[case::texts_late(0, 9, 2, 80)]
    #[case::texts_too_late(0, 10, 0, 90)]
    fn ten_rounds_are_shared(#[case] rows: usize, #[case] texts: usize, #[case] nodes: usize, #[case] waited: u64) {
        let shown = shown(rows, texts, CONFIG, OUTBOUND).unwrap();
        assert_eq!(
            (shown.configurations.len(), shown.connections.len()),
            (nodes, 2 * nodes)
        );
        assert_eq!(shown.red().count(), nodes);
        assert_eq!(shown.waited, Duration::from_secs(waited));
    }

    #[rstest]
    #[case::two_objects(r#"{"a":1},{"a":2}"#, "[]", true)]
    #[case::array_in_the_first(r#"[{"a":1}]"#, "[]", false)]
    #[case::object_in_the_second(CONFIG, r#"{"Status":"Connected"}"#, false)]
    #[case::no_status(CONFIG, r#"[{"Type":"Internet"}]"#, false)]
    #[case::no_json("nameserver 10.0.0.10", "[]", false)]
    #[case::cut(CONFIG, r#"[{"Status":"Conn"#, false)]
    fn texts_must_be_what_the_command_parses(#[case] config: &str, #[case] outbound: &str, #[case] parses: bool) {
        assert_eq!(shown(0, 0, config, outbound).is_ok(), parses);
    }

    #[test]
    fn only_ready_nodes_count() {
        assert_eq!(ready_nodes(NODES), ["node-a", "node-d"]);
    }
}
