//! The state of the node's network as `network-state` gathers it: interfaces, routes, counters, namespaces and sockets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One interface of the node's network, as a line of `interfaces.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Interface {
    /// Its name, such as `eth0`.
    pub name: String,
    /// Its number in its network namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub index: Option<u32>,
    /// `physical`, `veth`, `bridge`, `vxlan`, `tunnel`, `loopback`, …; `virtual` where nothing says more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// Largest packet in bytes, without the link's own header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mtu: Option<u32>,
    /// `up`, `down`, … (`operstate`, kernel documentation `ABI/testing/sysfs-class-net`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    /// The bridge or bond that it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Its hardware address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mac: Option<String>,
    /// Its addresses with prefix lengths, as far as the kernel's files tell.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// What came in since it was made.
    pub rx: Traffic,
    /// What went out since it was made.
    pub tx: Traffic,
}

/// Counters of one direction (`/proc/net/dev`, proc(5)).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traffic {
    /// Bytes.
    pub bytes: u64,
    /// Packets.
    pub packets: u64,
    /// Packets with errors.
    pub errors: u64,
    /// Packets that were dropped for want of memory or of a receiver.
    pub dropped: u64,
}

/// One route of the node, as a line of `routes.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Route {
    /// Where it leads, such as `0.0.0.0/0`.
    pub destination: String,
    /// The next router; absent when the destination is on the link.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gateway: Option<String>,
    /// The interface that it goes out of.
    pub interface: String,
    /// Its cost: the least is taken.
    pub metric: u32,
    /// Whether the kernel uses it (`RTF_UP`).
    pub up: bool,
    /// Whether it refuses packets (`RTF_REJECT`).
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub reject: bool,
}

impl Route {
    /// Whether it leads everywhere, and lets packets through.
    pub fn is_default(&self) -> bool {
        self.up && !self.reject && matches!(self.destination.as_str(), "0.0.0.0/0" | "::/0")
    }
}

/// A counter of things that should not happen, read twice, as a line of `counters.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NetworkCounter {
    /// What counts: `interface eth0`, `cpu 0`, `node`, or a pod.
    pub object: String,
    /// What is counted, such as `rx-dropped` or `listen-overflows`.
    pub counter: String,
    /// Its value since the object was made.
    pub total: u64,
    /// What it is a part of, such as all packets received; 0 where that is not known.
    pub of: u64,
    /// How much it grew between the two readings.
    pub grew: u64,
    /// How much that which it is a part of grew.
    pub of_grew: u64,
    /// The time between the readings, in milliseconds.
    pub millis: u64,
}

/// One network namespace, as a line of `namespaces.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct NetworkNamespaceState {
    /// What it is called in other documents: `node`, a pod as `namespace/name`, or a process.
    pub name: String,
    /// The process by which it was looked at.
    pub pid: u32,
    /// How many processes are in it.
    pub processes: usize,
    /// Its interfaces, with their counters.
    pub interfaces: Vec<Interface>,
    /// Its IPv4 and IPv6 addresses.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Its routes that lead everywhere.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub default_routes: Vec<Route>,
    /// Its TCP sockets by state.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tcp: BTreeMap<String, u64>,
    /// Its file with the kernel's tables, below the action's folder.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub file: String,
}

/// One socket, as a line of `sockets.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Socket {
    /// The network namespace, by the name it has in `namespaces.json`.
    pub namespace: String,
    /// `tcp`, `tcp6`, `udp` or `udp6`.
    pub protocol: String,
    /// Own address and port.
    pub local: String,
    /// The peer's address and port.
    pub remote: String,
    /// `LISTEN`, `ESTABLISHED`, … (`include/net/tcp_states.h`).
    pub state: String,
    /// Bytes that the process has not read; of a listening socket, connections that it has not accepted.
    pub receive_queue: u64,
    /// Bytes that the peer has not confirmed.
    pub send_queue: u64,
    /// The user that it belongs to.
    pub uid: u32,
    /// A process that has it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// The name of that process.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub process: Option<String>,
}
