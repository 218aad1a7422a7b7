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
    /// The view does not show whether it is there.
    NotShown,
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
            Refusal::NotShown => Self::other("not mounted into this pod"),
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
        if name == b"." {
            continue;
        }
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
        // What a slash follows must be a folder: walking on to `.` finds out.
        if path.ends_with(b"/") {
            self.pending.push(b".".to_vec());
        }
        let parts = path.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
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
        // What lies beside the folders that are shown is the container's, and so is that something is missing there.
        if !self.view.leads_to(&real) {
            return Err(Refusal::NotShown);
        }
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
            return Err(Refusal::NotShown);
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

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "tests look at files and run programs of their own"
)]
mod tests {
    use std::fs::{self, File};
    use std::os::unix::fs::symlink;
    use std::path::Path;

    use proptest::prelude::*;
    use rstest::rstest;
    use tempfile::TempDir;

    use super::*;
    use crate::mounts::RemoteMounts;

    fn view(folder: &Path, mountinfo: &str) -> View {
        let list = folder.join("mountinfo");
        fs::write(&list, mountinfo).unwrap();
        let mounts = RemoteMounts::of_file(File::open(&list).unwrap(), Path::new("/"));
        let base = rustix::fs::open(folder, HANDLE, Mode::empty()).unwrap();
        View {
            base,
            overlays: Vec::new(),
            visible: None,
            mounts,
        }
    }

    /// A node whose pods plant links.
    fn node() -> TempDir {
        let folder = TempDir::new().unwrap();
        for dir in ["etc", "var/log/pods/p", "run", "tmp"] {
            fs::create_dir_all(folder.path().join(dir)).unwrap();
        }
        for file in ["etc/secret", "var/log/pods/p/0.log", "run/resolv.conf"] {
            fs::write(folder.path().join(file), file).unwrap();
        }
        for (link, target) in [
            ("var/log/absolute", "/var/log/pods/p/0.log"),
            ("var/log/relative", "pods/p/0.log"),
            ("var/log/folder", "pods/"),
            ("var/log/up", "../../etc/secret"),
            ("var/log/out", "../../../../../../../../etc/secret"),
            ("var/log/out-absolute", "/../../etc/secret"),
            ("var/log/broken", "/nowhere"),
            ("var/log/self", "self"),
            ("var/log/ping", "pong"),
            ("var/log/pong", "ping"),
            ("var/log/below-a-file", "pods/p/0.log/x"),
            ("var/log/file-as-folder", "pods/p/0.log/"),
            ("var/log/root", "/"),
            ("var/log/twice", "absolute"),
            ("tmp/0", "1"),
        ] {
            symlink(target, folder.path().join(link)).unwrap();
        }
        folder
    }

    /// Device and number.
    type Inode = (u64, u64);

    fn identity(handle: &OwnedFd) -> Inode {
        let stat = rustix::fs::fstat(handle).unwrap();
        (stat.st_dev, stat.st_ino)
    }

    fn both(view: &View, path: &str, last: Last) -> (Result<Inode, Errno>, Result<Inode, Refusal>) {
        let kernel = by_kernel(view.base.as_fd(), path, last).map(|handle| identity(&handle));
        let walked = by_component(view, path, last).map(|resolved| identity(&resolved.handle));
        (kernel, walked)
    }

