//! Faults of the network, each made for real in network namespaces of the test's own, and what a collection in there
//! finds: the fault first, with its line; and nothing of the kind without it. The machine's own network is not touched.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

mod network;
mod plugins;
mod servers;

use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};

use network::Network;
use periscope_core::Finding;
use plugins::PluginNode;
use rstest::rstest;
use servers::{NameServer, resolv_conf, serve_names, serve_tls};

/// The first evidence: its file below the action's folder, and its line.
fn place(finding: &Finding) -> (&str, Option<u64>) {
    let evidence = finding.evidence.first().expect("evidence");
    let file = evidence.file.strip_prefix("nodes/node-1/").unwrap_or(&evidence.file);
    (file, evidence.line)
}

fn quote(finding: &Finding) -> &str {
    finding.evidence.first().map_or("", |evidence| &evidence.quote)
}

#[test]
fn a_full_table_of_connections() {
    let network = Network::new();
    // Connections are only tracked where a rule asks about them.
    network.run(&[
        "iptables",
        "-A",
        "OUTPUT",
        "-m",
        "conntrack",
        "--ctstate",
        "NEW",
        "-j",
        "ACCEPT",
    ]);
    network.diagnose("iptables", &[], &[]).silent_but_for(&[]);

    network.run(&["sysctl", "-q", "-w", "net.netfilter.nf_conntrack_udp_timeout=600"]);
    let limit = fs::read_to_string("/proc/sys/net/netfilter/nf_conntrack_max").expect("the kernel tracks connections");
    let limit: u32 = limit.trim().parse().expect("a number");
    // The limit is the whole machine's and cannot be changed in here, but the table is counted for each namespace.
    Network::inside(&network.name, move || {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        for n in 0..limit + 4096 {
            let address = Ipv4Addr::from(0x7f01_0000 + n / 60_000);
            let port = u16::try_from(1024 + n % 60_000).expect("a port");
            // What finds no room is lost, which is what is wanted.
            socket.send_to(b"x", SocketAddr::from((address, port))).ok();
        }
    });
    let diagnosis = network.diagnose("iptables", &[], &[]);
    let found = diagnosis.first("conntrack-full");
    assert_eq!(place(found), ("iptables/conntrack.txt", Some(1)));
    assert!(quote(found).contains("nf_conntrack_count:"), "{found:#?}");
    assert!(found.title.starts_with("Connections are dropped"), "{found:#?}");
    assert!(
        found.evidence.iter().any(|it| it.file.ends_with("conntrack-stats.txt")),
        "{found:#?}"
    );
}

#[test]
fn a_default_route_that_is_gone() {
    let network = Network::new();
    network.diagnose("network-state", &[], &[]).silent_but_for(&[]);
    network.ip(&["route", "del", "default"]);
    let diagnosis = network.diagnose("network-state", &[], &[]);
    let found = diagnosis.first("default-route-missing");
    assert_eq!(place(found).0, "network-state/routes.json");
    assert!(
        quote(found).contains("10.9.0.0/24"),
        "what is left is shown: {found:#?}"
    );
}

#[test]
fn a_rule_of_routing_that_is_gone() {
    let network = Network::new();
    network.ip(&["rule", "del", "from", "all", "lookup", "main"]);
    let diagnosis = network.diagnose("network-state", &[], &[]);
    let found = diagnosis.first("ip-rule-missing");
    assert_eq!(place(found), ("network-state/ip-rules-ipv4.txt", Some(1)));
    assert!(found.title.contains("the table main"), "{found:#?}");
}

#[test]
fn a_rule_that_refuses() {
    let network = Network::new();
    network.run(&["iptables", "-N", "KUBE-FIREWALL"]);
    network.run(&[
        "iptables",
        "-A",
        "KUBE-FIREWALL",
        "-m",
        "mark",
        "--mark",
        "0x8000/0x8000",
        "-j",
        "DROP",
    ]);
    network.run(&["iptables", "-A", "OUTPUT", "-j", "KUBE-FIREWALL"]);
    network.diagnose("iptables", &[], &[]).silent_but_for(&[]);

    network.run(&[
        "iptables", "-A", "OUTPUT", "-d", "10.0.0.1", "-p", "tcp", "--dport", "443", "-j", "REJECT",
    ]);
    let diagnosis = network.diagnose("iptables", &[], &[]);
    let found = diagnosis.first("iptables-reject-rule");
    assert_eq!(place(found).0, "iptables/iptables-save.txt");
    assert!(
        quote(found).contains("-A OUTPUT -d 10.0.0.1/32 -p tcp -m tcp --dport 443 -j REJECT"),
        "{found:#?}"
    );
}

