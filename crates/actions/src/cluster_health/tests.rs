//! The whole action against an API server that answers from a table.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use http::{Request, Response};
use kube::client::Body;
use periscope_cluster::{ApiServer, Client, ClusterAccess, Identity};
use periscope_core::State;
use periscope_documents::{ApiCall, NodeEvent, NodeFact, from_lines, names};
use periscope_testkit::ActionRun;
use serde_json::{Value, json};

use super::{ClusterHealth, DESCRIPTOR};

const READYZ_OK: &str = "[+]ping ok\n[+]etcd ok\nreadyz check passed\n";
const NODE: &str = "/api/v1/nodes/node1";
const LEASE: &str = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/node1";
const PODS: &str = "/api/v1/pods?&fieldSelector=spec.nodeName%3Dnode1&limit=500";
const NODE_EVENTS: &str =
    "/api/v1/events?&fieldSelector=involvedObject.kind%3DNode%2CinvolvedObject.name%3Dnode1&limit=500";
const POD_EVENTS: &str = "/api/v1/events?&fieldSelector=involvedObject.kind%3DPod%2Ctype%3DWarning&limit=500";

type Api = BTreeMap<&'static str, (u16, String)>;

fn node() -> Value {
    json!({
        "kind": "Node", "apiVersion": "v1",
        "metadata": {"name": "node1", "creationTimestamp": "2026-11-01T00:00:00Z", "labels": {"agentpool": "pool1"}},
        "spec": {
            "unschedulable": true,
            "taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "timeAdded": "2026-11-21T09:00:00Z"}],
        },
        "status": {
            "conditions": [{
                "type": "Ready", "status": "Unknown", "reason": "NodeStatusUnknown",
                "message": "Kubelet stopped posting node status.",
                "lastHeartbeatTime": "2026-11-21T08:59:00Z", "lastTransitionTime": "2026-11-21T09:00:00Z",
            }],
            "capacity": {"cpu": "4", "memory": "16Gi"}, "allocatable": {"cpu": "3860m", "memory": "13Gi"},
            "addresses": [{"type": "InternalIP", "address": "10.224.0.4"}],
            "nodeInfo": {"kubeletVersion": "v1.34.4", "containerRuntimeVersion": "containerd://1.7.15"},
        },
    })
}

fn event(pod: &str, host: &str, reason: &str, time: &str) -> Value {
    json!({
        "metadata": {"name": reason}, "type": "Warning", "reason": reason, "message": "m\n", "count": 3,
        "firstTimestamp": "2026-11-21T08:00:00Z", "lastTimestamp": time,
        "involvedObject": {"kind": "Pod", "namespace": "ns", "name": pod},
        "source": {"component": "kubelet", "host": host},
    })
}

fn api() -> Api {
    let list = |objects: &[Value]| (200, json!({"metadata": {}, "items": objects}).to_string());
    let pod = json!({
        "metadata": {"name": "a", "namespace": "ns"}, "spec": {"containers": [{"name": "c", "env": [{"name": "PASSWORD", "value": "hunter2"}]}]},
        "status": {"phase": "Running", "containerStatuses": [
            {"ready": false, "restartCount": 7, "state": {"waiting": {"reason": "CrashLoopBackOff"}}}]},
    });
    let of_node = json!({
        "type": "Normal", "reason": "NodeNotReady", "message": "Node node1 status is now: NodeNotReady",
        "involvedObject": {"kind": "Node", "name": "node1"}, "eventTime": "2026-11-21T09:00:00.123456Z",
        "reportingComponent": "node-controller",
    });
    BTreeMap::from([
        (
            "/version",
            (200, json!({"gitVersion": "v1.34.4", "major": "1"}).to_string()),
        ),
        ("/livez", (200, "ok".to_owned())),
        ("/readyz?verbose", (200, READYZ_OK.to_owned())),
        (NODE, (200, node().to_string())),
        (
            LEASE,
            (
                200,
                json!({"spec": {"renewTime": "2026-11-21T09:58:00.000000Z", "leaseDurationSeconds": 40}}).to_string(),
            ),
        ),
        (PODS, list(&[pod])),
        (NODE_EVENTS, list(&[of_node])),
        (
            POD_EVENTS,
            list(&[
                event("gone", "node1", "Evicted", "2026-11-21T09:30:00Z"),
                event("a", "", "FailedScheduling", "2026-11-21T08:30:00Z"),
                event("elsewhere", "node2", "BackOff", "2026-11-21T09:30:00Z"),
            ]),
        ),
    ])
}

