//! The node this program stands on: its files, its commands, and what it says about itself.
//!
//! [`HostRoot`] opens files below the node's root folder, [`HostCommands`] runs the node's own programs in the
//! node's namespaces. They are the only two places of the workspace that need privilege. Nothing here knows
//! Kubernetes, writes an archive or redacts.

mod command;
mod confinement;
mod discover;
mod entry;
mod error;
mod facts;
mod file;
mod glob;
mod host_exec;
mod mounts;
mod network;
mod path;
mod pattern;
mod process;
mod processes;
mod resolve;
mod root;
mod runner;
mod socket;
mod usage;
mod view;

pub use command::{
    CommandEnd, CommandError, CommandRunner, HostCommand, NetworkChoice, RunningCommand, STDERR_TAIL_BYTES,
};
pub use confinement::{Confinement, ConfinementError};
pub use entry::{DirEntry, EntryKind, Metadata};
pub use error::{Absence, HostError};
pub use facts::NodeFacts;
pub use file::HostFile;
pub use glob::GlobMatches;
pub use host_exec::{HOST_EXEC_ARG, host_exec_main};
pub use network::NetworkNamespace;
pub use path::{HostPath, HostPathError};
pub use processes::HostProcess;
pub use root::{HostRoot, MAX_DIR_ENTRIES, RootOrigin};
pub use runner::HostCommands;
pub use usage::{FileSystemFill, Usage, UsageBounds, UsagePart};
