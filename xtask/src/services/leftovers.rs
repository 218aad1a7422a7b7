//! What a killed node leaves behind: empty control groups and its state folder. Everything else (processes, mounts,
//! interfaces, packet filter rules) lived in its namespaces and is gone with them, which is checked here.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::place::Place;
use crate::command::wait_for;
use crate::node::Node;

/// The kernel empties control groups some moments after their last process.
const EMPTY_LIMIT: Duration = Duration::from_secs(10);

/// Removes what is left of the node that `place` describes. There may be none.
pub(crate) fn remove(place: &Place) -> Result<()> {
    let state = place.state();
    if let Ok(description) = fs::read(state.join("node.json")) {
        let node: Node = serde_json::from_slice(&description).context("cannot read the description of the node")?;
        for group in node.control_groups() {
            wait_for(&format!("the end of {}", group.display()), EMPTY_LIMIT, || {
                Ok(remove_group(&group))
            })?;
        }
        let link = node.link();
        wait_for(&format!("the end of the interface {link}"), EMPTY_LIMIT, || {
            Ok(!Path::new("/sys/class/net").join(&link).exists())
        })?;
    }
    let mounts = fs::read_to_string("/proc/self/mounts").context("cannot read the mounts")?;
    if let Some(mount) = mounts.lines().find(|line| line.contains(&*state.to_string_lossy())) {
        bail!("still mounted: {mount}");
    }
    match fs::remove_dir_all(&state) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", state.display()))
        }
        _ => Ok(()),
    }
}

/// Removes a control group, its children first. False while one is still in use.
fn remove_group(group: &Path) -> bool {
    let Ok(entries) = fs::read_dir(group) else { return true };
    let children: Vec<PathBuf> = entries
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
        .collect();
    children.iter().all(|child| remove_group(child)) && fs::remove_dir(group).is_ok()
}
