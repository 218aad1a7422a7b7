//! A file of the node with another content for a while.

use std::fs;
use std::path::PathBuf;

use crate::Cluster;

/// A changed or added file, as it was before when this is dropped.
#[derive(Debug)]
pub struct ChangedFile {
    path: PathBuf,
    before: Option<Vec<u8>>,
}

impl ChangedFile {
    /// Gives the node's file at this absolute path, whose folder exists, this content.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn write(cluster: &Cluster, path: &str, content: impl AsRef<[u8]>) -> Self {
        let path = cluster.root().join(path.trim_start_matches('/'));
        let before = fs::read(&path).ok();
        fs::write(&path, content).expect("a file of the node can be written");
        Self { path, before }
    }
}

impl Drop for ChangedFile {
    fn drop(&mut self) {
        match &self.before {
            Some(content) => fs::write(&self.path, content).ok(),
            None => fs::remove_file(&self.path).ok(),
        };
    }
}
