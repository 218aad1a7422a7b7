//! The objects of a real API server, gathered as identities that may see more or less of it.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::path::Path;
use std::sync::Arc;

use periscope_actions::{CATALOG, Deps, Settings};
use periscope_cluster::{Catalogue, ClusterAccess, ConnectOptions, Failure, ListScope};
use periscope_core::State;
use periscope_testkit::{ActionRun, HostFixture, ScriptedCommands};
use periscope_tests::{Cluster, Pod, Services};
use rstest::rstest;
use serde_json::{Value, json};

/// The value of the Secret that the services come with, and the same as the API shows it.
const SECRET: [&str; 2] = [
    "a-secret-that-no-archive-may-hold",
    "YS1zZWNyZXQtdGhhdC1uby1hcmNoaXZlLW1heS1ob2xk",
];

#[tokio::test]
async fn the_default_objects_are_gathered_with_their_events() {
    let cluster = Services::running().cluster;
    let _crashing = Pod::in_crash_loop(&cluster, "crashing");
    let run = collect(access(&cluster.kubeconfig).await, &[]).await;
    for item in [
        "kube-system_pods.txt",
        "kube-system_services.txt",
        "kube-system_deployments.txt",
    ] {
        assert_eq!(run.state(item), State::Collected, "{}", run.reason(item));
    }

    let pods = run.text("kube-system_pods.txt");
    let crashing = description(&pods, "crashing")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    for part in [
        "CrashLoopBackOff",
        "Exit Code: 3",
        "Restart Count:",
        "ContainersNotReady",
        "BackOff",
        "kubelet",
        "op=Exists",
    ] {
        assert!(crashing.contains(part), "no {part:?} in\n{crashing}");
    }
    let listed = items(&run, "cluster-resources/pods/kube-system.json", "PodList");
    assert!(
        listed
            .iter()
            .all(|pod| pod["kind"] == "Pod" && pod["apiVersion"] == "v1")
    );
    assert!(
        listed
            .iter()
            .any(|pod| pod["metadata"]["name"] == "crashing" && pod["status"]["containerStatuses"].is_array())
    );
    assert!(!items(&run, "cluster-resources/events/kube-system.json", "EventList").is_empty());

    let deployments = run.text("kube-system_deployments.txt");
    assert!(description(&deployments, "chatty").contains("2 desired"));
    let services = run.text("kube-system_services.txt");
    assert!(description(&services, "chatty").contains("80/TCP"));
}

#[tokio::test]
async fn every_name_of_a_resource_is_understood_and_what_is_not_there_is_said() {
    let cluster = Services::running().cluster;
    let entries = [
        "kube-system/po/stumbling",
        "kube-system/Deployment.apps/chatty",
        "kube-system/svc/nobody",
        "kube-system/gizmos",
        "any/nodes",
        "kube-system",
    ];
    let run = collect(access(&cluster.kubeconfig).await, &entries).await;
    assert!(run.text("kube-system_po_stumbling.txt").starts_with("Name:"));
    assert!(
        run.text("kube-system_Deployment.apps_chatty.txt")
            .contains("RollingUpdate")
    );
    assert!(run.text("any_nodes.txt").contains(&cluster.node_name));
    assert_eq!(run.state("kube-system_svc_nobody.txt"), State::NotPresent);
    assert_eq!(run.state("kube-system_gizmos.txt"), State::NotPresent);
    assert_eq!(run.state("kube-system.txt"), State::Failed);
}

#[tokio::test]
async fn secrets_keep_their_values_to_themselves() {
    let cluster = Services::running().cluster;
    let run = collect(access(&cluster.kubeconfig).await, &["kube-system/secrets"]).await;
    let kept =
        run.text("kube-system_secrets.txt") + &run.text_at("cluster-resources/secrets/kube-system.json").unwrap();
    assert!(kept.contains("chatty-credentials") && kept.contains("password"));
    for value in SECRET {
        assert!(!kept.contains(value), "the value of a Secret was kept");
    }
}

#[rstest]
#[case::list("kube-system/pods", "not allowed to list pods in namespace kube-system")]
#[case::get(
    "kube-system/deployments/chatty",
    "not allowed to get deployments.apps chatty in namespace kube-system"
)]
#[tokio::test]
async fn what_an_identity_may_not_see_is_denied(#[case] entry: &str, #[case] reason: &str) {
    let cluster = Services::running().cluster;
    let access = acting(&cluster, "as: nobody").await;
    let run = collect(access, &[entry]).await;
    let item = format!("{}.txt", entry.replace('/', "_"));
    assert_eq!(run.state(&item), State::Denied);
    assert!(run.reason(&item).contains(reason), "{}", run.reason(&item));
}