#[test]
fn services_in_both_backends() {
    let network = Network::new();
    let add = |tool: &str| {
        network.run(&[tool, "-t", "nat", "-N", "KUBE-SERVICES"]);
        network.run(&[
            tool,
            "-t",
            "nat",
            "-A",
            "KUBE-SERVICES",
            "-d",
            "10.0.0.1",
            "-j",
            "RETURN",
        ]);
    };
    add("iptables-nft");
    network.diagnose("iptables", &[], &[]).silent_but_for(&[]);
    add("iptables-legacy");
    let diagnosis = network.diagnose("iptables", &[], &[]);
    let found = diagnosis.first("iptables-mixed-backends");
    assert!(
        found
            .evidence
            .iter()
            .any(|it| it.file.ends_with("iptables-legacy-save.txt")),
        "{found:#?}"
    );
    assert!(quote(found).contains("-A KUBE-SERVICES -d 10.0.0.1/32"), "{found:#?}");
}

#[test]
fn pods_whose_packets_are_too_large() {
    let network = Network::new();
    let pod = |name: &str, mtu: &str| {
        let peer = format!("{name}-pod");
        network.ip(&[
            "link", "add", name, "mtu", mtu, "type", "veth", "peer", "name", &peer, "mtu", mtu,
        ]);
        for end in [name, &peer] {
            network.ip(&["link", "set", end, "up"]);
        }
    };
    pod("cali1", "1500");
    pod("cali2", "1500");
    network.diagnose("network-state", &[], &[]).silent_but_for(&[]);

    network.ip(&["link", "set", "eth0", "mtu", "1400"]);
    let diagnosis = network.diagnose("network-state", &[], &[]);
    let found = diagnosis.first("mtu-mixed");
    assert_eq!(place(found).0, "network-state/interfaces.json");
    assert!(
        quote(found).contains("\"cali") && found.title.contains("1400 bytes"),
        "{found:#?}"
    );

    network.ip(&["link", "set", "eth0", "mtu", "1500"]);
    pod("cali3", "1450");
    let diagnosis = network.diagnose("network-state", &[], &[]);
    let found = diagnosis.first("mtu-mixed");
    assert!(quote(found).contains("\"cali3"), "{found:#?}");
}

#[test]
fn a_process_that_accepts_no_connections() {
    let network = Network::new();
    let (listener, clients) = Network::inside(&network.name, || {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("its address");
        // The queue takes 129 of them, and their clients go on trying for the others.
        let clients: Vec<_> = (0..400).map(|_| connect_without_waiting(address)).collect();
        (listener, clients)
    });
    let diagnosis = network.diagnose("network-state", &[], &[]);
    drop((listener, clients));
    let found = diagnosis.first("packet-drops");
    assert_eq!(place(found).0, "network-state/counters.json");
    assert!(quote(found).contains("listen-overflows"), "{found:#?}");
    network.diagnose("network-state", &[], &[]).without("packet-drops");
}

fn connect_without_waiting(address: SocketAddr) -> rustix::fd::OwnedFd {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, connect, socket_with};
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("a socket");
    connect(&socket, &address).expect_err("it is under way");
    socket
}

#[test]
fn a_range_of_addresses_that_is_used_up() {
    let node = PluginNode::new();
    assert!(node.allocate("first"));
    let healthy = node.diagnose();
    healthy.without("cni-addresses-exhausted");
    healthy.without("cni-config-missing");
    let plugins = fs::read_to_string(healthy.top().join("nodes/node-1/cni/plugins.json")).expect("the plugins");
    assert!(
        plugins.contains("\"name\":\"bridge\"") && plugins.contains("\"go\":\"go1."),
        "{plugins}"
    );

    let given = 1 + (0..16).take_while(|n| node.allocate(&format!("container-{n}"))).count();
    assert_eq!(given, 5, "a range of eight has five to give away");
    let diagnosis = node.diagnose();
    let found = diagnosis.first("cni-addresses-exhausted");
    assert_eq!(place(found), ("cni/addresses.json", Some(2)));
    assert!(found.title.contains("5 of 5 addresses are in use"), "{found:#?}");
}

