//! The folder that archives go to.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use periscope_host::{HostRoot, RootOrigin};

use crate::exit::Ended;

/// Where archives lie on a node.
const DEFAULT: &str = "var/log/aks-periscope";
/// Where they go when that cannot be written.
const FALLBACK: &str = "aks-periscope";

/// The folder, made and found to be writable.
pub(super) struct Output {
    pub(super) folder: PathBuf,
    /// What the user should be told about the choice.
    pub(super) note: Option<String>,
}

/// Chooses the folder: the user's, else the node's, else one in the current folder.
pub(super) fn choose(explicit: Option<PathBuf>, root: &HostRoot) -> Result<Output> {
    if let Some(folder) = explicit {
        probe(&folder).map_err(|error| unusable(&folder, error))?;
        return Ok(Output { folder, note: None });
    }
    // Archives belong onto the node, not into a container that is gone a minute later.
    let base = match root.origin() {
        RootOrigin::Mounted | RootOrigin::FirstProcess => root.path(),
        RootOrigin::Explicit | RootOrigin::Own | RootOrigin::PodMounts => Path::new("/"),
    };
    let folder = base.join(DEFAULT);
    let Err(error) = probe(&folder) else {
        return Ok(Output { folder, note: None });
    };
    let fallback = std::path::absolute(FALLBACK).context("the current folder has no path")?;
    probe(&fallback).with_context(|| format!("cannot write to {} nor to {}", folder.display(), fallback.display()))?;
    let note = format!(
        "cannot write to {} ({error}): writing to {} instead",
        folder.display(),
        fallback.display()
    );
    Ok(Output {
        folder: fallback,
        note: Some(note),
    })
}

/// A full disk is nothing that the user said wrongly.
fn unusable(folder: &Path, error: io::Error) -> anyhow::Error {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            anyhow::Error::from(error).context(format!("cannot write to {}", folder.display()))
        }
        _ => Ended::usage(format!(
            "invalid output folder {}: {error}: expected a folder that can be written to",
            folder.display()
        )),
    }
}

/// Makes the folder and a file in it that nobody sees.
fn probe(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}
