//! The container runtime of both nodes, played by servers on the sockets of their folders; the real containerd is asked
//! in the end-to-end tests.
#![expect(clippy::unwrap_used, reason = "functions that prepare a test may fail it")]

use std::os::unix::net::UnixListener as StdListener;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use periscope_core::State;
use periscope_host::HostPath;
use periscope_testkit::{ActionRun, HostFixture, RunOptions, Script, ScriptedCommands};
use rstest::rstest;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixListener;

use crate::run::{run, run_commands, states};
use periscope_actions::Settings;

const ID: &str = "container-runtime";
const CONTAINERD: &str = "/run/containerd/containerd.sock";
const DOCKER: &str = "/run/docker.sock";
/// 2026-11-20T10:00:00Z.
const CREATED: u64 = 1_795_168_800_000_000_000;
const SECRET: &str = "Zx8Q-notreal";

/// What the server of a test answers: a message, or a status of gRPC.
type Answer = Result<Vec<u8>, u16>;

/// A field of a protocol buffer that has a length.
fn bytes(number: u8, content: impl AsRef<[u8]>) -> Vec<u8> {
    let content = content.as_ref();
    let mut field = vec![number << 3 | 2];
    field.extend(varint(content.len() as u64));
    field.extend(content);
    field
}

/// A field that is a number.
fn number(number: u8, value: u64) -> Vec<u8> {
    let mut field = vec![number << 3];
    field.extend(varint(value));
    field
}

fn varint(mut value: u64) -> Vec<u8> {
    let mut encoded = Vec::new();
    while value >= 0x80 {
        encoded.push((value & 0x7f | 0x80).to_le_bytes()[0]);
        value >>= 7;
    }
    encoded.push(value.to_le_bytes()[0]);
    encoded
}

/// An entry of a map of words.
fn entry(field: u8, name: &str, value: &str) -> Vec<u8> {
    bytes(field, [bytes(1, name), bytes(2, value)].concat())
}

/// One container of the list: `restarts` as the kubelet notes it.
fn container(id: &str, state: u64, restarts: &str) -> Vec<u8> {
    let labels = [
        entry(8, "io.kubernetes.pod.namespace", "shop"),
        entry(8, "io.kubernetes.pod.name", "web-1"),
        entry(8, "io.kubernetes.pod.uid", "u-1"),
        entry(8, "app", "web"),
    ];
    let parts = [
        bytes(1, id),
        bytes(2, "sandbox-1"),
        bytes(3, bytes(1, "web")),
        bytes(4, bytes(1, "sha256:1234")),
        number(6, state),
        number(7, CREATED),
        labels.concat(),
        entry(9, "io.kubernetes.container.restartCount", restarts),
    ];
    bytes(1, parts.concat())
}

