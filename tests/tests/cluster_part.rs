//! The part of a run that is the same for all nodes: who does it, and what it asks of the API server, counted in the
//! audit log of a real one and at a scripted one of five hundred nodes.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use periscope_actions::{CATALOG, Deps, Settings};
use periscope_cluster::{ClusterAccess, ConnectOptions, Election, Role};
use periscope_core::{Scope, State};
use periscope_testkit::{ActionRun, ApiAnswer, HostFixture, ScriptedApi, ScriptedCommands};
use periscope_tests::{Cluster, Services, eventually};
use serde_json::{Value, json};

/// What the cluster's part of a run may ask, besides further pages of a list.
const BUDGET: usize = 20;

/// What one node's part may ask, without its row, its Events and the election.
const NODE_BUDGET: usize = 2;

// ---------------------------------------------------------------- the real cluster

/// A namespace with a service account that has the role that the actions ask for; deleted when dropped.
struct Account {
    cluster: Cluster,
    name: &'static str,
    /// What accounts of this name asked in earlier runs of the tests.
    before: usize,
}

impl Account {
    fn create(cluster: &Cluster, name: &'static str, component: Option<&str>) -> Self {
        let mut account = Self {
            cluster: cluster.clone(),
            name,
            before: 0,
        };
        account.delete();
        account.before = account.asked().len();
        let rules = CATALOG.iter().flat_map(|entry| entry.descriptor.rbac);
        let rules = rules.filter(|rule| rule.component.is_none() || rule.component == component);
        let mut rules: Vec<_> = rules
            .map(|rule| json!({"apiGroups": [rule.group], "resources": rule.resources, "verbs": rule.verbs}))
            .collect();
        // The agent's own: its row and those of others.
        rules.push(json!({
            "apiGroups": ["aks-periscope.azure.github.com"], "resources": ["diagnostics"], "verbs": ["get", "list", "watch"],
        }));
        let subject = json!({"kind": "ServiceAccount", "name": "agent", "namespace": name});
        let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": name});
        for object in [
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}),
            json!({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "agent", "namespace": name}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": {"name": name}, "rules": rules}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding", "metadata": {"name": name}, "roleRef": role, "subjects": [subject]}),
        ] {
            cluster.apply(&object);
        }
        account
    }

    async fn access(&self) -> ClusterAccess {
        let namespace = format!("--namespace={}", self.name);
        let token = self.cluster.kubectl(&["create", "token", "agent", &namespace]);
        let admin = fs::read_to_string(&self.cluster.kubeconfig).expect("the kubeconfig of the services");
        let (head, rest) = admin.split_once("  user:\n").expect("a user");
        let (_, contexts) = rest.split_once("contexts:").expect("contexts");
        let own = format!("{head}  user:\n    token: {}\ncontexts:{contexts}", token.trim());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("kubeconfig");
        fs::write(&path, own).expect("a temporary file");
        access(&path).await
    }

    /// What the account has asked so far, from the audit log. The policy of the tests' API server leaves `/readyz` out.
    fn asked(&self) -> Vec<String> {
        let state = self.cluster.kubeconfig.parent().expect("it is in the state folder");
        let log = fs::read_to_string(state.join("log/audit.log")).expect("the API server's audit log");
        let user = format!("\"username\":\"system:serviceaccount:{}:agent\"", self.name);
        let lines = log.lines().filter(|line| line.contains(&user));
        let mut known = BTreeSet::new();
        let mut asked = Vec::new();
        for line in lines {
            let Ok(event) = serde_json::from_str::<Value>(line) else {
                continue;
            };
            if known.insert(event["auditID"].to_string()) {
                asked.push(event["requestURI"].as_str().unwrap_or_default().to_owned());
            }
        }
        asked.split_off(self.before)
    }

    fn delete(&self) {
        for kind in ["clusterrolebinding", "clusterrole", "namespace"] {
            self.cluster
                .try_kubectl(&["delete", kind, self.name, "--ignore-not-found", "--wait=true"]);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.delete();
    }
}

#[tokio::test]
async fn the_role_that_the_actions_ask_for_is_enough_within_the_budget() {
    let cluster = Services::running().cluster;
    let account = Account::create(&cluster, "cluster-part", None);
    let access = account.access().await;
    let election = Election::new(access.clone(), account.name, cluster.node_name.as_str());
    assert!(matches!(election.decide("run").await.unwrap(), Role::Leader));
    let runs = cluster_actions(&access).await;
    for run in &runs {
        for item in run.items() {
            let name = item.path.as_str();
            let expected = match name {
                // An opt-in of the deployment.
                _ if name.ends_with("helm/helm_list") => State::NotApplicable,
                // The tests' cluster has no metrics server.
                _ if name.contains("systemperf/") => State::NotPresent,
                _ => State::Collected,
            };
            assert_eq!(item.state, expected, "{item:?}");
        }
    }
    let run = runs
        .iter()
        .find(|run| run.record().id == "cluster-objects")
        .expect("it has run");
    assert!(run.text("nodes.txt").contains(&cluster.node_name));
    serde_json::from_str::<Vec<Value>>(&run.text("poddisruptionbudget/pdb-kube-system")).expect("an array");
    // And `/readyz`, which the audit log does not show.
    let asked = account.asked();
    let all = asked.len() + 1;
    assert!(all <= BUDGET, "{all}: {asked:#?}");
}

