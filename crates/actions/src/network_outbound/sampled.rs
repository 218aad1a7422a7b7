//! What the agent samples between runs, and how a sample is taken: the targets of a run, as far as DNS and TCP.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use periscope_documents::Network;
use periscope_sampling::{Outcome, Probe, Target};
use tokio::time::Instant;

use super::probe::{connect, resolve};
use super::resolver::SystemResolver;
use super::standing::{self, API_SERVER};
use crate::catalog::Deps;
use crate::dns::{DNS_PORT, PUBLIC_NAME, api_server_name};
use crate::kubelet::KnownKubelet;
use crate::vantage::{Vantage, own_network};

/// What the type of the name servers is called: no other one of the original's has its name.
const DNS: &str = "DNS";
/// What the node's work stops without.
const OFTEN: Duration = Duration::from_secs(5);
/// Everything else.
const SELDOM: Duration = Duration::from_secs(30);

/// What to sample, for a [`Sampler`](periscope_sampling::Sampler).
pub struct OutboundSampling {
    /// The targets, each with its pace.
    pub targets: Vec<Target>,
    /// Tries them.
    pub probe: Arc<dyn Probe>,
}

/// What to sample on this node, as `settings` and the node's files name it now. Blocks.
pub fn outbound_sampling(deps: &Deps) -> OutboundSampling {
    sampling(&Vantage::of(deps))
}

fn sampling(vantage: &Vantage) -> OutboundSampling {
    let kubelet = KnownKubelet::look(&vantage.root);
    let api_server = vantage.api_server(&kubelet);
    let (outbound, _) = standing::targets(&vantage.root, api_server.as_ref(), &vantage.settings);
    // A pod is told the cluster's name servers; on the node itself are those of its network, which know no such name.
    let in_pod = vantage.own.is_some() && own_network(&vantage.root) != Network::Node;
    let name = if in_pod {
        api_server_name(&kubelet.settings)
    } else {
        PUBLIC_NAME.to_owned()
    };
    let mut targets = vec![Target {
        kind: DNS.to_owned(),
        host: name,
        port: DNS_PORT,
        optional: false,
        every: OFTEN,
    }];
    targets.extend(outbound.into_iter().map(|target| Target {
        every: if target.kind == API_SERVER { OFTEN } else { SELDOM },
        kind: target.kind,
        host: target.host,
        port: target.port,
        optional: target.optional,
    }));
    OutboundSampling {
        targets,
        probe: Arc::new(Sampled {
            resolver: SystemResolver::new(vantage.own_files()),
        }),
    }
}

/// Tries a target as a run does, and no further than TCP.
struct Sampled {
    resolver: SystemResolver,
}

#[async_trait]
impl Probe for Sampled {
    async fn probe(&self, target: &Target) -> Outcome {
        let started = Instant::now();
        let addresses = match resolve(&self.resolver, &target.host, target.port, started, &mut None).await {
            Ok(addresses) => addresses,
            Err(why) => return Outcome::DnsFailed(why),
        };
        if target.kind == DNS {
            return Outcome::Connected;
        }
        match connect(&addresses, started, &mut Vec::new()).await {
            // Closed in order, not reset: an API server takes an end before the handshake for nothing to speak of
            // (kubernetes/apiserver, `pkg/server/secure_serving.go`, `tlsHandshakeErrorWriter`).
            Ok(stream) => {
                drop(stream);
                Outcome::Connected
            }
            Err(why) => Outcome::TcpFailed(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use periscope_sampling::{Outcome, Target};
    use periscope_testkit::HostFixture;
    use tokio::io::AsyncReadExt;
    use tokio::net::TcpListener;

    use super::{DNS, OFTEN, SELDOM, sampling};
    use crate::Settings;
    use crate::vantage::Vantage;

    const KUBECONFIG: &str =
        "apiVersion: v1\nkind: Config\nclusters:\n- name: c\n  cluster:\n    server: https://api.example:6443\n";

    fn vantage(node: &HostFixture, own: Option<&HostFixture>) -> Vantage {
        Vantage {
            root: node.root(),
            own: own.map(HostFixture::root),
            access: None,
            settings: Settings {
                outbound_targets: vec!["example.com:5000".to_owned()],
                ..Settings::default()
            },
        }
    }

    fn target(host: &str, port: u16) -> Target {
        Target {
            kind: "x".to_owned(),
            host: host.to_owned(),
            port,
            optional: false,
            every: SELDOM,
        }
    }

    #[tokio::test]
    async fn the_targets_are_those_of_a_run_and_the_name_servers() {
        let node = HostFixture::new()
            .file("/proc/77/comm", "kubelet\n")
            .file(
                "/proc/77/cmdline",
                "/usr/bin/kubelet\0--kubeconfig=/var/lib/kubelet/kubeconfig\0",
            )
            .file("/var/lib/kubelet/kubeconfig", KUBECONFIG);
        let pod = HostFixture::new();
        let targets = sampling(&vantage(&node, Some(&pod))).targets;
        let rows: Vec<_> = targets
            .iter()
            .map(|t| (t.kind.as_str(), t.host.as_str(), t.every, t.optional))
            .collect();
        assert_eq!(rows[0], (DNS, "kubernetes.default.svc.cluster.local", OFTEN, false));
        assert!(
            rows.contains(&("AKS API Server", "api.example", OFTEN, false)),
            "{rows:?}"
        );
        assert!(
            rows.contains(&("Internet", "www.microsoft.com", SELDOM, true)),
            "{rows:?}"
        );
        assert!(
            rows.contains(&("example.com:5000", "example.com", SELDOM, false)),
            "{rows:?}"
        );
        let on_the_node = sampling(&vantage(&node, None)).targets;
        assert_eq!(on_the_node[0].host, "mcr.microsoft.com");
    }

    #[tokio::test]
    async fn a_sample_ends_with_tcp_and_leaves_nothing_open() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let node = HostFixture::new();
        let probe = sampling(&vantage(&node, None)).probe;
        assert_eq!(
            probe.probe(&target("127.0.0.1", address.port())).await,
            Outcome::Connected
        );
        let (mut stream, _) = listener.accept().await.unwrap();
        let ended = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut [0; 1])).await;
        assert_eq!(ended.unwrap().unwrap(), 0);
        drop((listener, stream));
        let outcome = probe.probe(&target("127.0.0.1", address.port())).await;
        assert_eq!(
            outcome,
            Outcome::TcpFailed("Connection refused (os error 111)".to_owned())
        );
        let outcome = probe.probe(&target("no.such.name", 443)).await;
        assert!(matches!(outcome, Outcome::DnsFailed(_)), "{outcome:?}");
        let names = Target {
            kind: DNS.to_owned(),
            ..target("127.0.0.1", 53)
        };
        assert_eq!(probe.probe(&names).await, Outcome::Connected);
    }
}
