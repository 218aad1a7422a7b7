//! What the user may ask of the actions, with the defaults; says nothing of where archives go.

/// The namespaces whose containers are of interest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Namespaces {
    /// Every namespace (`*`).
    All,
    /// These.
    Only(Vec<String>),
}

impl Namespaces {
    /// Whether the namespace is one of them.
    pub fn contains(&self, namespace: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(names) => names.iter().any(|name| name == namespace),
        }
    }
}

impl std::fmt::Display for Namespaces {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::All => f.write_str("any namespace"),
            Self::Only(names) if names.len() == 1 => write!(f, "namespace {}", names.concat()),
            Self::Only(names) => write!(f, "namespaces {}", names.join(", ")),
        }
    }
}

/// What the user asked of the actions.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Whose containers' logs to take.
    pub namespaces: Namespaces,
    /// What to describe: `namespace/resource[.group][/name]`.
    pub kube_objects: Vec<String>,
    /// Node log files and globs to take instead of the default list; empty for the default.
    pub node_logs: Vec<String>,
    /// systemd units, as globs, whose journal to take besides kubelet, containerd and docker.
    pub journal_units: Vec<String>,
    /// What stands for the Internet: `host[:port]` or an `http(s)://` URL.
    pub internet_target: String,
    /// Hosts to reach besides the standing ones: `host[:port]` or an `http(s)://` URL.
    pub outbound_targets: Vec<String>,
    /// The blob endpoint of the storage account in use, such as `account.blob.core.windows.net`.
    pub storage_host: Option<String>,
    /// No other node makes this run. Where others do, what the API server tells to any node alike is asked for once, by
    /// the actions of [`Scope::Cluster`](periscope_core::Scope::Cluster), and the node's own leave it out.
    pub alone: bool,
    /// Collectors of the original that are wanted and cannot be had, such as `OSM`: each is answered with the reason.
    pub archived_collectors: Vec<String>,
}

impl Default for Settings {
    fn default() -> Self {
        let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        Self {
            namespaces: Namespaces::Only(words(&["kube-system"])),
            kube_objects: words(&["kube-system/pods", "kube-system/services", "kube-system/deployments"]),
            node_logs: Vec::new(),
            journal_units: Vec::new(),
            // Known everywhere, blocked nowhere by name, and of the cloud that the node runs in.
            internet_target: "www.microsoft.com".to_owned(),
            outbound_targets: Vec::new(),
            storage_host: None,
            alone: true,
            archived_collectors: Vec::new(),
        }
    }
}
