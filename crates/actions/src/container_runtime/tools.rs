//! The node's own tools, asked where the runtime's socket is out of this process's reach. Their tables are for people:
//! no document is made of them.

use std::time::Duration;

use futures::future::join_all;
use periscope_core::{Content, Sink, State};
use periscope_host::{CommandRunner, NetworkChoice};

use crate::commands::{self, CommandRow};

/// `crictl` itself gives up after 2 s; what lists images from a slow disk needs more.
const TIMEOUT: Duration = Duration::from_secs(20);

const CRICTL: &[&str] = &["/usr/local/bin/crictl", "/usr/bin/crictl", "/opt/bin/crictl"];
const CTR: &[&str] = &["/usr/bin/ctr", "/usr/local/bin/ctr", "/bin/ctr"];
const DOCKER: &[&str] = &["/usr/bin/docker", "/usr/local/bin/docker", "/bin/docker"];

/// None of them shows the environment of a container, as `crictl inspect` and `docker inspect` do.
const COMMANDS: &[CommandRow] = &[
    row("tools/crictl-version.txt", CRICTL, &["--timeout", "10s", "version"]),
    row("tools/crictl-pods.txt", CRICTL, &["--timeout", "10s", "pods"]),
    row("tools/crictl-ps.txt", CRICTL, &["--timeout", "10s", "ps", "--all"]),
    row(
        "tools/crictl-images.txt",
        CRICTL,
        &["--timeout", "10s", "images", "--digests"],
    ),
    row(
        "tools/crictl-imagefsinfo.json",
        CRICTL,
        &["--timeout", "10s", "imagefsinfo"],
    ),
    row("tools/ctr-version.txt", CTR, &["--connect-timeout", "5s", "version"]),
    row(
        "tools/ctr-plugins.txt",
        CTR,
        &["--connect-timeout", "5s", "plugins", "list"],
    ),
    row(
        "tools/ctr-containers.txt",
        CTR,
        &["--connect-timeout", "5s", "--namespace", "k8s.io", "containers", "list"],
    ),
    row("tools/docker-version.txt", DOCKER, &["version"]),
    row("tools/docker-ps.txt", DOCKER, &["ps", "--all", "--no-trunc"]),
    row("tools/docker-images.txt", DOCKER, &["images", "--digests"]),
];

const fn row(artifact: &'static str, programs: &'static [&'static str], args: &'static [&'static str]) -> CommandRow {
    CommandRow {
        artifact,
        programs,
        args,
        content: Content::Text,
        // They speak over a socket of the file system.
        network: NetworkChoice::Own,
        timeout: TIMEOUT,
    }
}

/// Runs them all. Returns whether any of them answered.
pub(super) async fn gather(commands: &dyn CommandRunner, sink: &Sink) -> bool {
    let states = join_all(COMMANDS.iter().map(|row| commands::collect(commands, sink, row))).await;
    states.contains(&State::Collected)
}
