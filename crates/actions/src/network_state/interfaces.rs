//! The node's interfaces: counters from `/proc`, the rest from `/sys/class/net` where that is shown to be the same
//! network.
//!
//! `/sys` shows the network of whoever mounted it, which in a pod may be the pod's. It is believed when its counters lie
//! between two readings of the node's own.

use std::net::Ipv4Addr;

use periscope_documents::{Interface, Route};
use periscope_host::{HostError, HostPath, HostRoot};

use super::namespaces::Namespace;
use super::proc_net;
use crate::table;

const CLASS: &str = "/sys/class/net";
/// A table of some thousand interfaces.
const MAX_TABLE_BYTES: usize = 4 * 1024 * 1024;
/// A number, a word or a few assignments.
const MAX_VALUE_BYTES: usize = 4096;
/// Hardware types (`include/uapi/linux/if_arp.h`).
const HARDWARE: [(&str, &str); 6] = [
    ("772", "loopback"),
    ("768", "tunnel"),
    ("769", "tunnel"),
    ("776", "tunnel"),
    ("778", "tunnel"),
    ("65534", "point-to-point"),
];

/// The interfaces, and why not all is known of them.
pub(super) struct Interfaces {
    pub(super) found: Vec<Interface>,
    pub(super) problem: Option<String>,
}

/// Reads the interfaces of the node's namespace. Blocks.
///
/// # Errors
/// When the kernel's list cannot be read.
pub(super) fn read(root: &HostRoot, node: &Namespace, routes: &[Route]) -> Result<Interfaces, HostError> {
    let dev = |root: &HostRoot| -> Result<Vec<Interface>, HostError> {
        Ok(proc_net::interfaces(
            &root.read_text(&node.file("dev")?, MAX_TABLE_BYTES)?,
        ))
    };
    let before = dev(root)?;
    let shown: Vec<Option<u64>> = before
        .iter()
        .map(|interface| value(root, &interface.name, "statistics/rx_bytes")?.parse().ok())
        .collect();
    let after = dev(root)?;
    let names = HostPath::new(CLASS)
        .map_err(HostError::from)
        .and_then(|path| root.read_dir(&path));
    // Some entries are no interfaces, such as `bonding_masters`.
    let listed = names.map_or(0, |names| {
        names
            .iter()
            .filter(|entry| value(root, &entry.name, "ifindex").is_some())
            .count()
    });
    let same = listed == before.len()
        && before.len() == after.len()
        && before.iter().zip(&after).zip(&shown).all(|((before, after), shown)| {
            before.name == after.name && shown.is_some_and(|bytes| (before.rx.bytes..=after.rx.bytes).contains(&bytes))
        });
    let mut found = after;
    if same {
        for interface in &mut found {
            describe(root, interface);
        }
    }
    add_addresses(root, node, routes, &mut found);
    let problem = (!same).then(|| format!("only counters are known: {CLASS} is not shown to be of the node's network"));
    Ok(Interfaces { found, problem })
}

fn describe(root: &HostRoot, interface: &mut Interface) {
    let name = &interface.name;
    let get = |file: &str| value(root, name, file).filter(|value| !value.is_empty());
    interface.index = get("ifindex").and_then(|number| number.parse().ok());
    interface.mtu = get("mtu").and_then(|number| number.parse().ok());
    interface.state = get("operstate");
    interface.mac = get("address");
    interface.master = HostPath::new(&format!("{CLASS}/{name}/master"))
        .ok()
        .and_then(|path| root.read_link(&path).ok())
        .and_then(|target| target.rsplit('/').next().map(str::to_owned));
    interface.kind = Some(kind(root, name, interface.index));
}