#[test]
fn a_network_that_cannot_be_configured() {
    let node = PluginNode::new();
    fs::remove_file(node.path("opt/cni/bin/bridge")).expect("the plugin was there");
    let diagnosis = node.diagnose();
    let found = diagnosis.first("cni-config-missing");
    assert_eq!(place(found), ("cni/configurations.json", Some(2)));
    assert!(
        quote(found).contains("10-pods.conf") && found.title.contains("plugin bridge"),
        "{found:#?}"
    );

    fs::remove_file(node.path("etc/cni/net.d/10-pods.conf")).expect("it was there");
    let diagnosis = node.diagnose();
    assert!(
        diagnosis
            .first("cni-config-missing")
            .title
            .contains("no network configuration")
    );
}

#[rstest]
#[case::answers(NameServer::Answers, None, "")]
#[case::servfail(NameServer::Fails, Some("dns-server-failing"), "\"outcome\":\"SERVFAIL\"")]
#[case::silent(NameServer::Silent, Some("dns-server-failing"), "\"outcome\":\"timeout\"")]
#[case::late(NameServer::Late, Some("dns-slow"), "\"millis\":9")]
fn a_name_server(#[case] how: NameServer, #[case] fault: Option<&str>, #[case] words: &str) {
    let network = Network::new();
    let folder = tempfile::tempdir().expect("a folder");
    serve_names(&network, how);
    let diagnosis = network.diagnose("dns", &[(&resolv_conf(&folder), "/etc/resolv.conf")], &[]);
    let Some(fault) = fault else {
        return diagnosis.silent_but_for(&[]);
    };
    let found = diagnosis.first(fault);
    assert_eq!(place(found).0, "dns/lookups.json");
    assert!(quote(found).contains(words), "{found:#?}");
    assert!(found.title.contains("10.9.0.1:53"), "{found:#?}");
}

#[rstest]
#[case::as_it_should_be("/O=Microsoft Corporation/CN=Issuing CA", true, None)]
#[case::trusted(
    "/O=Contoso/CN=Inspection CA",
    true,
    Some("issued by O=Contoso, CN=Inspection CA, and not by Microsoft")
)]
#[case::not_trusted(
    "/O=Contoso/CN=Inspection CA",
    false,
    Some("is not trusted (issued by O=Contoso, CN=Inspection CA)")
)]
fn a_certificate_of_a_stranger(#[case] issuer: &str, #[case] trusted: bool, #[case] words: Option<&str>) {
    let network = Network::new();
    let folder = tempfile::tempdir().expect("a folder");
    serve_names(&network, NameServer::Answers);
    let (_server, authority) = serve_tls(&network, folder.path(), issuer);
    let resolv_conf = resolv_conf(&folder);
    let mut mounts = vec![(resolv_conf.as_path(), "/etc/resolv.conf")];
    if trusted {
        mounts.push((&authority, "/etc/ssl/certs/ca-certificates.crt"));
    }
    let diagnosis = network.diagnose("network-outbound", &mounts, &[]);
    let Some(words) = words else {
        return diagnosis.silent_but_for(&[]);
    };
    let found = diagnosis.first("tls-intercepted");
    assert_eq!(place(found).0, "network-outbound/connections.json");
    assert!(
        quote(found).contains("Contoso") && found.title.contains(words),
        "{found:#?}"
    );
}

#[test]
fn nobody_answers_outside() {
    let network = Network::new();
    let folder = tempfile::tempdir().expect("a folder");
    serve_names(&network, NameServer::Answers);
    let resolv_conf = resolv_conf(&folder);
    let diagnosis = network.diagnose("network-outbound", &[(&resolv_conf, "/etc/resolv.conf")], &[]);
    let found = diagnosis.first("outbound-blocked");
    assert_eq!(place(found).0, "network-outbound/connections.json");
    assert!(
        found.title.contains("mcr.microsoft.com") && quote(found).contains("Connection refused"),
        "{found:#?}"
    );
}
