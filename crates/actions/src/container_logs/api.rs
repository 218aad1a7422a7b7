//! Container logs from the API server, for where the node's files cannot be reached: of each container the current and the
//! previous instance, as far as the kubelet still has them. Pods that the API has forgotten are not there.

use futures::StreamExt;
use periscope_cluster::{ClusterAccess, ClusterError, ListScope, LogOptions, PodContainer, ResourceType};
use periscope_core::{ActionContext, ArtifactSpec, Content, State};
use serde::Deserialize;

use crate::Namespaces;
use crate::api_errors::state_of;
use crate::host_files::reason_of;

/// Logs that are asked for at once: the API server passes each through from the kubelet.
const IN_FLIGHT: usize = 4;

/// Most pods of one node; the kubelet's own limit is far lower.
const MAX_PODS: usize = 5_000;

/// The part of a pod that says which logs there are.
#[derive(Debug, Deserialize)]
struct Pod {
    metadata: Metadata,
    #[serde(default)]
    status: Status,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    namespace: String,
    name: String,
    uid: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Status {
    #[serde(rename = "initContainerStatuses")]
    init: Vec<ContainerStatus>,
    #[serde(rename = "containerStatuses")]
    ordinary: Vec<ContainerStatus>,
    #[serde(rename = "ephemeralContainerStatuses")]
    ephemeral: Vec<ContainerStatus>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ContainerStatus {
    name: String,
    #[serde(default)]
    state: Instance,
    #[serde(default)]
    last_state: Instance,
}

/// An instance of a container: it waits to be started when it is neither running nor terminated.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Instance {
    running: Option<serde::de::IgnoredAny>,
    terminated: Option<serde::de::IgnoredAny>,
}

impl ContainerStatus {
    /// The instances that have a log, as the API calls them. While a container waits to be restarted, its last
    /// instance is the current one (`k8s.io/kubernetes/pkg/kubelet`, `validateContainerLogStatus`).
    fn instances(&self) -> &'static [Which] {
        let is_started = self.state.running.is_some() || self.state.terminated.is_some();
        match (is_started, self.last_state.terminated.is_some()) {
            (true, true) => &[Which::Current, Which::Previous],
            (false, false) => &[],
            (true, false) | (false, true) => &[Which::Current],
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Which {
    Current,
    Previous,
}

/// One log to ask for.
struct Wanted {
    name: String,
    container: PodContainer,
    which: Which,
}

/// Copies the logs of the pods on this node that are in the chosen namespaces.
pub(super) async fn copy(cluster: &ClusterAccess, cx: &ActionContext, namespaces: &Namespaces) {
    let scopes = match namespaces {
        Namespaces::All => vec![None],
        Namespaces::Only(names) => names.iter().cloned().map(Some).collect(),
    };
    let mut wanted = Vec::new();
    for namespace in scopes {
        if let Err(error) = list(cluster, cx, namespace.clone(), &mut wanted).await {
            let name = format!("api/{}", namespace.as_deref().unwrap_or("pods"));
            cx.sink.record(&name, state_of(&error), reason_of(&error));
        }
    }
    for log in &wanted {
        cx.sink.plan(&log.name);
    }
    let copies = futures::stream::iter(wanted).map(|log| copy_log(cluster, cx, log));
    copies.buffer_unordered(IN_FLIGHT).collect::<()>().await;
}

async fn list(
    cluster: &ClusterAccess,
    cx: &ActionContext,
    namespace: Option<String>,
    wanted: &mut Vec<Wanted>,
) -> Result<(), ClusterError> {
    let scope = ListScope {
        namespace,
        fields: Some(format!("spec.nodeName={}", cx.node.name)),
    };
    let pods = pods();
    let mut objects = cluster.list(&pods, &scope);
    for _ in 0..MAX_PODS {
        let Some(object) = objects.next().await? else { break };
        match serde_json::from_value::<Pod>(object) {
            Ok(pod) => wanted.extend(logs_of(&pod)),
            Err(error) => tracing::warn!(%error, "A pod in the API's list makes no sense."),
        }
    }
    Ok(())
}

fn pods() -> ResourceType {
    ResourceType {
        group: String::new(),
        version: "v1".to_owned(),
        kind: "Pod".to_owned(),
        plural: "pods".to_owned(),
        singular: "pod".to_owned(),
        short_names: Vec::new(),
        namespaced: true,
        listable: true,
    }
}

fn logs_of(pod: &Pod) -> Vec<Wanted> {
    let Metadata { namespace, name, uid } = &pod.metadata;
    let Status {
        init,
        ordinary,
        ephemeral,
    } = &pod.status;
    let containers = init.iter().chain(ordinary).chain(ephemeral);
    let logs = containers.flat_map(|container| {
        container.instances().iter().map(move |&which| {
            let instance = match which {
                Which::Current => "current",
                Which::Previous => "previous",
            };
            Wanted {
                name: format!("api/{namespace}_{name}_{uid}/{}/{instance}.log", container.name),
                container: PodContainer {
                    namespace: namespace.clone(),
                    pod: name.clone(),
                    container: container.name.clone(),
                },
                which,
            }
        })
    });
    logs.collect()
}

async fn copy_log(cluster: &ClusterAccess, cx: &ActionContext, log: Wanted) {
    let Wanted { name, container, which } = log;
    let options = LogOptions {
        previous: which == Which::Previous,
        since: cx.since,
        timestamps: true,
        limit_bytes: None,
    };
    let stream = match cluster.container_log(&container, &options).await {
        Ok(stream) => stream,
        Err(error) => return cx.sink.record(&name, state_of(&error), reason_of(&error)),
    };
    let PodContainer {
        namespace,
        pod,
        container,
    } = container;
    let source = format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?container={container}");
    let mut writer = cx.sink.writer(ArtifactSpec::new(name, Content::Text).source(source));
    match writer.copy_from(stream).await {
        Ok(_) => writer.finish().await,
        Err(error) => {
            writer
                .finish_as(State::Failed, Some(format!("the stream broke off: {error}")))
                .await
        }
    };
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::{Pod, logs_of};

    #[rstest]
    #[case::running(json!({"state": {"running": {}}}), &["current"])]
    #[case::restarted(json!({"state": {"running": {}}, "lastState": {"terminated": {}}}), &["current", "previous"])]
    #[case::done(json!({"state": {"terminated": {"exitCode": 0}}}), &["current"])]
    #[case::crash_loop(json!({"state": {"waiting": {}}, "lastState": {"terminated": {}}}), &["current"])]
    #[case::never_started(json!({"state": {"waiting": {"reason": "ImagePullBackOff"}}}), &[])]
    #[case::unknown(json!({}), &[])]
    fn which_instances_have_a_log(#[case] mut status: Value, #[case] expected: &[&str]) {
        status["name"] = json!("c");
        let pod: Pod = serde_json::from_value(json!({
            "metadata": {"namespace": "ns", "name": "p", "uid": "u"},
            "status": {"ephemeralContainerStatuses": [status]},
        }))
        .unwrap();
        let names: Vec<_> = logs_of(&pod).into_iter().map(|log| log.name).collect();
        let expected: Vec<_> = expected
            .iter()
            .map(|which| format!("api/ns_p_u/c/{which}.log"))
            .collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn a_pod_without_a_status_has_no_logs() {
        let pod: Pod =
            serde_json::from_value(json!({"metadata": {"namespace": "n", "name": "p", "uid": "u"}})).unwrap();
        assert_eq!(logs_of(&pod).len(), 0);
    }
}
