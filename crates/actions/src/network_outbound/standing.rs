//! The targets that every node should reach, from what is known of its cluster.

use periscope_core::State;
use periscope_host::HostRoot;

use super::target::{HTTP_1_1, OutboundTarget, Trust};
use crate::Settings;
use crate::api_server::ApiServer;
use crate::host_files::{reason_of, state_of};

/// What the types are called: the original's words, which readers of its results know (Periscope contract, section
/// 1.2).
pub(super) const INTERNET: &str = "Internet";
pub(super) const API_SERVER: &str = "AKS API Server";
pub(super) const TUNNEL: &str = "AKS Tunnel";
const ACR: &str = "Azure Container Registry";
const MCR: &str = "Microsoft Container Registry";
const STORAGE: &str = "Azure Storage Account";

/// The konnectivity agent's program, and its flags (`kubernetes-sigs/apiserver-network-proxy`,
/// `cmd/agent/app/options`).
const AGENT: &str = "proxy-agent";
/// The protocol that AKS names in the handshake to tell the tunnel from the API on one port.
const KONNECTIVITY: &str = "konnectivity";
/// Where the registries listen; on AKS the tunnel too, since it is konnectivity's (Azure/aks-periscope, issue 84).
const HTTPS_PORT: u16 = 443;
/// The domains of AKS API servers: public, China, US Government.
const AKS_DOMAINS: [&str; 3] = [".azmk8s.io", ".azk8s.cn", ".containerservice.azure.us"];

/// A target that cannot be named: which, how that ends, and why.
#[derive(Debug)]
pub(super) struct Unnamed {
    pub(super) kind: &'static str,
    pub(super) state: State,
    pub(super) why: String,
}

impl Unnamed {
    fn not_applicable(kind: &'static str, why: impl Into<String>) -> Self {
        Self {
            kind,
            state: State::NotApplicable,
            why: why.into(),
        }
    }
}

/// The targets, and those that cannot be named.
pub(super) fn targets(
    root: &HostRoot,
    api_server: Option<&ApiServer>,
    settings: &Settings,
) -> (Vec<OutboundTarget>, Vec<Unnamed>) {
    let mut targets = Vec::new();
    let mut unknown = Vec::new();
    match settings.internet_target.parse::<OutboundTarget>() {
        // Clusters without a way to the Internet are no rarity.
        Ok(target) => targets.push(OutboundTarget {
            kind: INTERNET.to_owned(),
            optional: true,
            ..target
        }),
        Err(error) => unknown.push(Unnamed::not_applicable(INTERNET, error.to_string())),
    }
    match api_server {
        Some(server) => targets.push(OutboundTarget {
            tls: Some(Trust::Cluster),
            path: Some("/readyz".to_owned()),
            ..OutboundTarget::https(API_SERVER, &server.host, server.port)
        }),
        None => unknown.push(Unnamed::not_applicable(
            API_SERVER,
            "no API server is known on this node",
        )),
    }
    match tunnel(root, api_server) {
        Ok((host, port)) => targets.push(OutboundTarget {
            tls: Some(Trust::Cluster),
            alpn: KONNECTIVITY,
            path: None,
            // The server asks for a certificate that only the agent has, and ends the handshake.
            tcp_is_enough: true,
            ..OutboundTarget::https(TUNNEL, &host, port)
        }),
        Err(unnamed) => unknown.push(unnamed),
    }
    targets.push(OutboundTarget {
        // The name above all registries: a firewall may well admit only those that the cluster uses, and what answers
        // there need not hold a certificate for it.
        optional: true,
        tls: Some(Trust::Nobody),
        path: None,
        tcp_is_enough: true,
        ..OutboundTarget::https(ACR, "azurecr.io", HTTPS_PORT)
    });
    targets.push(OutboundTarget {
        path: Some("/v2/".to_owned()),
        ..OutboundTarget::https(MCR, "mcr.microsoft.com", HTTPS_PORT)
    });
    if let Some(host) = &settings.storage_host
        && let Ok(target) = host.parse::<OutboundTarget>()
    {
        targets.push(OutboundTarget {
            kind: STORAGE.to_owned(),
            ..target
        });
    }
    for text in &settings.outbound_targets {
        // What is no target was refused with the command line.
        targets.extend(text.parse());
    }
    debug_assert!(
        targets
            .iter()
            .all(|target| target.alpn == HTTP_1_1 || target.path.is_none())
    );
    (targets, unknown)
}

