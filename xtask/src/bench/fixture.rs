//! The node that is measured: a folder that looks like its root, made once and kept under the target folder.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use rustix::fs::Advice;

use super::{journal, pods};
use crate::command::say;
use crate::services::place::target;

/// Changes with what the fixture holds: one of an earlier version is not taken for it.
const VERSION: u32 = 1;
/// The node's own id, as of its journals.
pub(super) const MACHINE_ID: &str = "5f2c0a7e9b1d4c368a40e6d2b7f91c03";
/// How many times the load is in the larger node.
pub(super) const LARGER: u8 = 4;

/// How much a node has.
#[derive(Clone, Copy)]
pub(super) struct Size {
    pub(super) name: &'static str,
    /// Pods with one container each.
    pods: u64,
    /// Bytes of each log file before it is compressed.
    file_bytes: u64,
    /// Entries of the journal.
    entries: u64,
}

/// What is measured: 1 GB of log lines, as many files of the size at which a kubelet rotates.
pub(super) const FULL: Size = Size {
    name: "full",
    pods: 20,
    file_bytes: 10 * 1024 * 1024,
    entries: 1_200_000,
};
/// Enough to see that everything works.
pub(super) const QUICK: Size = Size {
    name: "quick",
    pods: 4,
    file_bytes: 256 * 1024,
    entries: 5000,
};

/// The root folder of a node.
pub(super) struct Node {
    pub(super) root: PathBuf,
}

impl Node {
    /// A node of that size, and one with [`LARGER`] times its load.
    pub(super) fn both(size: Size) -> Result<(Self, Self)> {
        let folder = folder().join(format!("{}-v{VERSION}", size.name));
        let node = Self {
            root: folder.join("node"),
        };
        let larger = Self {
            root: folder.join("larger"),
        };
        if !folder.exists() {
            // Under another name until it is whole.
            let unfinished = folder.with_extension("unfinished");
            if unfinished.exists() {
                fs::remove_dir_all(&unfinished)?;
            }
            say("making the node's logs");
            let made = Self {
                root: unfinished.join("node"),
            };
            made.write(size)?;
            made.multiply(&Self {
                root: unfinished.join("larger"),
            })?;
            // What is not on the disk yet cannot be forgotten.
            rustix::fs::sync();
            fs::rename(&unfinished, &folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        Ok((node, larger))
    }

    /// The folder of the pods' logs.
    pub(super) fn pods(&self) -> PathBuf {
        self.root.join("var/log/pods")
    }

    /// The folder of the journal files.
    pub(super) fn journal(&self) -> PathBuf {
        self.root.join("var/log/journal").join(MACHINE_ID)
    }

    /// The log files of all pods, the oldest of each pod first.
    pub(super) fn log_files(&self) -> Result<Vec<PathBuf>> {
        let mut files = files_below(&self.pods())?;
        // `0.log` has no time in its name.
        files.sort_by_key(|path| (path.parent().map(Path::to_owned), path.ends_with("0.log"), path.clone()));
        Ok(files)
    }

    /// The bytes of the journal files.
    pub(super) fn journal_bytes(&self) -> Result<u64> {
        files_below(&self.journal())?
            .iter()
            .map(|path| Ok(path.metadata()?.len()))
            .sum()
    }

    /// Makes the kernel forget what it has in memory of the logs, so that reading them counts as memory of who reads.
    pub(super) fn forget(&self) -> Result<()> {
        for path in files_below(&self.root.join("var/log"))? {
            rustix::fs::fadvise(&File::open(&path)?, 0, None, Advice::DontNeed)?;
        }
        Ok(())
    }

    fn system(&self) -> Result<()> {
        for (path, content) in [
            (
                "etc/os-release",
                "ID=debian\nVERSION_ID=12\nPRETTY_NAME=\"a node of the bench\"\n",
            ),
            ("etc/machine-id", MACHINE_ID),
            ("proc/1/comm", "systemd\n"),
        ] {
            let path = self.root.join(path);
            fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
            fs::write(&path, content).with_context(|| format!("cannot make {}", path.display()))?;
        }
        Ok(())
    }

    fn write(&self, size: Size) -> Result<()> {
        self.system()?;
        pods::write(&self.pods(), size.pods, size.file_bytes)?;
        say("making the node's journal");
        journal::write(&self.journal(), size.entries)
    }

    /// The same logs several times: of pods by further names for the same files, of the journal as copies.
    fn multiply(&self, larger: &Self) -> Result<()> {
        larger.system()?;
        for path in self.log_files()? {
            let relative = path.strip_prefix(self.pods())?;
            for copy in 0..LARGER {
                let link = larger.pods().join(format!("copy{copy}-{}", relative.display()));
                fs::create_dir_all(link.parent().unwrap_or(&larger.root))?;
                fs::hard_link(&path, &link).with_context(|| format!("cannot make {}", link.display()))?;
            }
        }
        (0..LARGER).try_for_each(|copy| journal::copy_as_another(&self.journal(), &larger.journal(), copy + 1))
    }
}

/// Where the bench keeps what it needs again.
pub(super) fn folder() -> PathBuf {
    target().join("bench")
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(files_below(&path)?);
        } else {
            files.push(path);
        }
    }
    Ok(files)
}
