//! An AKS node of today: Ubuntu, containerd, a kubelet configured by file. All names and keys are invented.

use std::time::SystemTime;

use periscope_testkit::HostFixture;
use rcgen::{CertificateParams, DnType, KeyPair, date_time_ymd};

use crate::run::gzip;

pub(crate) const COREDNS: &str = "kube-system_coredns-6f5d8c7b9-x2x4x_11111111-2222-3333-4444-555555555555";
pub(crate) const APP: &str = "default_app-0_66666666-7777-8888-9999-000000000000";

/// One line as containerd writes it.
pub(crate) fn cri(second: u32, text: &str) -> String {
    format!(
        "2026-11-20T10:{:02}:{:02}.123456789Z stdout F {text}\n",
        second / 60,
        second % 60
    )
}

/// When the files of the node were last written: shortly after their last lines.
pub(crate) fn written() -> SystemTime {
    "2026-11-20T11:00:00Z"
        .parse::<jiff::Timestamp>()
        .expect("a time")
        .into()
}

/// The node's container logs: an init container, a restarted container with rotated files, and another namespace.
pub(crate) fn with_container_logs() -> HostFixture {
    HostFixture::new()
        .file(
            &format!("/var/log/pods/{COREDNS}/coredns/3.log.20261119-100000.gz"),
            gzip(&cri(1, "oldest")),
        )
        .file(
            &format!("/var/log/pods/{COREDNS}/coredns/3.log.20261120-100000"),
            cri(2, "older"),
        )
        .file(&format!("/var/log/pods/{COREDNS}/coredns/3.log"), cri(3, "crashed"))
        .file(&format!("/var/log/pods/{COREDNS}/coredns/4.log"), cri(4, "running"))
        .file(&format!("/var/log/pods/{COREDNS}/init-config/0.log"), cri(0, "ready"))
        .file(&format!("/var/log/pods/{COREDNS}/debugger-abcde/0.log"), "")
        .file(&format!("/var/log/pods/{APP}/app/0.log"), cri(5, "hello"))
}

/// A certificate with its key, as one PEM file holds them, and the key's own text.
pub(crate) fn certificate(name: &str) -> (String, String) {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 2);
    params.not_after = date_time_ymd(2027, 1, 2);
    let key = KeyPair::generate().expect("a key");
    (
        params.self_signed(&key).expect("a certificate").pem(),
        key.serialize_pem(),
    )
}

const CMDLINE: &str = "/usr/local/bin/kubelet\0--config=/etc/default/kubeletconfig.json\0--config-dir\0/etc/kubelet.d\0\
                       --kubeconfig=/var/lib/kubelet/kubeconfig\0--max-pods=30\0\
                       --node-labels=agentpool=nodepool1,kubernetes.azure.com/role=agent\0";

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
clusters:
- name: localcluster
  cluster:
    certificate-authority: /etc/kubernetes/certs/ca.crt
    server: https://cluster-dns-abc.hcp.westeurope.azmk8s.io:443
users:
- name: client
  user:
    client-certificate: /var/lib/kubelet/pki/kubelet-client-current.pem
    client-key: /var/lib/kubelet/pki/kubelet-client-current.pem
    token: abcdef.0123456789abcdef
contexts:
- name: localclustercontext
  context: {cluster: localcluster, user: client}
current-context: localclustercontext
";

