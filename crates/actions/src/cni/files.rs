//! Which files of network plugins are taken as they are.

/// State and logs. Facts from the manifest `linux/aks` of `Azure/azure-diskinspect-service`, from
/// `Azure/azure-container-networking` (`platform/os_linux.go`, the mounts of the `DaemonSet` of CNS), from cilium's and
/// Calico's documentation of what they keep on a node.
pub(super) const STATE_AND_LOGS: &[&str] = &[
    // Azure CNI and its address managers.
    "/var/run/azure-vnet*.json",
    "/var/run/azure-cns/*.json",
    "/var/lib/azure-network/*.json",
    "/var/log/azure-cni*",
    "/var/log/azure-vnet*",
    "/var/log/azure-cns*",
    "/var/log/azure-cns/*",
    "/var/log/azure-ipam*",
    "/var/log/azure-npm*",
    // Cilium.
    "/var/log/cilium-cni*",
    "/var/run/cilium/cilium-cni.log",
    "/var/run/cilium/state/globals/node_config.h",
    // Calico and flannel.
    "/var/log/calico/*",
    "/var/log/calico/cni/*",
    "/var/lib/calico/*",
    "/run/flannel/subnet.env",
];

/// Folders of these files that are no folders of logs. `/var/run` is a link to `/run`, and both names are checked.
pub(super) const STATE_FOLDERS: [&str; 7] = [
    "/var/run/azure-cns",
    "/run/azure-cns",
    "/var/lib/azure-network",
    "/var/run/cilium",
    "/run/cilium",
    "/var/lib/calico",
    "/run/flannel",
];