#[tokio::test]
async fn a_list_of_several_pages_comes_whole() {
    /// More than the API server is asked for at once.
    const OBJECTS: usize = 600;
    let cluster = Services::running().cluster;
    let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "several-pages"}});
    let maps = (0..OBJECTS).map(|n| {
        let metadata = json!({"name": format!("map-{n:04}"), "namespace": "several-pages"});
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"text": "x".repeat(1_000)}})
    });
    let objects: Vec<Value> = [namespace].into_iter().chain(maps).collect();
    let mut file = tempfile::NamedTempFile::new().unwrap();
    serde_json::to_writer(
        &mut file,
        &json!({"apiVersion": "v1", "kind": "List", "items": objects}),
    )
    .unwrap();
    // Applied and not created, so that the test may run again on the same services.
    cluster.kubectl(&[
        "apply",
        "--server-side",
        "--filename",
        &file.path().display().to_string(),
    ]);

    let run = collect(access(&cluster.kubeconfig).await, &["several-pages/configmaps"]).await;
    let listed = items(&run, "cluster-resources/configmaps/several-pages.json", "ConfigMapList");
    let names: Vec<_> = listed
        .iter()
        .filter_map(|map| map["metadata"]["name"].as_str())
        .collect();
    let ours: Vec<_> = names.iter().filter(|name| name.starts_with("map-")).collect();
    assert_eq!(ours.len(), OBJECTS);
    assert!(ours.is_sorted());
    assert_eq!(
        run.text("several-pages_configmaps.txt").matches("Name: ").count(),
        names.len()
    );
}

#[tokio::test]
async fn a_kubelet_may_list_the_pods_of_its_own_node_only() {
    let cluster = Services::running().cluster;
    let who = format!(
        "as: system:node:{}\n    as-groups: [system:nodes, system:authenticated]",
        cluster.node_name
    );
    let access = acting(&cluster, &who).await;
    let catalogue = Catalogue::fetch(&access).await.unwrap();
    let pods = catalogue.resolve("pods").unwrap();
    let mut scope = ListScope::namespace("kube-system");
    let refused = access.list(pods, &scope).next().await.unwrap_err();
    assert_eq!(refused.failure(), Some(Failure::Denied));
    scope.fields = Some(format!("spec.nodeName={}", cluster.node_name));
    assert!(access.list(pods, &scope).next().await.unwrap().is_some());
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

/// Access as somebody else: `who` is put into the kubeconfig's user.
async fn acting(cluster: &Cluster, who: &str) -> ClusterAccess {
    let text = fs::read_to_string(&cluster.kubeconfig).expect("the kubeconfig of the services");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("kubeconfig");
    fs::write(&path, text.replacen("  user:\n", &format!("  user:\n    {who}\n"), 1)).expect("a temporary file");
    access(&path).await
}

async fn collect(access: ClusterAccess, entries: &[&str]) -> ActionRun {
    let node = HostFixture::new();
    let mut settings = Settings::default();
    if !entries.is_empty() {
        settings.kube_objects = entries.iter().map(|entry| (*entry).to_owned()).collect();
    }
    let deps = Deps {
        root: node.root(),
        commands: Arc::new(ScriptedCommands::new()),
        cluster: Ok(access),
        settings,
    };
    let entry = CATALOG.iter().find(|entry| entry.descriptor.id == "kube-objects");
    let entry = entry.expect("the catalogue has it");
    ActionRun::of(entry.descriptor, (entry.build)(&deps)).await
}

/// The part of a description that is about the object whose name begins so.
fn description<'a>(text: &'a str, name: &str) -> &'a str {
    let mut parts = text.split("\n\n\n");
    let is_named = |part: &&str| {
        part.lines()
            .next()
            .is_some_and(|line| line.split_whitespace().nth(1).is_some_and(|n| n.starts_with(name)))
    };
    parts.find(is_named).expect(name)
}

fn items(run: &ActionRun, path: &str, kind: &str) -> Vec<Value> {
    let list: Value = serde_json::from_str(&run.text_at(path).expect(path)).expect("whole JSON");
    assert_eq!(list["kind"], kind);
    list["items"].as_array().expect("items").clone()
}
