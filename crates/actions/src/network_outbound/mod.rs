//! Action `network-outbound`: whether the node's network reaches what a node needs, phase by phase, all targets at once
//! and within five seconds. No credential is ever sent.

mod action;
mod history;
mod http;
mod probe;
mod resolver;
mod sampled;
mod standing;
mod target;
mod tls;

pub(crate) use action::{DESCRIPTOR, NetworkOutbound};
pub use sampled::{OutboundSampling, outbound_sampling};
pub use target::{InvalidTarget, OutboundTarget};
