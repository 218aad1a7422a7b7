//! The action: two tables, of commands and of files, and two documents made of kernel files.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use periscope_core::{
    Action, ActionContext, ActionError, Content, Descriptor, ItemDescriptor, PlanContext, PlannedItem, Scope,
    Sensitivity,
};
use periscope_host::{CommandRunner, HostPath, HostRoot, NetworkChoice};

use super::{conntrack, ipvs, legacy};
use crate::commands::{self, CommandRow};
use crate::host_files::{self, off_thread};
use crate::planned;

/// Reading 20,000 rules takes the tools a second or two; on a node under load they wait for the kernel's lock.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(50);

pub(crate) const DESCRIPTOR: Descriptor = Descriptor {
    id: "iptables",
    summary: "Packet filter rules with counters, IPVS services and the connection table's fill",
    timeout: Duration::from_mins(1),
    // A rule is some 150 bytes: a million of them.
    limit: 256 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Node,
    items: &[
        ItemDescriptor::new(
            "iptables-save.txt",
            "IPv4 rules of all tables with counters, from `iptables-save -c`",
        ),
        ItemDescriptor::new(
            "ip6tables-save.txt",
            "IPv6 rules of all tables with counters, from `ip6tables-save -c`",
        ),
        ItemDescriptor::new("nft-ruleset.txt", "nftables rules, from `nft list ruleset`"),
        ItemDescriptor::new(
            "iptables-version.txt",
            "Version of the tools and their backend, legacy or nf_tables",
        ),
        ItemDescriptor::new(
            LEGACY_IPV4,
            "IPv4 tables of the legacy backend, which rules of the other one do not show",
        ),
        ItemDescriptor::new(LEGACY_IPV6, "IPv6 tables of the legacy backend"),
        ItemDescriptor::new(
            periscope_documents::names::IPTABLES_LEGACY_SAVE,
            "IPv4 rules of the legacy backend, where it has any and the node's tools show the other one",
        ),
        ItemDescriptor::new(
            ipvs::SERVICES,
            "IPVS services and their servers, from `/proc/net/ip_vs`",
        ),
        ItemDescriptor::new(
            IPVS_STATS,
            "IPVS packet and connection counts, from `/proc/net/ip_vs_stats`",
        ),
        ItemDescriptor::new(conntrack::FILL, "Entries, limit and buckets of the connection table"),
        ItemDescriptor::new(
            CONNTRACK_STATS,
            "Counters of the connection table by CPU, hexadecimal, from `/proc/net/stat/nf_conntrack`",
        ),
    ],
};

const LEGACY_IPV4: &str = "legacy-tables-ipv4.txt";
const LEGACY_IPV6: &str = "legacy-tables-ipv6.txt";
const IPVS_STATS: &str = "ipvs-stats.txt";
const CONNTRACK_STATS: &str = "conntrack-stats.txt";

const COMMANDS: &[CommandRow] = &[
    row(
        "iptables-save.txt",
        &["/usr/sbin/iptables-save", "/sbin/iptables-save"],
        &["-c"],
        NetworkChoice::Host,
    ),
    row(
        "ip6tables-save.txt",
        &["/usr/sbin/ip6tables-save", "/sbin/ip6tables-save"],
        &["-c"],
        NetworkChoice::Host,
    ),
    row(
        "nft-ruleset.txt",
        &["/usr/sbin/nft", "/sbin/nft"],
        &["list", "ruleset"],
        NetworkChoice::Host,
    ),
    row(
        "iptables-version.txt",
        &["/usr/sbin/iptables", "/sbin/iptables"],
        &["--version"],
        NetworkChoice::Own,
    ),
];

const fn row(
    artifact: &'static str,
    programs: &'static [&'static str],
    args: &'static [&'static str],
    network: NetworkChoice,
) -> CommandRow {
    CommandRow {
        artifact,
        programs,
        args,
        content: Content::Text,
        network,
        timeout: COMMAND_TIMEOUT,
    }
}

/// Kernel files about the network of the node's process 1, which is the node's.
const FILES: &[(&str, &str)] = &[
    (LEGACY_IPV4, "/proc/1/net/ip_tables_names"),
    (LEGACY_IPV6, "/proc/1/net/ip6_tables_names"),
    (IPVS_STATS, "/proc/1/net/ip_vs_stats"),
    (CONNTRACK_STATS, conntrack::STATS),
];

/// Gathers the packet filter.
pub(crate) struct Iptables {
    root: HostRoot,
    commands: Arc<dyn CommandRunner>,
}

impl Iptables {
    pub(crate) fn new(root: HostRoot, commands: Arc<dyn CommandRunner>) -> Self {
        Self { root, commands }
    }

    async fn files(&self, cx: &ActionContext) {
        for (artifact, path) in FILES {
            if let Ok(path) = HostPath::new(path) {
                host_files::collect(&self.root, &cx.sink, &path, artifact, Content::Text).await;
            }
        }
    }
}

#[async_trait]
impl Action for Iptables {
    async fn plan(&self, _cx: &PlanContext) -> Option<Vec<PlannedItem>> {
        let root = self.root.clone();
        let look = move || {
            let mut items: Vec<_> = COMMANDS.iter().map(|row| planned::command(&root, row)).collect();
            let kernel = [
                (ipvs::SERVICES, "/proc/1/net/ip_vs"),
                (conntrack::FILL, "/proc/sys/net/netfilter"),
            ];
            let files = FILES.iter().chain(&kernel);
            items.extend(files.map(|(name, path)| planned::kernel_file(&root, name, path)));
            items
        };
        off_thread(look).await.ok()
    }

    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let commands = COMMANDS
            .iter()
            .map(|row| commands::collect(&*self.commands, &cx.sink, row));
        tokio::join!(
            join_all(commands),
            self.files(cx),
            legacy::collect(&self.root, &*self.commands, &cx.sink),
            ipvs::collect(&self.root, &cx.sink),
            conntrack::collect(&self.root, &*self.commands, &cx.sink),
        );
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use periscope_core::State;
    use periscope_testkit::{ActionRun, HostFixture, Script, ScriptedCommands};

