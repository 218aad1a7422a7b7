//! Faults of the network, each made for real in network namespaces of the test's own, and what a collection in there finds:
//! the fault first, with its line; and nothing of the kind without it. The machine's own network is not touched.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fs;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use periscope_core::Finding;
use periscope_tests::{Diagnosis, Services, eventually};
use rstest::rstest;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The uplink's address in a namespace, and the gateway's at its other end.
const ADDRESS: &str = "10.9.0.2/24";
const GATEWAY: &str = "10.9.0.1";

/// A network namespace with an uplink to another one, where the gateway is.
struct Network {
    name: String,
    outside: String,
}

impl Network {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("fault-{}-{number}", std::process::id());
        let network = Self {
            outside: format!("{name}-outside"),
            name,
        };
        for name in [&network.name, &network.outside] {
            succeed(Command::new("ip").args(["netns", "add", name]));
            succeed(Command::new("ip").args(["-n", name, "link", "set", "lo", "up"]));
        }
        let (inside, outside) = (&network.name, &network.outside);
        succeed(Command::new("ip").args([
            "-n", inside, "link", "add", "eth0", "type", "veth", "peer", "name", "gate", "netns", outside,
        ]));
        network.ip(&["address", "add", ADDRESS, "dev", "eth0"]);
        network.ip(&["link", "set", "eth0", "up"]);
        let gateway = format!("{GATEWAY}/24");
        for words in [
            &["address", "add", &gateway, "dev", "gate"][..],
            &["link", "set", "gate", "up"],
        ] {
            succeed(Command::new("ip").args(["-n", outside]).args(words));
        }
        network.ip(&["route", "add", "default", "via", GATEWAY]);
        network
    }

    fn ip(&self, words: &[&str]) {
        succeed(Command::new("ip").args(["-n", &self.name]).args(words));
    }

    /// Runs a command inside.
    fn run(&self, words: &[&str]) {
        succeed(Command::new("ip").args(["netns", "exec", &self.name]).args(words));
    }

    /// Runs `collect` as if the namespace were the node's: the program is its process 1. `mounts` lie over files of the
    /// machine meanwhile, as `(what, where)`.
    fn diagnose(&self, actions: &str, mounts: &[(&Path, &str)], arguments: &[&str]) -> Diagnosis {
        let services = Services::running();
        let mounts: Vec<_> = mounts
            .iter()
            .map(|(what, over)| format!("mount --bind {} {over} && ", what.display()))
            .collect();
        let script = format!("{}exec \"$@\"", mounts.concat());
        let mut program = Command::new("ip");
        program
            .args(["netns", "exec", &self.name])
            .args(["unshare", "--pid", "--fork", "--mount-proc", "--kill-child", "--"])
            .args(["sh", "-c", &script, "sh"])
            .arg(&services.binary);
        let mut all = vec!["--actions", actions, "--node-name", "node-1", "--no-upload"];
        all.extend(arguments);
        Diagnosis::of(program, &all)
    }

    /// Runs `work` on a thread inside this namespace, or at its gateway.
    fn inside<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
        let file = fs::File::open(format!("/run/netns/{name}")).expect("the namespace has a name");
        let thread = thread::spawn(move || {
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("it can be entered");
            work()
        });
        thread.join().expect("the work ends well")
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // The test has its result by now.
        for name in [&self.name, &self.outside] {
            Command::new("ip").args(["netns", "del", name]).status().ok();
        }
    }
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {problem}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

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

/// A folder as a node's root, as far as network plugins go; real programs are taken from the test node.
struct PluginNode {
    folder: tempfile::TempDir,
}