/// What an interface is, by what the kernel has put into its folder.
fn kind(root: &HostRoot, name: &str, index: Option<u32>) -> String {
    let uevent = value(root, name, "uevent").unwrap_or_default();
    if let Some(kind) = uevent.lines().find_map(|line| line.strip_prefix("DEVTYPE=")) {
        return kind.to_owned();
    }
    let hardware = value(root, name, "type").unwrap_or_default();
    if let Some((_, kind)) = HARDWARE.iter().find(|(number, _)| *number == hardware) {
        return (*kind).to_owned();
    }
    let has = |file: &str| {
        HostPath::new(&format!("{CLASS}/{name}/{file}")).is_ok_and(|path| root.link_metadata(&path).is_ok())
    };
    if has("device") {
        return "physical".to_owned();
    }
    // A veth's other end has another number, mostly in another namespace; macvlan and its like name what is below them.
    let peer: Option<u32> = value(root, name, "iflink").and_then(|number| number.parse().ok());
    let has_lower = || {
        let folder = HostPath::new(&format!("{CLASS}/{name}")).ok();
        folder
            .and_then(|path| root.read_dir(&path).ok())
            .is_some_and(|entries| entries.iter().any(|entry| entry.name.starts_with("lower_")))
    };
    if peer.is_some() && peer != index && peer != Some(0) && !has_lower() {
        "veth".to_owned()
    } else {
        "virtual".to_owned()
    }
}

/// The addresses that the kernel's files let be assigned to interfaces: all of IPv6, and of IPv4 those on a link.
fn add_addresses(root: &HostRoot, node: &Namespace, routes: &[Route], found: &mut [Interface]) {
    let read = |name: &str| {
        node.file(name)
            .and_then(|path| root.read_text(&path, MAX_TABLE_BYTES))
            .unwrap_or_default()
    };
    for address in proc_net::addresses_ipv4(&read("fib_trie")) {
        let on_link = routes.iter().filter_map(|route| {
            let (network, prefix) = route.destination.split_once('/')?;
            let prefix: u32 = prefix.parse().ok()?;
            // Before the mask: the prefixes of IPv6 are longer.
            let network: Ipv4Addr = network.parse().ok()?;
            let mask = u32::MAX.checked_shl(32_u32.checked_sub(prefix)?).unwrap_or(0);
            let matches = prefix > 0 && route.gateway.is_none() && u32::from(address) & mask == u32::from(network);
            matches.then_some((prefix, &route.interface))
        });
        if let Some((prefix, name)) = on_link.max_by_key(|(prefix, _)| *prefix)
            && let Some(interface) = found.iter_mut().find(|interface| interface.name == *name)
        {
            interface.addresses.push(format!("{address}/{prefix}"));
        }
    }
    for entry in proc_net::addresses_ipv6(&read("if_inet6")) {
        if let Some(interface) = found.iter_mut().find(|interface| interface.name == entry.interface) {
            interface.index = interface.index.or(Some(entry.index));
            interface.addresses.push(entry.address);
        }
    }
}

fn value(root: &HostRoot, name: &str, file: &str) -> Option<String> {
    let path = HostPath::new(&format!("{CLASS}/{name}/{file}")).ok()?;
    Some(root.read_text(&path, MAX_VALUE_BYTES).ok()?.trim().to_owned())
}

/// The interfaces as a table for people.
pub(super) fn as_table(interfaces: &[Interface]) -> String {
    let word = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let rows: Vec<_> = interfaces
        .iter()
        .map(|interface| {
            vec![
                interface
                    .index
                    .map_or_else(|| "-".to_owned(), |index| index.to_string()),
                interface.name.clone(),
                word(&interface.kind),
                word(&interface.state),
                interface.mtu.map_or_else(|| "-".to_owned(), |mtu| mtu.to_string()),
                word(&interface.master),
                interface.rx.packets.to_string(),
                interface.rx.errors.to_string(),
                interface.rx.dropped.to_string(),
                interface.tx.packets.to_string(),
                interface.tx.errors.to_string(),
                interface.tx.dropped.to_string(),
                interface.addresses.join(" "),
            ]
        })
        .collect();
    let headings = [
        "INDEX",
        "NAME",
        "KIND",
        "STATE",
        "MTU",
        "MASTER",
        "RX PACKETS",
        "ERRORS",
        "DROPPED",
        "TX PACKETS",
        "ERRORS",
        "DROPPED",
        "ADDRESSES",
    ];
    table::render(&headings, &rows)
}
