//! `networkconfig`: the node's and the pods' DNS servers and the kubelet's network settings, as one JSON object.

use periscope_core::{AnalyzeError, Inputs};
use periscope_documents::ResolvConf;
use serde_json::json;

use crate::dns_servers::{self, NameServers};
use crate::kubelet;

/// A kubelet that is told nothing else (`KubeletConfiguration`, `maxPods`).
const DEFAULT_MAX_PODS: u64 = 110;

/// The document. What is not known is empty, `null` or 0, as in the original.
///
/// # Errors
/// When an artifact cannot be read or understood.
pub fn network_config(inputs: &dyn Inputs) -> Result<Vec<u8>, AnalyzeError> {
    let settings = kubelet::settings(inputs)?.map(|(_, settings)| settings);
    let max_pods = settings
        .as_ref()
        .map_or(0, |settings| settings.max_pods.unwrap_or(DEFAULT_MAX_PODS));
    let kubelet = settings.unwrap_or_default();
    let kubernetes_dns = match dns_servers::of_pod(inputs)? {
        NameServers::Known(_, conf) => Some(addresses(&conf)),
        // On the node itself: what the kubelet would tell a pod.
        NameServers::NoSuchThing | NameServers::Incomplete(_) => {
            Some(kubelet.cluster_dns.clone()).filter(|servers| !servers.is_empty())
        }
    };
    let virtual_machine_dns = match dns_servers::of_node(inputs)? {
        NameServers::Known(_, conf) => Some(addresses(&conf)),
        NameServers::NoSuchThing | NameServers::Incomplete(_) => None,
    };
    // The plugin that kubelets before 1.24 called `cni` was Azure's.
    let network_plugin = match kubelet.network_plugin.as_deref() {
        Some("cni") => "azurecni",
        plugin => plugin.unwrap_or_default(),
    };
    // The original's fields in the original's order (Periscope contract, section 1.4).
    let document = json!({
        "HostName": inputs.node(),
        "NetworkPlugin": network_plugin,
        "VirtualMachineDNS": virtual_machine_dns,
        "KubernetesDNS": kubernetes_dns,
        "MaxPodsPerNode": max_pods,
    });
    Ok(document.to_string().into_bytes())
}

fn addresses(conf: &ResolvConf) -> Vec<String> {
    conf.name_servers.iter().map(ToString::to_string).collect()
}

#[cfg(test)]
mod tests {
    use periscope_core::State;
    use periscope_documents::names;

    use super::network_config;
    use crate::fixture::Artifacts;

    fn document(artifacts: &Artifacts) -> String {
        String::from_utf8(network_config(artifacts).unwrap()).unwrap()
    }

    #[test]
    fn the_shape_is_the_originals() {
        let artifacts = Artifacts::default()
            .with(
                names::DNS,
                names::HOST_RESOLV_CONF,
                "nameserver 168.63.129.16\nsearch x.cloudapp.net\n",
            )
            .with(
                names::DNS,
                names::POD_RESOLV_CONF,
                "search svc.cluster.local\nnameserver 10.0.0.10\n",
            )
            .with(
                names::KUBELET,
                names::KUBELET_SETTINGS,
                r#"{"networkPlugin":"cni","maxPods":110}"#,
            );
        assert_eq!(
            document(&artifacts),
            r#"{"HostName":"node1","NetworkPlugin":"azurecni","VirtualMachineDNS":["168.63.129.16"],"KubernetesDNS":["10.0.0.10"],"MaxPodsPerNode":110}"#
        );
    }

    #[test]
    fn on_the_node_itself_the_kubelet_says_what_pods_are_given() {
        let artifacts = Artifacts::default()
            .without(names::DNS, names::POD_RESOLV_CONF, State::NotApplicable)
            .with(
                names::KUBELET,
                names::KUBELET_SETTINGS,
                r#"{"clusterDNS":["10.0.0.10"]}"#,
            );
        assert!(document(&artifacts).contains(r#""KubernetesDNS":["10.0.0.10"],"MaxPodsPerNode":110"#));
    }

    #[test]
    fn what_is_not_known_is_empty() {
        assert_eq!(
            document(&Artifacts::default()),
            r#"{"HostName":"node1","NetworkPlugin":"","VirtualMachineDNS":null,"KubernetesDNS":null,"MaxPodsPerNode":0}"#
        );
    }
}
