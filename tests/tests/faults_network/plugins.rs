//! A node in a folder, as far as its network plugins go, which are real.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use periscope_tests::{Diagnosis, Services};

/// A folder as a node's root, as far as network plugins go; real programs are taken from the test node.
pub(crate) struct PluginNode {
    folder: tempfile::TempDir,
}

impl PluginNode {
    const CONFIGURATION: &str = r#"{"cniVersion": "1.0.0", "name": "pods", "type": "bridge",
        "ipam": {"type": "host-local", "subnet": "10.244.7.0/29", "dataDir": "/var/lib/cni/networks"}}"#;

    pub(crate) fn new() -> Self {
        let node = Self {
            folder: tempfile::tempdir().expect("a folder"),
        };
        node.write("etc/os-release", "PRETTY_NAME=\"Test Linux\"\n");
        node.write("proc/1/comm", "init\n");
        node.write("etc/cni/net.d/10-pods.conf", Self::CONFIGURATION);
        node.write(
            "etc/default/kubeletconfig.json",
            r#"{"kind": "KubeletConfiguration", "maxPods": 110}"#,
        );
        // Where the configuration of the test node's containerd has them.
        let programs = Services::running().cluster.root().join("usr/lib/cni");
        fs::create_dir_all(node.path("opt/cni/bin")).expect("a folder");
        for name in ["bridge", "host-local"] {
            let to = node.path("opt/cni/bin").join(name);
            fs::copy(programs.join(name), to).expect("a plugin of the test node");
        }
        node
    }

    pub(crate) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.path(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, content).expect("a file");
    }

    /// Lets the real plugin give away an address; whether there was one.
    pub(crate) fn allocate(&self, container: &str) -> bool {
        let data = self.path("var/lib/cni/networks");
        fs::create_dir_all(&data).expect("a folder");
        let configuration = Self::CONFIGURATION.replace("/var/lib/cni/networks", &data.to_string_lossy());
        let mut plugin = Command::new(self.path("opt/cni/bin/host-local"))
            .env("CNI_COMMAND", "ADD")
            .env("CNI_CONTAINERID", container)
            .env("CNI_NETNS", "/proc/self/ns/net")
            .env("CNI_IFNAME", "eth0")
            .env("CNI_PATH", self.path("opt/cni/bin"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("the plugin starts");
        let mut input = plugin.stdin.take().expect("its input");
        input.write_all(configuration.as_bytes()).expect("it reads its input");
        drop(input);
        plugin.wait().expect("it ends").success()
    }

    pub(crate) fn diagnose(&self) -> Diagnosis {
        let root = self.folder.path().to_string_lossy().into_owned();
        Diagnosis::of(
            Command::new(Services::running().binary),
            &[
                "--actions",
                "cni,kubelet",
                "--node-name",
                "node-1",
                "--no-upload",
                "--host-root",
                &root,
            ],
        )
    }
}