    #[rstest]
    #[case::file("/etc/secret", Ok("etc/secret"))]
    #[case::root("/", Ok(""))]
    #[case::absolute_link("/var/log/absolute", Ok("var/log/pods/p/0.log"))]
    #[case::relative_link("/var/log/relative", Ok("var/log/pods/p/0.log"))]
    #[case::link_to_a_link("/var/log/twice", Ok("var/log/pods/p/0.log"))]
    #[case::link_in_the_middle("/var/log/folder/p/0.log", Ok("var/log/pods/p/0.log"))]
    #[case::link_upwards("/var/log/up", Ok("etc/secret"))]
    #[case::link_out_of_the_root("/var/log/out", Ok("etc/secret"))]
    #[case::absolute_link_out("/var/log/out-absolute", Ok("etc/secret"))]
    #[case::link_to_the_root("/var/log/root/etc/secret", Ok("etc/secret"))]
    #[case::broken("/var/log/broken", Err(Errno::NOENT))]
    #[case::missing("/var/log/none/x", Err(Errno::NOENT))]
    #[case::link_to_itself("/var/log/self", Err(Errno::LOOP))]
    #[case::circle("/var/log/ping", Err(Errno::LOOP))]
    #[case::below_a_file("/etc/secret/x", Err(Errno::NOTDIR))]
    #[case::link_below_a_file("/var/log/below-a-file", Err(Errno::NOTDIR))]
    #[case::file_as_a_folder("/var/log/file-as-folder", Err(Errno::NOTDIR))]
    fn both_ways_lead_to(#[case] path: &str, #[case] expected: Result<&str, Errno>) {
        let node = node();
        let view = view(node.path(), "");
        let expected =
            expected.map(|place| identity(&rustix::fs::open(node.path().join(place), HANDLE, Mode::empty()).unwrap()));
        let (kernel, walked) = both(&view, path, Last::Follow);
        assert_eq!(walked, expected.map_err(Refusal::Os));
        // Old kernels and container runtimes have no `openat2`; nothing can be compared there.
        if kernel_resolves(view.base.as_fd()) {
            assert_eq!(kernel, expected);
        }
    }

    #[rstest]
    #[case::link("/var/log/absolute", Ok(true))]
    #[case::circle("/var/log/ping", Ok(true))]
    #[case::file("/etc/secret", Ok(false))]
    #[case::through_a_circle("/var/log/ping/x", Err(Errno::LOOP))]
    fn a_last_link_can_be_kept(#[case] path: &str, #[case] expected: Result<bool, Errno>) {
        let node = node();
        let view = view(node.path(), "");
        let is_link =
            |handle: OwnedFd| FileType::from_raw_mode(rustix::fs::fstat(&handle).unwrap().st_mode) == FileType::Symlink;
        let walked = by_component(&view, path, Last::Keep).map(|resolved| is_link(resolved.handle));
        assert_eq!(walked, expected.map_err(Refusal::Os));
        if kernel_resolves(view.base.as_fd()) {
            assert_eq!(by_kernel(view.base.as_fd(), path, Last::Keep).map(is_link), expected);
        }
    }

    #[rstest]
    #[case::exactly_the_kernels_limit(MAX_LINKS, true)]
    #[case::one_more(MAX_LINKS + 1, false)]
    fn as_many_links_as_the_kernel_follows(#[case] links: usize, #[case] followed: bool) {
        let folder = TempDir::new().unwrap();
        let view = view(folder.path(), "");
        fs::write(folder.path().join("0"), "").unwrap();
        for link in 1..=links {
            symlink((link - 1).to_string(), folder.path().join(link.to_string())).unwrap();
        }
        let (kernel, walked) = both(&view, &format!("/{links}"), Last::Follow);
        assert_eq!(walked.is_ok(), followed);
        if kernel_resolves(view.base.as_fd()) {
            assert_eq!(kernel.is_ok(), followed);
        }
    }

    #[rstest]
    #[case::program("/proc/self/exe")]
    #[case::root("/proc/self/root/etc")]
    #[case::descriptor("/proc/self/fd/0")]
    #[case::namespace("/proc/self/ns/net")]
    fn links_into_a_process_are_not_followed(#[case] path: &str) {
        let view = view_of_own_root();
        let (kernel, walked) = both(&view, path, Last::Follow);
        assert_eq!(walked, Err(Refusal::Os(Errno::LOOP)));
        if kernel_resolves(view.base.as_fd()) {
            assert_eq!(kernel, Err(Errno::LOOP));
        }
    }

    #[test]
    fn ordinary_links_of_proc_are_followed() {
        let (_, walked) = both(&view_of_own_root(), "/proc/mounts", Last::Follow);
        assert!(walked.is_ok(), "{walked:?}");
    }

    fn view_of_own_root() -> View {
        let base = rustix::fs::open("/", HANDLE, Mode::empty()).unwrap();
        View {
            base,
            overlays: Vec::new(),
            visible: None,
            mounts: RemoteMounts::of_process("0", Path::new("/")),
        }
    }

