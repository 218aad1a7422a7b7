//! The resource types that the API server serves, and finding one by the names people use for it.
//!
//! It makes two requests (aggregated discovery, Kubernetes 1.26 and later) and reads no objects.

use http::{Request, header::ACCEPT};
use kube::{
    client::{APIGroupDiscovery, APIGroupDiscoveryList, APIResourceDiscovery},
    core::{ApiResource, discovery::v2::ACCEPT_AGGREGATED_DISCOVERY_V2},
};

use crate::{
    access::ClusterAccess,
    call::fetch,
    error::{Call, ClusterError, Trouble, classify},
};

/// A bound on one discovery answer: clusters with hundreds of CRDs answer with about one MiB.
const MAX_DISCOVERY_BYTES: usize = 16 << 20;

/// A type of object that the API server serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceType {
    /// API group; empty for the core group.
    pub group: String,
    /// The version that is read: the group's preferred one that has the resource.
    pub version: String,
    /// Kind of one object, e.g. `Deployment`.
    pub kind: String,
    /// Name in URLs, e.g. `deployments`.
    pub plural: String,
    /// Name for one, e.g. `deployment`.
    pub singular: String,
    /// Short names, e.g. `deploy`.
    pub short_names: Vec<String>,
    /// Whether objects live in a namespace.
    pub namespaced: bool,
    /// Whether the API server can list them.
    pub listable: bool,
}

impl ResourceType {
    /// Pods, which every API server has: they can be asked for without a look at what it serves.
    pub fn pods() -> Self {
        Self::known("", "v1", "Pod", "pods", true)
    }

    /// Nodes, the same.
    pub fn nodes() -> Self {
        Self::known("", "v1", "Node", "nodes", false)
    }

    /// Events, the same.
    pub fn events() -> Self {
        Self::known("", "v1", "Event", "events", true)
    }

    /// A type that can be asked for without a look at what the API server serves.
    pub fn known(group: &str, version: &str, kind: &str, plural: &str, namespaced: bool) -> Self {
        Self {
            group: group.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            plural: plural.to_owned(),
            singular: kind.to_lowercase(),
            short_names: Vec::new(),
            namespaced,
            listable: true,
        }
    }

    /// `apiVersion` of the objects: `v1`, `apps/v1`.
    pub fn api_version(&self) -> String {
        if self.group.is_empty() {
            self.version.clone()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }

    /// The name that RBAC rules and error texts use: `pods`, `deployments.apps`.
    pub fn qualified(&self) -> String {
        if self.group.is_empty() {
            self.plural.clone()
        } else {
            format!("{}.{}", self.plural, self.group)
        }
    }

    pub(crate) fn api_resource(&self) -> ApiResource {
        ApiResource {
            group: self.group.clone(),
            version: self.version.clone(),
            api_version: self.api_version(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        }
    }

    fn answers_to(&self, name: &str) -> bool {
        let names = [&self.plural, &self.singular, &self.kind];
        let mut names = names.into_iter().chain(&self.short_names);
        names.any(|own| own.eq_ignore_ascii_case(name))
    }
}

/// All resource types of an API server, the core group first, then in the server's order of preference.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    types: Vec<ResourceType>,
}

impl Catalogue {
    /// Asks the API server.
    ///
    /// # Errors
    /// [`ClusterError::Api`] when it does not answer, or has no aggregated discovery.
    pub async fn fetch(access: &ClusterAccess) -> Result<Self, ClusterError> {
        let mut types = Vec::new();
        for path in ["/api", "/apis"] {
            for group in discovered(access, path).await?.items {
                add_group(&mut types, group);
            }
        }
        Ok(Self { types })
    }

    /// Finds `resource[.group]`: plural, singular, kind or short name in any case. Without a group the core group wins,
    /// then the server's order.
    pub fn resolve(&self, name: &str) -> Option<&ResourceType> {
        let (resource, group) = match name.split_once('.') {
            Some((resource, group)) => (resource, Some(group)),
            None => (name, None),
        };
        self.types.iter().find(|served| {
            served.answers_to(resource) && group.is_none_or(|group| served.group.eq_ignore_ascii_case(group))
        })
    }

