//! One run on this node, whoever asked for it: from checked settings to an archive. Where the archive then goes, and
//! who is told, is for the commands to say.

mod config;
mod documents;
mod gather;
mod journal;
mod node;
mod output;
mod quantity;
mod settings;

pub(crate) use config::Beside;
pub(crate) use documents::{OWNER as DOCUMENTS_OWNER, loose_names};
pub(crate) use gather::{Gathered, Run, actions_of};
pub(crate) use journal::RunLog;
pub(crate) use node::{find_cluster, info as node_info, root as node_root};
pub(crate) use output::choose as choose_output;
pub(crate) use quantity::show_size;
pub(crate) use settings::{Settings, check_kube_object, check_namespace, check_node_log, is_label};
