//! `container-logs`: what the containers of the chosen namespaces wrote, from the node's own files: every container,
//! every instance, rotated and compressed files, pods that the API no longer knows. Follows nothing.
//!
//! * `pod_files`, `docker_files`: which files there are
//! * `action`: copies them, newest first, and finds again what a rotation moved meanwhile
//! * `api`: the API's logs, for where the files cannot be reached

mod action;
mod api;
mod docker_files;
mod file;
mod pod_files;

pub(crate) use action::{ContainerLogs, DESCRIPTOR};