    #[rstest]
    #[case::itself("/mnt/share")]
    #[case::below("/mnt/share/a/b")]
    #[case::by_a_link("/var/log/share/x")]
    fn a_mount_that_may_hang_is_not_touched(#[case] path: &str) {
        let node = node();
        // Nothing exists at the mount point: reaching for it would answer `ENOENT`.
        fs::create_dir(node.path().join("mnt")).unwrap();
        symlink("../../mnt/share", node.path().join("var/log/share")).unwrap();
        let view = view(node.path(), "1 0 0:1 / /mnt/share rw - nfs4 10.0.0.4:/export rw\n");
        assert!(!view.is_plain());
        assert_eq!(
            by_component(&view, path, Last::Follow).unwrap_err(),
            Refusal::Remote("nfs4".into())
        );
        assert!(by_component(&view, "/etc/secret", Last::Follow).is_ok());
    }

    #[test]
    fn folders_mounted_elsewhere_are_at_their_place() {
        let node = node();
        let pod = TempDir::new().unwrap();
        for dir in ["etc", "run", "opt"] {
            fs::create_dir(pod.path().join(dir)).unwrap();
        }
        fs::write(pod.path().join("etc/of-the-container"), "").unwrap();
        fs::write(pod.path().join("opt/of-the-container"), "").unwrap();
        fs::write(pod.path().join("run/resolv.conf"), "").unwrap();
        symlink("../run/resolv.conf", node.path().join("etc/resolv.conf")).unwrap();
        symlink("/usr/share/zone", node.path().join("etc/zone")).unwrap();
        let mut view = view(pod.path(), "");
        let etc = rustix::fs::open(node.path().join("etc"), HANDLE, Mode::empty()).unwrap();
        view.overlays.push(("/etc".into(), etc));
        view.visible = Some(vec!["/etc".into(), "/run".into()]);

        let real = |path| by_component(&view, path, Last::Follow).map(|found| String::from_utf8(found.real).unwrap());
        assert_eq!(real("/etc/secret"), Ok("/etc/secret".into()));
        assert_eq!(real("/etc/resolv.conf"), Ok("/run/resolv.conf".into()));
        assert_eq!(real("/etc/of-the-container"), Err(Refusal::Os(Errno::NOENT)));
        for unseen in [
            "/opt/of-the-container",
            "/opt/nowhere",
            "/nowhere/x",
            "/srv",
            "/",
            "/etc/zone",
        ] {
            assert_eq!(real(unseen), Err(Refusal::NotShown), "{unseen}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
        #[test]
        fn both_ways_agree_on_any_links(
            links in prop::collection::vec(("[abc]", "(/|\\.\\./)?[abcdf.]{1,2}(/[abcdf]|/\\.\\.)?/?"), 0..6),
            path in "(/[abcdf]){1,4}",
        ) {
            let folder = TempDir::new().unwrap();
            let view = view(folder.path(), "");
            fs::create_dir_all(folder.path().join("d/d")).unwrap();
            fs::write(folder.path().join("f"), "").unwrap();
            fs::write(folder.path().join("d/f"), "").unwrap();
            for (index, (name, target)) in links.iter().enumerate() {
                let place = if index % 2 == 0 { folder.path().join(name) } else { folder.path().join("d").join(name) };
                // The same name twice keeps its first target.
                drop(symlink(target, place));
            }
            for last in [Last::Follow, Last::Keep] {
                let (kernel, walked) = both(&view, &path, last);
                if kernel_resolves(view.base.as_fd()) {
                    prop_assert_eq!(&walked, &kernel.map_err(Refusal::Os), "{:?} of {} with {:?}", last, path, links);
                }
                if let Ok(inode) = walked {
                    prop_assert!(is_inside(folder.path(), inode), "{} left the root with {:?}", path, links);
                }
            }
        }
    }

    /// Whether one of the few inodes of the property test's root has this identity.
    fn is_inside(root: &Path, inode: Inode) -> bool {
        let mut open = vec![root.to_path_buf()];
        while let Some(place) = open.pop() {
            let stat = rustix::fs::lstat(&place).unwrap();
            if (stat.st_dev, stat.st_ino) == inode {
                return true;
            }
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                open.extend(fs::read_dir(place).unwrap().map(|entry| entry.unwrap().path()));
            }
        }
        false
    }
}
