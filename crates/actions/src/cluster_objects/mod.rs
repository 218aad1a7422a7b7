//! `cluster-objects`: the cluster as a whole, as the API server tells it to any node alike: nodes, namespaces, disruption budgets,
//! metrics, Helm releases, events, and how the API server itself is. One list each, whatever the cluster's size. Objects that the
//! user names are `kube-objects`; what is said of one node is `cluster-health`.
//!
//! * `lists`: raw objects, kept as they come
//! * `nodes`: the nodes as a table
//! * `budgets`: disruption budgets, in the shape of the original
//! * `metrics`, `quantity`: what nodes and containers use, in the shape of the original
//! * `helm`, `release`: Helm releases and their history, in the shape of the original
//! * `events`: warnings of all namespaces

mod action;
mod budgets;
mod events;
mod helm;
mod lists;
mod metrics;
mod nodes;
mod quantity;
mod release;
#[cfg(test)]
mod tests;

pub(crate) use action::{ClusterObjects, DESCRIPTOR};
