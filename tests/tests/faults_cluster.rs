//! Faults of the node's place in its cluster, each made for real on the test cluster under names of the test's own and
//! undone at its end: the finding is the first of the screen, its evidence is the right line, and without the fault
//! there is none.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::path::PathBuf;

use jiff::{Timestamp, ToSpan};
use periscope_core::{Finding, Verdict};
use periscope_tests::{Change, ChangedFile, Cluster, Diagnosis, Pod, Turn, eventually};
use serde_json::{Value, json};
use tempfile::TempDir;

/// Enough for every finding here, and quick.
const ACTIONS: [&str; 2] = [
    "--actions",
    "cluster-health,kubelet,node-logs,node-services,system-logs",
];

/// The faults of these tests.
const FAULTS: [&str; 16] = [
    "api-server-slow",
    "api-server-unhealthy",
    "api-server-unreachable",
    "certificate-expired",
    "certificate-expiring",
    "clock-skew",
    "eviction",
    "kubelet-not-posting",
    "kubelet-restarting",
    "node-condition",
    "node-not-ready",
    "node-tainted",
    "pleg-unhealthy",
    "provisioning-failed",
    "unit-failed",
    "version-skew",
];

/// The first line of a finding's evidence.
fn quote(finding: &Finding) -> &str {
    finding.evidence.first().map_or("", |evidence| &evidence.quote)
}

/// The file of a finding's first evidence, below the node's folder.
fn file(finding: &Finding) -> &str {
    let file = finding.evidence.first().map_or("", |evidence| &evidence.file);
    file.splitn(3, '/').nth(2).unwrap_or(file)
}

#[test]
fn a_node_in_order_is_silent() {
    let turn = Turn::take();
    let diagnosis = turn.diagnose(&ACTIONS);
    for fault in FAULTS {
        diagnosis.without(fault);
    }
    for analyzer in [
        "cluster-health",
        "node-certificates",
        "node-services",
        "pod-events",
        "provisioning",
    ] {
        let of_analyzer = diagnosis.findings.iter().filter(|finding| finding.analyzer == analyzer);
        let verdicts: Vec<_> = of_analyzer.map(|finding| (finding.verdict, &finding.title)).collect();
        assert!(
            verdicts.iter().all(|(verdict, _)| *verdict == Verdict::Pass),
            "{analyzer}: {verdicts:?}"
        );
        assert_eq!(verdicts.len(), 1, "{analyzer}");
    }
}

#[test]
fn a_pod_whose_readiness_probe_fails() {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let probe = json!({"readinessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1}});
    let name = unique("seeded-unready");
    let _pod = Pod::start(cluster, &name, &["wait"], &probe, &Value::Null);
    wait_for_events(cluster, &name, "Unhealthy", 3);
    let diagnosis = as_admin(&turn, &ACTIONS, |text| text);
    let found = diagnosis.first("probe-failing");
    assert_eq!(
        (found.object.clone(), found.verdict),
        (format!("pod kube-system/{name}"), Verdict::Fail)
    );
    assert!(
        found.title.contains("The readiness probe of container main"),
        "{}",
        found.title
    );
    assert!(found.title.contains("connection refused"), "{}", found.title);
    assert_eq!(file(found), "cluster-health/events.json");
    assert!(quote(found).contains(&name) && quote(found).contains("Unhealthy"));
}

#[test]
fn a_pod_whose_liveness_probe_fails() {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let probe = json!({"livenessProbe": {"tcpSocket": {"port": 9}, "periodSeconds": 1, "failureThreshold": 100}});
    let name = unique("seeded-unwell");
    let _pod = Pod::start(cluster, &name, &["wait"], &probe, &Value::Null);
    wait_for_events(cluster, &name, "Unhealthy", 3);
    let diagnosis = as_admin(&turn, &ACTIONS, |text| text);
    let found = diagnosis.first("probe-failing");
    assert!(found.title.contains(&format!(
        "The liveness probe of container main of pod kube-system/{name}"
    )));
    assert!(quote(found).contains("Liveness probe failed"), "{found:#?}");
}

#[test]
fn a_pod_that_mounts_a_secret_that_is_not_there() {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let mount = json!({"volumeMounts": [{"name": "creds", "mountPath": "/creds"}]});
    let volume = json!({"volumes": [{"name": "creds", "secret": {"secretName": "seeded-absent"}}]});
    let name = unique("seeded-unmounted");
    let _pod = Pod::start(cluster, &name, &["wait"], &mount, &volume);
    wait_for_events(cluster, &name, "FailedMount", 2);
    let diagnosis = as_admin(&turn, &ACTIONS, |text| text);
    let found = diagnosis.first("volume-mount-failed");
    assert_eq!(found.object, format!("pod kube-system/{name}"));
    assert!(found.title.contains("Volume creds") && found.title.contains("secret \"seeded-absent\" not found"));
    assert!(
        found.remedy.contains("Create in the pod's namespace"),
        "{}",
        found.remedy
    );
    assert_eq!(file(found), "cluster-health/events.json");
    assert!(quote(found).contains("FailedMount"), "{found:#?}");
    // The kubelet's own credentials may not list events: its log tells of it.
    let by_log = turn.diagnose(&ACTIONS);
    let found = by_log.first("volume-mount-failed");
    assert!(
        found.title.contains("secret \"seeded-absent\" not found"),
        "{}",
        found.title
    );
    assert_eq!(file(found), "system-logs/journal/kubelet.log");
}

#[test]
fn a_node_whose_kubelet_has_stopped() {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let renewed = Timestamp::now().checked_sub(10.minutes()).expect("a time of today");
    let _node = Object::make(
        cluster,
        &["node", "seeded-silent"],
        &json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "seeded-silent"},
        }),
    );
    let _lease = Object::make(
        cluster,
        &["lease", "seeded-silent", "--namespace=kube-node-lease"],
        &json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": {"name": "seeded-silent", "namespace": "kube-node-lease"},
            "spec": {"holderIdentity": "seeded-silent", "leaseDurationSeconds": 40, "renewTime": format!("{renewed:.6}")},
        }),
    );
    let diagnosis = as_admin(&turn, &["--node-name", "seeded-silent"], |text| text);
    let found = diagnosis.first("kubelet-not-posting");
    assert_eq!(
        (found.object.as_str(), found.verdict),
        ("node seeded-silent", Verdict::Fail)
    );
    assert_eq!(file(found), "cluster-health/node-facts.json");
    assert!(
        quote(found).contains("lease") || quote(found).contains("Unknown"),
        "{found:#?}"
    );
}

