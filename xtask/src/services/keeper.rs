//! The keeper: one `unshare` process under which everything runs, in namespaces of its own: first what is outside the
//! node, and in that the node. Its end, however it comes, is the end of every service: the kernel kills a process
//! namespace, and those in it, with its first process.

use std::fs;
use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use periscope_tests::{Azurite, Cluster, Services};
use rustix::process::{Pid, Signal};

use super::place::{self, Place};
use crate::command::{last_lines, run, say, wait_for};
use crate::node::{Node, PREFIX, outside};

/// A cold start takes about ten seconds; this is for machines that do something else besides.
const START_LIMIT: Duration = Duration::from_mins(3);
const LINK_LIMIT: Duration = Duration::from_secs(10);
const STOP_LIMIT: Duration = Duration::from_secs(20);
/// An Azure storage key has as many bytes.
const KEY_BYTES: usize = 64;

/// What was prepared and is now started.
pub(crate) struct Parts {
    pub(crate) kube: PathBuf,
    pub(crate) azurite: PathBuf,
    pub(crate) coredns: PathBuf,
    pub(crate) image: PathBuf,
}

/// How long the services live.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lifetime {
    /// Until `cargo xtask services down`.
    UntilDown,
    /// No longer than the thread that starts them, even if this process is killed.
    ThisThread,
}

/// The running services, if they run.
pub(crate) fn running(place: &Place) -> Option<Services> {
    let services: Services = serde_json::from_slice(&fs::read(place.endpoints()).ok()?).ok()?;
    let keeper = fs::read_to_string(place.keeper()).ok()?;
    is_keeper(&keeper).then_some(services)
}

/// Starts everything and returns when it all answers.
pub(crate) fn start(place: &Place, parts: &Parts, lifetime: Lifetime) -> Result<Services> {
    let state = place.state();
    fs::create_dir_all(&state).with_context(|| format!("cannot make {}", state.display()))?;
    let node = Node::new(free_index()?, state.clone(), parts, account_key()?);
    let description = state.join("node.json");
    fs::write(&description, serde_json::to_vec(&node)?).context("cannot write the description of the node")?;
    let mut keeper = keep(&state, &description, lifetime)?;
    let started = await_ready(place, &node, &mut keeper);
    if started.is_err() {
        stop(place)?;
    }
    let pid1 = started.with_context(|| supervisor_said(&state))?;
    let services = endpoints(&node, pid1);
    fs::write(place.endpoints(), serde_json::to_vec_pretty(&services)?).context("cannot write the endpoints")?;
    Ok(services)
}

/// Kills the keeper and waits until it and everything under it is gone.
pub(crate) fn stop(place: &Place) -> Result<()> {
    let Ok(pid) = fs::read_to_string(place.keeper()) else {
        return Ok(());
    };
    if is_keeper(&pid) {
        let namespace = first_process(&pid).and_then(|first| process_namespace(&first));
        let raw = pid
            .parse()
            .ok()
            .and_then(Pid::from_raw)
            .context("the keeper's process id is no number")?;
        rustix::process::kill_process(raw, Signal::KILL).context("cannot kill the keeper")?;
        wait_for("the end of every process of the services", STOP_LIMIT, || {
            Ok(namespace.as_ref().is_none_or(|namespace| !is_inhabited(namespace)))
        })?;
    }
    fs::remove_file(place.keeper()).context("cannot remove the keeper's process id")
}

fn keep(state: &Path, description: &Path, lifetime: Lifetime) -> Result<Child> {
    // A copy, because cargo may replace this program's file while the services run.
    let program = state.join("node");
    fs::copy("/proc/self/exe", &program).context("cannot copy this program")?;
    let said = fs::File::create(state.join("supervisor.log")).context("cannot make the supervisor's log")?;
    let mut command = match lifetime {
        Lifetime::UntilDown => Command::new("unshare"),
        Lifetime::ThisThread => {
            let mut command = Command::new("setpriv");
            command.args(["--pdeathsig", "KILL", "unshare"]);
            command
        }
    };
    let keeper = command
        .args([
            "--mount",
            "--pid",
            "--net",
            "--uts",
            "--ipc",
            "--fork",
            "--kill-child",
            "--mount-proc",
        ])
        .arg(program)
        .args(["node", "init", "outside"])
        .arg(description)
        .stdin(Stdio::null())
        .stdout(said.try_clone().context("cannot share the supervisor's log")?)
        .stderr(said)
        // A Ctrl-C of the tests is for the tests.
        .process_group(0)
        .spawn()
        .context("cannot start unshare")?;
    fs::write(state.join("keeper.pid"), keeper.id().to_string()).context("cannot write the keeper's process id")?;
    Ok(keeper)
}

