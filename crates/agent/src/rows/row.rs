//! A row as its readers see it.

use kube::core::ApiResource;
use periscope_core::NodeName;
use serde::{Deserialize, Serialize};

use super::crd::{GROUP, KIND, PLURAL, VERSION};
use super::status::Status;

/// What every row's name begins with; the node's name is the rest (`aks_diagnostics.py` of the CLI's `aks-preview`).
const PREFIX: &str = "aks-periscope-diagnostic-";

/// The name of a node's row.
pub fn row_name(node: &NodeName) -> String {
    format!("{PREFIX}{node}")
}

/// The rows as a resource of the API.
pub fn resource() -> ApiResource {
    ApiResource {
        group: GROUP.to_owned(),
        version: VERSION.to_owned(),
        api_version: format!("{GROUP}/{VERSION}"),
        kind: KIND.to_owned(),
        plural: PLURAL.to_owned(),
    }
}

/// A node's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The row's name.
    pub name: String,
    /// What the CLI reads.
    pub spec: Spec,
    /// What else there is to say; empty where the cluster has an older definition of rows, which drops it.
    pub status: Status,
}

/// What the CLI reads; empty until the node's diagnosis is there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Spec {
    /// Never filled; the definition has had it since its first version.
    pub dns: String,
    /// One JSON object.
    pub networkconfig: String,
    /// One JSON array of objects with `Status`.
    pub networkoutbound: String,
}

#[derive(Deserialize)]
struct Object {
    metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Status,
}

#[derive(Deserialize)]
struct Metadata {
    name: String,
}

impl Row {
    /// Reads an object of the API.
    ///
    /// # Errors
    /// When it is no row.
    pub fn read(object: impl Serialize) -> Result<Self, serde_json::Error> {
        let Object { metadata, spec, status } = serde_json::from_value(serde_json::to_value(object)?)?;
        Ok(Self {
            name: metadata.name,
            spec,
            status,
        })
    }

    /// The node whose row it is, by the row's name.
    pub fn node(&self) -> Option<&str> {
        self.name.strip_prefix(PREFIX)
    }

    /// Whether both texts that the CLI waits for are there.
    pub fn is_diagnosed(&self) -> bool {
        !self.spec.networkconfig.is_empty() && !self.spec.networkoutbound.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::rows::Phase;

    #[rstest]
    #[case::of_the_original(json!({"metadata": {"name": "aks-periscope-diagnostic-n1"}, "spec": {"networkconfig": "{}"}}), Phase::Unknown)]
    #[case::of_a_newer_agent(
        json!({"metadata": {"name": "aks-periscope-diagnostic-n1"}, "spec": {"networkconfig": "{}", "more": 1},
            "status": {"phase": "Pondering", "tides": [1], "archives": [{"at": "moon", "location": "x"}]}}),
        Phase::Unknown
    )]
    #[case::of_ours(json!({"metadata": {"name": "aks-periscope-diagnostic-n1"}, "spec": {"networkconfig": "{}"},
        "status": {"phase": "Partial", "cluster": {"phase": "Running"}}}), Phase::Partial)]
    fn rows_of_every_age_are_read(#[case] object: Value, #[case] phase: Phase) {
        let row = Row::read(object).unwrap();
        assert_eq!((row.node(), row.status.run.phase), (Some("n1"), phase));
        assert!(!row.is_diagnosed());
    }

    #[test]
    fn what_is_no_object_of_the_api_is_no_row() {
        assert!(Row::read(json!({"items": []})).is_err());
    }
}
