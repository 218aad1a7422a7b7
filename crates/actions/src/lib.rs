//! What `collect` can gather: one module per action and one table of them all; the engine that runs them is in
//! `periscope-core`.

mod api_errors;
mod catalog;
mod commands;
mod container_logs;
mod host_files;
mod iptables;
mod kube_objects;
mod kubelet;
mod node_logs;
mod settings;
mod system_logs;
mod x509;

pub use catalog::{CATALOG, Deps, Entry};
pub use kube_objects::{InvalidKubeObject, KubeObjectEntry};
pub use settings::{Namespaces, Settings};