/// The node's kubelet: process, configuration, unit, certificates, kubeconfig, `azure.json`.
pub(crate) fn with_kubelet() -> HostFixture {
    let (ca, _) = certificate("ca");
    let (client, key) = certificate("system:node:aks-nodepool1-1");
    HostFixture::new()
        .file("/proc/812/comm", "kubelet\n")
        .file("/proc/812/cmdline", CMDLINE)
        .file("/proc/812/cgroup", "0::/system.slice/kubelet.service\n")
        .file("/proc/4000/comm", "kubelet\n")
        .file("/proc/4000/cmdline", "kubelet\0--config=/in-a-pod\0")
        .file("/proc/4000/cgroup", "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-1.scope\n")
        .file(
            "/etc/default/kubeletconfig.json",
            r#"{"kind": "KubeletConfiguration", "clusterDNS": ["10.0.0.10"], "clusterDomain": "cluster.local", "maxPods": 110}"#,
        )
        .file("/etc/kubelet.d/10-runtime.conf", "cgroupDriver: systemd\ncontainerRuntimeEndpoint: unix:///run/containerd/containerd.sock\n")
        .file("/etc/kubelet.d/notes.txt", "not read by the kubelet")
        .file("/etc/default/kubelet", "KUBELET_FLAGS=--max-pods=30\n")
        .file("/usr/lib/systemd/system/kubelet.service", "[Service]\nExecStart=/usr/local/bin/kubelet\n")
        .link("/lib", "usr/lib")
        .file("/etc/systemd/system/kubelet.service.d/10-containerd.conf", "[Unit]\nAfter=containerd.service\n")
        .file("/etc/kubernetes/certs/ca.crt", ca)
        .file("/etc/kubernetes/certs/broken.crt", "not a certificate")
        .file("/etc/kubernetes/certs/client.key", &key)
        .file("/var/lib/kubelet/pki/kubelet-client-2026-01-02.pem", format!("{client}{key}"))
        .link("/var/lib/kubelet/pki/kubelet-client-current.pem", "/var/lib/kubelet/pki/kubelet-client-2026-01-02.pem")
        .file("/var/lib/kubelet/kubeconfig", KUBECONFIG)
        .file("/var/lib/kubelet/bootstrap-kubeconfig", "users: [unclosed, token: abcdef.0123456789abcdef")
        .file(
            "/etc/kubernetes/azure.json",
            r#"{"cloud": "AzurePublicCloud", "subscriptionId": "s-1", "aadClientId": "c-1", "aadClientSecret": "Zx8Q~notreal"}"#,
        )
}

/// The node's provisioning and networking logs.
pub(crate) fn with_provisioning_logs() -> HostFixture {
    HostFixture::new()
        .file("/var/log/cloud-init.log", "cloud-init ran\n")
        .file("/var/log/azure/cluster-provision.log", "CSE started\n")
        .file("/var/log/azure/aks/cloud-init-files.paved", "")
        .link(
            "/var/log/azure/aks/cluster-provision.log",
            "/var/log/azure/cluster-provision.log",
        )
        .file(
            "/var/log/azure/Microsoft.AKS.Compute.AKS.Linux.AKSNode/extension.log",
            "enabled\n",
        )
        .file("/var/log/waagent.log", "agent\n")
        .file("/var/log/waagent.log.1.gz", gzip("agent before\n"))
        .file("/etc/shadow", "root:*:1::::::\n")
}

const AZURE_CNI: &str = r#"{"cniVersion": "0.3.0", "name": "azure", "plugins": [
  {"type": "azure-vnet", "mode": "transparent", "ipam": {"type": "azure-cns"}},
  {"type": "portmap", "capabilities": {"portMappings": true}, "snat": true}
]}
"#;

