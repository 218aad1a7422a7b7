//! The definition of `Diagnostic` rows: names, and columns of `kubectl get apd`. It uses nothing of this crate but the
//! schema beside it.
//!
//! The names, the scope and the `spec` are the original's; `status` is ours. It is an ordinary field, not a
//! subresource: the original's role allows to create and patch `diagnostics`, and nothing for `diagnostics/status`.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceColumnDefinition, CustomResourceDefinition, CustomResourceDefinitionNames,
    CustomResourceDefinitionSpec, CustomResourceDefinitionVersion, CustomResourceValidation,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::schema;

pub(super) const GROUP: &str = "aks-periscope.azure.github.com";
pub(super) const VERSION: &str = "v1";
pub(super) const KIND: &str = "Diagnostic";
pub(super) const PLURAL: &str = "diagnostics";

/// One column of `kubectl get apd`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    /// Its head.
    pub name: &'static str,
    /// What stands in it.
    pub json_path: &'static str,
    /// How it is shown: `string`, or `date`, which `kubectl` shows as how long ago it is.
    pub kind: &'static str,
    /// 0, or 1 for the columns of `--output wide` alone.
    pub priority: i32,
    /// What it says.
    pub description: &'static str,
}

/// The columns in their order. Beside the name of a row of an AKS node, those of priority 0 fit into 120 characters.
pub const COLUMNS: &[Column] = &[
    Column {
        name: "Phase",
        json_path: ".status.phase",
        kind: "string",
        priority: 0,
        description: "Where the node's part of the run stands.",
    },
    Column {
        name: "Actions",
        json_path: ".status.progress.actions",
        kind: "string",
        priority: 0,
        description: "Ended and planned actions.",
    },
    Column {
        name: "Findings",
        json_path: ".status.findings.summary",
        kind: "string",
        priority: 0,
        description: "What is wrong with the node, counted.",
    },
    Column {
        name: "Storage",
        json_path: r#".status.conditions[?(@.type=="Uploaded")].reason"#,
        kind: "string",
        priority: 0,
        description: "Whether the archive is in the storage.",
    },
    Column {
        name: "Age",
        json_path: ".status.startedAt",
        kind: "date",
        priority: 0,
        description: "How long ago the run began on the node.",
    },
    Column {
        name: "Run",
        json_path: ".status.runId",
        kind: "string",
        priority: 1,
        description: "The run.",
    },
    Column {
        name: "Finished",
        json_path: ".status.finishedAt",
        kind: "date",
        priority: 1,
        description: "How long ago the run ended on the node.",
    },
    Column {
        name: "Cluster",
        json_path: ".status.cluster.phase",
        kind: "string",
        priority: 1,
        description: "Where the cluster's part of the run stands, on the row of the node that does it.",
    },
    Column {
        name: "Message",
        json_path: ".status.message",
        kind: "string",
        priority: 1,
        description: "Where the run stands in one sentence.",
    },
];

/// The definition of the rows.
pub fn crd() -> CustomResourceDefinition {
    let version = CustomResourceDefinitionVersion {
        name: VERSION.to_owned(),
        served: true,
        storage: true,
        schema: Some(CustomResourceValidation {
            open_api_v3_schema: Some(schema::schema()),
        }),
        additional_printer_columns: Some(COLUMNS.iter().map(column).collect()),
        ..CustomResourceDefinitionVersion::default()
    };
    CustomResourceDefinition {
        metadata: ObjectMeta {
            name: Some(format!("{PLURAL}.{GROUP}")),
            ..ObjectMeta::default()
        },
        spec: CustomResourceDefinitionSpec {
            group: GROUP.to_owned(),
            names: CustomResourceDefinitionNames {
                kind: KIND.to_owned(),
                plural: PLURAL.to_owned(),
                singular: Some("diagnostic".to_owned()),
                short_names: Some(vec!["apd".to_owned()]),
                ..CustomResourceDefinitionNames::default()
            },
            scope: "Namespaced".to_owned(),
            versions: vec![version],
            ..CustomResourceDefinitionSpec::default()
        },
        status: None,
    }
}

fn column(column: &Column) -> CustomResourceColumnDefinition {
    CustomResourceColumnDefinition {
        name: column.name.to_owned(),
        json_path: column.json_path.to_owned(),
        type_: column.kind.to_owned(),
        priority: Some(column.priority).filter(|priority| *priority != 0),
        description: Some(column.description.to_owned()),
        format: None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_the_originals() {
        let crd = serde_json::to_value(crd()).unwrap();
        assert_eq!(crd["apiVersion"], "apiextensions.k8s.io/v1");
        assert_eq!(crd["metadata"]["name"], "diagnostics.aks-periscope.azure.github.com");
        assert_eq!(crd["spec"]["scope"], "Namespaced");
        assert_eq!(
            crd["spec"]["names"],
            json!({"kind": "Diagnostic", "plural": "diagnostics", "singular": "diagnostic", "shortNames": ["apd"]})
        );
        let version = &crd["spec"]["versions"][0];
        assert_eq!(version["name"], "v1");
        assert_eq!(version.get("subresources"), None);
        let spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].as_object();
        let mut fields: Vec<_> = spec.unwrap().keys().collect();
        fields.sort();
        assert_eq!(fields, ["dns", "networkconfig", "networkoutbound"]);
    }
}
