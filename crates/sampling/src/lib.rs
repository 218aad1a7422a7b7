//! Samples of connections between runs: a bounded ring on the node's disk, and the down periods that follow from it.
//!
//! It neither chooses what is sampled nor reports it anywhere, and knows no way of its own to try a connection.

mod file;
mod history;
mod layout;
mod recorder;
mod ring;
mod sampler;
mod tally;
mod target;

pub use history::{History, InvalidRing, RETENTION};
pub use layout::FILE_BYTES;
pub use ring::{FILE_NAME, Ring, RingError};
pub use sampler::{Flusher, Sampler};
pub use tally::{Tally, TargetTally};
pub use target::{MAX_TARGETS, Outcome, Probe, Sample, TRY_LIMIT, Target};
