//! The actions that take files of the node, on two nodes as they are found: an AKS node with containerd, and one of the
//! time of docker. Each runs through the real engine.

mod aks_node;
mod cni;
mod container_logs;
mod container_runtime;
mod docker_node;
mod kubelet;
mod node_logs;
mod node_services;
mod run;
mod system;
mod system_logs;
mod unseen_node;
