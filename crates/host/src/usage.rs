//! How full a file system is, and which folders below a path fill it.
//!
//! Nothing is opened but folders. A walk stays on the file system it starts on and enters no mount, so that it counts
//! nothing twice and waits for no server.

use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::resolve::Last;
use crate::{EntryKind, HostError, HostPath, HostRoot, Metadata};

/// Folders held open at once while walking; what is deeper is not counted, and the usage says so.
const MAX_DEPTH: usize = 96;

/// Most files with several names that are remembered, so that each is counted once; beyond that they count by name.
const MAX_LINKED_FILES: usize = 65_536;

/// The unit of `st_blocks` (`stat(3type)`).
const BLOCK_BYTES: u64 = 512;

/// How full a file system is (`statvfs(3)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSystemFill {
    /// Its size in bytes.
    pub total_bytes: u64,
    /// Bytes that programs without privilege can still write.
    pub available_bytes: u64,
    /// Inodes it can hold; 0 where it makes them as it needs them.
    pub inodes: u64,
    /// Inodes that are still free.
    pub inodes_available: u64,
}

/// What bounds a walk, and what of it is told.
#[derive(Debug)]
pub struct UsageBounds<'a> {
    /// Most entries looked at.
    pub entries: usize,
    /// When it ends at the latest.
    pub deadline: Instant,
    /// Down to how many levels below the path files and folders are told one by one.
    pub levels: usize,
    /// Bytes from which on one is told.
    pub told_bytes: u64,
    /// Inodes from which on one is told.
    pub told_inodes: u64,
    /// Paths on the node that are not entered: its mount points.
    pub mount_points: &'a HashSet<String>,
}

/// What is below a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Usage {
    /// The path itself, with everything below it, and then those of its parts that are large enough.
    pub parts: Vec<UsagePart>,
    /// Why there may be more than was counted.
    pub incomplete: Option<String>,
}

/// A file or folder with everything below it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsagePart {
    /// Its path on the node, as it was walked to.
    pub path: HostPath,
    /// Bytes allocated on the disk.
    pub bytes: u64,
    /// Files and folders, itself included.
    pub inodes: u64,
}

impl HostRoot {
    /// How full the file system at `path` is.
    ///
    /// # Errors
    /// When it is on a mount that may hang, or the kernel does not say.
    pub fn file_system_fill(&self, path: &HostPath) -> Result<FileSystemFill, HostError> {
        let handle = self.resolve(path, Last::Follow)?;
        let stat = rustix::fs::fstatvfs(&handle).map_err(|errno| HostError::from_io(path.as_str(), errno.into()))?;
        Ok(FileSystemFill {
            total_bytes: stat.f_blocks.saturating_mul(stat.f_frsize),
            available_bytes: stat.f_bavail.saturating_mul(stat.f_frsize),
            inodes: stat.f_files,
            inodes_available: stat.f_favail,
        })
    }

    /// Adds up what is below the folder `path`. Blocks until the walk is done or a bound is reached.
    ///
    /// # Errors
    /// When `path` is no folder that can be listed. What cannot be looked into further down makes the usage incomplete.
    pub fn usage(&self, path: &HostPath, bounds: &UsageBounds<'_>) -> Result<Usage, HostError> {
        let failed = |errno: Errno| HostError::from_io(path.as_str(), errno.into());
        let handle = self.resolve(path, Last::Follow)?;
        let stat = rustix::fs::fstat(&handle).map_err(failed)?;
        let kind = Metadata::from_stat(&stat).kind;
        if kind != EntryKind::Dir {
            return Err(HostError::WrongKind {
                path: path.to_string(),
                kind,
                expected: "a folder",
            });
        }
        let folder = rustix::fs::openat(&handle, ".", FOLDER, Mode::empty()).map_err(failed)?;
        let mut walk = Walk {
            root: self,
            bounds,
            device: stat.st_dev,
            entries: 0,
            linked: HashSet::new(),
            parts: Vec::new(),
            incomplete: None,
        };
        let mut sum = allocated(&stat);
        sum.add(walk.below(&folder, path, 0));
        walk.parts.push(UsagePart {
            path: path.clone(),
            bytes: sum.bytes,
            inodes: sum.inodes,
        });
        // The path itself is known last and told first.
        walk.parts.rotate_right(1);
        Ok(Usage {
            parts: walk.parts,
            incomplete: walk.incomplete,
        })
    }
}

const FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::NONBLOCK)
    .union(OFlags::CLOEXEC);

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    bytes: u64,
    inodes: u64,
}

impl Sum {
    fn add(&mut self, other: Self) {
        self.bytes = self.bytes.saturating_add(other.bytes);
        self.inodes += other.inodes;
    }
}

fn allocated(stat: &Stat) -> Sum {
    Sum {
        bytes: u64::try_from(stat.st_blocks).unwrap_or(0).saturating_mul(BLOCK_BYTES),
        inodes: 1,
    }
}

struct Walk<'a> {
    root: &'a HostRoot,
    bounds: &'a UsageBounds<'a>,
    device: u64,
    entries: usize,
    /// Inodes with several names that were counted.
    linked: HashSet<u64>,
    parts: Vec<UsagePart>,
    incomplete: Option<String>,
}

impl Walk<'_> {
    fn below(&mut self, folder: &OwnedFd, path: &HostPath, depth: usize) -> Sum {
        let mut sum = Sum::default();
        if depth == MAX_DEPTH {
            self.missed(format!("{path} is too deep"));
            return sum;
        }
        let listing = match Dir::read_from(folder) {
            Ok(listing) => listing,
            Err(error) => {
                self.missed(format!("{path} cannot be listed: {error}"));
                return sum;
            }
        };
        for entry in listing {
            if self.is_over() {
                break;
            }
            let Ok(entry) = entry else {
                self.missed(format!("{path} cannot be listed to its end"));
                break;
            };
            let name = entry.file_name();
            if matches!(name.to_bytes(), b"." | b"..") {
                continue;
            }
            self.entries += 1;
            // A name that is not UTF-8 is in no list of mounts; it is counted, and told with replacements.
            let Ok(child) = path.join(&name.to_string_lossy()) else {
                self.missed(format!("a path below {path} is too long"));
                continue;
            };
            // Before the first touch: a dead server's mount hangs already when it is asked what it is.
            let may_be_mount = matches!(entry.file_type(), FileType::Directory | FileType::Unknown);
            if self.bounds.mount_points.contains(child.as_str()) || (may_be_mount && self.root.is_remote_mount(&child))
            {
                continue;
            }
            let flags = AtFlags::SYMLINK_NOFOLLOW | AtFlags::NO_AUTOMOUNT;
            let Ok(stat) = rustix::fs::statat(folder.as_fd(), name, flags) else {
                // It is gone since it was listed.
                continue;
            };
            if stat.st_dev != self.device || !self.is_first_name(&stat) {
                continue;
            }
            let mut part = allocated(&stat);
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                match rustix::fs::openat(folder.as_fd(), name, FOLDER, Mode::empty()) {
                    Ok(opened) => part.add(self.below(&opened, &child, depth + 1)),
                    Err(Errno::NOENT) => {}
                    Err(error) => self.missed(format!("{child} cannot be opened: {error}")),
                }
            }
            sum.add(part);
            let is_large = part.bytes >= self.bounds.told_bytes || part.inodes >= self.bounds.told_inodes;
            if depth < self.bounds.levels && is_large {
                self.parts.push(UsagePart {
                    path: child,
                    bytes: part.bytes,
                    inodes: part.inodes,
                });
            }
        }
        sum
    }

    fn is_first_name(&mut self, stat: &Stat) -> bool {
        let has_several = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile && stat.st_nlink > 1;
        !has_several || self.linked.len() >= MAX_LINKED_FILES || self.linked.insert(stat.st_ino)
    }

    fn is_over(&mut self) -> bool {
        if self.entries >= self.bounds.entries {
            self.missed(format!("only the first {} files were counted", self.bounds.entries));
            return true;
        }
        // Asking for the time at every entry would cost as much as the entry.
        if self.entries.is_multiple_of(256) && Instant::now() >= self.bounds.deadline {
            self.missed("counting was ended when its time was over".to_owned());
            // Ends the folders above too.
            self.entries = self.bounds.entries;
            return true;
        }
        false
    }

    /// Keeps the first reason.
    fn missed(&mut self, why: String) {
        self.incomplete.get_or_insert(why);
    }
}