impl PluginNode {
    const CONFIGURATION: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "type": "bridge",
        "ipam": {"type": "host-local", "subnet": "10.244.7.0/29", "dataDir": "/var/lib/cni/networks"}}"#;

    fn new() -> Self {
        let node = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        node.write("etc/os-release", "PRETTY_NAME=\"Test Linux\"\n");
        node.write("proc/1/comm", "init\n");
        node.write("etc/cni/net.d/10-pods.conf", Self::CONFIGURATION);
        node.write(
            "etc/default/kubeletconfig.json",
            r#"{"kind": "KubeletConfiguration", "maxPods": 110}"#,
        );
        // Where the configuration of the test node's containerd has them.
        let programs = Services::running().cluster.root().join("usr/lib/cni");
        fs::create_dir_all(node.path("opt/cni/bin")).expect("a folder");
        for name in ["bridge", "host-local"] {
            let to = node.path("opt/cni/bin").join(name);
            fs::copy(programs.join(name), to).expect("a plugin of the test node");
        }
        node
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Lets the real plugin give away an address; whether there was one.
    fn allocate(&self, container: &str) -> bool {
        let data = self.path("var/lib/cni/networks");
        fs::create_dir_all(&data).expect("a folder");
        let configuration = Self::CONFIGURATION.replace("/var/lib/cni/networks", &data.to_string_lossy());
        let mut plugin = Command::new(self.path("opt/cni/bin/host-local"))
            .env("CNI_COMMAND", "ADD")
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", "/proc/self/ns/net")
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", self.path("opt/cni/bin"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the plugin starts");
        let mut input = plugin.stdin.take().expect("its input");
        input.write_all(configuration.as_bytes()).expect("it reads its input");
        drop(input);
        plugin.wait().expect("it ends").success()
    }

    fn diagnose(&self) -> Diagnosis {
        let root = self.folder.path().to_string_lossy().into_owned();
        Diagnosis::of(
            Command::new(Services::running().binary),
            &[
                "--actions",
                "cni,kubelet",
                "--node-name",
                "node-1",
                "--no-upload",
                "--host-root",
                &root,
            ],
        )
    }
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

/// How the name server of a test behaves.
#[derive(Clone, Copy, PartialEq)]
enum NameServer {
    /// Knows every name, at the gateway's address.
    Answers,
    Fails,
    Late,
    Silent,
}

/// Starts a name server at the gateway of a network; it lives as long as the test's process.
fn serve_names(network: &Network, how: NameServer) {
    let socket = Network::inside(&network.outside, || {
        UdpSocket::bind((GATEWAY, 53)).expect("port 53 of the gateway")
    });
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            let question = buffer[..len].to_vec();
            let socket = socket.try_clone().expect("another handle");
            thread::spawn(move || {
                if how == NameServer::Late {
                    thread::sleep(Duration::from_millis(900));
                }
                if how != NameServer::Silent {
                    socket.send_to(&response(&question, how), from).ok();
                }
            });
        }
    });
}

/// The answer to a question (RFC 1035, section 4): its header and question again, and an address where one is asked for.
fn response(question: &[u8], how: NameServer) -> Vec<u8> {
    // A label for each part of the name, an empty one, type and class.
    let mut end = 12;
    while question[end] != 0 {
        end += 1 + usize::from(question[end]);
    }
    let kind = question[end + 2];
    end += 5;
    let code = if how == NameServer::Fails { 2 } else { 0 };
    let answers = u8::from(how != NameServer::Fails && kind == 1);
    let mut response = question[..end].to_vec();
    response[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    if answers > 0 {
        response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        response.extend(GATEWAY.parse::<Ipv4Addr>().expect("an address").octets());
    }
    response
}

/// The file that names the gateway as name server.
fn resolv_conf(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("resolv.conf");
    fs::write(&path, format!("nameserver {GATEWAY}\n")).expect("a file");
    path
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

/// A server at the gateway that has the certificate of the authority `issuer` for Microsoft's names, and that authority.
fn serve_tls(network: &Network, folder: &Path, issuer: &str) -> (Running, PathBuf) {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (authority, key) = (path("ca.crt"), path("ca.key"));
    let request = |words: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]);
        succeed(openssl.args(["-days", "90"]).args(words));
    };
    request(&["-subj", issuer, "-keyout", &key, "-out", &authority]);
    let names = "subjectAltName=DNS:mcr.microsoft.com,DNS:www.microsoft.com,DNS:azurecr.io,DNS:*.microsoft.com";
    let (certificate, own_key) = (path("server.crt"), path("server.key"));
    request(&[
        "-subj",
        "/CN=server",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        names,
        "-CA",
        &authority,
        "-CAkey",
        &key,
        "-keyout",
        &own_key,
        "-out",
        &certificate,
    ]);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/outside/https.py");
    let server = Command::new("ip")
        .args(["netns", "exec", &network.outside, "python3"])
        .arg(program)
        .args([GATEWAY, "443", &certificate, &own_key, &path("nothing")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 starts");
    let running = Running(server);
    let outside = network.outside.clone();
    eventually("the server listens", || {
        let connect = || std::net::TcpStream::connect((GATEWAY, 443)).ok();
        Network::inside(&outside, connect)
    });
    (running, authority.into())
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