#[test]
fn a_node_that_keeps_pods_away() {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let _node = Object::make(
        cluster,
        &["node", "seeded-tainted"],
        &json!({
            "apiVersion": "v1", "kind": "Node", "metadata": {"name": "seeded-tainted"},
            "spec": {
                "unschedulable": true,
                "taints": [
                    {"key": "node.kubernetes.io/out-of-service", "value": "nodeshutdown", "effect": "NoExecute"},
                    {"key": "sku", "value": "gpu", "effect": "NoSchedule"},
                ],
            },
        }),
    );
    let diagnosis = as_admin(&turn, &["--node-name", "seeded-tainted"], |text| text);
    let tainted: Vec<_> = diagnosis
        .troubles()
        .filter(|finding| finding.fault == "node-tainted")
        .collect();
    let about = |words: &str| {
        let found = tainted.iter().find(|finding| finding.title.contains(words));
        *found.unwrap_or_else(|| unreachable!("nothing about {words}: {tainted:#?}"))
    };
    assert!(quote(about("out-of-service:NoExecute")).contains("out-of-service"));
    assert!(
        about("is cordoned")
            .evidence
            .iter()
            .any(|evidence| evidence.quote.contains("unschedulable"))
    );
    assert!(
        !tainted.iter().any(|finding| finding.title.contains("sku")),
        "{tainted:#?}"
    );
    diagnosis.find("node-tainted");
}

#[test]
fn a_node_that_was_deleted() {
    let turn = Turn::take();
    let diagnosis = as_admin(&turn, &["--node-name", "seeded-deleted"], |text| text);
    let found = diagnosis.first("node-not-ready");
    assert!(
        found.title.contains("The cluster has no node seeded-deleted"),
        "{}",
        found.title
    );
    assert!(quote(found).contains("\"exists\":false"), "{found:#?}");
}

#[test]
fn an_api_server_that_does_not_answer() {
    let turn = Turn::take();
    let diagnosis = as_admin(&turn, &[], |text| text.replace(":6443", ":1"));
    let found = diagnosis.first("api-server-unreachable");
    assert_eq!(file(found), "cluster-health/api-server.json");
    assert!(quote(found).contains("/version"), "{found:#?}");
}

#[test]
fn a_certificate_of_the_cluster_that_has_expired() {
    let turn = Turn::take();
    let _expired = ChangedFile::write(&turn.services.cluster, "/etc/kubernetes/certs/seeded.crt", EXPIRED);
    let diagnosis = turn.diagnose(&ACTIONS);
    let found = diagnosis.first("certificate-expired");
    assert_eq!(found.object, "certificate /etc/kubernetes/certs/seeded.crt");
    assert_eq!(
        (found.verdict, file(found)),
        (Verdict::Fail, "kubelet/certificates.json")
    );
    assert!(quote(found).contains("2026-01-01T00:00:00Z"), "{found:#?}");
}

