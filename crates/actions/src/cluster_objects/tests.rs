//! The whole action against an API server that answers from a table.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use http::{Request, Response};
use kube::client::Body;
use periscope_cluster::{ApiServer, Client, ClusterAccess, Identity};
use periscope_core::State;
use periscope_documents::{NodeEvent, from_lines, names};
use periscope_testkit::ActionRun;
use serde_json::{Value, json};

use super::release::tests::secret;
use super::{ClusterObjects, DESCRIPTOR};

const WARNINGS: &str = "/api/v1/events?&fieldSelector=type%3DWarning&limit=500";
const OF_NODES: &str = "/api/v1/events?&fieldSelector=involvedObject.kind%3DNode%2Ctype%21%3DWarning&limit=500";
const SECRETS: &str = "/api/v1/secrets?&fieldSelector=type%3Dhelm.sh%2Frelease.v1&limit=500";
const BUDGETS: &str = "/apis/policy/v1/poddisruptionbudgets?&limit=500";
const NODES: &str = "/api/v1/nodes?&limit=500";
const NAMESPACES: &str = "/api/v1/namespaces?&limit=500";
const NODE_METRICS: &str = "/apis/metrics.k8s.io/v1beta1/nodes?&limit=500";
const POD_METRICS: &str = "/apis/metrics.k8s.io/v1beta1/pods?&limit=500";

type Api = BTreeMap<&'static str, (u16, Value)>;

fn list(objects: &[Value]) -> (u16, Value) {
    (200, json!({"metadata": {}, "items": objects}))
}

fn named(namespace: &str, name: &str) -> Value {
    json!({"metadata": {"namespace": namespace, "name": name}})
}

fn budget(namespace: &str, name: &str, spec: &Value, allowed: u32) -> Value {
    let mut budget = named(namespace, name);
    budget["spec"] = spec.clone();
    budget["status"] = json!({"disruptionsAllowed": allowed});
    budget
}

fn event(kind: &str, reason: &str, time: &str) -> Value {
    json!({
        "type": "Warning", "reason": reason, "message": "m", "count": 2, "lastTimestamp": time,
        "involvedObject": {"kind": kind, "namespace": "ns", "name": "a"},
    })
}

fn api() -> Api {
    let usage = |cpu: &str, memory: &str| json!({"cpu": cpu, "memory": memory});
    let node = json!({
        "metadata": {"name": "n1"}, "status": {"conditions": [{"type": "Ready", "status": "True"}]},
    });
    let pod = json!({"metadata": {"name": "p", "namespace": "ns"}, "containers": [
        {"name": "c1", "usage": usage("1500000n", "2Ki")}, {"name": "c2", "usage": usage("0", "1Mi")}]});
    BTreeMap::from([
        ("/readyz?verbose", (200, json!("[+]ping ok"))),
        ("/version", (200, json!({"gitVersion": "v1.34.4"}))),
        (NODES, list(&[node])),
        (
            NAMESPACES,
            list(&[
                json!({"metadata": {"name": "empty"}}),
                json!({"metadata": {"name": "ns"}}),
            ]),
        ),
        (
            BUDGETS,
            list(&[
                budget("ns", "a", &json!({"minAvailable": 1}), 0),
                budget("ns", "b", &json!({"maxUnavailable": "25%"}), 2),
                budget("zz", "c", &json!({}), 0),
            ]),
        ),
        (
            NODE_METRICS,
            list(&[json!({"metadata": {"name": "n1"}, "usage": usage("250m", "1Gi")})]),
        ),
        (POD_METRICS, list(&[pod])),
        (WARNINGS, list(&[event("Pod", "BackOff", "2026-11-21T10:00:00Z")])),
        (OF_NODES, list(&[event("Node", "NodeNotReady", "2026-11-21T09:00:00Z")])),
        (
            SECRETS,
            list(&[
                secret("ns", "web", 2, "deployed"),
                secret("ns", "web", 1, "superseded"),
                secret("other", "web", 1, "failed"),
            ]),
        ),
    ])
}

async fn run(api: Api, identity: Identity, alone: bool, archived: &[&str]) -> (ActionRun, Vec<String>) {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let noted = Arc::clone(&asked);
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let path = request.uri().to_string();
            let missing = (404, json!({"kind": "Status", "code": 404, "message": "not found"}));
            let (status, body) = api.get(path.as_str()).cloned().unwrap_or(missing);
            noted.lock().unwrap().push(path);
            let body = Body::from(body.to_string().into_bytes());
            send.send_response(Response::builder().status(status).body(body).unwrap());
        }
    });
    let server = ApiServer {
        host: "api.test".into(),
        port: 443,
    };
    let access = ClusterAccess::new(Client::new(service, "default"), identity, server);
    let archived = archived.iter().map(|&name| name.to_owned()).collect();
    let run = ActionRun::of(&DESCRIPTOR, Arc::new(ClusterObjects::new(Ok(access), alone, archived))).await;
    let asked = asked.lock().unwrap().clone();
    (run, asked)
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

