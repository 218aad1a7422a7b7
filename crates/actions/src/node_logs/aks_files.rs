//! Which files of an AKS node are taken when the user lists none.

/// Paths and globs. Facts from the manifest `linux/aks` of `Azure/azure-diskinspect-service` and from
/// `aks-log-collector.sh` of `Azure/AgentBaker`; what other actions take is left out.
pub(super) const AKS_FILES: &[&str] = &[
    // How the machine was set up: cloud-init, the provisioning script and its output, the extensions.
    "/var/log/cloud-init.log",
    "/var/log/cloud-init-output.log",
    "/var/log/azure/cluster-provision.log",
    "/var/log/azure/cluster-provision-cse-output.log",
    "/var/log/azure/aks/*",
    "/var/log/azure/*.log",
    "/var/log/azure/*/*.log*",
    "/var/log/azure/*/*/*.log*",
    "/var/log/azure/Microsoft.Azure.Extensions.CustomScript/events/*.json",
    "/var/log/waagent.log*",
    // Storage and devices.
    "/var/log/blobfuse*",
    "/var/log/nvidia*.log",
    "/var/log/fabricmanager*.log",
    // What changed the machine since.
    "/var/log/unattended-upgrades/*.log",
];
