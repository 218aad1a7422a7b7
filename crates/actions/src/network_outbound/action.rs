//! The action: finds the targets, tries them all at once, writes what came of it.

use std::fmt::Write;
use std::time::Duration;

use async_trait::async_trait;
use futures::future::join_all;
use jiff::Timestamp;
use periscope_core::{
    Action, ActionContext, ActionError, ArtifactSpec, Content, Descriptor, ItemDescriptor, Scope, Sensitivity, State,
};
use periscope_documents::{Connection, names, to_lines};
use periscope_host::{HostPath, HostRoot};
use periscope_sampling::History;

use super::history;
use super::probe::Prober;
use super::resolver::SystemResolver;
use super::standing::{self, Unnamed};
use super::target::OutboundTarget;
use super::tls::TrustStores;
use crate::host_files::record_none;
use crate::kubelet::KnownKubelet;
use crate::table;
use crate::vantage::{Vantage, own_network};

/// Settings of proxies: programs read them in either case.
const PROXY_VARIABLES: [&str; 4] = ["http_proxy", "https_proxy", "no_proxy", "all_proxy"];
const PROXIES: &str = "proxies.txt";
/// Where services of the node find variables, among them those that AKS sets for a proxy.
const ENVIRONMENT_FILE: &str = "/etc/environment";
/// A list of variables.
const MAX_ENVIRONMENT_BYTES: usize = 256 * 1024;

pub(crate) const DESCRIPTOR: Descriptor = Descriptor {
    id: names::NETWORK_OUTBOUND,
    summary: "Whether API server, tunnel, registries, storage account and Internet are reached: DNS, TCP, TLS, HTTP",
    // Tries end by themselves within five seconds.
    timeout: Duration::from_secs(15),
    limit: 4 * 1024 * 1024,
    rbac: &[],
    scope: Scope::Node,
    sensitivity: Sensitivity::Node,
    items: &[
        ItemDescriptor::new(
            names::CONNECTIONS,
            "Each try with its phases, their times, certificates and errors",
        ),
        ItemDescriptor::new(names::CONNECTIONS_TABLE, "The tries as a table"),
        ItemDescriptor::new(
            PROXIES,
            "Proxy settings of this program and of the node's `/etc/environment`; tries use none",
        ),
        ItemDescriptor::new(
            names::DOWN_PERIODS,
            "When connections were down in the last 24 hours, from the agent's samples between runs",
        ),
        ItemDescriptor::new(
            names::SAMPLES,
            "The agent's samples (DNS and TCP) of the last 24 hours as stretches of one status",
        ),
        ItemDescriptor::new("<target>", "Why a standing target could not be named"),
    ],
};

/// Tries outbound connections.
pub(crate) struct NetworkOutbound {
    vantage: Vantage,
}

/// What the tries need.
struct Prepared {
    prober: Prober,
    targets: Vec<OutboundTarget>,
    unknown: Vec<Unnamed>,
    proxies: String,
    history: Result<History, history::NoHistory>,
}

impl NetworkOutbound {
    pub(crate) fn new(vantage: Vantage) -> Self {
        Self { vantage }
    }

    /// Reads the files. Blocks.
    fn prepare(vantage: &Vantage) -> Prepared {
        let (root, own) = (&vantage.root, vantage.own_files());
        let kubelet = KnownKubelet::look(root);
        let api_server = vantage.api_server(&kubelet);
        let ca = api_server.as_ref().and_then(|server| server.ca.as_deref());
        let (targets, unknown) = standing::targets(root, api_server.as_ref(), &vantage.settings);
        Prepared {
            prober: Prober {
                resolver: SystemResolver::new(own),
                trust: TrustStores::load(root, own, ca),
                from: own_network(root),
            },
            targets,
            unknown,
            proxies: proxies(root, std::env::vars()),
            history: history::read(root),
        }
    }
}

#[async_trait]
impl Action for NetworkOutbound {
    async fn run(&self, cx: &ActionContext) -> Result<(), ActionError> {
        let prepared = self.vantage.look(Self::prepare).await?;
        let sink = &cx.sink;
        for Unnamed { kind, state, why } in &prepared.unknown {
            sink.record(&kind.to_lowercase().replace(' ', "-"), *state, why);
        }
        if prepared.proxies.is_empty() {
            let none = (State::NotPresent, "no proxy is set");
            record_none(&self.vantage.root, sink, PROXIES, &[ENVIRONMENT_FILE], none).await;
        } else {
            sink.document(ArtifactSpec::new(PROXIES, Content::Text), prepared.proxies)
                .await;
        }
        let tries = prepared.targets.iter().map(|target| prepared.prober.probe(target));
        let connections = join_all(tries).await;
        match to_lines(&connections) {
            Ok(text) => {
                sink.document(ArtifactSpec::new(names::CONNECTIONS, Content::Json), text)
                    .await;
            }
            Err(error) => sink.record(names::CONNECTIONS, State::Failed, error.to_string()),
        }
        sink.document(
            ArtifactSpec::new(names::CONNECTIONS_TABLE, Content::Text),
            as_table(&connections),
        )
        .await;
        history::keep(sink, &prepared.history, Timestamp::now()).await;
        Ok(())
    }
}

