//! The action: two tables, of commands and of files, and the documents made of the kernel's files.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem,
    Scope, Sensitivity, Sink, State,
};
use periscope_documents::{names, to_lines};
use periscope_host::{CommandRunner, HostError, HostPath, HostRoot, NetworkChoice};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, sleep_until};

use super::namespaces::{self, Namespaces};
use super::{counters, interfaces, routes, sockets, survey};
use crate::commands::{self, CommandRow};
use crate::host_files::{self, off_thread, reason_of, state_of};
use crate::planned;

/// `ip` asks the kernel and prints; a table of a hundred thousand routes takes seconds.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(20);

/// The least time between two readings of the counters: long enough that what happens now shows.
const BETWEEN_READINGS: Duration = Duration::from_secs(2);

const INTERFACES_TABLE: &str = "interfaces.txt";
const ROUTES_TABLE: &str = "routes.txt";
const COUNTERS_TABLE: &str = "counters.txt";
const NAMED: &str = "named-namespaces.txt";

/// Where tools and runtimes keep network namespaces by name, with or without a process in them.
const NAMED_FOLDERS: [&str; 2] = ["/run/netns", "/run/docker/netns"];

pub(crate) const DESCRIPTOR: Descriptor = Descriptor {
    id: names::NETWORK_STATE,
    summary: "Interfaces, addresses, routes and rules, neighbours, sockets with owners, drops, by network namespace",
    timeout: Duration::from_mins(1),
    limit: 64 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Node,
    items: &[
        ItemDescriptor::new(
            names::INTERFACES,
            "The node's interfaces: kind, MTU, state, bridge, addresses, packets, errors and drops",
        ),
        ItemDescriptor::new(INTERFACES_TABLE, "The interfaces as a table"),
        ItemDescriptor::new(
            names::ROUTES,
            "The node's routes from the kernel's files: IPv4's main table, IPv6's all",
        ),
        ItemDescriptor::new(ROUTES_TABLE, "The routes as a table"),
        ItemDescriptor::new(
            names::NETWORK_COUNTERS,
            "Counters of drops, errors, overflows and retransmissions, and how much they grew meanwhile",
        ),
        ItemDescriptor::new(COUNTERS_TABLE, "The counters as a table"),
        ItemDescriptor::new(
            names::NETWORK_NAMESPACES,
            "Each network namespace with a process: its pod, interfaces, addresses, default route, TCP by state",
        ),
        ItemDescriptor::new(survey::TABLE, "The network namespaces as a table"),
        ItemDescriptor::new(
            "namespaces/<name>.txt",
            "The kernel's tables of that namespace: interfaces, routes, neighbours, counters",
        ),
        ItemDescriptor::new(
            NAMED,
            "The network namespaces that have a name, with or without a process",
        ),
        ItemDescriptor::new(
            names::SOCKETS,
            "Sockets of TCP and UDP in all namespaces, with state, queues and process",
        ),
        ItemDescriptor::new(sockets::TABLE, "The sockets as a table"),
        ItemDescriptor::new("ip-links.txt", "`ip -d -s link show`"),
        ItemDescriptor::new("ip-addresses.txt", "`ip address show`"),
        ItemDescriptor::new(
            names::IP_ROUTES,
            "IPv4 routes of all tables, `ip -4 route show table all`",
        ),
        ItemDescriptor::new("ip-routes-ipv6.txt", "IPv6 routes of all tables"),
        ItemDescriptor::new(names::IP_RULES, "IPv4 rules that choose a table, `ip -4 rule show`"),
        ItemDescriptor::new("ip-rules-ipv6.txt", "IPv6 rules that choose a table"),
        ItemDescriptor::new(
            "ip-neighbours.txt",
            "Neighbours with their states, `ip -s neighbour show`",
        ),
        ItemDescriptor::new("bridge-links.txt", "Ports of bridges, `bridge -d link show`"),
        ItemDescriptor::new(
            "bridge-fdb.txt",
            "Forwarding tables of bridges and VXLANs, `bridge fdb show`",
        ),
        ItemDescriptor::new("qdiscs.txt", "Queues with their drops, `tc -s qdisc show`"),
        ItemDescriptor::new("proc/<table>", "The kernel's tables of the node, from `/proc/1/net`"),
    ],
};

