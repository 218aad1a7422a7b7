//! What can be said about a node from its artifacts alone: the analyzers, their table, and the two summaries that
//! readers of the original's results expect. Nothing here reads the node, the cluster or the clock.

mod analysis;
mod api_server;
mod artifact;
mod catalog;
mod cluster_health;
mod cluster_part;
mod cni;
mod connection_history;
mod conntrack;
mod container_crash_loop;
mod container_exit_codes;
mod container_oom;
mod custom_dns;
mod dns_lookups;
mod dns_servers;
mod document;
mod evictions;
mod exit_codes;
mod filter_rules;
#[cfg(test)]
mod fixture;
mod image_pull;
mod kubelet;
mod last_words;
mod log_inputs;
mod mtu;
mod node_certificates;
mod node_services;
mod node_status;
mod outbound;
mod packet_drops;
mod packet_filter;
mod pod_events;
mod pods;
mod provisioning;
mod routes;
mod rows;
mod runtime;
mod runtime_answers;
mod runtime_restarting;
mod scheduling;
mod segments;
mod span;
mod summaries;
mod system;
mod version_skew;
mod workload;

pub use analysis::{ANALYSIS_FILE, analysis_json, read_analysis};
pub use catalog::{CATALOG, analyzers_of};
pub use cluster_part::scope_of;
pub use summaries::{network_config, network_outbound};