/// The settings of proxies, one per line with where they stand.
fn proxies(root: &HostRoot, own: impl Iterator<Item = (String, String)>) -> String {
    let is_proxy = |name: &str| PROXY_VARIABLES.contains(&name.to_ascii_lowercase().as_str());
    let mut text = String::new();
    for (name, value) in own.filter(|(name, _)| is_proxy(name)) {
        // Writing to a string cannot fail.
        writeln!(text, "environment: {name}={value}").ok();
    }
    let file = HostPath::new(ENVIRONMENT_FILE).ok();
    let file = file
        .and_then(|path| root.read_text(&path, MAX_ENVIRONMENT_BYTES).ok())
        .unwrap_or_default();
    for line in file.lines() {
        let assignment = line.trim().strip_prefix("export ").unwrap_or(line.trim());
        if assignment
            .split_once('=')
            .is_some_and(|(name, _)| is_proxy(name.trim()))
        {
            writeln!(text, "{ENVIRONMENT_FILE}: {assignment}").ok();
        }
    }
    text
}

fn as_table(connections: &[Connection]) -> String {
    let rows: Vec<_> = connections
        .iter()
        .map(|connection| {
            let millis = |millis: Option<u64>| millis.map_or_else(|| "-".to_owned(), |millis| millis.to_string());
            let tcp = connection.tcp.last();
            let tls = connection.tls.as_ref();
            let expiry = tls
                .and_then(|tls| tls.chain.first())
                .map(|leaf| leaf.not_after.to_string());
            let trust = match tls.map(|tls| tls.trusted) {
                Some(Some(true)) => "yes",
                Some(Some(false)) => "no",
                Some(None) => "not judged",
                None => "-",
            };
            vec![
                connection.kind.clone(),
                connection.from.to_string(),
                format!("{}:{}", connection.host, connection.port),
                millis(connection.dns.as_ref().map(|dns| dns.millis)),
                millis(tcp.map(|tcp| tcp.millis)),
                millis(tls.map(|tls| tls.millis)),
                millis(connection.http.as_ref().map(|http| http.millis)),
                connection
                    .http
                    .as_ref()
                    .and_then(|http| http.status)
                    .map_or("-".to_owned(), |code| code.to_string()),
                trust.to_owned(),
                expiry.unwrap_or_else(|| "-".to_owned()),
                connection.status.clone(),
            ]
        })
        .collect();
    let headings = [
        "TARGET",
        "FROM",
        "HOST",
        "DNS MS",
        "TCP MS",
        "TLS MS",
        "HTTP MS",
        "HTTP",
        "TRUSTED",
        "CERTIFICATE UNTIL",
        "STATUS",
    ];
    table::render(&headings, &rows)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use periscope_core::State;
    use periscope_documents::{Connection, from_lines, names};
    use periscope_testkit::{ActionRun, HostFixture};
    use tokio::net::TcpListener;

    use super::{DESCRIPTOR, NetworkOutbound, PROXIES, proxies};
    use crate::Settings;
    use crate::vantage::Vantage;

    #[tokio::test]
    async fn every_target_has_its_try_and_what_is_unknown_its_reason() {
        let open = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let settings = Settings {
            internet_target: closed.to_string(),
            outbound_targets: vec![open.local_addr().unwrap().to_string()],
            ..Settings::default()
        };
        let node = HostFixture::new().file("/etc/environment", "PATH=/bin\nexport HTTPS_PROXY=http://proxy:3128\n");
        let action = NetworkOutbound::new(Vantage {
            root: node.root(),
            own: None,
            access: None,
            settings,
        });
        let run = ActionRun::of(&DESCRIPTOR, Arc::new(action)).await;
        let connections: Vec<Connection> = from_lines(&run.text(names::CONNECTIONS))
            .unwrap()
            .into_iter()
            .map(|(_, sample)| sample)
            .collect();
        let status = |kind: &str| {
            connections
                .iter()
                .find(|c| c.kind == kind)
                .map(|c| c.status.as_str())
                .unwrap()
        };
        assert_eq!(status("Internet"), "Error: tcp: Connection refused (os error 111)");
        assert_eq!(status(&open.local_addr().unwrap().to_string()), "Connected");
        // The node has no resolv.conf, so no name leads anywhere.
        assert!(status("Microsoft Container Registry").starts_with("Error: dns: "));
        assert_eq!(run.state("aks-api-server"), State::NotApplicable);
        assert_eq!(run.state("aks-tunnel"), State::NotApplicable);
        assert!(
            run.text(PROXIES)
                .contains("/etc/environment: HTTPS_PROXY=http://proxy:3128\n")
        );
        let table = run.text(names::CONNECTIONS_TABLE);
        assert_eq!(table.lines().count(), 1 + connections.len());
    }

    #[test]
    fn only_proxy_settings_are_noted() {
        let own = [
            ("NO_PROXY", "10.0.0.0/8"),
            ("HOME", "/root"),
            ("https_proxy", "http://p:1"),
        ];
        let own = own.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let text = proxies(&HostFixture::new().root(), own.into_iter());
        assert_eq!(
            text,
            "environment: NO_PROXY=10.0.0.0/8\nenvironment: https_proxy=http://p:1\n"
        );
    }
}
