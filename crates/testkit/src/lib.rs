//! What the tests of several crates share: a node in a folder, and programs of a node that follow a script.
//!
//! Only ever a dev-dependency. Its functions panic, because a broken fixture is a broken test.

mod action_run;
mod host_fixture;
mod memory_store;
mod scripted_commands;

pub use action_run::ActionRun;
pub use host_fixture::HostFixture;
pub use memory_store::MemoryStore;
pub use scripted_commands::{Script, ScriptedCommands};
