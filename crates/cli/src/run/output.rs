//! The folder that archives go to.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use periscope_host::{HostRoot, RootOrigin};

use crate::exit::Ended;

/// Where archives lie on a node.
const DEFAULT: &str = "var/log/aks-periscope";
/// Where they go when that cannot be written.
const FALLBACK: &str = "aks-periscope";

/// The bits of a mode by which group and others may write.
const OTHERS_MAY_WRITE: u32 = 0o022;

/// The folder, made and found to be writable.
pub(crate) struct Output {
    pub(crate) folder: PathBuf,
    /// What the user should be told about the choice.
    pub(crate) note: Option<String>,
}

/// Chooses the folder: the user's, else the node's, else one in the current folder.
pub(crate) fn choose(explicit: Option<PathBuf>, root: &HostRoot) -> Result<Output> {
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
    let Err(error) = probe(&folder).and_then(|()| is_ours(&folder)) else {
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

/// Whether nobody else can put a folder of his own in its place, or look into it: pods with a mount of `/var/log` could
/// have made it before us, or made it a link.
fn is_ours(folder: &Path) -> io::Result<()> {
    let metadata = folder.symlink_metadata()?;
    let ours = metadata.is_dir() && metadata.uid() == rustix::process::geteuid().as_raw();
    if ours && metadata.mode() & OTHERS_MAY_WRITE == 0 {
        return Ok(());
    }
    Err(io::Error::other(
        "it is a link, belongs to somebody else or is writable for others",
    ))
}

/// Makes the folder and a file in it that nobody sees.
pub(crate) fn probe(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    tempfile::tempfile_in(folder).map(drop)
}

#[cfg(test)]
mod tests {
    use super::is_ours;
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn a_folder_that_others_control_is_not_ours() {
        let own = tempfile::tempdir().unwrap();
        assert!(is_ours(own.path()).is_ok());
        let link = own.path().join("link");
        symlink(own.path(), &link).unwrap();
        assert!(is_ours(&link).is_err());
        let open = own.path().join("open");
        std::fs::create_dir(&open).unwrap();
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o777)).unwrap();
        assert!(is_ours(&open).is_err());
    }
}
