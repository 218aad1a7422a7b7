//! The sockets of all namespaces with the processes that have them open, streamed: a busy node has very many.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::ops::ControlFlow;

use periscope_core::{ArtifactSpec, ArtifactWriter, Content, Sink, State};
use periscope_documents::{Socket, names};
use periscope_host::HostRoot;

use super::namespaces::Namespace;
use super::owners::Owners;
use super::proc_net;

/// The sockets as a table.
pub(super) const TABLE: &str = "sockets.txt";

/// Most sockets of one namespace that are listed. All are counted.
const MAX_SOCKETS: usize = 10_000;

/// Most sockets that are listed in all.
const MAX_SOCKETS_IN_ALL: usize = 50_000;

/// The kernel writes lines of 150 bytes, of IPv6 some more.
const MAX_LINE_BYTES: u64 = 1024;

const PROTOCOLS: [&str; 4] = ["tcp", "tcp6", "udp", "udp6"];

/// Lists sockets namespace by namespace, and counts those of TCP by their states.
pub(super) struct SocketList<'a> {
    root: &'a HostRoot,
    owners: Owners,
    json: ArtifactWriter,
    table: ArtifactWriter,
    listed: usize,
    left_out: usize,
    stopped: bool,
}

impl<'a> SocketList<'a> {
    /// Opens the documents and finds the owners. Blocks.
    pub(super) fn new(root: &'a HostRoot, sink: &Sink, namespaces: &[Namespace]) -> Self {
        let owners = Owners::find(root, namespaces);
        let mut json = sink.writer(ArtifactSpec::new(names::SOCKETS, Content::Json).source("/proc/<pid>/net"));
        let mut table = sink.writer(ArtifactSpec::new(TABLE, Content::Text));
        let heading = row(&[
            "NAMESPACE",
            "PROTO",
            "STATE",
            "RECV-Q",
            "SEND-Q",
            "LOCAL",
            "REMOTE",
            "UID",
            "PROCESS",
        ]);
        let stopped = json.write_blocking(b"[\n").is_break() || table.write_blocking(heading.as_bytes()).is_break();
        Self {
            root,
            owners,
            json,
            table,
            listed: 0,
            left_out: 0,
            stopped,
        }
    }

    /// Lists the sockets of a namespace. Blocks.
    pub(super) fn add(&mut self, namespace: &Namespace) -> BTreeMap<String, u64> {
        let mut states = BTreeMap::new();
        let mut listed_here = 0;
        for protocol in PROTOCOLS {
            let Ok(file) = namespace.file(protocol).and_then(|path| self.root.open(&path)) else {
                continue;
            };
            let mut lines = BufReader::new(file);
            let mut line = Vec::new();
            loop {
                line.clear();
                match lines.by_ref().take(MAX_LINE_BYTES).read_until(b'\n', &mut line) {
                    Ok(1..) => {}
                    Ok(0) | Err(_) => break,
                }
                let Some(found) = proc_net::socket(&String::from_utf8_lossy(&line)) else {
                    continue;
                };
                if protocol.starts_with("tcp") {
                    *states.entry(found.state.to_owned()).or_default() += 1;
                }
                if listed_here == MAX_SOCKETS || self.listed == MAX_SOCKETS_IN_ALL {
                    self.left_out += 1;
                    continue;
                }
                listed_here += 1;
                self.write(namespace, protocol, found);
            }
        }
        states
    }

    fn write(&mut self, namespace: &Namespace, protocol: &str, found: proc_net::SocketRow) {
        if self.stopped {
            return;
        }
        let owner = self.owners.of(self.root, found.inode);
        let (pid, process) = owner.unzip();
        let socket = Socket {
            namespace: namespace.name.clone(),
            protocol: protocol.to_owned(),
            local: found.local,
            remote: found.remote,
            state: found.state.to_owned(),
            receive_queue: found.receive_queue,
            send_queue: found.send_queue,
            uid: found.uid,
            pid,
            process,
        };
        let Ok(element) = serde_json::to_string(&socket) else {
            return;
        };
        let separator = if self.listed == 0 { "" } else { ",\n" };
        self.listed += 1;
        let owner = match (&socket.process, socket.pid) {
            (Some(process), Some(pid)) => format!("{process}[{pid}]"),
            _ => "-".to_owned(),
        };
        let line = row(&[
            &socket.namespace,
            protocol,
            &socket.state,
            &socket.receive_queue.to_string(),
            &socket.send_queue.to_string(),
            &socket.local,
            &socket.remote,
            &socket.uid.to_string(),
            &owner,
        ]);
        let json = self.json.write_blocking(format!("{separator}{element}").as_bytes());
        let table = self.table.write_blocking(line.as_bytes());
        self.stopped = matches!((json, table), (ControlFlow::Break(()), ControlFlow::Break(())));
    }

    /// Closes the documents. Blocks.
    pub(super) fn finish(mut self) {
        let end: &[u8] = if self.listed == 0 { b"]\n" } else { b"\n]\n" };
        let _full = self.json.write_blocking(end);
        let problem = self.owners.problem.take();
        let (state, reason) = if self.left_out > 0 {
            let reason = format!("{} sockets are counted and not listed", self.left_out);
            (State::Truncated, Some(reason))
        } else {
            (State::Collected, problem)
        };
        self.json.finish_blocking(state, reason.clone());
        self.table.finish_blocking(state, reason);
    }
}

/// A line of the table, whose columns have fixed widths because it is not held whole.
fn row(cells: &[&str; 9]) -> String {
    let [namespace, protocol, state, receive, send, local, remote, uid, process] = cells;
    format!(
        "{namespace:<40} {protocol:<5} {state:<12} {receive:>7} {send:>7} {local:<30} {remote:<30} {uid:<6} {process}\n"
    )
}
