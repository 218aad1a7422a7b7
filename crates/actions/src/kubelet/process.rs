//! Finds the kubelet among the node's processes; runs nothing but `kubelet --version`.

use std::sync::Arc;
use std::time::Duration;

use periscope_host::{CommandRunner, HostCommand, HostError, HostPath, HostProcess, HostRoot, NetworkChoice};
use tokio::io::AsyncReadExt;

/// Where distributions and AKS put the kubelet.
const PROGRAMS: [&str; 4] = [
    "/usr/local/bin/kubelet",
    "/usr/bin/kubelet",
    "/opt/bin/kubelet",
    "/usr/sbin/kubelet",
];

/// Time for `kubelet --version`, which only loads the program.
const VERSION_TIMEOUT: Duration = Duration::from_secs(5);

/// Longest line that is a version.
const MAX_VERSION_BYTES: u64 = 256;

/// The kubelet's process. Programs of that name in pods, as a cluster of test nodes has them, are not the node's own.
pub(super) fn find(root: &HostRoot) -> Result<Option<HostProcess>, HostError> {
    let mut found = root.processes("kubelet")?;
    // Until Kubernetes 1.18 it could be a subcommand of one program for everything.
    let hyperkube = root.processes("hyperkube")?;
    found.extend(
        hyperkube
            .into_iter()
            .filter(|process| process.args.get(1).is_some_and(|arg| arg == "kubelet")),
    );
    found.retain(|process| !process.in_pod && is_of_the_system(root, process));
    Ok(found.into_iter().next())
}

/// Whether the process belongs to the user that process 1 belongs to: any user may call a program `kubelet`, and the
/// files that its command line names are read.
fn is_of_the_system(root: &HostRoot, process: &HostProcess) -> bool {
    let owner = |pid: u32| {
        let path = HostPath::new(&format!("/proc/{pid}")).ok()?;
        root.metadata(&path).ok().map(|metadata| metadata.uid)
    };
    owner(process.pid).is_some_and(|uid| owner(1) == Some(uid))
}

/// The command line, one argument per line, so that an argument with spaces stays one.
pub(super) fn command_line(process: &HostProcess) -> String {
    let mut lines: Vec<_> = process.args.iter().map(|arg| arg.replace('\n', "\\n")).collect();
    // For the newline at the end.
    lines.push(String::new());
    lines.join("\n")
}

/// What `kubelet --version` says after `Kubernetes`.
pub(super) async fn version(commands: &Arc<dyn CommandRunner>) -> Option<String> {
    let command = HostCommand::new(&PROGRAMS, VERSION_TIMEOUT).ok()?;
    let command = command.arg("--version").network(NetworkChoice::Own);
    let mut running = commands.spawn(&command).await.ok()?;
    let mut said = Vec::new();
    running
        .stdout()
        .take(MAX_VERSION_BYTES)
        .read_to_end(&mut said)
        .await
        .ok()?;
    let said = String::from_utf8_lossy(&said);
    let version = said.trim().strip_prefix("Kubernetes ")?.to_owned();
    running.wait().await.success().then_some(version)
}
