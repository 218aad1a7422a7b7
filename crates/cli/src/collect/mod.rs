//! The command `collect`: from the command line to the exit code.

mod config;
mod documents;
mod forecast;
mod journal;
mod node;
mod output;
mod progress;
mod quantity;
mod run;
mod settings;
mod summary;

pub(crate) use documents::{OWNER as DOCUMENTS_OWNER, loose_names};
pub(crate) use node::root as node_root;
pub(crate) use quantity::show_size;
pub(crate) use run::{find_cluster, run};
