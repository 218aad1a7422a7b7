//! Process 1 of the node, and of the outside. It buries orphans, as every first process must, and ends with its
//! supervisor; the kernel then ends everything else. It starts nothing but the supervisor.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context as _, Result};
use rustix::io::Errno;
use rustix::process::{Pid, WaitOptions};

pub(super) fn run(role: &str, description: &Path) -> Result<ExitCode> {
    let supervisor = Command::new("/proc/self/exe")
        .args(["node", role])
        .arg(description)
        .spawn()
        .context("cannot start the supervisor")?;
    let supervisor = Pid::from_child(&supervisor);
    loop {
        match rustix::process::wait(WaitOptions::empty()) {
            Ok(Some((pid, _))) if pid == supervisor => return Ok(ExitCode::FAILURE),
            Ok(_) | Err(Errno::INTR) => {}
            Err(error) => return Err(error).context("cannot wait for the node's processes"),
        }
    }
}