/// What an AKS node's containerd says: a pod whose container ended once, out of memory.
fn containerd(method: &str) -> Answer {
    Ok(match method {
        "/runtime.v1.RuntimeService/Version" => [bytes(2, "containerd"), bytes(3, "1.7.27-1")].concat(),
        "/runtime.v1.RuntimeService/Status" => {
            let ready = [bytes(1, "RuntimeReady"), number(2, 1)].concat();
            let network = [
                bytes(1, "NetworkReady"),
                bytes(3, "NetworkPluginNotReady"),
                bytes(4, "cni plugin not initialized"),
            ];
            let conditions = [bytes(1, ready), bytes(1, network.concat())].concat();
            let config = format!(
                r#"{{"containerd": {{"snapshotter": "overlayfs"}}, "registry": {{"auths": {{"r": {{"password": "{SECRET}"}}}}}}}}"#
            );
            [bytes(1, conditions), entry(2, "config", &config)].concat()
        }
        "/runtime.v1.RuntimeService/ListPodSandbox" => {
            let metadata = [bytes(1, "web-1"), bytes(2, "u-1"), bytes(3, "shop")].concat();
            let manifest = format!(r#"{{"spec": {{"containers": [{{"env": [{{"value": "{SECRET}"}}]}}]}}}}"#);
            let parts = [
                bytes(1, "sandbox-1"),
                bytes(2, metadata),
                number(4, CREATED),
                entry(6, "kubectl.kubernetes.io/last-applied-configuration", &manifest),
            ];
            bytes(1, parts.concat())
        }
        "/runtime.v1.RuntimeService/ListContainers" => {
            [container("c-ended", 2, "3"), container("c-running", 1, "4")].concat()
        }
        "/runtime.v1.RuntimeService/ContainerStatus" => {
            let parts = [
                number(3, 2),
                number(5, CREATED),
                number(6, CREATED + 1_000_000_000),
                number(7, 137),
                bytes(10, "OOMKilled"),
                bytes(15, "/var/log/pods/shop_web-1_u-1/web/3.log"),
                // Fields that are not known are skipped.
                bytes(14, "mounts"),
            ];
            bytes(1, parts.concat())
        }
        "/runtime.v1.RuntimeService/ListContainerStats" => {
            let memory = bytes(2, number(1, 4096));
            bytes(1, [bytes(1, bytes(1, "c-running")), bytes(3, memory)].concat())
        }
        "/runtime.v1.ImageService/ListImages" => bytes(
            1,
            [
                bytes(1, "sha256:1234"),
                bytes(2, "shop.azurecr.io/web:1"),
                number(4, 7000),
            ]
            .concat(),
        ),
        "/runtime.v1.ImageService/ImageFsInfo" => {
            let usage = [bytes(2, bytes(1, "/var/lib/containerd")), bytes(3, number(1, 9000))].concat();
            bytes(1, usage)
        }
        _ => return Err(12),
    })
}

/// A node in a folder with something at a socket.
fn with_socket(node: HostFixture, path: &str) -> (HostFixture, StdListener) {
    let folder = HostPath::new(path).unwrap().parent().unwrap();
    let node = node.dir(folder.as_str());
    let listener = StdListener::bind(node.real_path(path)).unwrap();
    listener.set_nonblocking(true).unwrap();
    (node, listener)
}

/// Answers gRPC until the test ends.
fn serve(listener: StdListener, answer: fn(&str) -> Answer) {
    let listener = UnixListener::from_std(listener).unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(stream).await.unwrap();
                while let Some(Ok((request, mut respond))) = connection.accept().await {
                    let headers = Response::builder().header("content-type", "application/grpc");
                    let trailers = |status: u16| {
                        HeaderMap::from_iter([("grpc-status".parse().unwrap(), HeaderValue::from(status))])
                    };
                    match answer(request.uri().path()) {
                        Ok(message) => {
                            let mut framed = vec![0];
                            framed.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
                            framed.extend(message);
                            let mut body = respond.send_response(headers.body(()).unwrap(), false).unwrap();
                            body.send_data(Bytes::from(framed), false).unwrap();
                            body.send_trailers(trailers(0)).unwrap();
                        }
                        Err(status) => {
                            let mut response = headers.body(()).unwrap();
                            response.headers_mut().extend(trailers(status));
                            respond.send_response(response, true).unwrap();
                        }
                    }
                }
            });
        }
    });
}

fn json(run: &ActionRun, name: &str) -> serde_json::Value {
    serde_json::from_str(&run.text(name)).unwrap()
}

fn everything(run: &ActionRun) -> String {
    let names = run
        .items()
        .iter()
        .map(|item| item.path.as_str().splitn(4, '/').last().unwrap_or_default());
    names
        .filter_map(|name| run.content(name))
        .map(|content| String::from_utf8(content).unwrap())
        .collect()
}

