//! The command `kollect` against a real API server and kubelet, as somebody with a kubeconfig runs it: what comes, what
//! is said of nodes that cannot report, and that nothing stays in the cluster.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use periscope_tests::{AGENT_IMAGE, Azurite, Browser, Cluster, Services, Turn, agent_image, eventually};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The objects of ours that belong to the whole cluster.
const OURS: [&str; 5] = [
    "namespace/aks-periscope",
    "customresourcedefinition/diagnostics.aks-periscope.azure.github.com",
    "clusterrole/aks-periscope-role",
    "clusterrolebinding/aks-periscope-role-binding",
    "clusterrolebinding/aks-periscope-role-binding-view",
];
/// Nodes that no kubelet stands behind.
const WINDOWS: &str = "akswin000000";
const DOWN: &str = "aks-down-vmss000001";

/// The cluster with nothing of ours in it, before and after.
struct Clean {
    turn: Turn,
    folder: TempDir,
}

impl Clean {
    fn new() -> Self {
        let turn = Turn::take();
        agent_image(&turn.services);
        // Whoever else deploys agents is waited for.
        eventually("there is nothing of ours in the cluster", || {
            present(&turn.services.cluster).is_empty().then_some(())
        });
        let folder = TempDir::new().expect("a folder");
        Self { turn, folder }
    }

    fn services(&self) -> &Services {
        &self.turn.services
    }

    fn cluster(&self) -> &Cluster {
        &self.turn.services.cluster
    }

    fn kollect(&self, more: &[&str]) -> Command {
        let mut command = kollect(self.services(), &self.cluster().kubeconfig);
        command
            .args(["--yes", "--run-id", "run-1", "--image", AGENT_IMAGE])
            .args(more);
        command
    }

    fn to(&self) -> String {
        self.folder.path().display().to_string()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("run-1").join(name)
    }

    fn stub_node(&self, name: &str, system: &str, ready: &str) {
        self.cluster().apply(&json!({
            "apiVersion": "v1", "kind": "Node",
            "metadata": {"name": name, "labels": {"kubernetes.io/os": system, "kubernetes.io/hostname": name}},
            "spec": {"taints": [{"key": "node.kubernetes.io/unreachable", "effect": "NoExecute"}]},
        }));
        let condition = json!({"type": "Ready", "status": ready, "reason": "NodeStatusUnknown",
            "message": "Kubelet stopped posting node status.", "lastHeartbeatTime": "2026-11-20T10:00:00Z",
            "lastTransitionTime": "2026-11-20T10:00:00Z"});
        let patch = json!({"status": {"conditions": [condition]}}).to_string();
        self.cluster()
            .kubectl(&["patch", "node", name, "--subresource=status", "--patch", &patch]);
    }
}

impl Drop for Clean {
    fn drop(&mut self) {
        // Also after a failed assertion, when a second panic would end everything.
        for object in OURS.iter().skip(1).chain(&OURS[..1]) {
            self.cluster()
                .try_kubectl(&["delete", object, "--ignore-not-found", "--timeout=90s"]);
        }
        for node in [WINDOWS, DOWN] {
            self.cluster()
                .try_kubectl(&["delete", "node", node, "--ignore-not-found"]);
        }
        // With what agents remember: a run of this name is not made again.
        self.cluster().run_on_node(&["rm", "-rf", "/var/log/aks-periscope"]);
    }
}

fn kollect(services: &Services, kubeconfig: &Path) -> Command {
    let mut command = Command::new(&services.binary);
    command
        .arg("kollect")
        .arg("--kubeconfig")
        .arg(kubeconfig)
        .stdin(Stdio::null());
    for name in [
        "AZURE_BLOB_ACCOUNT_NAME",
        "AZURE_BLOB_SAS_KEY",
        "AZURE_BLOB_CONTAINER_NAME",
        "KUBECONFIG",
    ] {
        command.env_remove(name);
    }
    command
}

fn present(cluster: &Cluster) -> Vec<&'static str> {
    let is_there = |object: &&&str| cluster.try_kubectl(&["get", object, "--output=name"]).is_some();
    OURS.iter().filter(is_there).copied().collect()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn told(output: &Output) -> String {
    format!("{}\n---\n{}", text(&output.stderr), text(&output.stdout))
}

