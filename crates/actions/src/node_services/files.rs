//! Which files about the node's services and its setting-up are taken. Those that hold keys or protected settings are
//! not among them: certificates, `ovf-env.xml`, `ExtensionsConfig.*.xml` and `*.settings` of `/var/lib/waagent`.

/// Unit files and drop-ins of the administrator, which override the distribution's (`systemd.unit(5)`), as globs. Those
/// of the kubelet are taken by the action `kubelet`.
pub(super) const UNIT_FILES: [&str; 4] = [
    "/etc/systemd/system/*.d/*.conf",
    "/run/systemd/system/*.d/*.conf",
    "/etc/systemd/system.conf",
    "/etc/systemd/system/*.service",
];

/// What the action `kubelet` takes, by the start of the name in the folder of units.
pub(super) const KUBELET_UNIT: &str = "kubelet.service";

/// The states of cloud-init (`cloudinit/cmd/main.py` of `canonical/cloud-init`: the files in `/run/cloud-init` are
/// links to those in `/var/lib/cloud/data`, or the other way round). Of each row the first that is there.
pub(super) const CLOUD_INIT: [(&str, &[&str]); 2] = [
    (
        CLOUD_INIT_STATUS,
        &["/run/cloud-init/status.json", "/var/lib/cloud/data/status.json"],
    ),
    (
        "cloud-init/result.json",
        &["/run/cloud-init/result.json", "/var/lib/cloud/data/result.json"],
    ),
];

/// Stage by stage, what cloud-init did.
pub(super) const CLOUD_INIT_STATUS: &str = "cloud-init/status.json";

/// What Azure's agent knows of itself and its extensions, as globs (`azurelinuxagent/ga/exthandlers.py` and
/// `azurelinuxagent/common/protocol/wire.py` of `Azure/WALinuxAgent`).
pub(super) const WAAGENT: [&str; 7] = [
    "/etc/waagent.conf",
    "/var/lib/waagent/Incarnation",
    "/var/lib/waagent/waagent_status.json",
    "/var/lib/waagent/*/status/*.status",
    "/var/lib/waagent/*/config/HandlerState",
    "/var/lib/waagent/*/config/HandlerStatus",
    "/var/lib/waagent/*/heartbeat.log",
];

/// How far AKS's provisioning came (`parts/linux/cloud-init/artifacts/cse_start.sh` of `Azure/AgentBaker`): empty files
/// whose being there says it. Its outcome is in `/var/log/azure/aks/provision.json`, which `node-logs` takes.
pub(super) const PROVISIONING: [&str; 3] = [
    "/opt/azure/containers/provision.complete",
    "/opt/azure/containers/base_prep.complete",
    "/opt/azure/provision-ps.log",
];
