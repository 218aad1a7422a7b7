//! Action `cni`.

use periscope_core::State;
use periscope_documents::{AddressRange, CniConfiguration, CniPlugin, from_lines, names};

use crate::run::{run, states};
use crate::{aks_node, docker_node};

const ID: &str = names::CNI;

#[tokio::test]
async fn azure_cni_is_taken_with_its_state_and_logs_and_no_credentials() {
    let run = run(&aks_node::with_network_plugins(), ID).await;
    let there: Vec<_> = states(&run)
        .into_iter()
        .filter(|state| !state.ends_with(": not-present"))
        .collect();
    assert_eq!(
        there,
        [
            "addresses.json: not-applicable",
            "addresses.txt: not-applicable",
            "configurations.json: collected",
            "configurations.txt: collected",
            "etc/cni/net.d/15-azure.conflist.cilium_bak: collected",
            "etc/cni/net.d/15-azure.conflist: collected",
            "etc/cni/net.d/calico-kubeconfig: denied",
            "etc/cni/net.d/planted-kubeconfig: denied",
            "kubeconfigs/calico-kubeconfig: collected",
            "plugins.json: collected",
            "plugins.txt: collected",
            "var/lib/azure-network/azure-cns.json: collected",
            "var/log/azure-cns.log: collected",
            "var/log/azure-npm.log: denied",
            "var/log/azure-vnet-ipam.log.1: collected",
            "var/log/azure-vnet.log: not-applicable",
            "var/run/azure-cns/azure-endpoints.json: collected",
            "var/run/azure-vnet.json: collected",
        ]
    );
    let configurations = from_lines::<CniConfiguration>(&run.text(names::CNI_CONFIGURATIONS)).unwrap();
    assert_eq!(configurations.len(), 1, "a copy that cilium put aside is none");
    let (line, configuration) = &configurations[0];
    assert_eq!(
        (*line, configuration.plugins.join(" ")),
        (2, "azure-vnet azure-cns portmap".to_owned())
    );
    assert_eq!(run.state(&configuration.file), State::Collected);
    let kubeconfig = run.text("kubeconfigs/calico-kubeconfig");
    assert!(
        kubeconfig.contains("azmk8s.io") && !kubeconfig.contains("0123456789abcdef"),
        "{kubeconfig}"
    );
    let plugins: Vec<_> = from_lines::<CniPlugin>(&run.text(names::CNI_PLUGINS))
        .unwrap()
        .into_iter()
        .map(|(_, plugin)| plugin.name)
        .collect();
    assert_eq!(plugins, ["azure-vnet", "portmap"]);
    assert_eq!(run.text("var/log/azure-vnet-ipam.log.1"), "[ipam] before\n");
}

#[tokio::test]
async fn addresses_of_host_local_are_counted_and_listed() {
    let run = run(&docker_node::with_network_plugins(), ID).await;
    let ranges = from_lines::<AddressRange>(&run.text(names::CNI_ADDRESSES)).unwrap();
    let range = &ranges[0].1;
    assert_eq!(ranges.len(), 1);
    assert_eq!(
        (
            range.network.as_str(),
            range.ranges.join(" "),
            range.in_use,
            range.usable
        ),
        ("cbr0", "10.244.1.0/29".to_owned(), 2, 5)
    );
    let table = run.text("addresses.txt");
    assert!(table.contains("10.244.1.2  0123abcd eth0\n"), "{table}");
    assert!(table.contains("kubenet  10.240.0.9"), "{table}");
}

#[tokio::test]
async fn a_node_without_network_plugins_says_so() {
    let run = run(&periscope_testkit::HostFixture::new(), ID).await;
    assert_eq!(run.state(names::CNI_CONFIGURATIONS), State::NotPresent);
    assert_eq!(run.state(names::CNI_PLUGINS), State::NotPresent);
    assert_eq!(run.state(names::CNI_ADDRESSES), State::NotApplicable);
}