    use super::{CONNTRACK_STATS, DESCRIPTOR, Iptables, LEGACY_IPV4, conntrack, ipvs};

    const RULES: &str = "*filter\n:INPUT ACCEPT [1:60]\n[1:60] -A INPUT -s 10.0.0.0/8 -j ACCEPT\nCOMMIT\n";

    async fn run(node: &HostFixture, commands: ScriptedCommands) -> ActionRun {
        ActionRun::of(&DESCRIPTOR, Arc::new(Iptables::new(node.root(), Arc::new(commands)))).await
    }

    #[tokio::test]
    async fn rules_services_and_the_connection_table_are_gathered() {
        let node = HostFixture::new()
            .file("/proc/1/net/ip_tables_names", "nat\nfilter\n")
            .file(
                "/proc/1/net/ip_vs",
                "TCP  0A600001:01BB rr\n  -> 0AF40002:1F90      Masq    1      0          0\n",
            )
            .file(
                "/proc/1/net/stat/nf_conntrack",
                "entries  searched\n0000002a  00000000\n",
            );
        let commands = ScriptedCommands::new()
            .with("/usr/sbin/iptables-save -c", Script::prints(RULES))
            .with("/sbin/ip6tables-save -c", Script::prints(""))
            .with("/usr/sbin/iptables-legacy-save -c", Script::prints("*nat\nCOMMIT\n"))
            .with("/usr/sbin/nft list ruleset", Script::prints("table ip filter {\n}\n"))
            .with(
                "/usr/sbin/iptables --version",
                Script::prints("iptables v1.8.9 (nf_tables)\n"),
            )
            .with(
                "/usr/bin/grep",
                Script::prints("/proc/sys/net/netfilter/nf_conntrack_count:42\n"),
            );
        let run = run(&node, commands).await;
        assert_eq!(run.text("iptables-save.txt"), RULES);
        assert_eq!(
            run.item("iptables-save.txt").source.as_deref(),
            Some("iptables-save -c")
        );
        assert_eq!(
            (run.state("ip6tables-save.txt"), run.text("ip6tables-save.txt").len()),
            (State::Collected, 0)
        );
        assert_eq!(run.text("iptables-version.txt"), "iptables v1.8.9 (nf_tables)\n");
        assert_eq!(run.text(LEGACY_IPV4), "nat\nfilter\n");
        assert_eq!(run.text("iptables-legacy-save.txt"), "*nat\nCOMMIT\n");
        assert!(run.text(ipvs::SERVICES).contains("-> 10.244.0.2:8080 "));
        assert_eq!(
            run.text(conntrack::FILL),
            "/proc/sys/net/netfilter/nf_conntrack_count:42\n"
        );
        assert!(run.text(CONNTRACK_STATS).contains("0000002a"));
        assert_eq!(run.items().len(), DESCRIPTOR.items.len());
        assert_eq!(run.record().state, State::Collected);
    }

    #[tokio::test]
    async fn a_node_without_tools_and_tables_says_so() {
        let run = run(&HostFixture::new(), ScriptedCommands::new()).await;
        assert!(
            run.items()
                .iter()
                .all(|item| matches!(item.state, State::NotPresent | State::NotApplicable)),
            "{:?}",
            run.items()
        );
        assert!(
            run.reason("iptables-save.txt")
                .contains("/usr/sbin/iptables-save or /sbin/iptables-save")
        );
    }

    #[tokio::test]
    async fn another_network_is_never_shown_as_the_nodes() {
        let node = HostFixture::new().file("/proc/1/net/stat/nf_conntrack", "entries\n");
        let commands = ScriptedCommands::new()
            .with("/usr/sbin/iptables-save", Script::prints(RULES))
            .with("/usr/sbin/iptables", Script::prints("iptables v1.8.9 (nf_tables)\n"))
            .with("/usr/bin/grep", Script::prints("x\n"))
            .not_in_host_network();
        let run = run(&node, commands).await;
        assert_eq!(run.state("iptables-save.txt"), State::Denied);
        assert_eq!(run.state(conntrack::FILL), State::Denied);
        assert_eq!(run.content("iptables-save.txt"), None);
        assert_eq!(run.state("iptables-version.txt"), State::Collected);
    }

    #[tokio::test]
    async fn a_tool_that_fails_keeps_what_it_printed_and_says_why() {
        let commands = ScriptedCommands::new()
            .with(
                "/usr/sbin/iptables-save",
                Script::fails(1, "iptables-save: lock timed out\n").after("*nat\n"),
            )
            .with(
                "/usr/sbin/ip6tables-save",
                Script::fails(4, "Fatal: can't open lock file: Permission denied\n"),
            )
            .with(
                "/usr/sbin/nft",
                Script::fails(
                    1,
                    "netlink: Error: cache initialization failed: Operation not permitted",
                ),
            );
        let run = run(&HostFixture::new(), commands).await;
        assert_eq!(
            (run.state("iptables-save.txt"), run.text("iptables-save.txt")),
            (State::Failed, "*nat\n".to_owned())
        );
        assert_eq!(
            run.reason("iptables-save.txt"),
            "iptables-save -c exited with status 1: iptables-save: lock timed out"
        );
        assert_eq!(
            (run.state("ip6tables-save.txt"), run.content("ip6tables-save.txt")),
            (State::Denied, None)
        );
        assert_eq!(run.state("nft-ruleset.txt"), State::Denied);
    }
}
