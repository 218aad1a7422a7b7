//! The command `collect`: one run on this node for whoever sits before it.

mod command;
mod forecast;
mod progress;
mod summary;

pub(crate) use command::run;
