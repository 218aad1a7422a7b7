//! Control groups of pods, containers and services: limits, use and how often the limit was hit, from both versions of
//! the kernel's interface; looked at twice, so that what is throttled now can be told from what once was.

use std::collections::BTreeSet;
use std::time::Instant;

use periscope_documents::{Cgroup, CgroupCpuRecent, PodCgroup};
use periscope_host::{EntryKind, HostError, HostPath, HostRoot};

use super::cgroups_v1::V1;
use super::cgroups_v2::V2;
use super::pods::PodNames;

const TOP: &str = "/sys/fs/cgroup";

/// Most groups read: a node with 250 pods has about 1,000.
const MAX_GROUPS: usize = 8_192;

/// How deep groups are looked for: a container's is 4 below the kubelet's root.
const MAX_DEPTH: usize = 8;

/// A file of a group is some lines.
const MAX_FILE_BYTES: usize = 16 * 1024;

/// One version's files.
pub(super) trait Hierarchy {
    /// The folders in which the trees of groups are looked for.
    fn trees(&self) -> Vec<&HostPath>;
    /// What is known of the group at `path`; without names.
    fn group(&self, files: &Files<'_>, path: &str) -> Cgroup;
    /// Periods, throttled periods and microseconds used, if the group is there.
    fn cpu(&self, files: &Files<'_>, path: &str) -> Option<(u64, u64, u64)>;
}

/// All groups at one time.
pub(super) struct Groups {
    groups: Vec<Cgroup>,
    taken: Instant,
}

impl Groups {
    /// Reads the groups. Blocks.
    pub(super) fn look(root: &HostRoot, names: &PodNames) -> Result<Self, HostError> {
        let hierarchy = hierarchy(root)?;
        let files = Files { root };
        let mut paths = BTreeSet::new();
        for tree in hierarchy.trees() {
            find(root, tree, "", 0, &mut paths)?;
        }
        let taken = Instant::now();
        let groups = paths
            .into_iter()
            .map(|path| {
                let owner = names.owner(&path);
                Cgroup {
                    pod: owner.pod,
                    container: owner.container,
                    ..hierarchy.group(&files, &path)
                }
            })
            .filter(|group| group.cpu.is_some() || group.memory.is_some() || group.pids.is_some())
            .collect();
        Ok(Self { groups, taken })
    }

    /// Looks again at the processor time of the groups, and gives them up. Blocks.
    pub(super) fn look_again(mut self, root: &HostRoot) -> Vec<Cgroup> {
        let Ok(hierarchy) = hierarchy(root) else {
            return self.groups;
        };
        let files = Files { root };
        let millis = u64::try_from(self.taken.elapsed().as_millis()).unwrap_or(u64::MAX);
        for group in &mut self.groups {
            let Some(cpu) = &mut group.cpu else { continue };
            let Some((periods, throttled_periods, usage_micros)) = hierarchy.cpu(&files, &group.path) else {
                continue;
            };
            cpu.recent = Some(CgroupCpuRecent {
                millis,
                usage_micros: usage_micros.saturating_sub(cpu.usage_micros),
                periods: periods.saturating_sub(cpu.periods),
                throttled_periods: throttled_periods.saturating_sub(cpu.throttled_periods),
            });
        }
        self.groups
    }
}

fn hierarchy(root: &HostRoot) -> Result<Box<dyn Hierarchy>, HostError> {
    let top = HostPath::new(TOP)?;
    match root.metadata(&top.join("cgroup.controllers")?) {
        Ok(_) => Ok(Box::new(V2::new(top))),
        Err(HostError::NotFound { .. }) => Ok(Box::new(V1::find(root, &top)?)),
        Err(error) => Err(error),
    }
}

/// Adds the paths of the groups below `folder`, parents first.
fn find(
    root: &HostRoot,
    folder: &HostPath,
    path: &str,
    depth: usize,
    paths: &mut BTreeSet<String>,
) -> Result<(), HostError> {
    for entry in root.read_dir(folder)? {
        if entry.kind != EntryKind::Dir || paths.len() >= MAX_GROUPS {
            continue;
        }
        let below = format!("{path}/{}", entry.name);
        paths.insert(below.clone());
        let is_container = PodCgroup::parse(&below).is_some_and(|group| group.container_id.is_some());
        if depth < MAX_DEPTH && !is_container {
            // A group that is gone since it was listed has none below it.
            find(root, &folder.join(&entry.name)?, &below, depth + 1, paths).ok();
        }
    }
    Ok(())
}

/// Reads the small files of groups.
pub(super) struct Files<'a> {
    root: &'a HostRoot,
}

impl Files<'_> {
    /// The file's text, if it is there.
    pub(super) fn text(&self, hierarchy: &HostPath, path: &str, name: &str) -> Option<String> {
        let file = hierarchy.join(path).ok()?.join(name).ok()?;
        self.root.read_text(&file, MAX_FILE_BYTES).ok()
    }

    /// The file's number, if it is there and one.
    pub(super) fn number(&self, hierarchy: &HostPath, path: &str, name: &str) -> Option<u64> {
        self.text(hierarchy, path, name)?.trim().parse().ok()
    }
}

