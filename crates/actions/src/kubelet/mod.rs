//! `kubelet`: how the kubelet of the node is set up: its command line, configuration and unit files, the certificates it
//! works with and when they expire, its kubeconfig and `azure.json` without credentials. Asks neither the kubelet nor
//! the API server.

mod action;
mod certificates;
mod configuration;
mod credentials;
mod known;
mod process;
mod settings;

pub(crate) use action::{DESCRIPTOR, Kubelet};
pub(crate) use credentials::without_credentials;
pub(crate) use known::KnownKubelet;