#[track_caller]
fn ended(command: &mut Command, codes: &[i32]) -> Output {
    let output = command.output().expect("the program runs");
    let code = output.status.code().expect("the program ended by itself");
    assert!(codes.contains(&code), "exit code {code}\n{}", told(&output));
    output
}

#[test]
fn archives_come_without_any_storage_and_nothing_stays() {
    let clean = Clean::new();
    clean.stub_node(WINDOWS, "windows", "True");
    clean.stub_node(DOWN, "linux", "Unknown");
    let node = clean.cluster().node_name.clone();
    let output = ended(&mut clean.kollect(&["--to", &clean.to()]), &[3]);

    let (progress, summary) = (text(&output.stderr), text(&output.stdout));
    for said in [
        "Who sees".to_owned(),
        format!("{node}  running"),
        format!("{WINDOWS}  left out"),
        format!("{DOWN}  no report  the node is not ready: Kubelet stopped posting"),
    ] {
        assert!(progress.contains(&said), "no {said:?} in\n{progress}");
    }
    for said in [
        "Findings",
        "no report",
        DOWN,
        "1 of 2 nodes reported",
        "cluster.zip",
        "index.html",
    ] {
        assert!(summary.contains(said), "no {said:?} in\n{summary}");
    }
    assert!(!summary.contains("Left in the cluster"), "{summary}");
    assert_eq!(present(clean.cluster()), [""; 0]);

    for archive in [format!("{node}.zip"), "cluster.zip".to_owned()] {
        let path = clean.path(&archive);
        let listed = ended(Command::new(&clean.services().binary).arg("inspect").arg(&path), &[0]);
        assert!(text(&listed.stdout).contains("manifest.json"), "{archive}");
    }
    let findings: Value =
        serde_json::from_slice(&fs::read(clean.path("analysis.json")).expect("findings")).expect("JSON");
    assert!(!findings.as_array().expect("a list").is_empty());
    let names = fs::read_dir(clean.folder.path().join("run-1")).expect("the run's folder");
    let partial = names.filter(|name| {
        name.as_ref()
            .is_ok_and(|name| name.path().extension() == Some("partial".as_ref()))
    });
    assert_eq!(partial.count(), 0);
    look_at_page(&clean.path("index.html"), &node);
}

/// Opens the page as a reader does.
fn look_at_page(page: &Path, node: &str) {
    let profile = TempDir::new().expect("a folder");
    let pictures = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kollect");
    fs::create_dir_all(&pictures).expect("a folder for pictures");
    let mut browser = Browser::start(profile.path());
    for (width, scheme) in [(1280, "light"), (1280, "dark"), (390, "light")] {
        browser.look(width, 900, scheme);
        browser.open(page);
        let wide = browser.evaluate("document.documentElement.scrollWidth <= innerWidth");
        assert_eq!(wide, true, "the page is wider than a window of {width}");
        browser.screenshot(&pictures.join(format!("cluster-{scheme}-{width}.png")));
    }
    assert_eq!(browser.complaints(), [""; 0]);
    let link = format!("document.querySelector('#nodes a[href=\"./{node}.zip\"]') !== null");
    assert_eq!(browser.evaluate(&link), true);
    assert_eq!(browser.requests().len(), 1, "{:?}", browser.requests());
}

#[test]
fn agents_that_are_installed_make_the_run_and_stay() {
    let clean = Clean::new();
    let first = ended(
        &mut clean.kollect(&["--to", &clean.to(), "--keep", "--json", "--quiet"]),
        &[0, 3],
    );
    let document: Value = serde_json::from_slice(&first.stdout).expect("JSON");
    assert_eq!(document["runId"], "run-1");
    assert!(first.stderr.is_empty(), "{}", told(&first));
    let kept = present(clean.cluster());
    assert!(kept.len() >= 4, "{kept:?}");

    let mut again = kollect(clean.services(), &clean.cluster().kubeconfig);
    again.args([
        "--yes",
        "--run-id",
        "run-2",
        "--to",
        &clean.to(),
        "--container-logs",
        "default",
    ]);
    let again = ended(&mut again, &[0, 3]);
    assert!(text(&again.stderr).contains("and stay"), "{}", told(&again));
    assert!(
        clean
            .folder
            .path()
            .join(format!("run-2/{}.zip", clean.cluster().node_name))
            .exists()
    );
    assert_eq!(present(clean.cluster()), kept);
    let lists = [
        "get",
        "configmap",
        "diagnostic-config",
        "--namespace=aks-periscope",
        "--output=json",
    ];
    let map: Value = serde_json::from_str(&clean.cluster().kubectl(&lists)).expect("JSON");
    assert_eq!(map["data"]["DIAGNOSTIC_RUN_ID"], "run-2");
    assert_eq!(map["data"]["DIAGNOSTIC_CONTAINERLOGS_LIST"], "kube-system");
}