/// The node's network plugins: Azure CNI with CNS, cilium's token beside it, state, logs, and what a pod may have put
/// there.
pub(crate) fn with_network_plugins() -> HostFixture {
    HostFixture::new()
        .file(
            "/etc/containerd/config.toml",
            "[plugins.\"io.containerd.grpc.v1.cri\".cni]\n  bin_dir = \"/opt/cni/bin\"\n",
        )
        .file("/etc/cni/net.d/15-azure.conflist", AZURE_CNI)
        .file("/etc/cni/net.d/15-azure.conflist.cilium_bak", "{}")
        .file("/etc/cni/net.d/calico-kubeconfig", KUBECONFIG)
        .link("/etc/cni/net.d/planted-kubeconfig", "/etc/gshadow")
        .file("/opt/cni/bin/azure-vnet", "\x7fELF")
        .file("/opt/cni/bin/portmap", "\x7fELF")
        .link("/var/run", "/run")
        .file("/run/azure-vnet.json", r#"{"Network": {"Version": "v1.6.18"}}"#)
        .file("/run/azure-cns/azure-endpoints.json", "{}")
        .file(
            "/var/lib/azure-network/azure-cns.json",
            r#"{"ContainerNetworkService": {}}"#,
        )
        .file("/var/log/azure-cns.log", [b"head\0".as_slice(), &[7; 32]].concat())
        .fifo("/var/log/azure-vnet.log")
        .link("/var/log/azure-npm.log", "/etc/shadow")
        .file("/etc/gshadow", "root:*::\n")
        .file("/var/log/azure-vnet-ipam.log.1.gz", gzip("[ipam] before\n"))
        .file("/etc/shadow", "root:*:1::::::\n")
}

/// The node's systemd and what set it up. What holds keys or protected settings is there too, as on a real node.
pub(crate) fn with_services() -> HostFixture {
    let extension = "/var/lib/waagent/Microsoft.Azure.Extensions.CustomScript-2.1.10";
    HostFixture::new()
        .file("/proc/stat", "cpu  1 2 3\nbtime 1795168800\n")
        .file(
            "/etc/systemd/system/kubelet.service.d/10-containerd.conf",
            "[Unit]\nAfter=containerd.service\n",
        )
        .file(
            "/etc/systemd/system/containerd.service.d/exec_start.conf",
            "[Service]\nExecStart=\n",
        )
        .file(
            "/etc/systemd/system/localdns.service",
            "[Service]\nExecStart=/opt/azure/containers/localdns/localdns.sh\n",
        )
        .link(
            "/etc/systemd/system/dbus-org.freedesktop.network1.service",
            "/lib/systemd/system/systemd-networkd.service",
        )
        .file("/lib/systemd/system/systemd-networkd.service", "[Service]\n")
        .file("/var/lib/cloud/data/status.json", CLOUD_INIT_STATUS)
        .link("/run/cloud-init/status.json", "../../var/lib/cloud/data/status.json")
        .file(
            "/var/lib/cloud/data/result.json",
            r#"{"v1": {"datasource": "DataSourceAzure [seed=/dev/sr0]", "errors": []}}"#,
        )
        .link("/run/cloud-init/result.json", "../../var/lib/cloud/data/result.json")
        .file("/etc/waagent.conf", "Provisioning.Agent=auto\n")
        .file("/var/lib/waagent/Incarnation", "2")
        .file("/var/lib/waagent/ovf-env.xml", "<UserPassword>notreal</UserPassword>")
        .file("/var/lib/waagent/TransportPrivate.pem", "-----BEGIN PRIVATE KEY-----\n")
        .file(
            "/var/lib/waagent/ExtensionsConfig.2.xml",
            "<protectedSettings>notreal</protectedSettings>",
        )
        .file(
            &format!("{extension}/config/0.settings"),
            r#"{"protectedSettings": "notreal"}"#,
        )
        .file(&format!("{extension}/config/HandlerState"), "Enabled")
        .file(
            &format!("{extension}/status/0.status"),
            r#"[{"status": {"operation": "Enable", "status": "success", "code": 0}}]"#,
        )
        .file("/opt/azure/containers/provision.complete", "")
}

const CLOUD_INIT_STATUS: &str = r#"{
 "v1": {
  "datasource": "DataSourceAzure [seed=/dev/sr0]",
  "init": {"errors": [], "finished": 1795168830.1, "start": 1795168829.2},
  "init-local": {"errors": [], "finished": 1795168827.3, "start": 1795168825.1},
  "modules-config": {"errors": [], "finished": 1795168835.4, "start": 1795168834.0},
  "modules-final": {"errors": [], "finished": 1795168840.5, "start": 1795168839.0},
  "stage": null
 }
}
"#;

/// What the node's systemd says of three of its units.
pub(crate) const UNITS: &str = "\
Id=containerd.service
Description=containerd container runtime
LoadState=loaded
ActiveState=active
SubState=running
UnitFileState=enabled
StateChangeTimestampMonotonic=30000000
Result=success
NRestarts=0
MainPID=700
ExecMainCode=0
ExecMainStatus=0

Id=logrotate.timer
Description=Daily rotation of log files
LoadState=loaded
ActiveState=active
SubState=waiting
Triggers=logrotate.service
Result=success
NextElapseUSecRealtime=Sun 2026-11-22 00:00:00 UTC
LastTriggerUSec=Sat 2026-11-21 00:00:04 UTC

Id=kubelet.service
Description=Kubelet
LoadState=loaded
ActiveState=failed
SubState=failed
UnitFileState=enabled
StateChangeTimestampMonotonic=3600000000
Result=exit-code
NRestarts=5
MainPID=0
ExecMainCode=1
ExecMainStatus=1
";
