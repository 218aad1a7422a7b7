//! The ring's file: opened so that nobody can lead us to another one, and locked against a second agent.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::layout::{FILE_BYTES, Write, check_header, header};

/// A ring file of ours alone.
#[derive(Debug)]
pub(crate) struct RingFile(OwnedFd);

impl RingFile {
    /// Opens the file `name` in `folder`, and makes what is missing of both. Blocks.
    ///
    /// The folder may be open to pods that mount the node's logs: a link, a device, or a file that has a second name is
    /// refused, because what it leads to would be overwritten.
    pub(crate) fn open(folder: &Path, name: &str) -> io::Result<Self> {
        match rustix::fs::mkdir(folder, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let common = OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let folder = rustix::fs::open(folder, common | OFlags::DIRECTORY | OFlags::RDONLY, Mode::empty())?;
        let flags = common | OFlags::RDWR | OFlags::CREATE | OFlags::NONBLOCK;
        let file = rustix::fs::openat(&folder, name, flags, Mode::RUSR | Mode::WUSR)?;
        let stat = rustix::fs::fstat(&file)?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile || stat.st_nlink != 1 {
            return Err(io::Error::other("is no regular file with one name"));
        }
        rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::other("is in use by another agent"),
            error => error.into(),
        })?;
        Ok(Self(file))
    }

    /// The content, which is a ring when this returns; one that is none gives way to an empty one. Blocks.
    pub(crate) fn load(&self) -> io::Result<Vec<u8>> {
        let content = self.read()?;
        if check_header(&content).is_ok() && content.len() == FILE_BYTES {
            return Ok(content);
        }
        rustix::fs::ftruncate(&self.0, FILE_BYTES as u64)?;
        let mut empty = vec![0; FILE_BYTES];
        self.write_at(&empty, 0)?;
        // Last, so that half a ring is none.
        let header = header();
        self.write(&header)?;
        empty.splice(..header.bytes.len(), header.bytes);
        Ok(empty)
    }

    /// Writes in place. Blocks, though hardly: the kernel takes a few pages into its cache.
    ///
    /// It does not wait for the disk. A pod that ends loses nothing by that; a node that loses its power loses what the
    /// kernel had not written yet, some half a minute, and no record before it.
    pub(crate) fn write(&self, write: &Write) -> io::Result<()> {
        self.write_at(&write.bytes, write.at)
    }

    fn write_at(&self, mut bytes: &[u8], mut at: usize) -> io::Result<()> {
        while !bytes.is_empty() {
            let written = rustix::io::pwrite(&self.0, bytes, at as u64)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            at += written;
            bytes = bytes.get(written..).unwrap_or_default();
        }
        Ok(())
    }

    fn read(&self) -> io::Result<Vec<u8>> {
        let mut content = vec![0; FILE_BYTES];
        let mut len = 0;
        while let Some(rest) = content.get_mut(len..).filter(|rest| !rest.is_empty()) {
            let read = rustix::io::pread(&self.0, rest, len as u64)?;
            if read == 0 {
                break;
            }
            len += read;
        }
        content.truncate(len);
        Ok(content)
    }
}
