//! Where the documents stand in a node's part of the archive, as `(action, artifact)`.

/// The action that gathers name resolution.
pub const DNS: &str = "dns";
/// The node's own `/etc/resolv.conf`, below [`DNS`].
pub const HOST_RESOLV_CONF: &str = "host-resolv.conf";
/// The upstream servers of systemd-resolved (`/run/systemd/resolve/resolv.conf`), below [`DNS`]. Where the node's
/// `/etc/resolv.conf` names the local stub, these are the servers that count.
pub const RESOLVED_RESOLV_CONF: &str = "systemd-resolved-resolv.conf";
/// The `/etc/resolv.conf` of the pod in which the program runs, below [`DNS`].
pub const POD_RESOLV_CONF: &str = "pod-resolv.conf";
/// The file that the kubelet hands down to pods (`resolvConf`), where it is another one, below [`DNS`].
pub const KUBELET_RESOLV_CONF: &str = "kubelet-resolv.conf";
/// Array of [`Lookup`](crate::Lookup), below [`DNS`].
pub const LOOKUPS: &str = "lookups.json";
/// [`LOOKUPS`] as a table, below [`DNS`].
pub const LOOKUPS_TABLE: &str = "lookups.txt";

/// The action that asks the container runtime.
pub const CONTAINER_RUNTIME: &str = "container-runtime";
/// Array of [`RuntimeCall`](crate::RuntimeCall), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_CALLS: &str = "calls.json";
/// [`RuntimeVersion`](crate::RuntimeVersion), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_VERSION: &str = "version.json";
/// [`RuntimeStatus`](crate::RuntimeStatus), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_STATUS: &str = "status.json";
/// Array of [`RuntimeSandbox`](crate::RuntimeSandbox), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_SANDBOXES: &str = "sandboxes.json";
/// Array of [`RuntimeContainer`](crate::RuntimeContainer), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_CONTAINERS: &str = "containers.json";
/// [`RUNTIME_CONTAINERS`] as a table, below [`CONTAINER_RUNTIME`].
pub const RUNTIME_CONTAINERS_TABLE: &str = "containers.txt";
/// Array of [`RuntimeImage`](crate::RuntimeImage), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_IMAGES: &str = "images.json";
/// Array of [`RuntimeFilesystem`](crate::RuntimeFilesystem), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_FILESYSTEM: &str = "filesystem.json";
/// Array of [`RuntimePlugin`](crate::RuntimePlugin), below [`CONTAINER_RUNTIME`].
pub const RUNTIME_PLUGINS: &str = "plugins.json";

/// The action that tries connections.
pub const NETWORK_OUTBOUND: &str = "network-outbound";
/// Array of [`Connection`](crate::Connection), below [`NETWORK_OUTBOUND`].
pub const CONNECTIONS: &str = "connections.json";
/// [`CONNECTIONS`] as a table, below [`NETWORK_OUTBOUND`].
pub const CONNECTIONS_TABLE: &str = "connections.txt";
/// Array of [`DownPeriod`](crate::DownPeriod), oldest first, below [`NETWORK_OUTBOUND`].
pub const DOWN_PERIODS: &str = "down-periods.json";
/// Array of [`ConnectionStretch`](crate::ConnectionStretch), each connection's in the order of time, below
/// [`NETWORK_OUTBOUND`].
pub const SAMPLES: &str = "samples.json";

/// The action that gathers the kubelet's configuration.
pub const KUBELET: &str = "kubelet";
/// The kubelet's settings in force, below [`KUBELET`]: [`KubeletSettings`](crate::KubeletSettings).
pub const KUBELET_SETTINGS: &str = "kubelet.json";
/// Array of [`NodeCertificate`](crate::NodeCertificate), below [`KUBELET`].
pub const KUBELET_CERTIFICATES: &str = "certificates.json";

/// The action that gathers the node's services and how it was set up.
pub const NODE_SERVICES: &str = "node-services";
/// Array of [`SystemdUnit`](crate::SystemdUnit), below [`NODE_SERVICES`].
pub const UNITS: &str = "units.json";

/// The action that asks the API server about the node.
pub const CLUSTER_HEALTH: &str = "cluster-health";
/// Array of [`ApiCall`](crate::ApiCall), below [`CLUSTER_HEALTH`].
pub const API_SERVER: &str = "api-server.json";
/// Array of [`NodeFact`](crate::NodeFact), below [`CLUSTER_HEALTH`].
pub const NODE_FACTS: &str = "node-facts.json";
/// Array of [`NodeEvent`](crate::NodeEvent), oldest first, below [`CLUSTER_HEALTH`].
pub const NODE_EVENTS: &str = "events.json";

/// The action that gathers what the API server tells of the cluster as a whole.
pub const CLUSTER_OBJECTS: &str = "cluster-objects";
/// Array of [`NodeEvent`](crate::NodeEvent) of all namespaces, oldest first, below [`CLUSTER_OBJECTS`].
pub const CLUSTER_EVENTS: &str = "events.json";
/// The nodes as a table, a line each, below [`CLUSTER_OBJECTS`].
pub const NODES_TABLE: &str = "nodes.txt";
/// The API server's own checks as it prints them, below [`CLUSTER_OBJECTS`] and [`CLUSTER_HEALTH`].
pub const READYZ: &str = "readyz.txt";
/// The API server's version, at the top of the archive: `{"info": …, "string": "v1.34.4"}`.
pub const CLUSTER_VERSION: &str = "cluster-info/cluster_version.json";
/// The action that describes the objects that the user names.
pub const KUBE_OBJECTS: &str = "kube-objects";
/// The Node objects, below `cluster-resources/`.
pub const NODE_OBJECTS: &str = "nodes.json";