const IP: &[&str] = &["/usr/sbin/ip", "/sbin/ip", "/usr/bin/ip", "/bin/ip"];
const BRIDGE: &[&str] = &["/usr/sbin/bridge", "/sbin/bridge", "/usr/bin/bridge"];
const TC: &[&str] = &["/usr/sbin/tc", "/sbin/tc", "/usr/bin/tc"];

const COMMANDS: &[CommandRow] = &[
    row("ip-links.txt", IP, &["-d", "-s", "link", "show"]),
    row("ip-addresses.txt", IP, &["address", "show"]),
    row(names::IP_ROUTES, IP, &["-4", "route", "show", "table", "all"]),
    row("ip-routes-ipv6.txt", IP, &["-6", "route", "show", "table", "all"]),
    row(names::IP_RULES, IP, &["-4", "rule", "show"]),
    row("ip-rules-ipv6.txt", IP, &["-6", "rule", "show"]),
    row("ip-neighbours.txt", IP, &["-s", "neighbour", "show"]),
    row("bridge-links.txt", BRIDGE, &["-d", "link", "show"]),
    row("bridge-fdb.txt", BRIDGE, &["fdb", "show"]),
    row("qdiscs.txt", TC, &["-s", "qdisc", "show"]),
];

const fn row(artifact: &'static str, programs: &'static [&'static str], args: &'static [&'static str]) -> CommandRow {
    CommandRow {
        artifact,
        programs,
        args,
        content: Content::Text,
        network: NetworkChoice::Host,
        timeout: COMMAND_TIMEOUT,
    }
}

/// Kernel tables about the network of the node's process 1, which is the node's.
const PROC_TABLES: [&str; 13] = [
    "arp",
    "dev",
    "fib_trie",
    "if_inet6",
    "ipv6_route",
    "netstat",
    "route",
    "snmp",
    "snmp6",
    "sockstat",
    "sockstat6",
    "softnet_stat",
    "unix",
];

/// Gathers the state of the network.
pub(crate) struct NetworkState {
    root: HostRoot,
    commands: Arc<dyn CommandRunner>,
}

impl NetworkState {
    pub(crate) fn new(root: HostRoot, commands: Arc<dyn CommandRunner>) -> Self {
        Self { root, commands }
    }

    async fn proc_tables(&self, sink: &Sink) {
        for name in PROC_TABLES {
            if let Ok(path) = HostPath::new(&format!("/proc/1/net/{name}")) {
                host_files::collect(&self.root, sink, &path, &format!("proc/{name}"), Content::Text).await;
            }
        }
    }

    /// Interfaces and routes of the node.
    async fn node(&self, sink: &Sink, namespaces: &Namespaces) {
        let Some(node) = namespaces.found.iter().find(|namespace| namespace.pid == 1).cloned() else {
            let all = [names::INTERFACES, INTERFACES_TABLE, names::ROUTES, ROUTES_TABLE];
            for name in all {
                sink.record(
                    name,
                    State::NotPresent,
                    "the network of the node's process 1 is not to be seen",
                );
            }
            return;
        };
        let root = self.root.clone();
        let read = off_thread(move || {
            let routes = routes::read(&root, &node);
            let interfaces = interfaces::read(&root, &node, routes.as_deref().unwrap_or_default());
            (routes, interfaces)
        });
        let (routes, interfaces) = match read.await {
            Ok(read) => read,
            Err(error) => {
                sink.record(names::INTERFACES, State::Failed, error.to_string());
                return;
            }
        };
        match routes {
            Ok(routes) => {
                keep(sink, names::ROUTES, to_lines(&routes), None).await;
                text(sink, ROUTES_TABLE, routes::as_table(&routes)).await;
            }
            Err(error) => refuse(sink, &[names::ROUTES, ROUTES_TABLE], &error),
        }
        match interfaces {
            Ok(interfaces) => {
                keep(sink, names::INTERFACES, to_lines(&interfaces.found), interfaces.problem).await;
                text(sink, INTERFACES_TABLE, interfaces::as_table(&interfaces.found)).await;
            }
            Err(error) => refuse(sink, &[names::INTERFACES, INTERFACES_TABLE], &error),
        }
    }

    async fn survey(&self, sink: &Sink, namespaces: &Namespaces) {
        let (root, there, namespaces) = (self.root.clone(), sink.clone(), namespaces.clone());
        if let Err(error) = off_thread(move || survey::write(&root, &there, &namespaces)).await {
            sink.record(names::NETWORK_NAMESPACES, State::Failed, error.to_string());
        }
    }

    async fn named(&self, sink: &Sink) {
        let root = self.root.clone();
        let listed = off_thread(move || {
            let mut listed = String::new();
            let mut there = false;
            for folder in NAMED_FOLDERS {
                let Ok(path) = HostPath::new(folder) else { continue };
                if let Ok(entries) = root.read_dir(&path) {
                    there = true;
                    listed.extend(entries.iter().map(|entry| format!("{folder}/{}\n", entry.name)));
                }
            }
            there.then_some(listed)
        });
        match listed.await {
            Ok(Some(listed)) => text(sink, NAMED, listed).await,
            Ok(None) => {
                let reason = format!("there is no {}", NAMED_FOLDERS.join(" or "));
                host_files::record_none(&self.root, sink, NAMED, &NAMED_FOLDERS, (State::NotPresent, &reason)).await;
            }
            Err(error) => sink.record(NAMED, State::Failed, error.to_string()),
        }
    }
}

#[async_trait]
impl Action for NetworkState {
    async fn plan(&self, _cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let root = self.root.clone();
        let look = move || {
            let mut items: Vec<_> = COMMANDS.iter().map(|row| planned::command(&root, row)).collect();
            let tables = PROC_TABLES.iter();
            items.extend(
                tables.map(|name| planned::kernel_file(&root, &format!("proc/{name}"), &format!("/proc/1/net/{name}"))),
            );
            let documents = DESCRIPTOR.items.iter().filter(|item| item.is_fixed());
            let made = documents.filter(|item| COMMANDS.iter().all(|row| row.artifact != item.path));
            items.extend(made.map(|item| PlannedItem::new(item.path, "/proc/<pid>/net")));
            items
        };
        off_thread(look).await.ok()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let sink = &cx.sink;
        let root = self.root.clone();
        let found = off_thread(move || {
            let namespaces = namespaces::find(&root)?;
            let reading = counters::read(&root, &namespaces.found);
            Ok::<_, HostError>((namespaces, reading))
        });
        let started = Instant::now();
        let (namespaces, first) = found
            .await
            .map_err(|error| {
                ActionError::new(State::Failed, "the node's processes cannot be looked at").because(error)
            })?
            .map_err(|error| ActionError::new(state_of(&error), reason_of(&error)))?;
        let commands = COMMANDS.iter().map(|row| commands::collect(&*self.commands, sink, row));
        tokio::join!(
            join_all(commands),
            self.proc_tables(sink),
            self.node(sink, &namespaces),
            self.survey(sink, &namespaces),
            self.named(sink),
            sleep_until(started + BETWEEN_READINGS),
        );
        let root = self.root.clone();
        let millis = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        match off_thread(move || counters::read(&root, &namespaces.found)).await {
            Ok(second) => {
                let rows = counters::compare(&first, &second, millis);
                keep(sink, names::NETWORK_COUNTERS, to_lines(&rows), None).await;
                text(sink, COUNTERS_TABLE, counters::as_table(&rows)).await;
            }
            Err(error) => sink.record(names::NETWORK_COUNTERS, State::Failed, error.to_string()),
        }
        Ok(())
    }
}

/// Keeps a document, with what should be known about it.
async fn keep(sink: &Sink, name: &str, document: serde_json::Result<Vec<u8>>, remark: Option<String>) {
    let document = match document {
        Ok(document) => document,
        Err(error) => return sink.record(name, State::Failed, error.to_string()),
    };
    let mut writer = sink.writer(ArtifactSpec::new(name, Content::Json));
    match writer.write_all(&document).await {
        Ok(()) => writer.finish_as(State::Collected, remark).await,
        Err(error) => writer.finish_as(State::Failed, Some(error.to_string())).await,
    };
}

async fn text(sink: &Sink, name: &str, text: String) {
    sink.document(ArtifactSpec::new(name, Content::Text), text).await;
}

fn refuse(sink: &Sink, names: &[&str], error: &HostError) {
    for name in names {
        sink.record(name, state_of(error), reason_of(error));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use periscope_core::State;
    use periscope_documents::{Interface, NetworkNamespaceState, Route, Socket, from_lines, names};
    use periscope_testkit::{ActionRun, HostFixture, Script, ScriptedCommands};

    use super::{DESCRIPTOR, NetworkState};

    const DEV: &str = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:    3193      29    0    0    0     0          0         0     3193      29    0    0    0     0       0          0
  eth0: 394470636  277042    0   23    0     0          0         0  2014011   15012    0    0    0     0       0          0
vethab:     100       1    0    0    0     0          0         0      100       1    0    0    0     0       0          0
";
    const ROUTE: &str = "\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t0100E00A\t0003\t0\t0\t100\t00000000\t0\t0\t0
eth0\t0000E00A\t00000000\t0001\t0\t0\t100\t0000FFFF\t0\t0\t0
";
    const TRIE: &str = "Local:\n   |-- 10.224.0.4\n      /32 host LOCAL\n";
    const TCP: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   101        0 17251 1 0
   1: 0400E00A:1F90 0500E00A:D431 06 00000000:00000000 03:00000A1B 00000000     0        0 0 3 0
";

    fn class(node: HostFixture, name: &str, rx: &str, values: &[(&str, &str)]) -> HostFixture {
        let folder = format!("/sys/class/net/{name}");
        let node = node.file(&format!("{folder}/statistics/rx_bytes"), rx);
        values.iter().fold(node, |node, (file, value)| {
            node.file(&format!("{folder}/{file}"), value)
        })
    }

    /// An AKS node as far as its network goes, with a pod.
    fn node() -> HostFixture {
        let node = HostFixture::new()
            .file("/proc/1/net/dev", DEV)
            .file("/proc/1/net/route", ROUTE)
            .file("/proc/1/net/fib_trie", TRIE)
            .file("/proc/1/net/tcp", TCP)
            .file("/proc/1/net/snmp", "Tcp: OutSegs RetransSegs\nTcp: 10 0\n")
            .link("/proc/1/fd/3", "socket:[17251]")
            .file("/proc/77/net/dev", DEV)
            .file("/proc/77/comm", "nginx\n")
            .file(
                "/proc/77/cgroup",
                "0::/kubepods.slice/kubepods-pod11111111_2222_3333_4444_555555555555.slice/x.scope\n",
            )
            .file("/proc/77/net/tcp", TCP)
            .dir("/var/log/pods/default_app-0_11111111-2222-3333-4444-555555555555")
            .dir("/run/netns/cni-1234");
        let node = class(
            node,
            "lo",
            "3193\n",
            &[("ifindex", "1"), ("type", "772"), ("mtu", "65536")],
        );
        let node = class(
            node,
            "eth0",
            "394470636\n",
            &[
                ("ifindex", "2"),
                ("iflink", "2"),
                ("type", "1"),
                ("mtu", "1500"),
                ("operstate", "up"),
                ("device/vendor", ""),
            ],
        );
        class(
            node,
            "vethab",
            "100\n",
            &[("ifindex", "7"), ("iflink", "3"), ("type", "1"), ("mtu", "1450")],
        )
        .link("/sys/class/net/vethab/master", "../cni0")
    }

    async fn run(node: &HostFixture, commands: ScriptedCommands) -> ActionRun {
        ActionRun::of(
            &DESCRIPTOR,
            Arc::new(NetworkState::new(node.root(), Arc::new(commands))),
        )
        .await
    }

    fn read<T: serde::de::DeserializeOwned>(run: &ActionRun, name: &str) -> Vec<T> {
        let rows = from_lines(&run.text(name)).unwrap();
        rows.into_iter().map(|(_, row)| row).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn interfaces_routes_namespaces_and_sockets_are_gathered() {
        let commands = ScriptedCommands::new().with(
            "/usr/sbin/ip -4 rule show",
            Script::prints("0:\tfrom all lookup local\n"),
        );
        let run = run(&node(), commands).await;
        let interfaces: Vec<Interface> = read(&run, names::INTERFACES);
        let seen: Vec<_> = interfaces
            .iter()
            .map(|i| {
                (
                    i.name.as_str(),
                    i.kind.as_deref().unwrap_or_default(),
                    i.mtu,
                    i.master.as_deref(),
                )
            })
            .collect();
        assert_eq!(
            seen,
            [
                ("lo", "loopback", Some(65536), None),
                ("eth0", "physical", Some(1500), None),
                ("vethab", "veth", Some(1450), Some("cni0"))
            ]
        );
        assert_eq!(interfaces[1].addresses, ["10.224.0.4/16"]);
        let routes: Vec<Route> = read(&run, names::ROUTES);
        assert!(routes[0].is_default() && routes.len() == 2);
        let namespaces: Vec<NetworkNamespaceState> = read(&run, names::NETWORK_NAMESPACES);
        assert_eq!(
            namespaces.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(),
            ["node", "default/app-0"]
        );
        assert_eq!(namespaces[1].tcp.get("TIME-WAIT"), Some(&1));
        assert!(
            run.text("namespaces/default_app-0.txt")
                .starts_with("==> /proc/77/net/dev <==\nInter-")
        );
        let sockets: Vec<Socket> = read(&run, names::SOCKETS);
        assert_eq!(sockets.len(), 4);
        assert_eq!(
            (sockets[0].local.as_str(), sockets[0].process.as_deref()),
            ("0.0.0.0:8080", Some("init"))
        );
        assert_eq!((sockets[1].remote.as_str(), sockets[1].pid), ("10.224.0.5:54321", None));
        assert_eq!(run.text(names::IP_RULES), "0:\tfrom all lookup local\n");
        assert_eq!(run.text("named-namespaces.txt"), "/run/netns/cni-1234\n");
        assert!(run.text("counters.txt").contains("interface eth0  rx-dropped"));
        assert_eq!(run.state("ip-links.txt"), State::NotPresent);
        assert_eq!(run.text("proc/dev"), DEV);
        assert_eq!(run.record().state, State::Collected);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_of_the_time_of_docker_is_known_by_what_its_kernel_tells() {
        // kubenet's bridge, tools in the old place, a container in a control group of docker's, nothing below /sys.
        let dev = DEV.replace("vethab:", "  cbr0:");
        let route = format!("{ROUTE}cbr0\t0001F40A\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n");
        let node = HostFixture::new()
            .file("/proc/1/net/dev", dev)
            .file("/proc/1/net/route", route)
            .file("/proc/1/net/fib_trie", TRIE.replace("10.224.0.4", "10.244.1.1"))
            .file("/proc/55/net/dev", DEV)
            .file(
                "/proc/55/cgroup",
                "11:memory:/kubepods/besteffort/podaaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee/\
                 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n",
            );
        let commands = ScriptedCommands::new().with("/sbin/ip -d -s link show", Script::prints("1: lo\n"));
        let run = run(&node, commands).await;
        let interfaces: Vec<Interface> = read(&run, names::INTERFACES);
        let bridge = interfaces.iter().find(|interface| interface.name == "cbr0").unwrap();
        assert_eq!(
            (bridge.addresses.join(" "), bridge.mtu),
            ("10.244.1.1/24".to_owned(), None)
        );
        let namespaces: Vec<NetworkNamespaceState> = read(&run, names::NETWORK_NAMESPACES);
        assert_eq!(namespaces[1].name, "pod aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee");
        assert_eq!(run.state(&namespaces[1].file), State::Collected);
        assert_eq!(run.text("ip-links.txt"), "1: lo\n");
        assert_eq!(run.state("proc/snmp6"), State::NotPresent);
    }

    #[tokio::test(start_paused = true)]
    async fn what_shows_another_network_is_not_believed() {
        // A pod's /sys beside the node's /proc: the counters do not agree.
        let node = class(node(), "eth0", "5\n", &[]);
        let run = run(&node, ScriptedCommands::new().not_in_host_network()).await;
        let interfaces: Vec<Interface> = read(&run, names::INTERFACES);
        assert!(interfaces.iter().all(|interface| interface.mtu.is_none()));
        assert!(
            run.reason(names::INTERFACES)
                .contains("not shown to be of the node's network")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn another_network_is_never_shown_as_the_nodes() {
        let commands = ScriptedCommands::new()
            .with("/usr/sbin/ip", Script::prints("default via 10.0.0.1 dev eth0\n"))
            .not_in_host_network();
        let run = run(&node(), commands).await;
        assert_eq!(run.state(names::IP_ROUTES), State::Denied);
        assert_eq!(run.content(names::IP_ROUTES), None);
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_of_which_nothing_is_seen_says_so() {
        let run = run(&HostFixture::new(), ScriptedCommands::new()).await;
        assert_eq!(run.state(names::INTERFACES), State::NotPresent);
        assert_eq!(run.state(names::IP_RULES), State::NotPresent);
        assert_eq!(run.text(names::SOCKETS), "[\n]\n");
    }
}
