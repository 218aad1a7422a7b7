//! The resident role: waits for a run id, has a run made, and tells the cluster how it went.
//!
//! It gathers nothing itself: what makes a run is given to it as [`Collect`].

mod collect;
mod configuration;

pub use collect::{Collect, Order, Outcome, Part, Progress, Update};
pub use configuration::Configuration;
