//! The words of `COLLECTOR_LIST` (Periscope contract, section 1.1).

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Collector {
    /// A cluster that Azure only manages: the original then left the node alone.
    ConnectedCluster,
    /// Open Service Mesh, an archived project: there is nothing to collect, and the run says so.
    Osm,
    /// Service Mesh Interface, an archived project: as [`Collector::Osm`].
    Smi,
    /// What old manifests say of AKS itself. It never had an effect.
    ManagedCluster,
}

impl Collector {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::ConnectedCluster, Self::Osm, Self::Smi, Self::ManagedCluster];

    /// The word, as the original documents it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ConnectedCluster => "connectedCluster",
            Self::Osm => "OSM",
            Self::Smi => "SMI",
            Self::ManagedCluster => "managedCluster",
        }
    }

    /// The collector of a word, in whatever case.
    pub(crate) fn of(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|collector| collector.as_str().eq_ignore_ascii_case(word))
    }
}
