//! From a path on the node to a handle of the inode, never leaving the node's root.
//!
//! Two ways that give the same answers: the kernel's (`openat2`), and component by component, for kernels and seccomp
//! filters without it, for a view of several folders and for nodes with mounts that may hang. Nothing is opened
//! here: a handle (`O_PATH`) has no effect on a FIFO, a device or a server.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, PROC_SUPER_MAGIC, ResolveFlags};
use rustix::io::Errno;

use crate::view::View;

/// Links followed in one resolution: the kernel's own limit (`path_resolution(7)`).
const MAX_LINKS: usize = 40;

/// Folders held open at once while walking; deeper paths are refused.
const MAX_DEPTH: usize = 256;

/// Tries before a resolution by the kernel gives way: it answers `EAGAIN` when `..` raced with a rename.
const MAX_TRIES: usize = 8;

/// Inode number of the top folder of a procfs (`PROC_ROOT_INO` in the kernel's `proc_fs.h`).
const PROC_TOP_INO: u64 = 1;

/// Handles only, and none is inherited by children.
const HANDLE: OFlags = OFlags::PATH.union(OFlags::CLOEXEC);

/// What to do with a link as the last component.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Last {
    /// Go where it points.
    Follow,
    /// Return the link itself.
    Keep,
}

/// Why there is no handle.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The kernel's answer, or ours in its words.
    Os(Errno),
    /// A mount that may hang, with its file system type.
    Remote(String),
}

impl From<Errno> for Refusal {
    fn from(errno: Errno) -> Self {
        Self::Os(errno)
    }
}

impl From<Refusal> for io::Error {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Os(errno) => errno.into(),
            Refusal::Remote(fstype) => Self::other(format!("on a {fstype} mount")),
        }
    }
}

/// A handle and its path on the node, without any link.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) handle: OwnedFd,
    pub(crate) real: Vec<u8>,
}

/// Whether the kernel resolves paths inside `root` for us.
pub(crate) fn kernel_resolves(root: BorrowedFd<'_>) -> bool {
    by_kernel(root, "/", Last::Follow).is_ok()
}

/// Lets the kernel resolve `path` inside `root`.
pub(crate) fn by_kernel(root: BorrowedFd<'_>, path: &str, last: Last) -> Result<OwnedFd, Errno> {
    let flags = match last {
        Last::Follow => HANDLE,
        Last::Keep => HANDLE | OFlags::NOFOLLOW,
    };
    let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    let mut tries = 0;
    loop {
        match rustix::fs::openat2(root, path, flags, Mode::empty(), inside) {
            Err(Errno::AGAIN) if tries < MAX_TRIES => tries += 1,
            answer => return answer,
        }
    }
}

/// Walks `path` one component at a time, reading every link itself.
pub(crate) fn by_component(view: &View, path: &str, last: Last) -> Result<Resolved, Refusal> {
    let mut walk = Walk {
        view,
        trail: Vec::new(),
        pending: Vec::new(),
        links: 0,
    };
    walk.put_before(path.as_bytes());
    while let Some(name) = walk.pending.pop() {
        if name == b".." {
            walk.trail.pop();
            continue;
        }
        let (handle, stat) = walk.step(&name)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Symlink if walk.pending.is_empty() && last == Last::Keep => {}
            FileType::Symlink => {
                walk.follow(handle.as_fd())?;
                continue;
            }
            FileType::Directory => {}
            _ if walk.pending.is_empty() => {}
            _ => return Err(Errno::NOTDIR.into()),
        }
        if walk.trail.len() == MAX_DEPTH {
            return Err(Errno::NAMETOOLONG.into());
        }
        walk.trail.push((name, handle));
    }
    walk.end()
}

struct Walk<'a> {
    view: &'a View,
    /// Names and handles from below the root to where we stand: real folders, no links.
    trail: Vec<(Vec<u8>, OwnedFd)>,
    /// Components still to walk, the next one last.
    pending: Vec<Vec<u8>>,
    links: usize,
}

impl Walk<'_> {
    fn put_before(&mut self, path: &[u8]) {
        let parts = path
            .split(|byte| *byte == b'/')
            .filter(|part| !part.is_empty() && *part != b".");
        self.pending.extend(parts.rev().map(<[u8]>::to_vec));
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.trail
            .last()
            .map_or(self.view.base.as_fd(), |(_, handle)| handle.as_fd())
    }

    fn real(&self, name: Option<&[u8]>) -> Vec<u8> {
        let mut real = Vec::new();
        for part in self.trail.iter().map(|(part, _)| part.as_slice()).chain(name) {
            real.push(b'/');
            real.extend_from_slice(part);
        }
        real
    }

    fn step(&self, name: &[u8]) -> Result<(OwnedFd, rustix::fs::Stat), Refusal> {
        let real = self.real(Some(name));
        // Before the first touch: even a handle of a dead NFS mount waits for its server.
        if let Some(fstype) = self.view.mounts.at(&real) {
            return Err(Refusal::Remote(fstype));
        }
        let handle = match self.view.overlay(&real) {
            Some(folder) => rustix::io::fcntl_dupfd_cloexec(folder, 0)?,
            None => rustix::fs::openat(self.here(), name, HANDLE | OFlags::NOFOLLOW, Mode::empty())?,
        };
        let stat = rustix::fs::fstat(&handle)?;
        Ok((handle, stat))
    }

    fn follow(&mut self, link: BorrowedFd<'_>) -> Result<(), Refusal> {
        self.links += 1;
        if self.links > MAX_LINKS || is_magic(self.here())? {
            return Err(Errno::LOOP.into());
        }
        let target = rustix::fs::readlinkat(link, "", Vec::new())?.into_bytes();
        if target.starts_with(b"/") {
            self.trail.clear();
        }
        self.put_before(&target);
        Ok(())
    }

    fn end(mut self) -> Result<Resolved, Refusal> {
        let real = self.real(None);
        if !self.view.shows(&real) {
            return Err(Errno::NOENT.into());
        }
        let handle = match self.trail.pop() {
            Some((_, handle)) => handle,
            None => rustix::io::fcntl_dupfd_cloexec(&self.view.base, 0)?,
        };
        Ok(Resolved { handle, real })
    }
}

/// Whether links in `folder` lead into a process (`/proc/<pid>/root`) instead of naming a path.
///
/// The links at the top of a procfs (`self`, `mounts`, `net`) are ordinary ones; all below stand for the inodes
/// themselves.
fn is_magic(folder: BorrowedFd<'_>) -> Result<bool, Errno> {
    if rustix::fs::fstatfs(folder)?.f_type != PROC_SUPER_MAGIC {
        return Ok(false);
    }
    let stat = rustix::fs::statat(folder, "", AtFlags::EMPTY_PATH)?;
    Ok(stat.st_ino != PROC_TOP_INO)
}
