//! What is outside the node: the network that joins it to the machine, Azure's name server, and a few names of the
//! Internet that answer over TLS. The node runs in it as a machine runs in a data centre; on the way out there is
//! nothing else.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, Result};

use super::network::ip;
use super::pki::Authority;
use super::{ACCOUNT, DNS_IP, Node, OUTSIDE, PREFIX, layout};
use crate::command::{say, wait_for};

/// The names, each at an address of its own (RFC 5737), so that one alone can be cut off.
const NAMES: [(&str, &str); 3] = [
    ("203.0.113.10", "mcr.microsoft.com"),
    ("203.0.113.20", "www.microsoft.com"),
    ("203.0.113.30", "azurecr.io"),
];
/// The head of the zone of all names (RFC 1035, section 5): what is not in it does not exist.
const ZONE: &str = "$TTL 60\n. IN SOA outside. nobody. 1 60 60 60 60\n. IN NS outside.\n";
/// Who vouches for these names: the organisation that does on the real Internet.
const ISSUER: &str = "periscope-test-internet/O=Microsoft Corporation";
/// Joins the cables to the machine and to the node.
const BRIDGE: &str = "outside";
/// The outside's ends of these cables.
pub(crate) const TO_MACHINE: &str = "machine";
const TO_NODE: &str = "node";
const CABLE_LIMIT: Duration = Duration::from_secs(20);

/// The file with the authority of the certificates, which the node trusts.
pub(super) fn authority(state: &Path) -> PathBuf {
    state.join(OUTSIDE).join("ca.crt")
}

/// Starts all of it and the node, and ends with the first of them that ends.
pub(super) fn run(node: &Node, description: &Path) -> Result<ExitCode> {
    let folder = node.state.join(OUTSIDE);
    let authority = Authority::create(&folder, ISSUER)?;
    // The node reads its files when it starts.
    let inner = start_node(description)?;
    lay_cables(node, &inner)?;
    let names = NAMES.map(|(_, name)| format!("DNS:{name}")).join(",");
    let (certificate, key) = authority.issue("https", "/CN=outside", &names)?;
    let mut running = vec![("the node", inner)];
    running.push(("the name server", start_dns(node, &folder)?));
    for (address, name) in NAMES {
        let mut server = Command::new("python3");
        server.arg(node.files.join("outside/https.py")).args([address, "443"]);
        server.args([&certificate, &key, &folder.join("registry")]);
        running.push((name, server.spawn().context("cannot start python3")?));
    }
    let (ended, status) = first_end(running);
    say(&format!("{ended} ended: {status}"));
    Ok(ExitCode::FAILURE)
}

/// A process namespace in this one, so that the node sees nothing of what is around it.
fn start_node(description: &Path) -> Result<Child> {
    Command::new("unshare")
        .args(["--mount", "--pid", "--net", "--uts", "--ipc", "--fork", "--mount-proc"])
        .arg(std::env::current_exe().context("cannot find this program")?)
        .args(["node", "init", "supervise"])
        .arg(description)
        .spawn()
        .context("cannot start unshare")
}

fn lay_cables(node: &Node, inner: &Child) -> Result<()> {
    ip(&["link", "set", "lo", "up"])?;
    ip(&["link", "add", BRIDGE, "type", "bridge"])?;
    ip(&[
        "address",
        "add",
        &format!("{}/{PREFIX}", node.gateway_ip()),
        "dev",
        BRIDGE,
    ])?;
    ip(&["link", "set", BRIDGE, "up"])?;
    for address in NAMES.map(|(address, _)| address).into_iter().chain([DNS_IP]) {
        ip(&["address", "add", &format!("{address}/32"), "dev", "lo"])?;
    }
    let children = format!("/proc/{pid}/task/{pid}/children", pid = inner.id());
    let mut first = String::new();
    wait_for("the node's first process", CABLE_LIMIT, || {
        children_of(&children, &mut first);
        Ok(!first.is_empty())
    })?;
    ip(&[
        "link", "add", TO_NODE, "type", "veth", "peer", "name", "eth0", "netns", &first,
    ])?;
    wait_for("the cable to the machine", CABLE_LIMIT, || {
        Ok(ip(&["link", "show", TO_MACHINE]).is_ok())
    })?;
    for cable in [TO_NODE, TO_MACHINE] {
        ip(&["link", "set", cable, "master", BRIDGE, "up"])?;
    }
    Ok(())
}

fn children_of(path: &str, first: &mut String) {
    let children = fs::read_to_string(path).unwrap_or_default();
    first.extend(children.split_whitespace().next());
}

fn start_dns(node: &Node, folder: &Path) -> Result<Child> {
    let mut zone = format!("{ZONE}{ACCOUNT}.blob.core.windows.net. IN A {}\n", node.ip());
    for (address, name) in NAMES {
        writeln!(zone, "{name}. IN A {address}")?;
    }
    fs::write(folder.join("zone"), zone).context("cannot write the names of the Internet")?;
    let config = fs::read_to_string(node.files.join("outside/Corefile")).context("cannot read the Corefile")?;
    let config = layout::replace_names(node, &config).replace("@FOLDER@", &folder.to_string_lossy());
    let path = folder.join("Corefile");
    fs::write(&path, config).context("cannot write the Corefile")?;
    Command::new(node.coredns.join("coredns"))
        .arg("-conf")
        .arg(path)
        .spawn()
        .context("cannot start CoreDNS")
}

/// Waits for all of them, until one ends.
fn first_end(running: Vec<(&'static str, Child)>) -> (&'static str, String) {
    let (sender, ended) = std::sync::mpsc::channel();
    for (name, mut child) in running {
        let sender = sender.clone();
        thread::spawn(move || {
            let status = child
                .wait()
                .map_or_else(|error| error.to_string(), |status| status.to_string());
            sender.send((name, status)).ok();
        });
    }
    drop(sender);
    ended.recv().unwrap_or(("everything", String::new()))
}
