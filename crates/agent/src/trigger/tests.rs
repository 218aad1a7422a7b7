use std::fs;
use std::path::Path;

use http::{Request, Response};
use kube::client::Body;
use serde_json::{Value, json};
use tokio::time::timeout;

use super::*;
use crate::mock_api::mock_watch;

fn sources(folder: &Path) -> Sources {
    Sources::new(folder, folder.join("none"), |_| None)
}

fn put(folder: &Path, id: &str) {
    fs::write(folder.join(keys::RUN_ID), id).unwrap();
}

fn config_map(version: u32, data: &Value) -> Value {
    let metadata = json!({"name": CONFIG_MAP_NAME, "resourceVersion": version.to_string()});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data})
}

fn list(items: &[Value]) -> (u16, Vec<Value>) {
    let metadata = json!({"resourceVersion": "5"});
    (
        200,
        vec![json!({"kind": "ConfigMapList", "apiVersion": "v1", "metadata": metadata, "items": items})],
    )
}

fn refused() -> (u16, Vec<Value>) {
    (
        403,
        vec![json!({"kind": "Status", "status": "Failure", "code": 403, "message": "no", "reason": "Forbidden"})],
    )
}

/// The next signal: a run's id, or nothing for the end of the first look.
async fn next(trigger: &mut Trigger) -> Option<String> {
    match trigger.next().await {
        Signal::Run { id, .. } => Some(id.to_string()),
        Signal::Again { id } => Some(format!("{id} again")),
        Signal::Settled => None,
    }
}

async fn is_silent(trigger: &mut Trigger) -> bool {
    timeout(Duration::from_mins(2), trigger.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn every_id_of_the_api_server_is_told_once_and_brings_its_settings() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "behind");
    let changes = [
        ("6", "b"),
        ("7", "c"),
        ("8", "c"),
        ("9", " a\n"),
        ("10", ""),
        ("11", "d"),
    ];
    let changes = changes.map(|(version, id)| {
        let data = json!({"DIAGNOSTIC_RUN_ID": id, "DIAGNOSTIC_CONTAINERLOGS_LIST": format!("namespace-{version}")});
        json!({"type": "MODIFIED", "object": config_map(version.parse().unwrap(), &data)})
    });
    let first = config_map(3, &json!({"DIAGNOSTIC_RUN_ID": "a"}));
    let (client, _asked) = mock_watch(vec![list(&[first]), (200, changes.into())]);
    let mut trigger = Trigger::start(Some(client), "ns", sources(folder.path()));
    assert_eq!(next(&mut trigger).await.as_deref(), Some("a"));
    assert_eq!(next(&mut trigger).await, None);
    for (id, namespace) in [
        ("b", "namespace-6"),
        ("c", "namespace-7"),
        ("a", ""),
        ("d", "namespace-11"),
    ] {
        // What was there before is told too, and once: other changes leave the id as it is.
        if namespace.is_empty() {
            assert_eq!(next(&mut trigger).await, Some(format!("{id} again")));
            continue;
        }
        let Signal::Run {
            id: told,
            configuration,
        } = trigger.next().await
        else {
            panic!("expected {id}");
        };
        assert_eq!(told.as_str(), id);
        assert_eq!(configuration.namespaces.as_deref(), Some(&[namespace.to_owned()][..]));
    }
    // The file is behind: neither what it held from the start nor what is known already is new.
    put(folder.path(), "b");
    assert!(is_silent(&mut trigger).await);
    // The API server is away by now.
    put(folder.path(), "e\n");
    assert_eq!(next(&mut trigger).await.as_deref(), Some("e"));
}

#[tokio::test(start_paused = true)]
async fn without_permission_the_mounted_file_is_looked_at() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a\n");
    let (client, _asked) = mock_watch(vec![refused()]);
    let mut trigger = Trigger::start(Some(client), "ns", sources(folder.path()));
    assert_eq!(next(&mut trigger).await.as_deref(), Some("a"));
    assert_eq!(next(&mut trigger).await, None);
    for id in ["b", "c"] {
        put(folder.path(), id);
        assert_eq!(next(&mut trigger).await.as_deref(), Some(id));
    }
    put(folder.path(), "../d");
    assert!(is_silent(&mut trigger).await);
}

#[tokio::test(start_paused = true)]
async fn a_silent_api_server_is_not_waited_for() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a");
    let (service, _held) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    let start = Instant::now();
    let mut trigger = Trigger::start(Some(Client::new(service, "ns")), "ns", sources(folder.path()));
    assert_eq!(next(&mut trigger).await.as_deref(), Some("a"));
    assert_eq!(start.elapsed(), HEAD_START);
}

#[tokio::test(start_paused = true)]
async fn the_environment_counts_once_and_without_an_api_server() {
    let folder = tempfile::tempdir().unwrap();
    let environment = |key| (key == keys::RUN_ID).then(|| "of-env".into());
    let sources = Sources::new(folder.path().join("none"), folder.path(), environment);
    let mut trigger = Trigger::start(None, "ns", sources);
    assert_eq!(next(&mut trigger).await.as_deref(), Some("of-env"));
    assert_eq!(next(&mut trigger).await, None);
    assert!(is_silent(&mut trigger).await);
}

#[tokio::test(start_paused = true)]
async fn an_empty_id_is_idleness() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "\n");
    let (client, _asked) = mock_watch(vec![list(&[config_map(3, &json!({"DIAGNOSTIC_RUN_ID": ""}))])]);
    let mut trigger = Trigger::start(Some(client), "ns", sources(folder.path()));
    assert_eq!(next(&mut trigger).await, None);
    assert!(is_silent(&mut trigger).await);
}

#[tokio::test(start_paused = true)]
async fn a_manifest_of_the_first_era_makes_one_run_named_after_its_pods() {
    let folder = tempfile::tempdir().unwrap();
    let environment = |key| (key == keys::ACCOUNT).then(|| "account".into());
    let sources = Sources::new(folder.path().join("none"), folder.path().join("none"), environment);
    let pod = json!({"metadata": {"name": "p", "creationTimestamp": "2026-11-20T20:10:33Z"}});
    let (service, mut handle) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    // The list of pods is asked for while the watch begins, so that their order is open.
    let serving = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Some((request, send)) = handle.next_request().await {
            let answer = match request.uri().to_string() {
                path if path.contains("/pods?") => json!({"metadata": {}, "items": [pod]}),
                path if path.contains("watch=true") => {
                    held.push(send);
                    continue;
                }
                _ => list(&[]).1.remove(0),
            };
            send.send_response(Response::new(Body::from(answer.to_string().into_bytes())));
        }
    });
    let mut trigger = Trigger::start(Some(Client::new(service, "ns")), "ns", sources);
    assert_eq!(next(&mut trigger).await.as_deref(), Some("2026-11-20T20-10-33Z"));
    assert_eq!(next(&mut trigger).await, None);
    assert!(is_silent(&mut trigger).await);
    serving.abort();
}
