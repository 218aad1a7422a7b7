//! Faults of containers, images and the container runtime, made for real: each is the first thing on the screen, its
//! evidence is where the finding says, and without the fault nothing is said.
//!
//! The runtime that hangs and dies here is one of the test's own, so that the node's goes on.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use periscope_tests::{Diagnosis, Pod, Turn, eventually};
use rstest::rstest;
use serde_json::{Value, json};
use tempfile::TempDir;

/// What these faults are found in.
const ACTIONS: [&str; 2] = ["--actions", "container-runtime,container-logs,system-logs,kubelet"];

/// A runtime that takes connections and never answers is known to hang within this time; a busy machine included.
const NOTICED_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_crash_loop_is_told_with_its_last_words() {
    let turn = Turn::take();
    turn.diagnose(&ACTIONS).without("container-crash-loop");

    let _pod = Pod::in_crash_loop(&turn.services.cluster, "falls-over");
    let diagnosis = turn.diagnose(&ACTIONS);
    let finding = diagnosis.first("container-crash-loop");
    for words in [
        "Container main of pod kube-system/falls-over keeps ending",
        "exit code 3",
        r#"its last words: level=error msg="giving up" code=3"#,
    ] {
        assert!(finding.title.contains(words), "{}", finding.title);
    }
    let files: Vec<_> = finding.evidence.iter().map(|evidence| evidence.file.as_str()).collect();
    assert!(files[0].ends_with("/container-runtime/containers.json"), "{files:?}");
    assert!(
        files[1].contains("/container-logs/pods/kube-system_falls-over_"),
        "{files:?}"
    );
    let last = &finding.evidence[1];
    assert!(
        last.quote.ends_with(r#"level=error msg="giving up" code=3"#),
        "{last:?}"
    );
}

#[test]
fn a_container_whose_program_does_not_exist_is_told() {
    let turn = Turn::take();
    let container = json!({ "command": ["/not-in-the-image"] });
    let pod = Pod::start(&turn.services.cluster, "cannot-start", &[], &container, &Value::Null);
    eventually("two starts", || {
        (pod.status(".containerStatuses[0].restartCount").parse::<u32>().ok()? >= 1).then_some(())
    });
    let diagnosis = turn.diagnose(&ACTIONS);
    let finding = diagnosis.first("container-crash-loop");
    assert!(finding.title.contains("it could not be started"), "{}", finding.title);
    assert!(finding.title.contains("/not-in-the-image"), "{}", finding.title);
    assert!(finding.remedy.contains("periscope.test/guest:1"), "{}", finding.remedy);
}

#[test]
fn a_container_over_its_memory_limit_is_told() {
    let turn = Turn::take();
    turn.diagnose(&ACTIONS).without("container-oom");

    // The node's own `tail` keeps what has no line in memory: all of /dev/zero.
    let mount = |path: &str, part: Option<&str>| {
        let mut mount = json!({ "name": "usr", "mountPath": path, "readOnly": true });
        if let Some(part) = part {
            mount["subPath"] = part.into();
        }
        mount
    };
    let container = json!({
        "command": ["/usr/bin/tail", "/dev/zero"],
        "resources": { "limits": { "memory": "32Mi" } },
        "volumeMounts": [mount("/usr", None), mount("/lib", Some("lib")), mount("/lib64", Some("lib64"))],
    });
    let volumes = json!({ "volumes": [{ "name": "usr", "hostPath": { "path": "/usr" } }] });
    let pod = Pod::start(&turn.services.cluster, "eats-memory", &[], &container, &volumes);
    eventually("a container out of memory", || {
        let reasons = pod.status("..terminated.reason");
        reasons.contains("OOMKilled").then_some(())
    });
    let diagnosis = turn.diagnose(&ACTIONS);
    let finding = diagnosis.first("container-oom");
    assert!(
        finding
            .title
            .starts_with("Container main of pod kube-system/eats-memory was killed"),
        "{}",
        finding.title
    );
    assert!(
        finding.evidence[0].quote.contains("OOMKilled"),
        "{:?}",
        finding.evidence
    );
    diagnosis.without("container-crash-loop");
}

/// Answers as registries do that lack an image, want a password, or have had enough.
const REGISTRY: &str = r"
import http.server, json, os, sys, threading
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answers = {'private': (401, 'UNAUTHORIZED'), 'limited': (429, 'TOOMANYREQUESTS')}
        status, code = answers.get(self.path.split('/')[2], (404, 'MANIFEST_UNKNOWN'))
        if self.path == '/v2/': status = 200
        body = json.dumps({'errors': [{'code': code, 'message': code.lower()}]}).encode()
        self.send_response(status)
        if status == 401: self.send_header('WWW-Authenticate', 'Basic realm=registry')
        self.send_header('Content-Type', 'application/json')
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        if self.command != 'HEAD': self.wfile.write(body)
    do_HEAD = do_GET
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0))).start()
http.server.ThreadingHTTPServer(('127.0.0.1', 5999), Registry).serve_forever()
";