#[test]
fn a_provisioning_script_that_failed() {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let folder = "/var/log/azure/aks";
    let _folder = Change::make(cluster, &["mkdir", "-p", folder], &["rmdir", folder]);
    let _outcome = ChangedFile::write(cluster, &format!("{folder}/provision.json"), PROVISION);
    // The kernel's times of files lag behind the clock by which the turn began.
    let without_cluster = ["--actions", "node-logs,node-services"];
    let diagnosis = Diagnosis::of_node(&turn.services, &without_cluster);
    let found = diagnosis.first("provisioning-failed");
    assert!(
        found
            .title
            .contains("exit code 50 because the node has no outbound connection"),
        "{}",
        found.title
    );
    assert_eq!(
        (found.verdict, file(found)),
        (Verdict::Fail, "node-logs/var/log/azure/aks/provision.json")
    );
    // Of a node that is ready it is a warning.
    assert_eq!(
        Diagnosis::of_node(&turn.services, &ACTIONS)
            .find("provisioning-failed")
            .verdict,
        Verdict::Warn
    );
}

/// The test node has no systemd: a program in its place says what a real one said of such units.
#[test]
fn units_that_failed_and_a_kubelet_that_restarts() {
    let turn = Turn::take();
    let cluster = &turn.services.cluster;
    let uptime = fs::read_to_string("/proc/uptime").expect("the kernel says it");
    let seconds: f64 = uptime
        .split(' ')
        .next()
        .and_then(|word| word.parse().ok())
        .expect("a number of seconds");
    let micros = format!("{:.0}", (seconds - 5.0) * 1e6);
    let folder = tempfile::tempdir().expect("a folder that the node sees too");
    let said = folder.path().join("units");
    fs::write(&said, UNITS.replace("JUST-NOW", &micros)).expect("a temporary file");
    let program = folder.path().join("systemctl");
    fs::write(&program, format!("#!/bin/sh\nexec cat {}\n", said.display())).expect("a temporary file");
    let program = program.display().to_string();
    cluster.run_on_node(&["chmod", "755", &program]);
    let _systemctl = Change::make(
        cluster,
        &["mount", "--bind", &program, "/usr/bin/systemctl"],
        &["umount", "/usr/bin/systemctl"],
    );
    let diagnosis = turn.diagnose(&ACTIONS);
    let found = diagnosis.first("kubelet-restarting");
    assert!(found.title.contains("was started again 37 times"), "{}", found.title);
    assert_eq!(file(found), "node-services/units.json");
    assert!(quote(found).contains("kubelet.service"), "{found:#?}");
    let failed = diagnosis.find("unit-failed");
    assert_eq!(failed.object, "unit systemd-resolved.service");
    assert!(quote(failed).contains("systemd-resolved.service"), "{failed:#?}");
}

/// A name that no earlier run has used: the events about its pod are kept for an hour.
fn unique(name: &str) -> String {
    format!("{name}-{}", std::process::id())
}

/// An object of the cluster; deleted when dropped.
struct Object {
    cluster: Cluster,
    named: Vec<String>,
}

impl Object {
    /// Makes the object, which `kubectl delete` knows as `named`.
    fn make(cluster: &Cluster, named: &[&str], object: &Value) -> Self {
        cluster.apply(object);
        Self {
            cluster: cluster.clone(),
            named: named.iter().map(|&word| word.to_owned()).collect(),
        }
    }
}

impl Drop for Object {
    fn drop(&mut self) {
        let named: Vec<_> = self.named.iter().map(String::as_str).collect();
        let delete = [&["delete", "--ignore-not-found", "--wait=false"], named.as_slice()].concat();
        self.cluster.try_kubectl(&delete);
    }
}

/// Collects as the cluster's administrator, with the kubeconfig changed.
fn as_admin(turn: &Turn, more: &[&str], change: impl Fn(String) -> String) -> Diagnosis {
    let (_folder, path) = kubeconfig(&turn.services.cluster, change);
    let path = path.display().to_string();
    let mut arguments = vec!["--kubeconfig", &path];
    if !more.contains(&"--actions") {
        arguments.extend(["--actions", "cluster-health"]);
    }
    arguments.extend(more);
    turn.diagnose(&arguments)
}

