//! The node's files, reached from one root folder that no link leads out of.
//!
//! Reading only. A folder is not kept open between calls, so a path may mean another file the next time; what
//! one call returns is one inode, checked after it was pinned.
//!
//! `/proc/net`, `/proc/self` and `/proc/sys/net` are always about the process that reads them, whatever root they are
//! reached through. For the node's network read `/proc/1/net`, or run a command.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Dir, FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::resolve::{self, Last, Refusal, Resolved};
use crate::view::View;
use crate::{Confinement, DirEntry, EntryKind, HostError, HostFile, HostPath, Metadata, discover};

/// Most entries of one folder that are listed: far above what a node has, and below what fills our memory.
pub const MAX_DIR_ENTRIES: usize = 65_536;

/// First buffer for a small file; it grows with what is read, never with what stat says.
const FIRST_READ_BYTES: usize = 4096;

/// How the root folder was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootOrigin {
    /// Named by the user.
    Explicit,
    /// The node's root mounted into a pod, as `kubectl debug node` does it.
    Mounted,
    /// The root of process 1 in a pod with `hostPID`.
    FirstProcess,
    /// This process's own root: it runs on the node itself.
    Own,
    /// This process's own root, of which only the folders that the pod has mounted from the node are shown.
    PodMounts,
}

impl fmt::Display for RootOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Explicit => "named by the user",
            Self::Mounted => "mounted into this pod",
            Self::FirstProcess => "the root of process 1",
            Self::Own => "this process's own",
            Self::PodMounts => "the folders of the node that this pod has mounted",
        })
    }
}

/// The root folder of the node. Clones share one handle.
#[derive(Clone)]
pub struct HostRoot {
    inner: Arc<Inner>,
}

struct Inner {
    view: View,
    kernel_resolves: bool,
    origin: RootOrigin,
    path: PathBuf,
}

impl HostRoot {
    /// Finds the node: the first of `explicit`, `/host`, `/proc/1/root` and `/` that can be read and is a root folder.
    ///
    /// A folder named by the user only has to be readable. In a pod, `/` is the container's: then only the
    /// folders of the node that are mounted into it are shown.
    pub fn discover(explicit: Option<&Path>) -> Result<Self, HostError> {
        match explicit {
            Some(folder) => Self::at(folder),
            None => discover::discover(Path::new("/")),
        }
    }

    /// Takes `folder` for the root of the node.
    pub fn at(folder: &Path) -> Result<Self, HostError> {
        discover::open_root(folder, RootOrigin::Explicit)
    }

    /// The node as far as a pod has mounted it whose own root is `own`: [`HostError::NotShown`] is said of all the
    /// rest.
    pub fn mounted_into(own: &Path) -> Result<Self, HostError> {
        discover::pod_mounts(own)
    }

    pub(crate) fn new(view: View, origin: RootOrigin, path: PathBuf) -> Self {
        let kernel_resolves = resolve::kernel_resolves(view.base.as_fd());
        Self {
            inner: Arc::new(Inner {
                view,
                kernel_resolves,
                origin,
                path,
            }),
        }
    }

    /// How the root folder was found.
    pub fn origin(&self) -> RootOrigin {
        self.inner.origin
    }

    /// The root folder in this process's file system, for messages.
    pub fn path(&self) -> &Path {
        &self.inner.path
    }

    /// Whether the root is this process's own, the whole of it.
    pub fn is_own_root(&self) -> bool {
        self.inner.path == Path::new("/") && self.inner.origin != RootOrigin::PodMounts
    }

