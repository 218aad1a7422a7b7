//! What is known about an action before it runs: constant data from which help, documents and roles are generated.

use std::time::Duration;

/// Everything that can be said about an action without building it.
#[derive(Debug)]
pub struct Descriptor {
    /// Kebab-case name; also the folder of the action's artifacts.
    pub id: &'static str,
    /// One line: what it gathers.
    pub summary: &'static str,
    /// How long it may take before it is cut off; what had arrived by then is kept.
    pub timeout: Duration,
    /// Most bytes of one artifact after redaction, unless the user sets less.
    pub limit: u64,
    /// What it asks of the Kubernetes API.
    pub rbac: &'static [Rbac],
    /// Whose state it gathers.
    pub scope: Scope,
    /// What a reader of its artifacts learns about the people who use the cluster.
    pub sensitivity: Sensitivity,
    /// What it promises, one row per kind of artifact.
    pub items: &'static [ItemDescriptor],
}

/// One promised artifact or family of artifacts.
#[derive(Debug)]
pub struct ItemDescriptor {
    /// The path in the archive below the action's folder; `<name>` stands for a part known only at run time.
    /// A path without such a part is planned before the action starts: it has a state whatever happens.
    pub path: &'static str,
    /// What it holds and where that comes from.
    pub summary: &'static str,
}

impl ItemDescriptor {
    /// A row of the table.
    pub const fn new(path: &'static str, summary: &'static str) -> Self {
        Self { path, summary }
    }

    /// Whether the path is known before the action runs.
    pub fn is_fixed(&self) -> bool {
        !self.path.contains('<')
    }
}

/// A rule of the Kubernetes role that an action needs.
#[derive(Debug, PartialEq, Eq)]
pub struct Rbac {
    /// API group, empty for the core group.
    pub group: &'static str,
    /// Plural resource names, with subresources as `pods/log`.
    pub resources: &'static [&'static str],
    /// Verbs, such as `get` and `list`.
    pub verbs: &'static [&'static str],
    /// The part of the deployment that grants it, for a rule that the role has only where the user asks for it.
    pub component: Option<&'static str>,
}

/// Whose state an action gathers, and so how often it runs where an agent stands on every node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The node's: every node runs it.
    Node,
    /// The cluster's, which is the same wherever it is asked for: one node runs it for all.
    Cluster,
}

impl std::fmt::Display for Scope {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Node => "node",
            Self::Cluster => "cluster",
        })
    }
}

/// What kind of information an action takes out of the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sensitivity {
    /// State of the machine and its network.
    Node,
    /// Configuration, which names people, hosts and accounts.
    Configuration,
    /// Text that workloads wrote.
    Workload,
}

impl std::fmt::Display for Sensitivity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Node => "node",
            Self::Configuration => "configuration",
            Self::Workload => "workload",
        })
    }
}
