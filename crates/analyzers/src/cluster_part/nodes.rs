//! The Node objects, read one at a time: those of a large cluster are some eighty megabytes.

use std::collections::BTreeMap;
use std::io::{BufRead, Read};

use jiff::Timestamp;
use periscope_core::{AnalyzeError, ArtifactPath, Evidence, Inputs, Place, State};
use periscope_documents::names;
use serde::Deserialize;

use crate::artifact::{self, Artifact, Text};

/// Most bytes that are read. The action keeps 64 MiB at most.
const MAX_BYTES: u64 = 128 * 1024 * 1024;
/// Largest object: the API server takes none of more than 1.5 MiB (etcd's `--max-request-bytes`), which JSON in several
/// lines makes longer.
const MAX_OBJECT: usize = 8 * 1024 * 1024;

/// The nodes, by name.
pub(super) struct Nodes {
    pub(super) all: Vec<Node>,
    /// Why there may be more than these.
    pub(super) incomplete: Option<String>,
    path: ArtifactPath,
    table: Option<Table>,
}

/// The nodes as people read them, with the line of each.
struct Table {
    text: Text,
    lines: BTreeMap<String, u64>,
}

/// What is judged of a node.
#[derive(Debug, Deserialize)]
pub(super) struct Node {
    pub(super) metadata: Metadata,
    #[serde(default)]
    pub(super) spec: Spec,
    #[serde(default)]
    pub(super) status: Status,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    pub(super) name: String,
    #[serde(default)]
    pub(super) creation_timestamp: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Spec {
    #[serde(default)]
    pub(super) unschedulable: bool,
    #[serde(default)]
    pub(super) taints: Vec<Taint>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Taint {
    pub(super) key: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(default)]
    pub(super) conditions: Vec<Condition>,
    #[serde(default)]
    pub(super) node_info: NodeInfo,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Condition {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) status: String,
    #[serde(default)]
    pub(super) reason: String,
    #[serde(default)]
    pub(super) message: String,
    #[serde(default)]
    pub(super) last_transition_time: Option<Timestamp>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NodeInfo {
    #[serde(default)]
    pub(super) kubelet_version: String,
}

impl Nodes {
    pub(super) fn get(&self, name: &str) -> Option<&Node> {
        self.all.iter().find(|node| node.metadata.name == name)
    }

    /// The node's line of the table; the objects' file where there is none.
    pub(super) fn evidence(&self, name: &str) -> Evidence {
        let row = self
            .table
            .as_ref()
            .and_then(|table| Some(table.text.evidence(*table.lines.get(name)?)));
        row.unwrap_or_else(|| Evidence {
            file: self.path.to_string(),
            line: None,
            quote: name.to_owned(),
        })
    }
}

impl Node {
    pub(super) fn name(&self) -> &str {
        &self.metadata.name
    }

    pub(super) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|condition| condition.kind == kind)
    }
}

/// Reads the nodes, or says why none are known.
pub(super) fn read(inputs: &dyn Inputs) -> Result<Result<Nodes, String>, AnalyzeError> {
    let path = Place::Cluster.path(inputs.node(), names::CLUSTER_OBJECTS, names::NODE_OBJECTS);
    let failed = |source| AnalyzeError::Read {
        path: path.clone(),
        source,
    };
    let Some(state) = inputs.state(&path) else {
        return Ok(Err(format!("{path} was not gathered")));
    };
    let Some(content) = inputs.open(&path).map_err(failed)? else {
        return Ok(Err(format!("{path} is {state}")));
    };
    let mut nodes = objects(content).map_err(failed)?;
    if nodes.is_empty() && state != State::Collected {
        return Ok(Err(format!("{path} is {state}")));
    }
    nodes.sort_by(|a, b| a.name().cmp(b.name()));
    Ok(Ok(Nodes {
        all: nodes,
        incomplete: (state != State::Collected).then(|| format!("{path} is {state}")),
        table: table(inputs)?,
        path,
    }))
}

/// The objects of a list as `cluster-objects` writes it: each begins and ends with a brace at the start of a line. An
/// object that was cut is none.
fn objects(content: Box<dyn BufRead + '_>) -> std::io::Result<Vec<Node>> {
    let mut content = content.take(MAX_BYTES);
    let mut nodes = Vec::new();
    let (mut line, mut object) = (Vec::new(), Vec::new());
    let mut is_in_items = false;
    loop {
        line.clear();
        if content.read_until(b'\n', &mut line)? == 0 {
            return Ok(nodes);
        }
        if !is_in_items {
            is_in_items = line.starts_with(b"\"items\"");
            continue;
        }
        if line.starts_with(b"{") {
            object.clear();
        }
        if object.len() + line.len() > MAX_OBJECT {
            return Ok(nodes);
        }
        if line.starts_with(b"}") {
            object.push(b'}');
            // What is no node tells nothing of one.
            nodes.extend(serde_json::from_slice::<Node>(&object).ok());
            object.clear();
        } else {
            object.extend_from_slice(&line);
        }
    }
}

fn table(inputs: &dyn Inputs) -> Result<Option<Table>, AnalyzeError> {
    let Artifact::Whole(text) = artifact::read(inputs, names::CLUSTER_OBJECTS, names::NODES_TABLE)? else {
        return Ok(None);
    };
    let lines = text.text.lines().zip(1..).skip(1);
    let lines = lines
        .filter_map(|(row, line)| Some((row.split(' ').next()?.to_owned(), line)))
        .collect();
    Ok(Some(Table { text, lines }))
}
