//! The whole action against an API server that answers from a table.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use http::{Request, Response};
use kube::client::Body;
use periscope_cluster::{ApiServer, Client, ClusterAccess, Identity};
use periscope_core::State;
use periscope_testkit::{ActionRun, RunOptions};
use rstest::rstest;
use serde_json::{Value, json};

use super::{DESCRIPTOR, KubeObjects};

/// Answers by the path and query of the request; 404 for others.
type Api = BTreeMap<String, (u16, Value)>;

fn resource(plural: &str, kind: &str, scope: &str) -> Value {
    json!({
        "resource": plural, "responseKind": {"kind": kind}, "scope": scope, "singularResource": kind.to_lowercase(),
        "verbs": ["get", "list"], "shortNames": [],
    })
}

fn groups(groups: &[(&str, Vec<Value>)]) -> (u16, Value) {
    let items: Vec<Value> = groups
        .iter()
        .map(|(name, resources)| json!({"metadata": {"name": name}, "versions": [{"version": "v1", "resources": resources}]}))
        .collect();
    (
        200,
        json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": items}),
    )
}

fn list(objects: &[Value]) -> (u16, Value) {
    (200, json!({"metadata": {}, "items": objects}))
}

fn refusal() -> (u16, Value) {
    (
        403,
        json!({"kind": "Status", "code": 403, "message": "forbidden: the user may not"}),
    )
}

fn pod(name: &str) -> Value {
    json!({"metadata": {"name": name, "namespace": "ns", "uid": format!("uid-{name}")}, "status": {"phase": "Running"}})
}

fn event(uid: &str, reason: &str) -> Value {
    json!({"metadata": {"name": reason}, "involvedObject": {"uid": uid}, "type": "Normal", "reason": reason, "message": "m"})
}

/// Discovery, the events of `ns`, two pods, one of them deleted since, and a service that is refused.
fn api() -> Api {
    let core = vec![
        resource("pods", "Pod", "Namespaced"),
        resource("events", "Event", "Namespaced"),
        resource("services", "Service", "Namespaced"),
        resource("secrets", "Secret", "Namespaced"),
        resource("nodes", "Node", "Cluster"),
    ];
    let answers = [
        ("/api", groups(&[("", core)])),
        (
            "/apis",
            groups(&[("apps", vec![resource("deployments", "Deployment", "Namespaced")])]),
        ),
        (
            "/api/v1/namespaces/ns/events?&limit=500",
            list(&[event("uid-a", "Pulled"), event("uid-b", "Killing")]),
        ),
        ("/api/v1/namespaces/ns/pods?&limit=500", list(&[pod("a"), pod("b")])),
        ("/api/v1/namespaces/ns/pods/a", (200, pod("a"))),
        ("/api/v1/namespaces/ns/services?&limit=500", refusal()),
        ("/apis/apps/v1/namespaces/ns/deployments?&limit=500", list(&[])),
        ("/api/v1/namespaces/default/events?&limit=500", refusal()),
        (
            "/api/v1/nodes?&limit=500",
            list(&[json!({"metadata": {"name": "node1"}})]),
        ),
        (
            "/api/v1/namespaces/ns/secrets?&limit=500",
            list(&[json!({"metadata": {"name": "s", "namespace": "ns"}, "data": {"password": "aHVudGVyMg=="}})]),
        ),
    ];
    answers
        .into_iter()
        .map(|(path, answer)| (path.to_owned(), answer))
        .collect()
}

/// Access to an API that also notes what it is asked.
fn access(api: Api, identity: Identity, asked: Arc<Mutex<Vec<String>>>) -> ClusterAccess {
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    tokio::spawn(async move {
        while let Some((request, send)) = handle.next_request().await {
            let missing = (404, json!({"kind": "Status", "code": 404, "message": "not found"}));
            let path = request.uri().to_string();
            let (status, body) = api.get(&path).cloned().unwrap_or(missing);
            asked.lock().unwrap().push(path);
            let body = Body::from(body.to_string().into_bytes());
            send.send_response(Response::builder().status(status).body(body).unwrap());
        }
    });
    let server = ApiServer {
        host: "api.test".into(),
        port: 443,
    };
    ClusterAccess::new(Client::new(service, "default"), identity, server)
}

async fn run_as(identity: Identity, api: Api, entries: &[&str]) -> ActionRun {
    let entries = entries.iter().map(|entry| (*entry).to_owned()).collect();
    let action = KubeObjects::new(Ok(access(api, identity, Arc::default())), entries);
    ActionRun::of(&DESCRIPTOR, Arc::new(action)).await
}

