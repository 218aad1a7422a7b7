use std::fs;
use std::path::Path;

use rstest::rstest;
use secrecy::ExposeSecret as _;

use super::sources::MAX_VALUE_BYTES;
use super::*;

fn sources(folder: &Path, environment: &[(&str, &str)]) -> Sources {
    Sources::new(folder.join("config"), folder.join("secret"), |key| {
        let found = environment.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| value.into())
    })
}

fn mount(folder: &Path, name: &str, files: &[(&str, &str)]) {
    let folder = folder.join(name);
    fs::create_dir(&folder).unwrap();
    for (key, value) in files {
        fs::write(folder.join(key), value).unwrap();
    }
}

fn words(list: Option<&Vec<String>>) -> Vec<&str> {
    list.map(|list| list.iter().map(String::as_str).collect())
        .unwrap_or_default()
}

const ERA_B: [(&str, &str); 8] = [
    ("DIAGNOSTIC_RUN_ID", "2026-11-20T20-10-33Z"),
    ("COLLECTOR_LIST", "managedCluster"),
    ("DIAGNOSTIC_CONTAINERLOGS_LIST", "kube-system  default\n"),
    ("DIAGNOSTIC_KUBEOBJECTS_LIST", "kube-system/pod"),
    ("DIAGNOSTIC_NODELOGS_LIST_LINUX", "/var/log/a.log /var/log/b.log"),
    ("AZURE_BLOB_ACCOUNT_NAME", "account\n"),
    ("AZURE_BLOB_SAS_KEY", "?sig=s\n"),
    ("AZURE_BLOB_CONTAINER_NAME", "container"),
];

#[rstest]
#[case::files(true)]
#[case::environment(false)]
fn both_ways_say_the_same(#[case] files: bool) {
    let folder = tempfile::tempdir().unwrap();
    let sources = if files {
        mount(folder.path(), "config", &ERA_B[..5]);
        mount(folder.path(), "secret", &ERA_B[5..]);
        sources(folder.path(), &[])
    } else {
        sources(folder.path(), &ERA_B)
    };
    let configuration = Configuration::read(&sources);
    assert_eq!(configuration.run_id.as_deref(), Some("2026-11-20T20-10-33Z"));
    assert_eq!(Vec::from_iter(configuration.collectors), [Collector::ManagedCluster]);
    assert_eq!(words(configuration.namespaces.as_ref()), ["kube-system", "default"]);
    assert_eq!(words(configuration.kube_objects.as_ref()), ["kube-system/pod"]);
    assert_eq!(
        words(configuration.node_logs.as_ref()),
        ["/var/log/a.log", "/var/log/b.log"]
    );
    assert_eq!(configuration.storage_account.as_deref(), Some("account"));
    assert_eq!(configuration.container.as_deref(), Some("container"));
    assert_eq!(configuration.sas.unwrap().expose_secret(), "?sig=s");
    assert!(!configuration.container_exists);
    assert!(configuration.problems.is_empty());
}

#[test]
fn a_folder_wins_over_the_environment_key_by_key_and_folder_by_folder() {
    let folder = tempfile::tempdir().unwrap();
    mount(
        folder.path(),
        "config",
        &[
            ("DIAGNOSTIC_RUN_ID", "mounted\n"),
            ("aks-periscope.yaml", "since: 1h\n"),
        ],
    );
    let configuration = Configuration::read(&sources(folder.path(), &ERA_B));
    assert_eq!(configuration.run_id.as_deref(), Some("mounted"));
    assert_eq!(configuration.namespaces, None);
    assert_eq!(configuration.settings.as_deref(), Some("since: 1h"));
    assert_eq!(configuration.storage_account.as_deref(), Some("account"));
}

#[test]
fn the_first_era_has_another_name_for_node_logs() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [
        ("DIAGNOSTIC_NODELOGS_LIST", "/var/log/a.log"),
        ("AZURE_STORAGE_SAS_KEY_TYPE", "Container"),
    ];
    let sources = sources(folder.path(), &environment);
    let configuration = Configuration::read(&sources);
    assert_eq!(words(configuration.node_logs.as_ref()), ["/var/log/a.log"]);
    assert!(configuration.container_exists);
    assert!(sources.is_era_a());
}

#[rstest]
#[case::nothing(&[], &[])]
#[case::run_id_of_the_environment(&[], &ERA_B[..1])]
#[case::mounted(&["config"], &ERA_B[1..])]
fn other_manifests_are_not_of_the_first_era(#[case] folders: &[&str], #[case] environment: &[(&str, &str)]) {
    let folder = tempfile::tempdir().unwrap();
    for name in folders {
        mount(folder.path(), name, &[]);
    }
    assert!(!sources(folder.path(), environment).is_era_a());
}

#[test]
fn an_empty_value_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let environment = ERA_B.map(|(key, _)| (key, " \n"));
    let configuration = Configuration::read(&sources(folder.path(), &environment));
    assert_eq!(configuration.run_id, None);
    assert_eq!(configuration.namespaces, None);
    assert!(configuration.sas.is_none());
    assert_eq!(configuration.container, None);
}

#[test]
fn words_are_known_in_any_case_and_unknown_ones_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let environment = [("COLLECTOR_LIST", "CONNECTEDcluster osm Smi istio")];
    let configuration = Configuration::read(&sources(folder.path(), &environment));
    assert_eq!(
        Vec::from_iter(configuration.collectors),
        [Collector::ConnectedCluster, Collector::Osm, Collector::Smi]
    );
    assert_eq!(
        configuration.problems,
        [r#"unknown word "istio" in COLLECTOR_LIST: expected connectedCluster, OSM, SMI, managedCluster"#]
    );
}

#[test]
fn what_cannot_be_read_is_said_and_left_out() {
    let folder = tempfile::tempdir().unwrap();
    mount(
        folder.path(),
        "config",
        &[("DIAGNOSTIC_RUN_ID", &"x".repeat(MAX_VALUE_BYTES + 1))],
    );
    fs::create_dir(folder.path().join("config/COLLECTOR_LIST")).unwrap();
    let configuration = Configuration::read(&sources(folder.path(), &[]));
    assert_eq!(configuration.run_id, None);
    assert_eq!(configuration.problems.len(), 2);
    assert!(configuration.problems[0].ends_with("DIAGNOSTIC_RUN_ID: it is too long, expected at most 1048576 bytes"));
}

#[rstest]
#[case::mounted(true, None)]
#[case::of_the_environment(false, Some("managedCluster"))]
fn the_api_servers_content_takes_the_place_of_the_folder(#[case] mounted: bool, #[case] word: Option<&str>) {
    let folder = tempfile::tempdir().unwrap();
    if mounted {
        mount(folder.path(), "config", &ERA_B[..5]);
    }
    let data = [
        ("DIAGNOSTIC_RUN_ID", " new\n"),
        ("DIAGNOSTIC_CONTAINERLOGS_LIST", "other"),
    ];
    let data = data.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    let configuration = Configuration::of_config_map(&data, &sources(folder.path(), &ERA_B));
    assert_eq!(configuration.run_id.as_deref(), Some("new"));
    assert_eq!(words(configuration.namespaces.as_ref()), ["other"]);
    assert_eq!(configuration.collectors.first().map(|word| word.as_str()), word);
    assert_eq!(configuration.storage_account.as_deref(), Some("account"));
}

#[test]
fn no_secret_is_shown() {
    let folder = tempfile::tempdir().unwrap();
    let sources = sources(folder.path(), &ERA_B);
    let shown = format!("{sources:?} {:?}", Configuration::read(&sources));
    assert!(!shown.contains("sig=s"), "{shown}");
}
