//! `node-logs`: the log files that the user lists, or those by which an AKS node's provisioning is understood. A
//! file that is missing costs nothing but its own line in the record.

mod action;
mod aks_files;

pub(crate) use action::{DESCRIPTOR, NodeLogs};
