//! The test node: one machine in a box, with a Kubernetes control plane, a kubelet laid out as AKS lays it out, and a
//! blob service; around it another box that stands for the Internet. This is their description; the files beside it run
//! inside their namespaces.

mod azurite;
mod control_plane;
mod init;
mod journal;
mod kubelet;
mod layout;
mod network;
pub(crate) mod outside;
mod pki;
mod supervisor;
mod units;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Subcommand;
use serde::{Deserialize, Serialize};

use crate::services::keeper::Parts;
use crate::services::place;

/// The storage account of the blob service.
pub(crate) const ACCOUNT: &str = "periscopetests";
/// The node's state folder as the node sees it, whatever the node's own `/var` and `/etc` hide.
const STATE: &str = "/run/periscope-services";
/// The size of the network that machine, node and outside share.
pub(crate) const PREFIX: u8 = 29;
/// Azure's name server (learn.microsoft.com, "What is IP address 168.63.129.16?").
const DNS_IP: &str = "168.63.129.16";
/// The folder in [`STATE`] of what belongs to the outside.
const OUTSIDE: &str = "outside";
/// Services on the node itself accept connections at once, or do not listen yet.
const CONNECT_LIMIT: Duration = Duration::from_secs(1);
const MACHINE_ID: &str = "5f1d2c3b4a59687786958473625140ff";

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Process 1 of the outside or of the node
    Init { role: String, description: PathBuf },
    /// What starts and watches the outside's services, and the node
    Outside { description: PathBuf },
    /// What starts and watches the node's services
    Supervise { description: PathBuf },
}

impl Args {
    pub(crate) fn run(self) -> Result<ExitCode> {
        let Self { role } = self;
        match role {
            Role::Init { role, description } => init::run(&role, &description),
            Role::Outside { description } => outside::run(&Node::read(&description)?, &description),
            Role::Supervise { description } => supervisor::run(&Node::read(&description)?),
        }
    }
}

/// What tells one test node from another.
#[derive(Serialize, Deserialize)]
pub(crate) struct Node {
    index: u8,
    /// The state folder as the machine sees it.
    pub(crate) state: PathBuf,
    /// The folder of the Kubernetes binaries.
    pub(crate) kube: PathBuf,
    azurite: PathBuf,
    /// The folder of `CoreDNS` and its image. A node that an older program started has none, and must still be removed.
    #[serde(default)]
    coredns: PathBuf,
    image: PathBuf,
    /// `tests/services`.
    files: PathBuf,
    /// The key of [`ACCOUNT`] in base64.
    pub(crate) account_key: String,
}

impl Node {
    pub(crate) fn new(index: u8, state: PathBuf, parts: &Parts, account_key: String) -> Self {
        let Parts {
            kube,
            azurite,
            coredns,
            image,
        } = parts;
        Self {
            index,
            state,
            kube: kube.clone(),
            azurite: azurite.clone(),
            coredns: coredns.clone(),
            image: image.clone(),
            files: place::workspace().join("tests/services"),
            account_key,
        }
    }

    fn read(description: &Path) -> Result<Self> {
        let text = fs::read(description).context("cannot read the description of the node")?;
        serde_json::from_slice(&text).context("cannot read the description of the node")
    }

    pub(crate) fn name(&self) -> String {
        format!("aks-nodepool1-12345678-vmss{:06}", self.index)
    }

    pub(crate) fn ip(&self) -> String {
        format!("10.254.{}.2", self.index)
    }

    /// The machine's address on the network between machine, node and outside.
    pub(crate) fn machine_ip(&self) -> String {
        format!("10.254.{}.1", self.index)
    }

    /// The node's default gateway, behind which the Internet is.
    fn gateway_ip(&self) -> String {
        format!("10.254.{}.3", self.index)
    }

    /// The machine's end of its cable to that network.
    pub(crate) fn link(&self) -> String {
        Self::link_name(self.index)
    }

    pub(crate) fn link_name(index: u8) -> String {
        format!("periscope{index}")
    }

    /// The folder of the node's pods in every hierarchy of control groups, of version 1 and 2.
    pub(crate) fn control_groups(&self) -> Vec<PathBuf> {
        let root = Path::new("/sys/fs/cgroup");
        let hierarchies = if root.join("cgroup.controllers").exists() {
            vec![root.to_owned()]
        } else {
            fs::read_dir(root)
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.path())
                .filter(|path| path.is_dir())
                .collect()
        };
        hierarchies
            .into_iter()
            .map(|hierarchy| hierarchy.join(self.link()))
            .collect()
    }
}
