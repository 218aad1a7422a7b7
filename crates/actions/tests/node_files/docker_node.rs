//! A node of the time of docker: dockershim, links from the kubelet's folder to docker's files, syslog and no journal.
//! All names are invented.

use periscope_testkit::HostFixture;

pub(crate) const PROXY: &str = "kube-system_kube-proxy-abcde_aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee";
const CONTAINERS: &str = "/var/lib/docker/containers";
const RUNNING: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const DEAD: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const SANDBOX: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const FOREIGN: &str = "2222222222222222222222222222222222222222222222222222222222222222";
const BROKEN: &str = "3333333333333333333333333333333333333333333333333333333333333333";

/// One record of docker's log driver.
pub(crate) fn record(text: &str) -> String {
    format!("{{\"log\":\"{text}\\n\",\"stream\":\"stderr\",\"time\":\"2026-11-20T10:00:00.123456789Z\"}}\n")
}

fn config(namespace: &str, pod: &str, container: &str) -> String {
    format!(
        r#"{{"ID": "x", "Config": {{"Env": ["PASSWORD=notreal"], "Labels": {{"io.kubernetes.pod.namespace": "{namespace}",
        "io.kubernetes.pod.name": "{pod}", "io.kubernetes.pod.uid": "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee",
        "io.kubernetes.container.name": "{container}"}}}}}}"#
    )
}

/// The node's container logs: a running container with a rotated file, one whose link is gone, and some that are not
/// meant.
pub(crate) fn with_container_logs() -> HostFixture {
    let log = |id: &str| format!("{CONTAINERS}/{id}/{id}-json.log");
    let config_of = |id: &str| format!("{CONTAINERS}/{id}/config.v2.json");
    HostFixture::new()
        .file(&log(RUNNING), record("running"))
        .file(&format!("{}.1", log(RUNNING)), record("rotated"))
        .file(
            &config_of(RUNNING),
            config("kube-system", "kube-proxy-abcde", "kube-proxy"),
        )
        .link(&format!("/var/log/pods/{PROXY}/kube-proxy/0.log"), &log(RUNNING))
        .link(&format!("/var/log/pods/{PROXY}/kube-proxy/1.log"), &log("gone"))
        .file(&log(DEAD), record("dead"))
        .file(
            &config_of(DEAD),
            config("kube-system", "kube-proxy-abcde", "kube-proxy"),
        )
        .file(&log(SANDBOX), "")
        .file(&config_of(SANDBOX), config("kube-system", "kube-proxy-abcde", "POD"))
        .file(&log(FOREIGN), record("not of a pod"))
        .file(&config_of(FOREIGN), r#"{"Config": {"Labels": {}}}"#)
        .file(&log(BROKEN), record("of nobody"))
        .file(&config_of(BROKEN), "{")
}

/// The node's system logs.
pub(crate) fn with_syslog() -> HostFixture {
    HostFixture::new()
        .file("/var/log/syslog", "Nov 20 10:00:00 node1 kubelet[812]: started\n")
        .file("/var/log/syslog.1", "Nov 19 10:00:00 node1 kubelet[812]: started\n")
        .file("/var/log/kern.log", "Nov 20 10:00:00 node1 kernel: booted\n")
}

/// The node's services: groups of version 1, an older agent that knows no `status` folder, and no cloud-init.
pub(crate) fn with_services() -> HostFixture {
    let slice = "/sys/fs/cgroup/systemd/system.slice";
    HostFixture::new()
        .file(&format!("{slice}/docker.service/cgroup.procs"), "640\n")
        .file(&format!("{slice}/kubelet.service/cgroup.procs"), "812\n")
        .file("/etc/waagent.conf", "Provisioning.Enabled=y\n")
}

/// The node's network plugins: a bridge with addresses of its own range, and those of a network that is gone.
pub(crate) fn with_network_plugins() -> HostFixture {
    let networks = "/var/lib/cni/networks";
    HostFixture::new()
        .file(
            "/etc/cni/net.d/10-bridge.conf",
            r#"{"cniVersion": "0.2.0", "name": "cbr0", "type": "bridge", "bridge": "cbr0",
                "ipam": {"type": "host-local", "subnet": "10.244.1.0/29"}}"#,
        )
        .file(&format!("{networks}/cbr0/10.244.1.2"), "0123abcd\r\neth0")
        .file(&format!("{networks}/cbr0/10.244.1.3"), "4567abcd")
        .file(&format!("{networks}/cbr0/last_reserved_ip.0"), "10.244.1.3")
        .file(&format!("{networks}/cbr0/lock"), "")
        .file(&format!("{networks}/kubenet/10.240.0.9"), "89ababcd")
        .file("/opt/cni/bin/bridge", "\x7fELF")
        .file("/opt/cni/bin/host-local", "\x7fELF")
}
