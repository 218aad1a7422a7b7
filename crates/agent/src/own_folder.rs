//! The agent's own folder on the node, opened so that nobody can lead us to another one, and held against a second
//! agent. Its files are written whole or not at all.
//!
//! The ring of samples lies beside them, and is opened and held by itself.

use std::fs::{DirBuilder, File};
use std::io::{self, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::Path;

use rustix::fs::{AtFlags, CWD, FlockOperation, Mode, OFlags};
use rustix::io::Errno;

use crate::small_file;

/// Its name, below the folder that the archives are in.
pub const OWN_FOLDER: &str = ".agent";

/// What a file is called before it is whole.
const UNFINISHED: &str = "unfinished.new";

/// The folder, which no other agent has as long as this is there.
#[derive(Debug)]
pub(crate) struct OwnFolder(OwnedFd);

impl OwnFolder {
    /// Opens it below `folder`, and makes what is missing of both. `WouldBlock` when another agent has it. Blocks.
    ///
    /// The node's logs may be open to pods: a link in the place of either folder is refused, as what it leads to would
    /// be written to.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let above = open_folder(CWD, folder)?;
        match rustix::fs::mkdirat(&above, OWN_FOLDER, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        let own = open_folder(&above, OWN_FOLDER)?;
        // The kernel lets go of it when the process ends, however that comes.
        rustix::fs::flock(&own, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => io::Error::new(
                io::ErrorKind::WouldBlock,
                "another agent has the folder, expected one on a node",
            ),
            error => error.into(),
        })?;
        Ok(Self(own))
    }

    /// The file's bytes; `None` when there is no such file. A link is none.
    pub(crate) fn read(&self, name: &str, max: usize) -> io::Result<Option<Vec<u8>>> {
        small_file::read_at(&self.0, name, OFlags::NOFOLLOW, max)
    }

    /// Replaces the file, or makes it, for its owner only. When the process is killed in the middle, the old one is
    /// still there. It is not waited for the disk, which may take seconds where it is busy: after a loss of power the
    /// file may be empty.
    pub(crate) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        // What a crash left behind is no reason to fail, and nothing to write through.
        match rustix::fs::unlinkat(&self.0, UNFINISHED, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(error) => return Err(error.into()),
        }
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let file = rustix::fs::openat(&self.0, UNFINISHED, flags, Mode::RUSR | Mode::WUSR)?;
        File::from(file).write_all(bytes)?;
        Ok(rustix::fs::renameat(&self.0, UNFINISHED, &self.0, name)?)
    }
}

/// Opens a folder that is one, and no link to one.
pub(crate) fn open_folder(at: impl std::os::fd::AsFd, path: impl rustix::path::Arg) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => io::Error::new(
            io::ErrorKind::NotADirectory,
            "there is a link or a file, expected a folder",
        ),
        error => error.into(),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    const FILE: &str = "runs.json";

    #[test]
    fn a_written_file_replaces_the_old_one_and_is_private() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(OWN_FOLDER);
        let own = OwnFolder::open(folder.path()).unwrap();
        assert_eq!(own.read(FILE, 10).unwrap(), None);
        fs::write(path.join(UNFINISHED), "left behind by a crash").unwrap();
        own.write(FILE, b"old").unwrap();
        own.write(FILE, b"new").unwrap();
        assert_eq!(own.read(FILE, 10).unwrap().unwrap(), b"new");
        for (path, mode) in [(path.join(FILE), 0o600), (path.clone(), 0o700)] {
            assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o777, mode);
        }
        assert!(!path.join(UNFINISHED).exists());
    }

    #[test]
    fn no_link_is_followed_out_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        let secret = outside.path().join("secret");
        fs::write(&secret, "theirs").unwrap();
        let own = OwnFolder::open(folder.path()).unwrap();
        for name in [FILE, UNFINISHED] {
            symlink(&secret, folder.path().join(OWN_FOLDER).join(name)).unwrap();
        }
        assert!(own.read(FILE, 10).is_err());
        own.write(FILE, b"ours").unwrap();
        assert_eq!(own.read(FILE, 10).unwrap().unwrap(), b"ours");
        assert_eq!(small_file::read(&secret, 10).unwrap().unwrap(), b"theirs");
    }

    #[test]
    fn a_folder_has_one_agent_at_a_time() {
        let folder = tempfile::tempdir().unwrap();
        let first = OwnFolder::open(folder.path()).unwrap();
        let error = OwnFolder::open(folder.path()).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (
                io::ErrorKind::WouldBlock,
                "another agent has the folder, expected one on a node"
            )
        );
        drop(first);
        OwnFolder::open(folder.path()).unwrap();
    }
}