#[tokio::test]
async fn the_cluster_is_told_of_in_ten_requests() {
    let (run, asked) = run(api(), Identity::ServiceAccount, false, &[]).await;
    assert_eq!(asked.len(), 10, "{asked:?}");
    for item in run.items() {
        assert_eq!(item.state, State::Collected, "{item:?}");
    }
    assert!(
        run.text("nodes.txt").contains("n1    Ready"),
        "{}",
        run.text("nodes.txt")
    );
    assert_eq!(
        json_of(&run.text_at("cluster-resources/nodes.json").unwrap())["items"][0]["kind"],
        "Node"
    );
    assert_eq!(
        json_of(&run.text_at("cluster-resources/namespaces.json").unwrap())["items"][1]["metadata"]["name"],
        "ns"
    );
    assert_eq!(
        json_of(&run.text_at("cluster-info/cluster_version.json").unwrap())["string"],
        "v1.34.4"
    );
    assert!(run.text("readyz.txt").contains("ping ok"));
}

#[tokio::test]
async fn what_the_original_had_has_its_shape() {
    let (run, _) = run(api(), Identity::ServiceAccount, false, &[]).await;
    assert_eq!(run.text("poddisruptionbudget/pdb-empty"), "[]");
    assert_eq!(
        run.text("poddisruptionbudget/pdb-ns"),
        r#"[{"name":"a","minavailable":"1","maxunavailable":"<nil>","disruptionsallowed":0},{"name":"b","minavailable":"<nil>","maxunavailable":"25%","disruptionsallowed":2}]"#
    );
    assert_eq!(
        json_of(&run.text_at("cluster-resources/poddisruptionbudgets/zz.json").unwrap())["items"][0]["metadata"]["name"],
        "c"
    );
    assert_eq!(
        run.text("systemperf/nodes"),
        "[\n{\"name\":\"n1\",\"cpuUsage\":250,\"memoryUsage\":1073741824}\n]\n"
    );
    assert_eq!(
        json_of(&run.text("systemperf/pods")),
        json!([{"name": "c1", "cpuUsage": 2, "memoryUsage": 2048}, {"name": "c2", "cpuUsage": 0, "memoryUsage": 1_048_576}])
    );
    let revision = |number: u64, status: &str| {
        json!({
            "lastDeployment": format!("2026-11-0{number}T00:00:00Z"), "description": "Upgrade complete",
            "status": status, "revision": number, "appVersion": "1.25",
        })
    };
    let release = |namespace: &str, status: &str, history: Value| json!({"name": "web", "namespace": namespace, "status": status, "chart": "nginx", "history": history});
    assert_eq!(
        json_of(&run.text("helm/helm_list")),
        json!([
            release(
                "ns",
                "deployed",
                json!([revision(1, "superseded"), revision(2, "deployed")])
            ),
            release("other", "failed", json!([revision(1, "failed")])),
        ])
    );
}

#[tokio::test]
async fn events_of_all_namespaces_are_rows_and_a_table() {
    let (run, _) = run(api(), Identity::ServiceAccount, false, &[]).await;
    let rows = from_lines::<NodeEvent>(&run.text(names::CLUSTER_EVENTS)).unwrap();
    let reasons: Vec<_> = rows.iter().map(|(_, event)| event.reason.as_str()).collect();
    assert_eq!(reasons, ["NodeNotReady", "BackOff"]);
    assert_eq!(run.text("events.txt").lines().count(), 3);
}

#[tokio::test]
async fn what_is_denied_or_not_served_costs_that_item_alone() {
    let mut api = api();
    api.insert(SECRETS, (403, json!({"kind": "Status", "code": 403, "message": "no"})));
    api.insert(BUDGETS, (403, json!({"kind": "Status", "code": 403, "message": "no"})));
    api.remove(NODE_METRICS);
    let (run, asked) = run(api, Identity::ServiceAccount, false, &[]).await;
    assert_eq!(run.state("helm/helm_list"), State::NotApplicable);
    let reason = run.reason("helm/helm_list");
    assert!(
        reason.contains("not allowed to list secrets") && reason.contains("component helm"),
        "{reason}"
    );
    assert_eq!(run.state("poddisruptionbudget"), State::Denied);
    for item in ["systemperf/nodes", "systemperf/pods"] {
        assert_eq!(run.state(item), State::NotPresent, "{item}");
    }
    assert!(!asked.iter().any(|path| path == POD_METRICS));
    for item in ["nodes.txt", names::CLUSTER_EVENTS] {
        assert_eq!(run.state(item), State::Collected, "{item}");
    }
}

#[tokio::test]
async fn archived_collectors_are_answered_once_each() {
    let (run, _) = run(
        api(),
        Identity::ServiceAccount,
        false,
        &["OSM", "smi", "osm", "connectedCluster"],
    )
    .await;
    for (item, words) in [
        ("osm", "Open Service Mesh is archived"),
        ("smi", "Service Mesh Interface is archived"),
    ] {
        assert_eq!(run.state(item), State::NotApplicable);
        assert!(run.reason(item).contains(words));
    }
    let answered = run.items().iter().filter(|item| item.state == State::NotApplicable);
    assert_eq!(answered.count(), 2);
}

#[tokio::test]
async fn alone_it_leaves_the_server_to_cluster_health_and_a_kubelet_is_not_asked() {
    let (alone, asked) = run(api(), Identity::ServiceAccount, true, &[]).await;
    assert_eq!((asked.len(), alone.state("readyz.txt")), (8, State::NotApplicable));
    let (kubelet, asked) = run(api(), Identity::Kubelet("/k"), true, &[]).await;
    assert_eq!((asked.len(), kubelet.record().state), (0, State::NotApplicable));
    assert!(
        kubelet.reason("nodes.txt").contains("its own node only"),
        "{}",
        kubelet.reason("nodes.txt")
    );
}
