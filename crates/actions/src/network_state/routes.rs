//! The node's routes as the kernel's own files tell them, in a form that people and programs read.

use periscope_documents::Route;
use periscope_host::{HostError, HostRoot};

use super::namespaces::Namespace;
use super::proc_net;
use crate::table;

/// A route is a line of some 130 bytes: sixty thousand of them. A node with more has an item without them, and the
/// dump.
const MAX_TABLE_BYTES: usize = 8 * 1024 * 1024;

/// The routes of a namespace: IPv4's main table and all of IPv6's. Blocks.
///
/// # Errors
/// When the table of IPv4 cannot be read; one of IPv6 need not be there.
pub(super) fn read(root: &HostRoot, namespace: &Namespace) -> Result<Vec<Route>, HostError> {
    let mut routes = proc_net::routes_ipv4(&root.read_text(&namespace.file("route")?, MAX_TABLE_BYTES)?);
    if let Ok(table) = root.read_text(&namespace.file("ipv6_route")?, MAX_TABLE_BYTES) {
        routes.extend(proc_net::routes_ipv6(&table));
    }
    Ok(routes)
}

/// The routes as a table for people.
pub(super) fn as_table(routes: &[Route]) -> String {
    let rows: Vec<_> = routes
        .iter()
        .map(|route| {
            let flags = match (route.up, route.reject) {
                (_, true) => "reject",
                (true, false) => "up",
                (false, false) => "down",
            };
            vec![
                route.destination.clone(),
                route.gateway.clone().unwrap_or_else(|| "-".to_owned()),
                route.interface.clone(),
                route.metric.to_string(),
                flags.to_owned(),
            ]
        })
        .collect();
    table::render(&["DESTINATION", "GATEWAY", "INTERFACE", "METRIC", "STATE"], &rows)
}