async fn run(entries: &[&str]) -> ActionRun {
    run_as(Identity::ServiceAccount, api(), entries).await
}

fn json_at(run: &ActionRun, path: &str) -> Value {
    serde_json::from_str(&run.text_at(path).unwrap()).unwrap()
}

fn states(run: &ActionRun) -> Vec<(String, State)> {
    run.items()
        .iter()
        .map(|item| (item.path.as_str().to_owned(), item.state))
        .collect()
}

#[tokio::test]
async fn objects_are_written_raw_and_described_with_their_events() {
    let run = run(&["ns/pods"]).await;
    assert_eq!(
        states(&run),
        [
            ("cluster-resources/events/ns.json".into(), State::Collected),
            ("cluster-resources/groups.json".into(), State::Collected),
            ("cluster-resources/pods/ns.json".into(), State::Collected),
            ("cluster-resources/resources.json".into(), State::Collected),
            ("nodes/node1/kube-objects/ns_pods.txt".into(), State::Collected),
        ]
    );
    let pods = json_at(&run, "cluster-resources/pods/ns.json");
    assert_eq!((&pods["kind"], &pods["apiVersion"]), (&json!("PodList"), &json!("v1")));
    assert_eq!(pods["items"][1]["kind"], "Pod");
    assert_eq!(pods["items"][1]["metadata"]["name"], "b");
    let events = json_at(&run, "cluster-resources/events/ns.json");
    assert_eq!(events["items"].as_array().unwrap().len(), 2);
    let text = run.text("ns_pods.txt");
    let (first, second) = text.split_once("\n\n\n").unwrap();
    assert!(first.contains("Name:") && first.contains("Pulled") && !first.contains("Killing"));
    assert!(second.contains("Killing") && !second.contains("Pulled"));
}

