//! Faults made for real on the test node, one at a time and two at once, and what the first screen says of them. Those
//! of one domain are in `faults_*.rs`; without a fault there is nothing to say.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::process::Command;
use std::sync::OnceLock;

use periscope_core::{Finding, Verdict};
use periscope_tests::{
    BrokenNameServer, Change, ChangedFile, Diagnosis, KernelLines, PacketRule, Pod, RemoteImage, SmallDisk, Stopped,
    Turn, Where, eventually,
};
use rstest::rstest;
use serde_json::{Value, json};

/// Where the outside answers as the registry.
const REGISTRY: &str = "203.0.113.10";

/// What a node like the test node cannot tell, by analyzer, and why not.
const UNKNOWN: &[(&str, &str)] = &[
    // systemd-timedated is asked over the system's bus, and no systemd runs on the test node.
    ("clock", "neither chronyc nor timedatectl"),
];

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
    diagnosis.first("dns-server-failing");
    // The cluster's name server fails too: it forwards to this one.
    let mut failing = diagnosis
        .troubles()
        .filter(|finding| finding.fault == "dns-server-failing");
    assert!(
        failing.any(|finding| quote(finding).contains(r#""server":"168.63.129.16:53""#)),
        "{}",
        diagnosis.screen
    );
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

#[test]
fn an_api_server_that_hangs() {
    let (turn, healthy) = turn();
    healthy.without("api-server-unreachable");
    let stopped = Stopped::on_node(&turn.services.cluster, "kube-apiserver");
    let diagnosis = turn.diagnose(&[]);
    drop(stopped);
    let found = diagnosis.first("api-server-unreachable");
    assert_eq!(file(found), "cluster-health/api-server.json");
    assert!(quote(found).contains("no answer in time"), "{found:#?}");
    diagnosis.silent_but_for(&["api-server-unreachable", "outbound-blocked"]);
}

#[test]
fn a_serving_certificate_that_has_expired() {
    const PATH: &str = "/etc/kubernetes/certs/kubeletserver.crt";
    let (turn, healthy) = turn();
    healthy.without("certificate-expired");
    let _expired = ChangedFile::write(&turn.services.cluster, PATH, expired_certificate());
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("certificate-expired");
    assert!(found.title.contains(PATH) || found.object.contains(PATH), "{found:#?}");
    assert!(quote(found).contains("2020-01-02"), "{found:#?}");
}

/// A certificate that was good for one day in January 2020.
fn expired_certificate() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder for a certificate");
    let path = |name: &str| folder.path().join(name);
    // `openssl x509` makes no certificate that has ended, `openssl ca` does.
    let config = "[ca]\ndefault_ca=it\n[it]\npolicy=any\ndatabase=index.txt\nnew_certs_dir=.\nserial=serial\n[any]\ncommonName=supplied\n";
    std::fs::write(path("config"), config).expect("a file");
    std::fs::write(path("index.txt"), "").expect("a file");
    let openssl = |words: &[&str]| {
        let output = Command::new("openssl").args(words).current_dir(folder.path()).output();
        let output = output.expect("openssl is one of the packages that the harness installs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    openssl(&[
        "req",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-keyout",
        "key",
        "-out",
        "request",
        "-subj",
        "/CN=expired",
    ]);
    openssl(&[
        "ca",
        "-batch",
        "-config",
        "config",
        "-selfsign",
        "-in",
        "request",
        "-keyfile",
        "key",
        "-out",
        "certificate",
        "-md",
        "sha256",
        "-startdate",
        "20200101000000Z",
        "-enddate",
        "20200102000000Z",
        "-rand_serial",
        "-notext",
    ]);
    std::fs::read(path("certificate")).expect("a certificate")
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

#[test]
fn a_clock_that_is_ahead_of_the_api_server() {
    let (turn, healthy) = turn();
    healthy.without("clock-skew");
    let mut skewed = turn.services.cluster.on_node("faketime");
    skewed.args(["-f", "+20m"]).arg(&turn.services.binary);
    let diagnosis = Diagnosis::of(skewed, &["--since", "21m"]);
    let found = diagnosis.first("clock-skew");
    assert!(found.title.contains("min ahead"), "{found:#?}");
}

#[test]
fn a_node_whose_provisioning_failed() {
    const STATUS: &str = "/var/log/azure/aks/provision.json";
    let (turn, healthy) = turn();
    healthy.without("provisioning-failed");
    let cluster = &turn.services.cluster;
    cluster.run_on_node(&["mkdir", "-p", "/var/log/azure/aks"]);
    let status = r#"{ "ExitCode": "50", "Output": "curl: (6) Could not resolve host: mcr.microsoft.com", "Error": "", "ExecDuration": "61" }"#;
    let _failed = ChangedFile::write(cluster, STATUS, status);
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("provisioning-failed");
    assert!(found.title.contains("50"), "{found:#?}");
}

/// Two at once: a full disk takes no image.
#[test]
fn a_full_disk_is_the_cause_of_an_image_that_cannot_be_pulled() {
    /// Where containerd keeps what it downloads.
    const DOWNLOADS: &str = "/var/lib/containerd/io.containerd.content.v1.content";
    const DISK: &str = "/var/lib/images";
    let (turn, healthy) = turn();
    healthy.without("disk-full");
    let cluster = &turn.services.cluster;
    cluster.run_on_node(&["mkdir", "-p", DISK]);
    let disk = SmallDisk::mount(cluster, DISK, 16);
    let [upper, work] = ["upper", "work"].map(|layer| format!("{DISK}/{layer}"));
    cluster.run_on_node(&["mkdir", &upper, &work]);
    // What is there stays readable, what is added goes to the small disk.
    let layers = format!("lowerdir={DOWNLOADS},upperdir={upper},workdir={work}");
    let mount = ["mount", "-t", "overlay", "overlay", "-o", &layers, DOWNLOADS];
    let _downloads = Change::make(cluster, &mount, &["umount", "--lazy", DOWNLOADS]);
    disk.fill();
    let image = RemoteImage::publish(cluster, "periscope/large", 24);
    let more = json!({ "image": image.name(), "imagePullPolicy": "Always" });
    let pod = Pod::start(cluster, "without-image", &[], &more, &Value::Null);
    eventually("an image that is not pulled", || {
        (pod.waits_for() == "ImagePullBackOff").then_some(())
    });
    let diagnosis = turn.diagnose(&[]);
    let found = diagnosis.first("disk-full");
    assert!(found.title.contains(DISK), "{found:#?}");
    let pull = is_caused_by(&diagnosis, "image-pull-disk", "disk-full");
    assert!(pull.title.contains("no space left on device"), "{pull:#?}");
}

/// The finding of `effect` names one of `cause` as its cause.
fn is_caused_by<'a>(diagnosis: &'a Diagnosis, effect: &str, cause: &str) -> &'a Finding {
    diagnosis.find(cause);
    let effect = diagnosis.find(effect);
    assert_eq!(
        effect.cause.as_deref(),
        Some(cause),
        "{effect:#?}\n{}",
        diagnosis.screen
    );
    effect
}
