//! `container-runtime`: what containerd, CRI-O or docker says of itself, its pods, containers and images, asked over its own
//! socket; where that cannot be reached, the node's tools are asked. Never the environment of a container; the unit and the
//! journal of the runtime are gathered elsewhere.

mod action;
mod calls;
mod configuration;
mod containers_table;
mod cri;
mod cri_rows;
mod docker;
mod endpoints;
mod gathered;
mod grpc;
mod http;
mod manifest_copies;
mod over_cri;
mod tools;

pub(crate) use action::{ContainerRuntime, DESCRIPTOR};
