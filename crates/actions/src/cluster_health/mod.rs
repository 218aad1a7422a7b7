//! `cluster-health`: the cluster as this node sees it: how the API server answers, what it says about the node, its lease, its
//! pods and the events about them. A dozen requests at most, whatever the cluster's size, and two where other nodes make the same
//! run: then `cluster-objects` asks once for what any node would be told. Objects of the cluster as such are `kube-objects`.
//!
//! * `calls`: the small requests, timed
//! * `node`: what the Node object and its lease say
//! * `events`: the events about the node and its pods
//! * `pods`: the node's pods

mod action;
mod calls;
mod events;
mod node;
mod pods;
#[cfg(test)]
mod tests;

pub(crate) use action::{ClusterHealth, DESCRIPTOR, keep_text, keep_version};
pub(crate) use calls::Calls;
pub(crate) use events::{read as read_event, table_of as table_of_events};
pub(crate) use node::{elements, plain, text};