/// Where the konnectivity agent of this node connects to; on AKS the same even where no agent runs.
fn tunnel(root: &HostRoot, api_server: Option<&ApiServer>) -> Result<(String, u16), Unnamed> {
    let agents = root.processes(AGENT);
    let of_agent = agents.iter().flatten().find_map(|agent| {
        let host = agent.flag("--proxy-server-host")?.to_owned();
        Some((host, agent.flag("--proxy-server-port")?.parse().ok()?))
    });
    let of_aks = || {
        let host = &api_server?.host;
        AKS_DOMAINS
            .iter()
            .any(|domain| host.ends_with(domain))
            .then(|| (host.clone(), HTTPS_PORT))
    };
    of_agent.or_else(of_aks).ok_or_else(|| match agents {
        Ok(_) => Unnamed::not_applicable(
            TUNNEL,
            "no konnectivity agent runs on this node, and the API server is none of AKS",
        ),
        Err(error) => Unnamed {
            kind: TUNNEL,
            state: state_of(&error),
            why: reason_of(&error),
        },
    })
}

#[cfg(test)]
mod tests {
    use periscope_core::State;
    use periscope_host::HostRoot;
    use periscope_testkit::HostFixture;
    use rstest::rstest;

    use super::{API_SERVER, TUNNEL, targets};
    use crate::Settings;
    use crate::api_server::ApiServer;

    fn server(host: &str) -> ApiServer {
        ApiServer {
            host: host.to_owned(),
            port: 443,
            ca: None,
        }
    }

    fn agent(args: &str) -> HostFixture {
        HostFixture::new()
            .file("/proc/77/comm", "proxy-agent\n")
            .file("/proc/77/cmdline", args.replace(' ', "\0"))
            .file("/proc/77/cgroup", "0::/kubepods.slice/x\n")
    }

    #[rstest]
    #[case::aks(
        HostFixture::new(),
        "a-dns-1.hcp.centralus.azmk8s.io",
        Some("a-dns-1.hcp.centralus.azmk8s.io:443")
    )]
    #[case::elsewhere(HostFixture::new(), "10.0.0.4", None)]
    #[case::agent(
        agent("/proxy-agent --proxy-server-host=k.example --proxy-server-port=8132"),
        "10.0.0.4",
        Some("k.example:8132")
    )]
    #[case::agent_without_a_port(agent("/proxy-agent --proxy-server-host=k.example"), "10.0.0.4", None)]
    fn the_tunnel(#[case] node: HostFixture, #[case] api_server: &str, #[case] expected: Option<&str>) {
        let (targets, unknown) = targets(&node.root(), Some(&server(api_server)), &Settings::default());
        let tunnel = targets.iter().find(|target| target.kind == TUNNEL);
        assert_eq!(tunnel.map(|t| format!("{}:{}", t.host, t.port)).as_deref(), expected);
        assert_eq!(unknown.iter().any(|unnamed| unnamed.kind == TUNNEL), expected.is_none());
    }

    #[test]
    fn an_agent_that_a_pod_cannot_see_may_be_there() {
        let unseen = HostRoot::mounted_into(&HostFixture::new().real_path("/")).unwrap();
        let (_, unknown) = targets(&unseen, Some(&server("10.0.0.4")), &Settings::default());
        let states: Vec<_> = unknown.iter().map(|unnamed| (unnamed.kind, unnamed.state)).collect();
        assert_eq!(states, [(TUNNEL, State::Denied)]);
    }

    #[test]
    fn without_a_cluster_the_rest_is_tried() {
        let settings = Settings {
            storage_host: Some("account.blob.core.windows.net".to_owned()),
            outbound_targets: vec!["example.com:5000".to_owned()],
            ..Settings::default()
        };
        let (targets, unknown) = targets(&HostFixture::new().root(), None, &settings);
        let kinds: Vec<_> = targets.iter().map(|target| target.kind.as_str()).collect();
        assert_eq!(
            kinds,
            [
                "Internet",
                "Azure Container Registry",
                "Microsoft Container Registry",
                "Azure Storage Account",
                "example.com:5000",
            ]
        );
        assert_eq!(
            unknown.iter().map(|unnamed| unnamed.kind).collect::<Vec<_>>(),
            [API_SERVER, TUNNEL]
        );
    }
}
