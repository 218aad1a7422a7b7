//! A disk of a few megabytes on the node: small enough to be filled in no time.

use std::process::Command;

use tempfile::NamedTempFile;

use crate::Cluster;

/// An ext4 file system over a folder of the node, unmounted when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    cluster: Cluster,
    folder: String,
    _image: NamedTempFile,
}

impl SmallDisk {
    /// Mounts an empty disk of so many megabytes over a folder of the node.
    ///
    /// # Panics
    ///
    /// When the machine has no loop devices left, or no mkfs.
    pub fn mount(cluster: &Cluster, folder: &str, megabytes: u64) -> Self {
        let image = NamedTempFile::new().expect("a file for the disk");
        image.as_file().set_len(megabytes << 20).expect("a sparse file");
        let made = Command::new("mkfs.ext4")
            .args(["-q", "-m", "0"])
            .arg(image.path())
            .status();
        assert!(made.is_ok_and(|status| status.success()), "mkfs.ext4 fails");
        let path = image.path().to_string_lossy().into_owned();
        cluster.run_on_node(&["mount", "-o", "loop", &path, folder]);
        Self {
            cluster: cluster.clone(),
            folder: folder.to_owned(),
            _image: image,
        }
    }

    /// Fills it to the last block.
    ///
    /// # Panics
    ///
    /// When there is no dd.
    pub fn fill(&self) {
        let file = format!("of={}/filler", self.folder);
        // It ends with an error, for want of space.
        self.cluster
            .on_node("dd")
            .args(["if=/dev/zero", &file, "bs=4k", "conv=fsync", "status=none"])
            .stderr(std::process::Stdio::null())
            .status()
            .expect("nsenter runs dd");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open there must not keep it in everybody's way.
        let mut command = self.cluster.on_node("umount");
        command.args(["--lazy", &self.folder]).status().ok();
    }
}