#[tokio::test]
async fn releases_of_helm_are_told_of_where_the_component_allows_it() {
    let cluster = Services::running().cluster;
    let account = Account::create(&cluster, "cluster-part-helm", Some("helm"));
    // As Helm writes it, but not compressed.
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
        "metadata": {"name": "sh.helm.release.v1.web.v1", "namespace": account.name, "labels": {"owner": "helm"}},
        "data": {"release": twice_encoded(r#"{"name":"web","namespace":"cluster-part-helm","version":1,"config":{"password":"hunter2"},"info":{"status":"deployed"},"chart":{"metadata":{"name":"nginx"}}}"#)},
    });
    cluster.apply(&secret);
    let runs = cluster_actions(&account.access().await).await;
    let run = runs
        .iter()
        .find(|run| run.record().id == "cluster-objects")
        .expect("it has run");
    let releases: Value = serde_json::from_str(&run.text("helm/helm_list")).expect("JSON");
    let ours = releases
        .as_array()
        .expect("an array")
        .iter()
        .find(|release| release["namespace"] == account.name);
    assert_eq!(ours.expect("our release")["history"][0]["revision"], 1);
    assert!(!run.text("helm/helm_list").contains("hunter2"));
}

#[tokio::test]
async fn a_node_among_others_asks_for_its_own_alone() {
    let cluster = Services::running().cluster;
    let account = Account::create(&cluster, "node-part", None);
    let access = account.access().await;
    let settings = Settings {
        alone: false,
        ..Settings::default()
    };
    let node = HostFixture::new();
    let deps = Deps {
        root: node.root(),
        commands: Arc::new(ScriptedCommands::new()),
        cluster: Ok(access),
        settings,
    };
    let entry = CATALOG
        .iter()
        .find(|entry| entry.descriptor.id == "cluster-health")
        .expect("it is there");
    ActionRun::of(entry.descriptor, (entry.build)(&deps)).await;
    let asked = account.asked();
    assert_eq!(asked.len(), NODE_BUDGET, "{asked:#?}");
}

#[tokio::test]
async fn the_lowest_ready_node_is_the_one() {
    let cluster = Services::running().cluster;
    let account = Account::create(&cluster, "cluster-part-election", None);
    let stub = "aaa-stub";
    let node = json!({"apiVersion": "v1", "kind": "Node", "metadata": {"name": stub, "labels": {"kubernetes.io/os": "linux"}}});
    cluster.apply(&node);
    let namespace = format!("--namespace={}", account.name);
    let _ends = Stub {
        cluster: cluster.clone(),
        node: stub,
        namespace: namespace.clone(),
    };
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "agent", "namespace": account.name, "labels": {"app": "aks-periscope"}},
        "spec": {"nodeName": stub, "automountServiceAccountToken": false, "tolerations": [{"operator": "Exists"}], "containers": [{"name": "aks-periscope", "image": "i"}]},
    });
    cluster.apply(&pod);
    let now = jiff::Timestamp::now().to_string();
    let running = json!({"status": {
        "phase": "Running",
        "containerStatuses": [{"name": "aks-periscope", "ready": true, "restartCount": 0, "image": "i", "imageID": "i", "state": {"running": {"startedAt": now}}}],
    }});
    cluster.kubectl(&[
        "patch",
        "pod",
        "agent",
        &namespace,
        "--subresource=status",
        "--patch",
        &running.to_string(),
    ]);
    let election = Election::new(account.access().await, account.name, cluster.node_name.as_str());

    set_ready(&cluster, stub, "True");
    let role = election.decide("run").await.unwrap();
    let Role::StandIn(stand_in) = role else {
        panic!("{role:?}")
    };
    assert_eq!(stand_in.before(), [stub]);
    // Its pod still runs, as far as anybody can tell.
    set_ready(&cluster, stub, "False");
    eventually("the lost node is passed over", || {
        let rows = cluster.kubectl(&["get", "node", stub, "--no-headers"]);
        rows.contains("NotReady").then_some(())
    });
    let role = election.decide("run").await.unwrap();
    assert!(matches!(role, Role::Leader), "{role:?}");
}