/// The number after `key` and a space, in a file of such lines.
pub(super) fn value(text: &str, key: &str) -> Option<u64> {
    text.lines().find_map(|line| {
        let rest = line.strip_prefix(key)?;
        rest.strip_prefix(' ')?.trim().parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use periscope_documents::{Cgroup, CgroupCpu, CgroupCpuRecent, CgroupMemory, CgroupPids};
    use periscope_testkit::HostFixture;

    use super::Groups;
    use crate::system::pods::PodNames;

    const UID: &str = "11111111-2222-3333-4444-555555555555";
    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn named(node: HostFixture) -> HostFixture {
        node.dir(&format!("/var/log/pods/kube-system_coredns-x_{UID}/coredns"))
            .link(
                &format!("/var/log/containers/coredns-x_kube-system_coredns-{ID}.log"),
                "/x",
            )
    }

    fn expected(path: &str) -> Cgroup {
        Cgroup {
            path: path.to_owned(),
            pod: Some("kube-system/coredns-x".to_owned()),
            container: Some("coredns".to_owned()),
            cpu: Some(CgroupCpu {
                usage_micros: 5_000_000,
                limit_millis: Some(500),
                periods: 1000,
                throttled_periods: 400,
                throttled_micros: 9_000_000,
                recent: None,
            }),
            memory: Some(CgroupMemory {
                current_bytes: 1024,
                max_bytes: Some(4096),
                limit_hits: 7,
                oom_kills: 2,
            }),
            pids: Some(CgroupPids {
                current: 12,
                max: None,
                limit_hits: 3,
            }),
        }
    }

    #[test]
    fn version_2_with_systemd() {
        let path = format!(
            "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{}.slice/cri-containerd-{ID}.scope",
            UID.replace('-', "_")
        );
        let at = |file: &str| format!("/sys/fs/cgroup{path}/{file}");
        let node = named(HostFixture::new())
            .file("/sys/fs/cgroup/cgroup.controllers", "cpu memory pids\n")
            .file("/sys/fs/cgroup/cpu.stat", "usage_usec 1\n")
            .dir("/sys/fs/cgroup/init.scope")
            .file(
                &at("cpu.stat"),
                "usage_usec 5000000\nuser_usec 1\nsystem_usec 1\nnr_periods 1000\nnr_throttled 400\n\
                 throttled_usec 9000000\n",
            )
            .file(&at("cpu.max"), "50000 100000\n")
            .file(&at("memory.current"), "1024\n")
            .file(&at("memory.max"), "4096\n")
            .file(
                &at("memory.events"),
                "low 0\nhigh 0\nmax 7\noom 2\noom_kill 2\noom_group_kill 0\n",
            )
            .file(&at("pids.current"), "12\n")
            .file(&at("pids.max"), "max\n")
            .file(&at("pids.events"), "max 3\n")
            .file(&at("nested/cpu.stat"), "usage_usec 1\n");
        let root = node.root();
        let names = PodNames::look(&root).unwrap();
        let groups = Groups::look(&root, &names).unwrap();
        assert_eq!(groups.groups, [expected(&path)]);

        let node = node.file(
            &at("cpu.stat"),
            "usage_usec 5600000\nnr_periods 1020\nnr_throttled 419\nthrottled_usec 9900000\n",
        );
        let again = groups.look_again(&node.root());
        let recent = again[0].cpu.as_ref().unwrap().recent.as_ref().unwrap();
        assert_eq!(
            *recent,
            CgroupCpuRecent {
                millis: recent.millis,
                usage_micros: 600_000,
                periods: 20,
                throttled_periods: 19,
            }
        );
    }

    #[test]
    fn version_1_with_cgroupfs() {
        let path = format!("/kubepods/burstable/pod{UID}/{ID}");
        let at = |controller: &str, file: &str| format!("/sys/fs/cgroup/{controller}{path}/{file}");
        let node = named(HostFixture::new())
            .file(
                &at("cpu,cpuacct", "cpu.stat"),
                "nr_periods 1000\nnr_throttled 400\nthrottled_time 9000000000\n",
            )
            .file(&at("cpu,cpuacct", "cpu.cfs_quota_us"), "50000\n")
            .file(&at("cpu,cpuacct", "cpu.cfs_period_us"), "100000\n")
            .file(&at("cpu,cpuacct", "cpuacct.usage"), "5000000000\n")
            .link("/sys/fs/cgroup/cpu", "cpu,cpuacct")
            .link("/sys/fs/cgroup/cpuacct", "cpu,cpuacct")
            .file(&at("memory", "memory.usage_in_bytes"), "1024\n")
            .file(&at("memory", "memory.limit_in_bytes"), "4096\n")
            .file(&at("memory", "memory.failcnt"), "7\n")
            .file(
                &at("memory", "memory.oom_control"),
                "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
            )
            .file(&at("pids", "pids.current"), "12\n")
            .file(&at("pids", "pids.max"), "max\n")
            .file(&at("pids", "pids.events"), "max 3\n");
        let root = node.root();
        let names = PodNames::look(&root).unwrap();
        let groups = Groups::look(&root, &names).unwrap();
        assert_eq!(groups.groups, [expected(&path)]);
        let again = groups.look_again(&root);
        assert_eq!(again[0].cpu.as_ref().unwrap().recent.as_ref().unwrap().periods, 0);
    }

    #[test]
    fn a_node_without_control_groups_says_so() {
        assert!(Groups::look(&HostFixture::new().root(), &PodNames::default()).is_err());
    }
}
