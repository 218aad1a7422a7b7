//! What `collect` can gather: one module per action and one table of them all; the engine that runs them is in
//! `periscope-core`.

mod api_errors;
mod api_server;
mod catalog;
mod cluster_health;
mod cluster_objects;
mod cni;
mod commands;
mod container_logs;
mod container_runtime;
mod dns;
mod host_files;
mod iptables;
mod kube_objects;
mod kubelet;
mod network_outbound;
mod network_state;
mod node_logs;
mod node_services;
mod planned;
mod settings;
mod system;
mod system_logs;
mod table;
mod vantage;
mod x509;

pub use catalog::{CATALOG, Deps, Entry};
pub use kube_objects::{InvalidKubeObject, KubeObjectEntry};
pub use network_outbound::{InvalidTarget, OutboundSampling, OutboundTarget, outbound_sampling};
pub use settings::{Namespaces, Settings};
