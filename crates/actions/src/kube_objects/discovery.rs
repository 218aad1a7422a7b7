//! What the API server serves, as two documents of a support bundle: viewers that play an API server (`sbctl`,
//! `pkg/api/server.go`) answer kubectl's first questions from them.

use std::collections::BTreeMap;

use periscope_cluster::{Catalogue, ResourceType};
use periscope_core::{ArtifactSpec, Content, Place, Sink, State};
use serde_json::{Value, json};

/// The API groups, below `cluster-resources/`.
pub(super) const GROUPS: &str = "groups.json";
/// The resources of each group and version, below `cluster-resources/`.
pub(super) const RESOURCES: &str = "resources.json";
/// What can be done with objects in an archive.
const VERBS: [&str; 2] = ["get", "list"];

/// Keeps both documents.
pub(super) async fn keep(sink: &Sink, catalogue: &Catalogue) {
    let types: Vec<_> = catalogue.iter().collect();
    for (name, source, document) in [
        (GROUPS, "/apis", groups(&types)),
        (RESOURCES, "/api, /apis", resources(&types)),
    ] {
        match serde_json::to_vec_pretty(&document) {
            Ok(text) => {
                let spec = ArtifactSpec::new(name, Content::Json)
                    .place(Place::Cluster)
                    .source(source);
                sink.document(spec, text).await;
            }
            Err(error) => sink.record_at(Place::Cluster, name, State::Failed, error.to_string()),
        }
    }
}

/// A list of `APIGroup`, without the core group, which has no name.
fn groups(types: &[&ResourceType]) -> Value {
    let mut versions: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for served in types.iter().filter(|served| !served.group.is_empty()) {
        let known = versions.entry(&served.group).or_default();
        if !known.contains(&served.version) {
            known.push(served.version.clone());
        }
    }
    let version =
        |group: &str, version: &String| json!({"groupVersion": format!("{group}/{version}"), "version": version});
    let groups = versions.iter().map(|(group, versions)| {
        let versions: Vec<_> = versions.iter().map(|found| version(group, found)).collect();
        json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
    });
    groups.collect()
}

/// A list of `APIResourceList`. Those of the core group have no `apiVersion`, by which viewers know them.
fn resources(types: &[&ResourceType]) -> Value {
    let mut lists: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for served in types {
        lists.entry(served.api_version()).or_default().push(json!({
            "name": served.plural,
            "singularName": served.singular,
            "namespaced": served.namespaced,
            "kind": served.kind,
            "verbs": VERBS,
            "shortNames": served.short_names,
        }));
    }
    let lists = lists.into_iter().map(|(version, resources)| {
        let mut list = json!({"kind": "APIResourceList", "groupVersion": version, "resources": resources});
        if let (Some(list), true) = (list.as_object_mut(), version != "v1") {
            list.insert("apiVersion".to_owned(), json!("v1"));
        }
        list
    });
    lists.collect()
}

#[cfg(test)]
mod tests {
    use periscope_cluster::ResourceType;
    use serde_json::json;

    use super::{groups, resources};

    fn served(group: &str, version: &str, plural: &str, kind: &str) -> ResourceType {
        ResourceType {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            short_names: Vec::new(),
            namespaced: true,
            listable: true,
        }
    }

    #[test]
    fn a_viewer_finds_groups_and_resources() {
        let (pods, deployments) = (
            served("", "v1", "pods", "Pod"),
            served("apps", "v1", "deployments", "Deployment"),
        );
        let types = [&pods, &deployments];
        let version = json!({"groupVersion": "apps/v1", "version": "v1"});
        assert_eq!(
            groups(&types),
            json!([{"name": "apps", "versions": [version], "preferredVersion": version}])
        );
        let lists = resources(&types);
        assert_eq!(
            (&lists[0]["groupVersion"], &lists[0]["apiVersion"]),
            (&json!("apps/v1"), &json!("v1"))
        );
        assert_eq!(
            (&lists[1]["groupVersion"], lists[1].get("apiVersion")),
            (&json!("v1"), None)
        );
        assert_eq!(lists[1]["resources"][0]["name"], "pods");
    }
}
