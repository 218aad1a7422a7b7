//! Which services have processes, from the kernel's control groups: what is left to know where systemd cannot be asked.
//! It cannot tell a failed service from one that was never started.

use periscope_documents::SystemdUnit;
use periscope_host::{HostPath, HostRoot};

/// Where systemd keeps the groups of the system's services: version 2 of the hierarchy, then version 1, then both at
/// once.
const SLICES: [&str; 3] = [
    "/sys/fs/cgroup/system.slice",
    "/sys/fs/cgroup/systemd/system.slice",
    "/sys/fs/cgroup/unified/system.slice",
];

/// Most of a list of process ids that is read: its first line is what counts.
const MAX_PIDS_BYTES: usize = 64 * 1024;

/// The services with processes, by name. Blocks.
pub(super) fn running(root: &HostRoot) -> Vec<SystemdUnit> {
    for slice in SLICES {
        let Ok(slice) = HostPath::new(slice) else { continue };
        let Ok(entries) = root.read_dir(&slice) else { continue };
        let mut units: Vec<_> = entries
            .iter()
            .filter(|entry| entry.name.ends_with(".service"))
            .filter_map(|entry| unit(root, &slice, &entry.name))
            .collect();
        if !units.is_empty() {
            units.sort_by(|a, b| a.name.cmp(&b.name));
            return units;
        }
    }
    Vec::new()
}

fn unit(root: &HostRoot, slice: &HostPath, name: &str) -> Option<SystemdUnit> {
    let processes = slice.join(name).ok()?.join("cgroup.procs").ok()?;
    let text = root.read(&processes, MAX_PIDS_BYTES).ok()?;
    let text = String::from_utf8_lossy(&text);
    let main_pid = text.lines().next().and_then(|pid| pid.trim().parse().ok());
    if main_pid.is_none() && !is_populated(root, slice, name) {
        return None;
    }
    Some(SystemdUnit {
        name: name.to_owned(),
        active: "active".to_owned(),
        main_pid,
        ..SystemdUnit::default()
    })
}

/// Whether there are processes in groups below the service's own, as version 2 requires of a service that divides
/// itself (`cgroups(7)`, `cgroup.events`).
fn is_populated(root: &HostRoot, slice: &HostPath, name: &str) -> bool {
    let events = slice.join(name).and_then(|group| group.join("cgroup.events"));
    let events = events.ok().and_then(|path| root.read_text(&path, MAX_PIDS_BYTES).ok());
    events.is_some_and(|events| events.lines().any(|line| line == "populated 1"))
}

#[cfg(test)]
mod tests {
    use periscope_testkit::HostFixture;
    use rstest::rstest;

    use super::running;

    #[rstest]
    #[case::v2("/sys/fs/cgroup")]
    #[case::v1("/sys/fs/cgroup/systemd")]
    #[case::both("/sys/fs/cgroup/unified")]
    fn services_with_processes_are_found(#[case] hierarchy: &str) {
        let node = HostFixture::new()
            .file(
                &format!("{hierarchy}/system.slice/kubelet.service/cgroup.procs"),
                "812\n813\n",
            )
            .file(
                &format!("{hierarchy}/system.slice/containerd.service/cgroup.procs"),
                "700\n",
            )
            .file(&format!("{hierarchy}/system.slice/ended.service/cgroup.procs"), "")
            .file(
                &format!("{hierarchy}/system.slice/ended.service/cgroup.events"),
                "populated 0\nfrozen 0\n",
            )
            .file(&format!("{hierarchy}/system.slice/divided.service/cgroup.procs"), "")
            .file(
                &format!("{hierarchy}/system.slice/divided.service/cgroup.events"),
                "populated 1\nfrozen 0\n",
            )
            .file(&format!("{hierarchy}/system.slice/dbus.socket/cgroup.procs"), "1\n");
        let found: Vec<_> = running(&node.root())
            .into_iter()
            .map(|u| (u.name, u.main_pid))
            .collect();
        let expected = [
            ("containerd.service", Some(700)),
            ("divided.service", None),
            ("kubelet.service", Some(812)),
        ];
        assert_eq!(found, expected.map(|(name, pid)| (name.to_owned(), pid)));
    }

    #[test]
    fn a_node_without_systemd_has_none() {
        assert!(running(&HostFixture::new().root()).is_empty());
    }
}
