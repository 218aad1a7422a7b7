//! What passes from actions to analyzers through the archive: the documents' shapes and the parser of `resolv.conf`.
//! Nothing here gathers or judges.

mod cluster_health;
mod cni;
mod connections;
mod connectivity;
mod kubelet;
mod lines;
mod lookups;
mod mounts;
pub mod names;
mod network;
mod network_state;
mod pod_cgroup;
mod resolv_conf;
mod runtime;
mod sizes;
mod system;
mod units;

pub use cluster_health::{ApiCall, NodeEvent, NodeFact};
pub use cni::{AddressRange, CniConfiguration, CniPlugin};
pub use connections::{Certificate, ConnectAttempt, Connection, DnsPhase, HttpPhase, TlsPhase};
pub use connectivity::{ConnectionStretch, DownPeriod};
pub use kubelet::{KubeletSettings, NodeCertificate};
pub use lines::{from_lines, to_lines};
pub use lookups::{Lookup, Outcome, Protocol, RecordType};
pub use mounts::{Mount, mount_of};
pub use network::Network;
pub use network_state::{Interface, NetworkCounter, NetworkNamespaceState, Route, Socket, Traffic};
pub use pod_cgroup::PodCgroup;
pub use resolv_conf::{MAX_NAME_SERVERS, NameServer, Problem, ResolvConf};
pub use runtime::{
    CallFailure, ContainerState, RuntimeCall, RuntimeCondition, RuntimeContainer, RuntimeFilesystem, RuntimeImage,
    RuntimePlugin, RuntimeSandbox, RuntimeStatus, RuntimeVersion,
};
pub use sizes::bytes_in_words;
pub use system::{
    Boot, BootEvent, Cgroup, CgroupCpu, CgroupCpuRecent, CgroupMemory, CgroupPids, Consumer, Disk, Fill, NodePod,
    Process,
};
pub use units::SystemdUnit;
