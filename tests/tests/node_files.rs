//! The actions that take files, on the real node: logs that a kubelet rotates meanwhile, its own set-up, its journal.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use periscope_tests::{Services, eventually, files_below};
use serde_json::Value;
use tempfile::TempDir;

/// What one action gathered on the node: the folder, removed when dropped, and the path of the action's part in it.
struct Gathered {
    _folder: TempDir,
    path: PathBuf,
    manifest: Value,
}

impl Gathered {
    fn by(action: &str, more: &[&str]) -> Self {
        let Services { cluster, binary, .. } = Services::running();
        let folder = tempfile::tempdir().expect("a folder that the node sees too");
        let mut command = cluster.on_node(&binary);
        command
            .arg("collect")
            .arg("--output")
            .arg(folder.path())
            .args(["--run-id", "r", "--format", "unpacked"]);
        command.args(["--actions", action]).args(more).env_remove("KUBECONFIG");
        let output = command.output().expect("nsenter runs the program");
        assert!(
            output.status.code().is_some(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let top = folder.path().join("r").join(&cluster.node_name);
        let manifest = fs::read(top.join("manifest.json")).expect("a manifest");
        Self {
            path: top.join("nodes").join(&cluster.node_name).join(action),
            manifest: serde_json::from_slice(&manifest).expect("JSON"),
            _folder: folder,
        }
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path.join(name)).expect(name)
    }

    /// The paths below the action's folder.
    fn files(&self) -> BTreeSet<String> {
        files_below(&self.path)
            .iter()
            .map(|path| relative(path, &self.path))
            .collect()
    }

    fn states(&self) -> Vec<&str> {
        let items = self.manifest["items"].as_array().expect("items");
        items
            .iter()
            .map(|item| item["state"].as_str().expect("a state"))
            .collect()
    }
}

#[test]
fn no_line_is_lost_between_rotations() {
    let pods = Services::running().cluster.root().join("var/log/pods");
    let is_compressed = |path: &PathBuf| path.extension().is_some_and(|end| end == "gz");
    eventually("a rotated and compressed log", || {
        files_below(&pods).into_iter().find(is_compressed)
    });
    // The kubelet rotates every few seconds: some of these runs meet a rotation.
    for _ in 0..5 {
        let gathered = Gathered::by("container-logs", &[]);
        let mut talks: Vec<_> = gathered
            .files()
            .into_iter()
            .filter(|name| name.contains("/talk/"))
            .collect();
        talks.sort();
        let folders: BTreeSet<_> = talks
            .iter()
            .map(|name| name.rsplit_once('/').expect("a file").0)
            .collect();
        assert_eq!(folders.len(), 2, "two pods talk: {talks:?}");
        for folder in folders {
            let logs = talks.iter().filter(|name| name.starts_with(folder));
            let numbers: BTreeSet<u64> = logs.flat_map(|name| numbers(&gathered.text(name))).collect();
            let (first, last) = (numbers.first().expect("lines"), numbers.last().expect("lines"));
            assert_eq!(
                numbers.len() as u64,
                last - first + 1,
                "lines {first} to {last} of {folder} in {talks:?}"
            );
        }
    }
}

#[test]
fn every_container_and_earlier_instance_of_the_namespace_is_there() {
    let root = Services::running().cluster.root().join("var/log");
    let present = || -> BTreeSet<String> {
        let logs = files_below(&root.join("pods"))
            .into_iter()
            .map(|path| relative(&path, &root));
        // The names that no rotation changes.
        logs.filter(|name| name.rsplit_once('.').is_some_and(|(_, end)| end == "log"))
            .collect()
    };
    let before = present();
    let gathered = Gathered::by("container-logs", &["--namespaces", "*"]);
    let after = present();
    let kept = gathered.files();
    let missing: Vec<_> = before
        .intersection(&after)
        .filter(|name| !kept.contains(*name))
        .collect();
    assert!(missing.is_empty(), "{missing:?} not in {kept:?}");
    for container in ["/prepare/0.log", "/stumble/0.log", "/stumble/1.log"] {
        assert!(
            kept.iter().any(|name| name.contains(container)),
            "{container} not in {kept:?}"
        );
    }
    let stumbled = kept
        .iter()
        .find(|name| name.ends_with("/stumble/0.log"))
        .expect("it was just there");
    let earlier = fs::read_to_string(root.join(stumbled)).expect("a finished log");
    assert_eq!(gathered.text(stumbled), earlier);
}

#[test]
fn a_time_leaves_out_what_came_before_it() {
    let since = Command::new("date")
        .args(["-u", "-d", "10 seconds ago", "+%Y-%m-%dT%H:%M:%SZ"])
        .output()
        .expect("date");
    let since = String::from_utf8(since.stdout).expect("UTF-8");
    let gathered = Gathered::by("container-logs", &["--since", since.trim()]);
    let logs = gathered.files();
    assert!(logs.iter().any(|name| name.contains("/talk/0.log")), "{logs:?}");
    assert!(!logs.iter().any(|name| name.contains("/prepare/")), "{logs:?}");
    assert!(gathered.states().contains(&"not-applicable"), "{}", gathered.manifest);
}

#[test]
fn logs_come_from_the_api_where_the_files_are_not_to_be_had() {
    let Services { cluster, binary, .. } = Services::running();
    let folder = tempfile::tempdir().expect("a folder");
    let empty = folder.path().join("root");
    fs::create_dir(&empty).expect("a root without files");
    let output = Command::new(&binary)
        .arg("collect")
        .args([
            "--run-id",
            "r",
            "--format",
            "unpacked",
            "--actions",
            "container-logs",
            "--node-name",
            &cluster.node_name,
        ])
        .arg("--output")
        .arg(folder.path())
        .arg("--host-root")
        .arg(&empty)
        .env("KUBECONFIG", &cluster.kubeconfig)
        .output()
        .expect("the program runs");
    let logs = folder
        .path()
        .join("r")
        .join(&cluster.node_name)
        .join("nodes")
        .join(&cluster.node_name);
    let logs = logs.join("container-logs/api");
    let kept: Vec<_> = files_below(&logs).iter().map(|path| relative(path, &logs)).collect();
    let text = String::from_utf8_lossy(&output.stderr);
    for log in [
        "/talk/current.log",
        "/prepare/current.log",
        "/stumble/current.log",
        "/stumble/previous.log",
    ] {
        let name = kept
            .iter()
            .find(|name| name.ends_with(log))
            .unwrap_or_else(|| panic!("no {log} in {kept:?}: {text}"));
        assert!(
            !fs::read_to_string(logs.join(name)).expect("a log").is_empty(),
            "{name} is empty"
        );
    }
}

#[test]
fn the_kubelet_of_the_node_is_described() {
    let cluster = Services::running().cluster;
    let gathered = Gathered::by("kubelet", &[]);
    assert!(
        gathered
            .text("cmdline.txt")
            .contains("--config=/etc/default/kubeletconfig.json\n")
    );
    let config = fs::read_to_string(cluster.root().join("etc/default/kubeletconfig.json")).expect("the node's file");
    assert_eq!(gathered.text("config.json"), config);
    let settings: Value = serde_json::from_str(&gathered.text("kubelet.json")).expect("JSON");
    let version = cluster.kubectl(&[
        "get",
        "node",
        &cluster.node_name,
        "-o",
        "jsonpath={.status.nodeInfo.kubeletVersion}",
    ]);
    assert_eq!(settings["version"], version);
    assert_eq!(settings["clusterDomain"], "cluster.local");
    let certificates = gathered.text("certificates.json");
    assert!(
        certificates.contains(&format!("CN=system:node:{}", cluster.node_name)),
        "{certificates}"
    );
    let azure: Value = serde_json::from_str(&gathered.text("azure.json")).expect("JSON");
    assert_eq!(azure["cloud"], "AzurePublicCloud");
    assert!(
        azure["aadClientSecret"]
            .as_str()
            .is_some_and(|secret| secret.starts_with("[REDACTED:")),
        "{azure}"
    );
    assert!(gathered.text("kubeconfig.yaml").contains("server: https://"));
    for file in gathered.files() {
        assert!(!gathered.text(&file).contains("PRIVATE KEY"), "a key in {file}");
    }
}

#[test]
fn the_journal_is_what_journalctl_shows() {
    let cluster = Services::running().cluster;
    let gathered = Gathered::by("system-logs", &[]);
    let mut words = vec!["journalctl", "-D", "/var/log/journal", "--quiet", "--no-pager", "--utc"];
    words.extend(["--output=short-iso-precise", "--unit=containerd.service"]);
    let shown = cluster.run_on_node(&words);
    let kept = gathered.text("journal/containerd.log");
    // Debian's journalctl writes the time zone without a colon.
    let kept: Vec<_> = kept.lines().map(|line| line.replacen("+00:00 ", "+0000 ", 1)).collect();
    let shown: Vec<_> = shown.lines().take(kept.len()).collect();
    assert!(kept.len() > 20, "{kept:?}");
    assert_eq!(kept, shown);
    assert!(!gathered.text("journal/kubelet.log").is_empty());
    assert!(!gathered.text("journal/kernel.log").is_empty());
}

/// The numbers that a talking container gives its lines.
fn numbers(log: &str) -> Vec<u64> {
    let number = |line: &str| line.split_once(" F line=")?.1.split(' ').next()?.parse().ok();
    log.lines().filter_map(number).collect()
}

fn relative(path: &Path, folder: &Path) -> String {
    path.strip_prefix(folder)
        .expect("it is below")
        .to_str()
        .expect("UTF-8")
        .to_owned()
}