/// Runs against the table; 404 for what is not in it, no answer where the status is 0.
async fn run(api: Api) -> (ActionRun, Vec<String>) {
    run_as(true, api).await
}

async fn run_as(alone: bool, api: Api) -> (ActionRun, Vec<String>) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let missing = (
                404,
                json!({"kind": "Status", "code": 404, "message": "not found"}).to_string(),
            );
            let path = request.uri().to_string();
            let (status, body) = api.get(path.as_str()).cloned().unwrap_or(missing);
            noted.lock().unwrap().push(path);
            if status == 0 {
                send.send_error(std::io::Error::from(std::io::ErrorKind::ConnectionRefused));
            } else {
                let answer = Response::builder()
                    .status(status)
                    .header("date", "Sat, 21 Nov 2026 10:00:07 GMT");
                send.send_response(answer.body(Body::from(body.into_bytes())).unwrap());
            }
        }
    });
    let server = ApiServer {
        host: "api.test".into(),
        port: 443,
    };
    let access = ClusterAccess::new(Client::new(service, "default"), Identity::ServiceAccount, server);
    let run = ActionRun::of(&DESCRIPTOR, Arc::new(ClusterHealth::new(Ok(access), alone))).await;
    let asked = asked.lock().unwrap().clone();
    (run, asked)
}

fn rows<T: serde::de::DeserializeOwned>(run: &ActionRun, name: &str) -> Vec<T> {
    let lines = from_lines(&run.text(name)).unwrap();
    lines.into_iter().map(|(_, row)| row).collect()
}

#[tokio::test]
async fn the_cluster_is_asked_about_the_node_in_eight_requests() {
    let (run, asked) = run(api()).await;
    assert_eq!(asked.len(), 8, "{asked:?}");
    let states: Vec<_> = run
        .items()
        .iter()
        .filter(|item| item.state != State::Collected)
        .collect();
    assert!(states.is_empty(), "{states:?}");

    let calls: Vec<ApiCall> = rows(&run, names::API_SERVER);
    let said: Vec<_> = calls.iter().map(|call| (call.status, call.said.as_str())).collect();
    assert_eq!(
        said[..3],
        [
            (Some(200), "v1.34.4"),
            (Some(200), "ok"),
            (Some(200), "readyz check passed")
        ]
    );
    assert!(
        calls
            .iter()
            .all(|call| call.date == Some("2026-11-21T10:00:07Z".parse().unwrap()))
    );
    assert_eq!(run.text("readyz.txt"), READYZ_OK);

    let facts: Vec<NodeFact> = rows(&run, names::NODE_FACTS);
    assert!(facts.contains(&NodeFact::Unschedulable));
    assert!(facts.contains(&NodeFact::Lease {
        renewed: Some("2026-11-21T09:58:00Z".parse().unwrap()),
        duration: Some(40)
    }));
    assert!(facts.iter().any(
        |fact| matches!(fact, NodeFact::Condition { kind, status, .. } if kind == "Ready" && status == "Unknown")
    ));
    assert!(
        facts
            .iter()
            .any(|fact| matches!(fact, NodeFact::Taint { key, .. } if key.ends_with("/unreachable")))
    );
    let page = run.text("node.txt");
    for part in [
        "agentpool",
        "3860m",
        "Kubelet stopped posting node status.",
        "10.224.0.4",
    ] {
        assert!(page.contains(part), "no {part} in\n{page}");
    }

    let version: Value = serde_json::from_str(&run.text_at("cluster-info/cluster_version.json").unwrap()).unwrap();
    assert_eq!(
        (&version["string"], &version["info"]["major"]),
        (&json!("v1.34.4"), &json!("1"))
    );
}

