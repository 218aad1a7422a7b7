//! The Debian packages and the tools that the services need. Packages are installed when missing; Go and node are
//! looked for, because every machine has its own way to get them.

use std::collections::HashSet;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::command::{run, say};

/// One line per reason.
const PACKAGES: &[&str] = &[
    // the cluster
    "etcd-server",
    "containerd",
    "runc",
    "containernetworking-plugins",
    "conntrack",
    "ipset",
    "iptables",
    "nftables",
    // the node's journal, and its network
    "systemd-journal-remote",
    "iproute2",
    "procps",
    // certificates, requests to the blob service
    "ca-certificates",
    "curl",
    "openssl",
    // a clock that is wrong for one process, a disk that is soon full
    "e2fsprogs",
    "faketime",
    // a browser that looks at the page of an archive, and letters for it
    "chromium-headless-shell",
    "fonts-dejavu-core",
    "fonts-liberation",
    // independent readers of archives
    "libarchive-tools",
    "pigz",
    "python3",
    "unzip",
    "zip",
];

/// Tools that must be there, and what for.
const TOOLS: &[(&str, &str, &str)] = &[
    ("go", "version", "builds Kubernetes"),
    ("node", "--version", "runs Azurite"),
    ("npm", "--version", "installs Azurite"),
];

pub(crate) fn install() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        bail!("the services of the tests need root: they run a node in namespaces of its own");
    }
    for (tool, version, purpose) in TOOLS {
        run(Command::new(tool).arg(version)).with_context(|| format!("{tool} is needed, it {purpose}"))?;
    }
    let missing = missing()?;
    if missing.is_empty() {
        return Ok(());
    }
    say(&format!("installing {}", missing.join(" ")));
    apt(&["update"])?;
    apt(&[&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat())
}

fn missing() -> Result<Vec<&'static str>> {
    let format = "--showformat=${db:Status-Status} ${Package}\n";
    // It fails when it knows none of a package's name, and still lists the others.
    let known = Command::new("dpkg-query")
        .args(["--show", format])
        .args(PACKAGES)
        .output()
        .context("the services of the tests need Debian: cannot start dpkg-query")?;
    let known = String::from_utf8_lossy(&known.stdout).into_owned();
    let installed: HashSet<&str> = known
        .lines()
        .filter_map(|line| line.strip_prefix("installed "))
        .collect();
    Ok(PACKAGES
        .iter()
        .copied()
        .filter(|package| !installed.contains(package))
        .collect())
}

fn apt(arguments: &[&str]) -> Result<()> {
    run(Command::new("apt-get")
        .args(["--quiet", "--quiet"])
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive"))?;
    Ok(())
}
