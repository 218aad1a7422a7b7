//! `kube-objects`: the objects of the API that the user lists, as raw JSON where viewers of support bundles look for it, and described
//! for people with their events. Never the data of Secrets.

mod action;
mod collect;
mod describe;
mod discovery;
mod endpoints;
mod entry;
mod events;
mod output;
mod paths;
mod plan;

pub(crate) use action::{DESCRIPTOR, KubeObjects};
pub use entry::{InvalidKubeObject, KubeObjectEntry};
pub(crate) use output::{Ending, ObjectFile};
pub(crate) use paths::objects as objects_path;

#[cfg(test)]
mod tests;