/// A Node object that nothing stands behind, and its pod; deleted when dropped.
struct Stub {
    cluster: Cluster,
    node: &'static str,
    namespace: String,
}

impl Drop for Stub {
    fn drop(&mut self) {
        // No kubelet will ever say that the pod has ended.
        let pod = [
            "delete",
            "pod",
            "agent",
            &self.namespace,
            "--ignore-not-found",
            "--force",
            "--grace-period=0",
        ];
        self.cluster.try_kubectl(&pod);
        self.cluster
            .try_kubectl(&["delete", "node", self.node, "--ignore-not-found"]);
    }
}

fn set_ready(cluster: &Cluster, node: &str, status: &str) {
    let now = jiff::Timestamp::now().to_string();
    let condition = json!({
        "type": "Ready", "status": status, "reason": "Test", "message": "m", "lastHeartbeatTime": now, "lastTransitionTime": now,
    });
    let patch = json!({"status": {"conditions": [condition]}}).to_string();
    cluster.kubectl(&[
        "patch",
        "node",
        node,
        "--subresource=status",
        "--type=merge",
        "--patch",
        &patch,
    ]);
}

// ---------------------------------------------------------------- five hundred nodes

/// Nodes of the scripted cluster.
const NODES: usize = 500;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_five_hundred_nodes_one_does_it() {
    let name = |n: usize| format!("aks-pool1-1-vmss{n:06}");
    // The three lowest are lost.
    let api = ScriptedApi::start(move |path| match path {
        _ if path.starts_with("/api/v1/namespaces/aks-periscope/pods?") => table(
            &["Name", "Ready", "Status", "Restarts", "Age", "IP", "Node"],
            (0..NODES).map(|n| {
                json!([
                    format!("aks-periscope-{n}"),
                    "1/1",
                    "Running",
                    "0",
                    "5d",
                    "10.0.0.1",
                    name(n)
                ])
            }),
        ),
        _ if path.starts_with("/api/v1/nodes?") => table(
            &["Name", "Status", "Roles", "Age", "Version"],
            (0..NODES).map(|n| {
                json!([
                    name(n),
                    if n < 3 { "NotReady" } else { "Ready" },
                    "<none>",
                    "5d",
                    "v1.34.4"
                ])
            }),
        ),
        _ => ApiAnswer::new(404, &json!({"kind": "Status", "code": 404})),
    })
    .await;
    let access = scripted(&api).await;
    let mut roles = tokio::task::JoinSet::new();
    for n in 3..NODES {
        let election = Election::new(access.clone(), "aks-periscope", name(n));
        roles.spawn(async move { (n, election.decide("run").await.unwrap()) });
    }
    let (mut leaders, mut stand_ins) = (Vec::new(), Vec::new());
    while let Some(role) = roles.join_next().await {
        match role.unwrap() {
            (n, Role::Leader) => leaders.push(n),
            (n, Role::StandIn(_)) => stand_ins.push(n),
            (_, Role::Follower) => {}
        }
    }
    stand_ins.sort_unstable();
    assert_eq!((leaders, stand_ins), (vec![3], vec![4, 5]));
    // One of each node; one more of those at the places 3 to 7, 8, 16, 32, 64, 128 and 256.
    assert_eq!(api.asked().len(), NODES - 3 + 11);
}

fn table(columns: &[&str], rows: impl Iterator<Item = Value>) -> ApiAnswer {
    let columns: Vec<_> = columns.iter().map(|name| json!({"name": name})).collect();
    let rows: Vec<_> = rows.map(|cells| json!({"cells": cells})).collect();
    ApiAnswer::new(
        200,
        &json!({"kind": "Table", "columnDefinitions": columns, "rows": rows}),
    )
}

