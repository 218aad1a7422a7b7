//! A network namespace of a test's own, with a way out and a gateway, and a collection inside as if it were the node's.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use periscope_tests::{Diagnosis, Services};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// The uplink's address in a namespace, and the gateway's at its other end.
const ADDRESS: &str = "10.9.0.2/24";
pub(crate) const GATEWAY: &str = "10.9.0.1";

/// A network namespace with an uplink to another one, where the gateway is.
pub(crate) struct Network {
    pub(crate) name: String,
    pub(crate) outside: String,
}

impl Network {
    pub(crate) fn new() -> Self {
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

    pub(crate) fn ip(&self, words: &[&str]) {
        succeed(Command::new("ip").args(["-n", &self.name]).args(words));
    }

    /// Runs a command inside.
    pub(crate) fn run(&self, words: &[&str]) {
        succeed(Command::new("ip").args(["netns", "exec", &self.name]).args(words));
    }

    /// Runs `collect` as if the namespace were the node's: the program is its process 1. `mounts` lie over files of the
    /// machine meanwhile, as `(what, where)`.
    pub(crate) fn diagnose(&self, actions: &str, mounts: &[(&Path, &str)], arguments: &[&str]) -> Diagnosis {
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
    pub(crate) fn inside<T: Send + 'static>(name: &str, work: impl FnOnce() -> T + Send + 'static) -> T {
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
pub(crate) struct Running(pub(crate) Child);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

pub(crate) fn succeed(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().expect("the program starts");
    let problem = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {problem}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