    pub(crate) fn handle(&self) -> BorrowedFd<'_> {
        self.inner.view.base.as_fd()
    }

    /// Whether files below the folder `path` are the node's in this view.
    pub(crate) fn shows(&self, path: &str) -> bool {
        self.inner.view.shows(path.as_bytes())
    }

    /// Opens a regular file, following links inside the root.
    ///
    /// The inode is pinned and looked at before it is opened: a FIFO, socket or device is never opened.
    pub fn open(&self, path: &HostPath) -> Result<HostFile, HostError> {
        open_regular(path, &self.resolve(path, Last::Follow)?)
    }

    /// Like [`Self::open`], and both `path` and the file it leads to must be allowed by `confinement`.
    pub fn open_confined(&self, path: &HostPath, confinement: &Confinement) -> Result<HostFile, HostError> {
        let confined = |source| HostError::Confined {
            path: path.to_string(),
            source,
        };
        confinement.check(path).map_err(confined)?;
        let Resolved { handle, real } =
            resolve::by_component(&self.inner.view, path.as_str(), Last::Follow).map_err(refused(path))?;
        // A name that is not UTF-8 is in no list: a replacement character does not make it one.
        let real = HostPath::new(&String::from_utf8_lossy(&real))?;
        confinement.check(&real).map_err(confined)?;
        open_regular(path, &handle)
    }

    /// Reads a whole file of at most `limit` bytes.
    pub fn read(&self, path: &HostPath, limit: usize) -> Result<Vec<u8>, HostError> {
        let file = self.open(path)?;
        let mut content = Vec::with_capacity(FIRST_READ_BYTES.min(limit));
        let one_more = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
        let read = file.take(one_more).read_to_end(&mut content);
        read.map_err(|source| HostError::from_io(path.as_str(), source))?;
        if content.len() > limit {
            return Err(HostError::TooLarge {
                path: path.to_string(),
                limit,
                unit: "bytes",
            });
        }
        Ok(content)
    }

    /// Reads a whole file of at most `limit` bytes as text; bytes that are not UTF-8 are replaced.
    pub fn read_text(&self, path: &HostPath, limit: usize) -> Result<String, HostError> {
        let content = self.read(path, limit)?;
        Ok(String::from_utf8(content).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
    }

    /// Lists a folder of at most [`MAX_DIR_ENTRIES`] entries, sorted by name.
    pub fn read_dir(&self, path: &HostPath) -> Result<Vec<DirEntry>, HostError> {
        let failed = |errno: Errno| HostError::from_io(path.as_str(), errno.into());
        let handle = self.resolve(path, Last::Follow)?;
        let kind = Metadata::from_stat(&rustix::fs::fstat(&handle).map_err(failed)?).kind;
        if kind != EntryKind::Dir {
            return Err(HostError::WrongKind {
                path: path.to_string(),
                kind,
                expected: "a folder",
            });
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let folder = rustix::fs::openat(&handle, ".", flags, Mode::empty()).map_err(failed)?;
        let mut entries = Vec::new();
        for entry in Dir::new(folder).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if entries.len() == MAX_DIR_ENTRIES {
                return Err(HostError::TooLarge {
                    path: path.to_string(),
                    limit: MAX_DIR_ENTRIES,
                    unit: "entries",
                });
            }
            entries.push(match std::str::from_utf8(name) {
                Ok(name) => DirEntry {
                    name: name.to_owned(),
                    kind: kind_of(&handle, name, entry.file_type()),
                },
                Err(_) => DirEntry {
                    name: String::from_utf8_lossy(name).into_owned(),
                    kind: EntryKind::Other,
                },
            });
        }
        entries.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(entries)
    }

    /// The facts of the inode that `path` leads to, links followed inside the root.
    pub fn metadata(&self, path: &HostPath) -> Result<Metadata, HostError> {
        self.metadata_of(path, Last::Follow)
    }

    /// The facts of `path` itself, be it a link.
    pub fn link_metadata(&self, path: &HostPath) -> Result<Metadata, HostError> {
        self.metadata_of(path, Last::Keep)
    }

    /// What the link at `path` points to, as it is written there.
    pub fn read_link(&self, path: &HostPath) -> Result<String, HostError> {
        let handle = self.resolve(path, Last::Keep)?;
        match rustix::fs::readlinkat(&handle, "", Vec::new()) {
            Ok(target) => Ok(target.to_string_lossy().into_owned()),
            // readlinkat(2) on a handle says ENOENT, on a path EINVAL, for anything but a link.
            Err(Errno::NOENT | Errno::INVAL) => {
                let kind = self.link_metadata(path)?.kind;
                Err(HostError::WrongKind {
                    path: path.to_string(),
                    kind,
                    expected: "a link",
                })
            }
            Err(errno) => Err(HostError::from_io(path.as_str(), errno.into())),
        }
    }

    fn metadata_of(&self, path: &HostPath, last: Last) -> Result<Metadata, HostError> {
        let handle = self.resolve(path, last)?;
        let stat = rustix::fs::fstat(&handle).map_err(|errno| HostError::from_io(path.as_str(), errno.into()))?;
        Ok(Metadata::from_stat(&stat))
    }

    /// Whether a mount that may hang is exactly at `path`, which has no links.
    pub(crate) fn is_remote_mount(&self, path: &HostPath) -> bool {
        self.inner.view.mounts.at(path.as_str().as_bytes()).is_some()
    }

    pub(crate) fn resolve(&self, path: &HostPath, last: Last) -> Result<OwnedFd, HostError> {
        let Inner {
            view, kernel_resolves, ..
        } = &*self.inner;
        if *kernel_resolves && view.is_plain() {
            match resolve::by_kernel(view.base.as_fd(), path.as_str(), last) {
                // Somebody keeps renaming folders on the way; walking is not disturbed by that.
                Err(Errno::AGAIN) => {}
                answer => return answer.map_err(Refusal::Os).map_err(refused(path)),
            }
        }
        let walked = resolve::by_component(view, path.as_str(), last).map_err(refused(path))?;
        Ok(walked.handle)
    }
}

impl fmt::Debug for HostRoot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostRoot")
            .field("path", &self.inner.path)
            .field("origin", &self.inner.origin)
            .field("kernel_resolves", &self.inner.kernel_resolves)
            .finish_non_exhaustive()
    }
}

fn refused(path: &HostPath) -> impl FnOnce(Refusal) -> HostError {
    let path = path.to_string();
    move |refusal| match refusal {
        Refusal::Os(errno) => HostError::from_io(&path, errno.into()),
        Refusal::Remote(fstype) => HostError::RemoteFileSystem { path, fstype },
        Refusal::NotShown => HostError::NotShown { path },
    }
}

fn open_regular(path: &HostPath, handle: &OwnedFd) -> Result<HostFile, HostError> {
    let failed = |errno: Errno| HostError::from_io(path.as_str(), errno.into());
    let metadata = Metadata::from_stat(&rustix::fs::fstat(handle).map_err(failed)?);
    if metadata.kind != EntryKind::File {
        return Err(HostError::WrongKind {
            path: path.to_string(),
            kind: metadata.kind,
            expected: "a regular file",
        });
    }
    // Through our own handle, so that it is the inode just looked at and nothing swapped in since.
    let pinned = format!("/proc/self/fd/{}", handle.as_raw_fd());
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = rustix::fs::open(pinned, flags, Mode::empty()).map_err(failed)?;
    Ok(HostFile::new(File::from(file), metadata))
}

/// Some file systems leave the kind of an entry out of the listing.
fn kind_of(folder: &OwnedFd, name: &str, listed: FileType) -> EntryKind {
    if listed != FileType::Unknown {
        return listed.into();
    }
    let stat = rustix::fs::statat(folder, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW);
    stat.map_or(EntryKind::Other, |stat| Metadata::from_stat(&stat).kind)
}