#[tokio::test]
async fn a_server_in_trouble_is_asked_little_more_and_gives_everything() {
    /// Three pages of nodes, two of warnings.
    const MANY: usize = 1_200;
    let (busy, expired) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let api = ScriptedApi::start(move |path| {
        let (resource, query) = path.split_once('?').unwrap_or((path, ""));
        match resource {
            "/api" => discovery(&[("", &[("pods", "Pod"), ("services", "Service"), ("events", "Event")])]),
            "/apis" => discovery(&[("apps", &[("deployments", "Deployment")]), ("discovery.k8s.io", &[("endpointslices", "EndpointSlice")])]),
            "/readyz" => ApiAnswer::new(200, &"[+]ping ok\nreadyz check passed\n"),
            "/version" => ApiAnswer::new(200, &json!({"gitVersion": "v1.34.4"})),
            "/api/v1/nodes" if busy.fetch_add(1, Ordering::Relaxed) == 1 => {
                ApiAnswer::new(429, &json!({"kind": "Status", "code": 429, "message": "Too many requests"})).header("Retry-After: 1")
            }
            "/api/v1/nodes" => page(query, MANY, |n| json!({"metadata": {"name": format!("n{n:05}")}})).slow(Duration::from_millis(200)),
            // The page's token has grown old; the server offers another.
            "/api/v1/events" if query.contains("continue=500") && expired.fetch_add(1, Ordering::Relaxed) == 0 => {
                ApiAnswer::new(410, &json!({"kind": "Status", "code": 410, "reason": "Expired", "metadata": {"continue": "500"}}))
            }
            "/api/v1/events" if query.contains("Warning&") && !query.contains("Node") => {
                page(query, 900, |n| json!({"metadata": {"name": format!("e{n:05}"), "namespace": "ns"}, "type": "Warning", "reason": format!("r{n}")}))
            }
            "/api/v1/namespaces" => page(query, 2, |n| json!({"metadata": {"name": format!("ns{n}")}})).slow(Duration::from_millis(500)),
            _ => page(query, 1, |n| json!({"metadata": {"name": format!("o{n}"), "namespace": "kube-system"}})),
        }
    })
    .await;
    let runs = cluster_actions(&scripted(&api).await).await;
    for item in runs.iter().flat_map(ActionRun::items) {
        // The Secret of the table above is no release, and its metrics have no amounts.
        let is_odd = ["helm_list", "systemperf"]
            .iter()
            .any(|name| item.path.as_str().contains(name));
        assert!(is_odd || item.state == State::Collected, "{item:?}");
    }
    let text = |path: &str| runs.iter().find_map(|run| run.text_at(path)).expect(path);
    let nodes: Value = serde_json::from_str(&text("cluster-resources/nodes.json")).unwrap();
    assert_eq!(nodes["items"].as_array().unwrap().len(), MANY);
    let run = runs.iter().find(|run| run.record().id == "cluster-objects").unwrap();
    assert_eq!(
        run.text("events.txt")
            .lines()
            .filter(|line| line.contains(" r"))
            .count(),
        900
    );
    // Two more pages of nodes, one more of warnings.
    let asked = api.asked();
    assert!(asked.len() <= BUDGET + 3, "{}: {asked:#?}", asked.len());
}

/// So many objects in pages of what is asked for.
fn page(query: &str, count: usize, object: impl Fn(usize) -> Value) -> ApiAnswer {
    let parameter = |name: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == name)?.1.parse::<usize>().ok()
    };
    let from = parameter("continue").unwrap_or(0);
    let to = (from + parameter("limit").unwrap_or(count)).min(count);
    let token = if to < count { to.to_string() } else { String::new() };
    let items: Vec<_> = (from..to).map(object).collect();
    ApiAnswer::new(200, &json!({"metadata": {"continue": token}, "items": items}))
}

fn discovery(groups: &[(&str, &[(&str, &str)])]) -> ApiAnswer {
    let resource = |(plural, kind): &(&str, &str)| json!({"resource": plural, "responseKind": {"kind": kind}, "scope": "Namespaced", "verbs": ["get", "list"], "shortNames": []});
    let groups = groups.iter().map(|(name, resources)| {
        let resources: Vec<_> = resources.iter().map(resource).collect();
        json!({"metadata": {"name": name}, "versions": [{"version": "v1", "resources": resources}]})
    });
    let groups: Vec<_> = groups.collect();
    ApiAnswer::new(
        200,
        &json!({"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "items": groups}),
    )
}

// ---------------------------------------------------------------- shared

/// Runs what one node does for all, with what is gathered when nothing is said.
async fn cluster_actions(access: &ClusterAccess) -> Vec<ActionRun> {
    let node = HostFixture::new();
    let deps = Deps {
        root: node.root(),
        commands: Arc::new(ScriptedCommands::new()),
        cluster: Ok(access.clone()),
        settings: Settings {
            alone: false,
            ..Settings::default()
        },
    };
    let mut runs = Vec::new();
    for entry in CATALOG.iter().filter(|entry| entry.descriptor.scope == Scope::Cluster) {
        runs.push(ActionRun::of(entry.descriptor, (entry.build)(&deps)).await);
    }
    assert_eq!(runs.len(), 2);
    runs
}

async fn access(kubeconfig: &Path) -> ClusterAccess {
    let options = ConnectOptions {
        kubeconfig: Some(kubeconfig.to_owned()),
        ..ConnectOptions::default()
    };
    ClusterAccess::discover(&options, &|_| None)
        .await
        .expect("a kubeconfig that works")
}

async fn scripted(api: &ScriptedApi) -> ClusterAccess {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kubeconfig");
    fs::write(&path, api.kubeconfig()).expect("a temporary file");
    access(&path).await
}

fn twice_encoded(text: &str) -> String {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    BASE64_STANDARD.encode(BASE64_STANDARD.encode(text))
}