#[tokio::test]
async fn one_object_is_described_alone_and_one_that_is_not_there_is_not_present() {
    let run = run(&["ns/pods/a", "ns/pod/c"]).await;
    assert!(run.text("ns_pods_a.txt").contains("Pulled"));
    assert_eq!(run.state("ns_pod_c.txt"), State::NotPresent);
    assert_eq!(
        json_at(&run, "cluster-resources/pods/ns.json")["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn entries_for_the_same_resource_share_one_list() {
    let run = run(&["ns/pods", "ns/Pod", "ns/pod/b", "ns/pods/gone", "ns/pods"]).await;
    assert_eq!(run.state("ns_pods.txt"), State::Collected);
    assert!(run.text("ns_pod_b.txt").contains("Killing"));
    assert_eq!(run.state("ns_pods_gone.txt"), State::NotPresent);
    assert_eq!(run.state("ns_Pod.txt"), State::NotApplicable);
}

#[rstest]
#[case::bad_syntax("kube-system", State::Failed, "expected namespace/resource[.group][/name]")]
#[case::unknown_resource("ns/gizmos", State::NotPresent, "knows no resource \"gizmos\"")]
#[case::refused("ns/services", State::Denied, "not allowed to list services in namespace ns")]
#[case::none("ns/deployments", State::NotPresent, "there are none")]
#[tokio::test]
async fn an_entry_that_gives_nothing_says_why(#[case] entry: &str, #[case] state: State, #[case] reason: &str) {
    let run = run(&["ns/pods", entry]).await;
    let item = format!("{}.txt", entry.replace('/', "_"));
    assert_eq!(run.state(&item), state);
    assert!(run.reason(&item).contains(reason), "{}", run.reason(&item));
    assert_eq!(run.state("ns_pods.txt"), State::Collected);
}

#[tokio::test]
async fn an_empty_list_is_written_empty() {
    let run = run(&["ns/deployments"]).await;
    let deployments = json_at(&run, "cluster-resources/deployments/ns.json");
    assert_eq!(
        (&deployments["kind"], &deployments["items"]),
        (&json!("DeploymentList"), &json!([]))
    );
}

#[tokio::test]
async fn cluster_wide_objects_are_described_though_their_events_are_refused() {
    let run = run(&["any/nodes"]).await;
    assert_eq!(json_at(&run, "cluster-resources/nodes.json")["kind"], "NodeList");
    assert!(
        run.text("any_nodes.txt")
            .contains("Events:       <unknown: not allowed to list events in namespace default")
    );
    let events = run
        .items()
        .iter()
        .find(|item| item.path.as_str() == "cluster-resources/events/default.json")
        .unwrap();
    assert_eq!(events.state, State::Denied);
}

#[tokio::test]
async fn secret_data_is_in_no_artifact() {
    let run = run(&["ns/secrets"]).await;
    let kept = run.text_at("cluster-resources/secrets/ns.json").unwrap() + &run.text("ns_secrets.txt");
    assert!(!kept.contains("aHVudGVyMg") && kept.contains("password"));
}

#[tokio::test]
async fn a_kubelet_is_asked_for_its_own_pods_only() {
    let mut api = api();
    let pods = api.remove("/api/v1/namespaces/ns/pods?&limit=500").unwrap();
    api.insert(
        "/api/v1/namespaces/ns/pods?&fieldSelector=spec.nodeName%3Dnode1&limit=500".into(),
        pods,
    );
    let run = run_as(Identity::Kubelet("/k"), api, &["ns/pods"]).await;
    assert_eq!(run.state("ns_pods.txt"), State::Truncated);
    assert!(run.reason("ns_pods.txt").contains("only the pods of this node"));
    assert!(run.text("ns_pods.txt").contains("Killing"));
}

#[tokio::test]
async fn when_the_resources_are_not_known_every_entry_says_so() {
    let run = run_as(Identity::ServiceAccount, Api::new(), &["ns/pods", "ns/services"]).await;
    for item in ["ns_pods.txt", "ns_services.txt"] {
        assert!(
            run.reason(item)
                .contains("the resources of the API server are not known")
        );
    }
}

#[tokio::test]
async fn without_an_api_server_the_action_does_not_apply() {
    let action = KubeObjects::new(Err("no API server known".into()), vec!["ns/pods".into()]);
    let run = ActionRun::of(&DESCRIPTOR, Arc::new(action)).await;
    assert_eq!(run.record().state, State::NotApplicable);
}

#[tokio::test]
async fn requests_do_not_grow_with_the_objects() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let access = access(api(), Identity::ServiceAccount, Arc::clone(&asked));
    let entries = ["ns/pods", "ns/services", "ns/deployments"].map(str::to_owned).to_vec();
    ActionRun::of(&DESCRIPTOR, Arc::new(KubeObjects::new(Ok(access), entries))).await;
    // Two of discovery, three lists, and the events of the namespace; this API has no endpoint slices.
    assert_eq!(asked.lock().unwrap().len(), 6);
}

#[tokio::test]
async fn a_list_that_breaks_off_is_kept_as_whole_json_and_says_so() {
    let mut api = api();
    let first_page = json!({"metadata": {"continue": "next"}, "items": [pod("a")]});
    api.insert("/api/v1/namespaces/ns/pods?&limit=500".into(), (200, first_page));
    let error = json!({"kind": "Status", "code": 500, "message": "etcdserver: leader changed"});
    api.insert(
        "/api/v1/namespaces/ns/pods?&limit=500&continue=next".into(),
        (500, error),
    );
    let run = run_as(Identity::ServiceAccount, api, &["ns/pods"]).await;
    assert_eq!(
        json_at(&run, "cluster-resources/pods/ns.json")["items"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert!(run.text("ns_pods.txt").contains("Pulled"));
    for item in run.items().iter().filter(|item| item.path.as_str().contains("pods")) {
        assert_eq!(item.state, State::Failed);
        assert!(item.reason.as_deref().unwrap().contains("leader changed"));
    }
}

#[tokio::test]
async fn a_list_that_is_longer_than_its_limit_leaves_nothing_else_complete() {
    let mut api = api();
    let long = |n: usize| {
        let mut pod = pod(&format!("p{n:03}"));
        pod["spec"] = json!({"padding": "x".repeat(2000)});
        pod
    };
    let pods: Vec<_> = (0..500).map(long).collect();
    api.insert("/api/v1/namespaces/ns/pods?&limit=500".into(), list(&pods));
    let entries = ["ns/pods", "ns/pods/p499"].map(str::to_owned).to_vec();
    let action = KubeObjects::new(Ok(access(api, Identity::ServiceAccount, Arc::default())), entries);
    let options = RunOptions {
        limit: Some(512 * 1024),
        ..RunOptions::default()
    };
    let run = ActionRun::with(&DESCRIPTOR, Arc::new(action), &options).await;
    assert!(!run.text("ns_pods.txt").contains("p499"));
    for item in run.items().iter().filter(|item| item.path.as_str().contains("pods")) {
        assert_eq!(item.state, State::Truncated, "{}", item.path);
    }
}
