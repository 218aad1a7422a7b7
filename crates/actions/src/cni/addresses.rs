//! The addresses that the plugin `host-local` gave away: one file for each, in a folder for each network.
//!
//! Facts from `containernetworking/plugins`, `plugins/ipam/host-local` (`backend/allocator/range.go`, `backend/disk`).

use std::net::IpAddr;

use periscope_documents::AddressRange;
use periscope_host::{HostPath, HostRoot};
use serde_json::Value;

use super::configurations::{Configuration, plugins_of};
use crate::table;

/// Where it keeps them when it is told nothing else.
const FOLDER: &str = "/var/lib/cni/networks";
/// Most addresses that are listed with their containers.
const MAX_LISTED: usize = 4096;
/// A container's id and an interface's name.
const MAX_OWNER_BYTES: usize = 4096;

/// First and last address that may be given away, and one between them that may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Range {
    is_ipv4: bool,
    first: u128,
    last: u128,
    gateway: u128,
}

impl Range {
    /// As the configuration has it. An address that is not one makes the range unusable.
    fn parse(range: &Value) -> Option<Self> {
        let text = |name: &str| range.get(name).and_then(Value::as_str);
        let (subnet, prefix) = text("subnet")?.split_once('/')?;
        let (subnet, prefix): (IpAddr, u32) = (subnet.parse().ok()?, prefix.parse().ok()?);
        let is_ipv4 = subnet.is_ipv4();
        let width: u32 = if is_ipv4 { 32 } else { 128 };
        let hosts = 1_u128
            .checked_shl(width.checked_sub(prefix)?)
            .map_or(u128::MAX, |size| size - 1);
        let network = number(subnet) & !hosts;
        // The broadcast address is left out, which IPv6 has not.
        let end = (network | hosts) - u128::from(is_ipv4);
        let address = |name: &str, default: u128| match text(name) {
            Some(address) => address.parse().ok().map(number),
            None => Some(default),
        };
        Some(Self {
            is_ipv4,
            first: address("rangeStart", network + 1)?,
            last: address("rangeEnd", end)?,
            gateway: address("gateway", network + 1)?,
        })
    }

    fn contains(&self, address: IpAddr) -> bool {
        address.is_ipv4() == self.is_ipv4 && (self.first..=self.last).contains(&number(address))
    }

    fn usable(&self) -> u128 {
        let all = self.last.saturating_sub(self.first).saturating_add(1);
        all - u128::from((self.first..=self.last).contains(&self.gateway))
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address),
    }
}

/// An address that is given away.
pub(super) struct Given {
    network: String,
    address: IpAddr,
    owner: String,
}

/// What was given away of each set of ranges that a configuration names, and all that was given away. Blocks.
pub(super) fn read(root: &HostRoot, configurations: &[Configuration]) -> (Vec<AddressRange>, Vec<Given>) {
    let mut ranges = Vec::new();
    let mut folders = vec![FOLDER.to_owned()];
    for configuration in configurations.iter().filter(|it| it.row.problem.is_none()) {
        for plugin in plugins_of(&configuration.document) {
            let Some(ipam) = plugin
                .get("ipam")
                .filter(|ipam| ipam.get("type").and_then(Value::as_str) == Some("host-local"))
            else {
                continue;
            };
            let data = ipam.get("dataDir").and_then(Value::as_str).unwrap_or(FOLDER);
            if !folders.iter().any(|folder| folder == data) {
                folders.push(data.to_owned());
            }
            ranges.extend(of_network(root, configuration, ipam, data));
        }
    }
    let given = folders
        .iter()
        .flat_map(|folder| given_below(root, folder))
        .take(MAX_LISTED);
    (ranges, given.collect())
}

