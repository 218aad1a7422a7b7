//! The resident role: waits for a run id, has a run made, and tells the cluster how it went.
//!
//! It gathers nothing itself: what makes a run is given to it as [`Collect`].

mod agent;
mod collect;
mod configuration;
mod election;
mod reporter;
pub mod rows;
mod secret;

pub use agent::PROGRESS_EVERY;
pub use collect::{Collect, Order, Outcome, Part, Progress, Update};
pub use configuration::Configuration;
pub use election::{Decided, Election};
pub use reporter::{Ending, Reporter, Run, Silent};
pub use secret::{Credentials, StorageCredentials};
