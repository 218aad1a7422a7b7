//! A line of the kernel's list of mounts (`/proc/<pid>/mountinfo`, `proc_pid_mountinfo(5)`), parsed; which mounts
//! matter is for others to say.

/// File systems that live in the kernel's memory and hold no data of the node: their size says nothing.
const PSEUDO_TYPES: [&str; 27] = [
    "autofs",
    "binfmt_misc",
    "bpf",
    "cgroup",
    "cgroup2",
    "configfs",
    "debugfs",
    "devpts",
    "devtmpfs",
    "efivarfs",
    "fusectl",
    "hugetlbfs",
    "mqueue",
    "nfsd",
    "nsfs",
    "overlay",
    "proc",
    "pstore",
    "ramfs",
    "rootfs",
    "rpc_pipefs",
    "securityfs",
    "selinuxfs",
    "smackfs",
    "sockfs",
    "sysfs",
    "tracefs",
];

/// File systems that can only be read, whoever mounts them.
const IMAGE_TYPES: [&str; 6] = ["cramfs", "erofs", "iso9660", "romfs", "squashfs", "udf"];

/// File systems that somebody else (a server, a user's process) answers for.
const REMOTE_TYPES: [&str; 13] = [
    "9p",
    "afs",
    "ceph",
    "cifs",
    "coda",
    "fuse",
    "fuseblk",
    "glusterfs",
    "lustre",
    "nfs",
    "nfs4",
    "smb3",
    "smbfs",
];

/// One mount.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `major:minor` of the file system: mounts of one file system share it.
    pub device: String,
    /// The folder of the file system that is mounted; `/` for the whole of it.
    pub root: String,
    /// Where it is mounted.
    pub point: String,
    /// Options of this mount, such as `rw,relatime`.
    pub options: String,
    /// The file system's type, such as `ext4` or `fuse.blobfuse2`.
    pub fstype: String,
    /// What is mounted, such as `/dev/sda1`.
    pub source: String,
    /// Options of the file system, the same for all its mounts.
    pub super_options: String,
}

impl Mount {
    /// Parses one line: `36 35 98:0 /root /point options [optional…] - fstype source superoptions`.
    pub fn parse(line: &str) -> Option<Self> {
        let (mount, file_system) = line.split_once(" - ")?;
        let mut mount = mount.split(' ').skip(2);
        let mut file_system = file_system.split(' ');
        Some(Self {
            device: mount.next()?.to_owned(),
            root: unescape(mount.next()?),
            point: unescape(mount.next()?),
            options: mount.next()?.to_owned(),
            fstype: file_system.next()?.to_owned(),
            source: unescape(file_system.next()?),
            super_options: file_system.next().unwrap_or_default().to_owned(),
        })
    }

    /// Whether this mount cannot be written to.
    pub fn is_read_only(&self) -> bool {
        has_option(&self.options, "ro") || self.file_system_is_read_only()
    }

    /// Whether the file system as a whole cannot be written to.
    pub fn file_system_is_read_only(&self) -> bool {
        has_option(&self.super_options, "ro")
    }

    /// Whether the file system has the option.
    pub fn has_super_option(&self, option: &str) -> bool {
        has_option(&self.super_options, option)
    }

    /// Whether it holds no data of its own.
    pub fn is_pseudo(&self) -> bool {
        PSEUDO_TYPES.contains(&self.fstype.as_str())
    }

    /// Whether it can only be read, by the kind of file system it is.
    pub fn is_image(&self) -> bool {
        IMAGE_TYPES.contains(&self.fstype.as_str())
    }

    /// Whether a server or a user's process answers for it, and may not.
    pub fn is_remote(&self) -> bool {
        REMOTE_TYPES.contains(&self.fstype.as_str()) || self.fstype.starts_with("fuse.")
    }

    /// Whether it is on a block device of the node.
    pub fn is_on_disk(&self) -> bool {
        self.source.starts_with("/dev/") && !self.is_pseudo()
    }

    /// Whether `path` is this mount's folder or below it, by name.
    pub fn contains(&self, path: &str) -> bool {
        path.strip_prefix(self.point.trim_end_matches('/'))
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// The mount that `path` is on: the deepest, and of those at one folder the last.
pub fn mount_of<'a>(mounts: &'a [Mount], path: &str) -> Option<&'a Mount> {
    mounts
        .iter()
        .filter(|mount| mount.contains(path))
        .max_by_key(|mount| mount.point.trim_end_matches('/').len())
}

fn has_option(options: &str, wanted: &str) -> bool {
    options.split(',').any(|option| option == wanted)
}

/// Undoes the octal escapes of space, tab, newline and backslash.
fn unescape(text: &str) -> String {
    if !text.contains('\\') {
        return text.to_owned();
    }
    let mut plain = text.to_owned();
    for (escape, character) in [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")] {
        plain = plain.replace(escape, character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{Mount, mount_of};

    const ROOT: &str = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard,errors=remount-ro";

    #[test]
    fn a_line_is_taken_apart() {
        let mount = Mount::parse(ROOT).unwrap();
        let words = [
            &mount.device,
            &mount.root,
            &mount.point,
            &mount.options,
            &mount.fstype,
            &mount.source,
        ];
        assert_eq!(words, ["8:1", "/", "/", "rw,relatime", "ext4", "/dev/sda1"]);
        assert!(mount.has_super_option("errors=remount-ro") && mount.is_on_disk() && !mount.is_read_only());
        assert_eq!(Mount::parse("garbage"), None);
        assert_eq!(Mount::parse("1 2 - ext4 /dev/x rw"), None);
    }

    #[rstest]
    #[case::bound_read_only("30 22 8:1 /a /b ro,relatime - ext4 /dev/sda1 rw", true, false)]
    #[case::emergency("30 22 8:1 / / rw,relatime - ext4 /dev/sda1 ro,errors=remount-ro", true, true)]
    #[case::writable("30 22 8:1 / / rw,relatime - ext4 /dev/sda1 rw,errors=remount-ro", false, false)]
    fn read_only(#[case] line: &str, #[case] mount: bool, #[case] file_system: bool) {
        let parsed = Mount::parse(line).unwrap();
        assert_eq!(
            (parsed.is_read_only(), parsed.file_system_is_read_only()),
            (mount, file_system)
        );
    }

    #[test]
    fn a_path_is_on_the_deepest_and_last_mount() {
        let lines = [
            ROOT,
            "23 22 8:17 / /var/lib rw - xfs /dev/sdb1 rw",
            "24 23 8:33 / /var/lib rw - ext4 /dev/sdc1 rw",
            "25 22 0:4 / /var/library\\040x rw - tmpfs tmpfs rw",
        ];
        let mounts: Vec<_> = lines.iter().filter_map(|line| Mount::parse(line)).collect();
        let source = |path| mount_of(&mounts, path).map(|mount| mount.source.as_str());
        assert_eq!(source("/var/lib/kubelet"), Some("/dev/sdc1"));
        assert_eq!(source("/var/library"), Some("/dev/sda1"));
        assert_eq!(source("/var/library x/y"), Some("tmpfs"));
        assert_eq!(source("/"), Some("/dev/sda1"));
    }
}
