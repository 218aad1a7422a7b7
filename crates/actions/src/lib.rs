//! What `collect` can gather: one module per action and one table of them all; the engine that runs them is in
//! `periscope-core`.

mod catalog;
mod container_logs;
mod host_files;
mod node_logs;
mod settings;

pub use catalog::{CATALOG, Deps, Entry};
pub use settings::{Namespaces, Settings};
