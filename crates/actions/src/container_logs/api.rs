//! Container logs from the API server, for where the node's files cannot be reached: of each container the current and
//! the previous instance, as far as the kubelet still has them. Pods that the API has forgotten are not there.

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
        let name = format!("api/{}", namespace.as_deref().unwrap_or("pods"));
        match list(cluster, cx, namespace, &mut wanted).await {
            Ok(Listed { missing: Some(why), .. }) => cx.sink.record(&name, State::Truncated, why),
            Ok(Listed { pods: 0, .. }) => {
                let why = format!("no pods of it on the node {}", cx.node.name);
                cx.sink.record(&name, State::NotPresent, why);
            }
            Ok(_) => {}
            Err(error) => cx.sink.record(&name, state_of(&error), reason_of(&error)),
        }
    }
    for log in &wanted {
        cx.sink.plan(&log.name);
    }
    let copies = futures::stream::iter(wanted).map(|log| copy_log(cluster, cx, log));
    copies.buffer_unordered(IN_FLIGHT).collect::<()>().await;
}

/// What became of one list of pods.
struct Listed {
    pods: usize,
    /// Why not all of them are there.
    missing: Option<String>,
}

async fn list(
    cluster: &ClusterAccess,
    cx: &ActionContext,
    namespace: Option<String>,
    wanted: &mut Vec<Wanted>,
) -> Result<Listed, ClusterError> {
    let scope = ListScope {
        namespace,
        fields: Some(format!("spec.nodeName={}", cx.node.name)),
    };
    let resource = ResourceType::pods();
    let mut objects = cluster.list(&resource, &scope);
    let mut pods = 0;
    let (mut unreadable, mut first_error) = (0_usize, None);
    let mut missing = None;
    while let Some(object) = objects.next().await? {
        if pods == MAX_PODS {
            missing = Some(format!("only the first {MAX_PODS} pods"));
            break;
        }
        pods += 1;
        match serde_json::from_value::<Pod>(object) {
            Ok(pod) => wanted.extend(logs_of(&pod)),
            Err(error) => {
                unreadable += 1;
                first_error.get_or_insert(error);
            }
        }
    }
    if let Some(error) = first_error {
        let why = format!("{unreadable} pods of the list cannot be understood, the first: {error}");
        missing = Some(missing.map_or_else(|| why.clone(), |more| format!("{more}; {why}")));
    }
    Ok(Listed { pods, missing })
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
    use std::sync::Arc;

    use async_trait::async_trait;
    use http::{Request, Response};
    use kube::client::Body;
    use periscope_cluster::{ApiServer, Client, Identity};
    use periscope_core::{Action, ActionError};
    use periscope_testkit::ActionRun;
    use rstest::rstest;
    use serde_json::{Value, json};

    use super::*;
    use crate::container_logs::DESCRIPTOR;

    /// Copies the logs of one namespace from an API that has only these pods.
    struct Copy(Vec<Value>);

    #[async_trait]
    impl Action for Copy {
        async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
            let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
            let list = json!({"metadata": {}, "items": self.0}).to_string();
            tokio::spawn(async move {
                while let Some((_, send)) = handle.next_request().await {
                    send.send_response(Response::new(Body::from(list.clone().into_bytes())));
                }
            });
            let server = ApiServer {
                host: "api.test".into(),
                port: 443,
            };
            let cluster = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, server);
            copy(&cluster, cx, &Namespaces::Only(vec!["ns".to_owned()])).await;
            Ok(())
        }
    }

    fn quiet_pod(number: usize) -> Value {
        json!({"metadata": {"namespace": "ns", "name": format!("p{number}"), "uid": "u"}})
    }

    #[rstest]
    #[case::none(vec![], State::NotPresent, "no pods")]
    #[case::unreadable(vec![quiet_pod(1), json!({"metadata": {}})], State::Truncated, "1 pods of the list cannot be understood")]
    #[case::too_many((0..=MAX_PODS).map(quiet_pod).collect(), State::Truncated, "only the first 5000 pods")]
    #[tokio::test]
    async fn what_a_list_lacks_is_told(#[case] pods: Vec<Value>, #[case] state: State, #[case] reason: &str) {
        let run = ActionRun::of(&DESCRIPTOR, Arc::new(Copy(pods))).await;
        assert_eq!(run.state("api/ns"), state);
        assert!(run.reason("api/ns").contains(reason), "{}", run.reason("api/ns"));
    }

    #[tokio::test]
    async fn a_list_that_lacks_nothing_needs_no_word() {
        let pods = (0..MAX_PODS).map(quiet_pod).collect();
        let run = ActionRun::of(&DESCRIPTOR, Arc::new(Copy(pods))).await;
        assert!(
            run.items().iter().all(|item| !item.path.as_str().ends_with("api/ns")),
            "{:?}",
            run.items()
        );
    }

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
