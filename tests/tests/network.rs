//! The packet filter of a real network namespace, large as that of a big cluster, through the program itself.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use periscope_tests::Services;
use serde_json::Value;

/// Rules as a cluster of some thousand services has them.
const RULES: u32 = 20_000;

/// A network namespace of this test's own.
struct NetworkNamespace(String);

impl NetworkNamespace {
    fn new() -> Self {
        let name = format!("periscope-{}", std::process::id());
        succeed(Command::new("ip").args(["netns", "add", &name]), "");
        Self(name)
    }

    /// A command that will run in it.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.0, program]);
        command
    }
}

impl Drop for NetworkNamespace {
    fn drop(&mut self) {
        // The test has its result by now.
        Command::new("ip").args(["netns", "del", &self.0]).status().ok();
    }
}

/// Runs a command with this input, and returns what it printed.
fn succeed(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().expect("its input");
    stdin.write_all(input.as_bytes()).expect("it reads its input");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{command:?} ended with {}", output.status);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A table in the form of `iptables-restore`.
fn rules() -> String {
    let mut table = "*filter\n:KUBE-SERVICES - [0:0]\n".to_owned();
    for n in 0..RULES {
        let address = std::net::Ipv4Addr::from(0x0a60_0000 + n);
        writeln!(
            table,
            "-A KUBE-SERVICES -d {address}/32 -p tcp -m comment --comment \"ns/service-{n} has no endpoints\" \
             -m tcp --dport 443 -j DROP"
        )
        .expect("a string takes everything");
    }
    table.push_str("COMMIT\n");
    table
}

fn unpack(archive: &Path, into: &Path) {
    succeed(
        Command::new("tar")
            .arg("-xzf")
            .arg(archive)
            .arg("-C")
            .arg(into)
            .arg("--strip-components=1"),
        "",
    );
}

#[test]
fn twenty_thousand_rules_are_dumped_whole() {
    let services = Services::running();
    let network = NetworkNamespace::new();
    succeed(&mut network.command("iptables-restore"), &rules());

    // With a process namespace of its own, process 1 is the program, and its network is the one to look at.
    let folder = tempfile::tempdir().expect("a folder for the archive");
    let mut collect = network.command("unshare");
    collect
        .args(["--pid", "--fork", "--mount-proc", "--kill-child", "--"])
        .arg(&services.binary);
    collect.args([
        "collect",
        "--actions",
        "iptables",
        "--run-id",
        "run-1",
        "--node-name",
        "node-1",
        "--no-upload",
    ]);
    collect.arg("--output").arg(folder.path());
    succeed(&mut collect, "");

    unpack(&folder.path().join("run-1/node-1.tar.gz"), folder.path());
    let manifest = std::fs::read(folder.path().join("manifest.json")).expect("a manifest");
    let manifest: Value = serde_json::from_slice(&manifest).expect("a manifest in JSON");
    let path = "nodes/node-1/iptables/iptables-save.txt";
    let items = manifest["items"].as_array().expect("items");
    let item = items.iter().find(|item| item["path"] == path).expect("the IPv4 rules");
    assert_eq!(item["state"], "collected", "{item}");

    let dump = std::fs::read_to_string(folder.path().join(path)).expect("the IPv4 rules");
    let found = dump.lines().filter(|line| line.contains("-A KUBE-SERVICES ")).count();
    assert_eq!(found, usize::try_from(RULES).expect("it fits"));
    assert!(
        dump.contains("[0:0] -A KUBE-SERVICES -d 10.96.78.31/32 "),
        "the last rule, with its counters"
    );
}
