//! Which folders of the node are mounts that may hang: FUSE, NFS, CIFS and their like.
//!
//! Only the list of mounts is read (`proc_pid_mountinfo(5)`); a mount itself is never touched.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};

/// Largest list of mounts read: a node with 250 pods has about 2,000 lines of 150 bytes.
const MAX_MOUNTINFO_BYTES: u64 = 16 * 1024 * 1024;

/// File systems that ask somebody else (a server, a user's process, the automounter) before they answer.
const REMOTE_TYPES: [&str; 16] = [
    "9p",
    "afs",
    "autofs",
    "ceph",
    "cifs",
    "coda",
    "fuse",
    "fuseblk",
    "gfs2",
    "glusterfs",
    "lustre",
    "ncpfs",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// The mounts below one root folder that may hang, kept up to date.
pub(crate) struct RemoteMounts {
    source: Option<Mutex<Source>>,
}

struct Source {
    file: File,
    /// Where the root folder is in the paths of `file`; empty for `/`.
    prefix: String,
    /// Mount points below the root folder, as paths on the node, with their file system types.
    points: Vec<(String, String)>,
}

impl RemoteMounts {
    /// Reads the mounts of process `pid` (`self` or a number), whose root holds our folder at `folder`.
    ///
    /// Where the list cannot be read (no `/proc`), no mount is known and none is refused.
    pub(crate) fn of_process(pid: &str, folder: &Path) -> Self {
        match open(format!("/proc/{pid}/mountinfo")) {
            Ok(file) => Self::of_file(file, folder),
            Err(error) => {
                tracing::debug!(pid, %error, "The list of mounts cannot be read.");
                Self { source: None }
            }
        }
    }

    /// Reads the mounts from an open list.
    pub(crate) fn of_file(file: File, folder: &Path) -> Self {
        let prefix = folder.to_string_lossy().trim_end_matches('/').to_owned();
        let mut source = Source {
            file,
            prefix,
            points: Vec::new(),
        };
        source.read();
        Self {
            source: Some(Mutex::new(source)),
        }
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.with(<[_]>::is_empty).unwrap_or(true)
    }

    /// The file system type, if a mount that may hang is exactly at `path`.
    pub(crate) fn at(&self, path: &[u8]) -> Option<String> {
        self.with(|points| {
            let found = points.iter().find(|(point, _)| point.as_bytes() == path);
            found.map(|(_, fstype)| fstype.clone())
        })?
    }

    fn with<T>(&self, look: impl FnOnce(&[(String, String)]) -> T) -> Option<T> {
        let mut source = self.source.as_ref()?.lock().unwrap_or_else(PoisonError::into_inner);
        source.refresh();
        Some(look(&source.points))
    }
}

impl Source {
    /// Reads the list again if the kernel says that it has changed (`proc_pid_mounts(5)`: `POLLPRI`).
    fn refresh(&mut self) {
        let mut changed = [PollFd::new(&self.file, PollFlags::PRI)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        if poll(&mut changed, Some(&now)).is_ok_and(|ready| ready > 0) {
            self.read();
        }
    }

    fn read(&mut self) {
        let read = self.file.seek(SeekFrom::Start(0)).and_then(|_| text_of(&self.file));
        match read {
            Ok(text) => self.points = remote_points(&text, &self.prefix),
            Err(error) => tracing::warn!(%error, "The list of mounts cannot be read again."),
        }
    }
}

/// The mount points of `mountinfo` below `prefix` whose topmost mount may hang.
fn remote_points(mountinfo: &str, prefix: &str) -> Vec<(String, String)> {
    let mut points: Vec<(String, String)> = Vec::new();
    for line in mountinfo.lines() {
        let Some((point, fstype)) = parse_line(line) else {
            continue;
        };
        let Some(point) = point.strip_prefix(prefix) else {
            continue;
        };
        // The root folder itself was chosen by whoever started us.
        if !point.starts_with('/') || point == "/" {
            continue;
        }
        // Later lines are mounted on top of earlier ones with the same mount point.
        points.retain(|(earlier, _)| earlier != point);
        if is_remote(fstype) {
            points.push((point.to_owned(), fstype.to_owned()));
        }
    }
    points
}

fn is_remote(fstype: &str) -> bool {
    REMOTE_TYPES.contains(&fstype) || fstype.starts_with("fuse.")
}

/// Every mount point of a list of mounts; none where it cannot be read.
pub(crate) fn points(list: &Path) -> Vec<String> {
    let mountinfo = open(list).and_then(|file| text_of(&file)).unwrap_or_else(|error| {
        tracing::debug!(list = %list.display(), %error, "The list of mounts cannot be read.");
        String::new()
    });
    mountinfo
        .lines()
        .filter_map(parse_line)
        .map(|(point, _)| point)
        .collect()
}

fn open(list: impl rustix::path::Arg) -> io::Result<File> {
    Ok(rustix::fs::open(list, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?.into())
}

/// What an open list says from here on.
fn text_of(list: &File) -> io::Result<String> {
    let mut text = Vec::new();
    list.take(MAX_MOUNTINFO_BYTES).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Mount point and file system type: `36 35 98:0 /root /point options [optional…] - fstype source superoptions`.
fn parse_line(line: &str) -> Option<(String, &str)> {
    let (mount, file_system) = line.split_once(" - ")?;
    Some((unescape(mount.split(' ').nth(4)?), file_system.split(' ').next()?))
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn unescape(point: &str) -> String {
    let mut plain = point.to_owned();
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(escape, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    const NODE: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw
24 23 0:35 / /proc/sys/fs/binfmt_misc rw shared:7 - autofs systemd-1 rw,fd=29
25 24 0:40 / /proc/sys/fs/binfmt_misc rw shared:8 - binfmt_misc binfmt_misc rw
26 22 0:50 / /mnt/share rw shared:9 - cifs //account.file.core.windows.net/share rw,vers=3.1.1
27 22 0:51 / /var/lib/with\\040space rw - fuse.blobfuse2 blobfuse2 rw
28 22 0:52 / /mnt/export rw shared:11 master:3 - nfs4 10.0.0.4:/export rw
29 22 0:53 / /var/log rw - ext4 /dev/sdb1 rw
";

    #[rstest]
    #[case::own_root(NODE, "", &[("/mnt/share", "cifs"), ("/var/lib/with space", "fuse.blobfuse2"), ("/mnt/export", "nfs4")])]
    #[case::below_a_folder(NODE, "/mnt", &[("/share", "cifs"), ("/export", "nfs4")])]
    #[case::not_a_sibling(NODE, "/mnt/sha", &[])]
    #[case::the_root_itself("1 0 0:1 / /host rw - nfs4 server:/ rw", "/host", &[])]
    #[case::garbage("no mountinfo\n - \n1 2 3 - nfs", "", &[])]
    fn finds(#[case] mountinfo: &str, #[case] prefix: &str, #[case] expected: &[(&str, &str)]) {
        let expected: Vec<_> = expected
            .iter()
            .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()))
            .collect();
        assert_eq!(remote_points(mountinfo, prefix), expected);
    }

    #[test]
    fn reads_the_mounts_of_this_process() {
        let mounts = RemoteMounts::of_process("self", Path::new("/"));
        assert_eq!(mounts.at(b"/"), None);
        assert!(mounts.source.is_some());
    }

    #[test]
    fn knows_nothing_of_a_process_that_is_not_there() {
        let mounts = RemoteMounts::of_process("0", Path::new("/"));
        assert!(mounts.is_empty());
        assert_eq!(mounts.at(b"/proc"), None);
    }
}
