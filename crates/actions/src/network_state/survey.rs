//! Goes through all network namespaces once: the kernel's tables of each as they are, a row about each, and its
//! sockets.

use std::fmt::Write;

use periscope_core::{ArtifactSpec, Content, Sink, State};
use periscope_documents::{NetworkNamespaceState, Route, names, to_lines};
use periscope_host::HostRoot;

use super::namespaces::{MAX_NAMESPACES, NODE, Namespace, Namespaces};
use super::sockets::SocketList;
use super::{proc_net, routes};
use crate::host_files::reason_of;
use crate::table;

/// The rows as a table.
pub(super) const TABLE: &str = "namespaces.txt";

/// Most bytes of one of the kernel's tables of one pod.
const MAX_TABLE_BYTES: usize = 512 * 1024;

/// The tables that are kept of each namespace; sockets have a document of their own.
const TABLES: [&str; 10] = [
    "dev",
    "route",
    "ipv6_route",
    "if_inet6",
    "fib_trie",
    "arp",
    "snmp",
    "netstat",
    "sockstat",
    "sockstat6",
];

/// Writes what is known of each namespace, and all sockets. Blocks.
pub(super) fn write(root: &HostRoot, sink: &Sink, namespaces: &Namespaces) {
    let mut sockets = SocketList::new(root, sink, &namespaces.found);
    let mut rows = Vec::with_capacity(namespaces.found.len());
    for namespace in &namespaces.found {
        let mut row = describe(root, namespace);
        row.tcp = sockets.add(namespace);
        // The node's tables are items of their own.
        if namespace.name != NODE {
            row.file = keep(root, sink, namespace);
        }
        rows.push(row);
    }
    sockets.finish();
    let (state, reason) = match namespaces.left_out {
        0 => (State::Collected, None),
        more => {
            let reason = format!("{more} namespaces beyond the first {MAX_NAMESPACES} were not looked at");
            (State::Truncated, Some(reason))
        }
    };
    let json = to_lines(&rows).unwrap_or_default();
    let documents = [
        (names::NETWORK_NAMESPACES, Content::Json, json),
        (TABLE, Content::Text, as_table(&rows).into_bytes()),
    ];
    for (name, content, bytes) in documents {
        let mut writer = sink.writer(ArtifactSpec::new(name, content));
        let _full = writer.write_blocking(&bytes);
        writer.finish_blocking(state, reason.clone());
    }
}

fn describe(root: &HostRoot, namespace: &Namespace) -> NetworkNamespaceState {
    let text = |name: &str| {
        namespace
            .file(name)
            .and_then(|path| root.read_text(&path, MAX_TABLE_BYTES))
            .unwrap_or_default()
    };
    let addresses_ipv6 = proc_net::addresses_ipv6(&text("if_inet6"));
    let addresses = proc_net::addresses_ipv4(&text("fib_trie"))
        .iter()
        .map(ToString::to_string)
        .chain(addresses_ipv6.into_iter().map(|entry| entry.address))
        .filter(|address| address != "::1/128")
        .collect();
    let routes = routes::read(root, namespace).unwrap_or_default();
    NetworkNamespaceState {
        name: namespace.name.clone(),
        pid: namespace.pid,
        processes: namespace.pids.len(),
        interfaces: proc_net::interfaces(&text("dev")),
        addresses,
        default_routes: routes.into_iter().filter(Route::is_default).collect(),
        ..NetworkNamespaceState::default()
    }
}

/// Keeps the kernel's tables of one namespace as one file, each under its path, and returns its name.
fn keep(root: &HostRoot, sink: &Sink, namespace: &Namespace) -> String {
    let name = format!("namespaces/{}.txt", namespace.name.replace(['/', ' '], "_"));
    let source = format!("/proc/{}/net", namespace.pid);
    let mut writer = sink.writer(ArtifactSpec::new(&*name, Content::Text).source(source));
    for file in TABLES {
        let Ok(path) = namespace.file(file) else {
            continue;
        };
        let mut part = format!("==> {path} <==\n");
        match root.read_text(&path, MAX_TABLE_BYTES) {
            Ok(text) => part.push_str(&text),
            // Writing to a string cannot fail.
            Err(error) => drop(writeln!(part, "({})", reason_of(&error))),
        }
        if writer.write_blocking(part.as_bytes()).is_break() {
            break;
        }
    }
    writer.finish_blocking(State::Collected, None);
    name
}

fn as_table(rows: &[NetworkNamespaceState]) -> String {
    let rows: Vec<_> = rows
        .iter()
        .map(|row| {
            let interfaces: Vec<_> = row.interfaces.iter().map(|interface| interface.name.as_str()).collect();
            let tcp: Vec<_> = row
                .tcp
                .iter()
                .map(|(state, count)| format!("{state} {count}"))
                .collect();
            let gateways: Vec<_> = row
                .default_routes
                .iter()
                .map(|route| {
                    let gateway = route.gateway.as_deref().unwrap_or("link");
                    format!("{gateway} ({})", route.interface)
                })
                .collect();
            vec![
                row.name.clone(),
                row.pid.to_string(),
                row.processes.to_string(),
                interfaces.join(" "),
                row.addresses.join(" "),
                gateways.join(" "),
                tcp.join(", "),
            ]
        })
        .collect();
    table::render(
        &[
            "NAMESPACE",
            "PID",
            "PROCESSES",
            "INTERFACES",
            "ADDRESSES",
            "DEFAULT ROUTE",
            "TCP",
        ],
        &rows,
    )
}
