//! What a node says about itself, its processes and its network.

use periscope_host::{HostPath, HostProcess, HostRoot, NetworkNamespace, NodeFacts, RootOrigin};
use periscope_testkit::HostFixture;
use rstest::rstest;

fn with_process(node: HostFixture, pid: u32, comm: &str, cmdline: &str, cgroup: &str) -> HostFixture {
    node.file(&format!("/proc/{pid}/comm"), format!("{comm}\n"))
        .file(&format!("/proc/{pid}/cmdline"), cmdline)
        .file(&format!("/proc/{pid}/cgroup"), cgroup)
}

const SYSTEM: &str = "0::/system.slice/kubelet.service\n";
const POD: &str = "0::/kubepods.slice/kubepods-burstable.slice/cri-containerd-1.scope\n";

#[test]
fn finds_processes_by_program() {
    let node = HostFixture::new();
    let node = with_process(
        node,
        900,
        "kubelet",
        "/usr/local/bin/kubelet\0--v=2\0--config\0/etc/k\0",
        SYSTEM,
    );
    let node = with_process(node, 80, "kubelet", "kubelet\0", POD);
    let node = with_process(node, 81, "kubelet", "/bin/sh\0kubelet\0", SYSTEM);
    // A kernel thread has no command line, and may be called anything.
    let node = with_process(node, 82, "kubelet", "", SYSTEM);
    let node = with_process(node, 83, "azure-vnet-tele", "/opt/azure-vnet-telemetry\0-d\0", SYSTEM);
    let node = node.dir("/proc/84").dir("/proc/sys");
    let root = node.root();

    let args = |args: &[&str]| args.iter().map(|arg| (*arg).to_owned()).collect();
    assert_eq!(
        root.processes("kubelet").unwrap(),
        [
            HostProcess {
                pid: 80,
                args: args(&["kubelet"]),
                in_pod: true
            },
            HostProcess {
                pid: 900,
                args: args(&["/usr/local/bin/kubelet", "--v=2", "--config", "/etc/k"]),
                in_pod: false
            },
        ]
    );
    // Longer names are cut by the kernel.
    assert_eq!(root.processes("azure-vnet-telemetry").unwrap()[0].pid, 83);
    assert_eq!(root.processes("azure-vnet-tele").unwrap(), []);
    assert_eq!(root.processes("containerd").unwrap(), []);
}

#[rstest]
#[case::host_name("AKS-Node-1\n", None, Some("aks-node-1"))]
#[case::comment_first("# set by cloud-init\nnode\n", None, Some("node"))]
#[case::kubelet_wins("node", Some("kubelet\0--hostname-override=Other\0"), Some("other"))]
#[case::kubelet_without_one("node", Some("kubelet\0--v=2\0"), Some("node"))]
#[case::nothing("", None, None)]
fn names_the_node(#[case] hostname: &str, #[case] kubelet: Option<&str>, #[case] expected: Option<&str>) {
    let mut node = HostFixture::new().file("/etc/hostname", hostname);
    if let Some(cmdline) = kubelet {
        node = with_process(node, 10, "kubelet", "kubelet\0--hostname-override=fake\0", POD);
        node = with_process(node, 11, "kubelet", cmdline, SYSTEM);
    }
    assert_eq!(NodeFacts::read(&node.root()).node_name.as_deref(), expected);
}

#[test]
fn reads_the_facts_that_are_there() {
    let node = HostFixture::new()
        .file("/proc/sys/kernel/osrelease", "5.15.0-1073-azure\n")
        .file("/proc/sys/kernel/random/boot_id", "f00\n")
        .file("/sys/devices/system/cpu/online", "0-3\n");
    let expected = NodeFacts {
        node_name: Some("fixture-node".into()),
        hostname: Some("fixture-node".into()),
        os: Some("Fixture Linux 1".into()),
        kernel: Some("5.15.0-1073-azure".into()),
        boot_id: Some("f00".into()),
        cpus: Some(4),
    };
    assert_eq!(NodeFacts::read(&node.root()), expected);
}

#[test]
fn says_nothing_about_an_empty_node() {
    let folder = tempfile::TempDir::new().unwrap();
    assert_eq!(
        NodeFacts::read(&HostRoot::at(folder.path()).unwrap()),
        NodeFacts::default()
    );
}

#[test]
fn this_process_is_in_the_network_of_its_own_first_process_or_cannot_tell() {
    let own = HostRoot::at("/".as_ref()).unwrap();
    // A test machine may hide process 1 (`hidepid`), but its network is not another one.
    assert_ne!(own.network_namespace(), NetworkNamespace::Other);
    assert!(own.is_own_root());
}

#[test]
fn a_folder_without_namespaces_shows_no_network() {
    let node = HostFixture::new();
    let root = node.root();
    assert_eq!(root.network_namespace(), NetworkNamespace::Unknown);
    assert_eq!((root.origin(), root.is_own_root()), (RootOrigin::Explicit, false));
}

#[test]
fn another_network_is_told_by_its_files() {
    let node = HostFixture::new().file("/proc/1/net/dev", "");
    assert_eq!(node.root().network_namespace(), NetworkNamespace::Other);
}

#[rstest]
#[case::missing("none")]
#[case::no_folder("file")]
fn a_root_must_be_a_folder(#[case] name: &str) {
    let node = HostFixture::new().file("/file", "");
    let error = HostRoot::discover(Some(&node.path().join(name))).unwrap_err();
    assert!(
        error.to_string().ends_with("cannot be the node's root folder"),
        "{error}"
    );
}

#[test]
fn an_explicit_root_needs_no_distribution() {
    let folder = tempfile::TempDir::new().unwrap();
    std::fs::write(folder.path().join("x"), "y").unwrap();
    let root = HostRoot::discover(Some(folder.path())).unwrap();
    assert_eq!(root.read(&HostPath::new("/x").unwrap(), 10).unwrap(), b"y");
}
