//! Counters of what should not happen, read twice: only their growth says whether it happens now.

use std::collections::BTreeMap;

use periscope_documents::NetworkCounter;
use periscope_host::HostRoot;

use super::namespaces::{NODE, Namespace};
use super::proc_net;
use crate::table;

/// Tables of counters have some kilobytes, that of interfaces a line for each.
const MAX_TABLE_BYTES: usize = 4 * 1024 * 1024;

/// Counters of a namespace: their name here, theirs in `snmp` or `netstat`, and what they are a part of.
const NAMESPACE_COUNTERS: [(&str, &str, &str); 9] = [
    ("listen-overflows", "TcpExt ListenOverflows", "Tcp PassiveOpens"),
    ("listen-drops", "TcpExt ListenDrops", "Tcp PassiveOpens"),
    ("tcp-backlog-drops", "TcpExt TCPBacklogDrop", "Tcp InSegs"),
    ("tcp-retransmits", "Tcp RetransSegs", "Tcp OutSegs"),
    ("tcp-memory-pressures", "TcpExt TCPMemoryPressures", ""),
    ("udp-receive-buffer-errors", "Udp RcvbufErrors", "Udp InDatagrams"),
    ("ip-in-discards", "Ip InDiscards", "Ip InReceives"),
    ("ip-out-no-routes", "Ip OutNoRoutes", "Ip OutRequests"),
    (
        "reverse-path-filter-drops",
        "TcpExt IPReversePathFilter",
        "Ip InReceives",
    ),
];

/// One reading: the counter and what it is a part of, by object and name.
pub(super) type Reading = BTreeMap<(String, String), (u64, u64)>;

/// Reads all counters. Blocks. What cannot be read is left out: its table is an item of its own, and says why.
pub(super) fn read(root: &HostRoot, namespaces: &[Namespace]) -> Reading {
    let mut reading = Reading::new();
    for namespace in namespaces {
        let text = |name: &str| {
            namespace
                .file(name)
                .and_then(|path| root.read_text(&path, MAX_TABLE_BYTES))
                .unwrap_or_default()
        };
        let mut values = proc_net::paired_lines(&text("snmp"));
        values.extend(proc_net::paired_lines(&text("netstat")));
        for (counter, key, of) in NAMESPACE_COUNTERS {
            if let Some(value) = values.get(key) {
                let of = values.get(of).copied().unwrap_or(0);
                reading.insert((namespace.name.clone(), counter.to_owned()), (*value, of));
            }
        }
        if namespace.name == NODE {
            add_interfaces(&text("dev"), &mut reading);
            add_cpus(&text("softnet_stat"), &mut reading);
        }
    }
    reading
}

fn add_interfaces(dev: &str, reading: &mut Reading) {
    for interface in proc_net::interfaces(dev) {
        let object = format!("interface {}", interface.name);
        let (rx, tx) = (interface.rx, interface.tx);
        for (counter, value, of) in [
            ("rx-errors", rx.errors, rx.packets),
            ("rx-dropped", rx.dropped, rx.packets),
            ("tx-errors", tx.errors, tx.packets),
            ("tx-dropped", tx.dropped, tx.packets),
        ] {
            // What was dropped is not among the packets that were taken.
            reading.insert((object.clone(), counter.to_owned()), (value, of.saturating_add(value)));
        }
    }
}

fn add_cpus(softnet: &str, reading: &mut Reading) {
    for (number, cpu) in proc_net::softnet(softnet).into_iter().enumerate() {
        let object = format!("cpu {number}");
        reading.insert(
            (object.clone(), "softnet-dropped".to_owned()),
            (cpu.dropped, cpu.processed),
        );
        reading.insert((object, "softnet-squeezed".to_owned()), (cpu.squeezed, cpu.processed));
    }
}

/// What two readings, so many milliseconds apart, say; counters that never counted are left out.
pub(super) fn compare(first: &Reading, second: &Reading, millis: u64) -> Vec<NetworkCounter> {
    second
        .iter()
        .filter(|(_, (total, _))| *total > 0)
        .map(|(key, (total, of))| {
            let (total_before, of_before) = first.get(key).copied().unwrap_or((*total, *of));
            NetworkCounter {
                object: key.0.clone(),
                counter: key.1.clone(),
                total: *total,
                of: *of,
                grew: total.saturating_sub(total_before),
                of_grew: of.saturating_sub(of_before),
                millis,
            }
        })
        .collect()
}

/// The counters as a table for people.
pub(super) fn as_table(counters: &[NetworkCounter]) -> String {
    let rows: Vec<_> = counters
        .iter()
        .map(|counter| {
            vec![
                counter.object.clone(),
                counter.counter.clone(),
                counter.total.to_string(),
                counter.of.to_string(),
                counter.grew.to_string(),
                counter.of_grew.to_string(),
                counter.millis.to_string(),
            ]
        })
        .collect();
    table::render(&["OBJECT", "COUNTER", "TOTAL", "OF", "GREW BY", "OF", "IN MS"], &rows)
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;

    use super::super::namespaces::find;
    use super::{compare, read};

    fn node(overflows: u32) -> HostFixture {
        HostFixture::new()
            .file("/proc/1/net/dev", "a\nb\n  eth0: 10 98 0 2 0 0 0 0 10 50 0 0 0 0 0 0\n")
            .file("/proc/1/net/softnet_stat", "0000000a 00000000 00000001\n")
            .file(
                "/proc/1/net/snmp",
                "Tcp: PassiveOpens OutSegs RetransSegs\nTcp: 20 10 0\n",
            )
            .file(
                "/proc/1/net/netstat",
                format!("TcpExt: ListenOverflows\nTcpExt: {overflows}\n"),
            )
    }

    #[test]
    fn growth_is_told_from_what_was() {
        let (before, after) = (node(3), node(10));
        let (before, after) = (before.root(), after.root());
        let first = read(&before, &find(&before).unwrap().found);
        let second = read(&after, &find(&after).unwrap().found);
        let rows = compare(&first, &second, 2000);
        let seen: Vec<_> = rows
            .iter()
            .map(|row| (row.object.as_str(), row.counter.as_str(), row.total, row.of, row.grew))
            .collect();
        assert_eq!(
            seen,
            [
                ("cpu 0", "softnet-squeezed", 1, 10, 0),
                ("interface eth0", "rx-dropped", 2, 100, 0),
                ("node", "listen-overflows", 10, 20, 7),
            ]
        );
    }
}