fn await_ready(place: &Place, node: &Node, keeper: &mut Child) -> Result<u32> {
    let keeper_pid = keeper.id().to_string();
    let mut alive = || match keeper.try_wait().context("cannot watch the keeper")? {
        Some(status) => bail!("the services ended while they started: {status}"),
        None => Ok(()),
    };
    let mut first = None;
    wait_for("the node's first process", LINK_LIMIT, || {
        alive()?;
        first = first_process(&keeper_pid);
        Ok(first.is_some())
    })?;
    let first = first.context("there is no first process")?;
    connect(node, &first)?;
    let ready = place.state().join("ready");
    wait_for("the services to answer", START_LIMIT, || {
        alive()?;
        Ok(ready.exists())
    })?;
    let init = first_of_node(&first).context("the node has no first process")?;
    init.parse().context("a process id is a number")
}

/// A virtual cable between this machine and the outside. It vanishes with the outside's network namespace.
fn connect(node: &Node, pid1: &str) -> Result<()> {
    let (link, address) = (node.link(), format!("{}/{PREFIX}", node.machine_ip()));
    run(Command::new("ip").args([
        "link",
        "add",
        &link,
        "type",
        "veth",
        "peer",
        "name",
        outside::TO_MACHINE,
        "netns",
        pid1,
    ]))?;
    run(Command::new("ip").args(["address", "add", &address, "dev", &link]))?;
    run(Command::new("ip").args(["link", "set", &link, "up"]))?;
    Ok(())
}

/// The first number whose cable no other clone uses.
fn free_index() -> Result<u8> {
    (0..u8::MAX)
        .find(|index| !Path::new("/sys/class/net").join(Node::link_name(*index)).exists())
        .context("too many test nodes on this machine")
}

fn account_key() -> Result<String> {
    let mut key = [0; KEY_BYTES];
    fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut key))
        .context("no random bytes")?;
    Ok(STANDARD.encode(key))
}

fn endpoints(node: &Node, pid1: u32) -> Services {
    Services {
        cluster: Cluster {
            kubeconfig: node.state.join("admin.kubeconfig"),
            binaries: node.kube.clone(),
            pid1,
            node_name: node.name(),
            node_ip: node.ip(),
        },
        azurite: Azurite {
            endpoint: format!("https://{}/{}", node.ip(), crate::node::ACCOUNT),
            account: crate::node::ACCOUNT.to_owned(),
            key: node.account_key.clone(),
            ca_file: node.state.join("azurite-ca.crt"),
        },
        binary: place::target().join("debug/aks-periscope"),
    }
}

/// Process ids are used again: this one is ours only if it still is `unshare`.
fn is_keeper(pid: &str) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"unshare\0"))
}

fn first_process(keeper: &str) -> Option<String> {
    children(keeper).into_iter().next()
}

/// The node's process 1: the one that starts the supervisor, below that of the outside.
fn first_of_node(process: &str) -> Option<String> {
    let is_it = |pid: &String| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| is_init_of_node(&line));
    let children = children(process);
    let found = children.iter().find(|pid| is_it(pid)).cloned();
    found.or_else(|| children.iter().find_map(|child| first_of_node(child)))
}

/// `unshare` has the same words in its command line, and others before them.
fn is_init_of_node(command_line: &[u8]) -> bool {
    let mut words = command_line.split(|&byte| byte == 0).skip(1);
    words.by_ref().take(3).eq([&b"node"[..], b"init", b"supervise"])
}

fn children(pid: &str) -> Vec<String> {
    // Each thread has the children that it started.
    let threads = fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten();
    threads
        .filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok())
        .flat_map(|children| children.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .collect()
}

fn process_namespace(pid: &str) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

fn is_inhabited(namespace: &Path) -> bool {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter_map(|entry| process_namespace(entry.file_name().to_str()?))
        .any(|other| other == namespace)
}

fn supervisor_said(state: &Path) -> String {
    let said = fs::read_to_string(state.join("supervisor.log")).unwrap_or_default();
    say(&format!(
        "the logs of the services are in {}",
        state.join("log").display()
    ));
    last_lines(&said)
}
