//! What is known about a file of the node without reading it.
//!
//! Plain data; it touches no file system.

use std::fmt;
use std::time::{Duration, SystemTime};

use rustix::fs::{FileType, Stat};

/// The kind of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A folder.
    Dir,
    /// A symbolic link.
    Link,
    /// A FIFO, socket or device; also a name that is not UTF-8, which no [`HostPath`](crate::HostPath) can hold.
    Other,
}

impl From<FileType> for EntryKind {
    fn from(kind: FileType) -> Self {
        match kind {
            FileType::RegularFile => Self::File,
            FileType::Directory => Self::Dir,
            FileType::Symlink => Self::Link,
            _ => Self::Other,
        }
    }
}

impl fmt::Display for EntryKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::File => "a regular file",
            Self::Dir => "a folder",
            Self::Link => "a link",
            Self::Other => "a FIFO, socket or device",
        })
    }
}

/// One entry of a folder of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirEntry {
    /// The file name; bytes that are not UTF-8 are replaced, and `kind` is then [`EntryKind::Other`].
    pub name: String,
    /// The kind of the entry itself: links are not followed.
    pub kind: EntryKind,
}

/// The inode's facts, as fstat(2) gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metadata {
    /// The kind of the file.
    pub kind: EntryKind,
    /// Bytes; only a hint, because files of `/proc` say 0 and sparse or growing files say anything.
    pub len: u64,
    /// Last change of the content.
    pub modified: SystemTime,
    /// Device the inode is on.
    pub dev: u64,
    /// Inode number.
    pub ino: u64,
    /// Owner.
    pub uid: u32,
    /// Permission bits, without the bits of the kind.
    pub mode: u32,
}

impl Metadata {
    pub(crate) fn from_stat(stat: &Stat) -> Self {
        Self {
            kind: FileType::from_raw_mode(stat.st_mode).into(),
            len: u64::try_from(stat.st_size).unwrap_or(0),
            modified: modified(stat),
            dev: stat.st_dev,
            ino: stat.st_ino,
            uid: stat.st_uid,
            mode: stat.st_mode & 0o7777,
        }
    }
}

fn modified(stat: &Stat) -> SystemTime {
    let nanos = Duration::from_nanos(stat.st_mtime_nsec);
    let whole = Duration::from_secs(stat.st_mtime.unsigned_abs());
    let second = if stat.st_mtime >= 0 {
        SystemTime::UNIX_EPOCH.checked_add(whole)
    } else {
        SystemTime::UNIX_EPOCH.checked_sub(whole)
    };
    second
        .and_then(|second| second.checked_add(nanos))
        .unwrap_or(SystemTime::UNIX_EPOCH)
}
