//! An image in the outside's registry that a node may pull, and not run: its one layer is empty space.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::Cluster;

const REGISTRY: &str = "mcr.microsoft.com";
const LAYER: &str = "application/vnd.oci.image.layer.v1.tar";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// An image of so many megabytes, gone when this is dropped.
#[derive(Debug)]
pub struct RemoteImage {
    folder: PathBuf,
    name: String,
}

impl RemoteImage {
    /// Puts an image into the registry. `name` is its repository, as `periscope/large`.
    ///
    /// # Panics
    ///
    /// When its files cannot be written.
    pub fn publish(cluster: &Cluster, name: &str, megabytes: usize) -> Self {
        let folder = cluster
            .kubeconfig
            .with_file_name("outside")
            .join("registry/v2")
            .join(name);
        for part in ["blobs", "manifests"] {
            fs::create_dir_all(folder.join(part)).expect("the state folder is writable");
        }
        let made = Self {
            folder,
            name: format!("{REGISTRY}/{name}:1"),
        };
        let layer = made.blob(LAYER, &vec![0; megabytes << 20]);
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "rootfs": { "type": "layers", "diff_ids": [layer["digest"]] },
        });
        let config = made.blob(CONFIG, config.to_string().as_bytes());
        let manifest = json!({ "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer] });
        let manifest = manifest.to_string();
        for reference in ["1", &digest(manifest.as_bytes())] {
            fs::write(made.folder.join("manifests").join(reference), &manifest).expect("a file");
        }
        made
    }

    /// The name under which it is pulled.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Stores a blob, and describes it.
    fn blob(&self, kind: &str, content: &[u8]) -> serde_json::Value {
        let digest = digest(content);
        fs::write(self.folder.join("blobs").join(&digest), content).expect("a file");
        json!({ "mediaType": kind, "digest": digest, "size": content.len() })
    }
}

impl Drop for RemoteImage {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

fn digest(content: &[u8]) -> String {
    let mut digest = "sha256:".to_owned();
    for byte in Sha256::digest(content) {
        write!(digest, "{byte:02x}").expect("a string takes everything");
    }
    digest
}