#[tokio::test]
async fn containerd_is_asked_over_its_socket() {
    let node = HostFixture::new()
        .file(
            "/etc/containerd/config.toml",
            format!("[x.auth]\n  password = \"{SECRET}\"\n"),
        )
        .file(
            "/etc/containerd/certs.d/docker.io/hosts.toml",
            "server = \"https://m\"\n",
        );
    let (node, listener) = with_socket(node, CONTAINERD);
    serve(listener, containerd);
    let run = run(&node, ID).await;
    assert_eq!(
        states(&run),
        [
            "calls.json: collected",
            "containers.json: collected",
            "containers.txt: collected",
            "files/etc/containerd/certs.d/docker.io/hosts.toml: collected",
            "files/etc/containerd/config.toml: collected",
            "filesystem.json: collected",
            "images.json: collected",
            "plugins.json: not-applicable",
            "sandboxes.json: collected",
            "status.json: collected",
            "version.json: collected",
        ]
    );
    assert_eq!(json(&run, "version.json")["version"], "1.7.27-1");
    let status = json(&run, "status.json");
    assert_eq!(status["snapshotter"], "overlayfs");
    assert_eq!(status["conditions"][1]["message"], "cni plugin not initialized");
    let containers = json(&run, "containers.json");
    assert_eq!(containers[0]["pod"], "web-1");
    assert_eq!(containers[0]["restarts"], 3);
    assert_eq!(containers[0]["state"], "exited");
    assert_eq!(containers[0]["exitCode"], 137);
    assert_eq!(containers[0]["reason"], "OOMKilled");
    assert_eq!(containers[0]["finished"], "2026-11-20T10:00:01Z");
    assert_eq!(containers[0]["image"], "shop.azurecr.io/web:1");
    assert_eq!(containers[1]["memoryBytes"], 4096);
    assert_eq!(containers[1]["exitCode"], serde_json::Value::Null);
    assert_eq!(json(&run, "filesystem.json")[0]["usedBytes"], 9000);
    let calls = run.text("calls.json");
    assert!(
        calls.contains(r#""call":"runtime.v1.RuntimeService/Version""#),
        "{calls}"
    );
    assert!(
        !everything(&run).contains(SECRET),
        "environment and credentials stay on the node"
    );
}

#[tokio::test]
async fn an_old_containerd_is_asked_in_its_own_version() {
    let (node, listener) = with_socket(HostFixture::new(), CONTAINERD);
    serve(listener, |method| {
        containerd(&method.replace("v1alpha2", "v1"))
            .and_then(|answer| method.contains("v1alpha2").then_some(answer).ok_or(12))
    });
    let run = run(&node, ID).await;
    assert_eq!(json(&run, "version.json")["apiVersion"], "v1alpha2");
    assert_eq!(run.state("containers.json"), State::Collected);
}

#[tokio::test]
async fn what_the_runtime_does_not_answer_is_missing_alone() {
    let (node, listener) = with_socket(HostFixture::new(), CONTAINERD);
    serve(listener, |method| match method.rsplit('/').next() {
        Some("ListImages" | "ContainerStatus") => Err(13),
        _ => containerd(method),
    });
    let run = run(&node, ID).await;
    assert_eq!(run.state("images.json"), State::Failed);
    assert_eq!(run.state("containers.json"), State::Failed);
    assert!(
        run.reason("containers.json")
            .contains("how containers ended is missing"),
        "{}",
        run.reason("containers.json")
    );
    assert!(
        run.text("containers.json").contains("c-running"),
        "what is known is kept"
    );
    assert_eq!(run.state("sandboxes.json"), State::Collected);
}

/// The clock runs ahead while nothing happens, as it is with a server that is silent.
#[rstest]
#[case::nobody_takes_the_connection(false)]
#[case::nobody_answers(true)]
#[tokio::test(start_paused = true)]
async fn a_runtime_that_hangs_is_not_waited_for(#[case] accepts: bool) {
    let (node, listener) = with_socket(HostFixture::new(), CONTAINERD);
    if accepts {
        let listener = UnixListener::from_std(listener.try_clone().unwrap()).unwrap();
        tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.push(stream);
            }
        });
    }
    let start = tokio::time::Instant::now();
    let run = run(&node, ID).await;
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());
    assert_eq!(run.state("containers.json"), State::TimedOut);
    let calls = run.text("calls.json");
    assert!(
        calls.contains(r#""failure":"timed-out","error":"no answer within 4 s""#),
        "{calls}"
    );
}

