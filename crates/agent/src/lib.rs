//! The resident role: waits for a run id, has a run made, and tells the cluster how it went.
//!
//! It gathers nothing itself: what makes a run is given to it as [`Collect`].

mod agent;
#[cfg(test)]
mod agent_tests;
mod collect;
mod configuration;
mod election;
mod folder;
mod former;
mod forward;
mod health;
mod memory;
#[cfg(test)]
mod mock_api;
mod own_folder;
mod part;
mod reporter;
pub mod rows;
mod secret;
mod small_file;
mod trigger;

pub use agent::{Agent, AgentSettings, MAX_QUEUED};
pub use collect::{Collect, Order, Outcome, Part, Progress, Update};
pub use configuration::{Collector, Configuration, Sources};
pub use election::{Decided, Election};
pub use folder::KEPT_RUNS;
pub use forward::PROGRESS_EVERY;
pub use health::{DEFAULT_HEALTH_ADDRESS, Health, Kind, Metric, MoreMetrics, serve};
pub use memory::MAX_ATTEMPTS;
pub use own_folder::OWN_FOLDER;
pub use reporter::{Ending, Reporter, Run, Silent};
pub use secret::{Credentials, SECRET_NAME, StorageCredentials};
pub use trigger::{CONFIG_MAP_NAME, WATCH_READ_TIMEOUT};
