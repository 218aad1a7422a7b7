//! Where in the archive the artifacts stand: the layout of a support bundle for raw objects, one description per entry
//! beside it.

use periscope_cluster::ResourceType;

use super::KubeObjectEntry;

/// Groups of Kubernetes itself whose names look like those of custom resources. Its other groups have no dot in their
/// name.
const OWN_GROUPS: [&str; 10] = [
    "admissionregistration.k8s.io",
    "apiextensions.k8s.io",
    "certificates.k8s.io",
    "coordination.k8s.io",
    "discovery.k8s.io",
    "networking.k8s.io",
    "node.k8s.io",
    "rbac.authorization.k8s.io",
    "scheduling.k8s.io",
    "storage.k8s.io",
];

/// Below `cluster-resources/`: `pods/<namespace>.json`, `nodes.json`,
/// `custom-resources/<plural.group>/<namespace>.json`.
pub(crate) fn objects(resource: &ResourceType, namespace: Option<&str>) -> String {
    let own = !resource.group.contains('.') || OWN_GROUPS.contains(&resource.group.as_str());
    let folder = if own {
        resource.plural.clone()
    } else {
        format!("custom-resources/{}", resource.qualified())
    };
    match namespace {
        Some(namespace) => format!("{folder}/{namespace}.json"),
        None => format!("{folder}.json"),
    }
}

/// Below the action's folder: `<namespace>_<resource>[_<name>].txt`, as the entry was written.
pub(super) fn description(entry: &KubeObjectEntry) -> String {
    format!("{}.txt", entry.to_string().replace('/', "_"))
}

/// The same for an entry that is none.
pub(super) fn description_of_invalid(entry: &str) -> String {
    format!("{}.txt", entry.replace('/', "_"))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::core("", "pods", Some("ns"), "pods/ns.json")]
    #[case::apps("apps", "deployments", Some("ns"), "deployments/ns.json")]
    #[case::dotted("networking.k8s.io", "ingresses", Some("ns"), "ingresses/ns.json")]
    #[case::cluster_scoped("", "nodes", None, "nodes.json")]
    #[case::custom("example.com", "pods", Some("ns"), "custom-resources/pods.example.com/ns.json")]
    #[case::custom_cluster_scoped("example.com", "things", None, "custom-resources/things.example.com.json")]
    #[case::metrics("metrics.k8s.io", "pods", Some("ns"), "custom-resources/pods.metrics.k8s.io/ns.json")]
    fn objects_stand_where_viewers_look(
        #[case] group: &str,
        #[case] plural: &str,
        #[case] namespace: Option<&str>,
        #[case] expected: &str,
    ) {
        let resource = ResourceType {
            group: group.into(),
            version: "v1".into(),
            kind: "Kind".into(),
            plural: plural.into(),
            singular: String::new(),
            short_names: Vec::new(),
            namespaced: namespace.is_some(),
            listable: true,
        };
        assert_eq!(objects(&resource, namespace), expected);
    }

    #[test]
    fn descriptions_are_named_after_their_entry() {
        assert_eq!(
            description(&"ns/deployments.apps/a".parse().unwrap()),
            "ns_deployments.apps_a.txt"
        );
    }
}
