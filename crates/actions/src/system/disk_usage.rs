//! What fills the disks: folders that grow on a node, walked one after another within a bound of time and entries, and
//! named after the pod that they belong to.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use periscope_core::with_causes;
use periscope_documents::{Consumer, Disk, Fill, Mount, mount_of};
use periscope_host::{HostError, HostPath, HostRoot, Usage, UsageBounds};

use super::disks::best_place;
use super::overlays;
use super::pods::{Owner, PodNames};

/// A folder that grows, and down to how many levels below it parts are told.
const FOLDERS: [(&str, usize); 14] = [
    ("/var/lib/kubelet", 5),
    ("/var/lib/containerd", 3),
    ("/var/lib/docker", 2),
    ("/var/log", 3),
    ("/var/lib/etcd", 2),
    ("/tmp", 2),
    ("/var/tmp", 2),
    ("/var/crash", 1),
    ("/var/lib/systemd/coredump", 1),
    ("/var/cache", 1),
    ("/home", 2),
    ("/root", 2),
    ("/opt", 2),
    ("/mnt", 2),
];

/// Time for each folder, and for all of them.
const FOLDER_TIME: Duration = Duration::from_secs(4);
const ALL_TIME: Duration = Duration::from_secs(10);

/// Time for what is nowhere in [`FOLDERS`].
const REST_TIME: Duration = Duration::from_secs(2);

/// Most files of one folder that are counted.
const MAX_ENTRIES: usize = 2_000_000;

/// A part is told from this size on, or from so many files on: smaller ones fill no disk.
const TOLD_BYTES: u64 = 8 * 1024 * 1024;
const TOLD_INODES: u64 = 5_000;

/// On a disk where that would be more than one of so many parts, such a part is told.
const PARTS: u64 = 50;

/// Most parts of one folder that are told: the largest, and those with most files.
const MAX_PARTS: usize = 24;
const MAX_PARTS_BY_INODES: usize = 8;

/// A disk with less than this share left, in percent, is walked, wherever it is mounted; down to so many levels.
const NEARLY_FULL: u64 = 20;
const DISK_LEVELS: usize = 2;

/// What the walk goes by.
pub(super) struct DiskUsage<'a> {
    pub(super) root: &'a HostRoot,
    pub(super) mounts: &'a [Mount],
    pub(super) disks: &'a [Disk],
    pub(super) names: &'a PodNames,
}

impl DiskUsage<'_> {
    /// Measures the folders, the largest rows first. Blocks for [`ALL_TIME`] and [`REST_TIME`] at most.
    ///
    /// # Errors
    /// When none of them is shown.
    pub(super) fn measure(&self) -> Result<Vec<Consumer>, HostError> {
        let owners = overlays::owners(self.root, self.mounts, self.names);
        let end = Instant::now() + ALL_TIME;
        let mut skip: HashSet<String> = self.mounts.iter().map(|mount| mount.point.clone()).collect();
        let mut rows = Vec::new();
        let mut unseen = Vec::new();
        let full = self.disks.iter().filter(|disk| is_nearly_full(disk));
        let full: Vec<_> = full.map(|disk| (disk.mount_point.as_str(), DISK_LEVELS)).collect();
        let others = full
            .into_iter()
            .filter(|(point, _)| *point != "/" && FOLDERS.iter().all(|(folder, _)| folder != point));
        for (folder, levels) in FOLDERS.into_iter().chain(others) {
            let Ok(path) = HostPath::new(folder) else { continue };
            let deadline = end.min(Instant::now() + FOLDER_TIME);
            match self.walk(&path, levels, deadline, &skip) {
                Ok(usage) => rows.extend(self.rows(usage, true, &owners)),
                Err(HostError::NotFound { .. } | HostError::WrongKind { .. }) => {}
                Err(error) => {
                    rows.push(Consumer {
                        path: folder.to_owned(),
                        mount_point: self.mount_point(folder),
                        whole: true,
                        incomplete: Some(with_causes(&error)),
                        ..Consumer::default()
                    });
                    if matches!(error, HostError::NotShown { .. }) {
                        unseen.push(error);
                    }
                }
            }
            skip.insert(folder.to_owned());
        }
        if let Ok(usage) = self.walk(&HostPath::root(), 2, Instant::now() + REST_TIME, &skip) {
            // Without what is told above, the size of the root folder means nothing.
            rows.extend(self.rows(usage, false, &owners));
        }
        rows.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
        match unseen.pop() {
            Some(error) if unseen.len() + 1 == rows.len() => Err(error),
            _ => Ok(rows),
        }
    }

    fn walk(
        &self,
        path: &HostPath,
        levels: usize,
        deadline: Instant,
        skip: &HashSet<String>,
    ) -> Result<Usage, HostError> {
        // On a small disk smaller parts fill it.
        let (told_bytes, told_inodes) = self
            .root
            .file_system_fill(path)
            .map_or((TOLD_BYTES, TOLD_INODES), |fill| {
                let inodes = if fill.inodes == 0 {
                    TOLD_INODES
                } else {
                    fill.inodes / PARTS
                };
                ((fill.total_bytes / PARTS).min(TOLD_BYTES), inodes.min(TOLD_INODES))
            });
        let bounds = UsageBounds {
            entries: MAX_ENTRIES,
            deadline,
            levels,
            told_bytes,
            told_inodes,
            mount_points: skip,
        };
        self.root.usage(path, &bounds)
    }

    fn rows(&self, usage: Usage, with_whole: bool, owners: &HashMap<String, Owner>) -> Vec<Consumer> {
        let mut parts = usage.parts.into_iter();
        let whole = parts.next();
        let mut parts: Vec<_> = parts.collect();
        parts.sort_by_key(|part| std::cmp::Reverse(part.bytes));
        let mut rest = parts.split_off(parts.len().min(MAX_PARTS));
        rest.sort_by_key(|part| std::cmp::Reverse(part.inodes));
        rest.truncate(MAX_PARTS_BY_INODES);
        parts.extend(rest);
        let whole = whole.filter(|_| with_whole).map(|part| (part, true));
        whole
            .into_iter()
            .chain(parts.into_iter().map(|part| (part, false)))
            .map(|(part, whole)| {
                let owner = self.owner(part.path.as_str(), owners);
                Consumer {
                    mount_point: self.mount_point(part.path.as_str()),
                    path: part.path.to_string(),
                    bytes: part.bytes,
                    inodes: part.inodes,
                    whole,
                    pod: owner.pod,
                    container: owner.container,
                    incomplete: usage.incomplete.clone().filter(|_| whole),
                }
            })
            .collect()
    }

    /// The disk that the path is on, by the name that `disks.json` has for it.
    fn mount_point(&self, path: &str) -> String {
        let mount = mount_of(self.mounts, path).and_then(|mount| best_place(self.mounts, mount));
        mount.map_or_else(|| "/".to_owned(), |mount| mount.point.clone())
    }

    /// Whose a folder is, where its path says so.
    fn owner(&self, path: &str, owners: &HashMap<String, Owner>) -> Owner {
        if let Some(rest) = path.strip_prefix("/var/lib/kubelet/pods/") {
            let uid = rest.split('/').next().unwrap_or_default();
            return Owner {
                pod: Some(self.names.pod(uid).unwrap_or_else(|| uid.to_owned())),
                container: None,
            };
        }
        if let Some(rest) = path.strip_prefix("/var/log/pods/") {
            let mut words = rest.split('/');
            let pod = words.next().unwrap_or_default();
            let mut pod = pod.split('_');
            return Owner {
                pod: pod
                    .next()
                    .zip(pod.next())
                    .map(|(namespace, name)| format!("{namespace}/{name}")),
                container: words.next().map(str::to_owned),
            };
        }
        if let Some(rest) = path.strip_prefix("/var/lib/docker/containers/") {
            return rest
                .split('/')
                .next()
                .and_then(|id| self.names.container(id))
                .unwrap_or_default();
        }
        owners.get(path).cloned().unwrap_or_default()
    }
}