#[tokio::test]
async fn a_runtime_that_died_has_left_its_socket() {
    let (node, listener) = with_socket(HostFixture::new(), CONTAINERD);
    drop(listener);
    let run = run(&node, ID).await;
    assert_eq!(run.state("version.json"), State::Failed);
    assert!(run.text("calls.json").contains(r#""failure":"refused""#));
}

#[tokio::test]
async fn where_there_is_no_socket_the_tools_are_asked() {
    let commands = ScriptedCommands::new().with("/usr/local/bin/crictl", Script::prints("CONTAINER  IMAGE\n"));
    let node = HostFixture::new();
    let run = run_commands(&node, ID, Settings::default(), &RunOptions::default(), commands).await;
    assert_eq!(run.text("tools/crictl-ps.txt"), "CONTAINER  IMAGE\n");
    assert_eq!(run.state("tools/docker-ps.txt"), State::NotPresent);
    assert_eq!(run.state("containers.json"), State::NotPresent);
    assert!(
        run.reason("containers.json")
            .ends_with("the node's tools were asked instead")
    );
    assert_eq!(run.state("files"), State::NotPresent);
}

/// What docker of the time of dockershim says.
fn docker(path: &str) -> Option<String> {
    let labels = |kind: &str, name: &str| {
        format!(
            r#"{{"io.kubernetes.docker.type": "{kind}", "io.kubernetes.pod.namespace": "kube-system",
            "io.kubernetes.pod.name": "kube-proxy-abcde", "io.kubernetes.pod.uid": "u-2", "io.kubernetes.sandbox.id": "s-2",
            "io.kubernetes.container.name": "{name}", "annotation.io.kubernetes.container.restartCount": "5"}}"#
        )
    };
    Some(match path {
        "/version" => r#"{"Version": "19.03.14", "ApiVersion": "1.40", "Components": []}"#.to_owned(),
        "/info" => format!(
            r#"{{"Driver": "overlay2", "CgroupDriver": "cgroupfs", "DockerRootDir": "/var/lib/docker", "DefaultRuntime": "runc",
            "HttpProxy": "http://u:{SECRET}@proxy", "Warnings": ["WARNING: No swap limit support"]}}"#
        ),
        "/containers/json?all=1" => format!(
            r#"[{{"Id": "s-2", "Names": ["/k8s_POD"], "Image": "pause", "Created": 1795168800, "State": "running", "Labels": {}}},
            {{"Id": "c-2", "Names": ["/k8s_kube-proxy"], "Image": "proxy:1", "Created": 1795168800, "State": "exited", "Labels": {}}},
            {{"Id": "c-3", "Names": ["/by-hand"], "Image": "tool:1", "Created": 1795168801, "State": "running", "Labels": null}}]"#,
            labels("podsandbox", "POD"),
            labels("container", "kube-proxy"),
        ),
        "/containers/c-2/json" => format!(
            r#"{{"State": {{"ExitCode": 2, "OOMKilled": false, "Error": "", "StartedAt": "2026-11-20T10:00:00Z",
            "FinishedAt": "2026-11-20T10:00:03.5Z"}}, "RestartCount": 0, "LogPath": "/var/lib/docker/containers/c-2/c-2-json.log",
            "Config": {{"Env": ["PASSWORD={SECRET}"]}}}}"#
        ),
        "/images/json" => {
            r#"[{"Id": "sha256:1", "RepoTags": null, "RepoDigests": ["proxy@sha256:2"], "Size": 5}]"#.to_owned()
        }
        _ => return None,
    })
}

#[tokio::test]
async fn docker_is_asked_over_its_api() {
    let node = HostFixture::new()
        .link("/var/run", "/run")
        .file("/etc/docker/daemon.json", r#"{"log-driver": "json-file"}"#)
        .file("/proc/812/comm", "kubelet\n")
        .file(
            "/proc/812/cmdline",
            "/usr/local/bin/kubelet\0--container-runtime-endpoint=unix:///var/run/dockershim.sock\0",
        )
        .file("/proc/812/cgroup", "0::/system.slice/kubelet.service\n");
    let (node, listener) = with_socket(node, DOCKER);
    let listener = UnixListener::from_std(listener).unwrap();
    let server = async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut stream = BufReader::new(stream);
            let mut line = String::new();
            let mut asked = String::new();
            while stream.read_line(&mut line).await.is_ok_and(|read| read > 0) {
                if let Some(path) = line.strip_prefix("GET ") {
                    asked = path.split(' ').next().unwrap().to_owned();
                }
                if line == "\r\n" {
                    let (status, body) =
                        docker(&asked).map_or(("404 Not Found", String::new()), |body| ("200 OK", body));
                    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                line.clear();
            }
        }
    };
    tokio::spawn(server);
    let run = run(&node, ID).await;
    assert_eq!(json(&run, "version.json")["name"], "docker");
    let status = json(&run, "status.json");
    assert_eq!(
        (status["snapshotter"].as_str(), status["cgroupDriver"].as_str()),
        (Some("overlay2"), Some("cgroupfs"))
    );
    assert_eq!(json(&run, "sandboxes.json")[0]["pod"], "kube-proxy-abcde");
    let containers = json(&run, "containers.json");
    assert_eq!(containers[0]["name"], "by-hand");
    assert_eq!(containers[1]["name"], "kube-proxy");
    assert_eq!(containers[1]["restarts"], 5);
    assert_eq!(containers[1]["exitCode"], 2);
    assert_eq!(containers[1]["reason"], "Error");
    assert_eq!(containers[1]["finished"], "2026-11-20T10:00:03.5Z");
    assert_eq!(json(&run, "images.json")[0]["digests"][0], "proxy@sha256:2");
    assert_eq!(run.state("files/etc/docker/daemon.json"), State::Collected);
    assert!(
        !everything(&run).contains(SECRET),
        "environment and credentials stay on the node"
    );
}

#[tokio::test]
async fn docker_that_runs_beside_is_not_the_nodes_runtime() {
    let (node, listener) = with_socket(HostFixture::new().link("/var/run", "/run"), CONTAINERD);
    serve(listener, containerd);
    let (node, docker) = with_socket(node, DOCKER);
    let _never_asked = Arc::new(docker);
    assert_eq!(json(&run(&node, ID).await, "version.json")["name"], "containerd");
}
