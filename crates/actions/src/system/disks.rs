//! The file systems of the node and how full they are. A server's mount is listed and never touched.

use std::collections::HashSet;

use periscope_documents::{Disk, Fill, Mount, mount_of};
use periscope_host::{HostError, HostPath, HostRoot};

/// The mounts that process 1 sees.
const MOUNTINFO: &str = "/proc/1/mountinfo";

/// Largest list of mounts read: a node with 250 pods has about 2,000 lines of 150 bytes, and overlays have long ones.
const MAX_MOUNTINFO_BYTES: usize = 16 * 1024 * 1024;

/// Most file systems that are asked how full they are.
const MAX_DISKS: usize = 512;

/// Folders that the node cannot work without, by the names the kubelet and the runtimes have for them.
const NEEDED: [&str; 8] = [
    "/",
    "/etc",
    "/var/lib/kubelet",
    "/var/lib/containerd",
    "/var/lib/docker",
    "/var/lib/etcd",
    "/var/log",
    "/tmp",
];

/// Parts of paths below which the kubelet and runtimes mount small memory file systems for each pod: secrets, tokens,
/// shared memory.
const POD_MEMORY: [&str; 4] = [
    "/kubernetes.io~secret/",
    "/kubernetes.io~projected/",
    "/sandboxes/",
    "/mounts/shm",
];

/// The mounts of the node, in the order in which they were made. Blocks.
pub(super) fn mounts(root: &HostRoot) -> Result<Vec<Mount>, HostError> {
    let text = root.read_text(&HostPath::new(MOUNTINFO)?, MAX_MOUNTINFO_BYTES)?;
    Ok(text.lines().filter_map(Mount::parse).collect())
}

/// One row for each file system with data. Blocks.
pub(super) fn disks(root: &HostRoot, mounts: &[Mount]) -> Vec<Disk> {
    let mut seen = HashSet::new();
    let mut disks = Vec::new();
    for mount in mounts.iter().filter(|mount| is_told(mount)) {
        // A file system of a server has a number of its own for each mount.
        if disks.len() == MAX_DISKS || !seen.insert(&mount.device) {
            continue;
        }
        // One that is covered everywhere can be neither filled nor asked.
        if let Some(place) = best_place(mounts, mount) {
            disks.push(disk(root, mounts, place));
        }
    }
    disks
}

fn is_told(mount: &Mount) -> bool {
    let is_root = mount.point == "/";
    // The root of a node in a container is an overlay.
    (!mount.is_pseudo() || (is_root && mount.fstype == "overlay"))
        && !POD_MEMORY.iter().any(|part| mount.point.contains(part))
}

/// The place that shows most of the file system, and is not covered by a later mount.
pub(super) fn best_place<'a>(mounts: &'a [Mount], mount: &Mount) -> Option<&'a Mount> {
    let visible = |place: &&Mount| mount_of(mounts, &place.point).is_some_and(|top| top == *place);
    mounts
        .iter()
        .filter(|other| other.device == mount.device)
        .filter(visible)
        .min_by_key(|place| (place.root.len(), place.point.len()))
}

fn disk(root: &HostRoot, mounts: &[Mount], mount: &Mount) -> Disk {
    let holds = NEEDED
        .iter()
        .filter(|folder| mount_of(mounts, folder).is_some_and(|on| on.device == mount.device))
        .filter(|folder| is_folder(root, folder));
    let asked = match HostPath::new(&mount.point) {
        Ok(_) if mount.is_remote() => Err(format!("a {} mount may hang and is not asked", mount.fstype)),
        Ok(point) => root
            .file_system_fill(&point)
            .map_err(|error| periscope_core::with_causes(&error)),
        Err(error) => Err(error.to_string()),
    };
    let (fill, error) = match asked {
        Ok(fill) => (Some(fill), None),
        Err(error) => (None, Some(error)),
    };
    Disk {
        mount_point: mount.point.clone(),
        source: mount.source.clone(),
        fstype: mount.fstype.clone(),
        read_only: mount.is_read_only(),
        holds: holds.map(|&folder| folder.to_owned()).collect(),
        fill: fill.map(|fill| Fill {
            total_bytes: fill.total_bytes,
            available_bytes: fill.available_bytes,
            inodes: fill.inodes,
            inodes_available: fill.inodes_available,
        }),
        error,
    }
}

fn is_folder(root: &HostRoot, path: &str) -> bool {
    HostPath::new(path).is_ok_and(|path| root.metadata(&path).is_ok())
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;

    use super::{disks, mounts};

    const MOUNTINFO: &str = "\
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,discard
23 22 0:21 / /proc rw,nosuid shared:5 - proc proc rw
26 22 0:50 / /mnt/share rw shared:9 - cifs //account.file.core.windows.net/share rw,vers=3.1.1
27 22 8:17 /kubelet /var/lib/kubelet rw - ext4 /dev/sdb1 rw
28 22 8:17 / /mnt rw - ext4 /dev/sdb1 rw
29 27 0:60 / /var/lib/kubelet/pods/u/volumes/kubernetes.io~projected/token rw - tmpfs tmpfs rw
30 22 0:61 / /run rw - tmpfs tmpfs rw
33 22 0:63 / /dev/shm rw - tmpfs tmpfs rw
34 22 0:64 / /dev/shm rw - tmpfs tmpfs rw
31 22 0:62 / /run/containerd/io.containerd.runtime.v2.task/k8s.io/x/rootfs rw - overlay overlay rw
32 22 7:1 / /snap/core rw - squashfs /dev/loop1 ro
";

    #[test]
    fn each_file_system_is_told_once_where_most_of_it_is_seen() {
        let node = HostFixture::new()
            .file("/proc/1/mountinfo", MOUNTINFO)
            .dir("/mnt/share")
            .dir("/var/lib/kubelet")
            .dir("/run");
        let root = node.root();
        let disks = disks(&root, &mounts(&root).unwrap());
        let places: Vec<_> = disks.iter().map(|disk| disk.mount_point.as_str()).collect();
        assert_eq!(places, ["/", "/mnt/share", "/mnt", "/run", "/dev/shm", "/snap/core"]);
        assert_eq!(disks[0].holds, ["/", "/etc"]);
        assert!(disks[0].fill.is_some_and(|fill| fill.total_bytes > 0));
        assert_eq!(disks[1].fill, None);
        assert_eq!(
            disks[1].error.as_deref(),
            Some("a cifs mount may hang and is not asked")
        );
        assert_eq!(disks[2].holds, ["/var/lib/kubelet"]);
        assert!(disks[5].read_only && disks[5].error.is_some(), "{:?}", disks[5]);
    }
}