fn of_network(root: &HostRoot, configuration: &Configuration, ipam: &Value, data: &str) -> Vec<AddressRange> {
    let network = configuration.row.name.clone().unwrap_or_default();
    let folder = format!("{}/{network}", data.trim_end_matches('/'));
    let given = addresses_in(root, &folder);
    // An address stands for a set of ranges in each of `ranges`, or for the one range that `ipam` itself is.
    let mut sets: Vec<Vec<&Value>> = Vec::new();
    if ipam.get("subnet").is_some() {
        sets.push(vec![ipam]);
    }
    for set in ipam.get("ranges").and_then(Value::as_array).into_iter().flatten() {
        sets.push(set.as_array().into_iter().flatten().collect());
    }
    sets.into_iter()
        .filter_map(|set| {
            let parsed: Vec<Range> = set.iter().copied().map(Range::parse).collect::<Option<_>>()?;
            let usable = parsed
                .iter()
                .fold(0_u128, |sum, range| sum.saturating_add(range.usable()));
            let in_use = given
                .iter()
                .filter(|address| parsed.iter().any(|range| range.contains(**address)));
            let words = set
                .iter()
                .filter_map(|range| range.get("subnet").and_then(Value::as_str));
            Some(AddressRange {
                network: network.clone(),
                path: configuration.row.path.clone(),
                ranges: words.map(str::to_owned).collect(),
                usable: u64::try_from(usable).unwrap_or(u64::MAX),
                in_use: in_use.count() as u64,
                folder: folder.clone(),
            })
        })
        .collect()
}

/// The addresses that have a file in a network's folder.
fn addresses_in(root: &HostRoot, folder: &str) -> Vec<IpAddr> {
    let entries = HostPath::new(folder).ok().and_then(|path| root.read_dir(&path).ok());
    let names = entries.iter().flatten();
    names.filter_map(|entry| entry.name.parse().ok()).collect()
}

fn given_below(root: &HostRoot, folder: &str) -> Vec<Given> {
    let networks = HostPath::new(folder).ok().and_then(|path| root.read_dir(&path).ok());
    let mut given = Vec::new();
    for network in networks.iter().flatten() {
        let below = format!("{folder}/{}", network.name);
        for address in addresses_in(root, &below) {
            if given.len() == MAX_LISTED {
                return given;
            }
            let owner = HostPath::new(&format!("{below}/{address}"))
                .ok()
                .and_then(|path| root.read_text(&path, MAX_OWNER_BYTES).ok())
                .unwrap_or_default();
            given.push(Given {
                network: network.name.clone(),
                address,
                owner: owner.split_whitespace().collect::<Vec<_>>().join(" "),
            });
        }
    }
    given
}

/// What was given away, as a table for people: first the ranges, then the addresses.
pub(super) fn as_table(ranges: &[AddressRange], given: &[Given]) -> String {
    let rows: Vec<_> = ranges
        .iter()
        .map(|range| {
            vec![
                range.network.clone(),
                range.ranges.join(" "),
                range.in_use.to_string(),
                range.usable.to_string(),
                range.path.clone(),
            ]
        })
        .collect();
    let mut text = table::render(&["NETWORK", "RANGE", "IN USE", "OF", "CONFIGURATION"], &rows);
    let mut given: Vec<&Given> = given.iter().collect();
    given.sort_by(|a, b| (&a.network, a.address).cmp(&(&b.network, b.address)));
    let rows: Vec<_> = given
        .iter()
        .map(|given| vec![given.network.clone(), given.address.to_string(), given.owner.clone()])
        .collect();
    text.push('\n');
    text.push_str(&table::render(
        &["NETWORK", "ADDRESS", "CONTAINER AND INTERFACE"],
        &rows,
    ));
    text
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::Range;

    #[rstest]
    #[case::a_node(json!({"subnet": "10.244.0.0/24"}), 253)]
    #[case::small(json!({"subnet": "10.244.0.0/29"}), 5)]
    #[case::from_to(json!({"subnet": "10.244.0.0/24", "rangeStart": "10.244.0.10", "rangeEnd": "10.244.0.19"}), 10)]
    #[case::gateway_within(
        json!({"subnet": "10.244.0.0/24", "rangeStart": "10.244.0.10", "rangeEnd": "10.244.0.19", "gateway": "10.244.0.12"}), 9)]
    #[case::ipv6(json!({"subnet": "fd00::/64"}), u128::from(u64::MAX) - 1)]
    fn sizes(#[case] range: serde_json::Value, #[case] usable: u128) {
        assert_eq!(Range::parse(&range).unwrap().usable(), usable);
    }

    #[rstest]
    #[case::no_subnet(json!({}))]
    #[case::no_prefix(json!({"subnet": "10.0.0.0"}))]
    #[case::prefix(json!({"subnet": "10.0.0.0/33"}))]
    #[case::start(json!({"subnet": "10.0.0.0/24", "rangeStart": "x"}))]
    fn what_is_no_range_has_no_size(#[case] range: serde_json::Value) {
        assert_eq!(Range::parse(&range), None);
    }
}
