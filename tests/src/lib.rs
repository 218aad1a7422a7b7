//! What end-to-end tests share: where the running services are, and how to ask them what happened.
//! It starts nothing itself: `cargo xtask test` and `cargo xtask services up` do.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

mod azurite;
mod cluster;
mod diagnosis;
mod pod;
mod sas;
mod seeded;
mod services;
mod wait;
mod walk;

pub use azurite::Azurite;
pub use cluster::Cluster;
pub use diagnosis::Diagnosis;
pub use pod::Pod;
pub use seeded::{
    BrokenNameServer, Change, ChangedFile, KernelLines, PacketRule, RemoteImage, SmallDisk, Stopped, Turn, Where,
};
pub use services::{ENDPOINTS, Services};
pub use wait::eventually;
pub use walk::files_below;