fn is_nearly_full(disk: &Disk) -> bool {
    let is_low = |left: u64, whole: u64| {
        left.saturating_mul(100)
            .checked_div(whole)
            .is_some_and(|left| left < NEARLY_FULL)
    };
    let Some(Fill {
        total_bytes,
        available_bytes,
        inodes,
        inodes_available,
    }) = disk.fill
    else {
        return false;
    };
    !disk.read_only && (is_low(available_bytes, total_bytes) || is_low(inodes_available, inodes))
}

#[cfg(test)]
mod tests {
    use periscope_documents::{Disk, Fill};
    use periscope_testkit::HostFixture;

    use super::DiskUsage;
    use crate::system::disks::mounts;
    use crate::system::pods::PodNames;

    const UID: &str = "11111111-2222-3333-4444-555555555555";
    const MIB: usize = 1024 * 1024;

    #[test]
    fn the_largest_come_first_with_their_pods() {
        let node = HostFixture::new()
            .file(
                "/proc/1/mountinfo",
                "22 1 8:1 / / rw - ext4 /dev/sda1 rw\n23 22 8:17 / /var/log rw - ext4 /dev/sdb1 rw\n\
                 24 22 8:33 / /full rw - ext4 /dev/sdc1 rw\n25 22 8:49 / /calm rw - ext4 /dev/sdd1 rw\n",
            )
            .file(
                &format!("/var/log/pods/default_app-0_{UID}/app/0.log"),
                vec![1; 20 * MIB],
            )
            .file(
                &format!("/var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~empty-dir/scratch/big"),
                vec![1; 30 * MIB],
            )
            .file("/data/forgotten.tar", vec![1; 10 * MIB])
            .file("/full/of/this", vec![1; 10 * MIB])
            .file("/calm/that", vec![1; 10 * MIB]);
        let disk = |mount_point: &str, available_bytes| Disk {
            mount_point: mount_point.to_owned(),
            fill: Some(Fill {
                total_bytes: 100,
                available_bytes,
                ..Fill::default()
            }),
            ..Disk::default()
        };
        let root = node.root();
        let usage = DiskUsage {
            root: &root,
            mounts: &mounts(&root).unwrap(),
            disks: &[disk("/full", 1), disk("/calm", 50)],
            names: &PodNames::look(&root).unwrap(),
        };
        let rows = usage.measure().unwrap();
        let row = |path: &str| rows.iter().find(|row| row.path == path);
        let volume = format!("/var/lib/kubelet/pods/{UID}/volumes/kubernetes.io~empty-dir/scratch");
        let scratch = row(&volume).unwrap();
        assert_eq!(
            (scratch.pod.as_deref(), scratch.mount_point.as_str()),
            (Some("default/app-0"), "/")
        );
        let log = row(&format!("/var/log/pods/default_app-0_{UID}/app")).unwrap();
        assert_eq!(
            (log.pod.as_deref(), log.container.as_deref(), log.mount_point.as_str()),
            (Some("default/app-0"), Some("app"), "/var/log")
        );
        assert!(row("/data/forgotten.tar").is_some(), "{rows:#?}");
        assert_eq!(row("/full/of/this").map(|row| row.mount_point.as_str()), Some("/full"));
        assert!(row("/calm").is_none() && row("/calm/that").is_none());
        assert!(row("/").is_none() && row("/var/lib/kubelet").is_some_and(|row| row.whole));
        assert!(rows.is_sorted_by(|a, b| a.bytes >= b.bytes));
    }
}
