//! Where the container runtime looks for configurations and programs of network plugins.

use periscope_host::{HostPath, HostRoot};

/// The folders that containerd, CRI-O and dockershim look into when they are told nothing else.
const CONFIGURATIONS: &str = "/etc/cni/net.d";
const PROGRAMS: &str = "/opt/cni/bin";

/// Where containerd is told.
const CONTAINERD: &str = "/etc/containerd/config.toml";
/// A configuration of containerd has some kilobytes.
const MAX_BYTES: usize = 1024 * 1024;

/// The folders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Folders {
    pub(super) configurations: HostPath,
    pub(super) programs: Vec<HostPath>,
}

impl Folders {
    /// The folders of this node. Blocks.
    pub(super) fn find(root: &HostRoot) -> Option<Self> {
        let text = HostPath::new(CONTAINERD)
            .ok()
            .and_then(|path| root.read_text(&path, MAX_BYTES).ok())
            .unwrap_or_default();
        Self::from_containerd(&text)
    }

    /// As containerd's configuration has them: `conf_dir` and `bin_dir`, or `bin_dirs` since version 2.2
    /// (`containerd/containerd`, `internal/cri/config/config.go`). Those are the only settings of these names.
    fn from_containerd(text: &str) -> Option<Self> {
        let value = |wanted: &str| {
            text.lines().find_map(|line| {
                let (name, value) = line.split_once('=')?;
                (name.trim() == wanted).then(|| value.trim().to_owned())
            })
        };
        let quoted = |value: &str| -> Vec<HostPath> {
            value
                .split(['"', '\''])
                .skip(1)
                .step_by(2)
                .filter_map(|path| HostPath::new(path).ok())
                .collect()
        };
        let configurations = value("conf_dir").and_then(|value| quoted(&value).into_iter().next());
        let mut programs: Vec<HostPath> = ["bin_dir", "bin_dirs"]
            .iter()
            .filter_map(|name| value(name))
            .flat_map(|value| quoted(&value))
            .collect();
        if programs.is_empty() {
            programs.push(HostPath::new(PROGRAMS).ok()?);
        }
        Some(Self {
            configurations: match configurations {
                Some(folder) => folder,
                None => HostPath::new(CONFIGURATIONS).ok()?,
            },
            programs,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::Folders;

    #[rstest]
    #[case::nothing("", "/etc/cni/net.d", &["/opt/cni/bin"])]
    #[case::aks("[plugins.\"io.containerd.grpc.v1.cri\".cni]\n  bin_dir = \"/opt/cni/bin\"\n  conf_dir = \"/etc/cni/net.d\"\n",
        "/etc/cni/net.d", &["/opt/cni/bin"])]
    #[case::k3s("bin_dir = '/var/lib/rancher/k3s/data/cni'\nconf_dir = '/var/lib/rancher/k3s/agent/etc/cni/net.d'\n",
        "/var/lib/rancher/k3s/agent/etc/cni/net.d", &["/var/lib/rancher/k3s/data/cni"])]
    #[case::several("  bin_dirs = [\"/a\", \"/b\"]\n", "/etc/cni/net.d", &["/a", "/b"])]
    fn folders(#[case] text: &str, #[case] configurations: &str, #[case] programs: &[&str]) {
        let found = Folders::from_containerd(text).unwrap();
        assert_eq!(found.configurations.as_str(), configurations);
        let found: Vec<_> = found.programs.iter().map(periscope_host::HostPath::as_str).collect();
        assert_eq!(found, programs);
    }
}
