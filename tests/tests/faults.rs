//! Faults made for real on the test node, one at a time and two at once, and what the first screen says of them. Those of
//! one domain are in `faults_*.rs`; without a fault there is nothing to say.

use std::sync::OnceLock;

use periscope_core::{Finding, Verdict};
use periscope_tests::{BrokenNameServer, Change, Diagnosis, KernelLines, PacketRule, Stopped, Turn, Where};
use rstest::rstest;

/// Where the outside answers as the registry.
const REGISTRY: &str = "203.0.113.10";

/// What a node like the test node cannot tell, by analyzer, and why not.
const UNKNOWN: &[(&str, &str)] = &[];

/// Takes a turn at the node, after the healthy node was looked at.
fn turn() -> (Turn, &'static Diagnosis) {
    static HEALTHY: OnceLock<Diagnosis> = OnceLock::new();
    let turn = Turn::take();
    let healthy = HEALTHY.get_or_init(|| Diagnosis::of_node(&turn.services, &[]));
    (turn, healthy)
}

/// The first line of a finding's evidence.
fn quote(finding: &Finding) -> &str {
    finding.evidence.first().map_or("", |evidence| &evidence.quote)
}

/// The file of a finding's first evidence, without the folders above the action's.
fn file(finding: &Finding) -> &str {
    let file = finding.evidence.first().map_or("", |evidence| &evidence.file);
    file.splitn(3, '/').nth(2).unwrap_or(file)
}

#[test]
fn a_healthy_node_is_silent() {
    let (_turn, healthy) = turn();
    healthy.silent_but_for(&[]);
    let unknown = healthy
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Unknown);
    let unexpected: Vec<_> = unknown
        .filter(|finding| {
            !UNKNOWN
                .iter()
                .any(|(analyzer, why)| finding.analyzer == *analyzer && finding.title.contains(why))
        })
        .collect();
    assert!(unexpected.is_empty(), "{unexpected:#?}");
    assert!(healthy.findings.iter().any(|finding| finding.verdict == Verdict::Pass));
}

#[test]
fn a_name_server_of_the_cluster_that_hangs() {
    let (turn, healthy) = turn();
    healthy.without("dns-server-failing");
    let _stopped = Stopped::on_node(&turn.services.cluster, "coredns");
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("dns-server-failing");
    assert!(found.title.contains("10.96.0.10"), "{found:#?}");
    assert_eq!(file(found), "dns/lookups.json");
    assert!(
        quote(found).contains("10.96.0.10") && quote(found).contains("timeout"),
        "{found:#?}"
    );
}

/// Two at once: what cannot be resolved cannot be reached.
#[test]
fn a_name_server_of_the_network_that_hangs_is_the_cause_of_what_cannot_be_reached() {
    let (turn, healthy) = turn();
    healthy.without("outbound-blocked");
    let _stopped = Stopped::outside(&turn.services.cluster, "coredns");
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("dns-server-failing");
    assert!(found.title.contains("168.63.129.16"), "{found:#?}");
    assert!(quote(found).contains("168.63.129.16"), "{found:#?}");
    is_caused_by(&diagnosis, "outbound-blocked", "dns-server-failing");
}

#[test]
fn a_name_server_that_answers_with_errors() {
    let (turn, _) = turn();
    let _broken = BrokenNameServer::answering(&turn.services.cluster, "SERVFAIL");
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("dns-server-failing");
    assert_eq!(file(found), "dns/lookups.json");
    assert!(quote(found).contains("SERVFAIL"), "{found:#?}");
    is_caused_by(&diagnosis, "outbound-blocked", "dns-server-failing");
}

/// Three at once: without a way out no name is resolved, and nothing is reached.
#[test]
fn a_missing_default_route_is_the_cause_of_all_that_follows_from_it() {
    let (turn, healthy) = turn();
    healthy.without("default-route-missing");
    let cluster = &turn.services.cluster;
    let routes = cluster.run_on_node(&["ip", "route", "show", "default"]);
    let add: Vec<&str> = ["ip", "route", "add"]
        .into_iter()
        .chain(routes.split_whitespace())
        .collect();
    let _gone = Change::make(cluster, &["ip", "route", "delete", "default"], &add);
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("default-route-missing");
    assert_eq!(file(found), "network-state/routes.json");
    is_caused_by(&diagnosis, "dns-server-failing", "default-route-missing");
    is_caused_by(&diagnosis, "outbound-blocked", "default-route-missing");
}

/// As a network security group does it: nothing on the node shows it.
#[test]
fn a_registry_whose_packets_are_dropped_on_the_way() {
    let (turn, healthy) = turn();
    healthy.without("outbound-blocked");
    let rule = ["INPUT", "--destination", REGISTRY, "--jump", "DROP"];
    let _dropped = PacketRule::add(&turn.services.cluster, Where::Outside, &rule);
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("outbound-blocked");
    assert!(found.title.contains("mcr.microsoft.com"), "{found:#?}");
    assert_eq!(file(found), "network-outbound/connections.json");
    assert!(quote(found).contains(r#""host":"mcr.microsoft.com""#), "{found:#?}");
    diagnosis.silent_but_for(&["outbound-blocked"]);
}

#[rstest]
#[case::kernel_oops("kernel-oops", "BUG: unable to handle page fault for address: ffffa0d3c0000000")]
#[case::io_error(
    "io-errors",
    "blk_update_request: I/O error, dev sdc, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 0"
)]
#[case::soft_lockup(
    "soft-lockup",
    "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [kworker/1:2:1234]"
)]
#[case::hung_task("hung-task", "INFO: task java:4711 blocked for more than 120 seconds.")]
#[case::corrupt_file_system(
    "filesystem-corrupt",
    "EXT4-fs error (device sda1): ext4_lookup:1785: inode #262150: comm kubelet: deleted inode referenced: 262211"
)]
#[case::conntrack_table("conntrack-table-full", "nf_conntrack: nf_conntrack: table full, dropping packet")]
#[case::memory_error(
    "memory-hardware-error",
    "EDAC MC0: 1 UE memory read error on CPU_SrcID#0_MC#0_Chan#0_DIMM#0 (channel:0 slot:0 page:0x12345 offset:0x0 grain:32)"
)]
fn a_line_of_the_kernel(#[case] fault: &str, #[case] line: &str) {
    let (turn, healthy) = turn();
    healthy.without(fault);
    let _lines = KernelLines::write(&turn.services.cluster, &[line]);
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first(fault);
    assert!(quote(found).ends_with(line), "{found:#?}");
    diagnosis.silent_but_for(&[fault]);
}

/// Every ten seconds, as the kernel repeats it while the interface does not go away.
#[test]
fn an_interface_that_is_never_given_back() {
    let (turn, healthy) = turn();
    healthy.without("unregister-netdevice");
    let line = "unregister_netdevice: waiting for eth0 to become free. Usage count = 2";
    let _lines = KernelLines::write(&turn.services.cluster, &[line; 6]);
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("unregister-netdevice");
    assert!(quote(found).ends_with(line), "{found:#?}");
    diagnosis.silent_but_for(&["unregister-netdevice"]);
}

/// The finding of `effect` names one of `cause` as its cause.
fn is_caused_by(diagnosis: &Diagnosis, effect: &str, cause: &str) {
    diagnosis.find(cause);
    let effect = diagnosis.find(effect);
    assert_eq!(
        effect.cause.as_deref(),
        Some(cause),
        "{effect:#?}\n{}",
        diagnosis.screen
    );
}
