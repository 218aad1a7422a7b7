//! Prints how fast the redactor is, in megabytes per second of processor time, for several kinds of text. To be run as
//! `cargo run --release -p periscope-redact --example redact_throughput`.
#![expect(clippy::disallowed_methods, reason = "a tool for whoever works on this crate")]
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::sync::LazyLock;
use std::time::Instant;

use periscope_redact::{ContentKind, RedactError, Redactor, Rules};

/// Enough that the caches do not help.
const SIZE: usize = 64 << 20;
/// As readers of files push.
const CHUNK: usize = 128 << 10;
const ROUNDS: usize = 5;

const KLOG: &[&str] = &[
    r#"I1120 20:19:15.123456    1234 kubelet.go:2345] "SyncLoop (PLEG): event for pod" pod="kube-system/coredns-{}" event={"ID":"d3f1-{}","Type":"ContainerStarted"}"#,
    r#"I1120 20:19:15.223456    1234 reconciler_common.go:245] "operationExecutor.VerifyControllerAttachedVolume started for volume \"config-volume\" (UniqueName: \"kubernetes.io/configmap/{}-config-volume\") pod \"coredns-{}\" (UID: \"{}\") " pod="kube-system/coredns-{}""#,
    r#"E1120 20:19:15.323456    1234 pod_workers.go:1301] "Error syncing pod, skipping" err="failed to \"StartContainer\" for \"app\" with CrashLoopBackOff: \"back-off 5m0s restarting failed container=app pod=app-{}_default({})\"" pod="default/app-{}" podUID="{}""#,
    r#"time="2026-11-20T20:19:15.000000000Z" level=info msg="CreateContainer within sandbox \"{}\" for container &ContainerMetadata{Name:coredns,Attempt:0,}""#,
    r#"[INFO] 10.244.0.12:43210 - 12345 "A IN kubernetes.default.svc.cluster.local. udp 54 false 512" NOERROR qr,aa,rd 106 0.000123456s {}"#,
];
const JSON: &[&str] = &[
    r#"{"level":"info","ts":"2026-11-20T20:19:15.123Z","logger":"controller","msg":"Reconciling","namespace":"default","name":"app-{}","reconcileID":"{}"}"#,
    r#"{"kind":"Event","apiVersion":"audit.k8s.io/v1","level":"Metadata","auditID":"{}","stage":"ResponseComplete","requestURI":"/api/v1/namespaces/default/pods/app-{}","verb":"get","user":{"username":"system:node:aks-1","groups":["system:nodes"]},"sourceIPs":["10.0.0.4"],"responseStatus":{"code":200}}"#,
];
const URLS: &[&str] = &[
    "I1120 20:19:15.123456       1 round_trippers.go:553] GET https://10.0.0.1:443/api/v1/namespaces/default/pods/app-{}?resourceVersion=0 200 OK in 3 milliseconds",
    r#"10.0.0.4 - - [20/Nov/2026:20:19:15 +0000] "GET /{} HTTP/1.1" 200 612 "https://example.com/start?x={}" "curl/8.5.0""#,
];
const WORDS: &[&str] = &[
    "W1120 20:19:15.123456    1234 reflector.go:547] failed to fetch token for secret kube-system/{}: the token request was rejected, password policy",
    r#"I1120 20:19:15.123456    1234 token_manager.go:121] "Token expired, refreshing" serviceAccount="default/{}" secretName="app-token" tokenExpirationSeconds=3600"#,
];
const SECRETS: &[&str] = &[
    "I1120 20:19:15.123456 1 login.go:1] user=admin password=hunter2-{} at https://a.blob.core.windows.net/c?sv=1&sig=c2lnbmF0dXJlLW9mLWEtc2Fz%3D&se=1",
];

fn main() -> Result<(), RedactError> {
    println!("{:<24}{:>10}{:>14}", "corpus", "MB/s", "replacements");
    for (name, kind, text) in [
        ("klog", ContentKind::Text, lines(KLOG, "", "")),
        (
            "klog, as CRI",
            ContentKind::CriLog,
            lines(KLOG, "2026-11-20T20:19:15.123456789Z stderr F ", ""),
        ),
        ("klog, as docker", ContentKind::DockerLog, docker(KLOG)),
        ("JSON lines", ContentKind::Json, lines(JSON, "", "")),
        ("JSON lines, as docker", ContentKind::DockerLog, docker(JSON)),
        ("URLs", ContentKind::Text, lines(URLS, "", "")),
        ("words like token", ContentKind::Text, lines(WORDS, "", "")),
        (
            "words, as CRI",
            ContentKind::CriLog,
            lines(WORDS, "2026-11-20T20:19:15.123456789Z stderr F ", ""),
        ),
        ("two secrets per line", ContentKind::Text, lines(SECRETS, "", "")),
        ("fragments of 16 KiB", ContentKind::CriLog, fragments()),
        ("one line of 64 MB", ContentKind::Text, vec![b'x'; SIZE]),
    ] {
        measure(name, kind, &text)?;
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

fn measure(name: &str, kind: ContentKind, text: &[u8]) -> Result<(), RedactError> {
    let mut best = f64::MAX;
    let mut total = 0;
    for _ in 0..ROUNDS {
        let mut redactor = Redactor::new(Rules::shared(), kind);
        let mut out = Vec::with_capacity(2 * CHUNK);
        let start = processor_time();
        for chunk in text.chunks(CHUNK) {
            out.clear();
            redactor.push(chunk, &mut out)?;
        }
        redactor.finish(&mut out)?;
        best = best.min(processor_time() - start);
        total = redactor.counts().total();
    }
    #[expect(clippy::cast_precision_loss, reason = "three digits are printed")]
    let speed = text.len() as f64 / best / 1e6;
    println!("{name:<24}{speed:>10.0}{total:>14}");
    Ok(())
}

/// Fills the templates with ids until there is enough.
fn lines(templates: &[&str], prefix: &str, suffix: &str) -> Vec<u8> {
    let mut text = Vec::with_capacity(SIZE + 1024);
    let mut id: u64 = 1;
    while text.len() < SIZE {
        for template in templates {
            id = id
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            text.extend_from_slice(prefix.as_bytes());
            text.extend_from_slice(template.replace("{}", &format!("{:x}", id >> 30)).as_bytes());
            text.extend_from_slice(suffix.as_bytes());
            text.push(b'\n');
        }
    }
    text
}

fn docker(templates: &[&str]) -> Vec<u8> {
    let escaped: Vec<String> = templates
        .iter()
        .map(|line| line.replace('\\', r"\\").replace('"', r#"\""#))
        .collect();
    let escaped: Vec<&str> = escaped.iter().map(String::as_str).collect();
    lines(
        &escaped,
        r#"{"log":""#,
        r#"\n","stream":"stderr","time":"2026-11-20T20:19:15.123456789Z"}"#,
    )
}

/// One line of a megabyte in fragments, as containerd writes it.
fn fragments() -> Vec<u8> {
    let line = lines(JSON, "", " ");
    let line: Vec<u8> = line.into_iter().filter(|&b| b != b'\n').collect();
    let mut text = Vec::with_capacity(SIZE + (1 << 20));
    for (which, part) in line.chunks(16 << 10).enumerate() {
        let tag = if which % 64 == 63 { "F" } else { "P" };
        text.extend_from_slice(format!("2026-11-20T20:19:15.123456789Z stdout {tag} ").as_bytes());
        text.extend_from_slice(part);
        text.push(b'\n');
    }
    text
}