fn kubeconfig(cluster: &Cluster, change: impl Fn(String) -> String) -> (TempDir, PathBuf) {
    let text = fs::read_to_string(&cluster.kubeconfig).expect("the kubeconfig of the services");
    let folder = tempfile::tempdir().expect("a folder that the node sees too");
    let path = folder.path().join("kubeconfig");
    fs::write(&path, change(text)).expect("a temporary file");
    (folder, path)
}

/// Waits until the kubelet has told so often of this about the pod.
fn wait_for_events(cluster: &Cluster, pod: &str, reason: &str, times: u64) {
    let selector = format!("--field-selector=involvedObject.name={pod},reason={reason}");
    eventually(reason, || {
        let counts = cluster.kubectl(&[
            "get",
            "events",
            "--namespace=kube-system",
            &selector,
            "-o",
            "jsonpath={.items[*].count}",
        ]);
        let most = counts
            .split_whitespace()
            .filter_map(|count| count.parse::<u64>().ok())
            .max();
        most.is_some_and(|most| most >= times).then_some(())
    });
}

/// A certificate for `system:node:aks-1` that was valid through 2025; its key is nowhere.
const EXPIRED: &str = "\
-----BEGIN CERTIFICATE-----
MIIBTDCB9AIBATAKBggqhkjOPQQDAjAzMRowGAYDVQQDDBFzeXN0ZW06bm9kZTph
a3MtMTEVMBMGA1UECgwMc3lzdGVtOm5vZGVzMB4XDTI1MDEwMTAwMDAwMFoXDTI2
MDEwMTAwMDAwMFowMzEaMBgGA1UEAwwRc3lzdGVtOm5vZGU6YWtzLTExFTATBgNV
BAoMDHN5c3RlbTpub2RlczBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABB22eeGp
xoz1vFkHrDro/D8Me10xchKCmDtSoD//sHEdfim/XBDKBDCo0kgMOQLLdja4/ccT
vJor7yGodD4kxPQwCgYIKoZIzj0EAwIDRwAwRAIgY5Ufug0CygCS47Q+dvVqayhA
5tUgvfyf6fo5OxsWbSYCIDSkXSsuHrwj/kB5tdtGLSwtSvw55eWScc4puYLiVUCA
-----END CERTIFICATE-----
";

/// As `cse_start.sh` of AKS writes it when the node has no way out.
const PROVISION: &str = r#"{ "ExitCode": "50", "Output": "+ retrycmd_if_failure 100 1 10 nc -vz mcr.microsoft.com 443 nc: connect to mcr.microsoft.com port 443 (tcp) timed out + exit 50", "Error": "", "ExecDuration": "304", "KernelStartTime": "Sat 2026-11-21 09:00:01 UTC", "CloudInitLocalStartTime": "Sat 2026-11-21 09:00:05 UTC", "CloudInitStartTime": "Sat 2026-11-21 09:00:07 UTC", "CloudFinalStartTime": "Sat 2026-11-21 09:00:13 UTC", "NetworkdStartTime": "Sat 2026-11-21 09:00:06 UTC", "CSEStartTime": "Sat Nov 21 09:00:20 UTC 2026", "GuestAgentStartTime": "Sat 2026-11-21 09:00:08 UTC", "SystemdSummary": "Startup finished in 2.1s (kernel) + 12.3s (userspace) = 14.4s", "BootDatapoints": { "KernelStartTime": "Sat 2026-11-21 09:00:01 UTC", "CSEStartTime": "Sat Nov 21 09:00:20 UTC 2026", "GuestAgentStartTime": "Sat 2026-11-21 09:00:08 UTC", "KubeletStartTime": "" }}
"#;

/// In the form in which `systemctl show` of systemd 252 prints properties of several units.
const UNITS: &str = "\
Type=notify
Restart=always
Result=success
NRestarts=0
MainPID=700
ExecMainCode=0
ExecMainStatus=0
Id=containerd.service
Description=containerd container runtime
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled

Result=exit-code
NRestarts=37
MainPID=0
ExecMainStartTimestampMonotonic=JUST-NOW
ExecMainExitTimestampMonotonic=JUST-NOW
ExecMainCode=1
ExecMainStatus=1
Id=kubelet.service
Description=Kubelet
LoadState=loaded
ActiveState=activating
SubState=auto-restart
FragmentPath=/etc/systemd/system/kubelet.service
UnitFileState=enabled
StateChangeTimestampMonotonic=JUST-NOW

Result=exit-code
NRestarts=5
MainPID=0
ExecMainCode=1
ExecMainStatus=1
Id=systemd-resolved.service
Description=Network Name Resolution
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
StateChangeTimestampMonotonic=JUST-NOW
";
