//! The two small documents that readers of the original's results expect beside the archive, in its shapes.
//!
//! They state, and judge nothing: what is not known is left empty.

mod network_config;
mod network_outbound;

pub use network_config::network_config;
pub use network_outbound::network_outbound;