/// A program that ends with its test.
struct Program(Child);

impl Drop for Program {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A registry on the node's loopback. It ends when its input does, which a signal to `nsenter` would not bring about.
fn registry(turn: &Turn) -> Program {
    let mut python = turn.services.cluster.on_node("python3");
    let child = python
        .args(["-c", REGISTRY])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("the node has Python");
    let program = Program(child);
    eventually("the registry", || {
        let mut curl = turn.services.cluster.on_node("curl");
        let status = curl
            .args(["--silent", "--fail", "http://127.0.0.1:5999/v2/"])
            .stdout(Stdio::null())
            .status();
        status.ok()?.success().then_some(())
    });
    program
}

#[rstest]
#[case::no_such_image(
    "127.0.0.1:5999/shop/missing:1",
    "image-pull-not-found",
    "there is no such image",
    "not found"
)]
#[case::without_a_password(
    "127.0.0.1:5999/private/web:1",
    "image-pull-auth",
    "refuses it to this node",
    "401 Unauthorized"
)]
#[case::too_many(
    "127.0.0.1:5999/limited/web:1",
    "image-pull-auth",
    "no more pulls for now (429)",
    "429 Too Many Requests"
)]
#[case::closed_port("127.0.0.1:1/web:1", "image-pull-network", "cannot be reached", "connection refused")]
fn an_image_that_cannot_be_had_is_told_with_its_cause(
    #[case] image: &str,
    #[case] fault: &str,
    #[case] title: &str,
    #[case] quote: &str,
) {
    let turn = Turn::take();
    let _registry = registry(&turn);
    turn.diagnose(&ACTIONS).without(fault);

    let container = json!({ "image": image, "imagePullPolicy": "Always" });
    let pod = Pod::start(&turn.services.cluster, "wants-an-image", &[], &container, &Value::Null);
    eventually("a failed pull", || {
        (pod.waits_for() == "ImagePullBackOff").then_some(())
    });
    let diagnosis = turn.diagnose(&ACTIONS);
    let finding = diagnosis.first(fault);
    for words in [
        "Pod kube-system/wants-an-image waits for the image",
        image,
        title,
        quote,
    ] {
        assert!(finding.title.contains(words), "{words:?} in {}", finding.title);
    }
    let evidence = &finding.evidence[0];
    assert!(
        evidence.file.ends_with("/system-logs/journal/kubelet.log"),
        "{evidence:?}"
    );
    assert!(evidence.quote.contains(image), "{evidence:?}");
    for other in [
        "image-pull-not-found",
        "image-pull-auth",
        "image-pull-network",
        "image-pull-disk",
    ] {
        if other != fault {
            diagnosis.without(other);
        }
    }

    drop(pod);
    eventually("a node that has forgotten it", || {
        let found = turn.diagnose(&ACTIONS).findings;
        found.iter().all(|finding| finding.fault != fault).then_some(())
    });
}

/// A containerd of the test's own, on a node in a folder.
struct OwnRuntime {
    folder: TempDir,
    process: Program,
}

