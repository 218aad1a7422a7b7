//! What the tests of several crates share: a node in a folder, programs of a node that follow a script, an archive of
//! any size.
//!
//! Only ever a dev-dependency. Its functions panic, because a broken fixture is a broken test.

// Compiles the code of the programming guide; the item itself says nothing.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/programming-guide.md")]
mod programming_guide {}

mod action_run;
mod host_fixture;
mod http_faults;
mod memory_store;
mod sample_archive;
mod scripted_api;
mod scripted_commands;

pub use action_run::{ActionRun, RunOptions};
pub use host_fixture::HostFixture;
pub use http_faults::{HttpFault, HttpFaults};
pub use memory_store::MemoryStore;
pub use sample_archive::SampleArchive;
pub use scripted_api::{ApiAnswer, ScriptedApi};
pub use scripted_commands::{Script, ScriptedCommands};
