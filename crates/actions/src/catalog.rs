//! The table of all actions and what they are built from; it runs none of them.

use std::sync::Arc;

use periscope_cluster::ClusterAccess;
use periscope_core::{Action, Descriptor};
use periscope_host::{CommandRunner, HostRoot};

use crate::Settings;
use crate::vantage::Vantage;
use crate::{
    cluster_health, cluster_objects, cni, container_logs, container_runtime, dns, iptables, kube_objects, kubelet,
    network_outbound, network_state, node_logs, node_services, system, system_logs,
};

/// What actions are built from. Each takes what it uses and no more.
pub struct Deps {
    /// The node's files.
    pub root: HostRoot,
    /// The node's commands.
    pub commands: Arc<dyn CommandRunner>,
    /// The way to the API server, or why there is none.
    pub cluster: Result<ClusterAccess, String>,
    /// What the user asked for.
    pub settings: Settings,
}

/// One action: what is known about it and how it is made.
pub struct Entry {
    /// What is known about it.
    pub descriptor: &'static Descriptor,
    /// Makes it.
    pub build: fn(&Deps) -> Arc<dyn Action>,
}

/// All actions, by id.
pub const CATALOG: &[Entry] = &[
    Entry {
        descriptor: &cluster_health::DESCRIPTOR,
        build: |deps| {
            Arc::new(cluster_health::ClusterHealth::new(
                deps.cluster.clone(),
                deps.settings.alone,
            ))
        },
    },
    Entry {
        descriptor: &cluster_objects::DESCRIPTOR,
        build: |deps| {
            let Deps { cluster, settings, .. } = deps;
            Arc::new(cluster_objects::ClusterObjects::new(
                cluster.clone(),
                settings.alone,
                settings.archived_collectors.clone(),
            ))
        },
    },
    Entry {
        descriptor: &cni::DESCRIPTOR,
        build: |deps| Arc::new(cni::Cni::new(deps.root.clone())),
    },
    Entry {
        descriptor: &container_logs::DESCRIPTOR,
        build: |deps| {
            let Deps {
                root,
                settings,
                cluster,
                ..
            } = deps;
            Arc::new(container_logs::ContainerLogs::new(
                root.clone(),
                settings.namespaces.clone(),
                cluster.clone(),
            ))
        },
    },
    Entry {
        descriptor: &container_runtime::DESCRIPTOR,
        build: |deps| {
            Arc::new(container_runtime::ContainerRuntime::new(
                deps.root.clone(),
                Arc::clone(&deps.commands),
            ))
        },
    },
    Entry {
        descriptor: &dns::DESCRIPTOR,
        build: |deps| Arc::new(dns::Dns::new(Vantage::of(deps))),
    },
    Entry {
        descriptor: &iptables::DESCRIPTOR,
        build: |deps| Arc::new(iptables::Iptables::new(deps.root.clone(), Arc::clone(&deps.commands))),
    },
    Entry {
        descriptor: &kube_objects::DESCRIPTOR,
        build: |deps| {
            Arc::new(kube_objects::KubeObjects::new(
                deps.cluster.clone(),
                deps.settings.kube_objects.clone(),
            ))
        },
    },
    Entry {
        descriptor: &kubelet::DESCRIPTOR,
        build: |deps| Arc::new(kubelet::Kubelet::new(deps.root.clone(), Arc::clone(&deps.commands))),
    },
    Entry {
        descriptor: &network_outbound::DESCRIPTOR,
        build: |deps| Arc::new(network_outbound::NetworkOutbound::new(Vantage::of(deps))),
    },
    Entry {
        descriptor: &network_state::DESCRIPTOR,
        build: |deps| {
            Arc::new(network_state::NetworkState::new(
                deps.root.clone(),
                Arc::clone(&deps.commands),
            ))
        },
    },
    Entry {
        descriptor: &node_logs::DESCRIPTOR,
        build: |deps| Arc::new(node_logs::NodeLogs::new(deps.root.clone(), &deps.settings.node_logs)),
    },
    Entry {
        descriptor: &node_services::DESCRIPTOR,
        build: |deps| {
            let Deps { root, commands, .. } = deps;
            Arc::new(node_services::NodeServices::new(root.clone(), Arc::clone(commands)))
        },
    },
    Entry {
        descriptor: &system::DESCRIPTOR,
        build: |deps| Arc::new(system::System::new(deps.root.clone(), Arc::clone(&deps.commands))),
    },
    Entry {
        descriptor: &system_logs::DESCRIPTOR,
        build: |deps| {
            let Deps {
                root,
                commands,
                settings,
                ..
            } = deps;
            Arc::new(system_logs::SystemLogs::new(
                root.clone(),
                Arc::clone(commands),
                &settings.journal_units,
            ))
        },
    },
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::CATALOG;

    #[test]
    fn the_table_is_sorted_and_every_row_is_described() {
        assert!(CATALOG.is_sorted_by(|a, b| a.descriptor.id < b.descriptor.id));
        for entry in CATALOG {
            let descriptor = entry.descriptor;
            let paths: HashSet<_> = descriptor.items.iter().map(|item| item.path).collect();
            assert_eq!(
                paths.len(),
                descriptor.items.len(),
                "{} promises a path twice",
                descriptor.id
            );
            assert!(!paths.is_empty() && !descriptor.summary.is_empty(), "{}", descriptor.id);
            assert!(
                descriptor.items.iter().all(|item| !item.summary.is_empty()),
                "{}",
                descriptor.id
            );
        }
    }
}