/// The action that gathers the state of the machine.
pub const SYSTEM: &str = "system";
/// The kernel's list of mounts, below [`SYSTEM`].
pub const MOUNTS: &str = "mountinfo.txt";
/// `/etc/fstab`, below [`SYSTEM`].
pub const FSTAB: &str = "fstab.txt";
/// `/proc/meminfo`, below [`SYSTEM`].
pub const MEMINFO: &str = "meminfo.txt";
/// `/proc/loadavg`, below [`SYSTEM`].
pub const LOADAVG: &str = "loadavg.txt";
/// `/proc/stat`, below [`SYSTEM`].
pub const KERNEL_STAT: &str = "stat.txt";
/// Pressure stall information about processors, below [`SYSTEM`].
pub const CPU_PRESSURE: &str = "pressure/cpu.txt";
/// Pressure stall information about memory, below [`SYSTEM`].
pub const MEMORY_PRESSURE: &str = "pressure/memory.txt";
/// Pressure stall information about disks, below [`SYSTEM`].
pub const IO_PRESSURE: &str = "pressure/io.txt";
/// Settings of the kernel, `name = value` a line, below [`SYSTEM`].
pub const SYSCTLS: &str = "sysctls.txt";
/// The kernel's messages where there is no journal, below [`SYSTEM`].
pub const DMESG: &str = "dmesg.txt";
/// What `timedatectl` says, below [`SYSTEM`].
pub const TIMEDATECTL: &str = "time/timedatectl.txt";
/// What `chronyc tracking` says, below [`SYSTEM`].
pub const CHRONY_TRACKING: &str = "time/chrony-tracking.txt";
/// Array of [`Disk`](crate::Disk), below [`SYSTEM`].
pub const DISKS: &str = "disks.json";
/// Array of [`Consumer`](crate::Consumer), the largest first, below [`SYSTEM`].
pub const DISK_USAGE: &str = "disk-usage.json";
/// Array of [`Cgroup`](crate::Cgroup), below [`SYSTEM`].
pub const CGROUPS: &str = "cgroups.json";
/// Array of [`Process`](crate::Process), below [`SYSTEM`].
pub const PROCESSES: &str = "processes.json";
/// Array of [`Boot`](crate::Boot), below [`SYSTEM`].
pub const BOOTS: &str = "boots.json";
/// Array of [`NodePod`](crate::NodePod), below [`SYSTEM`].
pub const PODS: &str = "pods.json";

/// The action that gathers the state of the network.
pub const NETWORK_STATE: &str = "network-state";
/// Array of [`Interface`](crate::Interface), below [`NETWORK_STATE`].
pub const INTERFACES: &str = "interfaces.json";
/// Array of [`Route`](crate::Route), below [`NETWORK_STATE`].
pub const ROUTES: &str = "routes.json";
/// The IPv4 routes of all tables as `ip` prints them, below [`NETWORK_STATE`].
pub const IP_ROUTES: &str = "ip-routes-ipv4.txt";
/// The IPv4 rules that choose among tables as `ip` prints them, below [`NETWORK_STATE`].
pub const IP_RULES: &str = "ip-rules-ipv4.txt";
/// Array of [`NetworkCounter`](crate::NetworkCounter), below [`NETWORK_STATE`].
pub const NETWORK_COUNTERS: &str = "counters.json";
/// Array of [`NetworkNamespaceState`](crate::NetworkNamespaceState), below [`NETWORK_STATE`].
pub const NETWORK_NAMESPACES: &str = "namespaces.json";
/// Array of [`Socket`](crate::Socket), below [`NETWORK_STATE`].
pub const SOCKETS: &str = "sockets.json";

/// The action that gathers the network plugins.
pub const CNI: &str = "cni";
/// Array of [`CniConfiguration`](crate::CniConfiguration), below [`CNI`].
pub const CNI_CONFIGURATIONS: &str = "configurations.json";
/// Array of [`CniPlugin`](crate::CniPlugin), below [`CNI`].
pub const CNI_PLUGINS: &str = "plugins.json";
/// Array of [`AddressRange`](crate::AddressRange), below [`CNI`].
pub const CNI_ADDRESSES: &str = "addresses.json";

/// The action that gathers the packet filter.
pub const IPTABLES: &str = "iptables";
/// Rules of all tables with counters, below [`IPTABLES`].
pub const IPTABLES_SAVE: &str = "iptables-save.txt";
/// The same of the legacy backend, where the node's tools show the other one, below [`IPTABLES`].
pub const IPTABLES_LEGACY_SAVE: &str = "iptables-legacy-save.txt";
/// Rules of nftables, below [`IPTABLES`].
pub const NFT_RULESET: &str = "nft-ruleset.txt";
/// The backend of the node's tools, below [`IPTABLES`].
pub const IPTABLES_VERSION: &str = "iptables-version.txt";
/// Entries, limit and buckets of the connection table as `path:value`, below [`IPTABLES`].
pub const CONNTRACK: &str = "conntrack.txt";
/// Counters of the connection table by CPU, hexadecimal, below [`IPTABLES`].
pub const CONNTRACK_STATS: &str = "conntrack-stats.txt";

/// The machine's asset tag, by which Azure's machines are known, below [`DNS`].
pub const CHASSIS_ASSET_TAG: &str = "chassis-asset-tag.txt";
/// The cloud's settings of the node without secrets, below [`KUBELET`].
pub const AZURE_JSON: &str = "azure.json";
