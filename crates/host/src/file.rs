//! An open regular file of the node.
//!
//! It reads; it neither limits nor follows: how much of a sparse or growing file is taken is the reader's affair.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::fs::FileExt;
use std::time::SystemTime;

use crate::Metadata;

/// A regular file, opened for reading without blocking.
#[derive(Debug)]
pub struct HostFile {
    file: File,
    metadata: Metadata,
}

impl HostFile {
    pub(crate) fn new(file: File, metadata: Metadata) -> Self {
        Self { file, metadata }
    }

    /// What fstat(2) said when the file was opened.
    pub fn metadata(&self) -> Metadata {
        self.metadata
    }

    /// Bytes when the file was opened; a hint only, see [`Metadata::len`].
    pub fn len(&self) -> u64 {
        self.metadata.len
    }

    /// Whether [`Self::len`] is 0, as it is for every file of `/proc`.
    pub fn is_empty(&self) -> bool {
        self.metadata.len == 0
    }

    /// Last change of the content when the file was opened.
    pub fn modified(&self) -> SystemTime {
        self.metadata.modified
    }

    /// Device and inode number: the same pair is the same file, whatever it is called.
    pub fn identity(&self) -> (u64, u64) {
        (self.metadata.dev, self.metadata.ino)
    }

    /// Reads at `offset` bytes from the start without moving the position that [`Read`] uses.
    pub fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.file.read_at(buffer, offset)
    }

    /// The standard library's file, for readers that need one.
    pub fn into_std(self) -> File {
        self.file
    }
}

impl Read for HostFile {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for HostFile {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        self.file.seek(position)
    }
}

impl AsFd for HostFile {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.file.as_fd()
    }
}
