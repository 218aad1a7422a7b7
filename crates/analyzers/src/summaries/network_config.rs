//! `networkconfig`: the node's and the pods' DNS servers and the kubelet's network settings, as one JSON object.

use periscope_core::{AnalyzeError, Inputs};
use periscope_documents::ResolvConf;
use serde_json::{Value, json};

use crate::artifact::{self, Artifact};
use crate::dns_servers::{self, NameServers};

/// The action and the artifact that hold the kubelet's settings.
const KUBELET: (&str, &str) = ("kubelet", "kubelet.json");

/// The document. What is not known is empty, `null` or 0, as in the original.
///
/// # Errors
/// When an artifact cannot be read or understood.
pub fn network_config(inputs: &dyn Inputs) -> Result<Vec<u8>, AnalyzeError> {
    let kubelet = kubelet_settings(inputs)?;
    let kubernetes_dns = match dns_servers::of_pod(inputs)? {
        NameServers::Known(_, conf) => Some(addresses(&conf)),
        // On the node itself: what the kubelet would tell a pod.
        NameServers::NoSuchThing | NameServers::Incomplete(_) => dns_servers::of_cluster(inputs)?
            .filter(|(_, cluster)| !cluster.servers.is_empty())
            .map(|(_, cluster)| cluster.servers.iter().map(ToString::to_string).collect::<Vec<_>>()),
    };
    let virtual_machine_dns = match dns_servers::of_node(inputs)? {
        NameServers::Known(_, conf) => Some(addresses(&conf)),
        NameServers::NoSuchThing | NameServers::Incomplete(_) => None,
    };
    // The plugin that kubelets before 1.24 called `cni` was Azure's.
    let network_plugin = match kubelet.get("networkPlugin").and_then(Value::as_str) {
        Some("cni") => "azurecni",
        plugin => plugin.unwrap_or_default(),
    };
    // The original's fields in the original's order (Periscope contract, section 1.4).
    let document = json!({
        "HostName": inputs.node(),
        "NetworkPlugin": network_plugin,
        "VirtualMachineDNS": virtual_machine_dns,
        "KubernetesDNS": kubernetes_dns,
        "MaxPodsPerNode": kubelet.get("maxPods").and_then(Value::as_u64).unwrap_or_default(),
    });
    Ok(document.to_string().into_bytes())
}

fn addresses(conf: &ResolvConf) -> Vec<String> {
    conf.name_servers.iter().map(ToString::to_string).collect()
}

fn kubelet_settings(inputs: &dyn Inputs) -> Result<Value, AnalyzeError> {
    match artifact::read(inputs, KUBELET.0, KUBELET.1)? {
        Artifact::Whole(text) => serde_json::from_str(&text.text).map_err(|error| text.not_understood(&error)),
        Artifact::NoSuchThing | Artifact::Incomplete(_) => Ok(Value::Null),
    }
}

#[cfg(test)]
mod tests {
    use periscope_core::State;
    use periscope_documents::names;

    use super::{KUBELET, network_config};
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
            .with(KUBELET.0, KUBELET.1, r#"{"networkPlugin":"cni","maxPods":110}"#);
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
                names::DNS,
                names::CLUSTER_DNS,
                r#"{"servers":["10.0.0.10"],"readFrom":[]}"#,
            );
        assert!(document(&artifacts).contains(r#""KubernetesDNS":["10.0.0.10"]"#));
    }

    #[test]
    fn what_is_not_known_is_empty() {
        assert_eq!(
            document(&Artifacts::default()),
            r#"{"HostName":"node1","NetworkPlugin":"","VirtualMachineDNS":null,"KubernetesDNS":null,"MaxPodsPerNode":0}"#
        );
    }
}