#[tokio::test]
async fn pods_and_events_are_those_of_the_node() {
    let (run, _) = run(api()).await;
    let pods: Value = serde_json::from_str(&run.text("pods.json")).unwrap();
    assert_eq!(pods["items"].as_array().unwrap().len(), 1);
    assert!(!run.text("pods.json").contains("hunter2"));
    assert!(
        run.text("pods.txt").contains("CrashLoopBackOff"),
        "{}",
        run.text("pods.txt")
    );

    let events: Vec<NodeEvent> = rows(&run, names::NODE_EVENTS);
    let told: Vec<_> = events
        .iter()
        .map(|e| (e.object.as_str(), e.reason.as_str(), e.count))
        .collect();
    assert_eq!(
        told,
        [
            ("pod ns/a", "FailedScheduling", 3),
            ("node node1", "NodeNotReady", 1),
            ("pod ns/gone", "Evicted", 3)
        ]
    );
    assert_eq!(run.text("events.txt").lines().count(), 4);
}

#[tokio::test]
async fn among_many_nodes_each_asks_for_its_own_in_two_requests() {
    let (run, asked) = run_as(false, api()).await;
    assert_eq!(asked, [NODE, PODS]);
    for item in [
        names::API_SERVER,
        names::NODE_FACTS,
        "node.json",
        "pods.json",
        "pods.txt",
    ] {
        assert_eq!(run.state(item), State::Collected, "{item}");
    }
    for item in ["readyz.txt", "lease.json", names::NODE_EVENTS, "events.txt"] {
        assert_eq!(run.state(item), State::NotApplicable, "{item}");
    }
    let refused = BTreeMap::from([(NODE, (0, String::new()))]);
    let (run, asked) = run_as(false, refused).await;
    assert_eq!((asked.len(), run.state("pods.json")), (1, State::Failed));
}

#[tokio::test]
async fn what_is_not_allowed_costs_that_item_alone() {
    let refused = (
        403,
        json!({"kind": "Status", "code": 403, "message": "forbidden: the user may not"}).to_string(),
    );
    let mut api = api();
    api.insert(LEASE, refused.clone());
    api.insert(NODE_EVENTS, refused);
    let (run, _) = run(api).await;
    assert_eq!(
        (run.state("lease.json"), run.state(names::NODE_EVENTS)),
        (State::Denied, State::Denied)
    );
    assert!(
        run.reason("lease.json").contains("HTTP 403: forbidden"),
        "{}",
        run.reason("lease.json")
    );
    for item in [names::NODE_FACTS, "pods.json", "node.txt"] {
        assert_eq!(run.state(item), State::Collected, "{item}");
    }
}

#[tokio::test]
async fn a_node_that_the_cluster_does_not_know_is_a_fact() {
    let mut api = api();
    api.remove(NODE);
    api.remove(LEASE);
    let (run, _) = run(api).await;
    let facts: Vec<NodeFact> = rows(&run, names::NODE_FACTS);
    assert_eq!(
        facts,
        [NodeFact::Registered {
            exists: false,
            created: None
        }]
    );
    assert_eq!(run.state("node.json"), State::NotPresent);
}

#[tokio::test]
async fn checks_that_fail_are_named() {
    let mut api = api();
    let failing = "[+]ping ok\n[-]etcd failed: reason withheld\nreadyz check failed\n".to_owned();
    api.insert("/readyz?verbose", (500, failing.clone()));
    let (run, _) = run(api).await;
    assert_eq!(run.text("readyz.txt"), failing);
    let calls: Vec<ApiCall> = rows(&run, names::API_SERVER);
    assert_eq!(
        (calls[2].status, calls[2].said.as_str()),
        (Some(500), "etcd failed: reason withheld")
    );
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_given_up_after_two_requests() {
    let api = api().into_keys().map(|path| (path, (0, String::new()))).collect();
    let (run, asked) = run(api).await;
    assert_eq!(asked, ["/version", "/livez"]);
    let calls: Vec<ApiCall> = rows(&run, names::API_SERVER);
    assert!(
        calls.iter().all(|call| call.error.is_some() && call.status.is_none()),
        "{calls:?}"
    );
    for item in [names::NODE_FACTS, "pods.json", names::NODE_EVENTS, "lease.json"] {
        assert_eq!(run.state(item), State::Failed, "{item}");
        assert!(run.reason(item).contains("cannot be reached"), "{}", run.reason(item));
    }
}

#[tokio::test]
async fn without_a_way_to_the_cluster_it_does_not_apply() {
    let action = ClusterHealth::new(Err("no API server is known".to_owned()), true);
    let run = ActionRun::of(&DESCRIPTOR, Arc::new(action)).await;
    assert!(run.items().iter().all(|item| item.state == State::NotApplicable));
}
