//! Prints how fast logs are scanned with all rules, in megabytes per second of processor time. To be run as
//! `cargo run --release -p periscope-scan --example scan_throughput`, which makes its own text, or with the names of files,
//! each behind the path in an archive that it stands for: then a line of tab-separated figures for each.
#![expect(clippy::disallowed_methods, reason = "a tool for whoever works on this crate")]
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::fs::File;
use std::io::Read as _;
use std::sync::{Arc, LazyLock};
use std::time::Instant;

use periscope_core::ArtifactPath;
use periscope_scan::{Outcome, RuleSet, Scanner};

/// Enough that the caches do not help.
const SIZE: usize = 64 << 20;
/// As the store gives it.
const CHUNK: usize = 128 << 10;
const ROUNDS: usize = 5;

const POD: &str = "nodes/n/container-logs/pods/a_b_c/d/0.log";
const KUBELET: &str = "nodes/n/system-logs/journal/kubelet.log";
const CONTAINERD: &str = "nodes/n/system-logs/journal/containerd.log";
const KERNEL: &str = "nodes/n/system-logs/journal/kernel.log";

const KUBELET_LINES: &[&str] = &[
    r#"2026-11-20T20:19:15.123456+00:00 node-1 kubelet[1234]: I1120 20:19:15.123456    1234 kubelet.go:2345] "SyncLoop (PLEG): event for pod" pod="kube-system/coredns-{}" event={"ID":"d3f1-{}","Type":"ContainerStarted"}"#,
    r#"2026-11-20T20:19:15.223456+00:00 node-1 kubelet[1234]: I1120 20:19:15.223456    1234 reconciler_common.go:245] "operationExecutor.VerifyControllerAttachedVolume started for volume \"config-volume\" (UniqueName: \"kubernetes.io/configmap/{}-config-volume\") pod \"coredns-{}\" (UID: \"{}\") " pod="kube-system/coredns-{}""#,
    r#"2026-11-20T20:19:15.223456+00:00 node-1 kubelet[1234]: I1120 20:19:15.223456    1234 prober.go:107] "Probe succeeded" probeType="Readiness" pod="default/app-{}" podUID="{}" containerName="app""#,
    r#"2026-11-20T20:19:15.223456+00:00 node-1 kubelet[1234]: I1120 20:19:15.223456    1234 scope.go:117] "RemoveContainer" containerID="{}{}{}{}""#,
    r#"2026-11-20T20:19:15.323456+00:00 node-1 kubelet[1234]: E1120 20:19:15.323456    1234 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with CrashLoopBackOff: \"back-off 5m0s restarting failed container=app pod=app-{}_default({})\"" pod="default/app-{}" podUID="{}""#,
];
const CONTAINERD_LINES: &[&str] = &[
    r#"2026-11-20T20:19:15.123456+00:00 node-1 containerd[99]: time="2026-11-20T20:19:15.000000000Z" level=info msg="CreateContainer within sandbox \"{}\" for container &ContainerMetadata{Name:coredns,Attempt:0,}""#,
    r#"2026-11-20T20:19:15.123456+00:00 node-1 containerd[99]: time="2026-11-20T20:19:15.000000000Z" level=info msg="shim disconnected" id={}{}{}{} namespace=k8s.io"#,
    r#"2026-11-20T20:19:15.123456+00:00 node-1 containerd[99]: time="2026-11-20T20:19:15.000000000Z" level=warning msg="cleaning up after shim disconnected" id={}{}{}{} namespace=k8s.io"#,
    r#"2026-11-20T20:19:15.123456+00:00 node-1 containerd[99]: time="2026-11-20T20:19:15.000000000Z" level=info msg="StopPodSandbox for \"{}{}{}{}\" returns successfully""#,
];
const KERNEL_LINES: &[&str] = &[
    "2026-11-20T20:19:15.123456+00:00 node-1 kernel: cni0: port 5(veth{}) entered forwarding state",
    "2026-11-20T20:19:15.123456+00:00 node-1 kernel: device veth{} left promiscuous mode",
    "2026-11-20T20:19:15.123456+00:00 node-1 kernel: IPv6: ADDRCONF(NETDEV_CHANGE): veth{}: link becomes ready",
];
const APP_LINES: &[&str] = &[
    r#"{"level":"info","ts":"2026-11-20T20:19:15.123Z","logger":"controller","msg":"Reconciling","namespace":"default","name":"app-{}","reconcileID":"{}"}"#,
    r#"10.0.0.4 - - [20/Nov/2026:20:19:15 +0000] "GET /{} HTTP/1.1" 200 612 "https://example.com/start?x={}" "curl/8.5.0""#,
    r#"[INFO] 10.244.0.12:43210 - 12345 "A IN kubernetes.default.svc.cluster.local. udp 54 false 512" NOERROR qr,aa,rd 106 0.000123456s {}"#,
    r"I1120 20:19:15.123456       1 round_trippers.go:553] GET https://10.0.0.1:443/api/v1/namespaces/default/pods/app-{}?resourceVersion=0 200 OK in 3 milliseconds",
    r#"{"level":"info","ts":"2026-11-20T20:19:15.123Z","msg":"request failed, retrying","error":"dial tcp 10.0.0.1:5432: connect: connection refused","id":"{}"}"#,
    "WARN  [{}] slow query took 812 ms, plan {}",
];
const ERROR_LINES: &[&str] = &[r#"{"level":"error","ts":"2026-11-20T20:19:15.123Z","msg":"broken","name":"app-{}"}"#];
const HIT_LINES: &[&str] = &[
    "2026-11-20T20:19:15.123456+00:00 node-1 kernel: I/O error, dev sd{}, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 0",
];
const STDERR: &str = "2026-11-20T20:19:15.123456789Z stderr F ";

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if !arguments.is_empty() {
        for pair in arguments.chunks(2) {
            let [path, file] = pair else { continue };
            let mut text = Vec::new();
            File::open(file)?.read_to_end(&mut text)?;
            let (seconds, outcome) = measure(path, &text);
            println!("{path}\t{}\t{}\t{seconds}", text.len(), outcome.lines);
        }
        return Ok(());
    }
    let start = Instant::now();
    let rules = RuleSet::builtin().rules().len();
    println!("{rules} rules, loaded in {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    println!("{:<28}{:>10}{:>14}{:>10}", "text", "MB/s", "lines", "marked");
    for (name, path, text) in [
        ("kubelet", KUBELET, lines(KUBELET_LINES, "")),
        ("containerd", CONTAINERD, lines(CONTAINERD_LINES, "")),
        ("kernel", KERNEL, lines(KERNEL_LINES, "")),
        ("containers", POD, lines(APP_LINES, STDERR)),
        ("containers, only errors", POD, lines(ERROR_LINES, STDERR)),
        ("kernel, every line a hit", KERNEL, lines(HIT_LINES, "")),
        ("one line of 64 MB", POD, vec![b'x'; SIZE]),
    ] {
        let (seconds, outcome) = measure(path, &text);
        let marked: u64 = outcome.timeline().buckets.iter().map(|bucket| bucket.count).sum();
        #[expect(clippy::cast_precision_loss, reason = "three digits are printed")]
        let speed = text.len() as f64 / seconds / 1e6;
        println!("{name:<28}{speed:>10.0}{:>14}{marked:>10}", outcome.lines);
    }
    Ok(())
}

/// Seconds that this thread ran, so that other work on the machine does not count; wall time where that is not known.
fn processor_time() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = schedstat.split(' ').next().and_then(|first| first.parse::<f64>().ok());
    nanoseconds.map_or_else(|| START.elapsed().as_secs_f64(), |time| time / 1e9)
}

fn measure(path: &str, text: &[u8]) -> (f64, Outcome) {
    let started = "2026-11-20T21:00:00Z".parse().unwrap_or_default();
    let path = ArtifactPath::from_names([path]);
    let mut best = f64::MAX;
    let mut scanner = Scanner::new(Arc::clone(RuleSet::builtin()), started);
    for _ in 0..ROUNDS {
        scanner = Scanner::new(Arc::clone(RuleSet::builtin()), started);
        let Some(mut scan) = scanner.artifact(&path) else { break };
        let start = processor_time();
        for chunk in text.chunks(CHUNK) {
            scan.push(chunk);
        }
        scanner.finish(scan);
        best = best.min(processor_time() - start);
    }
    (best, scanner.outcome())
}

/// Fills the templates with ids until there is enough.
fn lines(templates: &[&str], prefix: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(SIZE + 1024);
    let mut id: u64 = 1;
    while text.len() < SIZE {
        for template in templates {
            id = id
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.extend_from_slice(prefix.as_bytes());
            text.extend_from_slice(template.replace("{}", &format!("{:x}", id >> 30)).as_bytes());
            text.push(b'\n');
        }
    }
    text
}
