//! What the exit codes of AKS's provisioning script mean, and what to do about each: the ones by which nodes fail in
//! the field. Facts from `parts/linux/cloud-init/artifacts/cse_helpers.sh` of `Azure/AgentBaker`.

/// What an exit code means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// A clause that goes on from "because".
    pub(crate) why: &'static str,
    /// One sentence.
    pub(crate) remedy: &'static str,
}

const OUTBOUND: &str = "Open the outbound rules that AKS requires (mcr.microsoft.com, packages.microsoft.com, acs-mirror and \
                        packages.aks.azure.com) on firewall, security group and route table, then reimage the node.";
const API_SERVER: &str = "Check that the node's network reaches the API server: firewall, authorized IP ranges, private endpoint; \
                          then reimage the node.";
const API_DNS: &str = "Check that the virtual network's DNS servers resolve the API server's name: the private DNS zone must be \
                       linked to their network, and they must forward to 168.63.129.16.";
const PACKAGES: &str = "Check the outbound rules and proxies towards package servers and registries, then reimage the node; the \
                        script's log has the address that failed.";
const SERVICE: &str = "Read the service's journal in system-logs/ and its state in node-services/units.txt.";
const GPU: &str = "Check that the machine's size and the node image support the GPU driver, then reimage the node.";
const LOG: &str = "Read the last lines of node-logs/var/log/azure/cluster-provision.log.";

/// Codes, why each is given, and what to do.
const MEANINGS: [(u16, &str, &str); 43] = [
    (4, "a service could not be started or enabled", SERVICE),
    (
        5,
        "cloud-init did not finish its commands in time",
        "Read node-logs/var/log/cloud-init-output.log.",
    ),
    (6, "a file that the script waits for did not appear", LOG),
    (9, "packages could not be installed with apt in time", PACKAGES),
    (20, "docker could not be installed in time", PACKAGES),
    (24, "docker could not be started", SERVICE),
    (28, "containerd could not be installed in time", PACKAGES),
    (29, "runc could not be installed in time", PACKAGES),
    (30, "the cluster was not healthy in time", API_SERVER),
    (31, "the Kubernetes binaries could not be downloaded in time", PACKAGES),
    (33, "an image could not be downloaded in time", PACKAGES),
    (34, "the kubelet could not be started", SERVICE),
    (35, "an image could not be pulled with docker in time", PACKAGES),
    (36, "an image could not be pulled with ctr in time", PACKAGES),
    (37, "an image could not be pulled with crictl in time", PACKAGES),
    (41, "the CNI plugins could not be downloaded in time", PACKAGES),
    (
        42,
        "the list of Microsoft's packages could not be downloaded in time",
        PACKAGES,
    ),
    (49, "a kernel module could not be loaded", LOG),
    (50, "the node has no outbound connection", OUTBOUND),
    (51, "the node cannot connect to the API server", API_SERVER),
    (52, "the node cannot resolve the API server's name", API_DNS),
    (
        53,
        "the node cannot resolve the API server's name, because of Azure's DNS",
        API_DNS,
    ),
    (
        65,
        "the machine's image lacks the mark of an AKS image",
        "Use a node image that AKS supports.",
    ),
    (70, "containerd could not be downloaded in time", PACKAGES),
    (71, "runc could not be downloaded in time", PACKAGES),
    (80, "the custom search domains could not be set", LOG),
    (83, "the GPU driver could not be downloaded in time", GPU),
    (84, "the GPU driver could not be started", GPU),
    (85, "the GPU driver could not be installed in time", GPU),
    (86, "the GPU's device plugin could not be started", GPU),
    (98, "apt's daily updates did not end in time", LOG),
    (99, "apt could not update its lists in time", PACKAGES),
    (
        100,
        "cloud-init did not place the script on the machine in time",
        "Read node-logs/var/log/cloud-init.log.",
    ),
    (103, "the kernel's settings could not be loaded", LOG),
    (124, "the script took longer than its time limit", LOG),
    (
        161,
        "the CA certificates of the user could not be installed",
        "Check the custom CA certificates of the node pool.",
    ),
    (205, "the credential provider could not be downloaded in time", PACKAGES),
    (
        210,
        "the instance metadata service (169.254.169.254) did not answer",
        "Check that nothing blocks 169.254.169.254.",
    ),
    (211, "the registry of node artifacts could not be reached", PACKAGES),
    (
        212,
        "the registry of node artifacts refused the node",
        "Give the kubelet's identity the right to pull from it.",
    ),
    (215, "the check of DNS failed", API_DNS),
    (216, "the local DNS service could not be started", SERVICE),
    (
        223,
        "cloud-init failed",
        "Read the errors in node-services/cloud-init/status.json.",
    ),
];

/// What the code means, where it is one that nodes fail by.
pub(crate) fn meaning(code: u16) -> Option<Meaning> {
    let row = MEANINGS.iter().find(|(known, ..)| *known == code)?;
    Some(Meaning {
        why: row.1,
        remedy: row.2,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::{MEANINGS, meaning};

    #[test]
    fn codes_are_sorted_and_each_is_there_once() {
        assert!(MEANINGS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[rstest]
    #[case::outbound(50, "no outbound connection")]
    #[case::api_server(51, "connect to the API server")]
    #[case::dns(52, "resolve the API server's name")]
    #[case::time(124, "time limit")]
    fn a_code_is_explained(#[case] code: u16, #[case] words: &str) {
        assert!(meaning(code).unwrap().why.contains(words));
    }

    #[test]
    fn a_code_that_is_not_in_the_table_has_no_meaning() {
        assert_eq!(meaning(1), None);
    }
}
