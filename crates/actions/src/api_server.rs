//! Where the node's API server is and who vouches for it, from the kubelet's kubeconfig or the way we ourselves have to
//! it. Asks nobody.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use periscope_cluster::ClusterAccess;
use periscope_host::{HostPath, HostRoot};
use serde_json::Value;
use url::Url;

use crate::kubelet::KnownKubelet;

/// Largest file of certificates that is read.
const MAX_CA_BYTES: usize = 1024 * 1024;

/// Where a pod finds the certificates of its API server's issuer.
const SERVICE_ACCOUNT_CA: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";

/// An API server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ApiServer {
    /// Host name or address; an IPv6 address without brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
    /// The certificates that issue its own, as PEM, where they are known.
    pub(crate) ca: Option<Vec<u8>>,
}

impl ApiServer {
    /// The API server that the kubelet uses; where that is not known, the one that we use. `own` is our own root
    /// folder. Blocks.
    pub(crate) fn find(
        root: &HostRoot,
        own: &HostRoot,
        kubelet: &KnownKubelet,
        access: Option<&ClusterAccess>,
    ) -> Option<Self> {
        let of_kubelet = || {
            let (path, text) = kubelet.kubeconfig.as_ref()?;
            Self::of_kubeconfig(text, &|file| {
                let path = if file.starts_with('/') {
                    HostPath::new(file)
                } else {
                    path.parent()?.join(file)
                };
                root.read(&path.ok()?, MAX_CA_BYTES).ok()
            })
        };
        of_kubelet().or_else(|| {
            let server = access?.server();
            let ca = HostPath::new(SERVICE_ACCOUNT_CA)
                .ok()
                .and_then(|path| own.read(&path, MAX_CA_BYTES).ok());
            Some(Self {
                host: server.host.clone(),
                port: server.port,
                ca,
            })
        })
    }

    /// The first cluster of a kubeconfig.
    fn of_kubeconfig(text: &str, read: &dyn Fn(&str) -> Option<Vec<u8>>) -> Option<Self> {
        let document: Value = serde_saphyr::from_str(text).ok()?;
        let cluster = document.get("clusters")?.get(0)?.get("cluster")?;
        let url = Url::parse(cluster.get("server")?.as_str()?).ok()?;
        let word = |name: &str| cluster.get(name).and_then(Value::as_str);
        let ca = match word("certificate-authority-data") {
            Some(data) => BASE64_STANDARD.decode(data).ok(),
            None => word("certificate-authority").and_then(read),
        };
        Some(Self {
            host: url.host_str()?.trim_matches(['[', ']']).to_owned(),
            port: url.port_or_known_default()?,
            ca,
        })
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::ApiServer;

    #[rstest]
    #[case::aks(
        "server: https://a-dns-1.hcp.centralus.azmk8s.io:443",
        "a-dns-1.hcp.centralus.azmk8s.io",
        443
    )]
    #[case::address("server: https://10.0.0.4:6443", "10.0.0.4", 6443)]
    #[case::v6("server: https://[fd00::1]:6443/", "fd00::1", 6443)]
    #[case::no_port("server: https://api.example", "api.example", 443)]
    fn the_server_of_a_kubeconfig(#[case] server: &str, #[case] host: &str, #[case] port: u16) {
        let text = format!("apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    {server}\n");
        let found = ApiServer::of_kubeconfig(&text, &|_| None).unwrap();
        assert_eq!((found.host.as_str(), found.port, found.ca), (host, port, None));
    }

    #[rstest]
    #[case::in_it("certificate-authority-data: UEVN", Some("PEM"))]
    #[case::in_a_file(
        "certificate-authority: /etc/kubernetes/certs/ca.crt",
        Some("of /etc/kubernetes/certs/ca.crt")
    )]
    #[case::spoilt("certificate-authority-data: '%'", None)]
    fn its_issuer(#[case] ca: &str, #[case] expected: Option<&str>) {
        let text = format!("clusters:\n- cluster:\n    server: https://x\n    {ca}\n");
        let found = ApiServer::of_kubeconfig(&text, &|path| Some(format!("of {path}").into_bytes())).unwrap();
        assert_eq!(found.ca.as_deref(), expected.map(str::as_bytes));
    }

    #[rstest]
    #[case::empty("")]
    #[case::no_clusters("clusters: []")]
    #[case::no_server("clusters:\n- cluster: {}")]
    #[case::not_a_url("clusters:\n- cluster:\n    server: 10.0.0.4")]
    #[case::not_yaml("\t{")]
    fn what_names_no_server(#[case] text: &str) {
        assert_eq!(ApiServer::of_kubeconfig(text, &|_| None), None);
    }
}
