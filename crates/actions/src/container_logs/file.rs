//! One log file of a container, as a listing finds it; says nothing about how it is copied.

use std::time::SystemTime;

use periscope_core::State;
use periscope_host::{HostError, HostPath, HostRoot};

use crate::host_files::{reason_of, state_of};

/// Most log files that one node is taken to have: 250 pods with 10 files in each of 10 containers, twice over.
pub(super) const MAX_FILES: usize = 50_000;

/// Who writes and rotates a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The kubelet: a rotated file is called after the moment of its rotation, and is never renamed but for `.gz`.
    Kubelet,
    /// dockerd: every rotation renames all older files.
    Docker,
}

/// A log file that was there when the folder was listed.
#[derive(Debug)]
pub(super) struct LogFile {
    /// The artifact's name below the action's folder.
    pub(super) name: String,
    /// Where it is.
    pub(super) path: HostPath,
    /// Who rotates it.
    pub(super) keeper: Keeper,
    /// Device and inode, links followed.
    pub(super) identity: (u64, u64),
    /// When it was last written.
    pub(super) modified: SystemTime,
    /// Bytes, as the listing found it.
    pub(super) len: u64,
}

/// What a look at the node's log folders found.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// The files.
    pub(super) files: Vec<LogFile>,
    /// What is there and cannot be listed: the item, how it ends, and why.
    pub(super) gaps: Vec<(String, State, String)>,
    /// Whether there are more files than are taken.
    pub(super) is_full: bool,
}

impl Listing {
    /// Adds the file, links followed, or says why it cannot be had.
    pub(super) fn add(&mut self, root: &HostRoot, name: String, path: HostPath, keeper: Keeper) {
        if self.files.len() == MAX_FILES {
            if !self.is_full {
                let reason = format!("there are more than {MAX_FILES} log files: {path} and what follows is left out");
                self.gaps.push((name, State::Failed, reason));
            }
            self.is_full = true;
            return;
        }
        match root.metadata(&path) {
            Ok(metadata) => {
                let identity = (metadata.dev, metadata.ino);
                self.files.push(LogFile {
                    name,
                    path,
                    keeper,
                    identity,
                    modified: metadata.modified,
                    len: metadata.len,
                });
            }
            Err(error) => self.miss(name, &error),
        }
    }

    /// Says why something cannot be had.
    pub(super) fn miss(&mut self, name: String, error: &HostError) {
        self.gaps.push((name, state_of(error), reason_of(error)));
    }
}
