//! How the project talks to Kubernetes: finding an API server and an identity, bounded requests, lists that stream,
//! container logs.
//!
//! It decides nothing about what is collected and writes no files; it knows no other crate of the project.

mod access;
mod call;
mod catalogue;
mod diagnostics;
mod election;
mod error;
mod items;
mod kubeconfig;
mod lists;
mod logs;
mod probe;
mod review;
mod sources;
mod stand_in;
mod tables;

pub use access::{ApiServer, ClusterAccess, ConnectOptions, ReadNodeFile};
pub use call::MAX_OBJECT_BYTES;
pub use catalogue::{Catalogue, ResourceType};
pub use election::{Election, Role};
pub use error::{Call, Cause, ClusterError, Failure};
pub use kube::Client;
pub use lists::{ListScope, ObjectList};
pub use logs::{LogOptions, PodContainer};
pub use probe::Answer;
pub use review::{Objects, Permission};
pub use sources::Identity;
pub use stand_in::StandIn;