impl OwnRuntime {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder for the node");
        let root = folder.path().join("root");
        for dir in ["etc/cni/net.d", "etc/containerd", "proc/1", "run/containerd"] {
            fs::create_dir_all(root.join(dir)).expect("a folder of the node");
        }
        let write = |path: &str, text: &str| fs::write(root.join(path), text).expect("a file of the node");
        write("etc/os-release", "ID=test\nPRETTY_NAME=\"Test 1\"\n");
        write("etc/hostname", "own-runtime\n");
        write(
            "etc/cni/net.d/10-loopback.conf",
            r#"{ "cniVersion": "0.3.1", "name": "lo", "type": "loopback" }"#,
        );
        let (state, top) = (folder.path().display(), root.display());
        write(
            "etc/containerd/config.toml",
            &format!(
                "version = 2\nroot = \"{state}/lib\"\nstate = \"{state}/state\"\n\
                 disabled_plugins = [\"io.containerd.internal.v1.opt\"]\n\
                 [grpc]\n  address = \"{top}/run/containerd/containerd.sock\"\n\
                 [ttrpc]\n  address = \"{state}/ttrpc.sock\"\n\
                 [plugins.\"io.containerd.grpc.v1.cri\"]\n  disable_tcp_service = true\n\
                 [plugins.\"io.containerd.grpc.v1.cri\".containerd]\n  snapshotter = \"native\"\n\
                 [plugins.\"io.containerd.grpc.v1.cri\".cni]\n  conf_dir = \"{top}/etc/cni/net.d\"\n\
                 bin_dir = \"/usr/lib/cni\"\n"
            ),
        );
        let log = fs::File::create(folder.path().join("containerd.log")).expect("a log");
        let child = Command::new("containerd")
            .arg("--config")
            .arg(root.join("etc/containerd/config.toml"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .expect("the harness has installed containerd");
        let runtime = Self {
            process: Program(child),
            folder,
        };
        eventually("containerd", || {
            UnixStream::connect(runtime.root().join("run/containerd/containerd.sock")).ok()
        });
        eventually("a runtime that is ready", || {
            let found = runtime.diagnose().findings;
            found.iter().all(|finding| !finding.is_trouble()).then_some(())
        });
        runtime
    }

    fn root(&self) -> std::path::PathBuf {
        self.folder.path().join("root")
    }

    fn diagnose(&self) -> Diagnosis {
        let binary = periscope_tests::Services::running().binary;
        let root = self.root();
        let root = root.to_str().expect("a path in UTF-8");
        Diagnosis::of(
            Command::new(binary),
            &["--host-root", root, "--actions", "container-runtime"],
        )
    }

    fn signal(&self, signal: &str) {
        let status = Command::new("kill")
            .arg(signal)
            .arg(self.process.0.id().to_string())
            .status();
        assert!(status.expect("kill runs").success());
    }
}

fn calls(diagnosis: &Diagnosis) -> String {
    let file = &diagnosis.find("runtime-not-answering").evidence[0].file;
    assert!(file.ends_with("/container-runtime/calls.json"), "{file}");
    fs::read_to_string(Path::new(diagnosis.top()).join(file)).expect("the calls")
}

#[test]
fn a_runtime_that_hangs_is_told_in_seconds() {
    let runtime = OwnRuntime::start();
    runtime.signal("-STOP");
    let start = Instant::now();
    let diagnosis = runtime.diagnose();
    let took = start.elapsed();
    let finding = diagnosis.first("runtime-not-answering");
    assert!(
        finding.title.starts_with("The container runtime hangs: its socket"),
        "{}",
        finding.title
    );
    assert!(
        finding.evidence[0].quote.contains(r#""failure":"timed-out""#),
        "{:?}",
        finding.evidence
    );
    assert!(took < NOTICED_WITHIN, "{took:?}");
    assert!(calls(&diagnosis).contains("/Version"));

    runtime.signal("-CONT");
    runtime.diagnose().silent_but_for(&[]);
}

#[test]
fn a_runtime_that_has_died_is_told() {
    let mut runtime = OwnRuntime::start();
    runtime.signal("-KILL");
    runtime.process.0.wait().expect("it ends");
    let diagnosis = runtime.diagnose();
    let finding = diagnosis.first("runtime-not-answering");
    assert!(
        finding.title.starts_with("The container runtime does not run"),
        "{}",
        finding.title
    );
    assert!(
        finding.evidence[0].quote.contains(r#""failure":"refused""#),
        "{:?}",
        finding.evidence
    );
    assert!(calls(&diagnosis).contains("connect"));
}

#[test]
fn a_runtime_without_a_network_plug_in_is_told() {
    let runtime = OwnRuntime::start();
    fs::remove_file(runtime.root().join("etc/cni/net.d/10-loopback.conf")).expect("it was there");
    let diagnosis = eventually("a runtime without a network", || {
        let diagnosis = runtime.diagnose();
        let is_told = diagnosis.troubles().next().is_some();
        is_told.then_some(diagnosis)
    });
    let finding = diagnosis.first("runtime-network-not-ready");
    assert!(finding.remedy.contains("/etc/cni/net.d"), "{}", finding.remedy);
    assert!(
        finding.evidence[0].quote.contains("NetworkReady"),
        "{:?}",
        finding.evidence
    );
}
