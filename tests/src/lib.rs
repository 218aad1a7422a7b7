//! What end-to-end tests share: where the running services are, and how to ask them what happened.
//! It starts nothing itself: `cargo xtask test` and `cargo xtask services up` do.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

mod agent;
mod agent_image;
mod azurite;
mod browser;
mod cluster;
mod container_image;
mod diagnosis;
mod kanalyze;
mod pod;
mod sample_report;
mod sas;
mod seeded;
mod services;
mod stub_node;
mod wait;
mod walk;

pub use agent::{DeployedAgent, Storage};
pub use agent_image::{AGENT_IMAGE, agent_image};
pub use azurite::Azurite;
pub use browser::Browser;
pub use cluster::Cluster;
pub use container_image::ContainerImage;
pub use diagnosis::Diagnosis;
pub use kanalyze::{Kanalyze, ready_nodes};
pub use pod::Pod;
pub use sample_report::SampleReport;
pub use seeded::{
    BrokenNameServer, Change, ChangedFile, KernelLines, PacketRule, RemoteImage, SmallDisk, Stopped, Turn, Where,
};
pub use services::{ENDPOINTS, Services};
pub use stub_node::StubNode;
pub use wait::eventually;
pub use walk::files_below;
