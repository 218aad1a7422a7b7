//! The command `agent`: the resident role, wired to the runs of this program.

mod collector;
mod command;
mod delivery;
mod lists;
mod metrics;
mod settings;

pub(crate) use command::{AgentArgs, run};
