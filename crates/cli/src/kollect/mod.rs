//! The command `kollect`: has the agents of a whole cluster make a run, from a workstation that has a kubeconfig and
//! nothing else; says what it will do, shows how it goes, and leaves nothing behind.

mod across;
mod api;
mod archives;
mod args;
mod command;
mod consent;
mod display;
mod facts;
mod fetch;
mod outcome;
mod page;
mod picture;
mod rollout;
mod settings;
mod standing;
mod summary;

pub(crate) use args::KollectArgs;
pub(crate) use command::run;
