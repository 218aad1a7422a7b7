//! Lists as the API server prints them for people: some 300 bytes a row where an object has ten thousand.
//!
//! It knows no columns: who asks names those that matter.

use http::header::ACCEPT;
use kube::core::{DynamicObject, Resource, params::ListParams, request::Request};
use serde::Deserialize;
use serde_json::Value;

use crate::{
    access::ClusterAccess,
    call::fetch,
    catalogue::ResourceType,
    error::{Call, ClusterError, Trouble, classify},
};

/// The form of the answer (kubernetes.io, "Receiving resources as Tables").
const AS_TABLE: &str = "application/json;as=Table;g=meta.k8s.io;v=v1";

/// Largest answer: five thousand nodes, the most that a cluster of Kubernetes may have, are some 2 MiB.
const MAX_BYTES: usize = 8 << 20;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Table {
    column_definitions: Vec<Column>,
    // Nothing, where there is no row.
    rows: Option<Vec<Row>>,
}

#[derive(Deserialize)]
struct Column {
    name: String,
}

#[derive(Deserialize)]
struct Row {
    cells: Vec<Value>,
}

impl ClusterAccess {
    /// The cells of all rows in the named columns, in one request. The answer comes from the API server's memory, and
    /// may be a moment old.
    pub(crate) async fn table<const N: usize>(
        &self,
        resource: &ResourceType,
        namespace: Option<&str>,
        label: &str,
        columns: [&str; N],
    ) -> Result<Vec<[String; N]>, ClusterError> {
        let call = Call::new("list", resource.qualified()).within(namespace);
        let url = DynamicObject::url_path(&resource.api_resource(), namespace);
        // Any version will do: it is answered without asking the store.
        let list = Request::new(url)
            .list(&ListParams::default().labels(label).at("0"))
            .map_err(|error| classify(&call, Trouble::Client(kube::Error::BuildRequest(error))))?;
        let request = http::Request::get(format!("{}&includeObject=None", list.uri()))
            .header(ACCEPT, AS_TABLE)
            .body(Vec::new())
            .map_err(|error| classify(&call, Trouble::Client(kube::Error::HttpError(error))))?;
        let table: Table = fetch(self.client(), &call, &request, MAX_BYTES).await?;
        let mut places = [0; N];
        for (place, name) in places.iter_mut().zip(columns) {
            let found = table.column_definitions.iter().position(|column| column.name == name);
            *place = found.ok_or_else(|| {
                let text = format!("the table of {} has no column {name}", resource.plural);
                classify(&call, Trouble::Answer(text))
            })?;
        }
        let rows = table.rows.into_iter().flatten();
        let text = |row: &Row, place: usize| {
            row.cells
                .get(place)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        Ok(rows.map(|row| places.map(|place| text(&row, place))).collect())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::access::mock_access;

    #[tokio::test]
    async fn columns_are_found_by_name_in_any_order() {
        let table = json!({
            "kind": "Table", "columnDefinitions": [{"name": "Name"}, {"name": "Ready"}, {"name": "Node"}],
            "rows": [{"cells": ["p", "1/1", "n"]}, {"cells": ["q", "0/1"]}],
        });
        let (access, asked) = mock_access(vec![(200, table)]);
        let rows = access
            .table(&ResourceType::pods(), Some("ns"), "app=x", ["Node", "Ready"])
            .await
            .unwrap();
        assert_eq!(
            rows,
            [["n".to_owned(), "1/1".to_owned()], [String::new(), "0/1".to_owned()]]
        );
        assert_eq!(
            asked.await.unwrap(),
            ["/api/v1/namespaces/ns/pods?&labelSelector=app%3Dx&resourceVersion=0&includeObject=None"]
        );
    }

    #[tokio::test]
    async fn an_empty_table_has_no_rows_and_one_without_the_column_is_an_error() {
        let empty = json!({"columnDefinitions": [{"name": "Name"}], "rows": null});
        let (access, _) = mock_access(vec![(200, empty.clone()), (200, empty)]);
        let pods = ResourceType::pods();
        assert_eq!(access.table(&pods, None, "", ["Name"]).await.unwrap(), [[""; 1]; 0]);
        let error = access.table(&pods, None, "", ["Node"]).await.unwrap_err();
        assert_eq!(error.to_string(), "cannot list pods");
    }
}
