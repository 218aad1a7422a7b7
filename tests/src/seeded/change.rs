//! A change to the node that one command makes and another undoes.

use crate::Cluster;

/// A change, undone when this is dropped.
#[derive(Debug)]
pub struct Change {
    cluster: Cluster,
    undo: Vec<String>,
}

impl Change {
    /// Runs a command on the node, and `undo` when this is dropped.
    ///
    /// # Panics
    ///
    /// When the command fails.
    pub fn make(cluster: &Cluster, command: &[&str], undo: &[&str]) -> Self {
        cluster.run_on_node(command);
        Self {
            cluster: cluster.clone(),
            undo: undo.iter().map(|&word| word.to_owned()).collect(),
        }
    }
}

impl Drop for Change {
    fn drop(&mut self) {
        if let Some((program, arguments)) = self.undo.split_first() {
            self.cluster.on_node(program).args(arguments).status().ok();
        }
    }
}