#[test]
fn archives_in_the_storage_are_looked_for() {
    let clean = Clean::new();
    let azurite = &clean.services().azurite;
    let sas = azurite.account_sas("rwlc", Azurite::in_an_hour());
    let storage = [
        "--storage-account",
        &azurite.endpoint,
        "--container",
        "kollect",
        "--sas-token",
        &sas,
    ];
    let output = ended(clean.kollect(&storage).env("SSL_CERT_FILE", &azurite.ca_file), &[0, 3]);
    let summary = text(&output.stdout);
    assert!(
        summary.contains(&format!("{}/kollect/run-1/  (2 archives", azurite.endpoint)),
        "{}",
        told(&output)
    );
    assert!(!told(&output).contains("sig="), "{}", told(&output));
    assert_eq!(present(clean.cluster()), [""; 0]);
}

#[test]
fn an_image_that_cannot_be_pulled_is_told_and_nothing_stays() {
    let clean = Clean::new();
    let mut command = kollect(clean.services(), &clean.cluster().kubeconfig);
    command.args([
        "--yes",
        "--to",
        &clean.to(),
        "--image",
        "periscope.test/none:1",
        "--timeout",
        "20s",
    ]);
    let output = ended(&mut command, &[5]);
    assert!(
        text(&output.stdout).contains("ErrImagePull") || text(&output.stdout).contains("ImagePullBackOff"),
        "{}",
        told(&output)
    );
    assert_eq!(present(clean.cluster()), [""; 0]);
}

#[test]
fn who_ends_it_finds_nothing_left() {
    let clean = Clean::new();
    let child = clean
        .kollect(&["--to", &clean.to()])
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let child = child.expect("the program runs");
    eventually("the agents are there", || {
        clean
            .cluster()
            .try_kubectl(&["get", "daemonset", "aks-periscope", "--namespace=aks-periscope"])
    });
    let pid = rustix::process::Pid::from_raw(i32::try_from(child.id()).expect("a pid")).expect("a pid");
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it runs");
    let output = child.wait_with_output().expect("it ends");
    assert!(
        [3, 5].contains(&output.status.code().unwrap_or_default()),
        "{}",
        told(&output)
    );
    assert_eq!(present(clean.cluster()), [""; 0]);
}

#[rstest]
#[case::nobody_to_ask(&["--to", "TO"], 2, "--yes")]
#[case::nowhere(&["--yes"], 2, "--to")]
#[case::no_context(&["--yes", "--to", "TO", "--context", "other"], 2, "no context \"other\"")]
#[case::unusable_folder(&["--yes", "--to", "/proc/here"], 2, "/proc/here")]
fn misuse_is_said_in_one_line_and_nothing_is_done(#[case] words: &[&str], #[case] code: i32, #[case] said: &str) {
    let services = Services::running();
    let folder = TempDir::new().expect("a folder");
    let to = folder.path().display().to_string();
    let words = words.iter().map(|word| if *word == "TO" { to.as_str() } else { word });
    let output = ended(kollect(&services, &services.cluster.kubeconfig).args(words), &[code]);
    let error = text(&output.stderr);
    let last = error.lines().last().unwrap_or_default();
    assert!(last.starts_with("error: ") && last.contains(said), "{error}");
    assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0);
}

#[test]
fn who_may_not_is_told_what() {
    let services = Services::running();
    let folder = TempDir::new().expect("a folder");
    let kubeconfig = folder.path().join("kubeconfig");
    let admin = fs::read_to_string(&services.cluster.kubeconfig).expect("the kubeconfig");
    let acting = admin.replacen("  user:\n", "  user:\n    as: nobody\n", 1);
    assert_ne!(acting, admin, "the kubeconfig has another form");
    fs::write(&kubeconfig, acting).expect("writable");
    let to = folder.path().display().to_string();
    let output = ended(kollect(&services, &kubeconfig).args(["--yes", "--to", &to]), &[1]);
    assert!(
        text(&output.stderr).contains("error: not allowed to list nodes"),
        "{}",
        told(&output)
    );
}
