//! A node in namespaces of its own, reached as from a privileged pod: real namespaces, a real FUSE mount that hangs.
//!
//! Its `main` is its own, because this binary is also what is started again to enter the node. Making namespaces
//! needs root; without it, the same calls must answer that they are denied.
#![expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]

use std::error::Error;
use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use periscope_host::{
    Absence, CommandRunner, HOST_EXEC_ARG, HostCommand, HostCommands, HostError, HostPath, HostRoot, NetworkChoice,
    NetworkNamespace, host_exec_main,
};
use periscope_testkit::HostFixture;
use tokio::io::AsyncReadExt;

type Outcome = Result<(), Box<dyn Error>>;

type Case = (&'static str, fn() -> Outcome);

/// Makes a node: its own marker file, name, processes and network, the test's `/proc` at `/mnt/proc`, and a FUSE mount
/// whose server never answers. Prints its process number as the test sees it.
const NODE: &str = "
set -e
mount -t tmpfs none /mnt
mkdir /mnt/proc /mnt/dead
echo inside >/mnt/marker
mount --bind /proc /mnt/proc
mount -t proc proc /proc
hostname inside
exec 3<>/dev/fuse
mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 dead /mnt/dead
read pid rest </mnt/proc/self/stat
echo $pid
exec sleep 1000
";

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    if args.next().is_some_and(|arg| arg == HOST_EXEC_ARG) {
        return host_exec_main(args);
    }
    let cases: [Case; 3] = [
        ("a_program_is_run_through_ourselves", a_program_is_run_through_ourselves),
        ("a_folder_is_entered_or_denied", a_folder_is_entered_or_denied),
        ("a_node_of_its_own", a_node_of_its_own),
    ];
    let mut failed = false;
    for (name, case) in cases {
        let result = case();
        failed |= result.is_err();
        let line = match result {
            Ok(()) => "ok".to_owned(),
            Err(error) => format!("FAILED: {error}"),
        };
        drop(writeln!(io::stdout(), "test {name} ... {line}"));
    }
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Runs a shell script on the node and returns its output.
fn sh(commands: &HostCommands, script: &str, network: NetworkChoice) -> Result<String, Box<dyn Error>> {
    let command = HostCommand::new(&["/bin/sh"], Duration::from_mins(1))?
        .args(["-c", script])
        .network(network);
    tokio::runtime::Runtime::new()?.block_on(async {
        let mut running = commands.spawn(&command).await?;
        let mut output = String::new();
        running.stdout().read_to_string(&mut output).await?;
        match running.wait().await.problem() {
            None => Ok(output),
            Some(problem) => Err(problem.into()),
        }
    })
}

fn expect<T: PartialEq + std::fmt::Debug>(what: &str, found: &T, expected: &T) -> Outcome {
    if found == expected {
        Ok(())
    } else {
        Err(format!("{what}: {found:?} instead of {expected:?}").into())
    }
}

/// The same file system by another path: not recognised as our own, so the program is started through this binary.
fn a_program_is_run_through_ourselves() -> Outcome {
    let root = HostRoot::at(format!("/proc/{}/root", std::process::id()).as_ref())?;
    let commands = HostCommands::new(root);
    let output = sh(
        &commands,
        "pwd; cat; echo $LC_ALL $HOME; readlink /proc/self/ns/net",
        NetworkChoice::Own,
    )?;
    let network = std::fs::read_link("/proc/self/ns/net")?;
    expect("output", &output, &format!("/\nC\n{}\n", network.display()))
}

/// A folder with a program, but without the shell that it needs: root gets as far as starting it.
fn a_folder_is_entered_or_denied() -> Outcome {
    let node = HostFixture::new().file("/bin/sh", "#!/no/such/shell\n");
    std::fs::set_permissions(
        node.real_path("/bin/sh"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )?;
    let commands = HostCommands::new(node.root());
    let problem = sh(&commands, "", NetworkChoice::Own)
        .err()
        .ok_or("a program without its shell was run")?
        .to_string();
    let started = problem == "exited with status 125: cannot enter the node: No such file or directory (os error 2)";
    let denied = problem.starts_with("/bin/sh may not be run: cannot enter the node: ");
    if !(started || denied) {
        return Err(problem.into());
    }
    let error = sh(&commands, "", NetworkChoice::Host)
        .err()
        .ok_or("a program was run in an unknown network")?
        .to_string();
    if error.contains("not shown to be the node's network") || denied {
        Ok(())
    } else {
        Err(error.into())
    }
}

fn a_node_of_its_own() -> Outcome {
    let Some(node) = Node::start()? else {
        drop(writeln!(
            io::stdout(),
            "namespaces may not be made here: nothing to enter"
        ));
        return Ok(());
    };
    let root = HostRoot::at(format!("/proc/{}/root", node.pid).as_ref())?;
    let commands = HostCommands::new(root.clone());

    expect("network", &root.network_namespace(), &NetworkNamespace::Other)?;
    expect(
        "marker",
        &root.read_text(&HostPath::new("/mnt/marker")?, 100)?,
        &"inside\n".to_owned(),
    )?;

    let theirs = std::fs::read_link(format!("/proc/{}/ns/net", node.pid))?
        .display()
        .to_string();
    let ours = std::fs::read_link("/proc/self/ns/net")?.display().to_string();
    let script = "cat /mnt/marker; uname -n; readlink /mnt/proc/self/ns/net";
    let in_host_network = sh(&commands, script, NetworkChoice::Host)?;
    expect(
        "in the node's network",
        &in_host_network,
        &format!("inside\ninside\n{theirs}\n"),
    )?;
    let in_own_network = sh(&commands, script, NetworkChoice::Own)?;
    expect("in our network", &in_own_network, &format!("inside\ninside\n{ours}\n"))?;

    // Each of these would wait for ever if the mount were touched.
    for path in ["/mnt/dead", "/mnt/dead/x"] {
        let error = root
            .open(&HostPath::new(path)?)
            .err()
            .ok_or("a dead mount was entered")?;
        expect("state of a dead mount", &error.absence(), &Absence::NotApplicable)?;
    }
    let found = root.glob("/mnt/*/mark*")?;
    expect("gaps", &found.unread.len(), &1)?;
    match found.unread.first() {
        Some(HostError::RemoteFileSystem { fstype, .. }) => expect("type", fstype, &"fuse".to_owned())?,
        other => return Err(format!("{other:?} instead of a refused mount").into()),
    }

    // A mount that comes later is noticed.
    sh(
        &commands,
        "mkdir /mnt/later; mount --bind /mnt/dead /mnt/later",
        NetworkChoice::Own,
    )?;
    let error = root
        .open(&HostPath::new("/mnt/later/x")?)
        .err()
        .ok_or("a later dead mount was entered")?;
    expect("state of a later dead mount", &error.absence(), &Absence::NotApplicable)
}

/// A process tree in namespaces of its own; it ends with this value.
struct Node {
    unshare: Child,
    pid: u32,
}

impl Node {
    /// `None` where namespaces may not be made.
    fn start() -> Result<Option<Self>, Box<dyn Error>> {
        let flags = ["--pid", "--mount", "--net", "--uts", "--ipc", "--fork", "--kill-child"];
        if !Command::new("unshare")
            .args(flags)
            .arg("true")
            .stderr(Stdio::null())
            .status()?
            .success()
        {
            return Ok(None);
        }
        let mut unshare = Command::new("unshare")
            .args(flags)
            .args(["sh", "-c", NODE])
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let stdout = unshare.stdout.take().ok_or("no output")?;
        let mut node = Self { unshare, pid: 0 };
        BufReader::new(stdout).read_line(&mut line)?;
        node.pid = line.trim().parse()?;
        Ok(Some(node))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.unshare.kill());
        drop(self.unshare.wait());
    }
}
