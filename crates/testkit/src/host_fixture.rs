//! A node in a temporary folder.
//!
//! Real files, links and FIFOs, seen through a real [`HostRoot`]; no devices, which need root to be made.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use periscope_host::{HostPath, HostRoot};
use rustix::fs::{CWD, FileType, Mode};
use tempfile::TempDir;

/// A folder that looks like the root of a node; removed when dropped.
///
/// ```
/// use periscope_testkit::HostFixture;
///
/// let node = HostFixture::new().file("/var/log/syslog", "hello").link("/var/log/last", "/var/log/syslog");
/// let path = periscope_host::HostPath::new("/var/log/last").unwrap();
/// assert_eq!(node.root().read(&path, 100).unwrap(), b"hello");
/// ```
#[derive(Debug)]
pub struct HostFixture {
    folder: TempDir,
}

impl Default for HostFixture {
    fn default() -> Self {
        Self::new()
    }
}

#[expect(
    clippy::missing_panics_doc,
    reason = "a broken fixture is a broken test, as the crate's documentation says"
)]
impl HostFixture {
    /// A node with a distribution and a first process, and nothing else.
    pub fn new() -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        Self { folder }
            .file("/etc/os-release", "NAME=\"Fixture\"\nPRETTY_NAME=\"Fixture Linux 1\"\n")
            .file("/etc/hostname", "fixture-node\n")
            .file("/proc/1/comm", "init\n")
    }

    /// Adds a regular file, with the folders it needs.
    #[must_use]
    pub fn file(self, path: &str, content: impl AsRef<[u8]>) -> Self {
        fs::write(self.place(path), content).expect("a file in the fixture");
        self
    }

    /// Adds a regular file that says it was last changed at `modified`.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "a fixture is a folder of the test")]
    pub fn file_from(self, path: &str, content: impl AsRef<[u8]>, modified: SystemTime) -> Self {
        let fixture = self.file(path, content);
        let file = File::options()
            .append(true)
            .open(fixture.real_path(path))
            .expect("the file just written");
        file.set_modified(modified).expect("a time of change");
        fixture
    }

    /// Adds a file of `len` bytes that holds no data.
    #[must_use]
    pub fn sparse_file(self, path: &str, len: u64) -> Self {
        let file = File::create(self.place(path)).expect("a file in the fixture");
        file.set_len(len).expect("a sparse file");
        self
    }

    /// Adds an empty folder.
    #[must_use]
    pub fn dir(self, path: &str) -> Self {
        fs::create_dir_all(self.place(path)).expect("a folder in the fixture");
        self
    }

    /// Adds a symbolic link with exactly `target` in it: absolute targets are paths on the node.
    #[must_use]
    pub fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.place(path)).expect("a link in the fixture");
        self
    }

    /// Adds a FIFO that nobody writes to.
    #[must_use]
    pub fn fifo(self, path: &str) -> Self {
        let mode = Mode::RUSR | Mode::WUSR;
        rustix::fs::mknodat(CWD, self.place(path), FileType::Fifo, mode, 0).expect("a FIFO in the fixture");
        self
    }

    /// The fixture as the root of a node, while the fixture lives.
    pub fn root(&self) -> HostRoot {
        HostRoot::at(self.folder.path()).expect("the fixture as a root folder")
    }

    /// The fixture's folder in the test's own file system.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Where the node's `path` is in the test's own file system.
    pub fn real_path(&self, path: &str) -> PathBuf {
        let path = HostPath::new(path).expect("an absolute path");
        self.folder.path().join(path.as_str().trim_start_matches('/'))
    }

    fn place(&self, path: &str) -> PathBuf {
        let place = self.real_path(path);
        let parent = place.parent().expect("a path below the fixture");
        fs::create_dir_all(parent).expect("the folders of a path");
        place
    }
}