    /// Every type.
    pub fn iter(&self) -> impl Iterator<Item = &ResourceType> {
        self.types.iter()
    }
}

async fn discovered(access: &ClusterAccess, path: &str) -> Result<APIGroupDiscoveryList, ClusterError> {
    let call = Call::new("get", path);
    let request = Request::get(path)
        .header(ACCEPT, ACCEPT_AGGREGATED_DISCOVERY_V2)
        .body(Vec::new())
        .map_err(|error| classify(&call, Trouble::Client(kube::Error::HttpError(error))))?;
    let list: APIGroupDiscoveryList = fetch(access.client(), &call, &request, MAX_DISCOVERY_BYTES).await?;
    if list.items.is_empty() {
        let text = "it lists no resource types (aggregated discovery came with Kubernetes 1.26)";
        return Err(classify(&call, Trouble::Answer(text.into())));
    }
    Ok(list)
}

fn add_group(types: &mut Vec<ResourceType>, group: APIGroupDiscovery) {
    let group_name = group.metadata.and_then(|metadata| metadata.name).unwrap_or_default();
    let start = types.len();
    for served in group.versions {
        let version = served.version.unwrap_or_default();
        for resource in served.resources {
            let Some(served) = resource_type(&group_name, &version, resource) else {
                continue;
            };
            // Versions come in order of preference: the first that has the resource is the one to read.
            let known = types.iter().skip(start).any(|known| known.plural == served.plural);
            if !known {
                types.push(served);
            }
        }
    }
}

fn resource_type(group: &str, version: &str, resource: APIResourceDiscovery) -> Option<ResourceType> {
    let kind = resource.response_kind?.kind?;
    let plural = resource.resource?;
    Some(ResourceType {
        group: group.to_owned(),
        version: version.to_owned(),
        singular: resource.singular_resource.unwrap_or_else(|| kind.to_lowercase()),
        kind,
        plural,
        short_names: resource.short_names,
        namespaced: resource.scope.as_deref() == Some("Namespaced"),
        listable: resource.verbs.iter().any(|verb| verb == "list"),
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::{access::mock_access, error::Failure};

    fn resource(plural: &str, kind: &str, short: &[&str]) -> Value {
        json!({
            "resource": plural, "responseKind": {"group": "", "version": "", "kind": kind}, "scope": "Namespaced",
            "singularResource": kind.to_lowercase(), "verbs": ["get", "list"], "shortNames": short,
        })
    }

    fn group(name: &str, versions: &[(&str, Vec<Value>)]) -> Value {
        let versions: Vec<Value> = versions
            .iter()
            .map(|(version, resources)| json!({"version": version, "resources": resources, "freshness": "Current"}))
            .collect();
        json!({"metadata": {"name": name}, "versions": versions})
    }

    fn list(groups: &[Value]) -> Value {
        json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}, "items": groups})
    }

    async fn served() -> Catalogue {
        let core = list(&[group(
            "",
            &[(
                "v1",
                vec![
                    resource("pods", "Pod", &["po"]),
                    resource("events", "Event", &["ev"]),
                    resource("services", "Service", &["svc"]),
                ],
            )],
        )]);
        let apis = list(&[
            group(
                "apps",
                &[("v1", vec![resource("deployments", "Deployment", &["deploy"])])],
            ),
            group("events.k8s.io", &[("v1", vec![resource("events", "Event", &["ev"])])]),
            group(
                "autoscaling",
                &[
                    (
                        "v2",
                        vec![resource(
                            "horizontalpodautoscalers",
                            "HorizontalPodAutoscaler",
                            &["hpa"],
                        )],
                    ),
                    (
                        "v1",
                        vec![resource(
                            "horizontalpodautoscalers",
                            "HorizontalPodAutoscaler",
                            &["hpa"],
                        )],
                    ),
                ],
            ),
            group(
                "metrics.k8s.io",
                &[("v1beta1", vec![resource("pods", "PodMetrics", &[])])],
            ),
        ]);
        let (access, _) = mock_access(vec![(200, core), (200, apis)]);
        Catalogue::fetch(&access).await.unwrap()
    }

    #[rstest]
    #[case::plural("pods", Some(("v1", "pods")))]
    #[case::singular("pod", Some(("v1", "pods")))]
    #[case::short("po", Some(("v1", "pods")))]
    #[case::kind("Deployment", Some(("apps/v1", "deployments")))]
    #[case::any_case("SVC", Some(("v1", "services")))]
    #[case::core_wins("events", Some(("v1", "events")))]
    #[case::named_group("events.events.k8s.io", Some(("events.k8s.io/v1", "events")))]
    #[case::same_plural_elsewhere("pods.metrics.k8s.io", Some(("metrics.k8s.io/v1beta1", "pods")))]
    #[case::preferred_version("hpa", Some(("autoscaling/v2", "horizontalpodautoscalers")))]
    #[case::wrong_group("pods.apps", None)]
    #[case::unknown("gizmos", None)]
    #[case::empty("", None)]
    #[tokio::test]
    async fn names_resolve(#[case] name: &str, #[case] expected: Option<(&str, &str)>) {
        let catalogue = served().await;
        let found = catalogue
            .resolve(name)
            .map(|found| (found.api_version(), found.plural.clone()));
        assert_eq!(found, expected.map(|(version, plural)| (version.into(), plural.into())));
    }

    #[tokio::test]
    async fn an_old_server_is_said_to_be_one() {
        let old = json!({"kind": "APIVersions", "versions": ["v1"]});
        let (access, _) = mock_access(vec![(200, old)]);
        let error = Catalogue::fetch(&access).await.unwrap_err();
        assert_eq!(error.failure(), Some(Failure::Failed));
    }
}
