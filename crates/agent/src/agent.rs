//! The main loop: one order after another.

use std::time::Duration;

/// How often the reporter is told how far a run is: what 500 nodes may ask of one API server at the same time.
pub const PROGRESS_EVERY: Duration = Duration::from_secs(5);
