//! The kubelet's files: which there are, by its command line and by custom. It reads none of them.

use periscope_host::HostProcess;

/// Where the configuration is when the command line does not say: kubeadm's place, and that of AKS.
pub(super) const CONFIGURATIONS: [&str; 2] = ["/var/lib/kubelet/config.yaml", "/etc/default/kubeletconfig.json"];

/// Where the kubeconfig is when the command line does not say: the place of AKS, and kubeadm's.
const KUBECONFIGS: [&str; 2] = ["/var/lib/kubelet/kubeconfig", "/etc/kubernetes/kubelet.conf"];

/// Where the kubeconfig for the first start is when the command line does not say, in the same order.
const BOOTSTRAP_KUBECONFIGS: [&str; 2] = [
    "/var/lib/kubelet/bootstrap-kubeconfig",
    "/etc/kubernetes/bootstrap-kubelet.conf",
];

/// Unit files, their drop-ins, and the files of environment variables that they name, as globs.
pub(super) const UNIT_FILES: [&str; 8] = [
    "/etc/systemd/system/kubelet.service",
    "/etc/systemd/system/kubelet.service.d/*.conf",
    "/run/systemd/system/kubelet.service.d/*.conf",
    "/lib/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service",
    "/usr/lib/systemd/system/kubelet.service.d/*.conf",
    "/etc/default/kubelet",
    "/etc/sysconfig/kubelet",
];

/// Certificates of the kubelet and of the cluster on the node, as globs. Files of keys are not among them.
pub(super) const CERTIFICATES: [&str; 5] = [
    "/var/lib/kubelet/pki/*.crt",
    "/var/lib/kubelet/pki/*.pem",
    "/etc/kubernetes/certs/*.crt",
    "/etc/kubernetes/pki/*.crt",
    "/etc/kubernetes/pki/etcd/*.crt",
];

/// Flags that name files of certificates.
pub(super) const CERTIFICATE_FLAGS: [&str; 2] = ["--client-ca-file", "--tls-cert-file"];

/// The configuration of the cloud provider.
pub(super) const AZURE_JSON: &str = "/etc/kubernetes/azure.json";

/// Files of one purpose: the one that the command line names, or else the places where it may be.
fn named_or<const N: usize>(process: Option<&HostProcess>, flag: &str, custom: [&str; N]) -> Vec<String> {
    match process.and_then(|process| process.flag(flag)) {
        Some(path) => vec![path.to_owned()],
        None => custom.map(str::to_owned).to_vec(),
    }
}

/// Where the configuration may be.
pub(super) fn configurations(process: Option<&HostProcess>) -> Vec<String> {
    named_or(process, "--config", CONFIGURATIONS)
}

/// Where the kubeconfig may be.
pub(super) fn kubeconfigs(process: Option<&HostProcess>) -> Vec<String> {
    named_or(process, "--kubeconfig", KUBECONFIGS)
}

/// Where the kubeconfig for the first start may be.
pub(super) fn bootstrap_kubeconfigs(process: Option<&HostProcess>) -> Vec<String> {
    named_or(process, "--bootstrap-kubeconfig", BOOTSTRAP_KUBECONFIGS)
}
